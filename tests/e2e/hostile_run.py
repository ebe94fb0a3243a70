#!/usr/bin/env python3
"""Data that wants to be more than data, through every door that takes some.

Each string of HOSTILE goes as key and value through the collector and straight into a topic, and
from there into PostgreSQL, the warehouse, files and a webhook, into dead letters and back, into
traces, reconciliations and logs. At the end

  values    are where they should be, unchanged, once; nothing else is anywhere
  canaries  tables and files that nobody may touch are as they were
  terminal  no command and no log line prints a control character of the data
  page      every answer with data in it is JSON, and says so

    hostile_run.py BINARY
"""

import csv
import http.server
import io
import json
import os
import subprocess
import sys
import threading
import urllib.error
import urllib.parse
import urllib.request

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
sys.path.insert(0, os.path.join(ROOT, "examples", "orders"))
sys.dont_write_bytecode = True
import run_checks  # noqa: E402
import servers  # noqa: E402
from run_checks import Failure, check, until  # noqa: E402

HOSTILE = [
    "'; DROP TABLE canary; --",
    "\"; DROP TABLE canary; --",
    "$$; DROP TABLE canary; $$",
    "\\'; DELETE FROM canary; --",
    "1); DROP TABLE canary; COPY canary TO PROGRAM 'touch pwned'; --",
    "' OR '1'='1",
    "{k}${env:HOME}${file:/etc/passwd}",
    "{{ 7 * 7 }}{% raw %}%s%n{}",
    "../../../../../../escaped",
    "..",
    "/etc/passwd",
    "a/b\\c:d*?\"<>|",
    "<script>alert(1)</script><img src=x onerror=alert(1)>",
    "</title><!channel> <https://evil.example|click>",
    "=cmd|' /C calc'!A0",
    "\x1b[2J\x1b]0;owned\x07\x1b[31m",
    "line\n2026-01-01T00:00:00.000 E forged=true\r\nSet-Cookie: a=b",
    "\u202egnp.exe\u2066\u0085\u2028",
    "\\N",
    "NULL",
    "[a,b]",
    "",
    " ",
    "\t",
    "%00%2e%2e%2f",
    "{\"k\":\"other\",\"__proto__\":{}}",
    "\U0001f600 \u00e9e\u0301 \ufeff",
    "x" * 2000,
]
CANARY = "do not touch"
TICKS = 100_000  # ids from here on only make time go on

