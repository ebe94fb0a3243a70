#!/usr/bin/env python3
"""Checks a file of OpenLineage events, a JSON object per line.

    open_lineage_check.py EVENTS [--spec DIR]

Always: every event and facet fits the classes that openlineage-python generates from the published
JSON Schemas (no unknown field, none missing, right types), its _schemaURL is that of its facet, and
each run has one START first and one COMPLETE, ABORT or FAIL last.
With --spec, a directory with OpenLineage.json and facets/*.json: validates against the schemas
themselves. Prints "N events, N facets: fine" or the faults; exit code 1 with faults.
"""
import argparse
import importlib
import json
import pathlib
import pkgutil
import sys
import types
import typing
import uuid
from datetime import datetime

import attr
from openlineage.client import generated


def facet_classes():
    found = {}
    for module in pkgutil.iter_modules(generated.__path__):
        loaded = importlib.import_module(f"{generated.__name__}.{module.name}")
        for cls in vars(loaded).values():
            if isinstance(cls, type) and attr.has(cls) and "_get_schema" in vars(cls):
                found[cls._get_schema()] = cls
    return found


def fits(value, wanted, where, faults):
    origin, arguments = typing.get_origin(wanted), typing.get_args(wanted)
    if wanted is typing.Any:
        return
    if origin in (typing.Union, types.UnionType):
        trials = []
        for one in arguments:
            trial = []
            fits(value, one, where, trial)
            trials.append(trial)
        if all(trials):
            faults.append(min(trials, key=len)[0])
    elif wanted is type(None):
        if value is not None:
            faults.append(f"{where}: expected null")
    elif origin is list:
        if not isinstance(value, list):
            return faults.append(f"{where}: expected a list")
        for i, one in enumerate(value):
            fits(one, arguments[0], f"{where}[{i}]", faults)
    elif origin is dict:
        if not isinstance(value, dict):
            return faults.append(f"{where}: expected an object")
        for key, one in value.items():
            fits(one, arguments[1], f"{where}.{key}", faults)
    elif attr.has(wanted):
        if not isinstance(value, dict):
            return faults.append(f"{where}: expected an object")
        hints = typing.get_type_hints(wanted)
        fields = {field.name: field for field in attr.fields(wanted)}
        for key, one in value.items():
            if key not in fields:
                faults.append(f"{where}: {wanted.__name__} has no field {key}")
            else:
                fits(one, hints[key], f"{where}.{key}", faults)
        for name, field in fields.items():
            if field.default is attr.NOTHING and name not in value:
                faults.append(f"{where}: {wanted.__name__} needs {name}")
    elif isinstance(wanted, type) and not (isinstance(value, wanted) and not (
            wanted is int and isinstance(value, bool))):
        faults.append(f"{where}: {value!r} is no {wanted.__name__}")


def facets_of(event):
    yield from event["run"].get("facets", {}).items()
    yield from event["job"].get("facets", {}).items()
    for dataset in event["inputs"] + event["outputs"]:
        for group in ("facets", "inputFacets", "outputFacets"):
            yield from dataset.get(group, {}).items()


def check_shape(event, where, classes, faults):
    for name, facet in facets_of(event):
        cls = classes.get(facet.get("_schemaURL"))
        if cls is None:
            faults.append(f"{where}: facet {name} has an unknown _schemaURL {facet.get('_schemaURL')}")
        else:
            fits(facet, cls, f"{where}: {name}", faults)
    for dataset in event["inputs"] + event["outputs"]:
        if not dataset["namespace"] or not dataset["name"]:
            faults.append(f"{where}: a dataset without a name")
    uuid.UUID(event["run"]["runId"])
    datetime.fromisoformat(event["eventTime"].replace("Z", "+00:00"))


def check_lives(events, faults):
    runs = {}
    for event in events:
        runs.setdefault(event["run"]["runId"], []).append(event["eventType"])
    for run, states in runs.items():
        ends = [state for state in states if state in ("COMPLETE", "ABORT", "FAIL")]
        if states[0] != "START" or states.count("START") != 1 or ends != states[-1:]:
            faults.append(f"run {run}: {' '.join(states)}")


def check_schemas(events, directory, faults):
    import jsonschema
    from referencing import Registry, Resource
    documents = {}
    for path in directory.rglob("*.json"):
        document = json.loads(path.read_text())
        if "$id" in document:
            documents[document["$id"]] = document
    registry = Registry().with_resources(
        (name, Resource.from_contents(document)) for name, document in documents.items())

    def validate(value, url, where):
        if url.split("#")[0] not in documents:
            return faults.append(f"{where}: {url} is not among the schemas")
        validator = jsonschema.Draft202012Validator(
            {"$ref": url}, registry=registry, format_checker=jsonschema.FormatChecker())
        for error in validator.iter_errors(value):
            faults.append(f"{where}: {error.json_path}: {error.message}")

    for number, event in enumerate(events, 1):
        validate(event, event["schemaURL"], f"event {number}")
        for name, facet in facets_of(event):
            validate(facet, facet["_schemaURL"], f"event {number}, facet {name}")


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("events", type=pathlib.Path)
    parser.add_argument("--spec", type=pathlib.Path)
    arguments = parser.parse_args()
    events = [json.loads(line) for line in arguments.events.read_text().splitlines() if line]
    faults, classes, count = [], facet_classes(), 0
    for number, event in enumerate(events, 1):
        check_shape(event, f"event {number}", classes, faults)
        count += sum(1 for _ in facets_of(event))
    check_lives(events, faults)
    if arguments.spec:
        check_schemas(events, arguments.spec, faults)
    if not events:
        faults.append("there are no events")
    print("\n".join(faults) if faults else f"{len(events)} events, {count} facets: fine")
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main())
