#!/usr/bin/env python3
"""A job that writes an Iceberg table of a real REST catalog, killed with -9 at random moments, through
a proxy that loses answers of the catalog, while pyiceberg appends to the same table and reads it.

  old or new     whoever reads at any moment sees exactly the rows 0 … n-1, n never falling
  once           at the end each row of the topic is there once, and each of the foreign ones
  equal          pyiceberg and DuckDB read what DuckDB makes of the topic's records
  time travel    an older snapshot still has what it had
  metrics        counts and bounds of every file are those of its rows
  partitions     a table that pyiceberg has made is written as it is partitioned: by identity, and by month,
                 too, as soon as pyiceberg says so
  evolution      columns that it lacks are added
  bounded        a table whose snapshots are expired at once has few of them, few manifests and files,
                 and no file on the disk that it does not name

With --s3 the tables lie in a real S3 store, the credentials for one of them come from the catalog, and
  away           while the store is down the job waits, says why, and goes on when it is back

    iceberg_sink_run.py BINARY [--s3]
"""

import datetime
import http.client
import http.server
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

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
sys.dont_write_bytecode = True
sys.path.insert(0, os.path.join(ROOT, "tests", "support"))
from dev_project import DevProject, check  # noqa: E402
from iceberg_catalog import DEPS, IcebergCatalog  # noqa: E402
from s3_server import ObjectStore  # noqa: E402
import pyarrow  # noqa: E402
import pyarrow.parquet  # noqa: E402
from pyiceberg.catalog import load_catalog  # noqa: E402
from pyiceberg.conversions import from_bytes  # noqa: E402
from pyiceberg.exceptions import CommitFailedException  # noqa: E402
from pyiceberg.partitioning import PartitionField, PartitionSpec  # noqa: E402
from pyiceberg.schema import Schema  # noqa: E402
from pyiceberg.table.snapshots import Operation  # noqa: E402
from pyiceberg.transforms import IdentityTransform, MonthTransform  # noqa: E402
from pyiceberg.types import DateType, LongType, NestedField, StringType  # noqa: E402

S3 = "--s3" in sys.argv
ROUNDS = 1 if S3 else 3
CHUNK = 10_000

JOB = """
SET 'millrace.epoch.bytes' = '50 kb';
SET 'execution.checkpointing.interval' = '300 ms';
CREATE TABLE numbers (id BIGINT)
WITH ('connector' = 'kafka', 'topic' = 'numbers', 'properties.bootstrap.servers' = 'embedded',
  'scan.startup.mode' = 'earliest-offset', 'format' = 'json');
CREATE TABLE lake_numbers (%(declared)s)
WITH ('connector' = 'iceberg', 'uri' = '%(uri)s', 'catalog-table' = 'sales.numbers',
  'commit.interval' = '1 ms', 'request.timeout' = '5 s', 'maintenance.interval' = '500 ms',
  'snapshot.retention' = '1 min'%(store)s%(login)s);
INSERT INTO lake_numbers SELECT %(selected)s FROM numbers;
CREATE TABLE tidy_numbers (id BIGINT, tags ARRAY<STRING>)
WITH ('connector' = 'iceberg', 'uri' = '%(uri)s', 'catalog-table' = 'sales.tidy', 'commit.interval' = '1 ms',
  'request.timeout' = '5 s', 'maintenance.interval' = '300 ms', 'snapshot.retention' = '0 s',
  'orphan.delay' = '0 s'%(store)s);
INSERT INTO tidy_numbers SELECT id, ARRAY[CAST(MOD(id, 3) AS STRING), 'x'] FROM numbers;
"""
COLUMNS = {
    "id": ("BIGINT", "id"),
    "kind": ("STRING", "CASE WHEN MOD(id, 2) = 0 THEN 'even' END"),
    "word": ("STRING", "CASE WHEN MOD(id, 7) > 0 THEN 'a rather long word ' || CAST(id AS STRING) END"),
    "price": ("DECIMAL(12, 2)", "CAST(id AS DECIMAL(12, 2)) / 4"),
    "day": ("DATE", "CAST(TIMESTAMPADD(DAY, MOD(CAST(id AS INT), 60), DATE '2026-01-01') AS DATE)"),
}
# The same in DuckDB's dialect.
BATCH = {
    "numbers": """SELECT id, CASE WHEN id % 2 = 0 THEN 'even' END AS kind,
      CASE WHEN id % 7 > 0 THEN 'a rather long word ' || id END AS word, (id / 4)::DECIMAL(12, 2) AS price,
      DATE '2026-01-01' + (id % 60)::INTEGER AS day""",
    "tidy": "SELECT id, [(id % 3)::VARCHAR, 'x'] AS tags",
}
# How many rows are in one of the two only, and how many there are.
COMPARE = """ATTACH '' AS lake (TYPE iceberg, ENDPOINT '{uri}', AUTHORIZATION_TYPE none, ACCESS_DELEGATION_MODE 'none');
CREATE TEMP TABLE wanted AS {batch} FROM range({rows}) AS numbers(id);
CREATE TEMP TABLE there AS SELECT {columns} FROM lake.sales.{table} WHERE id >= 0;
SELECT (SELECT count(*) FROM (FROM there EXCEPT ALL FROM wanted)),
  (SELECT count(*) FROM (FROM wanted EXCEPT ALL FROM there)), (SELECT count(*) FROM there)"""
