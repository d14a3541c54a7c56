#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""What the log costs: chained records a second, and an open that is allowed, blocked, blocked with
its stack. Each is the best of three, printed beside its target; nothing here passes or fails."""

import argparse
import json
import os
import subprocess
import sys
import tempfile

RECORDS = 200000
CALLS = 3000
TARGET_RECORDS = 100000
TARGET_RATIO = 2.0  # a blocked call without stack to a mediated allowed one


def output(command):
    done = subprocess.run(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                          stderr=subprocess.PIPE, text=True, check=False)
    if done.returncode:
        sys.exit(f"bench: {' '.join(command)}: exit status {done.returncode}\n{done.stderr}")
    return done.stdout


def main():
    """Prints the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--proctor", default="./proctor")
    parser.add_argument("--program", default="bench/audit")
    arguments = parser.parse_args()
    proctor, program = (os.path.abspath(path) for path in (arguments.proctor, arguments.program))
    with tempfile.TemporaryDirectory(prefix="proctor-bench.") as folder:
        best = max(float(output([program, "records", f"{folder}/log{number}", str(RECORDS)]).split()[0])
                   for number in range(3))
        print(f"chained records, one core       {best:9.0f} a second (>= {TARGET_RECORDS}: "
              f"{'met' if best >= TARGET_RECORDS else 'MISSED'})")
        for name in ("allowed", "denied"):
            with open(f"{folder}/{name}", "w", encoding="ascii") as file:
                file.write("x\n")
        policy = f"{folder}/policy.yaml"
        with open(policy, "w", encoding="utf-8") as file:
            json.dump({"version": 1, "exec": {"allow": ["/"]},
                       "files": {"read": ["/"], "deny": [f"{folder}/denied"]}}, file)

        def cost(name, *options):
            return min(tuple(int(word) for word in output(
                [proctor, "run", "-q", "-p", policy, "-o", f"{folder}/run-{name}-{number}", *options,
                 "--", program, "open", f"{folder}/{name}", str(CALLS)]).split())
                for number in range(3))
        native = tuple(int(word) for word in
                       output([program, "open", f"{folder}/allowed", str(CALLS)]).split())
        allowed = cost("allowed")
        rows = [("open, native", native, ""), ("open, mediated and allowed", allowed, "")]
        blocked = cost("denied", "--no-stack")
        ratio = blocked[0] / allowed[0]
        rows.append(("open, blocked, no stack", blocked,
                     f"{ratio:.2f} x allowed (<= {TARGET_RATIO:g}: "
                     f"{'met' if ratio <= TARGET_RATIO else 'MISSED'})"))
        rows.append(("open, blocked, with stack", cost("denied"), ""))
        for name, (p50, p99), note in rows:
            print(f"{name:28} p50 {p50 / 1000:8.1f} us   p99 {p99 / 1000:8.1f} us   {note}".rstrip())


if __name__ == "__main__":
    main()
