#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""Acting upon other processes: within the tool's own tree, and nowhere else."""
import os
import shutil
import subprocess
import sys
import time

sys.dont_write_bytecode = True
from harness import Skip, check, equal, main, test

# One act after the other on the process in argv[1], or on a child when there is none.
ACTS = """
import ctypes, os, sys
libc = ctypes.CDLL(None, use_errno=True)
buffer = ctypes.create_string_buffer(b"contents", 16)
reader, writer = os.pipe()
given = len(sys.argv) > 1
pid = int(sys.argv[1]) if given else os.fork()
if pid == 0:
    os.close(writer)
    os.read(reader, 1)
    os._exit(0)
if len(sys.argv) > 2:
    address = int(sys.argv[2])
else:
    address = ctypes.addressof(buffer)
class Vector(ctypes.Structure):
    _fields_ = [("base", ctypes.c_void_p), ("len", ctypes.c_size_t)]
copy = ctypes.create_string_buffer(8)
local = Vector(ctypes.addressof(copy), 8)
remote = Vector(address, 8)
def act(name, *args):
    ctypes.set_errno(0)
    found = libc.syscall(*(ctypes.c_long(arg) if isinstance(arg, int) else arg for arg in args))
    errno = ctypes.get_errno()
    print(name, "-" + __import__("errno").errorcode[errno] if found < 0 else "done")
    return found
act("readv", 310, pid, ctypes.byref(local), 1, ctypes.byref(remote), 1, 0)
act("writev", 311, pid, ctypes.byref(local), 1, ctypes.byref(remote), 1, 0)
act("kcmp", 312, pid, os.getpid(), 0, 0, 0)
act("kcmp", 312, os.getpid(), pid, 0, 0, 0)
pidfd = os.pidfd_open(pid)
fd = act("getfd", 438, pidfd, 0, 0)
if fd >= 0:
    print("the same", os.path.samestat(os.fstat(fd), os.fstat(0)), os.get_inheritable(fd))
act("getfd", 438, pidfd, 9999, 0)
act("getfd", 438, pidfd, 0, 1)
act("getfd", 438, 9999, 0, 0)
act("getfd", 438, writer, 0, 0)
"""


class Stranger:
    """A process of the same user, outside the tree."""

    def __enter__(self):
        self.process = subprocess.Popen(["/bin/sleep", "60"], stdin=subprocess.DEVNULL)
        return self.process.pid

    def __exit__(self, *exception):
        self.process.kill()
        self.process.wait()


def tracing(policy):
    return {**policy, "syscalls": {"allow": ["ptrace"]}}


def needs(program):
    if not shutil.which(program):
        raise Skip(f"no {program}")


@test(once=True)
def memory_and_descriptors_of_a_child(t):
    command = ["/usr/bin/python3", "-S", "-c", ACTS]
    native = t.native(command)
    check(native.out.startswith("readv done\nwritev done\nkcmp done\n"), native)
    for policy in (t.wide(), t.narrow()):
        run = t.run(command, policy)
        equal((run.code, run.out, run.blocked), (native.code, native.out, []), run)


@test(once=True)
def memory_and_descriptors_of_strangers(t):
    with Stranger() as stranger:
        command = ["/usr/bin/python3", "-S", "-c", ACTS, str(stranger)]
        check("kcmp done" in t.native(command).out, "natively")
        run = t.run(command, t.wide())
        equal(run.out.splitlines()[:5], ["readv -EPERM", "writev -EPERM", "kcmp -EPERM",
                                         "kcmp -EPERM", "getfd -EPERM"], run)
        equal([record["syscall"] for record in run.blocked][:5],
              ["process_vm_readv", "process_vm_writev", "kcmp", "kcmp", "pidfd_getfd"])
        equal({(record["class"], record["op"]) for record in run.blocked}, {("process", "trace")})


ORPHAN = """
import ctypes, os, resource, signal, time
reader, writer = os.pipe()
if os.fork() == 0:
    os.setsid()
    pid = os.fork()
    if pid == 0:
        time.sleep(60)
    os.write(writer, pid.to_bytes(4, "little"))
    os._exit(0)
os.wait()
pid = int.from_bytes(os.read(reader, 4), "little")
print(os.getpgid(pid) != os.getpgid(0))
os.setpriority(os.PRIO_PROCESS, pid, 7)
os.setpriority(os.PRIO_PGRP, os.getpgid(pid), 9)
os.sched_setaffinity(pid, {0})
os.sched_setscheduler(pid, os.SCHED_BATCH, os.sched_param(0))
print(os.getpriority(os.PRIO_PROCESS, pid), os.sched_getaffinity(pid), os.sched_getscheduler(pid))
print(resource.prlimit(pid, resource.RLIMIT_NOFILE, (60, 60))[1] > 60)
print(resource.prlimit(pid, resource.RLIMIT_NOFILE))
print(open(f"/proc/{pid}/comm").read().strip(), len(os.readlink(f"/proc/{pid}/exe")) > 0)
open(f"/proc/{pid}/oom_score_adj", "w").write("500")
def until(condition):
    for _ in range(500):
        if condition():
            return True
        time.sleep(0.01)
    return False
state = lambda: open(f"/proc/{pid}/stat").read().split(") ")[1][0]
for number, letter in ((signal.SIGSTOP, "T"), (signal.SIGCONT, "S")):
    os.killpg(os.getpgid(pid), number)
    print(until(lambda: state() == letter))
os.kill(pid, signal.SIGTERM)
print(until(lambda: not os.path.exists(f"/proc/{pid}/fd/0")))
"""


