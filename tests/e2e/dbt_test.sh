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
  (cd "$work/ours" && "$binary" "$@" "${threads[@]}") > "$work/ours.log" 2>&1 || ours=$?
  (cd "$work/theirs" && "$venv/dbt" --no-use-colors "$@") > "$work/theirs.log" 2>&1 || theirs=$?
  [ "$ours" = "$theirs" ] || { cat "$work/ours.log" "$work/theirs.log"; fail "$*: exit $ours, dbt's $theirs"; }
}
copies() { # project
  rm -rf "$work/ours" "$work/theirs"
  cp -r "$1" "$work/ours" && cp -r "$1" "$work/theirs"
  chmod -R u+w "$work/ours" "$work/theirs"
}
anew() { # database; ours once more from nothing, with four threads, beside what dbt has built
  rm -f "$work/ours/$1" "$work/ours/$1.wal"
  (cd "$work/ours" && "$binary" build --threads 4) > "$work/ours.log" 2>&1 || { cat "$work/ours.log"; fail "build --threads 4"; }
}
changed_times=dbt_scd_id,dbt_updated_at,dbt_valid_from,dbt_valid_to
threads=() # our side's, from where it says so

if [ -d "$shared/data/jaffle_shop" ]; then
  copies "$shared/data/jaffle_shop"
  both build
  expect "PASS=28 WARN=0 ERROR=0 SKIP=0 TOTAL=28" "$work/ours.log"
  compare "jaffle_shop" jaffle_shop.duckdb
  anew jaffle_shop.duckdb
  expect "PASS=28 WARN=0 ERROR=0 SKIP=0 TOTAL=28" "$work/ours.log"
  compare "jaffle_shop, four threads" jaffle_shop.duckdb
else
  echo "skipped: jaffle_shop (MILLRACE_SHARED has no data/jaffle_shop)"
fi

copies "$root/tests/dbt/shop"
both build
expect "WARN=2 ERROR=0 SKIP=0 TOTAL=26" "$work/ours.log"
compare "shop, first run" shop.duckdb "$changed_times"
anew shop.duckdb
compare "shop, first run, four threads" shop.duckdb "$changed_times"
threads=(--threads 4)

for side in ours theirs; do
  sed -i 's/^3,2024-01-02,A,7,true,late/3,2024-01-03,B,8,true,moved/' "$work/$side/seeds/raw_orders.csv"
  printf '6,2024-01-03,A,4,false,new\n' >> "$work/$side/seeds/raw_orders.csv"
  sed -i 's/apple/red apple/; /^D,/d' "$work/$side/seeds/raw_products.csv"
  mkdir "$work/$side/tests/fixtures"
  cp "$root/tests/dbt/shop_new_orders.csv" "$work/$side/tests/fixtures/new_orders.csv"
  cp "$root/tests/dbt/shop_unit_tests.yml" "$work/$side/models/marts/unit_tests.yml"
done
both build
expect "WARN=2 ERROR=0 SKIP=0 TOTAL=30" "$work/ours.log"
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

# What changed since a run, what to read where it was built, and the rest of a run that failed.
cp -r "$work/ours/target" "$work/state"
expect_ls() { # selection, the names expected
  (cd "$work/ours" && "$binary" ls --state ../state --output name -s "$1") > "$work/ours.log" 2>&1 ||
    { cat "$work/ours.log"; fail "ls -s $1"; }
  [ "$(grep -v _ "$work/ours.log" | sort | tr '\n' ' ')" = "$2" ] ||
    { cat "$work/ours.log"; fail "ls -s $1: expected $2"; }
}
expect_ls state:modified ""
printf '\n' >> "$work/ours/models/marts/days.sql"
expect_ls state:modified ""
sed -i 's/count(\*) as orders/count(*) as n/' "$work/ours/models/marts/days.sql"
sed -i 's/\* 100/* 1000/' "$work/ours/macros/values.sql"
echo 'select 1 as x' > "$work/ours/models/marts/fresh.sql"
expect_ls state:modified.body "days fresh "
expect_ls state:new "fresh "
(cd "$work/ours" && "$binary" ls --state ../state --output name -s state:modified.macros --exclude state:new) \
  > "$work/ours.log" 2>&1
expect "stg_orders" "$work/ours.log"
(cd "$work/ours" && SHOP_DATABASE=other.duckdb "$binary" run -s fresh day_names --defer --state ../state) \
  > "$work/ours.log" 2>&1 && fail "the state's tables lie in a database that is not attached"
expect '"shop"."main"."days"' "$work/ours/target/compiled/shop/models/marts/day_names.sql"
sed -i 's/count(\*) as n/count(*) as orders, 1 \/ no_such_column as n/' "$work/ours/models/marts/days.sql"
(cd "$work/ours" && "$binary" run -s stg_orders days day_names fresh) > "$work/ours.log" 2>&1 && fail "days must fail"
sed -i 's/, 1 \/ no_such_column as n//' "$work/ours/models/marts/days.sql"
(cd "$work/ours" && "$binary" retry) > "$work/ours.log" 2>&1 || { cat "$work/ours.log"; fail "retry"; }
expect "PASS=2 WARN=0 ERROR=0 SKIP=0 TOTAL=2" "$work/ours.log"
(cd "$work/ours" && "$binary" retry) > "$work/ours.log" 2>&1
expect "nothing to retry" "$work/ours.log"
ok "state:modified, --defer, retry"

