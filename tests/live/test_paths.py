#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""Further ways to a file: newer calls, watches, leases, handles, and names that lead elsewhere."""
import os
import struct
import sys

sys.dont_write_bytecode = True
from harness import (AT_EMPTY_PATH, AT_FDCWD, AT_SYMLINK_NOFOLLOW, O_PATH, WILD, Skip, blob, call,
                     edge, equal, main, out, result, test)

RD, WR, RW = os.O_RDONLY, os.O_WRONLY, os.O_RDWR
IN_MODIFY, IN_ALL = 0x2, 0xfff
IN_DONT_FOLLOW, IN_ONLYDIR, IN_MASK_ADD, IN_MASK_CREATE = 0x02000000, 0x01000000, 0x20000000, 1 << 28
F_SETLEASE, F_GETLEASE, F_RDLCK, F_WRLCK, F_UNLCK = 1024, 1025, 0, 1, 2


def known(t, *statements):
    """Skips where this kernel or file system does not do it."""
    t.plant()
    found, _ = t.calls(statements, native=True)
    if found[-1] in ("-ENOSYS", "-EOPNOTSUPP", "-ENOTTY"):
        raise Skip(f"not here: {found[-1]}")


def xattr_args(value=0, size=0, flags=0, tail=b""):
    """struct xattr_args of setxattrat."""
    return blob(struct.pack("=QII", value, size, flags) + tail)


@test
def xattrs_at(t):
    """setxattrat and removexattrat, by path, dirfd, descriptor."""
    empty = xattr_args()
    known(t, call("setxattrat", AT_FDCWD, "file", 0, "user.x", empty, 16))
    target = t.outside + "/file"
    record = {"kind": "file", "op": "attr", "path": target}
    opened = call("open", target, RD)
    t.denied(call("setxattrat", AT_FDCWD, target, 0, "user.x", empty, 16), syscall="setxattrat",
             arg=target, **record)
    t.denied(call("setxattrat", AT_FDCWD, "out-file", 0, "user.x", empty, 16), **record)
    t.denied(call("open", t.outside, O_PATH),
             call("setxattrat", result(0), "file", 0, "user.x", empty, 16), **record)
    for path in ("", 0):
        t.denied(opened, call("setxattrat", result(0), path, AT_EMPTY_PATH, "user.x", empty, 16),
                 policies=[t.wide()], **record)
    os.setxattr(target, "user.gone", b"")
    found, run = t.calls([call("removexattrat", AT_FDCWD, target, 0, "user.gone")], t.wide())
    equal(found, ["-EACCES"], run)
    t.one_record(run, syscall="removexattrat", **record)
    equal(os.getxattr(target, "user.gone"), b"")


@test
def xattrs_at_of_own(t):
    empty = xattr_args()
    known(t, call("setxattrat", AT_FDCWD, "file", 0, "user.x", empty, 16))
    t.same(call("setxattrat", AT_FDCWD, "file", 0, "user.x", empty, 16),
           call("setxattrat", AT_FDCWD, "file", 0, "user.x", xattr_args(flags=1), 16),
           call("setxattrat", AT_FDCWD, "file", 0, "user.y", xattr_args(flags=2), 16),
           call("setxattrat", AT_FDCWD, "file", 0, "user.y", xattr_args(flags=4), 16),
           call("setxattrat", AT_FDCWD, "file", 0, WILD, xattr_args(flags=4), 16),
           call("setxattrat", AT_FDCWD, "file", 0x8000, "user.y", empty, 16),
           call("setxattrat", AT_FDCWD, "file", 0, "user.y", empty, 15),
           call("setxattrat", AT_FDCWD, "file", 0, "user.y", xattr_args(tail=bytes(8)), 24),
           call("setxattrat", AT_FDCWD, "file", 0, "user.y", xattr_args(tail=b"\1"), 17),
           call("setxattrat", AT_FDCWD, "file", 0, "user.y", empty, 4097),
           call("setxattrat", AT_FDCWD, "file", 0, "user.y", WILD, 16),
           call("setxattrat", AT_FDCWD, "file", 0, "user.y", xattr_args(0x1000, 5), 16),
           call("setxattrat", AT_FDCWD, "file", 0, "user.y", xattr_args(0x1000, 65537), 16),
           call("setxattrat", AT_FDCWD, "link", AT_SYMLINK_NOFOLLOW, "user.y", empty, 16),
           call("setxattrat", AT_FDCWD, "link", 0, "user.z", empty, 16),
           call("setxattrat", AT_FDCWD, "", 0, "user.z", empty, 16),
           call("setxattrat", AT_FDCWD, "", AT_EMPTY_PATH, "user.z", empty, 16),
           call("setxattrat", AT_FDCWD, 0, AT_EMPTY_PATH, "user.z", empty, 16),
           call("setxattrat", AT_FDCWD, 0, 0, "user.z", empty, 16),
           call("setxattrat", 99, "", AT_EMPTY_PATH, "user.z", empty, 16),
           call("setxattrat", -1, "", AT_EMPTY_PATH, "user.z", empty, 16),
           call("setxattrat", -1, 0, AT_EMPTY_PATH, "user.z", empty, 16),
           call("open", "file", O_PATH), call("open", "file", RD),
           call("setxattrat", 3, "", AT_EMPTY_PATH, "user.q", empty, 16),
           call("setxattrat", 4, "", AT_EMPTY_PATH, "user.q", empty, 16),
           call("setxattrat", 4, 0, AT_EMPTY_PATH, "user.r", empty, 16),
           call("setxattrat", 4, "x", 0, "user.r", empty, 16),
           call("listxattrat", AT_FDCWD, "file", 0, out(200), 200),
           call("removexattrat", AT_FDCWD, "file", 0, "user.x"),
           call("removexattrat", AT_FDCWD, "file", 0, "user.x"),
           call("removexattrat", AT_FDCWD, "file", 4, "user.x"),
           call("removexattrat", AT_FDCWD, "file", 0, ""),
           call("removexattrat", AT_FDCWD, "dangling", 0, "user.x"),
           call("removexattrat", 4, "", AT_EMPTY_PATH, "user.q"),
           call("removexattrat", 3, "", AT_EMPTY_PATH, "user.r"),
           call("listxattrat", AT_FDCWD, "file", 0, out(200), 200), policy=t.narrow())


