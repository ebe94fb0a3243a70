#!/usr/bin/env python3
"""A job that writes into a DuckLake, killed with -9 at random moments, read by DuckDB's Python client.

For a catalog in SQLite with files on this machine, and one in PostgreSQL with files on a real S3 server:

  old or new     whoever reads at any moment sees exactly the rows 0 … n-1, n never falling
  once           at the end each row of the topic is there once
  time travel    an older snapshot still has what it had

    lake_run.py BINARY
"""

import os
import random
import shutil
import sys
import tempfile
import threading
import time

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
sys.dont_write_bytecode = True
sys.path.insert(0, os.path.join(ROOT, "tests", "support"))
sys.path.insert(0, os.path.join(ROOT, "examples", "orders"))
from dev_project import DevProject, check  # noqa: E402
from s3_server import DEPS, ObjectStore  # noqa: E402
from servers import Postgres  # noqa: E402
import duckdb  # noqa: E402

ROUNDS = 3
CHUNK = 20_000

JOB = """
SET 'millrace.epoch.bytes' = '50 kb';
SET 'execution.checkpointing.interval' = '300 ms';
CREATE TABLE numbers (id BIGINT, word STRING)
WITH ('connector' = 'kafka', 'topic' = 'numbers', 'properties.bootstrap.servers' = 'embedded',
  'scan.startup.mode' = 'earliest-offset', 'format' = 'json');
CREATE TABLE lake_numbers (id BIGINT, word STRING)
WITH ('connector' = 'ducklake', 'catalog' = '%s', 'table-name' = 'numbers', 'commit.interval' = '1 ms',
  'maintenance.interval' = '500 ms', 'target-file-size' = '1mb', 'snapshot.retention' = '10 min',
  'cleanup.delay' = '5 s', 'orphan.delay' = '1 s'%s);
INSERT INTO lake_numbers SELECT id, word FROM numbers;
"""
ON_S3 = """, 'data-path' = 's3://data-lake/lake.files', 's3.endpoint' = '${env:S3_ENDPOINT}',
  's3.region' = 'us-east-1', 's3.url-style' = 'path', 's3.tls' = 'false', 's3.key-id' = '${env:S3_KEY_ID}',
  's3.secret' = '${env:S3_SECRET}'"""


def files_of(project, store):
    """Where the data files lie on this machine; those of the store, too."""
    home = os.path.join(store.directory, "buckets", "data-lake") if store else project
    return os.path.join(home, "lake.files")


class Lake:
    """What another client sees."""

    def __init__(self, catalog, project, store):
        place = catalog if catalog.startswith("postgres") else "sqlite:%s/lake.sqlite" % project
        self.files = files_of(project, store)
        self.client = duckdb.connect()
        self.client.execute("SET extension_directory = '%s/duckdb-1.5.5/extensions'" % DEPS)
        self.client.execute("SET autoload_known_extensions = true")
        if store:
            store.attach(self.client)
        self.client.execute("ATTACH 'ducklake:%s' AS lake (READ_ONLY)" % place)

    def ask(self, sql, tries=10):
        began = time.monotonic()
        try:
            return self.client.execute(sql).fetchall()
        except duckdb.Error:
            # Merged files go 5 s after the merge began: a read that is held up may miss them.
            if tries == 1 or time.monotonic() - began < 1:
                raise
        return self.ask(sql, tries - 1)

    def count(self, at=""):
        """Rows; fails when they are not 0 … n-1, each once."""
        rows, distinct, last = self.ask(
            "SELECT count(*), count(DISTINCT id), max(id) FROM lake.numbers " + at)[0]
        check(rows == distinct and (last if rows else -1) == rows - 1,
              "%d rows, %d distinct, the last is %s" % (rows, distinct, last))
        return rows

    def file_count(self):
        return sum(len(files) for _, _, files in os.walk(self.files))


class Reader(threading.Thread):
    def __init__(self, lake):
        super().__init__()
        self.lake = lake
        self.done = threading.Event()
        self.seen = []
        self.fault = None

    def run(self):
        try:
            while not self.done.is_set():
                count = self.lake.count()
                check(not self.seen or count >= self.seen[-1], "rows were there, and went")
                self.seen.append(count)
                time.sleep(0.05)
        except (SystemExit, duckdb.Error) as fault:
            self.fault = fault


def numbers(first):
    return ('{"id": %d, "word": "word %d"}' % (i, i % 1000) for i in range(first, first + CHUNK))


def crash_rounds(binary, work, catalog, store=None):
    project = DevProject(binary, os.path.join(work, "lake-in-" + catalog.split(":")[0]))
    project.write(JOB % (catalog.replace("'", "''"), ON_S3 if store else ""))
    reader, produced, early = None, 0, None
    try:
        for _ in range(ROUNDS):
            project.produce("numbers", numbers(produced))
            produced += CHUNK
            project.start()
            if reader is None:
                project.until(lambda: os.path.isdir(os.path.join(files_of(project.directory, store), "main", "numbers")),
                              "the lake is not made")
                reader = Reader(Lake(catalog, project.directory, store))
                reader.start()
            time.sleep(random.uniform(0.2, 1.0))
            project.kill()
        project.start()
        lake = Lake(catalog, project.directory, store)
        project.until(lambda: lake.count() == produced, "rows are missing")
        early = lake.ask("SELECT max(snapshot_id) FROM lake.snapshots() WHERE author = 'millrace'")[0][0]
        project.until(project.status, "it does not answer")
        project.produce("numbers", numbers(produced))
        produced += CHUNK
        project.until(lambda: lake.count() == produced, "rows are missing")
        project.stop()
    finally:
        if reader is not None:
            reader.done.set()
            reader.join()
    check(reader.fault is None, "a reader: %s" % reader.fault)
    before = lake.count("AT (VERSION => %d)" % early)
    check(before == produced - CHUNK, "snapshot %d has %d rows" % (early, before))
    snapshots = lake.ask("SELECT count(*) FROM lake.snapshots()")[0][0]
    print("%-8s %d rows once, %d reads of %d states; %d snapshots, %d files, snapshot %d had %d rows"
          % (catalog.split(":")[0], produced, len(reader.seen), len(set(reader.seen)), snapshots,
             lake.file_count(), early, before))


def main():
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    work = tempfile.mkdtemp()
    os.chmod(work, 0o755)  # PostgreSQL's user looks below it
    postgres = Postgres(work)
    store = ObjectStore(work)
    try:
        crash_rounds(sys.argv[1], work, "sqlite:lake.sqlite")
        postgres.start()
        store.start()
        os.environ.update(store.environment())
        crash_rounds(sys.argv[1], work,
                     "postgres:dbname=postgres host=127.0.0.1 port=%d user=postgres" % postgres.port, store)
        print("passed")
    finally:
        postgres.stop()
        store.stop()
        shutil.rmtree(work, ignore_errors=True)


if __name__ == "__main__":
    main()
