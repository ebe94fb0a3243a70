#!/usr/bin/env bash
# Every command of the command line, from outside: what it prints and how it exits.
#   tests/e2e/cli_test.sh path/to/millrace
set -u

MILLRACE=$(readlink -f "${1:?usage: cli_test.sh path/to/millrace}")
SCRIPT=$(readlink -f "$0")
WORK=$(mktemp -d)
DEV_PID=""
FAILURES=0
export NO_COLOR=1

cleanup() {
  [ -n "$DEV_PID" ] && kill "$DEV_PID" 2>/dev/null && wait "$DEV_PID" 2>/dev/null
  rm -rf "$WORK"
}
trap cleanup EXIT
cd "$WORK" || exit 1

# run CODE ARGS…: runs millrace, keeps what it printed in $OUT, checks the exit code.
run() {
  local want=$1
  shift
  OUT=$("$MILLRACE" "$@" 2>&1 </dev/null)
  check_code "$want" $? "millrace $*"
}
# feed CODE INPUT ARGS…: the same with stdin.
feed() {
  local want=$1 input=$2
  shift 2
  OUT=$(printf '%b' "$input" | "$MILLRACE" "$@" 2>&1)
  check_code "$want" $? "millrace $*"
}
check_code() {
  LAST=$3
  if [ "$1" != "$2" ]; then
    fail "exit code $2, not $1"
  fi
}
has() {
  case "$OUT" in
    *"$1"*) ;;
    *) fail "does not say: $1" ;;
  esac
}
has_not() {
  case "$OUT" in
    *"$1"*) fail "says: $1" ;;
  esac
}
fail() {
  FAILURES=$((FAILURES + 1))
  printf 'FAILED: %s\n  %s\n' "$LAST" "$1"
  printf '%s\n' "$OUT" | sed 's/^/  | /' | head -40
}
# until_true SECONDS COMMAND…: retries until it succeeds.
until_true() {
  local deadline=$((SECONDS + $1))
  shift
  until "$@"; do
    [ "$SECONDS" -ge "$deadline" ] && return 1
    sleep 0.2
  done
}

# ---- the command line itself ----------------------------------------------------------------------
run 0 --version
has "millrace "
run 0 --help
for word in init validate test dev run sql topics status verify explain connectors "Exit codes"; do has "$word"; done
for command in init validate test dev run sql status verify explain connectors; do
  run 0 "$command" --help
  has "Example"
done
run 0 topics produce --help
has "--key-field"
run 2
run 2 rnu
has 'did you mean "run"'
run 2 dev --port nine
run 2 sql --format xml -c "SELECT 1"

# ---- connectors -----------------------------------------------------------------------------------
run 0 connectors
has "datagen"
run 0 connectors kafka
has "scan.startup.mode"
run 0 connectors kafka --markdown
has "## kafka"
run 1 connectors kafkaa
has 'did you mean "kafka"'

# ---- init, validate, explain ----------------------------------------------------------------------
run 0 init shop
has "millrace dev shop"
[ -f shop/millrace.yml ] || fail "no millrace.yml"
run 1 init shop
has "holds millrace.yml"
run 0 validate shop
has "no faults found"
has "3 tables, 0 views, 2 jobs, 1 dashboard"
has "not checked"
run 1 validate nowhere
has "not a project"
run 1 validate shop --target prodd
has 'no target "prodd"'
run 0 explain shop
has "delivery: exactly once"
run 0 explain shop page_view_counts
has "WindowAggregate"
has_not 'Job "page_views"'
run 1 explain shop page_view_count
has 'did you mean "page_view_counts"'
run 0 explain shop -c "SELECT url, count(*) FROM page_views GROUP BY url"
has "updates earlier rows"

mkdir -p broken/sql
cat > broken/sql/a.sql <<'SQL'
CREATE TABLE s (id INT, name STRING) WITH ('connector' = 'datagen', 'rows-per-secnd' = '5');
CREATE TABLE t (id INT) WITH ('connector' = 'blackhole');
INSERT INTO t SELECT idd FROM s;
INSERT INTO t SELECT id FRM s;
INSERT INTO nowhere SELECT id FROM s;
SQL
run 1 validate broken
has "rows-per-second"
has "broken/sql/a.sql:3:"
has "broken/sql/a.sql:5:"
has "faults"
run 1 run broken

# ---- run ------------------------------------------------------------------------------------------
mkdir -p one
cat > one/numbers.sql <<'SQL'
CREATE TABLE numbers (n INT, kind STRING) WITH (
  'connector' = 'datagen', 'rows-per-second' = '0',
  'fields.n.kind' = 'sequence', 'fields.n.start' = '1', 'fields.n.end' = '1000',
  'fields.kind.values' = 'a|b');
