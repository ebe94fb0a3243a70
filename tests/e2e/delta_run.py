#!/usr/bin/env python3
"""A job that writes into a Delta table, killed with -9 at random moments, while another client appends.

Read by deltalake (the client in Rust) and by DuckDB's extension (delta-kernel):

  old or new     whoever reads at any moment sees exactly the rows 0 … n-1, n never falling
  once           at the end the table is what DuckDB makes of the input as a batch
  by key         a table of a query that updates its rows holds the newest of each key
  others         rows that deltalake's own writer appends meanwhile are all there, too
  time travel    an older version still has what it had; the history says which epoch it is

With --s3 the tables lie in a real S3 store, where commits are objects that are made only if there is none, and
  away           while the store is down the job waits, says why, and goes on when it is back

    delta_run.py BINARY [--s3]
"""

import collections
import os
import random
import shutil
import sys
import tempfile
import threading
import time

import deltalake
import duckdb
import pyarrow

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
sys.dont_write_bytecode = True
sys.path.insert(0, os.path.join(ROOT, "tests", "support"))
from dev_project import DevProject, check  # noqa: E402
from s3_server import DEPS, ObjectStore  # noqa: E402

S3 = "--s3" in sys.argv
ROUNDS = 1 if S3 else 3
CHUNK = 20_000

JOB = """
SET 'millrace.epoch.bytes' = '50 kb';
SET 'execution.checkpointing.interval' = '300 ms';
CREATE TABLE numbers (id BIGINT, word STRING)
WITH ('connector' = 'kafka', 'topic' = 'numbers', 'properties.bootstrap.servers' = 'embedded',
  'scan.startup.mode' = 'earliest-offset', 'format' = 'json');
CREATE TABLE lake_numbers (id BIGINT, word STRING, amount DECIMAL(12, 2), at TIMESTAMP(3), part STRING)
PARTITIONED BY (part)
WITH ('connector' = 'delta', 'path' = '%(root)s/numbers'%(store)s, 'commit.interval' = '1 ms',
  'maintenance.interval' = '300 ms', 'retention' = '10 min', 'checkpoint.versions' = '10');
INSERT INTO lake_numbers SELECT id, word, CAST(id * 0.07 AS DECIMAL(12, 2)),
  CAST(TIMESTAMPADD(SECOND, CAST(id AS INT), TIMESTAMP '2026-01-01 00:00:00') AS TIMESTAMP(3)), word
FROM numbers;
CREATE TABLE lake_buckets (bucket BIGINT, n BIGINT, newest BIGINT, PRIMARY KEY (bucket) NOT ENFORCED)
WITH ('connector' = 'delta', 'path' = '%(root)s/buckets'%(store)s, 'commit.interval' = '50 ms',
  'maintenance.interval' = '300 ms', 'retention' = '10 min', 'checkpoint.versions' = '5');
INSERT INTO lake_buckets SELECT MOD(id, 100), COUNT(*), MAX(id) FROM numbers GROUP BY MOD(id, 100);
"""

STORE = """, 's3.endpoint' = '127.0.0.1:%d', 's3.tls' = 'false', 's3.url-style' = 'path', 's3.region' = 'us-east-1',
  's3.key-id' = '%s', 's3.secret' = '%s'"""

# The same rows, by DuckDB.
BATCH = """
SELECT id, 'a/b ' || (id %% 3) AS word, (id * 0.07)::DECIMAL(12, 2) AS amount,
  TIMESTAMP '2026-01-01' + to_seconds(id) AS at, word AS part FROM range(%d) AS r(id)
"""


BUCKETS = "SELECT id %% 100 AS bucket, count(*) AS n, max(id) AS newest FROM range(%d) AS r(id) GROUP BY ALL"


