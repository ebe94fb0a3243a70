# For tests that run `millrace dev` and talk to it; sourced by them, behind `set -euo pipefail`.
#
#   $root $binary $deps   the repository, the program ($1), what scripts/setup.sh has fetched
#   $work                 a directory of the test's own
#   $dev, $work/dev.log   the process that start_dev began, and what it says
#
# At the end, however it comes, dev is stopped and `cleanup_more` is called; $work is removed, unless
# something failed: then `fail_more` was called before.
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
binary=$(realpath "${1:-$root/build/release/millrace}")
deps=${MILLRACE_DEPS:-$root/.deps}
work=$(mktemp -d "${TMPDIR:-/tmp}/millrace_$(basename "$0" .sh)_XXXXXX")
dev=
keep=
. "$root/tests/e2e/free_port.sh"

fail() { # what
  local log
  echo "FAILED: $*" >&2
  fail_more >&2 || true
  for log in "$work"/dev.log "$work"/*.err; do
    [ ! -s "$log" ] || { echo "--- ${log##*/}" >&2; tail -n 30 "$log" >&2; }
  done
  echo "  kept: $work" >&2
  keep=1
  exit 1
}

port_opens() { (exec 3<> "/dev/tcp/127.0.0.1/$1") 2> /dev/null; }

wait_for() { # seconds, what, command…
  local deadline=$((SECONDS + $1)) what=$2
  until "${@:3}"; do
    [ -z "$dev" ] || kill -0 "$dev" 2> /dev/null || fail "millrace dev has ended"
    [ "$SECONDS" -lt "$deadline" ] || fail "not within $1 s: $what"
    sleep 0.1
  done
}

start_dev() { # project, options of dev…
  "$binary" dev "$@" >> "$work/dev.log" 2>&1 &
  dev=$!
}

stop_dev() { # signal, default TERM; returns how dev ended
  local ended=0
  [ -n "$dev" ] || return 0
  kill "-${1:-TERM}" "$dev" 2> /dev/null || true
  wait "$dev" 2> /dev/null || ended=$?
  dev=
  return "$ended"
}

fail_more() { :; } # what else to say of a failure, while everything still runs
cleanup_more() { :; }
cleanup() {
  stop_dev || true
  cleanup_more
  [ -n "$keep" ] || rm -rf "$work"
}
trap cleanup EXIT
