#!/usr/bin/env bash
# Builds what the Nexmark benchmark needs and runs it; arguments go to bench/nexmark/run.py. Input
# and results stay in build/nexmark. With NEXMARK_FLINK=1 (or --flink DIR) Apache Flink is fetched
# and measured as well.
set -euo pipefail
cd "$(dirname "$0")/.."
scripts/build.sh release millrace nexmark_gen nexmark_batch >&2
[ -z "${NEXMARK_FLINK:-}" ] || set -- --flink build/flink "$@"
exec python3 bench/nexmark/run.py "$@"
