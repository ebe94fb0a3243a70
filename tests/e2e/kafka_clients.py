"""What kafka_test.sh asks the Python clients to do: kafka_clients.py BROKERS before|through|after.

`before` and `after` (a kill -9 and restart) run on the same topics, `through` writes meanwhile; each
check says what it expects.
"""
import json
import socket
import struct
import sys
import threading
import time

import confluent_kafka
import confluent_kafka.admin
import kafka
import kafka.admin

BROKERS, PHASE = sys.argv[1], sys.argv[2]
DEADLINE_S = 180
KAFKA_PYTHON = {"bootstrap_servers": BROKERS, "api_version_auto_timeout_ms": 1000 * DEADLINE_S}


def check(condition, what):
    if not condition:
        sys.exit(f"{PHASE}: {what}")


def until(condition, what):
    deadline = time.monotonic() + DEADLINE_S
    while not condition():
        check(time.monotonic() < deadline, f"not within {DEADLINE_S} s: {what}")


def consume(group, topics, count, **options):
    """`count` records through librdkafka's group protocol, committed."""
    consumer = confluent_kafka.Consumer({
        "bootstrap.servers": BROKERS, "group.id": group, "auto.offset.reset": "earliest",
        "enable.auto.commit": False, **options})
    consumer.subscribe(topics)
    records = []

    def enough():
        message = consumer.poll(0.5)
        if message is not None:
            check(message.error() is None, f"consume: {message.error()}")
            records.append(message)
        return len(records) >= count

    until(enough, f"{count} records of {topics}, got {len(records)}")
    consumer.commit(asynchronous=False)
    consumer.close()
    return records


