-- The tables of one database: which slots it owns, its rooms, their logs, signals and counts.
-- Statements are separated by a line of `--;` and can be repeated: two instances may run them at once.
CREATE TABLE IF NOT EXISTS slot(
  slot INTEGER PRIMARY KEY CHECK(slot BETWEEN 0 AND 255),
  epoch INTEGER NOT NULL,
  state TEXT NOT NULL CHECK(state IN('open','arriving','frozen','gone'))) STRICT;
--;
-- Read and written in the first database only: who got a slot that nobody owned.
CREATE TABLE IF NOT EXISTS claim(
  slot INTEGER PRIMARY KEY CHECK(slot BETWEEN 0 AND 255),
  database TEXT NOT NULL) STRICT;
--;
CREATE TABLE IF NOT EXISTS room(
  -- Never given out again: streams and sweeps outlive rooms.
  id INTEGER PRIMARY KEY AUTOINCREMENT,
  room BLOB NOT NULL UNIQUE CHECK(length(room)=32),
  slot INTEGER NOT NULL,
  log BLOB NOT NULL CHECK(length(log)=16),
  created_at_ms INTEGER NOT NULL,
  expires_at_ms INTEGER NOT NULL,
  expires_in_ms INTEGER NOT NULL,
  message_ttl_ms INTEGER NOT NULL DEFAULT 0,
  locked INTEGER NOT NULL DEFAULT 0,
  deleted_at_ms INTEGER NOT NULL DEFAULT 0,
  last_seq INTEGER NOT NULL DEFAULT 0,
  last_at_ms INTEGER NOT NULL DEFAULT 0,
  floor_seq INTEGER NOT NULL DEFAULT 0,
  sweep_at_ms INTEGER NOT NULL DEFAULT 0,
  -- Its events' bodies, and 256 for each event.
  bytes INTEGER NOT NULL DEFAULT 0,
  signal_seq INTEGER NOT NULL DEFAULT 0,
  window_ends_at_ms INTEGER NOT NULL DEFAULT 0,
  signal_count INTEGER NOT NULL DEFAULT 0,
  read_hash BLOB CHECK(length(read_hash)=32),
  post_hash BLOB CHECK(length(post_hash)=32),
  owner_hash BLOB NOT NULL CHECK(length(owner_hash)=32),
  -- NULL in a room without keys, as the next but one and the one after it.
  epoch INTEGER,
  -- Of the newest renewal's event.
  rotate_seq INTEGER NOT NULL DEFAULT 0,
  -- By which the request that made the room is known again.
  fingerprint BLOB CHECK(length(fingerprint)=32),
  -- The owner's proof of the deletion.
  farewell TEXT,
  about TEXT) STRICT;
--;
CREATE INDEX IF NOT EXISTS room_sweep ON room(sweep_at_ms);
--;
CREATE INDEX IF NOT EXISTS room_slot ON room(slot);
--;
CREATE TABLE IF NOT EXISTS event(
  pos INTEGER PRIMARY KEY,
  room_id INTEGER NOT NULL,
  seq INTEGER NOT NULL CHECK(seq>0),
  kind TEXT NOT NULL,
  sent_at_ms INTEGER NOT NULL,
  author BLOB CHECK(author IS NULL OR length(author)=16),
  target INTEGER,
  client_id BLOB NOT NULL CHECK(length(client_id)=16),
  -- The epoch of the keys it was sealed with; NULL in a room without keys.
  epoch INTEGER,
  -- Sent with the owner's token: the owner's posts are counted apart from all others.
  by_owner INTEGER NOT NULL DEFAULT 0,
  -- Only on its way in: a JSON object whose keys are counted by a trigger, and taken out again in the same statement.
  address TEXT,
  -- SHA-256 of the body as it was appended, which outlives the body.
  hash BLOB NOT NULL CHECK(length(hash)=32),
  body TEXT NOT NULL,
  UNIQUE(room_id,seq)) STRICT;
--;
CREATE UNIQUE INDEX IF NOT EXISTS event_client ON event(room_id,client_id);
--;
CREATE INDEX IF NOT EXISTS event_edit ON event(room_id,target) WHERE kind='edit';
--;
CREATE TABLE IF NOT EXISTS signal(
  room_id INTEGER NOT NULL,
  author BLOB NOT NULL,
  seq INTEGER NOT NULL,
  kind TEXT NOT NULL,
  sent_at_ms INTEGER NOT NULL,
  expires_at_ms INTEGER NOT NULL,
  window_ends_at_ms INTEGER NOT NULL,
  count INTEGER NOT NULL,
  body TEXT NOT NULL,
  PRIMARY KEY(room_id,author)) STRICT;
--;
CREATE INDEX IF NOT EXISTS signal_expiry ON signal(expires_at_ms);
--;
CREATE TABLE IF NOT EXISTS address(
  address TEXT PRIMARY KEY,
  ends_at_ms INTEGER NOT NULL,
  count INTEGER NOT NULL) STRICT;
