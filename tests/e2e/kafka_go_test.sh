#!/usr/bin/env bash
# A client in Go, franz-go, against the Kafka port of `millrace dev`: see tests/support/kafka_go/main.go.
#
#   tests/e2e/kafka_go_test.sh [BINARY]     default: build/release/millrace
#
# The program comes from scripts/setup.sh.
set -euo pipefail
. "$(dirname "$0")/dev_server.sh"
client=$deps/kafka-go/kafka_go
[ -x "$client" ] || { echo "skipped: franz-go (scripts/setup.sh builds the client)"; exit 0; }

mkdir -p "$work/shop/sql"
echo 'name: shop' > "$work/shop/millrace.yml"
port=$(free_port)
start_dev "$work/shop" --port 0 --kafka-listen "127.0.0.1:$port"
wait_for 180 "the Kafka port opens" port_opens "$port"
"$client" "127.0.0.1:$port" 2> "$work/client.err" || fail "the client in Go"
stop_dev || fail "dev ended with $?"
! grep -E '^[^ ]+ E ' "$work/dev.log" || fail "the server has logged an error"
echo "1 passed, 0 failed"
