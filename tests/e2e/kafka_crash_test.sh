#!/usr/bin/env bash
# Two rounds of the Kafka port's crash test (kafka_crash.py --rounds 100 is for before a release).
#
#   tests/e2e/kafka_crash_test.sh [BINARY]     default: build/release/millrace
set -euo pipefail
root=$(cd "$(dirname "$0")/../.." && pwd)
python=${MILLRACE_DEPS:-$root/.deps}/kafka-clients/bin/python
exec "$python" "$root/tests/e2e/kafka_crash.py" "$(realpath "${1:-$root/build/release/millrace}")" --rounds 2
