#!/usr/bin/python3
"""Trains a small model that says whether the next bar closes higher or lower, and writes it with its card.

    finstream tail 'features.*' | tools/train_model.py --kind xgboost --output models/trend.ubj

reads the objects of the channels `features.<symbol>`, one a line, from standard input or from files (.gz too); a file
.csv has a header with `close`, `end` and one column a feature, and may have `provider`, `symbol`, `interval`, `start`.
A row is one bar of one series; its label is the sign of the return to the next bar of that series. Rows whose next bar
is not adjacent, or closes at the same price, are left out. What is earlier trains, the latest part is only used to say
how good the model is. The same input gives the same bytes.

It is a place to begin, not a strategy: no costs, no purging, no search for parameters.
"""

import argparse
import csv
import gzip
import io
import json
import math
import os
import sys
import warnings

# Before numpy is loaded: sums in one order.
for _name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ[_name] = "1"

import numpy
import xxhash

NOT_FEATURES = {"type", "channel", "pos", "provider", "symbol", "interval", "start", "end", "close", "revision"}
EXTENSIONS = {"xgboost": ".ubj", "sklearn": ".pkl"}
SMALLEST_CLASS = 20  # rows of either sign: with fewer, what is learned is chance


def time_key(text):
    """RFC 3339 in UTC, as something that sorts: the fraction may have any number of digits."""
    seconds, _, fraction = text.rstrip("Z").partition(".")
    return seconds, fraction.ljust(9, "0")


def number(value):
    """A feature's value; what is not defined is NaN."""
    if value is None or value == "":
        return math.nan
    value = float(value)
    return value if math.isfinite(value) else math.nan


class Rows:
    """Vectors of features by series and time; of a revised one, the last revision."""

    def __init__(self):
        self.series = {}
        self.names = {}  # in order of first use

    def add(self, row, features):
        key = tuple(str(row.get(name, "")) for name in ("provider", "symbol", "interval"))
        when = time_key(row["end"])
        known = self.series.setdefault(key, {}).get(when)
        revision = int(row.get("revision") or 0)
        if known and known["revision"] > revision:
            return
        self.names.update(dict.fromkeys(features))
        start = row.get("start")
        self.series[key][when] = {"revision": revision, "start": time_key(start) if start else None,
                                  "close": float(row["close"]), "features": features}

    def read(self, stream, is_csv):
        if is_csv:
            for row in csv.DictReader(stream):
                self.add(row, {name: number(row[name]) for name in row if name not in NOT_FEATURES})
            return
        for line in stream:
            if not line.strip():
                continue
            found = json.loads(line)
            for row in found if isinstance(found, list) else [found]:  # a WebSocket's message is a list
                if row.get("type") == "features":
                    self.add(row, {name: number(x["value"]) for name, x in row["features"].items()})

    def labelled(self, names):
        """(time, series, values, 0 or 1) of each row that has a label, in order of time."""
        out = []
        for key, rows in sorted(self.series.items()):
            times = sorted(rows)
            for now, then in zip(times, times[1:]):
                row, after = rows[now], rows[then]
                adjacent = after["start"] is None or after["start"] == now
                if adjacent and after["close"] != row["close"]:
                    values = [row["features"].get(name, math.nan) for name in names]
                    out.append((now, key, values, int(after["close"] > row["close"])))
        out.sort(key=lambda x: x[:2])
        return out


def open_text(path):
    if path == "-":
        return sys.stdin
    return io.TextIOWrapper(gzip.open(path)) if path.endswith(".gz") else open(path, encoding="utf-8")


def train_sklearn(x, y, names, options):
    import joblib
    import sklearn
    from sklearn.ensemble import GradientBoostingClassifier

    model = GradientBoostingClassifier(n_estimators=options.trees, max_depth=options.depth, random_state=options.seed)
    model.fit(x, y)
    warnings.filterwarnings("ignore", message="X does not have valid feature names")
    model.feature_names_in_ = numpy.array(names, dtype=object)  # so that a card with other names is found out
    content = io.BytesIO()
    joblib.dump(model, content)
    return content.getvalue(), lambda rows: model.predict_proba(rows)[:, 1], f"scikit-learn {sklearn.__version__}"


