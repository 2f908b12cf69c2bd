"""The feed of crash_rounds.py, whose every event follows from a seed, and the bars that its lines make."""

import json
import subprocess
from decimal import Decimal

from node import check

STEP_MICROSECONDS = 1000  # of simulated time from event to event
SYMBOLS = 7
BEGAN = "2024-01-02T10:00:00Z"
INTERVALS_SECONDS = (1, 60)


class Truth:
    """The feed's own lines, asked for as far as they are needed, and the bars that they make."""

    def __init__(self, programs, seed):
        command = [programs.synthetic_feed, *arguments_of_feed(seed, 0, 0), "--provider", "walk"]
        self.process = subprocess.Popen([str(c) for c in command], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        self.events = 0
        self.bars = {seconds: {} for seconds in INTERVALS_SECONDS}

    def read_to(self, events):
        while self.events < events:
            line = json.loads(self.process.stdout.readline(), parse_float=Decimal)
            if "price" not in line:
                continue
            self.events += 1
            check(line["seq"] == self.events, f"the feed's event {self.events} has seq {line['seq']}")
            when = line["src_ts"]
            second = (int(when[11:13]) * 60 + int(when[14:16])) * 60 + int(when[17:19]) + 86_400 * int(when[8:10])
            price, size = Decimal(line["price"]), Decimal(line["size"])
            for seconds, bars in self.bars.items():
                key = (line["symbol"], second - second % seconds)
                if key not in bars:
                    bars[key] = [price, price, price, price, size, 1]
                else:
                    bar = bars[key]
                    bar[1], bar[2], bar[3] = max(bar[1], price), min(bar[2], price), price
                    bar[4] += size
                    bar[5] += 1

    def close(self):
        self.process.kill()
        self.process.wait()


def arguments_of_feed(seed, rate, count):
    return ["--rate", rate, "--count", count, "--seed", seed, "--symbols", SYMBOLS, "--start-time", BEGAN, "--step-us", STEP_MICROSECONDS]
