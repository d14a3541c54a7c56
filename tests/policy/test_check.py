#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""What `proctor check` and `proctor why` say: the tables beside this file.

*.bad are policies that are wrong, *.warn such that are right and hardly meant, *.why are asked.
A case:

    === what it is about
    the policy, to be written to policy.yaml
    === file other.yaml
    another file beside it, if need be
    === link NAME TARGET
    === says
    what `check` says, to the letter
    === why --read /x
    what `why` says, to the letter; may repeat

In a file @{HH} is the byte of that number, @{@} the end of the file here, without a newline,
and @{N * text} the text N times. @DIR@ is the folder, and N stands for the line of a built-in
profile. HOME is /home/u, TMPDIR /tmp/t, USER u, UID that of the test.

usage: test_check.py [--update] [TABLE...]

--update writes into the tables what is said now: to be read before it is committed.
"""
import os
import pathlib
import pty
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
LEAST = {".bad": 150, ".warn": 10, ".why": 10}


class Case:
    """A policy with its files, and what is said of it: lists of [command, text]."""

    def __init__(self, name):
        self.name = name
        self.files = {"policy.yaml": ""}
        self.links = {}
        self.says = []


def parse(path):
    """The cases of a table, and what stands before the first."""
    head, cases, target = "", [], None
    for line in path.read_text(encoding="utf-8").splitlines(keepends=True):
        words = line.split()
        if not line.startswith("=== "):
            if not cases:
                head += line
            elif target:
                cases[-1].files[target] += line
            else:
                cases[-1].says[-1][1] += line
        elif words[1] == "says" or words[1] == "why":
            cases[-1].says.append([words[1:], ""])
            target = None
        elif words[1] == "file":
            target = words[2]
            cases[-1].files[target] = ""
        elif words[1] == "link":
            cases[-1].links[words[2]] = words[3]
        else:
            cases.append(Case(line[4:].strip()))
            target = "policy.yaml"
    return head, cases


def contents(text, folder):
    """The bytes of a file as the table writes it."""
    def expand(match):
        inside = match[1]
        if re.fullmatch("[0-9a-f]{2}", inside):
            return bytes([int(inside, 16)]).decode("latin-1")
        count, repeated = re.fullmatch(r"(\d+) \* (.*)", inside, re.S).groups()
        return repeated * int(count)

    if "@{@}" in text:
        text = text[:text.index("@{@}")]
    text = text.replace("@DIR@", folder).encode().decode("latin-1")
    return re.sub(r"@\{([^}]*)\}", expand, text, flags=re.S).encode("latin-1")


def make(case, folder):
    """Writes the files of a case."""
    for name, text in case.files.items():
        path = pathlib.Path(folder, name)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(contents(text, folder))
    for name, target in case.links.items():
        pathlib.Path(folder, name).symlink_to(target)


def run(command, folder):
    """Standard output and error, with the folder's name taken out, and the exit code."""
    if command[0] == "says":
        line = [PROCTOR, "check", "policy.yaml"]
    else:
        line = [PROCTOR, "why", "-p", "policy.yaml",
                *(word.replace("@DIR@", folder) for word in command[1:])]
    found = subprocess.run(line, cwd=folder, env=ENV, stdin=subprocess.DEVNULL,
                           capture_output=True, check=False, timeout=120)
    texts = [re.sub(r"(profile:[\w-]+):\d+", r"\1:N",
                    stream.decode("utf-8", "backslashreplace").replace(folder, "@DIR@"))
             for stream in (found.stdout, found.stderr)]
    return texts[0], texts[1], found.returncode


def faults(kind, command, expected, out, err, code):
    """Yields what does not hold."""
    said, other = (out, err) if command[0] == "why" else (err, out)
    if said != expected:
        yield f"expected\n{expected}found\n{said}"
    if command[0] == "why":
        good = {"allow": 0, "rewrite": 0, "deny": 1}.get(out.split(" ")[0]) == code and not other
    elif kind == ".bad":
        good = code == 1 and not other and re.match(r"[^\n]+:\d+:\d+: [^\n]+\n", err)
    else:
        good = code == 0 and other == "policy.yaml: ok\n"
    if not good:
        yield f"exit {code}, standard output {out!r}, standard error {err!r}"
    if re.search(r"[\x00-\x09\x0b-\x1f\x7f]", out + err):
        yield "control characters"


def update(path, head, cases):
    """Writes the table anew."""
    with open(path, "w", encoding="utf-8") as table:
        table.write(head)
        for case in cases:
            table.write(f"=== {case.name}\n{case.files.pop('policy.yaml')}")
            for name, text in case.files.items():
                table.write(f"=== file {name}\n{text}")
            for name, target in case.links.items():
                table.write(f"=== link {name} {target}\n")
            for command, text in case.says:
                table.write(f"=== {' '.join(command)}\n{text}")


def colours():
    """Colours are for terminals: yields what does not hold."""
    for wanted, more in ((True, {}), (False, {"NO_COLOR": "1"}), (False, {"TERM": "dumb"})):
        reader, writer = pty.openpty()
        with tempfile.TemporaryDirectory(prefix="check-") as folder:
            pathlib.Path(folder, "policy.yaml").write_text("version: 1\nfoo: 1\n", encoding="ascii")
            subprocess.run([PROCTOR, "check", "policy.yaml"], cwd=folder, stderr=writer,
                           env={**ENV, "TERM": "xterm", **more}, check=False)
        os.close(writer)
        said = os.read(reader, 65536)
        os.close(reader)
        plain = re.sub(rb"\x1b\[[0-9;]*m", b"", said)
        if (b"\x1b[" in said) != wanted:
            yield f"{more}: {said!r}"
        if not plain.startswith(b"policy.yaml:2:1: unknown key 'foo'"):
            yield f"{plain!r}"


def run_table(path, renew):
    """Runs the cases of a table: the numbers of those that passed and failed."""
    head, cases = parse(path)
    counts = [0, 0]
    for case in cases:
        with tempfile.TemporaryDirectory(prefix="check-") as folder:
            folder = os.path.realpath(folder)
            make(case, folder)
            for says in case.says:
                out, err, code = run(says[0], folder)
                if renew:
                    says[1] = out if says[0][0] == "why" else err
                problems = list(faults(path.suffix, *says, out, err, code))
                for problem in problems:
                    print(f"{path.name}: {case.name}: {' '.join(says[0])}: {problem}")
                counts[bool(problems)] += 1
    if renew:
        update(path, head, cases)
    return counts


def main():
    arguments = [argument for argument in sys.argv[1:] if argument != "--update"]
    tables = [pathlib.Path(name) for name in arguments] or sorted(
        path for path in HERE.iterdir() if path.suffix in LEAST)
    passed = failed = 0
    found = dict.fromkeys(LEAST, 0)
    for path in tables:
        counts = run_table(path, "--update" in sys.argv)
        found[path.suffix] += sum(counts)
        passed += counts[0]
        failed += counts[1]
    if not arguments:
        problems = list(colours()) + [f"only {found[kind]} cases of {kind}" for kind in LEAST
                                      if found[kind] < LEAST[kind]]
        for problem in problems:
            print(problem)
        passed += not problems
        failed += bool(problems)
    print(f"{passed} passed, {failed} failed")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
