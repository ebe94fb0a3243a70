#!/usr/bin/env python3
"""A Delta table and an Iceberg table (of a REST catalog), written by jobs of one project, read by Apache Spark.

Small files were merged and old snapshots expired by then, and a second job has added a column. Spark compares with Parquet that DuckDB made of the same input: columns, types and rows as bags.

  equal          all rows, with NULLs in every column and in the partitions
  partitions     Delta: a condition on the partition reads its files only; Iceberg: it has the rows it is said to
  time travel    the version before the new column has the rows that were there then
  by key         an Iceberg table of a query that updates its rows has the newest of each key

    spark_lake_run.py BINARY
"""

import itertools
import json
import os
import shutil
import sys
import tempfile
import time
import urllib.error
import urllib.request

import duckdb
from pyspark.sql import SparkSession
from pyspark.sql.functions import lit

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
sys.dont_write_bytecode = True
sys.path.insert(0, os.path.join(ROOT, "tests", "support"))
from dev_project import DevProject, check  # noqa: E402
from iceberg_catalog import DEPS, IcebergCatalog  # noqa: E402

STEP = 300
# Name, type, expression in Flink's dialect, and in DuckDB's.
COLUMNS = [
    ("id", "BIGINT", "id", "id"),
    ("word", "STRING", "CASE WHEN MOD(id, 7) > 0 THEN 'Wört ' || CAST(id AS STRING) END",
     "CASE WHEN id % 7 > 0 THEN 'Wört ' || id END"),
    ("amount", "DECIMAL(12, 2)", "CASE WHEN MOD(id, 5) > 0 THEN CAST(id AS DECIMAL(12, 2)) / 4 END",
     "CASE WHEN id % 5 > 0 THEN id / 4 END::DECIMAL(12, 2)"),
    ("at", "TIMESTAMP(3)", "CASE WHEN MOD(id, 11) > 0 THEN CAST(TIMESTAMPADD(SECOND, CAST(id AS INT), "
     "TIMESTAMP '2026-01-01 00:00:00.125') AS TIMESTAMP(3)) END",
     "CASE WHEN id % 11 > 0 THEN TIMESTAMP '2026-01-01 00:00:00.125' + to_seconds(id) END"),
    ("day", "DATE", "CAST(TIMESTAMPADD(DAY, MOD(CAST(id AS INT), 60), DATE '2026-01-01') AS DATE)",
     "DATE '2026-01-01' + (id % 60)::INTEGER"),
    ("ratio", "DOUBLE", "CASE WHEN MOD(id, 13) > 0 THEN CAST(id AS DOUBLE) / 8 END",
     "CASE WHEN id % 13 > 0 THEN id / 8 END"),
    ("flag", "BOOLEAN", "CASE WHEN MOD(id, 3) > 0 THEN MOD(id, 3) = 1 END", "CASE WHEN id % 3 > 0 THEN id % 3 = 1 END"),
    ("part", "STRING", "CASE WHEN MOD(id, 4) > 0 THEN 'a/b =' || CAST(MOD(id, 4) AS STRING) END",
     "CASE WHEN id % 4 > 0 THEN 'a/b =' || (id % 4) END"),
]
ADDED = ("added", "INT", "CASE WHEN MOD(id, 2) = 0 THEN CAST(id AS INT) END",
         "CASE WHEN id % 2 = 0 THEN id END::INTEGER")
