#!/usr/bin/env python3
"""Brokers that are not what they should be: broker_trouble.py SCENARIO --binaries DIRECTORY. Each time it is the operator who must
be told what, where and what to do: by the end of the node, by /healthz and /readyz, and by `finstream doctor`.
"""

import contextlib
import http.server
import json
import socket
import subprocess
import sys
import tempfile
import threading

from node import Node, check, feed, run_scenarios, wait_for
from servers import Nats, Redis, free_port

EVENTS = 300_000
ROOMLESS_EVENTS = 20_000  # of a feed whose broker has no room for a while
BUFFER_BYTES = 1 << 20  # far less than the events are
REFUSAL_DEADLINE_SECONDS = 60


def on(driver, url, security=None, **buffer):
    return {"bus": {"type": driver, "broker": {"url": url, **(security or {})}, "buffer": {"retry_max_ms": 500, **buffer}}}


def walk(programs, *arguments, **settings):
    return feed("walk", programs.synthetic_feed, "--symbols", 7, "--seed", 7, *arguments, **settings)


def doctor(node, expect):
    """What it says; problems by its exit code."""
    done = subprocess.run([node.programs.node, "doctor", "--config", node.config], capture_output=True, text=True, timeout=60)
    check(done.returncode == expect, f"doctor ended with {done.returncode} instead of {expect}:\n{done.stdout}{done.stderr}")
    return done.stdout


def speak_redis(server, *words):
    with socket.create_connection(("127.0.0.1", server.port), timeout=10) as it:
        it.sendall(" ".join(words).encode() + b"\r\n")
        return it.recv(4096)


def speak_jetstream(server, subject, body):
    """An answer of its management, an object."""
    with socket.create_connection(("127.0.0.1", server.port), timeout=10) as it, it.makefile("rb") as lines:
        it.sendall(b'CONNECT {"verbose":false}\r\nSUB answer 1\r\n'
                   b"PUB $JS.API.%b answer %d\r\n%b\r\n" % (subject.encode(), len(body), body.encode()))
        for line in lines:
            if line.startswith(b"MSG"):
                answer = json.loads(lines.readline())
                check("error" not in answer, f"{subject}: {answer}")
                return answer
    return None


def take_jetstream(server, consumer, count):
    """Asks for so many messages of a durable consumer; those that are there at once."""
    wanted = json.dumps({"batch": count, "no_wait": True}).encode()
    with socket.create_connection(("127.0.0.1", server.port), timeout=10) as it, it.makefile("rb") as lines:
        it.sendall(b'CONNECT {"verbose":false,"headers":true}\r\nSUB answer 1\r\n'
                   b"PUB $JS.API.CONSUMER.MSG.NEXT.%b answer %d\r\n%b\r\n" % (consumer.encode(), len(wanted), wanted))
        taken = 0
        for line in lines:
            words = line.split()
            if words and words[0] in (b"MSG", b"HMSG"):
                body = lines.read(int(words[-1]) + 2)
                if body.startswith(b"NATS/1.0 4"):  # no more
                    break
                taken += 1
                if taken == count:
                    break
        return taken


# --- what no node can run on


def must_refuse(programs, driver, url, *says, security=None, unsaid=()):
    """A node with a new directory ends, and it and the doctor say the same of it."""
    with Node(programs, [], **on(driver, url, security)) as node:
        node.start(wait=False)
        wait_for(lambda: node.process.poll() is not None, f"the node on {url} ends", REFUSAL_DEADLINE_SECONDS)
        log, found = node.log_tail(), doctor(node, expect=1)
        check(node.process.returncode == 1, f"a node on {url} ended with {node.process.returncode}:\n{log}")
        for secret in unsaid:
            check(secret not in node.log_bytes().decode() + found, f"{secret} is said:\n{log}{found}")
        for text in says:
            check(text in log, f"a node on {url} does not say '{text}':\n{log}")
            check(text in found, f"the doctor does not say '{text}':\n{found}")


