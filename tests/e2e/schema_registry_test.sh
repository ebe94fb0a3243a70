#!/usr/bin/env bash
# Confluent's clients against the schema registry and the Kafka port of `millrace dev`: serializers
# of Avro, JSON Schema and Protobuf, evolution of a subject under way, jobs that read and write
# each of them, kill -9 and restart, and `millrace schema`.
#
#   tests/e2e/schema_registry_test.sh [BINARY]     default: build/release/millrace
#
# The Python clients come from scripts/setup.sh.
set -euo pipefail
. "$(dirname "$0")/dev_server.sh"
python=$deps/schema-clients/bin/python

port=$(free_port)
http=$(free_port)
mkdir -p "$work/shop/sql"
cat > "$work/shop/millrace.yml" <<YAML
name: shop
topics:
  orders: {partitions: 3}
  strict-orders: {strict: true}
  strict-prices: {strict: true}
  strict-clicks: {strict: true}
YAML
# The same registry twice: the one in this process, and by its URL.
cat > "$work/shop/sql/orders.sql" <<SQL
CREATE TABLE orders (
  id BIGINT NOT NULL, customer STRING, price DECIMAL(10, 2), at TIMESTAMP(3), tags ARRAY<STRING>,
  note STRING
) WITH (
  'connector' = 'kafka', 'topic' = 'orders', 'properties.bootstrap.servers' = 'ignored:9092',
  'format' = 'avro-confluent', 'scan.startup.mode' = 'earliest-offset');
CREATE TABLE big_orders (
  id BIGINT NOT NULL, customer STRING, price DECIMAL(10, 2), at TIMESTAMP(3), tags ARRAY<STRING>,
  note STRING
) WITH (
  'connector' = 'kafka', 'topic' = 'big-orders', 'properties.bootstrap.servers' = 'ignored:9092',
  'format' = 'avro-confluent', 'avro-confluent.url' = 'http://127.0.0.1:$http');
INSERT INTO big_orders SELECT * FROM orders WHERE price >= 100;
CREATE TABLE customers (customer STRING, orders BIGINT, PRIMARY KEY (customer) NOT ENFORCED) WITH (
  'connector' = 'upsert-kafka', 'topic' = 'customers', 'properties.bootstrap.servers' = 'ignored:9092',
  'key.format' = 'avro-confluent', 'value.format' = 'avro-confluent');
INSERT INTO customers SELECT customer, COUNT(*) FROM orders WHERE customer IS NOT NULL GROUP BY customer;
SQL

# Protobuf in, JSON Schema out; and the other way round
cat >> "$work/shop/sql/other_types.sql" <<SQL
CREATE TABLE times (seconds BIGINT, nanos INT) WITH (
  'connector' = 'kafka', 'topic' = 'times', 'properties.bootstrap.servers' = 'ignored:9092',
  'format' = 'protobuf-confluent', 'scan.startup.mode' = 'earliest-offset');
CREATE TABLE late_times (seconds BIGINT NOT NULL, nanos INT) WITH (
  'connector' = 'kafka', 'topic' = 'late-times', 'properties.bootstrap.servers' = 'ignored:9092', 'format' = 'json-schema');
INSERT INTO late_times SELECT seconds, nanos FROM times WHERE seconds >= 5;
CREATE TABLE people (name STRING, age INT) WITH (
  'connector' = 'kafka', 'topic' = 'people', 'properties.bootstrap.servers' = 'ignored:9092',
  'format' = 'json-schema', 'scan.startup.mode' = 'earliest-offset');
CREATE TABLE adults (name STRING, age INT, tags ARRAY<STRING>) WITH (
  'connector' = 'kafka', 'topic' = 'adults', 'properties.bootstrap.servers' = 'ignored:9092', 'format' = 'protobuf-confluent');
INSERT INTO adults SELECT name, age, ARRAY['a', name] FROM people WHERE age >= 18 OR age IS NULL;
SQL

# Events over HTTP in other formats than JSON; schemas in files
mkdir "$work/shop/schemas"
cat > "$work/shop/schemas/reading.proto" <<'PROTO'
syntax = "proto3";
package shop;
import "unit.proto";
message Reading {
  option (owner).team = "meters";
  sint64 id = 3 [(buf.validate.field).int64.gt = -100];
  repeated string parts = 2;
  Unit unit = 9;
}
PROTO
echo 'syntax = "proto3"; package shop; enum Unit { PIECE = 0; KILO = 1; }' > "$work/shop/schemas/unit.proto"
"$python" "$root/tests/e2e/schema_events.py" prepare "$work/shop/schemas" || fail "no descriptor"
echo '{"title": "Visit", "type": "object", "properties": {"id": {"type": "integer", "minimum": 5}}, "required": ["id"]}' \
  > "$work/shop/schemas/visit.json"
cat > "$work/shop/sql/events.sql" <<SQL
CREATE TABLE clicks (id BIGINT NOT NULL, who STRING NOT NULL, at TIMESTAMP(3), tags ARRAY<STRING>) WITH (
  'connector' = 'kafka', 'topic' = 'clicks', 'properties.bootstrap.servers' = 'ignored:9092',
  'key.format' = 'avro-confluent', 'key.fields' = 'who',
  'value.format' = 'avro-confluent', 'value.avro-confluent.url' = 'http://127.0.0.1:$http');
CREATE TABLE strict_clicks (id BIGINT NOT NULL, who STRING) WITH (
  'connector' = 'kafka', 'topic' = 'strict-clicks', 'properties.bootstrap.servers' = 'ignored:9092',
  'format' = 'protobuf-confluent');
