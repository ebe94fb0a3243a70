#!/usr/bin/env bash
# Configures (once) and builds: scripts/build.sh PRESET [TARGET …]
set -euo pipefail
cd "$(dirname "$0")/.."
preset=$1
shift
if [ ! -f "build/$preset/build.ninja" ]; then
  cmake --preset "$preset" > "/tmp/millrace-configure-$$.log" 2>&1 || { cat "/tmp/millrace-configure-$$.log" >&2; exit 1; }
  rm -f "/tmp/millrace-configure-$$.log"
fi
exec ninja -C "build/$preset" -j "${JOBS:-$(nproc)}" "$@"
