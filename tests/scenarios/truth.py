#!/usr/bin/env python3
"""The truth of the bars: recorded data through a feed, a node and its store, compared row by row with bars that pandas made.

Every case runs a whole node and asks for the same bars, however the data arrived and whatever happened on the way. After
each one `replay --verify` must find no difference. The seed is printed: the same one draws the same moments.
"""

import argparse
import json
import os
import random
import shutil
import sys
import tempfile
import time
import traceback

import datasets
import line_mixer
from node import SKIPPED, Failure, Node, Programs, feed, wait_for

SOURCE_DIR = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
MIX_EVERY = 37        # lines between two bad ones
UP_SECONDS = 0.9      # a node that is to be killed lives up to this long after its feeds are up
TOLD_DIFFERENCES = 5

# A machine that is busy elsewhere may hold up a feed for longer than the second after which a live source counts as idle;
# its open windows would then close early, rightly. Recorded data has an end, which closes them, so nobody waits for this.
PATIENT = {"windows": {"flush_timeout_ms": 60_000, "resume_grace_ms": 120_000},
           "supervisor": {"max_restarts": 1000}, "log": {"level": "info"}}
# All stages work, so that a kill meets them and the replay compares what they made.
FEATURES = {"windows": [{"name": name, "bars": bars} for name, bars in (
    ("vwap_20", 20), ("vol_20", 20), ("rsi_14", 14), ("momentum_10", 10), ("skew_20", 20))]}
RULES = [{"name": "rising", "condition": "momentum > 0.0005 and close > vwap", "signal": 1, "score": 0.5},
         {"name": "overbought", "condition": "rsi > 70", "signal": -1, "score": 0.7, "cooldown": "60s"},
         {"name": "skewed", "condition": "abs(skew) > 2", "signal": 0, "score": 0.1, "emit": "level"}]


class Run:
    """What all cases share, and the count of what they compared."""

    def __init__(self, arguments, programs, folder):
        self.programs = programs
        self.folder = folder
        self.seed = arguments.seed
        self.chance = random.Random(arguments.seed)
        self.rows = self.cases = self.kills = self.landed = self.crashes = 0
        self.failed = []
        self.rules = os.path.join(folder, "rules.yaml")
        with open(self.rules, "w", encoding="utf-8") as file:
            json.dump(RULES, file)  # which is YAML

    def node(self, sets, form="plain", wrap=(), speed=0, **settings):
        stages = {"features": FEATURES, "inference": {"adapters": {"rules": {"enabled": True, "file": self.rules}}}}
        return Node(self.programs, self.feeds(sets, form, wrap, speed), **{**PATIENT, **stages, **settings})

    def feeds(self, sets, form="plain", wrap=(), speed=0):
        return [feed(s.name, *wrap, *s.command(self.programs, s.source(self.folder, form, self.seed), speed)) for s in sets]

    def compare(self, node, sets, recorded=True):
        """Bars as `finstream bars` prints them, beside the running node or without it."""
        wrong, told = [], []
        for interval in datasets.INTERVALS:
            for data in sets:
                ours = node.bars(interval, data.name)
                rows, differences = data.compare(interval, ours)
                self.rows += rows
                wrong += differences
                if recorded:
                    counts, differences = data.compare_with_recorded(interval, ours)
                    told += counts
                    wrong += differences
        for line in told:
            print("     ", line)
        if wrong:
            raise Failure(f"{len(wrong)} differences, such as\n  " + "\n  ".join(wrong[:TOLD_DIFFERENCES]))

    def case(self, title, function, *arguments, **settings):
        began, rows = time.monotonic(), self.rows
        print(f"    {title} ...", flush=True)
        try:
            said = function(self, *arguments, **settings)
            print(f"ok  {title}: {self.rows - rows} bars equal{said or ''} ({time.monotonic() - began:.1f} s)", flush=True)
        except Exception as error:  # the next case runs all the same
            self.failed.append(title)
            what = error if isinstance(error, Failure) else traceback.format_exc()
            print(f"BAD {title}: {what}\n    ({time.monotonic() - began:.1f} s)", flush=True)
        self.cases += 1


def finish(run, node, sets, threads=1, recorded=False):
    """To the end, then: the bars beside the running node, SIGTERM, and the replay."""
    node.wait_finished()
    run.compare(node, sets, recorded)
    node.stop()
    return node.verify(threads)


def expect(value, wanted, what):
    if value != wanted:
        raise Failure(f"{what}: {value:g} instead of {wanted}")


# --- the cases