def file_attr(xflags=0, tail=b""):
    """struct file_attr of file_setattr."""
    return blob(struct.pack("=QIIII", xflags, 0, 0, 0, 0) + tail)


@test
def file_attributes(t):
    """file_setattr, which does by path what FS_IOC_FSSETXATTR does through a descriptor."""
    known(t, call("file_setattr", AT_FDCWD, "file", file_attr(0x40), 24, 0))
    target = t.outside + "/file"
    record = {"kind": "file", "op": "attr", "path": target, "syscall": "file_setattr"}
    attr = file_attr(0x40)  # FS_XFLAG_NOATIME
    t.denied(call("file_setattr", AT_FDCWD, target, attr, 24, 0), **record)
    t.denied(call("file_setattr", AT_FDCWD, "out-file", attr, 24, 0), **record)
    t.denied(call("open", target, RD),
             call("file_setattr", result(0), "", attr, 24, AT_EMPTY_PATH), policies=[t.wide()],
             **record)
    t.same(call("file_setattr", AT_FDCWD, "file", attr, 24, 0),
           call("file_getattr", AT_FDCWD, "file", out(24), 24, 0),
           call("file_setattr", AT_FDCWD, "file", file_attr(), 24, 0),
           call("file_setattr", AT_FDCWD, "file", file_attr(1 << 40), 24, 0),
           call("file_setattr", AT_FDCWD, "nothing", file_attr(1 << 40), 24, 0),
           call("file_setattr", AT_FDCWD, "nothing", attr, 24, 0),
           call("file_setattr", AT_FDCWD, "file", attr, 23, 0),
           call("file_setattr", AT_FDCWD, "file", attr, 4097, 0),
           call("file_setattr", AT_FDCWD, "file", file_attr(0, bytes(8)), 32, 0),
           call("file_setattr", AT_FDCWD, "file", file_attr(0, b"\1"), 25, 0),
           call("file_setattr", AT_FDCWD, "file", WILD, 24, 0),
           call("file_setattr", AT_FDCWD, WILD, attr, 24, 0),
           call("file_setattr", AT_FDCWD, "file", attr, 24, 0x8000),
           call("file_setattr", AT_FDCWD, "link", attr, 24, AT_SYMLINK_NOFOLLOW),
           call("file_setattr", AT_FDCWD, "", attr, 24, 0),
           call("file_setattr", 99, "", attr, 24, AT_EMPTY_PATH),
           call("open", "file", RD), call("open", "file", O_PATH),
           call("file_setattr", 3, "", attr, 24, AT_EMPTY_PATH),
           call("file_setattr", 4, "", attr, 24, AT_EMPTY_PATH), policy=t.narrow())


