#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""files.hide: what is hidden does not exist, for any call that takes a path, and in no listing."""
import os
import struct
import sys

sys.dont_write_bytecode = True
from harness import (AT_EMPTY_PATH, AT_FDCWD, AT_REMOVEDIR, AT_SYMLINK_FOLLOW, AT_SYMLINK_NOFOLLOW,
                     O_PATH, O_TMPFILE, RENAME_EXCHANGE, WILD, array, blob, call, check, entries,
                     equal, how, main, out, result, shown, test)

RD, WR, RW = os.O_RDONLY, os.O_WRONLY, os.O_RDWR
CREAT, EXCL = os.O_CREAT, os.O_EXCL
STAT = shown(144, (24, 4))


def hiding(t, **more):
    """Everything may be read, in/ may be written, and in/folder is hidden."""
    return t.policy(read=["/"], write=[t.inside, "/dev/null"], hide=[t.inside + "/folder"], **more)


def hidden(t, *statements, path, **more):
    t.denied(*statements, policies=[hiding(t)], error="ENOENT", path=path, outside=[t.inside],
             **more)


@test
def looked_at(t):
    target = t.inside + "/folder/file"
    buffer = out(200)
    for name, *operands in (
            ("stat", target, STAT), ("lstat", target, STAT),
            ("newfstatat", AT_FDCWD, target, STAT, 0), ("newfstatat", AT_FDCWD, target, STAT, 0x100),
            ("statx", AT_FDCWD, target, 0, 0x7ff, shown(256)), ("access", target, 0),
            ("access", target, 4), ("faccessat", AT_FDCWD, target, 0),
            ("faccessat2", AT_FDCWD, target, 0, 0x200),
            ("listxattr", target, buffer, 200), ("llistxattr", target, buffer, 200),
            ("statfs", target, shown(120)), ("open", target, RD), ("open", target, O_PATH),
            ("openat2", AT_FDCWD, target, how(RD), 24), ("openat", AT_FDCWD, target, RW)):
        hidden(t, call(name, *operands), path=target, syscall=name, arg=target, kind="file")
    for way in ("folder/file", "./folder//file", "empty/../folder/file", "/proc/self/cwd/folder/file",
                "/proc/self/root" + target):
        hidden(t, call("stat", way, STAT), path=target, arg=way)
        hidden(t, call("open", way, RD), path=target, arg=way)
    hidden(t, call("stat", "folder", STAT), path=t.inside + "/folder")
    hidden(t, call("stat", "folder/", STAT), path=t.inside + "/folder")
    hidden(t, call("chdir", "folder"), path=t.inside + "/folder", syscall="chdir")
    hidden(t, call("chdir", "folder/below"), path=t.inside + "/folder/below")
    # What lies behind it tells that it is there.
    for way in ("folder/../file", "folder/below/../../file", "folder/."):
        hidden(t, call("stat", way, STAT), path=t.inside + "/folder")
        hidden(t, call("open", way, RD), path=t.inside + "/folder")
    hidden(t, call("open", ".", RD | os.O_DIRECTORY), call("newfstatat", result(0), "folder", STAT, 0),
           path=t.inside + "/folder")
    hidden(t, call("open", ".", O_PATH), call("openat", result(0), "folder", RD),
           path=t.inside + "/folder")


@test
def through_links(t):
    """A link that is to be seen leads to what is not; a link in a hidden folder is not there."""
    plant = t.plant

    def planted():
        plant()
        os.symlink("folder/file", t.inside + "/way")
        os.symlink("../file", t.inside + "/folder/back")
    t.plant = planted
    try:
        for name, *rest in (("stat", STAT), ("access", 0), ("open", RD), ("open", WR), ("chmod", 0o600),
                            ("truncate", 1), ("open", RD | CREAT, 0o600)):
            hidden(t, call(name, "way", *rest), path=t.inside + "/folder/file")
        hidden(t, call("open", "folder/back", RD), path=t.inside + "/folder/back")
        hidden(t, call("readlink", "folder/back", out(100), 100), path=t.inside + "/folder/back",
               syscall="readlink")
        hidden(t, call("readlinkat", AT_FDCWD, "folder/back", out(100), 100),
               path=t.inside + "/folder/back")
        t.same(call("readlink", "way", out(100), 100), call("lstat", "way", STAT),
               policy=hiding(t))
    finally:
        t.plant = plant


