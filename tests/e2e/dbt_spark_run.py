#!/usr/bin/env python3
"""dbt projects on Spark: each is built with Millrace and with dbt-core (dbt-spark), in a schema each; every node must
end alike, and every relation be the same: kind, format, partitions, columns, types, rows. Then a process killed in
the middle of a model, what is refused, and a server that goes away.

    dbt_spark_run.py BINARY

The server is Spark's own Thrift server: spark_thrift_server.py of tests/support.
"""

import collections
import contextlib
import io
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time

os.environ["DBT_SEND_ANONYMOUS_USAGE_STATS"] = "false"
os.environ["NO_COLOR"] = "1"
from dbt.cli.main import dbtRunner  # noqa: E402

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
sys.dont_write_bytecode = True
sys.path.insert(0, os.path.join(ROOT, "tests", "support"))
from spark_thrift_server import SparkThriftServer  # noqa: E402

PROFILE = """%s:
  target: dev
  outputs:
    dev: {type: spark, method: thrift, host: 127.0.0.1, port: %d, user: test, schema: %s, poll_interval: 0}
"""
# Microbatches; and what has them.
NOT_BOTH = ["--exclude", "order_years"]
# Of a snapshot: made from the time of the run.
TIMES = ("dbt_scd_id", "dbt_updated_at", "dbt_valid_from", "dbt_valid_to")


def check(condition, text):
    if not condition:
        raise SystemExit("FAILED: " + text)


def refresh(server, schema, name):
    """Our session remembers the files of a table that it has read and that was replaced since."""
    server.ask("REFRESH TABLE %s.%s" % (schema, name))


def relations(server, side):
    """{name without the side: kind, format, partitions and columns; rows as a bag}"""
    found = {}
    for schema, in server.ask("SHOW SCHEMAS LIKE '%s*'" % side):
        described, reads = {}, []
        for _, name, is_temporary, text in server.ask("SHOW TABLE EXTENDED IN %s LIKE '*'" % schema):
            if is_temporary:
                continue
            said = re.findall(r"^(Type|Provider|Partition Columns|Num Buckets|Bucket Columns): (.*)$| \|-- (.*)$", text, re.M)
            described[name] = [part for line in said for part in line if part]
            columns = re.findall(r"\|-- (\w+):", text)
            if not columns:  # of a Delta table: they are in its own log
                columns = [row[0] for row in server.ask("DESCRIBE TABLE %s.%s" % (schema, name)) if row[0]]
                described[name] += columns
            times = [column for column in columns if column in TIMES]
            chosen = "*" if not times else "* EXCEPT (%s), dbt_valid_to IS NULL AS is_open" % ", ".join(times)
            reads.append("SELECT '%s' AS name, to_json(struct(*)) AS text FROM (SELECT %s FROM %s.%s)" % (
                name, chosen, schema, name))
        for name in described:
            refresh(server, schema, name)
        rows = server.ask(" UNION ALL ".join(reads)) if reads else []
        for name, text in described.items():
            bag = collections.Counter(row for of, row in rows if of == name)
            found[schema[len(side):] + "." + name] = (text, bag)
    return found


