#!/usr/bin/env bash
# Unit tests under a sanitizer: scripts/test_sanitizer.sh asan|tsan
# DuckDB comes as a built library: what happens inside it is not instrumented.
set -uo pipefail
cd "$(dirname "$0")/.."
preset=$1
export ASAN_OPTIONS=detect_leaks=0:detect_odr_violation=0 UBSAN_OPTIONS=print_stacktrace=1
export TSAN_OPTIONS=suppressions=$PWD/tools/tsan.supp:halt_on_error=1
tests=()
for dir in src/*/; do
  name=$(basename "$dir")
  # Rows live in memory of DuckDB's own allocator, which ThreadSanitizer cannot see into: memory that
  # one job's thread gave back and another's took looks like a race there.
  [ "$preset $name" = "tsan project" ] && continue
  [ -n "$(find "$dir" -name '*_test.cc' -print -quit)" ] && tests+=("${name}_test")
done
scripts/build.sh "$preset" "${tests[@]}" || exit 1
passed=0
failed=0
for test in "${tests[@]}"; do
  if "build/$preset/$test" --gtest_brief=1; then passed=$((passed + 1)); else failed=$((failed + 1)); echo "FAILED $test"; fi
done
echo "$passed passed, $failed failed"
[ "$failed" -eq 0 ]
