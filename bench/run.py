#!/usr/bin/env python3
"""Runs the benchmarks and prints their medians: ./dev bench [--only NAME] [--json FILE] [--runs N].

Each part is a function that runs one measurement and gives rows; a row is {"name": ..., figures}. Figures of a node are of
its process alone (all its threads, RocksDB's included): the feed, the clients and this script are other processes. The
machine should do nothing else: the script says how busy it was when it began.
"""

import argparse
import contextlib
import datetime
import json
import os
import pathlib
import resource
import shutil
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "tests" / "scenarios"))
from bench_brokers import brokers, nats_jetstream, node_on_broker, redis_streams
from bench_node import ROOT, cpu_seconds, memory_mib, node, run_program, synthetic
from postgres import Postgres
from websocket import Client


# --- parts ------------------------------------------------------------------------------------------------------------

def flat_out(build):
    """(a) Flat out through the pipe: 100 symbols, 170-byte lines, 4 windows, bars stored, durability interval."""
    events = 8_000_000
    with node(build, synthetic("--symbols", 100, "--rate", 0, "--count", events, "--pad-to", 170)) as it:
        began = time.monotonic()
        it.start()
        it.wait("the first event", lambda: it.metrics().get("finstream_process_cpu_seconds", 0) > 0, 0.005)
        it.wait_done("synthetic")
        wall, cpu = time.monotonic() - began, cpu_seconds(it.process.pid)
        m = it.metrics()
        appended = m["finstream_log_appended_bytes"]
        return [{
            "name": "flat_out", "events_per_second": events / wall, "events_per_cpu_second": events / cpu,
            "peak_rss_mib": memory_mib(it.process.pid, "VmHWM"), "bytes_per_event": appended / events,
            "write_amplification": m["finstream_log_written_bytes"] / appended,
            "lag_p50_ms": quantile(m, 0.50) * 1e3, "lag_p99_ms": quantile(m, 0.99) * 1e3,
        }]


def quantile(metrics, q, name="finstream_pipeline_lag_seconds"):
    buckets = sorted((float(key.split('le="')[1].split('"')[0].replace("+Inf", "inf")), value)
                     for key, value in metrics.items() if key.startswith(name + "_bucket"))
    wanted, low, seen = q * buckets[-1][1], 0.0, 0.0
    for bound, value in buckets:
        if value >= wanted and value > seen:
            return low if bound == float("inf") else low + (bound - low) * (wanted - seen) / (value - seen)
        low, seen = bound, value
    return low


def parse(build):
    """(b) Parsing only."""
    return run_program(build, "parse_bench")


def append(build):
    """(b) Appending only."""
    return [{"name": f"append_{row['subject']}_{row['payload']}_{row['durability']}", **row} for row in run_program(build, "append_bench")]


def window(build):
    """(b) Windowing only."""
    return run_program(build, "window_bench")


def features(build):
    """Features and rules, per bar that closes: the windows and rules of the first config files."""
    return run_program(build, "feature_bench")


def models(build):
    """What a batch of feature vectors costs a model of xgboost, and one of sklearn in its worker."""
    python = "/usr/bin/python3"  # Debian's, which has python3-sklearn
    if subprocess.run([python, "-I", "-c", "import sklearn, xgboost, xxhash, msgpack"], stderr=subprocess.DEVNULL, check=False).returncode != 0:
        return [{"name": "models", "skipped": "python3-sklearn, python3-xgboost, python3-xxhash or python3-msgpack is not installed"}]
    with tempfile.TemporaryDirectory(prefix="finstream-bench-") as directory:
        subprocess.run([python, "-I", "-B", str(ROOT / "tests" / "runtime" / "models_data.py"), str(ROOT / "tools" / "train_model.py"), directory],
                       stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, timeout=600, check=True)
        return run_program(build, "model_bench", directory, ROOT / "runtime" / "models" / "worker" / "finstream_sklearn_worker.py")


def fanout(build):
    """(c) WebSocket fan-out of 150-byte records: publish -> receipt, CPU per million deliveries, memory per connection."""
    return [{"name": row["case"], **row} for row in run_program(build, "fanout_bench")]


def stream(build):
    """(c) The whole path, paced: line read -> client receipt, 100 clients."""
    rows = []
    for rate in (1000, 10_000):
        with node(build, synthetic("--symbols", 20, "--rate", rate)) as it:
            it.start().wait_ready()
            row = run_program(build, "stream_bench", it.port, 100, 6)[0]
            rows.append({**row, "name": f"stream_100_{rate}"})
    return rows


