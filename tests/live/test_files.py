#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""Files: what a policy does not allow cannot be opened, made, changed, moved or removed."""
import fcntl
import os
import struct
import sys

sys.dont_write_bytecode = True
from harness import (AT_EMPTY_PATH, AT_FDCWD, AT_REMOVEDIR, AT_SYMLINK_FOLLOW, AT_SYMLINK_NOFOLLOW,
                     O_PATH, O_TMPFILE, RENAME_EXCHANGE, WILD, Skip, blob, call, check, edge,
                     equal, how, main, out, result, snapshot, test)

RD, WR, RW = os.O_RDONLY, os.O_WRONLY, os.O_RDWR
CREAT, EXCL, TRUNC = os.O_CREAT, os.O_EXCL, os.O_TRUNC
FS_IOC_SETFLAGS, FS_IOC_FSSETXATTR = 0x40086602, 0x401C5820


# ------------------------------------------------------------------ open

@test
def open_for_reading(t):
    target = t.outside + "/file"
    expected = {"kind": "file", "op": "read", "path": target, "rule": None}
    narrow = [t.narrow()]
    for name, *operands in (("open", target, RD), ("openat", AT_FDCWD, target, RD),
                            ("openat", 77, target, RD),
                            ("openat2", AT_FDCWD, target, how(RD), 24)):
        t.denied(call(name, *operands), policies=narrow, syscall=name, arg=target, **expected)
    t.same(call("open", target, O_PATH), call("read", result(0), out(1), 1), policy=t.narrow())
    t.denied(call("open", target, RD | os.O_CLOEXEC), policies=narrow,
             flags=["O_RDONLY", "O_CLOEXEC"], **expected)


@test
def open_for_writing(t):
    target = t.outside + "/file"
    expected = {"kind": "file", "path": target, "rule": None}
    for flags in (WR, RW, WR | TRUNC, WR | os.O_APPEND, 3):
        op = {"op": "modify"}
        t.denied(call("open", target, flags), policies=[t.policy(), t.wide()], **expected, **op)
    t.denied(call("open", target, RD | TRUNC), op="modify", policies=[t.policy(), t.wide()],
             **expected)
    t.denied(call("creat", target, 0o600), syscall="creat", op="modify", **expected)
    t.denied(call("openat2", AT_FDCWD, target, how(RW), 24), syscall="openat2",
             policies=[t.wide()], **expected)


@test
def open_creates(t):
    target = t.outside + "/new"
    expected = {"kind": "file", "op": "create", "path": target}
    for flags in (WR | CREAT, RD | CREAT, RW | CREAT | EXCL, RD | CREAT | EXCL | TRUNC):
        t.denied(call("open", target, flags, 0o644), **expected)
    t.denied(call("creat", target, 0o644), syscall="creat", **expected)
    t.denied(call("openat2", AT_FDCWD, target, how(WR | CREAT, 0o644), 24), **expected)
    t.denied(call("open", t.outside, O_TMPFILE | RW, 0o600), op="create", path=t.outside)


@test
def open_names(t):
    """Other ways to say the same name."""
    narrow = [t.narrow()]
    base = os.path.basename(t.dir)
    ways = [
        "../out/file", "./../out//file", "folder/../../out/./file", f"../../{base}/out/file",
        f"/proc/self/cwd/../out/file", f"/proc/self/root{t.outside}/file",
        f"/proc/thread-self/root{t.outside}/file", f"//{t.outside}///file",
        "out-file", "out-folder/file", "out-folder/link",
        "out-folder/../out/in-file/../../out/file",
        "out-folder/folder/../file",
    ]
    for way in ways:
        if "in-file/.." in way:
            continue
        t.denied(call("open", way, RD), policies=narrow, path=t.outside + "/file", arg=way,
                 op="read")
        t.denied(call("open", way, WR), path=t.outside + "/file", op="modify")
    t.denied(call("open", "out-folder/", RD), policies=narrow, path=t.outside, op="read")
    t.denied(call("open", "../out", RD | os.O_DIRECTORY), policies=narrow, path=t.outside)