class Place:
    """Where the tables are: below the project, or in the bucket of a store."""

    def __init__(self, work, project):
        self.store = ObjectStore(work) if S3 else None
        self.root = "s3://data-lake/a lake" if S3 else os.path.join(project, "lake")
        if self.store:
            self.store.start()

    def job(self):
        if not self.store:
            return JOB % {"root": "lake", "store": ""}
        return JOB % {"root": self.root,
                      "store": STORE % (self.store.port, self.store.key_id, self.store.secret)}

    def options(self):
        """Of deltalake."""
        return self.store.delta_options() if self.store else None

    def open(self, path, version=None):
        return deltalake.DeltaTable(path, version=version, storage_options=self.options())

    def stop(self):
        if self.store:
            self.store.stop()


class Table:
    """What two other clients see."""

    def __init__(self, place, name):
        self.place = place
        self.path = place.root + "/" + name
        self.client = duckdb.connect()
        self.client.execute("SET extension_directory = '%s/duckdb-1.5.5/extensions'" % DEPS)
        self.client.execute("SET autoload_known_extensions = true")
        self.client.execute("SET TimeZone = 'UTC'")
        if place.store:
            place.store.attach(self.client)

    def ask(self, sql):
        """Of DuckDB; %s stands for the table."""
        return self.client.execute(sql % ("delta_scan('%s')" % self.path)).fetchall()

    def rows(self, version=None):
        """As deltalake reads them, ours only."""
        table = self.place.open(self.path, version).to_pyarrow_table()
        return self.client.from_arrow(table).filter("id >= 0")

    def count(self):
        """Ours; fails when they are not 0 … n-1, each once."""
        rows, distinct, last = self.ask(
            "SELECT count(*), count(DISTINCT id), max(id) FROM %s WHERE id >= 0")[0]
        check(rows == distinct and (last if rows else -1) == rows - 1,
              "%d rows, %d distinct, the last is %s" % (rows, distinct, last))
        return rows

    def different(self, rows, produced, batch=BATCH):
        batch = self.client.sql(batch % produced)  # noqa: F841
        return self.client.sql(
            "SELECT count(*) FROM ((FROM rows EXCEPT ALL FROM batch) UNION ALL "
            "(FROM batch EXCEPT ALL FROM rows))").fetchone()[0]


class Reader(threading.Thread):
    def __init__(self, place):
        super().__init__()
        self.table = Table(place, "numbers")
        self.done = threading.Event()
        self.seen = []
        self.fault = None

    def run(self):
        try:
            while not self.done.is_set():
                count = self.table.count()
                check(not self.seen or count >= self.seen[-1], "rows were there, and went")
                self.seen.append(count)
                time.sleep(0.05)
        except (SystemExit, duckdb.Error) as fault:
            self.fault = fault


class Writer(threading.Thread):
    """Appends rows with ids below 0, through deltalake."""

    def __init__(self, place):
        super().__init__()
        self.place = place
        self.done = threading.Event()
        self.written = 0
        self.fault = None

    def run(self):
        schema = pyarrow.schema([("id", pyarrow.int64()), ("word", pyarrow.string()),
                                 ("amount", pyarrow.decimal128(12, 2)),
                                 ("at", pyarrow.timestamp("us")), ("part", pyarrow.string())])
        try:
            while not self.done.is_set():
                row = {"id": -1 - self.written, "word": "other", "amount": None, "at": None, "part": "a/b 0"}
                deltalake.write_deltalake(self.place.root + "/numbers",
                                          pyarrow.Table.from_pylist([row], schema=schema), mode="append",
                                          storage_options=self.place.options())
                self.written += 1
                time.sleep(0.1)
        except Exception as fault:  # pylint: disable=broad-except
            self.fault = fault


def numbers(first):
    return ('{"id": %d, "word": "a/b %d"}' % (i, i % 3) for i in range(first, first + CHUNK))


def there(place, path):
    try:
        return place.open(path).version() >= 0
    except deltalake.exceptions.TableNotFoundError:
        return False


def operations_of(table):
    """How often each is in the history."""
    return collections.Counter(entry["operation"] for entry in table.history())