@contextlib.contextmanager
def something_else():
    """A port where HTTP is spoken."""
    class Silent(http.server.BaseHTTPRequestHandler):
        def log_message(self, *_):
            pass
    server = http.server.HTTPServer(("127.0.0.1", 0), Silent)
    server.handle_error = lambda *_: None
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield server.server_port
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def wrong_redis(programs):
    must_refuse(programs, "redis", f"redis://127.0.0.1:{free_port()}", "cannot be reached", "Connection refused")
    must_refuse(programs, "redis", "localhost", "it is redis://[[user]:password@]host[:port][/database]")
    with something_else() as port:
        must_refuse(programs, "redis", f"redis://127.0.0.1:{port}", "cannot be reached, or does not answer")
    with tempfile.TemporaryDirectory() as directory, Redis(directory) as server:
        speak_redis(server, "SET", "finstream.events", "text")
        must_refuse(programs, "redis", server.url, "finstream.events")
        speak_redis(server, "DEL", "finstream.events")
        speak_redis(server, "XADD", "finstream.events", "*", "field", "value")
        must_refuse(programs, "redis", server.url, "is not a message of FinStream: something else writes to it")
        speak_redis(server, "CONFIG", "SET", "requirepass", "right")
        must_refuse(programs, "redis", server.url, "put the password in the url")
        must_refuse(programs, "redis", server.url.replace("//", "//:wrong@"), "correct user and password in the url")


def wrong_nats(programs):
    class WithoutJetstream(Nats):
        def command(self):
            return [self.program, "-a", "127.0.0.1", "-p", str(self.port)]

    class WithPassword(Nats):
        def command(self):
            return [*super().command(), "--user", "finstream", "--pass", "right"]

    must_refuse(programs, "nats", f"nats://127.0.0.1:{free_port()}", "cannot be reached")
    must_refuse(programs, "nats", "http://x:y", "it is nats://[user:password@]host[:port]")
    with tempfile.TemporaryDirectory() as directory:
        with WithoutJetstream(directory) as server:
            must_refuse(programs, "nats", server.url, "start nats-server with -js")
        with WithPassword(directory) as server:
            must_refuse(programs, "nats", server.url.replace("//", "//finstream:wrong@"), "correct user and password in the url")


# --- what a node must bear


def two_nodes(programs):
    """Of two nodes that write to one stream one is stopped and says so; the other goes on, and a new one can follow it."""
    with tempfile.TemporaryDirectory() as directory, Redis(directory) as server:
        settings = on("redis", server.url)
        with Node(programs, [walk(programs, "--rate", 1000)], **settings) as one, \
             Node(programs, [walk(programs, "--rate", 1000)], **settings) as two:
            one.start()
            doctor(one, expect=0)
            two.start(wait=False)

            def conflict():
                return [node for node in (one, two) if node.find_port() and '"conflict"' in node.get("/readyz")[1]]
            stopped = wait_for(conflict, "one of two nodes is stopped", 60)[0]
            other = two if stopped is one else one
            status, said = stopped.get("/healthz")
            check(status == 503 and "another node writes to it" in said, f"/healthz of the one that is stopped: {status} {said}")
            check(other.get("/readyz")[0] == 200, f"the other one is not ready: {other.get('/readyz')}")
            before = other.tree()["/partitions/0/appender"]["next"]
            wait_for(lambda: other.tree()["/partitions/0/appender"]["next"] > before + 1000, "the other one goes on", 60)
            found = doctor(stopped, expect=1)
            check("another node writes to it" in found, f"the doctor does not say it:\n{found}")
            stopped.kill()
            other.stop()
            # The stopped one may have written an entry that the other has not: what follows has a directory of its own.
            with Node(programs, [], **settings) as copy:
                copy.start()
                copy.stop()
                check(copy.verify() == other.verify(), "a new node has not the events of the one that went on")


