"""What schema_registry_test.sh asks Confluent's clients to do:
schema_registry_clients.py BROKERS REGISTRY before|after (a kill -9 and restart).
"""
import base64
import datetime
import decimal
import sys
import time

import confluent_kafka
from confluent_kafka.schema_registry import Schema, SchemaReference, SchemaRegistryClient
from confluent_kafka.schema_registry.avro import AvroDeserializer, AvroSerializer
from confluent_kafka.schema_registry.error import SchemaRegistryError
from confluent_kafka.schema_registry.json_schema import JSONDeserializer, JSONSerializer
from confluent_kafka.schema_registry.protobuf import ProtobufDeserializer, ProtobufSerializer
from confluent_kafka.serialization import MessageField, SerializationContext
from google.protobuf import descriptor_pb2, descriptor_pool, message_factory, timestamp_pb2

BROKERS, REGISTRY, PHASE = sys.argv[1:4]
DEADLINE_S = 180
UTC = datetime.timezone.utc
registry = SchemaRegistryClient({"url": REGISTRY})

FIRST = """{"type": "record", "name": "Order", "namespace": "shop", "fields": [
  {"name": "id", "type": "long"},
  {"name": "customer", "type": ["null", "string"], "default": null},
  {"name": "price", "type": {"type": "bytes", "logicalType": "decimal", "precision": 10, "scale": 2}},
  {"name": "at", "type": {"type": "long", "logicalType": "timestamp-millis"}},
  {"name": "tags", "type": {"type": "array", "items": "string"}}]}"""
# The second version: a field more, another order, a decimal of another scale, microseconds.
SECOND = """{"type": "record", "name": "Order", "namespace": "shop", "fields": [
  {"name": "id", "type": "long"},
  {"name": "note", "type": ["null", "string"], "default": null},
  {"name": "at", "type": {"type": "long", "logicalType": "timestamp-micros"}},
  {"name": "price", "type": {"type": "bytes", "logicalType": "decimal", "precision": 10, "scale": 2}},
  {"name": "customer", "type": ["null", "string"], "default": null},
  {"name": "tags", "type": {"type": "array", "items": "string"}}]}"""


def check(condition, what):
    if not condition:
        sys.exit(f"{PHASE}: {what}")


def context(topic, field=MessageField.VALUE):
    return SerializationContext(topic, field)


def order(number, second):
    row = {"id": number, "customer": None if number % 5 == 0 else f"c{number % 3}",
           "price": decimal.Decimal(number).scaleb(-1).quantize(decimal.Decimal("0.01")),
           "at": datetime.datetime(2024, 1, 1, tzinfo=UTC) + datetime.timedelta(milliseconds=number),
           "tags": [f"t{i}" for i in range(number % 3)]}
    if second:
        row["note"] = f"note {number}"
    return row


def produce(topic, serializer, rows):
    producer = confluent_kafka.Producer({"bootstrap.servers": BROKERS})
    faults = []
    for number, row in enumerate(rows):
        producer.produce(topic, key=str(number), value=serializer(row, context(topic)) if callable(serializer) else row,
                         on_delivery=lambda error, _: faults.append(error) if error else None)
    producer.flush(DEADLINE_S)
    check(not faults, f"produce to {topic}: {faults[:1]}")


def consume(topic, count):
    """The first `count` records of the topic, over all partitions."""
    consumer = confluent_kafka.Consumer({"bootstrap.servers": BROKERS, "group.id": "e2e", "auto.offset.reset": "earliest",
                                         "enable.auto.commit": False})
    deadline = time.monotonic() + DEADLINE_S
    while topic not in consumer.list_topics(timeout=DEADLINE_S).topics:
        check(time.monotonic() < deadline, f"there is no topic {topic}")
    partitions = consumer.list_topics(topic, timeout=DEADLINE_S).topics[topic].partitions
    consumer.assign([confluent_kafka.TopicPartition(topic, p, confluent_kafka.OFFSET_BEGINNING) for p in partitions])
    records = []
    while len(records) < count:
        check(time.monotonic() < deadline, f"{topic}: {len(records)} of {count} records within {DEADLINE_S} s")
        message = consumer.poll(0.5)
        if message is not None and not message.error():
            records.append(message)
    consumer.close()
    return records


