#!/usr/bin/env python3
"""Batches into Iceberg tables through a real REST catalog, read back with pyiceberg.

  written        types, NULLs and an empty result arrive as they were
  once           a run that is repeated, or killed with -9 while it commits, is there once or not at all:
                 its rows and its entry in millrace.batch_runs are one commit of two tables
  time travel    an older snapshot has what it had

    iceberg_run.py BINARY
"""

import datetime
import decimal
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
sys.dont_write_bytecode = True
sys.path.insert(0, os.path.join(ROOT, "tests", "support"))
from iceberg_catalog import IcebergCatalog  # noqa: E402
from pyiceberg.catalog import load_catalog  # noqa: E402

KILLS = 3
ROWS = 50_000

PROJECT = """
batch:
  databases:
    lake: {url: warehouse, options: {type: iceberg, endpoint: "%s", authorization_type: none}}
"""
TYPES = """
CREATE SCHEMA IF NOT EXISTS lake.sales;
CREATE TABLE lake.sales.types (id BIGINT, name VARCHAR, price DECIMAL(12, 2), day DATE, seen_at TIMESTAMP);
INSERT INTO lake.sales.types VALUES (1, 'ä "', 12.50, DATE '2025-07-24', TIMESTAMP '2025-07-24 10:00:00.123'),
  (2, NULL, NULL, NULL, NULL);
INSERT INTO lake.sales.types SELECT * FROM lake.sales.types WHERE id > 7;
"""
APPEND = """
CREATE SCHEMA IF NOT EXISTS lake.sales;
CREATE TABLE IF NOT EXISTS lake.sales.orders (run VARCHAR, id BIGINT);
INSERT INTO lake.sales.orders SELECT getvariable('name'), id FROM range(%d) AS numbers(id);
""" % ROWS


def check(condition, text):
    if not condition:
        raise SystemExit("FAILED: " + text)


def equal(got, wanted, text):
    check(got == wanted, "%s\n  expected %s\n  got      %s" % (text, wanted, got))


def start(binary, project, file, *arguments):
    return subprocess.Popen([binary, "batch", os.path.join(project, file), *arguments],
                            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)


def run(*arguments):
    process = start(*arguments)
    out, _ = process.communicate()
    check(process.returncode == 0, out)
    return out


def written(binary, project, catalog):
    run(binary, project, "types.sql")
    rows = catalog.load_table("sales.types").scan().to_arrow().to_pylist()
    equal(sorted(rows, key=lambda row: row["id"]),
          [{"id": 1, "name": 'ä "', "price": decimal.Decimal("12.50"), "day": datetime.date(2025, 7, 24),
            "seen_at": datetime.datetime(2025, 7, 24, 10, 0, 0, 123000)},
           {"id": 2, "name": None, "price": None, "day": None, "seen_at": None}], "types")
    print("written: read back with equal values")


def counts(catalog):
    """{run: (rows, different ids)}"""
    rows = catalog.load_table("sales.orders").scan().to_arrow().group_by("run").aggregate(
        [("id", "count"), ("id", "count_distinct")])
    return {row["run"]: (row["id_count"], row["id_count_distinct"]) for row in rows.to_pylist()}


def noted(catalog):
    runs = catalog.load_table("millrace.batch_runs").scan().to_arrow().to_pylist()
    return sorted(row["run"].split("name=")[1] for row in runs if "name=" in row["run"])


def once(binary, project, catalog):
    began = time.monotonic()
    run(binary, project, "append.sql", "--set", "name=first")
    took = time.monotonic() - began
    check("done before" in run(binary, project, "append.sql", "--set", "name=first"), "not once")
    first = catalog.load_table("sales.orders").current_snapshot().snapshot_id
    killed = 0
    for turn in range(KILLS):
        process = start(binary, project, "append.sql", "--set", "name=run %d" % turn)
        time.sleep(took * random.uniform(0.6, 1.0))
        process.send_signal(signal.SIGKILL)
        killed += process.wait() == -signal.SIGKILL
        process.communicate()
    # The catalog may still be at the request of a process that is gone.
    deadline = time.monotonic() + 180
    while sorted(counts(catalog)) != noted(catalog) and time.monotonic() < deadline:
        time.sleep(0.2)
    there = counts(catalog)
    equal(sorted(there), noted(catalog), "runs that are noted, and runs whose rows are there")
    equal(set(there.values()), {(ROWS, ROWS)}, "rows of each run, and different ones")
    for turn in range(KILLS):
        run(binary, project, "append.sql", "--set", "name=run %d" % turn)
    table = catalog.load_table("sales.orders")
    equal(table.scan().to_arrow().num_rows, (KILLS + 1) * ROWS, "rows after all runs")
    equal(table.scan(snapshot_id=first).to_arrow().num_rows, ROWS, "rows of the first snapshot")
    print("once: %d killed, %d of them after their commit" % (killed, len(there) - 1))


def main():
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    work = tempfile.mkdtemp()
    server = IcebergCatalog(work)
    try:
        server.start()
        project = os.path.join(work, "project")
        os.mkdir(project)
        for name, text in (("millrace.yml", PROJECT % server.url()), ("types.sql", TYPES),
                           ("append.sql", APPEND)):
            with open(os.path.join(project, name), "w") as file:
                file.write(text)
        catalog = load_catalog("lake", uri=server.url())
        written(sys.argv[1], project, catalog)
        once(sys.argv[1], project, catalog)
        print("passed")
    finally:
        server.stop()
        shutil.rmtree(work, ignore_errors=True)


if __name__ == "__main__":
    main()