@test(once=True)
def control_of_orphans(t):
    """A process whose parents are gone is the tool's all the same, in a session of its own as well."""
    command = ["/usr/bin/python3", "-S", "-c", ORPHAN]
    native = t.native(command)
    check(native.out.startswith("True\n9 {0} 3\nTrue\n(60, 60)\n"), native)
    for policy in (t.wide(write=["/proc/self", t.inside]),
                   t.narrow(write=["/proc/self", t.inside])):
        run = t.run(command, policy)
        equal((run.code, run.out, run.blocked), (native.code, native.out, []), run)


@test(once=True)
def tracing_takes_a_rule(t):
    needs("strace")
    command = ["strace", "-f", "-o", "trace", "-e", "trace=openat", "/bin/cat", "file"]
    equal(t.native(command).out, "contents of in/file\n")
    run = t.run(command, t.wide())
    check(run.code != 0 and run.out == "", run)
    equal({(record["syscall"], record["errno"]) for record in run.blocked}, {("ptrace", "EPERM")})


@test(once=True)
def strace_within(t):
    """A traced tree behaves, and is under the same rules."""
    needs("strace")
    script = f"cat file; {t.program('one')}; echo $?; cat ../out/file; ./other; echo $?"
    for policy in (t.wide(exec_deny=["/nowhere"]),
                   t.narrow(execute=[t.bin, "/usr/bin", "/bin"]), t.narrow()):
        run = t.run(["strace", "-f", "-o", "trace", "/bin/sh", "-c", script], tracing(policy))
        lines = run.out.splitlines()
        equal(lines[:2] + lines[-1:], ["contents of in/file", "1", "126"], run)
        with open(t.inside + "/trace", encoding="utf-8", errors="replace") as file:
            traced = file.read()
        check("execve(" in traced and "exited with 1" in traced, traced[-2000:])


@test(once=True)
def denied_programs_under_a_tracer(t):
    needs("strace")
    shutil.copy(t.program("two"), t.outside + "/program")
    policy = tracing(t.wide(exec_deny=[t.outside]))
    run = t.run(["strace", "-f", "-o", "trace", t.program("execs"), "execve",
                 t.outside + "/program"], policy)
    equal((run.code, run.out), (77, "EACCES\n"), run)
    t.one_record(run, kind="exec", path=t.outside + "/program")


@test(once=True)
def gdb_within(t):
    needs("gdb")
    command = ["gdb", "-batch", "-nx", "-ex", "starti", "-ex", "info registers rip",
               "-ex", "continue", "--args", t.program("one")]
    native = t.native(command)
    check("exited with code 01" in native.out, native)
    run = t.run(command, tracing(t.wide(exec_deny=["/nowhere"])))
    check("exited with code 01" in run.out and "rip" in run.out, run)
    # Attaching to a process of its own.
    script = ("/bin/sleep 20 & gdb -batch -nx -ex detach -p $! 2>&1; kill $!")
    run = t.run(["/bin/sh", "-c", script], tracing(t.wide(exec_deny=["/nowhere"])))
    check("detached" in run.out, run)


@test(once=True)
def strangers_are_not_traced(t):
    """Nor is the supervisor asked to trace, by the tool's first process."""
    needs("strace")
    with Stranger() as stranger:
        time.sleep(0.05)
        run = t.run(["strace", "-o", "trace", "-p", str(stranger)], tracing(t.wide()))
        check(run.code != 0, run)
        equal({record["syscall"] for record in run.blocked}, {"ptrace"})
    script = "import ctypes; print(ctypes.CDLL(None).ptrace(0, 0, 0, 0))"
    equal(t.native(["/usr/bin/python3", "-S", "-c", script]).out, "0\n")
    run = t.run(["/usr/bin/python3", "-S", "-c", script], tracing(t.wide()))
    equal(run.out, "-1\n", run)
    t.one_record(run, kind="process", op="trace", syscall="ptrace", errno="EPERM")


@test(once=True)
def folders_in_proc(t):
    """What /proc shows of a child may be read, of a stranger not."""
    policy = t.policy(read=["/usr", "/lib*", "/etc", "/bin", "/proc/self", t.inside, t.bin])
    script = ("sleep 5 & until grep -q sleep /proc/$!/comm; do :; done; "
              "cat /proc/$!/environ >copy && echo ok; kill $!")
    run = t.run(["/bin/sh", "-c", script], policy)
    equal((run.out, run.blocked), ("ok\n", []), run)
    with Stranger() as stranger:
        for name in ("environ", "maps", "fd/0", "root/etc/passwd", "mem"):
            run = t.run(["/bin/cat", f"/proc/{stranger}/{name}"], policy)
            equal(run.code, 1, run)
            equal(len(run.blocked), 1, run)
    equal(os.path.exists(t.outside + "/file"), True)


if __name__ == "__main__":
    sys.exit(main())