def orders_through_a_job(first, count):
    """Every codec in, the job's output out, exactly the even ones, upper case."""
    for number, codec in enumerate(["none", "gzip", "snappy", "lz4", "zstd"]):
        producer = confluent_kafka.Producer({
            "bootstrap.servers": BROKERS, "compression.type": codec, "enable.idempotence": True,
            "linger.ms": 5})
        for i in range(first + number, first + count, 5):
            producer.produce("orders", json.dumps({"id": i, "who": f"who {i}"}), key=str(i))
        check(producer.flush(DEADLINE_S) == 0, "producer.flush")
    records = consume("even", ["even-orders"], (count + 1) // 2)
    got = sorted(json.loads(r.value())["id"] for r in records)
    check(got == list(range(first, first + count, 2)), f"the job's output: {got[:5]}… {len(got)}")
    check(all(json.loads(r.value())["who"].startswith("WHO") for r in records), "upper case")


def kafka_python():
    producer = kafka.KafkaProducer(**KAFKA_PYTHON, acks="all", compression_type="gzip")
    futures = [producer.send("py", key=b"k%d" % i, value=b"v%d" % i, headers=[("h", b"x")])
               for i in range(500)]
    offsets = [future.get(DEADLINE_S).offset for future in futures]
    check(offsets == list(range(500)), "offsets of kafka-python's producer")
    for codec in ("snappy", "lz4", "zstd", None):
        p = kafka.KafkaProducer(**KAFKA_PYTHON, compression_type=codec, acks=1)
        p.send("py", value=b"last").get(DEADLINE_S)
        p.close()
    producer.close()
    consumer = kafka.KafkaConsumer("py", **KAFKA_PYTHON, group_id="py-group",
                                   auto_offset_reset="earliest", consumer_timeout_ms=1000 * DEADLINE_S)
    records = []
    for record in consumer:
        records.append(record)
        if len(records) == 504:
            break
    check([r.value for r in records[:500]] == [b"v%d" % i for i in range(500)], "kafka-python's records")
    check(records[7].key == b"k7" and records[7].headers == [("h", b"x")], "key and headers")
    consumer.commit()
    consumer.close()


def two_consumers_share():
    """A second member gets part of the partitions; when it leaves, the first has all again."""
    admin = confluent_kafka.admin.AdminClient({"bootstrap.servers": BROKERS})
    topic = confluent_kafka.admin.NewTopic("shared", 4, 1, config={"retention.ms": "3600000"})
    admin.create_topics([topic])["shared"].result(DEADLINE_S)
    assigned = {}

    def member(name):
        consumer = confluent_kafka.Consumer({
            "bootstrap.servers": BROKERS, "group.id": "sharing", "client.id": name,
            "session.timeout.ms": 6000, "auto.offset.reset": "earliest"})
        consumer.subscribe(["shared"])
        return consumer

    first = member("first")
    second = member("second")

    def poll(*consumers):
        for name, consumer in consumers:
            message = consumer.poll(0.1)
            check(message is None or message.error() is None, "poll")
            assigned[name] = {p.partition for p in consumer.assignment()}

    def shared():
        poll(("a", first), ("b", second))
        return len(assigned["a"]) == 2 and len(assigned["b"]) == 2 and assigned["a"] != assigned["b"]

    until(shared, "two partitions each")
    groups = admin.list_consumer_groups().result(DEADLINE_S).valid
    check("sharing" in {g.group_id for g in groups}, "list_consumer_groups")
    described = admin.describe_consumer_groups(["sharing"])["sharing"].result(DEADLINE_S)
    check(len(described.members) == 2 and str(described.state).endswith("STABLE"),
          f"describe_consumer_groups: {described.state} {len(described.members)}")
    second.close()

    def alone():
        poll(("a", first))
        return len(assigned["a"]) == 4

    until(alone, "all four partitions after the other has left")
    first.close()


def compaction():
    """Of each key the newest record stays, whoever reads; records without a key are refused."""
    admin = confluent_kafka.admin.AdminClient({"bootstrap.servers": BROKERS})
    topic = confluent_kafka.admin.NewTopic("compacted", 1, 1, config={
        "cleanup.policy": "compact", "segment.bytes": "65536"})
    admin.create_topics([topic])["compacted"].result(DEADLINE_S)
    producer = confluent_kafka.Producer({"bootstrap.servers": BROKERS, "compression.type": "zstd"})
    for i in range(20_000):
        producer.produce("compacted", f"{i} {i * 7919:0200d}", f"k{i % 11}")
        producer.poll(0)
    producer.flush(DEADLINE_S)
    refused = []
    producer.produce("compacted", "no key", on_delivery=lambda error, _: refused.append(error))
    producer.flush(DEADLINE_S)
    check(refused[0] is not None and refused[0].name() == "INVALID_RECORD", f"no key: {refused}")

    def read():
        """(the number of records, {key: its newest number}), by librdkafka."""
        consumer = confluent_kafka.Consumer({"bootstrap.servers": BROKERS, "group.id": "compacted",
                                             "enable.partition.eof": True})
        consumer.assign([confluent_kafka.TopicPartition("compacted", 0, 0)])
        count, newest = 0, {}
        while True:
            message = consumer.poll(DEADLINE_S)
            if message is None or message.error():
                consumer.close()
                return count, newest
            count += 1
            newest[message.key()] = int(message.value().split()[0])

    expected = {b"k%d" % (i % 11): i for i in range(20_000)}

    def compacted():
        count, newest = read()
        check(newest == expected, f"newest records: {newest}")
        return count < 10_000

    until(compacted, "half of the records are gone")
    consumer = kafka.KafkaConsumer(**KAFKA_PYTHON)
    partition = kafka.TopicPartition("compacted", 0)
    consumer.assign([partition])
    consumer.seek(partition, 0)
    newest, end = {}, consumer.end_offsets([partition])[partition]

    def at_the_end():
        for record in consumer.poll(500).get(partition, []):
            newest[record.key] = int(record.value.split()[0])
        return consumer.position(partition) >= end

    until(at_the_end, f"kafka-python reads up to {end}")
    check(newest == expected, f"newest records, by kafka-python: {newest}")
    consumer.close()


def many_partitions():
    """kafka-python, which keeps a fetch session, and librdkafka, which has none, read 100 partitions,
    of which some are paused now and then."""
    partitions, rounds = range(100), 10
    admin = confluent_kafka.admin.AdminClient({"bootstrap.servers": BROKERS})
    topic = confluent_kafka.admin.NewTopic("many", len(partitions), 1)
    admin.create_topics([topic])["many"].result(DEADLINE_S)
    producer = confluent_kafka.Producer({"bootstrap.servers": BROKERS})
    one = kafka.KafkaConsumer(**KAFKA_PYTHON, auto_offset_reset="earliest")
    one.assign([kafka.TopicPartition("many", p) for p in partitions])
    other = confluent_kafka.Consumer({"bootstrap.servers": BROKERS, "group.id": "many",
                                      "auto.offset.reset": "earliest"})
    other.assign([confluent_kafka.TopicPartition("many", p) for p in partitions])
    sent, by_one, by_other = [], [], []

    def read(running):
        for at, records in one.poll(100).items():
            check(at.partition in running, f"partition {at.partition} was paused")
            by_one.extend((at.partition, int(record.value)) for record in records)
        by_other.extend((m.partition(), int(m.value())) for m in other.consume(1000, 0.1))

    for number in range(rounds):
        running = [p for p in partitions if number == rounds - 1 or p % rounds != number]
        one.pause(*one.assignment())
        one.resume(*(kafka.TopicPartition("many", p) for p in running))
        new = [(p, number) for p in partitions if p % 3 == number % 3]
        for partition, value in new:
            producer.produce("many", str(value), partition=partition)
        check(producer.flush(DEADLINE_S) == 0, "producer.flush")
        sent += new

        def all_read():
            read(running)
            expected = {(p, value) for p, value in sent if p in running}
            return expected <= set(by_one) and len(by_other) == len(sent)

        until(all_read, f"round {number} of 100 partitions")
    check(sorted(by_one) == sorted(by_other) == sorted(sent), "each record of 100 partitions once")
    one.close()
    other.close()


def administration():
    admin = confluent_kafka.admin.AdminClient({"bootstrap.servers": BROKERS})
    new = confluent_kafka.admin.NewTopic
    admin.create_topics([new("admin", 2, 1)])["admin"].result(DEADLINE_S)
    for bad, code in ((new("admin", 2, 1), "TOPIC_ALREADY_EXISTS"), (new("a b", 1, 1), "TOPIC_EXCEPTION"),
                      (new("three", 1, 3), "INVALID_REPLICATION_FACTOR"),
                      (new("c", 1, 1, config={"cleanup.policy": "shrink"}), "INVALID_CONFIG")):
        try:
            admin.create_topics([bad])[bad.topic].result(DEADLINE_S)
            check(False, f"create {bad.topic} succeeded")
        except confluent_kafka.KafkaException as e:
            check(code in e.args[0].name(), f"create {bad.topic}: {e.args[0].name()}")
    admin.create_partitions([confluent_kafka.admin.NewPartitions("admin", 5)])["admin"].result(DEADLINE_S)
    check(len(admin.list_topics("admin").topics["admin"].partitions) == 5, "create_partitions")
    resource = confluent_kafka.admin.ConfigResource("topic", "admin")
    entry = confluent_kafka.admin.ConfigEntry(
        "retention.ms", "1234567", incremental_operation=confluent_kafka.admin.AlterConfigOpType.SET)
    alter = confluent_kafka.admin.ConfigResource("topic", "admin", incremental_configs=[entry])
    admin.incremental_alter_configs([alter])[alter].result(DEADLINE_S)
    configs = admin.describe_configs([resource])[resource].result(DEADLINE_S)
    check(configs["retention.ms"].value == "1234567", "retention.ms after alter_configs")
    cluster = admin.describe_cluster().result(DEADLINE_S)
    check(len(cluster.nodes) == 1, "describe_cluster")

    producer = confluent_kafka.Producer({"bootstrap.servers": BROKERS})
    for i in range(10):
        producer.produce("admin", f"{i}", partition=0, timestamp=1_700_000_000_000 + i * 1000)
    producer.flush(DEADLINE_S)
    consumer = confluent_kafka.Consumer({"bootstrap.servers": BROKERS, "group.id": "admin"})
    at = confluent_kafka.TopicPartition("admin", 0, 1_700_000_004_500)
    check(consumer.offsets_for_times([at])[0].offset == 5, "offsets_for_times")
    admin.delete_records([confluent_kafka.TopicPartition("admin", 0, 7)])
    until(lambda: consumer.get_watermark_offsets(at, cached=False) == (7, 10), "delete_records")
    consumer.assign([confluent_kafka.TopicPartition("admin", 0, 9)])
    until(lambda: (m := consumer.poll(0.5)) is not None and m.value() == b"9", "assign and poll")
    consumer.commit(offsets=[confluent_kafka.TopicPartition("admin", 0, 8)], asynchronous=False)
    check(consumer.committed([at])[0].offset == 8, "committed")
    consumer.close()
    admin.delete_consumer_groups(["admin"])["admin"].result(DEADLINE_S)
    # A topic that no client has asked for by name: such a client would create it again.
    admin.create_topics([new("doomed", 2, 1)])["doomed"].result(DEADLINE_S)
    admin.delete_topics(["doomed"])["doomed"].result(DEADLINE_S)
    check("doomed" not in admin.list_topics().topics, "delete_topics")


def raw(*requests):
    """Sends frames as they are; returns whatever comes back until the server closes or falls silent."""
    host, port = BROKERS.rsplit(":", 1)
    with socket.create_connection((host, int(port))) as s:
        s.settimeout(5)
        for request in requests:
            s.sendall(request)
        answer = b""
        try:
            while chunk := s.recv(65536):
                answer += chunk
        except (TimeoutError, ConnectionResetError):
            pass
        return answer


def malformed_frames():
    """Each closes its own connection only."""
    def frame(body):
        return struct.pack(">i", len(body)) + body

    header = struct.pack(">hhih", 3, 1, 7, -1)
    for bad in (b"GET / HTTP/1.1\r\n\r\n", struct.pack(">i", -1) + b"xxxxxx", struct.pack(">i", 2**31 - 1) + b"xxxxxx",
                frame(struct.pack(">hhih", 999, 0, 1, -1)), frame(struct.pack(">hhih", 3, 99, 1, -1)),
                frame(header + struct.pack(">i", 2**30))):
        check(raw(bad) == b"", f"an answer to {bad[:20]}")
    # ApiVersions of the future: the list, in the oldest format, with UNSUPPORTED_VERSION.
    host, port = BROKERS.rsplit(":", 1)
    with socket.create_connection((host, int(port))) as s:
        s.sendall(frame(struct.pack(">hhih", 18, 77, 5, -1) + b"\0"))
        length, correlation, error, count = struct.unpack(">iihi", s.recv(14))
    check((correlation, error) == (5, 35) and count > 20, "ApiVersions 77")


def a_slow_consumer_holds_nobody():
    """Asks for a lot and reads nothing of it, while others go on."""
    producer = confluent_kafka.Producer({"bootstrap.servers": BROKERS})
    for _ in range(20):
        producer.produce("big", b"x" * 900_000)
        producer.flush(DEADLINE_S)
    body = struct.pack(">hhih", 1, 4, 1, -1) + struct.pack(">iiiib", -1, 0, 1, 2**30, 0)
    body += struct.pack(">ih3siiqi", 1, 3, b"big", 1, 0, 0, 2**30)
    host, port = BROKERS.rsplit(":", 1)
    slow = [socket.create_connection((host, int(port))) for _ in range(8)]
    for s in slow:
        for _ in range(50):
            s.sendall(struct.pack(">i", len(body)) + body)
    done = threading.Event()

    def others():
        check(len(consume("big", ["big"], 20)) == 20, "20 records")
        done.set()

    threading.Thread(target=others).start()
    check(done.wait(DEADLINE_S), "another consumer was held up")
    for s in slow:
        s.close()


def produce_through_a_crash():
    """Keeps writing with sequences while the server is killed and started again."""
    producer = confluent_kafka.Producer({
        "bootstrap.servers": BROKERS, "enable.idempotence": True, "linger.ms": 2,
        "batch.num.messages": 50, "reconnect.backoff.max.ms": 500, "message.timeout.ms": 300_000})
    failed = []
    for i in range(20_000):
        producer.produce("once", f"{i}", partition=0,
                         on_delivery=lambda error, _: failed.append(error) if error else None)
        if i % 50 == 0:
            producer.poll(0.01)
            if i == 2000:
                print("under way", flush=True)
    check(producer.flush(300) == 0 and not failed, f"not delivered: {failed[:1]}")


def each_record_once():
    consumer = confluent_kafka.Consumer({"bootstrap.servers": BROKERS, "group.id": "once"})
    consumer.assign([confluent_kafka.TopicPartition("once", 0, 0)])
    values = []

    def more():
        values.extend(int(m.value()) for m in consumer.consume(5000, 0.5))
        return len(values) >= 20_000

    until(more, f"20000 records, got {len(values)}")
    check(values == list(range(20_000)), "each record once, in order, through a crash")
    low, high = consumer.get_watermark_offsets(confluent_kafka.TopicPartition("once", 0), cached=False)
    check((low, high) == (0, 20_000), f"offsets 0 to 20000, not {low} to {high}")
    consumer.close()


if PHASE == "through":
    produce_through_a_crash()
elif PHASE == "before":
    orders_through_a_job(0, 1000)
    kafka_python()
    two_consumers_share()
    many_partitions()
    administration()
    compaction()
    malformed_frames()
    a_slow_consumer_holds_nobody()
else:
    orders_through_a_job(1000, 500)  # the group goes on where it had committed
    consumer = kafka.KafkaConsumer(**KAFKA_PYTHON, group_id="py-group")
    check(consumer.committed(kafka.TopicPartition("py", 0)) == 504, "the offset of py-group")
    consumer.close()
    each_record_once()
