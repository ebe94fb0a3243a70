#!/usr/bin/env bash
# State that is larger than memory: a job whose state does not fit ends with a clear error, and runs
# to the right answer with 'millrace.state.memory', also when it is killed on the way.
#
#   tests/e2e/spill_test.sh [BINARY]     default: build/release/millrace
set -euo pipefail
root=$(cd "$(dirname "$0")/../.." && pwd)
binary=$(realpath "${1:-$root/build/release/millrace}")
export NO_COLOR=1
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
fail() {
  echo "FAILED: $*" >&2
  exit 1
}

# Every key comes twice, once in each file, in another order.
keys=1000000
python3 - "$work" "$keys" <<'PYTHON'
import sys
work, keys = sys.argv[1], int(sys.argv[2])
for name, step in (("a", 7919), ("b", 104729)):
    with open("%s/%s.jsonl" % (work, name), "w") as file:
        file.writelines('{"k":%d,"v":%d,"text":"a text of some length %d"}\n' % (k, k % 1000, k)
                        for k in (i * step % keys for i in range(keys)))
PYTHON
query() {
  cat <<SQL
SET 'execution.checkpointing.interval' = '500 ms';
$1
CREATE TABLE events (k BIGINT, v BIGINT, text STRING)
WITH ('connector' = 'filesystem', 'path' = 'file://$work/*.jsonl', 'format' = 'json');
CREATE TABLE pairs (k BIGINT, v BIGINT, text STRING, n BIGINT)
WITH ('connector' = 'filesystem', 'path' = 'file://$work/pairs', 'format' = 'csv');
INSERT INTO pairs SELECT a.k, a.v + b.v, a.text, 1
FROM events AS a JOIN events AS b ON a.k = b.k AND a.text = b.text AND a.v = b.v;
SQL
}
query "" > "$work/plain.sql"
query "SET 'millrace.state.memory' = '30 MB';" > "$work/spilling.sql"

# Private memory for the program and what it works with, not for the state.
limited() { prlimit --data=340000000 "$binary" run "$1" > "$work/out" 2>&1; }

cd "$work"
limited plain.sql && fail "the state fits into memory: this test shows nothing"
grep -q "out of memory" out || fail "no clear error: $(tail -n 3 out)"
grep -q "millrace.state.memory" out || fail "no hint: $(tail -n 3 out)"
rm -rf .millrace pairs

limited spilling.sql &
job=$!
sleep 2
kill -KILL "$(pgrep -P "$job" || echo "$job")" 2> /dev/null || true
wait "$job" 2> /dev/null || true
limited spilling.sql || fail "$(tail -n 5 out)"
# A key's two rows meet themselves and each other.
sum=$(cat pairs/*.csv | awk -F, '{ rows++; v += $2; n += $4 } END { printf "%d %d %d", rows, v, n }')
expected=$(awk -v k="$keys" 'BEGIN { printf "%d %d %d", 4 * k, 4 * k * 999, 4 * k }')
[ "$sum" = "$expected" ] || fail "pairs, sum, count: $sum, not $expected"
echo "ok: $keys keys, $(du -sm .millrace | cut -f 1) MB of state on disk"
