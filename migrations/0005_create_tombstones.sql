-- Rooms with keys that are gone: their ids name their owners' keys and are never used again. `farewell` is the
-- owner's proof of a deletion; a room that expired has none.
CREATE TABLE IF NOT EXISTS tombstone(
  room BLOB PRIMARY KEY CHECK(length(room)=32),
  gone_at_ms INTEGER NOT NULL,
  farewell TEXT) STRICT, WITHOUT ROWID;
--;
CREATE INDEX IF NOT EXISTS tombstone_gone ON tombstone(gone_at_ms);
--;
CREATE TRIGGER IF NOT EXISTS room_deleted AFTER UPDATE OF deleted_at_ms ON room
WHEN NEW.epoch IS NOT NULL AND NEW.deleted_at_ms>0 AND OLD.deleted_at_ms=0 BEGIN
  INSERT INTO tombstone(room,gone_at_ms,farewell) VALUES(NEW.room,NEW.deleted_at_ms,NEW.farewell)
    ON CONFLICT(room) DO NOTHING;
END;
--;
-- A room that moves to another database leaves no tombstone.
CREATE TRIGGER IF NOT EXISTS room_removed AFTER DELETE ON room
WHEN OLD.epoch IS NOT NULL AND (SELECT state FROM slot WHERE slot=OLD.slot)='open' BEGIN
  INSERT INTO tombstone(room,gone_at_ms) VALUES(OLD.room,OLD.expires_at_ms) ON CONFLICT(room) DO NOTHING;
  DELETE FROM statement WHERE room_id=OLD.id;
END;