JOB = """
SET 'millrace.epoch.bytes' = '1 kb';
CREATE TABLE numbers (id BIGINT)
WITH ('connector' = 'kafka', 'topic' = 'numbers', 'properties.bootstrap.servers' = 'embedded',
  'scan.startup.mode' = 'earliest-offset', 'format' = 'json');
CREATE TABLE delta_%(name)s (%(declared)s) PARTITIONED BY (part)
WITH ('connector' = 'delta', 'path' = 'lake/numbers', 'commit.interval' = '1 ms', 'checkpoint.versions' = '5',
  'maintenance.interval' = '300 ms', 'retention' = '1 h');
INSERT INTO delta_%(name)s SELECT %(selected)s FROM numbers;
CREATE TABLE iceberg_%(name)s (%(declared)s) PARTITIONED BY (part)
WITH ('connector' = 'iceberg', 'uri' = '%(uri)s', 'catalog-table' = 'sales.numbers', 'commit.interval' = '1 ms',
  'maintenance.interval' = '300 ms', 'snapshot.retention' = '5 s');
INSERT INTO iceberg_%(name)s SELECT %(selected)s FROM numbers;
CREATE TABLE groups_%(name)s (g BIGINT, n BIGINT, newest BIGINT, PRIMARY KEY (g) NOT ENFORCED)
WITH ('connector' = 'iceberg', 'uri' = '%(uri)s', 'catalog-table' = 'sales.groups_%(name)s', 'commit.interval' = '50 ms',
  'maintenance.interval' = '300 ms');
INSERT INTO groups_%(name)s SELECT MOD(id, 10), COUNT(*), MAX(id) FROM numbers GROUP BY MOD(id, 10);
"""


def start_spark(uri):
    jars = os.path.join(DEPS, "spark", "jars")
    settings = {
        "spark.jars": ",".join(sorted(os.path.join(jars, jar) for jar in os.listdir(jars))),
        "spark.sql.extensions": "io.delta.sql.DeltaSparkSessionExtension,"
                                "org.apache.iceberg.spark.extensions.IcebergSparkSessionExtensions",
        "spark.sql.catalog.spark_catalog": "org.apache.spark.sql.delta.catalog.DeltaCatalog",
        "spark.sql.catalog.lake": "org.apache.iceberg.spark.SparkCatalog",
        "spark.sql.catalog.lake.type": "rest",
        "spark.sql.catalog.lake.uri": uri,
        "spark.sql.catalog.lake.cache-enabled": "false",
        "spark.sql.session.timeZone": "UTC",
        "spark.sql.shuffle.partitions": "1",
        "spark.databricks.delta.snapshotPartitions": "1",
        "spark.driver.memory": "768m",
        "spark.driver.host": "127.0.0.1",
        "spark.driver.bindAddress": "127.0.0.1",
        "spark.ui.enabled": "false",
        # For a few small queries compiling costs more than it gains.
        "spark.driver.extraJavaOptions": "-XX:TieredStopAtLevel=1",
        "spark.sql.codegen.wholeStage": "false",
        "spark.log.level": "ERROR",
    }
    builder = SparkSession.builder.master("local[1]").appName("lakes")
    for name, value in settings.items():
        builder = builder.config(name, value)
    return builder.getOrCreate()


def start(project, uri, name, columns):
    project.write(JOB % {"name": name, "declared": ", ".join("`%s` %s" % column[:2] for column in columns), "uri": uri,
                         "selected": ", ".join("%s AS `%s`" % (c[2], c[0]) for c in columns)})
    project.start()
    project.until(project.status, "it does not answer")


