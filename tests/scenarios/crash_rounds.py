#!/usr/bin/env python3
"""A node that the world is unkind to, round after round: crash_rounds.py --binaries DIRECTORY [--rounds N] [--seed N]
[--bus embedded|redis|nats] [--fsync everysec|always]

One node, one data directory, one feed whose every event follows from a seed. In each round the node or the feed is killed or
stopped and continued, the disk is full or read-only, the clock steps, or a second node is started on the same data. Nothing
that was acknowledged may be missing afterwards, nothing may be there twice, and the bars must be those that this script makes
of the feed's own lines. The same seed draws the same rounds; moments depend on the machine as well.

With --bus the log is on a real broker, to which as much happens (broker_rounds.py), and in the end a new node that has nothing
but the broker must come to the same.
"""

import argparse
import calendar
import collections
import contextlib
import csv
import glob
import io
import json
import os
import pathlib
import random
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from decimal import Decimal

from broker_rounds import DISK_BYTES as BROKER_DISK_BYTES
from broker_rounds import BrokerRounds
from node import Failure, Node, Programs, check, feed, processes_naming, wait_for
from seeded_walk import Truth, arguments_of_feed
from servers import SERVERS

RATE = 2000
LAST_EVENTS = 20_000  # that end the walk, so that all its windows close
LOOK_EVERY = 20  # rounds between two looks at everything
DISK_BYTES = 512 << 20
CLOCK_STEPS_SECONDS = (-900, -60, 0, 60, 900)
CLOCK_MARGIN_SECONDS = 25
FAKETIME = glob.glob("/usr/lib/*/faketime/libfaketimeMT.so.1")
# Nobody is idle, however far the clock steps: a window would close early, rightly, and the script's bars would be others.
SETTINGS = {"windows": {"flush_timeout_ms": 3_600_000, "resume_grace_ms": 3_600_000, "intervals": ["1s", "60s"]},
            "bus": {"memtable_bytes": 1 << 20}, "supervisor": {"max_restarts": 1000}, "log": {"level": "info"},
            "checkpoint": {"interval_ms": 300}}
PATIENT_FEED = {"backoff": {"initial_ms": 1, "max_ms": 50, "crash_limit": 10_000}, "overflow_kill_ms": 3_600_000}


