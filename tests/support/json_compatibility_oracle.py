#!/usr/bin/env python3
"""Pairs of JSON Schemas, and a document that jsonschema takes with the one but not with the other.

  json_compatibility_oracle.py SEED COUNT
      Prints COUNT lines of JSON: {"reader", "writer": schemas, "document": valid in the writer but not in the
      reader; null when none of those tried is}.
  json_compatibility_oracle.py SEED COUNT documents
      Prints COUNT lines of JSON: {"schema", "documents": [{"value", "valid": true or false}]}.
For src/registry/json_compatibility_test.cc and src/format/json_schema/json_schema_test.cc.
"""
import copy
import json
import random
import sys

from jsonschema import Draft7Validator

NAMES = ["a", "b", "c"]
DOCUMENTS = 60


class Generator:
    def __init__(self, seed):
        self.random = random.Random(seed)

    def limits(self, schema, low, high):
        for keyword, value in ((low, self.random.randrange(3)), (high, self.random.randrange(2, 5))):
            if self.random.random() < 0.3:
                schema[keyword] = value
        return schema

    def schema(self, depth=0):
        r = self.random
        kind = r.randrange(12 if depth < 2 else 6)
        if kind == 0:
            return self.limits({"type": "string"}, "minLength", "maxLength")
        if kind == 1:
            return self.limits({"type": r.choice(["number", "integer"])}, "minimum", "maximum")
        if kind == 2:
            return {"type": r.choice(["boolean", "null"])}
        if kind == 3:
            return {"enum": r.sample([1, 2, "x", "y", None, True], r.randrange(1, 4))}
        if kind == 4:
            return {"type": r.sample(["string", "integer", "boolean", "null"], r.randrange(1, 4))}
        if kind == 5:
            return r.choice([{}, True, False, {"multipleOf": r.choice([1, 2, 4])}])
        if kind == 6:
            return {r.choice(["anyOf", "allOf"]): [self.schema(depth + 1) for _ in range(r.randrange(1, 4))]}
        if kind == 7:
            return {"not": self.schema(depth + 1)}
        if kind == 8:
            array = self.limits({"type": "array", "items": self.schema(depth + 1)}, "minItems", "maxItems")
            if r.random() < 0.2:
                array["uniqueItems"] = True
            return array
        schema = self.limits({"type": "object"}, "minProperties", "maxProperties") if r.random() < 0.2 else {"type": "object"}
        schema["properties"] = {name: self.schema(depth + 1) for name in r.sample(NAMES, r.randrange(1, 4))}
        if r.random() < 0.4:
            schema["required"] = r.sample(sorted(schema["properties"]), 1)
        if r.random() < 0.5:
            schema["additionalProperties"] = r.choice([False, False, self.schema(depth + 1)])
        return schema

    def changed(self, schema):
        """The schema with one thing in it another way."""
        r = self.random
        schema = copy.deepcopy(schema)
        if not isinstance(schema, dict) or not schema or r.random() < 0.1:
            return self.schema(1)
        keyword = r.choice(sorted(schema))
        value = schema[keyword]
        if keyword == "properties" and value:
            name = r.choice(NAMES)
            if name in value and r.random() < 0.3:
                del value[name]
                schema.get("required", []).clear()
            else:
                value[name] = self.changed(value[name]) if name in value else self.schema(1)
        elif keyword in ("anyOf", "allOf"):
            index = r.randrange(len(value))
            value[index] = self.changed(value[index])
        elif keyword in ("items", "not", "additionalProperties"):
            schema[keyword] = self.changed(value)
        elif keyword == "required":
            schema[keyword] = r.sample(sorted(schema["properties"]), r.randrange(len(schema["properties"]) + 1))
        elif keyword == "enum":
            schema[keyword] = r.sample([1, 2, "x", "y", None, True], r.randrange(1, 5))
        elif isinstance(value, int) and not isinstance(value, bool):
            schema[keyword] = max(1, value + r.choice([-1, 1]))
        elif keyword == "type" and value == "integer":
            schema[keyword] = "number"
        elif keyword == "type":
            # Of a schema with other keywords it is not compared: they are of the type.
            schema = self.schema(1)
        else:
            del schema[keyword]
        return schema

    def document(self, depth=0):
        r = self.random
        kind = r.randrange(9 if depth < 2 else 6)
        if kind < 6:
            return [r.randrange(-1, 5), r.choice([0.5, 2.5]), "xyzxyz"[: r.randrange(6)], r.choice("xy"), r.random() < 0.5, None][kind]
        if kind == 6:
            return [self.document(depth + 1) for _ in range(r.randrange(4))]
        return {name: self.document(depth + 1) for name in r.sample(NAMES + ["d"], r.randrange(4))}

    def document_of(self, schema, depth=0):
        """One that may well be valid."""
        r = self.random
        if not isinstance(schema, dict) or r.random() < 0.1 or depth > 4:
            return self.document(depth)
        if "enum" in schema:
            return r.choice(schema["enum"])
        for keyword in ("anyOf", "allOf"):
            if keyword in schema:
                return self.document_of(r.choice(schema[keyword]), depth + 1)
        if schema.get("type") == "array":
            return [self.document_of(schema.get("items"), depth + 1) for _ in range(r.randrange(5))]
        if schema.get("type") == "object":
            properties = schema.get("properties", {})
            names = [name for name in NAMES if r.random() < 0.6]
            return {name: self.document_of(properties.get(name, schema.get("additionalProperties")), depth + 1) for name in names}
        return self.document(2)


def documents(generator, count):
    for _ in range(count):
        schema = generator.schema()
        valid = Draft7Validator(schema)
        values = [generator.document_of(schema) for _ in range(8)]
        print(json.dumps({"schema": schema, "documents": [{"value": v, "valid": valid.is_valid(v)} for v in values]}))


def main():
    generator = Generator(int(sys.argv[1]))
    if sys.argv[3:] == ["documents"]:
        documents(generator, int(sys.argv[2]))
        return
    for _ in range(int(sys.argv[2])):
        writer = generator.schema()
        reader = generator.changed(writer)
        reads, wrote = Draft7Validator(reader), Draft7Validator(writer)
        found = None
        for _ in range(DOCUMENTS):
            document = generator.document_of(generator.random.choice([writer, reader]))
            if wrote.is_valid(document) and not reads.is_valid(document):
                found = {"value": document}
                break
        print(json.dumps({"reader": reader, "writer": writer, "document": found}))


if __name__ == "__main__":
    main()