class Progress:
    """How far the tables are, asked of what is quicker than Spark."""

    def __init__(self, delta_path, uri):
        self.delta_path, self.uri = delta_path, uri
        self.client = duckdb.connect()
        self.client.execute("SET extension_directory = '%s/duckdb-1.5.5/extensions'" % DEPS)
        self.client.execute("SET autoload_known_extensions = true")
        self.replaced = False
        self.known = set()

    def snapshots(self):
        """Of the Iceberg table, the oldest first; also notes their ids, and whether one has merged files."""
        try:
            with urllib.request.urlopen(self.uri + "/v1/namespaces/sales/tables/numbers") as answer:
                snapshots = json.load(answer)["metadata"]["snapshots"]
        except urllib.error.HTTPError:  # not made yet
            return []
        self.replaced |= any(snapshot["summary"]["operation"] == "replace" for snapshot in snapshots)
        self.known |= {snapshot["snapshot-id"] for snapshot in snapshots}
        return sorted(snapshots, key=lambda snapshot: snapshot["sequence-number"])

    def rows(self):
        snapshots = self.snapshots()
        log = os.path.join(self.delta_path, "_delta_log", "%020d.json" % 0)
        if not snapshots or not os.path.exists(log):
            return 0, 0
        return (self.client.execute("SELECT count(*) FROM delta_scan('%s')" % self.delta_path).fetchone()[0],
                int(snapshots[-1]["summary"].get("total-records", 0)))

    def grouped(self, name):
        """How many rows the groups of the table by key say there are."""
        self.client.execute("ATTACH OR REPLACE '' AS lake (TYPE iceberg, ENDPOINT '%s', AUTHORIZATION_TYPE none)" % self.uri)
        return self.client.execute("SELECT sum(n)::BIGINT FROM lake.sales.%s" % name).fetchone()[0]

    def versions(self):
        """Of the Delta table: what each did."""
        found = []
        for version in itertools.count():
            try:
                with open(os.path.join(self.delta_path, "_delta_log", "%020d.json" % version), encoding="utf-8") as file:
                    actions = [json.loads(line) for line in file]
            except FileNotFoundError:
                return found
            found += [action["commitInfo"]["operation"] for action in actions if "commitInfo" in action]

    def have_expired(self):
        """Whether a known snapshot is gone."""
        present = {snapshot["snapshot-id"] for snapshot in self.snapshots()}
        return bool(self.known - present)

    def are_merged(self):
        self.snapshots()
        return self.replaced and "OPTIMIZE" in self.versions()


class Tables:
    """The two tables, as Spark sees them."""

    def __init__(self, spark, delta_path):
        self.spark, self.delta_path = spark, delta_path
        self.names = {"Delta": "delta.`%s`" % delta_path, "Iceberg": "lake.sales.numbers"}

    def all(self, kind):
        return (self.spark.read.format("delta").load(self.delta_path) if kind == "Delta"
                else self.spark.table(self.names[kind]))

    def compare(self, kind, made, wanted, title):
        """`made` has the columns and types of the Parquet file `wanted`, and its rows."""
        wanted = self.spark.read.parquet(wanted)
        check(sorted(made.dtypes) == sorted(wanted.dtypes),
              "%s, %s: %s, not %s" % (kind, title, sorted(made.dtypes), sorted(wanted.dtypes)))
        columns = wanted.columns
        both = wanted.withColumn("wanted", lit(1)).unionAll(made.select(*columns).withColumn("wanted", lit(-1)))
        different = both.groupBy(*columns).sum("wanted").where("`sum(wanted)` <> 0").limit(20).collect()
        check(not different, "%s, %s: rows that are missing (> 0) or should not be there (< 0): %s"
              % (kind, title, different))


def expect(work, early, rows):
    """DuckDB's rows as Parquet: at the end, those of one partition, and before there was the new column."""
    client, paths = duckdb.connect(), {}
    old = ", ".join("%s AS \"%s\"" % (c[3], c[0]) for c in COLUMNS)
    both = "(SELECT %s, NULL::INTEGER AS added FROM range(%d) AS r(id) UNION ALL SELECT %s, %s AS added " \
           "FROM range(%d) AS r(id))" % (old, early, old, ADDED[3], rows)
    for title, sql in (("equal", "FROM " + both), ("partition", "FROM %s WHERE part = 'a/b =1'" % both),
                       ("as it was", "SELECT %s FROM range(%d) AS r(id)" % (old, early))):
        paths[title] = os.path.join(work, title.replace(" ", "_") + ".parquet")
        client.execute("COPY (%s) TO '%s' (FORMAT parquet)" % (sql, paths[title]))
    return paths


