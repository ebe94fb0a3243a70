#!/usr/bin/env bash
# dbt projects, unchanged: builds each with Millrace and with dbt-core (dbt-duckdb) and compares every
# table; then what only happens over time: a second incremental run, a snapshot's second version,
# failing tests, errors' places, a process killed in the middle.
#
#   tests/e2e/dbt_test.sh [BINARY]      default: build/release/millrace
#   MILLRACE_SHARED                     has data/jaffle_shop; without it that case is skipped
set -euo pipefail
root=$(cd "$(dirname "$0")/../.." && pwd)
binary=$(realpath "${1:-$root/build/release/millrace}")
venv=${MILLRACE_DEPS:-$root/.deps}/dbt/bin
shared=${MILLRACE_SHARED:-}
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
export DBT_SEND_ANONYMOUS_USAGE_STATS=false NO_COLOR=1
cases=0

fail() { printf 'FAILED: %s\n' "$*" >&2; exit 1; }
ok() { cases=$((cases + 1)); printf 'ok: %s\n' "$*"; }
expect() { # text file
  grep -qF -- "$1" "$2" || { cat "$2" >&2; fail "expected \"$1\""; }
}
compare() { # name database [ignored columns]
  "$venv/python" "$root/tests/e2e/dbt_compare.py" "$work/ours/$2" "$work/theirs/$2" \
    --ignore-columns "${3:-}" || fail "$1: differs from dbt"
  ok "$1: as dbt builds it"
}
both() { # command and arguments, in both copies; dbt's and our exit codes must be alike
  local ours=0 theirs=0
  (cd "$work/ours" && "$binary" "$@") > "$work/ours.log" 2>&1 || ours=$?
  (cd "$work/theirs" && "$venv/dbt" --no-use-colors "$@") > "$work/theirs.log" 2>&1 || theirs=$?
  [ "$ours" = "$theirs" ] || { cat "$work/ours.log" "$work/theirs.log"; fail "$*: exit $ours, dbt's $theirs"; }
}
copies() { # project
  rm -rf "$work/ours" "$work/theirs"
  cp -r "$1" "$work/ours" && cp -r "$1" "$work/theirs"
  chmod -R u+w "$work/ours" "$work/theirs"
}
changed_times=dbt_scd_id,dbt_updated_at,dbt_valid_from,dbt_valid_to

if [ -d "$shared/data/jaffle_shop" ]; then
  copies "$shared/data/jaffle_shop"
  both build
  expect "PASS=28 WARN=0 ERROR=0 SKIP=0 TOTAL=28" "$work/ours.log"
  compare "jaffle_shop" jaffle_shop.duckdb
else
  echo "skipped: jaffle_shop (MILLRACE_SHARED has no data/jaffle_shop)"
fi

copies "$root/tests/dbt/shop"
both build
expect "WARN=2 ERROR=0 SKIP=0 TOTAL=18" "$work/ours.log"
compare "shop, first run" shop.duckdb "$changed_times"

for side in ours theirs; do
  sed -i 's/^3,2024-01-02,A,7,true,late/3,2024-01-03,B,8,true,moved/' "$work/$side/seeds/raw_orders.csv"
  printf '6,2024-01-03,A,4,false,new\n' >> "$work/$side/seeds/raw_orders.csv"
  sed -i 's/apple/red apple/; /^D,/d' "$work/$side/seeds/raw_products.csv"
  mkdir "$work/$side/tests/fixtures"
  cp "$root/tests/dbt/shop_new_orders.csv" "$work/$side/tests/fixtures/new_orders.csv"
  cp "$root/tests/dbt/shop_unit_tests.yml" "$work/$side/models/marts/unit_tests.yml"
done
both build
expect "WARN=2 ERROR=0 SKIP=0 TOTAL=22" "$work/ours.log"
compare "shop, delete+insert and a snapshot's new version" shop.duckdb "$changed_times"
[ "$("$venv/python" -c "import duckdb; print(duckdb.connect('$work/ours/shop.duckdb').sql(
  'SELECT count(*), count(dbt_valid_to) FROM history.products_history').fetchone())")" = "(4, 1)" ] ||
  fail "the snapshot must have four versions, one of them closed"
for side in ours theirs; do printf 'D,date\n' >> "$work/$side/seeds/raw_products.csv"; done
both run --vars 'strategy: append'
compare "shop, append" shop.duckdb "$changed_times"
both build --full-refresh --vars '{strategy: merge}'
both build --vars '{strategy: merge}' --select +orders
compare "shop, merge" shop.duckdb "$changed_times"
both run --select +days --exclude orders
compare "shop, selected" shop.duckdb "$changed_times"

both build --vars '{first_day: "2023-01-01"}' --full-refresh
for side in ours theirs; do
  sed -i 's/lowest: 100/lowest: 500/' "$work/$side/models/marts/schema.yml"
done
both build
expect "at_least_orders_amount__500" "$work/ours.log"
expect "SKIP=6" "$work/ours.log"
compare "shop, a failing test holds back what reads the model" shop.duckdb "$changed_times"

# A unit test that fails says what differs, and its model is not built; so does a broken contract.
(cd "$work/ours" && sed -i 's/amount: 50}/amount: 51}/; s/amount: 400}/amount: 401}/' \
  models/marts/unit_tests.yml && "$binary" build -s stg_orders orders) > "$work/ours.log" 2>&1 &&
  fail "two unit tests must fail"
