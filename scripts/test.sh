#!/usr/bin/env bash
# Every test: unit tests, rules of the source tree, SQL files, end-to-end runs, the crash test, the
# page in a real browser, the fuzz targets. Prints one line a suite and, last, "N passed, N failed".
#
# MILLRACE_SHARED   folder with the seeds' texts and real data; cases that need it skip by name
#                   without it (default: ../shared when it exists)
# CRASH_ROUNDS      rounds of the crash test (default 50; 100 before a release)
# FUZZ_SECONDS      per fuzz target (default 60; 0 skips them)
set -uo pipefail
cd "$(dirname "$0")/.."
[ -n "${MILLRACE_SHARED:-}" ] || { [ -d ../shared ] && MILLRACE_SHARED=$(cd ../shared && pwd); }
export MILLRACE_SHARED=${MILLRACE_SHARED:-}
out=build/test-output
mkdir -p "$out"
passed=0
failed=0

suite() { # name command…
  local name=$1 log start
  shift
  log="$out/${name//[^a-zA-Z0-9]/_}.log"
  start=$SECONDS
  if "$@" > "$log" 2>&1; then
    passed=$((passed + 1))
    printf 'ok      %-34s %4d s   %s\n' "$name" $((SECONDS - start)) "$(grep -aE 'passed|PASSED|skipped' "$log" | tail -1 | cut -c1-70)"
  else
    failed=$((failed + 1))
    printf 'FAILED  %-34s %4d s   see %s\n' "$name" $((SECONDS - start)) "$log"
    tail -40 "$log"
  fi
}

# The tests of one program in two processes at once: most of their time they wait.
in_halves() { # program
  local first status=0
  GTEST_TOTAL_SHARDS=2 GTEST_SHARD_INDEX=0 timeout 1500 "$1" --gtest_brief=1 > "$out/first_half.log" 2>&1 &
  first=$!
  GTEST_TOTAL_SHARDS=2 GTEST_SHARD_INDEX=1 timeout 1500 "$1" --gtest_brief=1 > "$out/second_half.log" 2>&1 || status=1
  wait "$first" || status=1
  cat "$out/first_half.log" "$out/second_half.log"
  awk '/PASSED/ { passed += $4 } END { print passed " tests PASSED" }' "$out/first_half.log" "$out/second_half.log"
  return "$status"
}

echo "building"
scripts/build.sh release || { echo "the build failed"; echo "0 passed, 1 failed"; exit 1; }
binary=$PWD/build/release/millrace

for program in build/release/*_test; do
  name=$(basename "$program" _test)
  if [ "$name" = project ]; then
    suite "unit $name" in_halves "$program"
  else
    suite "unit $name" timeout 1500 "$program" --gtest_brief=1
  fi
done
suite "tidy" python3 tools/tidy
for test in tests/e2e/*_test.sh; do
  suite "e2e $(basename "$test" .sh)" timeout 600 bash "$test" "$binary"
done
if [ -f tests/e2e/crash_test.py ]; then
  suite "crash" timeout 2400 python3 tests/e2e/crash_test.py --binary "$binary" --rounds "${CRASH_ROUNDS:-50}" --postgres
fi
if [ -x ui/test/run.sh ]; then
  suite "page" timeout 900 ui/test/run.sh --out "$out/page"
fi
if [ "${FUZZ_SECONDS:-60}" != 0 ]; then
  suite "fuzz" timeout 2700 scripts/fuzz.sh
fi
echo
echo "$passed passed, $failed failed"
[ "$failed" -eq 0 ]