@test
def changed(t):
    """Denied it is as well, for every call that changes something."""
    folder, target = t.inside + "/folder", t.inside + "/folder/file"
    new = folder + "/new"
    uid, gid = os.geteuid(), os.getegid()
    for path, statement in (
            (target, call("open", target, WR)), (target, call("creat", target, 0o600)),
            (new, call("open", new, WR | CREAT, 0o600)),
            (new, call("open", new, RD | CREAT | EXCL, 0o600)),
            (folder, call("open", folder, O_TMPFILE | RW, 0o600)),
            (new, call("mkdir", new, 0o700)), (new, call("mkdirat", AT_FDCWD, new, 0o700)),
            (new, call("mknod", new, 0o10600, 0)), (new, call("symlink", "x", new)),
            (new, call("symlinkat", "x", AT_FDCWD, new)), (new, call("link", "file", new)),
            (target, call("link", target, "second")),
            (target, call("linkat", AT_FDCWD, target, AT_FDCWD, "second", AT_SYMLINK_FOLLOW)),
            (target, call("unlink", target)), (target, call("unlinkat", AT_FDCWD, target, 0)),
            (folder + "/below", call("rmdir", folder + "/below")),
            (folder + "/below", call("unlinkat", AT_FDCWD, folder + "/below", AT_REMOVEDIR)),
            (target, call("rename", target, "moved")), (folder, call("rename", folder, "moved")),
            (new, call("rename", "file", new)),
            (target, call("renameat2", AT_FDCWD, target, AT_FDCWD, "file", RENAME_EXCHANGE)),
            (target, call("chmod", target, 0o600)), (target, call("fchmodat", AT_FDCWD, target, 0)),
            (target, call("fchmodat2", AT_FDCWD, target, 0o600, AT_SYMLINK_NOFOLLOW)),
            (target, call("chown", target, uid, gid)), (target, call("lchown", target, uid, gid)),
            (target, call("fchownat", AT_FDCWD, target, uid, gid, 0)),
            (target, call("utime", target, 0)), (target, call("utimes", target, 0)),
            (target, call("futimesat", AT_FDCWD, target, 0)),
            (target, call("utimensat", AT_FDCWD, target, 0, 0)),
            (target, call("truncate", target, 1)),
            (target, call("setxattr", target, "user.x", "v", 1, 0)),
            (target, call("lsetxattr", target, "user.x", "v", 1, 0))):
        hidden(t, statement, path=path, kind="file")
    hidden(t, call("inotify_init1", 0), call("inotify_add_watch", result(0), target, 0xfff),
           path=target, syscall="inotify_add_watch")
    # What is not there has no record for it.
    t.same(call("mkdir", "folder2", 0o700), call("rename", "folder2", "folder3"),
           call("rmdir", "folder3"), call("stat", "folder4", STAT), policy=hiding(t))


@test
def handles_and_programs(t):
    target = t.inside + "/folder/file"
    handle = blob(struct.pack("=Ii", 120, 0) + bytes(120))
    hidden(t, call("name_to_handle_at", AT_FDCWD, target, handle, out(8), 0), path=target)
    t.same(call("name_to_handle_at", AT_FDCWD, "file", handle, out(8), 0),
           call("name_to_handle_at", AT_FDCWD, "file", blob(bytes(8)), out(8), 0),
           call("name_to_handle_at", AT_FDCWD, "link", handle, out(8), AT_SYMLINK_FOLLOW),
           call("name_to_handle_at", AT_FDCWD, "", handle, out(8), AT_EMPTY_PATH),
           call("name_to_handle_at", AT_FDCWD, "file", WILD, out(8), 0),
           call("name_to_handle_at", AT_FDCWD, "file", handle, WILD, 0),
           call("name_to_handle_at", AT_FDCWD, "file", handle, out(8), 0x8000), policy=hiding(t))
    program = t.inside + "/folder/program"
    found, run = t.calls([call("execve", program, array("p"), 0)], hiding(t))
    equal(found, ["-ENOENT"], run)


@test
def listings(t):
    """No entry in any form of listing, whatever the buffer; the others come in order and once."""
    plant = t.plant
    secrets = ["aa", "mm" * 60, "zz", "folder"]
    others = [f"f{number:03}" for number in range(120)]

    def planted():
        plant()
        for name in secrets[:3] + others:
            with open(f"{t.inside}/{name}", "w", encoding="ascii"):
                pass
    t.plant = planted
    policy = t.policy(read=["/"], write=[t.inside],
                      hide=[f"{t.inside}/{name}" for name in secrets[:3]] + [t.inside + "/fol*"])
    try:
        planted()
        there = sorted(set(os.listdir(t.inside)) - set(secrets))
        for name, old in (("getdents64", False), ("getdents", True)):
            for size in (4000, 300, 64, 40):
                many = [call(name, 3, entries(size, old), size)] * 160
                found, run = t.calls([call("open", ".", RD | os.O_DIRECTORY), *many], policy)
                names = []
                for line in found[1:]:
                    check(not line.startswith("-"), line, run)
                    names += [word.rpartition("/")[0] for word in line.split()[1:]]
                equal(sorted(names), sorted([*there, ".", ".."]), name, size)
        check(not run.blocked, run)
        # From the start again; the end; a place between; two descriptors with one place.
        found, run = t.calls([call("open", ".", RD), call("getdents64", 3, entries(1000), 1000),
                              call("dup2", 3, 4), call("getdents64", 4, entries(1000), 1000),
                              call("lseek", 3, 0, 0), call("getdents64", 4, entries(1000), 1000),
                              call("getdents64", 3, entries(10), 10),
                              call("getdents64", 3, WILD, 1000),
                              call("getdents64", 3, entries(1000), 1000),
                              call("getdents64", 99, entries(1000), 1000),
                              call("getdents64", 0, entries(1000), 1000)], policy)
        equal(found[1], found[5], run)
        equal(found[3], found[8], run)
        equal([found[6], found[7], found[9], found[10]],
              ["-EINVAL", "-EFAULT", "-EBADF", "-ENOTDIR"], run)
        run = t.run(["/bin/sh", "-c", "ls -A; find . ! -name . | sort | wc -l; echo *"], policy)
        for secret in secrets:
            check(secret not in run.out.split() and secret not in run.err, run)
        check("f119" in run.out, run)
    finally:
        t.plant = plant


