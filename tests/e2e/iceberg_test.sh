#!/usr/bin/env bash
# Batches into Iceberg through a REST catalog, killed and repeated: see iceberg_run.py.
#
#   tests/e2e/iceberg_test.sh [BINARY]     default: build/release/millrace
set -euo pipefail
root=$(cd "$(dirname "$0")/../.." && pwd)
python=${MILLRACE_DEPS:-$root/.deps}/lake-clients/bin/python
exec "$python" "$root/tests/e2e/iceberg_run.py" "$(realpath "${1:-$root/build/release/millrace}")"
