#!/usr/bin/env python3
"""What fastavro makes of random schemas and records, for src/format/avro/avro_test.cc.

  avro_oracle.py generate SEED COUNT
      Prints COUNT lines of JSON: {"writer", "reader": schemas, "columns": [{"name", "type", "nullable"}],
      "records": [{"bytes": hex, "row": what fastavro reads of it with the reader's schema}]}.
      The reader's schema is the writer's with fields left out, added (with a default), renamed (with an
      alias), promoted and in another order.
  avro_oracle.py read
      Reads lines {"schema", "bytes": [hex, ...]} and prints for each a JSON array of the rows.
"""
import base64
import datetime
import decimal
import io
import json
import random
import struct
import sys
import uuid

import fastavro

decimal.getcontext().prec = 60
UTC = datetime.timezone.utc


class Generator:
    def __init__(self, seed):
        self.random = random.Random(seed)
        self.names = 0

    def name(self):
        self.names += 1
        return f"n{self.names}"

    def scalar(self):
        """(Avro type, DuckDB type)"""
        choice = self.random.randrange(17)
        if choice < 8:
            return [
                ("boolean", "BOOLEAN"), ("int", "INTEGER"), ("long", "BIGINT"), ("float", "FLOAT"),
                ("double", "DOUBLE"), ("string", "VARCHAR"), ("bytes", "BLOB"),
                ({"type": "string", "logicalType": "uuid"}, "VARCHAR"),
            ][choice]
        if choice == 8:
            return {"type": "enum", "name": self.name(), "symbols": ["RED", "green", "B_1"]}, "VARCHAR"
        if choice == 9:
            return {"type": "fixed", "name": self.name(), "size": self.random.choice([1, 7, 20])}, "BLOB"
        if choice == 10:
            width = self.random.choice([1, 4, 9, 18, 38])
            scale = self.random.randrange(width + 1)
            logical = {"logicalType": "decimal", "precision": width, "scale": scale}
            if self.random.random() < 0.5:
                return {"type": "bytes", **logical}, f"DECIMAL({width},{scale})"
            return {"type": "fixed", "name": self.name(), "size": 16, **logical}, f"DECIMAL({width},{scale})"
        return [
            ({"type": "int", "logicalType": "date"}, "DATE"),
            ({"type": "int", "logicalType": "time-millis"}, "TIME"),
            ({"type": "long", "logicalType": "time-micros"}, "TIME"),
            ({"type": "long", "logicalType": "timestamp-millis"}, "TIMESTAMP WITH TIME ZONE"),
            ({"type": "long", "logicalType": "timestamp-micros"}, "TIMESTAMP WITH TIME ZONE"),
            ({"type": "long", "logicalType": self.random.choice(["local-timestamp-millis", "local-timestamp-micros"])},
             "TIMESTAMP"),
        ][choice - 11]

    def type(self, depth=0):
        choice = self.random.randrange(10)
        if depth < 3 and choice == 0:
            items, duck = self.nullable(*self.type(depth + 1))
            return {"type": "array", "items": items}, f"{duck}[]"
        if depth < 3 and choice == 1:
            values, duck = self.nullable(*self.type(depth + 1))
            return {"type": "map", "values": values}, f"MAP(VARCHAR, {duck})"
        if depth < 3 and choice == 2:
            fields = [self.field(depth + 1) for _ in range(self.random.randrange(1, 4))]
            inside = ", ".join(f'"{field["name"]}" {duck}' for field, duck in fields)
            return {"type": "record", "name": self.name(), "fields": [field for field, _ in fields]}, f"STRUCT({inside})"
        return self.scalar()

    def nullable(self, avro, duck):
        choice = self.random.randrange(3)
        return [avro, ["null", avro], [avro, "null"]][choice], duck

    def field(self, depth):
        avro, duck = self.nullable(*self.type(depth))
        return {"name": self.name(), "type": avro}, duck

    def value(self, avro):
        r = self.random
        if isinstance(avro, list):
            return self.value(r.choice(avro))
        if isinstance(avro, str):
            return self.primitive(avro)
        kind, logical = avro["type"], avro.get("logicalType")
        if kind == "array":
            return [self.value(avro["items"]) for _ in range(r.randrange(4))]
        if kind == "map":
            return {f"k{i}é": self.value(avro["values"]) for i in range(r.randrange(4))}
        if kind == "record":
            return {field["name"]: self.value(field["type"]) for field in avro["fields"]}
        if kind == "enum":
            return r.choice(avro["symbols"])
        if logical == "decimal":
            digits = r.choice([10 ** avro["precision"] - 1, r.randrange(10 ** avro["precision"]), 0, 1])
            return (decimal.Decimal(r.choice([1, -1]) * digits)).scaleb(-avro["scale"])
        if kind == "fixed":
            return r.randbytes(avro["size"])
        if logical == "uuid":
            return uuid.UUID(int=r.getrandbits(128))
        if logical == "date":
            return datetime.date(1, 1, 1) + datetime.timedelta(days=r.randrange(3652058))
        if logical in ("time-millis", "time-micros"):
            unit = 1000 if logical == "time-millis" else 1
            micros = r.randrange(86400 * 10**6 // unit) * unit
            return (datetime.datetime(2000, 1, 1) + datetime.timedelta(microseconds=micros)).time()
        if logical:
            unit = 1000 if logical.endswith("millis") else 1
            micros = r.randrange(-62 * 10**15 // unit, 250 * 10**15 // unit) * unit
            when = datetime.datetime(1970, 1, 1) + datetime.timedelta(microseconds=micros)
            return when if logical.startswith("local") else when.replace(tzinfo=UTC)
        return self.primitive(kind)

    def primitive(self, kind):
        r = self.random
        if kind == "null":
            return None
        if kind == "boolean":
            return r.random() < 0.5
        if kind in ("int", "long"):
            bits = 31 if kind == "int" else 63
            return r.choice([-(2**bits), 2**bits - 1, 0, -1, r.getrandbits(bits) >> r.randrange(bits)])
        if kind == "float":
            return struct.unpack("<f", struct.pack("<f", r.uniform(-1e9, 1e9)))[0]
        if kind == "double":
            return r.choice([0.1, -1e300, 5e-324, r.uniform(-1, 1)])
        if kind == "string":
            return "".join(r.choice(["a", "é", "日本", '"', "\n", "\0", "long text "]) for _ in range(r.randrange(8)))
        return r.randbytes(r.randrange(40))

    def reader(self, fields):
        """Fields (Avro, DuckDB) of a reader that can read what a writer with these fields wrote."""
        promoted = {
            "int": [("long", "BIGINT"), ("float", "FLOAT"), ("double", "DOUBLE")],
            "long": [("float", "FLOAT"), ("double", "DOUBLE")],
            "float": [("double", "DOUBLE")],
            "string": [("bytes", "BLOB")],
        }
        out = []
        for field, duck in fields:
            own = dict(field)
            kind = self.random.randrange(6)
            if kind == 0:
                continue
            if kind == 1:
                own = {"name": self.name(), "aliases": [field["name"]], "type": field["type"]}
            if kind == 2 and isinstance(field["type"], str) and field["type"] in promoted:
                own["type"], duck = self.random.choice(promoted[field["type"]])
            if kind == 3 and not isinstance(field["type"], list):
                own["type"] = ["null", field["type"]]
            out.append((own, duck))
        for default, avro, duck in [(None, ["null", "string"], "VARCHAR"), (-7, "long", "BIGINT"),
                                    ("x\u00ff", "bytes", "BLOB"), ([1, 2], {"type": "array", "items": "int"}, "INTEGER[]"),
                                    ("RED", {"type": "enum", "name": self.name(), "symbols": ["RED"]}, "VARCHAR")]:
            if self.random.random() < 0.3:
                out.append(({"name": self.name(), "type": avro, "default": default}, duck))
        self.random.shuffle(out)
        return out


def as_json(value):
    """As Millrace's JSON format reads it."""
    if isinstance(value, dict):
        return {key: as_json(part) for key, part in value.items()}
    if isinstance(value, list):
        return [as_json(part) for part in value]
    if isinstance(value, bytes):
        return base64.b64encode(value).decode()
    if isinstance(value, datetime.datetime):
        return value.replace(tzinfo=None).isoformat(sep=" ") + ("Z" if value.tzinfo else "")
    if isinstance(value, (datetime.date, datetime.time)):
        return value.isoformat()
    if isinstance(value, decimal.Decimal):
        return format(value, "f")
    if isinstance(value, uuid.UUID):
        return str(value)
    return value


def generate(seed, count):
    for number in range(count):
        generator = Generator(f"{seed}/{number}")
        fields = [generator.field(0) for _ in range(generator.random.randrange(1, 8))]
        read = generator.reader(fields)
        if not read:
            read = fields[:1]
        writer = {"type": "record", "name": "r", "fields": [field for field, _ in fields]}
        reader = {"type": "record", "name": "r", "fields": [field for field, _ in read]}
        parsed_writer = fastavro.parse_schema(json.loads(json.dumps(writer)))
        parsed_reader = fastavro.parse_schema(json.loads(json.dumps(reader)))
        records = []
        for _ in range(20):
            buffer = io.BytesIO()
            fastavro.schemaless_writer(buffer, parsed_writer, generator.value(writer))
            buffer.seek(0)
            row = fastavro.schemaless_reader(buffer, parsed_writer, parsed_reader)
            for field in reader["fields"]:  # fastavro leaves the default of bytes a text
                if field["type"] == "bytes" and isinstance(row[field["name"]], str):
                    row[field["name"]] = row[field["name"]].encode("latin-1")
            records.append({"bytes": buffer.getvalue().hex(), "row": as_json(row)})
        columns = [{"name": field["name"], "type": duck,
                    "nullable": isinstance(field["type"], list)} for field, duck in read]
        print(json.dumps({"writer": writer, "reader": reader, "columns": columns, "records": records}))


def read():
    for line in sys.stdin:
        asked = json.loads(line)
        schema = fastavro.parse_schema(asked["schema"])
        rows = []
        for encoded in asked["bytes"]:
            buffer = io.BytesIO(bytes.fromhex(encoded))
            rows.append(as_json(fastavro.schemaless_reader(buffer, schema, None)))
            assert not buffer.read(), "bytes are left over"
        print(json.dumps(rows))


if sys.argv[1] == "generate":
    generate(sys.argv[2], int(sys.argv[3]))
else:
    read()