def records_of(topic):
    """How many records the topic has, which has one partition."""
    consumer = confluent_kafka.Consumer({"bootstrap.servers": BROKERS, "group.id": "e2e"})
    low, high = consumer.get_watermark_offsets(confluent_kafka.TopicPartition(topic, 0), timeout=DEADLINE_S)
    consumer.close()
    return high - low


def refused(code, call, *arguments, **options):
    try:
        call(*arguments, **options)
    except SchemaRegistryError as error:
        check(error.error_code == code, f"{call.__name__}: {error.error_code} instead of {code}: {error}")
        return error
    sys.exit(f"{PHASE}: {call.__name__} was not refused")


def subjects():
    first, second = Schema(FIRST, "AVRO"), Schema(SECOND, "AVRO")
    check(registry.register_schema("api", first) == registry.register_schema("api", first), "registered twice")
    check(registry.get_latest_version("api").version == 1, "latest version")
    check(registry.lookup_schema("api", first).version == 1, "lookup")
    refused(40403, registry.lookup_schema, "api", second)
    refused(40401, registry.lookup_schema, "nobody", second)
    refused(40401, registry.get_versions, "nobody")
    refused(40402, registry.get_version, "api", 9)
    refused(40403, registry.get_schema, 123456)
    refused(42201, registry.register_schema, "api", Schema('{"type": "nope"}', "AVRO"))
    check(registry.test_compatibility("api", second), "a field with a default is compatible")
    bad = Schema(FIRST.replace('"long"}', '"string"}', 1), "AVRO")
    check(not registry.test_compatibility("api", bad), "a long as a string is not")
    error = refused(409, registry.register_schema, "api", bad)
    check("/fields/0/type" in str(error), f"the refusal does not say where: {error}")
    check(registry.get_compatibility() == "BACKWARD", "the default level")
    registry.set_compatibility("api", "NONE")
    check(registry.get_compatibility("api") == "NONE", "the subject's level")
    check(registry.register_schema("api", bad) > 0, "NONE takes anything")
    check(registry.get_versions("api") == [1, 2], "versions")
    check(registry.delete_version("api", 2) == 2, "delete a version")
    check(registry.delete_subject("api") == [1], "delete a subject")
    check(registry.delete_subject("api", permanent=True) == [1, 2], "delete it for good")
    city = Schema('{"type":"record","name":"shop.City","fields":[{"name":"name","type":"string"}]}', "AVRO")
    registry.register_schema("city", city)
    home = Schema('{"type":"record","name":"Home","fields":[{"name":"city","type":"shop.City"}]}', "AVRO",
                  [SchemaReference("shop.City", "city", 1)])
    id_of_home = registry.register_schema("home", home)
    fresh = SchemaRegistryClient({"url": REGISTRY})
    check(fresh.get_schema(id_of_home).references[0].subject == "city", "references")
    refused(42206, registry.delete_subject, "city")


def serialized(subject):
    """The descriptor of a Protobuf schema; a client that has asked for its source gives that again."""
    fresh = SchemaRegistryClient({"url": REGISTRY})
    return base64.b64decode(fresh.get_latest_version(subject, "serialized").schema.schema_str)


