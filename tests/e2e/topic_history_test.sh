#!/usr/bin/env bash
# Closed segments of a topic as Parquet: the process is killed again and again while records come in
# and files are written; what a query over the topic answers is what decoding all of its log gives.
#
#   tests/e2e/topic_history_test.sh [BINARY]     default: build/release/millrace
set -euo pipefail
. "$(dirname "$0")/dev_server.sh"

mkdir -p "$work/shop/sql"
settings() { # parquet?
  cat > "$work/shop/millrace.yml" << YAML
name: shop
topics:
  events: {partitions: 2, segment-bytes: 64kb, key: id, parquet: $1}
YAML
}
settings true
cat > "$work/shop/sql/events.sql" << SQL
CREATE TABLE events (id BIGINT, name STRING, amount DECIMAL(10, 2), seen_at TIMESTAMP(3))
WITH ('connector' = 'kafka', 'topic' = 'events', 'properties.bootstrap.servers' = 'kafka:9092', 'format' = 'json');
SQL
answers() { # what all queries say, from whoever has the project
  "$binary" sql "$work/shop" --format csv -c "SELECT count(*), sum(id), sum(amount), min(seen_at), max(seen_at), count(name) FROM events"
  "$binary" sql "$work/shop" --format csv -c "SELECT name, count(*), sum(amount) FROM events WHERE id % 7 = 3 GROUP BY 1 ORDER BY 1"
}
batch() { # NUMBER: 3000 records, of which some do not decode
  python3 - "$1" << 'PY'
import json, sys
first = int(sys.argv[1]) * 3000
for n in range(first, first + 3000):
    if n % 500 == 0:
        print("no record %d" % n)
    elif n % 301 == 0:
        print(json.dumps({"id": n, "amount": "a lot"}))
    else:
        print(json.dumps({"id": n, "name": None if n % 11 == 0 else "name %d" % (n % 5),
                          "amount": n / 4, "seen_at": "2026-01-01 00:00:%02d" % (n % 60)}))
PY
}
files() { find "$work/shop/.millrace/history" -name '*.parquet' 2> /dev/null | wc -l; }
grown() { [ "$(files)" -gt "$1" ]; }

port=$(free_port)
for round in 0 1 2 3 4; do
  start_dev "$work/shop" --port "$port"
  wait_for 180 "dev is ready" curl -sf -o /dev/null "http://127.0.0.1:$port/readyz"
  batch "$round" | "$binary" topics produce events -C "$work/shop" > /dev/null || fail "topics produce"
  if [ "$round" = 2 ]; then wait_for 180 "files are written" grown 4; fi
  sleep "0.$((round * 3))"
  stop_dev KILL || true
done
start_dev "$work/shop" --port "$port"
wait_for 180 "dev is ready" curl -sf -o /dev/null "http://127.0.0.1:$port/readyz"
wait_for 180 "the rest is written" grown 12
answers > "$work/with"
"$binary" topics describe events -C "$work/shop" > "$work/out" || fail "topics describe"
grep -qi parquet "$work/out" || fail "topics describe: $(cat "$work/out")"
stop_dev || fail "dev ended with $?"
settings false
answers > "$work/without"
diff "$work/with" "$work/without" || fail "the files answer otherwise than the log"
[ "$(sed -n 2p "$work/with" | cut -d, -f1)" -gt 14000 ] || fail "too few rows: $(cat "$work/with")"
echo "passed"
