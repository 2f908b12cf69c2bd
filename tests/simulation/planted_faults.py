"""Each planted fault is found by the seed that the README's table names, and that seed finds nothing without it."""

import os
import re
import subprocess
import sys


def table():
    """(fault, seed) of each row of the README's table."""
    path = os.path.join(os.path.dirname(os.path.abspath(__file__)), "README.md")
    with open(path, encoding="utf-8") as file:
        return re.findall(r"^\| `(\w+)` \|.*\| (\d+) \|", file.read(), re.M)


def run(*command):
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
    broken = re.search(r"^BROKEN: (.*)", done.stdout, re.M)
    return done.returncode, broken[1] if broken else "", done.stdout + done.stderr


def main(simulate, simulate_planted):
    faults, failed = table(), []
    named = run(simulate_planted, "--faults")[2].split()
    if sorted(name for name, _ in faults) != sorted(named):
        failed.append(f"the table has {len(faults)} faults and the program {len(named)}: they differ")
    for name, seed in faults:
        code, broken, said = run(simulate_planted, "--fault", name, "--seed", seed)
        if code != 1 or not broken:
            failed.append(f"{name} is not found by seed {seed} (exit code {code}):\n{said}")
        for sound in (simulate, simulate_planted):
            code, _, said = run(sound, "--seed", seed)
            if code != 0:
                failed.append(f"seed {seed} fails without {name}, too (exit code {code}):\n{said}")
        print(f"{name}: seed {seed}: {broken[:100]}")
    for line in failed:
        print(f"FAILED: {line}")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
