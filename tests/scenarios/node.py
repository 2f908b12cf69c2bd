"""A node as a scenario sees it: a program with a config file, a data directory, a port, and signals.

Every wait is for a condition and has a deadline that only a fault reaches. Whatever is started here is ended here, by its
process id, also when a scenario fails: the feeds of a node that is killed end by themselves, and that is checked.
"""

import argparse
import atexit
import csv
import io
import json
import os
import re
import shutil
import signal
import subprocess
import tempfile
import time
import urllib.error
import urllib.request

START_DEADLINE_SECONDS = 120
FINISH_DEADLINE_SECONDS = 600
STOP_DEADLINE_SECONDS = 5  # the promise of SIGTERM
COMMAND_DEADLINE_SECONDS = 300
FEEDS_END_DEADLINE_SECONDS = 20
POLL_SECONDS = 0.05

FOUNDING_METRICS = ("g6_stream_publish_latency_ms", "microbatch_flush_rows", "microbatch_window_latency_ms", "stream_consumer_lag_ms")
SKIPPED = 77  # the exit code by which CTest knows a test that could not be run here

_started = []  # every process of ours that may still run


class Failure(Exception):
    """What was promised did not happen. The text says what, and where to look."""


def _end_everything():
    for process in _started:
        if process.poll() is None:
            process.kill()
            process.wait()


atexit.register(_end_everything)


def check(condition, what):
    if not condition:
        raise Failure(what)


def wait_for(condition, what, deadline=START_DEADLINE_SECONDS, poll=POLL_SECONDS):
    """The first true value of `condition`."""
    give_up_at = time.monotonic() + deadline
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() > give_up_at:
            raise Failure(f"{what}: not within {deadline} s")
        time.sleep(poll)


def processes_naming(text):
    """Ids of the processes whose command line holds this text."""
    found = []
    for pid in filter(str.isdigit, os.listdir("/proc")):
        try:
            with open(f"/proc/{pid}/cmdline", "rb") as file:
                if text.encode() in file.read() and int(pid) != os.getpid():
                    found.append(int(pid))
        except OSError:
            pass  # it has just ended
    return found


class Programs:
    """The binaries under test, in a build directory."""

    def __init__(self, directory):
        self.directory = directory
        self.node = os.path.join(directory, "cli", "finstream")
        self.csv_feed = os.path.join(directory, "feeds", "finstream-feed-csv")
        self.synthetic_feed = os.path.join(directory, "feeds", "finstream-feed-synthetic")
        for program in (self.node, self.csv_feed, self.synthetic_feed):
            if not os.access(program, os.X_OK):
                raise SystemExit(f"{program} is not there: --binaries names a build directory")


