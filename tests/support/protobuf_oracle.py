#!/usr/bin/env python3
"""What Google's protobuf makes of random schemas and messages, for src/format/protobuf/proto_test.cc.

  protobuf_oracle.py generate SEED COUNT
      Prints COUNT lines of JSON: {"schema": descriptor in base64, "columns": [{"name", "type", "nullable"}],
      "records": [{"bytes": hex, "row": what protobuf reads of it}]}. Records have fields in any order, twice,
      and unknown ones: they are messages of which two are written one behind the other.
  protobuf_oracle.py read
      Reads lines {"schema", "bytes": [hex, ...]} and prints for each a JSON array of the rows. The schema's
      first message is the one that is read.
"""
import base64
import datetime
import json
import random
import sys

from google.protobuf import descriptor_pb2, descriptor_pool, message_factory, timestamp_pb2, wrappers_pb2
from google.type import date_pb2, timeofday_pb2

Field = descriptor_pb2.FieldDescriptorProto
EPOCH = datetime.datetime(1970, 1, 1)
# type, DuckDB types that hold it, a random value
INTEGERS = {
    Field.TYPE_INT32: (["INTEGER", "BIGINT", "DOUBLE", "DECIMAL(20, 2)"], -2**31, 2**31 - 1),
    Field.TYPE_SINT32: (["INTEGER", "BIGINT"], -2**31, 2**31 - 1),
    Field.TYPE_SFIXED32: (["INTEGER", "BIGINT"], -2**31, 2**31 - 1),
    Field.TYPE_UINT32: (["BIGINT", "DOUBLE"], 0, 2**32 - 1),
    Field.TYPE_FIXED32: (["BIGINT"], 0, 2**32 - 1),
    Field.TYPE_INT64: (["BIGINT", "DECIMAL(22, 1)"], -2**63, 2**63 - 1),
    Field.TYPE_SINT64: (["BIGINT"], -2**63, 2**63 - 1),
    Field.TYPE_SFIXED64: (["BIGINT"], -2**63, 2**63 - 1),
    Field.TYPE_UINT64: (["DECIMAL(20, 0)"], 0, 2**64 - 1),
    Field.TYPE_FIXED64: (["DECIMAL(20, 0)"], 0, 2**64 - 1),
}
WRAPPERS = {".google.protobuf.Int64Value": ("BIGINT", Field.TYPE_INT64),
            ".google.protobuf.StringValue": ("VARCHAR", Field.TYPE_STRING),
            ".google.protobuf.BoolValue": ("BOOLEAN", Field.TYPE_BOOL)}
KEYS = [Field.TYPE_STRING, Field.TYPE_INT32, Field.TYPE_SINT64, Field.TYPE_BOOL, Field.TYPE_UINT64]


def new_pool():
    pool = descriptor_pool.DescriptorPool()
    for module in (timestamp_pb2, wrappers_pb2, date_pb2, timeofday_pb2):
        pool.Add(descriptor_pb2.FileDescriptorProto.FromString(module.DESCRIPTOR.serialized_pb))
    decimal = descriptor_pb2.FileDescriptorProto(name="confluent/type/decimal.proto", package="confluent.type", syntax="proto3")
    message = decimal.message_type.add(name="Decimal")
    for number, (name, type_) in enumerate((("value", Field.TYPE_BYTES), ("precision", Field.TYPE_UINT32), ("scale", Field.TYPE_INT32))):
        message.field.add(name=name, number=number + 1, type=type_, label=Field.LABEL_OPTIONAL)
    pool.Add(decimal)
    return pool


def message_class(file):
    pool = new_pool()
    file = descriptor_pb2.FileDescriptorProto.FromString(file.SerializeToString())
    file.name = "oracle.proto"
    pool.Add(file)
    name = (file.package + "." if file.package else "") + file.message_type[0].name
    return message_factory.GetMessageClass(pool.FindMessageTypeByName(name))


