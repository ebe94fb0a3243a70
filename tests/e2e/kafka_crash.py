#!/usr/bin/env python3
"""Kills the Kafka port under its clients again and again, and checks that each promise was kept.

`millrace dev` is killed by SIGKILL at random moments, also while it starts, and started again on
the same port, while kafka_crash_clients.py's clients work: idempotent producers, producers of
transactions, movers (consume, transform, produce in a transaction) and a consumer group, of either
protocol. A round is
1 to 3 kills; then the clients end what they have begun, and everything new in the topics is read:

  records       each acknowledged one is there, none twice, none that was not sent, and each
                producer's in its order (one that gives up early may send twice: its client does);
                no gaps in the offsets
  transactions  a committed one is whole in both topics, of an aborted or abandoned one nothing is
                visible, and where the client could not know, all or nothing
  movers        a partition of the target is that of the source, record by record
  offsets       a group's never go back, as asked all the time, nor beyond the end, and what was
                acknowledged stays; every record reached the group

State carries on from round to round; at the end all is read again and must be what it was. After a
failed round nothing that follows could be judged: the run ends, and its directory is kept.

    kafka_crash.py build/release/millrace --rounds 100 --seed 1
"""

import argparse
import os
import random
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time

from confluent_kafka import Consumer, KafkaError, KafkaException, TopicPartition
from confluent_kafka.admin import AdminClient, NewTopic

import kafka_crash_clients as clients
from kafka_crash_clients import LEFT, MOVERS, NUMBERS, PARTITIONS, READERS, RIGHT, SOURCE, TARGET
from run_checks import Failure, check, free_port, until

DEADLINE_S = 120
QUIET = {"log_level": 0, "enable.auto.commit": False}


class Server:
    """`millrace dev` on a Kafka port that stays the same."""

    def __init__(self, binary, directory):
        self.directory, self.port = directory, free_port()
        self.brokers = "127.0.0.1:%d" % self.port
        self.command = [binary, "dev", directory, "--port", "0", "--kafka-listen", self.brokers]
        self.process = None
        os.makedirs(os.path.join(directory, "sql"))
        with open(os.path.join(directory, "millrace.yml"), "w") as file:
            file.write("name: crash\n")

    def start(self):
        with open(os.path.join(self.directory, "dev.log"), "ab") as log:
            self.process = subprocess.Popen(
                self.command, stdin=subprocess.DEVNULL, stdout=log, stderr=log
            )

    def wait_open(self):
        deadline = time.monotonic() + DEADLINE_S
        while True:
            check(self.process.poll() is None, "the process ended by itself")
            try:
                socket.create_connection(("127.0.0.1", self.port), timeout=1).close()
                return
            except OSError:
                check(time.monotonic() < deadline, "the Kafka port does not open")
                time.sleep(0.02)

    def kill(self):
        code = self.process.poll()
        check(code is None, "the process ended by itself, code %s" % code)
        self.process.kill()
        self.process.wait()

    def stop(self):
        self.process.terminate()
        try:
            code = self.process.wait(timeout=180)
        except subprocess.TimeoutExpired:
            raise Failure("SIGTERM did not end the process within 180 s") from None
        check(code == 0, "exit code %d after SIGTERM" % code)
        with open(os.path.join(self.directory, "dev.log"), errors="replace") as log:
            errors = [line for line in log if line.split(" ")[1:2] == ["E"]]
        check(not errors, "the server has logged an error: %s" % errors[:1])


