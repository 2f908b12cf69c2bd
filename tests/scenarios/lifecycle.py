#!/usr/bin/env python3
"""What a node promises about its own life and that of its feeds: lifecycle.py SCENARIO --binaries DIRECTORY.

The feeds here are shell commands, since a feed is any program; their data is made of one-line trades.
"""

import csv
import io
import json
import subprocess
import sys
import time

from node import Failure, Node, feed, run_scenarios, wait_for

PATIENT = {"windows": {"flush_timeout_ms": 60_000, "resume_grace_ms": 120_000}}
FAST_BACKOFF = {"initial_ms": 1, "max_ms": 20, "crash_limit": 4, "crash_period_ms": 60_000}


def check(condition, what):
    if not condition:
        raise Failure(what)


def trade(seq, symbol="AAA", second=0):
    return f'{{"symbol":"{symbol}","src_ts":"2024-01-02T10:00:{second:02}Z","seq":{seq},"price":10.5,"size":2}}'


def shell(*parts):
    return ("/bin/sh", "-c", "; ".join(parts))


def say(line):
    return f"echo '{line}'"


HELLO, EOF = say('{"type":"hello","resumed":true}'), say('{"type":"eof"}')
STAY = "exec cat > /dev/null"  # until standard input closes


# --- scenarios


def second_node_refused(programs):
    """The data directory has one node at a time; the second one says so and ends, and the first does not notice."""
    with Node(programs, [feed("still", *shell(HELLO, say(trade(1)), STAY))]) as node:
        node.start()
        second = subprocess.run([programs.node, "run", "--config", node.config], capture_output=True, timeout=60)
        said = second.stderr.decode() + second.stdout.decode()
        check(second.returncode == 1, f"the second node ended with {second.returncode}: {said}")
        check(node.settings["data_directory"] in said and "has it open" in said, f"the message is not clear: {said}")
        print("it said:", said.strip().splitlines()[-1])
        check(node.get("/readyz")[0] == 200, "the first node is not ready any more")
        node.stop()
        node.verify()


def graceful_stop(programs):
    """SIGTERM while a feed runs flat out: within 5 s, exit code 0, and what was in the log is counted once afterwards."""
    def feeds(count):
        return [feed("walk", programs.synthetic_feed, "--rate", 0, "--count", count, "--start-time", "2024-01-02T10:00:00Z",
                     "--symbols", 10)]
    total = 3_000_000
    with Node(programs, feeds(total), **PATIENT) as node:
        stops = []
        for _ in range(3):
            node.start()
            wait_for(lambda: node.metric_sum("stream_events_ingested_total") > 20_000, "events come in")
            check(node.feeds()["walk"]["phase"] == "up", "the feed had finished already: the machine is too fast for this")
            stops.append(node.stop())
            check(b"stopped:" in node.log_bytes(), "the log does not say that it stopped")
        print("stopped within", ", ".join(f"{s:.2f} s" for s in stops))
        events = node.verify()
        check(events > 0, "nothing is in the log")
        # The rest, as short as the log allows: a walk ends at `count`, and what came before is not sent again.
        node.change(feeds(events + 100_000), **PATIENT)
        node.start()
        node.wait_finished()
        bars = node.bars("60s")
        check(sum(int(b["trades"]) for b in bars) == events + 100_000, "the bars do not hold each event once")
        node.stop()
        check(node.verify() == events + 100_000, "the log does not hold each event once")
        jobs = list(csv.DictReader(io.StringIO(node.tool("jobs", "--format", "csv", "--kind", "produce"))))
        check([job["status"] for job in jobs] == ["done"] * 4, f"four runs of the feed, each ended in order: {jobs}")
        check(sum(int(job["rows"]) for job in jobs) >= events + 100_000, f"the runs' rows are fewer than the events: {jobs}")
        node.start()
        node.kill()
        node.start()
        status, text = node.get("/v1/jobs?limit=20")
        ended = [job["status"] for job in json.loads(text)["jobs"] if job["kind"] == "micro_batch"]
        check(status == 200 and ended[:3] == ["running", "failed", "done"], f"a killed node's run is not told: {text}")
        node.stop()


