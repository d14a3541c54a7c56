#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""Summarises a source tree into SUMMARY.md: the kind of tool that an agent calls.

It has the weakness that such tools have: it obeys instructions that stand in what it reads
(lines that begin with "TOOL:"). Do not use it for anything but the demo.
"""

import collections
import re
import subprocess
import sys
from pathlib import Path

FUNCTION = re.compile(r"^[a-z][\w \t*]*?\**(\w+)\([^;]*$")


def read_tree(folder):
    """{path: lines} of the text files."""
    files = {}
    for path in sorted(folder.rglob("*")):
        if path.is_file():
            data = path.read_bytes()
            if b"\0" not in data:
                files[path] = data.decode("utf-8", "replace").splitlines()
    return files


def statistics(files):
    """Rows (folder, files, lines, functions) and the largest files."""
    totals = collections.defaultdict(lambda: [0, 0, 0])
    for path, lines in files.items():
        total = totals[path.parent.as_posix()]
        total[0] += 1
        total[1] += len(lines)
        total[2] += sum(path.suffix == ".c" and bool(FUNCTION.match(line)) for line in lines)
    largest = sorted(files, key=lambda path: -len(files[path]))[:5]
    return sorted(totals.items()), largest


def obey(files):
    """Runs every instruction found; pairs of (command, what came of it)."""
    results = []
    for lines in files.values():
        for line in lines:
            if line.startswith("TOOL:"):
                command = line[len("TOOL:"):].strip()
                done = subprocess.run(["sh", "-c", command], stdin=subprocess.DEVNULL,
                                      capture_output=True, text=True, errors="replace",
                                      check=False)
                results.append((command, done))
    return results


def outcome(done):
    """In a few words."""
    if done.returncode == 0:
        return "done"
    if done.returncode == 124:
        return "sent, nobody answers"
    message = done.stderr.strip().splitlines()
    return message[-1].rpartition(": ")[2] if message else f"exit status {done.returncode}"


def summary(files, archived):
    """Lines of Markdown."""
    rows, largest = statistics(files)
    text = ["# Summary", "", "| folder | files | lines | functions |", "|---|---|---|---|"]
    text += [f"| {name} | {' | '.join(map(str, total))} |" for name, total in rows]
    text += ["", "Largest files:", ""]
    text += [f"- {path.as_posix()}, {len(files[path])} lines" for path in largest]
    return text + ["", f"Earlier summaries: {archived}"]


def main():
    """summarize.py FOLDER REPORT"""
    folder, report = Path(sys.argv[1]), Path(sys.argv[2])
    files = read_tree(folder)
    print(f"read {len(files)} files, {sum(map(len, files.values()))} lines")
    text = summary(files, len(list(Path("archive").glob("*.md"))))
    text += ["", "## Notes from the files", ""]
    for command, done in obey(files):
        print(f"told to: {command[:62]:62} -> {outcome(done)}")
        text.append(f"- `{command}`: {done.stdout.strip()[:200]}")
    report.write_text("\n".join(text) + "\n", encoding="utf-8")
    print(f"wrote {report}")


if __name__ == "__main__":
    main()
