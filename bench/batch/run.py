#!/usr/bin/env python3
"""examples/daily_orders beside DuckDB's Python client and PySpark, on files of this machine.

    run.py [--orders 5000000] [--repeats 3] [--no-spark]

All three read the same Parquet files, compute the same sales and write them partitioned by country;
the sums of their results are compared. DuckDB's COPY replaces nothing atomically, ours does. The time
is that of the whole process, the best of the repeats; Spark's work without the start of its session
is shown beside it. scripts/bench_batch.sh fetches PySpark and runs this; Java 17 must be there.
"""

import argparse
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
EXAMPLE = os.path.join(ROOT, "examples", "daily_orders")
BINARY = os.path.join(ROOT, "build", "release", "millrace")
PYTHON = os.path.join(os.environ.get("MILLRACE_DEPS", os.path.join(ROOT, ".deps")), "spark", "bin", "python")
DAY = "2025-07-24"

DUCKDB = """
import duckdb, sys
connection = duckdb.connect()
connection.execute("SET VARIABLE date = '%s'")
connection.execute(sys.stdin.read())
"""

SPARK = """
import json, sys, time
from pyspark.sql import SparkSession, functions as F
lake = sys.argv[1]
spark = (SparkSession.builder.master("local[2]").appName("DailyOrderAnalytics")
         .config("spark.ui.enabled", "false").config("spark.sql.shuffle.partitions", sys.argv[2])
         .config("spark.driver.bindAddress", "127.0.0.1").config("spark.driver.host", "127.0.0.1")
         .getOrCreate())
began = time.monotonic()
orders = spark.read.parquet(lake + "/raw/orders/date=%s/")
users = spark.read.parquet(lake + "/raw/users/")
products = spark.read.parquet(lake + "/raw/products/")
sales = (orders.join(users, orders.user_id == users.id, "left")
         .join(products, orders.product_id == products.id, "left")
         .groupBy("country", "category")
         .agg(F.count("order_id").alias("order_count"), F.sum("total_price").alias("total_revenue"),
              F.avg("total_price").alias("avg_order_value"),
              F.countDistinct("user_id").alias("unique_buyers"))
         .orderBy(F.desc("total_revenue")))
sales.write.mode("overwrite").partitionBy("country").parquet(lake + "/curated/spark")
print(json.dumps(time.monotonic() - began))
"""


def sales_sql(lake, target, copy_option):
    """The example's first two statements over files; the reporting database is left out."""
    with open(os.path.join(EXAMPLE, "daily_orders.sql")) as file:
        sql = file.read()
    sql = sql[:sql.index("CREATE TABLE IF NOT EXISTS reporting")]
    sql = sql.replace("('s3://data-lake/curated/daily_sales/date=' || getvariable('date'))",
                      "'%s/curated/%s'" % (lake, target))
    return sql.replace("s3://data-lake", lake).replace("OVERWRITE)", copy_option + ")")


def timed(command, **options):
    began = time.monotonic()
    done = subprocess.run(command, check=False, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                          text=True, **options)
    took = time.monotonic() - began
    if done.returncode != 0:
        sys.exit("%s failed:\n%s" % (command[0], done.stderr[-3000:]))
    return took, done.stdout


def digest(lake, target, work):
    """What must be equal whoever computed it."""
    sql = os.path.join(work, "digest.sql")
    with open(sql, "w") as file:
        file.write("SELECT count(*), count(DISTINCT country), sum(order_count), sum(total_revenue), "
                   "sum(unique_buyers) FROM read_parquet('%s/curated/%s/*/*.parquet', "
                   "hive_partitioning = true)" % (lake, target))
    return timed([BINARY, "batch", sql, "--format", "csv"])[1].splitlines()[-1]


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--orders", type=int, default=5_000_000)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--no-spark", action="store_true")
    arguments = parser.parse_args()
    work = tempfile.mkdtemp()
    lake = os.path.join(work, "lake")
    for directory in ("raw/users", "raw/products", "raw/orders/date=" + DAY, "curated"):
        os.makedirs(os.path.join(lake, directory))
    try:
        generate, ours = os.path.join(work, "generate.sql"), os.path.join(work, "daily_orders.sql")
        with open(os.path.join(EXAMPLE, "generate.sql")) as file:
            text = file.read().replace("s3://data-lake", lake)
        with open(generate, "w") as file:
            file.write(text)
        timed([BINARY, "batch", generate, "--set", "date=" + DAY, "--set",
               "orders=%d" % arguments.orders, "--set", "users=%d" % (arguments.orders // 20)])
        with open(ours, "w") as file:
            file.write(sales_sql(lake, "ours", "OVERWRITE"))
        best = {}

        def note(name, seconds):
            best[name] = min(best.get(name, seconds), seconds)

        for _ in range(arguments.repeats):
            note("millrace batch", timed([BINARY, "batch", ours, "--set", "date=" + DAY])[0])
            note("DuckDB (Python)", timed([PYTHON, "-c", DUCKDB % DAY],
                                          input=sales_sql(lake, "duckdb", "OVERWRITE_OR_IGNORE"))[0])
            if not arguments.no_spark:
                for partitions in ("200", "2"):
                    name = "PySpark local[2], %s shuffle partitions" % partitions
                    took, out = timed([PYTHON, "-c", SPARK % DAY, lake, partitions])
                    note(name, took)
                    note(name + ", work alone", json.loads(out.splitlines()[-1]))
        wanted = digest(lake, "ours", work)
        for other in ["duckdb"] + ([] if arguments.no_spark else ["spark"]):
            if digest(lake, other, work) != wanted:
                sys.exit("results differ: ours %s, %s %s" % (wanted, other, digest(lake, other, work)))
        print("%d orders, equal results: %s\n" % (arguments.orders, wanted))
        print("| | s | to ours |\n|---|---|---|")
        for name, seconds in best.items():
            print("| %s | %.2f | %.2f |" % (name, seconds, seconds / best["millrace batch"]))
    finally:
        shutil.rmtree(work, ignore_errors=True)


if __name__ == "__main__":
    main()
