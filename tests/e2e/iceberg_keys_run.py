#!/usr/bin/env python3
"""A job that keeps an Iceberg table by key, killed with -9 at random moments, while pyiceberg appends to it and
deletes from it.

A random history of rows that come, change and go is written to a topic as a changelog, and kept in a map beside.

  unique         whoever reads at any moment sees no key twice
  by key         at the end the tables hold what the map does: one without partitions, and one that pyiceberg has
                 made, by bucket of the key and the beginning of a text, so that rows move between partitions
  counted        a query that updates its rows holds the newest of each key
  others         what pyiceberg appended and did not delete again is there, too
  equal          pyiceberg and DuckDB read the same
  partitions     of every file, as pyiceberg computes them of its rows

    iceberg_keys_run.py BINARY [--s3]
"""

import json
import os
import random
import shutil
import subprocess
import sys
import tempfile
import threading
import time
import traceback

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from iceberg_sink_run import ASK_DUCKDB, DEPS, S3, DevProject, IcebergCatalog, Place, Proxy, check  # noqa: E402
import pyarrow  # noqa: E402
import pyarrow.parquet  # noqa: E402
from pyiceberg.catalog import load_catalog  # noqa: E402
from pyiceberg.exceptions import CommitFailedException  # noqa: E402
from pyiceberg.expressions import EqualTo  # noqa: E402
from pyiceberg.partitioning import PartitionField, PartitionSpec  # noqa: E402
from pyiceberg.schema import Schema  # noqa: E402
from pyiceberg.transforms import BucketTransform, TruncateTransform  # noqa: E402
from pyiceberg.types import LongType, NestedField, StringType  # noqa: E402

ROUNDS = 1 if S3 else 3
KEYS = 300
CHANGES = 3000
GROUPS = 7

JOB = """
SET 'millrace.epoch.bytes' = '20 kb';
SET 'execution.checkpointing.interval' = '300 ms';
CREATE TABLE changes (k BIGINT, name STRING, n BIGINT, PRIMARY KEY (k) NOT ENFORCED)
WITH ('connector' = 'kafka', 'topic' = 'changes', 'properties.bootstrap.servers' = 'embedded',
  'scan.startup.mode' = 'earliest-offset', 'format' = 'debezium-json');
CREATE TABLE people (k BIGINT, name STRING, n BIGINT, PRIMARY KEY (k) NOT ENFORCED)
WITH ('connector' = 'iceberg', 'uri' = '%(uri)s', 'catalog-table' = 'sales.people', 'commit.interval' = '1 ms',
  'request.timeout' = '5 s', 'maintenance.interval' = '300 ms', 'snapshot.retention' = '10 min'%(store)s%(login)s);
INSERT INTO people SELECT * FROM changes;
CREATE TABLE parted (k BIGINT, name STRING, n BIGINT, PRIMARY KEY (k) NOT ENFORCED)
WITH ('connector' = 'iceberg', 'uri' = '%(uri)s', 'catalog-table' = 'sales.parted', 'commit.interval' = '100 ms',
  'request.timeout' = '5 s', 'maintenance.interval' = '300 ms', 'target-file-size' = '4kb'%(store)s);
INSERT INTO parted SELECT * FROM changes;
CREATE TABLE totals (g BIGINT, rows_there BIGINT, total BIGINT, PRIMARY KEY (g) NOT ENFORCED)
WITH ('connector' = 'iceberg', 'uri' = '%(uri)s', 'catalog-table' = 'sales.totals', 'commit.interval' = '50 ms',
  'request.timeout' = '5 s'%(store)s);
INSERT INTO totals SELECT MOD(k, 7), COUNT(*), SUM(n) FROM changes GROUP BY MOD(k, 7);
"""


class History:
    """Random changes; `rows` is what they come to."""

    def __init__(self):
        self.rows = {}

    def change(self):
        key = random.randrange(KEYS)
        before = self.rows.get(key)
        after = None if before and random.random() < 0.3 else {
            "k": key, "name": random.choice(["", "anna", "berta", "émile", None, "x" * 40]), "n": random.randrange(1000)}
        if after:
            self.rows[key] = after
        else:
            del self.rows[key]
        return {"before": before, "after": after, "op": "d" if not after else "u" if before else "c"}

    def produce(self, project, count=CHANGES):
        project.produce("changes", [json.dumps(self.change()) for _ in range(count)])

    def wanted(self):
        return sorted(tuple(row.values()) for row in self.rows.values())

    def totals(self):
        groups = {}
        for row in self.rows.values():
            rows, total = groups.get(row["k"] % GROUPS, (0, 0))
            groups[row["k"] % GROUPS] = (rows + 1, total + row["n"])
        return sorted((group, *sums) for group, sums in groups.items())


def rows_of(table):
    return sorted((tuple(row.values()) for row in table.scan().to_arrow().to_pylist()), key=lambda row: row[0])


PEOPLE = pyarrow.schema([pyarrow.field("k", pyarrow.int64(), nullable=False), ("name", pyarrow.string()),
                         ("n", pyarrow.int64())])