class Watch(threading.Thread):
    """Asks for the groups' offsets all the time: they never go back."""

    def __init__(self, brokers, ledger):
        super().__init__(name="watch")
        self.ledger, self.done = ledger, threading.Event()
        self.seen = {}  # (group, topic, partition) -> offset
        # Consumers that only ask, and do not join. (An AdminClient of librdkafka 2.11 that is asked
        # while the server is killed may end the program: rd_kafka_enq_once_del_source_return.)
        self.askers = {
            group: (topic, Consumer({"bootstrap.servers": brokers, "group.id": group, **QUIET}))
            for group, topic in ((READERS, NUMBERS), (MOVERS, SOURCE))
        }

    def ask(self, group, topic, asker):
        for at in asker.committed(
            [TopicPartition(topic, p) for p in range(PARTITIONS[topic])], timeout=2
        ):
            if at.error is not None or at.offset < 0:
                continue
            key = (group, topic, at.partition)
            before = self.seen.get(key, 0)
            check(
                at.offset >= before,
                "group %s of %s/%d went back from %d to %d" % (*key, before, at.offset),
            )
            self.seen[key] = at.offset

    def run(self):
        while not self.done.wait(0.05):
            for group, (topic, asker) in self.askers.items():
                try:
                    self.ask(group, topic, asker)
                except Failure as failure:
                    self.ledger.problems.append(str(failure))
                    return
                except KafkaException:
                    pass  # the server is away

    def ends(self):
        """The end of each partition that a group reads."""
        return {
            (group, topic, p): asker.get_watermark_offsets(
                TopicPartition(topic, p), timeout=DEADLINE_S, cached=False
            )[1]
            for group, (topic, asker) in self.askers.items()
            for p in range(PARTITIONS[topic])
        }

    def stop(self):
        self.done.set()
        self.join()


def read_to_end(brokers, starts, isolation="read_committed"):
    """{(topic, partition): [(offset, value)]} from `starts`, {(topic, partition): offset}, on."""
    reader = Consumer(
        {
            "bootstrap.servers": brokers,
            "group.id": "check",
            "enable.partition.eof": True,
            "isolation.level": isolation,
            **QUIET,
        }
    )
    reader.assign(
        [TopicPartition(topic, partition, start) for (topic, partition), start in starts.items()]
    )
    found, ended, deadline = {at: [] for at in starts}, set(), time.monotonic() + DEADLINE_S
    while len(ended) < len(starts):
        check(
            time.monotonic() < deadline, "the ends of %s are not reached" % (starts.keys() - ended)
        )
        for message in reader.consume(1000, 0.05):
            at = (message.topic(), message.partition())
            if message.error() is None:
                found[at].append((message.offset(), message.value().decode()))
            else:
                check(
                    message.error().code() == KafkaError._PARTITION_EOF,
                    "read: %s" % message.error(),
                )
                ended.add(at)
    reader.close()
    return found


