#!/usr/bin/env bash
# Apache Kafka's own programs against the Kafka port of `millrace dev`: console tools, the
# performance tools, consumer groups and their administration, Streams' word count (exactly once,
# with compacted topics, killed and started again), Connect's FileStream connectors.
#
#   tests/e2e/kafka_java_test.sh [BINARY]     default: build/release/millrace
#
# The jars come from scripts/setup.sh.
set -euo pipefail
. "$(dirname "$0")/dev_server.sh"
kafka=$deps/kafka-java
tools=org.apache.kafka.tools
cleanup_more() { jobs -p | xargs -r kill -KILL 2> /dev/null || true; }

run() { # NAME CLASS ARGUMENTS…: a program of Kafka's; what it complains of goes to NAME.err
  local name=$1
  shift
  java -Xmx256m -XX:TieredStopAtLevel=1 -cp "$kafka/classes:$kafka/jars/*" "$@" 2> "$work/$name.err"
}

mkdir -p "$work/shop/sql"
echo 'name: shop' > "$work/shop/millrace.yml"
port=$(free_port)
brokers=127.0.0.1:$port
start_dev "$work/shop" --port 0 --kafka-listen "$brokers"
wait_for 180 "the Kafka port opens" port_opens "$port"

# Topics, records, groups.
run create $tools.TopicCommand --bootstrap-server "$brokers" --create --topic lines --partitions 3 \
  > /dev/null || fail "kafka-topics --create"
run describe $tools.TopicCommand --bootstrap-server "$brokers" --describe --topic lines > "$work/out" ||
  fail "kafka-topics --describe"
[ "$(grep -c 'Leader: 1' "$work/out")" = 3 ] || fail "kafka-topics --describe: $(cat "$work/out")"
for i in $(seq 2000); do echo "the cat $((i % 9)) sat on the mat"; done > "$work/lines"
run produce $tools.ConsoleProducer --bootstrap-server "$brokers" --topic lines < "$work/lines" ||
  fail "kafka-console-producer"
run consume $tools.consumer.ConsoleConsumer --bootstrap-server "$brokers" --topic lines --group readers \
  --from-beginning --max-messages 2000 > "$work/out" || fail "kafka-console-consumer"
diff <(sort "$work/lines") <(sort "$work/out") > "$work/diff.err" || fail "other lines came back"
run group $tools.consumer.group.ConsumerGroupCommand --bootstrap-server "$brokers" --describe \
  --group readers > "$work/out" || fail "kafka-consumer-groups --describe"
[ "$(awk '$1 == "readers" { read += $4; lag += $6 } END { print read, lag }' "$work/out")" = "2000 0" ] ||
  fail "kafka-consumer-groups --describe: $(cat "$work/out")"
members_formatted() { # as their tool reads what is kept of the group
  run formatter $tools.consumer.ConsoleConsumer --bootstrap-server "$brokers" --topic __consumer_offsets \
    --from-beginning --timeout-ms 3000 --formatter $tools.consumer.GroupMetadataMessageFormatter |
    grep -q '"group":"readers"}},"value":{"version":3.*"protocol":"range"'
}
wait_for 180 "GroupMetadataMessageFormatter shows the group" members_formatted
run reset $tools.consumer.group.ConsumerGroupCommand --bootstrap-server "$brokers" --group readers \
  --topic lines --reset-offsets --to-earliest --execute > "$work/out" || fail "--reset-offsets"
[ "$(awk '$1 == "readers" { splits++; sum += $4 } END { print splits, sum }' "$work/out")" = "3 0" ] ||
  fail "--reset-offsets: $(cat "$work/out")"
run offsets $tools.GetOffsetShell --bootstrap-server "$brokers" --topic lines > "$work/out" ||
  fail "kafka-get-offsets"
[ "$(awk -F: '{ sum += $3 } END { print sum }' "$work/out")" = 2000 ] ||
  fail "kafka-get-offsets: $(cat "$work/out")"