class Pair:
    """A project twice: `ours` and `theirs`."""

    def __init__(self, binary, server, work, source, profile):
        self.binary, self.server = binary, server
        self.places = {side: os.path.join(work, profile, side) for side in ("ours", "theirs")}
        for side, place in self.places.items():
            shutil.copytree(source, place)
            subprocess.run(["chmod", "-R", "u+w", place], check=True)
            self.set_profile(side, PROFILE % (profile, server.port, profile + "_" + side))
        self.schema = profile + "_ours"
        self.profile = profile

    def set_profile(self, side, text):
        with open(os.path.join(self.places[side], "profiles.yml"), "w", encoding="utf-8") as file:
            file.write(text)

    def write(self, path, text):
        for place in self.places.values():
            with open(os.path.join(place, path), "w", encoding="utf-8") as file:
                file.write(text)

    def edit(self, path, pattern, text):
        for place in self.places.values():
            with open(os.path.join(place, path), encoding="utf-8") as file:
                old = file.read()
            new = re.sub(pattern, text, old, flags=re.M)
            check(new != old, "%s has no %s" % (path, pattern))
            with open(os.path.join(place, path), "w", encoding="utf-8") as file:
                file.write(new)

    def start(self, *arguments):
        return subprocess.Popen([self.binary, *arguments], cwd=self.places["ours"], stdout=subprocess.PIPE,
                                stderr=subprocess.STDOUT, text=True)

    def ours(self, *arguments):
        process = self.start(*arguments)
        said, _ = process.communicate()
        return process.returncode, said

    def outcomes(self, side):
        """How the nodes of the last run ended, as a bag; ids of generic tests end in a hash that is not dbt's."""
        with open(os.path.join(self.places[side], "target", "run_results.json"), encoding="utf-8") as file:
            results = json.load(file)["results"]
        names = [r["unique_id"] if not r["unique_id"].startswith("test.") else r["unique_id"].split(".")[2][:22]
                 for r in results]
        return collections.Counter(zip(names, (r["status"] for r in results), (r.get("failures") for r in results)))

    def both(self, title, *arguments):
        """Runs it on both sides at once, and compares how every node ended and all that is there then."""
        ours = self.start(*arguments)
        said = io.StringIO()
        with contextlib.chdir(self.places["theirs"]), contextlib.redirect_stdout(said):
            place = self.places["theirs"]
            result = dbtRunner().invoke([*arguments, "--project-dir", place, "--profiles-dir", place])
        our_text, _ = ours.communicate()
        check(result.exception is None, "dbt: %s\n%s" % (result.exception, said.getvalue()))
        ended, wanted = self.outcomes("ours"), self.outcomes("theirs")
        theirs = "\n".join(line for line in said.getvalue().splitlines() if "\tat " not in line)
        check(ended == wanted, "%s: only ours: %s, only dbt's: %s\n%s%s" % (
            title, ended - wanted, wanted - ended, our_text, theirs))
        tables = relations(self.server, self.schema)
        theirs = relations(self.server, self.profile + "_theirs")
        for name in sorted(tables.keys() | theirs.keys()):
            for what, a, b in zip(("columns", "rows"), tables.get(name, [None] * 2), theirs.get(name, [None] * 2)):
                check(a == b, "%s: %s of %s differ\n  ours   %s\n  theirs %s" % (title, what, name, a, b))
        counts = collections.Counter(status for _, status, _ in ended.elements())
        print("ok: %s: %d nodes (%s) and %d relations as dbt's" % (
            title, counts.total(), ", ".join("%d %s" % (n, s) for s, n in sorted(counts.items())), len(tables)),
            flush=True)
        return counts


def add_models(pair):
    """Those of tests/dbt/spark, and what the project must say on Spark."""
    for place in pair.places.values():
        for name in os.listdir(os.path.join(ROOT, "tests", "dbt", "spark")):
            shutil.copy(os.path.join(ROOT, "tests", "dbt", "spark", name),
                        os.path.join(place, "models", "marts", name))
    pair.edit("dbt_project.yml", "^vars:", "vars:\n  root: 'file:%s/places'" % os.path.dirname(pair.places["ours"]))
    pair.edit("dbt_project.yml", "      \\+tags: ", "      +file_format: parquet\n      +tags: ")
    pair.edit("dbt_project.yml", "code: varchar", "code: string, title: varchar(20)")
    pair.edit("models/marts/orders.sql", "'delete\\+insert'\\)", "'merge'), file_format='delta'")
    pair.edit("snapshots/stock.sql", "new_record'", "invalidate', file_format='delta'")
    pair.edit("snapshots/products.sql", "unique_key", "file_format='delta', unique_key")
    for side, place in pair.places.items():
        path = os.path.join(place, "snapshots", "products.sql")
        with open(path, encoding="utf-8") as file:
            text = file.read()
        with open(path, "w", encoding="utf-8") as file:
            file.write(text.replace("'history'", "'%s_%s_history'" % (pair.profile, side)))
    pair.write("snapshots/by_time.sql",
               "{% snapshot by_time %}\n{{ config(unique_key='id', strategy='timestamp', updated_at='day', "
               "file_format='delta') }}\nselect id, day, product, amount from {{ ref('raw_orders') }}\n{% endsnapshot %}\n")