def other_types():
    json_schema = '{"title":"Person","type":"object","properties":{"name":{"type":"string"}},"required":["name"]}'
    written = JSONSerializer(json_schema, registry)({"name": "Ada"}, context("people"))
    check(JSONDeserializer(json_schema)(written, context("people")) == {"name": "Ada"}, "JSON Schema")
    message = timestamp_pb2.Timestamp(seconds=7)
    options = {"use.deprecated.format": False}
    written = ProtobufSerializer(timestamp_pb2.Timestamp, registry, options)(message, context("times"))
    check(ProtobufDeserializer(timestamp_pb2.Timestamp, options)(written, context("times")) == message, "Protobuf")
    check(registry.get_latest_version("people-value").schema.schema_type == "JSON", "the type of a JSON Schema")
    strict = Schema(json_schema.replace('"string"', '"integer"'), "JSON")
    error = refused(409, registry.register_schema, "people-value", strict)
    check("TYPE_CHANGED at /properties/name" in str(error), f"the refusal of a JSON Schema does not say where: {error}")
    check(registry.get_latest_version("times-value").schema.schema_type == "PROTOBUF", "the type of a Protobuf schema")
    check("message Timestamp {" in registry.get_latest_version("times-value").schema.schema_str, "its source")
    file = descriptor_pb2.FileDescriptorProto.FromString(serialized("times-value"))
    check(file.message_type[0].name == "Timestamp", "its descriptor")
    file.message_type[0].field[0].type = descriptor_pb2.FieldDescriptorProto.TYPE_STRING
    other = Schema(base64.b64encode(file.SerializeToString()).decode(), "PROTOBUF")
    error = refused(409, registry.register_schema, "times-value", other)
    check("FIELD_SCALAR_KIND_CHANGED at /Timestamp/1" in str(error), f"the refusal of a Protobuf schema: {error}")


def jobs_of_other_types():
    """Protobuf in, JSON out, and the other way round; what is not of its schema is a dead letter."""
    options = {"use.deprecated.format": False}
    times = [timestamp_pb2.Timestamp(seconds=n, nanos=n * 1000) for n in range(10)]
    produce("times", ProtobufSerializer(timestamp_pb2.Timestamp, registry, options), times)
    produce("times", None, [b"\0\0\0\0", b"\0\0\0\x7f\0\0"])
    schema = registry.get_latest_version
    reader = None
    rows = {}
    for record in consume("late-times", 5):
        reader = reader or JSONDeserializer(schema("late-times-value").schema.schema_str)
        row = reader(record.value(), context("late-times"))
        rows[row["seconds"]] = row["nanos"]
    check(rows == {n: n * 1000 for n in range(5, 10)}, f"late times: {rows}")

    people = '{"title":"Person","type":"object","properties":{"name":{"type":"string"}},"required":["name"]}'
    to_json = JSONSerializer(people, registry)
    produce("people", to_json, [{"name": "Ada", "age": 36}, {"name": "Bob", "age": 9}, {"name": "Cyd"}])
    header = to_json({"name": "x"}, context("people"))[:5]
    produce("people", None, [header + b'{"name": 5, "age": 40}', header + b"{"])
    produce("people", to_json, [{"name": "Dan", "age": 50}])
    records = consume("adults", 3)
    pool = descriptor_pool.DescriptorPool()
    file = pool.AddSerializedFile(serialized("adults-value"))
    record_class = message_factory.GetMessageClass(file.message_types_by_name["Record"])
    reader = ProtobufDeserializer(record_class, options)
    adults = [reader(record.value(), context("adults")) for record in records]
    shown = sorted((a.name, a.age if a.HasField("age") else None, list(a.tags)) for a in adults)
    check(shown == [("Ada", 36, ["a", "Ada"]), ("Cyd", None, ["a", "Cyd"]), ("Dan", 50, ["a", "Dan"])], f"adults: {shown}")


def strict_of_other_types():
    """As strict, of JSON Schema."""
    schema = '{"type":"object","properties":{"price":{"type":"number"}},"required":["price"]}'
    good = JSONSerializer(schema, registry)({"price": 1.5}, context("strict-prices"))
    produce("strict-prices", None, [good])
    outcome = []
    producer = confluent_kafka.Producer({"bootstrap.servers": BROKERS})
    producer.produce("strict-prices", good[:5] + b'{"price": "1"}', on_delivery=lambda error, _: outcome.append(error))
    producer.flush(DEADLINE_S)
    check(len(outcome) == 1 and outcome[0] is not None and outcome[0].code() == confluent_kafka.KafkaError.INVALID_RECORD,
          f"strict, JSON: {outcome}")
    check(records_of("strict-prices") == 1, "only the valid document is in the strict topic")


