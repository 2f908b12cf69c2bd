#!/usr/bin/env python3
"""Damage of every sort to the data directory of a real node: damage.py --binaries DIRECTORY [--only TEXT].

Each is done to a copy of a whole directory. `finstream verify` must name it, a node that is started over it must refuse with
a sentence or go on, and after `verify --repair` all is as before, or nothing was changed and it is said why.
"""

import argparse
import glob
import os
import pathlib
import re
import shutil
import subprocess
import sys
import time

from node import Failure, Node, Programs, feed, wait_for

EVENTS = 200_000
RULES = '[{"name": "rising", "condition": "momentum > 0.0005 and close > vwap", "signal": 1, "score": 0.5}]'
FEATURES = {"windows": [{"name": "vwap_20", "bars": 20}, {"name": "momentum_10", "bars": 10}]}
SEE_IT_DEADLINE_SECONDS = 60


def check(condition, what):
    if not condition:
        raise Failure(what)


# --- ways to damage


def flip(path, share=0.4):
    """Changes one bit, so far into the file."""
    with open(path, "r+b") as file:
        at = int(share * os.path.getsize(path))
        file.seek(at)
        byte = file.read(1)[0]
        file.seek(at)
        file.write(bytes([byte ^ 0x40]))


def overwrite(path, data):
    pathlib.Path(path).write_bytes(data)


def cut(path, length):
    os.truncate(path, os.path.getsize(path) - length)


def one(data, pattern):
    return sorted(glob.glob(os.path.join(data, pattern)))[-1]


class Bench:
    """A node, whole directories of it, and what it says of them."""

    def __init__(self, programs, node):
        self.programs, self.node = programs, node
        self.data = node.settings["data_directory"]
        self.whole = {}
        self.sorted_files = {}  # by what they hold

    def make(self):
        """Two directories of the same events: all of it in the write-ahead log, and all of it in sorted files."""
        node = self.node
        node.start()
        node.wait_finished()
        self.wanted = self.rows()
        node.kill()
        self.keep("logged")
        node.start()
        node.wait_finished()
        node.stop()
        self.keep("sorted")
        # A file of a topic begins with the key of its first record, the other large one is that of the tables.
        begins = {b"\0\1\0\0": "events/0", b"\0\2\0\0": "bars/0", b"\0\5\0\0": "features/0", b"\0\6\0\0": "signals/0"}
        for path in glob.glob(os.path.join(self.data, "*.sst")):
            first = pathlib.Path(path).read_bytes()[:40]
            names = [name for key, name in begins.items() if key + bytes(8) in first]
            if names or b"\0" in first and (b"bars\0" in first or b"backfill\0" in first):
                self.sorted_files[names[0] if names else "tables"] = os.path.basename(path)

    def keep(self, name):
        self.whole[name] = self.data + "-" + name
        shutil.copytree(self.data, self.whole[name])

    def take(self, name):
        for path in glob.glob(self.data + "*"):
            if path not in self.whole.values():
                shutil.rmtree(path)
        shutil.copytree(self.whole[name], self.data)

    def rows(self):
        return self.node.tool("bars", "--format", "csv"), self.node.tool("signals", "--format", "csv")

    def write(self, what):
        writer = os.path.join(self.programs.directory, "tests", "damage_writer")
        return lambda data: subprocess.run([writer, data, what], check=True, stdout=subprocess.DEVNULL, timeout=60)

    def sorted_file(self, holds):
        return os.path.join(self.data, self.sorted_files[holds])

    def case(self, title, source, damage, finds, repair, node, says=""):
        """`repair` is mended, refused or whatever is left; `node` is refuses, gives_up or runs."""
        began = time.monotonic()
        self.take(source)
        damage(self.data)
        self.node_over_it(title, node, says)
        self.take(source)
        damage(self.data)
        text = self.node.tool("verify", expect=1)
        check(re.search(finds, text), f"{title}: verify does not find {finds}:\n{text}")
        check("it means:" in text and "what to do:" in text, f"{title}: verify does not explain:\n{text}")
        if repair == "whatever is left":  # where the bit falls decides what is lost
            repair = "refused" if "not all of it can be mended" in text else "mended"
        if repair == "refused":
            before = self.names()
            self.node.tool("verify", "--repair", expect=1)
            check(before == self.names(), f"{title}: a repair that was refused changed {before} to {self.names()}")
        else:
            self.node.tool("verify", "--repair")
            text = self.node.tool("verify")
            check("sound" in text, f"{title}: not sound after its repair:\n{text}")
            check(self.rows() == self.wanted, f"{title}: bars or signals are others after the repair")
            self.node.start()
            self.node.wait_finished()
            self.node.stop()
            self.node.tool("verify")
        print(f"ok  {title}: {repair}, a node {node} ({time.monotonic() - began:.1f} s)")

    def names(self):
        """What is there, but for the files of a lock."""
        return sorted(p for p in glob.glob(self.data + "*/*") + glob.glob(self.data + "*") if not p.endswith("LOCK"))

    def node_over_it(self, title, wanted, says):
        node = self.node
        node.start(wait=False)
        ended = wait_for(lambda: node.process.poll() is not None or (node.find_port() and node.get("/readyz")[0] == 200),
                         f"{title}: a node runs or refuses", SEE_IT_DEADLINE_SECONDS)
        check(ended, title)
        if wanted == "runs":
            check(node.process.poll() is None, f"{title}: the node ended with {node.process.returncode}:\n{node.log_tail()}")
            node.kill()
        else:
            code = node.process.wait(SEE_IT_DEADLINE_SECONDS)
            check(code == 1, f"{title}: the node ended with {code}:\n{node.log_tail()}")
        text = node.log_bytes().decode(errors="replace")
        check(re.search(says, text), f"{title}: the node does not say {says}:\n{node.log_tail()}")


