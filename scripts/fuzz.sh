#!/usr/bin/env bash
# Builds the libFuzzer targets and runs each for FUZZ_SECONDS (default 60), five at a time.
set -uo pipefail
cd "$(dirname "$0")/.."
targets=(json_fuzz avro_fuzz proto_fuzz csv_fuzz changelog_fuzz schema_fuzz ddl_fuzz segment_fuzz request_fuzz)
scripts/build.sh fuzz "${targets[@]}" || exit 1
seconds=${FUZZ_SECONDS:-60}
status=0
finish() { # target pid
  if wait "$2"; then
    echo "$1: no finding; $(grep -aoE 'Done [0-9]+ runs' "build/fuzz/$1.log" | tail -1)"
  else
    status=1
    echo "$1: FINDING"
    tail -40 "build/fuzz/$1.log"
  fi
}

for ((first = 0; first < ${#targets[@]}; first += 5)); do
  running=()
  for target in "${targets[@]:first:5}"; do
    mkdir -p "build/fuzz/corpus/$target"
    build/fuzz/"$target" -max_total_time="$seconds" -timeout=20 -rss_limit_mb=4096 -artifact_prefix="build/fuzz/$target-" \
      "build/fuzz/corpus/$target" > "build/fuzz/$target.log" 2>&1 &
    running+=("$target $!")
  done
  for one in "${running[@]}"; do finish ${one}; done
done
exit $status
