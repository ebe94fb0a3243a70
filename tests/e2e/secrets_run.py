#!/usr/bin/env python3
"""A marked secret in every place where one may stand, while nothing that it opens can be reached.

None of the marks may be in what anybody sees: the log, every command's output, every answer of the
API, the page, lineage and its OpenLineage events, dead letters, alerts. Those that are given by
reference are not in the data directory either.

    secrets_run.py BINARY
"""

import http.server
import json
import os
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.request

sys.dont_write_bytecode = True
import run_checks  # noqa: E402
from run_checks import check, free_port  # noqa: E402

WAIT_SECONDS = 300
REFERENCED = ["PG", "SEARCH", "REDIS", "HOOK", "HEADER", "SCORE", "LINEAGE", "PAGER", "SLACK"]
PREFIX = "s3cr3t-mark-"  # every secret begins with it

CONFIG = """name: vault
target: servers
targets:
  servers:
    embedded: [kafka]
    options:
      jdbc: {password: "${env:SECRET_PG}"}
topics:
  events: {partitions: 1}
alerts:
  failing-for: 1 s
  webhook: {url: "http://127.0.0.1:@PORT@/pager", token: "${env:SECRET_PAGER}"}
  slack: "${env:SLACK_URL}"
lineage:
  openlineage:
    transport: http
    url: "http://127.0.0.1:@PORT@/lineage"
    api-key: "${env:SECRET_LINEAGE}"
"""
SQL = """
CREATE TABLE events (id INT NOT NULL, k STRING, proc_time AS PROCTIME(),
  CONSTRAINT positive CHECK (id > 0) ON VIOLATION DEAD LETTER)
WITH ('connector' = 'kafka', 'topic' = 'events', 'properties.bootstrap.servers' = 'x',
  'scan.startup.mode' = 'earliest-offset', 'format' = 'json',
  'properties.sasl.jaas.config' = 'Plain username="u" password="s3cr3t-mark-INLINE_PASSWORD";');
CREATE TABLE profiles (k STRING, country STRING) WITH ('connector' = 'redis',
  'url' = 'redis://me:${env:SECRET_REDIS}@127.0.0.1:@CLOSED@/0', 'key' = 'p:{k}');
CREATE FUNCTION score(k STRING) RETURNS DOUBLE LANGUAGE HTTP AS
  'http://127.0.0.1:@CLOSED@/score?token=s3cr3t-mark-INLINE_TOKEN'
  WITH ('headers.authorization' = 'Bearer ${env:SECRET_SCORE}');
CREATE VIEW known AS SELECT e.id, e.k, p.country FROM events AS e
  LEFT JOIN profiles FOR SYSTEM_TIME AS OF e.proc_time AS p ON e.k = p.k;

CREATE TABLE pg (id INT, k STRING) WITH ('connector' = 'jdbc',
  'url' = 'jdbc:postgresql://127.0.0.1:@CLOSED@/x', 'username' = 'me', 'table-name' = 't');
INSERT INTO pg SELECT id, k FROM events;
CREATE TABLE pg2 (id INT, k STRING) WITH ('connector' = 'jdbc',
  'url' = 'jdbc:postgresql://127.0.0.1:@CLOSED@/x?password=s3cr3t-mark-INLINE_URL',
  'username' = 'me', 'table-name' = 't');
INSERT INTO pg2 SELECT id, k FROM events;
CREATE TABLE found (id INT, PRIMARY KEY (id) NOT ENFORCED) WITH ('connector' = 'opensearch',
  'hosts' = 'http://127.0.0.1:@CLOSED@', 'index' = 'i', 'username' = 'me',
  'password' = '${env:SECRET_SEARCH}');
INSERT INTO found SELECT id FROM events;
CREATE TABLE hook (id INT) WITH ('connector' = 'webhook', 'url' = 'http://127.0.0.1:@CLOSED@/',
  'secret' = '${env:SECRET_HOOK}', 'headers.x-api-key' = '${env:SECRET_HEADER}');
INSERT INTO hook SELECT id FROM events;
CREATE TABLE scored (id INT, s DOUBLE, country STRING) WITH ('connector' = 'warehouse');
INSERT INTO scored SELECT id, score(k), country FROM known;
CREATE TABLE kept (id INT, k STRING) WITH ('connector' = 'warehouse');
INSERT INTO kept SELECT id, k FROM events;
"""
COMMANDS = [
    ["validate", "."], ["explain", "."], ["plan", "."], ["status", "."], ["ledger", "."],
    ["functions"], ["connectors"], ["lineage", "--format", "text"], ["lineage", "--format", "json"],
    ["lineage", "--format", "yaml"], ["lineage", "--format", "dot"], ["dlq", "ls", "--all"],
    ["dlq", "ls", "--format", "json"], ["dlq", "show", "0/0"], ["topics", "list"],
    ["trace", "events", ".", "--key", "7", "--column", "id"],
    ["trace", "events", ".", "--key", "7", "--column", "id", "--format", "json"],
    ["trace", "--sink", "pg", "--where", "true"], ["verify", "pg", "."],
    ["sql", "-c", "SHOW CREATE TABLE pg"], ["sql", "-c", "SHOW CREATE TABLE pg2"],
    ["sql", "-c", "SHOW CREATE TABLE events"], ["sql", "-c", "SHOW CREATE TABLE found"],
    ["sql", "-c", "SELECT * FROM pg"], ["sql", "-c", "DESCRIBE profiles"],
    ["sql", "-c", "EXPLAIN SELECT score(k) FROM events"], ["sql", "-c", "SHOW FUNCTIONS"],
]
PATHS = ["/", "/metrics", "/readyz", "/api/pipeline", "/api/lineage", "/api/lineage?of=pg",
         "/api/ledger", "/api/topics", "/api/dead-letters", "/api/changes", "/api/dashboards",
         "/api/topics/millrace.dead-letters/records?partition=0",
         *("/api/jobs/" + job for job in ("pg", "pg2", "found", "hook", "scored", "kept"))]


