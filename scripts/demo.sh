#!/usr/bin/env bash
# Runs the clickstream example: the pipeline and a simulated shop that sends events to it.
#
#   scripts/demo.sh [--fresh]      --fresh deletes what an earlier run left, first
#
#   DEMO_RATE=400        events per second
#   DEMO_SECONDS=60      end by itself after that time, with a summary; else: until Ctrl-C
#   MILLRACE_PORT=8080   the page's port; default: the first free one from 8080 on
#   MILLRACE_BINARY=…    default: build/release/millrace
#
# Exit code 0 when all went well; 1 when a process died or no result arrived.
set -euo pipefail
cd "$(dirname "$0")/.."
project=examples/clickstream
data=$project/.millrace
binary=${MILLRACE_BINARY:-build/release/millrace}
rate=${DEMO_RATE:-400}
seconds=${DEMO_SECONDS:-0}

die() { printf 'demo: %s\n' "$*" >&2; exit 1; }

in_use() { # a running pipeline holds the lock of its log
  [ -e "$data/log/LOCK" ] && ! flock -n "$data/log/LOCK" true
}
if in_use; then
  die "$project is running already (process $(cat "$data/log/LOCK")); stop that one first"
fi

for argument in "$@"; do
  case $argument in
    --fresh)
      printf 'Deleting %s and %s, the data of earlier runs.\n' "$data" "$project/lake"
      rm -rf "$data" "$project/lake" ;;
    -h | --help) sed -n '2,/^set /{/^set /d;s/^# \{0,1\}//;p}' "$0"; exit 0 ;;
    *) die "unknown argument \"$argument\"; see --help" ;;
  esac
done
[ -x "$binary" ] || die "there is no $binary; build it with: make build"
command -v python3 > /dev/null 2>&1 ||
  die "python3 is not installed; the simulated shop is written in it (Debian: apt install python3)"

port_is_free() { ! (exec 3<> "/dev/tcp/127.0.0.1/$1") 2> /dev/null; }
port=${MILLRACE_PORT:-}
if [ -z "$port" ]; then
  for port in $(seq 8080 8179); do port_is_free "$port" && break; done
fi
port_is_free "$port" || die "port $port is taken; choose another with MILLRACE_PORT"
url=http://127.0.0.1:$port

mkdir -p "$data"
server_log=$data/demo.log
shop_log=$data/shop.log
report=$data/shop.json
rm -f "$report" "$shop_log"
server= shop=

end_process() { # asks a process of ours to end, and waits; its exit code
  [ -n "$1" ] || return 0
  kill -TERM "$1" 2> /dev/null || true
  wait "$1"
}
stop_all() {
  trap - EXIT INT TERM
  end_process "$shop" || true
  end_process "$server" || true
}
trap stop_all EXIT
trap 'printf "\nStopping.\n"; stop_all; exit 0' INT TERM

"$binary" dev "$project" --port "$port" > "$server_log" 2>&1 &
server=$!
ready() { # asks over bash's own socket: starting a program for it takes longer than the answer
  local status
  exec 3<> "/dev/tcp/127.0.0.1/$port" || return 1
  printf 'GET /readyz HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n' >&3
  read -r -t 2 _ status _ <&3 || status=
  exec 3>&-
  [ "$status" = 200 ]
}
deadline=$((SECONDS + 30))
until (ready) 2> /dev/null; do
  kill -0 "$server" 2> /dev/null || { cat "$server_log" >&2; die "the pipeline did not start"; }
  [ "$SECONDS" -lt "$deadline" ] ||
    { tail -n 20 "$server_log" >&2; die "the pipeline is not ready after 30 s (see above)"; }
  sleep 0.1
done

python3 "$project/simulate.py" --url "$url" --rate "$rate" --report "$report" > "$shop_log" 2>&1 &
shop=$!
# Its first line says that it sends; from then on the demo's time counts.
until [ -s "$shop_log" ]; do
  kill -0 "$shop" 2> /dev/null || die "the simulated shop did not start"
  sleep 0.1
