#!/usr/bin/env bash
# A standalone Apache Flink on the loopback interface: JobManager, TaskManager, SQL gateway. The
# benchmarks compare with it; nothing of Millrace needs it.
#
#   scripts/flink-up.sh DIR           fetch (once), configure and start; prints "REST GATEWAY"
#                                     (host:port each) when both answer
#   scripts/flink-up.sh --stop DIR    stop what was started there
#
# Comes from PyPI (the wheel apache-flink-libraries has Flink's jars) and Maven Central (the
# gateway). Needs Java 17, mvn, python3 with venv: apt-get install openjdk-17-jre-headless maven
# python3-venv. Keys of the environment: FLINK_VERSION, FLINK_REST, FLINK_GATEWAY (ports),
# FLINK_SLOTS, FLINK_HEAP (of tasks), FLINK_ARTIFACTS (more jars, GROUP:NAME:VERSION, separated by spaces).
set -euo pipefail

stop() {
  local name pid
  for name in gateway tm jm; do
    [ -f "$1/$name.pid" ] || continue
    pid=$(cat "$1/$name.pid")
    # A number that is another process by now is left alone.
    if grep -qa org.apache.flink "/proc/$pid/cmdline" 2> /dev/null; then
      kill "$pid"
      timeout 15 tail --pid="$pid" -f /dev/null || kill -9 "$pid" || true
    fi
    rm -f "$1/$name.pid"
  done
}

case "${1:-}" in
  --stop)
    stop "$2"
    exit 0
    ;;
  "" | -*)
    sed -n '2,14p' "$0" >&2
    exit 2
    ;;
esac

mkdir -p "$1"
dir=$(cd "$1" && pwd)
version=${FLINK_VERSION:-2.3.0}
rest=${FLINK_REST:-8081}
gateway=${FLINK_GATEWAY:-8083}
slots=${FLINK_SLOTS:-2}
for tool in java mvn python3; do
  command -v "$tool" > /dev/null || { echo "\"$tool\" is missing; see the head of $0" >&2; exit 1; }
done

if [ ! -f "$dir/fetched-$version" ]; then
  rm -rf "$dir/wheel" "$dir/lib" "$dir/bin" "$dir/opt"
  [ -x "$dir/venv/bin/pip" ] || python3 -m venv "$dir/venv"
  "$dir/venv/bin/pip" download -q --no-deps --dest "$dir/wheel" \
    "apache-flink-libraries==$version" >&2
  python3 - "$dir" << 'PYTHON'
import glob, pathlib, sys, zipfile
root = pathlib.Path(sys.argv[1])
wheel, = glob.glob(f"{root}/wheel/*.whl")
with zipfile.ZipFile(wheel) as files:
    for name in files.namelist():
        parts = pathlib.PurePosixPath(name).parts
        if name.endswith(".jar") and parts[:1] == ("pyflink",) and parts[1] in ("lib", "bin"):
            target = root.joinpath(*parts[1:])
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(files.read(name))
PYTHON
  mvn -B -q dependency:copy "-Dartifact=org.apache.flink:flink-sql-gateway:$version" \
    "-DoutputDirectory=$dir/opt" >&2
  rm -rf "$dir/wheel"
  touch "$dir/fetched-$version"
fi

for artifact in ${FLINK_ARTIFACTS:-}; do
  IFS=: read -r _ name release <<< "$artifact"
  [ -f "$dir/lib/$name-$release.jar" ] ||
    mvn -B -q dependency:copy "-Dartifact=$artifact" "-DoutputDirectory=$dir/lib" >&2
done