class Listener(http.server.BaseHTTPRequestHandler):
    """Takes alerts and OpenLineage events: their bodies are seen by many, their headers are not."""

    bodies = []

    def do_POST(self):  # noqa: N802
        Listener.bodies.append((self.path, self.rfile.read(int(self.headers["Content-Length"]))))
        self.send_response(200)
        self.end_headers()

    def log_message(self, *_):
        pass


def ask(url, body=None):
    request = urllib.request.Request(url, body, {"Content-Type": "application/json"})
    try:
        with urllib.request.urlopen(request, timeout=60) as answer:
            return answer.read()
    except urllib.error.HTTPError as error:
        return str(error.headers).encode() + error.read()


def look_at(name, content, seen):
    text = content if isinstance(content, bytes) else content.encode()
    at = text.find(PREFIX.encode())
    seen.append(name if at < 0 else
                "%s shows a secret: …%r…" % (name, text[max(0, at - 100):at + 60]))


def write_project(work, port):
    directory = os.path.join(work, "project")
    os.makedirs(directory + "/sql")
    closed = str(free_port())
    for name, text in (("millrace.yml", CONFIG), ("sql/a.sql", SQL)):
        with open(os.path.join(directory, name), "w") as file:
            file.write(text.replace("@PORT@", str(port)).replace("@CLOSED@", closed))
    return directory


def run(binary, work):
    listener = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Listener)
    threading.Thread(target=listener.serve_forever, daemon=True).start()
    port = listener.server_address[1]
    directory = write_project(work, port)
    environment = dict(os.environ, NO_COLOR="1", MILLRACE_DATA_DIR=os.path.join(work, "data"),
                       SLACK_URL="http://127.0.0.1:%d/slack/%sSLACK" % (port, PREFIX))
    environment.update(("SECRET_" + name, PREFIX + name) for name in REFERENCED)
    url = "http://127.0.0.1:%d" % free_port()
    log_path = os.path.join(work, "dev.log")
    seen = []
    with open(log_path, "wb") as log:
        process = subprocess.Popen([binary, "dev", directory, "--port", url.rsplit(":", 1)[1]],
                                   stdin=subprocess.DEVNULL, stdout=log, stderr=log,
                                   env=environment)
    try:
        deadline = time.monotonic() + WAIT_SECONDS
        while True:
            try:
                ask(url + "/healthz")
                break
            except OSError:
                check(process.poll() is None and time.monotonic() < deadline, "no start: see " +
                      log_path)
                time.sleep(0.2)
        for event in ({"id": 7, "k": "a"}, {"id": -7, "k": "b"}, {"id": "x"}):
            ask(url + "/v1/events/events", json.dumps(event).encode())
        # All who cannot be reached are failing by now, and the pager heard of it.
        while sum(path == "/pager" for path, _ in Listener.bodies) < 4:
            check(time.monotonic() < deadline, "the pager heard of %s only" % Listener.bodies)
            time.sleep(0.2)
        for path in PATHS:
            look_at(path, ask(url + path), seen)
        for arguments in COMMANDS:
            done = subprocess.run([binary, *arguments], env=environment, cwd=directory,
                                  stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                                  stderr=subprocess.STDOUT, check=False)
            look_at("millrace " + " ".join(arguments), done.stdout, seen)
        check(any(b"eventType" in body for _, body in Listener.bodies), "no OpenLineage event")
        for path, body in Listener.bodies:
            look_at("a body to " + path.split("/")[1], body, seen)
    finally:
        process.terminate()
        process.wait()
        listener.shutdown()
    with open(log_path, "rb") as log:
        content = log.read()
    check(b"cannot" in content, "nothing failed")
    look_at("the log", content, seen)
    for place, _, names in os.walk(os.path.join(work, "data")):
        for name in names:
            with open(os.path.join(place, name), "rb") as file:
                content = file.read()
            for secret in REFERENCED:
                if (PREFIX + secret).encode() in content:
                    seen.append("the file %s shows a secret: %s" % (name, secret))
            seen.append(name)
    shown = [text for text in seen if "shows a secret" in text]
    check(not shown, "\n".join(shown))
    print("ok: no secret in %d places" % len(seen))


if __name__ == "__main__":
    sys.exit(run_checks.main(__doc__, "secrets", run))
