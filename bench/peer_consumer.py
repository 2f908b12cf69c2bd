#!/usr/bin/env python3
"""What many users write today: a Python consumer of a Redis stream that keeps a dict of windows. For comparison only.

usage: peer_consumer.py PORT EVENTS: reads EVENTS lines that are in the stream already; prints one JSON object.
"""

import json
import resource
import sys
import time

import redis


def main():
    port, events = int(sys.argv[1]), int(sys.argv[2])
    client = redis.Redis(port=port)
    windows, last, done = {}, "0", 0
    began = time.monotonic()
    while done < events:
        for _, entries in client.xread({"events": last}, count=1000, block=1000):
            for last, fields in entries:
                event = json.loads(fields[b"e"])
                key = event["symbol"], event["src_ts"][:19]
                bar = windows.get(key)
                price, size = event["price"], event["size"]
                if bar is None:
                    windows[key] = [price, price, price, price, size, 1]
                else:
                    bar[1] = max(bar[1], price)
                    bar[2] = min(bar[2], price)
                    bar[3] = price
                    bar[4] += size
                    bar[5] += 1
                done += 1
    used = resource.getrusage(resource.RUSAGE_SELF)
    print(json.dumps({"events": done, "seconds": time.monotonic() - began, "cpu_seconds": used.ru_utime + used.ru_stime}))


if __name__ == "__main__":
    main()
