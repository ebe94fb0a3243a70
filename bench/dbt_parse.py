#!/usr/bin/env python3
"""How long a large dbt project takes to be read: Millrace's `ls` beside `dbt parse`, both cold; and how
soon a running `millrace dev` says what a saved file amounts to.

    bench/dbt_parse.py [--models 1600,10000] [--rounds 3] [--saves 20] [--dbt .deps/dbt/bin/dbt] [--keep DIR]

The projects are generated: a source of a table per staging model, layers that read two or three models
of the layer before, a macro in every third model, a .yml file per folder of 20 models with descriptions
and two tests each. dbt runs once per size, without its cache; --dbt '' leaves it out.
"""
import argparse
import os
import pathlib
import random
import resource
import shutil
import statistics
import subprocess
import tempfile
import time

ROOT = pathlib.Path(__file__).resolve().parent.parent
PER_FOLDER = 20
MACRO = "{% macro cents(column) %}cast({{ column }} * 100 as bigint){% endmacro %}\n"


def model_sql(random_numbers, layer, index, before):
    if not before:
        return f"select id, amount, day from {{{{ source('raw', 'table_{index}') }}}}\n"
    parents = random_numbers.sample(before, min(len(before), 2 + index % 2))
    amount = "{{ cents('a.amount') }}" if index % 3 == 0 else "a.amount"
    joins = "".join(f"left join {{{{ ref('{name}') }}}} as p{n} using (id)\n"
                    for n, name in enumerate(parents[1:]))
    config = "{{ config(materialized='table', tags=['nightly']) }}\n" if layer % 2 else ""
    return (f"{config}select a.id, {amount} as amount, a.day\nfrom {{{{ ref('{parents[0]}') }}}} as a\n"
            f"{joins}where a.day >= '{{{{ var('first_day') }}}}'\n")


def generate(directory, count):
    random_numbers = random.Random(count)
    (directory / "macros").mkdir(parents=True)
    (directory / "macros/cents.sql").write_text(MACRO)
    (directory / "dbt_project.yml").write_text(
        "name: large\nversion: '1.0'\nprofile: large\nvars: {first_day: '2024-01-01'}\n")
    (directory / "profiles.yml").write_text(
        "large: {target: dev, outputs: {dev: {type: duckdb, path: large.duckdb}}}\n")
    layers, before, made = 5, [], 0
    for layer in range(layers):
        names = [f"m{layer}_{i}" for i in range(count // layers)]
        for start in range(0, len(names), PER_FOLDER):
            folder = directory / f"models/layer_{layer}/part_{start // PER_FOLDER}"
            folder.mkdir(parents=True)
            entries = []
            for name in names[start:start + PER_FOLDER]:
                (folder / f"{name}.sql").write_text(model_sql(random_numbers, layer, made, before))
                made += 1
                entries.append(f"  - name: {name}\n    description: What {name} holds\n    columns:\n"
                               f"      - name: id\n        description: Its key\n"
                               f"        data_tests: [unique, not_null]\n")
            (folder / "schema.yml").write_text("models:\n" + "".join(entries))
        before = names
    tables = "".join(f"      - name: table_{i}\n" for i in range(count // layers))
    (directory / "models/sources.yml").write_text("sources:\n  - name: raw\n    tables:\n" + tables)
    return made


def seconds(command, directory, rounds):
    """The least wall time of the rounds, and the least CPU time."""
    walls, cpus = [], []
    for _ in range(rounds):
        shutil.rmtree(directory / "target", ignore_errors=True)
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        start = time.monotonic()
        subprocess.run(command, cwd=directory, check=True, stdout=subprocess.DEVNULL,
                       env=os.environ | {"DBT_SEND_ANONYMOUS_USAGE_STATS": "false"})
        walls.append(time.monotonic() - start)
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        cpus.append(after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime)
    return f"{min(walls):7.2f} s {min(cpus):7.2f} s"


class Watched:
    """`millrace dev` beside a project, and the time from saving a file to its report."""

    def __init__(self, binary, project):
        self.process = subprocess.Popen([binary, "dev", ".", "--port", "0"], cwd=project, text=True,
                                        stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        self.project = project
        self.until("watched")

    def until(self, text):
        for line in self.process.stdout:
            if text in line:
                return
        raise RuntimeError("millrace dev ended before it said: " + text)

    def milliseconds(self, path, change):
        text = change((self.project / path).read_text())
        beside = self.project / "saved.tmp"
        beside.write_text(text)
        start = time.monotonic()
        os.rename(beside, self.project / path)
        self.until(f"models  {path}")
        return (time.monotonic() - start) * 1000

    def end(self):
        self.process.terminate()
        self.process.wait()


def saves(binary, project, rounds):
    """p50 and longest of the times from save to message: of a model, a .yml file, a macro."""
    watched = Watched(binary, project)
    models = sorted(project.glob("models/*/*/*.sql"))
    properties = sorted(project.glob("models/*/*/schema.yml"))
    out = []
    for files, change in ((models, lambda text: text + "-- again\n"),
                          (properties, lambda text: text.replace("What", "Just what", 1)),
                          ([project / "macros/cents.sql"], lambda text: text + "\n")):
        times = [watched.milliseconds(str(files[i * 37 % len(files)].relative_to(project)), change)
                 for i in range(rounds)]
        out.append(f"{statistics.median(times):6.0f} {max(times):6.0f}")
    watched.end()
    return "   ".join(out)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--models", default="1600,10000")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--saves", type=int, default=20, help="of each kind of file")
    parser.add_argument("--binary", default=str(ROOT / "build/release/millrace"))
    parser.add_argument("--dbt", default=str(ROOT / ".deps/dbt/bin/dbt"))
    parser.add_argument("--keep", help="generate below this directory, and leave it")
    arguments = parser.parse_args()
    work = pathlib.Path(arguments.keep or tempfile.mkdtemp())
    print("models   tests  millrace ls: wall, CPU  dbt parse: wall, CPU  "
          "ms from save to message, p50 and max: model, .yml, macro")
    for count in map(int, arguments.models.split(",")):
        project = work / str(count)
        shutil.rmtree(project, ignore_errors=True)
        made = generate(project, count)
        ours = seconds([arguments.binary, "ls", "--output", "name"], project, arguments.rounds)
        theirs = "-"
        if arguments.dbt:
            command = [arguments.dbt, "--quiet", "parse", "--no-partial-parse"]
            theirs = seconds(command, project, 1)
        told = saves(arguments.binary, project, arguments.saves)
        print(f"{made:6}  {2 * made:6}  {ours:>22}  {theirs:>22}  {told}", flush=True)
    if not arguments.keep:
        shutil.rmtree(work)


if __name__ == "__main__":
    main()