run alter kafka.admin.ConfigCommand --bootstrap-server "$brokers" --alter --entity-type topics \
  --entity-name lines --add-config retention.ms=100000000 > /dev/null || fail "kafka-configs --alter"
run configs kafka.admin.ConfigCommand --bootstrap-server "$brokers" --describe --entity-type topics \
  --entity-name lines --all > "$work/out" || fail "kafka-configs --describe"
grep -q 'retention.ms=100000000 ' "$work/out" || fail "kafka-configs --describe: $(cat "$work/out")"
run dirs $tools.LogDirsCommand --bootstrap-server "$brokers" --describe --topic-list lines > "$work/out" ||
  fail "kafka-log-dirs"
grep -q '"partition":"lines-2"' "$work/out" || fail "kafka-log-dirs: $(cat "$work/out")"

# A group whose partitions the server assigns (KIP-848): two consumers, one of which leaves.
assigned() { # NUMBER: starts a consumer; its lines go to assigned.NUMBER
  java -Xmx256m -XX:TieredStopAtLevel=1 -cp "$kafka/classes:$kafka/jars/*" \
    $tools.consumer.ConsoleConsumer --bootstrap-server "$brokers" --topic lines --group assigned \
    --from-beginning --consumer-property group.protocol=consumer \
    --consumer-property auto.commit.interval.ms=200 > "$work/assigned.$1" 2> "$work/assigned.$1.err" &
}
members() { # prints the number of partitions of each member
  run members $tools.consumer.group.ConsumerGroupCommand --bootstrap-server "$brokers" --describe \
    --group assigned --members | awk '$1 == "assigned" { print $5 }' | sort | xargs
}
shared() { [ "$(members)" = "$1" ]; }
assigned 1
first=$!
assigned 2
second=$!
wait_for 180 "two members share three partitions" shared "1 2"
run groups $tools.consumer.group.ConsumerGroupCommand --bootstrap-server "$brokers" --list --type \
  consumer > "$work/out" || fail "kafka-consumer-groups --list"
grep -q '^assigned' "$work/out" || fail "kafka-consumer-groups --list: $(cat "$work/out")"
kill -TERM "$first"
wait "$first" || true
wait_for 180 "the one that is left reads all" shared "3"
all_read() { [ "$(cat "$work"/assigned.[12] | wc -l)" -ge 2000 ]; }
wait_for 180 "all lines are read" all_read
kill -TERM "$second"
wait "$second" || true
diff <(sort "$work/lines") <(sort "$work"/assigned.[12]) > "$work/diff.err" ||
  fail "the group has not read each line once"
# Transactions: one that was committed, as their tool sees it.
run perf $tools.ProducerPerformance --topic decided --num-records 10 --record-size 10 --throughput -1 \
  --transactional-id orders --transaction-duration-ms 1000 \
  --producer-props "bootstrap.servers=$brokers" > "$work/out" || fail "a transaction"
run transactions $tools.TransactionsCommand --bootstrap-server "$brokers" list > "$work/out" ||
  fail "kafka-transactions list"
grep -Eq '^orders\s.*CompleteCommit' "$work/out" || fail "kafka-transactions list: $(cat "$work/out")"
run transactions $tools.TransactionsCommand --bootstrap-server "$brokers" describe \
  --transactional-id orders > "$work/out" || fail "kafka-transactions describe"
grep -Eq '\sorders\s.*\sCompleteCommit\s' "$work/out" ||
  fail "kafka-transactions describe: $(cat "$work/out")"

# The performance tools.
run perf $tools.ProducerPerformance --topic perf --num-records 50000 --record-size 500 --throughput -1 \
  --producer-props "bootstrap.servers=$brokers" acks=all > "$work/out" || fail "kafka-producer-perf-test"
grep -q '^50000 records sent' "$work/out" || fail "kafka-producer-perf-test: $(cat "$work/out")"
run perf $tools.ConsumerPerformance --bootstrap-server "$brokers" --topic perf --messages 50000 \
  > "$work/out" || fail "kafka-consumer-perf-test"
tail -1 "$work/out" | grep -q ', 50000, ' || fail "kafka-consumer-perf-test: $(cat "$work/out")"