def shop(pair):
    server = pair.server
    add_models(pair)
    pair.both("shop, first run", "build", *NOT_BOTH)
    pair.edit("seeds/raw_orders.csv", "^3,2024-01-02,A,7,true,late", "3,2024-01-03,B,8,true,it's \\\\\\\\ moved")
    pair.edit("seeds/raw_orders.csv", r"\Z", "6,2024-01-03,A,4,false,new\n")
    pair.edit("seeds/raw_products.csv", "apple", "red apple")
    pair.edit("seeds/raw_products.csv", "^D,.*\n", "")
    pair.both("shop, merge, partitions, new columns, a view that becomes a table", "build", *NOT_BOTH,
              "--vars", "{grown: true, kind: table, n: 2}")
    versions = server.ask("SELECT count(*), count(dbt_valid_to) FROM %s.stock_history" % pair.schema)
    check(versions == [(4, 2)], "a version ends where its row changed, and one where it went: %s" % versions)
    ids = ["SELECT id, dbt_scd_id, CAST(dbt_valid_from AS string), CAST(dbt_valid_to AS string) FROM shop_%s.by_time" % side
           for side in ("ours", "theirs")]
    check(sorted(map(str, server.ask(ids[0]))) == sorted(map(str, server.ask(ids[1]))), "ids of versions differ")
    _, said = pair.ours("run", "-s", "day_totals", "changing_kind")
    check("constraints are left out, since spark does not hold them: primary_key" in said, said)
    kinds = server.ask("DESCRIBE TABLE EXTENDED %s.changing_kind" % pair.schema)
    check(("Type", "VIEW") in [row[:2] for row in kinds], "a table that becomes a view: %s" % kinds)


def left_beside(server, schema):
    return server.ask("SHOW TABLES IN %s LIKE '*millrace*'" % schema)


def kills(pair):
    """A table of files and an incremental Delta table, killed while they are built: old or new, and then retried."""
    server, rows = pair.server, 2000
    model = os.path.join(pair.places["ours"], "models", "marts", "slow.sql")
    states = collections.Counter()
    for kind, config in (("table", ""), ("incremental", ", incremental_strategy='merge', unique_key='n', file_format='delta'")):
        with open(model, "w", encoding="utf-8") as file:
            file.write("{{ config(materialized='%s'%s) }}\nselect {{ var('value', 0) }} as value, id as n, "
                       "java_method('java.lang.Thread', 'sleep', cast(if(id %% 200 = 0, 100, 0) as bigint)) as nap\n"
                       "from range(0, %d, 1, 2)\n" % (kind, config, rows))
        model_of = "SELECT count(*), count(DISTINCT n), min(value), max(value) FROM %s.slow" % pair.schema
        code, said = pair.ours("run", "-s", "slow")
        check(code == 0, "slow.sql, made as a %s: %s" % (kind, said))
        before = len(server.said())
        process = pair.start("run", "-s", "slow", "--vars", "{value: 7}")
        deadline = time.monotonic() + 180
        working = r"CREATE TABLE \S*slow__millrace_new_[^']*7 as value" if kind == "table" else r"MERGE INTO \S*slow"
        while not re.search(working, server.said()[before:]):
            check(process.poll() is None and time.monotonic() < deadline, "slow.sql does not begin")
            time.sleep(0.02)
        process.send_signal(signal.SIGKILL)
        process.communicate()
        refresh(server, pair.schema, "slow")
        found = server.ask(model_of)[0]
        check(found[:2] == (rows, rows) and found[2] == found[3], "killed in a %s: %s" % (kind, found))
        states["new" if found[2] == 7 else "old"] += 1
        journal = os.path.join(pair.places["ours"], "target", "run_progress.jsonl")
        check(os.path.exists(journal), "the killed run has no journal")
        code, said = pair.ours("retry")
        check(code == 0, "retry: " + said)
        refresh(server, pair.schema, "slow")
        check(server.ask(model_of) == [(rows, rows, 7, 7)], "the rows after a retry")
        code, said = pair.ours("run", "-s", "slow", "--full-refresh")
        check(code == 0, said)
        check(not left_beside(server, pair.schema), "left behind: %s" % left_beside(server, pair.schema))
        os.remove(model)
        server.ask("DROP TABLE %s.slow" % pair.schema)
    print("ok: 2 kills: %d times the old rows, %d times the new ones" % (states["old"], states["new"]), flush=True)


