#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""An allowed call is the native call: results, errors, descriptors, and what it leaves behind.

Sequences of calls at random: test_random.py.
"""
import os
import subprocess
import sys

sys.dont_write_bytecode = True
from harness import (AT_FDCWD, O_PATH, O_TMPFILE, Skip, blob, call, check, equal, how, main, out,
                     result, shape, test)

RD, WR, RW = os.O_RDONLY, os.O_WRONLY, os.O_RDWR
CREAT, EXCL, TRUNC, CLOEXEC, DIRECTORY = (os.O_CREAT, os.O_EXCL, os.O_TRUNC, os.O_CLOEXEC,
                                          os.O_DIRECTORY)
F_DUPFD, F_GETFD, F_GETFL = 0, 1, 3
ALL = ("-q", "--log", "all")


def both(t, *statements, policy=None):
    """With reads left to the kernel, and with all trapped."""
    t.same(*statements, policy=policy or t.wide())
    t.same(*statements, policy=policy or t.wide(), options=ALL)


@test
def descriptors(t):
    """The lowest free number; FD_CLOEXEC; status flags; offsets; O_APPEND."""
    both(t, call("open", "file", RW), call("open", "other", RD | CLOEXEC), call("fcntl", 3,
                                                                                F_GETFD),
         call("fcntl", 4, F_GETFD), call("close", 3), call("open", "folder", RD | DIRECTORY),
         call("fcntl", 3, F_GETFL), call("dup2", 3, 9), call("close", 0),
         call("open", "file", WR | os.O_APPEND | os.O_NONBLOCK), call("fcntl", 0, F_GETFL),
         call("write", 0, "abc", 3), call("lseek", 0, 0, 1), call("open", "file", RW | CLOEXEC),
         call("lseek", 5, 4, 0), call("read", 5, out(10), 10), call("lseek", 5, 0, 1),
         call("open", "new", WR | CREAT | CLOEXEC, 0o600), call("fcntl", 6, F_GETFD),
         call("fcntl", 6, F_GETFL), call("openat2", AT_FDCWD, "file", how(RD | CLOEXEC), 24),
         call("fcntl", 7, F_GETFD), call("open", "file", O_PATH | CLOEXEC), call("fcntl", 8,
                                                                                 F_GETFD),
         call("fcntl", 8, F_GETFL), call("open", "file", RD | os.O_NOATIME),
         call("creat", "created", 0o644), call("fcntl", 11, F_GETFL), call("read", 11, out(1), 1))


@test
def descriptor_limit(t):
    limit = blob((6).to_bytes(8, "little") * 2)
    both(t, call("prlimit64", 0, 7, limit, 0), *[call("open", "file", RD)] * 6,
         call("open", "file", WR), call("close", 4), call("open", "file", RW),
         call("open", "file", RW), call("openat2", AT_FDCWD, "file", how(RD), 24))


@test
def umasks(t):
    statements = []
    for mask in (0, 0o22, 0o77, 0o777, 0o27):
        statements += [call("umask", mask), call("open", f"f{mask}", WR | CREAT, 0o6777),
                       call("mkdir", f"d{mask}", 0o1777), call("mknod", f"p{mask}", 0o10666, 0),
                       call("creat", f"c{mask}", 0o666), call("symlink", "x", f"s{mask}"),
                       call("open", f"t{mask}", WR | CREAT | EXCL, 0o4755),
                       call("openat2", AT_FDCWD, f"o{mask}", how(WR | CREAT, 0o777), 24),
                       call("umask", mask)]
    both(t, *statements)
    # A thread's umask is its process's.
    both(t, call("umask", 0o57, thread=True), call("creat", "x", 0o777),
         call("mkdir", "y", 0o777, thread=True))


@test
def umask_of_each_process(t):
    """The one that the tool was started with, until a process sets its own: only that one has it."""
    script = ("cd {}; : >a; mkdir b; (umask 077; : >c; mkdir d; umask 0; : >e); : >f; mkdir g;"
              " umask 026; : >h; (: >i; umask 0177; mkfifo j); : >k")
    before = os.umask(0o037)
    try:
        modes = []
        for place, run in (("native", t.native), ("tool", t.run)):
            folder = f"{t.inside}/{place}"
            os.mkdir(folder, 0o777)
            os.chmod(folder, 0o777)
            run = run(["/bin/sh", "-c", script.format(folder)],
                      *([t.wide()] if place == "tool" else []))
            equal(run.code, 0, run)
            modes.append({name: oct(os.lstat(f"{folder}/{name}").st_mode)
                          for name in os.listdir(folder)})
    finally:
        os.umask(before)
    equal(len(modes[0]), 11)
    equal(modes[0], modes[1])
    equal(modes[0]["a"], "0o100640")


@test
def owners(t):
    """Set-group-ID folders, sticky folders, files of others."""
    if t.root:
        raise Skip("root may change them")
    both(t, call("chmod", "folder", 0o2775), call("mkdir", "folder/x", 0o755),
         call("creat", "folder/y", 0o644), call("chmod", "empty", 0o1777),
         call("creat", "empty/z", 0o644), call("unlink", "empty/z"),
         call("open", "/etc/shadow", RD), call("open", "/etc/shadow", WR),
         call("chmod", "/etc/passwd", 0o644), call("creat", "/etc/new-file-of-a-test", 0o600),
         call("unlink", "/etc/new-file-of-a-test"), call("mkdir", "/proc/x", 0o700),
         call("open", "/sys/kernel/x", WR | CREAT, 0o600),
         policy=t.wide(write=["/"]))


@test
def modes_deny(t):
    """What the file's mode refuses, the kernel refuses, without a record."""
    if t.root:
        raise Skip("no mode refuses root")
    both(t, call("chmod", "file", 0), call("open", "file", RD), call("open", "file", WR),
         call("truncate", "file", 0), call("chmod", "folder", 0), call("open", "folder/file", RD),
         call("unlink", "folder/file"), call("mkdir", "folder/x", 0o700), call("open", "folder",
                                                                               RD),
         call("rename", "folder/file", "x"), call("chmod", "folder", 0o500),
         call("creat", "folder/new", 0o600), call("unlink", "folder/file"),
         call("chmod", "folder", 0o700))


