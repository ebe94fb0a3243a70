#!/usr/bin/env bash
# A Delta Lake sink in an S3 store, killed at a random moment, beside another writer, the store away
# for a while: see delta_run.py.
#
#   tests/e2e/delta_s3_test.sh [BINARY]     default: build/release/millrace
set -euo pipefail
root=$(cd "$(dirname "$0")/../.." && pwd)
python=${MILLRACE_DEPS:-$root/.deps}/delta-clients/bin/python
exec "$python" "$root/tests/e2e/delta_run.py" "$(realpath "${1:-$root/build/release/millrace}")" --s3
