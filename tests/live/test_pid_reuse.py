#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""A process that has the number of one before it: nothing that is known of that one is used for it.

In a namespace of processes, where the next number can be chosen (ns_last_pid of proc(5)).
"""
import json
import os
import sys

sys.dont_write_bytecode = True
from harness import Skip, check, equal, main, test

ROUNDS = 20

# Runs the command; whoever writes a number to `ask` gets it for its next process.
NUMBERS = """
import subprocess, sys
with subprocess.Popen(sys.argv[3:]) as run:
    with open(sys.argv[1]) as ask, open(sys.argv[2], "w") as answer:
        for line in ask:
            with open("/proc/sys/kernel/ns_last_pid", "w") as last:
                last.write(str(int(line) - 1))
            print(line, file=answer, end="", flush=True)
sys.exit(run.returncode)
"""

TOOL = """
import os, signal, sys
ask, answer = open("ask", "w"), open("answer")

def process(act, *words):
    pid = os.fork()
    if pid == 0:
        act(*words)
        os._exit(0)
    return pid

def again(pid, act, *words):
    print(pid, file=ask, flush=True)
    answer.readline()
    return process(act, *words)

def ended(pid):
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
"""


def run(t, body, policy, *options):
    """The tool's output and its records."""
    if not t.root or not os.path.exists("/proc/sys/kernel/ns_last_pid"):
        raise Skip("takes root, and a kernel that lets one choose the next number")
    for name in ("ask", "answer"):
        os.mkfifo(f"{t.inside}/{name}")
    tool = ["/usr/bin/python3", "-c", TOOL + body]
    place = ["unshare", "--pid", "--fork", "--mount-proc", sys.executable, "-c", NUMBERS, "ask", "answer"]
    native = t.native(place + tool)
    if "unshare" in native.err:
        raise Skip(f"no namespace of processes: {native.err}")
    equal(native.code, 0, native)
    command, log = t.command(tool, policy, ("-q", *options))
    found = t.native(place + command)
    equal(found.code, 0, found)
    t.validate(log)
    with open(log, encoding="utf-8") as lines:
        return native.out, found.out, [json.loads(line) for line in lines]


@test
def descriptors(t):
    """A descriptor is the caller's own, not that of the same number in a process that is gone."""
    for name in "ab":
        os.mkdir(f"{t.inside}/{name}")
        with open(f"{t.inside}/{name}/f", "w", encoding="ascii") as file:
            file.write(name)
    native, found, _ = run(t, f"""
def read(folder):
    os.dup2(os.open(folder, os.O_RDONLY), 50)
    text = "".join(os.read(os.open("f", os.O_RDONLY, dir_fd=50), 9).decode() for _ in range(3))
    os.rename("f", "g", src_dir_fd=50, dst_dir_fd=50)
    os.rename("g", "f", src_dir_fd=50, dst_dir_fd=50)
    sys.stdout.write(text + " ")
    sys.stdout.flush()
same = 0
for _ in range({ROUNDS}):
    first = process(read, "a")
    ended(first)
    second = again(first, read, "b")
    same += first == second
    ended(second)
print(same == {ROUNDS})
""", t.narrow())
    equal(native, "aaa bbb " * ROUNDS + "True\n")
    equal(found, native)


@test
def calls_of_the_dead(t):
    """A call that waits when its caller is killed gives nothing to the next process of that number."""
    native, found, _ = run(t, f"""
def wait():
    os.open("meeting", os.O_RDONLY)
def look():
    before = sorted(os.listdir("/proc/self/fd"))
    writer = os.open("meeting", os.O_RDWR | os.O_NONBLOCK) # whoever still waits goes on
    os.close(writer)
    for _ in range(20):
        os.close(os.open("file", os.O_RDONLY))
    print(os.open("file", os.O_RDONLY), before == sorted(os.listdir("/proc/self/fd"))[:len(before)])
if not os.path.exists("meeting"):
    os.mkfifo("meeting")
for _ in range({ROUNDS}):
    first = process(wait)
    while open(f"/proc/{{first}}/stat").read().rsplit(")")[1].split()[0] not in "SD":
        pass
    os.kill(first, signal.SIGKILL)
    ended(first)
    second = again(first, look)
    print(first == second, ended(second))
""", t.narrow())
    check(native.count("True 0\n") == ROUNDS, native)
    equal(found, native)


@test
def identity(t):
    """Each program has its own exec_id, whatever its number; what is refused is told of the right one."""
    _, found, records = run(t, f"""
def execute(name):
    os.execv("/bin/cat", ["cat", name])
os.dup2(1, 2)
for _ in range({ROUNDS}):
    first = process(execute, "../out/file")
    ended(first)
    second = again(first, execute, "file")
    ended(second)
    print(first, second, flush=True)
""", t.narrow(), "--log", "all")
    pairs = [line.split() for line in found.splitlines() if line[:1].isdigit()]
    equal(len(pairs), ROUNDS, found)
    check(all(first == second for first, second in pairs), pairs)
    execs = [record for record in records if record["event"] == "exec" and
             record.get("argv", [""])[0] == "cat"]
    ids = [record["exec_id"] for record in execs]
    equal(len(ids), 2 * ROUNDS)
    equal(len(set(ids)), len(ids), "an exec_id was given twice")
    refused = [record["exec_id"] for record in records if record["event"] == "blocked" and
               record["path"] == t.outside + "/file"]
    equal(refused, ids[::2], "the refusals are told of another program")


if __name__ == "__main__":
    sys.exit(main())
