#!/usr/bin/env python3
"""Starts the servers that the orders example talks to, each on a free port of 127.0.0.1: PostgreSQL
(the warehouse), Redis (customers), an OpenSearch node (the search index) and the fraud model.

    servers.py DIRECTORY     until its input ends or it is interrupted; then all of them end

When all of them answer, DIRECTORY/env has lines `export ORDERS_…_PORT=…` for millrace.yml, and it
prints "ready". The data of the servers is in DIRECTORY, too; PostgreSQL's part is made its own.
scripts/setup.sh installs what is needed.
"""

import os
import random
import shutil
import signal
import socket
import subprocess
import sys
import time

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(os.path.dirname(HERE))
POSTGRES_BIN = "/usr/lib/postgresql/15/bin"
OPENSEARCH = os.path.join(os.environ.get("MILLRACE_DEPS", os.path.join(ROOT, ".deps")),
                          "opensearch")


def free_port():
    """Below the ports that outgoing connections get: it stays free while its server is down."""
    for port in random.SystemRandom().sample(range(12000, 32000), 100):
        with socket.socket() as s:
            try:
                s.bind(("127.0.0.1", port))
                return port
            except OSError:
                continue
    raise RuntimeError("100 ports in 12000 to 32000 are taken")


class Server:
    """A process on a port that stays the same when it is stopped and started again."""

    name = ""

    def __init__(self, directory):
        self.directory = os.path.join(directory, self.name)
        self.log = os.path.join(directory, self.name + ".log")
        self.port = free_port()
        self.process = None
        os.makedirs(self.directory, exist_ok=True)
        self.prepare()

    def prepare(self):
        """Done once."""

    def command(self):
        raise NotImplementedError

    def start(self):
        self.launch()
        self.wait_until_ready()

    def launch(self, **options):
        with open(self.log, "ab") as log:
            # A group of its own: Ctrl-C in a terminal is for the one who started it.
            self.process = subprocess.Popen(
                self.command(), stdin=subprocess.PIPE, stdout=log, stderr=log,
                start_new_session=True, **options)

    def wait_until_ready(self):
        deadline = time.monotonic() + 300
        while not self.answers():
            if self.process.poll() is not None or time.monotonic() > deadline:
                raise RuntimeError("%s did not start; see %s" % (self.name, self.log))
            time.sleep(0.1)

    def answers(self):
        try:
            socket.create_connection(("127.0.0.1", self.port), timeout=1).close()
            return True
        except OSError:
            return False

    def stop(self, how=signal.SIGTERM):
        if self.process is None:
            return
        self.process.stdin.close()
        self.process.send_signal(how)
        self.process.wait()
        self.process = None


class Postgres(Server):
    name = "postgres"

    def prepare(self):
        self.user = "postgres" if os.getuid() == 0 else None  # it refuses to run as root
        if self.user:
            shutil.chown(self.directory, self.user)
        self.data = os.path.join(self.directory, "data")
        done = subprocess.run(
            [POSTGRES_BIN + "/initdb", "-D", self.data, "-U", "postgres", "-A", "trust", "-E",
             "UTF8", "--locale=C", "--no-sync"], user=self.user, cwd="/", check=False,
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        if done.returncode != 0:
            raise RuntimeError("initdb failed: " + done.stdout)

    def command(self):
        return [POSTGRES_BIN + "/postgres", "-D", self.data, "-p", str(self.port), "-c",
                "listen_addresses=127.0.0.1", "-c", "unix_socket_directories=" + self.directory,
                "-c", "shared_buffers=16MB"]

    def start(self):
        self.launch(user=self.user, cwd="/")
        self.wait_until_ready()

    def answers(self):
        return subprocess.run(
            [POSTGRES_BIN + "/pg_isready", "-q", "-h", "127.0.0.1", "-p", str(self.port)],
            check=False).returncode == 0

    def stop(self, how=signal.SIGINT):  # ends connections, too
        super().stop(how)


class Redis(Server):
    name = "redis"

    def command(self):
        return ["redis-server", "--bind", "127.0.0.1", "--port", str(self.port), "--dir",
                self.directory, "--appendonly", "yes", "--save", ""]


class Search(Server):
    name = "search"

    def prepare(self):
        self.transport_port = free_port()

    def command(self):
        # Its data is where it was begun: a second start finds the documents of the first.
        return ["java", "-Xms256m", "-Xmx256m", "-cp",
                "%s/classes:%s/jars/*" % (OPENSEARCH, OPENSEARCH), "OpenSearchNode",
                self.directory + "/node", str(self.port), str(self.transport_port)]

    def answers(self):
        with open(self.log, "rb") as log:
            return b"ready\n" in log.read()

    def start(self):
        open(self.log, "w").close()
        super().start()


class Fraud(Server):
    name = "fraud"

    def command(self):
        return [sys.executable, os.path.join(HERE, "fraud_model.py"), "--port", str(self.port)]


def start_all(directory):
    """{name: Server}, all answering; those that started are stopped when one does not."""
    servers = {}
    try:
        for kind in (Search, Postgres, Redis, Fraud):  # the slowest first
            servers[kind.name] = kind(directory)
            if kind is Search:
                open(servers[kind.name].log, "w").close()
                servers[kind.name].launch()
            else:
                servers[kind.name].start()
        servers["search"].wait_until_ready()
    except BaseException:
        stop_all(servers)
        raise
    return servers


def stop_all(servers):
    for server in servers.values():
        server.stop(*([signal.SIGKILL] if server.name == "search" else []))


def environment(servers):
    return {"ORDERS_%s_PORT" % name.upper(): str(s.port) for name, s in servers.items()}


def main():
    if len(sys.argv) != 2 or sys.argv[1].startswith("-"):
        sys.exit(__doc__)
    directory = os.path.abspath(sys.argv[1])
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    servers = {}
    try:
        servers = start_all(directory)
        with open(os.path.join(directory, "env"), "w") as file:
            file.writelines("export %s=%s\n" % item for item in environment(servers).items())
        print("ready", flush=True)
        sys.stdin.read()
    except KeyboardInterrupt:
        pass
    except (OSError, RuntimeError) as error:
        sys.exit("servers: %s" % error)
    finally:
        stop_all(servers)


if __name__ == "__main__":
    main()
