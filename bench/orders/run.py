#!/usr/bin/env python3
"""What an order costs on its way: decoded, checked, converted by the rate that was in force, enriched
from a real Redis, written to a topic exactly once. Prints one line for each step that is added.

    bench/orders/run.py [--millrace build/release/millrace] [--orders 1000000] [--customers 50000]
                        [--runs 1] [--only TEXT]

Orders lie in 4 partitions of the embedded log, customers in a Redis that is started here (scripts/setup.sh
installs it). Each line is a `millrace run` of its own over all orders: wall time, start and end included, and
the process's CPU (user + system, Redis beside it not included) less that of a run over none. Of --runs the
fastest counts.
"""
import argparse
import json
import os
import pathlib
import random
import re
import shutil
import socket
import subprocess
import sys
import tempfile
import time

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
CURRENCIES = {"USD": 1, "EUR": 1.1, "GBP": 1.3, "JPY": 0.007, "CNY": 0.14}
COUNTRIES = ["DE", "FR", "GB", "US"]
CHECKS = [
    r"CONSTRAINT order_id_well_formed CHECK (order_id LIKE 'ord\_%' ESCAPE '\')",
    "CONSTRAINT total_positive CHECK (total > 0)",
    "CONSTRAINT currency_known CHECK (currency IN ('USD', 'EUR', 'GBP', 'JPY', 'CNY'))",
    "CONSTRAINT payment_known CHECK (payment_method IN ('card', 'invoice', 'wallet'))",
    "CONSTRAINT time_plausible CHECK (order_time > TIMESTAMP '2020-01-01 00:00:00')",
]
LOG = "'properties.bootstrap.servers' = 'embedded', 'scan.bounded.mode' = 'latest-offset'"
TABLES = """
CREATE TABLE orders (
  order_id STRING NOT NULL, customer_id STRING NOT NULL, total DECIMAL(12, 2) NOT NULL,
  currency STRING NOT NULL, payment_method STRING NOT NULL, order_time TIMESTAMP(3) NOT NULL,
  received_at TIMESTAMP_LTZ(3) METADATA FROM 'timestamp' VIRTUAL,
  WATERMARK FOR received_at AS received_at - INTERVAL '0.1' SECOND{checks}
) WITH ('connector' = 'kafka', 'topic' = '{orders}', 'format' = 'json',
  'scan.startup.mode' = 'earliest-offset', {log});
CREATE TABLE currency_rates (
  currency STRING NOT NULL, usd DECIMAL(18, 8) NOT NULL, rate_version INT NOT NULL,
  received_at TIMESTAMP_LTZ(3) METADATA FROM 'timestamp' VIRTUAL,
  WATERMARK FOR received_at AS received_at - INTERVAL '0.1' SECOND,
  PRIMARY KEY (currency) NOT ENFORCED
) WITH ('connector' = 'upsert-kafka', 'topic' = 'currency-rates', 'key.format' = 'raw',
  'value.format' = 'json', {log});
CREATE TABLE customers (
  customer_id STRING, country STRING, account_age_days INT, lifetime_spend DOUBLE
) WITH ('connector' = 'redis', 'url' = '{redis}', 'key' = 'customer:{{customer_id}}'{cache});
CREATE VIEW at_rate AS
SELECT o.order_id, o.customer_id, o.total, o.currency, o.payment_method, o.order_time, r.rate_version,
  CAST(o.total * r.usd AS DECIMAL(14, 2)) AS total_usd, PROCTIME() AS proc_time
FROM orders AS o
LEFT JOIN currency_rates FOR SYSTEM_TIME AS OF o.received_at AS r ON o.currency = r.currency;
CREATE VIEW enriched AS
SELECT o.order_id, o.customer_id, COALESCE(c.country, '??') AS country, c.account_age_days, o.total,
  o.currency, o.rate_version, o.total_usd,
  CAST(o.total_usd * CASE c.country WHEN 'DE' THEN 0.19 WHEN 'FR' THEN 0.20 ELSE 0 END
    AS DECIMAL(14, 2)) AS tax_usd, o.order_time
FROM at_rate AS o
LEFT JOIN customers FOR SYSTEM_TIME AS OF o.proc_time AS c ON o.customer_id = c.customer_id;
"""
CACHE = (", 'lookup.cache' = 'PARTIAL', 'lookup.partial-cache.max-rows' = '100000',"
         " 'lookup.partial-cache.expire-after-write' = '10 min'")