CONFIG = """name: hostile
target: servers
targets:
  servers: {embedded: [kafka]}
topics:
  events: {partitions: 2}
"""
SQL = """
CREATE TABLE events (id INT NOT NULL, k STRING NOT NULL, v STRING,
  CONSTRAINT not_negative CHECK (id >= 0) ON VIOLATION DEAD LETTER)
WITH ('connector' = 'kafka', 'topic' = 'events', 'properties.bootstrap.servers' = 'x',
  'scan.startup.mode' = 'earliest-offset', 'key.format' = 'raw', 'key.fields' = 'k',
  'format' = 'json');

-- Events are checked, and get their key: the last one of each counts.
CREATE TABLE latest (k STRING NOT NULL, n INT NOT NULL, PRIMARY KEY (k) NOT ENFORCED)
WITH ('connector' = 'upsert-kafka', 'topic' = 'latest', 'properties.bootstrap.servers' = 'x',
  'key.format' = 'raw', 'value.format' = 'json');
CREATE TABLE latest_copy (k STRING, n INT, PRIMARY KEY (k) NOT ENFORCED)
WITH ('connector' = 'warehouse');
INSERT INTO latest_copy SELECT k, n FROM latest;

CREATE TABLE stored (id INT, k STRING, v STRING, PRIMARY KEY (id, k) NOT ENFORCED)
WITH ('connector' = 'jdbc', 'url' = 'jdbc:postgresql://127.0.0.1:@PG@/postgres',
  'username' = 'postgres', 'table-name' = 'stored');
INSERT INTO stored SELECT id, k, v FROM events;

CREATE TABLE `od"d; DROP TABLE canary; --'` (`i"d` INT, `k'; --` STRING, `v``)` STRING,
  PRIMARY KEY (`i"d`) NOT ENFORCED)
WITH ('connector' = 'jdbc', 'url' = 'jdbc:postgresql://127.0.0.1:@PG@/postgres',
  'username' = 'postgres', 'table-name' = 'od"d; DROP TABLE canary; --''');
INSERT INTO `od"d; DROP TABLE canary; --'` SELECT id, k, v FROM events;

CREATE TABLE kept (id INT, k STRING, v STRING, PRIMARY KEY (id) NOT ENFORCED)
WITH ('connector' = 'warehouse');
INSERT INTO kept SELECT id, k, v FROM events;

CREATE TABLE files (id INT, k STRING, v STRING) PARTITIONED BY (k)
WITH ('connector' = 'filesystem', 'path' = '@WORK@/out/files', 'format' = 'json',
  'sink.rolling-policy.rollover-interval' = '1 s');
INSERT INTO files SELECT id, SUBSTRING(k FROM 1 FOR 60), v FROM events;

CREATE TABLE hook (id INT, k STRING, v STRING)
WITH ('connector' = 'webhook', 'url' = 'http://127.0.0.1:@HOOK@/');
INSERT INTO hook SELECT id, k, v FROM events;
"""
RECONCILE = """source: kept
destination: stored
by: checksum
key: [id, k]
columns: [v]
every: 0
name-keys: 1000
"""


class Hook(http.server.BaseHTTPRequestHandler):
    """Remembers the rows that the webhook sends."""

    rows = {}

    def do_POST(self):  # noqa: N802
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        for row in body if isinstance(body, list) else body["rows"]:
            Hook.rows[row["id"]] = (row["k"], row["v"])
        self.send_response(200)
        self.end_headers()

    def log_message(self, *_):
        pass


def no_controls(text, where):
    bad = [c for c in text if (ord(c) < 0x20 and c != "\n") or 0x7f <= ord(c) < 0xa0 or
           c in "\u2028\u2029\u202e\u2066"]
    check(not bad, "%s prints %r: %r" % (where, bad[0] if bad else "", text[:2000]))