@test
def open_from_dirfd(t):
    """Folders opened before, as dirfd and as working folder."""
    policy = [t.policy(read=["/"], deny=[t.outside + "/file"])]
    opened = call("open", t.outside, O_PATH)
    for last in (call("openat", result(0), "file", RD), call("openat", result(0), "link", RD),
                 call("openat2", result(0), "file", how(RD, resolve=0x08), 24),
                 call("openat2", result(0), "file", how(RD, resolve=0x10), 24)):
        record = {"path": t.outside + "/file", "op": "read"}
        t.denied(opened, last, policies=policy, **record)
    t.denied(opened, call("fchdir", result(0)), call("open", "file", WR),
             path=t.outside + "/file", op="modify", policies=[t.wide()])
    t.denied(opened, call("fchdir", result(0)), call("open", "new", WR | CREAT, 0o600),
             path=t.outside + "/new", op="create", policies=[t.wide()])
    t.denied(call("open", "/", O_PATH), call("openat", result(0), t.outside[1:] + "/file", WR),
             path=t.outside + "/file", op="modify", policies=[t.wide()])


@test
def open_reopened(t):
    """A descriptor that may only be read, opened again for writing."""
    target = t.outside + "/file"
    for first in (call("open", target, RD), call("open", target, O_PATH)):
        for way in ("/proc/self/fd/%d", "/proc/thread-self/fd/%d", "/dev/fd/%d"):
            t.denied(first, call("open", way % 3, WR), path=target, op="modify",
                     policies=[t.policy(), t.wide()])
            t.denied(first, call("open", way % 3, RD | TRUNC), path=target, op="modify",
                     policies=[t.wide()])
    t.denied(call("open", target, RD), call("dup2", result(0), 0), call("open", "/dev/stdin", WR),
             path=target, op="modify", policies=[t.wide()])
    t.denied(call("open", target, RD), call("dup2", result(0), 0),
             call("open", "/proc/self/fd/0", WR), path=target, policies=[t.wide()])


@test
def open_deleted(t):
    """A magic link to a deleted file."""
    t.same(call("open", "file", RD), call("unlink", "file"),
           call("open", "/proc/self/fd/3", RW), call("read", result(2), out(20), 20),
           call("open", "file", RD), policy=t.narrow())
    t.denied(call("open", t.outside + "/file", RD), call("open", "/proc/self/fd/3", WR),
             path=t.outside + "/file", policies=[t.wide()])


@test
def open_dangling(t):
    """O_CREAT through a link makes the file where the link leads."""
    expected = {"op": "create", "path": t.outside + "/not-there"}
    t.denied(call("open", "out-dangling", WR | CREAT, 0o644), **expected)
    t.denied(call("creat", "out-dangling", 0o644), **expected)
    t.denied(call("open", "../out/dangling", WR | CREAT, 0o644), **expected)
    t.same(call("open", "dangling", WR | CREAT, 0o640), call("open", "not-there", RD),
           call("open", "out-dangling", WR | CREAT | EXCL, 0o600),
           call("open", "link", WR | CREAT | EXCL, 0o600),
           call("open", "loop", WR | CREAT, 0o600), call("open", "loop", RD),
           call("open", "out-file", RD | os.O_NOFOLLOW), policy=t.narrow())


@test
def openat2_resolve(t):
    same = []
    for resolve in (0x01, 0x02, 0x04, 0x08, 0x10, 0x20, 0x08 | 0x10, 0x40, 0x08 | 0x04):
        for name in ("file", "link", "../in/file", "folder/file", "/etc/passwd", "folder/../file",
                     "dangling", "/proc/self/exe"):
            if resolve & 0x20:
                continue  # RESOLVE_CACHED: as the caches are
            same.append(call("openat2", AT_FDCWD, name, how(RD, resolve=resolve), 24))
            same.append(call("close", 3))
    for flags, mode, size, tail in (
            (RD, 0o644, 24, b""), (WR | CREAT, 0o10000, 24, b""), (1 << 40, 0, 24, b""),
            (0x100000000 | RD, 0, 24, b""), (RD, 0, 8, b""), (RD, 0, 23, b""),
            (RD, 0, 32, b"\0" * 8), (RD, 0, 32, b"\0" * 7 + b"\1"), (RD, 0, 25, b"\1"),
            (RD, 0, 4096, b"\0" * (4096 - 24)), (RD, 0, 4097, b"\0" * (4097 - 24)),
            (RD | O_PATH | CREAT, 0, 24, b""), (O_PATH | WR, 0, 24, b""),
            (O_TMPFILE, 0, 24, b""), (O_TMPFILE | RW, 0o600, 24, b""),
            (os.O_DIRECTORY | CREAT | RD, 0o600, 24, b"")):
        same.append(call("openat2", AT_FDCWD, "file", how(flags, mode, 0, tail), size))
        same.append(call("openat2", AT_FDCWD, ".", how(flags, mode, 0, tail), size))
    same.append(call("openat2", AT_FDCWD, "file", WILD, 24))
    same.append(call("openat2", AT_FDCWD, "file", 0, 24))
    same.append(call("openat2", AT_FDCWD, WILD, how(RD), 24))
    t.same(*same, policy=t.narrow())