class Generator:
    def __init__(self, seed):
        self.random = random.Random(seed)

    def file(self):
        file = descriptor_pb2.FileDescriptorProto(name="oracle.proto", package="shop")
        file.syntax = self.random.choice(["proto2", "proto3"])
        file.dependency.extend(["google/protobuf/timestamp.proto", "google/protobuf/wrappers.proto"])
        enum = file.enum_type.add(name="Color")
        for number, name in enumerate(["RED", "GREEN", "BLUE"]):
            enum.value.add(name=name, number=number * 2)
        self.proto3 = file.syntax == "proto3"
        self.message(file.message_type.add(name="Order"), ".shop.Order", 0)
        return file

    def message(self, message, path, depth):
        """Gives the message fields; its DuckDB type, field by field."""
        r = self.random
        columns = []
        numbers = r.sample(range(1, 40), r.randrange(1, 7))
        for index, number in enumerate(numbers):
            field = message.field.add(name=f"f{index}", number=number, label=Field.LABEL_OPTIONAL)
            shape = r.randrange(10 if depth < 2 else 7)
            type_ = self.type(field, message, path, depth)
            if shape == 0 and field.type != Field.TYPE_MESSAGE or shape == 8:
                field.label = Field.LABEL_REPEATED
                type_ += "[]"
                if field.type not in (Field.TYPE_STRING, Field.TYPE_BYTES, Field.TYPE_MESSAGE) and r.random() < 0.5:
                    field.options.packed = r.random() < 0.5
            elif shape == 1 or shape == 9:
                type_ = self.map(field, message, path, type_)
            elif shape == 2 and len(message.oneof_decl) < 1:
                message.oneof_decl.add(name="either")
                field.oneof_index = 0
                other = message.field.add(name=f"g{index}", number=number + 50, label=Field.LABEL_OPTIONAL, oneof_index=0,
                                          type=Field.TYPE_STRING)
                columns.append((other.name, "VARCHAR"))
            columns.append((field.name, type_))
        for field in message.field if self.proto3 else []:
            plain = field.label == Field.LABEL_OPTIONAL and not field.HasField("oneof_index")
            if plain and field.type != Field.TYPE_MESSAGE and r.random() < 0.4:
                field.proto3_optional = True
                field.oneof_index = len(message.oneof_decl)
                message.oneof_decl.add(name="_" + field.name)
        if depth == 0:
            self.columns = columns
        return "STRUCT(" + ", ".join(f'"{name}" {type_}' for name, type_ in columns) + ")"

    def type(self, field, message, path, depth):
        r = self.random
        kind = r.randrange(13 if depth < 2 else 11)
        if kind < 4:
            field.type = r.choice(list(INTEGERS))
            return r.choice(INTEGERS[field.type][0])
        if kind == 4:
            field.type = Field.TYPE_BOOL
            return "BOOLEAN"
        if kind == 5:
            field.type = r.choice([Field.TYPE_FLOAT, Field.TYPE_DOUBLE])
            return "FLOAT" if field.type == Field.TYPE_FLOAT and r.random() < 0.5 else "DOUBLE"
        if kind in (6, 7):
            field.type = Field.TYPE_STRING
            return "VARCHAR"
        if kind == 8:
            field.type = Field.TYPE_BYTES
            return "BLOB"
        if kind == 9:
            field.type, field.type_name = Field.TYPE_ENUM, ".shop.Color"
            return r.choice(["VARCHAR", "INTEGER"])
        field.type = Field.TYPE_MESSAGE
        if kind == 10:
            if r.random() < 0.5:
                field.type_name = r.choice(sorted(WRAPPERS))
                return WRAPPERS[field.type_name][0]
            field.type_name = ".google.protobuf.Timestamp"
            return r.choice(["TIMESTAMP", "TIMESTAMP WITH TIME ZONE"])
        nested = message.nested_type.add(name=f"M{len(message.nested_type)}")
        field.type_name = f"{path}.{nested.name}"
        return self.message(nested, field.type_name, depth + 1)

    def map(self, field, message, path, type_):
        entry = message.nested_type.add(name="".join(part.capitalize() for part in field.name.split("_")) + "Entry")
        entry.options.map_entry = True
        entry.field.add(name="key", number=1, label=Field.LABEL_OPTIONAL, type=self.random.choice(KEYS))
        value = entry.field.add(name="value", number=2, label=Field.LABEL_OPTIONAL, type=field.type)
        if field.type_name:
            value.type_name = field.type_name
        field.type, field.type_name, field.label = Field.TYPE_MESSAGE, f"{path}.{entry.name}", Field.LABEL_REPEATED
        return f"MAP(VARCHAR, {type_})"

    def scalar(self, field):
        r = self.random
        if field.type in INTEGERS:
            _, low, high = INTEGERS[field.type]
            return r.choice([0, 1, low, high, r.randrange(low, high), r.randrange(300)])
        if field.type == Field.TYPE_BOOL:
            return r.random() < 0.5
        if field.type in (Field.TYPE_FLOAT, Field.TYPE_DOUBLE):
            return r.choice([0.0, 1.5, -2.25, float(r.randrange(1000))])
        if field.type == Field.TYPE_STRING:
            return r.choice(["", "é", "x", "a text that is longer than what fits beside it", "y" * r.randrange(20)])
        if field.type == Field.TYPE_BYTES:
            return r.randbytes(r.randrange(20))
        return r.choice([0, 2, 4, 7] if self.proto3 else [0, 2, 4])

    def fill(self, message):
        r = self.random
        for field in message.DESCRIPTOR.fields:
            if r.random() < 0.3:
                continue
            if field.message_type and field.message_type.GetOptions().map_entry:
                key, value = field.message_type.fields_by_name["key"], field.message_type.fields_by_name["value"]
                for _ in range(r.randrange(4)):
                    if value.message_type:
                        self.value(getattr(message, field.name)[self.scalar(key)])
                    else:
                        getattr(message, field.name)[self.scalar(key)] = self.scalar(value)
            elif field.is_repeated:
                for _ in range(r.randrange(4)):
                    if field.message_type:
                        self.value(getattr(message, field.name).add())
                    else:
                        getattr(message, field.name).append(self.scalar(field))
            elif field.message_type:
                getattr(message, field.name).SetInParent()
                self.value(getattr(message, field.name))
            else:
                setattr(message, field.name, self.scalar(field))

    def value(self, message):
        name = message.DESCRIPTOR.full_name
        if name == "google.protobuf.Timestamp":
            message.seconds = self.random.randrange(-10**9, 10**10)
            message.nanos = self.random.choice([0, 1000, 999999000])
        elif name.startswith("google.protobuf."):
            message.value = self.scalar(message.DESCRIPTOR.fields[0])
        else:
            self.fill(message)

    def unknown(self):
        """Fields that no schema has: a varint, bytes, fixed ones and a group."""
        return self.random.choice([b"", b"\xf8\x7f\x05", b"\xfa\x7f\x02ab", b"\xfd\x7f1234", b"\xf9\x7f12345678",
                                   b"\xfb\x7f\x08\x01\xfc\x7f"])