expect "ERROR=2" "$work/ours.log"
expect "the table after the run: actual differs" "$work/ours.log"
expect "because of unit_test.shop.orders.an_order_that_comes_again_is_replaced" "$work/ours.log"
rm "$work/ours/models/marts/unit_tests.yml"
sed -i 's/count(\*) as orders/count(*) as n/' "$work/ours/models/marts/day_totals.sql"
(cd "$work/ours" && "$binary" run -s day_totals) > "$work/ours.log" 2>&1 && fail "a broken contract must fail"
expect '"orders" is declared BIGINT but not there; "n" (BIGINT) is not declared' "$work/ours.log"
ok "unit tests and contracts fail with what differs"

printf 'select day,\n  {{ cents("orders") }} as c,\n  no_such_column\nfrom {{ ref("days") }}\n' \
  > "$work/ours/models/marts/broken.sql"
(cd "$work/ours" && "$binary" run -s broken) > "$work/ours.log" 2>&1 && fail "broken.sql must fail"
expect "models/marts/broken.sql:3" "$work/ours.log"
printf 'select 1\n{{ nobody_wrote_this() }}\n' > "$work/ours/models/marts/broken.sql"
(cd "$work/ours" && "$binary" run -s broken) > "$work/ours.log" 2>&1 && fail "an unknown macro must fail"
expect "models/marts/broken.sql:2" "$work/ours.log"
rm "$work/ours/models/marts/broken.sql"
ok "errors point into the template"

# A model of a few hundred milliseconds, killed at different moments: its table is the old one or the
# new one, each of one value only.
cat > "$work/ours/models/marts/big.sql" << 'SQL'
{{ config(materialized='table') }}
select {{ var('value', 0) }} as value, range as n from range(3000000) order by hash(range)
SQL
(cd "$work/ours" && "$binary" run -s big) > /dev/null
seen=""
for round in 1 2 3 4 5 6 7 8; do
  (cd "$work/ours" && exec "$binary" run -s big --vars "{value: $round}") > /dev/null 2>&1 &
  process=$!
  sleep "0.$((round * 11 + 10))"
  kill -9 "$process" 2> /dev/null || true
  wait "$process" 2> /dev/null || true
  found=$("$venv/python" -c "import duckdb; d = duckdb.connect('$work/ours/shop.duckdb')
d.execute('SET enable_progress_bar = false')
print(d.sql('SELECT count(*), count(DISTINCT value), count(DISTINCT n), any_value(value) FROM big').fetchone())")
  case $found in "(3000000, 1, 3000000, "*) ;; *) fail "after kill -9: $found" ;; esac
  seen="$seen $found"
done
(cd "$work/ours" && "$binary" run -s big --vars '{value: 99}') > /dev/null
ok "kill -9 in the middle leaves the old table or the new one"

# The two models of the seed's text, word for word.
seed=$(ls "$shared"/seeds/004* 2> /dev/null | head -1 || true)
if [ -n "$seed" ]; then
  mkdir -p "$work/seed/models/staging" "$work/seed/models/marts" "$work/seed/seeds"
  "$venv/python" - "$seed" "$work/seed" << 'PY'
import pathlib, re, sys
text = pathlib.Path(sys.argv[1]).read_text()
staging, marts = re.search(r"-- models/staging/stg_orders.sql\n(.*?)\n-- (models/marts/daily_revenue.sql[^\n]*\n.*?GROUP BY 1, 2)", text, re.S).groups()
root = pathlib.Path(sys.argv[2])
(root / "models/staging/stg_orders.sql").write_text(staging)
(root / "models/marts/daily_revenue.sql").write_text(marts.split("\n", 1)[1])
PY
  cat > "$work/seed/dbt_project.yml" << 'YML'
name: seed
version: '1.0'
profile: seed
seeds: {seed: {+schema: raw}}
YML
  cat > "$work/seed/profiles.yml" << 'YML'
seed: {target: dev, outputs: {dev: {type: duckdb, path: seed.duckdb}}}
YML
  mkdir -p "$work/seed/macros"
  printf '{%% macro generate_schema_name(name, node) %%}{{ name or target.schema }}{%% endmacro %%}\n' \
    > "$work/seed/macros/schema.sql"
  cat > "$work/seed/seeds/orders.csv" << 'CSV'
order_id,user_id,created_at,status,total_amount,country_code
00000000-0000-0000-0000-000000000001,1,2024-01-01 10:00:00,completed,10.50,US
00000000-0000-0000-0000-000000000002,2,2024-01-01 11:00:00,completed,5.25,
00000000-0000-0000-0000-000000000003,3,2024-01-02 09:00:00,cancelled,99.00,DE
00000000-0000-0000-0000-000000000004,3,2024-01-02 10:00:00,completed,1.00,DE
00000000-0000-0000-0000-000000000005,3,2019-01-02 10:00:00,completed,1.00,DE
CSV
  copies "$work/seed"
  both seed
  both run
  compare "the seed's models" seed.duckdb
  for side in ours theirs; do
    printf '00000000-0000-0000-0000-000000000006,1,2024-01-02 12:00:00,completed,3.00,us\n' >> "$work/$side/seeds/orders.csv"
  done
  both seed
  both run
  compare "the seed's models, incremental" seed.duckdb
else
  echo "skipped: the seed's models (MILLRACE_SHARED has no seeds/004*)"
fi
echo "$cases passed"
