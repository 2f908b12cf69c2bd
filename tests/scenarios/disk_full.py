#!/usr/bin/env python3
"""A disk that runs full under a node: it says so and waits, and goes on when there is room, with nothing lost.

Needs a small file system of its own (tmpfs, so root); skipped where that cannot be had.
"""

import argparse
import os
import shutil
import subprocess
import sys
import tempfile
import time

from node import SKIPPED, Failure, Node, Programs, feed, wait_for

DISK = "224m"
BALLAST_BYTES = 192 << 20
EVENTS = 4_000_000  # more than the disk holds beside the ballast, less than it holds without
SETTINGS = {"windows": {"flush_timeout_ms": 60_000}, "bus": {"memtable_bytes": 1 << 20},
            "log": {"level": "info"}}


def fill_and_free(programs, disk):
    ballast = os.path.join(disk, "ballast")
    with open(ballast, "wb") as file:
        file.write(b"\1" * BALLAST_BYTES)
    walk = feed("walk", programs.synthetic_feed, "--rate", 0, "--count", EVENTS, "--start-time", "2024-01-02T10:00:00Z",
                "--symbols", 20, overflow_kill_ms=3_600_000)
    with Node(programs, [walk], data_directory=os.path.join(disk, "data"), **SETTINGS) as node:
        node.start()
        # It goes on for a moment where the log itself makes room, by dropping a file that is not needed any more.
        said = wait_for(lambda: full_at_both_doors(node), "/healthz and /readyz say disk_full with 503", 120)
        print(f"full after {node.metric_sum('stream_events_ingested_total'):.0f} events were read: {said}")
        # The feed waits: what is under way is bounded, so the count of lines comes to rest.
        wait_for(lambda: standing_still(node), "the feed waits", 60)
        if node.process.poll() is not None or node.feeds()["walk"]["phase"] != "up":
            raise Failure(f"the feed does not wait: {node.feeds()}")
        print(f"waiting with {node.metric_sum('stream_events_ingested_total'):.0f} events read")
        os.unlink(ballast)
        wait_for(lambda: node.get("/healthz")[0] == 200, "/healthz is well again", 120)
        node.wait_finished()
        read = node.metric_sum("stream_events_ingested_total")
        node.stop()
        stored = node.verify()
        in_bars = sum(int(b["trades"]) for b in node.bars("60s"))
        print(f"{read:.0f} read, {stored} in the log, {in_bars} in bars")
        if not read == stored == in_bars == EVENTS:
            raise Failure(f"of {EVENTS} events {read:.0f} were read, {stored} are in the log, {in_bars} in bars")


def full_at_both_doors(node):
    answers = [node.get(door) for door in ("/healthz", "/readyz")]
    return answers[0][1].strip() if all(status == 503 and "disk_full" in said for status, said in answers) else None


def standing_still(node):
    first = node.metric_sum("stream_events_ingested_total")
    time.sleep(0.5)
    return first == node.metric_sum("stream_events_ingested_total")


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--binaries", required=True)
    programs = Programs(parser.parse_args().binaries)
    disk = tempfile.mkdtemp(prefix="finstream-small-disk-")
    if os.geteuid() != 0 or subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={DISK}", "tmpfs", disk],
                                           capture_output=True).returncode != 0:
        os.rmdir(disk)
        print("skipped: a small file system cannot be mounted here")
        return SKIPPED
    began = time.monotonic()
    try:
        fill_and_free(programs, disk)
    except Failure as failure:
        print(f"BAD disk_full: {failure}")
        return 1
    finally:
        subprocess.run(["umount", "-l", disk], check=False)
        shutil.rmtree(disk, ignore_errors=True)
    print(f"ok  disk_full ({time.monotonic() - began:.1f} s)")
    return 0


if __name__ == "__main__":
    sys.exit(main())
