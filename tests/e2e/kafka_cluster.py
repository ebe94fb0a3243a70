#!/usr/bin/env python3
"""Jobs between topics of a real Kafka broker, killed at random moments.

A transactional producer writes numbered events with keys, NULLs, headers and duplicates, and aborts
every third transaction. Three jobs read them: one copies rows (with their headers) into a topic, one
with two shards keeps counts per key in an upsert-kafka topic, one copies at least once. Meanwhile `millrace dev` is
killed with SIGKILL again and again, the broker once, and the source gets more partitions. Then, read
by a client that nobody here wrote (librdkafka, isolation.level=read_committed):

  copies   equals what was committed: each event once, its header beside it
  counts   the last record of each key equals the count over what was committed; tombstones where a
           key went below the limit
  least    holds every event, some perhaps twice

    kafka_cluster.py --binary build/release/millrace --broker tests/support/kafka/broker.sh \\
        --directory DIR --servers 127.0.0.1:9092 --rounds 6 --seed 1
"""

import argparse
import collections
import json
import pathlib
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time

import confluent_kafka

PARTITIONS_FIRST, PARTITIONS_LATER = 2, 4
KEYS = 40

CONFIG = """name: once
target: cluster
targets:
  cluster: {{embedded: [jdbc], options: {{kafka: &at {{properties.bootstrap.servers: "{servers}"}}, upsert-kafka: *at}}}}
"""

SQL = """
SET 'execution.checkpointing.interval' = '500 ms';
CREATE TABLE events (
  id BIGINT, who STRING, amount INT, sent STRING METADATA FROM 'timestamp-type' VIRTUAL,
  headers MAP<STRING, BYTES> METADATA VIRTUAL
) WITH ('connector' = 'kafka', 'topic' = 'events', 'properties.bootstrap.servers' = 'kafka:9092',
  'properties.group.id' = 'once', 'scan.startup.mode' = 'earliest-offset',
  'scan.topic-partition-discovery.interval' = '200 ms', 'format' = 'json');

CREATE TABLE copies (id BIGINT, who STRING, amount INT, sent STRING, origin STRING)
WITH ('connector' = 'kafka', 'topic' = 'copies', 'properties.bootstrap.servers' = 'kafka:9092',
  'key.format' = 'raw', 'key.fields' = 'who', 'format' = 'json');
INSERT INTO copies SELECT id, who, amount, sent, CAST(headers['origin'] AS STRING) FROM events;

CREATE TABLE counts (who STRING, n BIGINT, total BIGINT, PRIMARY KEY (who) NOT ENFORCED)
WITH ('connector' = 'upsert-kafka', 'topic' = 'counts', 'properties.bootstrap.servers' = 'kafka:9092',
  'key.format' = 'json', 'value.format' = 'json');
SET 'parallelism.default' = '2';
INSERT INTO counts SELECT who, COUNT(*), SUM(amount) FROM events WHERE who IS NOT NULL
GROUP BY who HAVING SUM(amount) > 0;
RESET 'parallelism.default';

CREATE TABLE least (id BIGINT) WITH ('connector' = 'kafka', 'topic' = 'least',
  'properties.bootstrap.servers' = 'kafka:9092', 'sink.delivery-guarantee' = 'at-least-once',
  'format' = 'json');
INSERT INTO least SELECT id FROM events;
"""


