#!/usr/bin/env python3
"""From a bar back to its events and from an event to its bars, beside a running node: lineage.py --binaries DIRECTORY."""

import argparse
import json
import sys
import urllib.parse

from node import Failure, Node, Programs, feed

SYMBOLS, EVENTS, PARTITIONS = 5, 20_000, 3


def check(condition, what):
    if not condition:
        raise Failure(what)


def lineage(node, *arguments):
    return json.loads(node.tool("lineage", *arguments, "--format", "json"))


def key_of(row):
    return "/".join((row["provider"], row["symbol"], row["interval"], row["start"]))


def whole_chain(programs):
    """Every event of every bar of five seconds is found, each once, and each leads to that bar again."""
    walk = feed("walk", programs.synthetic_feed, "--rate", 0, "--count", EVENTS, "--symbols", SYMBOLS, "--start-time",
                "2024-01-02T10:00:00Z")
    with Node(programs, [walk], partitions=PARTITIONS) as node:
        node.start()
        node.wait_finished()
        rows = node.bars("5s")
        seen, asked = set(), 0
        for row in rows:
            found = lineage(node, key_of(row))
            check(found["complete"] and len(found["events"]) == int(row["trades"]), f"{found['key']}: {found['missing']}")
            for x in found["events"]:
                check(x["raw"] is None and x["feed"] == "walk" and x["event"]["symbol"] == row["symbol"], f"{x}")
                seen.add((x["partition"], x["offset"]))
            sums = sum(x["event"]["size"] for x in found["events"])
            check(abs(sums - float(row["volume"])) < 1e-6, f"{found['key']}: sizes are {sums}, volume is {row['volume']}")
            event = found["events"][len(found["events"]) // 2]
            forward = lineage(node, "--event", f"{event['partition']}/{event['offset']}")
            check(row["start"] in [b["start"] for b in forward["bars"] if b["interval"] == row["interval"]], f"{forward}")
            check(len(forward["bars"]) == 4, f"one bar of each interval: {forward['bars']} {forward['notes']}")
            asked += 1
        check(len(seen) == EVENTS, f"{len(seen)} of {EVENTS} events are in the bars")
        print(f"{asked} bars lead to {len(seen)} events and back")
        row = rows[0]
        query = urllib.parse.urlencode({k: row[k] for k in ("provider", "symbol", "interval", "start")})
        status, text = node.get(f"/v1/lineage/bar?{query}")
        check(status == 200 and json.loads(text) == lineage(node, key_of(row)), f"HTTP says something else: {status} {text}")
        check(node.get("/v1/lineage/event?partition=0&offset=0")[0] == 404, "a start of the node is no event")
        tree = node.tool("lineage", key_of(row))
        check(tree.startswith("bar " + key_of(row)) and tree.count("\n  tick ") == int(row["trades"]), tree[:500])
        node.tool("lineage", "no-such-signal", expect=1)
        node.tool("lineage", "not/a/bar", expect=2)
        node.tool("lineage", expect=2)
        node.stop()


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--binaries", required=True)
    whole_chain(Programs(parser.parse_args().binaries))


if __name__ == "__main__":
    sys.exit(main())