# ------------------------------------------------------------------ entries

@test
def make_entries(t):
    new = t.outside + "/new"
    expected = {"op": "create", "path": new, "kind": "file"}
    fifo, sock = 0o10644, 0o140644
    for statement in (
            call("mkdir", new, 0o755), call("mkdirat", AT_FDCWD, "../out/new", 0o755),
            call("mkdir", "out-folder/new/", 0o755),
            call("mknod", new, fifo, 0), call("mknodat", AT_FDCWD, new, 0o100644, 0),
            call("mknod", new, sock, 0),
            call("symlink", "x", new), call("symlinkat", "x", AT_FDCWD, new),
            call("link", "file", new), call("linkat", AT_FDCWD, "file", AT_FDCWD, new, 0)):
        t.denied(statement, **expected)


@test
def make_unix_socket(t):
    """bind(2) makes a file."""
    def address(path):
        return blob(struct.pack("=H", 1) + os.fsencode(path) + b"\0")
    path = "../out/sock"
    bind = call("bind", result(0), address(path), 3 + len(path))
    policy = t.wide(network={"bind": ["unix:" + t.inside], "connect": ["unix:/"]})
    t.denied(call("socket", 1, 1, 0), bind, policies=[policy], kind="network", op="bind",
             endpoint="unix:" + t.outside + "/sock")
    t.same(call("socket", 1, 1, 0), call("bind", result(0), address("sock"), 7), policy=policy)


@test
def remove_entries(t):
    expected = {"op": "delete", "kind": "file"}
    for path, statement in (
            ("file", call("unlink", t.outside + "/file")),
            ("file", call("unlinkat", AT_FDCWD, "../out/file", 0)),
            ("link", call("unlink", "out-folder/link")),
            ("empty", call("rmdir", t.outside + "/empty")),
            ("empty", call("rmdir", t.outside + "/empty/")),
            ("empty", call("unlinkat", AT_FDCWD, t.outside + "/empty", AT_REMOVEDIR))):
        t.denied(statement, path=t.outside + "/" + path, **expected)


@test
def rename_entries(t):
    for source, target, path, op in (
            ("../out/file", "../out/moved", "out/file", "delete"),
            ("../out/file", "moved", "out/file", "delete"),
            ("../out/folder", "moved", "out/folder", "delete"),
            ("file", "../out/moved", "out/moved", "create"),
            ("file", "../out/file", "out/file", "create"),
            ("folder", "../out/empty", "out/empty", "create")):
        for statement in (call("rename", source, target),
                          call("renameat", AT_FDCWD, source, AT_FDCWD, target),
                          call("renameat2", AT_FDCWD, source, AT_FDCWD, target, 0)):
            t.denied(statement, path=f"{t.dir}/{path}", op=op)
    for source, target in (("../out/file", "file"), ("file", "../out/file")):
        t.denied(call("renameat2", AT_FDCWD, source, AT_FDCWD, target, RENAME_EXCHANGE))


@test
def rename_around_a_deny(t):
    """An allowed folder moved onto or around a denied one, or the denied one away."""
    secret = t.inside + "/folder/file"
    policy = [t.policy(deny=[secret])]
    t.denied(call("rename", "folder", "moved"), policies=policy, outside=[t.inside])
    t.denied(call("rename", "folder/file", "moved"), policies=policy, outside=[t.inside],
             path=secret, op="delete")
    t.denied(call("renameat2", AT_FDCWD, "folder", AT_FDCWD, "empty", RENAME_EXCHANGE),
             policies=policy, outside=[t.inside])
    t.denied(call("renameat2", AT_FDCWD, "empty", AT_FDCWD, "folder", RENAME_EXCHANGE),
             policies=policy, outside=[t.inside])
    t.denied(call("rename", "file", "folder/file"), policies=policy, outside=[t.inside],
             path=secret, op="create")
    t.denied(call("rename", t.inside, t.dir + "/elsewhere"), outside=[t.inside],
             policies=[t.policy(write=[t.dir], deny=[secret])],
             cleanup=lambda: os.rename(t.dir + "/elsewhere", t.inside))
    t.denied(call("link", "folder/file", "name"), policies=policy, outside=[t.inside],
             path=secret)