@test
def watches(t):
    """inotify tells who opens, writes and makes what: for those who may read it."""
    started = call("inotify_init1", 0o4000)
    narrow = [t.narrow()]
    for name, path in (("../out/file", "file"), ("out-file", "file"), ("out-folder", ""),
                       (t.outside + "/folder/", "folder"), ("/proc/self/cwd/../out", "")):
        t.denied(started, call("inotify_add_watch", result(0), name, IN_ALL), policies=narrow,
                 kind="file", op="read", path=(t.outside + "/" + path).rstrip("/"), arg=name,
                 syscall="inotify_add_watch")
    t.denied(call("open", t.outside, O_PATH), started,
             call("inotify_add_watch", result(1), "/proc/self/fd/3", IN_ALL), policies=narrow,
             path=t.outside)
    statements = [
        started, call("inotify_add_watch", result(0), "file", IN_ALL),
        call("inotify_add_watch", result(0), "link", IN_MODIFY),
        call("inotify_add_watch", result(0), "link", IN_ALL | IN_DONT_FOLLOW),
        call("inotify_add_watch", result(0), "file", IN_ALL | IN_ONLYDIR),
        call("inotify_add_watch", result(0), "folder", IN_ALL | IN_ONLYDIR),
        call("inotify_add_watch", result(0), "file", IN_ALL | IN_MASK_CREATE),
        call("inotify_add_watch", result(0), "file", IN_ALL | IN_MASK_CREATE | IN_MASK_ADD),
        call("inotify_add_watch", result(0), "file", 0),
        call("inotify_add_watch", 99, "file", IN_ALL), call("inotify_add_watch", 0, "file", IN_ALL),
        call("inotify_add_watch", result(0), "nothing", IN_ALL),
        call("inotify_add_watch", result(0), "", IN_ALL),
        call("inotify_add_watch", result(0), WILD, IN_ALL),
        call("inotify_add_watch", result(0), edge("abc"), IN_ALL),
        call("inotify_add_watch", result(0), "loop", IN_ALL),
        call("open", "file", WR), call("write", result(16), "abc", 3), call("creat", "folder/n",
                                                                            0o600),
        call("read", result(0), out(100), 100), call("inotify_rm_watch", result(0), 2),
        call("inotify_rm_watch", result(0), 2)]
    t.same(*statements, policy=t.narrow())
    t.same(*statements, policy=t.wide())


@test
def leases(t):
    """A lease holds up everybody else's open, also of a file that is open for reading only."""
    target = t.outside + "/file"
    for kind in (F_RDLCK, F_WRLCK):
        t.denied(call("open", target, RD), call("fcntl", result(0), F_SETLEASE, kind),
                 policies=[t.wide(), t.policy()], kind="file", op="modify", path=target,
                 syscall="fcntl")
    t.same(call("open", "file", RD), call("fcntl", result(0), F_SETLEASE, F_UNLCK),
           call("fcntl", result(0), 9), call("fcntl", result(0), F_SETLEASE, F_RDLCK),
           call("fcntl", result(0), F_GETLEASE), call("fcntl", result(0), F_SETLEASE, F_WRLCK),
           call("fcntl", result(0), F_GETLEASE), call("fcntl", result(0), F_SETLEASE, F_UNLCK),
           call("fcntl", result(0), F_GETLEASE), call("fcntl", result(0), F_SETLEASE, 7),
           call("fcntl", 99, F_SETLEASE, F_RDLCK), call("fcntl", 99, F_SETLEASE, F_UNLCK),
           call("open", "other", RW), call("fcntl", result(12), F_SETLEASE, F_RDLCK),
           call("fcntl", result(12), F_SETLEASE, F_WRLCK), call("open", "folder", RD),
           call("fcntl", result(15), F_SETLEASE, F_RDLCK), call("pipe", out(8)),
           call("fcntl", result(0), F_SETLEASE, F_UNLCK), policy=t.narrow())


@test
def memory_devices(t):
    """The machine's memory and the kernel's log, under the profile that agents get."""
    policy = {"version": 1, "extends": ["agent"], "files": {"read": [t.bin]},
              "exec": {"allow": [t.bin]}}
    opens = [call("open", path, RD | os.O_NONBLOCK)
             for path in ("/dev/mem", "/dev/kmem", "/dev/port", "/proc/kcore", "/dev/kmsg",
                          "/proc/kmsg")]
    opens = [statement for statement in opens
             if not t.calls([statement], native=True)[0][0].startswith("-")]
    if not opens:
        raise Skip("natively none of them can be opened either")
    for statement in opens:
        t.denied(statement, policies=[policy], kind="file", op="read")


if __name__ == "__main__":
    sys.exit(main())
