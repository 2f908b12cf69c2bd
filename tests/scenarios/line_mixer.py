#!/usr/bin/env python3
"""A feed of a feed: runs another feed and mixes lines that cannot be used into its lines.

line_mixer.py EVERY COMMAND...: before every EVERY-th line comes a bad one, each kind in turn. All else passes as it is.
"""

import subprocess
import sys

GOOD = b'{"symbol":"MIXED","src_ts":"2020-01-01T00:00:00Z","seq":1,"price":1,"size":1}'
BAD_LINES = [
    GOOD[:40],
    b"not JSON at all",
    b'{"symbol":"\xff\xfe","src_ts":"2020-01-01T00:00:00Z","seq":1,"price":1}',
    GOOD.replace(b'"price":1', b'"price":1.0123456789'),
    GOOD.replace(b'"price":1', b'"price":99999999999999'),
    GOOD.replace(b'"price":1,', b""),
    GOOD.replace(b'"seq":1,', b""),
    GOOD.replace(b'"size":1', b'"size":-1'),
    GOOD.replace(b"2020-01-01", b"2020-13-45"),
    GOOD.replace(b"2020", b"2199"),
    GOOD.replace(b"MIXED", b""),
    b"[" * 5000,
    b"[" + GOOD + b"]",
    GOOD + GOOD,
    b'{"type":"gossip"}',
    b'{"symbol":"MIXED","note":"' + b"x" * 70_000 + b'"}',
    b"\x00\x01\x02",
    b"null",
]


def main():
    every = int(sys.argv[1])
    feed = subprocess.Popen(sys.argv[2:], stdout=subprocess.PIPE)
    out = sys.stdout.buffer
    for number, line in enumerate(feed.stdout):
        if number % every == every - 1:
            out.write(BAD_LINES[number // every % len(BAD_LINES)] + b"\n")
        out.write(line)
    out.flush()
    return feed.wait()


def bad_lines(rows, every):
    """How many are mixed into these rows, a hello and an eof."""
    return (rows + 2) // every


if __name__ == "__main__":
    sys.exit(main())
