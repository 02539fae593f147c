#!/bin/sh
# Copies Buddy's SQLite databases while it runs: each copy is the database at one moment, whole and checked.
#
#   deploy/backup.sh .spin/sqlite_db.db [second.db …] FOLDER
#
# Needs the program sqlite3 (3.37 or newer). The copies hold what the databases hold: ciphertext, hashes of tokens, who
# wrote when. Only the user who runs this may read them.
set -eu
umask 077

fail() { echo "backup: $1" >&2; exit 1; }

[ $# -ge 2 ] || fail "say which databases to copy, and into which folder"
command -v sqlite3 > /dev/null || fail "install sqlite3"
for folder; do :; done
mkdir -p "$folder"
while [ $# -gt 1 ]; do
  database=$1
  copy=$folder/$(basename "$database")
  [ -f "$database" ] || fail "there is no database $database"
  [ ! -e "$copy" ] || fail "$copy is there already: take a new folder"
  # The copy takes its name only when it is whole.
  rm -f "$copy.part"
  # A quote within a name is doubled, as SQL wants it.
  quoted=$(printf '%s' "$copy.part" | sed "s/'/''/g")
  # VACUUM INTO reads in one transaction, so writers need not wait, and leaves out pages that hold nothing any more.
  sqlite3 -bail -cmd '.timeout 60000' "$database" "VACUUM INTO '$quoted'" || fail "$database cannot be copied"
  [ "$(sqlite3 "$copy.part" 'PRAGMA quick_check')" = ok ] || fail "the copy of $database is damaged"
  mv "$copy.part" "$copy"
  echo "$copy"
  shift
done
