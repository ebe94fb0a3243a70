#!/usr/bin/env python3
"""Runs examples/orders against real servers, breaks things, and accounts for every order.

While orders come in: Redis is stopped for some seconds, the search node is killed and started
again, the fraud model is stopped, 1,000 broken orders are fed (half through the collector, half
straight into the topic), and the process is killed with -9 three times. At the end

  enriched   the topic holds each valid order once, with the rate of its version
  sinks      PostgreSQL, the search index and the fraud desk hold exactly these, with equal values
  letters    are exactly the broken ones, each of the right kind, those of the topic once each
  mended     `dlq edit` and `dlq replay` bring the fixable ones in, once
  traced     `millrace trace` of 100 random orders agrees with the sinks, and leads up from them
  ledger     every record is accounted for, stage by stage, across the crashes
  verified   `millrace verify` and `millrace reconcile` find and name rows that were deleted by hand

    orders_run.py BINARY
"""

import collections
import csv
import decimal
import io
import json
import os
import random
import shutil
import signal
import subprocess
import sys
import time
import urllib.request

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
EXAMPLE = os.path.join(ROOT, "examples", "orders")
sys.path.insert(0, EXAMPLE)
sys.dont_write_bytecode = True
import run_checks  # noqa: E402
import servers  # noqa: E402
import simulate  # noqa: E402
from run_checks import Failure, check, until  # noqa: E402

RATE = 100
BROKEN_EACH = 500  # through the collector, and straight into the topic
KIND_OF = {"cut_off": "malformed", "negative_total": "constraint", "unknown_currency": "constraint",
           "missing_field": "null", "word_as_total": "type"}
MENDS = "total = abs(total), currency = replace(currency, 'XXX', 'USD')"


def say(text):
    print("%5.1f s  %s" % (time.monotonic() - say.began, text), flush=True)


say.began = time.monotonic()


