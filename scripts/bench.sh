#!/usr/bin/env bash
# Builds and runs every program in bench/; each prints a table. BENCH="log_bench job_bench" picks some.
set -euo pipefail
cd "$(dirname "$0")/.."
scripts/build.sh release
for bench in ${BENCH:-log_bench decode_bench collector_bench job_bench state_bench}; do
  [ -x "build/release/$bench" ] || continue
  echo "== $bench"
  "build/release/$bench"
  echo
done
if [ -z "${BENCH:-}" ]; then
  echo "== kafka"
  bench/kafka/run.py --no-kafka --runs 1
fi
