#!/usr/bin/env bash
# Two of Apache Kafka's system-test programs against the Kafka port, which is killed meanwhile; `make
# test-kafka` runs all of them (kafka_system.py --all).
#
#   tests/e2e/kafka_system_test.sh [BINARY]     default: build/release/millrace
set -euo pipefail
root=$(cd "$(dirname "$0")/../.." && pwd)
python=${MILLRACE_DEPS:-$root/.deps}/kafka-clients/bin/python
exec "$python" "$root/tests/e2e/kafka_system.py" "$(realpath "${1:-$root/build/release/millrace}")"
