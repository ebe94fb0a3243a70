"""Transactions over the Kafka port, by confluent-kafka: kafka_transactions.py BROKERS before|through|after.

`before` and `after` check; `through` moves records from topic to topic in transactions while the server
is killed and started again, and prints a line for each transaction.
"""
import json
import sys
import time

import confluent_kafka
import confluent_kafka.admin

BROKERS, PHASE = sys.argv[1], sys.argv[2]
DEADLINE_S = 180
MOVED = 2000  # records that `through` moves
RECONNECT = {"reconnect.backoff.ms": 50, "reconnect.backoff.max.ms": 200}


def check(condition, what):
    if not condition:
        sys.exit(f"transactions, {PHASE}: {what}")


def producer(transactional_id, **options):
    p = confluent_kafka.Producer({
        "bootstrap.servers": BROKERS, "transactional.id": transactional_id, "linger.ms": 2, **options})
    p.init_transactions(DEADLINE_S)
    return p


def consumer(group, committed=True, **options):
    return confluent_kafka.Consumer({
        "bootstrap.servers": BROKERS, "group.id": group, "auto.offset.reset": "earliest",
        "enable.auto.commit": False,
        "isolation.level": "read_committed" if committed else "read_uncommitted", **options})


def create(topic, partitions):
    admin = confluent_kafka.admin.AdminClient({"bootstrap.servers": BROKERS})
    admin.create_topics([confluent_kafka.admin.NewTopic(topic, partitions, 1)])[topic].result(DEADLINE_S)


def everything(topic, partitions, committed=True):
    """All values that are there now: up to the end that ListOffsets names."""
    reader = consumer("everything", committed, **{"enable.partition.eof": True})
    reader.assign([confluent_kafka.TopicPartition(topic, p, 0) for p in range(partitions)])
    values, ended, deadline = [], set(), time.monotonic() + DEADLINE_S
    while len(ended) < partitions:
        check(time.monotonic() < deadline, f"the end of {topic} is not reached, got {len(values)}")
        message = reader.poll(0.5)
        if message is None:
            continue
        if message.error() is not None:
            check(message.error().code() == confluent_kafka.KafkaError._PARTITION_EOF, f"{message.error()}")
            ended.add(message.partition())
        else:
            values.append(message.value().decode())
    reader.close()
    return sorted(values)


def send(p, topic, values, partitions=3):
    for i, value in enumerate(values):
        p.produce(topic, value, partition=i % partitions)
        p.poll(0)
    check(p.flush(DEADLINE_S) == 0, "flush")


def commit_and_abort():
    create("txn", 3)
    p = producer("one")
    committed = [f"c{i:03}" for i in range(300)]
    p.begin_transaction()
    send(p, "txn", committed)
    check(everything("txn", 3) == [], "records of an open transaction are visible")
    check(everything("txn", 3, committed=False) == committed, "read_uncommitted sees them")
    low, high = consumer("marks").get_watermark_offsets(confluent_kafka.TopicPartition("txn", 0), cached=False)
    check((low, high) == (0, 0), f"the stable end of an open transaction is 0, not {high}")
    p.commit_transaction(DEADLINE_S)
    check(everything("txn", 3) == committed, "a committed transaction is visible")

    p.begin_transaction()
    send(p, "txn", [f"aborted{i}" for i in range(300)])
    p.abort_transaction(DEADLINE_S)
    check(everything("txn", 3) == committed, "an aborted transaction is invisible")
    # Sequences go on behind an abort, and other producers' records are not held back by it.
    p.begin_transaction()
    send(p, "txn", ["d0", "d1", "d2"])
    p.commit_transaction(DEADLINE_S)
    plain = confluent_kafka.Producer({"bootstrap.servers": BROKERS})
    send(plain, "txn", ["e0", "e1", "e2"])
    check(everything("txn", 3) == committed + ["d0", "d1", "d2", "e0", "e1", "e2"], "what came later")
    # Nothing in it at all.
    p.begin_transaction()
    p.commit_transaction(DEADLINE_S)


def fencing():
    create("fence", 1)
    old = producer("fenced")
    old.begin_transaction()
    send(old, "fence", ["old"], 1)
    new = producer("fenced")  # aborts what the old one left open
    new.begin_transaction()
    send(new, "fence", ["new"], 1)
    new.commit_transaction(DEADLINE_S)
    try:
        old.commit_transaction(DEADLINE_S)
        check(False, "a fenced producer has committed")
    except confluent_kafka.KafkaException as e:
        check(e.args[0].fatal() and e.args[0].code() == confluent_kafka.KafkaError._FENCED, f"fenced: {e.args[0]}")
    check(everything("fence", 1) == ["new"], "only the new producer's record")