class Pipeline:
    """millrace dev over a copy of the example, and the servers' contents."""

    def __init__(self, binary, work, hosts):
        self.binary, self.hosts = binary, hosts
        self.directory = os.path.join(work, "orders")
        self.log = os.path.join(work, "dev.log")
        shutil.copytree(EXAMPLE, self.directory,
                        ignore=shutil.ignore_patterns(".millrace", "__pycache__"))
        self.environment = dict(os.environ, NO_COLOR="1", **servers.environment(hosts))
        # The data lives elsewhere, so every command must find it there.
        self.environment["MILLRACE_DATA_DIR"] = os.path.join(work, "data")
        self.port = servers.free_port()
        self.url = "http://127.0.0.1:%d" % self.port
        self.process = None

    def start(self):
        at = os.path.getsize(self.log) if os.path.exists(self.log) else 0
        with open(self.log, "ab") as log:
            self.process = subprocess.Popen(
                [self.binary, "dev", self.directory, "--target", "demo", "--port", str(self.port)],
                stdin=subprocess.DEVNULL, stdout=log, stderr=log, env=self.environment)

        def ready():
            check(self.process.poll() is None, "millrace dev ended")
            with open(self.log, "rb") as log:
                log.seek(at)
                return b"Ctrl-C stops it" in log.read()

        until("the start", ready)

    def kill(self):
        self.process.kill()
        self.process.wait()

    def stop(self):
        self.process.terminate()
        check(self.process.wait() == 0, "millrace dev ended with an error")
        self.process = None

    def run(self, *arguments, expect=0):
        done = subprocess.run([self.binary, *arguments], env=self.environment, check=False,
                              stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        check(done.returncode == expect, "millrace %s gives %d: %s"
              % (" ".join(arguments), done.returncode, done.stdout))
        return done.stdout

    def request(self, path, body=None):
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(self.url + path, data)
        return json.load(urllib.request.urlopen(request, timeout=60))

    def sql(self, text):
        return self.request("/api/sql", {"sql": text})["rows"]

    def warehouse(self, text):
        done = subprocess.run(
            [servers.POSTGRES_BIN + "/psql", "-h", "127.0.0.1", "-p",
             str(self.hosts["postgres"].port), "-U", "postgres", "-Xq", "--csv", "-t", "-c", text],
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, check=False)
        check(done.returncode == 0, done.stderr)
        return list(csv.reader(io.StringIO(done.stdout)))

    def index(self):
        """{id: document} of the whole search index."""
        def ask(path, body):
            request = urllib.request.Request(
                "http://127.0.0.1:%d%s" % (self.hosts["search"].port, path),
                json.dumps(body).encode(), {"Content-Type": "application/json"})
            return json.load(urllib.request.urlopen(request, timeout=60))

        ask("/orders/_refresh", {})
        documents, after = {}, {}
        while True:
            hits = ask("/orders/_search", {"size": 5000, "sort": [{"order_id.keyword": "asc"}],
                                           **after})["hits"]["hits"]
            if not hits:
                return documents
            for hit in hits:
                documents[hit["_id"]] = hit["_source"]
            after = {"search_after": hits[-1]["sort"]}

    def closing_order(self):
        """One more order: those before it need not wait any longer for another rate."""
        order_id = "ord_closing_%d" % time.monotonic_ns()
        self.request("/v1/events/orders", {
            "order_id": order_id, "customer_id": "c%d" % random.randint(1, 2000), "items": [],
            "total": 1, "currency": "USD", "payment_method": "card",
            "order_time": simulate.time_text(time.time())})


def broken_orders(count):
    """[(kind, text)] that are not sent yet."""
    checkout = simulate.Checkout(random.Random(7), 1.0)
    checkout.run = "topic"
    return [(kind, text) for kind, _, text in
            (checkout.order(time.time()) for _ in range(count))]


def feed_topic(pipeline, work, orders):
    path = os.path.join(work, "unchecked.txt")
    with open(path, "w") as file:
        file.writelines("c1\t%s\n" % text for _, text in orders)
    pipeline.run("topics", "-C", pipeline.directory, "produce", "orders", "--key-separator", "\t",
                 path)


def simulator(pipeline, work, name, *arguments):
    """Begins to send; what it sent is in the journal."""
    log = open(os.path.join(work, name + ".log"), "w")
    return subprocess.Popen(
        [sys.executable, os.path.join(EXAMPLE, "simulate.py"), "--url", pipeline.url, "--journal",
         os.path.join(work, name + ".journal"), *arguments], stdout=log, stderr=log)


def journal(work, name):
    with open(os.path.join(work, name + ".journal")) as file:
        return [json.loads(line) for line in file]


def break_things(pipeline, work, hosts):
    def stored():
        return int(pipeline.warehouse("SELECT count(*) FROM orders")[0][0])

    until("the first order in the warehouse", lambda: stored() > 0)
    hosts["redis"].stop()
    say("Redis is stopped")
    time.sleep(5)
    hosts["redis"].start()
    hosts["search"].stop(signal.SIGKILL)
    before = stored()
    say("Redis is back; the search node is killed")
    until("orders going on into PostgreSQL", lambda: stored() > before + RATE)
    pipeline.kill()
    pipeline.start()
    say("killed 1 of 3, while the search node is away")
    before = stored()
    until("orders going on into PostgreSQL", lambda: stored() > before + RATE)
    hosts["search"].start()
    say("the search node is back; 1,000 broken orders")
    feeder = simulator(pipeline, work, "broken", "--broken", "1", "--count", str(BROKEN_EACH),
                       "--rate", "1000")
    unchecked = broken_orders(BROKEN_EACH)
    feed_topic(pipeline, work, unchecked)
    pipeline.kill()
    pipeline.start()
    say("killed 2 of 3, among broken orders")
    hosts["fraud"].process.send_signal(signal.SIGSTOP)
    time.sleep(2)
    pipeline.kill()
    pipeline.start()
    say("killed 3 of 3, while the fraud model does not answer")
    hosts["fraud"].process.send_signal(signal.SIGCONT)
    check(feeder.wait() == 0, "the simulator of broken orders failed")
    return unchecked


def wait_for(pipeline, ids):
    """Until these orders, and nothing but closing ones beside them, are everywhere."""
    def there():
        pipeline.closing_order()
        found = {row[0] for row in pipeline.warehouse("SELECT order_id FROM orders")}
        check(not ids - found, "%d orders are missing in PostgreSQL, as %s"
              % (len(ids - found), sorted(ids - found)[:3]))
        return True

    until("all orders in PostgreSQL", there)


def contents(pipeline):
    """The rows of the topic, {id: row} of PostgreSQL, {id: document} of the index.

    Sinks may be behind, and a closing order may still be on its way: asks until all hold the same.
    """
    enriched, stored, documents = [], {}, {}

    def meet():
        documents.clear()
        documents.update(pipeline.index())
        stored.clear()
        stored.update((row[0], row[1:]) for row in pipeline.warehouse(
            "SELECT order_id, total_usd, fraud_score, country FROM orders"))
        enriched[:] = pipeline.sql("SELECT order_id, rate_version, total_usd, fraud_score, "
                                   "country, total FROM orders_enriched")
        ids = {row[0] for row in enriched}
        check(set(documents) == set(stored) == ids, "the topic has %d orders, PostgreSQL %d, "
              "the index %d" % (len(ids), len(stored), len(documents)))
        return True

    until("the same orders in all sinks", meet)
    return enriched, stored, documents


def is_closing(order_id):
    return order_id.startswith("ord_closing_")


def check_sinks(pipeline, orders):
    """`orders`: {id: the order as it was sent} of all that must be there."""
    enriched, stored, documents = contents(pipeline)
    ids = [row[0] for row in enriched if not is_closing(row[0])]
    twice = [i for i, n in collections.Counter(ids).items() if n > 1]
    check(not twice, "%d orders are in the topic twice, as %s" % (len(twice), twice[:3]))
    check(set(ids) == set(orders), "the topic lacks %s and has %s besides" % (
        sorted(set(orders) - set(ids))[:3], sorted(set(ids) - set(orders))[:3]))
    for order_id, _, usd, score, country, total in enriched:
        row, document = stored[order_id], documents[order_id]
        same = (decimal.Decimal(row[0]) == decimal.Decimal(str(usd)) and float(row[1]) == score ==
                document["fraud_score"] and float(usd) == document["total_usd"] and
                row[2] == country == document["country"])
        check(same, "order %s is %s in the topic, %s in PostgreSQL, %s in the index" % (
            order_id, (usd, score, country), row, document))
        if order_id in orders:
            sent = orders[order_id]
            check(float(total) == sent["total"], "order %s has another total" % order_id)
            customer = int(sent["customer_id"][1:])
            known = customer % simulate.WITHOUT_PROFILE != 0
            expected = simulate.country_of(customer) if known else "??"
            check(country == expected, "order %s has country %s, not %s"
                  % (order_id, country, expected))
    expected = {row[0] for row in enriched if row[3] > 0.5 and not is_closing(row[0])}
    check(expected, "the fraud model suspects no order")

    def suspects_meet():
        suspicious = {row[0] for row in pipeline.sql("SELECT order_id FROM suspicious_orders")
                      if not is_closing(row[0])}
        check(suspicious == expected, "the fraud desk has %d orders, not %d"
              % (len(suspicious), len(expected)))
        return True

    until("the suspicious orders at the fraud desk", suspects_meet)


def check_rates(pipeline):
    """Each order was converted by the rate whose version it names."""
    rates = {}
    for record in pipeline.request("/api/topics/currency-rates/records?partition=0&offset=0"
                                   "&limit=1000"):
        value = json.loads(record["value"])
        rates[value["rate_version"], value["currency"]] = decimal.Decimal(str(value["usd"]))
    versions = set()
    for order_id, version, currency, total, usd in pipeline.sql(
            "SELECT order_id, rate_version, currency, CAST(total AS VARCHAR), "
            "CAST(total_usd AS VARCHAR) FROM orders_enriched"):
        check(version is not None, "order %s found no rate" % order_id)
        versions.add(version)
        expected = (decimal.Decimal(total) * rates[version, currency]).quantize(
            decimal.Decimal("0.01"), decimal.ROUND_HALF_UP)
        check(decimal.Decimal(usd) == expected, "order %s is %s USD, not %s"
              % (order_id, usd, expected))
    check(len(versions) > 1, "the rates never changed")


def check_minutes(pipeline):
    """Each closed minute is what a batch over the orders gives, late ones included."""
    def agree():
        # A minute that is not closed yet is in neither.
        return pipeline.sql(
            "WITH batch AS (SELECT date_trunc('minute', order_time) AS window_start, country, "
            "count(*) AS orders, sum(total_usd) AS usd FROM orders_enriched GROUP BY ALL) "
            "SELECT count(*) > 0 AND count(*) = count(*) FILTER (WHERE b.orders = m.orders AND "
            "b.usd = m.revenue_usd) FROM orders_per_minute m LEFT JOIN batch b "
            "USING (window_start, country)")[0][0] in (True, "true")

    until("minutes that equal the batch", agree)


def check_letters(pipeline, sent, unchecked):
    """`sent`, `unchecked`: [(kind, text)] through the collector, and straight into the topic."""
    letters = collections.defaultdict(list)
    for value, kind in pipeline.sql("SELECT value, kind FROM millrace.dead_letters"):
        letters[value].append(kind)
    expected = dict((text, kind) for kind, text in sent + unchecked)
    check(set(letters) == set(expected), "%d broken orders are no dead letters, %d dead letters "
          "are no broken orders, as %s" % (len(set(expected) - set(letters)),
                                           len(set(letters) - set(expected)),
                                           sorted(set(letters) - set(expected))[:1]))
    for text, kind in expected.items():
        check(set(letters[text]) == {KIND_OF[kind]}, "%s is %s: %s" % (kind, letters[text], text))
    again = [text for _, text in unchecked if len(letters[text]) != 1]
    check(not again, "%d records of the topic are dead letters twice" % len(again))


def row_of(rows):
    """The one row of a trace's table, by column."""
    check(len(rows["rows"]) == 1, "%d rows, not one: %s" % (len(rows["rows"]), rows))
    return dict(zip(rows["columns"], rows["rows"][0]))


def check_trace(trace, stored, document):
    """One order's whole way, as a record of its topic: with the values that were used then."""
    (enrich,) = trace["tables"][0]["jobs"]
    stage = enrich["stages"][-1]
    made = row_of(stage["made"])
    check(not enrich["differences"] and row_of(enrich["in_sink"])["order_id"] == made["order_id"],
          "orders.enriched is told otherwise: %s" % enrich)
    check([one["from"] for one in stage["answers"]] == ["customers", "fraud_score()"],
          "the look-ups are not told: %s" % stage)
    profile, score = (one["rows"] for one in stage["answers"])
    country = row_of(profile)["country"] if profile["rows"] else "??"
    check((country, score["rows"][0][0]) == (made["country"], made["fraud_score"]),
          "other answers than the row's: %s" % stage)
    (version,) = stage["versions"]
    check(version["record"] and row_of(version["row"])["rate_version"] == made["rate_version"],
          "the rate is not told: %s" % stage)
    check(enrich["commit"], "the commit of %s is not told" % made["order_id"])
    (onward,) = enrich["onward"]
    jobs = {job["job"]: job for job in onward["tables"][0]["jobs"]}
    for name in ("to_warehouse", "to_search"):
        check(jobs[name]["commit"] and not jobs[name]["differences"] and not jobs[name]["not_told"],
              "%s is not told as it is: %s" % (name, jobs[name]))
    row = row_of(jobs["to_warehouse"]["in_sink"])
    found = row_of(jobs["to_search"]["in_sink"])
    check((decimal.Decimal(row["total_usd"]), float(row["fraud_score"]), row["country"]) ==
          (decimal.Decimal(stored[0]), float(stored[1]), stored[2]), "%s is %s" % (row, stored))
    check((float(found["total_usd"]), float(found["fraud_score"]), found["country"]) ==
          (document["total_usd"], document["fraud_score"], document["country"]),
          "%s is %s" % (found, document))
    if float(row["fraud_score"]) > 0.5:
        check(row_of(jobs["fraud_desk"]["in_sink"])["order_id"] == made["order_id"],
              "the fraud desk is not told: %s" % jobs["fraud_desk"])


def check_traces(pipeline, orders):
    """100 random orders, each as the record that counted: the first that was not refused."""
    _, stored, documents = contents(pipeline)
    ids = random.sample(sorted(orders), 100)
    keys = [word for order_id in ids for word in ("--key", order_id)]
    text = pipeline.run("trace", "orders", pipeline.directory, "--target", "demo", "--column",
                        "order_id", "--format", "json", *keys)
    traced = {}
    for line in text.split("\n"):
        if not line.startswith("{"):
            continue
        trace = json.loads(line)
        decoded = trace["tables"][0]["decoded"]["made"]
        if not decoded["rows"]:
            continue  # it was refused, and mended by a later one
        order_id = row_of(decoded)["order_id"]
        first = traced.setdefault(order_id, trace)
        if trace["timestamp_ms"] < first["timestamp_ms"]:
            traced[order_id] = trace
    check(set(traced) == set(ids), "no trace of %s" % sorted(set(ids) - set(traced))[:3])
    for order_id, trace in traced.items():
        check_trace(trace, stored[order_id], documents[order_id])
    for order_id in ids[:3]:
        text = pipeline.run("trace", pipeline.directory, "--target", "demo", "--sink",
                            "warehouse_orders", "--where", "order_id = '%s'" % order_id)
        trace = traced[order_id]
        check("record orders partition %d offset %d," % (trace["partition"], trace["offset"])
              in text, "the way up from %s ends elsewhere: %s" % (order_id, text))


def check_ledger(pipeline, unchecked):
    """Each job read each offset once, and each stage took, filtered or refused what came in."""
    ends = {(topic["name"], str(part["partition"])): part["end_offset"]
            for topic in pipeline.request("/api/topics") for part in topic["partitions"]}
    reached, totals = {}, collections.defaultdict(collections.Counter)
    for line in pipeline.run("topics", "-C", pipeline.directory, "consume", "millrace.ledger",
                             "--from-beginning").splitlines():
        entry = json.loads(line)
        job = entry["job"]
        check(not entry["gaps"], "the ledger of %s has gaps: %s" % (job, entry["gaps"]))
        for split in entry["splits"]:
            place = job, split["topic"], split["split"]
            check(split["from"] == reached.get(place, 0), "%s goes from %d to %d in %s" % (
                job, reached.get(place, 0), split["from"], place[1:]))
            reached[place] = split["to"]
            totals[job, "read " + split["table"]]["records"] += split["to"] - split["from"]
        for stage in entry["stages"]:
            totals[job, stage["stage"]].update(
                {key: n for key, n in stage.items() if isinstance(n, int)})
    check({job for job, _, _ in reached} >= {"enrich", "to_warehouse", "to_search", "fraud_desk",
                                             "orders_per_minute"}, "a job has no ledger")
    for (job, topic, split), offset in reached.items():
        check(offset == ends[topic, split], "%s has read %s/%s up to %d of %d"
              % (job, topic, split, offset, ends[topic, split]))
    for (job, stage), n in totals.items():
        if not stage.startswith("read "):
            gone = sum(n[key] for key in ("taken", "filtered", "unchanged", "late", "failed"))
            check(n["in"] == gone, "stage %s of %s does not close: %s" % (stage, job, dict(n)))
    check(totals["enrich", "orders"]["failed"] == len(unchecked), "enrich refused %d records"
          % totals["enrich", "orders"]["failed"])
    rows = totals["enrich", "sink"]["out"]
    for job in ("to_warehouse", "to_search"):
        check(totals[job, "read orders_enriched"]["records"] == totals[job, "sink"]["out"] == rows,
              "%s: %d of %d rows" % (job, totals[job, "sink"]["out"], rows))
    return True


def check_deleted_rows(pipeline, orders):
    reconcile = ("reconcile", pipeline.directory, "warehouse", "--target", "demo")
    pipeline.run(*reconcile)
    # More than one of a thousand, and no more than a check names.
    deleted = random.sample(sorted(orders), min(20, len(orders) // 500))
    order_id = deleted.pop()
    pipeline.run("verify", "to_warehouse", pipeline.directory, "--target", "demo")
    pipeline.warehouse("DELETE FROM orders WHERE order_id = '%s'" % order_id)
    text = pipeline.run("verify", "to_warehouse", pipeline.directory, "--target", "demo", expect=1)
    check(order_id in text, "verify does not name the deleted %s: %s" % (order_id, text))
    pipeline.run(*reconcile)  # one of a thousand may differ
    pipeline.warehouse("DELETE FROM orders WHERE order_id IN ('%s')" % "', '".join(deleted))
    text = pipeline.run(*reconcile, expect=1)
    for order_id in deleted:
        check(order_id in text, "reconcile does not name the deleted %s: %s" % (order_id, text))


def mend(pipeline, orders, broken):
    """Edits and replays what a constraint refused; they are orders like the others then."""
    directory = pipeline.directory
    pipeline.run("dlq", "-C", directory, "edit", "--kind", "constraint", "--set", MENDS)
    pipeline.run("dlq", "-C", directory, "replay", "--kind", "constraint")
    mended = 0
    for kind, text in broken:
        if KIND_OF[kind] == "constraint":
            order = json.loads(text)
            order["total"] = abs(order["total"])
            orders[order["order_id"]] = order
            mended += 1
    left = pipeline.sql("SELECT count(*) FROM millrace.dead_letters WHERE kind = 'constraint' AND "
                        "state <> 'edited+replayed'")[0][0]
    check(left == 0, "%d mended letters were not replayed" % left)
    return mended


def run(binary, work):
    hosts = {}
    pipeline = None
    shop = None
    try:
        hosts = servers.start_all(os.path.join(work, "servers"))
        say("servers are up")
        pipeline = Pipeline(binary, work, hosts)
        pipeline.start()
        shop = simulator(pipeline, work, "shop", "--redis-port", str(hosts["redis"].port),
                         "--rate", str(RATE), "--seed", "5")
        unchecked = break_things(pipeline, work, hosts)
        time.sleep(2)  # a little of undisturbed work
        shop.terminate()
        check(shop.wait() == 0, "the simulator failed")
        say("the shop has closed")
        sent = journal(work, "shop") + journal(work, "broken")
        check(all(one["kind"] != "unknown" for one in sent), "orders without an answer")
        orders = {one["order_id"]: json.loads(one["text"]) for one in sent
                  if one["kind"] in ("on_time", "late", "duplicate")}
        broken = [(one["kind"], one["text"]) for one in sent if one["kind"] in KIND_OF]
        check(len(broken) > BROKEN_EACH, "no broken orders among the others")
        wait_for(pipeline, set(orders))
        check_sinks(pipeline, orders)
        check_rates(pipeline)
        check_letters(pipeline, broken, unchecked)
        check_minutes(pipeline)
        say("%d orders are everywhere once; %d broken ones are dead letters"
            % (len(orders), len(broken) + len(unchecked)))
        mended = mend(pipeline, orders, broken + unchecked)
        wait_for(pipeline, set(orders))
        check_sinks(pipeline, orders)
        check_minutes(pipeline)
        say("%d mended orders came in" % mended)
        until("a ledger that closes", lambda: check_ledger(pipeline, unchecked))
        say("the ledger closes")
        # Commits are told from the ledger, which is written a moment after them.
        check_traces(pipeline, orders)
        say("100 traces agree with the sinks")
        check_deleted_rows(pipeline, orders)
        say("rows deleted by hand are found")
        pipeline.stop()
        say("ok: passed")
    finally:
        for process in (shop, pipeline and pipeline.process):
            if process and process.poll() is None:
                process.kill()
                process.wait()
        if "fraud" in hosts and hosts["fraud"].process:
            hosts["fraud"].process.send_signal(signal.SIGCONT)
        servers.stop_all(hosts)


if __name__ == "__main__":
    sys.exit(run_checks.main(__doc__, "orders", run))
