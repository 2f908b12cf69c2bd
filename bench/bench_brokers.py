"""The parts about brokers: theirs beside us, our drivers of them, and a node whose log is on one."""

import contextlib
import json
import shutil
import signal
import socket
import subprocess
import tempfile
import time

from bench_node import DEADLINE_S, ROOT, cpu_seconds, free_port, node, run_program, synthetic


@contextlib.contextmanager
def redis_server():
    """Redis with an AOF that is synced every second: its process and its port."""
    port = free_port()
    with tempfile.TemporaryDirectory(prefix="finstream-bench-") as directory:
        with ended(["redis-server", "--port", str(port), "--bind", "127.0.0.1", "--dir", directory, "--appendonly", "yes",
                    "--appendfsync", "everysec", "--save", ""], port) as server:
            yield server, port


@contextlib.contextmanager
def nats_server():
    port = free_port()
    with tempfile.TemporaryDirectory(prefix="finstream-bench-") as directory:
        with ended(["nats-server", "-a", "127.0.0.1", "-p", str(port), "-js", "-sd", directory], port) as server:
            yield server, port


@contextlib.contextmanager
def ended(command, port):
    server = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        wait_port(port)
        yield server
    finally:
        server.terminate()
        server.wait(20)


def is_missing(build, server, peer):
    return not shutil.which(server) or not (build / "bench" / peer).exists()


def redis_streams(build):
    """(d) Redis Streams, AOF everysec: the same lines, producer and consumer at once; and the usual Python consumer."""
    if is_missing(build, "redis-server", "peer_redis"):
        return [{"name": "redis_streams", "skipped": "redis-server or hiredis is not installed"}]
    events = 400_000
    with redis_server() as (server, port):
        row = run_program(build, "peer_redis", port, events)[0]
        cpu = cpu_seconds(server.pid)
        rows = [{"name": "redis_streams", "events_per_second": row["events"] / row["seconds"], "events_per_cpu_second": row["events"] / cpu}]
        python = "/usr/bin/python3"  # Debian's, which has python3-redis
        if subprocess.run([python, "-c", "import redis"], stderr=subprocess.DEVNULL, check=False).returncode == 0:
            done = subprocess.run([python, str(ROOT / "bench" / "peer_consumer.py"), str(port), str(events // 4)], capture_output=True,
                                  text=True, check=True, timeout=DEADLINE_S)
            row = json.loads(done.stdout)
            rows.append({"name": "python_consumer", "events_per_second": row["events"] / row["seconds"],
                         "events_per_cpu_second": row["events"] / row["cpu_seconds"]})
        return rows


def nats_jetstream(build):
    """(d) NATS JetStream, file storage: the same lines, producer and consumer at once."""
    if is_missing(build, "nats-server", "peer_nats"):
        return [{"name": "nats_jetstream", "skipped": "nats-server or libnats is not installed"}]
    events = 300_000
    with nats_server() as (server, port):
        row = run_program(build, "peer_nats", port, events)[0]
        return [{"name": "nats_jetstream", "events_per_second": row["events"] / row["seconds"],
                 "events_per_cpu_second": row["events"] / cpu_seconds(server.pid)}]


def brokers(build):
    """Our drivers of Redis and NATS, beside their own clients with the same lines (which produce and consume at once)."""
    rows = []
    for name, start, peer in (("redis", redis_server, "peer_redis"), ("nats", nats_server, "peer_nats")):
        if is_missing(build, f"{name}-server", peer):
            rows.append({"name": name, "skipped": f"{name}-server or its client is not installed"})
            continue
        with start() as (_, port):
            theirs = run_program(build, peer, port, 200_000)[0]
            ceiling = theirs["events"] / theirs["seconds"]
            rows.append({"name": f"{name}_own_client", "events_per_second": ceiling})
            for row in run_program(build, "broker_bench", name, f"{name}://127.0.0.1:{port}", 200_000):
                rows.append({**row, "name": f"{name}_{row['name']}", "times_own_client": row["events_per_second"] / ceiling})
    return rows


def node_on_broker(build):
    """The whole node flat out with its log on this disk alone, on Redis and on NATS; and how fast the buffer drains after an outage."""
    events = 2_000_000
    feed = synthetic("--symbols", 100, "--rate", 0, "--count", events, "--pad-to", 170)
    rows = []
    for name, start, peer in (("embedded", None, ""), ("redis", redis_server, "peer_redis"), ("nats", nats_server, "peer_nats")):
        if start and is_missing(build, f"{name}-server", peer):
            rows.append({"name": f"node_on_{name}", "skipped": f"{name}-server is not installed"})
            continue
        with start() if start else contextlib.nullcontext((None, 0)) as (server, port):
            bus = f'bus: {{type: {name}, broker: {{url: "{name}://127.0.0.1:{port}"}}}}\n' if start else ""
            with node(build, feed, bus) as it:
                began = time.monotonic()
                it.start()
                it.wait_done("synthetic")
                wall, cpu = time.monotonic() - began, cpu_seconds(it.process.pid)
                row = {"name": f"node_on_{name}", "events_per_second": events / wall, "events_per_cpu_second": events / cpu,
                       "times_embedded": events / wall / rows[0]["events_per_second"] if rows else 1.0}
            if start:
                with node(build, feed, bus.replace("url", "events_stream: second, outputs_stream: second.outputs, url")) as it:
                    it.start().wait_ready()
                    server.send_signal(signal.SIGSTOP)
                    it.wait_done("synthetic")
                    waited = it.metrics()["finstream_buffer_events"]
                    began = time.monotonic()
                    server.send_signal(signal.SIGCONT)
                    it.wait("an empty buffer", lambda: it.metrics().get("finstream_buffer_entries") == 0, 0.01)
                    row |= {"buffered_events": waited, "drained_events_per_second": waited / (time.monotonic() - began)}
            rows.append(row)
    return rows


def wait_port(port):
    end = time.monotonic() + 10
    while time.monotonic() < end:
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), 1):
            return
        time.sleep(0.05)
    raise RuntimeError(f"nothing listens on port {port}")
