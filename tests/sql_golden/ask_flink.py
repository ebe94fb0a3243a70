#!/usr/bin/env python3
"""Asks a running Flink for the answers in flink_functions.txt and flink_time_zone.txt, and writes
them into these files.

  scripts/flink-up.sh build/flink                     # prints the addresses
  tests/sql_golden/ask_flink.py [--all] [GATEWAY]     # host:port, default 127.0.0.1:8083

Without --all only the expressions that have no answer yet (lines without " ==> ") are asked. An
answer is the expression cast to STRING, "NULL", or "error" where Flink refuses or fails. Nothing
of `make test` needs Flink: sql_test compares with the answers in the file.
"""
import json
import pathlib
import sys
import time
import urllib.error
import urllib.request

FILES = [pathlib.Path(__file__).with_name(name + ".txt")
         for name in ("flink_functions", "flink_time_zone")]
SETTINGS = {"execution.runtime-mode": "batch", "parallelism.default": "1",
            "table.local-time-zone": "UTC", "restart-strategy.type": "none"}


class Gateway:
    def __init__(self, address, settings=None):
        self.base = f"http://{address}/v1"
        self.session = self.call("/sessions", {"properties": settings or SETTINGS})["sessionHandle"]

    def call(self, path, body=None):
        data = None if body is None else json.dumps(body).encode()
        headers = {"Content-Type": "application/json"}
        request = urllib.request.Request(self.base + path, data, headers)
        try:
            with urllib.request.urlopen(request, timeout=120) as answer:
                return json.load(answer)
        except urllib.error.HTTPError as error:
            raise RuntimeError(error.read().decode()) from None

    def rows(self, statement):
        path = f"/sessions/{self.session}"
        handle = self.call(path + "/statements", {"statement": statement})["operationHandle"]
        rows, token = [], 0
        while True:
            part = self.call(f"{path}/operations/{handle}/result/{token}?rowFormat=JSON")
            if part["resultType"] == "NOT_READY":
                time.sleep(0.05)
                continue
            rows += [row["fields"] for row in part.get("results", {}).get("data", [])]
            if part["resultType"] == "EOS" or not part.get("nextResultUri"):
                return rows
            token = int(part["nextResultUri"].split("/result/")[1].split("?")[0])


def ask(gateway, expressions, relation):
    """The answers to many expressions; halves the list where one of them fails."""
    select = ",\n".join(f"CAST({e} AS STRING)" for e in expressions)
    try:
        row, = gateway.rows(f"SELECT {select}\n{relation}")
        return ["NULL" if value is None else value for value in row]
    except RuntimeError as error:
        if len(expressions) == 1:
            print(f"error: {expressions[0]}: {str(error)[-400:]}", file=sys.stderr)
            return ["error"]
    half = len(expressions) // 2
    return ask(gateway, expressions[:half], relation) + ask(gateway, expressions[half:], relation)


def main():
    arguments = sys.argv[1:]
    again = "--all" in arguments
    gateway = Gateway(next((a for a in arguments if a != "--all"), "127.0.0.1:8083"))
    for file in FILES:
        ask_file(gateway, file, again)


def ask_file(gateway, file, again):
    relation, pending, lines = "", [], file.read_text().split("\n")

    def answer():
        for begin in range(0, len(pending), 20):
            chunk = pending[begin:begin + 20]
            expressions = [lines[i].split(" ==> ")[0] for i in chunk]
            for i, expression, value in zip(chunk, expressions, ask(gateway, expressions, relation)):
                lines[i] = f"{expression} ==> {value}"
        pending.clear()

    for i, line in enumerate(lines):
        if line.startswith("#"):
            if line.startswith("#from "):
                answer()
                relation = "FROM " + line[6:]
            elif line.startswith("#zone "):
                answer()
                gateway.rows(f"SET 'table.local-time-zone' = '{line[6:]}'")
        elif line and (again or " ==> " not in line):
            pending.append(i)
    answer()
    file.write_text("\n".join(lines))


if __name__ == "__main__":
    main()
