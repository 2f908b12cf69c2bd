"""A node that a benchmark starts, and what its process costs."""

import contextlib
import json
import os
import pathlib
import shutil
import signal
import socket
import subprocess
import tempfile
import time
import urllib.request

TICKS_PER_SECOND = os.sysconf("SC_CLK_TCK")
DEADLINE_S = 120
ROOT = pathlib.Path(__file__).resolve().parent.parent


def synthetic(*arguments):
    return [{"name": "synthetic", "command": ["finstream-feed-synthetic", "--seed", "1", *map(str, arguments)]}]


def run_program(build, name, *arguments):
    done = subprocess.run([str(build / "bench" / name), *map(str, arguments)], capture_output=True, text=True, timeout=600, check=True)
    return [json.loads(line) for line in done.stdout.splitlines() if line.startswith("{")]


def cpu_seconds(pid):
    with open(f"/proc/{pid}/stat", encoding="ascii") as file:
        fields = file.read().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / TICKS_PER_SECOND


def memory_mib(pid, key):
    with open(f"/proc/{pid}/status", encoding="ascii") as file:
        for line in file:
            if line.startswith(key + ":"):
                return int(line.split()[1]) / 1024
    return 0.0


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


class Node:
    """One finstream node in a directory of its own."""

    def __init__(self, build, directory, feeds, more=""):
        self.port = free_port()
        self.directory = pathlib.Path(directory)
        self.config = self.directory / "bench.yaml"
        self.config.write_text(
            f"data_directory: {self.directory}/data\ngateway: {{port: {self.port}}}\nlog: {{level: warning}}\n{more}"
            f"feeds: {json.dumps(feeds)}\n", encoding="utf-8")
        self.program = str(build / "cli" / "finstream")
        self.process = None

    def start(self):
        self.process = subprocess.Popen([self.program, "run", "--config", str(self.config)])
        return self

    def get(self, path):
        with urllib.request.urlopen(f"http://127.0.0.1:{self.port}{path}", timeout=10) as answer:
            return answer.read().decode()

    def metrics(self):
        out = {}
        for line in self.get("/metrics").splitlines():
            if line and not line.startswith("#"):
                name, _, value = line.rpartition(" ")
                out[name] = float(value)
        return out

    def actor(self, path):
        for actor in json.loads(self.get("/v1/tree"))["actors"]:
            if actor["path"] == path:
                return actor["state"] or {}
        return {}

    def wait(self, what, condition, pause_s=0.02):
        end = time.monotonic() + DEADLINE_S
        while time.monotonic() < end:
            with contextlib.suppress(OSError):
                if condition():
                    return
            if self.process.poll() is not None:
                raise RuntimeError(f"the node ended while waiting for {what}")
            time.sleep(pause_s)
        raise RuntimeError(f"waited {DEADLINE_S} s for {what}")

    def wait_ready(self):
        self.wait("readiness", lambda: "ready" in self.get("/readyz"))

    def wait_done(self, feed):
        """Everything the feed said is in bars."""
        def done():
            if self.actor(f"/feeds/{feed}").get("phase") != "finished":
                return False
            appender, window = self.actor("/partitions/0/appender"), self.actor("/partitions/0/window")
            return window.get("next") == appender.get("next")
        self.wait("the feed's end", done, 0.05)

    def stop(self, how=signal.SIGTERM):
        if self.process and self.process.poll() is None:
            self.process.send_signal(how)
            self.process.wait(20)


@contextlib.contextmanager
def node(build, feeds, more=""):
    directory = tempfile.mkdtemp(prefix="finstream-bench-")
    it = Node(build, directory, feeds, more)
    try:
        yield it
    finally:
        it.stop(signal.SIGKILL)
        shutil.rmtree(directory, ignore_errors=True)
