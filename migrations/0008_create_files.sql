-- Files of rooms, in parts that clients encrypted. Nothing here tells what they are.
--
-- Which files a message has, as a JSON array of {id, parts}. NULL for nearly all events.
ALTER TABLE event ADD COLUMN files TEXT;
--;
CREATE TABLE IF NOT EXISTS file(
  -- Never given out again: its parts name it.
  id INTEGER PRIMARY KEY AUTOINCREMENT,
  room_id INTEGER NOT NULL,
  file TEXT NOT NULL CHECK(length(file)=32),
  -- How many parts are here, and their bytes.
  parts INTEGER NOT NULL DEFAULT 0,
  bytes INTEGER NOT NULL DEFAULT 0,
  -- Of the message that it belongs to; NULL while there is none.
  seq INTEGER,
  -- From then on nobody gets it any more, and it goes in batches. NULL while its message is kept.
  sweep_at_ms INTEGER,
  UNIQUE(room_id,file)) STRICT;
--;
CREATE INDEX IF NOT EXISTS file_sweep ON file(sweep_at_ms) WHERE sweep_at_ms IS NOT NULL;
--;
CREATE INDEX IF NOT EXISTS file_message ON file(room_id,seq) WHERE seq IS NOT NULL;
--;
CREATE TABLE IF NOT EXISTS part(
  id INTEGER PRIMARY KEY,
  file_id INTEGER NOT NULL,
  part INTEGER NOT NULL CHECK(part>=0),
  hash BLOB NOT NULL CHECK(length(hash)=32),
  body BLOB NOT NULL,
  UNIQUE(file_id,part)) STRICT;
--;
CREATE VIEW IF NOT EXISTS upload AS SELECT NULL AS room_id, NULL AS file, NULL AS part, NULL AS sent_at_ms,
  NULL AS hash, NULL AS address, NULL AS body WHERE 0;
--;
-- `address` is JSON: what is counted under which key, as [limit, window, how much]. A part counts 4,096 bytes besides
-- its own, which is the page that it may begin.
CREATE TRIGGER IF NOT EXISTS upload_made INSTEAD OF INSERT ON upload BEGIN
  INSERT INTO file(room_id,file,parts,bytes,sweep_at_ms)
    VALUES(NEW.room_id,NEW.file,1,length(NEW.body),NEW.sent_at_ms+3600000)
    ON CONFLICT(room_id,file) DO UPDATE SET parts=parts+1, bytes=bytes+excluded.bytes, sweep_at_ms=excluded.sweep_at_ms;
  INSERT INTO part(file_id,part,hash,body)
    SELECT f.id,NEW.part,NEW.hash,NEW.body FROM file f WHERE f.room_id=NEW.room_id AND f.file=NEW.file;
  UPDATE room SET bytes=bytes+4096+length(NEW.body) WHERE id=NEW.room_id;
  INSERT INTO address(address,ends_at_ms,count)
    SELECT j.key,NEW.sent_at_ms+json_extract(j.value,'$[1]'),json_extract(j.value,'$[2]') FROM json_each(NEW.address) j
    WHERE true ON CONFLICT(address) DO UPDATE SET
      count=CASE WHEN ends_at_ms>NEW.sent_at_ms THEN count+excluded.count ELSE excluded.count END,
      ends_at_ms=CASE WHEN ends_at_ms>NEW.sent_at_ms THEN ends_at_ms ELSE excluded.ends_at_ms END;
END;
--;
CREATE TRIGGER IF NOT EXISTS part_removed AFTER DELETE ON part
WHEN (SELECT s.state FROM file f JOIN room r ON r.id=f.room_id JOIN slot s ON s.slot=r.slot
  WHERE f.id=OLD.file_id)='open' BEGIN
  UPDATE room SET bytes=bytes-4096-length(OLD.body) WHERE id=(SELECT f.room_id FROM file f WHERE f.id=OLD.file_id);
  UPDATE file SET parts=parts-1, bytes=bytes-length(OLD.body) WHERE id=OLD.file_id;
END;
--;
-- A file goes once its parts have gone, but for one that is not where its slot was copied from. A room whose slot moves is looked at again.
CREATE TRIGGER IF NOT EXISTS file_removed AFTER DELETE ON file BEGIN
  DELETE FROM part WHERE file_id=OLD.id;
  UPDATE room SET bytes=bytes WHERE id=OLD.room_id AND EXISTS(SELECT 1 FROM departure);
END;
--;
CREATE TRIGGER IF NOT EXISTS event_takes_files AFTER INSERT ON event WHEN NEW.files IS NOT NULL
  AND (SELECT state FROM slot WHERE slot=(SELECT slot FROM room WHERE id=NEW.room_id))='open' BEGIN
  UPDATE file SET seq=NEW.seq, sweep_at_ms=NULL WHERE room_id=NEW.room_id
    AND file IN(SELECT json_extract(j.value,'$.id') FROM json_each(NEW.files) j);
END;
--;
CREATE TRIGGER IF NOT EXISTS event_erases_files AFTER INSERT ON event WHEN NEW.kind='delete'
  AND (SELECT state FROM slot WHERE slot=(SELECT slot FROM room WHERE id=NEW.room_id))='open' BEGIN
  UPDATE file SET sweep_at_ms=0 WHERE room_id=NEW.room_id AND seq=NEW.target;
END;
--;
CREATE TRIGGER IF NOT EXISTS event_removed_files AFTER DELETE ON event WHEN OLD.files IS NOT NULL
  AND (SELECT state FROM slot WHERE slot=(SELECT slot FROM room WHERE id=OLD.room_id))='open' BEGIN
  UPDATE file SET sweep_at_ms=0 WHERE room_id=OLD.room_id AND seq=OLD.seq;
END;
