#!/usr/bin/env python3
"""dbt projects on ClickHouse's engine: each is built with Millrace and with dbt-core (dbt-clickhouse), in a
database each; every node must end alike, and every relation be the same: kind, engine, keys, columns,
types, rows. Then a process killed in the middle of a model, and what is refused.

    dbt_clickhouse_run.py BINARY

The server is clickhouse_server.py of tests/support: HTTP before the embedded engine.
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
import urllib.error
import urllib.request

os.environ["DBT_SEND_ANONYMOUS_USAGE_STATS"] = "false"
os.environ["NO_COLOR"] = "1"
from dbt.cli.main import dbtRunner  # noqa: E402

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
USER, PASSWORD = "millrace", "a'b: c"
PROFILE = """%s:
  target: dev
  outputs:
    dev: {type: clickhouse, host: 127.0.0.1, port: %d, user: %s, password: "%s", schema: %s}
"""
# What only one of the two knows here.
NOT_BOTH = ["--exclude", "order_years"]
# Of a snapshot: made from the time of the run.
TIMES = ("dbt_scd_id", "dbt_updated_at", "dbt_valid_from")


def check(condition, text):
    if not condition:
        raise SystemExit("FAILED: " + text)


class Server:
    def __init__(self, work):
        port_file = os.path.join(work, "port")
        self.process = subprocess.Popen(
            [sys.executable, os.path.join(ROOT, "tests", "support", "clickhouse_server.py"),
             os.path.join(work, "data"), port_file, "--user", USER, "--password", PASSWORD])
        deadline = time.monotonic() + 180
        while not os.path.exists(port_file):
            check(self.process.poll() is None and time.monotonic() < deadline, "the server does not start")
            time.sleep(0.05)
        with open(port_file, encoding="utf-8") as file:
            self.port = int(file.read())

    def ask(self, statement):
        request = urllib.request.Request(
            "http://127.0.0.1:%d/?default_format=JSONCompactStrings" % self.port, statement.encode(),
            {"X-ClickHouse-User": USER, "X-ClickHouse-Key": PASSWORD})
        try:
            with urllib.request.urlopen(request) as answer:
                text = answer.read()
        except urllib.error.HTTPError as error:
            raise SystemExit("FAILED: %s\n%s" % (statement, error.read().decode())) from error
        return [tuple(row) for row in json.loads(text)["data"]] if text else []

    def relations(self, side):
        """{name without the side: kind and keys, columns, rows as a bag}"""
        found = {}
        for schema, name, engine, *keys in self.ask(
                "SELECT database, name, engine, sorting_key, primary_key, partition_key, "
                "extract(engine_full, 'TTL [^S]*') FROM system.tables WHERE database LIKE '%s%%'" % side):
            columns = self.ask("SELECT name, type FROM system.columns WHERE database = '%s' AND "
                               "table = '%s' ORDER BY position" % (schema, name))
            chosen = ["isNull(dbt_valid_to)" if column == "dbt_valid_to" else '"%s"' % column
                      for column, _ in columns if column not in TIMES]
            rows = self.ask('SELECT %s FROM "%s"."%s"' % (", ".join(chosen), schema, name))
            found[schema[len(side):] + "." + name] = ((engine, *keys), columns, collections.Counter(rows))
        return found


class Pair:
    """A project twice: `ours` and `theirs`."""

    def __init__(self, binary, server, work, source, profile):
        self.binary, self.server = binary, server
        self.places = {side: os.path.join(work, side) for side in ("ours", "theirs")}
        for side, place in self.places.items():
            shutil.rmtree(place, ignore_errors=True)
            shutil.copytree(source, place)
            subprocess.run(["chmod", "-R", "u+w", place], check=True)
            with open(os.path.join(place, "profiles.yml"), "w", encoding="utf-8") as file:
                file.write(PROFILE % (profile, server.port, USER, PASSWORD, side))
            for database, in server.ask("SELECT name FROM system.databases WHERE name LIKE '%s%%'" % side):
                server.ask('DROP DATABASE "%s" SYNC' % database)
            server.ask("CREATE DATABASE " + side)  # dbt looks once in a process whether it is there

    def edit(self, path, pattern, text):
        for place in self.places.values():
            with open(os.path.join(place, path), encoding="utf-8") as file:
                old = file.read()
            new = re.sub(pattern, text, old, flags=re.M)
            check(new != old, "%s has no %s" % (path, pattern))
            with open(os.path.join(place, path), "w", encoding="utf-8") as file:
                file.write(new)

    def ours(self, *arguments):
        return subprocess.run([self.binary, *arguments], cwd=self.places["ours"], capture_output=True,
                              text=True, check=False)

    def outcomes(self, side):
        """How the nodes of the last run ended, as a bag; ids of generic tests end in a hash that is not dbt's."""
        with open(os.path.join(self.places[side], "target", "run_results.json"), encoding="utf-8") as file:
            results = json.load(file)["results"]
        names = [r["unique_id"] if not r["unique_id"].startswith("test.") else r["unique_id"].split(".")[2][:22]
                 for r in results]
        return collections.Counter(zip(names, (r["status"] for r in results), (r.get("failures") for r in results)))

    def both(self, title, *arguments):
        """Runs it on both sides, and compares how every node ended and all that is there then."""
        ours = self.ours(*arguments, "--threads", "4")
        said = io.StringIO()
        with contextlib.chdir(self.places["theirs"]), contextlib.redirect_stdout(said):
            place = self.places["theirs"]
            result = dbtRunner().invoke([*arguments, "--project-dir", place, "--profiles-dir", place])
        check(result.exception is None, "dbt: %s\n%s" % (result.exception, said.getvalue()))
        ended, wanted = self.outcomes("ours"), self.outcomes("theirs")
        check(ended == wanted, "%s: only ours: %s, only dbt's: %s\n%s%s" % (
            title, ended - wanted, wanted - ended, ours.stdout + ours.stderr, said.getvalue()))
        tables, theirs = self.server.relations("ours"), self.server.relations("theirs")
        for name in sorted(tables.keys() | theirs.keys()):
            for what, a, b in zip(("kind", "columns", "rows"), tables.get(name, [None] * 3),
                                  theirs.get(name, [None] * 3)):
                check(a == b, "%s: %s of %s differ\n  ours   %s\n  theirs %s" % (title, what, name, a, b))
        counts = collections.Counter(status for _, status, _ in ended.elements())
        print("ok: %s: %d nodes (%s) and %d relations as dbt's" % (
            title, counts.total(), ", ".join("%d %s" % (n, s) for s, n in sorted(counts.items())), len(tables)),
            flush=True)
        return counts


