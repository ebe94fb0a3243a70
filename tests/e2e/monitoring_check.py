#!/usr/bin/env python3
"""Runs a project whose fraud model is slow, and checks

  - /metrics with Prometheus' own parser: every metric has HELP and TYPE and a name as it should be;
  - that the slow model shows as the time of its stage, while the other job keeps its pace;
  - every expression of monitoring/grafana/millrace.json and monitoring/prometheus/rules.yml, with a
    parser of PromQL: each metric, label and label's value in it is in what /metrics prints.

    monitoring_check.py path/to/millrace
"""
import collections
import http.server
import json
import os
import pathlib
import re
import subprocess
import sys
import tempfile
import threading
import time
import urllib.error
import urllib.request

import promql_parser as promql
import yaml
from prometheus_client.parser import text_string_to_metric_families

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
MODEL_SECONDS = 0.3
ORDERS = 20_000
SQL = """
CREATE TABLE orders (order_id STRING NOT NULL, amount DOUBLE, ts TIMESTAMP(3),
  WATERMARK FOR ts AS ts - INTERVAL '1' SECOND, CONSTRAINT amount_positive CHECK (amount > 0))
WITH ('connector' = 'kafka', 'topic' = 'orders', 'properties.bootstrap.servers' = 'embedded',
  'scan.startup.mode' = 'earliest-offset', 'format' = 'json');
CREATE FUNCTION fraud_score(amount DOUBLE) RETURNS DOUBLE LANGUAGE HTTP AS '%s'
  WITH ('batch.max-rows' = '500');
CREATE TABLE scored (order_id STRING, score DOUBLE) WITH ('connector' = 'blackhole');
CREATE TABLE cheap (order_id STRING, amount DOUBLE) WITH ('connector' = 'blackhole');
INSERT INTO scored SELECT order_id, fraud_score(amount) FROM orders;
INSERT INTO cheap SELECT order_id, amount FROM orders WHERE amount < 10000;
"""


class SlowModel(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_POST(self):
        rows = json.loads(self.rfile.read(int(self.headers["Content-Length"])))["rows"]
        time.sleep(MODEL_SECONDS)
        body = json.dumps({"results": [0.5] * len(rows)}).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *args):
        pass


class Checks:
    def __init__(self):
        self.passed = self.failed = 0

    def __call__(self, good, what):
        if good:
            self.passed += 1
        else:
            self.failed += 1
            print("FAILED:", what)


