#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""Each call that takes a path, while somebody switches what the path means: never the denied object,
and never another than the one that was decided on and logged.

    PATH_TRIES=N   how often each call is tried under proctor
"""
import os
import shutil
import sys

sys.dont_write_bytecode = True
from harness import LONG, check, equal, main, snapshot, test

TRIES = int(os.environ.get("PATH_TRIES", "20000" if LONG else "15"))
KINDS = ("files", "folders", "links", "nothing")
SWAPPED = {"link": ("l", "m"), "folder": ("way", "other")}


def plant(t):
    top = t.inside + "/race"
    shutil.rmtree(top, ignore_errors=True)
    os.mkdir(top)
    equal(t.native([t.program("path_race"), "plant", top]).code, 0)
    return top


def denied(top):
    """What is not to be seen or changed."""
    return snapshot(*(f"{top}/{kind}/{name}" for kind in KINDS for name in ("b", "denied")))


class Swapping:
    """Exchanges the links of all objects, natively, while a block runs."""

    def __init__(self, t, top, way):
        pairs = [f"{top}/{kind}/{name}" for kind in KINDS for name in SWAPPED.get(way, ())]
        self.process = t.spawn([t.program("swap"), *pairs]) if pairs else None

    def __enter__(self):
        return self

    def __exit__(self, *_):
        if self.process:
            ended = self.process.poll()
            self.process.kill()
            self.process.communicate()
            check(ended is None, "the swapping ended")


def results(run):
    """{call: (tries, good, bad)}, or None for one that this kernel or file system has not."""
    found = {}
    for line in run.out.splitlines():
        name, *words = line.split()
        found[name] = None if words == ["unsupported"] else tuple(map(int, words[1::2]))
    check(len(found) > 10, "no results:", run)
    return found


def as_decided(run, way, found, top):
    """What was carried out is what the log says."""
    good = "in/x" if way == "folder" else "g"
    names = {kind: f"{top}/{kind}/{good}" for kind in KINDS}
    refused = tuple(f"{top}/{kind}/{name}" for kind in KINDS for name in ("b", "denied", "denied/x"))
    allowed = {}
    for record in run.records:
        if record["event"] == "blocked":
            check(record["path"] in refused, "another was refused:", record)
        elif record["event"] == "allowed" and record["path"].startswith(top):
            check(record["path"] not in refused, "allowed:", record)
            if record["path"] in names.values():
                allowed[record["syscall"]] = allowed.get(record["syscall"], 0) + 1
    for name, counts in found.items():
        syscall = name.split(".")[0]
        # A move is recorded by what it takes away.
        if counts and not name.endswith(".to"):
            check(allowed.get(syscall, 0) >= counts[1], name, counts, "but allowed:", allowed)


def race(t, way, calls):
    top = plant(t)
    program = t.program("path_race")
    with Swapping(t, top, way):
        native = results(t.native([program, way, calls, "0", top]))
    lost = [name for name, counts in native.items() if counts and not (counts[1] and counts[2])]
    check(not lost, "natively the race is not won:", {name: native[name] for name in lost})
    top = plant(t)
    before = denied(top)
    rule = "hide" if calls == "looks" else "deny"
    policy = t.wide(**{rule: [top + "/*/b", top + "/*/denied/**"]})
    log = {"log": "/dev/null", "fine": False} if LONG else {}
    options = ("-q",) if LONG or calls == "looks" else ("-q", "--log", "all")
    with Swapping(t, top, way):
        run = t.run([program, way, calls, str(TRIES), top], policy, options=options, **log)
    equal(run.code, 0, run)
    found = results(run)
    equal([name for name in native if native[name]], [name for name in found if found[name]])
    for name, counts in found.items():
        if counts:
            equal(counts[2], 0, "got through:", name)
            check(counts[1], "the good one is refused as well:", name, counts)
    equal(denied(top), before, "the denied was changed")
    if not LONG:
        check(run.blocked, "nothing was refused", run)
        if calls == "changes":
            as_decided(run, way, found, top)
    tries = [counts[0] for counts in found.values() if counts]
    print(f"     {way}, {calls}: {len(tries)} calls, {sum(tries)} tries")


@test
def by_thread(t):
    race(t, "thread", "changes")
    race(t, "thread", "looks")


@test
def by_process_in_our_memory(t):
    race(t, "vm", "changes")
    race(t, "vm", "looks")


@test
def by_shared_mapping(t):
    race(t, "shared", "changes")
    race(t, "shared", "looks")


@test
def link_exchanged(t):
    race(t, "link", "changes")
    race(t, "link", "looks")


@test
def folder_exchanged(t):
    race(t, "folder", "changes")
    race(t, "folder", "looks")


if __name__ == "__main__":
    sys.exit(main())