def cases(b):
    """title, which directory, what is done to it, what verify says, what becomes of it, what a node does and says"""
    refuses = ("refuses", "finstream verify")
    yield "a bit in the middle of the write-ahead log", "logged", lambda d: flip(one(d, "*.log"), 0.5), r"\d+\.log: Corruption", \
        "whatever is left", *refuses
    yield "CURRENT deleted", "sorted", lambda d: os.unlink(d + "/CURRENT"), "CURRENT: it is missing", "mended", *refuses
    yield "CURRENT garbled", "sorted", lambda d: overwrite(d + "/CURRENT", b"rubbish\n"), "CURRENT: it does not name", "mended", *refuses
    yield "MANIFEST deleted", "sorted", lambda d: os.unlink(one(d, "MANIFEST-*")), r"MANIFEST-\d+: it is missing", "mended", *refuses
    yield "MANIFEST garbled", "sorted", lambda d: overwrite(one(d, "MANIFEST-*"), bytes(range(256))), r"MANIFEST-\d+: ", "mended", *refuses
    yield "MANIFEST deleted, all in the write-ahead log", "logged", lambda d: os.unlink(one(d, "MANIFEST-*")), r"MANIFEST-\d+: it is missing", \
        "refused", *refuses
    yield "OPTIONS garbled", "sorted", lambda d: overwrite(one(d, "OPTIONS-*"), b"rubbish"), r"OPTIONS-\d+: ", "mended", "runs"
    yield "witness garbled", "sorted", lambda d: overwrite(d + "/witness", b"x" * 65536), "witness: its first bytes", "mended", "runs"
    yield "witness of another log", "sorted", lambda d: flip(d + "/witness", 12 / 65536), "witness: it is that of another log", "mended", "runs"
    for holds, repair in (("events/0", "refused"), ("bars/0", "mended"), ("signals/0", "mended"), ("tables", "mended")):
        file = re.escape(b.sorted_files[holds])
        yield f"the sorted file of {holds} deleted", "sorted", lambda d, h=holds: os.unlink(b.sorted_file(h)), \
            rf"{file}: No such file.*holds {holds}", repair, *refuses
        yield f"a bit in the sorted file of {holds}", "sorted", lambda d, h=holds: flip(b.sorted_file(h)), \
            rf"{file}: Corruption.*holds {holds}", repair, *(("gives_up", r"events/0 at \d+") if holds == "events/0" else ("runs",))
    yield "the sorted file of events/0 cut short", "sorted", lambda d: cut(b.sorted_file("events/0"), 5000), r"instead of \d+", "refused", *refuses
    yield "a wrong bar in the table", "sorted", b.write("wrong-bar"), "1 differences[^!]*the store differs", "mended", "runs"
    yield "a hole in bars", "sorted", b.write("hole-in-bars"), r"bars/0 at \d+ to \d+: nothing is there", "mended", "runs"
    yield "a hole in the events", "sorted", b.write("hole-in-events"), r"events/0 at \d+ to \d+: nothing is there", "refused", "gives_up", \
        r"events/0 at \d+: it is missing"
    yield "a checkpoint cut short", "sorted", b.write("bad-checkpoint"), "the checkpoint cannot be read", "mended", "runs", \
        "the checkpoint cannot be used"
    yield "a checkpoint that is wrong", "sorted", b.write("wrong-checkpoint"), "the checkpoint", "mended", "runs"


