#!/usr/bin/env python3
"""Compares the embedded log's Kafka port with Apache Kafka (KRaft, one node): same machine, same
clients, same 500-byte records, one after the other in one run. Prints one table.

  bench/kafka/run.py                    Millrace, and Kafka with its defaults and with an fsync each
  bench/kafka/run.py --records 2000000 --runs 3
  bench/kafka/run.py --no-kafka         Millrace alone

Millrace acknowledges after fsync; so does Kafka with flush.messages=1, by its defaults it does not.
Figures are medians. "raw fetch" is a client that asks for the next records and throws them away;
"sendfile" is the same client before a server that does nothing but sendfile() a file of that size.
"""
import argparse
import os
import pathlib
import re
import socket
import statistics
import struct
import subprocess
import sys
import tempfile
import time

import brokers

RECORD_BYTES = 500
HELD_RATE = 50_000
TOOLS = "org.apache.kafka.tools."


def progress(text):
    if sys.stderr.isatty():
        print("\r\033[K%s" % text, end="", file=sys.stderr, flush=True)


def make_lines(path, records):
    """Lines that compress about as well as JSON events do; none is kept by chance in a cache."""
    import random
    random.seed(1)
    words = ["%010x" % random.getrandbits(40) for _ in range(4000)]
    with open(path, "w") as file:
        for number in range(records):
            line = "%09d " % number + " ".join(random.choices(words, k=45))
            file.write(line[:RECORD_BYTES] + "\n")


