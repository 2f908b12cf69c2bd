"""What crash_rounds.py does to the broker that keeps the log of its node: it is stopped, killed, frozen, its disk is full, it
comes back without its last second, it dies together with the node. Sometimes it stays away for rounds in which other things happen."""

import os
import shutil
import subprocess
import time

from node import Node, check, wait_for
from servers import SERVERS, Redis

DISK_BYTES = 1 << 30
ROOM_BYTES = 64 << 10  # that a disk has left when it is made small: the broker finds it full by writing
BACK_DEADLINE_SECONDS = 60
STREAMS = {"events_stream": "rounds.events", "outputs_stream": "rounds.outputs"}
REQUEST_TIMEOUT_MS = 1000
LONGEST_FREEZE_SECONDS = 2.5  # some are longer than the node waits for an answer
KEEP_MS = 10_000  # a broker may come back without what it was sent in this time


class BrokerRounds:
    def __init__(self, rounds, arguments, directory):
        self.rounds, self.node, self.dice = rounds, rounds.node, rounds.dice
        self.disk = directory if os.path.ismount(directory) else None
        self.data = os.path.join(directory, "data")
        os.mkdir(self.data)
        self.server = Redis(self.data, arguments.fsync) if arguments.bus == "redis" else SERVERS[arguments.bus](self.data)
        self.away_for = 0  # rounds

    def settings(self):
        """Of a node that has its log there."""
        return {"bus": {"type": self.server.driver,
                        "broker": {"url": self.server.url, "request_timeout_ms": REQUEST_TIMEOUT_MS, **STREAMS},
                        "buffer": {"retry_max_ms": 500, "keep_ms": KEEP_MS}}}

    def sorts(self):
        out = [("kill -9 of the broker", self.kill, 4), ("broker stopped and started", self.stop, 2),
               ("broker frozen for a while", self.freeze, 3), ("kill -9 of node and broker", self.kill_both, 3),
               ("node stopped while the broker is frozen", self.stop_node_while_frozen, 1),
               ("broker back without its last second", self.forget_a_second, 2)]
        return out + [("broker's disk full", self.fill_disk, 2)] if self.disk else out

    def bring_back(self):
        self.away_for = 0
        if not self.server.runs():
            self.server.start()

    def before_round(self, act):
        """A broker that is away comes back when it is time, or when something is to be done to it."""
        self.away_for -= 1
        if self.away_for > 0 and getattr(act, "__self__", None) is not self:
            self.rounds.done["rounds while the broker is away"] += 1
            return
        self.bring_back()
        self.wait_until_up()

    def wait_until_up(self):
        wait_for(lambda: self.node.metrics().get("finstream_broker_up") == 1, "the node takes note that its broker is back",
                 BACK_DEADLINE_SECONDS)

    def wait_until_all_is_there(self):
        self.bring_back()
        wait_for(self.has_everything, "the broker has everything", BACK_DEADLINE_SECONDS)

    def has_everything(self):
        said = self.node.metrics()
        return said.get("finstream_broker_up") == 1 and said.get("finstream_buffer_entries") == 0

    def inspect_a_copy(self, events):
        """A new node that has nothing but the broker comes to the same: everything is there, once and in order."""
        with Node(self.rounds.programs, [], **{group: self.node.settings[group] for group in ("windows", "bus")}) as copy:
            copy.start()
            copy.wait_finished()
            copy.stop()
            found, traded, _ = self.rounds.inspect(copy, finished=events)
            check(found == events == traded, f"of {events} events the broker has {found}, and {traded} in bars")

    # --- what may happen

    def stay_away(self):
        """For now, or for some rounds."""
        self.away_for = self.dice.choice((0, 0, 2, 3))
        if self.away_for == 0:
            time.sleep(self.dice.uniform(0.0, 0.5))
            self.bring_back()

    def kill(self):
        self.server.kill()
        self.stay_away()

    def stop(self):
        self.server.end()
        self.stay_away()

    def freeze(self):
        self.server.freeze()
        time.sleep(self.dice.uniform(0.1, LONGEST_FREEZE_SECONDS))
        self.server.thaw()

    def stop_node_while_frozen(self):
        self.server.freeze()
        time.sleep(self.dice.uniform(0.0, LONGEST_FREEZE_SECONDS))
        self.rounds.look()
        self.node.stop()
        self.server.thaw()
        self.rounds.start()

    def kill_both(self):
        self.rounds.look()
        for end in self.dice.sample((self.node.kill, self.server.kill), 2):
            end()
        for start in self.dice.sample((self.rounds.start, self.server.start), 2):
            start()

    def forget_a_second(self):
        """As after a power failure, or a backup that is restored."""
        self.server.freeze()
        before = self.data + ".before"
        shutil.copytree(self.data, before)
        self.server.thaw()
        sent = self.node.metrics()["finstream_broker_sent_again_entries"]
        self.rounds.wait_for_progress()
        self.wait_until_all_is_there()
        time.sleep(self.dice.uniform(0.0, 0.5))
        self.server.kill()
        shutil.rmtree(self.data)
        os.rename(before, self.data)
        self.server.start()
        wait_for(lambda: self.node.metrics().get("finstream_broker_sent_again_entries", 0) > sent, "what was forgotten is sent again",
                 BACK_DEADLINE_SECONDS)

    def fill_disk(self):
        """Made small instead of filled: its size costs no memory. The broker may end of it, or need a start to forget it."""
        used = shutil.disk_usage(self.disk).used
        self.resize(used + ROOM_BYTES)
        try:
            wait_for(lambda: self.node.metrics().get("finstream_broker_up") == 0, "the broker takes nothing at a full disk", 60)
            self.rounds.wait_for_progress()
            if self.dice.random() < 0.5:
                self.rounds.kill_node()
        finally:
            self.resize(DISK_BYTES)
        if not self.server.recovers_from_full_disk or self.dice.random() < 0.5:
            self.server.kill()
        self.bring_back()

    def resize(self, size):
        subprocess.run(["mount", "-o", f"remount,size={size}", self.disk], check=True)
