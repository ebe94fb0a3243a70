#!/usr/bin/env python3
"""Pairs of Avro schemas, and whether Apache Avro says that the one reads what the other wrote.

  avro_compatibility_oracle.py SEED COUNT
      Prints COUNT lines of JSON: {"reader", "writer": schemas, "compatible": true or false}.
For src/registry/avro_compatibility_test.cc.
"""
import copy
import json
import random
import sys

import avro.schema
from avro.compatibility import ReaderWriterCompatibilityChecker, SchemaCompatibilityType

PRIMITIVES = ["null", "boolean", "int", "long", "float", "double", "bytes", "string"]


class Generator:
    def __init__(self, seed):
        self.random = random.Random(seed)
        self.names = 0

    def name(self):
        self.names += 1
        return f"n{self.names}"

    def type(self, depth=0):
        r = self.random
        choice = r.randrange(13)
        if choice < 6 or depth > 3:
            return r.choice(PRIMITIVES)
        if choice == 6:
            return {"type": "array", "items": self.type(depth + 1)}
        if choice == 7:
            return {"type": "map", "values": self.type(depth + 1)}
        if choice == 8:
            return {"type": "fixed", "name": self.name(), "size": r.choice([4, 8])}
        if choice == 9:
            return {"type": "enum", "name": self.name(), "symbols": r.sample(["A", "B", "C", "D"], r.randrange(1, 4))}
        if choice == 10:
            return r.sample(PRIMITIVES, r.randrange(1, 4))
        return self.record(depth)

    def record(self, depth):
        return {"type": "record", "name": self.name(),
                "fields": [self.field(depth) for _ in range(self.random.randrange(1, 5))]}

    def field(self, depth):
        return {"name": self.name(), "type": self.type(depth + 1)}

    def change(self, schema):
        """The schema after somebody's work on it."""
        r = self.random
        if isinstance(schema, str):
            return r.choice(PRIMITIVES) if r.random() < 0.15 else schema
        if isinstance(schema, list):
            changed = list(schema)
            if r.random() < 0.3 and len(changed) > 1:
                changed.pop(r.randrange(len(changed)))
            if r.random() < 0.3:
                extra = r.choice(PRIMITIVES)
                if extra not in changed:
                    changed.append(extra)
            return changed
        changed = dict(schema)
        if r.random() < 0.08 and "name" in changed:
            changed["name"] = self.name()
            if r.random() < 0.5:
                changed["aliases"] = [schema["name"]]
        if changed["type"] == "array":
            changed["items"] = self.change(changed["items"])
        if changed["type"] == "map":
            changed["values"] = self.change(changed["values"])
        if changed["type"] == "fixed" and r.random() < 0.15:
            changed["size"] = 6
        if changed["type"] == "enum" and r.random() < 0.4:
            changed["symbols"] = r.sample(["A", "B", "C", "D"], r.randrange(1, 5))
            if r.random() < 0.3:
                changed["default"] = changed["symbols"][0]
        if changed["type"] == "record":
            changed["fields"] = [self.change_field(field) for field in changed["fields"] if r.random() < 0.9]
            if r.random() < 0.25:
                added = {"name": self.name(), "type": "int"}
                if r.random() < 0.6:
                    added["default"] = 0
                changed["fields"].append(added)
        return changed

    def change_field(self, field):
        changed = dict(field)
        if self.random.random() < 0.1:
            changed["name"] = self.name()
            if self.random.random() < 0.6:
                changed["aliases"] = [field["name"]]
        changed["type"] = self.change(changed["type"])
        return changed


def main():
    seed, count = sys.argv[1], int(sys.argv[2])
    for number in range(count):
        generator = Generator(f"{seed}/{number}")
        writer = generator.record(0)
        reader = generator.change(copy.deepcopy(writer))
        answer = ReaderWriterCompatibilityChecker().get_compatibility(
            avro.schema.parse(json.dumps(reader)), avro.schema.parse(json.dumps(writer)))
        print(json.dumps({"reader": reader, "writer": writer,
                          "compatible": answer.compatibility == SchemaCompatibilityType.compatible}))


main()
