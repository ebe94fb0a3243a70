# `make help` lists what people do. Everything else is CMake (see CMakePresets.json).
SHELL := /bin/bash
.DEFAULT_GOAL := help
JOBS ?= $(shell nproc)
BUILD := build/release

.PHONY: help setup build demo demo-orders test test-kafka test-flink test-spark test-asan test-tsan fuzz bench bench-nexmark bench-kafka bench-orders bench-batch lint clang-tidy clean

help: ## list these targets
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | awk -F ':.*## ' '{printf "  make %-13s %s\n", $$1, $$2}'

setup: ## install every dependency (skips what is there)
	@scripts/setup.sh

build: ## build build/release/millrace
	@scripts/setup.sh --build
	@scripts/build.sh release millrace

demo: build ## run the clickstream demo and print the page's URL (DEMO_SECONDS=60 ends it by itself)
	@scripts/demo.sh

demo-orders: ## run the orders example with PostgreSQL, Redis, a search node and a fraud model (DEMO_SECONDS=60)
	@scripts/setup.sh
	@scripts/build.sh release millrace
	@scripts/demo_orders.sh

test: ## set up, build, and run every test
	@scripts/setup.sh --compile
	@scripts/test.sh

test-kafka: ## Apache Kafka's own system-test programs, all of them, while the server is killed
	@scripts/setup.sh
	@scripts/build.sh release millrace
	@.deps/kafka-clients/bin/python tests/e2e/kafka_system.py build/release/millrace --all

test-spark: ## dbt projects on a real Spark, beside dbt-spark (some minutes)
	@scripts/setup.sh
	@scripts/build.sh release millrace
	@tests/e2e/dbt_spark.sh build/release/millrace

test-flink: ## Flink's Kafka connector, exactly once, while Flink and the server are killed (fetches 300 MB)
	@scripts/setup.sh
	@scripts/build.sh release millrace
	@.deps/kafka-clients/bin/python tests/e2e/kafka_flink.py build/release/millrace build/flink

test-asan: ## unit tests under AddressSanitizer and UBSan
	@scripts/setup.sh
	@scripts/test_sanitizer.sh asan

test-tsan: ## unit tests under ThreadSanitizer
	@scripts/setup.sh
	@scripts/test_sanitizer.sh tsan

fuzz: ## run each fuzz target for FUZZ_SECONDS (60)
	@scripts/setup.sh
	@scripts/fuzz.sh

bench: ## print the tables of bench/
	@scripts/setup.sh
	@scripts/bench.sh

bench-nexmark: ## the Nexmark queries: figures and results (NEXMARK_FLINK=1 beside Flink; ARGS="--events 5000000")
	@scripts/setup.sh --build
	@scripts/bench_nexmark.sh $(ARGS)

bench-kafka: ## the Kafka port beside Apache Kafka: throughput, latency, CPU, memory (ARGS="--records 2000000")
	@scripts/setup.sh
	@scripts/build.sh release millrace
	@bench/kafka/run.py $(ARGS)

bench-orders: build ## orders checked, converted, enriched from Redis and written to a topic (ARGS="--orders 200000")
	@scripts/setup.sh
	@python3 bench/orders/run.py $(ARGS)

bench-batch: build ## the daily orders beside DuckDB's Python client and PySpark (ARGS="--orders 5000000")
	@scripts/bench_batch.sh $(ARGS)

lint: ## layers, sizes, self-contained headers, formatting rules
	@python3 tools/tidy

clang-tidy: ## clang-tidy over the files changed since main, or FILES="…"
	@scripts/setup.sh
	@scripts/clang_tidy.sh $(FILES)

clean: ## remove the build (keeps .deps)
	@rm -rf build
