#!/usr/bin/env bash
# A job that writes an Iceberg table in an S3 store, killed at a random moment, the store away for a
# while: see iceberg_sink_run.py.
#
#   tests/e2e/iceberg_s3_test.sh [BINARY]     default: build/release/millrace
set -euo pipefail
root=$(cd "$(dirname "$0")/../.." && pwd)
python=${MILLRACE_DEPS:-$root/.deps}/lake-clients/bin/python
exec "$python" "$root/tests/e2e/iceberg_sink_run.py" "$(realpath "${1:-$root/build/release/millrace}")" --s3