def train_xgboost(x, y, names, options):
    import xgboost

    parameters = {"objective": "binary:logistic", "max_depth": options.depth, "eta": 0.1, "seed": options.seed,
                  "nthread": 1, "tree_method": "exact"}
    model = xgboost.train(parameters, xgboost.DMatrix(x, label=y, feature_names=names, nthread=1), options.trees)
    ending = os.path.splitext(options.output)[1].lstrip(".")
    return bytes(model.save_raw(ending)), model.inplace_predict, f"xgboost {xgboost.__version__}"


def judge(probability, y, threshold):
    """How often it is right on rows it has not seen, over all of them and over those it is sure of."""
    right = (probability > 0.5) == (y == 1)
    sure = numpy.maximum(probability, 1 - probability) >= threshold
    share = lambda x: round(float(x.mean()), 4) if len(x) else None
    return {"rows": len(y), "right": share(right), "always_the_commoner": round(float(max(y.mean(), 1 - y.mean())), 4),
            "sure_rows": int(sure.sum()), "sure_right": share(right[sure])}


def write(path, content):
    """Whole or not at all."""
    with open(path + ".new", "wb") as file:
        file.write(content)
    os.replace(path + ".new", path)


def parse(arguments):
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("input", nargs="*", default=["-"], help="files; standard input without any")
    parser.add_argument("--kind", choices=EXTENSIONS, required=True)
    parser.add_argument("--output", required=True, metavar="FILE", help="of xgboost .ubj or .json, of sklearn .pkl")
    parser.add_argument("--features", metavar="A,B", help="names in the order of the columns; default: all there are")
    parser.add_argument("--threshold", type=float, default=0.55, help="probability from which on there is a signal")
    parser.add_argument("--test-share", type=float, default=0.3, help="the latest part, which does not train")
    parser.add_argument("--trees", type=int, default=50)
    parser.add_argument("--depth", type=int, default=3)
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args(arguments)
    allowed = {".ubj", ".json"} if options.kind == "xgboost" else {".pkl", ".joblib"}
    if os.path.splitext(options.output)[1] not in allowed:
        parser.error(f"--output of {options.kind} ends in one of {' '.join(sorted(allowed))}")
    if not 0 < options.test_share < 1:
        parser.error("--test-share is between 0 and 1")
    return options


def main(arguments):
    options = parse(arguments)
    rows = Rows()
    for path in options.input:
        with open_text(path) as stream:
            rows.read(stream, path.removesuffix(".gz").endswith(".csv"))
    names = options.features.split(",") if options.features else list(rows.names)
    if unknown := [name for name in names if name not in rows.names]:
        return f"no row has a feature {', '.join(unknown)}; there are: {', '.join(rows.names) or 'none'}"
    labelled = rows.labelled(names)
    x = numpy.array([row[2] for row in labelled]).reshape(-1, len(names))
    y = numpy.array([row[3] for row in labelled], dtype=int)
    if options.kind == "sklearn":  # its trees know no missing value; the card says that such rows are left out
        whole = ~numpy.isnan(x).any(axis=1)
        x, y = x[whole], y[whole]
    first_test = int(len(y) * (1 - options.test_share))
    of_each = numpy.bincount(y[:first_test], minlength=2)
    if of_each.min() < SMALLEST_CLASS:
        return (f"{of_each[1]} rows that rise and {of_each[0]} that fall are left to train on: {SMALLEST_CLASS} of each "
                "are the least, record more bars")
    train = train_sklearn if options.kind == "sklearn" else train_xgboost
    content, predict, library = train(x[:first_test], y[:first_test], names, options)
    report = judge(predict(x[first_test:]), y[first_test:], options.threshold)
    card = {"kind": options.kind, "model_hash": xxhash.xxh3_64_hexdigest(content), "features": names,
            "output": "probability", "classes": [-1, 1], "nulls": "skip" if options.kind == "sklearn" else "pass",
            "signal": {"name": "next_return", "threshold": options.threshold},
            "notes": {"library": library, "trained_on_rows": first_test, "seed": options.seed, "tested": report}}
    card_path = os.path.splitext(options.output)[0] + ".card.json"
    write(options.output, content)
    write(card_path, (json.dumps(card, indent=2) + "\n").encode())
    print(f"{options.output} and {card_path}: {json.dumps(report)}", file=sys.stderr)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
