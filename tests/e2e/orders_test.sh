#!/usr/bin/env bash
# The orders example while its servers fail and the process is killed: see orders_run.py.
#
#   tests/e2e/orders_test.sh [BINARY]     default: build/release/millrace
set -euo pipefail
root=$(cd "$(dirname "$0")/../.." && pwd)
exec python3 "$root/tests/e2e/orders_run.py" "$(realpath "${1:-$root/build/release/millrace}")"