done

cat <<TEXT

  The shop is open: $rate events a second.

  Page    $url

  Try     curl $url/v1/events/page-views -d '{"user_id":"me","page_url":"/p/hello","product_id":"hello","category":"books","country":"DE","device":"desktop","event_time":"'"\$(date -u '+%F %T.%3N')"'"}'
          curl $url/api/sql -d '{"sql":"SELECT category, sum(orders) AS orders, sum(revenue_usd) AS usd FROM live_totals GROUP BY 1 ORDER BY 3 DESC"}'
          curl '$url/api/dead-letters?limit=3'

  Logs    $server_log, $shop_log

TEXT
if [ "$seconds" = 0 ]; then
  echo "  Ctrl-C ends it."
else
  echo "  It ends by itself after $seconds seconds."
fi

check_alive() {
  kill -0 "$server" 2> /dev/null || { tail -n 20 "$server_log" >&2; die "the pipeline died (see above)"; }
  kill -0 "$shop" 2> /dev/null || { tail -n 20 "$shop_log" >&2; die "the simulated shop died (see above)"; }
}
begin=$SECONDS
while [ "$seconds" = 0 ] || [ $((SECONDS - begin)) -lt "$seconds" ]; do
  sleep 1 &
  wait $! || true  # so that a signal is answered at once
  check_alive
done

failed=0
end_process "$shop" || { tail -n 20 "$shop_log" >&2; failed=1; }
shop=
python3 - "$url" "$report" <<'PYTHON' || failed=1
import json, sys, time, urllib.request
url, report = sys.argv[1:]


def query(sql):
    request = urllib.request.Request(url + "/api/sql", json.dumps({"sql": sql}).encode())
    return json.load(urllib.request.urlopen(request, timeout=30))["rows"]


deadline = time.monotonic() + 15
while query("SELECT coalesce(sum(lag_rows), 0) FROM millrace.jobs")[0][0]:
    if time.monotonic() > deadline:
        break
    time.sleep(0.1)
try:
    sent = json.load(open(report))
except OSError:
    sys.exit("demo: the simulated shop left no report")
print("\nSummary")
print("  events        %d sent in %.0f s, %d accepted, %d rejected (%d were broken on purpose)"
      % (sent["sent"], sent["seconds"], sent["accepted"], sent["rejected"], sent["broken"]))
print("  results")
tables = ["live_totals", "page_views_per_minute", "funnel_per_minute", "revenue_per_minute",
          "view_conversion"]
notes = {"live_totals": "changes with every event",
         "view_conversion": "a minute is complete 10 minutes after it"}
counts = {}
for table in tables:
    counts[table] = query("SELECT count(*) FROM " + table)[0][0]
    note = notes.get(table, "a minute is complete 5 seconds after it")
    print("    %-22s %8d rows   %s" % (table, counts[table], note))
letters = query("SELECT kind, count(*) FROM millrace.dead_letters GROUP BY 1 ORDER BY 2 DESC")
print("  dead letters  " + (", ".join("%d %s" % (n, kind) for kind, n in letters) or "none"))
jobs = query("SELECT name, state, latency_p50_ms, latency_p99_ms, lag_rows FROM millrace.jobs")
print("  latency       p99 of an epoch, input to commit: "
      + ", ".join("%s %.0f ms" % (job[0], job[3]) for job in jobs))
problems = ["job %s is %s" % (job[0], job[1]) for job in jobs if job[1] in ("failing", "failed")]
if sent["accepted"] == 0:
    problems.append("no event was accepted")
if counts["live_totals"] == 0:
    problems.append("no result arrived in live_totals")
for problem in problems:
    print("demo: " + problem, file=sys.stderr)
sys.exit(1 if problems else 0)
PYTHON
kill -0 "$server" 2> /dev/null || failed=1
end_process "$server" || { tail -n 20 "$server_log" >&2; failed=1; }
server=
[ "$failed" = 0 ] || die "something went wrong; the logs are in $data"
