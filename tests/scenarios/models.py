#!/usr/bin/env python3
"""Trained models in a node that is killed, and a model that hangs: models.py --binaries DIRECTORY.

A model of xgboost and one of sklearn are trained on features that a node has made, by the script that users train theirs with.
Then a node asks both while it, and the sklearn model's worker, are killed again and again. At the end each vector must have one
outcome per model, no signal may be there twice, the replay of the log must give every byte again, and the models, asked again,
every answer. At last a model that never answers: it is left alone, and rules go on; and one that, asked again, says something else.
"""

import argparse
import collections
import csv
import io
import json
import os
import pathlib
import pickle
import random
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time

from node import SKIPPED, Failure, Node, Programs, feed, processes_naming, wait_for

PYTHON = "/usr/bin/python3"  # Debian's, which has python3-sklearn
TRAIN = pathlib.Path(__file__).resolve().parents[2] / "tools" / "train_model.py"
WORKER = "finstream_sklearn_worker.py"
COLUMNS = ["ret_2s", "vol_5s", "rsi"]
FEATURES = {"interval": "1s", "windows": [{"name": "ret_2s", "bars": 2}, {"name": "vol_5s", "bars": 5}, {"name": "rsi", "bars": 5}]}
WINDOWS = {"intervals": ["1s"], "resume_grace_ms": 60_000, "flush_timeout_ms": 30_000}
RULES = '- {name: up, condition: "ret_2s > 0", signal: 1, score: 0.5}\n'
RATE = 1000           # events a second, of
STEP_US = 10_000      # event time each: ten bars a second of each symbol
SECONDS_A_ROUND = 6
# No answer is late here because the machine is busy, and none is left out because a restart took long.
PATIENT = {"deadline_ms": 4000}
LIMITS = {"max_age_ms": 3_600_000}


def check(condition, what):
    if not condition:
        raise Failure(what)


def walk(programs, events, seed, *more):
    return feed("walk", programs.synthetic_feed, "--symbols", 4, "--count", events, "--seed", seed, "--start-time", "2024-01-02T10:00:00Z",
                "--step-us", STEP_US, "--volatility", "0.002", *more)


def train(programs, directory):
    """Both models, on what a node makes of a market of its own."""
    with Node(programs, [walk(programs, 120_000, 11, "--rate", 0)], windows=WINDOWS, features=FEATURES) as node:
        node.start()
        node.wait_finished()
        node.stop()
        lines = node.tool("features", "--format", "json")
    recorded = directory / "features.jsonl"
    recorded.write_text(lines, encoding="utf-8")
    for kind, name in (("xgboost", "trees.ubj"), ("sklearn", "forest.pkl")):
        done = subprocess.run([PYTHON, "-I", TRAIN, "--kind", kind, "--threshold", "0.505", "--features", ",".join(COLUMNS), "--output",
                               directory / name, recorded], capture_output=True, text=True, timeout=600, check=False)
        check(done.returncode == 0, f"train_model.py: {done.stderr}")


def made_up_model(directory, name, predict):
    """A pickle whose predict_proba(rows) is this expression; `seen` is a list of its own. A pickle is code."""
    code = (f"(lambda seen, numpy: type('MadeUp', (), {{'n_features_in_': {len(COLUMNS)}, 'predict_proba': lambda self, rows: {predict}}})())"
            "([], __import__('numpy'))")

    class MadeUp:
        def __reduce__(self):
            return eval, (code,)

    path = directory / f"{name}.pkl"
    path.write_bytes(pickle.dumps(MadeUp()))
    digest = subprocess.run([PYTHON, "-I", "-c", "import sys, xxhash; print(xxhash.xxh3_64_hexdigest(open(sys.argv[1], 'rb').read()))",
                             path], capture_output=True, text=True, check=True).stdout.strip()
    path.with_suffix(".card.json").write_text(json.dumps({
        "kind": "sklearn", "model_hash": digest, "features": COLUMNS, "output": "probability", "classes": [-1, 1],
        "signal": {"name": name, "threshold": 0.6}}), encoding="utf-8")
    return path


def adapters(rules, **models):
    return {"adapters": {"rules": {"enabled": True, "file": str(rules)},
                         **{kind: {"enabled": True, "model_path": str(path), **more} for kind, (path, more) in models.items()}}}


def rows(node, what):
    return list(csv.DictReader(io.StringIO(node.tool(what, "--format", "csv"))))


def kill_worker(node, directory):
    for pid in processes_naming(str(directory / "forest.pkl")):
        os.kill(pid, signal.SIGKILL)


