#!/usr/bin/env bash
# Builds the libFuzzer targets and runs each for FUZZ_SECONDS (default 60), two at a time.
set -uo pipefail
cd "$(dirname "$0")/.."
targets=(json_fuzz avro_fuzz proto_fuzz ddl_fuzz segment_fuzz request_fuzz)
scripts/build.sh fuzz "${targets[@]}" || exit 1
seconds=${FUZZ_SECONDS:-60}
status=0
pids=()
for target in "${targets[@]}"; do
  mkdir -p "build/fuzz/corpus/$target"
  [ -d "tests/seeds/$target" ] && cp -n tests/seeds/"$target"/* "build/fuzz/corpus/$target/" 2> /dev/null
  build/fuzz/"$target" -max_total_time="$seconds" -timeout=20 -rss_limit_mb=4096 -artifact_prefix="build/fuzz/$target-" \
    "build/fuzz/corpus/$target" > "build/fuzz/$target.log" 2>&1 &
  pids+=($!)
done
for i in "${!targets[@]}"; do
  if wait "${pids[$i]}"; then
    echo "${targets[$i]}: no finding; $(grep -aoE 'Done [0-9]+ runs' "build/fuzz/${targets[$i]}.log" | tail -1)"
  else
    status=1
    echo "${targets[$i]}: FINDING"
    tail -40 "build/fuzz/${targets[$i]}.log"
  fi
done
exit $status