def bad_feeds(programs):
    """Feeds that are absent, that give up, that crash for ever, that never speak, that talk rubbish: each ends as it should,
    and the good one beside them does not notice."""
    rubbish = ["echo not JSON", r"printf '\377\376 not UTF-8\n'", say('{"symbol":"A"}'), "head -c 200000 /dev/zero | tr '\\0' x",
               "echo", r"printf '\000\001\002\n'", say('{"symbol":"A","src_ts":"2024-01-02T10:00:00Z","seq":1,"price":1.0000000001}'),
               "echo '[1,2]'"]
    feeds = [
        feed("good", *shell(HELLO, *(say(trade(n)) for n in range(1, 101)), EOF)),
        feed("absent", "/no/such/program", backoff=FAST_BACKOFF),
        feed("gives-up", *shell("echo 'ERROR: no licence' >&2", "exit 125")),
        feed("crashes", *shell(HELLO, "exit 3"), backoff=FAST_BACKOFF),
        feed("is-killed", *shell(HELLO, "kill -9 $$"), backoff=FAST_BACKOFF),
        feed("silent", *shell("exec sleep 1000"), ready_timeout_ms=200, backoff=FAST_BACKOFF),
        feed("deaf", *shell("trap '' TERM", HELLO, "while :; do sleep 1; done"), stop_grace_ms=300),
        feed("rubbish", *shell(HELLO, *rubbish, say(trade(1, "BBB")), EOF)),
        feed("wordy", *shell("head -c 100000 /dev/zero | tr '\\0' e >&2", r"printf '\377\n' >&2", HELLO, EOF)),
    ]
    wanted = {"good": "finished", "absent": "parked", "gives-up": "parked", "crashes": "parked", "is-killed": "parked",
              "silent": "parked", "deaf": "up", "rubbish": "finished", "wordy": "finished"}
    with Node(programs, feeds, **PATIENT) as node:
        node.start()
        wait_for(lambda: {n: s["phase"] for n, s in node.feeds().items()} == wanted, f"the feeds become {wanted}", 90)
        states = node.feeds()
        for name in ("absent", "crashes", "is-killed", "silent"):
            check(states[name]["starts"] == FAST_BACKOFF["crash_limit"] + 1, f"{name}: {states[name]}")
        check(states["gives-up"]["starts"] == 1, f"exit code 125 is not a reason to start again: {states['gives-up']}")
        check("not ready" in states["silent"]["last_end"], f"{states['silent']}")
        check("3" in states["crashes"]["last_end"] and "KILL" in states["is-killed"]["last_end"], f"{states}")
        check(b"ERROR" in node.log_bytes() and b"no licence" in node.log_bytes(), "what a feed says on stderr is not in the log")
        # Seven lines of the eight; an empty one is skipped.
        errors = {k: v for k, v in node.metrics().items() if k.startswith("errors_total") and "ingestor" in k and v}
        check(sum(errors.values()) == len(rubbish) - 1, f"dead letters: {errors}")
        for reason in ("malformed_line", "not_utf8", "line_too_long", "missing_field", "precision"):
            check(any(reason in k for k in errors), f"no dead letter says {reason}: {errors}")
        check(node.get("/healthz")[0] == 200 and node.get("/readyz")[0] == 200, "the node suffers from its feeds")
        bars = {}

        def are_there():
            bars.update({b["provider"]: int(b["trades"]) for b in node.bars("60s")})
            return len(bars) == 2
        letters = [json.loads(line) for line in node.tool("dlq", "list", "--json", "--feed", "rubbish").splitlines()]
        check({"malformed_line", "not_utf8", "line_too_long", "missing_field", "precision"} <= {x["name"] for x in letters},
              f"dlq list shows {letters}")
        check(any(x["bytes"] == r"\xff\xfe not UTF-8" for x in letters), f"the bytes of a bad line are not shown: {letters}")
        wait_for(are_there, f"bars of both that send trades; the tree: {node.tree()}", 20)
        check(bars == {"good": 100, "rubbish": 1}, f"bars: {bars}")
        node.stop()
        node.verify()
        check(not node._leftovers(patient=True), "a feed lives on")


def stubborn_feeds(programs):
    """Feeds that do not heed SIGTERM are killed side by side, so that all of them together take no longer than one."""
    feeds = [feed(f"deaf-{n}", *shell("trap '' TERM", HELLO, "while :; do sleep 1; done"), stop_grace_ms=2500) for n in range(4)]
    with Node(programs, feeds) as node:
        node.start()
        wait_for(lambda: all(f["phase"] == "up" for f in node.feeds().values()), "the feeds are up", 20)
        began = time.monotonic()
        node.stop()
        took = time.monotonic() - began
        check(b"not everything was done" not in node.log_bytes(), "the node did not finish in time")
        print(f"stopped within {took:.2f} s")
        node.verify()


QUOTES = """
import os, time
print('{"type":"hello","resumed":true}', flush=True)
for n in range(int(os.environ.get("FINSTREAM_RESUME_TOKEN") or 0) + 1, 2001):
    line = '{"symbol":"Q%d","kind":"quote","src_ts":"2024-01-02T10:%02d:%02dZ","seq":%d,"bid":10,"ask":%d,"resume":%d}'
    print(line % (n % 10, n // 60 % 60, n % 60, n, 11 + n % 5, n), flush=True)
    time.sleep(0.005)
print('{"type":"eof"}', flush=True)
"""


def log_is_trimmed(programs):
    """A log that is kept for two seconds is cut again and again, across kills; what is left replays to the same bytes, and
    no bar is lost from the store."""
    quotes = feed("quotes", sys.executable, "-c", QUOTES)
    feeds = [feed("walk", programs.synthetic_feed, "--rate", 2000, "--count", 20_000, "--symbols", 10, "--start-time", "2024-01-02T10:00:00Z"), quotes]
    with Node(programs, feeds, bus={"retain_ms": 2000}, checkpoint={"interval_ms": 100}, partitions=2) as node:
        node.start()
        for seconds in (4, 3):
            time.sleep(seconds)
            node.kill()
            node.start()
        node.wait_finished()
        bars = node.bars("1s", "walk")
        node.stop()
        replayed = node.verify()
        check(0 < replayed < 15_000, f"of 22,000 events in 10 s, kept for 2 s, {replayed} were left to replay")
        print(f"{replayed} of 22,000 events were left to replay")
        trades = sum(int(b["trades"]) for b in bars)
        check(trades == 20_000, f"{trades} trades are in the bars of the store, 20,000 were sent")


if __name__ == "__main__":
    sys.exit(run_scenarios(__doc__, (second_node_refused, graceful_stop, bad_feeds, stubborn_feeds, log_is_trimmed)))