# Microbatches: one that fails is all that retry builds; one that is missing is named.
rows_of_years() {
  "$venv/python" -c "import duckdb
print(duckdb.connect('$work/ours/shop.duckdb').sql('SELECT year(day), count(*) FROM order_years GROUP BY 1 ORDER BY 1').fetchall())"
}
years=$work/ours/models/marts/order_years.sql
before=$(rows_of_years)
sed -i "s/amount from/case when year(day) = 2024 then error('not today') else amount end as amount from/" "$years"
(cd "$work/ours" && "$binary" run -s order_years --full-refresh) > "$work/ours.log" 2>&1 && fail "a batch must fail"
expect "batch 2024-01-01 00:00:00: " "$work/ours.log"
[ "$(rows_of_years)" != "$before" ] || fail "the rows of 2024 must be missing"
sed -i "s/case when .* as amount from/amount from/" "$years"
(cd "$work/ours" && "$binary" retry) > "$work/ours.log" 2>&1 || { cat "$work/ours.log"; fail "retry of a batch"; }
expect "1 of 1 batches" "$work/ours.log"
[ "$(rows_of_years)" = "$before" ] || fail "retry must bring back the rows of 2024"
"$venv/python" -c "import duckdb; duckdb.connect('$work/ours/shop.duckdb').sql('DELETE FROM order_years WHERE year(day) = 2023')"
(cd "$work/ours" && "$binary" run -s order_years --event-time-start 2024-01-01) > "$work/ours.log" 2>&1
expect "--event-time-start '2023-01-01 00:00:00' --event-time-end '2024-01-01 00:00:00' (1 rows)" "$work/ours.log"
ok "microbatches fail, are retried and are missed one by one"

(cd "$work/ours" && "$binary" ls --downstream-of raw_orders.amount) > "$work/ours.log"
for reached in "stg_orders.amount  TRANSFORMATION" "orders.amount  IDENTITY" "order_years.amount  IDENTITY" \
  "days.amount_a  AGGREGATION"; do
  expect "$reached" "$work/ours.log"
done
grep -q "days.orders" "$work/ours.log" && fail "the number of orders does not depend on their amounts"
ok "the columns that a change reaches"

(cd "$work/ours" && "$binary" docs generate) > "$work/ours.log" 2>&1 || { cat "$work/ours.log"; fail "docs generate"; }
"$venv/python" - "$work/ours/target" << 'PY' || fail "docs generate: the artifacts are not as they must be"
import json, pathlib, sys
from dbt.artifacts.schemas.catalog import CatalogArtifact
from dbt.artifacts.schemas.run import RunResultsArtifact
target = pathlib.Path(sys.argv[1])
catalog = json.loads((target / "catalog.json").read_text())
CatalogArtifact.validate(catalog)
RunResultsArtifact.validate(json.loads((target / "run_results.json").read_text()))
assert catalog["nodes"]["model.shop.days"]["columns"]["orders"]["type"] == "BIGINT"
lineage = json.loads((target / "column_lineage.json").read_text())
assert {"node": "model.shop.stg_orders", "column": "amount", "influence": "IDENTITY"} in \
    lineage["model.shop.orders"]["amount"]
page = (target / "index.html").read_text()
data = page.split("const data = ", 1)[1].split(";\n", 1)[0]
assert len(json.loads(data)["nodes"]) > 15
PY
ok "docs generate"

"$binary" docs serve "$work/ours" --port 0 > "$work/docs.log" 2>&1 &
docs=$!
for _ in $(seq 1800); do grep -q "^http://" "$work/docs.log" && break; sleep 0.1; done
url=$(head -1 "$work/docs.log")
curl -fsS "$url/" | cmp - "$work/ours/target/index.html" || fail "docs serve: the page is another"
curl -fsS "$url/catalog.json" | cmp - "$work/ours/target/catalog.json" || fail "docs serve: catalog.json"
[ "$(curl -s -o /dev/null -w '%{http_code}' --path-as-is "$url/../dbt_project.yml")" = 404 ] || fail "docs serve shows other files"
kill "$docs" && wait "$docs" || fail "docs serve does not end well"
ok "docs serve"

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
rm -f "$work/ours/target/run_progress.jsonl"
(cd "$work/ours" && exec "$binary" run -s big fresh --vars '{value: 99}') > /dev/null 2>&1 &
process=$!
until grep -q '"plan"' "$work/ours/target/run_progress.jsonl" 2> /dev/null || ! kill -0 "$process"; do
  sleep 0.01
done
kill -9 "$process" || fail "the run ended before it could be killed"
wait "$process" 2> /dev/null || true
(cd "$work/ours" && "$binary" retry) > "$work/ours.log" 2>&1 || { cat "$work/ours.log"; fail "retry after kill -9"; }
expect "ERROR=0 SKIP=0" "$work/ours.log"
[ "$("$venv/python" -c "import duckdb
print(duckdb.connect('$work/ours/shop.duckdb').sql('FROM big LIMIT 1').fetchone()[0])")" = 99 ] ||
  fail "retry after kill -9 must build with the same variables"
ok "kill -9 in the middle leaves the old table or the new one"

. "$root/tests/e2e/dbt_kills.sh"
. "$root/tests/e2e/dbt_meetings.sh"
ask_kills() {
  "$venv/python" -c "import duckdb, sys
print(*duckdb.connect('$work/kills/kills.duckdb').sql(sys.argv[1]).fetchone(), sep='|')" "$1"
}
ask_meetings() {
  "$venv/python" -c "import duckdb, sys
print(*duckdb.connect('$work/meet/nodes.duckdb').sql(sys.argv[1]).fetchone(), sep='|')" "$1"
}
test_meetings "$work/meet" "meet: {target: dev, outputs: {dev: {type: duckdb, path: nodes.duckdb, schema: meet}}}" ask_meetings
test_kills "$work/kills" "kills: {target: dev, outputs: {dev: {type: duckdb, path: kills.duckdb}}}" \
  "$work/reached" ask_kills

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