def end_to_end(build):
    """(c) From a window's end to its bar and its signal on a socket: 2 s windows, features, a signal a bar, paced by the clock.

    A bar is sent when it is stored. What a window takes at least is the lateness it waits for, 500 ms.
    """
    rows, seconds, window_s = [], 24, 2
    for rate, symbols in ((50_000 / 60, 10), (500_000, 100)):
        more = (f"windows: {{intervals: [{window_s}s]}}\nfeatures: {{interval: {window_s}s, windows: [{{name: vwap, bars: 5}}, {{name: rsi, bars: 14}}]}}\n"
                "inference: {adapters: {rules: {enabled: true, file: RULES}}}\n")
        with node(build, synthetic("--symbols", symbols, "--rate", round(rate)), more) as it:
            rules = it.directory / "rules.yaml"
            rules.write_text('[{name: any, condition: "close > 0", emit: level, signal: 1, score: 1}]\n', encoding="utf-8")
            it.config.write_text(it.config.read_text(encoding="utf-8").replace("RULES", str(rules)), encoding="utf-8")
            it.start().wait_ready()
            cpu, events = cpu_seconds(it.process.pid), it.actor("/feeds/synthetic")["events"]
            late = watch(it.port, seconds, {f"bars.{window_s}s.*": "end", "signals.*": "ts"})
            cpu, events = (cpu_seconds(it.process.pid) - cpu) / seconds, (it.actor("/feeds/synthetic")["events"] - events) / seconds
        for kind, after_end in late.items():
            p95 = statistics.quantiles(after_end, n=100)[94]
            rows.append({"name": f"end_to_end_{kind}_{round(rate)}", "rows": len(after_end), "events_per_second": events, "p50_ms_after_end": statistics.median(after_end) * 1e3,
                         "p95_ms_after_end": p95 * 1e3, "p95_windows_from_start": (window_s + p95) / window_s, "node_cores": cpu})
    return rows


def watch(port, seconds, time_of):
    """Seconds from the time that each object names to its receipt, by the first word of its channel."""
    out = {channel.split(".")[0]: [] for channel in time_of}
    field = {channel.split(".")[0]: name for channel, name in time_of.items()}
    with Client(port) as client:
        client.say({"action": "subscribe", "id": 1, "channels": list(time_of)})
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            objects = client.messages()
            now = time.time()
            for x in objects:
                kind = x.get("channel", "").split(".")[0]
                if kind in out and field[kind] in x:
                    out[kind].append(now - datetime.datetime.fromisoformat(x[field[kind]].replace("Z", "+00:00")).timestamp())
    return out


def stores(build):
    """Rows into PostgreSQL, a server of its own, beside plain INSERTs of the same rows."""
    directory = tempfile.mkdtemp(prefix="finstream-bench-")
    database = Postgres(directory)
    try:
        return run_program(build, "store_bench", database.connection)
    finally:
        database.end(signal.SIGQUIT)
        shutil.rmtree(directory, ignore_errors=True)


def idle(build):
    """(e) A node with nothing to do: share of a core, and memory."""
    with node(build, []) as it:
        it.start().wait_ready()
        time.sleep(2)
        before, began = cpu_seconds(it.process.pid), time.monotonic()
        time.sleep(8)
        share = (cpu_seconds(it.process.pid) - before) / (time.monotonic() - began)
        return [{"name": "idle", "core_percent": share * 100, "rss_mib": memory_mib(it.process.pid, "VmRSS")}]


def connections(build):
    """(c) Memory per idle connection, its actor included: 2,000 clients that have subscribed and hear nothing."""
    count = 2_000
    resource.setrlimit(resource.RLIMIT_NOFILE, (resource.getrlimit(resource.RLIMIT_NOFILE)[1],) * 2)
    with node(build, []) as it, contextlib.ExitStack() as open_sockets:
        it.start().wait_ready()
        open_sockets.enter_context(subscriber(it.port))
        before = memory_mib(it.process.pid, "VmRSS")
        for _ in range(count):
            open_sockets.enter_context(subscriber(it.port))
        used = memory_mib(it.process.pid, "VmRSS") - before
        return [{"name": "connections", "clients": count, "kib_per_connection": used * 1024 / count}]


