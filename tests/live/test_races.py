#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""Races between the check and the use: not one call gets through to what is refused."""
import os
import re
import sys

sys.dont_write_bytecode = True
from harness import LONG, check, equal, main, snapshot, test

TRIES = 1000000 if LONG else 20000


def counts(run):
    found = re.search(r"tries (\d+) good (\d+) bad (\d+)", run.out)
    check(found, "no result:", run)
    return [int(group) for group in found.groups()]


def race(t, kind, good, bad, policy, tries=TRIES, native_tries=20000, changing=None, allowed=True):
    """It succeeds natively; under proctor never, although the good one does. The records, then."""
    if not LONG and not t.root:
        tries //= 4

    def start():
        return t.spawn([t.program("swap"), *changing]) if changing else None

    def stop(swapper):
        if swapper:
            check(swapper.poll() is None, "the swapping ended")
            swapper.kill()
            swapper.communicate()

    t.plant()
    for _ in range(20):
        swapper = start()
        native = t.native([t.program("race"), kind, str(native_tries), good, bad])
        stop(swapper)
        if counts(native)[2]:
            break
        t.plant()
    check(counts(native)[2] > 0, "natively the race is never won:", native)
    t.plant()
    before = snapshot(t.outside)
    swapper = start()
    run = t.run([t.program("race"), kind, str(tries), good, bad], policy)
    stop(swapper)
    _, passed, through = counts(run)
    equal(through, 0, "got through:", run)
    if allowed:
        check(passed > 0, "the good one is refused as well:", run)
    after = snapshot(t.outside)
    equal([path for path in set(before) | set(after) if before.get(path) != after.get(path)], [])
    return run.blocked


def only(records, *paths):
    """Nothing was refused but the bad one (or half a name, caught while it was written)."""
    check(records, "nothing was refused")
    for record in records:
        equal(record["decision"], "deny")
    check(any(record.get("path") in paths for record in records), records[0])


@test
def path_by_thread(t):
    only(race(t, "path-thread", t.inside + "/file", t.outside + "/file", t.narrow()),
         t.outside + "/file")


@test
def path_by_process_in_our_memory(t):
    only(race(t, "path-vm", t.inside + "/file", t.outside + "/file", t.narrow()),
         t.outside + "/file")


@test
def path_by_shared_mapping(t):
    only(race(t, "path-shared", t.inside + "/file", t.outside + "/file", t.narrow()),
         t.outside + "/file")


@test
def path_for_writing(t):
    only(race(t, "write-thread", t.inside + "/file", t.outside + "/file", t.wide()),
         t.outside + "/file")


@test
def open_how_by_thread(t):
    only(race(t, "how-thread", t.inside + "/file", t.outside + "/file", t.wide()),
         t.outside + "/file")


@test
def descriptor_by_dup2(t):
    only(race(t, "dup", t.inside + "/file", t.outside + "/file", t.wide()), t.outside + "/file")


@test
def unlink_by_thread(t):
    only(race(t, "unlink-thread", t.inside + "/file", t.outside + "/file", t.wide(),
              tries=TRIES // 4), t.outside + "/file")


@test
def link_exchanged(t):
    """A link in the allowed tree leads in and out by turns."""
    os.chdir(t.dir)
    paths = [t.inside + "/a", t.inside + "/b"]

    plant = t.plant

    def planted():
        plant()
        os.symlink("file", paths[0])
        os.symlink("../out/file", paths[1])
    t.plant = planted
    try:
        records = race(t, "still", paths[0], t.outside + "/file", t.narrow(), changing=paths)
    finally:
        t.plant = plant
    only(records, t.outside + "/file")


@test
def folder_exchanged(t):
    """A folder on the way is by turns the folder and a link to outside."""
    paths = [t.inside + "/folder", t.inside + "/way"]
    plant = t.plant

    def planted():
        plant()
        os.symlink("../out/folder", paths[1])
    t.plant = planted
    try:
        only(race(t, "still", paths[0] + "/file", t.outside + "/folder/file",
                  t.narrow(deny=[t.outside]), changing=paths), t.outside + "/folder/file")
    finally:
        t.plant = plant


@test
def exec_by_shared_mapping(t):
    """Where another program than the decided one came to run, it does not make one step."""
    programs = []
    for code, folder in (("1", t.inside), ("2", t.outside)):
        path = folder + "/program"
        programs.append(path)
    plant = t.plant

    def planted():
        plant()
        for name, path in zip(("one", "two"), programs):
            with open(t.program(name), "rb") as source, open(path, "wb") as target:
                target.write(source.read())
            os.chmod(path, 0o755)
    t.plant = planted
    try:
        records = race(t, "exec-shared", *programs, t.wide(exec_deny=[t.outside]),
                       tries=200000 if LONG else 2000, native_tries=500)
    finally:
        t.plant = plant
    check(records, "nothing was refused")
    for record in records:
        equal(record["class"], "exec")
        check(record["decision"] in ("deny", "kill"), record)


if __name__ == "__main__":
    sys.exit(main())
