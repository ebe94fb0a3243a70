"""The clients of kafka_crash.py, each in a thread of its own, and the ledger of their promises.

All are confluent-kafka's (librdkafka), which here waits less than usual before it connects again.
"""

import collections
import contextlib
import random
import threading
import time

from confluent_kafka import Consumer, KafkaError, KafkaException, Producer, TopicPartition

NUMBERS, LEFT, RIGHT, SOURCE, TARGET = "numbers", "left", "right", "source", "target"
PARTITIONS = {NUMBERS: 3, LEFT: 2, RIGHT: 2, SOURCE: 2, TARGET: 2}
READERS, MOVERS = "readers", "movers"  # consumer groups, of NUMBERS and of SOURCE
CALL_S = 20  # how long one call may wait for a server that is killed meanwhile


class Ledger:
    """What was sent and what was answered; shared by all threads."""

    def __init__(self):
        self.lock = threading.Lock()
        self.sent = collections.defaultdict(set)  # producer -> its numbers
        self.acknowledged = collections.defaultdict(set)  # the same, those with an answer
        # name -> (records in each topic, "committed", "aborted" or "unknown")
        self.transactions = {}
        self.consumed = collections.defaultdict(set)  # partition of NUMBERS -> offsets
        self.committed = collections.defaultdict(
            int
        )  # (group, topic, partition) -> highest answered
        self.problems = []
        self.failed_producers = 0


class Client(threading.Thread):
    """Works until `stop` is set, and then ends what it has begun."""

    def __init__(self, name, brokers, ledger, stop, seed):
        super().__init__(name=name)
        self.brokers, self.ledger, self.stop = brokers, ledger, stop
        self.rng = random.Random("%s-%s" % (seed, name))

    def run(self):
        try:
            self.work()
        except Exception as error:  # whatever it is, the round has failed
            with self.ledger.lock:
                self.ledger.problems.append("%s: %r" % (self.name, error))

    def options(self, **more):
        return {
            "bootstrap.servers": self.brokers,
            "reconnect.backoff.ms": 20,
            "reconnect.backoff.max.ms": 200,
            "log_level": 0,
            **more,
        }

    def consumer(self, group, protocol="classic"):
        """`protocol`: "classic", or "consumer", where the server assigns the partitions."""
        options = {
            "group.id": group,
            "group.protocol": protocol,
            "auto.offset.reset": "earliest",
            "enable.auto.commit": False,
            "isolation.level": "read_committed",
        }
        if protocol == "classic":
            options.update({"session.timeout.ms": 2000, "heartbeat.interval.ms": 200})
        return Consumer(self.options(**options))


class IdempotentProducer(Client):
    """Numbered records to every partition of a topic.

    `hasty` gives up what is not answered soon. librdkafka then begins a new epoch and sends what
    was under way with new sequences (librdkafka's issue 4953), so its records may be there twice.
    """

    def __init__(self, *arguments, topic=NUMBERS, hasty=False):
        super().__init__(*arguments)
        self.topic, self.hasty = topic, hasty

    def work(self):
        producer = Producer(
            self.options(
                **{
                    "enable.idempotence": True,
                    "linger.ms": self.rng.choice((0, 2, 10)),
                    "batch.num.messages": self.rng.choice((5, 100)),
                    "message.timeout.ms": 400 if self.hasty else 120_000,
                    "compression.type": self.rng.choice(("none", "lz4", "zstd")),
                }
            )
        )
        number, failed = 0, []

        def answered(error, message):
            if error is None:
                with self.ledger.lock:
                    self.ledger.acknowledged[self.name].add(int(message.value().split()[1]))
            elif not self.hasty:
                failed.append(error)

        while not self.stop.is_set():
            for _ in range(self.rng.randint(1, 12)):
                with self.ledger.lock:
                    self.ledger.sent[self.name].add(number)
                producer.produce(
                    self.topic,
                    "%s %d" % (self.name, number),
                    partition=self.rng.randrange(PARTITIONS[self.topic]),
                    on_delivery=answered,
                )
                number += 1
            producer.poll(self.rng.uniform(0, 0.03))
            time.sleep(self.rng.uniform(0, 0.04))
        if producer.flush(3 * CALL_S) != 0 or failed:
            raise RuntimeError("not delivered: %s" % failed[:1])


def end_transaction(producer, commit):
    """("committed", "aborted" or "unknown", whether the producer can go on)."""
    outcome = "unknown" if commit else "aborted"
    while True:
        try:
            if commit:
                producer.commit_transaction(CALL_S)
                return "committed", True
            producer.abort_transaction(CALL_S)
            return "aborted", True
        except KafkaException as failure:
            error = failure.args[0]
            if error.txn_requires_abort():
                commit, outcome = False, "aborted"
            elif not error.retriable():
                return outcome, False


