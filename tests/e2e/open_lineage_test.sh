#!/usr/bin/env bash
# OpenLineage events and `millrace lineage` from outside.
#   tests/e2e/open_lineage_test.sh path/to/millrace
# Needs openlineage-python (scripts/setup.sh). OPENLINEAGE_SPEC=DIR, the spec/ folder of a checkout of
# OpenLineage, validates against the JSON Schemas themselves, too.
set -u
MILLRACE=$(readlink -f "${1:?usage: open_lineage_test.sh path/to/millrace}")
ROOT=$(cd "$(dirname "$0")/../.." && pwd)
PYTHON=${MILLRACE_DEPS:-$ROOT/.deps}/openlineage/bin/python
WORK=$(mktemp -d)
trap 'rm -rf "$WORK"; [ -z "${SERVER:-}" ] || kill "$SERVER" 2>/dev/null' EXIT
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
events() { "$PYTHON" "$ROOT/tests/e2e/open_lineage_check.py" "$1" ${OPENLINEAGE_SPEC:+--spec "$OPENLINEAGE_SPEC"}; }

cd "$WORK" || exit 1
mkdir -p shop/sql
cat > shop/sql/a.sql <<'SQL'
CREATE TABLE orders (id BIGINT, user_id STRING, quantity INT, price DECIMAL(10, 2), total AS quantity * price,
  ts TIMESTAMP(3), WATERMARK FOR ts AS ts - INTERVAL '5' SECOND, CHECK (id < 1000) ON VIOLATION FAIL)
WITH ('connector' = 'kafka', 'topic' = 'orders', 'properties.bootstrap.servers' = 'x', 'format' = 'json',
  'scan.startup.mode' = 'earliest-offset', 'scan.bounded.mode' = 'latest-offset');
CREATE VIEW large AS SELECT * FROM orders WHERE quantity > 1;
CREATE TABLE per_user (user_id STRING, masked STRING, n BIGINT, revenue DECIMAL(38, 2), PRIMARY KEY (user_id) NOT ENFORCED)
WITH ('connector' = 'jdbc', 'url' = 'jdbc:postgresql://x/y', 'table-name' = 'per_user');
INSERT INTO per_user SELECT user_id, MD5(user_id), COUNT(id), SUM(total) FROM large GROUP BY user_id;
SQL
for n in 1 2 3; do
  echo "{\"id\":$n,\"user_id\":\"u$((n % 2))\",\"quantity\":$n,\"price\":2.5,\"ts\":\"2026-03-01 10:00:0$n\"}"
done > orders.jsonl

check "nothing is sent unasked" 0 "" "$MILLRACE" run shop
[ ! -e shop/.millrace/openlineage.jsonl ] || { echo "FAILED: events, though off"; FAILED=$((FAILED + 1)); }
printf 'name: shop\nlineage:\n  openlineage: {transport: file, running-interval: 1 s}\n' > shop/millrace.yml
"$MILLRACE" topics -C shop produce orders < orders.jsonl > /dev/null 2>&1
check "a run that ends" 0 "per_user" "$MILLRACE" run shop
check "its events" 0 ": fine" events shop/.millrace/openlineage.jsonl
check "it completes" 0 '"eventType":"COMPLETE"' cat shop/.millrace/openlineage.jsonl
check "columns" 0 '"field":"price","transformations":[{"type":"DIRECT","subtype":"AGGREGATION"' cat shop/.millrace/openlineage.jsonl
check "masking" 0 '"subtype":"TRANSFORMATION","description":"","masking":true' cat shop/.millrace/openlineage.jsonl
check "the SQL" 0 'INSERT INTO per_user SELECT user_id' cat shop/.millrace/openlineage.jsonl

echo '{"id":5000,"user_id":"u","quantity":2,"price":1,"ts":"2026-03-01 10:01:00"}' > bad.jsonl
rm -rf shop/.millrace  # a job over bounded sources that ended has ended
"$MILLRACE" topics -C shop produce orders < bad.jsonl > /dev/null 2>&1
"$MILLRACE" run shop > /dev/null 2>&1
check "a run that fails" 0 '"eventType":"FAIL"' cat shop/.millrace/openlineage.jsonl
check "says why" 0 '"errorMessage":' cat shop/.millrace/openlineage.jsonl
check "and still fits" 0 ": fine" events shop/.millrace/openlineage.jsonl