class Producer(threading.Thread):
    """Writes until told to stop; `committed` are the events whose transaction was committed."""

    def __init__(self, servers, seed):
        super().__init__()
        self.random = random.Random(seed)
        self.stopping = threading.Event()
        self.partitions = PARTITIONS_FIRST
        self.committed = []
        self.client = confluent_kafka.Producer({
            "bootstrap.servers": servers, "transactional.id": "events-writer",
            "transaction.timeout.ms": 600_000, "socket.timeout.ms": 60_000,
            "topic.metadata.refresh.interval.ms": 300})
        self.failure = None
        self.next_id = 0

    def run(self):
        try:
            self.client.init_transactions(600)
            number = 0
            while not self.stopping.is_set():
                number += 1
                self.transaction(self.client, abort=number % 3 == 0)
                time.sleep(0.02)
        except Exception as fault:  # told to the main thread
            self.failure = fault

    def knows_partitions(self, count):
        """Else it would refuse to write to the last of them."""
        return len(self.client.list_topics("events", 180).topics["events"].partitions) == count

    def transaction(self, producer, abort):
        events = []
        for _ in range(self.random.randrange(30)):
            if events and self.random.random() < 0.05:
                events.append(events[-1])  # a duplicate
                continue
            self.next_id += 1
            events.append({"id": self.next_id, "amount": self.random.choice([None, -9, 1, 2, 3]),
                           "who": self.random.choice([None] + ["user %d" % i for i in range(KEYS)])})
        while True:
            try:
                producer.begin_transaction()
                for event in events:
                    producer.produce("events", json.dumps(event), partition=self.random.randrange(self.partitions),
                                     headers={"origin": "e%d" % event["id"], "empty": None})
                if abort:
                    producer.abort_transaction(600)
                else:
                    producer.commit_transaction(600)
                    self.committed += events
                return
            except confluent_kafka.KafkaException as fault:
                if not fault.args[0].txn_requires_abort():
                    raise
                producer.abort_transaction(600)


def read_all(servers, topic):
    """Every committed record of a topic: (key, value) in the order of each partition."""
    consumer = confluent_kafka.Consumer({
        "bootstrap.servers": servers, "group.id": "reader", "isolation.level": "read_committed",
        "enable.auto.commit": False, "enable.partition.eof": True, "auto.offset.reset": "earliest"})
    partitions = consumer.list_topics(topic, 180).topics[topic].partitions
    consumer.assign([confluent_kafka.TopicPartition(topic, p, 0) for p in partitions])
    records, ended = [], set()
    while len(ended) < len(partitions):
        message = consumer.poll(180)
        if message is None:
            sys.exit("topic %s does not end" % topic)
        if message.error() is None:
            records.append((message.key(), message.value()))
        elif message.error().code() == confluent_kafka.KafkaError._PARTITION_EOF:
            ended.add(message.partition())
        else:
            sys.exit("topic %s: %s" % (topic, message.error()))
    consumer.close()
    return records


def rows_of(events):
    return collections.Counter((e["id"], e["who"], e["amount"]) for e in events)