class Node:
    """One data directory and the node on it, which may be started, killed and started again."""

    def __init__(self, programs, feeds, directory=None, **settings):
        self.programs = programs
        self.own_directory = directory is None
        self.directory = directory or tempfile.mkdtemp(prefix="finstream-scenario-")
        self.config = os.path.join(self.directory, "config.yaml")
        self.settings = {"version": 1, "data_directory": os.path.join(self.directory, "data"),
                         "gateway": {"port": 0, "crash_hook": True}}
        self.change(feeds, **settings)
        self.environment = {}  # of the node and its feeds, beside our own
        self.options = []  # of `finstream run`
        self.process = None
        self.port = 0
        self.starts = 0

    def __enter__(self):
        return self

    def __exit__(self, kind, *_):
        if self.process and self.process.poll() is None:
            self.process.kill()
            self.process.wait()
        for pid in self._leftovers(patient=kind is None):
            os.kill(pid, signal.SIGKILL)
        if kind is not None:
            print(f"--- the node's last lines ({self.directory} is kept) ---\n{self.log_tail()}", flush=True)
        elif self.own_directory:
            shutil.rmtree(self.directory, ignore_errors=True)

    def change(self, feeds, **settings):
        """Writes the config anew: JSON is YAML. Nothing here means a variable, so each $ stands for itself."""
        for group, keys in settings.items():
            if isinstance(keys, dict):
                self.settings[group] = {**self.settings.get(group, {}), **keys}
            else:
                self.settings[group] = keys
        self.settings["feeds"] = feeds
        with open(self.config, "w") as file:
            file.write(json.dumps(self.settings, indent=2).replace("$", "$$"))

    # --- its life

    def start(self, wait=True):
        self.starts += 1
        self.port = 0
        self.log_path = os.path.join(self.directory, f"node-{self.starts}.log")
        with open(self.log_path, "wb") as log:
            self.process = subprocess.Popen([self.programs.node, "run", "--config", self.config, *self.options], stdin=subprocess.DEVNULL,
                                            stdout=log, stderr=log, env={**os.environ, **self.environment})
        _started.append(self.process)
        if wait:
            self.wait_ready()
        return self

    def find_port(self):
        """The port it has printed, or 0."""
        if not self.port:
            found = re.search(rb"http://127\.0\.0\.1:(\d+) is open", self.log_bytes())
            self.port = int(found[1]) if found else 0
        return self.port

    def wait_ready(self, deadline=START_DEADLINE_SECONDS):
        def ready():
            if self.process.poll() is not None:
                raise Failure(f"the node ended with code {self.process.returncode} before it was ready:\n{self.log_tail()}")
            return self.find_port() and self.get("/readyz")[0] == 200
        wait_for(ready, "the node is ready", deadline)

    def kill(self):
        """kill -9. What the kernel has is there afterwards, and nothing else."""
        self.process.kill()
        self.process.wait()
        _started.remove(self.process)
        leftovers = self._leftovers(patient=True)
        if leftovers:
            raise Failure(f"feeds live on after their node was killed: processes {leftovers}")

    def stop(self, expect=0):
        """SIGTERM; says how long it took."""
        began = time.monotonic()
        self.process.send_signal(signal.SIGTERM)
        try:
            code = self.process.wait(STOP_DEADLINE_SECONDS * 4)
        except subprocess.TimeoutExpired:
            raise Failure(f"the node does not stop on SIGTERM:\n{self.log_tail()}") from None
        took = time.monotonic() - began
        _started.remove(self.process)
        if code != expect:
            raise Failure(f"the node stopped with code {code} instead of {expect} after {took:.1f} s:\n{self.log_tail()}")
        if took > STOP_DEADLINE_SECONDS + 1:  # its own deadline, and time for a busy machine to notice
            raise Failure(f"SIGTERM took {took:.1f} s")
        return took

    def _leftovers(self, patient):
        """Feeds of this node that still run; they are given time to end by themselves."""
        give_up_at = time.monotonic() + (FEEDS_END_DEADLINE_SECONDS if patient else 0)
        while True:
            left = processes_naming(self.directory)
            if not left or time.monotonic() > give_up_at:
                return left
            time.sleep(POLL_SECONDS)

    # --- what it says

    def log_bytes(self):
        with open(self.log_path, "rb") as file:
            return file.read()

    def log_tail(self, lines=25):
        return "\n".join(self.log_bytes().decode(errors="replace").splitlines()[-lines:])

    def get(self, path, method="GET", timeout=10):
        """(status, text); status 0 if there is nobody."""
        request = urllib.request.Request(f"http://127.0.0.1:{self.port}{path}", method=method)
        try:
            with urllib.request.urlopen(request, timeout=timeout) as answer:
                return answer.status, answer.read().decode()
        except urllib.error.HTTPError as answer:
            return answer.code, answer.read().decode()
        except (OSError, ValueError):
            return 0, ""

    def tree(self, timeout=10):
        """The state of each actor by its path, or nothing while the gateway is away."""
        status, text = self.get("/v1/tree", timeout=timeout) if self.find_port() else (0, "")
        return {a["path"]: a["state"] for a in json.loads(text)["actors"]} if status == 200 else {}

    def feeds(self, timeout=10):
        tree = self.tree(timeout)
        return {path[len("/feeds/"):]: state for path, state in tree.items() if path.startswith("/feeds/") and state}

    def metrics(self):
        """Values by 'name{labels}', as they are written."""
        status, text = self.get("/metrics")
        lines = (line for line in text.splitlines() if line and not line.startswith("#"))
        return {name: float(value) for name, _, value in (line.rpartition(" ") for line in lines)} if status == 200 else {}

    def check_metrics(self):
        """As Prometheus reads them. All it may find is that names of the founding documents are not as it would have them."""
        if not shutil.which("promtool"):
            print("skipped: promtool (Debian package prometheus) is not installed")
            return
        done = subprocess.run(["promtool", "check", "metrics"], input=self.get("/metrics")[1], capture_output=True, text=True, check=False)
        said = [line for line in (done.stdout + done.stderr).splitlines() if line.split(" ")[0] not in FOUNDING_METRICS]
        check(not said, f"promtool says of the metrics: {said}")

    def metric_sum(self, name, label=""):
        return sum(value for key, value in self.metrics().items() if re.match(rf"{name}(\{{|$)", key) and label in key)

    def wait_finished(self, deadline=FINISH_DEADLINE_SECONDS):
        """Until every feed has sent everything and all of it is in bars: seen twice, so that what was on its way is there."""
        seen = []

        def finished():
            if self.process.poll() is not None:
                raise Failure(f"the node ended with code {self.process.returncode}:\n{self.log_tail()}")
            tree = self.tree()
            parked = [path for path, state in tree.items() if state and state.get("phase") == "parked"]
            if parked:
                raise Failure(f"{parked} is parked:\n{self.log_tail()}")
            seen[:] = seen + [1] if self._is_at_rest(tree) else []
            return len(seen) == 2
        wait_for(finished, "feeds are finished and windows have caught up", deadline)

    def _is_at_rest(self, tree):
        feeds = [tree.get(f"/feeds/{feed['name']}") for feed in self.settings["feeds"]]
        if not all(f and f["phase"] == "finished" and f["chunks_underway"] == 0 for f in feeds):
            return False
        for partition in range(self.settings.get("partitions", 1)):
            appender, window = (tree.get(f"/partitions/{partition}/{who}") for who in ("appender", "window"))
            if not appender or not window or appender["pending"] or appender["stalled"]:
                return False
            if window["next"] != appender["next"] or window["open_windows"]:
                return False
        return True

    # --- what its tools say

    def tool(self, *arguments, expect=0):
        done = subprocess.run([self.programs.node, *arguments, "--config", self.config], stdin=subprocess.DEVNULL,
                              capture_output=True, timeout=COMMAND_DEADLINE_SECONDS)
        if done.returncode != expect:
            raise Failure(f"finstream {' '.join(arguments)} ended with {done.returncode}:\n"
                          f"{done.stdout.decode(errors='replace')[-2000:]}{done.stderr.decode(errors='replace')[-2000:]}")
        return done.stdout.decode()

    def bars(self, interval, provider=""):
        text = self.tool("bars", "--interval", interval, "--format", "csv", *(["--provider", provider] if provider else []))
        return list(csv.DictReader(io.StringIO(text)))

    def verify(self, threads=1):
        """The events that replay went over. It must find no difference."""
        text = self.tool("replay", "--verify", "--threads", str(threads))
        found = re.search(r"(\d+) events in .* (\d+) bars, .*?(\d+) differences", text)
        if not found or found[3] != "0":
            raise Failure(f"replay --verify: {text}")
        return int(found[1])


def run_scenarios(description, scenarios):
    """The main of a file of several scenarios, of which the command line names one."""
    by_name = {f.__name__: f for f in scenarios}
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument("scenario", choices=by_name)
    parser.add_argument("--binaries", required=True)
    arguments = parser.parse_args()
    began = time.monotonic()
    try:
        by_name[arguments.scenario](Programs(arguments.binaries))
    except Failure as failure:
        print(f"BAD {arguments.scenario}: {failure}")
        return 1
    print(f"ok  {arguments.scenario} ({time.monotonic() - began:.1f} s)")
    return 0


def feed(name, *command, **settings):
    return {"name": name, "command": [str(c) for c in command], **settings}