def full_buffer(programs):
    """At bus.buffer.max_bytes the feed waits, /healthz says so, and when the broker is back nothing is missing."""
    with tempfile.TemporaryDirectory() as directory, Redis(directory) as server:
        events = walk(programs, "--rate", 50_000, "--count", EVENTS, overflow_kill_ms=3_600_000)
        with Node(programs, [events], **on("redis", server.url, max_bytes=BUFFER_BYTES, alert_bytes=0)) as node:
            node.start()
            server.kill()
            wait_for(lambda: "bus.buffer.max_bytes" in node.get("/healthz")[1], "/healthz says that the buffer is full", 60)
            check(node.get("/healthz")[0] == node.get("/readyz")[0] == 503, "it does not say 503")
            read = []

            def waits():
                read.append(node.metric_sum("stream_events_ingested_total"))
                return len(read) > 10 and read[-10] == read[-1]
            wait_for(waits, "the feed waits", 60)
            check(0 < read[-1] < EVENTS, f"{read[-1]} events were read, of {EVENTS}")
            check(node.metrics()["finstream_buffer_bytes"] <= BUFFER_BYTES, "more waits than may")
            server.start()
            wait_for(lambda: node.get("/healthz")[0] == 200, "/healthz is well again", 60)
            node.wait_finished()
            node.stop()
            check(node.verify() == EVENTS, f"of {EVENTS} events {node.verify()} are in the log")


def outage_for_want_of_room(programs, server, driver, take, give):
    with Node(programs, [walk(programs, "--rate", 5000, "--count", ROOMLESS_EVENTS)], **on(driver, server.url)) as node:
        node.start()
        wait_for(lambda: node.metrics().get("finstream_broker_up") == 1, "the broker takes events", 60)
        take()
        wait_for(lambda: node.metrics()["finstream_buffer_events"] > 3000, "events wait for a broker without room", 60)
        check(node.get("/healthz")[0] == node.get("/readyz")[0] == 200, "without its broker the node is not ready")
        give()
        node.wait_finished()
        wait_for(lambda: node.metrics()["finstream_buffer_entries"] == 0, "the broker has everything", 60)
        node.stop()
        with Node(programs, [], **on(driver, server.url)) as copy:
            copy.start()
            copy.stop()
            check(copy.verify() == node.verify() == ROOMLESS_EVENTS, f"of {ROOMLESS_EVENTS} events the broker has {copy.verify()}")
        return node.log_bytes().decode()


def no_room_redis(programs):
    """At its maxmemory: all waits here, and goes there when there is room."""
    with tempfile.TemporaryDirectory() as directory, Redis(directory) as server:
        said = outage_for_want_of_room(programs, server, "redis", lambda: speak_redis(server, "CONFIG SET maxmemory 1mb"),
                                       lambda: speak_redis(server, "CONFIG SET maxmemory 0"))
        check("its maxmemory is reached: trim streams or give it more" in said, f"it does not say so:\n{said}")


def no_room_nats(programs):
    """The same with a stream at its limit."""
    with tempfile.TemporaryDirectory() as directory, Nats(directory) as server:
        def limit(more):
            now = speak_jetstream(server, "STREAM.INFO.finstream=events", "")
            most = now["state"]["messages"] + more if more else -1
            speak_jetstream(server, "STREAM.UPDATE.finstream=events", json.dumps({**now["config"], "max_msgs": most, "discard": "new"}))
        said = outage_for_want_of_room(programs, server, "nats", lambda: limit(100), lambda: limit(0))
        check("the stream has reached a limit of its own" in said, f"it does not say so:\n{said}")


