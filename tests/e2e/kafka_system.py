#!/usr/bin/env python3
"""Apache Kafka's own system-test programs against the Kafka port, while the server is killed.

They are in the jars that Kafka publishes, and check their own work or say what they have done; what
Kafka's ducktape scripts do around them is done here:

  verifiable  VerifiableProducer, and VerifiableConsumers in groups of both protocols: what was
              acknowledged is consumed, by each group
  copier      TransactionalMessageCopiers that abort at random: the copy is the input, each record once
  smoke       Streams' SmokeTestDriver, and two SmokeTestClients, exactly once
  eos         Streams' StreamsEosTest: EosTestDriver, and two EosTestClients that are killed
  trogdor     ProduceBench with transactions, ConsumeBench, RoundTripWorker

Each but trogdor sees the server killed by SIGKILL and started again on its data.

    kafka_system.py build/release/millrace                   # verifiable and copier
    kafka_system.py build/release/millrace --all             # `make test-kafka`
    kafka_system.py build/release/millrace --only smoke

The jars come from scripts/setup.sh; it runs in its Kafka clients for Python.
"""

import argparse
import collections
import concurrent.futures
import json
import os
import pathlib
import shutil
import signal
import subprocess
import sys
import tempfile
import time

from confluent_kafka import Producer
from confluent_kafka.admin import AdminClient, NewTopic

from kafka_crash import Server, read_to_end
from run_checks import Failure, check, until

ROOT = pathlib.Path(__file__).resolve().parents[2]
DEPS = pathlib.Path(os.environ.get("MILLRACE_DEPS", ROOT / ".deps"))
JARS = DEPS / "kafka-java"
TOOLS = "org.apache.kafka.tools."
STREAMS = "org.apache.kafka.streams.tests."
PATIENCE_S = 180
RETURN_MS = 8000  # less than what the server gives members to come back


class Program:
    """A running Java program; what it prints is in a file."""

    def __init__(self, directory, name, *arguments):
        self.name, self.output = name, os.path.join(directory, name + ".out")
        command = ["java", "-Xmx192m", "-XX:TieredStopAtLevel=1", "-XX:+UseSerialGC"]
        command += ["-cp", "%s/classes:%s/jars/*" % (JARS, JARS), *map(str, arguments)]
        with open(self.output, "wb") as out, open(self.output[:-3] + "err", "wb") as err:
            self.process = subprocess.Popen(
                command, stdin=subprocess.DEVNULL, stdout=out, stderr=err, cwd=directory
            )

    def lines(self):
        with open(self.output, errors="replace") as file:
            return [line.rstrip("\n") for line in file if line.endswith("\n")]

    def events(self, name):
        """Of a program that prints JSON: those that call themselves so."""
        found = []
        for line in self.lines():
            event = json.loads(line) if line.startswith("{") else {}
            if event.get("name") == name:
                found.append(event)
        return found

    def says(self, text):
        return any(text in line for line in self.lines())

    def wait_to_say(self, text):
        def said():
            if self.says(text):
                return True
            check(self.process.poll() is None, "%s ended: %s" % (self.name, self.lines()[-3:]))
            return False

        until("%s says %s" % (self.name, text), said, PATIENCE_S)

    def wait(self):
        try:
            code = self.process.wait(timeout=PATIENCE_S)
        except subprocess.TimeoutExpired:
            raise Failure("%s does not end" % self.name) from None
        check(code == 0, "%s ended with %d: %s" % (self.name, code, self.lines()[-5:]))

    def kill(self, how=signal.SIGKILL):
        self.process.send_signal(how)
        self.process.wait(timeout=PATIENCE_S)


