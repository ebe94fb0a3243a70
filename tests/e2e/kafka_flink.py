#!/usr/bin/env python3
"""Apache Flink's Kafka connector against the Kafka port, exactly once: `make test-flink`.

A job of Flink SQL copies a topic into another one with 'sink.delivery-guarantee' = 'exactly-once',
while records arrive. Its TaskManager is killed by SIGKILL and started again, then `millrace dev`,
then both at once. At the end a consumer of committed records sees each record in the copy once.

    kafka_flink.py build/release/millrace build/flink      # the directory is scripts/flink-up.sh's

About a minute. Needs what scripts/flink-up.sh needs, which fetches Flink the first time (300 MB),
and scripts/setup.sh's Kafka clients to run in. Not part of `make test`: it takes 2.5 GB of memory.
"""

import argparse
import json
import os
import pathlib
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
import urllib.request

from confluent_kafka import Producer
from confluent_kafka.admin import AdminClient, NewTopic

from kafka_crash import Server, read_to_end
from run_checks import Failure, check, free_port, until

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tests" / "sql_golden"))
from ask_flink import Gateway  # noqa: E402

CONNECTOR = "org.apache.flink:flink-sql-connector-kafka:5.0.0-2.2"
PARTITIONS = 3
RECORDS = 30_000
SETTINGS = {
    "execution.checkpointing.interval": "1s",
    "parallelism.default": "2",
    "restart-strategy.type": "fixed-delay",
    "restart-strategy.fixed-delay.attempts": "1000",
    "restart-strategy.fixed-delay.delay": "500ms",
    "pipeline.name": "copy",
}
TABLES = """
CREATE TABLE source (n BIGINT) WITH ('connector' = 'kafka', 'topic' = 'source',
  'properties.bootstrap.servers' = '{brokers}', 'properties.group.id' = 'flink',
  'scan.startup.mode' = 'earliest-offset', 'format' = 'json');
CREATE TABLE copy (n BIGINT, doubled BIGINT) WITH ('connector' = 'kafka', 'topic' = 'copy',
  'properties.bootstrap.servers' = '{brokers}', 'properties.transaction.timeout.ms' = '600000',
  'sink.delivery-guarantee' = 'exactly-once', 'sink.transactional-id-prefix' = 'copy',
  'format' = 'json');
INSERT INTO copy SELECT n, n * 2 FROM source"""


class Flink:
    """A cluster of scripts/flink-up.sh, whose TaskManager can be killed."""

    def __init__(self, directory):
        self.script, self.directory = str(ROOT / "scripts" / "flink-up.sh"), pathlib.Path(directory)
        done = subprocess.run(
            [self.script, directory],
            check=True,
            text=True,
            stdout=subprocess.PIPE,
            env={
                **os.environ,
                "FLINK_ARTIFACTS": CONNECTOR,
                "FLINK_HEAP": "512m",
                "FLINK_REST": str(free_port()),
                "FLINK_GATEWAY": str(free_port()),
            },
        )
        self.rest, self.gateway = done.stdout.split()[:2]
        self.restarted = []

    def run(self, sql):
        """The id of the job that the last statement starts."""
        gateway = Gateway(self.gateway, SETTINGS)
        for statement in sql.split(";"):
            rows = gateway.rows(statement)
        return rows[0][0]

    def job(self, job):
        with urllib.request.urlopen(f"http://{self.rest}/jobs/{job}", timeout=30) as answer:
            return json.load(answer)["state"]

    def checkpoints(self, job):
        """How many were completed; of a job that has been restored, too."""
        with urllib.request.urlopen(
            f"http://{self.rest}/jobs/{job}/checkpoints", timeout=30
        ) as answer:
            return json.load(answer)["counts"]["completed"]

    def kill_task_manager(self):
        """By SIGKILL; it is started again as it was."""
        file = self.directory / "tm.pid"
        pid = int(file.read_text())
        process = pathlib.Path(f"/proc/{pid}")
        command = process.joinpath("cmdline").read_text().split("\0")[:-1]
        environment = dict(
            entry.split("=", 1)
            for entry in process.joinpath("environ").read_text().split("\0")
            if "=" in entry
        )
        os.kill(pid, signal.SIGKILL)
        with open(self.directory / "log" / "tm.out", "ab") as log:
            started = subprocess.Popen(
                command, env=environment, stdin=subprocess.DEVNULL, stdout=log, stderr=log
            )
        file.write_text(str(started.pid))
        self.restarted.append(started)

    def stop(self):
        subprocess.run([self.script, "--stop", self.directory], check=False)
        for process in self.restarted:
            process.wait()


