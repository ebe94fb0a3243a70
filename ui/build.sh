#!/usr/bin/env bash
# Bundles the page: ui/build.sh OUT_DIR -> OUT_DIR/{index.html,app.js,app.css,icon.svg}.
#
# Everything the page needs at run time is in these files; they hold no inline script or style, so
# they work under `Content-Security-Policy: default-src 'self'`. Does nothing when nothing changed.
set -euo pipefail
[ $# -eq 1 ] || { echo "usage: ui/build.sh OUT_DIR" >&2; exit 2; }
mkdir -p "$1"
out=$(cd "$1" && pwd)
cd "$(dirname "$0")"

# Two build trees may be configured from one checkout: only one of them installs.
exec 9> .install.lock
flock 9
if ! cmp -s package-lock.json node_modules/.millrace-lock; then
  npm ci --ignore-scripts --no-audit --no-fund --loglevel=error >&2
  cp package-lock.json node_modules/.millrace-lock
fi

stamp=$( (cat package-lock.json build.sh; find src -type f -print0 | sort -z | xargs -0 cat) | sha256sum)
if [ -f "$out/app.js" ] && [ "$(cat "$out/../.ui-stamp-$(basename "$out")" 2> /dev/null)" = "$stamp" ]; then
  exit 0
fi

node_modules/.bin/esbuild src/main.js --bundle --minify --format=esm --target=es2022 \
  --legal-comments=none --charset=utf8 --log-level=warning --outfile="$out/app.js"
cp src/index.html src/icon.svg "$out/"
echo "$stamp" > "$out/../.ui-stamp-$(basename "$out")"
size=$(cat "$out"/* | gzip -9 | wc -c)
echo "ui: $((size / 1024)) KiB gzipped" >&2
if [ "$size" -gt 204800 ]; then
  echo "ui: over the limit of 200 KiB" >&2
  exit 1
fi