class Project:
    """`millrace dev` over a directory that goes away with it."""

    def __init__(self, millrace, directory, model_url):
        self.millrace, self.directory = millrace, directory
        os.makedirs(directory + "/sql")
        with open(directory + "/millrace.yml", "w") as file:
            file.write("name: shop\ntopics:\n  orders: {partitions: 2}\n")
        with open(directory + "/sql/a.sql", "w") as file:
            file.write(SQL % model_url)
        self.process = subprocess.Popen([millrace, "dev", directory, "--port", "0"],
                                        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        self.url = None
        for line in self.process.stdout:
            if found := re.search(r"http://127\.0\.0\.1:\d+", line):
                self.url = found.group(0)
                break
        threading.Thread(target=self.process.stdout.read, daemon=True).start()

    def get(self, path):
        with urllib.request.urlopen(self.url + path) as answer:
            return answer.read().decode()

    def post(self, path, body):
        try:
            with urllib.request.urlopen(self.url + path, data=body.encode()) as answer:
                return answer.status
        except urllib.error.HTTPError as error:
            return error.code

    def metrics(self):
        return Metrics(self.get("/metrics"))

    def stop(self):
        self.process.terminate()
        self.process.wait()


class Metrics:
    def __init__(self, text):
        self.text = text
        self.families = list(text_string_to_metric_families(text))
        self.samples = collections.defaultdict(list)  # by name: (labels, value)
        for family in self.families:
            for sample in family.samples:
                self.samples[sample.name].append((sample.labels, sample.value))

    def value(self, name, **labels):
        """The sum over the samples with these labels."""
        return sum(value for have, value in self.samples[name]
                   if all(have.get(key) == text for key, text in labels.items()))


def check_exposition(check, metrics):
    for family in metrics.families:
        check(family.documentation, f"{family.name} has no HELP")
        check(family.type != "unknown", f"{family.name} has no TYPE")
        check(family.name.startswith("millrace_"), f"{family.name}: not one of ours")
        check(family.type != "counter" or f"# TYPE {family.name}_total counter" in metrics.text,
              f"counter {family.name} does not end in _total")
        check(not re.search(r"_(ms|us|millis|kb|mb)(_|$)", family.name),
              f"{family.name}: not in seconds or bytes")
        seen = [tuple(sorted(sample.labels.items())) + (sample.name,) for sample in family.samples]
        check(len(seen) == len(set(seen)), f"{family.name}: a sample comes twice")
    types = re.findall(r"^# TYPE (\S+)", metrics.text, re.M)
    check(len(types) == len(set(types)), "a metric is described twice")


def check_slow_stage(check, project):
    """While the model is slow: its stage, and no other, takes the time; the other job is not held up."""
    lines = "\n".join(json.dumps({"order_id": f"o{i}", "amount": i + 1.0,
                                  "ts": f"2026-03-01 10:{i // 600:02}:{i // 10 % 60:02}"})
                      for i in range(ORDERS))
    batches = lines.splitlines()
    for i in range(0, ORDERS, 1000):
        check(project.post("/v1/events/orders", "\n".join(batches[i:i + 1000])) == 202, "events in")
    while True:
        metrics = project.metrics()
        if (metrics.value("millrace_job_rows_in_total", job="cheap") >= ORDERS and
                metrics.value("millrace_stage_busy_seconds_total", job="scored") > 2):
            break
        time.sleep(0.1)
    busy = {(labels["stage"], labels["operator"]): value
            for labels, value in metrics.samples["millrace_stage_busy_seconds_total"]
            if labels["job"] == "scored"}
    slowest, seconds = max(busy.items(), key=lambda item: item[1])
    print(f"busy: {busy}")
    check(slowest[1] == "LookupJoin", f"the model's stage is the slowest: {busy}")
    check(seconds > 0.9 * sum(busy.values()), f"the other stages take next to nothing: {busy}")
    check(metrics.value("millrace_lookup_latency_seconds", job="scored", quantile="0.5")
          >= MODEL_SECONDS, "the latency of a request")
    check(metrics.value("millrace_job_lag_rows", job="cheap") == 0, "the other job is up to date")
    other = metrics.value("millrace_stage_busy_seconds_total", job="cheap")
    check(other < seconds / 4, f"and waits for nothing: {other} s")
    check(metrics.value("millrace_stage_rows_total", job="cheap", outcome="filtered") == ORDERS - 9999,
          "rows that its filter let go")
    check(metrics.value("millrace_job_rows_missing") == 0, "the ledger")


def expressions():
    """Where each one stands, its text, and its legend."""
    dashboard = json.loads((ROOT / "monitoring/grafana/millrace.json").read_text())
    for panel in dashboard["panels"]:
        for target in panel.get("targets", []):
            yield f"panel \"{panel['title']}\"", target["expr"], target["legendFormat"]
    rules = yaml.safe_load((ROOT / "monitoring/prometheus/rules.yml").read_text())
    for group in rules["groups"]:
        for rule in group["rules"]:
            texts = " ".join(rule["annotations"].values())
            yield f"rule {rule['alert']}", rule["expr"], " ".join(
                "{{" + name + "}}" for name in re.findall(r"\$labels\.(\w+)", texts))


def check_expression(check, metrics, where, text, legend):
    # What Grafana puts in for its variables.
    text = text.replace("$__rate_interval", "1m").replace("$job", ".*")
    try:
        tree = promql.parse(text)
    except ValueError as error:
        check(False, f"{where}: {text}: {error}")
        return
    selectors, groupings = [], []
    collect(tree, selectors, groupings)
    check(selectors, f"{where}: {text} asks for nothing")
    labels = set()
    for selector in selectors:
        samples = metrics.samples.get(selector.name)
        check(samples, f"{where}: there is no metric {selector.name}")
        if not samples:
            continue
        labels |= {name for have, _ in samples for name in have}
        for matcher in selector.matchers.matchers:
            values = {have.get(matcher.name) for have, _ in samples}
            check(values != {None}, f"{where}: {selector.name} has no label {matcher.name}")
            if matcher.op == promql.MatchOp.Equal:
                check(matcher.value in values,
                      f"{where}: {selector.name} has no {matcher.name}=\"{matcher.value}\"")
    for name in groupings + re.findall(r"\{\{(\w+)\}\}", legend):
        check(name in labels, f"{where}: no metric of it has the label {name}")


def collect(node, selectors, groupings):
    if isinstance(node, promql.VectorSelector):
        selectors.append(node)
    elif isinstance(node, promql.MatrixSelector):
        collect(node.vector_selector, selectors, groupings)
    elif isinstance(node, promql.AggregateExpr):
        if node.modifier:
            groupings.extend(node.modifier.labels)
        collect(node.expr, selectors, groupings)
    elif isinstance(node, promql.Call):
        for argument in node.args:
            collect(argument, selectors, groupings)
    elif isinstance(node, promql.BinaryExpr):
        collect(node.lhs, selectors, groupings)
        collect(node.rhs, selectors, groupings)
    elif isinstance(node, (promql.ParenExpr, promql.UnaryExpr, promql.SubqueryExpr)):
        collect(node.expr, selectors, groupings)


def check_dashboard(check):
    dashboard = json.loads((ROOT / "monitoring/grafana/millrace.json").read_text())
    panels = dashboard["panels"]
    check(len({panel["id"] for panel in panels}) == len(panels), "panels have ids of their own")
    variables = {variable["name"] for variable in dashboard["templating"]["list"]}
    for panel in panels:
        box = panel["gridPos"]
        check(box["x"] + box["w"] <= 24, f"panel \"{panel['title']}\" is wider than the page")
        for other in panels:
            at = other["gridPos"]
            apart = (other is panel or box["x"] + box["w"] <= at["x"] or
                     at["x"] + at["w"] <= box["x"] or box["y"] + box["h"] <= at["y"] or
                     at["y"] + at["h"] <= box["y"])
            check(apart, f"panels \"{panel['title']}\" and \"{other['title']}\" overlap")
        for name in re.findall(r"\$\{?(\w+)", json.dumps(panel)):
            check(name in variables or name == "__rate_interval", f"there is no variable ${name}")


def main():
    check = Checks()
    model = http.server.ThreadingHTTPServer(("127.0.0.1", 0), SlowModel)
    threading.Thread(target=model.serve_forever, daemon=True).start()
    with tempfile.TemporaryDirectory() as directory:
        project = Project(sys.argv[1], directory + "/shop",
                          f"http://127.0.0.1:{model.server_port}/score")
        try:
            check_slow_stage(check, project)
            # What has figures only once it has happened.
            check(project.post("/v1/events/orders", '{"order_id":"x","amount":-1}') == 400, "a bad one")
            check(project.post("/v1/events/orders", '{"order_id":"y","amount":"?"}') == 400, "another")
            check(project.post("/api/dead-letters/actions", json.dumps(
                {"action": "discard", "ids": ["0/0"], "reason": "a test"})) == 200, "discard")
            metrics = project.metrics()
            check_exposition(check, metrics)
            check_dashboard(check)
            for where, text, legend in expressions():
                check_expression(check, metrics, where, text, legend)
        finally:
            project.stop()
    print(f"{check.passed} passed, {check.failed} failed")
    return 1 if check.failed else 0


if __name__ == "__main__":
    sys.exit(main())
