# A PostgreSQL of the test's own on a free loopback port; sourced by tests.
#
#   start_postgres DIRECTORY    makes it there; sets $postgres_port; user postgres needs no password
#   stop_postgres
postgres_bin=/usr/lib/postgresql/15/bin
. "$(dirname "${BASH_SOURCE[0]}")/free_port.sh"
postgres_data=
postgres_port=

as_postgres() { # command…; it refuses to run as root
  if [ "$(id -u)" = 0 ]; then (cd / && setpriv --reuid=postgres --regid=postgres --clear-groups "$@"); else "$@"; fi
}

start_postgres() { # directory
  postgres_data=$1
  mkdir -p "$postgres_data"
  [ "$(id -u)" != 0 ] || { chown postgres "$postgres_data"; chmod o+x "$(dirname "$postgres_data")"; }
  as_postgres "$postgres_bin/initdb" -D "$postgres_data" -A trust -U postgres --no-sync > /dev/null
  postgres_port=$(free_port)
  as_postgres "$postgres_bin/pg_ctl" -D "$postgres_data" -w -t 300 -l "$postgres_data/log" -o \
    "-c listen_addresses=127.0.0.1 -c port=$postgres_port -c unix_socket_directories=$postgres_data" start > /dev/null
}

stop_postgres() {
  [ -z "$postgres_data" ] || as_postgres "$postgres_bin/pg_ctl" -D "$postgres_data" -m immediate stop > /dev/null 2>&1 || true
}
