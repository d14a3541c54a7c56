#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""Bad policies and all that `proctor check` says of them: the tables *.bad beside this file.

A case of a table:

    === what is wrong
    the policy, to be written to policy.yaml
    === file other.yaml
    another file beside it, if need be
    === says
    what is said, to the letter

In a file @{HH} is the byte of that number, @{@} the end of the file here, without a newline,
and @{N * text} is the text N times. HOME is /home/u, TMPDIR /tmp/t, USER u, UID that of the
test.

usage: test_bad.py [--update] [TABLE...]

--update writes into the tables what is said now: to be read before it is committed.
"""
import os
import pathlib
import re
import subprocess
import sys
import tempfile

HERE = pathlib.Path(__file__).resolve().parent
PROCTOR = os.path.abspath(os.environ.get("PROCTOR", "./proctor"))
ENV = {"HOME": "/home/u", "USER": "u", "TMPDIR": "/tmp/t", "EXTRA": "/extra", "EMPTY": "",
       "LC_ALL": "C", "XDG_CONFIG_HOME": "/nonexistent"}
ENV.update((name, os.environ[name]) for name in ("ASAN_OPTIONS", "UBSAN_OPTIONS", "LSAN_OPTIONS")
           if name in os.environ)


class Case:
    """One bad policy: its name, its files and what is said of it."""

    def __init__(self, name):
        self.name = name
        self.files = {"policy.yaml": ""}
        self.says = ""


def parse(path):
    """The cases of a table, and what stands before the first."""
    head, cases, target = "", [], None
    for line in path.read_text(encoding="utf-8").splitlines(keepends=True):
        if line == "=== says\n":
            target = None
        elif line.startswith("=== file "):
            target = line[len("=== file "):].strip()
            cases[-1].files[target] = ""
        elif line.startswith("=== "):
            cases.append(Case(line[4:].strip()))
            target = "policy.yaml"
        elif not cases:
            head += line
        elif target:
            cases[-1].files[target] += line
        else:
            cases[-1].says += line
    return head, cases


def contents(text):
    """The bytes of a file as the table writes it."""
    def expand(match):
        inside = match[1]
        if re.fullmatch("[0-9a-f]{2}", inside):
            return bytes([int(inside, 16)]).decode("latin-1")
        count, repeated = re.fullmatch(r"(\d+) \* (.*)", inside, re.S).groups()
        return repeated * int(count)

    if "@{@}" in text:
        text = text[:text.index("@{@}")]
    text = text.encode().decode("latin-1")
    return re.sub(r"@\{([^}]*)\}", expand, text, flags=re.S).encode("latin-1")


def run(case):
    """What is said, and the exit code."""
    with tempfile.TemporaryDirectory(prefix="bad-") as folder:
        for name, text in case.files.items():
            path = pathlib.Path(folder, name)
            path.parent.mkdir(exist_ok=True)
            path.write_bytes(contents(text))
        found = subprocess.run([PROCTOR, "check", "policy.yaml"], cwd=folder, env=ENV,
                               stdin=subprocess.DEVNULL, capture_output=True, check=False,
                               timeout=120)
    return found.stderr.decode("utf-8", "backslashreplace"), found.returncode, found.stdout


def faults(case, said, code, out):
    """Yields what does not hold."""
    if said != case.says:
        yield f"expected\n{case.says}found\n{said}"
    if (code, out) != (1, b""):
        yield f"exit {code}, standard output {out!r}"
    if not re.match(r"[^\n]+:\d+:\d+: [^\n]+\n", said):
        yield "the first line is not FILE:LINE:COL: message"
    if "\x1b" in said or re.search(r"[\x00-\x09\x0b-\x1f\x7f]", said):
        yield "control characters"


def update(path, head, cases):
    """Writes the table anew."""
    with open(path, "w", encoding="utf-8") as table:
        table.write(head)
        for case in cases:
            table.write(f"=== {case.name}\n{case.files.pop('policy.yaml')}")
            for name, text in case.files.items():
                table.write(f"=== file {name}\n{text}")
            table.write(f"=== says\n{case.says}")


def main():
    arguments = [argument for argument in sys.argv[1:] if argument != "--update"]
    tables = [pathlib.Path(name) for name in arguments] or sorted(HERE.glob("*.bad"))
    passed = failed = 0
    for path in tables:
        head, cases = parse(path)
        for case in cases:
            said, code, out = run(case)
            if "--update" in sys.argv:
                case.says = said
            problems = list(faults(case, said, code, out))
            for problem in problems:
                print(f"{path.name}: {case.name}: {problem}")
            failed += bool(problems)
            passed += not problems
        if "--update" in sys.argv:
            update(path, head, cases)
    print(f"{passed} passed, {failed} failed")
    return 1 if failed or passed < 150 and not arguments else 0


if __name__ == "__main__":
    sys.exit(main())