def torn_tail(b):
    """Events that were acknowledged are gone with the machine: the log is cut, it is said how many, and the feed sends them again."""
    b.take("logged")
    log = one(b.data, "*.log")
    os.truncate(log, os.path.getsize(log) // 3)
    text = b.node.tool("verify", expect=1)
    lost = re.search(r"events/0 at (\d+) to (\d+): the topic ends at (\d+), but (\d+) was acknowledged", text)
    check(lost, f"verify does not say what is lost:\n{text}")
    text = b.node.tool("verify", "--repair")
    check(f"events/0 ends at {lost[3]} but {lost[4]} was promised" in text, f"the repair does not say what was cut:\n{text}")
    b.node.start()
    b.node.wait_finished()
    b.node.stop()
    check("sound" in b.node.tool("verify"), "not sound when the feed has sent again what was missing")
    check(b.rows() == b.wanted, "bars or signals are others after a torn tail")
    print(f"ok  a torn tail: {int(lost[4]) - int(lost[3])} events were cut and sent again")


def outputs_before_their_events(b):
    """A copy that follows a log on a broker may be stopped with outputs whose events were still to come; a log of its own may not."""
    b.take("sorted")
    b.write("outputs-ahead")(b.data)
    text = b.node.tool("verify", expect=1)
    check("a record is stored that the replay does not give" in text, f"outputs of no events are not found:\n{text}")
    b.write("on-broker")(b.data)
    text = b.node.tool("verify")
    check("sound" in text and " 0 differences" in text, f"a copy whose outputs are ahead of its events:\n{text}")
    b.write("wrong-last-bar")(b.data)
    text = b.node.tool("verify", expect=1)
    check(" 1 differences" in text and "the store differs" in text, f"a wrong bar is not found where outputs are ahead:\n{text}")
    check("the log is on a broker: move the directory away" in text, f"what to do with a copy is not said:\n{text}")
    b.node.tool("verify", "--repair", expect=1)
    check(" 1 differences" in b.node.tool("verify", expect=1), "a copy is repaired")
    print("ok  outputs before their events: damage to a log of its own, and not to a copy, whose rows are compared all the same")


def refused_while_it_runs(b):
    b.take("sorted")
    b.node.start()
    done = subprocess.run([b.programs.node, "verify", "--config", b.node.config], capture_output=True, text=True, timeout=60)
    check(done.returncode == 2 and f"process {b.node.process.pid} has it open" in done.stderr, f"beside a node: {done.returncode} {done.stderr}")
    b.node.stop()
    missing = subprocess.run([b.programs.node, "verify", "--data", b.data + "-none"], capture_output=True, text=True, timeout=60)
    check(missing.returncode == 2 and "there is none" in missing.stderr, f"where there is no log: {missing.returncode} {missing.stderr}")
    print("ok  verify refuses beside a node, and where there is no log")


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--binaries", required=True)
    parser.add_argument("--only", default="", help="cases whose title has this in it")
    arguments = parser.parse_args()
    programs = Programs(arguments.binaries)
    walk = feed("walk", programs.synthetic_feed, "--rate", 0, "--count", EVENTS, "--symbols", 20, "--start-time",
                "2024-01-02T10:00:00Z", "--step-us", 2000)
    began = time.monotonic()
    try:
        with Node(programs, [walk], windows={"flush_timeout_ms": 60_000}) as node:
            rules = os.path.join(node.directory, "rules.yaml")
            pathlib.Path(rules).write_text(RULES, encoding="utf-8")
            node.change([walk], features=FEATURES, inference={"adapters": {"rules": {"enabled": True, "file": rules}}})
            bench = Bench(programs, node)
            bench.make()
            refused_while_it_runs(bench)
            torn_tail(bench)
            outputs_before_their_events(bench)
            for title, source, damage, finds, repair, *rest in cases(bench):
                if arguments.only in title:
                    bench.case(title, source, damage, finds, repair, *rest)
    except Failure as failure:
        print(f"BAD damage: {failure}")
        return 1
    print(f"ok  damage ({time.monotonic() - began:.1f} s)")
    return 0


if __name__ == "__main__":
    sys.exit(main())
