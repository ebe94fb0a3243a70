#!/usr/bin/env bash
# Dead letters as a workbench: 1,000 wrong orders, the fixable ones edited and replayed while the
# process is killed with -9 again and again, the rest discarded. At the end every order is in the
# warehouse once or in the audit with a reason; nothing is doubled.
#
#   tests/e2e/dlq_test.sh [BINARY]     default: build/release/millrace
set -euo pipefail
root=$(cd "$(dirname "$0")/../.." && pwd)
binary=$(realpath "${1:-$root/build/release/millrace}")
export NO_COLOR=1
work=$(mktemp -d)
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

mkdir -p "$work/shop/sql"
cat > "$work/shop/millrace.yml" <<'YAML'
name: shop
topics:
  orders: {partitions: 4, key: order_id}
expectations:
  orders:
    price_plausible: {check: total_price < 1000, on-violation: warn}
YAML
cat > "$work/shop/sql/orders.sql" <<'SQL'
CREATE TABLE orders (
  order_id STRING NOT NULL,
  quantity INT NOT NULL,
  total_price DOUBLE NOT NULL,
  currency STRING NOT NULL,
  CONSTRAINT quantity_positive CHECK (quantity > 0) ON VIOLATION DEAD LETTER,
  CONSTRAINT currency_known CHECK (currency IN ('USD', 'EUR', 'GBP', 'JPY', 'CNY'))
) WITH (
  'connector' = 'kafka', 'topic' = 'orders', 'properties.bootstrap.servers' = 'embedded',
  'scan.startup.mode' = 'earliest-offset', 'format' = 'json'
);
CREATE TABLE valid_orders (order_id STRING, quantity INT, total_price DOUBLE, currency STRING)
WITH ('connector' = 'jdbc', 'url' = 'jdbc:postgresql://localhost/shop', 'table-name' = 'valid_orders');
INSERT INTO valid_orders SELECT order_id, quantity, total_price, currency FROM orders;
SQL

# 200 good orders; 300 with a negative quantity, 300 with a currency in small letters (both can be
# mended), 250 whose quantity is a word, 150 that are cut off. Half of them come through the
# collector, half are written to the topic unchecked and refused by the job.
python3 - "$work" <<'PYTHON'
import json, random, sys
random.seed(5)
lines, ids = [], iter(range(10_000))
def order(**changes):
    number = next(ids)
    one = {"order_id": "o%d" % number, "quantity": number % 7 + 1, "total_price": number + 0.5,
           "currency": "EUR"}
    one.update(changes)
    return one
for _ in range(200): lines.append(json.dumps(order()))
for _ in range(300): lines.append(json.dumps(order(quantity=-3)))
for _ in range(300): lines.append(json.dumps(order(currency="usd")))
for _ in range(250): lines.append(json.dumps(order(quantity="three")))
for _ in range(150): lines.append(json.dumps(order())[:-12])
random.shuffle(lines)
for name, part in (("collected", lines[::2]), ("written", lines[1::2])):
    with open("%s/%s.jsonl" % (sys.argv[1], name), "w") as file:
        file.writelines(line + "\n" for line in part)
with open(sys.argv[1] + "/keyed.txt", "w") as file:
    for n, line in enumerate(lines[1::2]):
        # A cut-off line has no field to take the key from.
        file.write("%s\t%s\n" % (line.split('"')[3], line))
PYTHON

start() {
  rm -f "$work/dev.log"
  "$binary" dev "$work/shop" --port 0 > "$work/dev.log" 2>&1 &
  dev=$!
  until grep -qs "Ctrl-C stops it" "$work/dev.log"; do
    kill -0 "$dev" 2> /dev/null || fail "millrace dev ended"
    sleep 0.05
  done
}
sql() { "$binary" sql "$work/shop" --format csv -c "$1" | tail -n +2; }
expect() {
  local got
  got=$(sql "$2")
  [ "$got" = "$1" ] || fail "$2 gives \"$got\", not \"$1\""
}
# Retries until the query gives it: jobs are asynchronous.
until_gives() {
  local deadline=$((SECONDS + 180))
  until [ "$(sql "$2" 2> /dev/null)" = "$1" ]; do
    [ "$SECONDS" -lt "$deadline" ] || fail "$2 gives \"$(sql "$2")\", not \"$1\""
    sleep 0.2
  done
}
dlq() { "$binary" dlq -C "$work/shop" "$@"; }

# A file that the collector checks, and one that is written as it is.
start
"$binary" topics -C "$work/shop" produce orders --validate "$work/collected.jsonl" \
  > "$work/out" 2>&1 && fail "the collector took everything"