ASK_DUCKDB = """
import duckdb, json, sys
client = duckdb.connect(config={"extension_directory": sys.argv[1], "autoload_known_extensions": "true"})
client.execute("LOAD iceberg")
print(json.dumps(client.execute(sys.argv[2]).fetchall()))
"""


STORE = """,
  's3.endpoint' = '127.0.0.1:%d', 's3.tls' = 'false', 's3.url-style' = 'path', 's3.region' = 'us-east-1'"""
LOGIN = """,
  's3.key-id' = '%s', 's3.secret' = '%s'"""


class Proxy(http.server.ThreadingHTTPServer):
    """Between the job and the catalog: of some commits the answer gets lost after the catalog made
    them, others do not reach it."""

    daemon_threads = True

    def __init__(self, catalog):
        super().__init__(("127.0.0.1", 0), ProxyRequest)
        self.catalog = catalog
        self.lost = 0
        self.kept = 0
        threading.Thread(target=self.serve_forever, daemon=True).start()

    def url(self):
        return "http://127.0.0.1:%d" % self.server_address[1]

    def handle_error(self, *_):
        """A client that was killed."""


class ProxyRequest(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def forward(self):
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        commit = self.command == "POST" and "/tables/" in self.path
        luck = random.random() if commit else 1
        status, answer = 503, b"{}"
        if luck > 0.1:
            upstream = http.client.HTTPConnection("127.0.0.1", self.server.catalog.port)
            passed_on = {"Content-Type": "application/json"}
            if "X-Iceberg-Access-Delegation" in self.headers:
                passed_on["X-Iceberg-Access-Delegation"] = self.headers["X-Iceberg-Access-Delegation"]
            upstream.request(self.command, self.path, body, passed_on)
            response = upstream.getresponse()
            status, answer = response.status, response.read()
            upstream.close()
            if status == 400:  # never asked for: say what it was
                print("%s %s: %s\n%s" % (self.command, self.path, answer.decode(), (body or b"").decode()), file=sys.stderr)
        if luck < 0.2:
            self.server.lost += luck > 0.1
            self.server.kept += luck <= 0.1
            status, answer = 502, b"{}"
            if luck > 0.15:  # not even that
                self.close_connection = True
                return
        self.send_response(status)
        self.send_header("Content-Length", str(len(answer)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(answer)

    do_GET = do_POST = do_HEAD = do_DELETE = forward

    def log_message(self, *_):
        pass


def numbers(table, **scan):
    return table.scan(selected_fields=("id",), **scan).to_arrow().column("id").to_pylist()


def count(table, **scan):
    """Our rows; fails when they are not 0 … n-1, each once."""
    ours = [i for i in numbers(table, **scan) if i >= 0]
    check(sorted(ours) == list(range(len(ours))), "%d rows, %d distinct, the last is %s"
          % (len(ours), len(set(ours)), max(ours, default=None)))
    return len(ours)


class Reader(threading.Thread):
    """Reads all the time, and appends now and then."""

    def __init__(self, catalog):
        super().__init__()
        self.catalog = catalog
        self.done = threading.Event()
        self.seen = []
        self.appends = True
        self.appending = threading.Lock()
        self.appended = 0
        self.fault = None

    def run(self):
        try:
            while not self.done.is_set():
                table = self.catalog.load_table("sales.numbers")
                rows = count(table)
                check(not self.seen or rows >= self.seen[-1], "rows were there, and went")
                self.seen.append(rows)
                with self.appending:
                    if self.appends and len(self.seen) % 3 == 0:
                        self.append(table)
        except (SystemExit, Exception) as fault:  # pylint: disable=broad-except
            self.fault = "".join(traceback.format_exception(fault))

    def stop(self):
        self.done.set()
        self.join()

    def append(self, table):
        row = {"id": [-1 - self.appended], "kind": ["foreign"], "day": [datetime.date(2026, 1, 1)]}
        try:
            table.append(pyarrow.table(row, schema=table.schema().select(*row).as_arrow()))
            self.appended += 1
        except CommitFailedException:  # the job was faster
            pass


class Place:
    """Where the tables are: on this machine, or in the bucket of a store, which is a directory, too."""

    def __init__(self, work):
        self.store = ObjectStore(work) if S3 else None
        if self.store:
            self.store.start()

    def path(self, location):
        if not self.store:
            return location.replace("file://", "")
        return os.path.join(self.store.directory, "buckets", location.replace("s3://", ""))

    def options(self):
        """Of the tables in the job; the second one's credentials are the catalog's."""
        if not self.store:
            return {"store": "", "login": ""}
        return {"store": STORE % self.store.port, "login": LOGIN % (self.store.key_id, self.store.secret)}

    def properties(self):
        """Of pyiceberg's catalog."""
        return self.store.iceberg_properties() if self.store else {}

    def secret(self):
        """For DuckDB."""
        if not self.store:
            return ""
        return ("CREATE SECRET (TYPE s3, KEY_ID '%s', SECRET '%s', ENDPOINT '127.0.0.1:%d', REGION 'us-east-1', "
                "URL_STYLE 'path', USE_SSL false);" % (self.store.key_id, self.store.secret, self.store.port))

    def stop(self):
        if self.store:
            self.store.stop()


def numbers_from(first, rows=CHUNK):
    return ('{"id": %d}' % i for i in range(first, first + rows))


def write_job(project, uri, columns, place):
    declared = ", ".join("%s %s" % (name, COLUMNS[name][0]) for name in columns)
    selected = ", ".join("%s AS %s" % (COLUMNS[name][1], name) for name in columns)
    project.write(JOB % {"declared": declared, "uri": uri, "selected": selected, **place.options()})


def by_somebody_else(change):
    """Until it is faster than the job."""
    for _ in range(50):
        try:
            return change()
        except CommitFailedException:
            pass
    check(False, "the job leaves nobody the time to change the table")


def make_table(catalog):
    """By somebody else, partitioned, and without some of the columns."""
    schema = Schema(NestedField(1, "id", LongType()), NestedField(2, "kind", StringType(), doc="of the id"),
                    NestedField(3, "day", DateType()))
    spec = PartitionSpec(PartitionField(2, 1000, IdentityTransform(), "kind"))
    catalog.create_namespace("sales")
    catalog.create_table("sales.numbers", schema, partition_spec=spec)


def away(project, catalog, place, produced):
    """The store ends, rows come, and it starts again."""
    place.store.stop()
    project.produce("numbers", numbers_from(produced))
    project.until(lambda: "failing" in project.status(), "it does not say that it fails")
    check("127.0.0.1:%d" % place.store.port in project.status(), project.status())
    place.store.start()
    project.until(lambda: count(catalog.load_table("sales.numbers")) == produced + CHUNK,
                  "rows are missing after the store was away")
    print("away: it waits for the store, and goes on")
    return produced + CHUNK


def crash_rounds(project, catalog, uri, place):
    reader, produced = None, 0
    make_table(catalog)
    write_job(project, uri, COLUMNS, place)
    try:
        for _ in range(ROUNDS):
            project.produce("numbers", numbers_from(produced))
            produced += CHUNK
            project.start()
            project.until(lambda: catalog.table_exists("sales.tidy"), "no table is made")
            if reader is None:
                reader = Reader(catalog)
                reader.start()
            time.sleep(random.uniform(0.3, 1.2))
            project.kill()
        project.start()
        project.until(lambda: count(catalog.load_table("sales.numbers")) == produced, "rows are missing")
        table = catalog.load_table("sales.numbers")
        early, early_rows = table.current_snapshot().snapshot_id, produced
        with reader.appending:  # pyiceberg alone cannot write partitions by month
            reader.appends = False
        by_somebody_else(lambda: catalog.load_table("sales.numbers").update_spec().add_field(
            "day", MonthTransform(), "month").commit())
        by_somebody_else(lambda: catalog.load_table("sales.numbers").manage_snapshots().create_tag(
            early, "early").commit())
        project.until(project.status, "it does not answer")
        project.produce("numbers", numbers_from(produced))
        produced = bounded(project, catalog, place, produced + CHUNK)
        project.until(lambda: count(catalog.load_table("sales.numbers")) == produced, "rows are missing")
        if place.store:
            reader.stop()
            produced = away(project, catalog, place, produced)
        project.stop()
    finally:
        if reader is not None:
            reader.stop()
    check(reader.fault is None, "a reader: %s" % reader.fault)
    table = catalog.load_table("sales.numbers")
    foreign = sorted(-1 - i for i in numbers(table) if i < 0)
    check(foreign == list(range(reader.appended)), "foreign rows: %s" % foreign)
    check(count(table, snapshot_id=early) == early_rows, "time travel")
    check(table.schema().find_field("kind").doc == "of the id", "a description went")
    print("once: %d rows, %d foreign ones between them; %d reads of %d states, %d snapshots"
          % (produced, len(foreign), len(reader.seen), len(set(reader.seen)), len(table.snapshots())))
    return produced


def files_of(table):
    """What the table's snapshots name, and how many manifests and data files the head has."""
    named, heads = set(), (0, 0)
    for snapshot in table.snapshots():
        manifests = snapshot.manifests(table.io)
        files = [entry.data_file.file_path for manifest in manifests
                 for entry in manifest.fetch_manifest_entry(table.io)]
        named |= {snapshot.manifest_list, *files, *(manifest.manifest_path for manifest in manifests)}
        if snapshot.snapshot_id == table.current_snapshot().snapshot_id:
            heads = (len(manifests), len(files))
    return {os.path.basename(path) for path in named}, heads


def state_of_tidy(catalog, place):
    """Rows, snapshots, manifests and data files, the files that are there and not needed or the other way
    round, and what the head did. Nothing when the job expired what was being read."""
    try:
        table = catalog.load_table("sales.tidy")
        rows = count(table)
        named, (manifests, files) = files_of(table)
    except OSError:  # of a store not always FileNotFoundError
        return None
    there = {name for _, _, names in os.walk(place.path(table.location())) for name in names if name.startswith("millrace-")}
    return rows, len(table.snapshots()), manifests, files, there ^ named, table.current_snapshot().summary.operation


def bounded(project, catalog, place, produced):
    """Writes a little until files were merged, and only what is needed is there. Returns how many rows
    there are then."""
    deadline = time.monotonic() + 180
    merged, files = False, 0
    while True:
        project.produce("numbers", numbers_from(produced, 10))
        produced += 10
        project.until(lambda: (state_of_tidy(catalog, place) or [0])[0] == produced,
                      "rows are missing in the tidy table")
        state = state_of_tidy(catalog, place)
        if state:
            # Each round adds files: fewer were merged.
            merged = merged or state[5] == Operation.REPLACE or state[3] < files
            files = state[3]
        if state and merged and state[1] <= 3 and state[2] <= 45 and state[3] <= 60 and not state[4]:
            print("bounded: %d snapshots, %d manifests, %d data files, nothing else on the disk" % state[1:4])
            return produced
        check(time.monotonic() < deadline, "not bounded: %s" % (state,))


def equal(uri, rows, place):
    """DuckDB's extension reads what a batch over the same records makes."""
    for table, columns in (("numbers", ", ".join(COLUMNS)), ("tidy", "id, tags")):
        sql = place.secret() + COMPARE.format(uri=uri, batch=BATCH[table], rows=rows, table=table, columns=columns)
        asked = subprocess.run([os.path.join(DEPS, "dbt", "bin", "python"), "-c", ASK_DUCKDB,
                                os.path.join(DEPS, "duckdb-1.5.5", "extensions"), sql],
                               capture_output=True, text=True, check=False)
        check(asked.returncode == 0, asked.stderr)
        check(json.loads(asked.stdout) == [[0, 0, rows]], "%s, as DuckDB reads it: %s" % (table, asked.stdout))
    print("equal: %d rows, read by DuckDB" % rows)


def days(day):
    return (day - datetime.date(1970, 1, 1)).days


def bounds_hold(field, values, low, high):
    if not values:
        return low is None and high is None
    low, high = from_bytes(field.field_type, low), from_bytes(field.field_type, high)
    if field.name == "word":  # cut off
        return min(values).startswith(low) and high >= max(values) and len(high) <= 16
    if field.name == "day":
        values = [days(day) for day in values]
    return (low, high) == (min(values), max(values))


def metrics(table, place):
    """Every file of ours: counts, bounds and partition against its rows."""
    files, by_month = 0, 0
    for task in table.scan().plan_files():
        file = task.file
        path = place.path(file.file_path)
        if not os.path.basename(path).startswith("millrace-"):
            continue
        rows = pyarrow.parquet.ParquetFile(path).read()
        check(file.record_count == rows.num_rows, "record_count")
        check(file.file_size_in_bytes == os.path.getsize(path), "file_size_in_bytes")
        for field in table.schema().fields:
            values = rows.column(field.name).to_pylist()
            known = [value for value in values if value is not None]
            check(file.value_counts[field.field_id] == len(values), "values of %s" % field)
            check(file.null_value_counts[field.field_id] == len(values) - len(known), "NULLs of %s" % field)
            check(bounds_hold(field, known, file.lower_bounds.get(field.field_id),
                              file.upper_bounds.get(field.field_id)), "bounds of %s" % field)
        check(set(rows.column("kind").to_pylist()) == {file.partition[0]}, "partition %s" % file.partition)
        files += 1
        if len(file.partition) == 2:
            by_month += 1
            months = {(day.year - 1970) * 12 + day.month - 1 for day in rows.column("day").to_pylist()}
            check(months == {file.partition[1]}, "partition %s" % file.partition)
    check(0 < by_month < files, "%d of %d files are partitioned by month" % (by_month, files))
    print("metrics: of %d files, as their rows are; %d of them of a month" % (files, by_month))


def main():
    if len(sys.argv) != (3 if S3 else 2):
        sys.exit(__doc__)
    work = tempfile.mkdtemp()
    place = Place(work)
    server = IcebergCatalog(work, place.store, vends_credentials=True)
    try:
        server.start()
        proxy = Proxy(server)
        project = DevProject(sys.argv[1], os.path.join(work, "project"))
        catalog = load_catalog("lake", uri=server.url(), **place.properties())
        rows = crash_rounds(project, catalog, proxy.url(), place)
        print("proxy: %d answers lost, %d commits kept back" % (proxy.lost, proxy.kept))
        equal(server.url(), rows, place)
        metrics(catalog.load_table("sales.numbers"), place)
        print("passed")
    finally:
        server.stop()
        place.stop()
        shutil.rmtree(work, ignore_errors=True)


if __name__ == "__main__":
    main()