class Run:
    def __init__(self, binary, directory):
        self.directory, self.programs = directory, []
        self.server = Server(binary, os.path.join(directory, "project"))
        self.brokers = self.server.brokers
        self.server.start()
        self.server.wait_open()

    def java(self, name, *arguments):
        program = Program(self.directory, name, *arguments)
        self.programs.append(program)
        return program

    def create(self, partitions, *topics, **config):
        admin = AdminClient({"bootstrap.servers": self.brokers})
        wanted = [NewTopic(topic, partitions, 1, config=config) for topic in topics]
        for answer in admin.create_topics(wanted).values():
            answer.result()

    def kill_server(self):
        self.server.kill()
        self.server.start()
        self.server.wait_open()

    def properties(self, name, **settings):
        path = os.path.join(self.directory, name + ".properties")
        with open(path, "w") as file:
            for key, value in settings.items():
                file.write("%s=%s\n" % (key.replace("_", "."), value))
        return path

    def values(self, topic, partitions):
        """What a reader of committed records sees of each partition."""
        ends = {(topic, partition): 0 for partition in range(partitions)}
        found = read_to_end(self.brokers, ends, "read_committed")
        return {key: [value for _, value in records] for key, records in found.items()}


def verifiable(run):
    """ProduceConsumeValidateTest's rule, with the server killed under producer and groups."""
    count = 6_000
    run.create(3, "verified")
    common = ["--bootstrap-server", run.brokers, "--topic", "verified"]
    consumers = [
        run.java(
            "consumer-%s" % protocol,
            TOOLS + "VerifiableConsumer",
            *common,
            *("--group-id", protocol, "--group-protocol", protocol, "--verbose"),
        )
        for protocol in ("classic", "consumer")
    ]
    producer = run.java(
        "producer",
        TOOLS + "VerifiableProducer",
        *common,
        *("--max-messages", count, "--throughput", 2500),
    )
    until("some are sent", lambda: len(producer.lines()) > count // 4, PATIENCE_S)
    run.kill_server()
    restarted_ms = time.time() * 1000
    producer.wait()
    acked = {event["value"] for event in producer.events("producer_send_success")}
    # It sends nothing twice, so what was under way at the kill is stored or not.
    open_ends = {event["value"] for event in producer.events("producer_send_error")}
    check(len(acked) + len(open_ends) == count, "%d + %d sent" % (len(acked), len(open_ends)))
    check(len(acked) > count // 2, "only %d acknowledged" % len(acked))
    for consumer in consumers:

        def all_consumed(consumer=consumer):
            seen = {event["value"] for event in consumer.events("record_data")}
            check(acked <= seen, "%s misses %d" % (consumer.name, len(acked - seen)))

        until("%s has all" % consumer.name, all_consumed, PATIENCE_S)

        # What it read before it had joined again it could not commit: it reads that once more.
        def all_committed(consumer=consumer):
            commits = consumer.events("offsets_committed")
            check(commits and commits[-1]["success"], "the last commit: %s" % commits[-1:])

        until("%s has committed" % consumer.name, all_committed, PATIENCE_S)
        # A member that was back soon enough kept its partitions.
        back = [
            event["timestamp"]
            for event in consumer.events("offsets_committed")
            if event["success"] and event["timestamp"] > restarted_ms
        ]
        if back and back[0] - restarted_ms < RETURN_MS:
            assigned = consumer.events("partitions_assigned")
            check(len(assigned) == 1, "%s: %s" % (consumer.name, assigned))
        consumer.kill(signal.SIGTERM)
    stored = collections.Counter(sum(run.values("verified", 3).values(), []))
    check(acked <= stored.keys() <= acked | open_ends, "%d are stored" % len(stored))
    check(max(stored.values()) == 1, "stored twice: %s" % stored.most_common(1))
    return "%d records acknowledged, stored once, consumed by 2 groups" % len(acked)


def copier(run):
    """TransactionsTest's copiers, one a partition: the server and one of them are killed."""
    count, partitions = 4_000, 2
    run.create(partitions, "input", "copy")
    seed = ["--bootstrap-server", run.brokers, "--topic", "input", "--max-messages", count]
    seed += ["--repeating-keys", 100]  # so that each partition has its share
    run.java("seed", TOOLS + "VerifiableProducer", *seed).wait()

    def start(partition, attempt):
        return run.java(
            "copier-%d-%d" % (partition, attempt),
            TOOLS + "TransactionalMessageCopier",
            *("--broker-list", run.brokers, "--input-topic", "input", "--output-topic", "copy"),
            *("--input-partition", partition, "--consumer-group", "copiers-%d" % partition),
            *("--transactional-id", "copier-%d" % partition, "--transaction-size", 100),
            *("--enable-random-aborts", "--use-group-metadata"),
        )

    copiers = [start(partition, 0) for partition in range(partitions)]
    until("they copy", lambda: all(len(one.lines()) > 8 for one in copiers), PATIENCE_S)
    copiers[0].kill()
    # The next one asks for its offsets before it fences this one, and would wait for the timeout of
    # an open transaction (UNSTABLE_OFFSET_COMMIT), here as at Kafka.
    Producer({"bootstrap.servers": run.brokers, "transactional.id": "copier-0"}).init_transactions()
    copiers[0] = start(0, 1)
    run.kill_server()
    for one in copiers:
        one.wait()
    wanted, got = run.values("input", partitions), run.values("copy", partitions)
    for partition in range(partitions):
        source, copy = wanted["input", partition], got["copy", partition]
        check(copy == source, "partition %d: %d of %d" % (partition, len(copy), len(source)))
    return "%d records copied in order, each once" % sum(map(len, got.values()))


SMOKE_TOPICS = "data fk echo max min min-suppressed min-raw dif sum sws-raw sws-suppressed cnt avg tagg"


def smoke(run):
    """StreamsSmokeTest: the server is killed, then one of the two clients."""
    run.create(3, *SMOKE_TOPICS.split())
    settings = run.properties(
        "smoke",
        bootstrap_servers=run.brokers,
        processing_guarantee="exactly_once_v2",
        commit_interval_ms=500,
        session_timeout_ms=6000,
    )
    clients = [
        run.java("smoke-client-%d" % n, STREAMS + "StreamsSmokeTest", settings, "process")
        for n in range(2)
    ]
    for client in clients:
        client.wait_to_say("SMOKE-TEST-CLIENT-STARTED")
    driver = run.java("smoke-driver", STREAMS + "ShortSmokeTest", run.brokers, 10, 200, 8)
    driver.wait_to_say("500 records produced")
    run.kill_server()
    driver.wait_to_say("1500 records produced")
    clients[0].kill()
    driver.wait()
    check(driver.says("ALL-RECORDS-DELIVERED") and driver.says("SUCCESS"), "the driver failed")
    clients[1].kill(signal.SIGTERM)
    check(clients[1].says("SMOKE-TEST-CLIENT-CLOSED"), "a client did not close well")
    return "Streams' smoke test: SUCCESS"


def eos(run):
    """StreamsEosTest: clients are killed in their transactions and replaced, the server as well."""
    run.create(3, "data", "echo", "min", "sum")
    # The client would make its own with three replicas, and there is one node.
    stores = ["EosTest-KSTREAM-AGGREGATE-STATE-STORE-%010d-changelog" % n for n in (3, 7)]
    run.create(3, *stores, **{"cleanup.policy": "compact"})

    def start(n):
        settings = run.properties(
            "eos-%d" % n,
            bootstrap_servers=run.brokers,
            processing_guarantee="exactly_once_v2",
            session_timeout_ms=6000,
            state_dir=os.path.join(run.directory, "eos-state-%d" % n),
        )
        return run.java("eos-client-%d" % n, STREAMS + "StreamsEosTest", settings, "process")

    clients = [start(0), start(1)]
    for client in clients:
        client.wait_to_say("StateChange: REBALANCING -> RUNNING")
    settings = run.properties("eos-driver", bootstrap_servers=run.brokers)
    driver = run.java("eos-driver", STREAMS + "StreamsEosTest", settings, "run")
    driver.wait_to_say("1000 records produced")
    clients[0].kill()
    clients[0] = start(2)
    driver.wait_to_say("2000 records produced")
    run.kill_server()
    driver.wait_to_say("3000 records produced")
    driver.kill(signal.SIGTERM)
    for client in clients:
        client.kill(signal.SIGTERM)
        check(client.says("EOS-TEST-CLIENT-CLOSED"), "%s did not close well" % client.name)
    verifier = run.java("eos-verifier", STREAMS + "StreamsEosTest", settings, "verify")
    verifier.wait()
    check(verifier.says("ALL-RECORDS-DELIVERED"), "not verified: %s" % verifier.lines()[-5:])
    return "Streams' EOS test: ALL-RECORDS-DELIVERED"


TROGDOR_NODE = {
    "platform": "org.apache.kafka.trogdor.basic.BasicPlatform",
    "nodes": {"node0": {"hostname": "localhost", "trogdor.agent.port": 0}},
}


def trogdor(run):
    """One task after the other; an agent runs it and says what it did."""
    count = 10_000
    topics = {"bench[1-3]": {"numPartitions": 2, "replicationFactor": 1}}
    tasks = {
        "ProduceBenchSpec": {
            "producerNode": "node0",
            "keyGenerator": {"type": "sequential", "size": 4},
            "valueGenerator": {"type": "uniformRandom", "size": 200, "seed": 1, "padding": 0},
            "transactionGenerator": {"type": "uniform", "messagesPerTransaction": 500},
            "activeTopics": topics,
        },
        "ConsumeBenchSpec": {
            "consumerNode": "node0",
            "consumerGroup": "bench",
            "consumerConf": {"isolation.level": "read_committed"},
            "activeTopics": list(topics),
        },
        "RoundTripWorkloadSpec": {
            "clientNode": "node0",
            "valueGenerator": {"type": "sequential", "size": 200},
            "activeTopics": {"roundtrip": {"numPartitions": 1, "replicationFactor": 1}},
        },
    }
    node = os.path.join(run.directory, "trogdor.conf")
    with open(node, "w") as file:
        json.dump(TROGDOR_NODE, file)
    done = {}
    for name, task in tasks.items():
        task.update(
            {
                "class": "org.apache.kafka.trogdor.workload." + name,
                "startMs": 0,
                "durationMs": 1000 * PATIENCE_S,
                "bootstrapServers": run.brokers,
                "targetMessagesPerSec": 100_000,
                "maxMessages": count,
            }
        )
        path = os.path.join(run.directory, name + ".json")
        with open(path, "w") as file:
            json.dump(task, file)
        agent = "org.apache.kafka.trogdor.agent.Agent"
        program = run.java(name, agent, "-n", "node0", "-c", node, "--exec", path)
        program.wait()
        said = "\n".join(program.lines()).partition("Task succeeded with status ")[2]
        check(said, "%s: %s" % (name, program.lines()[-5:]))
        done[name] = json.JSONDecoder().raw_decode(said)[0]
    produced = done["ProduceBenchSpec"]
    check(produced["totalSent"] == count, "ProduceBench: %s" % produced)
    check(produced["transactionsCommitted"] == count // 500, "ProduceBench: %s" % produced)
    consumed = sum(one["totalMessagesReceived"] for one in done["ConsumeBenchSpec"].values())
    check(consumed == count, "ConsumeBench: %s" % done["ConsumeBenchSpec"])
    trip = done["RoundTripWorkloadSpec"]
    check(trip["totalUniqueSent"] == trip["totalReceived"] == count, "RoundTrip: %s" % trip)
    return "Trogdor: %d records produced, consumed and sent around" % count


TESTS = {test.__name__: test for test in (verifiable, copier, smoke, eos, trogdor)}
SHORT = ("verifiable", "copier")


def run_test(binary, test):
    directory = tempfile.mkdtemp(prefix="millrace-kafka-system-")
    start = time.monotonic()
    run = Run(binary, directory)
    try:
        outcome = test(run)
        run.server.stop()
    except (Failure, OSError, ValueError, KeyError) as failure:
        print("FAILED: %s: %s\n  kept: %s" % (test.__name__, failure, directory), flush=True)
        return False
    finally:
        for process in [program.process for program in run.programs] + [run.server.process]:
            if process.poll() is None:
                process.kill()
                process.wait()
    shutil.rmtree(directory)
    print("ok %s (%.0f s)" % (outcome, time.monotonic() - start), flush=True)
    return True


def main():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("binary")
    parser.add_argument("--all", action="store_true", help="those that take a minute, too")
    parser.add_argument("--only", choices=TESTS, action="append")
    args = parser.parse_args()
    names = args.only or (TESTS if args.all else SHORT)
    # They wait for JVMs and timeouts most of the time.
    with concurrent.futures.ThreadPoolExecutor(2) as pool:
        results = list(
            pool.map(lambda name: run_test(os.path.abspath(args.binary), TESTS[name]), names)
        )
    print("%d passed, %d failed" % (results.count(True), results.count(False)))
    return 0 if all(results) else 1


if __name__ == "__main__":
    sys.exit(main())
