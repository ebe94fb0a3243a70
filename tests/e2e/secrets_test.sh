#!/usr/bin/env bash
# Secrets are seen nowhere: see secrets_run.py.
#
#   tests/e2e/secrets_test.sh [BINARY]     default: build/release/millrace
set -euo pipefail
root=$(cd "$(dirname "$0")/../.." && pwd)
exec python3 "$root/tests/e2e/secrets_run.py" "$(realpath "${1:-$root/build/release/millrace}")"
