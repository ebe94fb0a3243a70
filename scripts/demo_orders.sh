#!/usr/bin/env bash
# Runs the orders example from nothing: PostgreSQL, Redis, a search node, a fraud model, the pipeline,
# and a simulated checkout that sends orders to it. Everything is stopped and deleted at the end.
#
#   scripts/demo_orders.sh
#
#   DEMO_RATE=100        orders per second
#   DEMO_SECONDS=60      end by itself after that time, with a summary; else: until Ctrl-C
#   MILLRACE_PORT=8080   the page's port; default: the first free one from 8080 on
#   MILLRACE_BINARY=…    default: build/release/millrace
#
# Exit code 0 when all went well; 1 when a process died or destinations and orders do not agree.
set -euo pipefail
cd "$(dirname "$0")/.."
project=examples/orders
data=$project/.millrace
binary=${MILLRACE_BINARY:-build/release/millrace}
rate=${DEMO_RATE:-100}
seconds=${DEMO_SECONDS:-0}

die() { printf 'demo: %s\n' "$*" >&2; exit 1; }

for argument in "$@"; do
  case $argument in
    -h | --help) sed -n '2,/^set /{/^set /d;s/^# \{0,1\}//;p}' "$0"; exit 0 ;;
    *) die "unknown argument \"$argument\"; see --help" ;;
  esac
done
[ -x "$binary" ] || die "there is no $binary; build it with: make build"
if [ -e "$data/log/LOCK" ] && ! flock -n "$data/log/LOCK" true; then
  die "$project is running already (process $(cat "$data/log/LOCK")); stop that one first"
fi

port_is_free() { ! (exec 3<> "/dev/tcp/127.0.0.1/$1") 2> /dev/null; }
port=${MILLRACE_PORT:-}
if [ -z "$port" ]; then
  for port in $(seq 8080 8179); do port_is_free "$port" && break; done
fi
port_is_free "$port" || die "port $port is taken; choose another with MILLRACE_PORT"
url=http://127.0.0.1:$port

# The servers begin empty, so what an earlier run left of the pipeline would not fit them.
rm -rf "$data"
work=$(mktemp -d /tmp/millrace-orders.XXXXXX)
chmod 755 "$work"  # PostgreSQL runs as its own user
server_log=$work/millrace.log
shop_log=$work/shop.log
report=$work/shop.json
servers='' server='' shop=''

end_process() { # asks a process of ours to end, and waits; its exit code
  [ -n "$1" ] || return 0
  kill -TERM "$1" 2> /dev/null || true
  wait "$1"
}
stop_all() {
  trap - EXIT INT TERM
  end_process "$shop" || true
  end_process "$server" || true
  end_process "$servers" || true
}
trap stop_all EXIT
trap 'printf "\nStopping.\n"; stop_all; rm -rf "$work" "$data"; exit 0' INT TERM

echo "Starting PostgreSQL, Redis, a search node and the fraud model (about 20 seconds)."
# They end when the other end of their input does, however this script ends.
mkfifo "$work/hold"
python3 "$project/servers.py" "$work" < "$work/hold" > "$work/servers.log" 2>&1 &
servers=$!
exec 9> "$work/hold"
until [ -e "$work/env" ]; do
  kill -0 "$servers" 2> /dev/null || { cat "$work/servers.log" >&2; die "a server did not start"; }
  sleep 0.2 9>&- &
  wait $! || true
done
# shellcheck disable=SC1091
. "$work/env"

"$binary" dev "$project" --target demo --port "$port" > "$server_log" 2>&1 9>&- &
server=$!
until grep -qs "Ctrl-C stops it" "$server_log"; do
  kill -0 "$server" 2> /dev/null || { cat "$server_log" >&2; die "the pipeline did not start"; }
  sleep 0.1
done
python3 "$project/simulate.py" --url "$url" --redis-port "$ORDERS_REDIS_PORT" --rate "$rate" \
  --report "$report" > "$shop_log" 2>&1 9>&- &
shop=$!
until grep -qs "^sending" "$shop_log"; do
  kill -0 "$shop" 2> /dev/null || { cat "$shop_log" >&2; die "the checkout did not start"; }
  sleep 0.1
done