def until_rows(project, progress, rows):
    try:
        project.until(lambda: progress.rows() == (rows, rows), "other rows")
    except SystemExit as fault:
        raise SystemExit("%s: %s, not %d each; Delta's versions: %s; Iceberg's snapshots: %s" % (
            fault, progress.rows(), rows, progress.versions(), progress.snapshots())) from fault


def produce_until(project, progress, rows, before, condition):
    """A few rows at a time, which are several commits; `before` are in the tables. Returns how many rows the
    topic has then."""
    deadline = time.monotonic() + 180
    while not condition():
        check(time.monotonic() < deadline, "nothing was merged, or expired")
        project.produce("numbers", ('{"id": %d}' % i for i in range(rows, rows + STEP)))
        rows += STEP
        until_rows(project, progress, before + rows)
    return rows


def write(project, uri, progress):
    """The topic's rows by jobs without the new column, then again and more by jobs with it. Returns how many
    rows there were before and at the end, and what Delta's version and Iceberg's snapshot were before."""
    start(project, uri, "early", COLUMNS)
    early = produce_until(project, progress, 0, 0, progress.are_merged)
    project.stop()
    # The job's newest stays; one of merged files, which names no job, may expire.
    snapshot = [s["snapshot-id"] for s in progress.snapshots() if "millrace.job" in s["summary"]][-1]
    version = len(progress.versions()) - 1
    progress.known.clear()
    start(project, uri, "late", COLUMNS + [ADDED])
    until_rows(project, progress, 2 * early)
    rows = produce_until(project, progress, early, early,
                         lambda: progress.rows()[1] > 2 * early and progress.have_expired())
    project.until(lambda: progress.grouped("groups_late") == rows, "the groups lack rows")
    project.stop()
    return early, rows, {"Delta": version, "Iceberg": snapshot}


def read(tables, expected, rows, versions):
    for kind, name in tables.names.items():
        tables.compare(kind, tables.all(kind), expected["equal"], "all rows")
        one = tables.all(kind).where("part = 'a/b =1'")
        tables.compare(kind, one, expected["partition"], "one partition")
        if kind == "Delta":
            check(0 < len(one.inputFiles()) < len(tables.all(kind).inputFiles()), "files of other partitions are read")
        else:
            counted = tables.spark.sql("SELECT sum(record_count) FROM %s.partitions WHERE partition.part = 'a/b =1'" % name)
            check(counted.collect()[0][0] == one.count(), "the partition is said to have other rows than it has")
        then = tables.spark.sql("SELECT * FROM %s VERSION AS OF %d" % (name, versions[kind]))
        tables.compare(kind, then, expected["as it was"], "before the new column")
        print("ok: %s: %d rows as DuckDB's; those of a partition, and as it was before, too" % (kind, rows), flush=True)


def read_groups(spark, rows):
    groups = [tuple(row) for row in spark.sql("SELECT g, n, newest FROM lake.sales.groups_late ORDER BY g").collect()]
    wanted = [(g, len(range(g, rows, 10)), range(g, rows, 10)[-1]) for g in range(10)]
    check(groups == wanted, "groups %s, not %s" % (groups, wanted))
    print("ok: Iceberg by key: %d groups as Python counts them" % len(groups), flush=True)


def main():
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    work = tempfile.mkdtemp()
    os.chdir(work)  # where Spark makes directories of its own
    catalog = IcebergCatalog(work)
    spark = project = None
    try:
        catalog.start()
        project = DevProject(sys.argv[1], os.path.join(work, "lake"))
        path = os.path.join(project.directory, "lake", "numbers")
        early, rows, versions = write(project, catalog.url(), Progress(path, catalog.url()))
        spark = start_spark(catalog.url())
        read(Tables(spark, path), expect(work, early, rows), early + rows, versions)
        read_groups(spark, rows)
        print("passed: Spark " + spark.version)
    finally:
        if project and project.process and project.process.poll() is None:
            project.process.kill()
        if spark:
            spark.stop()
        catalog.stop()
        shutil.rmtree(work, ignore_errors=True)


if __name__ == "__main__":
    main()
