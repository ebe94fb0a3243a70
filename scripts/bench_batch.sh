#!/usr/bin/env bash
# The daily orders beside DuckDB's Python client and PySpark: bench/batch/run.py.
#
#   scripts/bench_batch.sh [--orders 5000000] [--repeats 3] [--no-spark]
set -euo pipefail
cd "$(dirname "$0")/.."
out=${MILLRACE_DEPS:-$PWD/.deps}/spark
if [ ! -f "$out/.ready" ]; then
  rm -rf "$out" && python3 -m venv "$out"
  "$out/bin/pip" install -q --disable-pip-version-check pyspark==4.0.1 duckdb==1.5.5
  touch "$out/.ready"
fi
exec python3 bench/batch/run.py "$@"
