#!/usr/bin/env bash
# Tests the page: pure functions in node, then every page in a real headless Chromium.
#
#   ui/test/run.sh [--url URL] [--out DIR]
#
# Without --url the page is built and served by ui/dev/mock_server.mjs, where sinks can be broken and
# connections cut; with --url the checks that hold for any server run against that one.
# Screenshots go to DIR (default build/ui-test). Exit code 0 only when nothing failed; the last line
# says "N passed, N failed".
set -euo pipefail
url=""
here=$(cd "$(dirname "$0")" && pwd)
out=$here/../../build/ui-test
while [ $# -gt 0 ]; do
  case $1 in
    --url) url=$2; shift 2 ;;
    --out) out=$2; shift 2 ;;
    *) sed -n '2,9p' "$0" | cut -c3- >&2; exit 2 ;;
  esac
done
mkdir -p "$out"
out=$(cd "$out" && pwd)

cd "$here"
if ! cmp -s package-lock.json node_modules/.millrace-lock; then
  npm ci --ignore-scripts --no-audit --no-fund --loglevel=error >&2
  cp package-lock.json node_modules/.millrace-lock
fi
dist=$out/dist
[ -n "$url" ] || "$here/../build.sh" "$dist"
exec node main.mjs "$out" "$dist" "$url"
