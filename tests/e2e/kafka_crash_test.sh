#!/usr/bin/env bash
# A few rounds of the Kafka port's crash test: see kafka_crash.py.
#
#   tests/e2e/kafka_crash_test.sh [BINARY]     default: build/release/millrace
#
# KAFKA_CRASH_ROUNDS   default 2; 100 before a release
set -euo pipefail
root=$(cd "$(dirname "$0")/../.." && pwd)
python=${MILLRACE_DEPS:-$root/.deps}/kafka-clients/bin/python
exec "$python" "$root/tests/e2e/kafka_crash.py" "$(realpath "${1:-$root/build/release/millrace}")" \
  --rounds "${KAFKA_CRASH_ROUNDS:-2}"