def by_id(records, deserializer, topic):
    return {row["id"]: row for row in (deserializer(record.value(), context(topic)) for record in records)}


def jobs(first, count, second):
    """Orders in, what the jobs make of them out; `first` to before are there already."""
    serializer = AvroSerializer(registry, SECOND if second else FIRST)
    rows = [order(number, second) for number in range(first, first + count)]
    produce("orders", serializer, rows)
    # Not Avro, and a schema that is not there: dead letters, and the job goes on.
    produce("orders", None, [b"{}", b"\0\0\x01\0\0abc"])
    everything = [order(number, number >= 2000) for number in range(first + count)]
    expected = {row["id"]: row for row in everything if row["price"] >= 100}
    got = by_id(consume("big-orders", len(expected)), AvroDeserializer(registry), "big-orders")
    check(len(got) == len(expected), f"{len(got)} big orders instead of {len(expected)}")
    for number, row in expected.items():
        check(got[number] == {"note": None, **row}, f"order {number}: {got[number]} instead of {row}")
    counts = {}
    for row in everything:
        if row["customer"]:
            counts[row["customer"]] = counts.get(row["customer"], 0) + 1
    deadline = time.monotonic() + DEADLINE_S
    latest = {}
    while latest != counts:
        check(time.monotonic() < deadline, f"customers: {latest} instead of {counts}")
        for record in consume("customers", records_of("customers")):
            key = AvroDeserializer(registry)(record.key(), context("customers", MessageField.KEY))["customer"]
            latest[key] = AvroDeserializer(registry)(record.value(), context("customers"))["orders"]


def strict():
    """A topic that takes only records of its subject: what does not match is refused, record by record."""
    topic = "strict-orders"
    serializer = AvroSerializer(registry, FIRST)
    good = [serializer(order(number, False), context(topic)) for number in range(10)]
    produce(topic, None, good)
    header, other = good[0][:5], AvroSerializer(registry, SECOND)(order(1, True), context("api2"))
    outcomes, taken = {}, []

    def on_good(error, message):
        if error is None:
            taken.append(message.value())

    for name, bad in {"json": b'{"id": 1}', "cut": good[1][:-3], "longer": good[1] + b"x", "other": other,
                      "unknown": b"\0\0\1\0\0" + good[0][5:], "header": header}.items():
        producer = confluent_kafka.Producer({"bootstrap.servers": BROKERS, "compression.type": "zstd", "linger.ms": 50})
        # In one batch, as a rule: then neither is taken.
        producer.produce(topic, good[2], on_delivery=on_good)
        producer.produce(topic, bad, on_delivery=lambda error, _, name=name: outcomes.update({name: error}))
        producer.flush(DEADLINE_S)
    for name, error in outcomes.items():
        check(error is not None and error.code() == confluent_kafka.KafkaError.INVALID_RECORD, f"strict, {name}: {error}")
    check(len(outcomes) == 6, f"strict, answers: {outcomes}")
    check(records_of(topic) == len(good) + len(taken), "nothing but the good records is in the strict topic")


if PHASE == "events":
    pass  # schema_events.py
elif PHASE == "before":
    subjects()
    other_types()
    jobs_of_other_types()
    strict()
    strict_of_other_types()
    jobs(0, 2000, second=False)
else:
    check(registry.get_versions("orders-value") == [1], "the subject is as it was before the restart")
    jobs(2000, 1000, second=True)
    check(registry.get_versions("orders-value") == [1, 2], "the second version")
    check("big-orders-value" in registry.get_subjects(), "what the job registered")
