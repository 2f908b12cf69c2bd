"""The recorded data beside the project: trades and quotes, the bars that pandas made of them, and the bars that came with them.

Each form of arrival that must not change a bar (shuffled within the lateness, every line doubled) is a file made from it.
"""

import csv
import gzip
import os
import random
import sys
from datetime import datetime, timezone
from decimal import ROUND_DOWN, ROUND_HALF_EVEN, Decimal

INTERVALS = ("1s", "5s", "60s")
FIELDS = ("open", "high", "low", "close", "volume", "vwap", "count")
VWAP_UNIT = Decimal("1e-9")
SHUFFLE_NS = 400_000_000  # less than the allowed lateness of 500 ms
FARTHEST_COPY = 2000      # rows between a row and its copy


def plain(text):
    """A number in its shortest form without exponent; blank stays blank."""
    if not text:
        return ""
    short = format(Decimal(text).normalize(), "f")
    return "0" if short in ("-0", "0") else short


def nanoseconds(text):
    whole, _, fraction = text.rstrip("Z").partition(".")
    seconds = datetime.fromisoformat(whole).replace(tzinfo=timezone.utc).timestamp()
    return int(seconds) * 1_000_000_000 + int(fraction.ljust(9, "0") if fraction else 0)


def read(path):
    with gzip.open(path, "rt", newline="") as file:
        return list(csv.DictReader(file))


