#!/usr/bin/env bash
# The PyFlink example's SQL, word for word: its three execute_sql texts become a project, rows go in
# by `millrace topics produce`, and the result must equal DuckDB's batch over the topic and the
# numbers below.
#
#   tests/e2e/seed_test.sh [BINARY]     default: build/release/millrace
#
# The text is read from $MILLRACE_SHARED/seeds (default: ../shared beside the repository); without
# it the test says so and passes.
set -euo pipefail
root=$(cd "$(dirname "$0")/../.." && pwd)
binary=$(realpath "${1:-$root/build/release/millrace}")
shared=${MILLRACE_SHARED:-$root/../shared}
seed=$(ls "$shared"/seeds/001*.txt 2> /dev/null | head -n 1 || true)
if [ -z "$seed" ]; then
  echo "skipped: there is no seeds/001*.txt in \"$shared\" (MILLRACE_SHARED names another folder)"
  exit 0
fi
fail() {
  echo "FAILED: $*" >&2
  [ ! -s "$work/dev.log" ] || tail -n 20 "$work/dev.log" >&2
  exit 1
}
work=$(mktemp -d)
dev=
cleanup() {
  [ -z "$dev" ] || { kill -TERM "$dev" 2> /dev/null || true; wait "$dev" 2> /dev/null || true; }
  rm -rf "$work"
}
trap cleanup EXIT

# One file per text, not a byte changed.
mkdir -p "$work/project/sql"
python3 - "$seed" "$work/project/sql" <<'PYTHON'
import re, sys
text = open(sys.argv[1], encoding="utf-8").read()
statements = re.findall(r'execute_sql\("""(.*?)"""\)', text, re.DOTALL)
if len(statements) != 3:
    sys.exit("expected 3 execute_sql texts in %s, found %d" % (sys.argv[1], len(statements)))
for number, statement in enumerate(statements, 1):
    with open("%s/%02d.sql" % (sys.argv[2], number), "w", encoding="utf-8") as file:
        file.write(statement)
PYTHON

. "$root/tests/e2e/free_port.sh"
port=$(free_port)
"$binary" dev "$work/project" --port "$port" > "$work/dev.log" 2>&1 &
dev=$!
ready() {
  local status
  exec 3<> "/dev/tcp/127.0.0.1/$port" || return 1
  printf 'GET /readyz HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n' >&3
  read -r -t 30 _ status _ <&3 || status=
  exec 3>&-
  [ "$status" = 200 ]
}
deadline=$((SECONDS + 180))
until (ready) 2> /dev/null; do
  kill -0 "$dev" 2> /dev/null || fail "millrace dev ended"
  [ "$SECONDS" -lt "$deadline" ] || fail "millrace dev is not ready after 180 s"
  sleep 0.1
done

# Two and a half minutes of views, a little out of order; the table starts at the latest offset, so
# they are sent now. The last row closes the windows before it.
cat > "$work/rows.json" <<'ROWS'
{"user_id":"u1","page_url":"/home","event_time":"2025-07-24 10:00:01.000"}
{"user_id":"u2","page_url":"/home","event_time":"2025-07-24 10:00:02.500"}
{"user_id":"u1","page_url":"/home","event_time":"2025-07-24 10:00:30"}
{"user_id":"u1","page_url":"/cart","event_time":"2025-07-24 10:00:59.999"}
{"user_id":"u3","page_url":"/home","event_time":"2025-07-24 10:01:00.000"}
{"user_id":"u4","page_url":"/home","event_time":"2025-07-24 10:00:57.250"}
{"user_id":"u2","page_url":"/cart","event_time":"2025-07-24 10:01:10.000"}
{"user_id":"u2","page_url":"/cart","event_time":"2025-07-24 10:01:11.000"}
{"user_id":null,"page_url":"/cart","event_time":"2025-07-24 10:01:12.000"}
{"user_id":"u5","page_url":"/home","event_time":"2025-07-24 10:02:20.000"}
{"user_id":"u9","page_url":"/close","event_time":"2025-07-24 10:03:30.000"}
ROWS
(cd "$work/project" && "$binary" topics produce page-views "$work/rows.json") \
  > "$work/produce.log" 2>&1 || fail "topics produce: $(cat "$work/produce.log")"

cat > "$work/golden.csv" <<'GOLDEN'
2025-07-24 10:00:00,2025-07-24 10:01:00,/cart,1,1
2025-07-24 10:00:00,2025-07-24 10:01:00,/home,4,3
2025-07-24 10:01:00,2025-07-24 10:02:00,/cart,3,1
2025-07-24 10:01:00,2025-07-24 10:02:00,/home,1,1
2025-07-24 10:02:00,2025-07-24 10:03:00,/home,1,1
GOLDEN
ask() { "$binary" sql "$work/project" --format csv -c "$1" | tail -n +2; }
result="SELECT strftime(window_start, '%Y-%m-%d %H:%M:%S'),
  strftime(window_end, '%Y-%m-%d %H:%M:%S'), page_url, view_count, unique_users FROM page_view_counts ORDER BY ALL"
batch="SELECT strftime(time_bucket(INTERVAL 1 MINUTE, event_time), '%Y-%m-%d %H:%M:%S'),
  strftime(time_bucket(INTERVAL 1 MINUTE, event_time) + INTERVAL 1 MINUTE, '%Y-%m-%d %H:%M:%S'),
  page_url, count(*), count(DISTINCT user_id) FROM page_views
  WHERE event_time < TIMESTAMP '2025-07-24 10:03:00' GROUP BY ALL ORDER BY ALL"

deadline=$((SECONDS + 180))
until ask "$result" > "$work/result.csv" && [ "$(wc -l < "$work/result.csv")" -ge 5 ]; do
  kill -0 "$dev" 2> /dev/null || fail "millrace dev ended"
  [ "$SECONDS" -lt "$deadline" ] || fail "no result within 180 s; so far: $(cat "$work/result.csv")"
  sleep 0.1
done
ask "$batch" > "$work/batch.csv"
diff -u "$work/golden.csv" "$work/result.csv" || fail "the result is not the golden one"
diff -u "$work/batch.csv" "$work/result.csv" || fail "the result differs from DuckDB's batch"
echo "ok: $(wc -l < "$work/result.csv") windows, equal to the batch and to the golden numbers"
