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
import signal
import subprocess
import sys
import tempfile
import threading
import time

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
sys.dont_write_bytecode = True
sys.path.insert(0, os.path.join(ROOT, "tests", "support"))
sys.path.insert(0, os.path.join(ROOT, "examples", "orders"))
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


def check(condition, text):
    if not condition:
        raise SystemExit("FAILED: " + text)


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

    def ask(self, sql):
        return self.client.execute(sql).fetchall()

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


def produce(binary, project, first):
    lines = "".join('{"id": %d, "word": "word %d"}\n' % (i, i % 1000) for i in range(first, first + CHUNK))
    subprocess.run([binary, "topics", "-C", project, "produce", "numbers"], input=lines, text=True,
                   check=True, stdout=subprocess.DEVNULL)


def start(binary, project):
    log = open(os.path.join(project, "run.log"), "a")
    return subprocess.Popen([binary, "dev", project, "--port", "0"], stdout=log, stderr=log)


def answers(binary, project):
    return subprocess.run([binary, "status", project], check=False, stdout=subprocess.DEVNULL,
                          stderr=subprocess.DEVNULL).returncode == 0


def until(condition, process, text):
    deadline = time.monotonic() + 180
    while not condition():
        check(process.poll() is None, text + ": it ended")
        if time.monotonic() > deadline:
            subprocess.run([*process.args[:1], "status", process.args[2]], check=False)
            check(False, text)
        time.sleep(0.05)


def everything_arrives(lake, produced, process):
    """Waits; what the lake had at last, and what the process says, are in the failure."""
    try:
        until(lambda: lake.count() == produced, process, "rows are missing")
    except SystemExit:
        print("%d of %d rows; the process said:" % (lake.count(), produced), flush=True)
        subprocess.run(["tail", "-30", os.path.join(process.args[2], "run.log")], check=False)
        raise


def crash_rounds(binary, work, catalog, store=None):
    project = os.path.join(work, "lake-in-" + catalog.split(":")[0])
    os.makedirs(os.path.join(project, "sql"))
    with open(os.path.join(project, "millrace.yml"), "w") as file:
        file.write("name: lake\n")
    with open(os.path.join(project, "sql", "numbers.sql"), "w") as file:
        file.write(JOB % (catalog.replace("'", "''"), ON_S3 if store else ""))
    reader, produced, early = None, 0, None
    try:
        for turn in range(ROUNDS):
            produce(binary, project, produced)
            produced += CHUNK
            process = start(binary, project)
            if reader is None:
                until(lambda: os.path.isdir(os.path.join(files_of(project, store), "main", "numbers")),
                      process, "the lake is not made")
                reader = Reader(Lake(catalog, project, store))
                reader.start()
            time.sleep(random.uniform(0.2, 1.0))
            process.send_signal(signal.SIGKILL)
            process.wait()
        process = start(binary, project)
        lake = Lake(catalog, project, store)
        everything_arrives(lake, produced, process)
        early = lake.ask("SELECT max(snapshot_id) FROM lake.snapshots() WHERE author = 'millrace'")[0][0]
        until(lambda: answers(binary, project), process, "it does not answer")
        produce(binary, project, produced)
        produced += CHUNK
        everything_arrives(lake, produced, process)
        process.send_signal(signal.SIGTERM)
        check(process.wait() == 0, "it did not end well")
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
