#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""`syscalls` of a policy: doors that are opened, calls that are denied, whole profiles."""
import os
import sys

sys.dont_write_bytecode = True
from harness import AT_FDCWD, NR, WILD, call, check, equal, main, out, result, test

# What a static C program and a dynamic one need to start and to say something.
STARTING = """read write pread64 openat close mmap mprotect munmap brk fstat newfstatat access arch_prctl
    set_tid_address set_robust_list rseq prlimit64 exit_group getrandom futex writev execve
    readlink readlinkat lseek uname""".split()


def rules(policy, **syscalls):
    return {**policy, "syscalls": syscalls}


@test
def denied_by_name(t):
    """What the kernel would do unasked, what is mediated, and what is asked about by arguments."""
    statements = [call("getppid"), call("mkdir", "made", 0o755), call("openat", AT_FDCWD, "file", 0),
                  call("uname", out(400)), call("clone", 0x100, 0, 0, 0, 0), call("fcntl", 1, 3)]
    names = ["getppid", "mkdir", "openat", "uname", "clone", "fcntl"]
    if not t.static:
        return  # it could not load its libraries
    found, run = t.calls(statements[:4], t.wide())
    check(not any(line.startswith("-") for line in found), run)
    t.plant()
    found, run = t.calls(statements, rules(t.wide(), deny=names))
    equal(found, ["-EPERM"] * len(statements), run)
    equal([record["syscall"] for record in run.blocked], names)
    for record in run.blocked:
        equal((record["class"], record["op"]), ("system", "call"))
        check(record["rule"]["source"].startswith(t.dir + "/policy.yaml:"), record)
    check(not os.path.exists(t.inside + "/made"), "it was made")
    found, run = t.calls([call("getppid"), call("getpgrp")],
                         rules(t.wide(), deny=["getp*", "!getpgrp"]))
    equal(found[0], "-EPERM", run)
    check(not found[1].startswith("-"), run)
    t.one_record(run, syscall="getppid")


@test
def doors_that_are_opened(t):
    """The kernel answers, as if nobody supervised."""
    statements = [call("io_uring_setup", 0, WILD), call("quotactl", 0, 0, 0, 0),
                  call("keyctl", 0xffff, 0, 0, 0), call("userfaultfd", 0xffffffff),
                  call("unshare", 0x10000000 | 0x7), call("personality", 0x0040000)]
    names = ["io_uring_setup", "quotactl", "keyctl", "userfaultfd", "unshare", "personality"]
    found, run = t.calls(statements, t.wide())
    equal(len(run.blocked), len(statements), run)
    found, run = t.calls(statements, rules(t.wide(), allow=names))
    equal(run.blocked, [], run)
    check(found[-1] == "0" and found[0] in ("-EINVAL", "-EFAULT", "-ENOSYS", "-EPERM"), run)
    # A deny beats an allow; and no allow leads around the other rules.
    found, run = t.calls(statements[-1:], rules(t.wide(), allow=["*"], deny=["personality"]))
    equal(found, ["-EPERM"], run)
    t.one_record(run, syscall="personality")
    found, run = t.calls([call("open", t.outside + "/file", os.O_WRONLY),
                          call("kill", 1, 0)], rules(t.wide(), allow=["*"]))
    equal(found, ["-EACCES", "-EPERM"], run)


@test
def whole_profile(t):
    """Nothing but what is named: the refusals are in the log, the program goes on."""
    deny = ["*", *("!" + name for name in STARTING)]
    statements = [call("getppid"), call("openat", AT_FDCWD, "file", 0), call("socket", 2, 1, 0),
                  call("mkdir", "made", 0o755), call("close", result(1))]
    found, run = t.calls(statements, rules(t.wide(), deny=deny))
    equal(found, ["-EPERM", found[1], "-EPERM", "-EPERM", "0"], run)
    check(not found[1].startswith("-"), run)
    equal([record["syscall"] for record in run.blocked], ["getppid", "socket", "mkdir"])
    equal({record["rule"]["text"] for record in run.blocked}, {"*"})
    # Also what a program needs to begin at all: none of it is ours to refuse before it begins.
    run = t.run([t.program("one")], rules(t.wide(), deny=["*", "!exit_group", "!exit"]))
    check(run.code != 0 and run.blocked, run)


@test
def observed(t):
    """--observe: each denied call is logged, and made."""
    statements = [call("getppid"), call("mkdir", "made", 0o755)]
    found, run = t.calls(statements, rules(t.wide(), deny=["getppid", "mkdir"]),
                         options=("-q", "--observe"))
    check(not any(line.startswith("-") for line in found), run)
    equal([record["syscall"] for record in run.records if record["event"] == "would_block"],
          ["getppid", "mkdir"])
    check(os.path.isdir(t.inside + "/made"), "it was not made")


@test(once=True)
def unknown_names(t):
    line, _ = t.command(["/bin/true"], rules(t.wide(), deny=["opne"]))
    run = t.native(line)
    equal(run.code, 125, run)
    check("unknown system call 'opne'; did you mean 'open'?" in run.err, run)
    equal([name for name in STARTING if name not in NR], [])


if __name__ == "__main__":
    sys.exit(main())