def add_models(pair):
    """Those of tests/dbt/clickhouse, and types that ClickHouse's contracts know."""
    for place in pair.places.values():
        for name in os.listdir(os.path.join(ROOT, "tests", "dbt", "clickhouse")):
            shutil.copy(os.path.join(ROOT, "tests", "dbt", "clickhouse", name),
                        os.path.join(place, "models", "marts", name))
    pair.edit("models/marts/schema.yml", "data_type: bigint", "data_type: UInt64")
    pair.edit("models/marts/schema.yml", "data_type: date", "data_type: Date")
    pair.edit("dbt_project.yml", "code: varchar", "code: Nullable(String)")
    pair.edit("snapshots/stock.sql", "new_record", "invalidate")  # the other one is not known to dbt there
    for side, place in pair.places.items():
        with open(os.path.join(place, "snapshots", "products.sql"), encoding="utf-8") as file:
            text = file.read()
        with open(os.path.join(place, "snapshots", "products.sql"), "w", encoding="utf-8") as file:
            file.write(text.replace("'history'", "'%s_history'" % side))
        with open(os.path.join(place, "snapshots", "by_time.sql"), "w", encoding="utf-8") as file:
            file.write("{% snapshot by_time %}\n{{ config(unique_key='id', strategy='timestamp', updated_at='day') }}\n"
                       "select id, day, product, amount from {{ ref('raw_orders') }}\n{% endsnapshot %}\n")
    pair.edit("dbt_project.yml", "^    raw_orders:", "    raw_orders:\n      +column_types: {product: Nullable(String)}")


def shop(pair):
    add_models(pair)
    pair.both("shop, first run", "build", *NOT_BOTH)
    pair.edit("seeds/raw_orders.csv", "^3,2024-01-02,A,7,true,late", "3,2024-01-03,B,8,true,moved")
    pair.edit("seeds/raw_orders.csv", r"\Z", "6,2024-01-03,A,4,false,new\n")
    pair.edit("seeds/raw_products.csv", "apple", "red apple")
    pair.edit("seeds/raw_products.csv", "^D,.*\n", "")
    pair.both("shop, keys, new columns, a view that becomes a table", "build", *NOT_BOTH,
              "--vars", "{grown: true, kind: table}")
    versions = pair.server.ask("SELECT count(), count(dbt_valid_to) FROM ours.stock_history")
    check(versions == [("4", "2")], "a version ends where its row changed, and one where it went: %s" % versions)
    pair.both("shop, append, a table that becomes a view", "run", *NOT_BOTH,
              "--vars", "{grown: true, strategy: append}")
    declared = pair.ours("run", "-s", "day_totals").stdout
    check("constraints are left out, since clickhouse does not hold them: primary_key" in declared, declared)


def left_beside(server):
    return server.ask("SELECT name FROM system.tables WHERE name LIKE '%millrace%'")


