#!/usr/bin/env python3
"""Batches over a real S3 server and a real PostgreSQL, read back with DuckDB's Python client and psql.

  daily orders   examples/daily_orders gives what Python counts over the same rows, NULLs among them
  once           a run that is repeated appends nothing; another run does; a changed batch is refused
  overwrite      killed with -9 at random moments, a batch leaves each partition old or new, as a
                 reader sees that asks all the time; the last run makes all of them new
  leftovers      partitions that the result no longer has go; files of others are refused
  append         of these killed runs PostgreSQL holds each exactly once
  word count     examples/word_count counts as Python does
  faults         a wrong secret and a missing extension are errors that name them; no secret is shown

    batch_run.py BINARY
"""

import collections
import decimal
import os
import random
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
sys.dont_write_bytecode = True
sys.path.insert(0, os.path.join(ROOT, "tests", "support"))
from s3_server import ObjectStore  # noqa: E402
from servers import POSTGRES_BIN, Postgres  # noqa: E402
import duckdb  # noqa: E402

DAY = "2025-07-24"
KILLS = 8
COUNTRIES = 20
ROWS = {"old": 500, "new": 700}  # of each country

OVERWRITE = """
COPY (SELECT 'c' || n % {countries} AS country, n, repeat('x', 200) AS text
      FROM range({countries} * getvariable('rows')::BIGINT) AS numbers(n)
      WHERE getvariable('only') IS NULL OR n % {countries} < getvariable('only')::BIGINT)
TO 's3://data-lake/versions' (FORMAT parquet, PARTITION_BY (country), OVERWRITE);
CREATE TABLE IF NOT EXISTS reporting.versions (run VARCHAR, n BIGINT);
INSERT INTO reporting.versions SELECT getvariable('round'), n FROM range(1000) AS numbers(n);
""".format(countries=COUNTRIES)


def check(condition, text):
    if not condition:
        raise SystemExit("FAILED: " + text)


def equal(got, wanted, text):
    check(got == wanted, "%s\n  expected %s\n  got      %s" % (text, wanted, got))


class Runner:
    def __init__(self, binary, work, store, postgres):
        self.binary, self.work, self.postgres = binary, work, postgres
        self.environment = dict(
            os.environ, NO_COLOR="1", **store.environment(),
            REPORTING_URL="postgresql://postgres@127.0.0.1:%d/postgres" % postgres.port)
        self.client = store.attach(duckdb.connect())
        self.project = os.path.join(work, "daily_orders")
        shutil.copytree(os.path.join(ROOT, "examples", "daily_orders"), self.project)

    def start(self, file, *arguments):
        return subprocess.Popen([self.binary, "batch", os.path.join(self.project, file), *arguments],
                                env=self.environment, stdout=subprocess.PIPE,
                                stderr=subprocess.PIPE, text=True)

    def run(self, file, *arguments, fails=False):
        process = self.start(file, *arguments)
        out, error = process.communicate()
        check((process.returncode != 0) == fails,
              "%s %s ended with %d: %s" % (file, arguments, process.returncode, error))
        return out + error

    def write(self, name, text):
        with open(os.path.join(self.project, name), "w") as file:
            file.write(text)

    def psql(self, sql):
        done = subprocess.run(
            [POSTGRES_BIN + "/psql", "-h", "127.0.0.1", "-p", str(self.postgres.port), "-U",
             "postgres", "-AtF", "|", "-v", "ON_ERROR_STOP=1", "-c", sql], check=True,
            stdout=subprocess.PIPE, text=True)
        return [line.split("|") for line in done.stdout.splitlines()]

    def rows(self, sql):
        return self.client.execute(sql).fetchall()


def expected_sales(runner):
    """{(country, category): (orders, revenue, buyers)}, counted without SQL."""
    country = dict(runner.rows("SELECT id, country FROM 's3://data-lake/raw/users/*.parquet'"))
    category = dict(runner.rows("SELECT id, category FROM 's3://data-lake/raw/products/*.parquet'"))
    orders = collections.Counter()
    revenue = collections.defaultdict(decimal.Decimal)
    buyers = collections.defaultdict(set)
    for user, product, price in runner.rows(
            "SELECT user_id, product_id, total_price FROM 's3://data-lake/raw/orders/date=%s/*.parquet'" % DAY):
        group = country.get(user), category.get(product)
        orders[group] += 1
        revenue[group] += price
        if user is not None:
            buyers[group].add(user)
    return {g: (orders[g], revenue[g], len(buyers[g])) for g in orders}


