#!/usr/bin/env bash
# /metrics, the Grafana dashboard and the alert rules, held to what a running project prints.
#   tests/e2e/monitoring_test.sh path/to/millrace
# Needs Prometheus' own parser of its text format and a parser of PromQL (scripts/setup.sh).
set -u
MILLRACE=$(readlink -f "${1:?usage: monitoring_test.sh path/to/millrace}")
ROOT=$(cd "$(dirname "$0")/../.." && pwd)
exec "${MILLRACE_DEPS:-$ROOT/.deps}/monitoring/bin/python" "$ROOT/tests/e2e/monitoring_check.py" "$MILLRACE"
