#!/usr/bin/env python3
"""The pages that the program prints are the committed ones.   usage: reference.py FINSTREAM

After a change: FINSTREAM_REWRITE=1 writes them anew.
"""

import os
import pathlib
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
PAGES = {
    "config/REFERENCE.md": ["config", "reference"],
    "docs/errors.md": ["reference", "errors"],
    "docs/metrics.md": ["reference", "metrics"],
    "docs/websocket_messages.md": ["reference", "protocol"],
    "docs/schemas.md": ["reference", "schemas"],
}


def main():
    program, different = sys.argv[1], 0
    for page, arguments in PAGES.items():
        printed = subprocess.run([program, *arguments], capture_output=True, text=True, check=True).stdout
        path = ROOT / page
        if os.environ.get("FINSTREAM_REWRITE"):
            path.write_text(printed, encoding="utf-8")
        committed = path.read_text(encoding="utf-8") if path.exists() else ""
        if printed != committed:
            different += 1
            print(f"{page} is not what `finstream {' '.join(arguments)}` prints: run with FINSTREAM_REWRITE=1 and look at the difference")
    return 1 if different else 0


if __name__ == "__main__":
    sys.exit(main())