@test
def rename_gives_no_rights(t):
    """From where it may be read to where it may be written too."""
    policy = [t.policy(delete=[t.outside], modify=[])]
    t.denied(call("rename", "../out/file", "moved"), policies=policy, path=t.outside + "/file")


@test
def links(t):
    """A second name for what may not be read, or not be written."""
    target = t.outside + "/file"
    narrow = [t.narrow()]
    t.denied(call("link", target, "name"), policies=narrow, path=target, op="read")
    for flags in (0, AT_SYMLINK_FOLLOW):
        t.denied(call("linkat", AT_FDCWD, target, AT_FDCWD, "name", flags), path=target)
    t.denied(call("link", target, "name"), path=target, policies=[t.wide()])
    t.denied(call("linkat", AT_FDCWD, "out-file", AT_FDCWD, "name", AT_SYMLINK_FOLLOW), path=target)
    opened = call("open", target, O_PATH)
    t.denied(opened, call("linkat", AT_FDCWD, "/proc/self/fd/3", AT_FDCWD, "name",
                          AT_SYMLINK_FOLLOW), path=target, policies=[t.wide()])
    if t.root:
        t.denied(opened, call("linkat", result(0), "", AT_FDCWD, "name", AT_EMPTY_PATH),
                 path=target, policies=[t.wide()])
    # The link itself may be linked: what it leads to is decided when it is followed.
    t.same(call("link", "out-file", "name"), call("link", "link", "name2"),
           call("link", "file", "name3"), call("link", "folder", "name4"), policy=t.narrow())


@test
def unnamed_file_gets_a_name(t):
    """O_TMPFILE and linkat."""
    made = call("open", ".", O_TMPFILE | RW, 0o600)
    name = call("linkat", AT_FDCWD, "/proc/self/fd/3", AT_FDCWD, t.outside + "/new",
                AT_SYMLINK_FOLLOW)
    t.denied(made, name, path=t.outside + "/new", op="create")
    t.same(made, call("linkat", AT_FDCWD, "/proc/self/fd/3", AT_FDCWD, "new", AT_SYMLINK_FOLLOW),
           call("write", result(0), "x", 1), call("open", ".", O_TMPFILE | RW | EXCL, 0o600),
           call("linkat", AT_FDCWD, "/proc/self/fd/4", AT_FDCWD, "newer", AT_SYMLINK_FOLLOW),
           policy=t.narrow())


@test
def devices(t):
    """Even where everything may be written, as root without capabilities or user alike."""
    for mode, device in ((0o20666, 0x103), (0o60600, 0x800)):
        before = snapshot(t.outside)
        found, run = t.calls([call("mknod", "node", mode, device)], t.wide())
        equal(found, ["-EPERM"], run)
        t.one_record(run, op="create", path=t.inside + "/node", errno="EPERM")
        equal(snapshot(t.outside), before)
    if t.root:
        found, run = t.calls([call("mknod", "node", 0o20666, 0x103)], native=True)
        equal(found, ["0"], "natively:", run)


# ------------------------------------------------------------------ attributes

@test
def change_attributes(t):
    target = t.outside + "/file"
    now = blob(bytes(32))
    uid, gid = os.geteuid(), os.getegid()
    statements = [
        call("chmod", target, 0o600), call("fchmodat", AT_FDCWD, "../out/file", 0o600),
        call("chmod", "out-file", 0o600),
        call("chown", target, uid, gid), call("lchown", target, uid, gid),
        call("fchownat", AT_FDCWD, target, uid, gid, 0),
        call("utime", target, 0), call("utime", target, blob(bytes(16))),
        call("utimes", target, now), call("utimes", target, 0),
        call("futimesat", AT_FDCWD, target, now), call("utimensat", AT_FDCWD, target, now, 0),
        call("utimensat", AT_FDCWD, "out-file", 0, 0),
        call("truncate", "out-file", 3),
    ]
    if not hasattr(os, "setxattr"):
        raise Skip("no xattrs")
    for statement in statements:
        modifies = statement.startswith("76,")
        t.denied(statement, path=target, op="modify" if modifies else "attr", kind="file")
    t.denied(call("fchmodat2", AT_FDCWD, target, 0o600, 0), path=target, op="attr")


