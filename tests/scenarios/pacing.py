#!/usr/bin/env python3
"""Feeds that poll a provider keep to its limits together: pacing.py --binaries DIRECTORY.

The provider is an HTTP server here, which counts requests by a token bucket of its own and refuses what is too much.
"""

import argparse
import datetime
import http.server
import json
import os
import sys
import threading
import time

from node import Failure, Node, Programs, feed, wait_for

POLLER = os.path.join(os.path.dirname(os.path.abspath(__file__)), "polling_feed.py")
REQUESTS_PER_SECOND, BURST = 50, 10
FEEDS = 3
# A feed that is held up sends what it was granted a while ago, one request at most, together with what it is granted now.
ALLOWED_AT_ONCE = BURST + FEEDS
SECONDS = 6  # that the feeds poll for, at least


class Provider(http.server.ThreadingHTTPServer):
    daemon_threads = True

    def __init__(self):
        super().__init__(("127.0.0.1", 0), Answer)
        self.lock = threading.Lock()
        self.allowed, self.filled_at = float(ALLOWED_AT_ONCE), time.monotonic()
        self.answered = self.refused = 0
        threading.Thread(target=self.serve_forever, daemon=True).start()

    def url(self):
        return f"http://127.0.0.1:{self.server_address[1]}/price"

    def allow(self):
        """The number of the request, or None."""
        with self.lock:
            now = time.monotonic()
            self.allowed = min(ALLOWED_AT_ONCE, self.allowed + (now - self.filled_at) * REQUESTS_PER_SECOND)
            self.filled_at = now
            if self.allowed < 1:
                self.refused += 1
                return None
            self.allowed -= 1
            self.answered += 1
            return self.answered


class Answer(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        number = self.server.allow()
        body = b""
        if number:
            at = datetime.datetime.now(datetime.timezone.utc).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
            body = json.dumps({"time": at, "seq": number, "price": 100 + number % 7}).encode()
        self.send_response(200 if number else 429)
        self.send_header("Content-Length", str(len(body)))
        self.send_header("Retry-After", "0.5")
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass


def violations(node):
    return node.metrics()['finstream_pacing_violations_total{provider="venue"}']


def check(condition, what):
    if not condition:
        raise Failure(what)


def poll_for_a_while(node, provider):
    """Requests a second that were answered."""
    began, before = time.monotonic(), provider.answered
    wait_for(lambda: provider.answered - before >= SECONDS * REQUESTS_PER_SECOND, "the feeds poll")
    rate = (provider.answered - before) / (time.monotonic() - began)
    check(provider.refused == 0, f"the provider refused {provider.refused} of {provider.answered} requests")
    check(violations(node) == 0, f"{violations(node)} violations")
    return rate


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--binaries", required=True)
    programs = Programs(parser.parse_args().binaries)
    provider = Provider()

    def poller(name, *more):
        return feed(name, sys.executable, POLLER, provider.url(), name.upper(), *more, paced_by="venue")

    polite = [poller(f"poller_{n}") for n in range(FEEDS)]
    limits = [{"name": "venue", "pacing": {"requests_per_s": REQUESTS_PER_SECOND, "burst": BURST}}]
    try:
        with Node(programs, polite, providers=limits) as node:
            node.start()
            rate = poll_for_a_while(node, provider)
            check(node.get("/v1/admin/crash?actor=/pacing/venue", "POST")[0] in (200, 202), "the pacer does not crash")
            poll_for_a_while(node, provider)
            node.kill()
            node.start()
            poll_for_a_while(node, provider)
            node.stop()
            node.verify()
            node.change(polite + [poller("rude", "--rude")])
            node.start()
            wait_for(lambda: violations(node) > 0 and provider.refused > 0, "a rude feed is noticed")
            check(b"requests beyond the limits of venue" in node.log_bytes(), "nobody says so")
            node.stop()
    except Failure as failure:
        print(f"BAD pacing: {failure}")
        return 1
    print(f"ok  pacing: {FEEDS} feeds together made {rate:.1f} of {REQUESTS_PER_SECOND} requests a second, none was refused")
    return 0


if __name__ == "__main__":
    sys.exit(main())
