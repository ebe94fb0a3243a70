#!/usr/bin/env bash
# A real Kafka broker for tests (KRaft, one node, 127.0.0.1 only), from the jars of scripts/setup.sh.
#
#   broker.sh start DIR PORT [SETTING=VALUE…]   DIR keeps its data; returns when it answers
#   broker.sh stop DIR                          an orderly stop
#   broker.sh kill DIR                          SIGKILL: what it has not acknowledged may be lost
#   broker.sh tool CLASS ARGUMENTS…             a program of Kafka's, e.g.
#                                               org.apache.kafka.tools.TopicCommand
#
# PORT speaks plain text. PORT + 2 asks for TLS (as localhost; DIR/ca.pem is its certificate) and for
# SASL PLAIN, user "alice", password "secret". PORT + 1 is the broker's own. Topics may be made by
# clients.
set -euo pipefail
root=$(cd "$(dirname "$0")/../../.." && pwd)
jars="${MILLRACE_DEPS:-$root/.deps}/kafka-java/jars/*"

settings() { # DIR PORT [SETTING=VALUE…]
  cat << CONFIG
process.roles=broker,controller
node.id=1
controller.quorum.voters=1@127.0.0.1:$(($2 + 1))
listeners=PLAINTEXT://127.0.0.1:$2,CONTROLLER://127.0.0.1:$(($2 + 1)),SASL_SSL://127.0.0.1:$(($2 + 2))
advertised.listeners=PLAINTEXT://127.0.0.1:$2,SASL_SSL://localhost:$(($2 + 2))
listener.security.protocol.map=PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT,SASL_SSL:SASL_SSL
sasl.enabled.mechanisms=PLAIN
listener.name.sasl_ssl.plain.sasl.jaas.config=org.apache.kafka.common.security.plain.PlainLoginModule required user_alice="secret";
ssl.keystore.type=PEM
ssl.keystore.location=$1/server.pem
controller.listener.names=CONTROLLER
log.dirs=$1/data
offsets.topic.num.partitions=2
offsets.topic.replication.factor=1
transaction.state.log.num.partitions=2
transaction.state.log.replication.factor=1
transaction.state.log.min.isr=1
share.coordinator.state.topic.replication.factor=1
share.coordinator.state.topic.min.isr=1
group.initial.rebalance.delay.ms=0
auto.create.topics.enable=true
CONFIG
  printf '%s\n' "${@:3}"
}

start() {
  local dir=$1 port=$2
  mkdir -p "$dir"
  if [ ! -f "$dir/server.pem" ]; then
    openssl req -x509 -newkey rsa:2048 -nodes -days 2 -subj /CN=localhost -keyout "$dir/key.pem" \
      -addext subjectAltName=DNS:localhost -out "$dir/ca.pem" 2> /dev/null
    cat "$dir/key.pem" "$dir/ca.pem" > "$dir/server.pem"
  fi
  settings "$@" > "$dir/server.properties"
  if [ ! -f "$dir/data/meta.properties" ]; then
    java -cp "$jars" kafka.tools.StorageTool format -t "$(java -cp "$jars" kafka.tools.StorageTool random-uuid)" \
      -c "$dir/server.properties" > "$dir/format.log" 2>&1
  fi
  setsid java -Xmx512m -Xms256m -XX:+UseSerialGC -cp "$jars" kafka.Kafka "$dir/server.properties" \
    > "$dir/broker.log" 2>&1 < /dev/null &
  echo $! > "$dir/pid"
  until kcat -b "127.0.0.1:$port" -L -m 1 > /dev/null 2>&1; do
    kill -0 "$(cat "$dir/pid")" 2> /dev/null || { tail -n 20 "$dir/broker.log" >&2; exit 1; }
    sleep 0.2
  done
}

end() { # DIR SIGNAL
  [ -f "$1/pid" ] || return 0
  local pid; pid=$(cat "$1/pid")
  kill "-$2" "$pid" 2> /dev/null || true
  while kill -0 "$pid" 2> /dev/null; do sleep 0.1; done
  rm -f "$1/pid"
}

case "${1:-}" in
  start) start "${@:2}" ;;
  stop) end "$2" TERM ;;
  kill) end "$2" KILL ;;
  tool) exec java -Xmx256m -cp "$jars" "${@:2}" ;;
  *) sed -n '2,11p' "$0"; exit 2 ;;
esac
