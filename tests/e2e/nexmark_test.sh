#!/usr/bin/env bash
# The Nexmark queries over 20,000 events in three files: each result must be the bag of rows that
# DuckDB's batch gives over the same files. Before that, the generator and the comparison.
#
#   tests/e2e/nexmark_test.sh [BINARY]     default: build/release/millrace; nexmark_gen and
#                                          nexmark_batch are beside it
set -euo pipefail
root=$(cd "$(dirname "$0")/../.." && pwd)
binary=$(realpath "${1:-$root/build/release/millrace}")
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

python3 "$root/bench/nexmark/nexmark_test.py" "$(dirname "$binary")"

# What must run, and be right; the others may be refused, but not be wrong.
supported=q0,q1,q2,q4,q5,q6,q7,q8,q9,q10,q14,q15,q16,q17,q18,q19,q21,q22
python3 "$root/bench/nexmark/run.py" --check-only --check-events 20000 --files 3 \
  --build "$(dirname "$binary")" --work "$work" --require "$supported"