def whole(run, sets, form="plain", **settings):
    """Nothing happens; `form` is how the data arrives."""
    events = sum(len(s.rows) for s in sets)
    with run.node(sets, form, **settings) as node:
        node.start()
        node.wait_finished()
        expect(node.metric_sum("finstream_duplicates_total"), events if form == "doubled" else 0, "duplicates")
        expect(node.metric_sum("errors_total"), 0, "errors")
        replayed = finish(run, node, sets, settings.get("partitions", 1), recorded=form == "plain" and not settings)
        expect(replayed, events, "events in the log")
        if b", 0 dead letters" not in node.log_bytes():
            raise Failure(f"there are dead letters:\n{node.log_tail(3)}")


def garbage(run, sets):
    """Bad lines among the good ones: counted, and nothing else."""
    wrap = (sys.executable, "-B", os.path.join(SOURCE_DIR, "tests/scenarios/line_mixer.py"), MIX_EVERY)
    bad = sum(line_mixer.bad_lines(len(s.rows), MIX_EVERY) for s in sets)
    with run.node(sets, wrap=wrap) as node:
        node.start()
        node.wait_finished()
        expect(node.metric_sum("errors_total", 'component="ingestor"'), bad, "dead letters")
        finish(run, node, sets)
    return f", {bad} bad lines counted"


def paced(sets, seconds):
    """The pace at which the longest of these sets takes this long. Gaps in the data are kept, so some are over sooner."""
    return max(s.seconds for s in sets) / seconds


def let_live(run, node, sets):
    """Lets a node live for a random time; says whether some feed had not finished when it was over."""
    if run.chance.random() < 0.25:  # somewhere in its start
        time.sleep(run.chance.uniform(0.0, 0.5))
    else:
        node.wait_ready()
        wait_for(lambda: any(f["phase"] in ("up", "finished") for f in node.feeds().values()), "a feed is up")
        time.sleep(run.chance.uniform(0.0, UP_SECONDS))
    phases = {name: state["phase"] for name, state in node.feeds(timeout=2).items()}
    return len(phases) < len(sets) or any(p != "finished" for p in phases.values())


def interrupted(run, sets, times, graceful=False, **settings):
    """Ended at random moments and started again on the same data; the rest flat out."""
    speed = paced(sets, times * UP_SECONDS * 0.75)
    landed = 0
    with run.node(sets, speed=speed, **settings) as node:
        unfinished = True
        for _ in range(times):
            node.start(wait=graceful)
            alive = let_live(run, node, sets)
            unfinished = unfinished and alive if node.port else unfinished
            landed += unfinished
            if graceful:
                node.stop()
            else:
                node.kill()
        before_last = node.verify(settings.get("partitions", 1))
        node.change(run.feeds(sets), **settings)
        node.start()
        replayed = finish(run, node, sets, settings.get("partitions", 1))
        expect(replayed, sum(len(s.rows) for s in sets), "events in the log, each once")
    run.kills, run.landed = run.kills + times, run.landed + landed
    if landed < times * 0.6:
        raise Failure(f"only {landed} of {times} stops were before the end: the pace is wrong")
    return f", {landed} of {times} {'stops' if graceful else 'kills'} in the middle, {before_last} events before the last start"


def crashes(run, sets, rounds=1, **settings):
    """Every actor of the tree is made to throw, one after the other; at last the root, which ends the node."""
    with run.node(sets, speed=paced(sets, 12 * rounds), **settings) as node:
        node.start()
        paths = [p for p in wait_for(node.tree, "the tree answers") if p != "/" and not p.startswith("/sessions/")]
        paths *= rounds
        run.chance.shuffle(paths)
        for path in paths:
            time.sleep(run.chance.uniform(0.0, 0.4))
            crash(node, path)
        time.sleep(run.chance.uniform(0.0, 0.4))
        node.get("/v1/admin/crash?actor=/", method="POST")
        if node.process.wait(30) != 1:
            raise Failure(f"after a crash of the root the node ended with code {node.process.returncode} instead of 1")
        node.start()
        finish(run, node, sets, settings.get("partitions", 1))
    run.crashes += len(paths) + 1
    return f", {len(paths)} crashes and one of the root"