def survive_kills(programs, directory, rules, options):
    dice = random.Random(options.seed)
    events = RATE * SECONDS_A_ROUND * (options.rounds + 1)
    inference = adapters(rules, xgboost=(directory / "trees.ubj", PATIENT), sklearn=(directory / "forest.pkl", PATIENT))
    with Node(programs, [walk(programs, events, options.seed, "--rate", RATE)], partitions=2, windows=WINDOWS, features=FEATURES,
              inference={**inference, "models": LIMITS}) as node:
        node.start()
        for n in range(options.rounds):
            time.sleep(dice.uniform(1, SECONDS_A_ROUND))
            if n % 2 == 0:
                kill_worker(node, directory)
                time.sleep(dice.uniform(0, 1))
            node.kill()
            wait_for(lambda: not processes_naming(str(directory / "forest.pkl")), "the worker to end with its node", 20)
            node.start()
        wait_for(lambda: node.metric_sum("finstream_model_calls_total", 'model="forest",outcome="answered"') > 0, "an answer of the worker")
        kill_worker(node, directory)
        node.wait_finished()
        wait_for(lambda: node.metric_sum("finstream_model_lag_items") == 0, "the models to be done with all vectors", 60)
        check(node.metrics().get('finstream_model_breaker{model="trees"}') == 0, "the breaker of a model that never failed is not closed")
        node.wait_finished()
        node.stop()
        node.verify(threads=2)

        again = node.tool("replay", "--models")
        check(re.search(r" [1-9]\d* answers of 2 models asked again, 0 differences", " " + again.splitlines()[-1]), f"replay --models: {again}")
        vectors = len({(x["start"], x["symbol"]) for x in rows(node, "features")})
        for name in ("trees", "forest"):
            found = re.search(rf"model {name}: (\d+) vectors dealt with.*; (\d+) not yet", again)
            check(found and int(found[1]) == vectors and found[2] == "0", f"{vectors} vectors, and of model {name}: {again}")

        signals = rows(node, "signals")
        seen = collections.Counter(x["signal_id"] for x in signals)
        check(max(seen.values()) == 1, f"signals are there twice: {[k for k, n in seen.items() if n > 1][:3]}")
        by = collections.Counter(x["adapter"] for x in signals)
        check({"rules", "trees", "forest"} <= set(by), f"signals of {dict(by)}")
        follow_back(node, next(x for x in signals if x["adapter"] == "trees"))
        tell_another_model(node, directory)
    return vectors, by, again


def follow_back(node, one):
    told = json.loads(node.tool("lineage", one["signal_id"], "--format", "json"))
    check(told["model"] and told["model"]["name"] == "trees" and told["rule"] is None, f"lineage of a model's signal: {told['model']}")
    check(told["model"]["model_hash"] == told["signal"]["model_hash"], "the lineage names another model")
    check(told["features"] and told["bars"] and any(bar["events"] for bar in told["bars"]), f"no way back to events: {told['notes']}")


def tell_another_model(node, directory):
    """Another threshold is another model: that is said, and no difference."""
    card = directory / "trees.card.json"
    before = card.read_text(encoding="utf-8")
    card.write_text(before.replace("0.505", "0.75"), encoding="utf-8")
    told = node.tool("replay", "--models")
    card.write_text(before, encoding="utf-8")
    check("are of another model trees than that of the config" in told and ", 0 differences" in told, f"another model: {told}")


def hang(programs, directory, rules):
    """A model that answers once, when it is tried, is left alone after some calls, and rules go on."""
    path = made_up_model(directory, "hanging", "(seen.append(1), __import__('time').sleep(3600 if len(seen) > 1 else 0), "
                                               "numpy.full((len(rows), 2), 0.5))[2]")
    inference = adapters(rules, sklearn=(path, {"deadline_ms": 100}))
    with Node(programs, [walk(programs, 1_000_000, 5, "--rate", RATE)], windows=WINDOWS, features=FEATURES,
              inference={**inference, "models": {"breaker_failures": 2}}) as node:
        node.start()
        wait_for(lambda: node.metrics().get('finstream_model_breaker{model="hanging"}') == 1, "the breaker to open")
        before = node.metric_sum("signals_emitted_total", 'adapter="rules"')
        wait_for(lambda: node.metric_sum("signals_emitted_total", 'adapter="rules"') > before + 10, "rules to go on alone")
        wait_for(lambda: node.metric_sum("finstream_model_passed_over_total", "breaker_open") > 0, "vectors to be passed over")
        check(b"rules go on alone" in node.log_bytes(), "the log does not say so")
        state = node.tree()["/consumers/models/hanging"]
        check(state["breaker"] in ("open", "half_open") and state["failures"] > 0, f"the state of the model: {state}")
        node.stop()
        node.verify()
        check({x["adapter"] for x in rows(node, "signals")} == {"rules"}, "a model that never answered has made signals")
        told = node.tool("replay", "--models")
        check("breaker_open" in told and " failed" in told and "0 differences" in told, f"replay --models: {told}")


