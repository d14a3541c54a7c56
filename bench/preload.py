#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""What the preload library costs where it tells of nothing: natively, natively with the library,
under proctor without it and with it, in turns.

usage: preload.py --proctor PROCTOR --program tests/live/preloaded [--rounds N]
"""
import argparse
import os
import statistics
import subprocess
import sys
import tempfile
import time

POLICY = """version: 1
files: {read: [/], write: [/dev/null, /tmp]}
exec: {allow: [/]}
"""
CALLS = 200000
STARTS = 40
# Sorts, allocates, opens, reads: what a program does that calls none of the library's functions.
WORK = ("import hashlib, os\nfor i in range(40):\n"
        "    hashlib.sha256(b''.join(open(os.__file__, 'rb').read() for _ in range(20))).digest()\n")


def seconds(command, env):
    begin = time.perf_counter()
    subprocess.run(command, env=env, check=True, stdout=subprocess.DEVNULL)
    return time.perf_counter() - begin


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--proctor", required=True)
    parser.add_argument("--program", required=True)
    parser.add_argument("--rounds", type=int, default=7)
    options = parser.parse_args()
    library = os.path.join(os.path.dirname(os.path.abspath(os.path.realpath(options.proctor))),
                           "preload/libproctor-preload.so")
    program = os.path.abspath(options.program)
    with tempfile.TemporaryDirectory() as folder:
        policy = folder + "/policy.yaml"
        with open(policy, "w", encoding="ascii") as file:
            file.write(POLICY)
        run = [options.proctor, "run", "-q", "-p", policy, "-o", "/dev/null"]
        ways = {
            "native": ([], {}),
            "native, LD_PRELOAD": ([], {"LD_PRELOAD": library}),
            "proctor": ([*run, "--"], {}),
            "proctor --observe-lib": ([*run, "--observe-lib", "--"], {}),
        }
        loop = ["/bin/sh", "-c", f"i=0; while [ $i -lt {STARTS} ]; do /bin/true; i=$((i+1)); done"]
        rows = {
            "getenv of no secret, ns": lambda way, env: float(subprocess.run(
                [*way, program, "measure", str(CALLS)], env=env, check=True, text=True,
                capture_output=True).stdout),
            f"{STARTS} programs, ms each": lambda way, env: seconds([*way, *loop], env) * 1e3 / STARTS,
            "python at work, ms": lambda way, env: seconds(
                [*way, "/usr/bin/python3", "-c", WORK], env) * 1e3,
        }
        for name, measure in rows.items():
            found = {way: [] for way in ways}
            for _ in range(options.rounds):
                for way, (words, variables) in ways.items():
                    found[way].append(measure(words, {**os.environ, **variables}))
            native = statistics.median(found["native"])
            for way, figures in found.items():
                median = statistics.median(figures)
                print(f"{name:26} {way:24} {median:9.2f}  {median / native:5.2f} x native")
    return 0


if __name__ == "__main__":
    sys.exit(main())
