"""Events that are JSON into topics of other formats, schemas in files of the project (schema_registry_test.sh):

  schema_events.py prepare DIRECTORY        a compiled descriptor, as protoc writes it
  schema_events.py check BROKERS HTTP       Confluent's and Google's libraries read what was posted and written
"""
import datetime
import json
import pathlib
import sys
import urllib.error
import urllib.request

from google.protobuf import descriptor_pb2, descriptor_pool, message_factory

UTC = datetime.timezone.utc
Field = descriptor_pb2.FieldDescriptorProto


def readings():
    """What schemas/reading.proto and schemas/unit.proto say, by hand: there is no protoc here."""
    files = descriptor_pb2.FileDescriptorSet()
    unit = files.file.add(name="unit.proto", syntax="proto3", package="shop")
    values = unit.enum_type.add(name="Unit").value
    values.add(name="PIECE", number=0)
    values.add(name="KILO", number=1)
    file = files.file.add(name="reading.proto", syntax="proto3", package="shop", dependency=["unit.proto"])
    message = file.message_type.add(name="Reading")
    message.field.add(name="id", number=3, type=Field.TYPE_SINT64, label=Field.LABEL_OPTIONAL)
    message.field.add(name="unit", number=9, type=Field.TYPE_ENUM, type_name=".shop.Unit", label=Field.LABEL_OPTIONAL)
    message.field.add(name="parts", number=2, type=Field.TYPE_STRING, label=Field.LABEL_REPEATED)
    return files


if sys.argv[1] == "prepare":
    pathlib.Path(sys.argv[2], "reading.desc").write_bytes(readings().SerializeToString())
    sys.exit()

sys.argv = [sys.argv[0], sys.argv[2], sys.argv[3], "events"]
from schema_registry_clients import (JSONDeserializer, ProtobufDeserializer, AvroDeserializer, MessageField, check, consume,  # noqa: E402
                                     context, produce, records_of, registry, serialized)

HTTP = sys.argv[2]


def post(topic, events):
    """The status and the answer of the collector."""
    return send(f"/v1/events/{topic}", events)


def send(path, body=None):
    data = None if body is None else json.dumps(body).encode()
    request = urllib.request.Request(HTTP + path, data, {"Content-Type": "application/json"})
    try:
        with urllib.request.urlopen(request, timeout=60) as answer:
            return answer.status, json.load(answer)
    except urllib.error.HTTPError as error:
        return error.code, json.load(error)


def avro():
    good = [{"id": n, "who": f"w{n % 3}", "at": f"2024-01-01 00:00:00.{n:03}", "tags": ["a", None][: n % 3]} for n in range(200)]
    check(post("clicks", good) == (202, {"accepted": 200, "rejected": 0}), "events into a topic of Avro")
    bad = [{"id": 1000, "who": "w"}, {"who": "no id"}, {"id": 2**63}, {"id": 1001, "who": "w", "typo": 1}]
    status, answer = post("clicks", bad)
    check(status == 400 and answer["accepted"] == 1 and [e["index"] for e in answer["errors"]] == [1, 2, 3], f"bad events: {answer}")
    check("typo" in answer["errors"][2]["reason"], f"what is no column: {answer}")
    records = consume("clicks", 201)
    read_key, read = AvroDeserializer(registry), AvroDeserializer(registry)
    rows = {}
    for record in records:
        row = read(record.value(), context("clicks"))
        rows[row["id"]] = row
        check(read_key(record.key(), context("clicks", MessageField.KEY)) == {"who": row["who"]}, f"the key of {row}")
    for event in good:
        row = rows[event["id"]]
        at = datetime.datetime(2024, 1, 1, microsecond=event["id"] * 1000, tzinfo=UTC)
        check(row == {"id": event["id"], "who": event["who"], "at": at, "tags": event["tags"]}, f"{event} is read as {row}")
    check(rows[1000]["at"] is None and rows[1000]["tags"] is None, f"what is not there: {rows[1000]}")


def dead_letters():
    """A refused event, mended and sent: it is written as any event is."""
    letters = [one for one in send("/api/dead-letters?limit=100")[1] if one["topic"] == "clicks" and "typo" in one.get("value", "")]
    check(len(letters) == 1, f"letters: {letters}")
    ids = [letters[0]["id"]]
    status, answer = send("/api/dead-letters/actions", {"action": "retry", "ids": ids})
    check(status == 200 and answer["refused"] == 1, f"retried as it is: {answer}")
    status, answer = send("/api/dead-letters/actions", {"action": "edit", "ids": ids, "value": '{"id": 1001, "who": "mended"}'})
    check(status == 200 and answer["done"] == 1, f"edited: {answer}")
    status, answer = send("/api/dead-letters/actions", {"action": "replay", "ids": ids})
    check(status == 200 and answer["done"] == 1, f"replayed: {answer}")
    read, read_key = AvroDeserializer(registry), AvroDeserializer(registry)
    rows = [(read(record.value(), context("clicks")), read_key(record.key(), context("clicks", MessageField.KEY)))
            for record in consume("clicks", 202)]
    mended = [(row["who"], key) for row, key in rows if row["id"] == 1001]
    check(mended == [("mended", {"who": "mended"})], f"mended: {mended}")


def protobuf():
    """Into a strict topic."""
    check(post("strict-clicks", [{"id": 7, "who": "Ada"}, {"id": "x"}, {"id": 8}])[1]["accepted"] == 2, "events into a strict topic")
    pool = descriptor_pool.DescriptorPool()
    record_class = message_factory.GetMessageClass(
        pool.AddSerializedFile(serialized("strict-clicks-value")).message_types_by_name["Record"])
    read = ProtobufDeserializer(record_class, {"use.deprecated.format": False})
    got = [read(record.value(), context("strict-clicks")) for record in consume("strict-clicks", 2)]
    check(sorted((m.id, m.who if m.HasField("who") else None) for m in got) == [(7, "Ada"), (8, None)], f"strict clicks: {got}")


def json_schema():
    """The schema is the file's, and what it does not allow is refused."""
    status, answer = post("visits", [{"id": 5}, {"id": 4}, {"id": 6, "note": "n"}])
    check(status == 400 and answer["accepted"] == 2, f"visits: {answer}")
    check("/id: 4 against" in answer["errors"][0]["reason"], f"why: {answer}")
    text = registry.get_latest_version("visits-value").schema.schema_str
    check(json.loads(text)["title"] == "Visit", f"the registered schema: {text}")
    read = JSONDeserializer(text)  # it validates with python-jsonschema
    got = sorted(read(record.value(), context("visits"))["id"] for record in consume("visits", 2))
    check(got == [5, 6], f"visits: {got}")


def protobuf_files():
    """Read with a source and its import, written with what protoc would have compiled of them."""
    pool = descriptor_pool.DescriptorPool()
    for file in readings().file:
        pool.Add(file)
    reading = message_factory.GetMessageClass(pool.FindMessageTypeByName("shop.Reading"))
    produce("readings", None, [reading(id=n - 5, unit=n % 2, parts=["p"] * n).SerializeToString() for n in range(10)])
    got = sorted((m.id, m.unit, list(m.parts)) for m in (reading.FromString(r.value()) for r in consume("kilos", 5)))
    check(got == [(n - 5, 1, ["p"] * n) for n in range(1, 10, 2)], f"kilos: {got}")


avro()
dead_letters()
protobuf()
json_schema()
protobuf_files()
check(records_of("clicks") == 202, "nothing else came")
