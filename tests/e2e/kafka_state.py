"""What `millrace dev` says of Kafka's clients, in SQL and at /metrics, against what Kafka's own clients are
told (kafka_test.sh): kafka_state.py BROKERS URL."""
import json
import sys
import time
import urllib.request

import confluent_kafka
from confluent_kafka import ConsumerGroupTopicPartitions, TopicPartition
from confluent_kafka.admin import AdminClient, NewTopic, OffsetSpec

BROKERS, URL = sys.argv[1], sys.argv[2]
DEADLINE_S = 180
TOPIC = "watched"
admin = AdminClient({"bootstrap.servers": BROKERS})


def check(condition, what):
    if not condition:
        sys.exit(f"state: {what}")


def until(condition, what):
    deadline = time.monotonic() + DEADLINE_S
    while not condition():
        check(time.monotonic() < deadline, f"not within {DEADLINE_S} s: {what}")


def sql(query):
    body = json.dumps({"sql": query}).encode()
    request = urllib.request.Request(f"{URL}/api/sql", body, {"Content-Type": "application/json"})
    with urllib.request.urlopen(request, timeout=DEADLINE_S) as answer:
        return [tuple(row) for row in json.load(answer)["rows"]]


def metrics():
    """{name{labels}: value}"""
    with urllib.request.urlopen(f"{URL}/metrics", timeout=DEADLINE_S) as answer:
        lines = answer.read().decode().splitlines()
    return {line.rpartition(" ")[0]: float(line.rpartition(" ")[2]) for line in lines if line and line[0] != "#"}


def consumer(group, protocol):
    settings = {"bootstrap.servers": BROKERS, "group.id": group, "auto.offset.reset": "earliest",
                "enable.auto.commit": False, "client.id": f"reader of {group}", "group.protocol": protocol}
    if protocol == "classic":
        settings["partition.assignment.strategy"] = "roundrobin"
    made = confluent_kafka.Consumer(settings)
    made.subscribe([TOPIC])
    return made


admin.create_topics([NewTopic(TOPIC, 2)])[TOPIC].result(DEADLINE_S)
producer = confluent_kafka.Producer({"bootstrap.servers": BROKERS})
for n in range(30):
    producer.produce(TOPIC, str(n).encode(), partition=n % 2)
check(producer.flush(DEADLINE_S) == 0, "records are written")

before = metrics()["millrace_kafka_connections"]
groups = {"watched-classic": "classic", "watched-new": "consumer"}
consumers = {group: consumer(group, protocol) for group, protocol in groups.items()}
for group, one in consumers.items():
    until(lambda: one.poll(0.1) is not None, f"{group} reads")
    until(lambda: len(one.assignment()) == 2, f"{group} has both partitions")
    one.commit(offsets=[TopicPartition(TOPIC, 0, 4), TopicPartition(TOPIC, 1, 15)], asynchronous=False)

# Groups, as ListGroups and (of the classic protocol, which this client can describe) DescribeGroups have them.
shown = {row[0]: row[1:] for row in sql("SELECT group_id, state, protocol, assignor, members FROM millrace.consumer_groups")}
listed = {one.group_id: one for one in admin.list_consumer_groups().result(DEADLINE_S).valid}
check(set(shown) == set(listed), f"groups: {sorted(shown)} instead of {sorted(listed)}")
for group, protocol in groups.items():
    expected = (listed[group].state.name.title(), listed[group].type.name.lower())
    check(shown[group][:2] == expected and expected[1] == protocol, f"{group}: {shown[group]} instead of {expected}")
theirs = admin.describe_consumer_groups(["watched-classic"])["watched-classic"].result(DEADLINE_S)
check(shown["watched-classic"][2:] == (theirs.partition_assignor, len(theirs.members)), f"described: {shown['watched-classic']}")
check(shown["watched-new"][2:] == ("uniform", 1), f"of the new protocol: {shown['watched-new']}")

# Offsets and lag, as OffsetFetch and ListOffsets have them.
ends = admin.list_offsets({TopicPartition(TOPIC, p): OffsetSpec.latest() for p in (0, 1)})
ends = {at.partition: future.result(DEADLINE_S).offset for at, future in ends.items()}
exported = metrics()
for group in groups:
    committed = admin.list_consumer_group_offsets([ConsumerGroupTopicPartitions(group)])[group].result(DEADLINE_S)
    expected = sorted((TOPIC, at.partition, at.offset, ends[at.partition], ends[at.partition] - at.offset, f"reader of {group}")
                      for at in committed.topic_partitions)
    ours = sorted(sql("SELECT topic, partition, committed_offset, log_end_offset, lag, client_id FROM "
                      f"millrace.consumer_group_offsets WHERE group_id = '{group}'"))
    check(ours == expected and len(ours) == 2, f"offsets of {group}: {ours} instead of {expected}")
    for topic, partition, offset, _, lag, _ in expected:
        labels = f'{{consumergroup="{group}",topic="{topic}",partition="{partition}"}}'
        check(exported["kafka_consumergroup_lag" + labels] == lag, f"lag of {group}/{partition}")
        check(exported["kafka_consumergroup_current_offset" + labels] == offset, f"offset of {group}/{partition}")
    check(exported[f'kafka_consumergroup_lag_sum{{consumergroup="{group}",topic="{TOPIC}"}}'] == 11, f"lag of {group}")
    check(exported[f'kafka_consumergroup_members{{consumergroup="{group}"}}'] == 1, f"members of {group}")
check(exported["millrace_kafka_connections"] > before, "connections are counted")

for one in consumers.values():
    one.close()
until(lambda: not sql("SELECT 1 FROM millrace.consumer_groups WHERE group_id LIKE 'watched-%' AND (members > 0 OR state <> 'Empty')"),
      "groups that were left are empty")
check(len(sql("SELECT 1 FROM millrace.consumer_group_offsets WHERE group_id LIKE 'watched-%' AND client_id IS NULL AND lag >= 0")) == 4,
      "their offsets stay")

# An open transaction is shown until it ends.
writer = confluent_kafka.Producer({"bootstrap.servers": BROKERS, "transactional.id": "watched-copy"})
writer.init_transactions(DEADLINE_S)
check(not sql("SELECT 1 FROM millrace.transactions WHERE transactional_id = 'watched-copy'"), "no transaction is open yet")
writer.begin_transaction()
writer.produce(TOPIC, b"x", partition=1)
check(writer.flush(DEADLINE_S) == 0, "it writes")
opened = sql("SELECT state, partitions, started_at IS NOT NULL FROM millrace.transactions WHERE transactional_id = 'watched-copy'")
check(opened == [("Ongoing", f"{TOPIC}/1", True)], f"the transaction: {opened}")
check(metrics()["millrace_kafka_open_transactions"] >= 1, "it is counted")
writer.abort_transaction(DEADLINE_S)
check(not sql("SELECT 1 FROM millrace.transactions WHERE transactional_id = 'watched-copy'"), "it has ended")
