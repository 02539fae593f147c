-- What a room with keys has besides its log: its rotations, what lets people follow them, every token it ever had,
-- and the owner's newest statement. Several tables change at once in one statement: such a statement inserts
-- into a view, whose trigger is the transaction, and returns no row where something stands against it.
CREATE TABLE IF NOT EXISTS rotation(
  id INTEGER PRIMARY KEY,
  room_id INTEGER NOT NULL,
  epoch INTEGER NOT NULL CHECK(epoch>=0),
  -- Of its event; 0 for rotation 0, which is none.
  seq INTEGER NOT NULL,
  sent_at_ms INTEGER NOT NULL,
  client_id BLOB CHECK(length(client_id)=16),
  fingerprint BLOB NOT NULL CHECK(length(fingerprint)=32),
  -- Of the three texts together: pages are bounded without reading them.
  bytes INTEGER NOT NULL,
  public TEXT NOT NULL,
  signature TEXT NOT NULL,
  private TEXT NOT NULL,
  UNIQUE(room_id,epoch),
  UNIQUE(room_id,client_id)) STRICT;
--;
-- What lets one person, by the hex of their member id, follow one rotation.
CREATE TABLE IF NOT EXISTS "grant"(
  id INTEGER PRIMARY KEY,
  room_id INTEGER NOT NULL,
  epoch INTEGER NOT NULL,
  author TEXT NOT NULL CHECK(length(author)=32),
  sealed TEXT NOT NULL,
  UNIQUE(room_id,epoch,author)) STRICT;
--;
-- Every token that a room ever had, by the room's id: they outlive its row, for whoever shows one learns that the
-- room is gone. `epoch` is the last one that a token belonged to; a link's token has none.
CREATE TABLE IF NOT EXISTS token(
  room BLOB NOT NULL CHECK(length(room)=32),
  hash BLOB NOT NULL CHECK(length(hash)=32),
  epoch INTEGER,
  PRIMARY KEY(room,hash)) STRICT, WITHOUT ROWID;
--;
-- The owner's newest statement. Before the first one the state is rotation 0's private part.
CREATE TABLE IF NOT EXISTS statement(
  room_id INTEGER PRIMARY KEY,
  seq INTEGER NOT NULL,
  fingerprint BLOB NOT NULL CHECK(length(fingerprint)=32),
  body TEXT NOT NULL) STRICT;
--;
CREATE VIEW IF NOT EXISTS founding AS SELECT NULL AS room, NULL AS slot, NULL AS log, NULL AS created_at_ms,
  NULL AS expires_in_ms, NULL AS message_ttl_ms, NULL AS sweep_at_ms, NULL AS fingerprint,
  NULL AS owner_hash, NULL AS read_hash, NULL AS post_hash, NULL AS public, NULL AS signature, NULL AS private,
  NULL AS link, NULL AS link_hash, NULL AS link_fingerprint, NULL AS sealed, NULL AS note WHERE 0;
--;
CREATE TRIGGER IF NOT EXISTS founding_made INSTEAD OF INSERT ON founding BEGIN
  INSERT INTO room(room,slot,log,created_at_ms,expires_at_ms,expires_in_ms,message_ttl_ms,sweep_at_ms,
    read_hash,post_hash,owner_hash,epoch,fingerprint)
    VALUES(NEW.room,NEW.slot,NEW.log,NEW.created_at_ms,NEW.created_at_ms+NEW.expires_in_ms,NEW.expires_in_ms,
      NEW.message_ttl_ms,NEW.sweep_at_ms,NEW.read_hash,NEW.post_hash,NEW.owner_hash,0,NEW.fingerprint);
  INSERT INTO rotation(room_id,epoch,seq,sent_at_ms,fingerprint,bytes,public,signature,private)
    SELECT r.id,0,0,NEW.created_at_ms,NEW.fingerprint,
      length(CAST(NEW.public||NEW.signature||NEW.private AS BLOB)),NEW.public,NEW.signature,NEW.private
    FROM room r WHERE r.room=NEW.room;
  INSERT INTO token(room,hash,epoch)
    VALUES(NEW.room,NEW.owner_hash,0),(NEW.room,NEW.read_hash,0),(NEW.room,NEW.post_hash,0)
    ON CONFLICT(room,hash) DO UPDATE SET epoch=excluded.epoch;
  INSERT INTO link(room_id,link,token_hash,fingerprint,epoch,created_at_ms,sealed,note)
    SELECT r.id,NEW.link,NEW.link_hash,NEW.link_fingerprint,0,NEW.created_at_ms,NEW.sealed,NEW.note
    FROM room r WHERE r.room=NEW.room;