CREATE TABLE kept (n INT, PRIMARY KEY (n) NOT ENFORCED) WITH (
  'connector' = 'jdbc', 'url' = 'jdbc:postgresql://localhost/x', 'table-name' = 'kept');
SHOW TABLES;
DESCRIBE numbers;
EXPLAIN SELECT n FROM numbers;
INSERT INTO kept SELECT n FROM numbers WHERE n > 990;
SELECT count(*) AS c, max(n) AS m FROM kept;
SELECT n, n * 2 AS twice FROM numbers WHERE n <= 3;
SQL
run 0 run one/numbers.sql
has "kept: finished"
has "10 out"
has "INT"
has "delivery:"
has "10  1000"
has "3      6"
has "(3 rows)"
run 0 run one/numbers.sql -n 1
has "(1 row)"
cat > one/updates.sql <<'SQL'
CREATE TABLE numbers (n INT) WITH (
  'connector' = 'datagen', 'rows-per-second' = '0',
  'fields.n.kind' = 'sequence', 'fields.n.start' = '1', 'fields.n.end' = '10');
SELECT count(*) AS c FROM numbers;
SQL
run 0 run one/updates.sql
has "op"
has "+I"
cat > one/bad.sql <<'SQL'
SELECT 1 FROM
  nothing_here;
SQL
run 1 run one/bad.sql
has "error[MR"
run 1 run one/missing.sql
cat > one/endless.sql <<'SQL'
CREATE TABLE ticks (n INT) WITH ('connector' = 'datagen', 'rows-per-second' = '100');
CREATE TABLE gone (n INT) WITH ('connector' = 'blackhole');
INSERT INTO gone SELECT n FROM ticks;
SQL
LAST="run until SIGINT"
OUT=$(timeout --preserve-status -s INT 3 "$MILLRACE" run one/endless.sql 2>&1)
check_code 0 $? "millrace run endless.sql, SIGINT"
has "gone: stopped"