@test
def change_xattrs(t):
    target = t.outside + "/file"
    probe, _ = t.calls([call("setxattr", target, "user.x", "v", 1, 0)], native=True)
    if probe != ["0"]:
        raise Skip("no user xattrs here: " + probe[0])
    for name in ("setxattr", "lsetxattr"):
        t.denied(call(name, target, "user.x", "v", 1, 0), path=target, op="attr", syscall=name)
    for name in ("removexattr", "lremovexattr"):
        before = call("setxattr", "file", "user.x", "v", 1, 0)
        found, run = t.calls([call(name, target, "user.x")], t.wide())
        equal(found, ["-EACCES"], run)
        t.one_record(run, path=target, op="attr", syscall=name)
        t.same(before, call(name, "file", "user.x"), call(name, "file", "user.x"))
    t.same(call("setxattr", "file", "user.x", "value", 5, 0),
           call("setxattr", "file", "user.x", "value", 5, 1),
           call("setxattr", "file", "user.y", "value", 5, 2),
           call("setxattr", "file", "user.y", "value", 5, 4),
           call("setxattr", "file", "user.y", 0, 0, 0),
           call("setxattr", "file", "user.y", WILD, 5, 0),
           call("setxattr", "file", WILD, "v", 1, 0),
           call("setxattr", "file", "", "v", 1, 0),
           call("setxattr", "file", "user." + "n" * 250, "v", 1, 0),
           call("setxattr", "file", "user." + "n" * 251, "v", 1, 0),
           call("setxattr", "file", "nonsense", "v", 1, 0),
           call("setxattr", "file", "user.z", "v", 65537, 0),
           call("setxattr", "link", "user.w", "v", 1, 0),
           call("lsetxattr", "link", "user.w", "v", 1, 0),
           call("getxattr", "file", "user.x", out(10), 10),
           policy=t.narrow())


def fcntl_get(file, command, size):
    """What an ioctl that asks says; zeros where it is not known."""
    try:
        return fcntl.ioctl(file, command, bytes(size))
    except OSError:
        return bytes(size)


@test
def change_through_descriptor(t):
    """A descriptor that was opened for reading is no leave to change."""
    target = t.outside + "/file"
    opened = call("open", target, RD)
    uid, gid = os.geteuid(), os.getegid()
    wide = [t.wide(), t.policy()]
    for statement in (
            call("fchmod", result(0), 0o600), call("fchown", result(0), uid, gid),
            call("utimensat", result(0), 0, 0, 0),
            call("utimensat", result(0), 0, blob(bytes(32)), 0),
            call("futimesat", result(0), 0, 0),
            call("fchownat", result(0), "", uid, gid, AT_EMPTY_PATH),
            call("fchmodat2", result(0), "", 0o600, AT_EMPTY_PATH),
            call("chmod", "/proc/self/fd/3", 0o600),
            call("utimensat", result(0), "", 0, AT_EMPTY_PATH),
            call("utimensat", AT_FDCWD, "/proc/self/fd/3", 0, 0)):
        t.denied(opened, statement, policies=wide, path=target, op="attr")
    found, _ = t.calls([opened, call("fsetxattr", result(0), "user.x", "v", 1, 0)], native=True)
    if found[-1] == "0":
        t.denied(opened, call("fsetxattr", result(0), "user.x", "v", 1, 0), policies=wide,
                 path=target, op="attr", syscall="fsetxattr")
    t.plant()
    with open(target, "rb") as file:
        flags, extended = fcntl_get(file, 0x80086601, 8), fcntl_get(file, 0x801C581F, 28)
    flags = blob((int.from_bytes(flags[:4], "little") | 0x80).to_bytes(4, "little"))  # no atime
    found, _ = t.calls([opened, call("ioctl", result(0), FS_IOC_SETFLAGS, flags)], native=True)
    if found[-1] == "0":
        t.denied(opened, call("ioctl", result(0), FS_IOC_SETFLAGS, flags), policies=wide,
                 path=target, op="attr", syscall="ioctl")
        t.same(call("open", "file", RD), call("ioctl", result(0), FS_IOC_SETFLAGS, flags),
               call("ioctl", result(0), FS_IOC_SETFLAGS, WILD),
               call("ioctl", 99, FS_IOC_SETFLAGS, flags))
    flags = blob(extended)
    t.plant()
    found, _ = t.calls([opened, call("ioctl", result(0), FS_IOC_FSSETXATTR, flags)], native=True)
    t.denied(opened, call("ioctl", result(0), FS_IOC_FSSETXATTR, flags), policies=wide,
             path=target, op="attr", works=found[-1])