def daily_orders(runner):
    runner.run("generate.sql", "--set", "date=" + DAY, "--set", "orders=20000", "--set", "users=500")
    runner.run("daily_orders.sql", "--set", "date=" + DAY)
    wanted = expected_sales(runner)
    check(None in [c for c, _ in wanted] and None in [c for _, c in wanted], "no unknown users")
    rows = runner.rows(
        "SELECT country, category, order_count, total_revenue, unique_buyers, avg_order_value FROM "
        "read_parquet('s3://data-lake/curated/daily_sales/date=%s/*/*.parquet', hive_partitioning = "
        "true)" % DAY)
    equal({(r[0], r[1]): r[2:5] for r in rows}, wanted, "the lake")
    check(all(abs(float(r[3]) / r[2] - r[5]) < 1e-6 for r in rows), "averages")
    rows = runner.psql("SELECT country, category, order_count, total_revenue, unique_buyers FROM daily_sales")
    equal({(r[0] or None, r[1] or None): (int(r[2]), decimal.Decimal(r[3]), int(r[4])) for r in rows},
          wanted, "PostgreSQL")
    print("daily orders: %d groups" % len(wanted))
    return len(wanted)


def once(runner, groups):
    count = "SELECT count(*) FROM daily_sales"
    again = runner.run("daily_orders.sql", "--set", "date=" + DAY)
    check("done before by run \"daily_orders date=%s\"" % DAY in again, again)
    equal(runner.psql(count), [[str(groups)]], "after the same run again")
    runner.run("daily_orders.sql", "--set", "date=" + DAY, "--run", "another")
    equal(runner.psql(count), [[str(2 * groups)]], "after another run")
    with open(os.path.join(runner.project, "daily_orders.sql")) as file:
        changed = file.read().replace("FROM daily_sales;", "FROM daily_sales LIMIT 1;")
    runner.write("daily_orders.sql", changed)
    refused = runner.run("daily_orders.sql", "--set", "date=" + DAY, fails=True)
    check("has done something else" in refused and "--run" in refused, refused)
    equal(runner.psql(count), [[str(2 * groups)]], "after a changed batch")
    print("once: a repeated run appends nothing")


class Reader(threading.Thread):
    """Asks for the rows of each country all the time; keeps what is neither old nor new."""

    def __init__(self, store):
        super().__init__()
        self.client = store.attach(duckdb.connect())
        self.done = threading.Event()
        self.seen = collections.Counter()
        self.wrong = []

    def run(self):
        while not self.done.is_set():
            country = "c%d" % random.randrange(COUNTRIES)
            try:
                rows, distinct, last = self.client.execute(
                    "SELECT count(*), count(DISTINCT n), max(n) FROM "
                    "'s3://data-lake/versions/country=%s/*.parquet'" % country).fetchone()
            except duckdb.Error as error:
                # Replaced between two requests of this reader: it asks again.
                if "ETag" not in str(error) and "412" not in str(error):
                    self.wrong.append("%s: %s" % (country, error))
                continue
            kind = {ROWS["old"]: "old", ROWS["new"]: "new"}.get(rows)
            self.seen[kind] += 1
            if kind is None or rows != distinct or last // COUNTRIES != rows - 1:
                self.wrong.append("%s: %d rows" % (country, rows))