PLAIN = "SELECT order_id, customer_id, total, currency, payment_method, order_time FROM orders"
COLUMNS = {
    PLAIN: "order_id STRING, customer_id STRING, total DECIMAL(12, 2), currency STRING, "
           "payment_method STRING, order_time TIMESTAMP(3)",
    "SELECT * FROM at_rate":
        "order_id STRING, customer_id STRING, total DECIMAL(12, 2), currency STRING, payment_method "
        "STRING, order_time TIMESTAMP(3), rate_version INT, total_usd DECIMAL(14, 2), proc_time "
        "TIMESTAMP_LTZ(3)",
    "SELECT * FROM enriched":
        "order_id STRING, customer_id STRING, country STRING, account_age_days INT, total "
        "DECIMAL(12, 2), currency STRING, rate_version INT, total_usd DECIMAL(14, 2), tax_usd "
        "DECIMAL(14, 2), order_time TIMESTAMP(3)",
}


class Case:
    def __init__(self, name, checks=0, query=PLAIN, topic=False, shards=2, cache=True, lineage=False):
        self.name, self.checks, self.query, self.topic = name, checks, query, topic
        self.shards, self.cache, self.lineage = shards, cache, lineage


CASES = [
    Case("decoded, to nowhere"),
    Case("1 CHECK", checks=1),
    Case("5 CHECKs", checks=5),
    Case("5 CHECKs, the rate", checks=5, query="SELECT * FROM at_rate"),
    Case("5 CHECKs, the rate, Redis", checks=5, query="SELECT * FROM enriched"),
    Case("the same, to a topic", checks=5, query="SELECT * FROM enriched", topic=True),
    Case("the same, OpenLineage on", checks=5, query="SELECT * FROM enriched", topic=True,
         lineage=True),
    Case("the same, Redis without cache", checks=5, query="SELECT * FROM enriched", topic=True,
         cache=False),
    Case("the same with cache, one shard", checks=5, query="SELECT * FROM enriched", topic=True,
         shards=1),
]


def order(i, choose, customers):
    return json.dumps({
        "order_id": f"ord_{i}", "customer_id": f"c{choose.randrange(customers)}",
        "items": [{"sku": f"s{choose.randrange(1000)}", "quantity": choose.randrange(1, 5),
                   "price": 9.5}],
        "total": round(choose.random() * 500 + 0.01, 2), "currency": choose.choice(list(CURRENCIES)),
        "payment_method": choose.choice(["card", "invoice", "wallet"]),
        "order_time": f"2026-03-01 {i // 3600 % 24:02}:{i // 60 % 60:02}:{i % 60:02}"},
        separators=(",", ":"))


class Redis:
    def __init__(self, directory, customers, choose):
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port = free.getsockname()[1]
        self.process = subprocess.Popen(
            ["redis-server", "--bind", "127.0.0.1", "--port", str(self.port), "--save", "", "--dir",
             directory], stdout=subprocess.DEVNULL)
        while subprocess.run(["redis-cli", "-p", str(self.port), "ping"], capture_output=True,
                             check=False).stdout.strip() != b"PONG":
            time.sleep(0.05)
        commands = "".join(
            f"HSET customer:c{i} country {choose.choice(COUNTRIES)} account_age_days {i % 2000} "
            f"lifetime_spend {i * 1.5}\r\n" for i in range(customers))
        subprocess.run(["redis-cli", "-p", str(self.port), "--pipe"], input=commands.encode(),
                       check=True, stdout=subprocess.DEVNULL)

    def stop(self):
        self.process.terminate()
        self.process.wait()


