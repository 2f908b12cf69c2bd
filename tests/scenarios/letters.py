#!/usr/bin/env python3
"""Dead letters of a whole node: letters.py SCENARIO --binaries DIRECTORY.

What could not be used is kept and shown, poison is set aside, and where raw capture is on, a signal leads back to the very
lines that its feed printed.
"""

import json
import os
import pathlib
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time

from node import Failure, Node, feed, run_scenarios, wait_for
from postgres import Postgres

RULES = """
- {name: up, condition: "momentum > 0", signal: 1.0, score: 0.5}
- {name: down, condition: "momentum < 0", signal: -1.0, score: 0.5}
"""
FEATURES = {"interval": "1s", "windows": [{"name": "momentum", "bars": 2}]}
BEGAN = "2024-01-02T10:00:00Z"


def check(condition, what):
    if not condition:
        raise Failure(what)


def with_rules(directory):
    rules = pathlib.Path(directory) / "rules.yaml"
    rules.write_text(RULES, encoding="utf-8")
    return {"features": FEATURES, "inference": {"adapters": {"rules": {"enabled": True, "file": str(rules)}}}}


def letters(node, *arguments):
    return [json.loads(line) for line in node.tool("dlq", "list", "--json", "--limit", "0", *arguments).splitlines()]


# --- scenarios


def poison(programs):
    """Three records at which a stage crashes, one a stage. The node is killed between the crashes; then it sets each aside
    and goes on, and a replay leaves out the same."""
    writer = os.path.join(programs.directory, "tests", "poison_writer")
    count = 30_000
    walk = feed("walk", programs.synthetic_feed, "--rate", 3000, "--count", count, "--symbols", 6, "--start-time", BEGAN)
    directory = tempfile.mkdtemp(prefix="finstream-letters-")
    with Node(programs, [walk], directory, partitions=2, checkpoint={"interval_ms": 200}, **with_rules(directory)) as node:
        node.start()
        wait_for(lambda: node.metric_sum("microbatch_flush_rows") > 0, "some bars")
        node.stop()
        data = node.settings["data_directory"]
        offsets = {stage: int(subprocess.run([writer, data, "1", stage], check=True, capture_output=True, timeout=60).stdout)
                   for stage in ("window", "features", "inference")}
        # As many crashes as it takes to be killed in the middle of them: nothing is decided yet.
        node.change([walk], supervisor={"poison_after": 1000, "max_restarts": 10_000})
        node.start(wait=False)
        wait_for(lambda: b"crashed and is started again" in node.log_bytes(), "the first crash", poll=0.001)
        node.kill()
        check(not letters(node, "--code", "poison"), "a record was set aside before its thousandth crash")
        node.change([walk], supervisor={"poison_after": 3, "max_restarts": 10})
        node.start()
        wait_for(lambda: node.metric_sum("finstream_set_aside_total") == 3, "three records set aside")
        said = node.log_bytes().decode()
        for stage, offset in offsets.items():
            check(f"set aside events/1/{offset}: the {stage} stage crashed 3 times" in said, f"{stage} is not said:\n{node.log_tail()}")
        node.wait_finished()
        node.kill()
        node.start()  # and it stays set aside
        node.wait_finished()
        check(b"crashed" not in node.log_bytes(), f"it crashed again:\n{node.log_tail()}")
        kept = {x["stage"]: x for x in letters(node, "--code", "poison")}
        check({s: x["cause"] for s, x in kept.items()} == {s: f"events/1/{o}" for s, o in offsets.items()}, f"{kept}")
        check(all(x["attempts"] == 3 and "spoilt" in x["bytes"] for x in kept.values()), f"{kept}")
        trades = sum(int(b["trades"]) for b in node.bars("1s"))
        check(trades == count, f"{trades} trades are in the bars, {count} were sent")
        node.stop()
        check(node.verify(threads=2) == count, "the replay does not go over every event")
        shown = node.tool("dlq", "show", kept["window"]["id"])
        check("poison" in shown and f"events/1/{offsets['window']} of the log" in shown, shown)
        last = json.loads(node.tool("signals", "--format", "json").splitlines()[-1])
        found = json.loads(node.tool("lineage", last["signal_id"], "--format", "json"))
        check(found["rule"] and all(bar["complete"] for bar in found["bars"]), f"the lineage of a signal behind the poison: {found}")
        node.tool("whatif", "--rules", os.path.join(directory, "rules.yaml"))
    shutil.rmtree(directory, ignore_errors=True)


PRINT = """
import sys
lines = ['{"type":"hello","resumed":true}']
for n in range(200):
    name = ('ODD', 'EVEN')[n % 2]
    lines.append('{ "symbol" : "%s","src_ts":"2024-01-02T10:00:%02d.%03dZ", "seq":%d ,"price":%d.50, "size":1, "note":"caf\\u00e9 %d"}'
                 % (name, n // 4, n % 4 * 250, n, 100 + n * 7 % 13, n))
    lines.append(lines[-1]) if n % 50 == 0 else None
lines.append('{"symbol":"ODD" oops')
lines.append('{"type":"eof"}')
sys.stdout.buffer.write(('\\n'.join(lines) + '\\n').encode())
"""


