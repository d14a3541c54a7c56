#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""Stacks in the records of blocked attempts."""
import errno
import os
import shutil
import subprocess
import sys
import time

sys.dont_write_bytecode = True
from harness import Skip, check, children, equal, is_alive, main, test, wait_until

FRAMES = ["frame_innermost", "frame_of_any_size", "frame_large", "compare"]


def symbols(record):
    return [frame.get("symbol", "").split(".")[0] for frame in record.get("stack", [])]


@test
def named(t):
    """Each function on the way, with and without frame pointers, callbacks and threads."""
    program = t.program("stacks")
    secret = t.outside + "/file"
    run = t.native([program, secret])
    equal(run.out, "0\n", run)
    for more, base in (([], ["frame_callback", "main"]),
                       (["thread"], ["frame_callback", "frame_thread"])):
        run = t.run([program, secret, *more], t.narrow())
        equal(run.out, f"{errno.EACCES}\n", run)
        record = t.one_record(run, op="read", path=secret)
        found = symbols(record)
        wanted = FRAMES + base
        equal([name for name in found if name in wanted], wanted, record)
        check("open" in found[0], found)
        frame = record["stack"][1]
        equal(frame["object"], program)
        check(len(frame.get("build_id", "")) >= 32 or "build_id" not in frame, frame)
        check(0 < frame["offset"] < 4096 and int(frame["ip"], 16) > 4096, frame)
        shown = t.native([t.proctor, "log", "-v", run.log])
        check("    at frame_large+0x" in shown.out, shown)


@test
def not_wanted(t):
    """--no-stack: none. What is allowed has none either."""
    secret = t.outside + "/file"
    run = t.run([t.program("stacks"), secret], t.narrow(), options=("-q", "--no-stack"))
    check("stack" not in t.one_record(run, path=secret), run)
    run = t.run([t.program("stacks"), secret], t.narrow(), options=("-q", "--no-stack", "--stack",
                                                                  "--log", "all"))
    check("stack" in t.one_record(run, path=secret), run)
    check(not any("stack" in record for record in run.records if record["event"] != "blocked"))
    run = t.run([t.program("stacks"), secret], t.narrow(), options=("-q", "--observe"))
    record = [record for record in run.records if record["event"] == "would_block"][-1]
    check("frame_large" in symbols(record), record)


@test(once=True)
def python(t):
    """The interpreter's own functions, at the least."""
    if not os.path.exists("/usr/bin/python3"):
        raise Skip("no /usr/bin/python3")
    run = t.run(["/usr/bin/python3", "-IS", "-c", f"open('{t.outside}/file')"], t.narrow())
    records = [record for record in run.blocked if record.get("path") == t.outside + "/file"]
    check(len(records) == 1 and len(records[0]["stack"]) > 8, run)


@test(once=True)
def many(t):
    """A thousand attempts, each with its stack."""
    loop = f"i=0; while [ $i -lt 1000 ]; do i=$((i+1)); (: < {t.outside}/file); done 2> /dev/null"
    run = t.run(["/bin/sh", "-c", loop], t.narrow())
    equal(len(run.blocked), 1000, run)
    whole = [record for record in run.blocked if len(record.get("stack", [])) > 4]
    check(len(whole) >= 950, len(whole))


@test
def hostile_program(t):
    """A program whose file is not what it claims: no stack, or a short one; all else as ever."""
    secret = t.outside + "/file"
    with open(t.program("stacks"), "rb") as file:
        good = file.read()
    for number, (start, end) in enumerate(((40, 64), (len(good) // 2, len(good)), (600, 3000))):
        program = f"{t.inside}/bad{number}"
        with open(program, "wb") as file:
            file.write(good[:start] + os.urandom(end - start) + good[end:])
        os.chmod(program, 0o755)
        began = time.monotonic()
        run = t.run([program, secret], t.narrow(execute=["/"]))
        check(time.monotonic() - began < 10, number, run)
    # It replaces and empties its own file while it runs.
    program = t.inside + "/self"
    shutil.copy(t.program("stacks"), program)
    run = t.run(["/bin/sh", "-c", f"cp {program} copy; mv copy {program}; {program} {secret}; "
                                  f": > {program}.2; {t.program('stacks')} {secret}"], t.narrow())
    equal(len([record for record in run.blocked if record.get("path") == secret]), 2, run)
    check("frame_large" in symbols(run.blocked[-1]), run)


@test
def the_process_that_unwinds(t):
    """It is no child of the supervisor's, ends with the run, and may die."""
    line, log = t.command(["/bin/sh", "-c", f"while read x; do (: < {t.outside}/file); echo said; done"],
                          t.narrow())
    process = t.spawn(line, stdin=subprocess.PIPE)

    def attempt():
        process.stdin.write("x\n")
        process.stdin.flush()
        equal(process.stdout.readline(), "said\n")

    def helper():
        for pid in children(process.pid):
            with open(f"/proc/{pid}/comm", encoding="ascii") as file:
                if file.read() == "stacks\n" and is_alive(pid):
                    return pid
        return None
    equal(helper(), None, "it runs before it is needed")
    attempt()
    first = helper()
    check(first, "there is none")
    os.kill(first, 9)
    attempt()
    attempt()
    second = helper()
    check(second and second != first, first, second)
    process.stdin.close()
    process.stdin = None
    process.communicate(timeout=20)
    check(wait_until(lambda: not is_alive(second)))
    t.validate(log)


if __name__ == "__main__":
    sys.exit(main())