def away_at_start(programs):
    """A node with a log of its own starts without its broker; when that is back it gets everything. A process that only shares
    the log, and has nothing of it, waits for the broker."""
    with tempfile.TemporaryDirectory() as directory, Redis(directory) as server:
        with Node(programs, [walk(programs, "--rate", 2000)], **on("redis", server.url)) as node:
            node.start()
            node.stop()
            server.kill()
            node.start()
            check("The node starts without the broker" in node.log_tail(), f"it does not say so:\n{node.log_tail()}")
            wait_for(lambda: node.metrics()["finstream_buffer_events"] > 1000, "events wait", 60)
            check("Connection refused" in doctor(node, expect=1), "the doctor finds the broker that is away")
            with Node(programs, [walk(programs, "--rate", 2000)], **on("redis", server.url)) as pages:
                pages.options = ["--role", "gateway", "--listen", "127.0.0.1:0"]
                pages.start(wait=False)
                wait_for(lambda: "it is tried again for 30 s" in pages.log_tail(), "the process that shares the log waits for the broker", 20)
                server.start()
                pages.wait_ready()
                pages.stop()
            wait_for(lambda: node.metrics()["finstream_broker_up"] == 1, "the broker is taken note of", 60)
            node.stop()
            check("the broker is back after" in node.log_bytes().decode(), f"it does not say so:\n{node.log_tail()}")


def given_up(programs):
    """What a consumer of somebody else's gives up on becomes a dead letter, with its bytes; also what it gave up on while no
    node was running."""
    stream, kept_in = "finstream=events", "finstream=events=given_up"
    with tempfile.TemporaryDirectory() as directory, Nats(directory) as server:
        settings = on("nats", server.url)
        settings["bus"]["broker"]["framing"] = "event"
        with Node(programs, [walk(programs, "--rate", 1000)], **settings) as node:
            node.start()
            wait_for(lambda: node.tree()["/partitions/0/appender"]["next"] > 1000, "some events", 60)

            def is_kept():
                names = speak_jetstream(server, "STREAM.NAMES", "").get("streams") or []
                return kept_in in names
            wait_for(is_kept, "advisories are kept", 60)
            node.stop()
            config = {"durable_name": "billing", "ack_policy": "explicit", "deliver_policy": "all", "ack_wait": 50_000_000, "max_deliver": 2}
            speak_jetstream(server, f"CONSUMER.DURABLE.CREATE.{stream}.billing", json.dumps({"stream_name": stream, "config": config}))

            def given_up_by_now():
                take_jetstream(server, f"{stream}.billing", 5)  # and nobody acknowledges
                return speak_jetstream(server, f"STREAM.INFO.{kept_in}", "")["state"]["messages"]
            wait_for(lambda: given_up_by_now() >= 5, "the server has given up on five messages", 60)
            said = speak_jetstream(server, f"STREAM.INFO.{kept_in}", "")["state"]["messages"]
            node.start()
            wait_for(lambda: node.metric_sum("finstream_set_aside_total") == said, f"{said} messages are set aside", 60)
            wait_for(lambda: speak_jetstream(server, f"STREAM.INFO.{kept_in}", "")["state"]["messages"] == 0, "the advisories are dealt with", 60)
            letters = [json.loads(line) for line in node.tool("dlq", "list", "--json", "--limit", "0", "--code", "not_acknowledged").splitlines()]
            check(len(letters) == said, f"{len(letters)} letters of {said} messages")
            for letter in letters:
                check("consumer group billing of stream finstream.events" in letter["reason"] and letter["attempts"] == 2, f"{letter}")
            events = [json.loads(letter["bytes"]) for letter in letters if letter["bytes"].startswith("{")]  # the others are blocks
            check(events and all(event["symbol"].startswith("SYM") for event in events), f"the messages are not there: {letters}")
            shown = node.tool("dlq", "show", letters[0]["id"])
            check("position" not in shown and "look at that consumer" in shown, f"dlq show:\n{shown}")
            node.stop()
            node.verify()


if __name__ == "__main__":
    sys.exit(run_scenarios(__doc__, [wrong_redis, wrong_nats, two_nodes, full_buffer, no_room_redis, no_room_nats, away_at_start, given_up]))