class Bench:
    def __init__(self, args, work):
        self.args, self.work = args, pathlib.Path(work)
        self.lines = self.work / "lines"
        make_lines(self.lines, args.records)

    def kcat(self, broker, topic):
        began, cpu = time.monotonic(), broker.cpu_seconds()
        subprocess.run(["kcat", "-b", broker.address, "-P", "-t", topic, "-X", "linger.ms=5", "-X",
                        "acks=all", "-X", "queue.buffering.max.messages=1000000", "-l", self.lines],
                       check=True, stderr=subprocess.DEVNULL)
        seconds = time.monotonic() - began
        return {"kcat in, k records/s": self.args.records / seconds / 1000,
                "kcat in, broker CPU s per M":
                    (broker.cpu_seconds() - cpu) / self.args.records * 1e6}

    def kcat_out(self, broker, topic):
        began, cpu = time.monotonic(), broker.cpu_seconds()
        subprocess.run(["kcat", "-b", broker.address, "-C", "-t", topic, "-e", "-q", "-o", "beginning"],
                       check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        seconds = time.monotonic() - began
        return {"kcat out, k records/s": self.args.records / seconds / 1000,
                "kcat out, broker CPU s per M":
                    (broker.cpu_seconds() - cpu) / self.args.records * 1e6}

    def java(self, broker, topic, records, throughput, *settings):
        cpu = broker.cpu_seconds()
        out = subprocess.run(
            ["java", "-Xmx512m", "-cp", "%s/classes:%s/jars/*" % (self.args.jars, self.args.jars),
             TOOLS + "ProducerPerformance", "--topic", topic, "--num-records", str(records),
             "--record-size", str(RECORD_BYTES), "--throughput", str(throughput), "--producer-props",
             "bootstrap.servers=" + broker.address, "acks=all", *settings],
            check=True, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True).stdout
        *windows, last = out.strip().splitlines()
        rate = float(re.search(r"([\d.]+) records/sec", last).group(1))
        p99 = float(re.search(r"([\d.]+) ms 99th", last).group(1))
        return rate / 1000, p99, (broker.cpu_seconds() - cpu) / records * 1e6, windows[1:]

    def producer_performance(self, broker, topic):
        rate, p99, cpu, _ = self.java(broker, topic, self.args.records, -1)
        return {"Java in, k records/s": rate, "Java in, p99 ms": p99,
                "Java in, broker CPU s per M": cpu}

    def held(self, broker, topic):
        _, p99, cpu, later = self.java(broker, topic, HELD_RATE * self.args.held_seconds, HELD_RATE)
        # The tool says mean and maximum every 5 s; in the first 5 s its own JVM sets them.
        means = [float(re.search(r"([\d.]+) ms avg", line).group(1)) for line in later]
        worst = [float(re.search(r"([\d.]+) ms max", line).group(1)) for line in later]
        return {"Java at 50 k/s, p99 ms": p99,
                "Java at 50 k/s after 5 s, mean ms": statistics.mean(means),
                "Java at 50 k/s after 5 s, worst ms": max(worst),
                "Java at 50 k/s, broker CPU s per M": cpu}

    def raw_fetch(self, broker, topic):
        cpu = broker.cpu_seconds()
        gb_per_s, got = max(fetch_all(broker.port, topic, partition) for partition in range(2))
        return {"raw fetch, GB/s": gb_per_s,
                "raw fetch, broker CPU s per GB": (broker.cpu_seconds() - cpu) / max(got, 1) * 1e9 / 2}

    def of(self, make):
        figures = {}

        def add(some):
            for name, value in some.items():
                figures.setdefault(name, []).append(value)

        for number in range(self.args.runs):
            progress("%s, run %d of %d" % (make.__name__, number + 1, self.args.runs))
            broker = make().start()
            try:
                add({"ready, ms": broker.ready_ms})
                subprocess.run(["kcat", "-b", broker.address, "-P", "-t", "warm", "-l", self.lines],
                               check=False, stderr=subprocess.DEVNULL)  # a JVM needs it
                add(self.kcat(broker, "kcat"))
                add(self.kcat_out(broker, "kcat"))
                add(self.raw_fetch(broker, "kcat"))
                add(self.producer_performance(broker, "java"))
                add(self.held(broker, "held"))
                add({"memory, MB": broker.memory_mb()})
            finally:
                broker.stop()
        return {name: statistics.median(values) for name, values in figures.items()}


def receive(connection, view):
    while len(view) > 0:
        got = connection.recv_into(view)
        if got == 0:
            raise OSError("the connection was closed")
        view = view[got:]


def fetch_all(port, topic, partition):
    """(GB/s, bytes) of the partition's record batches, by Fetch of version 4."""
    buffer = bytearray(64 << 20)
    view = memoryview(buffer)
    offset, total = 0, 0
    name = topic.encode()
    with socket.create_connection(("127.0.0.1", port), timeout=60) as one:
        began = time.monotonic()
        while True:
            body = struct.pack(">iiiibi", -1, 0, 1, 32 << 20, 0, 1) + struct.pack(
                ">h", len(name)) + name + struct.pack(">iiqi", 1, partition, offset, 16 << 20)
            head = struct.pack(">hhih", 1, 4, 1, -1)
            one.sendall(struct.pack(">i", len(head) + len(body)) + head + body)
            receive(one, view[:4])
            size = struct.unpack_from(">i", buffer)[0]
            receive(one, view[:size])
            # correlation, throttle, topics, name, partitions, index, error, high watermark, stable
            at = 4 + 4 + 4 + 2 + len(name) + 4 + 4
            error, high, _, aborted = struct.unpack_from(">hqqi", buffer, at)
            if error != 0:
                raise RuntimeError("Fetch is answered with error %d" % error)
            at += 2 + 8 + 8 + 4 + max(aborted, 0) * 16
            records, = struct.unpack_from(">i", buffer, at)
            at += 4
            end = at + max(records, 0)
            while at + 61 <= end:  # to the last whole batch
                base, length = struct.unpack_from(">qi", buffer, at)
                if at + 12 + length > end:
                    break
                delta, = struct.unpack_from(">i", buffer, at + 23)
                offset = base + delta + 1
                at += 12 + length
                total += 12 + length
            if offset >= high:
                break
        seconds = time.monotonic() - began
    return total / seconds / 1e9, total


def sendfile_rate(path, size):
    """GB/s of the same client before a server that only sends a file, 16 MB an answer."""
    chunk = 16 << 20
    with socket.create_server(("127.0.0.1", 0)) as server, open(path, "rb") as file:
        def serve():
            connection, _ = server.accept()
            with connection:
                for at in range(0, size - chunk, chunk):
                    connection.recv(64)
                    sent = 0
                    while sent < chunk:
                        sent += os.sendfile(connection.fileno(), file.fileno(), at + sent, chunk - sent)

        # A process of its own, so that client and server have a core each.
        child = os.fork()
        if child == 0:
            serve()
            os._exit(0)
        buffer = memoryview(bytearray(chunk))
        total = 0
        with socket.create_connection(server.getsockname()) as one:
            began = time.monotonic()
            for _ in range(0, size - chunk, chunk):
                one.sendall(bytes(64))
                receive(one, buffer)
                total += chunk
            seconds = time.monotonic() - began
        os.waitpid(child, 0)
    return total / seconds / 1e9


def print_table(columns, sendfile):
    names = list(columns[0][1])
    width = max(len(name) for name in names)
    print("%-*s" % (width, "") + "".join("%26s" % label for label, _ in columns))
    for name in names:
        row = "%-*s" % (width, name)
        for _, figures in columns:
            value = figures[name]
            row += "%26s" % ("%.2f" % value if value < 10 else "%.0f" % value)
        print(row)
    print("%-*s%26.2f" % (width, "sendfile, GB/s", sendfile))


def main():
    parser = argparse.ArgumentParser(description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--binary", default=brokers.ROOT / "build/release/millrace")
    parser.add_argument("--jars", default=brokers.ROOT / ".deps/kafka-java")
    parser.add_argument("--records", type=int, default=1_000_000)
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--held-seconds", type=int, default=20, help="at least 15 (default 20)")
    parser.add_argument("--no-kafka", action="store_true")
    args = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="millrace_kafka_") as work:
        bench = Bench(args, work)

        def millrace():
            return brokers.Millrace(bench.work / "millrace", args.binary)

        def kafka():
            return brokers.ApacheKafka(bench.work / "kafka", args.jars, flush=False)

        def kafka_with_fsync():
            return brokers.ApacheKafka(bench.work / "kafka", args.jars, flush=True)

        makers = [millrace] if args.no_kafka else [millrace, kafka, kafka_with_fsync]
        columns = [(make.__name__.replace("_", " "), bench.of(make)) for make in makers]
        sendfile = sendfile_rate(bench.lines, bench.lines.stat().st_size)
        progress("")
        print_table(columns, sendfile)


if __name__ == "__main__":
    main()
