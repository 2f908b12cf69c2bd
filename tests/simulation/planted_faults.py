"""Each planted fault is found by the seed that the README's table names, and that seed finds nothing without it.

A change of any actor gives every seed another history. So where the named seed finds nothing any more, those after it
are tried, and the one that does is told: it belongs into the table. They are many, for the rarest fault is found by one
seed in two hundred.
"""

import os
import re
import subprocess
import sys


SEEDS_TRIED = 2000
SEEDS_AT_A_TIME = 100


def table():
    """(fault, seed) of each row of the README's table."""
    path = os.path.join(os.path.dirname(os.path.abspath(__file__)), "README.md")
    with open(path, encoding="utf-8") as file:
        return re.findall(r"^\| `(\w+)` \|.*\| (\d+) \|", file.read(), re.M)


def run(*command):
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
    return done.returncode, done.stdout + done.stderr


def find(program, name, first):
    """(seed, what does not hold) of the first seed that finds the fault; no seed, and what was said, if none does."""
    at, tried = first, 1
    while at < first + SEEDS_TRIED:
        code, said = run(program, "--fault", name, "--seed", str(at), "--seeds", str(tried))
        broken = re.findall(r"^BROKEN: (.*?)$.*?^again: .* --seed (\d+) ", said, re.M | re.S)
        if code == 1 and broken:
            return min((int(seed), what) for what, seed in broken)
        if code != 0:
            break
        at, tried = at + tried, SEEDS_AT_A_TIME
    return None, said


def main(simulate, simulate_planted):
    faults, failed = table(), []
    named = run(simulate_planted, "--faults")[1].split()
    if sorted(name for name, _ in faults) != sorted(named):
        failed.append(f"the table has {len(faults)} faults and the program {len(named)}: they differ")
    for name, seed in faults:
        found, said = find(simulate_planted, name, int(seed))
        if found is None:
            failed.append(f"{name} is not found by {SEEDS_TRIED} seeds from {seed} on:\n{said}")
            continue
        for sound in (simulate, simulate_planted):
            code, said_without = run(sound, "--seed", str(found))
            if code != 0:
                failed.append(f"seed {found} fails without {name}, too (exit code {code}):\n{said_without}")
        print(f"{name}: seed {found}{'' if str(found) == seed else f', and not {seed} of the table'}: {said[:90]}")
    for line in failed:
        print(f"FAILED: {line}")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
