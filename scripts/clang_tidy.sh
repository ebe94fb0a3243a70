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
# clang cannot read the precompiled headers that GCC made: a build description without them.
database=build/clang-tidy
cmake -S . -B "$database" -G Ninja -DCMAKE_CXX_COMPILER=clang++-14 -DCMAKE_C_COMPILER=clang-14 \
  -DCMAKE_DISABLE_PRECOMPILE_HEADERS=ON > "$database.log" 2>&1 || { cat "$database.log"; exit 1; }
printf '%s\n' "${files[@]}" | xargs -P "$(nproc)" -n 1 clang-tidy-14 -p "$database" --quiet
