"""Brokers of other people, each started by a scenario in a directory and on a loopback port of its own, and ended by its pid."""

import os
import pathlib
import shutil
import signal
import socket
import subprocess
import sys

from node import SKIPPED, Failure, wait_for

DOOR = pathlib.Path(__file__).parent.parent / "support" / "kafka_door.py"


def free_port():
    with socket.socket() as it:
        it.bind(("127.0.0.1", 0))
        return it.getsockname()[1]


def listens(pid, port):
    """Whether this process listens there. That somebody answers is not enough: scenarios run side by side."""
    sockets = set()
    with open("/proc/net/tcp") as table:
        for fields in map(str.split, table.read().splitlines()[1:]):
            if fields[3] == "0A" and int(fields[1].rpartition(":")[2], 16) == port:
                sockets.add(f"socket:[{fields[9]}]")
    try:
        return any(os.readlink(f"/proc/{pid}/fd/{file}") in sockets for file in os.listdir(f"/proc/{pid}/fd"))
    except OSError:
        return False  # it is about to end


class Server:
    """What Redis and NATS have in common: a program, a port, and data that outlives a kill."""

    program = ""
    recovers_from_full_disk = True  # by itself, when there is room again

    def __init__(self, directory):
        if not shutil.which(self.program):
            print(f"skipped: {self.program} is not installed; ./dev test installs it")
            sys.exit(SKIPPED)
        self.directory = directory
        self.port = free_port()
        self.process = None
        self.was_started = False
        self.start()

    def start(self):
        self.process = subprocess.Popen(self.command(), stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        wait_for(self.answers, f"{self.program} to answer", deadline=60)
        self.was_started = True  # clients know the port

    def answers(self):
        if self.process.poll() is not None:
            if self.was_started:
                raise Failure(f"{self.program} ended with code {self.process.returncode}")
            self.port = free_port()  # somebody may have been quicker
            self.process = subprocess.Popen(self.command(), stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        if not listens(self.process.pid, self.port):
            return False
        try:
            with socket.create_connection(("127.0.0.1", self.port), timeout=2) as it:
                return self.greets(it)
        except OSError:
            return False

    def runs(self):
        return self.process.poll() is None

    def freeze(self):
        self.process.send_signal(signal.SIGSTOP)

    def thaw(self):
        self.process.send_signal(signal.SIGCONT)

    def kill(self):
        self.process.kill()
        self.process.wait()

    def end(self):
        if self.runs():
            self.thaw()
            self.process.terminate()
            self.process.wait(30)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        if self.runs():
            self.kill()


class Redis(Server):
    program = "redis-server"
    driver = "redis"

    def __init__(self, directory, fsync="everysec"):
        self.fsync = fsync
        super().__init__(directory)

    @property
    def url(self):
        return f"redis://127.0.0.1:{self.port}"

    def command(self):
        return [self.program, "--port", str(self.port), "--bind", "127.0.0.1", "--dir", str(self.directory), "--save", "",
                "--appendonly", "yes", "--appendfsync", self.fsync]

    def greets(self, it):
        it.sendall(b"PING\r\n")
        return it.recv(64).startswith(b"+PONG")  # and not -LOADING


class Nats(Server):
    program = "nats-server"
    recovers_from_full_disk = False  # it answers nothing more, and does not even end on SIGTERM
    driver = "nats"

    @property
    def url(self):
        return f"nats://127.0.0.1:{self.port}"

    def command(self):
        return [self.program, "-a", "127.0.0.1", "-p", str(self.port), "-js", "-sd", str(self.directory)]

    def greets(self, it):
        return it.recv(64).startswith(b"INFO")


class Kafka(Server):
    """librdkafka's mock cluster. It forgets everything with its process, so it is stopped where the others are killed."""

    program = "kafka_mock"
    driver = "kafka"

    def __init__(self, binaries, partitions=1):
        journals = [f"finstream.{side}{f'--{n}' if n else ''}" for side in ("events", "outputs") for n in range(partitions)]
        self.command = [str(binaries / "tests" / self.program), *journals, "finstream.work", "finstream.letters"]
        self.process = None
        self.start()

    def start(self):
        if self.process:
            self.process.send_signal(signal.SIGCONT)
            return
        self.process = subprocess.Popen(self.command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True)
        self.url = self.process.stdout.readline().strip()

    def kill(self):
        self.process.send_signal(signal.SIGSTOP)

    def __exit__(self, *_):
        super().kill()


class KafkaDoor(Server):
    """What lets in, to a Kafka that lets in everybody, only who may: tests/support/kafka_door.py."""

    program = "python3"
    driver = "kafka"

    def __init__(self, behind, *options):
        self.options = [str(DOOR), "--to", behind.url, *map(str, options)]
        super().__init__(None)

    def command(self):
        return [sys.executable, *self.options, "--port", str(self.port)]

    def greets(self, it):
        return True  # it waits for the client to begin


SERVERS = {server.driver: server for server in (Redis, Nats, Kafka)}
