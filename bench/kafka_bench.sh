#!/usr/bin/env bash
# Records a second through kcat: into and out of the Kafka port of `millrace dev`, and side by side
# into any other broker that is running.
#
#   bench/kafka_bench.sh [RECORDS] [LABEL=HOST:PORT …]      default: 500000 records of 100 bytes
#
#   BINARY   default: build/release/millrace      CODECS   default: "none lz4"
#
# kcat reads lines from a file and waits for all acknowledgements (acks=all); one process at a time.
set -euo pipefail
root=$(cd "$(dirname "$0")/.." && pwd)
binary=${BINARY:-$root/build/release/millrace}
records=${1:-500000}
[ $# -eq 0 ] || shift
work=$(mktemp -d)
dev=
cleanup() {
  [ -z "$dev" ] || { kill -TERM "$dev" 2> /dev/null || true; wait "$dev" 2> /dev/null || true; }
  rm -rf "$work"
}
trap cleanup EXIT

python3 - "$records" > "$work/lines" <<'PYTHON'
import random, sys
random.seed(1)
words = [f"{random.getrandbits(40):010x}" for _ in range(1000)]
for i in range(int(sys.argv[1])):
    print(f"{i:09d} " + " ".join(random.choices(words, k=9))[:90])
PYTHON
mkdir -p "$work/project/sql"
touch "$work/project/millrace.yml"
port=$(python3 -c '
import socket
s = socket.socket()
s.bind(("127.0.0.1", 0))
print(s.getsockname()[1])')
"$binary" dev "$work/project" --port 0 --kafka-listen "127.0.0.1:$port" > "$work/dev.log" 2>&1 &
dev=$!
until (exec 3<> "/dev/tcp/127.0.0.1/$port") 2> /dev/null; do
  kill -0 "$dev" || { cat "$work/dev.log"; exit 1; }
  sleep 0.1
done

now() { date +%s%N; }
rate() { echo $((records * 1000000000 / ($2 - $1))); } # from, to in ns
printf '%-12s %-8s %14s %14s\n' broker codec "in records/s" "out records/s"
for target in "millrace=127.0.0.1:$port" "$@"; do
  label=${target%%=*} brokers=${target#*=}
  for codec in ${CODECS:-none lz4}; do
    topic=bench-$codec-$$
    echo warm | kcat -b "$brokers" -P -t "$topic" > /dev/null 2>&1
    start=$(now)
    kcat -b "$brokers" -P -t "$topic" -z "$codec" -X linger.ms=5 -X queue.buffering.max.messages=1000000 \
      -l "$work/lines"
    middle=$(now)
    got=$(kcat -b "$brokers" -C -t "$topic" -e -q -o beginning | wc -l)
    end=$(now)
    [ "$got" -ge "$records" ] || { echo "$label has $got of $records records"; exit 1; }
    printf '%-12s %-8s %14s %14s\n' "$label" "$codec" "$(rate "$start" "$middle")" "$(rate "$middle" "$end")"
  done
done
