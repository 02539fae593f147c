-- Links into rooms with keys, and who opened them. A link's number is never given out again: its openings go
-- later, in batches.
CREATE TABLE IF NOT EXISTS link(
  id INTEGER PRIMARY KEY AUTOINCREMENT,
  room_id INTEGER NOT NULL,
  link BLOB NOT NULL CHECK(length(link)=16),
  token_hash BLOB NOT NULL CHECK(length(token_hash)=32),
  fingerprint BLOB NOT NULL CHECK(length(fingerprint)=32),
  -- The one that it was sealed for last.
  epoch INTEGER NOT NULL,
  -- NULL: any number.
  openings INTEGER,
  opened INTEGER NOT NULL DEFAULT 0,
  created_at_ms INTEGER NOT NULL,
  opened_at_ms INTEGER,
  expires_at_ms INTEGER,
  sealed TEXT NOT NULL,
  note TEXT NOT NULL,
  UNIQUE(room_id,link)) STRICT;
--;
-- Who opens a link again is not counted again.
CREATE TABLE IF NOT EXISTS opening(
  id INTEGER PRIMARY KEY,
  link_id INTEGER NOT NULL,
  client_id BLOB NOT NULL CHECK(length(client_id)=16),
  opened_at_ms INTEGER NOT NULL,
  UNIQUE(link_id,client_id)) STRICT;
--;
-- Links that ended while their openings are still there.
CREATE TABLE IF NOT EXISTS ended_link(link_id INTEGER PRIMARY KEY) STRICT;
--;
CREATE TRIGGER IF NOT EXISTS link_made AFTER INSERT ON link
WHEN (SELECT s.state FROM room r JOIN slot s ON s.slot=r.slot WHERE r.id=NEW.room_id)='open' BEGIN
  INSERT INTO token(room,hash,epoch) SELECT r.room,NEW.token_hash,NULL FROM room r WHERE r.id=NEW.room_id
    ON CONFLICT(room,hash) DO NOTHING;
END;
--;
CREATE TRIGGER IF NOT EXISTS link_ended AFTER DELETE ON link WHEN OLD.opened>0 BEGIN
  INSERT INTO ended_link(link_id) VALUES(OLD.id) ON CONFLICT(link_id) DO NOTHING;
END;
--;
CREATE TRIGGER IF NOT EXISTS link_opened AFTER INSERT ON opening
WHEN (SELECT s.state FROM link l JOIN room r ON r.id=l.room_id JOIN slot s ON s.slot=r.slot
  WHERE l.id=NEW.link_id)='open' BEGIN
  UPDATE link SET opened=opened+1, opened_at_ms=NEW.opened_at_ms WHERE id=NEW.link_id;
END;
