#!/usr/bin/env bash
# clang-tidy (configuration: .clang-tidy) over the given files, or over those that differ from main.
#   scripts/clang_tidy.sh [FILE.cc …]
set -uo pipefail
cd "$(dirname "$0")/.."
files=("$@")
if [ ${#files[@]} -eq 0 ]; then
  mapfile -t files < <(git diff --name-only --diff-filter=d main -- 'src/*.cc' 'bench/*.cc')
fi
[ ${#files[@]} -gt 0 ] || { echo "no changed source files"; exit 0; }
# Without precompiled headers: what a file uses it has to include.
database=build/clang-tidy
cmake -S . -B "$database" -G Ninja -DCMAKE_CXX_COMPILER=clang++-19 -DCMAKE_C_COMPILER=clang-19 \
  -DCMAKE_DISABLE_PRECOMPILE_HEADERS=ON > "$database.log" 2>&1 || { cat "$database.log"; exit 1; }
printf '%s\n' "${files[@]}" | xargs -P "$(nproc)" -n 1 clang-tidy-19 -p "$database" --quiet
