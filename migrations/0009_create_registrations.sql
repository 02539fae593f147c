-- Where browsers want to be told that there is something new in a room. An endpoint is a secret of its browser, so it
-- goes at once with the room, and with the epoch of whoever is shut out.
--
-- When those who wait were last told of the room.
ALTER TABLE room ADD COLUMN pushed_at_ms INTEGER NOT NULL DEFAULT 0;
--;
CREATE TABLE IF NOT EXISTS registration(
  id INTEGER PRIMARY KEY,
  room_id INTEGER NOT NULL,
  endpoint TEXT NOT NULL,
  p256dh BLOB NOT NULL CHECK(length(p256dh)=65),
  auth BLOB NOT NULL CHECK(length(auth)=16),
  created_at_ms INTEGER NOT NULL,
  UNIQUE(room_id,endpoint)) STRICT;
--;
-- A room that is being copied here brings its registrations along afterwards.
CREATE TRIGGER IF NOT EXISTS room_deleted_unregisters AFTER UPDATE OF deleted_at_ms ON room
WHEN NEW.deleted_at_ms>0 AND OLD.deleted_at_ms=0 AND (SELECT state FROM slot WHERE slot=NEW.slot)='open' BEGIN
  DELETE FROM registration WHERE room_id=NEW.id;
END;
--;
CREATE TRIGGER IF NOT EXISTS room_renewed_unregisters AFTER UPDATE OF epoch ON room
WHEN NEW.epoch IS NOT OLD.epoch AND (SELECT state FROM slot WHERE slot=NEW.slot)='open' BEGIN
  DELETE FROM registration WHERE room_id=NEW.id;
END;
--;
CREATE TRIGGER IF NOT EXISTS room_removed_unregisters AFTER DELETE ON room BEGIN
  DELETE FROM registration WHERE room_id=OLD.id;
END;
--;
-- A room whose slot moves is looked at again.
CREATE TRIGGER IF NOT EXISTS registration_made_touches AFTER INSERT ON registration
WHEN EXISTS(SELECT 1 FROM departure) BEGIN
  UPDATE room SET pushed_at_ms=pushed_at_ms WHERE id=NEW.room_id;
END;
--;
CREATE TRIGGER IF NOT EXISTS registration_changed_touches AFTER UPDATE ON registration
WHEN EXISTS(SELECT 1 FROM departure) BEGIN
  UPDATE room SET pushed_at_ms=pushed_at_ms WHERE id=NEW.room_id;
END;
--;
CREATE TRIGGER IF NOT EXISTS registration_removed_touches AFTER DELETE ON registration
WHEN EXISTS(SELECT 1 FROM departure) BEGIN
  UPDATE room SET pushed_at_ms=pushed_at_ms WHERE id=OLD.room_id;
END;
