#!/usr/bin/env python3
"""Runs the Nexmark benchmark and prints one table: per query and engine events/s, CPU seconds
(user + system) per million events and peak memory, and whether the result is right.

  bench/nexmark/run.py                          Millrace and DuckDB (as a batch), 1 M events
  bench/nexmark/run.py --events 5000000 --queries q0,q5 --runs 3
  bench/nexmark/run.py --flink build/flink      also Apache Flink, which scripts/flink-up.sh starts
  bench/nexmark/run.py --check-only             only: does each result equal the batch's?

A result is right when what the changelog leaves over is the same bag of rows as DuckDB's batch over
the same files; that is tried with --check-events events. Queries that an engine refuses are listed
with its reason. Exit status 1: a result is wrong, a query failed that was not refused, or one of
--require was.
"""
import argparse
import json
import math
import pathlib
import signal
import statistics
import subprocess
import sys

import engines
import measure

ROOT = engines.HERE.parent.parent
# As numbered by the benchmark.
ALL = [f"q{number}" for number in range(24)]


def progress(text):
    if sys.stderr.isatty():
        print(f"\r\033[K{text}", end="", file=sys.stderr, flush=True)


def prepare(build, cache, events, files):
    """The input of `events` events, made unless it is there already."""
    data = cache / f"events-{events}-{files}"
    side = cache / "side_input.csv"
    if not side.exists():
        cache.mkdir(parents=True, exist_ok=True)
        side.write_text("".join(f"{i},{i}\n" for i in range(10_000)))
    if not (data / "complete").exists():
        progress(f"generating {events} events")
        subprocess.run([build / "nexmark_gen", "--out", data, "--events", str(events), "--files",
                        str(files)], check=True, stdout=subprocess.DEVNULL)
        (data / "complete").touch()
    # The mark is not part of the input.
    parts = engines.fresh(data / "parts")
    for part in sorted(data.glob("*.jsonl")):
        (parts / part.name).hardlink_to(part)
    return engines.Scale(events, parts, side)