# Streams: the word count, killed in between; its state is in a compacted topic.
run create $tools.TopicCommand --bootstrap-server "$brokers" --create --topic counts --partitions 1 \
  > /dev/null || fail "kafka-topics --create"
newest() { # WORD: its newest count
  kcat -b "$brokers" -C -t counts -e -q -s value=q -f '%k %s\n' 2> "$work/counts.err" |
    awk -v word="$1" '$1 == word { count = $2 } END { print count + 0 }'
}
fail_more() { # where Streams stands
  [ -n "${stream:-}" ] || return 0
  echo "the: $(newest the), sat: $(newest sat)"
  kill -QUIT "$stream" # its stacks go to streams.out
  run group $tools.consumer.group.ConsumerGroupCommand --bootstrap-server "$brokers" --describe --group word-count
  run transactions $tools.TransactionsCommand --bootstrap-server "$brokers" list
}
counted() { [ "$(newest the)" = "$1" ]; }
mkfifo "$work/never" # an input that neither ends nor has anything
exec 3<> "$work/never"
streams() {
  java -Xmx256m -XX:TieredStopAtLevel=1 -cp "$kafka/classes:$kafka/jars/*" \
    WordCount "$brokers" lines counts "$work/state" < "$work/never" >> "$work/streams.out" 2>> "$work/streams.err" &
  stream=$!
}
streams
wait_for 180 "4000 counted" counted 4000
kill -KILL "$stream"
wait "$stream" 2> /dev/null || true
run produce $tools.ConsoleProducer --bootstrap-server "$brokers" --topic lines < "$work/lines" ||
  fail "kafka-console-producer"
rm -rf "$work/state" # the changelog topic has all of it
streams
wait_for 180 "8000 counted" counted 8000
[ "$(newest sat)" = 4000 ] || fail "$(newest sat) times \"sat\""
kill -KILL "$stream"
run configs kafka.admin.ConfigCommand --bootstrap-server "$brokers" --describe --entity-type topics \
  --entity-name word-count-KSTREAM-AGGREGATE-STATE-STORE-0000000003-changelog --all > "$work/out" ||
  fail "kafka-configs of the changelog"
grep -q 'cleanup.policy=compact ' "$work/out" || fail "the changelog is not compacted: $(cat "$work/out")"

# Connect: a file through a topic into another file.
cat > "$work/worker.properties" << PROPERTIES
bootstrap.servers=$brokers
key.converter=org.apache.kafka.connect.storage.StringConverter
value.converter=org.apache.kafka.connect.storage.StringConverter
offset.storage.file.filename=$work/connect.offsets
offset.flush.interval.ms=1000
listeners=http://127.0.0.1:0
plugin.discovery=service_load
PROPERTIES
cat > "$work/source.properties" << PROPERTIES
name=file-source
connector.class=org.apache.kafka.connect.file.FileStreamSourceConnector
file=$work/lines
topic=connected
PROPERTIES
cat > "$work/sink.properties" << PROPERTIES
name=file-sink
connector.class=org.apache.kafka.connect.file.FileStreamSinkConnector
file=$work/arrived
topics=connected
PROPERTIES
java -Xmx256m -XX:TieredStopAtLevel=1 -cp "$kafka/classes:$kafka/jars/*" \
  org.apache.kafka.connect.cli.ConnectStandalone "$work/worker.properties" "$work/source.properties" \
  "$work/sink.properties" > "$work/connect.out" 2> "$work/connect.err" &
connect=$!
arrived() { [ -e "$work/arrived" ] && [ "$(wc -l < "$work/arrived")" = 2000 ]; }
wait_for 180 "Connect has copied the file" arrived
diff "$work/lines" "$work/arrived" > "$work/diff.err" || fail "Connect copied other lines"
kill -TERM "$connect"
wait "$connect" || true

stop_dev || fail "dev ended with $?"
! grep -E '^[^ ]+ E ' "$work/dev.log" || fail "the server has logged an error"
echo "1 passed, 0 failed"