class Reader(threading.Thread):
    """Reads all the time; appends now and then rows with keys below 0, and deletes some of them."""

    def __init__(self, catalog):
        super().__init__()
        self.catalog = catalog
        self.done = threading.Event()
        self.reads = 0
        self.there = set()
        self.deleted = 0
        self.fault = None

    def run(self):
        try:
            while not self.done.is_set():
                table = self.catalog.load_table("sales.people")
                keys = [row[0] for row in rows_of(table)]
                check(len(keys) == len(set(keys)), "a key is there twice")
                self.reads += 1
                if self.reads % 3 == 0:
                    self.change(table)
        except (SystemExit, Exception) as fault:  # pylint: disable=broad-except
            self.fault = "".join(traceback.format_exception(fault))

    def change(self, table):
        key = -self.reads
        try:
            if len(self.there) > 3 and random.random() < 0.5:
                gone = min(self.there)
                table.delete(EqualTo("k", gone))
                self.there.discard(gone)
                self.deleted += 1
            else:
                table.append(pyarrow.table({"k": [key], "name": ["foreign"], "n": [0]}, schema=PEOPLE))
                self.there.add(key)
        except CommitFailedException:  # the job was faster
            pass

    def stop(self):
        self.done.set()
        self.join()


def make_parted(catalog):
    """By somebody else."""
    schema = Schema(NestedField(1, "k", LongType()), NestedField(2, "name", StringType()),
                    NestedField(3, "n", LongType()))
    spec = PartitionSpec(PartitionField(1, 1000, BucketTransform(4), "k_bucket"),
                         PartitionField(2, 1001, TruncateTransform(2), "name_begins"))
    catalog.create_namespace("sales")
    catalog.create_table("sales.parted", schema, partition_spec=spec)


def partitions(table, place):
    bucket, begins = BucketTransform(4).transform(LongType()), TruncateTransform(2).transform(StringType())
    files, seen = 0, set()
    for task in table.scan().plan_files():
        rows = pyarrow.parquet.ParquetFile(place.path(task.file.file_path)).read().to_pylist()
        check(rows, "an empty file")
        for row in rows:
            wanted = (bucket(row["k"]), begins(row["name"]))
            check(tuple(task.file.partition) == wanted, "%s is in partition %s" % (row, task.file.partition))
        seen.add(tuple(task.file.partition))
        files += 1
    check(len(seen) > 8, "only %d partitions" % len(seen))
    print("partitions: %d files in %d, as pyiceberg computes them" % (files, len(seen)))


def asked_of_duckdb(server, place, table, columns):
    sql = place.secret() + ("ATTACH '' AS lake (TYPE iceberg, ENDPOINT '%s', AUTHORIZATION_TYPE none);"
                            "SELECT %s FROM lake.sales.%s ORDER BY 1" % (server.url(), columns, table))
    asked = subprocess.run([os.path.join(DEPS, "dbt", "bin", "python"), "-c", ASK_DUCKDB,
                            os.path.join(DEPS, "duckdb-1.5.5", "extensions"), sql],
                           capture_output=True, text=True, check=False)
    check(asked.returncode == 0, asked.stderr)
    return [tuple(row) for row in json.loads(asked.stdout)]


def crash_rounds(project, server, place):
    catalog = load_catalog("lake", uri=server.url(), **place.properties())
    make_parted(catalog)
    proxy = Proxy(server)
    project.write(JOB % {"uri": proxy.url(), **place.options()})
    history, reader = History(), None

    def arrived():
        return ([row for row in rows_of(catalog.load_table("sales.people")) if row[0] >= 0] == history.wanted()
                and rows_of(catalog.load_table("sales.parted")) == history.wanted()
                and rows_of(catalog.load_table("sales.totals")) == history.totals())

    try:
        for _ in range(ROUNDS):
            history.produce(project)
            project.start()
            project.until(lambda: all(catalog.table_exists("sales." + name) for name in ("people", "totals")),
                          "no table is made")
            if reader is None:
                reader = Reader(catalog)
                reader.start()
            time.sleep(random.uniform(0.2, 1.5))
            project.kill()
        project.start()
        project.until(arrived, "the tables are not what the changes come to")
        history.produce(project, 50)
        project.until(arrived, "the tables are not what the changes come to at last")
        reader.stop()
        project.stop()
    finally:
        if reader is not None:
            reader.stop()
    check(reader.fault is None, "a reader: %s" % reader.fault)
    people = catalog.load_table("sales.people")
    foreign = {row[0] for row in rows_of(people) if row[0] < 0}
    check(foreign == reader.there, "foreign rows %s, not %s" % (foreign, reader.there))
    for name, columns, wanted in (("parted", "k, name, n", history.wanted()),
                                  ("totals", "g, rows_there, total", history.totals())):
        check(asked_of_duckdb(server, place, name, columns) == wanted, "DuckDB reads another %s" % name)
    theirs = asked_of_duckdb(server, place, "people", "k, name, n")
    check(theirs == rows_of(people), "DuckDB reads other people than pyiceberg")
    partitions(catalog.load_table("sales.parted"), place)
    operations = {snapshot.summary.operation.value for snapshot in people.snapshots()}
    print("by key: %d rows of %d keys, in %d snapshots (%s); %d foreign rows, %d deleted again, %d reads; "
          "%d answers of the catalog lost"
          % (len(history.rows), KEYS, len(people.snapshots()), ", ".join(sorted(operations)), len(foreign),
             reader.deleted, reader.reads, proxy.lost))


def main():
    if len(sys.argv) != (3 if S3 else 2):
        sys.exit(__doc__)
    work = tempfile.mkdtemp()
    place = Place(work)
    server = IcebergCatalog(work, place.store, vends_credentials=True)
    try:
        server.start()
        crash_rounds(DevProject(sys.argv[1], os.path.join(work, "project")), server, place)
        print("passed")
    finally:
        server.stop()
        place.stop()
        shutil.rmtree(work, ignore_errors=True)


if __name__ == "__main__":
    main()
