-- While the rooms of a slot are copied to another database, those that change meanwhile are noted, so that only they
-- are copied again while the slot is frozen. A slot that stays costs a look at an empty table.
CREATE TABLE IF NOT EXISTS departure(
  slot INTEGER PRIMARY KEY CHECK(slot BETWEEN 0 AND 255),
  -- Whoever began it: a departure that was begun anew is another one.
  id BLOB NOT NULL CHECK(length(id)=16),
  -- Rooms whose ids are below it were copied.
  cursor BLOB NOT NULL,
  is_copied INTEGER NOT NULL DEFAULT 0) STRICT;
--;
CREATE TABLE IF NOT EXISTS touched(
  room BLOB PRIMARY KEY CHECK(length(room)=32),
  slot INTEGER NOT NULL,
  -- Grows with each change: what was copied is struck off only if nothing happened since.
  version INTEGER NOT NULL DEFAULT 1) STRICT, WITHOUT ROWID;
--;
CREATE INDEX IF NOT EXISTS touched_slot ON touched(slot);
--;
-- All that happens in a room changes its row, but for its links and who opened them.
CREATE TRIGGER IF NOT EXISTS room_made_touches AFTER INSERT ON room
WHEN EXISTS(SELECT 1 FROM departure d WHERE d.slot=NEW.slot) BEGIN
  INSERT INTO touched(room,slot) VALUES(NEW.room,NEW.slot) ON CONFLICT(room) DO UPDATE SET version=version+1;
END;
--;
CREATE TRIGGER IF NOT EXISTS room_changed_touches AFTER UPDATE ON room
WHEN EXISTS(SELECT 1 FROM departure d WHERE d.slot=NEW.slot) BEGIN
  INSERT INTO touched(room,slot) VALUES(NEW.room,NEW.slot) ON CONFLICT(room) DO UPDATE SET version=version+1;
END;
--;
CREATE TRIGGER IF NOT EXISTS room_removed_touches AFTER DELETE ON room
WHEN EXISTS(SELECT 1 FROM departure d WHERE d.slot=OLD.slot) BEGIN
  INSERT INTO touched(room,slot) VALUES(OLD.room,OLD.slot) ON CONFLICT(room) DO UPDATE SET version=version+1;
END;
--;
CREATE TRIGGER IF NOT EXISTS link_made_touches AFTER INSERT ON link WHEN EXISTS(SELECT 1 FROM departure) BEGIN
  INSERT INTO touched(room,slot) SELECT r.room,r.slot FROM room r JOIN departure d ON d.slot=r.slot
    WHERE r.id=NEW.room_id ON CONFLICT(room) DO UPDATE SET version=version+1;
END;
--;
CREATE TRIGGER IF NOT EXISTS link_changed_touches AFTER UPDATE ON link WHEN EXISTS(SELECT 1 FROM departure) BEGIN
  INSERT INTO touched(room,slot) SELECT r.room,r.slot FROM room r JOIN departure d ON d.slot=r.slot
    WHERE r.id=NEW.room_id ON CONFLICT(room) DO UPDATE SET version=version+1;
END;
--;
CREATE TRIGGER IF NOT EXISTS link_removed_touches AFTER DELETE ON link WHEN EXISTS(SELECT 1 FROM departure) BEGIN
  INSERT INTO touched(room,slot) SELECT r.room,r.slot FROM room r JOIN departure d ON d.slot=r.slot
    WHERE r.id=OLD.room_id ON CONFLICT(room) DO UPDATE SET version=version+1;
END;