class Transactional(Client):
    """A client with a transactional id, whose producer is lost now and then in a transaction.

    Where a batch was stored but its answer was lost, and the transaction is aborted, librdkafka 2.11
    drops the batch and gives its sequences to other records. Kafka and we refuse those, and the
    producer has failed for good: as the documentation of its fatal errors says, another one is made.
    """

    def open_producer(self):
        """Ends what an earlier producer of that id has left open."""
        options = {"transactional.id": self.name.split("-", 1)[1], "transaction.timeout.ms": 60_000}
        self.producer = Producer(self.options(**options, **{"linger.ms": self.rng.choice((0, 2))}))
        while True:
            try:
                self.producer.init_transactions(CALL_S)
                return
            except KafkaException as failure:
                if not failure.args[0].retriable():
                    raise

    @contextlib.contextmanager
    def replacing_failed_producer(self):
        """Of what is in it nothing has been committed, when it ends early."""
        try:
            yield
        except KafkaException as failure:
            error = failure.args[0]
            if not error.fatal() or error.code() != KafkaError.OUT_OF_ORDER_SEQUENCE_NUMBER:
                raise
            with self.ledger.lock:
                self.ledger.failed_producers += 1
            self.open_producer()

    def lose_producer(self):
        self.producer.flush(self.rng.choice((0, 0.2)))
        self.producer = None
        time.sleep(self.rng.uniform(0, 0.3))  # its transaction is open
        self.open_producer()


class TransactionalProducer(Transactional):
    """Transactions over two topics: most commit, some abort, some are left open."""

    def work(self):
        self.open_producer()
        number = 0
        while not self.stop.is_set():
            name, count = "%s-%d" % (self.name, number), self.rng.randint(1, 20)
            number += 1
            outcome = "aborted"
            with self.replacing_failed_producer():
                outcome = self.write(name, count)
            with self.ledger.lock:
                self.ledger.transactions[name] = (count, outcome)
            time.sleep(self.rng.uniform(0, 0.02))

    def write(self, name, count):
        """One transaction; its outcome."""
        self.producer.begin_transaction()
        for i in range(count):
            for topic in (LEFT, RIGHT):
                self.producer.produce(
                    topic, "%s %d" % (name, i), partition=self.rng.randrange(PARTITIONS[topic])
                )
        if self.rng.random() < 0.3:
            self.producer.flush(0.1)
        fate = self.rng.random()
        if fate < 0.1:
            self.lose_producer()
            return "aborted"
        outcome, usable = end_transaction(self.producer, commit=fate < 0.75)
        if not usable:
            self.open_producer()
        return outcome


class Mover(Transactional):
    """Moves SOURCE to the same partitions of TARGET, and its offsets in the same transactions."""

    def work(self):
        self.open_producer()
        self.open_reader()
        while not self.stop.is_set():
            self.gather()
            moved = False
            if self.messages:
                with self.replacing_failed_producer():
                    moved = self.move()
            if self.messages and not moved:
                # Whatever was not committed is read again.
                self.reader.close()
                self.open_reader()
        self.reader.close()

    def open_reader(self):
        self.messages = []
        self.reader = self.consumer(MOVERS)
        # With callbacks a partition goes only while `poll` is called, never in a transaction.
        self.reader.subscribe(
            [SOURCE], on_assign=lambda *_: None, on_revoke=lambda *_: self.messages.clear()
        )

    def gather(self):
        self.messages.clear()
        wanted = self.rng.randint(1, 200)
        deadline = time.monotonic() + 0.2
        while len(self.messages) < wanted and time.monotonic() < deadline:
            message = self.reader.poll(0.05)
            if message is not None and message.error() is None:
                self.messages.append(message)

    def move(self):
        """Whether the messages have been moved for good."""
        self.producer.begin_transaction()
        ends = {}
        for message in self.messages:
            self.producer.produce(
                TARGET, b"moved " + message.value(), partition=message.partition()
            )
            ends[message.partition()] = message.offset() + 1
        fate = self.rng.random()
        if fate < 0.05:
            self.lose_producer()
            return False
        offsets_sent = self.send_offsets(
            [TopicPartition(SOURCE, p, end) for p, end in ends.items()]
        )
        if offsets_sent and fate < 0.1:
            self.lose_producer()
            return False
        outcome, usable = end_transaction(self.producer, commit=offsets_sent and fate < 0.9)
        if not usable:
            self.open_producer()
        return outcome == "committed"

    def send_offsets(self, offsets):
        while True:
            try:
                self.producer.send_offsets_to_transaction(
                    offsets, self.reader.consumer_group_metadata(), CALL_S
                )
                return True
            except KafkaException as failure:
                if not failure.args[0].retriable():
                    return False


class Reader(Client):
    """A member of a group: what it has read is committed, again and again."""

    def __init__(self, *arguments, protocol):
        super().__init__(*arguments)
        self.protocol = protocol

    def work(self):
        reader = self.consumer(READERS, self.protocol)
        ends = {}

        def revoked(_, partitions):
            # Only these: with group.protocol=consumer it goes on with the others where it is.
            for partition in partitions:
                ends.pop(partition.partition, None)

        reader.subscribe([NUMBERS], on_assign=lambda *_: None, on_revoke=revoked)
        while not self.stop.is_set():
            for _ in range(self.rng.randint(1, 60)):
                message = reader.poll(0.02)
                if message is None:
                    break
                if message.error() is None:
                    ends[message.partition()] = message.offset() + 1
                    with self.ledger.lock:
                        self.ledger.consumed[message.partition()].add(message.offset())
            if ends:
                self.commit(reader, ends)
        reader.close()

    def commit(self, reader, ends):
        try:
            answers = reader.commit(
                offsets=[TopicPartition(NUMBERS, p, end) for p, end in ends.items()],
                asynchronous=False,
            )
        except KafkaException:
            return  # the server was killed, or the group is forming; the next one has these, too
        with self.ledger.lock:
            for answer in answers:
                if answer.error is None:
                    at = (READERS, NUMBERS, answer.partition)
                    self.ledger.committed[at] = max(self.ledger.committed[at], answer.offset)