def refusals(pair):
    place = os.path.join(pair.places["ours"], "models", "marts", "broken.sql")
    cases = [
        ("select day,\n  {{ cents('orders') }} as c,\n  no_such_column\nfrom {{ ref('days') }}\n",
         ["models/marts/broken.sql:3", "no_such_column"]),
        ("{{ config(materialized='table') }}\nselect day,\n  orders as c d e\nfrom {{ ref('days') }}\n",
         ["models/marts/broken.sql:3", "PARSE_SYNTAX_ERROR"]),
        ("{{ config(materialized='table') }}\nselect raise_error('a row that fails') as a from {{ ref('days') }}\n",
         ["models/marts/broken.sql", "a row that fails"]),
        ("{{ config(materialized='incremental', incremental_strategy='merge', unique_key='a') }}\nselect 1 as a",
         ['incremental_strategy "merge" needs file_format: delta on Spark, not parquet']),
        ("{{ config(materialized='incremental', incremental_strategy='delete+insert', unique_key='a') }}\nselect 1 as a",
         ['incremental_strategy "delete+insert" is not supported on Spark']),
        ("{{ config(materialized='table', file_format='iceberg') }}\nselect 1 as a",
         ['file_format "iceberg" is not supported on Spark']),
        ("{{ config(materialized='table', location_root='/nowhere') }}\nselect 1 as a",
         ["location_root with file_format: parquet is not supported on Spark"]),
    ]
    for sql, wanted in cases:
        with open(place, "w", encoding="utf-8") as file:
            file.write(sql)
        code, said = pair.ours("run", "-s", "broken")
        check(code == 1 and all(text in said for text in wanted), "expected %s\n%s" % (wanted, said))
    os.remove(place)
    check(not left_beside(pair.server, pair.schema), "a model that fails leaves something beside")
    pair.edit("snapshots/products.sql", "file_format='delta', ", "")
    code, said = pair.ours("snapshot", "-s", "products_history")
    check(code == 1 and "a snapshot needs file_format: delta" in said, said)
    pair.write("seeds/raw_empty.csv", "id,name\nx,a\n")
    pair.edit("dbt_project.yml", "^seeds:\n  shop:", "seeds:\n  shop:\n    raw_empty: {+column_types: {id: bigint}}")
    code, said = pair.ours("seed", "-s", "raw_empty")
    check(code == 1 and 'column id: "x" is no bigint' in said, said)
    found = pair.server.ask("SELECT * FROM %s.raw_empty" % pair.schema)
    check(found == [], "the seed's table after one that failed: %s" % found)
    profile = PROFILE % (pair.profile, pair.server.port, pair.schema)
    outputs = [("port: %d" % pair.server.port, "port: 1", "cannot connect to 127.0.0.1:1"),
               ("method: thrift", "method: http", "method: http in profiles.yml is not supported"),
               ("user: test", "auth: KERBEROS", "auth: KERBEROS in profiles.yml is not supported"),
               ("user: test", "database: other", "differs from schema"),
               ("user: test", "query_timeout: 5", "query_timeout in profiles.yml is not supported")]
    for old, new, wanted in outputs:
        pair.set_profile("ours", profile.replace(old, new))
        code, said = pair.ours("run", "-s", "days")
        check(code != 0 and wanted in said, "expected %s\n%s" % (wanted, said))
    pair.set_profile("ours", profile)
    print("ok: %d refusals say why" % (len(cases) + 2 + len(outputs)), flush=True)


def server_goes_away(pair):
    """In the middle of a statement: the node fails, and what would come after it, too, each with the reason."""
    model = os.path.join(pair.places["ours"], "models", "marts", "slow.sql")
    with open(model, "w", encoding="utf-8") as file:
        file.write("{{ config(materialized='table') }}\nselect java_method('java.lang.Thread', 'sleep', "
                   "cast(60000 as bigint)) as nap, id as away from range(3)\n")
    before = len(pair.server.said())
    process = pair.start("run", "-s", "slow", "days")
    deadline = time.monotonic() + 180
    while "id as away" not in pair.server.said()[before:]:
        check(process.poll() is None and time.monotonic() < deadline, "slow.sql does not begin")
        time.sleep(0.02)
    pair.server.stop()
    said, _ = process.communicate()
    check(process.returncode == 1 and "lost the connection to 127.0.0.1" in said, said)
    print("ok: a server that goes away is an error of the node", flush=True)


def main():
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    binary, work = sys.argv[1], tempfile.mkdtemp()
    server = SparkThriftServer(os.path.join(work, "spark"))
    try:
        server.wait()
        jaffle = os.path.join(os.environ.get("MILLRACE_SHARED", ""), "data", "jaffle_shop")
        if os.path.isdir(jaffle):
            counts = Pair(binary, server, work, jaffle, "jaffle_shop").both("jaffle_shop", "build")
            check(counts == {"success": 8, "pass": 20}, "jaffle_shop: %s" % counts)
        else:
            print("skipped: jaffle_shop (MILLRACE_SHARED has no data/jaffle_shop)")
        pair = Pair(binary, server, work, os.path.join(ROOT, "tests", "dbt", "shop"), "shop")
        shop(pair)
        kills(pair)
        refusals(pair)
        server_goes_away(pair)
        print("passed")
    finally:
        server.stop()
        shutil.rmtree(work, ignore_errors=True)


if __name__ == "__main__":
    main()