def change_its_mind(programs, directory, rules):
    """The same file, and other answers: each is found, and what was recorded stays what is true."""
    switch = directory / "switch"
    path = made_up_model(directory, "moody", f"numpy.tile([0.25, 0.75 if not __import__('os').path.exists({str(switch)!r}) else 0.875], (len(rows), 1))")
    with Node(programs, [walk(programs, 4000, 9, "--rate", RATE)], windows=WINDOWS, features=FEATURES,
              inference={**adapters(rules, sklearn=(path, PATIENT)), "models": LIMITS}) as node:
        node.start()
        node.wait_finished()
        wait_for(lambda: node.metric_sum("finstream_model_lag_items") == 0, "the model to be done with all vectors", 60)
        node.wait_finished()
        node.stop()
        node.tool("replay", "--models")
        switch.touch()
        told = node.tool("replay", "--models", expect=1)
        vectors = [json.loads(line) for line in node.tool("features", "--format", "json").splitlines()]
        defined = sum(all(x["features"][name]["value"] is not None for name in COLUMNS) for x in vectors)
        check(defined > 50 and f"{len(vectors)} answers of 1 model asked again, {defined} differences" in told, f"answers that differ: {told}")
        check(re.search(r"model moody of walk/SYM00\d/1s/2024-01-02T10:\S+: recorded 1 with score 0.75, now 1 with score 0.875", told),
              f"what differs is not said: {told}")
        node.verify()


def refuse(programs, directory, rules):
    """A model that cannot be opened stops the start, and it is said which."""
    inference = adapters(rules, xgboost=(directory / "nowhere.ubj", {}))
    with Node(programs, [walk(programs, 10, 1)], windows=WINDOWS, features=FEATURES, inference=inference) as node:
        node.start(wait=False)
        check(node.process.wait(60) == 1, "a node whose model is missing has started")
        check(b"inference.adapters.xgboost.model_path: there is no model card" in node.log_bytes(), node.log_tail(3))
        node.change([walk(programs, 10, 1)], features={"windows": [{"name": "rsi", "bars": 5}]},
                    inference=adapters(rules, xgboost=(directory / "trees.ubj", {})))
        pathlib.Path(rules).write_text('- {name: up, condition: "rsi > 0", signal: 1, score: 0.5}\n', encoding="utf-8")
        node.start(wait=False)
        check(node.process.wait(60) == 1, "a node that does not compute what its model needs has started")
        check(b"model trees needs the feature ret_2s, which is not computed" in node.log_bytes(), node.log_tail(3))


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--binaries", required=True)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--rounds", type=int, default=4)
    options = parser.parse_args()
    programs = Programs(options.binaries)
    if subprocess.run([PYTHON, "-I", "-c", "import sklearn, xgboost, xxhash, msgpack"], stderr=subprocess.DEVNULL, check=False).returncode:
        print("skipped: python3-sklearn, python3-xgboost, python3-xxhash or python3-msgpack is not installed")
        return SKIPPED
    began = time.monotonic()
    directory = pathlib.Path(tempfile.mkdtemp(prefix="finstream-models-"))
    rules = directory / "rules.yaml"
    rules.write_text(RULES, encoding="utf-8")
    try:
        train(programs, directory)
        vectors, by, again = survive_kills(programs, directory, rules, options)
        hang(programs, directory, rules)
        change_its_mind(programs, directory, rules)
        refuse(programs, directory, rules)
    except Failure as failure:
        print(f"BAD models: {failure}")
        return 1
    finally:
        shutil.rmtree(directory, ignore_errors=True)
    print(f"ok  models: {options.rounds} kills, {vectors} vectors with one outcome per model, signals {dict(by)}, each once; "
          f"{again.splitlines()[-1]}; a model that hangs is left alone ({time.monotonic() - began:.1f} s)")
    return 0


if __name__ == "__main__":
    sys.exit(main())