class Run:
    def __init__(self, options):
        self.options = options
        self.random = random.Random(options.seed)
        self.work = pathlib.Path(tempfile.mkdtemp())
        (self.work / "project/sql").mkdir(parents=True)
        (self.work / "project/millrace.yml").write_text(CONFIG.format(servers=options.servers))
        (self.work / "project/sql/jobs.sql").write_text(SQL)
        self.log = open(self.work / "dev.log", "ab")
        self.dev = None

    def broker(self, *arguments):
        subprocess.run([self.options.broker, *arguments], check=True, stdout=subprocess.DEVNULL,
                       stderr=subprocess.DEVNULL)

    def topic(self, *arguments):
        self.broker("tool", "org.apache.kafka.tools.TopicCommand", "--bootstrap-server",
                    self.options.servers, *arguments)

    def start(self):
        self.dev = subprocess.Popen([self.options.binary, "dev", self.work / "project", "--port", "0"],
                                    stdout=self.log, stderr=self.log)

    def kill(self, how=signal.SIGKILL):
        self.dev.send_signal(how)
        code = self.dev.wait()
        if how == signal.SIGTERM and code != 0:
            self.fail("dev ended with %d" % code)

    def fail(self, reason):
        self.log.flush()
        print("FAILED: %s\n%s" % (reason, "".join(open(self.work / "dev.log").readlines()[-25:])), file=sys.stderr)
        if self.dev and self.dev.poll() is None:
            self.dev.kill()
        sys.exit(1)

    def wait(self, what, done, seconds=300):
        deadline = time.monotonic() + seconds
        while not done():
            if self.dev.poll() is not None:
                self.fail("dev ended by itself")
            if time.monotonic() > deadline:
                self.fail("%s: not within %d s" % (what, seconds))
            time.sleep(0.3)

    def main(self):
        for topic, partitions in [("events", PARTITIONS_FIRST), ("copies", 3), ("counts", 2), ("least", 1)]:
            self.topic("--create", "--topic", topic, "--partitions", str(partitions))
        producer = Producer(self.options.servers, self.options.seed)
        producer.start()
        self.start()
        for life in range(self.options.rounds):
            time.sleep(self.random.uniform(0.3, 4))
            if producer.failure:
                self.fail("the producer: %r" % producer.failure)
            self.kill()
            if life == 1:
                self.topic("--alter", "--topic", "events", "--partitions", str(PARTITIONS_LATER))
            self.start()
            if life == 1:
                time.sleep(1)
                self.wait("all partitions", lambda: producer.knows_partitions(PARTITIONS_LATER))
                producer.partitions = PARTITIONS_LATER
            if life == 2:
                # In its place the jobs wait, and go on by themselves.
                self.broker("kill", self.options.directory)
                time.sleep(2)
                self.broker("start", self.options.directory, self.options.servers.split(":")[1])
        producer.stopping.set()
        producer.join()
        if producer.failure:
            self.fail("the producer: %r" % producer.failure)
        expected = rows_of(producer.committed)
        self.wait("all events in the topic \"copies\"",
                  lambda: len(read_all(self.options.servers, "copies")) >= sum(expected.values()))
        self.wait("the counts of all events", lambda: not self.wrong_count(producer.committed))
        self.wait("all events in the topic \"least\"", lambda: not self.missing(producer.committed))
        self.kill(signal.SIGTERM)
        self.check(producer.committed, expected)
        shutil.rmtree(self.work)

    def wrong_count(self, committed):
        """What is wrong in the topic "counts"; None: nothing."""
        counts = {}
        for key, value in read_all(self.options.servers, "counts"):
            counts[json.loads(key)["who"]] = json.loads(value) if value is not None else None
        totals = collections.defaultdict(lambda: [0, None])
        for event in committed:
            if event["who"] is not None:
                totals[event["who"]][0] += 1
                if event["amount"] is not None:
                    totals[event["who"]][1] = (totals[event["who"]][1] or 0) + event["amount"]
        for who, (n, total) in totals.items():
            wanted = {"who": who, "n": n, "total": total} if total is not None and total > 0 else None
            if counts.get(who) != wanted:
                return "counts of %r: %r, not %r" % (who, counts.get(who), wanted)
        return None

    def missing(self, committed):
        """How many events the topic "least" lacks."""
        least = collections.Counter(json.loads(value)["id"] for _, value in read_all(self.options.servers, "least"))
        return sum((collections.Counter(e["id"] for e in committed) - least).values())

    def check(self, committed, expected):
        if rows_of(json.loads(v) for _, v in read_all(self.options.servers, "events")) != expected:
            self.fail("the producer and the topic do not agree: the test itself is wrong")
        copies = [(key, json.loads(value)) for key, value in read_all(self.options.servers, "copies")]
        got = rows_of(value for _, value in copies)
        if got != expected:
            self.fail("copies: %d missing, %d too many" %
                      (sum((expected - got).values()), sum((got - expected).values())))
        for key, value in copies:
            who = value["who"].encode() if value["who"] is not None else None
            if key != who or value["origin"] != "e%d" % value["id"] or value["sent"] != "CreateTime":
                self.fail("a copy with other key or metadata: %r %r" % (key, value))
        fault = self.wrong_count(committed)
        if fault:
            self.fail(fault)
        if self.missing(committed):
            self.fail("least: %d events missing" % self.missing(committed))
        keys = len({e["who"] for e in committed} - {None})
        print("ok: %d events, %d lives of the process, each event once in \"copies\"; %d keys counted; "
              "%d records at least once" % (len(committed), self.options.rounds + 1, keys,
                                            len(read_all(self.options.servers, "least"))))


parser = argparse.ArgumentParser()
parser.add_argument("--binary", required=True)
parser.add_argument("--broker", required=True)
parser.add_argument("--directory", required=True)
parser.add_argument("--servers", required=True)
parser.add_argument("--rounds", type=int, default=6)
parser.add_argument("--seed", type=int, default=1)
Run(parser.parse_args()).main()
