#!/usr/bin/env python3
"""Kills a running pipeline again and again, and checks that nothing is lost or doubled.

One project reads numbered events and writes them into every kind of sink: the warehouse (windows,
upserts, an outer interval join), a topic, Parquet files and, with --postgres, a PostgreSQL server
(windows and upserts). A round is 1 to 5 lives of the process, each ended by SIGKILL at a random
moment, also while it starts or recovers, while events arrive over HTTP. Then come closing events
that push the watermark past everything, a graceful stop, and the checks:

  log      every acknowledged event is in the topic, once; nothing is there that was not sent
  sinks    each equals the batch result that SQL computes from the topic
  letters  the dead letters are the broken events: all acknowledged ones, each once, nothing else

State carries on from round to round. After a failed round a new project begins, and the old one is
kept. Only events that got no answer may be there or not, but then everywhere the same.

    crash_test.py --binary build/release/millrace --rounds 100 --postgres --seed 1
"""

import argparse
import csv
import datetime
import http.client
import io
import json
import os
import random
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time

from run_checks import free_port

DELAY_S = 20           # of the watermark
CLOSING_GAP_S = 60     # from a round's last event to its closing events
EVENT_STEP_MS = 50
WINDOW_S = 10
USERS = 50
CATEGORIES = ["books", "games", "music", "tools"]
POSTGRES_BIN = "/usr/lib/postgresql/15/bin"

CONFIG = """name: crash
target: crash
targets:
  crash:
    embedded: [kafka]
topics:
  events: {partitions: 3, key: user_id}
  copies: {partitions: 2}
"""

TABLES = """
SET 'execution.checkpointing.interval' = '300 ms';
CREATE TABLE events (
  id BIGINT NOT NULL, user_id STRING NOT NULL, category STRING NOT NULL, kind STRING NOT NULL,
  amount INT NOT NULL, event_time TIMESTAMP(3) NOT NULL,
  WATERMARK FOR event_time AS event_time - INTERVAL '20' SECOND,
  CONSTRAINT amount_positive CHECK (amount > 0)
) WITH ('connector' = 'kafka', 'topic' = 'events', 'properties.bootstrap.servers' = 'kafka:9092',
  'scan.startup.mode' = 'earliest-offset', 'key.format' = 'raw', 'key.fields' = 'user_id',
  'format' = 'json');

CREATE TABLE copies (id BIGINT, user_id STRING, doubled INT
) WITH ('connector' = 'kafka', 'topic' = 'copies', 'properties.bootstrap.servers' = 'kafka:9092',
  'format' = 'json');
INSERT INTO copies SELECT id, user_id, amount * 2 FROM events;

CREATE TABLE archive (id BIGINT, user_id STRING, amount INT, event_time TIMESTAMP(3),
  category STRING) PARTITIONED BY (category)
WITH ('connector' = 'filesystem', 'path' = 'archive', 'format' = 'parquet',
  'sink.rolling-policy.rollover-interval' = '500 ms');
INSERT INTO archive SELECT id, user_id, amount, event_time, category FROM events;

CREATE TABLE matches (view_id BIGINT, buy_id BIGINT) WITH ('connector' = 'warehouse');
INSERT INTO matches
SELECT v.id, b.id
FROM (SELECT id, user_id, event_time FROM events WHERE kind = 'view') AS v
LEFT JOIN (SELECT id, user_id, event_time FROM events WHERE kind = 'buy') AS b
  ON v.user_id = b.user_id
  AND b.event_time BETWEEN v.event_time AND v.event_time + INTERVAL '5' SECOND;
"""

# For each prefix: connector options, then a windowed and an updating job.
RESULTS = """
CREATE TABLE {p}_windows (window_start TIMESTAMP(3), category STRING, n BIGINT, total BIGINT,
  users BIGINT) WITH ({windows});
INSERT INTO {p}_windows
SELECT window_start, category, COUNT(*), SUM(amount), COUNT(DISTINCT user_id)
FROM TABLE(TUMBLE(TABLE events, DESCRIPTOR(event_time), INTERVAL '10' SECOND))
GROUP BY window_start, window_end, category;

CREATE TABLE {p}_totals (user_id STRING NOT NULL, n BIGINT, total BIGINT, newest BIGINT,
  PRIMARY KEY (user_id) NOT ENFORCED) WITH ({totals});
INSERT INTO {p}_totals
SELECT user_id, COUNT(*), SUM(amount), MAX(id) FROM events GROUP BY user_id;
"""