def kills(pair):
    """A table and an incremental model, killed while they are built: old or new, and then retried."""
    server, rows = pair.server, 300_000
    model = os.path.join(pair.places["ours"], "models", "marts", "slow.sql")
    states = collections.Counter()
    for kind in ("table", "incremental"):
        with open(model, "w", encoding="utf-8") as file:
            file.write("{{ config(materialized='%s', unique_key='n', order_by='n') }}\n"
                       "select {{ var('value', 0) }} as value, number as n, sleepEachRow(0.000001) as nap\n"
                       "from numbers(%d) settings max_block_size = 50000\n" % (kind, rows))
        check(pair.ours("run", "-s", "slow").returncode == 0, "slow.sql, made as a %s" % kind)
        for value in range(1, 4):
            process = subprocess.Popen([pair.binary, "run", "-s", "slow", "--vars", "{value: %d}" % value],
                                       cwd=pair.places["ours"], stdout=subprocess.DEVNULL)
            time.sleep(0.05 + 0.15 * value)
            process.send_signal(signal.SIGKILL)
            process.wait()
            found = server.ask("SELECT count(), uniqExact(n), min(value), max(value) FROM ours.slow")[0]
            check(found[:2] == (str(rows),) * 2 and found[2] == found[3], "killed in a %s: %s" % (kind, found))
            states["new" if found[2] == str(value) else "old"] += 1
        journal = os.path.join(pair.places["ours"], "target", "run_progress.jsonl")
        if os.path.exists(journal):  # the last one was killed before its end
            retried = pair.ours("retry")
            check(retried.returncode == 0, "retry: " + retried.stdout + retried.stderr)
        check(pair.ours("run", "-s", "slow", "--vars", "{value: 99}").returncode == 0, "after the kills")
        check(server.ask("SELECT count(), min(value), max(value) FROM ours.slow") == [(str(rows), "99", "99")],
              "the last run's rows")
        check(not left_beside(server), "left behind: %s" % left_beside(server))
    print("ok: 6 kills: %d times the old rows, %d times the new ones" % (states["old"], states["new"]))


def refusals(pair):
    place = os.path.join(pair.places["ours"], "models", "marts", "broken.sql")
    cases = [
        ("select day,\n  {{ cents('orders') }} as c,\n  no_such_column\nfrom {{ ref('days') }}\n",
         "models/marts/broken.sql:3"),
        ("select day,\n  orders as c d e\nfrom {{ ref('days') }}\n", "models/marts/broken.sql:2"),
        ("{{ config(materialized='incremental', incremental_strategy='merge', unique_key='a') }}\nselect 1 as a",
         'incremental_strategy "merge" is not supported on ClickHouse'),
        ("{{ config(materialized='table', projections=[{'name': 'p', 'query': 'select 1'}]) }}\nselect 1 as a",
         "the config projections is not supported on ClickHouse"),
        ("{{ config(pre_hook='set max_threads = 1') }}\nselect 1 as a", "SET is not supported on ClickHouse"),
    ]
    for sql, wanted in cases:
        with open(place, "w", encoding="utf-8") as file:
            file.write(sql)
        run = pair.ours("run", "-s", "broken")
        check(run.returncode == 1 and wanted in run.stdout + run.stderr,
              "expected %s\n%s" % (wanted, run.stdout + run.stderr))
    os.remove(place)
    path = os.path.join(pair.places["ours"], "snapshots", "stock.sql")
    with open(path, encoding="utf-8") as file:
        stock = file.read()
    with open(path, "w", encoding="utf-8") as file:
        file.write(stock.replace("invalidate", "new_record"))
    run = pair.ours("snapshot", "-s", "stock_history")
    check(run.returncode == 1 and "hard_deletes: new_record is not supported" in run.stdout + run.stderr,
          run.stdout + run.stderr)
    for word, text, wanted in (("password:", 'password: "no", ', "user and password"),
                               ("port:", "cluster: c, port:", "cluster in profiles.yml"),
                               ("secure:", "verify: false, ", "verify: false"),
                               ("port: [0-9]+", "port: 9000", "native protocol")):
        profile = os.path.join(pair.places["ours"], "profiles.yml")
        with open(profile, encoding="utf-8") as file:
            old = file.read()
        if word == "password:":
            new = re.sub(r'password: "[^"]*", ', text, old)
        elif word == "secure:":
            new = old.replace("{type:", "{" + text + "type:")
        else:
            new = re.sub(word, text, old)
        with open(profile, "w", encoding="utf-8") as file:
            file.write(new)
        run = pair.ours("run", "-s", "days")
        check(run.returncode != 0 and wanted in run.stdout + run.stderr,
              "expected %s\n%s" % (wanted, run.stdout + run.stderr))
        with open(profile, "w", encoding="utf-8") as file:
            file.write(old)
    print("ok: %d refusals say why" % (len(cases) + 5))


def main():
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    binary, work = sys.argv[1], tempfile.mkdtemp()
    server = Server(work)
    try:
        jaffle = os.path.join(os.environ.get("MILLRACE_SHARED", ""), "data", "jaffle_shop")
        if os.path.isdir(jaffle):
            counts = Pair(binary, server, work, jaffle, "jaffle_shop").both("jaffle_shop", "build")
            # ClickHouse names a column "customers.customer_id" that both sides of two joins have.
            check(counts["error"] == 3 and counts.total() == 28, "jaffle_shop: %s" % counts)
        else:
            print("skipped: jaffle_shop (MILLRACE_SHARED has no data/jaffle_shop)")
        pair = Pair(binary, server, work, os.path.join(ROOT, "tests", "dbt", "shop"), "shop")
        shop(pair)
        refusals(pair)
        kills(pair)
        print("passed")
    finally:
        server.process.terminate()
        server.process.wait()
        shutil.rmtree(work, ignore_errors=True)


if __name__ == "__main__":
    main()
