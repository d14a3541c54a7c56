# SPDX-License-Identifier: LGPL-2.1-or-later
"""Races for an exec, in the short form and in one that is as long as one likes.

    EXEC_TRIES   how often each race is tried instead
    EXEC_RACES   only races whose names have this in them: "path leader", "vfork", "contents"

A long race is cut into pieces, each of which is a run of proctor, and ends in a line with its counts.
"""
import os
import re

from harness import LONG, check, equal

PIECE = 1000
ASKED = int(os.environ.get("EXEC_TRIES", "0"))
WANTED = os.environ.get("EXEC_RACES", "")


def wins_natively(t, command_of):
    """At least once, in a moment."""
    for _ in range(40):
        native = t.native(command_of("20"))
        if re.match(r"won [1-9]", native.out):
            return
    check(False, "natively:", command_of("20"), native)


def race(t, name, command_of, policy, tries):
    """`command_of(tries)` prints "won N of TRIES, ran M": natively it wins, under proctor it never does."""
    if WANTED not in name:
        return
    wins_natively(t, command_of)
    total = ASKED or (tries * 400 if LONG else tries)
    ran = records = 0
    for done in range(0, total, PIECE):
        count = min(PIECE, total - done)
        run = t.run(command_of(str(count)), policy)
        found = re.fullmatch(rf"won (\d+) of {count}, ran (\d+)\n", run.out)
        check(found, name, run)
        equal(found[1], "0", name, "after", done, run)
        ran += int(found[2])
        records += len(run.blocked)
        os.unlink(run.log)
    if ASKED or LONG:
        print(f"race {name}, {'static' if t.static else 'dynamic'}, {t.user}: won 0 of {total}, "
              f"ran {ran}, {records} records", flush=True)