def time_query(engine, query, scale, runs, work):
    """The run with the median CPU time."""
    measurements = []
    for number in range(runs):
        progress(f"{query} {engine.name}, run {number + 1} of {runs}")
        measurements.append(engine.run(query, scale, work))
        if measurements[-1].refused or measurements[-1].failed:
            return measurements[-1]
    return sorted(measurements, key=lambda m: m.cpu_s)[(runs - 1) // 2]


def check_query(oracle, others, query, scale, work):
    """Per engine: "equal", "-" (refused, or nothing to compare) or what is wrong."""
    columns, why = measure.parse_comparison(engines.batch_text(query))
    if columns == []:
        return {engine.name: f"- ({why})" for engine in others}
    progress(f"{query} oracle")
    (expected, candidates), measurement = oracle.changes(query, scale, work)
    verdicts = {}
    for engine in others:
        if measurement.failed:
            verdicts[engine.name] = f"the oracle failed: {measurement.failed}"
            continue
        progress(f"{query} {engine.name}, result")
        rows, measurement_of_engine = engine.changes(query, scale, work)
        if measurement_of_engine.refused:
            verdicts[engine.name] = f"not supported: {measurement_of_engine.refused}"
        elif measurement_of_engine.failed:
            verdicts[engine.name] = measurement_of_engine.failed
        else:
            found = measure.difference(rows, expected, columns, candidates)
            verdicts[engine.name] = found or f"equal ({sum(expected.values())} rows)"
    return verdicts


def right(verdict):
    return verdict.startswith(("equal", "not supported", "- "))


def figures(measurement, events):
    if measurement.refused or measurement.failed:
        return ["-", "-", "-"]
    return [f"{events / measurement.wall_s / 1000:.0f}",
            f"{measurement.cpu_s / events * 1e6:.2f}", f"{measurement.peak_mb:.0f}"]


def print_table(rows):
    widths = [max(len(row[c]) for row in rows) for c in range(len(rows[0]))]
    for row in rows:
        cells = [text.ljust(width) if c == 0 else text.rjust(width)
                 for c, (text, width) in enumerate(zip(row, widths))]
        print("  ".join(cells).rstrip())


def report(queries, used, timings, verdicts, events):
    progress("")
    header = ["query"]
    for engine in used:
        if timings:
            header += [f"{engine.name} k ev/s", "CPU s/M", "peak MB"]
        if engine.name != "duckdb":
            header.append("result")
    rows = [header]
    for query in queries:
        row = [query]
        for engine in used:
            if timings:
                row += figures(timings[query][engine.name], events)
            if engine.name != "duckdb":
                verdict = verdicts[query][engine.name]
                row.append(verdict.split(" (")[0] if verdict.startswith("equal") else
                           "-" if right(verdict) else "WRONG")
        rows.append(row)
    print_table(rows)
    if timings:
        print_ratios(queries, used, timings, verdicts)
    notes = []
    for query in queries:
        for engine in used:
            verdict = verdicts[query].get(engine.name, "equal")
            timing = timings[query][engine.name] if timings else engines.Measurement()
            if not verdict.startswith("equal"):
                notes.append(f"{query} {engine.name}: {verdict}")
            elif timing.refused or timing.failed:
                notes.append(f"{query} {engine.name}: {timing.refused or timing.failed}")
    if notes:
        print("\n" + "\n".join(notes))


def print_ratios(queries, used, timings, verdicts):
    """Millrace beside each other engine, over the queries to which both have the right answer."""
    for other in used[1:]:
        names = ("millrace", other.name)
        equal = [q for q in queries
                 if all(verdicts[q].get(name, "equal").startswith("equal") for name in names)]
        both = [[timings[q][name] for name in names] for q in equal]
        both = [(a, b) for a, b in both if not (a.refused or a.failed or b.refused or b.failed)]
        if not both:
            continue
        cpu = statistics.fmean(math.log(b.cpu_s / a.cpu_s) for a, b in both)
        wall = statistics.fmean(math.log(b.wall_s / a.wall_s) for a, b in both)
        print(f"geometric mean over {len(both)} queries, {other.name} / millrace: "
              f"CPU {math.exp(cpu):.2f}, time {math.exp(wall):.2f}")


def parse_arguments():
    parser = argparse.ArgumentParser(description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--events", type=int, default=1_000_000)
    parser.add_argument("--check-events", type=int, default=100_000)
    parser.add_argument("--files", type=int, default=2, help="files of the input")
    parser.add_argument("--queries", default=",".join(ALL), help="default: all")
    parser.add_argument("--shards", type=int, default=2, help="of a job of Millrace; default 2")
    parser.add_argument("--runs", type=int, default=1, help="of which the median counts")
    parser.add_argument("--no-duckdb", action="store_true", help="leave its batch figures out")
    parser.add_argument("--flink", metavar="DIR", type=pathlib.Path,
                        help="also run Flink, kept in DIR")
    parser.add_argument("--check-only", action="store_true", help="no figures")
    parser.add_argument("--require", metavar="QUERIES", default="",
                        help="queries that Millrace must run, and rightly")
    parser.add_argument("--build", type=pathlib.Path, default=ROOT / "build" / "release")
    parser.add_argument("--work", type=pathlib.Path, default=ROOT / "build" / "nexmark",
                        help="folder for input and runs")
    parser.add_argument("--json", type=pathlib.Path, help="default: WORK/results.json")
    arguments = parser.parse_args()
    arguments.queries = arguments.queries.split(",")
    unknown = [query for query in arguments.queries if query not in ALL]
    if unknown:
        parser.error(f"there is no query {', '.join(unknown)}; there are q0 to q23")
    arguments.build = arguments.build.resolve()
    arguments.work = arguments.work.resolve()
    return arguments


def run_all(arguments, tested, oracle):
    used = tested if arguments.no_duckdb or arguments.check_only else [*tested, oracle]
    work = arguments.work / "run"
    check = prepare(arguments.build, arguments.work, arguments.check_events, arguments.files)
    verdicts = {query: check_query(oracle, tested, query, check, work)
                for query in arguments.queries}
    timings = {}
    if not arguments.check_only:
        full = prepare(arguments.build, arguments.work, arguments.events, arguments.files)
        for query in arguments.queries:
            timings[query] = {engine.name: time_query(engine, query, full, arguments.runs, work)
                              for engine in used}
    report(arguments.queries, used, timings, verdicts, arguments.events)
    results = {
        "events": arguments.events, "runs": arguments.runs, "verdicts": verdicts,
        "timings": {query: {name: vars(measurement) for name, measurement in row.items()}
                    for query, row in timings.items()}}
    path = arguments.json or arguments.work / "results.json"
    path.write_text(json.dumps(results, indent=1) + "\n")
    wrong = [query for query in arguments.queries
             if not all(right(verdict) for verdict in verdicts[query].values())]
    failed = [query for query, row in timings.items() if any(m.failed for m in row.values())]
    missing = [query for query in filter(None, arguments.require.split(","))
               if not verdicts.get(query, {}).get("millrace", "").startswith("equal")]
    for what, which in (("wrong", wrong), ("failed", failed), ("required, but not equal", missing)):
        if which:
            print(f"{what}: {', '.join(which)}")
    print("0 passed, 1 failed" if wrong or failed or missing else "1 passed, 0 failed")
    return 1 if wrong or failed or missing else 0


def main():
    # Ended by somebody else, it still stops what it started.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    arguments = parse_arguments()
    tested = [engines.Millrace(arguments.build, arguments.shards)]
    oracle = engines.DuckDb(arguments.build)
    if not arguments.flink:
        return run_all(arguments, tested, oracle)
    import flink  # only here: the others need nothing of it
    with flink.Flink(ROOT / "scripts" / "flink-up.sh", arguments.flink) as cluster:
        return run_all(arguments, [*tested, cluster], oracle)


if __name__ == "__main__":
    sys.exit(main())
