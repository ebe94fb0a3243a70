#!/usr/bin/env bash
# A real Kafka cluster as source and sink: a broker of Apache Kafka is started, then
#
#   seed   the PyFlink example's SQL, word for word, over a topic of the broker
#   once   jobs that are killed again and again, while a transactional producer writes, aborts, and
#          partitions are added; every sink's topic equals what was committed (kafka_cluster.py)
#   mirror topics copied into the log and out of it, by a process that is killed
#
#   tests/e2e/kafka_cluster_test.sh [BINARY]     default: build/release/millrace
#
# Kafka, kcat and the Python client come from scripts/setup.sh. The seed's text is read from
# $MILLRACE_SHARED/seeds (default: ../shared beside the repository); without it that part is left
# out, and said.
set -euo pipefail
. "$(dirname "$0")/dev_server.sh"
broker=$root/tests/support/kafka/broker.sh
cleanup_more() { "$broker" kill "$work/broker"; }
start_broker() { # on three free ports, one of which another process may take meanwhile
  port=$(free_port)
  servers=127.0.0.1:$port
  "$broker" start "$work/broker" "$port" 2> "$work/broker.err"
}
start_broker || start_broker || start_broker || fail "the broker does not start"
create() { # topic, partitions
  "$broker" tool org.apache.kafka.tools.TopicCommand --bootstrap-server "$servers" --create \
    --topic "$1" --partitions "$2" > /dev/null 2> "$work/create.err" || fail "$(cat "$work/create.err")"
}

seed() {
  local text http
  text=$(ls "${MILLRACE_SHARED:-$root/../shared}"/seeds/001*.txt 2> /dev/null | head -n 1 || true)
  if [ -z "$text" ]; then
    echo "left out: the seed's SQL (MILLRACE_SHARED names the folder that has it)"
    return
  fi
  mkdir -p "$work/seed/sql"
  python3 - "$text" "$work/seed/sql/job.sql" <<'PYTHON'
import re, sys
statements = re.findall(r'execute_sql\("""(.*?)"""\)', open(sys.argv[1], encoding="utf-8").read(), re.DOTALL)
open(sys.argv[2], "w", encoding="utf-8").write(";\n".join(statements) + ";\n")
PYTHON
  cat > "$work/seed/millrace.yml" <<YAML
name: seed
target: cluster
targets:
  cluster:
    embedded: [jdbc]
    options: {kafka: {properties.bootstrap.servers: "$servers"}}
YAML
  http=$(free_port)
  start_dev "$work/seed" --port "$http"
  job_is() { "$binary" status "$work/seed" 2> /dev/null | grep -q "$1"; }
  # The topic is not there yet: the job says so, and goes on when it is.
  wait_for 180 "the job says what it waits for" job_is "does not have it"
  create page-views 1
  wait_for 180 "the job begins" job_is "idle\|running"
  cat > "$work/rows.json" <<'ROWS'
{"user_id":"u1","page_url":"/home","event_time":"2025-07-24 10:00:01.000"}
{"user_id":"u2","page_url":"/home","event_time":"2025-07-24 10:00:02.500"}
{"user_id":"u1","page_url":"/home","event_time":"2025-07-24 10:00:30"}
{"user_id":"u1","page_url":"/cart","event_time":"2025-07-24 10:00:59.999"}
{"user_id":"u4","page_url":"/home","event_time":"2025-07-24 10:00:57.250"}
{"user_id":null,"page_url":"/cart","event_time":"2025-07-24 10:01:12.000"}
{"user_id":"u5","page_url":"/home","event_time":"2025-07-24 10:01:20.000"}
{"user_id":"u9","page_url":"/close","event_time":"2025-07-24 10:02:30.000"}
ROWS
  kcat -b "$servers" -P -t page-views -l "$work/rows.json" || fail "kcat -P"
  cat > "$work/golden.csv" <<'GOLDEN'
10:00:00,10:01:00,/cart,1,1
10:00:00,10:01:00,/home,4,3
10:01:00,10:02:00,/cart,1,0
10:01:00,10:02:00,/home,1,1
GOLDEN
  counted() {
    "$binary" sql "$work/seed" --format csv -c "SELECT strftime(window_start, '%H:%M:%S'),
      strftime(window_end, '%H:%M:%S'), page_url, view_count, unique_users
      FROM page_view_counts ORDER BY ALL" | tail -n +2 > "$work/result.csv"
    diff -q "$work/golden.csv" "$work/result.csv" > /dev/null
  }
  wait_for 180 "the windows come to the golden numbers" counted
  stop_dev || fail "dev did not stop in order"
  # The position of the group, for tools that show lag.
  "$broker" tool org.apache.kafka.tools.consumer.group.ConsumerGroupCommand --bootstrap-server "$servers" \
    --describe --group analytics-pipeline > "$work/group" 2> /dev/null || true
  grep -Eq 'page-views +0 +8 +8 +0' "$work/group" || fail "positions of the group: $(cat "$work/group")"
  echo "ok: the seed's SQL over a topic of the broker, golden numbers; its group's lag is 0"
}

# What is written once more, or not at all, shows: each record is a number.
mirror() {
  local project=$work/mirror lives=0
  mkdir -p "$project/sql"
  printf 'name: mirror\n' > "$project/millrace.yml"
  create numbers 3
  seq 1 100000 | sed 's/.*/k&:&/' | kcat -b "$servers" -P -t numbers -K: -H from=test
  copy() { "$binary" topics -C "$project" mirror "$@" > "$work/mirror.log" 2>&1; }
  killed() { # direction and options: is killed at a random moment; fails once it is done before that
    "$binary" topics -C "$project" mirror "$@" > "$work/mirror.log" 2>&1 &
    local pid=$!
    sleep "0.$((RANDOM % 8 + 1))"
    kill -KILL "$pid" 2> /dev/null || true
    ! wait "$pid" 2> /dev/null
  }
  for _ in 1 2 3; do if killed numbers --from "$servers"; then lives=$((lives + 1)); fi; done
  copy numbers --from "$servers" || fail "mirror --from: $(cat "$work/mirror.log")"
  copy numbers --from "$servers" && grep -q 'copied 0 records' "$work/mirror.log" || fail "it copied records again"
  for _ in 1 2 3; do if killed numbers --to "$servers" --as back; then lives=$((lives + 1)); fi; done
  copy numbers --to "$servers" --as back || fail "mirror --to: $(cat "$work/mirror.log")"
  [ "$lives" -gt 0 ] || fail "no mirror was killed before it was done"
  local topic
  for topic in numbers back; do
    kcat -b "$servers" -C -t "$topic" -e -q -X isolation.level=read_committed -f '%p %k %s\n' | sort > "$work/$topic"
  done
  [ "$(wc -l < "$work/numbers")" = 100000 ] || fail "kcat did not write all numbers"
  cmp -s "$work/numbers" "$work/back" || fail "the copy of the copy is not the topic"
  kcat -b "$servers" -C -t back -o 5 -c 1 -e -q -f '%h\n' | grep -q 'from=test,.*millrace.source.offset=' ||
    fail "the headers of a copy"
  echo "ok: 100000 records into the log and out again, each once, over $lives kills"
}

seed
mirror
"$deps/kafka-clients/bin/python" "$root/tests/e2e/kafka_cluster.py" --binary "$binary" --broker "$broker" \
  --directory "$work/broker" --servers "$servers" --rounds "${KAFKA_CRASH_ROUNDS:-6}" ||
  fail "exactly once over the broker"