def subscriber(port):
    """A WebSocket that has subscribed to one channel and had its answer."""
    it = socket.create_connection(("127.0.0.1", port), 10)
    it.sendall(b"GET /v1/stream HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
               b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n")
    command = b'{"action":"subscribe","id":1,"channels":["ticks.SYM"]}'
    it.sendall(b"\x81" + bytes([0x80 | len(command)]) + bytes(4) + command)  # masked with zeros
    heard = b""
    while b'"subscribed"' not in heard:
        more = it.recv(4096)
        if not more:
            raise RuntimeError(f"the node closed a connection after {heard!r}")
        heard += more
    return it


def symbols(build):
    """(e) Memory per symbol: 10,000 symbols against 10."""
    used = {}
    for count in (10, 10_000):
        with node(build, synthetic("--symbols", count, "--rate", 0, "--count", 1_000_000)) as it:
            it.start().wait_ready()
            it.wait_done("synthetic")
            used[count] = memory_mib(it.process.pid, "VmRSS")
    return [{"name": "symbols", "rss_mib_10": used[10], "rss_mib_10000": used[10_000], "kib_per_symbol": (used[10_000] - used[10]) * 1024 / 9990}]


def recovery(build):
    """(e) Start after kill -9 with 10 million events in the log: seconds to /readyz."""
    with node(build, synthetic("--symbols", 100, "--rate", 0, "--count", 20_000_000, "--pad-to", 170)) as it:
        it.start().wait_ready()
        it.wait("10 million events", lambda: it.actor("/feeds/synthetic").get("events", 0) >= 10_000_000)
        it.stop(signal.SIGKILL)
        began = time.monotonic()
        it.start().wait_ready()
        return [{"name": "recovery", "seconds_to_ready": time.monotonic() - began}]


PARTS = [flat_out, parse, append, window, features, models, fanout, stream, end_to_end, stores, redis_streams, nats_jetstream, brokers, node_on_broker, idle, connections, symbols, recovery]


# --- the table --------------------------------------------------------------------------------------------------------

def medians(rows_of_runs):
    by_name = {}
    for rows in rows_of_runs:
        for row in rows:
            by_name.setdefault(row["name"], []).append(row)
    out = []
    for name, rows in by_name.items():
        merged = {"name": name, "runs": len(rows)}
        for key in rows[0]:
            values = [row[key] for row in rows if key in row]
            if key != "name":
                merged[key] = statistics.median(values) if all(isinstance(v, (int, float)) for v in values) else values[0]
        out.append(merged)
    return out


def shown(value):
    if isinstance(value, float):
        return f"{value:,.0f}" if abs(value) >= 1000 else f"{value:.3g}"
    return f"{value:,}" if isinstance(value, int) and not isinstance(value, bool) else str(value)


def add_ratios(rows):
    """Ours against each peer that was measured in the same run."""
    ours = next((row for row in rows if row["name"] == "flat_out"), None)
    for row in rows if ours else []:
        if row["name"] in ("redis_streams", "nats_jetstream", "python_consumer") and "events_per_cpu_second" in row:
            row["ours_times_per_cpu_second"] = ours["events_per_cpu_second"] / row["events_per_cpu_second"]


def main():
    arguments = argparse.ArgumentParser(prog="./dev bench", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("--only", action="append", metavar="NAME", choices=[part.__name__ for part in PARTS], help="one part; may be repeated")
    arguments.add_argument("--json", metavar="FILE", help="keep the figures")
    arguments.add_argument("--runs", type=int, default=5, help="runs of each part; the median is shown (default: 5)")
    arguments.add_argument("--build", type=pathlib.Path, default=ROOT / "build" / "release", help=argparse.SUPPRESS)
    chosen = arguments.parse_args()
    load = os.getloadavg()[0]
    print(f"{os.cpu_count()} cores, load {load:.2f} at the start{': this machine is busy, the figures will be worse than they are' if load > 0.5 else ''}")
    rows = []
    for part in PARTS:
        if chosen.only and part.__name__ not in chosen.only:
            continue
        print(f"\n{part.__doc__.splitlines()[0]}", flush=True)
        found = medians([part(chosen.build) for _ in range(chosen.runs)])
        rows += found
        add_ratios(rows)
        for row in found:
            figures = "  ".join(f"{key} {shown(value)}" for key, value in row.items() if key not in ("name", "runs"))
            print(f"  {row['name']:<24} {figures}", flush=True)
    if chosen.json:
        pathlib.Path(chosen.json).write_text(json.dumps(rows, indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
