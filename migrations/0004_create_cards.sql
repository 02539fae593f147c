-- The newest card of each author of a room, which outlives the log's retention. It counts towards the room's size
-- by itself, like an event.
CREATE TABLE IF NOT EXISTS card(
  id INTEGER PRIMARY KEY,
  room_id INTEGER NOT NULL,
  author BLOB NOT NULL CHECK(length(author)=16),
  seq INTEGER NOT NULL,
  epoch INTEGER NOT NULL,
  sent_at_ms INTEGER NOT NULL,
  client_id BLOB NOT NULL CHECK(length(client_id)=16),
  -- How many the author has had.
  count INTEGER NOT NULL,
  body TEXT NOT NULL,
  UNIQUE(room_id,author)) STRICT;
--;
CREATE UNIQUE INDEX IF NOT EXISTS card_seq ON card(room_id,seq);
--;
CREATE TRIGGER IF NOT EXISTS event_makes_card AFTER INSERT ON event WHEN NEW.kind='card'
  AND (SELECT state FROM slot WHERE slot=(SELECT slot FROM room WHERE id=NEW.room_id))='open' BEGIN
  UPDATE room SET bytes=bytes+256+length(CAST(NEW.body AS BLOB))
    -coalesce((SELECT 256+length(CAST(c.body AS BLOB)) FROM card c WHERE c.room_id=room.id AND c.author=NEW.author),0)
    WHERE id=NEW.room_id;
  INSERT INTO card(room_id,author,seq,epoch,sent_at_ms,client_id,count,body)
    VALUES(NEW.room_id,NEW.author,NEW.seq,NEW.epoch,NEW.sent_at_ms,NEW.client_id,1,NEW.body)
    ON CONFLICT(room_id,author) DO UPDATE SET seq=excluded.seq, epoch=excluded.epoch,
      sent_at_ms=excluded.sent_at_ms, client_id=excluded.client_id, count=count+1, body=excluded.body;
END;