def overwrite(runner, store):
    runner.write("overwrite.sql", OVERWRITE)
    began = time.monotonic()
    runner.run("overwrite.sql", "--set", "rows=%d" % ROWS["old"], "--set", "round=first")
    took = time.monotonic() - began
    reader = Reader(store)
    reader.start()
    killed = 0
    try:
        for turn in range(KILLS):
            arguments = ["--set", "rows=%d" % ROWS["new" if turn % 2 == 0 else "old"], "--run",
                         "round", "--set", "round=round"]
            process = runner.start("overwrite.sql", *arguments)
            began = time.monotonic()
            try:
                process.wait(random.uniform(0.2, 1.05) * took)
                took = time.monotonic() - began  # the machine is faster now than it was before
            except subprocess.TimeoutExpired:
                process.kill()
            killed += process.wait() == -signal.SIGKILL
            process.communicate()
        for _ in range(2):
            runner.run("overwrite.sql", "--set", "rows=%d" % ROWS["new"], "--run", "round", "--set",
                       "round=round")
    finally:
        reader.done.set()
        reader.join()
    check(not reader.wrong, "readers saw neither old nor new: %s" % reader.wrong[:5])
    check(killed >= KILLS // 3, "only %d of %d were killed before their end" % (killed, KILLS))
    rows = runner.rows("SELECT country, count(*) FROM read_parquet('s3://data-lake/versions/*/*.parquet', "
                       "hive_partitioning = true) GROUP BY 1")
    equal(dict(rows), {"c%d" % i: ROWS["new"] for i in range(COUNTRIES)}, "after the last run")
    equal(runner.psql("SELECT run, count(*), count(DISTINCT n) FROM versions GROUP BY 1 ORDER BY 1"),
          [["first", "1000", "1000"], ["round", "1000", "1000"]], "appended by killed runs")
    print("overwrite: %d killed, readers saw %s" % (killed, dict(reader.seen)))


def leftovers(runner):
    """OVERWRITE leaves what the result has and nothing else; files of others it does not touch."""
    count = "SELECT count(DISTINCT file) FROM glob('s3://data-lake/versions/**') AS t(file)"
    for left in (3, 0):
        runner.run("overwrite.sql", "--set", "rows=10", "--set", "round=x", "--set", "only=%d" % left)
        equal(runner.rows(count), [(left,)], "partitions left")
    runner.client.execute(
        "COPY (SELECT 1 AS n) TO 's3://data-lake/versions/country=c0/part-0.parquet' (FORMAT parquet)")
    refused = runner.run("overwrite.sql", "--set", "rows=10", "--set", "round=y", fails=True)
    check("country=c0/part-0.parquet" in refused, refused)
    equal(runner.rows(count), [(1,)], "after a refusal")
    print("leftovers: none of ours, those of others are refused")


def word_count(runner):
    """examples/word_count against Python's own count, with lines that no CSV reader would like."""
    examples = os.path.join(ROOT, "examples", "word_count")
    logs, counts = os.path.join(runner.work, "logs"), os.path.join(runner.work, "counts.parquet")
    os.mkdir(logs)
    files = ["--set", "logs=" + os.path.join(logs, "*.log"), "--set", "counts=" + counts]
    runner.run(os.path.join(examples, "generate.sql"), "--set", "lines=20000", "--set",
               "logs=" + os.path.join(logs, "a.log"))
    with open(os.path.join(logs, "b.log"), "w") as file:
        file.write('"open quote, comma\n\n  \'\\ tab\there "" \n# comment\nüml word_1 WORD_1\n')
    runner.run(os.path.join(examples, "word_count.sql"), *files)
    wanted = collections.Counter()
    for name in os.listdir(logs):
        with open(os.path.join(logs, name)) as file:
            for line in file:
                wanted.update(re.findall("[a-z0-9_]+", line.lower()))
    equal(dict(runner.rows("SELECT word, occurrences FROM '%s'" % counts)), dict(wanted), "words")
    print("word count: %d words" % len(wanted))


def faults(runner):
    secret, runner.environment["S3_SECRET"] = runner.environment["S3_SECRET"], "wrong"
    refused = runner.run("generate.sql", "--set", "date=" + DAY, "--set", "orders=1", "--set",
                         "users=1", fails=True)
    check("403" in refused or "denied" in refused.lower() or "signature" in refused.lower(), refused)
    runner.environment["S3_SECRET"] = secret
    url = runner.environment["REPORTING_URL"]
    runner.environment["REPORTING_URL"] = url.replace("postgres@", "nobody:pw-of-nobody@")
    refused = runner.run("overwrite.sql", "--set", "rows=1", "--set", "round=x", fails=True)
    check("pw-of-nobody" not in refused and "database \"reporting\"" in refused, refused)
    runner.environment["REPORTING_URL"] = url
    runner.environment["MILLRACE_EXTENSIONS"] = runner.work
    refused = runner.run("generate.sql", "--set", "date=" + DAY, fails=True)
    check("httpfs" in refused and "MILLRACE_EXTENSIONS" in refused, refused)
    del runner.environment["MILLRACE_EXTENSIONS"]
    print("faults: named, without secrets")


def main():
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    work = tempfile.mkdtemp()
    os.chmod(work, 0o755)  # PostgreSQL's user looks below it
    store, postgres = ObjectStore(work), Postgres(work)
    try:
        store.start()
        postgres.start()
        runner = Runner(sys.argv[1], work, store, postgres)
        once(runner, daily_orders(runner))
        overwrite(runner, store)
        leftovers(runner)
        word_count(runner)
        faults(runner)
        print("passed")
    finally:
        for server in (store, postgres):
            server.stop()
        shutil.rmtree(work, ignore_errors=True)


if __name__ == "__main__":
    main()