class Run:
    """The server, what its clients were promised, and what has been read so far."""

    def __init__(self, server, seed):
        self.server, self.seed, self.ledger = server, seed, clients.Ledger()
        self.read = {(topic, p): [] for topic, count in PARTITIONS.items() for p in range(count)}
        self.server.start()
        self.server.wait_open()
        admin = AdminClient({"bootstrap.servers": self.server.brokers})
        created = admin.create_topics(
            [NewTopic(topic, count, 1) for topic, count in PARTITIONS.items()]
        )
        for answer in created.values():
            answer.result()
        self.watch = Watch(self.server.brokers, self.ledger)
        self.watch.start()

    def round(self, number):
        """One round; the number of kills."""
        rng = random.Random("%s-%d" % (self.seed, number))
        writers_stop, readers_stop = threading.Event(), threading.Event()

        def make(kind, name, stop, **options):
            return kind(
                "r%d-%s" % (number, name),
                self.server.brokers,
                self.ledger,
                stop,
                self.seed,
                **options,
            )

        writers = [
            make(clients.IdempotentProducer, "plain-1", writers_stop),
            make(clients.IdempotentProducer, "plain-2", writers_stop),
            make(clients.IdempotentProducer, "hasty", writers_stop, hasty=True),
            make(clients.IdempotentProducer, "source", writers_stop, topic=SOURCE),
            make(clients.TransactionalProducer, "writer-1", writers_stop),
            make(clients.TransactionalProducer, "writer-2", writers_stop),
        ]
        readers = [make(clients.Mover, "mover-%d" % i, readers_stop) for i in range(2)]
        protocol = rng.choice(("classic", "consumer"))
        readers += [
            make(clients.Reader, "reader-%d" % i, readers_stop, protocol=protocol)
            for i in range(rng.randint(2, 3))
        ]
        for client in writers + readers:
            client.start()
        kills = rng.randint(1, 3)
        try:
            for _ in range(kills):
                time.sleep(rng.uniform(0.01, 1.5))
                self.server.kill()
                time.sleep(rng.choice((0, rng.uniform(0, 0.5))))
                self.server.start()
                if (
                    rng.random() < 0.7
                ):  # else the next kill comes while it starts, or in its first second
                    self.server.wait_open()
            self.server.wait_open()
            time.sleep(rng.uniform(0, 0.3))
            writers_stop.set()
            for client in writers:
                client.join()
            self.wait_for_groups()
        finally:
            writers_stop.set()
            readers_stop.set()
            for client in writers + readers:
                client.join()
        self.check()
        return kills

    def wait_for_groups(self):
        def at_the_end():
            if self.ledger.problems:
                return True
            behind = {
                key: (self.watch.seen.get(key, 0), end)
                for key, end in self.watch.ends().items()
                if self.watch.seen.get(key, 0) != end
            }
            check(not behind, "offset and end: %s" % behind)
            return True

        until("every group at the end of its topic", at_the_end, DEADLINE_S)

    # ---- checks

    def check(self):
        starts = {at: records[-1][0] + 1 if records else 0 for at, records in self.read.items()}
        for at, records in read_to_end(self.server.brokers, starts).items():
            self.read[at] += records
        problems = self.ledger.problems + self.check_records() + self.check_transactions()
        problems += self.check_movers()
        if not self.ledger.problems:  # else nobody waited until the watch had seen the last offsets
            problems += self.check_groups()
        if problems:
            raise Failure("; ".join(problems))

    def values(self, topic):
        """The values of each partition."""
        return [[value for _, value in self.read[topic, p]] for p in range(PARTITIONS[topic])]

    def check_records(self):
        problems, found = [], {}
        for topic in (NUMBERS, SOURCE):
            for partition, values in enumerate(self.values(topic)):
                last = {}
                for producer, number in (
                    (value.split()[0], int(value.split()[1])) for value in values
                ):
                    if number <= last.get(producer, -1) and not producer.endswith("hasty"):
                        problems.append(
                            "%s/%d: %s sent %d, and it is there behind its %d"
                            % (topic, partition, producer, number, last[producer])
                        )
                    last[producer] = number
                    numbers = found.setdefault(producer, set())
                    if number in numbers and not producer.endswith("hasty"):
                        problems.append("%s: %s's %d is there twice" % (topic, producer, number))
                    numbers.add(number)
                offsets = [offset for offset, _ in self.read[topic, partition]]
                if offsets != list(range(len(offsets))):
                    problems.append("%s/%d: offsets have gaps" % (topic, partition))
        for producer, numbers in self.ledger.sent.items():
            lost = self.ledger.acknowledged[producer] - found.get(producer, set())
            if lost:
                problems.append(
                    "%s: %d acknowledged records are lost: %s…"
                    % (producer, len(lost), sorted(lost)[:5])
                )
            strange = found.get(producer, set()) - numbers
            if strange:
                problems.append("%s: never sent: %s" % (producer, sorted(strange)[:5]))
        return problems[:5]

    def check_transactions(self):
        problems, found = [], {topic: {} for topic in (LEFT, RIGHT)}
        for topic, transactions in found.items():
            for values in self.values(topic):
                for value in values:
                    name, number = value.split()
                    transactions.setdefault(name, []).append(int(number))
        for name, (count, outcome) in self.ledger.transactions.items():
            whole = list(range(count))
            visible = [sorted(found[topic].pop(name, [])) for topic in (LEFT, RIGHT)]
            allowed = {
                "committed": [[whole] * 2],
                "aborted": [[[], []]],
                "unknown": [[whole] * 2, [[], []]],
            }
            if visible not in allowed[outcome]:
                problems.append(
                    "transaction %s of %d records, %s: left %s, right %s"
                    % (name, count, outcome, *visible)
                )
        unknown = [name for transactions in found.values() for name in transactions]
        if unknown:
            problems.append("records of transactions that were not ended: %s" % unknown[:5])
        return problems[:5]

    def check_movers(self):
        problems = []
        for partition, (source, target) in enumerate(zip(self.values(SOURCE), self.values(TARGET))):
            expected = ["moved " + value for value in source]
            if target != expected:
                at = next(
                    (i for i, pair in enumerate(zip(target, expected)) if pair[0] != pair[1]),
                    min(len(target), len(expected)),
                )
                problems.append(
                    "target/%d has %d records, the source %d; at %d: %s, not %s"
                    % (
                        partition,
                        len(target),
                        len(expected),
                        at,
                        target[at : at + 2],
                        expected[at : at + 2],
                    )
                )
        return problems

    def check_groups(self):
        problems = []
        for (group, topic, partition), offset in self.watch.seen.items():
            if offset > self.read[topic, partition][-1][0] + 1:
                problems.append(
                    "group %s: %d is beyond the end of %s/%d" % (group, offset, topic, partition)
                )
            promised = self.ledger.committed[group, topic, partition]
            if offset < promised:
                problems.append(
                    "group %s: offset %d of %s/%d, %d was acknowledged"
                    % (group, offset, topic, partition, promised)
                )
        for partition in range(PARTITIONS[NUMBERS]):
            missing = {
                offset for offset, _ in self.read[NUMBERS, partition]
            } - self.ledger.consumed[partition]
            if missing:
                problems.append(
                    "the group never got %d records of partition %d" % (len(missing), partition)
                )
        return problems

    def finish(self):
        """Everything again, after one more start; then a stop that is not a kill."""
        self.server.kill()
        self.server.start()
        self.server.wait_open()
        self.watch.stop()
        again = read_to_end(self.server.brokers, dict.fromkeys(self.read, 0))
        check(again == self.read, "a second reading differs from the first")
        uncommitted = read_to_end(
            self.server.brokers,
            {at: 0 for at in self.read if at[0] in (LEFT, RIGHT, TARGET)},
            "read_uncommitted",
        )
        aborted = sum(len(records) - len(self.read[at]) for at, records in uncommitted.items())
        outcomes = [outcome for _, outcome in self.ledger.transactions.values()]
        # Of some aborted transactions nothing was sent, in a run that is too slow for many of all.
        few = outcomes.count("aborted") < 10
        check(aborted > 0 or few, "no record was aborted: this run has proven little")
        self.server.stop()
        print(
            "%d records visible, %d aborted; %d transactions committed, %d aborted, %d unknown; "
            "%d producers replaced"
            % (
                sum(map(len, self.read.values())),
                aborted,
                *(outcomes.count(outcome) for outcome in ("committed", "aborted", "unknown")),
                self.ledger.failed_producers,
            )
        )


def main():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("binary")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seed", type=int, default=None, help="default: another one each time")
    args = parser.parse_args()
    seed = args.seed if args.seed is not None else random.randrange(1 << 31)
    print("seed %d" % seed, flush=True)
    directory = tempfile.mkdtemp(prefix="millrace-kafka-crash-")
    server, run = Server(os.path.abspath(args.binary), directory), None
    try:
        run = Run(server, seed)
        for number in range(1, args.rounds + 1):
            started = time.monotonic()
            kills = run.round(number)
            print(
                "round %d: ok, %d kills, %.1f s" % (number, kills, time.monotonic() - started),
                flush=True,
            )
        run.finish()
    except Failure as failure:
        print("FAILED: %s\n  kept: %s" % (failure, directory), flush=True)
        return 1
    finally:
        if run:
            run.watch.stop()
        if server.process.poll() is None:
            server.process.kill()
            server.process.wait()
    shutil.rmtree(directory)
    print("1 passed, 0 failed")
    return 0


if __name__ == "__main__":
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    sys.exit(main())
