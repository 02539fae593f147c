#!/bin/sh
# Puts a copy that backup.sh made in the place of a database. Stop Buddy first, on all machines.
#
#   deploy/restore.sh FOLDER/sqlite_db.db .spin/sqlite_db.db
#
# All rooms get a new name for their log, by which clients notice that what they saw after the backup is gone. What was
# there stays beside it, under the name that this prints. With several databases restore all of them from one backup.
set -eu
umask 077

fail() { echo "restore: $1" >&2; exit 1; }

[ $# -eq 2 ] || fail "say which copy to restore, and in the place of which database"
copy=$1 database=$2
command -v sqlite3 > /dev/null || fail "install sqlite3"
[ -f "$copy" ] || fail "there is no copy $copy"
[ "$(sqlite3 "$copy" 'PRAGMA quick_check')" = ok ] || fail "$copy is damaged"
[ "$(sqlite3 "$copy" "SELECT count(*) FROM sqlite_schema WHERE name IN('room','slot','event')")" = 3 ] ||
  fail "$copy is not one of Buddy's databases"
if [ -f "$database" ]; then
  # Leaving the write-ahead log takes the database alone, so this fails while anybody has it open. It also writes what
  # stands in that log into the file: an old log beside a new file would damage it.
  [ "$(sqlite3 "$database" 'PRAGMA journal_mode=DELETE' 2> /dev/null)" = delete ] ||
    fail "$database is in use: stop Buddy first"
  before=$database.before-$(date -u +%Y%m%dT%H%M%SZ)
  [ ! -e "$before" ] || fail "$before is there already"
fi
rm -f "$database.restoring" "$database.restoring-journal"
cp "$copy" "$database.restoring"
sqlite3 -bail "$database.restoring" "UPDATE room SET log=randomblob(16); PRAGMA journal_mode=WAL;" > /dev/null ||
  fail "the logs cannot be renewed"
if [ -f "$database" ]; then
  mv "$database" "$before"
  echo "$before"
fi
rm -f "$database-wal" "$database-shm" "$database-journal"
mv "$database.restoring" "$database"