@test
def large_and_odd_values(t):
    both(t, call("open", "file", RD | 1 << 40), call("open", "file", 0xffffffff),
         call("open", "file", 0x7fffffff), call("open", "f", WR | CREAT, 0xffffffff),
         call("mkdir", "d", 0xffffffff), call("mknod", "m", 0, 0), call("mknod", "n", 0o40000, 0),
         call("mknod", "o", 0o170644, 0), call("chmod", "file", 0xffff01a4),
         call("openat", AT_FDCWD | 1 << 32, "file", RD), call("openat", -1, "/etc/passwd", RD),
         call("openat", -1, "file", RD), call("openat", 0x1ffffff9c, "file", RD),
         call("open", "file", RD | DIRECTORY), call("open", "folder", RW),
         call("open", "folder", RD | CREAT, 0o600), call("open", "folder", RD | CREAT | DIRECTORY,
                                                         0),
         call("open", "nd", RD | CREAT | DIRECTORY, 0o600), call("open", "folder", RD | TRUNC),
         call("open", "file", RD | EXCL), call("open", "link", RD | os.O_NOFOLLOW),
         call("open", "link", O_PATH | os.O_NOFOLLOW), call("open", ".", O_TMPFILE | RD, 0o600),
         call("open", "file", O_TMPFILE | RW, 0o600), call("open", "file", RD | os.O_DIRECT),
         call("open", "file", RD | os.O_SYNC | os.O_DSYNC), call("open", "file", RD | os.O_ASYNC),
         call("fcntl", result(25), F_GETFL))