def shown(value, type_, field):
    if field.message_type is None:
        if field.type == Field.TYPE_BYTES:
            return base64.b64encode(value).decode()
        if field.type == Field.TYPE_ENUM and type_ == "VARCHAR":
            known = field.enum_type.values_by_number.get(value)
            return known.name if known else str(value)
        return str(value) if type_.startswith("DECIMAL") else value
    name = field.message_type.full_name
    if name == "google.protobuf.Timestamp":
        at = EPOCH + datetime.timedelta(seconds=value.seconds, microseconds=value.nanos // 1000)
        return at.isoformat(" ") + ("Z" if type_ != "TIMESTAMP" else "")
    if name == "google.type.Date":
        return f"{value.year:04}-{value.month:02}-{value.day:02}"
    if name == "google.type.TimeOfDay":
        return f"{value.hours:02}:{value.minutes:02}:{value.seconds:02}.{value.nanos // 1000:06}"
    if name == "confluent.type.Decimal":
        digits = int.from_bytes(value.value, "big", signed=True)
        whole, rest = divmod(abs(digits), 10**value.scale)
        return ("-" if digits < 0 else "") + f"{whole}" + (f".{rest:0{value.scale}}" if value.scale else "")
    if name.startswith("google.protobuf."):
        return value.value
    return row(value, fields_of(type_))


def fields_of(type_):
    """The fields of a STRUCT, by name; None: as the message says."""
    if type_ is None:
        return None
    inside, depth, fields, start = type_[len("STRUCT("):-1], 0, {}, 0
    for at, char in enumerate(inside + ","):
        depth += {"(": 1, ")": -1}.get(char, 0)
        if char == "," and depth == 0:
            name, _, rest = inside[start:at].strip().partition(" ")
            fields[name.strip('"')] = rest
            start = at + 1
    return fields


def part(type_, kind):
    if type_ is None:
        return None
    return type_[:-2] if kind == "list" else type_[len("MAP(VARCHAR, "):-1]


def row(message, types):
    result = {}
    for field in message.DESCRIPTOR.fields:
        type_ = types[field.name] if types else None
        value = getattr(message, field.name)
        if field.message_type and field.message_type.GetOptions().map_entry:
            inner = field.message_type.fields_by_name["value"]
            result[field.name] = {(str(k).lower() if isinstance(k, bool) else str(k)): shown(value[k], part(type_, "map") or "", inner)
                                  if types else shown_untyped(value[k], inner) for k in value}
        elif field.is_repeated:
            result[field.name] = [shown(v, part(type_, "list"), field) if types else shown_untyped(v, field) for v in value]
        elif field.has_presence and not message.HasField(field.name):
            result[field.name] = None
        else:
            result[field.name] = shown(value, type_, field) if types else shown_untyped(value, field)
    return result


def shown_untyped(value, field):
    if field.message_type is not None and not field.message_type.full_name.startswith(("google.", "confluent.")):
        return row(value, None)
    return shown(value, "TIMESTAMP", field)


def generate(seed, count):
    for number in range(count):
        generator = Generator(f"{seed}/{number}")
        file = generator.file()
        new_message = message_class(file)
        records = []
        for _ in range(12):
            pieces = []
            for _ in range(generator.random.choice([0, 1, 1, 2])):
                message = new_message()
                generator.fill(message)
                pieces += [message.SerializeToString(), generator.unknown()]
            data = b"".join(pieces)
            types = dict(generator.columns)
            records.append({"bytes": data.hex(), "row": row(new_message.FromString(data), types)})
        columns = [{"name": name, "type": type_, "nullable": True} for name, type_ in generator.columns]
        columns.append({"name": "missing", "type": "INTEGER", "nullable": True})
        generator.random.shuffle(columns)
        print(json.dumps({"schema": base64.b64encode(file.SerializeToString()).decode(), "columns": columns, "records": records}))


def read():
    for line in sys.stdin:
        given = json.loads(line)
        file = descriptor_pb2.FileDescriptorProto.FromString(base64.b64decode(given["schema"]))
        new_message = message_class(file)
        print(json.dumps([row(new_message.FromString(bytes.fromhex(one)), None) for one in given["bytes"]]))


if __name__ == "__main__":
    if sys.argv[1] == "generate":
        generate(sys.argv[2], int(sys.argv[3]))
    else:
        read()
