#!/usr/bin/env bash
# A job's query changes while it runs: computed anew beside the old one and exchanged, with kill -9
# at random moments. At every moment the table is the old version's or the new one's, whole; at the
# end it is the new one's, equal to the batch, and one command brings the old one back.
#
#   tests/e2e/reprocess_test.sh [BINARY]     default: build/release/millrace; CRASH_ROUNDS, default 12
set -euo pipefail
root=$(cd "$(dirname "$0")/../.." && pwd)
binary=$(realpath "${1:-$root/build/release/millrace}")
rounds=${CRASH_ROUNDS:-12}
export NO_COLOR=1
work=$(mktemp -d)
project=$work/shop
dev=
fail() {
  echo "FAILED: $*" >&2
  [ ! -s "$work/dev.log" ] || tail -n 20 "$work/dev.log" >&2
  exit 1
}
cleanup() {
  [ -z "$dev" ] || { kill -KILL "$dev" 2> /dev/null || true; wait "$dev" 2> /dev/null || true; }
  rm -rf "$work"
}
trap cleanup EXIT

# write_project CONDITION: the job with this condition before its state.
write_project() {
  mkdir -p "$project/sql"
  printf 'name: shop\ntopics:\n  orders: {partitions: 3}\n' > "$project/millrace.yml"
  cat > "$project/sql/orders.sql" <<SQL
SET 'millrace.epoch.bytes' = '100 kb';
SET 'execution.checkpointing.interval' = '300 ms';
CREATE TABLE orders (id BIGINT, customer STRING, amount BIGINT)
WITH ('connector' = 'kafka', 'topic' = 'orders', 'properties.bootstrap.servers' = 'embedded',
  'scan.startup.mode' = 'earliest-offset', 'format' = 'json');
CREATE TABLE spending (customer STRING, orders BIGINT, amount BIGINT, PRIMARY KEY (customer) NOT ENFORCED)
WITH ('connector' = 'jdbc', 'url' = 'jdbc:postgresql://localhost/shop', 'table-name' = 'spending');
INSERT INTO spending SELECT customer, COUNT(*), SUM(amount) FROM orders WHERE $1 GROUP BY customer;
SQL
}
start_dev() {
  "$binary" dev "$project" --port 0 >> "$work/dev.log" 2>&1 &
  dev=$!
  for _ in $(seq 3600); do
    if "$binary" status "$project" > /dev/null 2>&1; then return; fi
    kill -0 "$dev" 2> /dev/null || fail "dev ended"
    sleep 0.05
  done
  fail "dev does not answer"
}
kill_dev() {
  kill -KILL "$dev"
  wait "$dev" 2> /dev/null || true
  dev=
}
stop_dev() {
  kill -TERM "$dev"
  wait "$dev" || fail "dev did not end well"
  dev=
}
# ask SQL: rows as CSV, without the header
ask() { "$binary" sql "$project" -c "$1" --format csv | tail -n +2; }
expect() { [ "$2" = "$3" ] || fail "$1: expected \"$2\", got \"$3\""; }
sum="SELECT count(*) || '/' || sum(orders)::BIGINT || '/' || sum(amount)::BIGINT FROM spending"
until_sum() {
  for _ in $(seq 1200); do
    [ "$(ask "$sum")" != "$1" ] || return 0
    sleep 0.05
  done
  fail "the table is $(ask "$sum"), not $1"
}

python3 - "$work" <<'PYTHON'
import json, random, sys
random.seed(11)
old, new = {}, {}
with open(sys.argv[1] + "/orders.jsonl", "w") as out:
    for i in range(200_000):
        c, a = "c%d" % random.randrange(500), random.randrange(1000)
        out.write(json.dumps({"id": i, "customer": c, "amount": a}) + "\n")
        for sums, wanted in ((old, a < 900), (new, a >= 500)):
            if wanted:
                n, s = sums.get(c, (0, 0)); sums[c] = (n + 1, s + a)
for name, sums in (("old", old), ("new", new)):
    with open(sys.argv[1] + "/" + name, "w") as out:
        out.write("%d/%d/%d" % (len(sums), sum(n for n, _ in sums.values()), sum(s for _, s in sums.values())))
PYTHON
old=$(cat "$work/old")
new=$(cat "$work/new")

echo "--- the old version"
write_project "amount < 900"
start_dev
"$binary" topics -C "$project" produce orders < "$work/orders.jsonl" > /dev/null
until_sum "$old"
"$binary" verify spending "$project" | grep -q "^equal$" || fail "verify beside a running dev"

echo "--- what would happen"
write_project "amount >= 500"
plan=$("$binary" plan "$project")
grep -q "needs a backfill" <<< "$plan" || fail "plan: $plan"
grep -q "200000 records" <<< "$plan" || fail "plan: $plan"

echo "--- $rounds rounds of kill -9"
changed=0
for round in $(seq "$rounds"); do
  "$binary" reprocess spending "$project" > "$work/reprocess.log" 2>&1 &
  client=$!
  sleep "$(python3 -c "import random; print(random.random() * 0.5)")"
  now=$(ask "$sum")
  [ "$now" = "$old" ] || [ "$now" = "$new" ] || fail "round $round: neither version: $now"
  kill_dev
  wait "$client" 2> /dev/null || true
  start_dev
  now=$(ask "$sum")
  [ "$now" = "$old" ] || [ "$now" = "$new" ] || fail "round $round, after: neither version: $now"
  if [ "$now" = "$new" ]; then changed=$((changed + 1)); fi
done
echo "    the new version served after $changed of them"
"$binary" reprocess spending "$project" > "$work/reprocess.log" 2>&1 || fail "$(cat "$work/reprocess.log")"
expect "the new version" "$new" "$(ask "$sum")"
"$binary" verify spending "$project" | grep -q "^equal$" || fail "verify of the new version"

echo "--- back, without dev, killed too"
stop_dev
write_project "amount < 900"
"$binary" reprocess spending "$project" > /dev/null 2>&1 &
client=$!
sleep 0.3
kill -KILL "$client" 2> /dev/null || true
wait "$client" 2> /dev/null || true
"$binary" reprocess spending "$project" > "$work/reprocess.log" 2>&1 || fail "$(cat "$work/reprocess.log")"
expect "the old query again" "$old" "$(ask "$sum")"
"$binary" reprocess spending "$project" --rollback > "$work/reprocess.log" 2>&1 || fail "$(cat "$work/reprocess.log")"
expect "rolled back" "$new" "$(ask "$sum")"
"$binary" verify spending "$project" | grep -q "^equal$" || fail "verify after going back"
"$binary" reprocess spending "$project" --retire > /dev/null || fail "retire"
expect "tables left" "0" "$(ask "SELECT count(*) FROM duckdb_tables() WHERE table_name LIKE 'spending\_\_%' ESCAPE '\\'")"
if "$binary" reprocess spending "$project" --rollback > "$work/reprocess.log" 2>&1; then fail "rolled back to nothing"; fi
grep -q "no version to go back to" "$work/reprocess.log" || fail "$(cat "$work/reprocess.log")"
echo PASSED