@test
def attributes_of_own(t):
    """The same calls where they are allowed."""
    uid, gid = os.geteuid(), os.getegid()
    t.same(call("open", "file", RD), call("fchmod", result(0), 0o640), call("fchmod", 99, 0o640),
           call("fchown", result(0), uid, gid), call("fchown", result(0), -1, -1),
           call("chmod", "link", 0o604), call("chmod", "dangling", 0o604),
           call("chmod", "loop", 0o604), call("fchmodat2", AT_FDCWD, "link", 0o600, 0x100),
           call("lchown", "link", uid, gid), call("chown", "dangling", uid, gid),
           call("lchown", "dangling", uid, gid),
           call("utimensat", AT_FDCWD, "file", 0, 0), call("utimensat", result(0), 0, 0, 0),
           call("utimensat", AT_FDCWD, 0, 0, 0), call("utimensat", 99, 0, 0, 0),
           call("utimensat", AT_FDCWD, "link", 0, AT_SYMLINK_NOFOLLOW),
           call("utimensat", AT_FDCWD, "", 0, AT_EMPTY_PATH),
           call("utimensat", AT_FDCWD, "file", blob(struct.pack("=4q", 0, 1 << 40, 0, 0)), 0),
           call("utimensat", AT_FDCWD, "file", WILD, 0), call("utimes", "file", WILD),
           call("utimes", "file", blob(struct.pack("=4q", 0, 1000000, 0, 0))),
           call("truncate", "file", 5), call("truncate", "file", -1), call("truncate", "folder", 1),
           call("truncate", "empty/no", 1), call("truncate", "link", 2), call("truncate", "loop",
                                                                              2),
           call("open", "folder", O_PATH), call("fchmod", result(27), 0o700),
           call("fchmodat2", AT_FDCWD, "file", 0o600, 0x8000),
           call("fchownat", AT_FDCWD, "file", uid, gid, 0x8000),
           policy=t.narrow())


# ------------------------------------------------------------------ other processes, memory

@test
def other_processes(t):
    """What /proc shows of processes outside the tree."""
    me = os.getpid()
    policy = [t.policy(read=["/"], deny=["/nowhere"])]
    for name in ("environ", "maps", "mem", "cmdline", "status"):
        path = f"/proc/{me}/{name}"
        t.denied(call("open", path, RD), policies=policy, path=path, op="read")
    mine = os.open("/etc/passwd", os.O_RDONLY)
    for path in (f"/proc/{me}/root/etc/passwd", f"/proc/{me}/cwd", f"/proc/{me}/fd/{mine}",
                 f"/proc/self/../{me}/environ"):
        t.denied(call("open", path, RD), policies=policy, op="read")
    os.close(mine)


@test
def own_memory(t):
    """/proc/self/mem may be written only where a policy says so."""
    t.denied(call("open", "/proc/self/mem", RW), op="modify", policies=[t.wide(), t.narrow()])
    t.same(call("open", "/proc/self/mem", RD), call("open", "/proc/self/maps", RD),
           call("open", "/proc/thread-self/status", RD, thread=True),
           call("open", "/proc/self/task", RD), policy=t.narrow())


@test
def thread_self(t):
    """self and thread-self are the caller's, not the supervisor's."""
    found, run = t.calls([call("open", "/proc/thread-self/comm", RW),
                          call("write", result(0), "renamed", 7),
                          call("open", "/proc/self/comm", RD),
                          call("read", result(2), out(20), 7)],
                         t.policy(write=["/proc/self"]))
    equal(found[3], "7 " + b"renamed".hex(), run)


# ------------------------------------------------------------------ bad pointers and names

@test
def pointers(t):
    """NULL, wild, unreadable to the end: EFAULT, and the supervisor goes on."""
    statements = []
    for bad in (0, WILD, -1, 0x7fffffffffff, 0xffff800000000000, edge("abc")):
        statements += [
            call("open", bad, RD), call("open", bad, WR | CREAT, 0o600), call("creat", bad, 0o600),
            call("openat", AT_FDCWD, bad, RD), call("mkdir", bad, 0o700), call("rmdir", bad),
            call("unlink", bad), call("unlinkat", AT_FDCWD, bad, 0),
            call("rename", bad, "x"), call("rename", "file", bad), call("link", bad, "x"),
            call("link", "file", bad), call("symlink", bad, "x"), call("symlink", "x", bad),
            call("chmod", bad, 0o600), call("chown", bad, 0, 0), call("truncate", bad, 0),
            call("setxattr", bad, "user.x", "v", 1, 0), call("setxattr", "file", bad, "v", 1, 0),
            call("utime", bad, 0), call("mknod", bad, 0o10600, 0),
            call("execve", bad, 0, 0),
        ]
    statements.append(call("open", "file", RD))
    t.same(*statements, policy=t.narrow())
    t.same(*statements, policy=t.narrow(), options=("-q", "--log", "all"))