--;
CREATE INDEX IF NOT EXISTS address_end ON address(ends_at_ms);
--;
CREATE TRIGGER IF NOT EXISTS event_appended AFTER INSERT ON event
WHEN (SELECT state FROM slot WHERE slot=(SELECT slot FROM room WHERE id=NEW.room_id))='open' BEGIN
  UPDATE room SET last_seq=NEW.seq, last_at_ms=NEW.sent_at_ms, expires_at_ms=NEW.sent_at_ms+expires_in_ms,
    bytes=bytes+256+length(CAST(NEW.body AS BLOB)) WHERE id=NEW.room_id;
  -- A room without events was due when it expires.
  UPDATE room SET sweep_at_ms=NEW.sent_at_ms+max(message_ttl_ms,10000)
    WHERE id=NEW.room_id AND message_ttl_ms>0 AND sweep_at_ms>NEW.sent_at_ms+max(message_ttl_ms,10000);
END;
--;
CREATE TRIGGER IF NOT EXISTS event_counted AFTER INSERT ON event WHEN NEW.address IS NOT NULL BEGIN
  INSERT INTO address(address,ends_at_ms,count) SELECT j.key,NEW.sent_at_ms+10000,1 FROM json_each(NEW.address) j
    WHERE true ON CONFLICT(address) DO UPDATE SET
      count=CASE WHEN ends_at_ms>NEW.sent_at_ms THEN count+1 ELSE 1 END,
      ends_at_ms=CASE WHEN ends_at_ms>NEW.sent_at_ms THEN ends_at_ms ELSE excluded.ends_at_ms END;
  UPDATE event SET address=NULL WHERE pos=NEW.pos;
END;
--;
CREATE TRIGGER IF NOT EXISTS event_erases AFTER INSERT ON event WHEN NEW.kind='delete' BEGIN
  UPDATE event SET body='' WHERE room_id=NEW.room_id AND seq=NEW.target;
  UPDATE event SET body='' WHERE room_id=NEW.room_id AND target=NEW.target AND kind='edit';
END;
--;
-- A room event is the change itself: its body says what the room is from now on. A change of the
-- lifetime first raises the floor to what is expired now, so that nothing comes back.
CREATE TRIGGER IF NOT EXISTS event_changes_room AFTER INSERT ON event WHEN NEW.kind='room'
  AND (SELECT state FROM slot WHERE slot=(SELECT slot FROM room WHERE id=NEW.room_id))='open' BEGIN
  UPDATE room SET floor_seq=CASE WHEN message_ttl_ms=0 OR json_type(NEW.body,'$.message_ttl_s') IS NULL THEN floor_seq
    ELSE (SELECT min(e.seq)-1 FROM event e WHERE e.room_id=room.id AND e.seq>room.floor_seq
      AND e.sent_at_ms>NEW.sent_at_ms-room.message_ttl_ms) END WHERE id=NEW.room_id;
  UPDATE room SET
    locked=coalesce(json_extract(NEW.body,'$.locked'),locked),
    expires_in_ms=coalesce(json_extract(NEW.body,'$.expires_in_s')*1000,expires_in_ms),
    message_ttl_ms=CASE WHEN json_type(NEW.body,'$.message_ttl_s') IS NULL THEN message_ttl_ms
      ELSE coalesce(json_extract(NEW.body,'$.message_ttl_s'),0)*1000 END,
    about=CASE WHEN json_type(NEW.body,'$.about') IS NULL THEN about ELSE json_extract(NEW.body,'$.about') END,
    sweep_at_ms=0 WHERE id=NEW.room_id;
  UPDATE room SET expires_at_ms=NEW.sent_at_ms+expires_in_ms WHERE id=NEW.room_id;
END;
--;
CREATE TRIGGER IF NOT EXISTS event_blanked AFTER UPDATE OF body ON event BEGIN
  UPDATE room SET bytes=bytes+length(CAST(NEW.body AS BLOB))-length(CAST(OLD.body AS BLOB)) WHERE id=NEW.room_id;
END;
--;
CREATE TRIGGER IF NOT EXISTS event_removed AFTER DELETE ON event BEGIN
  UPDATE room SET bytes=bytes-256-length(CAST(OLD.body AS BLOB)) WHERE id=OLD.room_id;
  UPDATE event SET body='' WHERE OLD.kind='message' AND room_id=OLD.room_id AND target=OLD.seq AND kind='edit';
END;
--;
CREATE TRIGGER IF NOT EXISTS signal_sent AFTER INSERT ON signal
WHEN (SELECT state FROM slot WHERE slot=(SELECT slot FROM room WHERE id=NEW.room_id))='open' BEGIN
  UPDATE room SET signal_seq=signal_seq+1,
    signal_count=CASE WHEN window_ends_at_ms>NEW.sent_at_ms THEN signal_count+1 ELSE 1 END,
    window_ends_at_ms=CASE WHEN window_ends_at_ms>NEW.sent_at_ms THEN window_ends_at_ms ELSE NEW.sent_at_ms+10000 END
    WHERE id=NEW.room_id;
  UPDATE signal SET seq=(SELECT signal_seq FROM room WHERE id=NEW.room_id)
    WHERE room_id=NEW.room_id AND author=NEW.author;
END;
