#!/usr/bin/env python3
"""Models of dbt in a pipeline, over the examples `lambda` and `medallion`.

lambda     events come in while batch runs land, and the process is killed and started again: the
           serving view, asked all the time, never counts a view twice and never misses one.
medallion  a bug in silver is mended and all of it made anew from bronze; the shops are not asked.
"""
import datetime
import http.client
import json
import os
import random
import shutil
import signal
import subprocess
import sys
import threading
import time

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import run_checks  # noqa: E402
from run_checks import Failure, check, free_port, until  # noqa: E402

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
PAGES = ["/", "/cart", "/about", "/p/1", "/p/2"]


class Pipeline:
    """A copy of an example, and `millrace dev` on it."""

    def __init__(self, binary, work, example):
        self.binary = binary
        self.directory = os.path.join(work, example)
        self.log_path = os.path.join(work, example + ".log")
        shutil.copytree(os.path.join(ROOT, "examples", example), self.directory,
                        ignore=shutil.ignore_patterns(".millrace"))
        self.port = free_port()
        self.process = None

    def edit(self, name, old, new):
        path = os.path.join(self.directory, name)
        with open(path) as file:
            text = file.read()
        check(old in text, "%s does not say %s" % (name, old))
        with open(path, "w") as file:
            file.write(text.replace(old, new))

    def start(self):
        with open(self.log_path, "ab") as log:
            self.process = subprocess.Popen(
                [self.binary, "dev", self.directory, "--port", str(self.port)],
                stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        until("a start of " + self.directory, lambda: self.request("GET", "/readyz")[0] == 200)

    def end(self, signal_number=signal.SIGTERM):
        if self.process and self.process.poll() is None:
            self.process.send_signal(signal_number)
            self.process.wait()

    def request(self, method, path, body=None):
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=60)
        try:
            connection.request(method, path, body)
            response = connection.getresponse()
            return response.status, response.read().decode()
        finally:
            connection.close()

    def rows(self, sql):
        status, answer = self.request("POST", "/api/sql", json.dumps({"sql": sql}))
        check(status == 200, "/api/sql answers %d: %s" % (status, answer[:500]))
        return json.loads(answer)["rows"]

    def send(self, topic, events):
        lines = "\n".join(json.dumps(event) for event in events)
        status, answer = self.request("POST", "/v1/events/" + topic, lines)
        check(status == 202, "events answer %d: %s" % (status, answer[:500]))

    def run(self, *arguments, expected=0):
        done = subprocess.run([self.binary, *arguments[:1], self.directory, *arguments[1:]],
                              stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                              check=False)
        check(done.returncode == expected, "%s ends with %d:\n%s"
              % (" ".join(arguments), done.returncode, done.stdout[-3000:]))
        return done.stdout