class Dataset:
    """One feed's worth of data. `name` is its provider too."""

    def __init__(self, directory, name):
        self.name = name
        self.kind = "quote" if name.endswith(".quotes") else "trade"
        self.base = name.removesuffix(".quotes")
        self.directory = directory
        self.rows = read(os.path.join(directory, f"{name}.csv.gz"))
        self.times = [nanoseconds(row["src_ts"]) for row in self.rows]
        self.seconds = max(1.0, (max(self.times) - min(self.times)) / 1e9)
        self.note = self._number_rows_if_needed()
        self._expected = {}

    # Rows at one time keep the order of the file through seq. An exchange's number that many rows share does not tell them
    # apart, so there the row number takes its place.
    def _number_rows_if_needed(self):
        last, ties = {}, 0
        for row in self.rows:
            key = row["symbol"], row["src_ts"]
            ties += key in last and int(row["seq"]) <= last[key]
            last[key] = int(row["seq"])
        if ties:
            for number, row in enumerate(self.rows, 1):
                row["seq"] = str(number)
        return f"seq does not tell {ties} rows from others of their time: the row number is used" if ties else ""

    # --- what arrives

    def source(self, folder, form="plain", seed=1):
        """A file with the rows in this form of arrival."""
        if form == "plain" and not self.note:
            return os.path.join(self.directory, f"{self.name}.csv.gz")
        path = os.path.join(folder, f"{self.name}.{form}.csv")
        chance = random.Random(f"{self.name} {form} {seed}")
        with open(path, "w", newline="") as file:
            out = csv.DictWriter(file, self.rows[0].keys())
            out.writeheader()
            out.writerows({"plain": lambda: self.rows, "shuffled": lambda: self._shuffled(chance),
                           "doubled": lambda: self._doubled(chance)}[form]())
        return path

    def _shuffled(self, chance):
        """No row comes after one that is more than SHUFFLE_NS newer."""
        arrival = [time + chance.randrange(SHUFFLE_NS) for time in self.times]
        return [self.rows[i] for i in sorted(range(len(self.rows)), key=arrival.__getitem__)]

    def _doubled(self, chance):
        """Every row comes twice: half of the copies at once, half up to FARTHEST_COPY rows later."""
        places = [(i, 0, i) for i in range(len(self.rows))]
        places += [(i + (chance.randrange(FARTHEST_COPY) if chance.random() < 0.5 else 0), 1, i) for i in range(len(self.rows))]
        return [self.rows[i] for _, _, i in sorted(places)]

    def command(self, programs, file, speed=0):
        command = [programs.csv_feed, "--file", file, "--kind", self.kind, "--provider", self.name]
        return command + (["--speed", f"{speed:.3f}"] if speed else [])

    # --- what must come out

    def expected(self, interval):
        """The pandas bars: (start, symbol) -> fields."""
        if interval not in self._expected:
            bars = {}
            for row in read(os.path.join(self.directory, f"{self.base}.bars-{interval}.csv.gz")):
                vwap = Decimal(row["vwap"]).quantize(VWAP_UNIT, ROUND_HALF_EVEN) if row["vwap"] else ""
                values = [plain(row[f]) for f in ("open", "high", "low", "close", "volume")]
                bars[row["bar_start"], row["symbol"]] = (*values, plain(str(vwap)), row["count"])
            self._expected[interval] = bars
        return self._expected[interval]

    def compare(self, interval, ours):
        """Rows compared, and differences as sentences."""
        expected, got, wrong = self.expected(interval), by_key(ours), []
        if len(got) != len(ours):
            wrong.append(f"{self.name} {interval}: {len(ours) - len(got)} bars are there twice")
        for key in sorted(expected.keys() | got.keys()):
            if expected.get(key) != got.get(key):
                wrong.append(f"{self.name} {interval} {key}: {FIELDS} pandas {expected.get(key)}, ours {got.get(key)}")
        wrong += [f"{self.name} {interval} {bar['start']}: flags {bar['flags']}" for bar in ours if "gap" in bar["flags"]]
        return len(expected), wrong

    def compare_with_recorded(self, interval, ours):
        """Wherever pandas agrees with the recorded bars, ours must: (sentences of counts, differences)."""
        path = os.path.join(self.directory, f"{self.base}.truth-{interval}.csv.gz")
        if not os.path.exists(path):
            return [], []
        expected, got, wrong = self.expected(interval), by_key(ours), []
        there = {f: 0 for f in FIELDS}
        agree, pandas_agree = dict(there), dict(there)
        for row in read(path):
            key = row["bar_start"], row["symbol"]
            if key not in expected and key not in got:
                continue  # before the trades begin, or without any
            for i, field in enumerate(FIELDS):
                if row[field] == "":
                    continue
                there[field] += 1
                same = [same_value(bars.get(key), i, row[field]) for bars in (expected, got)]
                pandas_agree[field] += same[0]
                agree[field] += same[1]
                if same[0] and not same[1]:
                    wrong.append(f"{self.name} {interval} {key}: recorded {field} {row[field]}, ours {got.get(key)}")
        counts = ", ".join(f"{f} {agree[f]} of {there[f]}" for f in FIELDS if there[f])
        if agree != pandas_agree:
            wrong.append(f"{self.name} {interval}: agreement {agree}, with pandas {pandas_agree}")
        return [f"{self.name} recorded {interval} bars: {counts} agree, as with pandas"], wrong


def by_key(ours):
    return {(b["start"], b["symbol"]): tuple(plain(b["trades" if f == "count" else f]) for f in FIELDS) for b in ours}


def same_value(bar, field, recorded):
    if bar is None or bar[field] == "":
        return False
    ours, theirs = Decimal(bar[field]), Decimal(recorded)
    if FIELDS[field] == "vwap":  # the recorder cut it off
        ours = ours.quantize(Decimal(1).scaleb(theirs.as_tuple().exponent), ROUND_DOWN)
    return ours == theirs


def find(directory, names=None):
    """All sets, smallest first; nothing where there is no data."""
    if not os.path.isdir(directory):
        return []
    known = [n.removesuffix(".csv.gz") for n in os.listdir(directory) if n.endswith(".csv.gz")]
    known = [n for n in known if not any(part in n for part in (".bars-", ".truth-", ".features-"))]
    if names:
        unknown = set(names) - set(known)
        if unknown:
            sys.exit(f"no such sets: {', '.join(sorted(unknown))}; there are {', '.join(sorted(known))}")
        known = [n for n in known if n in names]
    return sorted((Dataset(directory, n) for n in known), key=lambda d: len(d.rows))