CREATE TABLE visits (id BIGINT NOT NULL, note STRING) WITH (
  'connector' = 'kafka', 'topic' = 'visits', 'properties.bootstrap.servers' = 'ignored:9092',
  'format' = 'json-schema', 'json-schema.schema-file' = 'schemas/visit.json');
CREATE TABLE readings (id BIGINT, unit INT, parts ARRAY<STRING>) WITH (
  'connector' = 'kafka', 'topic' = 'readings', 'properties.bootstrap.servers' = 'ignored:9092', 'format' = 'protobuf',
  'protobuf.schema-file' = 'schemas/reading.proto', 'protobuf.message-class-name' = 'com.shop.Reading',
  'scan.startup.mode' = 'earliest-offset');
CREATE TABLE kilos (id BIGINT, unit INT, parts ARRAY<STRING>) WITH (
  'connector' = 'kafka', 'topic' = 'kilos', 'properties.bootstrap.servers' = 'ignored:9092', 'format' = 'protobuf',
  'protobuf.schema-file' = 'schemas/reading.desc');
INSERT INTO kilos SELECT * FROM readings WHERE unit = 1;
SQL

is_up() { curl -fs "http://127.0.0.1:$http/subjects" > /dev/null 2>&1 && port_opens "$port"; }
start() {
  start_dev "$work/shop" --port "$http" --kafka-listen "127.0.0.1:$port"
  wait_for 180 "dev comes up" is_up
}
clients() { "$python" "$root/tests/e2e/schema_registry_clients.py" "127.0.0.1:$port" "http://127.0.0.1:$http" "$1"; }

start
clients before || fail "clients, before the restart"
"$python" -B "$root/tests/e2e/schema_events.py" check "127.0.0.1:$port" "http://127.0.0.1:$http" || fail "events and files"
! printf '{"id": 7, "who": "c"}\n{"id": "x", "who": "c"}\n' |
  "$binary" topics -C "$work/shop" produce clicks --validate > /dev/null 2> "$work/produce.log" || fail "produce --validate takes anything"
grep -q 'line 2\|:2:' "$work/produce.log" || fail "produce --validate says: $(cat "$work/produce.log")"
[ "$("$binary" sql "$work/shop" --format csv -c "SELECT COUNT(*) FROM clicks" | tail -n +2)" = 203 ] || fail "clicks in SQL"
stop_dev KILL || true
start
clients after || fail "clients, after the restart"

# The command line, beside the running dev
schema() { "$binary" schema "$@" -C "$work/shop"; }
schema ls > "$work/ls" || fail "schema ls"
grep -Eq '^orders-value +2 +[0-9]+ +AVRO +BACKWARD' "$work/ls" || fail "schema ls shows: $(cat "$work/ls")"
schema show orders-value > "$work/order.avsc" || fail "schema show"
schema check orders-value "$work/order.avsc" | grep -qx compatible || fail "a schema is compatible with itself"
sed 's/"name":"id","type":"long"/"name":"id","type":"string"/' "$work/order.avsc" > "$work/bad.avsc"
! schema check orders-value "$work/bad.avsc" > "$work/check" || fail "schema check takes anything"
grep -q 'TYPE_MISMATCH at /fields/0/type: the type is string in the new schema, but long in version 2' "$work/check" ||
  fail "schema check says: $(cat "$work/check")"
grep -q '^orders: 3000 of 3004 records and ' "$work/check" || fail "schema check tries no records: $(cat "$work/check")"
grep -q 'record [0-2]/0: id: a value of type long cannot be read as string (written with schema' "$work/check" ||
  fail "schema check names no record: $(cat "$work/check")"
grep -q 'breaks column "id" of table "orders": an Avro string cannot be read as a BIGINT; jobs: .*big_orders' "$work/check" ||
  fail "schema check names no column: $(cat "$work/check")"
sed 's/"name":{"type":"string"}/"name":{"enum":["Ada","Bob"]}/' <<< "$(schema show people-value)" > "$work/people.json"
! schema check people-value "$work/people.json" --type JSON > "$work/check" || fail "schema check takes any JSON Schema"
grep -q 'record [0-9]*/[0-9]*: /name: "Cyd" is none of "Ada", "Bob" (written with schema' "$work/check" ||
  fail "schema check of JSON Schema says: $(cat "$work/check")"
schema show times-value | sed 's/int32 nanos/string nanos/' > "$work/times.proto"
! schema check times-value "$work/times.proto" --type PROTOBUF > "$work/check" || fail "schema check takes any Protobuf"
grep -q 'record [0-9]*/[0-9]*: field "nanos" is not written as string (written with schema' "$work/check" ||
  fail "schema check of Protobuf says: $(cat "$work/check")"
! schema register orders-value "$work/bad.avsc" 2> "$work/refused" || fail "schema register takes anything"
grep -q 'incompatible' "$work/refused" || fail "schema register says: $(cat "$work/refused")"
schema register fresh-value "$work/order.avsc" | grep -q 'fresh-value: version 1' || fail "schema register"

# A strict topic takes no events that are JSON
curl -s "http://127.0.0.1:$http/v1/events/strict-orders" -d '{"id": 1}' | grep -q 'is strict' || fail "events into a strict topic"

# and without it
stop_dev || fail "dev ends with an error"
schema delete fresh-value | grep -q 'deleted versions \[1\]' || fail "schema delete"
schema ls | grep -q fresh-value && fail "a deleted subject is listed"
schema delete fresh-value --permanent > /dev/null || fail "schema delete --permanent"
echo "schema registry: passed"
