"""The brokers that run.py compares: each starts from nothing on 127.0.0.1 and tells what it costs."""
import os
import pathlib
import shutil
import socket
import subprocess
import time

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
TICKS = os.sysconf("SC_CLK_TCK")


def free_port():
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return one.getsockname()[1]


class Broker:
    """One process. `ready_ms`: from its start to the first answered request."""

    def __init__(self, name, directory):
        self.name, self.directory = name, pathlib.Path(directory)
        shutil.rmtree(self.directory, ignore_errors=True)
        self.directory.mkdir(parents=True)
        self.port = free_port()
        self.address = "127.0.0.1:%d" % self.port
        self.process = None
        self.ready_ms = 0.0

    def command(self):
        raise NotImplementedError

    def start(self):
        command, environment = self.command()
        with open(self.directory / "log", "ab") as log:
            began = time.monotonic()
            self.process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=log, stderr=log,
                                            env={**os.environ, **environment})
        while not self._answers():
            if self.process.poll() is not None or time.monotonic() - began > 60:
                self.stop()
                raise RuntimeError("%s does not start: see %s" % (self.name, self.directory / "log"))
        self.ready_ms = (time.monotonic() - began) * 1000
        return self

    def _answers(self):
        """Whether ApiVersions (version 0) is answered."""
        request = bytes.fromhex("0000000a" "0012" "0000" "00000001" "ffff")
        try:
            with socket.create_connection(("127.0.0.1", self.port), timeout=5) as one:
                one.sendall(request)
                return len(one.recv(4)) == 4
        except OSError:
            time.sleep(0.01)
            return False

    def stop(self):
        if self.process and self.process.poll() is None:
            self.process.terminate()
            try:
                self.process.wait(30)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()

    def cpu_seconds(self):
        with open("/proc/%d/stat" % self.process.pid) as file:
            fields = file.read().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / TICKS

    def memory_mb(self):
        """Its own memory, without the page cache that it maps."""
        with open("/proc/%d/status" % self.process.pid) as file:
            for line in file:
                if line.startswith("RssAnon"):
                    return int(line.split()[1]) / 1024
        return 0.0


class Millrace(Broker):
    def __init__(self, directory, binary):
        super().__init__("millrace", directory)
        self.binary = binary

    def command(self):
        (self.directory / "project" / "sql").mkdir(parents=True, exist_ok=True)
        (self.directory / "project" / "millrace.yml").write_text("name: bench\nkafka: {partitions: 2}\n")
        return [self.binary, "dev", self.directory / "project", "--port", "0", "--kafka-listen",
                self.address], {}


class ApacheKafka(Broker):
    """One KRaft node. `flush`: an fsync before every acknowledgement, as the embedded log does."""

    def __init__(self, directory, jars, flush):
        super().__init__("kafka, flush.messages=1" if flush else "kafka", directory)
        self.jars, self.flush = jars, flush

    def command(self):
        controller = free_port()
        data = self.directory / "data"
        config = self.directory / "server.properties"
        lines = """process.roles=broker,controller
node.id=1
controller.quorum.voters=1@127.0.0.1:%d
listeners=PLAINTEXT://%s,CONTROLLER://127.0.0.1:%d
listener.security.protocol.map=PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT
controller.listener.names=CONTROLLER
log.dirs=%s
num.partitions=2
offsets.topic.num.partitions=1
offsets.topic.replication.factor=1
transaction.state.log.replication.factor=1
transaction.state.log.min.isr=1
group.initial.rebalance.delay.ms=0
""" % (controller, self.address, controller, data)
        if self.flush:
            lines += "log.flush.interval.messages=1\n"
        config.write_text(lines)
        classes = "%s/classes:%s/jars/*" % (self.jars, self.jars)
        if not data.exists():
            subprocess.run(["java", "-cp", classes, "kafka.tools.StorageTool", "format", "-t",
                            "MkU3OEVBNTcwNTJENDM2Qg", "-c", config], check=True,
                           stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        # As kafka-server-start.sh does.
        return ["java", "-Xms1g", "-Xmx1g", "-server", "-XX:+UseG1GC", "-XX:MaxGCPauseMillis=20",
                "-XX:InitiatingHeapOccupancyPercent=35", "-XX:+ExplicitGCInvokesConcurrent", "-cp",
                classes, "kafka.Kafka", config], {}
