"""Apache Flink as an engine of the benchmark: a standalone cluster on the loopback interface, which
scripts/flink-up.sh makes and starts; queries go through its SQL gateway's REST interface."""
import json
import os
import re
import subprocess
import time
import urllib.error
import urllib.request

import engines
import measure

TICKS_PER_SECOND = os.sysconf("SC_CLK_TCK")


def http(url, body=None, method=None):
    request = urllib.request.Request(
        url, data=None if body is None else json.dumps(body).encode(), method=method,
        headers={"Content-Type": "application/json"})
    try:
        with urllib.request.urlopen(request, timeout=60) as answer:
            return json.load(answer)
    except urllib.error.HTTPError as error:
        raise FlinkError(error.read().decode()) from None


class FlinkError(Exception):
    def __str__(self):
        """The innermost cause of a Java stack trace, as far as the text has one."""
        text = super().__str__().replace("\\n", "\n").replace("\\t", "")
        causes = re.findall(r"^Caused by: (?:[\w.$]+: )?(.*)$", text, re.MULTILINE)
        return (causes or text.splitlines() or ["no message"])[-1][:300]


def process_usage(pid):
    """(CPU seconds so far, highest resident megabytes) of a process."""
    with open(f"/proc/{pid}/stat") as stat:
        fields = stat.read().rsplit(")", 1)[1].split()
    with open(f"/proc/{pid}/status") as status:
        peak = re.search(r"VmHWM:\s+(\d+) kB", status.read())
    return (int(fields[11]) + int(fields[12])) / TICKS_PER_SECOND, int(peak.group(1)) / 1024


class Flink:
    """`with Flink(...)`: the cluster is up inside."""
    name = "flink"

    def __init__(self, script, directory):
        self.script = script
        self.directory = directory.resolve()

    def __enter__(self):
        addresses = subprocess.run([self.script, self.directory], check=True, text=True,
                                   stdout=subprocess.PIPE).stdout.split()
        self.rest, self.gateway = (f"http://{address}" for address in addresses[:2])
        self.pids = [int((self.directory / f"{name}.pid").read_text()) for name in ("jm", "tm")]
        return self

    def __exit__(self, *_):
        subprocess.run([self.script, "--stop", self.directory], check=False)

    def run(self, query, scale, work):
        return self._run(query, scale, work, "'connector' = 'blackhole'")

    def changes(self, query, scale, work):
        printed = self.directory / "log" / "tm.out"
        before = printed.stat().st_size
        result = self._run(query, scale, work, "'connector' = 'print'")
        if query == "q10":
            return engines.csv_rows(work / "files"), result
        with open(printed, errors="replace") as lines:
            lines.seek(before)
            key = measure.parse_key(engines.batch_text(query))
            return measure.net_rows(lines.read(), key), result

    def _run(self, query, scale, work, sink):
        engines.fresh(work)
        result = engines.Measurement()
        text = engines.statements(query, scale, f"file://{work}/files", sink)
        cpu = sum(process_usage(pid)[0] for pid in self.pids)
        start = time.monotonic()
        try:
            session = http(f"{self.gateway}/v1/sessions", {})["sessionHandle"]
            try:
                job = self._submit(session, text)
            finally:
                http(f"{self.gateway}/v1/sessions/{session}", method="DELETE")
        except FlinkError as error:
            result.refused = str(error)
            return result
        state = self._wait(job)
        result.wall_s = time.monotonic() - start
        usage = [process_usage(pid) for pid in self.pids]
        result.cpu_s = sum(seconds for seconds, _ in usage) - cpu
        result.peak_mb = sum(peak for _, peak in usage)
        if state != "FINISHED":
            result.failed = f"the job is {state}"
        return result

    def _submit(self, session, text):
        """Runs the statements; the id of the job that the INSERT starts."""
        job = None
        # No statement of the queries has a semicolon in a text or comment.
        text = re.sub(r"--.*", "", text)
        for statement in (part.strip() for part in text.split(";")):
            if statement:
                job = self._execute(session, statement) or job
        return job

    def _execute(self, session, statement):
        base = f"{self.gateway}/v1/sessions/{session}"
        operation = http(f"{base}/statements", {"statement": statement})["operationHandle"]
        token, job = 0, None
        while True:
            answer = http(f"{base}/operations/{operation}/result/{token}?rowFormat=JSON")
            if answer["resultType"] == "NOT_READY":
                time.sleep(0.05)
                continue
            job = answer.get("jobID") or job
            for row in answer.get("results", {}).get("data", []):
                if re.fullmatch(r"[0-9a-f]{32}", str(row["fields"][0])):
                    job = row["fields"][0]
            if answer["resultType"] == "EOS" or not answer.get("nextResultUri"):
                return job
            token += 1

    def _wait(self, job):
        while True:
            state = http(f"{self.rest}/jobs/{job}")["state"]
            if state in ("FINISHED", "FAILED", "CANCELED"):
                return state
            time.sleep(0.1)