cat <<TEXT

  The checkout is open: $rate orders a second; some of them broken, sent twice or late.

  Page      $url

  Servers   psql -h 127.0.0.1 -p $ORDERS_POSTGRES_PORT -U postgres -c 'SELECT * FROM orders LIMIT 5'
            curl '127.0.0.1:$ORDERS_SEARCH_PORT/orders/_search?q=country:DE&size=1&pretty'
            redis-cli -p $ORDERS_REDIS_PORT HGETALL customer:c17

  Try       . $work/env
            $binary status $project
            $binary dlq -C $project ls --kind constraint
            $binary dlq -C $project edit --kind constraint --set "total = abs(total), currency = replace(currency, 'XXX', 'USD')"
            $binary dlq -C $project replay --kind constraint
            $binary lineage orders_per_minute.revenue_usd $project --up
            $binary trace orders_enriched $project --target demo --key ORDER_ID
            $binary sql $project -c "SELECT country, sum(orders), sum(suspicious) FROM orders_per_minute GROUP BY 1"

  Logs      $work

TEXT
if [ "$seconds" = 0 ]; then
  echo "  Ctrl-C ends it."
else
  echo "  It ends by itself after $seconds seconds."
fi

check_alive() {
  kill -0 "$servers" 2> /dev/null || { cat "$work/servers.log" >&2; die "the servers died (see above)"; }
  kill -0 "$server" 2> /dev/null || { tail -n 20 "$server_log" >&2; die "the pipeline died (see above)"; }
  kill -0 "$shop" 2> /dev/null || { tail -n 20 "$shop_log" >&2; die "the checkout died (see above)"; }
}
begin=$SECONDS
while [ "$seconds" = 0 ] || [ $((SECONDS - begin)) -lt "$seconds" ]; do
  sleep 1 9>&- &
  wait $! || true  # so that a signal is answered at once
  check_alive
done

failed=0
end_process "$shop" || { tail -n 20 "$shop_log" >&2; failed=1; }
shop=''
python3 - "$url" "$report" <<'PYTHON' || failed=1
import json, os, subprocess, sys, time, urllib.request
url, report = sys.argv[1:]
sent = json.load(open(report))


def get(address, body=None):
    return json.load(urllib.request.urlopen(address, body and json.dumps(body).encode(), timeout=30))


def query(sql):
    return get(url + "/api/sql", {"sql": sql})["rows"]


def in_warehouse():
    return int(subprocess.run(
        ["psql", "-h", "127.0.0.1", "-p", os.environ["ORDERS_POSTGRES_PORT"], "-U", "postgres",
         "-XtAc", "SELECT count(*) FROM orders"], check=True, stdout=subprocess.PIPE).stdout)


def in_index():
    search = "http://127.0.0.1:%s/orders/" % os.environ["ORDERS_SEARCH_PORT"]
    get(search + "_refresh", {})
    return get(search + "_count")["count"]


# The last orders wait for a later one, which says that no other rate can come for them.
good = sent["by_kind"].get("on_time", 0) + sent["by_kind"].get("late", 0)
deadline = time.monotonic() + 20
while True:
    enriched = query("SELECT count(*) FROM orders_enriched")[0][0]
    stored, indexed = in_warehouse(), in_index()
    if stored == indexed == enriched >= good - sent["rate"] or time.monotonic() > deadline:
        break
    time.sleep(0.2)
letters = query("SELECT kind, count(*) FROM millrace.dead_letters GROUP BY 1 ORDER BY 2 DESC")
jobs = query("SELECT name, state, latency_p99_ms FROM millrace.jobs")
suspicious = query("SELECT count(*) FROM suspicious_orders")[0][0]
print("\nSummary")
print("  orders        %d sent in %.0f s: %s" % (sent["sent"], sent["seconds"], ", ".join(
    "%d %s" % (n, kind) for kind, n in sorted(sent["by_kind"].items()))))
print("  enriched      %d of %d good ones; the last %d wait for a later order"
      % (enriched, good, good - enriched))
print("  warehouse     %d rows\n  search index  %d documents\n  fraud desk    %d suspicious orders"
      % (stored, indexed, suspicious))
print("  dead letters  " + (", ".join("%d %s" % (n, kind) for kind, n in letters) or "none"))
print("  latency       p99 of an epoch, input to commit: "
      + ", ".join("%s %.0f ms" % (job[0], job[2]) for job in jobs))
problems = ["job %s is %s" % (job[0], job[1]) for job in jobs if job[1] in ("failing", "failed")]
if not stored == indexed == enriched:
    problems.append("the destinations do not hold the same number of orders")
if enriched > good or enriched < good - sent["rate"] or enriched == 0:
    problems.append("%d orders came through, of %d good ones" % (enriched, good))
for problem in problems:
    print("demo: " + problem, file=sys.stderr)
sys.exit(1 if problems else 0)
PYTHON
end_process "$server" || { tail -n 20 "$server_log" >&2; failed=1; }
server=''
end_process "$servers" || { cat "$work/servers.log" >&2; failed=1; }
servers=''
[ "$failed" = 0 ] || die "something went wrong; the logs are in $work"
rm -rf "$work" "$data"
