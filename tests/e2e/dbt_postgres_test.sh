#!/usr/bin/env bash
# dbt projects on PostgreSQL: builds each with Millrace and with dbt-core (dbt-postgres), in a schema
# each of one real server, and compares every relation; then what only happens over time: a second
# incremental run, a snapshot's second version, a process killed in the middle of a model.
#
#   tests/e2e/dbt_postgres_test.sh [BINARY]      default: build/release/millrace
#   MILLRACE_SHARED                              has data/jaffle_shop; without it that case is skipped
set -euo pipefail
root=$(cd "$(dirname "$0")/../.." && pwd)
binary=$(realpath "${1:-$root/build/release/millrace}")
venv=${MILLRACE_DEPS:-$root/.deps}/dbt/bin
shared=${MILLRACE_SHARED:-}
work=$(mktemp -d)
export DBT_SEND_ANONYMOUS_USAGE_STATS=false NO_COLOR=1
. "$root/tests/e2e/postgres.sh"
trap 'stop_postgres; rm -rf "$work"' EXIT
start_postgres "$work/postgres"
cases=0

fail() { printf 'FAILED: %s\n' "$*" >&2; exit 1; }
ok() { cases=$((cases + 1)); printf 'ok: %s\n' "$*"; }
ask() { PGOPTIONS="-c client_min_messages=warning" "$postgres_bin/psql" -h 127.0.0.1 -p "$postgres_port" -U postgres -XqAt -v ON_ERROR_STOP=1 -c "$1"; }
both() { # command and arguments, in both copies; exit codes must be alike
  local ours=0 theirs=0
  (cd "$work/ours" && "$binary" "$@" --threads 4) > "$work/ours.log" 2>&1 || ours=$?
  (cd "$work/theirs" && "$venv/dbt" --no-use-colors "$@") > "$work/theirs.log" 2>&1 || theirs=$?
  [ "$ours" = "$theirs" ] || { tail -n 60 "$work/theirs.log"; cat "$work/ours.log"; fail "$*: exit $ours, dbt's $theirs"; }
}
copies() { # project, its profile's name
  local side
  for side in ours theirs; do
    rm -rf "${work:?}/$side"
    cp -r "$1" "$work/$side"
    chmod -R u+w "$work/$side"
    cat > "$work/$side/profiles.yml" << YML
$2:
  target: dev
  outputs:
    dev: {type: postgres, host: 127.0.0.1, port: $postgres_port, user: postgres, password: "",
          dbname: postgres, schema: $side, threads: 2}
YML
  done
}
relations() { # schema: its name's suffix, relation, kind, columns with types
  ask "SELECT substr(c.table_schema, length('$1') + 1), c.table_name, t.table_type,
         string_agg(column_name || ' ' || data_type, ', ' ORDER BY ordinal_position)
       FROM information_schema.columns c JOIN information_schema.tables t USING (table_schema, table_name)
       WHERE c.table_schema LIKE '$1%' AND NOT column_name = ANY (string_to_array('$2', ','))
       GROUP BY 1, 2, 3 ORDER BY 1, 2"
}
compare() { # what [columns that hold times]
  local ignored=${2:-} suffix name kind columns list wrong
  relations ours "$ignored" > "$work/ours.relations"
  relations theirs "$ignored" > "$work/theirs.relations"
  [ -s "$work/ours.relations" ] || fail "$1: there is nothing"
  diff "$work/ours.relations" "$work/theirs.relations" || fail "$1: other relations than dbt's"
  while IFS='|' read -r suffix name kind columns; do
    list=$(sed -E 's/(^|, )([^ ]+) [^,]*/\1"\2"/g' <<< "$columns")
    wrong=$(ask "SELECT count(*) FROM ((SELECT $list FROM \"ours$suffix\".\"$name\" EXCEPT ALL
        SELECT $list FROM \"theirs$suffix\".\"$name\") UNION ALL (SELECT $list FROM \"theirs$suffix\".\"$name\"
        EXCEPT ALL SELECT $list FROM \"ours$suffix\".\"$name\")) different")
    [ "$wrong" = 0 ] || fail "$1: $wrong rows of $name ($kind) differ"
  done < "$work/ours.relations"
  ok "$1: $(wc -l < "$work/ours.relations") relations as dbt builds them"
}
times=dbt_scd_id,dbt_updated_at,dbt_valid_from,dbt_valid_to

if [ -d "$shared/data/jaffle_shop" ]; then
  copies "$shared/data/jaffle_shop" jaffle_shop
  both build
  grep -qF "PASS=28 WARN=0 ERROR=0 SKIP=0 TOTAL=28" "$work/ours.log" || { cat "$work/ours.log"; fail "not 28 of 28"; }
  compare jaffle_shop
  ask "DROP SCHEMA ours CASCADE; DROP SCHEMA theirs CASCADE"