@test
def special_files(t):
    both(t, call("open", "/dev/null", RW), call("write", 3, "x", 1), call("open", "/dev/zero", RD),
         call("read", 4, out(4), 4), call("open", "/dev/full", WR), call("write", 5, "x", 1),
         call("open", "/dev/tty", RW), call("pipe", out(8)), call("open", "/proc/self/fd/6", RD),
         call("open", "/dev/fd/7", WR), call("open", "/proc/self/fd/99", RD),
         call("mknod", "fifo", 0o10600, 0), call("open", "fifo", WR | os.O_NONBLOCK),
         call("open", "fifo", RD | os.O_NONBLOCK), call("open", "fifo", RW),
         call("socket", 1, 1, 0), call("open", "/proc/self/fd/11", RD),
         call("memfd_create", "m", 0), call("open", "/proc/self/fd/12", RW),
         call("memfd_create", "m", 0, thread=True),
         policy=t.wide(write=[t.inside, "/dev"]))


@test
def threads(t):
    """The caller's own working folder and descriptors, in whatever thread."""
    both(t, call("open", "file", RD, thread=True), call("read", 3, out(5), 5),
         call("chdir", "folder", thread=True), call("open", "file", RD),
         call("read", 4, out(40), 40, thread=True), call("open", "/proc/thread-self/comm", RD,
                                                         thread=True),
         call("mkdir", "made", 0o700, thread=True), call("openat", 3, "x", RD, thread=True))


@test
def two_names_at_once(t):
    both(t, call("link", "file", "second"), call("rename", "file", "second"),
         call("open", "file", RD), call("renameat2", AT_FDCWD, "file", AT_FDCWD, "folder", 2),
         call("open", "folder", RD), call("rename", "file", "empty"), call("rename", "file",
                                                                           "file"),
         call("rename", "empty", "new/"), call("rename", "second", "new2/"),
         call("link", "second", "new3/"), call("symlink", "x", "new4/"), call("unlink", "link/"),
         call("rmdir", "link"), call("mkdir", "dangling", 0o700), call("mkdir", "dangling/", 0o700),
         call("rename", "second/", "z"), call("rename", "link", "link2"), call("open", "link2", RD),
         call("rename", "folder", "folder"), call("rename", "empty/.", "e"),
         call("rename", "empty/..", "e"), call("unlink", "empty/."), call("rmdir", "empty/."))


@test
def real_work(t):
    """A shell script with pipes, redirections, copies: the same output and tree."""
    script = r"""
    set -e
    for i in 1 2 3 4 5 6 7 8; do echo "line $i" >> log; mkdir -p a/b/$i; cp log a/b/$i/; done
    ln -s a/b link3; mv a/b/1 a/b/one; rm -r a/b/2; touch -d @1000000000 stamp; chmod 640 stamp
    cat log | sort -r | tee sorted | wc -l; find . -type f | sort | head -40
    ls -l stamp | cut -c1-10
    tar cf x.tar a; mkdir y; tar xf x.tar -C y; diff -r a y/a && echo equal; rm x.tar
    (cd y && pwd | sed 's,.*/,,'); test -e nothing || echo none; cat nothing 2>&1 || echo "code $?"
    cat < log > copy; : > empty-one; dd if=log of=part bs=5 count=3 2>/dev/null; cat part
    """
    outs = []
    for native in (True, False):
        t.plant()
        run = (t.native(["/bin/bash", "-c", script]) if native
               else t.run(["/bin/bash", "-c", script], t.wide(), options=ALL))
        outs.append((run.code, run.out, run.err, shape(t.dir)))
    equal(outs[1][:3], outs[0][:3])
    equal(sorted(outs[1][3].items()), sorted(outs[0][3].items()))


@test
def exported_files_are_whole(t):
    """Standard output to a file that is shared with the caller: offsets go on."""
    with open(t.inside + "/out", "wb") as file:
        file.write(b"before\n")
        file.flush()
        line, _ = t.command(["/bin/sh", "-c", "echo one; echo two"], t.wide())
        subprocess.run(line, stdout=file, env=t.env, cwd=t.inside, check=False)
        file.seek(0, 1)
        file.write(b"")
    with open(t.inside + "/out", encoding="ascii") as file:
        check(file.read() == "before\none\ntwo\n", "offset")


if __name__ == "__main__":
    sys.exit(main())
