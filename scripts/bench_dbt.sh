#!/usr/bin/env bash
# Wall time of `build` on a dbt project, Millrace beside dbt: min and median of several runs, each on a
# fresh copy. dbt runs a second time per copy as well, with its parsed project at hand.
#
#   scripts/bench_dbt.sh [PROJECT]     default: MILLRACE_SHARED/data/jaffle_shop, else tests/dbt/shop
#   RUNS (7), MILLRACE (build/release/millrace)
set -euo pipefail
root=$(cd "$(dirname "$0")/.." && pwd)
binary=$(realpath "${MILLRACE:-$root/build/release/millrace}")
dbt=${MILLRACE_DEPS:-$root/.deps}/dbt/bin/dbt
project=${1:-${MILLRACE_SHARED:-/nowhere}/data/jaffle_shop}
[ -d "$project" ] || project=$root/tests/dbt/shop
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
export DBT_SEND_ANONYMOUS_USAGE_STATS=false

timed() { # label directory command…
  local label=$1 directory=$2 from to
  shift 2
  from=$(date +%s%N)
  (cd "$directory" && "$@") > "$work/log" 2>&1 || { cat "$work/log"; exit 1; }
  to=$(date +%s%N)
  echo "$(((to - from) / 1000))" >> "$work/$label"
}

for _ in $(seq "${RUNS:-7}"); do
  rm -rf "$work/a" "$work/b"
  cp -r "$project" "$work/a" && cp -r "$project" "$work/b" && chmod -R u+w "$work/a" "$work/b"
  timed millrace "$work/a" "$binary" build
  timed dbt "$work/b" "$dbt" build
  timed dbt-again "$work/b" "$dbt" build
done
printf '%-12s %10s %10s\n' "$(basename "$project")" "min ms" "median ms"
for label in millrace dbt dbt-again; do
  sort -n "$work/$label" | awk -v l=$label '{v[NR]=$1} END {printf "%-12s %10.1f %10.1f\n", l, v[1]/1000, v[int((NR+1)/2)]/1000}'
done