mkdir -p "$dir/conf" "$dir/log" "$dir/tmp" "$dir/checkpoints"
cat > "$dir/conf/log4j2.properties" << 'CONF'
rootLogger.level = INFO
rootLogger.appenderRef.file.ref = file
appender.file.name = file
appender.file.type = File
appender.file.fileName = ${sys:log.file}
appender.file.append = false
appender.file.layout.type = PatternLayout
appender.file.layout.pattern = %d %-5p %c{1} %m%n
CONF
cat > "$dir/conf/config.yaml" << CONF
jobmanager.rpc.address: 127.0.0.1
jobmanager.rpc.port: $((rest + 1000))
jobmanager.bind-host: 127.0.0.1
jobmanager.memory.process.size: 1600m
taskmanager.host: 127.0.0.1
taskmanager.bind-host: 127.0.0.1
taskmanager.numberOfTaskSlots: $slots
taskmanager.memory.task.heap.size: ${FLINK_HEAP:-4096m}
taskmanager.memory.managed.size: 128m
parallelism.default: $slots
rest.address: 127.0.0.1
rest.bind-address: 127.0.0.1
rest.port: $rest
sql-gateway.endpoint.rest.address: 127.0.0.1
sql-gateway.endpoint.rest.bind-address: 127.0.0.1
sql-gateway.endpoint.rest.port: $gateway
io.tmp.dirs: $dir/tmp
execution.checkpointing.interval: 10s
execution.checkpointing.mode: EXACTLY_ONCE
execution.checkpointing.dir: file://$dir/checkpoints
state.backend.type: hashmap
table.local-time-zone: UTC
CONF

stop "$dir"
export FLINK_CONF_DIR=$dir/conf FLINK_HOME=$dir FLINK_LIB_DIR=$dir/lib
# The packages of the JDK that Flink's own configuration opens on Java 17.
opens=(--add-exports=java.base/sun.net.util=ALL-UNNAMED
  --add-exports=java.rmi/sun.rmi.registry=ALL-UNNAMED)
for package in lang lang.reflect net io nio text time util util.concurrent util.concurrent.atomic \
  util.concurrent.locks; do
  opens+=("--add-opens=java.base/java.$package=ALL-UNNAMED")
done
opens+=(--add-opens=java.base/sun.nio.ch=ALL-UNNAMED)
# Flink's own sums of memory: line 1 the arguments of the JVM, line 2 those of the program.
memory() {
  java -cp "$dir/bin/bash-java-utils.jar:$dir/lib/*" \
    org.apache.flink.runtime.util.bash.BashJavaUtils "$1" --configDir "$dir/conf" 2> /dev/null |
    sed -n 's/^BASH_JAVA_UTILS_EXEC_RESULT://p'
}
start() { # name, class path, main class, JVM arguments, program arguments
  # shellcheck disable=SC2086 # lists of arguments
  setsid java $4 "${opens[@]}" "-Dlog.file=$dir/log/$1.log" \
    "-Dlog4j.configurationFile=$dir/conf/log4j2.properties" -cp "$2" "$3" $5 \
    > "$dir/log/$1.out" 2>&1 < /dev/null &
  echo $! > "$dir/$1.pid"
}
wait_for() { # name, URL, text that the answer holds
  local deadline=$((SECONDS + 120))
  until python3 -c 'import sys, urllib.request as request
sys.exit(sys.argv[2] not in request.urlopen(sys.argv[1], timeout=2).read().decode())' \
    "$2" "$3" 2> /dev/null; do
    if ! kill -0 "$(cat "$dir/$1.pid")" 2> /dev/null || [ $SECONDS -gt $deadline ]; then
      echo "Flink's $1 did not come up; the end of $dir/log/$1.log and .out:" >&2
      tail -n 20 "$dir/log/$1.log" "$dir/log/$1.out" >&2
      stop "$dir"
      exit 1
    fi
    sleep 0.2
  done
}

jm=$(memory GET_JM_RESOURCE_PARAMS)
tm=$(memory GET_TM_RESOURCE_PARAMS)
start jm "$dir/lib/*" org.apache.flink.runtime.entrypoint.StandaloneSessionClusterEntrypoint \
  "$(sed -n 1p <<< "$jm")" "--configDir $dir/conf --executionMode cluster $(sed -n 2p <<< "$jm")"
start tm "$dir/lib/*" org.apache.flink.runtime.taskexecutor.TaskManagerRunner \
  "$(sed -n 1p <<< "$tm")" "--configDir $dir/conf $(sed -n 2p <<< "$tm")"
wait_for jm "http://127.0.0.1:$rest/overview" "\"slots-total\":$slots"
start gateway "$dir/lib/*:$dir/opt/*" org.apache.flink.table.gateway.SqlGateway -Xmx1g ""
wait_for gateway "http://127.0.0.1:$gateway/v1/info" productName
echo "127.0.0.1:$rest 127.0.0.1:$gateway"