"$binary" topics -C "$work/shop" produce orders --key-separator "$(printf '\t')" "$work/keyed.txt" \
  > "$work/out" 2>&1 || fail "$(cat "$work/out")"
until_gives 1000 "SELECT count(*) FROM millrace.dead_letters"
until_gives 200 "SELECT count(*) FROM valid_orders"
expect 1000 "SELECT count(*) FROM millrace.dead_letters WHERE state = 'open'"

# Nothing is fixed yet: a dry run says so for each, and does nothing.
dlq replay --open --dry-run > "$work/out" && fail "a dry run found nothing to refuse"
grep -q "^1000 refused$" "$work/out" || fail "$(tail -n 3 "$work/out")"

dlq edit --kind constraint --set "quantity = abs(quantity), currency = upper(currency)" > "$work/out" ||
  fail "$(cat "$work/out")"
grep -q "^600 edited$" "$work/out" || fail "$(cat "$work/out")"
expect 600 "SELECT count(*) FROM millrace.dead_letters WHERE state = 'edited'"

# Replay in small parts; kill -9 as soon as the audit shows that it has begun, five times over, each
# time 10 ms later.
audited() { cat "$work"/shop/.millrace/log/*.audit-*/*.log | wc -c; }
cut=0
for round in 1 2 3 4 5; do
  before=$(audited)
  dlq replay --kind constraint --part 5 > "$work/replay.log" 2>&1 &
  replay=$!
  while [ "$(audited)" -eq "$before" ] && kill -0 "$replay" 2> /dev/null; do :; done
  sleep "0.0$((round - 1))"
  kill -KILL "$dev"
  wait "$dev" 2> /dev/null || true
  wait "$replay" 2> /dev/null || true
  start
  replayed=$(sql "SELECT count(*) FROM millrace.dead_letters WHERE state = 'edited+replayed'")
  echo "round $round: $replayed of 600 replayed"
  [ "$replayed" -eq 0 ] || [ "$replayed" -eq 600 ] || cut=$((cut + 1))
done
[ "$cut" -gt 0 ] || fail "no replay was cut off"
dlq replay --kind constraint > "$work/out" || fail "$(cat "$work/out")"
expect 600 "SELECT count(*) FROM millrace.dead_letters WHERE state = 'edited+replayed'"
until_gives 800 "SELECT count(*) FROM valid_orders"
expect 800 "SELECT count(DISTINCT order_id) FROM valid_orders"
expect 0 "SELECT count(*) FROM valid_orders WHERE quantity <= 0 OR currency NOT IN ('EUR', 'USD')"
expect 600 "SELECT count(*) FROM millrace.dead_letter_audit WHERE action = 'replayed'"
# Records that were in the topic went back to the partition that they came from.
expect 0 "SELECT count(*) FROM millrace.dead_letter_audit a JOIN millrace.dead_letters l USING (id)
          WHERE a.action = 'replayed' AND l.\"partition\" <> a.\"partition\""
# The audit names the record that each letter became.
expect 600 "SELECT count(DISTINCT (\"partition\", \"offset\")) FROM millrace.dead_letter_audit
            WHERE action = 'replayed'"

# What was replayed is not replayed again by accident.
id=$(sql "SELECT min(id) FROM millrace.dead_letters WHERE state = 'edited+replayed'")
dlq replay "$id" > "$work/out" && fail "replayed twice"
grep -q "was replayed already" "$work/out" || fail "$(cat "$work/out")"

# The rest, without a running dev: 250 have a type that does not fit, 150 are no JSON.
kill -TERM "$dev"
wait "$dev"
dev=
dlq ls --kind malformed -n 5 > "$work/out"
grep -q "the newest of 150" "$work/out" || fail "$(cat "$work/out")"
dlq edit --kind malformed --set "quantity = 1" > "$work/out" && fail "edited what is no JSON"
dlq discard --open > /dev/null 2>&1 && fail "discarded without a reason"
dlq discard --open --reason "not to be mended" > "$work/out" || fail "$(cat "$work/out")"
grep -q "^400 discarded$" "$work/out" || fail "$(cat "$work/out")"
expect 0 "SELECT count(*) FROM millrace.dead_letters WHERE state NOT IN ('edited+replayed', 'discarded')"
dlq ls | grep -q "(0 rows)" || fail "something is open"
expect 800 "SELECT count(*) FROM valid_orders"

# Expectations of millrace.yml: 1200 orders cost up to 1200; those of 1000 and more were warned of.
start
warned=$(sql "SELECT count(*) FROM orders WHERE quantity > 0 AND total_price >= 1000")
until_gives true "SELECT max(violations_warned) >= $warned FROM millrace.sources"
echo "ok: 1,000 dead letters: 600 mended and replayed once each over five kill -9, 400 discarded"
