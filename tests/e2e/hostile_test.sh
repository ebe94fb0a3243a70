#!/usr/bin/env bash
# Injection through data, door by door: see hostile_run.py.
#
#   tests/e2e/hostile_test.sh [BINARY]     default: build/release/millrace
set -euo pipefail
root=$(cd "$(dirname "$0")/../.." && pwd)
exec python3 "$root/tests/e2e/hostile_run.py" "$(realpath "${1:-$root/build/release/millrace}")"