def produce_until_merged(project, place, path, produced):
    """However few files a slow machine has made of the rows so far. Returns how many rows there are then."""
    deadline = time.monotonic() + 180
    while "OPTIMIZE" not in operations_of(place.open(path)):
        check(time.monotonic() < deadline, "nothing was merged: %s" % operations_of(place.open(path)))
        project.produce("numbers", numbers(produced))
        produced += CHUNK
        time.sleep(0.3)
    return produced


def end(others):
    for other in others:
        other.done.set()
    for other in others:
        other.join()


def away(project, place, produced):
    """The store ends, rows come, and it starts again."""
    place.store.stop()
    project.produce("numbers", numbers(produced))
    project.until(lambda: "failing" in project.status(), "it does not say that it fails")
    check("127.0.0.1:%d" % place.store.port in project.status(), project.status())
    place.store.start()
    print("away: it waits for the store")


def crash_rounds(binary, work):
    project = DevProject(binary, os.path.join(work, "lake"))
    place = Place(work, project.directory)
    try:
        run(project, place)
    finally:
        place.stop()


def run(project, place):
    project.write(place.job())
    table, buckets, produced, others = Table(place, "numbers"), Table(place, "buckets"), 0, []
    path = table.path
    try:
        for _ in range(ROUNDS):
            project.produce("numbers", numbers(produced))
            produced += CHUNK
            project.start()
            if not others:
                project.until(lambda: there(place, path), "the table is not made")
                others = [Reader(place), Writer(place)]
                for other in others:
                    other.start()
            time.sleep(random.uniform(0.2, 1.0))
            project.kill()
            place.open(path).create_checkpoint()  # that the next process reads
        project.start()
        project.until(lambda: table.count() == produced, "rows are missing")
        early, early_rows = place.open(path).version(), produced
        project.until(project.status, "it does not answer")
        if place.store:
            end(others)
            away(project, place, produced)
        else:
            project.produce("numbers", numbers(produced))
        produced = produce_until_merged(project, place, path, produced + CHUNK)
        project.until(lambda: table.count() == produced, "rows are missing")
        project.until(lambda: buckets.ask("SELECT sum(n) FROM %s")[0][0] == produced, "counts are missing")
        project.stop()
    finally:
        end(others)
    for other in others:
        check(other.fault is None, "%s: %s" % (type(other).__name__, other.fault))
    reader, writer = others
    check(table.different(table.rows(), produced) == 0, "deltalake reads other rows than the batch has")
    scanned = table.client.sql("SELECT * FROM delta_scan('%s') WHERE id >= 0" % path)
    check(table.different(scanned, produced) == 0, "DuckDB reads other rows than the batch has")
    check(table.different(table.rows(early), early_rows) == 0, "version %d has changed" % early)
    counted = buckets.client.from_arrow(place.open(buckets.path).to_pyarrow_table())
    check(buckets.different(counted, produced, BUCKETS) == 0, "other buckets than the batch has")
    foreign = table.ask("SELECT count(*), count(DISTINCT id) FROM %s WHERE id < 0")[0]
    check(foreign == (writer.written,) * 2, "%d foreign rows, %s there" % (writer.written, foreign))
    delta = place.open(path)
    operations = operations_of(delta)
    for operation in ("STREAMING UPDATE", "OPTIMIZE", "WRITE"):
        check(operations.get(operation), "no %s in the history: %s" % (operation, operations))
    print("%d rows once and %d of another writer, %d reads of %d states; %d versions, %d files, %s; "
          "%d versions by key"
          % (produced, writer.written, len(reader.seen), len(set(reader.seen)), delta.version() + 1,
             len(delta.file_uris()), operations, place.open(buckets.path).version() + 1))


def main():
    if len(sys.argv) != (3 if S3 else 2):
        sys.exit(__doc__)
    work = tempfile.mkdtemp()
    try:
        crash_rounds(sys.argv[1], work)
        print("passed")
    finally:
        shutil.rmtree(work, ignore_errors=True)


if __name__ == "__main__":
    main()
