"""Running a feed as a node does: started with an open standard input, read line by line, ended by a signal or a close."""
import json
import os
import subprocess
import sys
import unittest

PROGRAM = sys.argv[1] if len(sys.argv) > 1 else ""
SOURCE_DIR = sys.argv[2] if len(sys.argv) > 2 else "."
DEADLINE_SECONDS = 60  # only a fault reaches it


def environment(resume):
    names = {k: v for k, v in os.environ.items() if not k.startswith("FINSTREAM_RESUME")}
    return names if resume is None else {**names, "FINSTREAM_RESUME_TOKEN": str(resume)}


def start(*arguments, resume=None):
    return subprocess.Popen([PROGRAM, *map(str, arguments)], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                            stderr=subprocess.PIPE, env=environment(resume))


def run(*arguments, resume=None):
    """Runs to its end: exit code, output as bytes, standard error as text."""
    done = subprocess.run([PROGRAM, *map(str, arguments)], stdin=subprocess.DEVNULL, capture_output=True,
                          env=environment(resume), timeout=DEADLINE_SECONDS)
    return done.returncode, done.stdout, done.stderr.decode()


def close(process):
    for pipe in (process.stdin, process.stdout, process.stderr):
        pipe.close()
    process.wait(DEADLINE_SECONDS)


def lines(output):
    """All lines as JSON, numbers as they are written."""
    return [json.loads(line, parse_float=str, parse_int=str) for line in output.splitlines()]


def events(output):
    return [x for x in lines(output) if "kind" in x]


def main():
    unittest.main(argv=[sys.argv[0]], verbosity=2)
