#!/usr/bin/env bash
# Every test, after `scripts/setup.sh --compile`: unit tests, rules of the source tree, SQL files,
# end-to-end runs, the crash test, the page in a real browser, the fuzz targets. Prints one line a suite
# (under a failed one: where its log says so), then what failed at more length, and last "N passed,
# N failed". Logs: build/test-output/.
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
rm -rf "$out" && mkdir -p "$out"

# Runs one suite; its line goes to the terminal, and to "$out/passed" or "$out/failed".
suite() { # name command…
  local name=$1 log start line
  shift
  log="$out/${name//[^a-zA-Z0-9]/_}.log"
  start=$SECONDS
  if "$@" > "$log" 2>&1; then
    line=$(printf 'ok      %-34s %4d s   %s' "$name" $((SECONDS - start)) "$(grep -aE 'passed|PASSED|skipped' "$log" | tail -1 | cut -c1-70)")
    echo "$line" >> "$out/passed"
  else
    line=$(printf 'FAILED  %-34s %4d s   %s' "$name" $((SECONDS - start)) "$log")
    echo "$line" >> "$out/failed"
    line+=$'\n'$(show_failure "$log" 12)
  fi
  echo "$line"
}

# What a reader wants of a failed suite's log: where it says that something failed, and its end.
show_failure() { # log lines
  grep -aniE -m 20 -A 6 'fail(ed|ure)|error:|traceback|finding' "$1" | cut -c1-300 | head -"$2"
  echo "  … its last lines:"
  tail -$(($2 / 4)) "$1" | cut -c1-300
}

# What the compiler does not need, the servers and clients of the tests, comes meanwhile.
echo "building"
scripts/setup.sh > "$out/setup.log" 2>&1 &
setup=$!
scripts/build.sh release || { echo "the build failed"; echo "0 passed, 1 failed"; exit 1; }
wait $setup || { show_failure "$out/setup.log" 60; echo "setting up failed"; echo "0 passed, 1 failed"; exit 1; }
binary=$PWD/build/release/millrace

# Four lanes side by side: most suites wait for servers, disks or clocks half of their time. The fuzz
# targets, which only compute, take what the others leave.
# Unit tests make and sync thousands of small files: in memory, where there is enough of it.
unit_files=/tmp
free_memory=$(df --output=avail /dev/shm 2> /dev/null | tail -1)
if [ "${free_memory:-0}" -gt 4000000 ]; then
  unit_files=$(mktemp -d /dev/shm/millrace-test-XXXXXX)
  chmod 755 "$unit_files"  # PostgreSQL runs as a user of its own
fi
unit() { # folder
  suite "unit $1" env TMPDIR="$unit_files" timeout 10800 "build/release/$1_test" --gtest_brief=1
}
programs() {
  suite "tidy" python3 tools/tidy
  for program in build/release/*_test; do
    [ "$program" = build/release/project_test ] || unit "$(basename "$program" _test)"
  done
  suite "crash" timeout 7200 python3 tests/e2e/crash_test.py --binary "$binary" --rounds "${CRASH_ROUNDS:-50}" --postgres
  suite "page" timeout 3600 ui/test/run.sh --out "$out/page"
}
streams() { # as long as all other units
  unit project
}
fuzzing() {
  [ "${FUZZ_SECONDS:-60}" = 0 ] || suite "fuzz" timeout 7200 nice scripts/fuzz.sh
}
pipelines() {
  for test in tests/e2e/*_test.sh; do
    suite "e2e $(basename "$test" .sh)" timeout 3600 bash "$test" "$binary"
  done
}
programs &
streams &
pipelines &
fuzzing &
wait
[ "$unit_files" = /tmp ] || rm -rf "$unit_files"

touch "$out/passed" "$out/failed"
while read -r line; do
  printf '\n%s\n' "$line"
  show_failure "${line##* }" 60
done < "$out/failed"
echo
echo "$(wc -l < "$out/passed") passed, $(wc -l < "$out/failed") failed"
[ ! -s "$out/failed" ]