@test
def long_names(t):
    statements = []
    for length in (255, 256, 4090, 4094, 4095, 4096, 4097, 70000):
        statements.append(call("open", "/" * length, RD | O_PATH))
        for path in ("a" * length, "./" * (length // 2), "x/" * (length // 2)):
            statements += [call("open", path, RD), call("close", 3),
                           call("open", path, WR | CREAT, 0o600), call("close", 3),
                           call("mkdir", path, 0o700), call("unlink", path), call("rmdir", path),
                           call("rename", path, "y"), call("symlink", path, "z"),
                           call("unlink", "z"), call("chmod", path, 0o700),
                           call("truncate", path, 0)]
    t.same(*statements, policy=t.policy(read=["/"], write=[t.inside]))


@test
def deep_folders(t):
    """Names that are longer than PATH_MAX as a whole."""
    statements = []
    part = "d" * 200
    for _ in range(25):
        statements += [call("mkdir", part, 0o755), call("chdir", part)]
    statements += [call("mkdir", "last", 0o755)]
    found, run = t.calls(statements, t.narrow())
    check(run.code == 0, run)
    # Where the name is too long to be decided on, it is refused, not allowed.
    for line in found:
        check(line in ("0", "-ENAMETOOLONG", "-EACCES", "-ENOENT"), run.out)


@test
def odd_names(t):
    """Newlines, control bytes, invalid UTF-8, quotes: refused and well logged."""
    for name in ("a\nb", "\x01\x1b[31m\x7f", '"\\', "\t", " ", "\u2028\u202e", "é",
                 os.fsdecode(b"\xff\xfe"), os.fsdecode(b"\xc3"), os.fsdecode(b"\xed\xa0\x80"),
                 "\\udcff", "a" * 255):
        path = t.outside + "/" + name
        t.denied(call("open", path, WR | CREAT, 0o600), policies=[t.wide()], path=path, arg=path,
                 op="create")
        t.same(call("open", name, WR | CREAT, 0o600), call("rename", name, "x"),
               call("mkdir", name, 0o700), policy=t.narrow())


@test
def summary_shows_no_control_bytes(t):
    path = t.outside + "/\x1b]0;title\x07\n\x1b[2J"
    run = t.run([t.program("calls"), call("open", path, WR | CREAT, 0o600)], t.wide(), options=())
    check("\x1b" not in run.err and "\x07" not in run.err, repr(run.err))
    equal(len(run.err.splitlines()), 1, repr(run.err))


@test
def working_folder_gone(t):
    t.same(call("mkdir", "gone", 0o755), call("chdir", "gone"), call("rmdir", "../gone"),
           call("open", ".", RD), call("open", "..", RD), call("open", "x", WR | CREAT, 0o600),
           call("mkdir", "x", 0o700), call("open", "../file", RD), call("open", "x", RD),
           call("unlink", "x"), call("rename", "x", "y"), call("open", "/etc/passwd", RD),
           call("getcwd", out(100), 100), policy=t.narrow())


# ------------------------------------------------------------------ rules that hold later

@test
def rule_for_what_does_not_exist_yet(t):
    later = t.inside + "/later"
    policy = [t.policy(deny=[later])]
    t.denied(call("open", "later", WR | CREAT, 0o600), policies=policy, op="create", path=later)
    t.denied(call("mkdir", "later", 0o700), policies=policy, op="create", path=later)
    t.denied(call("open", "folder/../later", WR | CREAT, 0o600), policies=policy, path=later)
    t.denied(call("rename", "file", "later"), policies=policy, path=later, op="create")


@test
def a_missing_name_is_clean(t):
    """A rule about what is not there is found, and recorded under the name that the rule is about."""
    path = t.inside + "/no/way/file"
    for name in ("no//way//file", "./no/./way/file", path, t.inside + "/no//way/./file"):
        found, run = t.calls([call("open", name, WR | CREAT, 0o600)], t.policy(deny=[path]))
        equal(found, ["-EACCES"], name, run)
        t.one_record(run, path=path, arg=name)


@test
def rule_is_named(t):
    policy = f"version: 1\nfiles:\n  read: [/]\n  write: [{t.inside}]\n  deny:\n" \
             f"    - {t.inside}/file\nexec: {{allow: [/]}}\n"
    found, run = t.calls([call("open", "file", RD)], policy)
    equal(found, ["-EACCES"], run)
    record = t.one_record(run, op="read", path=t.inside + "/file", arg="file", syscall="open",
                          uid=os.geteuid(), cwd=t.inside, comm=os.path.basename(
                              t.program("calls"))[:15], exe=t.program("calls"))
    equal(record["rule"], {"source": f"{t.dir}/policy.yaml:6", "text": f"{t.inside}/file"})


@test
def deny_beats_allow(t):
    policy = t.policy(deny=[t.inside + "/folder", "!" + t.inside + "/folder/below"])
    found, run = t.calls([call("open", "folder/file", RD), call("open", "folder/below", RD),
                          call("mkdir", "folder/below/new", 0o700),
                          call("mkdir", "folder/new", 0o700), call("open", "folder", RD)], policy)
    equal(found, ["-EACCES", "3", "0", "-EACCES", "-EACCES"], run)
    equal(len(run.blocked), 3)


@test
def missing_is_no_attempt(t):
    """What is not there gives ENOENT, as natively, without a record."""
    t.same(call("open", "nothing", RD), call("open", "nothing/below", RD),
           call("open", "file/below", RD), call("open", "/etc/nothing", RD),
           call("open", "nothing", WR), call("unlink", "nothing"), call("rmdir", "nothing"),
           call("rename", "nothing", "else"), call("chmod", "nothing", 0o600),
           call("open", "", RD), call("mkdir", "", 0o700), call("unlink", ""),
           call("mkdir", "folder", 0o700), call("open", "folder", WR), call("rmdir", "folder"),
           call("unlink", "folder"), call("rmdir", "file"), call("rename", "file", "folder"),
           call("rename", "folder", "file"), call("rename", "folder", "folder/below/x"),
           call("unlink", "/"), call("rmdir", "."), call("rmdir", "folder/below/.."),
           call("mkdir", ".", 0o700), call("mkdir", "/", 0o700), call("rename", ".", "x"),
           call("open", "file/", RD), call("open", "new/", WR | CREAT, 0o600),
           call("unlink", "file/"), call("symlink", "", "x"), call("link", "nothing", "x"),
           call("unlinkat", AT_FDCWD, "file", 0x1), call("linkat", AT_FDCWD, "file", AT_FDCWD, "x",
                                                         0x1),
           call("renameat2", AT_FDCWD, "file", AT_FDCWD, "other", 1),
           call("renameat2", AT_FDCWD, "file", AT_FDCWD, "n", 2),
           call("renameat2", AT_FDCWD, "file", AT_FDCWD, "n", 3),
           call("renameat2", AT_FDCWD, "file", AT_FDCWD, "n", 0x100),
           call("openat", 99, "file", RD), call("mkdirat", 99, "x", 0o700),
           call("openat", 0, "file", RD), call("fchmodat", 99, "file", 0o600),
           policy=t.policy(read=["/"], write=["/"], deny=["/nowhere"]))


@test
def chroot_and_mounts(t):
    for statement in (call("chroot", "folder"), call("pivot_root", ".", "."),
                      call("mount", "none", "folder", "tmpfs", 0, 0)):
        found, run = t.calls([statement], t.wide())
        equal(found, ["-EPERM"], run)
        t.one_record(run, kind="system", errno="EPERM")


@test(user="root", once=True)
def another_mount_of_proc(t):
    """Under another name /proc would show the supervisor."""
    t.native(["mkdir", t.dir + "/proc"])
    mounted = t.native(["mount", "-t", "proc", "proc", t.dir + "/proc"])
    if mounted.code:
        raise Skip("cannot mount /proc: " + mounted.err.strip())
    try:
        for path in ("self/status", "version", f"{os.getpid()}/status"):
            t.denied(call("open", f"{t.dir}/proc/{path}", RD), policies=[t.wide(deny=["/nowhere"])])
    finally:
        t.native(["umount", t.dir + "/proc"])


if __name__ == "__main__":
    sys.exit(main())
