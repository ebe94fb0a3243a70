#!/usr/bin/env bash
# Throughput over a real Kafka broker, beside Kafka's own tools, on one machine: reading a topic,
# and copying one into another exactly once. Best of three each; prints a table.
#
#   scripts/bench_kafka_cluster.sh [BINARY]     default: build/release/millrace
#
# RECORDS (default 1000000) of about 430 bytes, two partitions.
set -euo pipefail
root=$(cd "$(dirname "$0")/.." && pwd)
binary=$(realpath "${1:-$root/build/release/millrace}")
broker=$root/tests/support/kafka/broker.sh
records=${RECORDS:-1000000}
work=$(mktemp -d)
trap '"$broker" kill "$work/broker"; rm -rf "$work"' EXIT
port=$(python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])')
servers=127.0.0.1:$port
"$broker" start "$work/broker" "$port" 2> "$work/broker.log"
tool() { "$broker" tool "$@" 2> /dev/null; }
create() { tool org.apache.kafka.tools.TopicCommand --bootstrap-server "$servers" --create --topic "$1" --partitions 2 > "$work/create.log"; }
create events
awk -v n="$records" 'BEGIN {
  pad = sprintf("%380s", ""); gsub(" ", "x", pad); srand(1)
  for (i = 0; i < n; i++)
    printf "{\"id\":%d,\"who\":\"user %d\",\"amount\":%d,\"pad\":\"%s\"}\n", i, rand() * 10000, rand() * 1000, pad
}' > "$work/events.json"
kcat -b "$servers" -P -t events -l "$work/events.json" -X queue.buffering.max.messages=1000000

columns='id BIGINT, who STRING, amount INT, pad STRING'
source="CREATE TABLE events ($columns) WITH ('connector' = 'kafka-cluster', 'topic' = 'events', 'format' = 'json',
  'properties.bootstrap.servers' = '$servers', 'scan.startup.mode' = 'earliest-offset', 'scan.bounded.mode' = 'latest-offset');"
seconds() { # command…; prints "wall cpu"
  python3 - "$@" <<'PYTHON'
import resource, subprocess, sys, time
begin = time.monotonic()
subprocess.run(sys.argv[1:], check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
used = resource.getrusage(resource.RUSAGE_CHILDREN)
print("%.2f %.2f" % (time.monotonic() - begin, used.ru_utime + used.ru_stime))
PYTHON
}
best() { # what, function that prints "wall cpu"
  for run in 1 2 3; do "$2" "$run"; done | sort -n | head -n 1 |
    awk -v what="$1" -v n="$records" '{ printf "| %s | %d | %.2f |\n", what, n / $1 / 1000, $2 / n * 1e6 }'
}
project() { # name, SQL
  rm -rf "${work:?}/$1" && mkdir -p "$work/$1/sql"
  printf '%s\n%s\n' "$source" "$2" > "$work/$1/sql/job.sql"
  echo "$work/$1"
}
reading() {
  seconds "$binary" run "$(project read "CREATE TABLE nowhere ($columns) WITH ('connector' = 'blackhole');
    INSERT INTO nowhere SELECT * FROM events;")"
}
kafka_reading() {
  seconds "$broker" tool org.apache.kafka.tools.ConsumerPerformance --bootstrap-server "$servers" --topic events \
    --messages "$records" --timeout 60000
}
copying() {
  create "copy-$1"
  seconds "$binary" run "$(project copy "SET 'pipeline.name' = 'copy-$1';
    CREATE TABLE copies ($columns) WITH ('connector' = 'kafka-cluster', 'topic' = 'copy-$1', 'format' = 'json',
      'properties.bootstrap.servers' = '$servers');
    INSERT INTO copies SELECT * FROM events;")"
}
kafka_writing() {
  create "perf-$1"
  seconds "$broker" tool org.apache.kafka.tools.ProducerPerformance --topic "perf-$1" --num-records "$records" \
    --record-size 430 --throughput -1 --transactional-id "perf-$1" --transaction-duration-ms 100 \
    --producer-props "bootstrap.servers=$servers"
}
echo "| | k records/s | CPU s per M |"
echo "|---|---|---|"
best "a topic decoded, to nowhere" reading
best "kafka-consumer-perf-test (bytes only)" kafka_reading
best "a topic decoded, encoded, into another, exactly once" copying
best "kafka-producer-perf-test, transactions of 100 ms (bytes only)" kafka_writing