class Project:
    def __init__(self, binary, work, postgres, hook):
        self.binary, self.work, self.postgres = binary, work, postgres
        self.directory = os.path.join(work, "project")
        os.makedirs(self.directory + "/sql")
        os.makedirs(self.directory + "/reconcile")
        fill = {"@PG@": str(postgres.port), "@HOOK@": str(hook), "@WORK@": work}
        text = SQL
        for name, value in fill.items():
            text = text.replace(name, value)
        for name, content in (("millrace.yml", CONFIG), ("sql/a.sql", text),
                              ("reconcile/both.yml", RECONCILE)):
            with open(os.path.join(self.directory, name), "w") as file:
                file.write(content)
        self.environment = dict(os.environ, NO_COLOR="1")
        self.log = os.path.join(work, "dev.log")
        self.url = "http://127.0.0.1:%d" % servers.free_port()
        with open(self.log, "wb") as log:
            self.process = subprocess.Popen(
                [binary, "dev", self.directory, "--port", self.url.rsplit(":", 1)[1]],
                stdin=subprocess.DEVNULL, stdout=log, stderr=log, env=self.environment)
        until("the start", lambda: self.request("/readyz"))

    def request(self, path, body=None, kind="application/json"):
        request = urllib.request.Request(self.url + path, body, {"Content-Type": kind})
        with urllib.request.urlopen(request, timeout=60) as answer:
            if path.startswith(("/api", "/v1")):
                check(answer.headers["Content-Type"].startswith("application/json") and
                      answer.headers["X-Content-Type-Options"] == "nosniff",
                      "%s answers with %s" % (path, dict(answer.headers)))
                return json.load(answer)
            return answer.read()

    def run(self, *arguments, expect=0, data=None):
        done = subprocess.run([self.binary, *arguments], env=self.environment, check=False,
                              input=data, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        text = done.stdout.decode()
        check(expect is None or done.returncode == expect, "millrace %r gives %d: %s"
              % (arguments, done.returncode, text[:2000]))
        return text

    def rows(self, sql):
        return self.request("/api/sql", json.dumps({"sql": sql}).encode())["rows"]

    def server_rows(self, sql):
        done = subprocess.run(
            [servers.POSTGRES_BIN + "/psql", "-h", "127.0.0.1", "-p", str(self.postgres.port),
             "-U", "postgres", "-Xq", "--csv", "-t", "-c", sql],
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, check=False)
        check(done.returncode == 0, done.stderr.decode())
        return list(csv.reader(io.StringIO(done.stdout.decode(), newline="")))


def send(project):
    """{id: (key, value)}: one half through the collector, one straight into the topic."""
    sent = {}
    for number, text in enumerate(HOSTILE):
        sent[number] = (text, text[::-1])
    half = len(HOSTILE) // 2
    events = [json.dumps({"id": i, "k": k, "v": v}) for i, (k, v) in sent.items()]
    answer = project.request("/v1/events/events", ("\n".join(events[:half])).encode(),
                             "application/x-ndjson")
    check(answer["accepted"] == half, "the collector takes %s" % answer)
    project.run("topics", "-C", project.directory, "produce", "events", "--key-field", "k",
                data="\n".join(events[half:]).encode())
    return sent


def check_values(project, sent):
    def server():
        for name in ("stored", "\"od\"\"d; DROP TABLE canary; --'\""):
            rows = project.server_rows("SELECT * FROM %s" % name)
            found = {int(row[0]): (row[1], row[2]) for row in rows}
            check(found == sent and len(rows) == len(sent), "%s has %s" % (
                name, [(found.get(i), sent[i]) for i in sent if found.get(i) != sent[i]][:2]))

    def warehouse():
        found = {row[0]: (row[1], row[2]) for row in project.rows("SELECT * FROM kept")}
        check(found == sent, "the warehouse has %s" % found)

    def hook():
        check(Hook.rows == sent, "the webhook got %s" % Hook.rows)

    def files():
        # A file is closed with the first epoch after its time.
        tick = TICKS + len(sent)
        sent[tick] = ("tick", "")
        project.request("/v1/events/events", json.dumps({"id": tick, "k": "tick", "v": ""}).encode())
        found = {}
        root = os.path.join(project.work, "out", "files")
        for directory, _, names in os.walk(root):
            for name in names:
                place = os.path.relpath(os.path.join(directory, name), root)
                if place.split(os.sep)[0].startswith((".", "_")):
                    continue
                check(place.startswith("k=") and place.count(os.sep) == 1, "a file is " + place)
                key = urllib.parse.unquote(place.split(os.sep)[0][2:])
                with open(os.path.join(root, place)) as file:
                    for line in file:
                        row = json.loads(line)
                        found[row["id"]] = (key, row["v"])
        wanted = {i: (k[:60] or "__HIVE_DEFAULT_PARTITION__", v)
                  for i, (k, v) in sent.items() if i < TICKS}
        check({i: row for i, row in found.items() if i < TICKS} == wanted, "the files have %s" % [
            (found.get(i), wanted[i]) for i in wanted if found.get(i) != wanted[i]][:2])

    for what, question in (("PostgreSQL", server), ("the warehouse", warehouse),
                           ("the webhook", hook), ("the files", files)):
        until("all values in " + what, question)


def check_upserts(project):
    """Two events of each key, and some that do not fit."""
    for turn in (1, 2):
        lines = [json.dumps({"k": text, "n": turn * number}) for number, text in enumerate(HOSTILE)]
        answer = project.request("/v1/events/latest", "\n".join(lines).encode())
        check(answer["accepted"] == len(HOSTILE), "the collector takes %s" % answer)
    try:
        project.request("/v1/events/latest", b'{"k": "a", "n": "many"}')
        raise Failure("the collector takes a word as a number")
    except urllib.error.HTTPError as error:
        check(json.load(error)["rejected"] == 1, "the collector does not say what is wrong")

    def arrived():
        found = dict(project.rows("SELECT k, n FROM latest_copy"))
        check(found == {text: 2 * number for number, text in enumerate(HOSTILE)},
              "latest_copy has %s" % found)

    until("the last event of each key", arrived)


def check_canaries(project):
    check(project.server_rows("SELECT * FROM canary") == [[CANARY]], "the canary is gone")
    tables = {row[0] for row in project.server_rows(
        "SELECT relname FROM pg_class WHERE relkind = 'r' AND relnamespace = 'public'::regnamespace")}
    expected = {"canary", "stored", "od\"d; DROP TABLE canary; --'", "millrace_commits"}
    check(tables >= {"canary", "stored"} and not tables - expected, "PostgreSQL has %s" % tables)
    there = set(os.listdir(os.path.join(project.work, "out")))
    check(there == {"canary", "files"}, "beside the files there is %s" % there)
    check(not os.path.exists("pwned") and "escaped" not in os.listdir(project.work), "escaped")


def check_dead_letters(project, sent):
    """Broken rows with these values, edited by SQL and by a patch, replayed."""
    directory = project.directory
    broken = {1000 + i: text for i, (text, _) in sent.items() if i < TICKS}
    lines = [json.dumps({"id": -i, "k": text, "v": text}) for i, text in broken.items()]
    project.run("topics", "-C", directory, "produce", "events", "--key-field", "k",
                data="\n".join(lines).encode())

    def refused():
        found = {json.loads(letter["value"])["id"]: json.loads(letter["value"])["v"]
                 for letter in project.request("/api/dead-letters?limit=1000")
                 if letter["job"] == "stored"}
        check(found == {-i: text for i, text in broken.items()}, "the dead letters are %s" % found)

    until("dead letters", refused)
    letters = [one for one in project.request("/api/dead-letters?limit=1000")]
    no_controls(project.run("dlq", "-C", directory, "ls"), "dlq ls")
    for letter in letters[:len(HOSTILE)]:
        no_controls(project.run("dlq", "-C", directory, "show", letter["id"]), "dlq show")
    for text in HOSTILE:
        # Filters are values.
        if text:
            project.run("dlq", "-C", directory, "ls", "--table=" + text)
    mine = [one["id"] for one in letters if one["job"] == "stored"]
    middle = len(mine) // 2
    project.run("dlq", "-C", directory, "edit", *mine[:middle], "--set", "id = -id")
    for letter in mine[middle:]:
        value = json.loads(next(one for one in letters if one["id"] == letter)["value"])
        project.run("dlq", "-C", directory, "edit", letter, "--patch",
                    json.dumps({"id": -value["id"], "v": value["v"]}))
    # More than an assignment is not taken.
    for more in ("id = 1; DROP TABLE canary", "id = (SELECT 1 FROM read_text('/etc/passwd'))",
                 "id = 1 WHERE true) TO '%s/out/stolen' --" % project.work):
        text = project.run("dlq", "-C", directory, "edit", mine[0], "--set", more, "--again",
                           expect=None)
        check("root:" not in text, "a file was read: " + text)
    project.run("dlq", "-C", directory, "replay", "--job", "stored")
    sent.update({i: (text, text) for i, text in broken.items()})


def check_traces(project, sent):
    directory = project.directory
    for text in HOSTILE:
        out = project.run("trace", "events", directory, "--key", text, "--limit", "1")
        no_controls(out, "the trace of %r" % text)
        line = project.run("trace", "events", directory, "--key", text, "--limit", "1",
                           "--format", "json")
        trace = json.loads([one for one in line.split("\n") if one.startswith("{")][0])
        (made,) = trace["tables"][0]["decoded"]["made"]["rows"]
        check(made[1] == text and tuple(sent[int(made[0])]) == (made[1], made[2]),
              "the trace of %r is of %s" % (text, made))
        jobs = {job["job"]: job for job in trace["tables"][0]["jobs"]}
        for job in ("stored", "kept"):
            (row,) = jobs[job]["in_sink"]["rows"]
            check(row == made and not jobs[job]["differences"], "%s is %s" % (job, jobs[job]))
    for where in ("true); DROP TABLE kept; --", "1 = 1) UNION SELECT 1, '2', '3'; DELETE FROM kept "
                  "WHERE (1 = 1", "k = (SELECT content FROM read_text('/etc/passwd'))"):
        out = project.run("trace", directory, "--sink", "kept", "--where", where, expect=None)
        check("root:" not in out, "a file was read: " + out)
        check(project.rows("SELECT count(*) FROM kept")[0][0] == len(sent), "rows are gone")


def check_names(project):
    """Keys that differ are named, without what they would do to a terminal."""
    def agree():
        project.run("reconcile", project.directory, "both")

    until("sides that agree", agree)
    project.server_rows("DELETE FROM stored WHERE id < 1000")
    out = project.run("reconcile", project.directory, "both", expect=1)
    no_controls(out, "reconcile")
    check("forged=true" in out and "\n2026-01-01" not in out, "the keys are not named: " + out)


def check_pages(project):
    page = project.request("/").decode()
    for text in HOSTILE:
        check(len(text) < 5 or text not in page, "the page has %r in it" % text)
        path = "/api/topics/%s/records" % urllib.parse.quote(text, safe="")
        try:
            project.request(path)
        except urllib.error.HTTPError as error:
            check(error.headers["Content-Type"].startswith(("application/json", "text/plain")),
                  "%s answers with %s" % (path, error.headers))
            check(b"<script>" not in error.read() or
                  error.headers["Content-Type"].startswith("application/json"), path)
    for path in ("/api/pipeline", "/api/lineage", "/api/topics", "/api/ledger", "/api/dashboards",
                 "/api/topics/events/records?partition=0&limit=1000"):
        project.request(path)


def check_log(project):
    with open(project.log, encoding="utf-8") as file:
        text = file.read()
    no_controls(text, "the log")
    check("\n2026-01-01T00:00:00.000 E forged" not in text, "a log line is forged")


def run(binary, work):
    os.makedirs(os.path.join(work, "out"))
    canary = os.path.join(work, "out", "canary")
    with open(canary, "w") as file:
        file.write(CANARY)
    postgres = servers.Postgres(os.path.join(work, "servers"))
    hook = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Hook)
    threading.Thread(target=hook.serve_forever, daemon=True).start()
    project = None
    try:
        postgres.start()
        project = Project(binary, work, postgres, hook.server_address[1])
        project.server_rows("CREATE TABLE canary AS SELECT '%s'::text AS text" % CANARY)
        sent = send(project)
        check_values(project, sent)
        print("values arrive as values")
        check_upserts(project)
        check_dead_letters(project, sent)
        check_values(project, sent)
        print("dead letters: edited and replayed")
        check_traces(project, sent)
        check_names(project)
        check_pages(project)
        check_canaries(project)
        with open(canary) as file:
            check(file.read() == CANARY, "the canary file was written")
        check_log(project)
        project.process.terminate()
        check(project.process.wait() == 0, "millrace dev ended with an error")
        print("ok: passed")
    finally:
        if project and project.process.poll() is None:
            project.process.kill()
            project.process.wait()
        hook.shutdown()
        postgres.stop()


if __name__ == "__main__":
    sys.exit(run_checks.main(__doc__, "hostile", run))
