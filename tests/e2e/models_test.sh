#!/usr/bin/env bash
# Models in a pipeline, live and in runs: see models_run.py.
#
#   tests/e2e/models_test.sh [BINARY]     default: build/release/millrace
set -euo pipefail
root=$(cd "$(dirname "$0")/../.." && pwd)
exec python3 "$root/tests/e2e/models_run.py" "$(realpath "${1:-$root/build/release/millrace}")"