class Views:
    """Views of pages, ten seconds apart, in order."""

    def __init__(self):
        self.random = random.Random(5)
        self.time = datetime.datetime(2026, 1, 1)
        self.sent = 0

    def next(self, count):
        events = []
        for _ in range(count):
            self.time += datetime.timedelta(seconds=10)
            page = self.random.choice(PAGES + ["/p/%d" % (self.sent // 40)])
            events.append({"url": page, "user_id": "u", "viewed_at": self.text(self.time)})
            self.sent += 1
        return events

    def closing(self):
        """One view of each partition far ahead: all before it is final."""
        self.time += datetime.timedelta(hours=1)
        self.sent += 64
        return [{"url": "/closing/%d" % n, "user_id": "u", "viewed_at": self.text(self.time)}
                for n in range(64)]

    @staticmethod
    def text(moment):
        return moment.strftime("%Y-%m-%d %H:%M:%S")


BALANCE = """SELECT (SELECT coalesce(sum(total_views), 0) FROM page_view_totals),
  (SELECT coalesce(sum(views), 0) FROM minute_views)"""


def watch(pipeline, stop, problems, asked):
    """Both sides in one query, all the time: a batch run that lands must not show."""
    while not stop.is_set():
        try:
            total, live = pipeline.rows(BALANCE)[0]
        except (OSError, http.client.HTTPException):
            continue  # killed just now
        except Failure as failure:
            problems.append(str(failure))
            return
        asked.append(total)
        if total != live:
            problems.append("the serving view says %s, the minutes %s" % (total, live))
            return


def test_lambda(binary, work):
    pipeline = Pipeline(binary, work, "lambda")
    # On a slow machine a partition may be read a second after the other; what it has then would be
    # late, and the speed layer is right to leave it to the batch.
    pipeline.edit("sql/page_views.sql", "'scan.watermark.idle-timeout' = '1 s'",
                  "'scan.watermark.idle-timeout' = '1 h'")
    pipeline.run("build")  # nothing has come yet, and nothing runs
    views = Views()
    stop, problems, asked = threading.Event(), [], []
    pipeline.start()
    try:
        pipeline.run("build")
        watcher = threading.Thread(target=watch, args=(pipeline, stop, problems, asked))
        watcher.start()
        for round_number in range(6):
            for _ in range(8):
                pipeline.send("page-views", views.next(25))
            if round_number == 3:
                pipeline.end(signal.SIGKILL)
                pipeline.start()
            said = pipeline.run("build")
            check("stream model main.minute_views" in said and "ERROR=0" in said, said)
            check(not problems, problems[0] if problems else "")
        pipeline.send("page-views", views.closing())
        until("the end of the last minute", lambda: pipeline.rows(
            "SELECT coalesce(sum(views), 0) FROM minute_views")[0][0] == views.sent - 64)
        pipeline.run("build")
        stop.set()
        watcher.join()
        check(not problems, problems[0] if problems else "")
        check(len(asked) > 20, "the serving view was asked %d times only" % len(asked))
        different = pipeline.rows(
            "(SELECT url, total_views FROM page_view_totals EXCEPT SELECT url, count(*) FROM "
            "page_views WHERE url NOT LIKE '/closing/%' GROUP BY url) UNION ALL "
            "(SELECT url, count(*) FROM page_views WHERE url NOT LIKE '/closing/%' GROUP BY url "
            "EXCEPT SELECT url, total_views FROM page_view_totals)")
        check(not different, "the serving view differs from the topic: %s" % different[:5])
        test_watch(pipeline)
        test_failures_beside_dev(pipeline)
        test_stop_within_a_run(pipeline)
    finally:
        stop.set()
        pipeline.end()
    check("ERROR=0" in pipeline.run("build"), "a build after the end must work")
    print("lambda: %d views, the serving view asked %d times" % (views.sent, len(asked)))


def test_watch(pipeline):
    """What dev says, by itself, of files that change."""
    def path_of(name):
        return os.path.join(pipeline.directory, "models", name)

    def log():
        with open(pipeline.log_path) as file:
            return file.read()

    def change(name, text, *expected):
        before = len(log())
        if text is None:
            os.remove(path_of(name))
        else:
            with open(path_of(name) + "~", "w") as file:  # as editors do
                file.write(text)
            os.rename(path_of(name) + "~", path_of(name))
        for line in ("models  models/" + name,) + expected:
            until("a word on %s: %s" % (name, line), lambda: line in log()[before:])

    change("extra.sql", "select url from {{ ref('batch_view') }}", "model extra: new", " -s extra+")
    change("extra.sql", "select url from {{ ref('batch_view'", "error[", "models/extra.sql:1")
    change("extra.sql", "select 1 from {{ ref('bath_view') }}", 'did you mean "batch_view"')
    page = json.loads(pipeline.request("GET", "/api/pipeline")[1])["models"]
    check(not page["ok"] and "bath_view" in page["text"], "the page says: %s" % page)
    change("extra.sql", "select url from {{ ref('page_view_totals') }}", "the project is whole again",
           "model extra: sql")
    with open(path_of("batch_view.sql")) as file:
        batch_view = file.read()
    change("batch_view.sql", batch_view + "-- again\n", "model batch_view: sql", "reaches 4 nodes",
           "page_view_totals", "extra")
    change("batch_view.sql", batch_view, "model batch_view: sql")
    change("extra.sql", None, "model extra: gone")
    with open(path_of("minute_views.sql")) as file:
        minute_views = file.read()
    change("minute_views.sql", minute_views.replace("COUNT(*)", "SUM(2)"), "jobs go on as they are",
           "minute_views", "backfill")
    change("minute_views.sql", minute_views, "model minute_views: sql")
    page = json.loads(pipeline.request("GET", "/api/pipeline")[1])["models"]
    check(page["ok"] and "minute_views" in page["text"], "the page says: %s" % page)


def test_failures_beside_dev(pipeline):
    broken = os.path.join(pipeline.directory, "models", "broken.sql")
    with open(broken, "w") as file:
        file.write("select url,\n  nobody\nfrom {{ ref('batch_view') }}\n")
    said = pipeline.run("run", "-s", "broken", expected=1)
    check("models/broken.sql:2" in said and "nobody" in said, said)
    with open(broken, "w") as file:
        file.write("select 1 as a from {{ ref('nowhere') }}\n")
    said = pipeline.run("build", expected=1)
    check("nowhere" in said, said)
    os.remove(broken)


def newest_run(pipeline):
    status, answer = pipeline.request("GET", "/api/models/runs")
    check(status == 200, "/api/models/runs answers %d: %s" % (status, answer))
    return json.loads(answer)["runs"][0]


def test_stop_within_a_run(pipeline):
    slow = os.path.join(pipeline.directory, "models", "slow.sql")
    with open(slow, "w") as file:
        file.write("{{ config(materialized='table') }}\n"
                   "select count(*) as n from range(10000000) a, range(10000000) b\n")

    def start_slow():
        return subprocess.Popen([pipeline.binary, "run", pipeline.directory, "-s", "slow"],
                                stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)

    before = newest_run(pipeline)["run"]
    build = start_slow()
    until("the slow model", lambda: newest_run(pipeline)["run"] > before)
    second = start_slow()
    waiting = second.stdout.readline()
    check("waiting: another run of the models is at work" in waiting, waiting)
    time.sleep(0.3)  # into the statement, which would take days
    check(not newest_run(pipeline)["ended"], "the slow model ended")
    for run_number, expected in ((before, 200), (before + 10, 404)):
        status, answer = pipeline.request("GET", "/api/models/runs/%d" % run_number)
        check(status == expected, "run %d answers %d: %s" % (run_number, status, answer))
    pipeline.end()
    for run_of_it in (build, second):
        said = run_of_it.communicate()[0]
        check(run_of_it.returncode != 0, "a run that was broken off must not end well:\n" + said)
    os.remove(slow)


def test_medallion(binary, work):
    pipeline = Pipeline(binary, work, "medallion")
    payments = []
    for n in range(400):
        amount = 100 + n % 50
        shop = ("north", "south", "west")[n % 3]
        payments.append({"id": "p%d" % n, "shop": shop, "paid_at": "2026-01-%02d 10:00:00" % (1 + n % 9),
                         "amount": "%d" % (amount * 100) if shop == "north" else "%d.00" % amount})
    lines = [json.dumps(payment) for payment in payments + payments[:30]] + ["no payment", "{}"]
    done = subprocess.run([binary, "topics", "produce", "payments", "-C", pipeline.directory],
                          input="\n".join(lines) + "\n", text=True, stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT, check=False)
    check(done.returncode == 0, done.stdout)
    revenue = "SELECT sum(revenue)::DOUBLE, sum(payments)::BIGINT FROM gold_daily_revenue"
    expected = float(sum(100 + n % 50 for n in range(400)))

    with open(os.path.join(pipeline.directory, "millrace.yml"), "a") as file:
        file.write("models: {watch: build}\n")
    # A bug in silver: north's cents are taken as they are.
    pipeline.run("build", "--vars", "{north_sends_cents: false}")
    pipeline.start()
    try:
        wrong = pipeline.rows(revenue)[0]
        check(wrong[0] > expected * 10 and wrong[1] == 400, "with the bug: %s" % wrong)
        until("bronze", lambda: pipeline.rows("SELECT count(*) FROM bronze_payments")[0][0] == 432)
        said = pipeline.run("build", "-s", "silver_payments+")
        check("bronze_payments" not in said.split("Done")[0].replace("nothing_is_lost", ""), said)
        right = pipeline.rows(revenue)[0]
        check(right == [expected, 400], "after the bug was mended: %s" % right)
        with open(os.path.join(pipeline.directory, "models", "built_by_itself.sql"), "w") as file:
            file.write("{{ config(materialized='table') }}\nselect 42 as answer\n")
        until("a model that dev builds", lambda: pipeline.rows(
            "SELECT answer FROM built_by_itself") == [[42]])
    finally:
        pipeline.end()
    print("medallion: revenue %.0f, first %.0f" % (right[0], wrong[0]))


def run(binary, work):
    test_lambda(binary, work)
    time.sleep(0.1)
    test_medallion(binary, work)
    print("models: passed")


if __name__ == "__main__":
    sys.exit(run_checks.main(__doc__, "models", run))
