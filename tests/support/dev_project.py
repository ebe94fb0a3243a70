"""A project that `millrace dev` runs, for tests that kill it and look at what other clients see of its tables."""
import os
import signal
import subprocess
import sys
import time


def check(condition, text):
    if not condition:
        raise SystemExit("FAILED: " + text)


class DevProject:
    def __init__(self, binary, directory):
        self.binary, self.directory, self.process = binary, directory, None
        os.makedirs(os.path.join(directory, "sql"))
        with open(os.path.join(directory, "millrace.yml"), "w", encoding="utf-8") as file:
            file.write("name: lake\n")

    def write(self, script):
        """The project's only script."""
        with open(os.path.join(self.directory, "sql", "job.sql"), "w", encoding="utf-8") as file:
            file.write(script)

    def produce(self, topic, lines):
        """Also while it runs."""
        subprocess.run([self.binary, "topics", "-C", self.directory, "produce", topic], text=True, check=True,
                       input="".join(line + "\n" for line in lines), stdout=subprocess.DEVNULL)

    def start(self):
        with open(os.path.join(self.directory, "run.log"), "a", encoding="utf-8") as log:
            self.process = subprocess.Popen([self.binary, "dev", self.directory, "--port", "0"], stdout=log, stderr=log)

    def kill(self):
        self.process.send_signal(signal.SIGKILL)
        self.process.wait()

    def stop(self):
        self.process.send_signal(signal.SIGTERM)
        check(self.process.wait() == 0, "it did not end well")

    def status(self):
        """What `millrace status` says; "" when nobody answers."""
        asked = subprocess.run([self.binary, "status", self.directory], check=False, capture_output=True, text=True)
        return asked.stdout if asked.returncode == 0 else ""

    def until(self, condition, text, seconds=180):
        """Waits. When it does not happen: what the process says of itself, and the end of its log."""
        deadline = time.monotonic() + seconds
        while not condition():
            if self.process.poll() is not None or time.monotonic() > deadline:
                sys.stderr.write(self.status())
                with open(os.path.join(self.directory, "run.log"), encoding="utf-8") as log:
                    sys.stderr.write(log.read()[-5000:])
                check(False, text + (": it ended" if self.process.poll() is not None else ""))
            time.sleep(0.05)
