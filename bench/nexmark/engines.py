"""The engines that run a query: Millrace and DuckDB as processes. Flink is in flink.py.

Each has name, run(query, scale, work) -> Measurement, and changes(query, scale, work) ->
(bag of result rows, Measurement).
"""
import dataclasses
import pathlib
import re
import shutil
import string

import measure

HERE = pathlib.Path(__file__).resolve().parent
QUERIES = HERE / "queries"
UNSUPPORTED = "MR2002"  # src/base/status.h: understood, but not carried out by this version


@dataclasses.dataclass
class Measurement:
    wall_s: float = 0.0
    cpu_s: float = 0.0
    peak_mb: float = 0.0
    refused: str = ""  # why the engine does not run the query
    failed: str = ""   # what went wrong with one that it should run


@dataclasses.dataclass
class Scale:
    """Input of a run: a folder of part-N.jsonl, and the side input of q13."""
    events: int
    data: pathlib.Path
    side: pathlib.Path


def fresh(directory):
    shutil.rmtree(directory, ignore_errors=True)
    directory.mkdir(parents=True)
    return directory


def fill(text, scale, files, sink):
    source = f"'connector' = 'filesystem', 'path' = 'file://{scale.data}', 'format' = 'json'"
    return string.Template(text).substitute(SOURCE=source, SINK=sink, SIDE=scale.side, FILES=files)


def statements(query, scale, files, sink):
    """The query's whole text in Flink's dialect: tables, views, sink, INSERT."""
    text = (QUERIES / "ddl.sql").read_text() + "\n" + (QUERIES / f"{query}.sql").read_text()
    return fill(text, scale, files, sink)


def batch_text(query):
    return (QUERIES / "batch" / f"{query}.sql").read_text()


def csv_rows(directory):
    """The bag of rows in the CSV files of q10's folders (no text of the generator needs quotes)."""
    lines = []
    for part in sorted(directory.rglob("*")):
        hidden = any(name.startswith((".", "_")) for name in part.relative_to(directory).parts)
        if part.is_file() and not hidden:
            folders = [name.split("=", 1)[1].replace("%3A", ":")
                       for name in part.relative_to(directory).parts[:-1]]
            for line in part.read_text().splitlines():
                values = [value.strip('"') for value in line.split(",")]
                lines.append("+I[" + ", ".join(values + folders) + "]")
    return measure.net_rows("\n".join(lines))


class Millrace:
    name = "millrace"

    def __init__(self, build, shards=1):
        self.binary = build / "millrace"
        self.shards = shards

    def run(self, query, scale, work):
        return self._run(query, scale, work, "'connector' = 'blackhole'")[0]

    def changes(self, query, scale, work):
        measurement, output = self._run(query, scale, work, "'connector' = 'print'")
        if query == "q10":
            return csv_rows(work / "files"), measurement
        return measure.net_rows(output), measurement

    def _run(self, query, scale, work, sink):
        fresh(work)
        text = statements(query, scale, work / "files", sink)
        (work / "query.sql").write_text(
            "SET 'execution.checkpointing.interval' = '10 s';\n"
            f"SET 'parallelism.default' = '{self.shards}';\n" + text)
        usage = measure.run([self.binary, "run", "query.sql"], work, work / "log")
        result = Measurement(usage.wall_s, usage.cpu_s, usage.peak_mb)
        if usage.status != 0:
            self._explain(usage, result)
        else:
            lost = re.search(r"(\d+) (?:late|dead letter)", usage.output)
            if lost:
                result.failed = f"lost rows: {lost.group(0)}"
        return result, usage.output

    @staticmethod
    def _explain(usage, result):
        error = re.search(r"^error\[(\w+)\]: (.*)$", usage.output, re.MULTILINE)
        why = error.group(2) if error else f"exit status {usage.status}"
        if error and error.group(1) == UNSUPPORTED:
            result.refused = why
        else:
            result.failed = why


class DuckDb:
    name = "duckdb"

    def __init__(self, build, threads=2):
        self.binary = build / "nexmark_batch"
        self.threads = threads

    def run(self, query, scale, work):
        return self._run(query, scale, fresh(work), [])

    def changes(self, query, scale, work):
        """As of all engines; with (rows, candidates) in place of the rows."""
        fresh(work)
        result = self._run(query, scale, work, ["--rows", "rows", "--candidates", "candidates"])
        if result.failed:
            return (None, None), result
        candidates = work / "candidates"
        return (measure.read_rows(work / "rows"),
                measure.read_rows(candidates) if candidates.exists() else None), result

    def _run(self, query, scale, work, options):
        for name in ("views", query):
            text = string.Template(batch_text(name))
            (work / f"{name}.sql").write_text(
                text.substitute(SOURCE=f"{scale.data}/*.jsonl", SIDE=scale.side))
        usage = measure.run(
            [self.binary, "--views", "views.sql", "--query", f"{query}.sql",
             "--threads", str(self.threads), *options], work, work / "log")
        result = Measurement(usage.wall_s, usage.cpu_s, usage.peak_mb)
        if usage.status != 0:
            result.failed = (usage.output.strip().splitlines() or ["no message"])[0]
        return result
