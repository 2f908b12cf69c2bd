#!/usr/bin/env python3
"""Processes that share a log on a real broker: roles.py --binaries DIRECTORY [--bus redis|nats] [--rate N] [--seconds S]

One brings in events, some work on partitions, one serves clients. Workers come, are killed, are stopped and go on (SIGSTOP),
and end in order, while events come in: the partitions of each that is gone are claimed by the others. In the end every copy
of the log has the bars that a node alone makes of the same feed.
"""

import argparse
import pathlib
import signal
import sys
import tempfile
import time

from brokers import INTERVALS, PATIENT, alone, bars_of, synthetic
from node import Failure, Node, Programs, check, wait_for
from servers import SERVERS

PARTITIONS = 4
CLAIM_AFTER_MS = 2000
NOTICE_SECONDS = 5  # a busy machine's time for what follows a claim


class Process(Node):
    """A node with a role: it may only be looked at through a port of its own."""

    def __init__(self, programs, role, feeds, **settings):
        super().__init__(programs, feeds, **settings)
        self.role = role
        self.options = ["--role", role, "--listen", "127.0.0.1:0"]

    def partitions(self):
        work = self.tree().get("/work")
        return set(work["works_on"]) if work else set()

    def place(self, partition, actor="appender"):
        return self.tree().get(f"/partitions/{partition}/{actor}") or {}


def is_at_rest(ingest, workers, feed_name):
    feed = ingest.feeds().get(feed_name)
    if not feed or feed["phase"] != "finished" or feed["chunks_underway"]:
        return False
    trees = [worker.tree() for worker in workers]
    for partition in range(PARTITIONS):
        ends = ingest.place(partition)["next"]
        windows = [t.get(f"/partitions/{partition}/window") for t in trees]
        windows = [w for w in windows if w]
        if len(windows) != 1 or windows[0]["next"] != ends or windows[0]["open_windows"]:
            return False
    return True


def share(workers, counts, what, deadline=60):
    """Until the partitions are spread like this, with none left over. How long it took."""
    began = time.monotonic()

    def spread():
        held = [worker.partitions() for worker in workers]
        return sorted(map(len, held)) == sorted(counts) and set().union(*held) == set(range(PARTITIONS))
    wait_for(spread, what, deadline)
    return time.monotonic() - began


def come_and_go(make, ingest):
    """Workers come and go; those that are left at the end."""
    first, second, third = make("window"), make("window,features"), make("infer")
    first.start()
    share([first], [4], "the only worker has all partitions")
    second.start()
    share([first, second], [2, 2], "the second worker has its share")
    first.kill()
    took = share([second], [4], "the second worker has claimed what the killed one had")
    check(took < CLAIM_AFTER_MS / 1000 + NOTICE_SECONDS, f"what a killed worker had was claimed only after {took:.1f} s")
    third.start()
    share([second, third], [2, 2], "the third worker has its share")
    third.process.send_signal(signal.SIGSTOP)
    share([second], [4], "the second worker has claimed what the one that stands still had")
    third.process.send_signal(signal.SIGCONT)
    share([second, third], [2, 2], "the one that goes on has its share again")
    second.stop()
    left = share([third], [4], "the third worker has what was given to it")
    check(left < CLAIM_AFTER_MS / 1000 + NOTICE_SECONDS, f"what was given in order was taken only after {left:.1f} s")
    check(ingest.process.poll() is None, "the process that brings in events has ended")
    print(f"killed: claimed after {took:.1f} s (bus.broker.claim_after_ms is {CLAIM_AFTER_MS}); stopped in order: {left:.1f} s")
    return [third]


def run(programs, server, arguments):
    feeds = [synthetic(programs, arguments.rate, int(arguments.rate * arguments.seconds))]
    settings = {**PATIENT, "partitions": PARTITIONS, "bus": {"type": server.driver,
                "broker": {"url": server.url, "claim_after_ms": CLAIM_AFTER_MS}}}
    everyone = []

    def make(role):
        it = Process(programs, role, feeds, **settings)
        everyone.append(it)
        return it
    try:
        pages, ingest = make("gateway"), make("ingest")
        pages.start(wait=False)  # there is no log yet: it waits for one
        ingest.start()
        pages.wait_ready()
        workers = come_and_go(make, ingest)
        wait_for(lambda: is_at_rest(ingest, workers, feeds[0]["name"]), "all events are in bars", deadline=arguments.seconds + 120, poll=0.5)
        ends = [workers[0].place(p)["next_bar"] for p in range(PARTITIONS)]
        for copy in (pages, ingest):
            wait_for(lambda copy=copy: [copy.place(p)["next_bar"] for p in range(PARTITIONS)] == ends, f"the copy of {copy.role} has all bars")
        for process in [*workers, pages, ingest]:
            process.stop()
        copies = [bars_of(process) for process in (workers[0], pages, ingest)]
        events = pages.verify()
        check(all(copy == copies[0] for copy in copies), "the copies of the log have different bars")
    except BaseException:
        for it in everyone:
            it.__exit__(Failure, None, None) if it.starts else None
        raise
    expected = alone(programs, feeds, PARTITIONS)
    differ = [pair for interval in INTERVALS for pair in zip(copies[0][interval], expected[interval]) if pair[0] != pair[1]]
    check(copies[0] == expected, f"the bars are not those of a node alone: {differ[:2]}")
    rows = sum(len(x) for x in expected.values())
    for it in everyone:
        it.__exit__(None, None, None)
    print(f"{server.driver}: {events} events in {PARTITIONS} partitions, worked on by 3 processes in turn: {rows} bars in each of 3 copies, "
          f"as of a node alone; replay finds no difference")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--binaries", required=True)
    parser.add_argument("--bus", choices=SERVERS, default="redis")
    parser.add_argument("--rate", type=int, default=2000)
    parser.add_argument("--seconds", type=float, default=25)
    arguments = parser.parse_args()
    programs = Programs(arguments.binaries)
    with tempfile.TemporaryDirectory(prefix="finstream-broker-") as directory:
        with SERVERS[arguments.bus](pathlib.Path(directory)) as server:
            try:
                run(programs, server, arguments)
            except Failure as failure:
                print(f"BAD {failure}")
                return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