def produce(brokers, problems):
    """RECORDS numbers over some 20 s."""
    producer = Producer(
        {
            "bootstrap.servers": brokers,
            "enable.idempotence": True,
            "log_level": 0,
            "reconnect.backoff.max.ms": 200,
        }
    )
    for n in range(RECORDS):
        producer.produce(
            "source",
            '{"n": %d}' % n,
            partition=n % PARTITIONS,
            on_delivery=lambda error, _: problems.append(str(error)) if error else None,
        )
        if n % 150 == 0:
            producer.poll(0.1)
    if producer.flush(120) != 0:
        problems.append("not everything was delivered")


def ends(topic):
    return {(topic, partition): 0 for partition in range(PARTITIONS)}


def values(brokers, topic, isolation="read_committed"):
    found = read_to_end(brokers, ends(topic), isolation)
    return [json.loads(value) for records in found.values() for _, value in records]


def run(server, flink):
    server.start()
    server.wait_open()
    admin = AdminClient({"bootstrap.servers": server.brokers})
    for answer in admin.create_topics(
        [NewTopic(t, PARTITIONS, 1) for t in ("source", "copy")]
    ).values():
        answer.result()
    problems = []
    producing = threading.Thread(target=produce, args=(server.brokers, problems))
    producing.start()
    job = flink.run(TABLES.format(brokers=server.brokers))

    def copied(count):
        check(
            flink.job(job) not in ("FAILED", "CANCELED", "FINISHED"), "the job is " + flink.job(job)
        )
        there = len(values(server.brokers, "copy"))
        check(there >= count, "%d records are in the copy" % there)

    def kill_server():
        server.kill()
        server.start()
        server.wait_open()

    steps = [
        ("the TaskManager", [flink.kill_task_manager]),
        ("millrace", [kill_server]),
        ("both", [flink.kill_task_manager, kill_server]),
    ]
    for number, (what, kills) in enumerate(steps, start=1):
        until("the copying", lambda count=number * RECORDS // 8: copied(count))
        for kill in kills:
            kill()
        print("killed %s" % what, flush=True)
    producing.join()
    check(not problems, "producer: %s" % problems[:1])
    until("the copying of the rest", lambda: copied(RECORDS), 300)
    before = flink.checkpoints(job)
    until("two more checkpoints", lambda: flink.checkpoints(job) >= before + 2)

    source = sorted(record["n"] for record in values(server.brokers, "source"))
    check(source == list(range(RECORDS)), "the source has %d records" % len(source))
    copy = sorted((record["n"], record["doubled"]) for record in values(server.brokers, "copy"))
    check(
        copy == [(n, 2 * n) for n in source],
        "the copy has %d records, %d different ones" % (len(copy), len(set(copy))),
    )
    written = len(values(server.brokers, "copy", "read_uncommitted"))
    print("%d records copied, each once; %d more were aborted" % (len(copy), written - len(copy)))
    flink.stop()
    server.stop()


def main():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("binary")
    parser.add_argument("flink", help="the directory of scripts/flink-up.sh")
    args = parser.parse_args()
    directory = tempfile.mkdtemp(prefix="millrace-kafka-flink-")
    server, flink = Server(os.path.abspath(args.binary), directory), Flink(args.flink)
    try:
        run(server, flink)
    except Failure as failure:
        print(
            "FAILED: %s\n  kept: %s, logs of Flink: %s/log" % (failure, directory, args.flink),
            flush=True,
        )
        return 1
    finally:
        flink.stop()
        if server.process and server.process.poll() is None:
            server.process.kill()
    shutil.rmtree(directory)
    print("1 passed, 0 failed")
    return 0


if __name__ == "__main__":
    sys.exit(main())
