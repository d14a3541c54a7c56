#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""Every test that tests/ATTACKS.md names is there and is run."""
import pathlib
import re
import sys

HERE = pathlib.Path(__file__).resolve().parent


def main():
    rows = [line.split("|")[1:3] for line in
            (HERE / "ATTACKS.md").read_text(encoding="utf-8").splitlines()
            if line.startswith("| ") and not line.startswith("| attack")]
    makefile = (HERE.parent / "Makefile.am").read_text(encoding="utf-8")
    faults = [] if len(rows) > 40 else ["rows are missing"]
    for attack, tests in rows:
        named = re.findall(r"(test_\w+\.py) (\w+)", tests)
        if not named:
            faults.append(f"no test: {attack.strip()}")
        for file, function in named:
            text = (HERE / "live" / file).read_text(encoding="utf-8")
            if not re.search(rf"^@(?:test|local|by_name)\b[^\n]*\ndef {function}\(", text, re.M):
                faults.append(f"{file} has no test {function}")
            if f"tests/live/{file}" not in makefile:
                faults.append(f"{file} is not run")
    for fault in faults:
        print("FAIL", fault)
    print(f"{len(rows) - min(len(faults), len(rows))} passed, {len(faults)} failed")
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main())
