#!/usr/bin/env bash
# A DuckLake sink, killed at random moments: see lake_run.py.
#
#   tests/e2e/lake_test.sh [BINARY]     default: build/release/millrace
set -euo pipefail
root=$(cd "$(dirname "$0")/../.." && pwd)
python=${MILLRACE_DEPS:-$root/.deps}/dbt/bin/python  # has DuckDB's client
exec "$python" "$root/tests/e2e/lake_run.py" "$(realpath "${1:-$root/build/release/millrace}")"