def raw_lines(programs):
    """The lineage of a signal ends at the very bytes that the feed printed, where raw capture is on; where it is off, bad
    lines leave a letter without bytes."""
    directory = tempfile.mkdtemp(prefix="finstream-letters-")
    script = os.path.join(directory, "print.py")
    pathlib.Path(script).write_text(PRINT, encoding="utf-8")
    printed = subprocess.run([sys.executable, script], check=True, capture_output=True, timeout=60).stdout.decode().splitlines()
    of_seq = {json.loads(line)["seq"]: line for line in printed[1:-2]}
    feeds = [feed(mode, sys.executable, script, raw=mode) for mode in ("all", "errors", "off")]
    with Node(programs, feeds, directory, partitions=2, windows={"flush_timeout_ms": 60_000}, **with_rules(directory)) as node:
        node.start()
        node.wait_finished()
        signals = [json.loads(line) for line in node.tool("signals", "--format", "json").splitlines()]
        compared = 0
        for made in signals:
            found = json.loads(node.tool("lineage", made["signal_id"], "--format", "json"))
            over_http = json.loads(node.get(f"/v1/lineage/signal/{made['signal_id']}")[1])
            check(found == over_http, f"the gateway gives another lineage of {made}")
            for bar in found["bars"]:
                for event in bar["events"]:
                    want = of_seq[event["event"]["seq"]] if event["feed"] == "all" else None
                    check(event["raw"] == want, f"raw is {event['raw']!r}, the feed {event['feed']} printed {want!r}")
                    compared += want is not None
        check(compared > 100, f"only {compared} lines were compared")
        print(f"{compared} lines of {len(signals)} signals are those that were printed")
        bytes_of = {x["feed"]: x["bytes"] for x in letters(node)}
        check(bytes_of == {"all": '{"symbol":"ODD" oops', "errors": '{"symbol":"ODD" oops', "off": ""}, f"{bytes_of}")
        node.stop()
        node.verify()
    shutil.rmtree(directory, ignore_errors=True)


def purge(programs):
    """Letters are listed, counted and shown beside a running node, and purged without one."""
    bad = feed("bad", "/bin/sh", "-c", 'echo \'{"type":"hello"}\'; for i in 1 2 3 4 5; do echo no JSON $i; echo \'{"symbol":"A"}\'; done; echo \'{"type":"eof"}\'')
    with Node(programs, [bad]) as node:
        node.start()
        node.wait_finished()
        check(len(letters(node)) == 10 and len(letters(node, "--code", "malformed_line")) == 5, "ten letters, half of them malformed")
        check(node.metric_sum("finstream_dead_letters_kept") == 10, "the metric counts them")
        counted = {x["name"]: x["letters"] for x in map(json.loads, node.tool("dlq", "stats", "--json").splitlines())}
        check(counted == {"malformed_line": 5, "missing_field": 5}, f"stats: {counted}")
        first = letters(node)[0]
        check("no JSON 1" in node.tool("dlq", "show", first["id"]), "show has the bytes")
        refused = subprocess.run([programs.node, "dlq", "purge", "--all", "--yes", "--config", node.config], capture_output=True, timeout=60)
        check(refused.returncode == 1 and b"must be stopped first" in refused.stderr, f"purging beside a running node: {refused}")
        node.stop()
        node.tool("dlq", "purge", expect=2)
        node.tool("dlq", "purge", "--all", expect=2)
        check("5 dead letters purged" in node.tool("dlq", "purge", "--code", "malformed_line"), "five are purged")
        check([x["name"] for x in letters(node)] == ["missing_field"] * 5, "the others stay")
        node.tool("dlq", "show", first["id"], expect=1)
        check("0 dead letters purged" in node.tool("dlq", "purge", "--before", "1d"), "none is that old")
        check("5 dead letters purged" in node.tool("dlq", "purge", "--all", "--yes"), "the rest")
        check(not letters(node), "nothing is left")
        node.change([feed("bad2", "/bin/sh", "-c", 'echo \'{"type":"hello"}\'; echo nothing; echo \'{"type":"eof"}\'')])
        node.start()
        node.wait_finished()
        check([x["id"] for x in letters(node)] == ["dead_letters/0/10"], f"a new letter: {letters(node)}")
        check(node.metric_sum("finstream_dead_letters_kept") == 1, "the metric counts one")
        node.stop()
        node.verify()


