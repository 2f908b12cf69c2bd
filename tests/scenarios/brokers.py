#!/usr/bin/env python3
"""A node whose log is on a real broker: brokers.py --binaries DIRECTORY [--bus redis|nats|kafka] [--outage SECONDS] [--rate N]
[--fsync everysec|always] [--framing block|event] [--drop] [--partitions N] [--kill-node]

The broker is killed while events come in, and is away. All goes on; what was written meanwhile waits on the node's disk and
goes first when the broker is back. With --kill-node the node is killed too, in the middle of bringing it. In the end the
node's bars are those that a node without a broker makes of the same feed, and a new node that has nothing but the broker
comes to the same.
"""

import argparse
import pathlib
import sys
import tempfile
import time

from node import Failure, Node, Programs, check, feed, wait_for
from servers import SERVERS, Kafka, Nats, Redis
from websocket import Client

SECONDS_BEFORE, SECONDS_AFTER = 2, 3
FLOW = {"policy": "drop", "types": ["tick"], "slow_bytes": 20_000, "drop_bytes": 100_000}
INTERVALS = ("1s", "5s")
PATIENT = {"windows": {"intervals": list(INTERVALS), "allow_late_ms": 500, "flush_timeout_ms": 60_000, "resume_grace_ms": 120_000}}


def synthetic(programs, rate, count):
    return feed("synthetic", programs.synthetic_feed, "--symbols", "20", "--rate", str(rate), "--count", str(count), "--seed", "7",
                "--start-time", "2026-01-05T14:30:00Z", "--step-us", str(1_000_000 // rate))


def bars_of(node):
    return {interval: node.bars(interval) for interval in INTERVALS}


def buffered(node):
    return node.metrics().get("finstream_buffer_events", 0)


def until_shipped(node, deadline=120):
    wait_for(lambda: node.metrics().get("finstream_broker_up") == 1 and node.metrics().get("finstream_buffer_entries") == 0,
             "the broker to have everything", deadline=deadline, poll=0.05)


def subscribed_to_status(node):
    client = Client(node.port)
    client.say({"action": "subscribe", "id": 1, "channels": ["status"]})
    client.until("subscribed")
    return client


def announcement(client, kind):
    """The sentence with which clients are told this of the bus."""
    while True:
        said = client.until("status")
        if said["kind"] == kind:
            check(said["channel"] == "status" and said["subject"] == "/bus" and said["reason"], f"{kind} says {said}")
            return said["reason"]


def alone(programs, feeds, partitions):
    """What a node without a broker makes of it."""
    with Node(programs, feeds, **PATIENT, partitions=partitions) as node:
        node.start()
        node.wait_finished()
        return bars_of(node)


def run(programs, server, arguments):
    count = int(arguments.rate * (SECONDS_BEFORE + arguments.outage + SECONDS_AFTER))
    feeds = [synthetic(programs, arguments.rate, count)]
    bus = {"partitions": arguments.partitions, "bus": {"type": server.driver, "broker": {"url": server.url, "framing": arguments.framing},
                                                       "flow": FLOW if arguments.drop else {}}}
    with Node(programs, feeds, **PATIENT, **bus) as node:
        node.start()
        time.sleep(SECONDS_BEFORE)
        client = subscribed_to_status(node)
        server.kill()
        said = announcement(client, "bus_down")
        client.listen(arguments.outage)
        waiting = buffered(node)
        check(waiting > 0, "nothing waits while the broker is away")
        check(node.get("/readyz")[0] == 200, "without its broker the node is not ready")
        began = time.monotonic()
        server.start()
        if arguments.kill_node:
            wait_for(lambda: 0 < buffered(node) < waiting, "the buffer to be half brought", deadline=60, poll=0.001)
            left = buffered(node)
            node.kill()
            print(f"killed the node with about {left:.0f} of {waiting:.0f} events still to be brought")
            node.start()
        else:
            said += "; " + announcement(client, "bus_recovered")
        client.socket.close()
        until_shipped(node)
        caught_up = time.monotonic() - began
        node.wait_finished()
        until_shipped(node)
        node.check_metrics()
        dropped = node.metric_sum("g6_stream_dropped_total", 'reason="overflow"')
        check((dropped > 0) == arguments.drop, f"{dropped} messages were left out")
        node.stop()
        mine = bars_of(node)
        events = node.verify()
        with Node(programs, [], **PATIENT, **bus) as other:
            other.start()
            theirs = bars_of(other)
            other.stop()
            check(other.verify() == events, "a node that has only the broker has other events")
        check(mine == theirs, "a node that has only the broker has other bars")
    expected = alone(programs, feeds, arguments.partitions)
    differ = [pair for interval in INTERVALS for pair in zip(mine[interval], expected[interval]) if pair[0] != pair[1]]
    check(mine == expected, f"the bars are not those of a node without a broker: {differ[:2]}")
    rows = sum(len(x) for x in mine.values())
    check(len({(interval, x["symbol"], x["start"]) for interval, of in mine.items() for x in of}) == rows, "a bar is there twice")
    print(f"a client was told: {said}")
    print(f"{server.driver}: away {arguments.outage:.0f} s under {arguments.rate} events/s: {waiting:.0f} events waited, all brought "
          f"{caught_up:.1f} s after it was started again; {events} events, 0 lost; {rows} bars, as without a broker, 0 twice")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--binaries", required=True)
    parser.add_argument("--bus", choices=SERVERS, default="redis")
    parser.add_argument("--outage", type=float, default=3)
    parser.add_argument("--rate", type=int, default=5000)
    parser.add_argument("--fsync", choices=("everysec", "always"), default="everysec", help="of Redis")
    parser.add_argument("--framing", choices=("block", "event"), default="block")
    parser.add_argument("--drop", action="store_true", help="with --framing event: ticks are named as what may be left out")
    parser.add_argument("--partitions", type=int, default=1)
    parser.add_argument("--kill-node", action="store_true")
    arguments = parser.parse_args()
    programs = Programs(arguments.binaries)
    with tempfile.TemporaryDirectory(prefix="finstream-broker-") as directory:
        begin = {"redis": lambda: Redis(directory, arguments.fsync), "nats": lambda: Nats(pathlib.Path(directory)),
                 "kafka": lambda: Kafka(pathlib.Path(arguments.binaries))}
        server = begin[arguments.bus]()
        with server:
            try:
                run(programs, server, arguments)
            except Failure as failure:
                print(f"BAD {failure}")
                return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
