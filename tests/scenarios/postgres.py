#!/usr/bin/env python3
"""A node that writes to a real PostgreSQL: postgres.py --binaries DIRECTORY [--seed N] [--rounds N].

In each round the node is killed, or the database is, or the database is away for a while. In the end both stores hold the
same rows, each once, and a replay of the log gives them all. With --outage SECONDS the database is away for so long instead,
under --rate events a second, and the rate of the catching up is told. --models adds a trained model to the stages.
"""

import argparse
import csv
import io
import os
import pathlib
import pwd
import random
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time

import models
from node import Failure, Node, Programs, feed, wait_for

VERSIONS = pathlib.Path("/usr/lib/postgresql")
RULES = """
- {name: up, condition: "momentum > 0", signal: 1.0, score: 0.5}
- {name: busy, condition: "vol_5s > 0 and vwap_5s > 0", signal: 0.0, score: 0.5, emit: level}
- {name: low, condition: "rsi < 45", signal: -1.0, score: 0.5, cooldown: 3s}
"""
FEATURES = {"interval": "1s", "windows": [{"name": "vwap_5s", "horizon": "5s"}, {"name": "vol_5s", "horizon": "5s"}]}
RATE, SECONDS_A_ROUND = 3000, 3


def check(condition, what):
    if not condition:
        raise Failure(what)