def undeliverable(programs):
    """Rows that PostgreSQL refuses for what is in them become letters; all others are delivered, and nobody waits."""
    directory = tempfile.mkdtemp(prefix="finstream-letters-pg-")
    database = Postgres(directory)
    own = tempfile.mkdtemp(prefix="finstream-letters-")
    walk = feed("walk", programs.synthetic_feed, "--rate", 2000, "--count", 16_000, "--symbols", 4, "--start-time", BEGAN, "--step-us", 2000)
    stores = {"postgres": {"enabled": True, "connection": database.connection}, "poll_interval_ms": 20}
    try:
        with Node(programs, [walk], own, stores=stores, **with_rules(own)) as node:
            node.start()
            wait_for(lambda: node.metric_sum("microbatch_flush_rows") > 0 and database.count("bars_ohlcv") > 0, "some bars in PostgreSQL")
            database.sql("alter table bars_ohlcv add constraint not_this_one check (symbol <> 'SYM001') not valid")
            wait_for(lambda: b"set aside bars" in node.log_bytes(), "a refused bar is set aside")
            node.kill()
            node.start()
            node.wait_finished()
            wait_for(lambda: node.metric_sum("finstream_store_lag_items") == 0, "PostgreSQL has everything else", 60)
            bars = [b for i in ("1s", "2s", "5s", "60s") for b in node.bars(i)]
            kept = letters(node, "--code", "undeliverable")
            stored, refused = database.count("bars_ohlcv"), len(kept)
            check(refused > 0 and stored + refused == len(bars), f"{len(bars)} bars, of which PostgreSQL has {stored} and {refused} are letters")
            check(len({x["cause"] for x in kept}) == refused, "a row has one letter")
            check(all(x["stage"] == "store/postgres" and x["attempts"] == 3 and "SYM001" in x["bytes"] for x in kept), f"{kept[0]}")
            there = int(database.sql("select count(*) from dead_letters where code = 'undeliverable' and stage = 'store/postgres'"))
            check(there == refused, f"{there} of {refused} letters are in PostgreSQL")
            check(database.count("signals") > 0, "no signals are in PostgreSQL")
            print(f"{stored} bars delivered, {refused} set aside")
            node.stop()
            node.verify()
    finally:
        database.end(signal.SIGQUIT)
        shutil.rmtree(directory, ignore_errors=True)
        shutil.rmtree(own, ignore_errors=True)


def retry(programs):
    """Events that came too late, and lines with too many decimals, are sent again: the bars get them, once."""
    late = feed("late", programs.synthetic_feed, "--rate", 2000, "--count", 20_000, "--symbols", 3, "--start-time", BEGAN, "--step-us", 5000,
                "--late-share", "0.02", "--late-ms", 8000)
    line = '{"symbol":"FINE","src_ts":"2024-01-02T10:00:%02dZ","seq":%d,"price":1.%s,"size":1}'
    lines = [line % (n, n, "0000000001" if n % 2 else "5") for n in range(20)]
    fine = feed("fine", "sh", "-c", "; ".join(["echo '{\"type\":\"hello\"}'", *(f"echo '{x}'" for x in lines), "echo '{\"type\":\"eof\"}'"]))
    with Node(programs, [late, fine], windows={"intervals": ["1s"]}) as node:
        node.start()
        node.wait_finished()

        def again(*arguments):
            done = subprocess.run([programs.node, "dlq", "retry", "--config", node.config, "--node", f"127.0.0.1:{node.port}", *arguments],
                                  capture_output=True, text=True, timeout=120, check=False)
            found = re.match(r"(\d+) events sent: (\d+) .*taken, (\d+) duplicates, (\d+) dead letters.*; (\d+) bars (?:would be )?new, (\d+) revised",
                             done.stdout)
            check(found and done.returncode == 0, f"dlq retry {arguments}: {done.stdout}{done.stderr}")
            return [int(x) for x in found.groups()]

        def trades():
            return sum(int(bar["trades"]) for bar in node.bars("1s"))

        came_late, before = len(letters(node, "--code", "late")), trades()
        check(came_late > 50, f"{came_late} events came too late, which is few")
        check(before == 20_000 + 10 - came_late, f"{before} trades are in bars, and {came_late} came too late")
        sent, _, _, _, new, revised = again("--code", "late", "--dry-run")
        check(sent == came_late and new + revised > 0, f"a dry run sent {sent} and would change {new + revised} bars")
        check(trades() == before, "a dry run has changed something")
        _, taken, duplicates, _, _, revised = again("--code", "late")
        check((taken, duplicates) == (0, came_late) and revised > 0, f"{taken} taken, {duplicates} duplicates, {revised} revised")
        check(trades() == 20_000 + 10, f"{trades()} trades are in bars after the late ones were sent again")
        check(again("--code", "late")[4:] == [0, 0], "sent a second time, something changed")
        check(again("--code", "precision")[3] == 10, "lines with too many decimals are no longer bad")
        check(len(letters(node, "--code", "precision")) == 10, "what is bad again is there twice")
        node.stop()
        node.change([late, feed("fine", "sh", "-c", "echo '{\"type\":\"hello\"}'; exec sleep 1000", round="half_even")])
        node.start()
        check(again("--code", "precision")[1] == 10, "lines with too many decimals are not rounded now")
        check(again("--code", "precision")[1:3] == [0, 10], "sent a second time, they are not duplicates")
        wait_for(lambda: trades() == 20_000 + 20, "the bars of the rounded events")
        node.stop()
        node.verify()


if __name__ == "__main__":
    sys.exit(run_scenarios(__doc__, (poison, raw_lines, purge, undeliverable, retry)))
