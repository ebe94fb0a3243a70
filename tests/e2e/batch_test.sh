#!/usr/bin/env bash
# Batches over S3 and PostgreSQL, killed and repeated: see batch_run.py.
#
#   tests/e2e/batch_test.sh [BINARY]     default: build/release/millrace
set -euo pipefail
root=$(cd "$(dirname "$0")/../.." && pwd)
python=${MILLRACE_DEPS:-$root/.deps}/dbt/bin/python  # has DuckDB's client
exec "$python" "$root/tests/e2e/batch_run.py" "$(realpath "${1:-$root/build/release/millrace}")"