class Bench:
    def __init__(self, args, directory):
        self.millrace, self.directory, self.args = args.millrace, directory, args
        self.number = 0
        os.makedirs(directory + "/sql")
        self.configure(False)
        choose = random.Random(1)
        self.redis = Redis(directory, args.customers, choose)
        rates = [currency + "|" + json.dumps({"currency": currency, "usd": usd + version / 1000,
                                              "rate_version": version})
                 for version in range(1, 4) for currency, usd in CURRENCIES.items()]
        self.produce("currency-rates", rates, "--key-separator", "|")
        self.produce("orders", (order(i, choose, args.customers) for i in range(args.orders)),
                     "--key-field", "customer_id")

    def configure(self, lineage):
        with open(self.directory + "/millrace.yml", "w") as file:
            file.write("name: bench\ntopics:\n  orders: {partitions: 4}\n  none: {partitions: 4}\n"
                       "  currency-rates: {partitions: 1}\n  out: {partitions: 4}\n")
            if lineage:
                file.write("lineage:\n  openlineage: {transport: file, running-interval: 1 s}\n")

    def produce(self, topic, lines, *options):
        process = subprocess.Popen(
            [self.millrace, "topics", "produce", topic, "-C", self.directory, *options],
            stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, text=True)
        for line in lines:
            process.stdin.write(line + "\n")
        process.stdin.close()
        if process.wait() != 0:
            sys.exit(f"{topic} was not filled")

    def time(self, case, orders):
        """Seconds, CPU seconds, rows in the sink."""
        self.number += 1
        self.configure(case.lineage)
        checks = "".join(",\n  " + check for check in CHECKS[:case.checks])
        sink = ("'connector' = 'kafka', 'topic' = 'out', 'properties.bootstrap.servers' = 'embedded', "
                "'format' = 'json', 'key.format' = 'raw', 'key.fields' = 'order_id'"
                if case.topic else "'connector' = 'blackhole'")
        with open(self.directory + "/sql/bench.sql", "w") as file:
            file.write(f"SET 'parallelism.default' = '{case.shards}';\n" + TABLES.format(
                checks=checks, orders=orders, log=LOG, cache=CACHE if case.cache else "",
                redis=f"redis://127.0.0.1:{self.redis.port}/0"))
            file.write(f"CREATE TABLE results ({COLUMNS[case.query]}) WITH ({sink});\n"
                       f"SET 'pipeline.name' = 'run{self.number}';\n"
                       f"INSERT INTO results {case.query};\n")
        begun = time.monotonic()
        process = subprocess.Popen([self.millrace, "run", self.directory], stdout=subprocess.PIPE,
                                   stderr=subprocess.STDOUT, text=True)
        text = process.stdout.read()
        _, status, usage = os.wait4(process.pid, 0)
        seconds = time.monotonic() - begun
        rows = re.search(r"rows in, (\d+) out", text)
        if status != 0 or not rows:
            sys.exit(f"{case.name}: {text}")
        return seconds, usage.ru_utime + usage.ru_stime, int(rows.group(1))

    def line(self, case):
        idle_cpu = min(self.time(case, "none")[1] for _ in range(2))
        runs = [self.time(case, "orders") for _ in range(self.args.runs)]
        seconds, cpu, rows = min(runs)
        if rows != self.args.orders:
            sys.exit(f"{case.name}: {rows} rows, not {self.args.orders}")
        cpu -= idle_cpu
        millions = self.args.orders / 1e6
        print(f"| {case.name} | {self.args.orders / seconds / 1000:,.0f} | {cpu / millions:.2f} |",
              flush=True)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--millrace", default=ROOT / "build/release/millrace")
    parser.add_argument("--orders", type=int, default=1_000_000)
    parser.add_argument("--customers", type=int, default=50_000)
    parser.add_argument("--runs", type=int, default=1)
    parser.add_argument("--only", default="", help="cases whose name has this text")
    parser.add_argument("--keep", action="store_true", help="keep the project, and say where it is")
    args = parser.parse_args()
    directory = tempfile.mkdtemp(prefix="millrace-orders-")
    bench = Bench(args, directory)
    try:
        print(f"{args.orders} orders, {args.customers} customers, load "
              f"{os.getloadavg()[0]:.1f} on {os.cpu_count()} cores\n")
        print("| orders | k orders/s | CPU s per M |\n|---|---|---|")
        for case in CASES:
            if args.only in case.name:
                bench.line(case)
    finally:
        bench.redis.stop()
        if args.keep:
            print(directory)
        else:
            shutil.rmtree(directory)


if __name__ == "__main__":
    main()