WINDOWS_BATCH = """SELECT time_bucket(INTERVAL 10 SECOND, event_time) AS window_start, category,
  count(*) AS n, sum(amount)::BIGINT AS total, count(DISTINCT user_id) AS users FROM events
  WHERE event_time < {boundary} GROUP BY ALL"""
TOTALS_BATCH = """SELECT user_id, count(*) AS n, sum(amount)::BIGINT AS total, max(id) AS newest
  FROM events GROUP BY ALL"""
MATCHES_BATCH = """SELECT v.id, b.id FROM (FROM events WHERE kind = 'view') v
  LEFT JOIN (FROM events WHERE kind = 'buy') b ON v.user_id = b.user_id
  AND b.event_time BETWEEN v.event_time AND v.event_time + INTERVAL 5 SECOND"""


class Failure(Exception):
    """A check that did not hold."""


def sql_time(ms):
    moment = datetime.datetime.fromtimestamp(ms / 1000, datetime.timezone.utc)
    return "TIMESTAMP '%s'" % moment.strftime("%Y-%m-%d %H:%M:%S.%f")


class Postgres:
    """A server of its own on a free loopback port."""

    def __init__(self, directory):
        self.port = free_port()
        self.directory = directory
        os.makedirs(directory)
        self.user = "postgres" if os.getuid() == 0 else None  # it refuses to run as root
        if self.user:
            shutil.chown(directory, self.user)
        data = os.path.join(directory, "data")
        self.run("initdb", "-D", data, "-A", "trust", "-U", "postgres", "--no-sync")
        options = "-c listen_addresses=127.0.0.1 -c port=%d -c unix_socket_directories=%s" % (
            self.port, directory)
        self.run("pg_ctl", "-D", data, "-w", "-t", "300", "-l", os.path.join(directory, "log"),
                 "-o", options, "start")

    def run(self, program, *arguments):
        done = subprocess.run([os.path.join(POSTGRES_BIN, program), *arguments], user=self.user,
                              cwd=self.directory, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                              text=True, check=False)
        if done.returncode != 0:
            raise RuntimeError("%s failed: %s" % (program, done.stdout))

    def query(self, database, sql):
        done = subprocess.run(
            [os.path.join(POSTGRES_BIN, "psql"), "-h", "127.0.0.1", "-p", str(self.port), "-U",
             "postgres", "-d", database, "-X", "-q", "--csv", "-v", "ON_ERROR_STOP=1", "-c", sql],
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, check=False)
        if done.returncode != 0:
            raise Failure("psql: " + done.stderr.strip())
        return list(csv.reader(io.StringIO(done.stdout)))[1:]

    def stop(self):
        self.run("pg_ctl", "-D", os.path.join(self.directory, "data"), "-m", "immediate", "stop")


