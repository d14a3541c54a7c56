#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""Two walls stand around the tool, the mediation and Landlock: each refuses alone what both do."""
import os
import re
import subprocess
import sys

sys.dont_write_bytecode = True
from harness import (AT_FDCWD, SYSTEM, RENAME_EXCHANGE, Skip, call, check, equal, main, result,
                     snapshot, test, wait_until)

RD, WR, RW = os.O_RDONLY, os.O_WRONLY, os.O_RDWR
CREAT = os.O_CREAT


def abi(t):
    run = t.native([t.proctor, "doctor"])
    found = re.search(r"Landlock +ABI (\d+)", run.out)
    if not found:
        raise Skip("this host has no Landlock")
    return int(found[1])


def narrow(t, **more):
    """Programs elsewhere than in out/, which could be read through a grant to execute."""
    system = [name for name in SYSTEM if "*" not in name] + ["/lib", "/lib64"]
    return t.policy(read=[*system, t.bin, t.inside], execute=[t.bin, "/usr/bin"], **more)


def acts(t):
    """What out/ does not allow, with what leads there (the last statement is refused)."""
    out = t.outside
    yield [call("open", out + "/file", RD)]
    yield [call("open", out, RD | os.O_DIRECTORY)]
    yield [call("open", out + "/file", WR)]
    yield [call("open", out + "/file", RW | os.O_TRUNC)]
    yield [call("open", "out-file", RW)]
    yield [call("open", out, os.O_PATH), call("openat", result(0), "file", RD)]
    yield [call("open", out + "/file", os.O_PATH), call("open", "/proc/self/fd/3", RD)]
    yield [call("truncate", out + "/file", 1)]
    yield [call("open", out + "/new", WR | CREAT, 0o600)]
    yield [call("mkdir", out + "/new", 0o700)]
    yield [call("mknod", out + "/new", 0o10600, 0)]
    yield [call("symlink", "x", out + "/new")]
    yield [call("unlink", out + "/file")]
    yield [call("rmdir", out + "/empty")]
    yield [call("rename", out + "/file", out + "/moved")]
    yield [call("renameat2", AT_FDCWD, out + "/file", AT_FDCWD, out + "/other", RENAME_EXCHANGE)]
    yield [call("link", out + "/file", out + "/second")]
    yield [call("link", out + "/file", "second")]
    yield [call("rename", "file", out + "/moved")]
    yield [call("rename", out + "/file", "moved")]


REFUSED = ("-EACCES", "-EXDEV")  # across folders Landlock says EXDEV, where the tool may write


def walls(t, statements, *words, **more):
    t.plant()
    before = snapshot(t.outside)
    run = t.native([t.program("walls").replace("_static", ""), *words,
                    t.program("calls"), *statements], **more)
    check(run.code != 99, run)
    equal(snapshot(t.outside), before, run)
    return run.out.splitlines()


@test
def each_wall_alone(t):
    abi(t)
    policy = narrow(t)
    path = t.write_policy(policy, "walls.yaml")
    for statements in acts(t):
        t.plant()
        found, run = t.calls(statements, native=True)
        check(not found[-1].startswith("-"), "it does not work natively:", run)
        # Landlock: refused, and only that.
        found_there = walls(t, statements, "landlock", path)
        check(found_there[-1] in REFUSED, "Landlock alone:", statements, found_there)
        equal(found_there[:-1], found[:-1], "before it")
        # The mediation, on a host that has no Landlock: refused and recorded.
        line, log = t.command([], policy)
        found_there = walls(t, statements, "mediation", *line)
        equal(found_there[-1], "-EACCES", "the mediation alone:", statements)
        t.validate(log)
        with open(log, encoding="utf-8") as records:
            equal(sum('"event":"blocked"' in record for record in records), 1, statements)
        # Both.
        t.plant()
        found_there, run = t.calls(statements, policy)
        equal(found_there[-1], "-EACCES", "both:", run)
        equal(len(run.blocked), 1, run)


