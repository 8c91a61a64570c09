#!/bin/sh
# Makes the database on its first start, then becomes the server.
#   POSTGRES_PASSWORD_FILE or POSTGRES_PASSWORD   of the first role (required on the first start)
#   POSTGRES_USER [postgres], POSTGRES_DB [as the role], PGDATA, POSTGRES_INITDB_ARGS
# The new database grows beside PGDATA's content and is put in place by renames, PG_VERSION last:
# a start that was cut short leaves nothing that counts, and the next one begins again.
set -eu

case "${1:-postgres}" in
  -*) set -- postgres "$@" ;;
esac
if [ "${1:-postgres}" != postgres ]; then
  exec "$@"
fi
[ $# -gt 0 ] && shift

make_database() {
  new=$PGDATA/.new
  rm -rf "$new"
  mkdir -p "$new"
  chmod 700 "$PGDATA" "$new"

  role=${POSTGRES_USER:-postgres}
  database=${POSTGRES_DB:-$role}
  passwords=${POSTGRES_PASSWORD_FILE:-}
  if [ -z "$passwords" ]; then
    if [ -z "${POSTGRES_PASSWORD:-}" ]; then
      echo "The first start needs POSTGRES_PASSWORD_FILE or POSTGRES_PASSWORD" >&2
      exit 1
    fi
    passwords=$PGDATA/.password
    (umask 077 && printf '%s\n' "$POSTGRES_PASSWORD" > "$passwords")
  fi

  # shellcheck disable=SC2086 # the arguments are several words
  initdb --pgdata="$new" --username="$role" --pwfile="$passwords" --encoding=UTF8 \
    --locale=C.UTF-8 --auth-local=trust --auth-host=scram-sha-256 ${POSTGRES_INITDB_ARGS:-}
  rm -f "$PGDATA/.password"
  echo 'host all all all scram-sha-256' >> "$new/pg_hba.conf"
  if [ "$database" != postgres ]; then
    quoted=$(printf '%s' "$database" | sed 's/"/""/g')
    echo "CREATE DATABASE \"$quoted\"" | postgres --single -D "$new" postgres > /dev/null
  fi

  for path in "$new"/* "$new"/.[!.]*; do
    name=${path##*/}
    if [ "$name" != PG_VERSION ] && [ -e "$path" ]; then
      rm -rf "${PGDATA:?}/$name"
      mv "$path" "$PGDATA/"
    fi
  done
  sync "$PGDATA" "$new"  # the folders alone: the files are safe already
  mv "$new/PG_VERSION" "$PGDATA/"
  rmdir "$new"
}

mkdir -p "$PGDATA"
if [ ! -s "$PGDATA/PG_VERSION" ]; then
  make_database
fi
# Group access would come with a volume's fsGroup; the server refuses to run with more.
chmod 700 "$PGDATA"
exec postgres -c listen_addresses='*' "$@"