# Over HTTP, with a key by reference.
cat > server.py <<'PY'
import http.server, sys
class Handler(http.server.BaseHTTPRequestHandler):
    refused = 0
    def do_POST(self):
        body = self.rfile.read(int(self.headers["Content-Length"])).decode()
        if Handler.refused < 1:  # is asked again
            Handler.refused += 1
            self.send_response(503); self.end_headers(); return
        with open("got.jsonl", "a") as out:
            out.write(body + "\n")
        with open("keys.txt", "a") as out:
            out.write(self.headers.get("Authorization", "none") + "\n")
        self.send_response(201); self.end_headers()
    def log_message(self, *args): pass
server = http.server.HTTPServer(("127.0.0.1", 0), Handler)
print(server.server_port, flush=True)
server.serve_forever()
PY
python3 server.py > port.txt &
SERVER=$!
until [ -s port.txt ]; do sleep 0.1; done
rm -rf shop/.millrace
cat > shop/millrace.yml <<YML
name: shop
lineage:
  openlineage: {transport: http, url: "http://127.0.0.1:$(cat port.txt)/api/v1/lineage", api-key: "\${env:LINEAGE_KEY}"}
YML
export LINEAGE_KEY=open-sesame
"$MILLRACE" topics -C shop produce orders < orders.jsonl > /dev/null 2>&1
check "a run to a server" 0 "per_user" "$MILLRACE" run shop
check "which got events" 0 ": fine" events got.jsonl
check "and the key" 0 "Bearer open-sesame" cat keys.txt
kill "$SERVER"; wait "$SERVER" 2>/dev/null; SERVER=
check "a server that is away stops nobody" 0 "0 waiting, 0 dropped, 2 failed" "$MILLRACE" dev shop --port 0 --seconds 2

sed -i 's/\${env:LINEAGE_KEY}/open-sesame/' shop/millrace.yml
check "a key in clear is refused" 1 "by reference only" "$MILLRACE" validate shop
printf 'lineage: {openlineage: {transport: htp}}\n' > shop/millrace.yml
check "a fault has its place" 1 "did you mean \"http\"" "$MILLRACE" validate shop

rm shop/millrace.yml
check "lineage up" 0 "<- view large.total  AGGREGATION  by job per_user" "$MILLRACE" lineage per_user.revenue shop --up
check "lineage down" 0 "-> per_user.revenue" "$MILLRACE" lineage orders.price shop --down
check "as JSON" 0 '"subtype":"AGGREGATION"' "$MILLRACE" lineage per_user shop --format json
check "as DOT" 0 "digraph lineage" "$MILLRACE" lineage per_user shop --format dot
check "as YAML" 0 '    topic: "orders"' "$MILLRACE" lineage per_user shop --format yaml
check "of all" 0 "job:per_user  -> table:per_user" "$MILLRACE" lineage "" shop
check "an unknown name" 1 "did you mean" "$MILLRACE" lineage per_usr shop

check "a trace by column" 0 "CHECK check_1 (id < 1000): holds" "$MILLRACE" trace orders shop --key 2 --column id
check "its row in the sink" 0 "n=1" "$MILLRACE" trace orders shop --key 2 --column id
check "by offset, as YAML" 0 "    offset: 1" "$MILLRACE" trace "" shop --topic orders --partition 0 --offset 1 --format yaml
check "as JSON" 0 '"found_by":"user_id"' "$MILLRACE" trace orders shop --key 3 --column id --format json
check "a filtered one" 0 "nothing: filtered out" "$MILLRACE" trace orders shop --key 1 --column id
check "an unknown key" 1 "no record of topic" "$MILLRACE" trace orders shop --key nobody
check "no such offset" 1 "it keeps offsets 0 to 2" "$MILLRACE" trace "" shop --topic orders --offset 99

echo "$PASSED passed, $FAILED failed"
[ "$FAILED" = 0 ]
