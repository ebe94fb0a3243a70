#!/usr/bin/env bash
# A job that keeps an Iceberg table by key, killed at random moments: see iceberg_keys_run.py.
#
#   tests/e2e/iceberg_keys_test.sh [BINARY]     default: build/release/millrace
set -euo pipefail
root=$(cd "$(dirname "$0")/../.." && pwd)
python=${MILLRACE_DEPS:-$root/.deps}/lake-clients/bin/python
exec "$python" "$root/tests/e2e/iceberg_keys_run.py" "$(realpath "${1:-$root/build/release/millrace}")"
