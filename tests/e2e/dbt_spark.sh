#!/usr/bin/env bash
# dbt projects on Spark: see dbt_spark_run.py.
#
#   tests/e2e/dbt_spark.sh [BINARY]     default: build/release/millrace
#   MILLRACE_SHARED                          has data/jaffle_shop; without it that case is skipped
set -euo pipefail
root=$(cd "$(dirname "$0")/../.." && pwd)
python=${MILLRACE_DEPS:-$root/.deps}/dbt-spark/bin/python
# -P: dbt takes every module beside the script whose name begins with dbt_ for a plugin.
exec "$python" -P "$root/tests/e2e/dbt_spark_run.py" "$(realpath "${1:-$root/build/release/millrace}")"
