#!/usr/bin/env python3
"""What WebSocket clients of a node see: greetings, subscriptions, data, errors, and the end of one that does not read."""

import argparse
import re
import sys
import time

from node import Failure, Node, Programs, feed, wait_for
from websocket import PING, PONG, Client, Closed

RATE = 2000
SLOW_QUEUE_BYTES = 65536
OUR_PATIENCE_SECONDS = 60


def check(condition, what):
    if not condition:
        raise Failure(what)


def collect(client, enough):
    """Objects, frame by frame, until `enough(objects)`."""
    objects, give_up_at = [], time.monotonic() + OUR_PATIENCE_SECONDS
    while not enough(objects):
        frame = client.messages()
        check(isinstance(frame, list) and frame and all("type" in o for o in frame), f"not a list of objects: {str(frame)[:300]}")
        objects += frame
        check(time.monotonic() < give_up_at, f"{len(objects)} objects, but not those that were waited for: {objects[-3:]}")
    return objects


def channels(objects):
    return {o["channel"] for o in objects if "channel" in o}


def conversation(node):
    with Client(node.port) as client:
        hello = client.messages()
        check(isinstance(hello, list) and hello[0]["type"] == "hello" and "limits" in hello[0], f"no hello: {hello}")

        client.say({"action": "ping", "id": 7})
        pong = client.until("pong")
        check(pong["id"] == 7, f"pong without the id: {pong}")
        client.send_frame(PING, b"are you there")
        wait_pong = client.receive_frame()
        check(wait_pong == (PONG, b"are you there"), f"a ping frame is answered by {wait_pong}")

        client.say({"action": "subscribe", "id": 1, "channels": ["ticks.SYM000", "bars.1s.*"]})
        answer = client.until("subscribed")
        check(answer["id"] == 1 and set(answer["channels"]) == {"ticks.SYM000", "bars.1s.*"}, f"subscribed: {answer}")
        seen = collect(client, lambda all: {"bars.1s.SYM000", "bars.1s.SYM001", "bars.1s.SYM002"} <= channels(all))
        wanted = re.compile(r"ticks\.SYM000$|bars\.1s\.SYM00[0-4]$|bars\.1s$|bars\.1s\.\*$")
        check(all(wanted.match(c) for c in channels(seen)), f"channels that were not asked for: {channels(seen)}")
        check("ticks.SYM000" in channels(seen), "no ticks of SYM000 came")
        check(all("pos" in o for o in seen if "channel" in o), "data without pos")
        sequence = [o["seq"] for o in seen if o.get("channel") == "ticks.SYM000"]
        check(sequence == sorted(set(sequence)), "ticks out of order, or twice")

        client.say({"action": "unsubscribe", "id": 2, "channels": ["ticks.SYM000"]})
        answer = client.until("unsubscribed")
        check(answer["channels"] == ["bars.1s.*"], f"the effective list after unsubscribe: {answer}")
        seen = collect(client, lambda all: len([o for o in all if o["type"] == "bar"]) >= 5)
        check(not any(c.startswith("ticks") for c in channels(seen)), "ticks after unsubscribe")

        client.say({"action": "subscribe", "id": 3, "channels": ["ticks.*"]})
        client.until("subscribed")
        collect(client, lambda all: {f"ticks.SYM00{n}" for n in range(5)} <= channels(all))


def garbage(node):
    wrong = ["", "{", "not JSON", "[]", "17", '{"action":"fly"}', '{"action":5}', '{"id":3}', "[" * 1000,
             '{"action":"subscribe","channels":["nonsense.x"]}', '{"action":"subscribe","channels":"ticks.*"}',
             '{"action":"subscribe","channels":[1]}', '{"action":"subscribe","id":1.5,"channels":["ticks.*"]}']
    with Client(node.port) as client:
        client.until("hello")
        for text in wrong:
            client.say(text)
            error = client.until("error")
            check({"code", "name", "temporary", "message"} <= error.keys(), f"{text!r}: {error}")
        client.say({"action": "subscribe", "id": 9, "channels": ["ticks.*", "bars.x.*"]})
        check(client.until("error")["id"] == 9, "an error without the id of its command")
        client.say({"action": "ping", "id": 10})
        check(client.until("pong")["id"] == 10, "the connection suffers from errors")
    for name, frame in {"70 KB": (1, b"x" * 70_000), "not UTF-8": (1, b"\xff\xfe"), "reserved opcode": (3, b"?")}.items():
        with Client(node.port) as client:
            client.until("hello")
            try:
                client.send_frame(*frame)
                while True:
                    client.messages()
            except Closed as end:
                print(f"a frame that is {name}: {end}")
                check(end.code in (4520, 1002, 1003, 1007, 1009), f"{name}: {end}")


def deaf_client(node):
    """One that never reads under a flood is closed with 4008, after a warning; one that reads beside it is not."""
    with Client(node.port, receive_bytes=4096) as deaf, Client(node.port) as reader:
        for client in (deaf, reader):
            client.until("hello")
            client.say({"action": "subscribe", "id": 1, "channels": ["ticks.*"]})
            client.until("subscribed")

        def deaf_is_out():
            reader.messages()
            return node.tree()["/gateway"]["slow_closed"] > 0
        wait_for(deaf_is_out, "the client that does not read is disconnected", OUR_PATIENCE_SECONDS, poll=0)
        objects, closed = [], None
        try:
            while True:
                objects += deaf.messages()
        except Closed as end:
            closed = end
        warnings = [o for o in objects if o["type"] == "slow_warning"]
        print(f"it then reads {len(objects)} objects, {len(warnings)} warnings, and: {closed}")
        check(closed.code in (4008, 0), f"{closed}")
        reader.messages()
        return closed.code == 4008


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--binaries", required=True)
    programs = Programs(parser.parse_args().binaries)
    began = time.monotonic()
    walk = feed("walk", programs.synthetic_feed, "--rate", RATE, "--symbols", 5)
    try:
        with Node(programs, [walk], gateway={"max_queue_bytes": SLOW_QUEUE_BYTES, "max_queue_age_ms": 3000}) as node:
            node.start()
            conversation(node)
            garbage(node)
            check(deaf_client(node), "the close frame 4008 never arrived")
            with Client(node.port) as client:
                client.until("hello")
                node.stop()
                try:
                    while True:
                        client.messages()
                except Closed as end:
                    check(end.code == 4001, f"at shutdown: {end}")
            node.verify()
    except (Failure, Closed) as failure:
        print(f"BAD websocket_stream: {failure}")
        return 1
    print(f"ok  websocket_stream ({time.monotonic() - began:.1f} s)")
    return 0


if __name__ == "__main__":
    sys.exit(main())