class Project:
    """The pipeline's directory, its process, and what was sent to it."""

    def __init__(self, binary, directory, postgres):
        self.binary, self.directory, self.postgres = binary, directory, postgres
        self.database = os.path.basename(directory).replace("-", "_")
        os.makedirs(os.path.join(directory, "sql"))
        sql = TABLES + RESULTS.format(p="wh", windows="'connector' = 'warehouse'",
                                      totals="'connector' = 'warehouse'")
        if postgres:
            postgres.query("postgres", 'CREATE DATABASE "%s"' % self.database)
            jdbc = "'connector' = 'jdbc', 'url' = 'jdbc:postgresql://127.0.0.1:%d/%s', "
            jdbc %= (postgres.port, self.database)
            jdbc += "'username' = 'postgres', 'table-name' = '%s'"
            sql += RESULTS.format(p="pg", windows=jdbc % "pg_windows", totals=jdbc % "pg_totals")
        for name, text in (("millrace.yml", CONFIG), ("sql/jobs.sql", sql)):
            with open(os.path.join(directory, name), "w") as file:
                file.write(text)
        self.port = free_port()
        self.process = None
        self.killed = threading.Event()
        self.next_id = 1
        self.time_ms = int((time.time() - 12 * 3600) * 1000) // 10_000 * 10_000
        self.good = {True: set(), False: set()}  # ids by "was acknowledged"
        self.bad = {True: set(), False: set()}

    # ---- the process

    def start(self):
        self.killed.clear()
        with open(os.path.join(self.directory, "dev.log"), "ab") as log:
            self.process = subprocess.Popen(
                [self.binary, "dev", self.directory, "--port", str(self.port)],
                stdin=subprocess.DEVNULL, stdout=log, stderr=log)

    def wait_ready(self, deadline):
        while True:
            try:
                if self.request("GET", "/readyz")[0] == 200:
                    return
            except (OSError, http.client.HTTPException):
                pass
            if self.process.poll() is not None:
                raise Failure("the process ended by itself, code %d" % self.process.returncode)
            if time.monotonic() > deadline:
                raise Failure("not ready in time")
            time.sleep(0.01)

    def request(self, method, path, body=None):
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=30)
        try:
            connection.request(method, path, body)
            response = connection.getresponse()
            return response.status, response.read()
        finally:
            connection.close()

    def kill(self):
        if self.process.poll() is not None:
            raise Failure("the process ended by itself, code %d" % self.process.returncode)
        self.killed.set()
        self.process.kill()
        self.process.wait()

    def stop(self):
        self.process.terminate()
        try:
            code = self.process.wait(timeout=180)
        except subprocess.TimeoutExpired:
            raise Failure("SIGTERM did not end the process within 180 s") from None
        if code != 0:
            raise Failure("exit code %d after SIGTERM" % code)

    def end(self):
        if self.process and self.process.poll() is None:
            self.process.kill()
            self.process.wait()

    # ---- events

    def make_batch(self, rng):
        lines, good, bad = [], [], []
        for _ in range(rng.choice((1, 1, 5, 20, 40))):
            number, self.next_id = self.next_id, self.next_id + 1
            self.time_ms += EVENT_STEP_MS
            event = {"id": number, "user_id": "u%d" % rng.randrange(USERS),
                     "category": rng.choice(CATEGORIES),
                     "kind": rng.choice(("view", "view", "buy", "other")),
                     "amount": rng.randint(1, 1000), "event_time": self.time_text()}
            broken = rng.random() < 0.02
            (bad if broken else good).append(number)
            lines.append(spoil(rng, event) if broken else json.dumps(event))
        return lines, good, bad

    def time_text(self):
        moment = datetime.datetime.fromtimestamp(self.time_ms / 1000, datetime.timezone.utc)
        return moment.strftime("%Y-%m-%d %H:%M:%S.%f")[:-3]

    def send(self, connection, lines, good, bad):
        """One request; remembers what its answer promised. False when there was none."""
        acknowledged = False
        try:
            connection.request("POST", "/v1/events/events", "\n".join(lines).encode())
            response = connection.getresponse()
            answer = response.read()
            acknowledged = response.status in (202, 400)
            if acknowledged:
                counts = json.loads(answer)
                if (counts.get("accepted"), counts.get("rejected")) != (len(good), len(bad)):
                    raise Failure("sent %d good and %d broken events, answer %s"
                                  % (len(good), len(bad), answer.decode()[:500]))
        except (OSError, http.client.HTTPException):
            acknowledged = False
        finally:
            self.good[acknowledged].update(good)
            self.bad[acknowledged].update(bad)
        return acknowledged

    def send_until_killed(self, rng, problems):
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=180)
        try:
            while not self.killed.is_set():
                if not self.send(connection, *self.make_batch(rng)):
                    # The flag is set just before the signal, so an answer cannot fail first.
                    if not self.killed.is_set():
                        problems.append("a request failed while the process lived")
                    return
                time.sleep(rng.uniform(0, 0.01))
        except Failure as failure:
            problems.append(str(failure))
        finally:
            connection.close()

    def send_closing(self):
        """Every partition gets an event far ahead. Returns its time."""
        self.time_ms += CLOSING_GAP_S * 1000
        lines, ids = [], []
        for n in range(64):
            lines.append(json.dumps({"id": self.next_id, "user_id": "close%d" % n,
                                     "category": "close", "kind": "other", "amount": 1,
                                     "event_time": self.time_text()}))
            ids.append(self.next_id)
            self.next_id += 1
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=180)
        if not self.send(connection, lines, ids, []):
            raise Failure("the closing events were not accepted")
        connection.close()
        return self.time_ms

    def wait_closed(self, closing_ms):
        """Until every job's watermark has passed what the closing events close."""
        late = "SELECT name, state, epoch, lag_rows, watermark, error FROM millrace.jobs WHERE " \
               "watermark IS NULL OR watermark < %s" % sql_time(closing_ms - DELAY_S * 1000)
        deadline = time.monotonic() + 180
        while True:
            try:
                status, answer = self.request("POST", "/api/sql", json.dumps({"sql": late}))
                if status != 200:
                    raise Failure("/api/sql answers %d: %s" % (status, answer.decode()[:500]))
                rows = json.loads(answer)["rows"]
                if not rows:
                    return
            except (OSError, http.client.HTTPException) as error:
                rows = error
            if self.process.poll() is not None:
                raise Failure("the process ended by itself, code %d" % self.process.returncode)
            if time.monotonic() > deadline:
                raise Failure("jobs did not come to the end of the input: %s" % rows)
            time.sleep(0.05)

    # ---- checks

    def sql(self, query):
        done = subprocess.run([self.binary, "sql", self.directory, "--format", "csv", "-c", query],
                              stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
                              check=False)
        if done.returncode != 0:
            raise Failure("millrace sql exits with %d: %s" % (done.returncode, done.stderr[-800:]))
        return list(csv.reader(io.StringIO(done.stdout)))[1:]

    def check(self, closing_ms):
        boundary_ms = (closing_ms - DELAY_S * 1000) // (WINDOW_S * 1000) * (WINDOW_S * 1000)
        boundary = sql_time(boundary_ms)
        problems = self.check_log() + self.check_letters()
        windows = WINDOWS_BATCH.format(boundary=boundary)
        pairs = [
            ("warehouse windows", "SELECT * FROM wh_windows WHERE window_start < " + boundary,
             windows),
            ("warehouse totals", "SELECT * FROM wh_totals", TOTALS_BATCH),
            ("warehouse join", "SELECT * FROM matches", MATCHES_BATCH),
            ("topic", "SELECT id, user_id, doubled FROM copies",
             "SELECT id, user_id, amount * 2 FROM events"),
            ("parquet", "SELECT id, user_id, amount, event_time, category FROM read_parquet("
             "'%s/archive/*/*.parquet', hive_partitioning = true)" % self.directory,
             "SELECT id, user_id, amount, event_time, category FROM events"),
        ]
        counts = " UNION ALL ".join(
            "SELECT {0}, (SELECT count(*) FROM (({1}) EXCEPT ALL ({2}))), "
            "(SELECT count(*) FROM (({2}) EXCEPT ALL ({1})))".format(i, sink, batch)
            for i, (_, sink, batch) in enumerate(pairs))
        for i, more, less in self.sql(counts):
            if (more, less) != ("0", "0"):
                problems.append("%s: %s rows too many or wrong, %s missing"
                                % (pairs[int(i)][0], more, less))
        if self.postgres:
            problems += self.check_postgres(boundary, windows)
        if problems:
            raise Failure("; ".join(problems))

    def check_log(self):
        problems = []
        stored = [int(row[0]) for row in self.sql("SELECT id FROM events")]
        found = set(stored)
        if len(found) != len(stored):
            problems.append("log: %d events are there twice" % (len(stored) - len(found)))
        lost = self.good[True] - found
        if lost:
            problems.append("log: %d acknowledged events are lost, e.g. %s"
                            % (len(lost), sorted(lost)[:5]))
        strange = found - self.good[True] - self.good[False]
        if strange:
            problems.append("log: events that should not be there: %s" % sorted(strange)[:5])
        return problems

    def check_letters(self):
        problems, ids = [], []
        letters = self.sql("SELECT kind, reason, value FROM millrace.dead_letters")
        for kind, reason, value in letters:
            number = re.search(r'"id": ?(\d+)', value)
            ids.append(int(number[1]) if number else None)
            if ids[-1] not in self.bad[True] and ids[-1] not in self.bad[False]:
                problems.append("letters: not a broken event: %s, %s, %s"
                                % (kind, reason, value[:200]))
        if len(set(ids)) != len(ids):
            problems.append("letters: %d are there twice" % (len(ids) - len(set(ids))))
        lost = self.bad[True] - set(ids)
        if lost:
            problems.append("letters: %d acknowledged broken events are missing" % len(lost))
        return problems[:3]

    def check_postgres(self, boundary, windows):
        problems = []
        comparisons = [
            ("windows", "SELECT extract(epoch FROM window_start)::bigint, category, n, total, "
             "users FROM pg_windows WHERE window_start < " + boundary,
             "SELECT epoch(window_start)::BIGINT, category, n, total, users FROM (%s)" % windows),
            ("totals", "SELECT user_id, n, total, newest FROM pg_totals", TOTALS_BATCH)]
        for name, there, batch in comparisons:
            rows, wanted = self.postgres.query(self.database, there), self.sql(batch)
            if sorted(rows) != sorted(wanted):
                extra = [row for row in rows if row not in wanted]
                problems.append("postgres %s: %d rows, the batch has %d; wrong: %s"
                                % (name, len(rows), len(wanted), extra[:3]))
        return problems


