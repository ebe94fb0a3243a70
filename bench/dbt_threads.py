#!/usr/bin/env python3
"""How long a project of small models takes with one and with several threads, beside dbt.

    bench/dbt_threads.py postgres|duckdb [--models 200] [--rounds 3] [--threads 1,2,4]
                         [--postgres HOST:PORT] [--dbt .deps/dbt/bin/dbt] [--dbt-threads 4]

Generates five layers of tables, each of a few thousand rows and over two of the layer before, with a
test each. Each round is a `build` over what is there; prints the best and the median wall time. On
PostgreSQL the user is postgres, without a password, and each side has a schema of its own.
"""
import argparse
import os
import pathlib
import shutil
import statistics
import subprocess
import tempfile
import time

ROOT = pathlib.Path(__file__).resolve().parent.parent
LAYERS = 5
ROWS = 5000


def generate(directory, count, profile):
    (directory / "models").mkdir(parents=True)
    (directory / "dbt_project.yml").write_text(
        "name: many\nversion: '1.0'\nprofile: many\nmodels: {+materialized: table}\n")
    (directory / "profiles.yml").write_text("many: {target: dev, outputs: {dev: %s}}\n" % profile)
    width, entries = count // LAYERS, []
    for layer in range(LAYERS):
        for index in range(width):
            name = f"m{layer}_{index}"
            if layer == 0:
                text = f"select n, n % 97 as k, n * {index + 1} as v from generate_series(1, {ROWS}) as t(n)\n"
            else:
                a, b = (f"m{layer - 1}_{(index + step) % width}" for step in (0, 7))
                text = (f"select a.n, a.k, a.v + b.s as v from {{{{ ref('{a}') }}}} a\n"
                        f"join (select k, sum(v) as s from {{{{ ref('{b}') }}}} group by k) b on a.k = b.k\n")
            (directory / "models" / (name + ".sql")).write_text(text)
            entries.append(f"  - name: {name}\n    columns:\n      - {{name: n, data_tests: [unique]}}\n")
    (directory / "models" / "schema.yml").write_text("models:\n" + "".join(entries))


def timed(label, rounds, command, directory):
    seconds = []
    for _ in range(rounds):
        begin = time.monotonic()
        run = subprocess.run(command, cwd=directory, capture_output=True, text=True, check=False)
        seconds.append(time.monotonic() - begin)
        if run.returncode != 0:
            raise SystemExit(f"{label}: exit {run.returncode}\n{run.stdout[-4000:]}{run.stderr[-4000:]}")
    print(f"{label:<24} {min(seconds):8.2f} {statistics.median(seconds):8.2f}", flush=True)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("target", choices=("postgres", "duckdb"))
    parser.add_argument("--models", type=int, default=200)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--threads", default="1,2,4")
    parser.add_argument("--postgres", default="127.0.0.1:5432")
    parser.add_argument("--millrace", default=str(ROOT / "build/release/millrace"))
    parser.add_argument("--dbt", default=str(ROOT / ".deps/dbt/bin/dbt"))
    parser.add_argument("--dbt-threads", default="4")
    arguments = parser.parse_args()
    os.environ.update(DBT_SEND_ANONYMOUS_USAGE_STATS="false", NO_COLOR="1")
    work = pathlib.Path(tempfile.mkdtemp())
    print(f"{arguments.models} models, {arguments.target:<11} best s  median s")
    try:
        for side in ("ours", "theirs"):
            profile = f"{{type: duckdb, path: {side}.duckdb}}"
            if arguments.target == "postgres":
                host, port = arguments.postgres.split(":")
                profile = (f"{{type: postgres, host: {host}, port: {port}, user: postgres, password: '', "
                           f"dbname: postgres, schema: {side}}}")
            generate(work / side, arguments.models, profile)
        for threads in arguments.threads.split(","):
            timed(f"millrace, threads {threads}", arguments.rounds,
                  [arguments.millrace, "build", "--threads", threads], work / "ours")
        if arguments.dbt:
            for threads in arguments.dbt_threads.split(","):
                timed(f"dbt, threads {threads}", arguments.rounds,
                      [arguments.dbt, "build", "--threads", threads], work / "theirs")
    finally:
        shutil.rmtree(work, ignore_errors=True)


if __name__ == "__main__":
    main()