END;
--;
CREATE VIEW IF NOT EXISTS renewal AS SELECT NULL AS room_id, NULL AS room, NULL AS epoch, NULL AS seq,
  NULL AS sent_at_ms, NULL AS author, NULL AS client_id, NULL AS fingerprint, NULL AS hash, NULL AS body,
  NULL AS public, NULL AS signature, NULL AS private, NULL AS read_hash, NULL AS post_hash,
  NULL AS grants, NULL AS links WHERE 0;
--;
-- `grants` and `links` are JSON: [{author, sealed}] and [{id, sealed, note}]. A link that is not among them ends.
CREATE TRIGGER IF NOT EXISTS renewal_made INSTEAD OF INSERT ON renewal BEGIN
  INSERT INTO event(room_id,seq,kind,sent_at_ms,author,client_id,epoch,hash,body)
    VALUES(NEW.room_id,NEW.seq,'rotate',NEW.sent_at_ms,NEW.author,NEW.client_id,NEW.epoch,NEW.hash,NEW.body);
  UPDATE room SET epoch=NEW.epoch, rotate_seq=NEW.seq, read_hash=NEW.read_hash, post_hash=NEW.post_hash
    WHERE id=NEW.room_id;
  INSERT INTO rotation(room_id,epoch,seq,sent_at_ms,client_id,fingerprint,bytes,public,signature,private)
    VALUES(NEW.room_id,NEW.epoch,NEW.seq,NEW.sent_at_ms,NEW.client_id,NEW.fingerprint,
      length(CAST(NEW.public||NEW.signature||NEW.private AS BLOB)),NEW.public,NEW.signature,NEW.private);
  INSERT INTO token(room,hash,epoch) VALUES(NEW.room,NEW.read_hash,NEW.epoch),(NEW.room,NEW.post_hash,NEW.epoch)
    ON CONFLICT(room,hash) DO UPDATE SET epoch=excluded.epoch;
  INSERT INTO "grant"(room_id,epoch,author,sealed)
    SELECT NEW.room_id,NEW.epoch,json_extract(j.value,'$.author'),json_extract(j.value,'$.sealed')
    FROM json_each(NEW.grants) j;
  DELETE FROM link WHERE room_id=NEW.room_id
    AND lower(hex(link)) NOT IN(SELECT json_extract(j.value,'$.id') FROM json_each(NEW.links) j);
  UPDATE link SET epoch=NEW.epoch,
    sealed=(SELECT json_extract(j.value,'$.sealed') FROM json_each(NEW.links) j
      WHERE json_extract(j.value,'$.id')=lower(hex(link.link))),
    note=(SELECT json_extract(j.value,'$.note') FROM json_each(NEW.links) j
      WHERE json_extract(j.value,'$.id')=lower(hex(link.link)))
    WHERE room_id=NEW.room_id;
END;
--;
CREATE VIEW IF NOT EXISTS change AS SELECT NULL AS room_id, NULL AS epoch, NULL AS seq, NULL AS sent_at_ms,
  NULL AS author, NULL AS client_id, NULL AS fingerprint, NULL AS hash, NULL AS body,
  NULL AS locked, NULL AS expires_in_ms, NULL AS message_ttl_ms WHERE 0;
--;
-- NULL leaves a setting as it is. A change of the lifetime first raises the floor to what is expired now, so that
-- nothing comes back.
CREATE TRIGGER IF NOT EXISTS change_made INSTEAD OF INSERT ON change BEGIN
  INSERT INTO event(room_id,seq,kind,sent_at_ms,author,client_id,epoch,hash,body)
    VALUES(NEW.room_id,NEW.seq,'change',NEW.sent_at_ms,NEW.author,NEW.client_id,NEW.epoch,NEW.hash,NEW.body);
  UPDATE room SET floor_seq=(SELECT min(e.seq)-1 FROM event e WHERE e.room_id=room.id AND e.seq>room.floor_seq
      AND e.sent_at_ms>NEW.sent_at_ms-room.message_ttl_ms)
    WHERE id=NEW.room_id AND message_ttl_ms>0 AND NEW.message_ttl_ms IS NOT NULL;
  UPDATE room SET locked=coalesce(NEW.locked,locked), expires_in_ms=coalesce(NEW.expires_in_ms,expires_in_ms),
    message_ttl_ms=coalesce(NEW.message_ttl_ms,message_ttl_ms), sweep_at_ms=0 WHERE id=NEW.room_id;
  UPDATE room SET expires_at_ms=NEW.sent_at_ms+expires_in_ms WHERE id=NEW.room_id;
  INSERT INTO statement(room_id,seq,fingerprint,body) VALUES(NEW.room_id,NEW.seq,NEW.fingerprint,NEW.body)
    ON CONFLICT(room_id) DO UPDATE SET seq=excluded.seq, fingerprint=excluded.fingerprint, body=excluded.body;
END;
