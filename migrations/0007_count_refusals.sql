-- What an operator's metrics cannot read from the other tables. Nothing here is written once for each post: events are
-- added up when their room goes, and an instance writes its refusals down at most twice a second.
CREATE TABLE IF NOT EXISTS tally(
  -- 'refusal', by an error's code; 'event', of rooms that are no more, under no code.
  kind TEXT NOT NULL,
  code TEXT NOT NULL,
  count INTEGER NOT NULL,
  PRIMARY KEY(kind,code)) STRICT, WITHOUT ROWID;
--;
-- A room that moves to another database takes its events along.
CREATE TRIGGER IF NOT EXISTS room_removed_counts AFTER DELETE ON room
WHEN OLD.last_seq>0 AND (SELECT state FROM slot WHERE slot=OLD.slot)='open' BEGIN
  INSERT INTO tally(kind,code,count) VALUES('event','',OLD.last_seq)
    ON CONFLICT(kind,code) DO UPDATE SET count=count+excluded.count;
END;