class Postgres:
    """A server of its own, in a directory of its own, reached by a socket there. It does not run as root."""

    def __init__(self, directory):
        versions = sorted(VERSIONS.glob("*/bin/initdb"), key=lambda path: float(path.parts[-3]))
        check(versions, "PostgreSQL is not installed: ./dev test installs it")
        self.programs = versions[-1].parent
        self.directory = pathlib.Path(directory)
        self.as_user = []
        if os.geteuid() == 0:
            owner = pwd.getpwnam("postgres")
            os.chown(self.directory, owner.pw_uid, owner.pw_gid)
            self.as_user = ["setpriv", f"--reuid={owner.pw_uid}", f"--regid={owner.pw_gid}", "--clear-groups"]
        self.run("initdb", "-D", self.directory / "data", "-U", "finstream", "-A", "trust", "-E", "UTF8", "--no-locale", "--no-sync")
        self.process = None
        self.start()
        self.sql("create database market", database="postgres")

    def run(self, program, *arguments):
        done = subprocess.run([*self.as_user, self.programs / program, *arguments], capture_output=True, text=True, timeout=120, check=False)
        check(done.returncode == 0, f"{program} failed: {done.stderr}")
        return done.stdout

    @property
    def connection(self):
        return f"host={self.directory} user=finstream dbname=market"

    def start(self):
        self.process = subprocess.Popen(
            [*self.as_user, self.programs / "postgres", "-D", self.directory / "data", "-k", self.directory, "-c", "listen_addresses="],
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        ready = [*self.as_user, self.programs / "pg_isready", "-q", "-h", self.directory, "-d", "postgres", "-U", "finstream"]
        wait_for(lambda: subprocess.run(ready, check=False).returncode == 0, "PostgreSQL to take connections", deadline=60)

    def end(self, how):
        self.process.send_signal(how)
        self.process.wait(timeout=60)

    def sql(self, text, database="market"):
        return self.run("psql", "-h", self.directory, "-U", "finstream", "-d", database, "-At", "-F,", "-v", "ON_ERROR_STOP=1", "-c", text)

    def count(self, table):
        return int(self.sql(f"select count(*) from {table}"))


def kill_node(node, database, dice):
    node.kill()
    time.sleep(dice.uniform(0, 0.5))
    node.start()


def kill_database(node, database, dice):
    database.end(signal.SIGQUIT)  # at once, its children with it
    time.sleep(dice.uniform(0, 2))
    database.start()


def kill_both(node, database, dice):
    database.end(signal.SIGQUIT)
    node.kill()
    node.start()
    check(node.get("/readyz")[0] == 200, "without its database the node is not ready")
    database.start()


def compare(node, database):
    text = node.tool("replay", "--verify")
    found = re.search(r"(\d+) bars, (\d+) feature vectors, (\d+) signals, (\d+) differences", text)
    check(found and found[4] == "0", f"replay --verify: {text}")
    bars, vectors, signals = int(found[1]), int(found[2]), int(found[3])
    check(bars > 0 and vectors > 0 and signals > 0, f"nothing to compare: {text}")
    kept = {name: database.count(name) for name in ("bars_ohlcv", "features", "signals")}
    check(kept == {"bars_ohlcv": bars, "features": vectors, "signals": signals}, f"the log gives {text}, PostgreSQL holds {kept}")
    theirs = set(database.sql("select provider, symbol, start_ns, interval_ns, trim_scale(open), trim_scale(high), trim_scale(low), "
                              "trim_scale(close), trim_scale(volume), trades, revision from bars_ohlcv").split())
    mine = set()
    for interval in ("1s", "5s"):
        for row in csv.DictReader(io.StringIO(node.tool("bars", "--interval", interval, "--format", "csv"))):
            mine.add(",".join([row["provider"], row["symbol"], in_ns(row["start"]), str(int(interval[:-1]) * 10**9), row["open"], row["high"],
                               row["low"], row["close"], row["volume"], row["trades"], row["revision"]]))
    jobs = {tuple(job[key] for key in ("started", "status", "rows")) for job in csv.DictReader(io.StringIO(node.tool("jobs", "--limit", "0", "--format", "csv")))}
    told = {(in_words(ns), status, rows) for ns, status, rows in
            (row.split(",") for row in database.sql("select started_ns, status, row_count from job_runs").split())}
    check(len(jobs) >= 2, f"few runs are kept: {jobs}")
    check(jobs == told, f"runs of jobs in the node's store: {sorted(jobs - told)}, in PostgreSQL: {sorted(told - jobs)}")
    check(mine == theirs, f"{len(mine - theirs)} bars are only in the node's store, such as {sorted(mine - theirs)[:2]}; "
                          f"{len(theirs - mine)} only in PostgreSQL, such as {sorted(theirs - mine)[:2]}")
    return bars, vectors, signals


def in_ns(text):
    whole = time.strptime(text[:19] + "UTC", "%Y-%m-%dT%H:%M:%S%Z")
    fraction = (text[19:].strip(".Z") or "0").ljust(9, "0")
    return str((int(time.mktime(whole)) - time.timezone) * 10**9 + int(fraction))


def be_away(node, database, seconds):
    """Says how fast the store caught up. What is in it on the way is always the beginning of what there is."""
    time.sleep(5)
    database.end(signal.SIGQUIT)
    time.sleep(seconds)
    behind = node.metric_sum("finstream_store_lag_items")
    database.start()
    began, looks = time.monotonic(), 0
    rows_before = database.count("bars_ohlcv") + database.count("features") + database.count("signals")
    while node.metric_sum("finstream_store_lag_items") > 500 and time.monotonic() < began + 120:
        holes = database.sql("select symbol from bars_ohlcv where interval_ns = 1000000000 group by symbol, provider "
                             "having count(*) <> (max(start_ns) - min(start_ns)) / 1000000000 + 1")
        check(not holes, f"while it catches up, bars are missing before others: {holes}")
        looks += 1
    took = time.monotonic() - began
    rows = database.count("bars_ohlcv") + database.count("features") + database.count("signals") - rows_before
    check(looks > 0, "the store had caught up before anybody could look")
    return f"away for {seconds:.0f} s, {behind:.0f} records behind; {rows} rows in {took:.1f} s ({rows / took:.0f} a second) while it was looked at {looks} times"


def in_words(ns):
    fraction = f"{int(ns) % 10**9:09}"
    while fraction.endswith("000"):  # as the node writes it: none, 3, 6 or 9 digits
        fraction = fraction[:-3]
    return time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(int(ns) // 10**9)) + ("." + fraction if fraction else "") + "Z"


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--binaries", required=True)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--rounds", type=int, default=4)
    parser.add_argument("--outage", type=float, default=0)
    parser.add_argument("--rate", type=int, default=RATE)
    parser.add_argument("--models", action="store_true")
    options = parser.parse_args()
    os.environ["TZ"] = "UTC"
    time.tzset()
    dice = random.Random(options.seed)
    programs = Programs(options.binaries)
    began = time.monotonic()
    directory = tempfile.mkdtemp(prefix="finstream-postgres-")
    database = None
    try:
        database = Postgres(directory)
        rules = pathlib.Path(directory) / "rules.yaml"
        rules.write_text(RULES, encoding="utf-8")
        seconds = options.outage + 15 if options.outage else SECONDS_A_ROUND * (options.rounds + 1)
        walk = feed("walk", programs.synthetic_feed, "--rate", options.rate, "--symbols", 20 if options.outage else 4,
                    "--count", int(options.rate * seconds), "--seed", options.seed, "--start-time", "2024-01-02T10:00:00Z",
                    "--step-us", max(1, 6_000_000 // options.rate), "--duplicate-share", "0.02", "--late-share", "0.02")
        adapters, features = {"adapters": {"rules": {"enabled": True, "file": str(rules)}}}, FEATURES
        if options.models:
            pathlib.Path(directory).chmod(0o755)
            (kept := pathlib.Path(directory) / "models").mkdir()
            models.train(programs, kept)
            adapters = {**models.adapters(rules, xgboost=(kept / "trees.ubj", models.PATIENT), sklearn=(kept / "forest.pkl", models.PATIENT)),
                        "models": models.LIMITS}
            features = {"interval": "1s", "windows": FEATURES["windows"] + [x for x in models.FEATURES["windows"] if x["name"] != "vol_5s"]}
        with Node(programs, [walk], windows={"intervals": ["1s", "5s"], "resume_grace_ms": 60_000, "flush_timeout_ms": 30_000},
                  features=features, inference=adapters,
                  stores={"postgres": {"enabled": True, "connection": database.connection}}) as node:
            node.start()
            if options.outage:
                print(be_away(node, database, options.outage), flush=True)
                options.rounds = 0
            for _ in range(options.rounds):
                time.sleep(dice.uniform(1, SECONDS_A_ROUND))
                act = dice.choice([kill_node, kill_node, kill_database, kill_both])
                act(node, database, dice)
            node.wait_finished()
            wait_for(lambda: node.metric_sum("finstream_model_lag_items") == 0, "the models to be done with all vectors", deadline=60)
            node.wait_finished()
            wait_for(lambda: node.metric_sum("finstream_store_lag_items") == 0 and database.count("bars_ohlcv") > 0,
                     "PostgreSQL to catch up", deadline=60)
            node.stop()
            bars, vectors, signals = compare(node, database)
    except Failure as failure:
        print(f"BAD postgres: {failure}")
        return 1
    finally:
        if database and database.process.poll() is None:
            database.end(signal.SIGQUIT)
        shutil.rmtree(directory, ignore_errors=True)
    print(f"ok  postgres: {options.rounds} kills, {bars} bars, {vectors} feature vectors, {signals} signals, each once in both stores "
          f"({time.monotonic() - began:.1f} s)")
    return 0


if __name__ == "__main__":
    sys.exit(main())