class Rounds:
    def __init__(self, programs, node, arguments, disk):
        self.programs, self.node, self.disk = programs, node, disk
        self.seed = arguments.seed
        self.dice = random.Random(arguments.seed)
        self.truth = Truth(programs, arguments.seed)
        self.done = collections.Counter()  # by sort
        self.skipped = {}
        self.acknowledged = 0  # the furthest end of the log that the node has told
        self.broker = None
        self.clock = os.path.join(node.directory, "clock")
        if FAKETIME:
            self.step_clock(0)
            node.environment = {"LD_PRELOAD": FAKETIME[0], "FAKETIME_TIMESTAMP_FILE": self.clock, "FAKETIME_NO_CACHE": "1",
                                "FAKETIME_DONT_FAKE_MONOTONIC": "1"}

    def feeds(self, rate=RATE, count=0):
        """The feed writes down what it is told: up to where its events are kept."""
        program = " ".join(str(x) for x in (self.programs.synthetic_feed, *arguments_of_feed(self.seed, rate, count)))
        return [feed("walk", "/bin/sh", "-c", f'echo "$FINSTREAM_RESUME_TOKEN" >> {self.node.directory}/told; exec {program}', **PATIENT_FEED)]

    def feed_process(self):
        """The feed's id, once it is no longer the shell."""
        def find():
            return [pid for pid in processes_naming("--step-us") if is_child(pid, self.node.process.pid)]
        return wait_for(find, "the feed runs", 30)[0]

    def look(self):
        """Notes how much is acknowledged."""
        tree = self.node.tree(timeout=2)
        if "/partitions/0/appender" in tree and tree["/partitions/0/appender"]:
            self.acknowledged = max(self.acknowledged, tree["/partitions/0/appender"]["next"])

    def wait_for_progress(self):
        def goes_on():
            check(self.node.process.poll() is None, f"the node has ended with {self.node.process.returncode}:\n{self.node.log_tail()}")
            tree = self.node.tree(timeout=2)
            appender = tree.get("/partitions/0/appender") if tree else None
            return appender and not appender["stalled"] and appender["next"] > before
        before = self.acknowledged
        wait_for(goes_on, f"events come in again after {before}", 60)
        self.look()

    def start(self):
        self.node.start()
        tree = wait_for(lambda: self.node.tree().get("/partitions/0/appender"), "the appender answers", 30)
        check(tree["next"] >= self.acknowledged, f"the log ends at {tree['next']}, {self.acknowledged} was acknowledged")

    def step_clock(self, seconds):
        self.offset_seconds = seconds
        fresh = self.clock + ".fresh"
        pathlib.Path(fresh).write_text(f"{seconds:+d}s\n", encoding="ascii")
        os.rename(fresh, self.clock)

    # --- what may happen

    def kill_node(self):
        self.look()
        self.node.kill()
        self.start()

    def kill_node_in_its_start(self):
        self.node.kill()
        self.node.start(wait=False)
        time.sleep(self.dice.uniform(0.0, 0.15))
        self.node.kill()
        self.start()

    def kill_feed(self):
        os.kill(self.feed_process(), signal.SIGKILL)

    def stop_node_for_a_while(self):
        self.stop_for_a_while(self.node.process.pid)

    def stop_feed_for_a_while(self):
        self.stop_for_a_while(self.feed_process())

    def stop_for_a_while(self, pid):
        os.kill(pid, signal.SIGSTOP)
        time.sleep(self.dice.uniform(0.1, 1.0))
        os.kill(pid, signal.SIGCONT)

    def stop_node_and_kill_feed(self):
        victim = self.feed_process()
        os.kill(self.node.process.pid, signal.SIGSTOP)
        os.kill(victim, signal.SIGKILL)
        time.sleep(self.dice.uniform(0.0, 0.5))
        os.kill(self.node.process.pid, signal.SIGCONT)

    def start_twice(self):
        second = subprocess.run([self.programs.node, "run", "--config", self.node.config], capture_output=True, timeout=60)
        check(second.returncode == 1 and b"has it open" in second.stderr, f"a second node: {second.returncode} {second.stderr}")

    def step_the_clock(self):
        """The node sees it while it runs: the lines of its log say so, and a feed that is killed makes it write one."""
        self.step_clock(self.dice.choice([s for s in CLOCK_STEPS_SECONDS if s != self.offset_seconds]))
        self.kill_feed()
        wait_for(lambda: abs(self.node_is_ahead_seconds() - self.offset_seconds) < CLOCK_MARGIN_SECONDS, "the node's clock has stepped", 20)

    def node_is_ahead_seconds(self):
        """Of this machine's clock, by the newest line of its log."""
        stamp = self.node.log_tail(1)[:19]
        return calendar.timegm(time.strptime(stamp, "%Y-%m-%d %H:%M:%S")) - time.time()

    def fill_disk(self):
        ballast = os.path.join(self.disk, "ballast")
        with open(ballast, "wb", buffering=0) as file:
            try:
                while True:
                    file.write(b"\1" * (1 << 20))
            except OSError:
                pass
        wait_for(lambda: "disk_full" in self.node.get("/healthz")[1], "the node says disk_full", 60)
        self.look()
        killed = self.dice.random() < 0.5
        if killed:
            self.node.kill()
            self.done["kills at a full disk"] += 1
        if killed and self.dice.random() < 0.5:
            self.refuse_or_run("full")
        os.unlink(ballast)
        if killed:
            self.start()

    def read_only_disk(self):
        """A disk with files open for writing cannot be made read-only; so the node is killed, and started over it."""
        self.look()
        self.node.kill()
        subprocess.run(["mount", "-o", "remount,ro", self.disk], check=True)
        try:
            self.refuse_or_run("read-only", must_refuse=True)
        finally:
            subprocess.run(["mount", "-o", "remount,rw", self.disk], check=True)
        self.start()

    def refuse_or_run(self, how, must_refuse=False):
        """Over a disk that takes nothing a node says so and ends, or runs and says that it is not well."""
        self.node.start(wait=False)
        wait_for(lambda: self.node.process.poll() is not None or (self.node.find_port() and self.node.get("/healthz")[0]),
                 f"a node over a {how} disk runs or ends", 30)
        if self.node.process.poll() is None:
            check(not must_refuse, f"a node runs over a {how} disk:\n{self.node.log_tail()}")
            self.node.kill()
        else:
            check(b"io_failure" in self.node.log_bytes() or b"disk_full" in self.node.log_bytes() or
                  b"has given up" in self.node.log_bytes(), f"a node over a {how} disk does not say why it ended:\n{self.node.log_tail()}")

    # --- and what must hold

    def inspect(self, node, finished=0):
        """Of a node that is stopped: the log is sound, its events are the feed's first ones, each once, the bars are those of the feed."""
        said = json.loads(node.tool("verify", "--json"))
        check(said["sound"] and said["replay"]["differences"] == 0, f"verify: {said}")
        events = node.verify()
        check(events == said["events"], f"replay went over {events} events, verify over {said['events']}")
        told = [int(x) for x in pathlib.Path(self.node.directory, "told").read_text(encoding="ascii").split()]
        self.told = max([0, *told])
        check(self.told <= events, f"the feed was told that {self.told} events are kept, the log has {events}")
        check(not finished or events == finished, f"of {finished} events {events} are in the log")
        self.truth.read_to(events)
        compared = traded = 0
        for seconds, truth in self.truth.bars.items():
            stored = {}
            for row in csv.DictReader(io.StringIO(node.tool("bars", "--interval", f"{seconds}s", "--format", "csv"))):
                when = row["start"]
                second = (int(when[11:13]) * 60 + int(when[14:16])) * 60 + int(when[17:19]) + 86_400 * int(when[8:10])
                key = (row["symbol"], second)
                check(key not in stored, f"the bar {key} of {seconds} s is there twice")
                stored[key] = [*(Decimal(row[x]) for x in ("open", "high", "low", "close", "volume")), int(row["trades"])]
                check(truth.get(key) == stored[key], f"bar {key} of {seconds} s: stored {stored[key]}, the feed's lines give {truth.get(key)}")
            check(not finished or len(stored) == len(truth), f"{len(stored)} bars of {seconds} s are stored, the feed's lines give {len(truth)}")
            compared += len(stored)
            traded = sum(bar[5] for bar in stored.values())
        # Bars of a minute hold each event once. While the feed goes on, its last minutes are open.
        return events, traded, compared

    def look_at_everything(self):
        self.node.stop()
        events, _, bars = self.inspect(self.node)
        self.start()
        return events, bars

    def finish(self):
        self.node.stop()
        total = self.inspect(self.node)[0] + LAST_EVENTS
        self.node.change(self.feeds(rate=0, count=total))
        self.node.start()
        self.node.wait_finished()
        if self.broker:
            self.broker.wait_until_all_is_there()
        self.node.stop()
        events, traded, compared = self.inspect(self.node, finished=total)
        if self.broker:
            self.broker.inspect_a_copy(events)
        return total, events, traded, compared

    SORTS = (("kill -9 of the node", kill_node, 5), ("kill -9 of the node in its start", kill_node_in_its_start, 2),
             ("kill -9 of the feed", kill_feed, 4), ("node stopped and continued", stop_node_for_a_while, 2),
             ("feed stopped and continued", stop_feed_for_a_while, 2), ("feed killed while the node is stopped", stop_node_and_kill_feed, 2),
             ("second node", start_twice, 1), ("clock steps", step_the_clock, 3), ("full disk", fill_disk, 2),
             ("read-only disk", read_only_disk, 1))

    def sorts(self):
        """What may happen here: (name, function, how often). Of rounds that are few, the first."""
        sorts = [(name, getattr(self, act.__name__), weight) for name, act, weight in self.SORTS]
        if not self.disk:
            sorts = [s for s in sorts if s[1] not in (self.fill_disk, self.read_only_disk)]
            self.skipped["full and read-only disk"] = "a small file system cannot be mounted here"
        if not FAKETIME:
            sorts = [s for s in sorts if s[1] != self.step_the_clock]
            self.skipped["clock steps"] = "the package faketime is not installed"
        return [*(self.broker.sorts() if self.broker else []), *sorts]

    def run(self, rounds):
        sorts = self.sorts()
        # Each sort comes up, however few rounds there are.
        drawn = sorts[:rounds] + self.dice.choices(sorts, [s[2] for s in sorts], k=max(0, rounds - len(sorts)))
        self.dice.shuffle(drawn)
        self.start()
        for number, (name, act, _) in enumerate(drawn, 1):
            try:
                self.do(act)
                if number % LOOK_EVERY == 0:
                    events, bars = self.look_at_everything()
                    print(f"round {number}: {events} events, {bars} bars compared", flush=True)
            except Failure as failure:
                raise Failure(f"round {number}, {name}: {failure}") from failure
            self.done[name] += 1
        figures = self.finish()
        self.truth.close()
        return figures

    def do(self, act):
        self.wait_for_progress()
        if self.broker:
            self.broker.before_round(act)
        time.sleep(self.dice.uniform(0.0, 0.4))
        act()
        self.wait_for_progress()


