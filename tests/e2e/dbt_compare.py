#!/usr/bin/env python3
"""Compares two DuckDB files table by table: names, kinds, columns, types and rows as bags.

    dbt_compare.py OURS THEIRS [--ignore-columns a,b]     exit 1 and the differences when they differ
"""
import argparse
import collections
import sys

import duckdb


def contents(path, ignored):
    database = duckdb.connect(path, read_only=True)
    tables = {}
    for schema, name, kind in database.execute(
        "SELECT table_schema, table_name, table_type FROM information_schema.tables").fetchall():
        if name.endswith("__dbt_backup"):  # dbt forgets one when it makes a microbatch model anew
            continue
        columns = database.execute(f'DESCRIBE "{schema}"."{name}"').fetchall()
        columns = [(c[0], c[1]) for c in columns if c[0] not in ignored]
        chosen = ", ".join(f'"{c}"' for c, _ in columns)
        rows = database.execute(f'SELECT {chosen} FROM "{schema}"."{name}"').fetchall()
        tables[f"{schema}.{name}"] = (kind, columns, collections.Counter(rows))
    return tables


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("ours")
    parser.add_argument("theirs")
    parser.add_argument("--ignore-columns", default="")
    arguments = parser.parse_args()
    ignored = set(arguments.ignore_columns.split(","))
    ours, theirs = contents(arguments.ours, ignored), contents(arguments.theirs, ignored)
    faults = []
    for name in sorted(ours.keys() | theirs.keys()):
        if name not in ours or name not in theirs:
            faults.append(f"{name}: only in {'theirs' if name in theirs else 'ours'}")
            continue
        for what, a, b in zip(("kind", "columns", "rows"), ours[name], theirs[name]):
            if a != b:
                faults.append(f"{name}: {what} differ\n  ours   {a}\n  theirs {b}")
    rows = sum(sum(t[2].values()) for t in ours.values())
    print("\n".join(faults) if faults else f"{len(ours)} tables, {rows} rows: equal")
    if not ours:
        faults.append("nothing to compare")
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main())
