#!/usr/bin/python3
"""What the tests of models need, made from a seed: usage: models_data.py TRAIN_MODEL_PY DIRECTORY (made anew)

Trains a model of each kind with the project's own script, from made-up features whose next return can be learned, and
has the library itself answer for some rows: KIND.rows and KIND.expected are little-endian doubles. Beside them, models
that are each wrong in one way.
"""

import json
import math
import os
import pickle
import random
import shutil
import subprocess
import sys
import warnings

COLUMNS = ["ret_1m", "vol_5m", "rsi"]
BARS = 600


def feature_lines(seed):
    """One series as the channel features.<symbol> prints it; the next close follows ret_1m, mostly."""
    chance = random.Random(seed)
    close = 100.0
    for bar in range(BARS):
        values = [chance.gauss(0, 0.01), abs(chance.gauss(0, 0.02)), chance.uniform(0, 100)]
        if bar % 17 == 0:
            values[1] = None
        stamp = lambda minute: f"2026-01-{5 + minute // 1440:02}T{minute // 60 % 24:02}:{minute % 60:02}:00Z"
        yield json.dumps({"type": "features", "channel": "features.AAA", "pos": "x", "provider": "p", "symbol": "AAA",
                          "interval": "1m", "start": stamp(bar), "end": stamp(bar + 1), "close": round(close, 6),
                          "revision": 0, "features": {n: {"value": v} for n, v in zip(COLUMNS, values)}})
        close *= 1 + 0.5 * values[0] + chance.gauss(0, 0.002)


def main():
    train, directory = sys.argv[1:3]
    shutil.rmtree(directory, ignore_errors=True)
    os.makedirs(directory)
    os.chdir(directory)
    with open("features.jsonl", "w", encoding="utf-8") as file:
        file.write("\n".join(feature_lines(seed=7)) + "\n")
    for kind, name in (("xgboost", "xgboost.ubj"), ("xgboost", "again.ubj"), ("xgboost", "text.json"),
                       ("sklearn", "sklearn.pkl"), ("sklearn", "again.pkl")):
        subprocess.run([sys.executable, "-I", train, "--kind", kind, "--output", name, "features.jsonl"], check=True)

    for name in ("sklearn.pkl", "xgboost.ubj"):
        again = "again" + os.path.splitext(name)[1]
        if open(name, "rb").read() != open(again, "rb").read():
            sys.exit(f"{name} and {again} were trained alike and differ")

    import joblib
    import numpy
    import xgboost
    import xxhash
    from sklearn.ensemble import RandomForestClassifier

    warnings.filterwarnings("ignore", message="X does not have valid feature names")
    chance = numpy.random.default_rng(11)
    rows = numpy.column_stack([chance.normal(0, 0.01, 2500), abs(chance.normal(0, 0.02, 2500)),
                               chance.uniform(0, 100, 2500)])
    rows.tofile("sklearn.rows")
    joblib.load("sklearn.pkl").predict_proba(rows).astype("<f8").tofile("sklearn.expected")
    rows[chance.random(rows.shape) < 0.2] = math.nan
    rows[0] = math.nan
    rows.tofile("xgboost.rows")
    booster = xgboost.Booster(model_file="xgboost.ubj")
    booster.predict(xgboost.DMatrix(rows, feature_names=COLUMNS)).astype("<f8").tofile("xgboost.expected")

    def card(path, content, **changes):
        with open(path, "wb") as file:
            file.write(content)
        made = {"kind": "sklearn", "model_hash": xxhash.xxh3_64_hexdigest(content), "features": COLUMNS,
                "output": "probability", "classes": [-1, 1], "signal": {"name": "s", "threshold": 0.55}}
        with open(os.path.splitext(path)[0] + ".card.json", "w", encoding="utf-8") as file:
            json.dump({key: value for key, value in {**made, **changes}.items() if value is not None}, file)

    ubj, pickled = open("xgboost.ubj", "rb").read(), open("sklearn.pkl", "rb").read()
    # Damaged after its card was made; and garbage that its card is right about.
    card("damaged.ubj", ubj, kind="xgboost")
    with open("damaged.ubj", "r+b") as file:
        file.seek(len(ubj) // 2)
        file.write(b"\xff\xff\xff\xff")
    card("damaged_pickle.pkl", pickled)
    with open("damaged_pickle.pkl", "r+b") as file:
        file.seek(100)
        file.write(b"\xff\xff\xff\xff")
    card("garbage.ubj", b"not a model at all", kind="xgboost")
    card("cut.ubj", ubj[:len(ubj) // 3], kind="xgboost")
    card("garbage_pickle.pkl", b"not a pickle at all")
    card("renamed.ubj", ubj, kind="xgboost", features=["ret_1m", "rsi", "vol_5m"])
    card("narrow.ubj", ubj, kind="xgboost", features=COLUMNS[:2])
    card("as_number.pkl", pickled, output="number", classes=None)
    card("three_classes.ubj", ubj, kind="xgboost", classes=[-1, 0, 1])
    card("renamed_pickle.pkl", pickled, features=["ret_1m", "rsi", "vol_5m"])
    card("nulls_pickle.pkl", pickled, nulls="pass")
    card("noted.pkl", pickled, name="noted", notes={"anything": [1]})
    # So verbose that joblib prints to standard output, where the frames are.
    chatty = RandomForestClassifier(n_estimators=3, random_state=1)
    chatty.fit(numpy.nan_to_num(rows), numpy.nan_to_num(rows)[:, 0] > 0)
    chatty.verbose = 51
    card("chatty.pkl", pickle.dumps(chatty))
    parameters = {"objective": "reg:squarederror", "nthread": 1}
    returns = xgboost.DMatrix(numpy.nan_to_num(rows), label=numpy.nan_to_num(rows)[:, 0])
    regression = bytes(xgboost.train(parameters, returns, 3).save_raw("ubj"))
    text = json.dumps({"kind": "xgboost", "model_hash": xxhash.xxh3_64_hexdigest(regression), "features": COLUMNS,
                       "output": "number", "signal": {"threshold": 0.001}})
    with open("number.ubj", "wb") as file:
        file.write(regression)
    with open("number.card.json", "w", encoding="utf-8") as file:
        file.write(text)
    card("number_as_probability.ubj", regression, kind="xgboost")


main()