def is_child(pid, parent):
    try:
        return int(re.search(r"PPid:\s*(\d+)", pathlib.Path(f"/proc/{pid}/status").read_text(encoding="ascii"))[1]) == parent
    except OSError:
        return False


def mount_disk(directory, size):
    """A small file system of our own, where we may have one."""
    os.mkdir(directory)
    if os.geteuid() == 0 and subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={size}", "tmpfs", directory],
                                            capture_output=True, check=False).returncode == 0:
        return directory
    return None


def arguments_of_command_line():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--binaries", required=True)
    parser.add_argument("--rounds", type=int, default=10)
    parser.add_argument("--seed", type=int, default=20261121)
    parser.add_argument("--bus", choices=("embedded", *SERVERS), default="embedded")
    parser.add_argument("--fsync", choices=("everysec", "always"), default="everysec", help="of Redis")
    return parser.parse_args()


def run(programs, arguments, folder, disk):
    os.mkdir(os.path.join(folder, "node"))
    with contextlib.ExitStack() as stack:
        node = Node(programs, [], os.path.join(folder, "node"), data_directory=os.path.join(folder, "disk", "data"), **SETTINGS)
        rounds = Rounds(programs, node, arguments, disk)
        if arguments.bus != "embedded":
            rounds.broker = BrokerRounds(rounds, arguments, os.path.join(folder, "broker"))
            stack.enter_context(rounds.broker.server)
            node.change([], **rounds.broker.settings())
        node.change(rounds.feeds())
        stack.enter_context(node)
        try:
            total, events, traded, bars = rounds.run(arguments.rounds)
        except Failure:
            print(f"{dict(rounds.done)}; again: {' '.join(sys.argv)} --seed {arguments.seed}")
            raise
    for name, why in rounds.skipped.items():
        print(f"skipped: {name}: {why}")
    for name, times in sorted(rounds.done.items()):
        print(f"{times:4} x {name}")
    print(f"{arguments.rounds} rounds, {total} events sent, {rounds.told} of them told to the feed as kept before its last start, {events} in the "
          f"log, {traded} in bars: {total - events} lost, {traded - total} twice; {bars} bars are those of the feed's lines")


def main():
    arguments = arguments_of_command_line()
    programs = Programs(arguments.binaries)
    folder = tempfile.mkdtemp(prefix="finstream-rounds-")
    disks = [mount_disk(os.path.join(folder, "disk"), DISK_BYTES), mount_disk(os.path.join(folder, "broker"), BROKER_DISK_BYTES)]
    began = time.monotonic()
    try:
        run(programs, arguments, folder, disks[0])
        print(f"ok  crash_rounds, bus {arguments.bus}, seed {arguments.seed} ({time.monotonic() - began:.1f} s)")
        return 0
    except Failure as failure:
        print(f"BAD crash_rounds: {failure}")
        print(f"{folder} is kept")
        disks, folder = [], None
        return 1
    finally:
        for disk in filter(None, disks):
            subprocess.run(["umount", "-l", disk], check=False)
        if folder:
            shutil.rmtree(folder, ignore_errors=True)


if __name__ == "__main__":
    sys.exit(main())
