#!/usr/bin/env bash
# Apache Spark reads the Delta and Iceberg tables that Millrace writes: see spark_lake_run.py.
#
#   tests/e2e/spark_lake_test.sh [BINARY]     default: build/release/millrace
set -euo pipefail
root=$(cd "$(dirname "$0")/../.." && pwd)
python=${MILLRACE_DEPS:-$root/.deps}/spark/bin/python
exec "$python" "$root/tests/e2e/spark_lake_run.py" "$(realpath "${1:-$root/build/release/millrace}")"