@test
def landlock_lets_through(t):
    """A superset: what the policy allows passes the second wall, execs and their loader too."""
    abi(t)
    path = t.write_policy(narrow(t, delete=[t.outside + "/folder"]), "walls.yaml")
    statements = [call("open", "file", RW), call("open", "new", WR | CREAT, 0o600),
                  call("mkdir", "d", 0o700), call("rename", "file", "folder/moved"),
                  call("link", "other", "folder/second"), call("symlink", "x", "s"),
                  call("truncate", "other", 3), call("unlink", "s"), call("rmdir", "d"),
                  call("mknod", "fifo", 0o10600, 0), call("open", "/etc/passwd", RD),
                  call("open", "/dev/null", RW), call("open", "/proc/self/status", RD),
                  call("open", "/usr/lib", RD | os.O_DIRECTORY),
                  call("unlink", t.outside + "/folder/file")]
    t.plant()
    found, run = t.calls(statements, native=True)
    t.plant()
    behind = t.native([t.program("walls").replace("_static", ""), "landlock", path,
                       t.program("calls"), *statements])
    equal(behind.out.splitlines(), found, behind, run)
    behind = t.native([t.program("walls").replace("_static", ""), "landlock", path, "/bin/sh",
                       "-c", "ls /usr >/dev/null && cat /etc/passwd >/dev/null && echo fine"])
    equal(behind.out, "fine\n", behind)


@test
def everything_may_be_read(t):
    """Then reading is not handled: no kernel-run open is slower or refused for it."""
    abi(t)
    path = t.write_policy(t.wide(execute=["/usr/bin", t.bin]), "walls.yaml")
    statements = [call("open", t.outside + "/file", RD), call("open", "/", RD | os.O_DIRECTORY),
                  call("open", t.outside + "/file", WR)]
    equal(walls(t, statements, "landlock", path), ["3", "4", "-EACCES"])


def name_of(pid):
    with open(f"/proc/{pid}/comm", encoding="ascii") as file:
        return file.read()


@test
def strangers_in_proc(t):
    """What /proc tells of processes outside is not the tool's, also where everything may be read."""
    abi(t)
    stranger = subprocess.Popen(["sleep", "60"], stdin=subprocess.DEVNULL)
    try:
        # While it executes, it is closed to all but root.
        check(wait_until(lambda: name_of(stranger.pid) == "sleep\n"))
        for name in ("environ", "mem", "maps", "fd/0", "root/etc/passwd"):
            statements = [call("open", f"/proc/{stranger.pid}/{name}", RD)]
            t.plant()
            equal(t.calls(statements, native=True)[0], ["3"], name)
            equal(t.calls(statements, t.wide())[0], ["-EACCES"], name)
            line, log = t.command([], t.wide())
            equal(walls(t, statements, "mediation", *line), ["-EACCES"], name)
            with open(log, encoding="utf-8") as records:
                equal(sum('"event":"blocked"' in record for record in records), 1, name)
    finally:
        stranger.kill()
        stranger.wait()


@test
def programs_that_appear_later(t):
    """A rule about a path that does not exist yet holds when it appears: exec is the tool's own."""
    abi(t)
    later = t.inside + "/later/bin"
    policy = t.policy(read=[*SYSTEM, t.bin], write=["/dev/null"], create=[t.inside],
                      modify=[t.inside], execute=["/usr/bin", "/bin", later])
    run = t.run(["/bin/sh", "-c", "mkdir -p later/bin && cp /bin/echo later/bin/tell && "
                 "chmod 755 later/bin/tell; later/bin/tell fine; cat later/bin/tell"], policy)
    equal(run.out, "fine\n", run)


@test
def observed_only(t):
    """--observe: the second wall does not enforce either."""
    run = t.run([t.program("calls"), call("open", t.outside + "/file", RW)], narrow(t),
                options=("-q", "--observe"))
    equal(run.out, "3\n", run)


if __name__ == "__main__":
    sys.exit(main())