def crash(node, path):
    """Makes it throw, and waits until its restart is counted and it answers again."""
    restarts = f'finstream_actor_restarts_total{{actor="{path}"}}'
    before = wait_for(node.metrics, "the gateway answers").get(restarts, 0)
    wait_for(lambda: node.get(f"/v1/admin/crash?actor={path}", method="POST")[0] == 202, f"{path} can be asked to crash")
    try:
        wait_for(lambda: node.metrics().get(restarts, 0) > before, f"the restart of {path} is counted", 30)
        wait_for(lambda: node.tree().get(path) is not None, f"{path} answers after its restart", 30)
    except Failure:
        print(node.tree())
        raise


# --- which cases


def quick(run, sets, kills):
    by_name = {s.name: s for s in sets}
    small = [s for s in sets if len(s.rows) < 50_000]
    large = [by_name[n] for n in ("lean-spy-20131007",) if n in by_name]
    for data in small:
        run.case(f"{data.name} alone", whole, [data])
    for data in large:
        run.case(f"{data.name} alone", whole, [data])
    run.case("small sets together, 2 partitions, 4 threads", whole, small, partitions=2, scheduler={"threads": 4})
    for form in ("shuffled", "doubled"):
        run.case(f"small sets {form}", whole, small, form)
    run.case("small sets with garbage", garbage, small)
    run.case(f"small sets, {kills} kills", interrupted, small, kills)
    run.case("small sets, 3 stops, 2 partitions", interrupted, small, 3, graceful=True, partitions=2)
    run.case("small sets, crashes of every actor", crashes, small[-1:])


def everything(run, sets, kills, threads):
    for data in sets:
        run.case(f"{data.name} alone", whole, [data])
    for count in threads:
        for partitions in (1, 2, 4):
            title = f"all sets together, {count} threads, {partitions} partitions"
            run.case(title, whole, sets, partitions=partitions, scheduler={"threads": count})
    for form in ("shuffled", "doubled"):
        for data in sets:
            run.case(f"{data.name} {form}", whole, [data], form)
        run.case(f"all sets {form}, 2 partitions", whole, sets, form, partitions=2)
    run.case("all sets with garbage", garbage, sets)
    for count in threads:
        share = kills // len(threads) + (kills % len(threads) if count == threads[0] else 0)
        settings = {"partitions": count, "scheduler": {"threads": count}}
        run.case(f"all sets, {share} kills, {count} threads and partitions", interrupted, sets, share, **settings)
        run.case(f"all sets, 5 stops, {count} threads and partitions", interrupted, sets, 5, graceful=True, **settings)
        run.case(f"all sets, crashes of every actor, {count} threads and partitions", crashes, sets, 2, **settings)


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--binaries", default=os.path.join(SOURCE_DIR, "build/release"), help="the build directory")
    parser.add_argument("--data", default=os.path.join(os.path.dirname(SOURCE_DIR), "shared/data"))
    parser.add_argument("--quick", action="store_true", help="every kind of case, on small sets and one large one")
    parser.add_argument("--only", default="", help="cases whose title has this in it")
    parser.add_argument("--sets", default="", help="names, with commas between")
    parser.add_argument("--kills", type=int, help="kill -9 in all (50, quick 8)")
    parser.add_argument("--threads", default="1,2,4", help="scheduler threads to run with")
    parser.add_argument("--seed", type=int, default=20261121)
    arguments = parser.parse_args()

    sets = datasets.find(arguments.data, list(filter(None, arguments.sets.split(","))))
    if not sets:
        print(f"skipped: there is no recorded data in {arguments.data}")
        return SKIPPED
    folder = tempfile.mkdtemp(prefix="finstream-truth-")
    try:
        return show(arguments, sets, folder)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def show(arguments, sets, folder):
    began = time.monotonic()
    print(f"seed {arguments.seed}, {len(sets)} sets, {sum(len(s.rows) for s in sets)} rows")
    for data in sets:
        if data.note:
            print(f"{data.name}: {data.note}")
    run = Run(arguments, Programs(arguments.binaries), folder)
    if arguments.only:
        every_case = run.case
        run.case = lambda title, *rest, **settings: every_case(title, *rest, **settings) if arguments.only in title else None
    if arguments.quick:
        quick(run, sets, arguments.kills or 8)
    else:
        everything(run, sets, arguments.kills or 50, [int(t) for t in arguments.threads.split(",")])
    print(f"{run.cases} cases, {run.rows} bars compared, {run.landed} of {run.kills} kills and stops in the middle, "
          f"{run.crashes} crashes, {time.monotonic() - began:.0f} s: "
          + (f"{len(run.failed)} FAILED: {'; '.join(run.failed)}" if run.failed else "all equal"))
    return 1 if run.failed else 0


if __name__ == "__main__":
    sys.exit(main())
