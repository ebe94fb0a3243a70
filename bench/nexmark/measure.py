"""Runs a command to its end and measures it; reads and compares rows of results."""
import collections
import os
import re
import subprocess
import time

Usage = collections.namedtuple("Usage", "status wall_s cpu_s peak_mb output")


def peak_memory_kb(pid):
    """The most memory a process has had so far; 0 when it has ended."""
    try:
        with open(f"/proc/{pid}/status") as status:
            found = re.search(r"^VmHWM:\s+(\d+) kB", status.read(), re.MULTILINE)
            return int(found.group(1)) if found else 0
    except OSError:
        return 0


def run(command, directory, log_path):
    """Usage of the command (that process, not what it starts); `output` is both its streams."""
    with open(log_path, "wb") as log:
        start = time.monotonic()
        process = subprocess.Popen(command, cwd=directory, stdin=subprocess.DEVNULL, stdout=log,
                                   stderr=subprocess.STDOUT)
        peak_kb = 0
        try:
            pid = 0
            while pid == 0:
                # Not the kernel's maxrss: that counts what this process had when it forked.
                peak_kb = max(peak_kb, peak_memory_kb(process.pid))
                time.sleep(0.005)
                pid, status, usage = os.wait4(process.pid, os.WNOHANG)
        except BaseException:
            process.kill()
            process.wait()
            raise
        wall = time.monotonic() - start
        process.returncode = os.waitstatus_to_exitcode(status)
    with open(log_path, errors="replace") as log:
        output = log.read()
    return Usage(process.returncode, wall, usage.ru_utime + usage.ru_stime,
                 peak_kb / 1024, output)


_CHANGE = re.compile(r"^(?:[^\[\n]*> )?([+-])([IUD])\[(.*)\]$", re.MULTILINE)
_TIME = re.compile(r"^(\d{4}-\d\d-\d\d)[T ](\d\d:\d\d)(:\d\d)?(\.\d+)?$")


def normal_value(text):
    """One text for a timestamp, however many zeros an engine prints."""
    time_of_day = _TIME.match(text)
    if not time_of_day:
        return text
    day, minutes, seconds, fraction = time_of_day.groups()
    fraction = (fraction or "").rstrip("0")
    return f"{day} {minutes}{seconds or ':00'}{fraction if fraction != '.' else ''}"


def _row(text):
    # No text of the generator holds a comma.
    return tuple(normal_value(value) for value in text.split(", "))


def net_rows(text, key=None):
    """The bag of rows that a changelog as the connector "print" writes it leaves over. `key` is the
    column that identifies a row, if there is one: Flink may leave out what +U replaces."""
    changes = [(sign, kind, _row(row)) for sign, kind, row in _CHANGE.findall(text)]
    if key is not None and not any(sign + kind == "-U" for sign, kind, _ in changes):
        rows = {}
        for sign, _, row in changes:
            if sign == "+":
                rows[row[key]] = row
            else:
                rows.pop(row[key], None)
        return collections.Counter(rows.values())
    bag = collections.Counter()
    for sign, _, row in changes:
        bag[row] += 1 if sign == "+" else -1
    return collections.Counter({row: count for row, count in bag.items() if count != 0})


def read_rows(path):
    """The bag of rows that nexmark_batch wrote."""
    with open(path) as lines:
        return collections.Counter(_row(line.rstrip("\n")[1:-1]) for line in lines)


def parse_comparison(text):
    """What the comment `-- compare 1-3, 5: why` of a batch query says, as (columns, why): which
    columns the query's definition determines, counted from 0; None: all."""
    comment = re.search(r"^-- compare ([^:\n]*): (.*)$", text, re.MULTILINE)
    if not comment:
        return None, ""
    columns = []
    for part in comment.group(1).split(","):
        bounds = re.fullmatch(r"\s*(\d+)(?:-(\d+))?\s*", part)
        if bounds:
            first = int(bounds.group(1))
            columns.extend(range(first - 1, int(bounds.group(2) or first)))
    return columns, comment.group(2)


def parse_key(text):
    """The column that the comment `-- key 1` of a batch query names, counted from 0, or None."""
    comment = re.search(r"^-- key (\d+)$", text, re.MULTILINE)
    return int(comment.group(1)) - 1 if comment else None


def difference(rows, expected, columns, candidates):
    """Why `rows` is not the result `expected`; "" when it is. `columns` as parse_comparison has
    them; `candidates`, unless None, is a bag whose rows any row must begin with one of."""
    def projected(bag):
        if columns is None:
            return bag
        result = collections.Counter()
        for row, count in bag.items():
            result[tuple(row[c] for c in columns)] += count
        return result

    negative = [row for row, count in rows.items() if count < 0]
    if negative:
        return f"takes back rows that it never gave, e.g. {negative[0]}"
    mine, theirs = projected(rows), projected(expected)
    if mine != theirs:
        missing, surplus = theirs - mine, mine - theirs
        example = next(iter(missing or surplus))
        return (f"{sum(missing.values())} rows missing, {sum(surplus.values())} too many, e.g. "
                f"{'missing' if missing else 'too many'}: {example}")
    if candidates is not None and rows:
        width = len(next(iter(candidates), ()))
        for row in rows:
            if row[:width] not in candidates:
                return f"a row that the input does not give: {row}"
    return ""
