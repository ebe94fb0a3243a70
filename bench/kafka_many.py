#!/usr/bin/env python3
"""10,000 idle connections and 10,000 partitions on the Kafka port: is it still answered, how fast,
and what does the server take.

  bench/kafka_many.py [--binary build/release/millrace] [--connections 10000] [--partitions 10000]

Starts a server of its own on 127.0.0.1 and speaks the protocol itself (ApiVersions, Metadata,
CreateTopics, Produce, Fetch), so that what it measures is the server. Prints a table; exit 1 when anything
is not answered as it must be.
"""
import argparse
import pathlib
import random
import resource
import socket
import struct
import subprocess
import sys
import tempfile
import time

ROOT = pathlib.Path(__file__).resolve().parent.parent
METADATA, CREATE_TOPICS, API_VERSIONS, PRODUCE, FETCH = 3, 19, 18, 0, 1
STARTS_WITHIN_S = 60


def text(value):
    raw = value.encode()
    return struct.pack(">h", len(raw)) + raw


def ask(connection, key, version, body):
    header = struct.pack(">hhi", key, version, 7) + text("bench")
    connection.sendall(struct.pack(">i", len(header) + len(body)) + header + body)
    length = struct.unpack(">i", receive(connection, 4))[0]
    answer = receive(connection, length)
    assert answer[:4] == b"\0\0\0\7", "another request's answer"
    return answer[4:]


def receive(connection, count):
    chunks = []
    while count > 0:
        chunk = connection.recv(min(count, 1 << 20))
        assert chunk, "the server has closed the connection"
        chunks.append(chunk)
        count -= len(chunk)
    return b"".join(chunks)


def connect(port):
    return socket.create_connection(("127.0.0.1", port))


def metadata(connection, topic):
    return ask(connection, METADATA, 4, struct.pack(">i", 1) + text(topic) + b"\0")


def crc32c(data, table=[]):
    if not table:
        for byte in range(256):
            for _ in range(8):
                byte = (byte >> 1) ^ (0x82F63B78 if byte & 1 else 0)
            table.append(byte)
    crc = 0xFFFFFFFF
    for byte in data:
        crc = table[(crc ^ byte) & 0xFF] ^ (crc >> 8)
    return crc ^ 0xFFFFFFFF


def batch(value):
    """One record as a record batch of format v2."""
    record = bytes([0, 0, 0, 1]) + bytes([len(value) * 2]) + value + b"\0"
    record = bytes([len(record) * 2]) + record
    now = int(time.time() * 1000)
    checked = struct.pack(">hiqqqhii", 0, 0, now, now, -1, -1, -1, 1) + record
    rest = struct.pack(">ibI", -1, 2, crc32c(checked)) + checked
    return struct.pack(">qi", 0, len(rest)) + rest


def produce(connection, topic, partition):
    records = batch(b"hello")
    body = (struct.pack(">hhi", -1, -1, 30_000) + struct.pack(">i", 1) + text(topic) +
            struct.pack(">iii", 1, partition, len(records)) + records)
    answer = ask(connection, PRODUCE, 3, body)
    # topics, name, partitions, index, error code
    at = 4 + 2 + len(topic) + 4 + 4
    return struct.unpack_from(">h", answer, at)[0]


def fetch(connection, topic, partitions, session, epoch):
    """From their ends, without waiting: (session, bytes both ways)."""
    body = struct.pack(">iiiibii", -1, 0, 1, 1 << 20, 0, session, epoch)
    if partitions:
        body += struct.pack(">i", 1) + text(topic) + struct.pack(">i", len(partitions))
        body += b"".join(struct.pack(">iiqqi", p, -1, 0, -1, 1 << 20) for p in partitions)
    else:
        body += struct.pack(">i", 0)
    body += struct.pack(">i", 0) + text("")
    answer = ask(connection, FETCH, 11, body)
    _, error, session = struct.unpack_from(">ihi", answer)
    assert error == 0, f"Fetch: error {error}"
    return session, len(body) + len(answer)


def resident_mb(process):
    for line in pathlib.Path(f"/proc/{process.pid}/status").read_text().splitlines():
        if line.startswith("VmRSS"):
            return int(line.split()[1]) / 1024
    return 0


def percentile(values, share):
    return sorted(values)[min(len(values) - 1, int(len(values) * share))]


