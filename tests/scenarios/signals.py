#!/usr/bin/env python3
"""From a rule to its signals and back: signals.py --binaries DIRECTORY.

A node makes signals by rules, which are changed by SIGHUP while it runs; a signal is followed back to its events, other rules
are tried on the log, and the replay gives all of it again.
"""

import argparse
import csv
import io
import json
import os
import pathlib
import re
import signal
import sys
import time

from node import Failure, Node, Programs, feed, wait_for
from websocket import Client

RATE = 500
FIRST = '- {name: up, condition: "momentum > 0", signal: 1, score: 0.5}\n'
SECOND = FIRST + '- {name: dear, condition: "close > vwap_5s", signal: 1, score: 0.2}\n'
WRONG = FIRST + '- {name: dear, condition: "close > wvap_5s", signal: 1, score: 0.2}\n'
FEATURES = {"interval": "1s", "windows": [{"name": "vwap_5s", "horizon": "5s"}, {"name": "momentum", "bars": 2}]}


def check(condition, what):
    if not condition:
        raise Failure(what)


def rows(node, what, *arguments):
    return list(csv.DictReader(io.StringIO(node.tool(what, "--format", "csv", *arguments))))


def change_rules(node, rules, text, wanted):
    before = node.log_bytes().count(wanted)
    rules.write_text(text, encoding="utf-8")
    node.process.send_signal(signal.SIGHUP)
    wait_for(lambda: node.log_bytes().count(wanted) > before, f"the node to say {wanted.decode()!r}")


def names(node):
    return {row["name"] for row in rows(node, "signals")}


def follow_back(node):
    one = next(row for row in rows(node, "signals") if row["name"] == "up")
    told = json.loads(node.tool("lineage", one["signal_id"], "--format", "json"))
    check(told["signal"]["signal_id"] == one["signal_id"], f"lineage of another signal: {told['signal']}")
    check(told["rule"]["condition"] == "momentum > 0", f"another rule: {told['rule']}")
    answer = node.get(f"/v1/signals/{one['signal_id']}")
    check(answer[0] == 200 and one["signal_id"] in answer[1], f"/v1/signals/<id>: {answer}")
    return len(told["bars"])


def try_other_rules(node, rules):
    same = node.tool("whatif", "--rules", str(rules))
    kept = re.search(r"(\d+) signals were published, (\d+) would be: (\d+) appear, (\d+) vanish, (\d+) differ, (\d+) stay", same)
    check(kept and int(kept[6]) > 0, f"whatif with the same rules: {same[-300:]}")
    other = rules.with_name("other.yaml")
    other.write_text('- {name: up, condition: "momentum > 0", signal: 1, score: 0.9}\n', encoding="utf-8")
    found = [json.loads(line) for line in node.tool("whatif", "--rules", str(other), "--format", "json").splitlines()]
    kinds = {x["change"] for x in found}
    check("differs" in kinds and "vanishes" in kinds, f"whatif with other rules: {kinds}")
    check(all(x["after"]["score"] == 0.9 for x in found if x["change"] == "differs"), "what differs is not the score")
    return len(found)


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--binaries", required=True)
    programs = Programs(parser.parse_args().binaries)
    began = time.monotonic()
    walk = feed("walk", programs.synthetic_feed, "--rate", RATE, "--symbols", 3, "--seed", 3, "--late-share", "0.05")
    try:
        with Node(programs, [walk], windows={"intervals": ["1s"], "revise_for_ms": 2000}, features=FEATURES) as node:
            rules = pathlib.Path(node.directory) / "rules.yaml"
            rules.write_text(FIRST, encoding="utf-8")
            node.change([walk], inference={"adapters": {"rules": {"enabled": True, "file": str(rules)}}})
            node.start()
            with Client(node.port) as client:
                client.until("hello")
                client.say({"action": "subscribe", "channels": ["signals.*", "features.*"]})
                client.until("signal")
            check(names(node) == {"up"}, f"signals of {names(node)}")
            change_rules(node, rules, WRONG, b"the rules stay as they were")
            check(b"did you mean `vwap_5s`?" in node.log_bytes(), f"what is wrong is not said:\n{node.log_tail(3)}")
            change_rules(node, rules, SECOND, b"the rules are read again")
            wait_for(lambda: "dear" in names(node), "a signal of the new rule")
            node.kill()
            node.start()
            wait_for(lambda: node.metric_sum("signals_emitted_total") > 0, "signals after kill -9")
            bars = follow_back(node)
            node.stop()
            changes = try_other_rules(node, rules)
            node.verify()
            revised = [row for row in rows(node, "bars", "--interval", "1s") if int(row["revision"]) > 0]
            check(revised, "no late event has revised a bar")
            count = len(rows(node, "signals"))
    except Failure as failure:
        print(f"BAD signals: {failure}")
        return 1
    print(f"ok  signals: {count} signals, {len(revised)} bars revised, one signal of {bars} bars, {changes} would change under other rules ({time.monotonic() - began:.1f} s)")
    return 0


if __name__ == "__main__":
    sys.exit(main())
