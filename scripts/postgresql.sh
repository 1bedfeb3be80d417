#!/usr/bin/env bash
# A PostgreSQL server of Debian's for tests: a new one in FOLDER, on a Unix socket there, until standard input ends.
# Prints its address, a URL for libpq, once it answers. Exits with 77 if its programs are not there; under CI with 1, where
# tests that need it are not to be passed over.
set -euo pipefail
folder=${1:?usage: postgresql.sh FOLDER}

programs=$(find "${POSTGRESQL_FOLDER:-/usr/lib/postgresql}" -maxdepth 2 -name bin 2> /dev/null | sort -V | tail -n 1 || true)
if [ -z "$programs" ] || [ ! -x "$programs/initdb" ]; then
    echo "postgresql.sh: there is no PostgreSQL server; ./dev setup installs it" >&2
    [ -z "${CI:-}" ] || exit 1
    exit 77
fi

mkdir -p "$folder"
as_server=()
# It does not run as root.
if [ "$(id -u)" = 0 ]; then
    chown postgres "$folder"
    as_server=(setpriv --reuid=postgres --regid=postgres --init-groups)
fi
cd "$folder"
"${as_server[@]}" "$programs/initdb" --pgdata="$folder/data" --username=hub --auth=trust --encoding=UTF8 \
    --locale=C.UTF-8 --no-sync > "$folder/initdb.log" 2>&1 || { cat "$folder/initdb.log" >&2; exit 1; }
# Tests keep nothing over a power cut. The server ends with this script, however it ends.
"${as_server[@]}" setpriv --pdeathsig QUIT "$programs/postgres" -D "$folder/data" -k "$folder" \
    -c listen_addresses= -c fsync=off -c autovacuum=off -c max_connections=60 > "$folder/server.log" 2>&1 < /dev/null &
server=$!
trap 'kill -INT $server 2> /dev/null; wait $server || true' EXIT
until "$programs/pg_isready" --quiet --host="$folder"; do
    kill -0 $server 2> /dev/null || { cat "$folder/server.log" >&2; exit 1; }
    sleep 0.05
done
echo "postgresql://hub@/postgres?host=$folder"
cat > /dev/null