def timed(calls):
    took_ms = []
    for call in calls:
        start = time.perf_counter()
        call()
        took_ms.append((time.perf_counter() - start) * 1000)
    return f"p50 {percentile(took_ms, 0.5):.2f} ms, p99 {percentile(took_ms, 0.99):.2f} ms"


def row(what, value):
    print(f"| {what} | {value} |", flush=True)


def measure(process, port, connections, partitions):
    chosen = random.Random(1)
    print("| | |\n|---|---|")
    row("memory at rest", f"{resident_mb(process):.0f} MB")
    before = resident_mb(process)
    start = time.perf_counter()
    idle = [connect(port) for _ in range(connections)]
    for connection in idle:
        ask(connection, API_VERSIONS, 0, b"")
    row(f"{connections} connections opened, each asked once",
        f"{time.perf_counter() - start:.1f} s")
    row("memory with them", f"{resident_mb(process):.0f} MB "
        f"({(resident_mb(process) - before) * 1024 / connections:.1f} KB each)")
    some = chosen.sample(idle, min(1000, connections))
    row("metadata of a topic, over 1000 of them",
        timed([lambda c=c: metadata(c, "few") for c in some]))

    admin = connect(port)
    start = time.perf_counter()
    answer = ask(admin, CREATE_TOPICS, 1, struct.pack(">i", 1) + text("many") +
                 struct.pack(">ihii", partitions, 1, 0, 0) + struct.pack(">ib", 60_000, 0))
    error = struct.unpack_from(">h", answer, 4 + 2 + len("many"))[0]
    assert error == 0, f"CreateTopics: error {error}"
    row(f"a topic of {partitions} partitions created", f"{time.perf_counter() - start:.1f} s")
    row("metadata of it", timed([lambda: metadata(admin, "many")] * 20))
    everything = range(partitions)
    sizes = []
    row("a fetch of all its partitions, nothing new",
        timed([lambda: sizes.append(fetch(admin, "many", everything, 0, -1)[1])] * 50) +
        f"; {sizes[-1]} bytes both ways")
    session = fetch(admin, "many", everything, 0, 0)[0]
    assert session != 0, "no fetch session"
    row("the same in a fetch session",
        timed([lambda e=e: sizes.append(fetch(admin, "many", [], session, e)[1])
               for e in range(1, 51)]) +
        f"; {sizes[-1]} bytes both ways")
    targets = [chosen.randrange(partitions) for _ in range(200)]

    def write(partition):
        error_code = produce(admin, "many", partition)
        assert error_code == 0, f"Produce: error {error_code}"

    row("a record to each of 200 of its partitions, fsync each",
        timed([lambda p=p: write(p) for p in targets]))
    row("memory with all of it", f"{resident_mb(process):.0f} MB")
    row("metadata of the small topic, over 1000 connections",
        timed([lambda c=c: metadata(c, "few") for c in some]))


def main():
    parser = argparse.ArgumentParser(description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--binary", default=str(ROOT / "build/release/millrace"))
    parser.add_argument("--connections", type=int, default=10_000)
    parser.add_argument("--partitions", type=int, default=10_000)
    arguments = parser.parse_args()
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    with tempfile.TemporaryDirectory() as directory:
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            port = free.getsockname()[1]
        pathlib.Path(directory, "sql").mkdir()
        pathlib.Path(directory, "millrace.yml").write_text(
            f'name: many\ntopics: {{few: {{partitions: 3}}}}\n'
            f'kafka: {{listen: "127.0.0.1:{port}", connections: {arguments.connections + 100}}}\n')
        with open(pathlib.Path(directory, "log"), "w") as log:
            process = subprocess.Popen([arguments.binary, "dev", directory, "--port", "0"],
                                       stdout=log, stderr=log)
        try:
            deadline = time.monotonic() + STARTS_WITHIN_S
            while True:
                try:
                    connect(port).close()
                    break
                except OSError:
                    if process.poll() is not None or time.monotonic() > deadline:
                        sys.exit("the server does not start:\n" +
                                 pathlib.Path(directory, "log").read_text())
                    time.sleep(0.05)
            measure(process, port, arguments.connections, arguments.partitions)
        finally:
            process.terminate()
            process.wait()


if __name__ == "__main__":
    main()