@test
def working_folder(t):
    """chdir as natively, on whatever thread; nothing of it is left behind."""
    t.same(call("chdir", "empty"), call("getcwd", out(300), 300), call("chdir", "../out-folder"),
           call("getcwd", out(300), 300), call("chdir", "/"), call("chdir", t.inside),
           call("chdir", "file"), call("chdir", "nothing"), call("chdir", ""), call("chdir", WILD),
           call("chdir", "loop"), call("chdir", "empty", thread=True), call("getcwd", out(300), 300),
           call("open", "../file", RD), call("chdir", ".."), call("open", "file", RD),
           call("mkdir", "gone", 0o700), call("chdir", "gone"), call("rmdir", "../gone"),
           call("chdir", "."), call("getcwd", out(300), 300), call("chdir", t.inside),
           call("open", "file", RD), policy=hiding(t))
    # Signals that come meanwhile are delivered, once each.
    script = """
import os, signal, threading
seen = []
signal.signal(signal.SIGUSR1, lambda *_: seen.append(1))
main = threading.main_thread().ident
stop = False
sent = 0
def fire():
    global sent
    while not stop:
        before = len(seen)
        signal.pthread_kill(main, signal.SIGUSR1)
        sent += 1
        while len(seen) == before and not stop:
            pass
thread = threading.Thread(target=fire)
thread.start()
for number in range(300):
    os.chdir("empty")
    assert os.getcwd().endswith("/empty")
    os.chdir("..")
stop = True
thread.join()
signal.pthread_kill(main, 0)
print(abs(sent - len(seen)) <= 1, len(os.listdir("/proc/self/fd")))
"""
    native = t.native(["/usr/bin/env", "python3", "-c", script])
    run = t.run(["/usr/bin/env", "python3", "-c", script], hiding(t, execute=["/"]))
    equal((run.code, run.out), (native.code, native.out), run)


@test
def rules_and_records(t):
    """The rule is named; exceptions; hidden beats allowed; --observe hides nothing."""
    policy = t.policy(read=["/"], hide=[t.inside + "/folder", "!" + t.inside + "/folder/below"])
    found, run = t.calls([call("stat", "folder", STAT), call("stat", "folder/file", STAT)], policy)
    equal(found, ["-ENOENT", "-ENOENT"], run)
    equal([record["rule"]["text"] for record in run.blocked], [t.inside + "/folder"] * 2)
    equal([record["errno"] for record in run.blocked], ["ENOENT"] * 2)
    run = t.run([t.program("calls"), call("stat", "folder/file", STAT),
                 call("open", "folder/file", RD)], policy, options=("-q", "--observe"))
    equal(len([record for record in run.records if record["event"] == "would_block"]), 2, run)
    check("-" not in run.out, run)


@test
def strangers_in_proc(t):
    """Looking at other processes tells no more than natively, and nothing of the supervisor."""
    policy = hiding(t)
    me = os.getpid()
    found, run = t.calls([call("stat", f"/proc/{me}", STAT), call("stat", "/proc/self", STAT),
                          call("readlink", "/proc/self/cwd", out(300), 300),
                          call("readlink", "/proc/self", out(20), 20),
                          call("getpid"), call("readlink", "/proc/thread-self", out(40), 40)],
                         policy)
    check(not [line for line in found if line.startswith("-")], run)
    equal(bytes.fromhex(found[2].split()[1]).decode(), t.inside, run)
    equal(bytes.fromhex(found[3].split()[1]).decode(), found[4], run)
    equal(bytes.fromhex(found[5].split()[1]).decode(), f"{found[4]}/task/{found[4]}", run)
    for name, *rest in (("readlink", out(300), 300), ("stat", STAT), ("access", 0), ("chdir",)):
        found, run = t.calls([call(name, f"/proc/{me}/cwd", *rest)], policy)
        equal(found, ["-EACCES"], run)
        t.one_record(run, syscall=name)


if __name__ == "__main__":
    sys.exit(main())
