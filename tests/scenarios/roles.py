#!/usr/bin/env python3
"""Processes that share a log on a real broker: roles.py --binaries DIRECTORY [--bus redis|nats|kafka] [--rate N] [--seconds S]

One brings in events, some work on partitions, one serves clients, one writes into PostgreSQL. Workers come, are killed, are
stopped and go on (SIGSTOP), and end in order, while events come in: the partitions of each that is gone are claimed by the
others. In the end every copy of the log, and the database, have the bars, features and signals that a node alone makes of
the same feed, but for rows that the database refuses, of which every copy has a dead letter; and `verify` finds no damage in
the data of any process, however it ended.
"""

import argparse
import json
import pathlib
import re
import signal
import sys
import tempfile
import time

from brokers import INTERVALS, PATIENT, synthetic
from node import Failure, Node, Programs, check, wait_for
from postgres import FEATURES, RULES, VERSIONS, Postgres
from servers import SERVERS, Kafka

PARTITIONS = 4
REFUSED = "SYM001"  # by the database
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


def ends_of_bars(process):
    return [process.place(p)["next_bar"] for p in range(PARTITIONS)]


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


def made_by(node):
    """All that was made of the events, in the order of the stores."""
    out = {interval: node.bars(interval) for interval in INTERVALS}
    for what in ("features", "signals"):
        out[what] = sorted(node.tool(what, "--format", "csv").splitlines())
    return out


def refused_rows(process):
    """By where in the log they are."""
    kept = [json.loads(line) for line in process.tool("dlq", "list", "--json", "--limit", "0", "--code", "undeliverable").splitlines()]
    check(all(REFUSED in letter["bytes"] for letter in kept), f"another row was refused: {kept}")
    return sorted(letter["cause"] for letter in kept)


def made_alone(programs, feeds, settings):
    with Node(programs, feeds, **settings) as node:
        node.start()
        node.wait_finished()
        return made_by(node)


def run(programs, server, database, directory, arguments):
    feeds = [synthetic(programs, arguments.rate, int(arguments.rate * arguments.seconds))]
    rules = directory / "rules.yaml"
    rules.write_text(RULES, encoding="utf-8")
    work = {**PATIENT, "partitions": PARTITIONS, "features": FEATURES,
            "inference": {"adapters": {"rules": {"enabled": True, "file": str(rules)}}}}
    settings = {**work, "bus": {"type": server.driver, "broker": {"url": server.url, "claim_after_ms": CLAIM_AFTER_MS}}}
    if database:
        settings["stores"] = {"postgres": {"enabled": True, "connection": database.connection}}
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
        if database:
            make("store").start()
            wait_for(lambda: database.sql("select to_regclass('bars_ohlcv')").strip(), "the store has made its tables")
            database.sql(f"alter table bars_ohlcv add constraint not_this_one check (symbol <> '{REFUSED}' or interval_ns <> 1000000000)")
        workers = come_and_go(make, ingest)
        wait_for(lambda: is_at_rest(ingest, workers, feeds[0]["name"]), "all events are in bars", deadline=arguments.seconds + 120, poll=0.5)
        copies = [workers[0], *(process for process in everyone if process.role in ("gateway", "ingest", "store"))]
        for copy in copies:
            wait_for(lambda copy=copy: ends_of_bars(copy) == ends_of_bars(workers[0]), f"the copy of {copy.role} has all bars")
        check(pages.get("/healthz")[0] == 200 and pages.get("/readyz")[0] == 200, "the process that serves clients is not ready")
        if database:
            wait_for(lambda: copies[-1].metric_sum("finstream_store_lag_items") == 0, "the database has everything")
        for process in copies:
            process.check_metrics()
            process.stop()
        made = [made_by(process) for process in copies]
        events = pages.verify()
        check(all(copy == made[0] for copy in made), "the copies of the log are different")
        for process in everyone:  # the killed one, too
            check("\nsound\n" in process.tool("verify"), f"verify does not find the data of {process.role} sound")
    except BaseException:
        for it in everyone:
            it.__exit__(Failure, None, None) if it.starts else None
        raise
    expected = made_alone(programs, feeds, work)
    for what, rows in expected.items():
        differ = [pair for pair in zip(made[0][what], rows) if pair[0] != pair[1]]
        check(made[0][what] == rows, f"the {what} are not those of a node alone: {len(made[0][what])} and {len(rows)}, {differ[:2]}")
    counts = {what: len(rows) for what, rows in expected.items()}
    letters = []
    if database:
        stored = [database.count(table) for table in ("bars_ohlcv", "features", "signals")]
        replayed = re.search(r"(\d+) bars, (\d+) feature vectors, (\d+) signals", pages.tool("replay", "--verify"))
        letters = [refused_rows(process) for process in copies]
        check(letters[0] and all(x == letters[0] for x in letters), f"the copies have {[len(x) for x in letters]} letters of refused rows")
        stored[0] += len(letters[0])
        check(stored == [int(replayed[i]) for i in (1, 2, 3)], f"the database has {stored}, the log {replayed[0]}")
        there = int(database.sql("select count(*) from dead_letters where code = 'undeliverable'"))
        check(there == len(letters[0]), f"{there} of {len(letters[0])} letters are in the database")
    for it in everyone:
        it.__exit__(None, None, None)
    print(f"{server.driver}: {events} events in {PARTITIONS} partitions, worked on by 3 processes in turn: {counts} in each of {len(copies)} "
          f"copies{f' and, but for {len(letters[0])} that it refuses, in PostgreSQL' if letters else ''}, as of a node alone; replay finds no difference, "
          f"and verify no damage in {len(everyone)} directories")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--binaries", required=True)
    parser.add_argument("--bus", choices=SERVERS, default="redis")
    parser.add_argument("--store", action="store_true", help="and a process that writes into PostgreSQL")
    parser.add_argument("--rate", type=int, default=2000)
    parser.add_argument("--seconds", type=float, default=25)
    arguments = parser.parse_args()
    programs = Programs(arguments.binaries)
    with tempfile.TemporaryDirectory(prefix="finstream-broker-") as name, tempfile.TemporaryDirectory(prefix="finstream-pg-") as socket:
        database = Postgres(socket) if arguments.store and any(VERSIONS.glob("*/bin/initdb")) else None
        try:
            binaries = pathlib.Path(arguments.binaries)
            with Kafka(binaries, PARTITIONS) if arguments.bus == "kafka" else SERVERS[arguments.bus](pathlib.Path(name)) as server:
                run(programs, server, database, pathlib.Path(name), arguments)
        except Failure as failure:
            print(f"BAD {failure}")
            return 1
        finally:
            if database:
                database.end(signal.SIGQUIT)
    return 0


if __name__ == "__main__":
    sys.exit(main())
