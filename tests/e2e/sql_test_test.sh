#!/usr/bin/env bash
# `millrace test` and `millrace verify` from outside.
#   tests/e2e/sql_test_test.sh path/to/millrace
set -u
MILLRACE=$(readlink -f "${1:?usage: sql_test_test.sh path/to/millrace}")
ROOT=$(cd "$(dirname "$0")/../.." && pwd)
WORK=$(mktemp -d)
trap 'rm -rf "$WORK"' EXIT
export NO_COLOR=1
PASSED=0
FAILED=0

# check WHAT CODE TEXT COMMAND…: the command's exit code, and a text that it prints.
check() {
  local what=$1 code=$2 text=$3 got
  shift 3
  OUT=$("$@" 2>&1 </dev/null)
  got=$?
  if [ "$got" = "$code" ] && grep -qF -- "$text" <<<"$OUT"; then
    PASSED=$((PASSED + 1))
  else
    FAILED=$((FAILED + 1))
    printf 'FAILED: %s: exit code %s, not %s, or no "%s" in\n%s\n' "$what" "$got" "$code" "$text" "$OUT"
  fi
}

cd "$WORK" || exit 1
check "init writes a test" 0 tests/page_view_counts.yml "$MILLRACE" init shop
check "which passes" 0 "3 passed, 0 failed" "$MILLRACE" test shop --thorough
check "and touches nothing" 2 "No such file" ls shop/.millrace
sed -i 's/views: 3/views: 4/' shop/tests/page_view_counts.yml
check "a wrong one fails" 1 "<- views" "$MILLRACE" test shop
check "by name" 1 "no test with" "$MILLRACE" test shop --only nonsense
sed -i 's/page_view_counts:/page_view_count:/' shop/tests/page_view_counts.yml
check "a fault has its place" 1 "tests/page_view_counts.yml:" "$MILLRACE" test shop
check "help has an example" 0 "watermark: {page_views" "$MILLRACE" test --help
check "the clickstream's tests" 0 " 0 failed" "$MILLRACE" test "$ROOT/examples/clickstream" --thorough
check "the orders' tests" 0 " 0 failed" "$MILLRACE" test "$ROOT/examples/orders" --thorough
check "the versions' tests" 0 " 0 failed" "$MILLRACE" test "$ROOT/examples/versions" --thorough

mkdir -p counts/sql
cat > counts/sql/a.sql <<'SQL'
CREATE TABLE clicks (url STRING, ts TIMESTAMP(3), WATERMARK FOR ts AS ts - INTERVAL '5' SECOND)
WITH ('connector' = 'kafka', 'topic' = 'clicks', 'properties.bootstrap.servers' = 'x', 'format' = 'json',
      'scan.startup.mode' = 'earliest-offset', 'scan.bounded.mode' = 'latest-offset');
CREATE TABLE per_minute (window_start TIMESTAMP(3), url STRING, clicks BIGINT)
WITH ('connector' = 'jdbc', 'url' = 'jdbc:postgresql://x/y', 'table-name' = 'per_minute');
INSERT INTO per_minute SELECT window_start, url, COUNT(*)
FROM TABLE(TUMBLE(TABLE clicks, DESCRIPTOR(ts), INTERVAL '1' MINUTE)) GROUP BY window_start, window_end, url;
SQL
check "a job that never ran" 1 "has not run yet" "$MILLRACE" verify per_minute counts
for i in 01 22 43 59; do
  echo "{\"url\": \"/a\", \"ts\": \"2026-03-01 10:00:$i\"}"
  echo "{\"url\": \"/b\", \"ts\": \"2026-03-01 10:01:$i\"}"
done | sort -t'"' -k8 > clicks.jsonl
"$MILLRACE" topics -C counts create clicks > /dev/null 2>&1
check "events" 0 "" "$MILLRACE" topics -C counts produce clicks clicks.jsonl
check "the job" 0 per_minute "$MILLRACE" run counts
check "equal" 0 "equal" "$MILLRACE" verify per_minute counts
check "as JSON" 0 '"equal":true' "$MILLRACE" verify per_minute counts --json
check "no such job" 1 'did you mean "per_minute"' "$MILLRACE" verify per_minut counts

echo "$PASSED passed, $FAILED failed"
[ "$FAILED" = 0 ]