def spoil(rng, event):
    """A broken form that still shows the event's number."""
    kind = rng.randrange(4)
    if kind == 0:
        return json.dumps(event)[:40]
    if kind == 1:
        return json.dumps({**event, "amount": -event["amount"]})
    if kind == 2:
        return json.dumps({**event, "amount": "many"})
    return json.dumps({**event, "user_id": None})


def run_round(project, rng):
    problems, kills = [], rng.randint(1, 5)
    sent_before = project.next_id
    for _ in range(kills):
        project.start()
        while_starting = rng.random() < 0.3
        if while_starting:
            time.sleep(rng.uniform(0.01, 1))
            project.kill()
            continue
        project.wait_ready(time.monotonic() + 180)
        sender = threading.Thread(target=project.send_until_killed, args=(rng, problems))
        moment = rng.uniform(0.01, 2)  # before the thread shares the generator
        sender.start()
        time.sleep(moment)
        project.kill()
        sender.join()
        if problems:
            raise Failure(problems[0])
    project.start()
    project.wait_ready(time.monotonic() + 180)
    closing_ms = project.send_closing()
    project.wait_closed(closing_ms)
    project.stop()
    project.check(closing_ms)
    return kills, project.next_id - sent_before


def main():
    parser = argparse.ArgumentParser(description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--binary", required=True)
    parser.add_argument("--rounds", type=int, default=10)
    parser.add_argument("--seed", type=int, default=None, help="default: another one each time")
    parser.add_argument("--postgres", action="store_true", help="also write to a PostgreSQL server")
    args = parser.parse_args()
    binary = os.path.abspath(args.binary)
    seed = args.seed if args.seed is not None else random.randrange(1 << 31)
    print("seed %d" % seed, flush=True)
    if args.postgres and not os.path.exists(os.path.join(POSTGRES_BIN, "initdb")):
        print("there is no PostgreSQL in %s; run without --postgres" % POSTGRES_BIN,
              file=sys.stderr)
        return 2
    base = tempfile.mkdtemp(prefix="millrace-crash-")
    os.chmod(base, 0o755)
    postgres, project, projects, failed = None, None, 0, 0
    try:
        if args.postgres:
            postgres = Postgres(os.path.join(base, "postgres"))
        for number in range(1, args.rounds + 1):
            if project is None:
                projects += 1
                directory = os.path.join(base, "project-%d" % projects)
                project = Project(binary, directory, postgres)
            started = time.monotonic()
            try:
                kills, events = run_round(project, random.Random("%d-%d" % (seed, number)))
                print("round %d: ok, %d kills, %d events, %.1f s"
                      % (number, kills, events, time.monotonic() - started), flush=True)
            except Failure as failure:
                failed += 1
                print("round %d: FAILED: %s\n  kept: %s" % (number, failure, project.directory),
                      flush=True)
                project.end()
                project = None
    finally:
        if project:
            project.end()
        if postgres:
            postgres.stop()
        if failed == 0:
            shutil.rmtree(base, ignore_errors=True)
    print("%d passed, %d failed" % (args.rounds - failed, failed))
    return 1 if failed else 0


if __name__ == "__main__":
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    sys.exit(main())