# ---- topics and sql without dev -------------------------------------------------------------------
run 0 topics -C shop list
has "page-views"
run 0 topics -C shop create clicks --partitions 2
run 1 topics -C shop create clicks
run 0 topics -C shop describe clicks
has "partition"
run 1 topics -C shop describe clickz
has 'did you mean "clicks"'
feed 0 'one\ntwo\nthree\n' topics -C shop produce clicks --partition 0
has '3 records written'
feed 0 'k1:v1\nk2:v2\n' topics produce clicks --key-separator : -C shop
run 0 topics -C shop consume clicks --from-beginning --partition 0 -n 3
[ "$OUT" = "one
two
three" ] || fail "not the three lines"
run 0 topics -C shop consume clicks --from-beginning --format '%k=%s;'
has "k1=v1;"
run 0 topics -C shop consume clicks -n 1
run 1 topics -C shop consume clicks --format '%x'
feed 1 'no separator\n' topics -C shop produce clicks --key-separator :
has "<stdin>:1"
feed 0 '{"id": 5}\n' topics -C shop produce clicks --key-field id
feed 1 'x\n' topics -C shop produce __consumer_offsets
has 'is internal'
feed 1 '{"user_id": 1, "url": "/x", "country": "DE", "event_time": "2026-01-01 00:00:00"}\n{"user_id": "x"}\nnonsense\n' \
  topics -C shop produce page-views --validate
has "1 record written"
has "2 refused"
has "<stdin>:2"
has "<stdin>:3"
cp -r "$(dirname "$SCRIPT")/../../examples/versions" versions
feed 0 '{"event_id": "a", "user_id": 7, "amount": 12.35, "event_time": "2026-01-01 00:00:00"}\n' \
  topics -C versions produce events-v1 --validate
feed 0 '{"event_id": "b", "user_id": "7", "amount_cents": 5, "currency": "USD", "event_time": "2026-01-01 00:00:00"}\n' \
  topics -C versions produce events-v2 --validate
run 0 sql versions -c "SELECT user_id, amount_cents, currency FROM events ORDER BY 2" --format csv
[ "$OUT" = "user_id,amount_cents,currency
7,5,USD
7,1235,EUR" ] || fail "not both versions"
run 0 sql shop -c "SELECT url FROM page_views" --format csv
[ "$OUT" = "url
/x" ] || fail "not the one event"
run 0 sql shop -c "SELECT 1 AS a, NULL AS b, 'x' AS c" --format json
has '{"a":1,"b":null,"c":"x"}'
run 0 sql shop -c "SELECT 42 AS answer"
has "(1 row)"
feed 0 'SELECT 1 AS one;\nSELECT 2 AS two\n' sql shop
has "one"
has "two"
run 1 sql shop -c "SELECT * FROM nope"
has "nope"
run 1 sql shop -c "CREATE TABLE x (a INT)"
run 1 sql nowhere -c "SELECT 1"
[ -e nowhere ] && fail "made a directory"
run 0 topics -C shop delete clicks
run 1 topics -C shop describe clicks

# ---- dev and the others beside it -----------------------------------------------------------------
run 1 status shop
has "no \`millrace dev\` runs"
"$MILLRACE" dev shop --port 0 --log-file > dev.out 2>&1 &
DEV_PID=$!
LAST="millrace dev shop --port 0"
OUT=""
until_true 180 test -f shop/.millrace/dev.json || { OUT=$(cat dev.out); fail "did not start"; }
URL=$(sed -n 's/.*"url": "\([^"]*\)".*/\1/p' shop/.millrace/dev.json)
curl -sf "$URL/healthz" > /dev/null || fail "does not answer /healthz"
has_page() { curl -s "$URL/" | grep -qi "<html"; }
has_page || fail "has no page"
run 1 dev shop --port 0
has "runs already"
run 1 run shop
has "runs already"
run 0 status shop
has "page_view_counts"
has "watermark"
run 0 status shop --json
has '"nodes"'
run 0 topics -C shop list
has "page-views"
run 0 topics -C shop create orders --partitions 2
feed 0 'a\nb\n' topics -C shop produce orders --partition 1
run 0 topics -C shop consume orders --from-beginning
[ "$OUT" = "a
b" ] || fail "not the two lines"
run 0 topics -C shop consume page-views --follow -n 5
has '"url"'
feed 1 '{"user_id": 1, "url": "/y", "country": "DE"}\n{"url": 1}\n' topics -C shop produce page-views --validate
has "1 record written"
run 1 topics -C shop describe order
has 'did you mean "orders"'
run 1 topics -C shop delete orders
has "stop it first"
run 1 sql shop -c "SELECT * FROM nope"
run 0 sql shop -c "SELECT name, state FROM millrace.jobs ORDER BY 1" --format csv
has "page_view_counts,"
results() {
  [ "$("$MILLRACE" sql shop -c 'SELECT count(*) > 0 AS some FROM page_view_counts' --format csv | tail -1)" = true ]
}
LAST="windows arrive in the warehouse"
OUT=""
until_true 180 results || { OUT=$(tail -5 shop/.millrace/dev.log); fail "no results"; }
accounted() {
  OUT=$("$MILLRACE" ledger shop page_view_counts 2>&1)
}
LAST="millrace ledger shop page_view_counts"
until_true 180 accounted || fail "no entry of the ledger"
has "every row is accounted for"
has "page_views"
run 0 ledger shop page_view_counts --entries 3
has "committed (UTC)"
run 1 ledger shop page_view_count
has 'did you mean "page_view_counts"'
curl -sf "$URL/api/ledger?job=page_view_counts" | grep -q '"closes":true' || fail "/api/ledger does not close"
run 0 trace page_views shop --topic page-views --partition 0 --offset 0
has "read in epoch"
curl -sf "$URL/api/trace" -d '{"topic":"page-views","partition":0,"offset":0}' |
  grep -q '"traces":\[{"topic":"page-views","partition":0,"offset":0,.*"in_sink"' || fail "/api/trace does not trace"
curl -s "$URL/api/trace" -d '{"topic":"page-view","offset":0}' | grep -q 'did you mean \\"page-views\\"' ||
  fail "/api/trace has no hint"
mkdir -p shop/reconcile
printf 'source: page_views\ndestination: page_views\nevery: 0\n' > shop/reconcile/same.yml
printf 'source: page_views\ndestination-query: FROM page_views LIMIT 1\nevery: 0\n' > shop/reconcile/short.yml
run 0 reconcile shop same
has "agree"
run 1 reconcile shop
has "DO NOT AGREE"
run 1 reconcile shop sam
has 'did you mean "same"'
run 0 sql shop -c "SELECT DISTINCT name, ok FROM millrace.reconciliations ORDER BY 1" --format csv
has "same,true"
has "short,false"
kill -TERM "$DEV_PID"
wait "$DEV_PID"
CODE=$?
DEV_PID=""
OUT=$(cat dev.out)
check_code 0 $CODE "millrace dev, SIGTERM"
has "page    http://"
has "stopped; "
has "page_view_counts: stopped"
[ -e shop/.millrace/dev.json ] && fail "left dev.json behind"
run 0 ledger shop
has "every row is accounted for"
run 0 dev shop --port 0 --seconds 1 --log-level off
has "stopped; "
printf '{"pid": 1, "url": "http://127.0.0.1:9"}' > shop/.millrace/dev.json
run 1 status shop
run 0 sql shop -c "SELECT count(*) FROM page_view_counts"

if [ "$FAILURES" -gt 0 ]; then
  echo "$FAILURES checks failed"
  exit 1
fi
echo "all checks passed"