else
  echo "skipped: jaffle_shop (MILLRACE_SHARED has no data/jaffle_shop)"
fi

# dbt-postgres merges microbatches by a unique_key, which this model does not have: below, by itself.
copies "$root/tests/dbt/shop" shop
for side in ours theirs; do # a snapshot of each its own
  sed -i "s/target_schema='history'/target_schema='${side}_history'/" "$work/$side/snapshots/products.sql"
done
both build --exclude order_years
compare "shop, first run" "$times"
for side in ours theirs; do
  sed -i 's/^3,2024-01-02,A,7,true,late/3,2024-01-03,B,8,true,moved/' "$work/$side/seeds/raw_orders.csv"
  printf '6,2024-01-03,A,4,false,new\n' >> "$work/$side/seeds/raw_orders.csv"
  sed -i 's/apple/red apple/' "$work/$side/seeds/raw_products.csv"
done
both build --exclude order_years
compare "shop, delete+insert and a snapshot's new version" "$times"
[ "$(ask "SELECT count(*), count(dbt_valid_to) FROM ours_history.products_history")" = "4|1" ] ||
  fail "the snapshot must have four versions, one of them closed"
both run --exclude order_years --vars 'strategy: append'
compare "shop, append" "$times"
both build --exclude order_years --full-refresh --vars '{strategy: merge}'
both build --vars '{strategy: merge}' --select +orders
compare "shop, merge" "$times"

for run in 1 2; do # a batch a year; the second run makes ten of them anew
  (cd "$work/ours" && "$binary" run -s order_years) > "$work/ours.log" || { cat "$work/ours.log"; fail "order_years, run $run"; }
  [ "$(ask "SELECT count(*) FROM (SELECT id, day, amount FROM ours.raw_orders EXCEPT ALL SELECT * FROM ours.order_years) lost"):$(
    ask "SELECT count(*) FROM ours.order_years")" = "0:6" ] || fail "order_years, run $run: other rows than raw_orders"
done
ok "microbatches: each replaces its time"

printf 'select day,\n  {{ cents("orders") }} as c,\n  no_such_column\nfrom {{ ref("days") }}\n' \
  > "$work/ours/models/marts/broken.sql"
(cd "$work/ours" && "$binary" run -s broken) > "$work/ours.log" 2>&1 && fail "broken.sql must fail"
grep -qF "models/marts/broken.sql:3" "$work/ours.log" || { cat "$work/ours.log"; fail "the error must name line 3"; }
ok "errors point into the template"

# Killed at different moments: the table is the old one or the new one, each of one value only.
cat > "$work/ours/models/marts/broken.sql" << 'SQL'
{{ config(materialized='table', indexes=[{'columns': ['n'], 'unique': true}]) }}
select {{ var('value', 0) }} as value, n from generate_series(1, 300000) as n order by md5(n::text)
SQL
(cd "$work/ours" && "$binary" run -s broken) > /dev/null
for round in 1 2 3 4 5 6; do
  (cd "$work/ours" && exec "$binary" run -s broken --vars "{value: $round}") > /dev/null 2>&1 &
  process=$!
  sleep "0.$((round * 13 + 10))"
  kill -9 "$process" 2> /dev/null || true
  wait "$process" 2> /dev/null || true
  found=$(ask "SELECT count(*), count(DISTINCT value), count(DISTINCT n) FROM ours.broken")
  [ "$found" = "300000|1|300000" ] || fail "after kill -9: $found"
done
(cd "$work/ours" && "$binary" run -s broken --vars '{value: 99}') > "$work/ours.log" || { cat "$work/ours.log"; fail "it must run after the kills"; }
[ "$(ask "SELECT min(value), (SELECT count(*) FROM pg_indexes WHERE schemaname = 'ours' AND tablename = 'broken' AND indexdef LIKE '%UNIQUE%') FROM ours.broken")" = "99|1" ] ||
  fail "the last run's table, with its index, must be there"
ok "kill -9 in the middle leaves the old table or the new one"

. "$root/tests/e2e/dbt_kills.sh"
. "$root/tests/e2e/dbt_meetings.sh"
test_meetings "$work/meet" "meet: {target: dev, outputs: {dev: {type: postgres, host: 127.0.0.1, port: $postgres_port,
  user: postgres, password: '', dbname: postgres, schema: meet}}}" ask
ask_kills() { ask "SET search_path = kills; $1"; }
test_kills "$work/kills" "kills: {target: dev, outputs: {dev: {type: postgres, host: 127.0.0.1, port: $postgres_port,
  user: postgres, password: '', dbname: postgres, schema: kills}}}" "$work/postgres/reached" ask_kills
echo "$cases passed"
