#!/usr/bin/env bash
# Unmodified Kafka clients against the Kafka port of `millrace dev`: kcat, kafka-python and
# confluent-kafka (librdkafka), with every compression, consumer groups, a job in between, kill -9
# and restart.
#
#   tests/e2e/kafka_test.sh [BINARY]     default: build/release/millrace
#
# kcat and the Python clients come from scripts/setup.sh.
set -euo pipefail
. "$(dirname "$0")/dev_server.sh"
python=$deps/kafka-clients/bin/python

mkdir -p "$work/shop/sql"
cat > "$work/shop/millrace.yml" <<'YAML'
name: shop
topics:
  orders: {partitions: 3}
  moved: {partitions: 3}
YAML
cat > "$work/shop/sql/big.sql" <<'SQL'
CREATE TABLE orders (id BIGINT, who STRING) WITH (
  'connector' = 'kafka', 'topic' = 'orders', 'properties.bootstrap.servers' = 'ignored:9092',
  'format' = 'json', 'scan.startup.mode' = 'earliest-offset');
CREATE TABLE even_orders (id BIGINT, who STRING) WITH (
  'connector' = 'kafka', 'topic' = 'even-orders', 'properties.bootstrap.servers' = 'ignored:9092',
  'format' = 'json');
INSERT INTO even_orders SELECT id, UPPER(who) FROM orders WHERE id % 2 = 0;
SQL
cat > "$work/shop/sql/copy.sql" <<'SQL'
CREATE TABLE moved (n BIGINT) WITH (
  'connector' = 'kafka', 'topic' = 'moved', 'properties.bootstrap.servers' = 'ignored:9092',
  'format' = 'json', 'scan.startup.mode' = 'earliest-offset');
CREATE TABLE moved_copy (n BIGINT) WITH (
  'connector' = 'kafka', 'topic' = 'moved-copy', 'properties.bootstrap.servers' = 'ignored:9092',
  'format' = 'json');
INSERT INTO moved_copy SELECT n FROM moved;
SQL

port=$(free_port)
http=$(free_port)
start() { # options of dev
  start_dev "$work/shop" --port "$http" "$@"
  wait_for 180 "the Kafka port opens" port_opens "$port"
}
brokers=127.0.0.1:$port
start --kafka-listen "$brokers"

# kcat: list, and a round trip with each compression
kcat -b "$brokers" -L > "$work/list" || fail "kcat -L"
grep -q 'topic "orders" with 3 partitions' "$work/list" || fail "kcat -L does not list orders"
seq 1 2000 > "$work/numbers"
for codec in none gzip snappy lz4 zstd; do
  kcat -b "$brokers" -P -t "kcat-$codec" -z "$codec" -K: < <(sed 's/^\(.*\)$/k\1:v\1/' "$work/numbers") ||
    fail "kcat -P -z $codec"
  kcat -b "$brokers" -C -t "kcat-$codec" -e -q -f '%k:%s\n' > "$work/back" || fail "kcat -C $codec"
  sed 's/^\(.*\)$/k\1:v\1/' "$work/numbers" | diff -q - "$work/back" > /dev/null ||
    fail "kcat -z $codec: other records came back"
done
[ "$(kcat -b "$brokers" -C -t kcat-zstd -o 1500 -c 1 -e -q)" = v1501 ] || fail "kcat -o 1500"
"$binary" topics -C "$work/shop" list > "$work/list" || fail "millrace topics list"
grep -q 'kcat-zstd' "$work/list" || fail "millrace topics list does not know a client's topic"
! grep -q '__consumer' "$work/list" || fail "the offsets' topic is listed"

"$python" "$root/tests/e2e/kafka_clients.py" "$brokers" before || fail "Python clients"
"$python" "$root/tests/e2e/kafka_transactions.py" "$brokers" before || fail "transactions"

"$python" "$root/tests/e2e/kafka_state.py" "$brokers" "http://127.0.0.1:$http" || fail "the state of groups and transactions"

# What was acknowledged survives kill -9: records, groups' offsets, producers' sequences.
"$python" "$root/tests/e2e/kafka_clients.py" "$brokers" through > "$work/through" &
through=$!
until grep -q 'under way' "$work/through"; do
  kill -0 "$through" || fail "the producer has ended early"
  sleep 0.05
done
stop_dev KILL || true
printf 'kafka: {listen: "%s", partitions: 2}\n' "$brokers" >> "$work/shop/millrace.yml"
start
wait "$through" || fail "the producer that wrote through the crash"
"$python" "$root/tests/e2e/kafka_clients.py" "$brokers" after || fail "Python clients after kill -9"

# Transactions end the same everywhere, whenever the server is killed.
: > "$work/moving"
"$python" "$root/tests/e2e/kafka_transactions.py" "$brokers" through >> "$work/moving" &
moving=$!
for ((round = 1; round <= ${KAFKA_CRASH_ROUNDS:-4}; round++)); do
  target=$(($(wc -l < "$work/moving") + 10 + RANDOM % 10))
  while [ "$(wc -l < "$work/moving")" -lt "$target" ] && kill -0 "$moving" 2> /dev/null; do
    sleep 0.02
  done
  kill -0 "$moving" 2> /dev/null || break
  stop_dev KILL || true
  start
done
wait "$moving" || fail "the producer that moved records through $((round - 1)) crashes"
[ "$round" -gt 1 ] || fail "it was done before the first crash"
"$python" "$root/tests/e2e/kafka_transactions.py" "$brokers" after || fail "transactions after kill -9"

stop_dev || fail "dev ended with $?"
! grep -E '^[^ ]+ E ' "$work/dev.log" || fail "the server has logged an error"
echo "1 passed, 0 failed"
