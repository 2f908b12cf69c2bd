"""A feed that polls: polling_feed.py URL SYMBOL [--rude]. It asks before each request, and waits for its grant.

With --rude it does not wait, and says only afterwards what it has done.
"""

import json
import sys
import time
import urllib.error
import urllib.request

RUDE_REQUESTS_PER_SECOND = 200


def say(**line):
    print(json.dumps(line), flush=True)


def granted():
    """Requests that may be made, as they are granted; ends with standard input."""
    while True:
        say(type="pace", requests=1)
        line = sys.stdin.readline()
        if not line:
            return
        for _ in range(json.loads(line)["requests"]):
            yield


def taken():
    while True:
        yield
        say(type="pace", made=1)
        time.sleep(1 / RUDE_REQUESTS_PER_SECOND)


def main():
    url, symbol = sys.argv[1:3]
    say(type="hello")
    for _ in taken() if "--rude" in sys.argv else granted():
        try:
            with urllib.request.urlopen(url, timeout=5) as answer:
                price = json.load(answer)
        except urllib.error.HTTPError as refusal:
            say(type="pace", wait_ms=int(1000 * float(refusal.headers["Retry-After"])))
            continue
        say(symbol=symbol, src_ts=price["time"], seq=price["seq"], price=price["price"])


main()
