#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""Stacks in the records of blocked attempts."""
import errno
import glob
import os
import pathlib
import shutil
import subprocess
import sys
import time

sys.dont_write_bytecode = True
from harness import (SYSTEM, Skip, check, children, equal, is_alive, main, need, test, wait_until)

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


PYTHON = """
import errno, os, sys, threading

class Reader:
    def read(self, path):
        return [
            open(path)
        ]

def outer(path):
    try:
        yield Reader().read(path)
    except OSError as error:
        yield error.errno

def in_child(path):
    if os.fork() == 0:
        for code in outer(path): os._exit(code)
    return os.waitstatus_to_exitcode(os.wait()[1])

path = sys.argv[1]
print(*outer(path))
thread = threading.Thread(target=lambda: print(*outer(path)))
thread.start()
thread.join()
print(in_child(path), flush=True)
"""

NODE = """const fs = require('fs');
function inner(path) {
  try { return fs.readFileSync(path); } catch (error) { return error.code; }
}
class Tool {
  run(path) { return inner(path); }
}
for (let i = 0; i < 4; i++) console.log(new Tool().run(process.argv[2]));
"""


def script(record, file):
    """What of it stands in the file."""
    return [(frame["function"], frame.get("line")) for frame in record.get("script", [])
            if frame["file"] == file]


def pythons():
    """The system's, and releases that stand beside it."""
    paths = sorted(glob.glob("/root/.pyenv/versions/3.1[123].*/bin/python3.1?"))
    return ["/usr/bin/python3", *(path for path in paths if os.access(path, os.X_OK))]


@test(once=True)
def python_frames(t):
    """Function, file and line, of the first thread, of another, and of a child."""
    path, secret = t.inside + "/script.py", t.outside + "/file"
    with open(path, "w", encoding="ascii") as file:
        file.write(PYTHON)
    tried = 0
    for python in pythons():
        version = t.native([python, "-c", "import sys; print(sys.version_info[:2] >= (3, 11))"])
        if version.out != "True\n":
            continue
        tried += 1
        run = t.run([python, path, secret], t.policy(
            read=[*SYSTEM, t.inside, "/root/.pyenv"] if t.root else [*SYSTEM, t.inside]))
        equal(run.out, f"{errno.EACCES}\n" * 3, run)
        records = [record for record in run.blocked if record.get("path") == secret]
        equal(len(records), 3, run)
        inner = [("Reader.read", 7), ("outer", 12)]
        for record, rest in zip(records, ([("<module>", 22)], [("<lambda>", 23)],
                                          [("in_child", 18), ("<module>", 26)])):
            equal(script(record, path), inner + rest, python, record)
            equal({frame["language"] for frame in record["script"]}, {"python"})
        check("Thread.run" in [frame["function"] for frame in records[1]["script"]], records[1])
        shown = t.native([t.proctor, "log", "-v", run.log])
        check(f"    in Reader.read {path}:7 (python)" in shown.out, shown)
        run = t.run([python, path, secret], t.narrow(), options=("-q", "--no-stack"))
        check(not any("script" in record for record in run.records), run)
    if not tried:
        raise Skip("no Python 3.11 or later here")


@test(once=True)
def node_frames(t):
    """By the map that it writes for profilers; without one, none."""
    need("node")
    path, secret = t.inside + "/script.js", t.outside + "/file"
    with open(path, "w", encoding="ascii") as file:
        file.write(NODE)
    policy = {**t.policy(write=[t.inside, "/tmp/perf-*.map", "/dev/null"]), "files": {
        "read": ["/"], "deny": [secret], "write": [t.inside, "/tmp/perf-*.map", "/dev/null"]}}
    policy["files"]["create"] = policy["files"]["modify"] = ["/tmp/perf-*.map"]
    for flags, wanted in (([], []), (["--perf-basic-prof"], [("inner", 2), ("run", 6)]), (
            ["--perf-basic-prof", "--interpreted-frames-native-stack"],
            [("inner", 2), ("run", 6)])):
        run = t.run(["node", *flags, path, secret], policy)
        equal(run.out, "EACCES\n" * 4, run)
        records = [record for record in run.blocked if record.get("path") == secret]
        # On a busy machine there may be no time for a stack.
        record = next((record for record in records if "stack" in record), records[0])
        found = [(name.replace("Tool.", ""), line) for name, line in script(record, path)]
        equal(found[:2], wanted, record)
        for left in glob.glob("/tmp/perf-*.map"):
            if str(record["pid"]) in left:
                os.unlink(left)


@test(once=True, user="root")
def whole(t):
    """What programs say of the way that they came, in short; bench/stacks.py has the long form."""
    need("gcc", "node")
    bench = pathlib.Path(__file__).resolve().parent.parent.parent / "bench/stacks.py"
    run = t.native(["/usr/bin/python3", "-B", str(bench), "--proctor", t.proctor, "--attempts", "80",
                    "--verbose"])
    equal(run.code, 0, run)
    equal(run.out.count(" attempts, "), 4 if shutil.which("g++") else 3, run)


if __name__ == "__main__":
    sys.exit(main())