def timeout():
    create("late", 1)
    timeout_s = 3
    p = producer("late", **{"transaction.timeout.ms": 1000 * timeout_s})
    began = time.monotonic()
    p.begin_transaction()
    send(p, "late", ["late"], 1)
    plain = confluent_kafka.Producer({"bootstrap.servers": BROKERS})
    send(plain, "late", ["plain"], 1)
    seen = everything("late", 1)
    # On a slow machine it may have timed out by now.
    check(seen == [] or seen == ["plain"] and time.monotonic() - began > timeout_s,
          f"the open transaction holds back what follows: {seen}")
    deadline = time.monotonic() + DEADLINE_S
    while everything("late", 1) != ["plain"]:
        check(time.monotonic() < deadline, "the transaction does not time out")
    try:
        p.commit_transaction(DEADLINE_S)
        check(False, "a transaction that has timed out was committed")
    except confluent_kafka.KafkaException:
        pass
    check(everything("late", 1) == ["plain"], "aborted by its timeout")


def move(source, target, group, transactional_id, count):
    """Consume, transform, produce, with offsets in the same transaction; every seventh is aborted."""
    reader = consumer(group, **{"session.timeout.ms": 6000, "heartbeat.interval.ms": 300, **RECONNECT})
    reader.subscribe([source])
    p = producer(transactional_id, **{"transaction.timeout.ms": 600_000, **RECONNECT})
    done = number = 0
    deadline = time.monotonic() + 5 * DEADLINE_S
    while done < count:
        check(time.monotonic() < deadline, f"moved {done} of {count} records in time")
        messages = [m for m in reader.consume(20, 0.5) if m.error() is None]
        if not messages:
            continue
        number += 1
        p.begin_transaction()
        try:
            for message in messages:
                p.produce(target, b'{"n": %s}' % message.value(), partition=int(message.value()) % 3)
            p.send_offsets_to_transaction(
                reader.position(reader.assignment()), reader.consumer_group_metadata(), DEADLINE_S)
            if number % 7 == 0:
                check(p.flush(DEADLINE_S) == 0, "flush")
                raise InterruptedError
            p.commit_transaction(DEADLINE_S)
            done += len(messages)
        except InterruptedError:
            abort(p, reader)
        except confluent_kafka.KafkaException as e:
            check(not e.args[0].fatal(), f"fatal: {e.args[0]}")
            if e.args[0].retriable():
                p.commit_transaction(DEADLINE_S)
                done += len(messages)
            else:
                abort(p, reader)
        print(f"transaction {number}", flush=True)
    reader.close()


def abort(p, reader):
    p.abort_transaction(DEADLINE_S)
    # Back to what is committed.
    for at in reader.committed(reader.assignment(), DEADLINE_S):
        at.offset = max(at.offset, 0)
        reader.seek(at)


def moved_once():
    expected = sorted(f'{{"n": {i}}}' for i in range(MOVED))
    moved = everything("moved", 3)
    check(moved == expected, f"each record moved once, none lost, no aborted one visible: {len(moved)}")
    check(len(everything("moved", 3, committed=False)) > MOVED, "there were aborted records")
    # The job that copies the topic has read it through the same crashes.
    deadline = time.monotonic() + DEADLINE_S
    while len(copied := everything("moved-copy", 1)) < MOVED:
        check(time.monotonic() < deadline, f"the job has copied {len(copied)} records")
    numbers = sorted(json.loads(value)["n"] for value in copied)
    check(numbers == list(range(MOVED)), f"the job copies what is committed, once: {len(copied)}")
    admin = confluent_kafka.admin.AdminClient({"bootstrap.servers": BROKERS})
    group = confluent_kafka.ConsumerGroupTopicPartitions("movers")
    offsets = admin.list_consumer_group_offsets([group])["movers"].result(DEADLINE_S).topic_partitions
    reader = consumer("marks")
    for at in offsets:
        end = reader.get_watermark_offsets(at, cached=False)[1]
        check(at.offset == end, f"partition {at.partition}: the group stands at {at.offset} of {end}")
    check(len(offsets) == 2, "offsets of both partitions")


if PHASE == "before":
    commit_and_abort()
    fencing()
    timeout()
    create("source", 2)
    send(confluent_kafka.Producer({"bootstrap.servers": BROKERS}), "source", [f"{i}" for i in range(MOVED)], 2)
elif PHASE == "through":
    move("source", "moved", "movers", "mover", MOVED)
else:
    moved_once()
