#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""Sequences of file calls at random, natively and under proctor, in equal trees: no difference.

Under a policy that allows all and traps all. Compared are every result and errno, what was read, and
the trees that are left: names, kinds, modes, owners, link counts, contents, extended attributes, and
whether times are those that were set or those of the run.

    SEED=N       repeats one batch     SEQUENCES=N  how many sequences, for each user
"""
import os
import random
import shutil
import stat
import struct
import sys

sys.dont_write_bytecode = True
from harness import (AT_EMPTY_PATH, AT_FDCWD, AT_REMOVEDIR, AT_SYMLINK_FOLLOW, AT_SYMLINK_NOFOLLOW,
                     LONG, NR, O_PATH, O_TMPFILE, RENAME_EXCHANGE, blob, call, check, difference,
                     entries, how, main, out, shown, snapshot, test, without_capabilities)

RD, WR, RW = os.O_RDONLY, os.O_WRONLY, os.O_RDWR
TREES = 20           # sequences in a batch, each in a tree of its own
DEEP = "/n" * 12     # so that no chain of ".." leads out of the test's folder
CALLS = 30           # in a sequence
SEQUENCES = int(os.environ.get("SEQUENCES", "2000" if LONG else "160"))
DELETED = b" (deleted)".hex()
NR.update(close_range=436, faccessat2=439)

NAMES = ["a", "b", "c", "d", "file", "link", "folder", "folder/a", "folder/b", "folder/below/c",
         "./a", "folder/../b", "d/a", "d/b", "d/../a", "dangling", "loop", "a/", "d/", "b/x", "",
         ".", "..", "folder/.", "link2", "folder//a", "/proc/self/cwd/a", "folder-link/a",
         "folder-link", "folder-link/"]
# These are only looked at, never opened: they lead out of the tree, or nowhere. (The native half of
# the test runs unconfined: whatever it could open, it could change through the descriptor.)
LOOKED_AT = [*NAMES, "e" * 255, "e" * 256, "../out/file", "/proc/self/fd/3", "/proc/self/exe",
             "/etc/passwd", "/dev/null", "file/", "file/x", "/", "//", "/proc/self/fd/77"]
FLAGS = [os.O_EXCL, os.O_TRUNC, os.O_CLOEXEC, os.O_DIRECTORY, os.O_NOFOLLOW, os.O_APPEND, O_PATH,
         os.O_NONBLOCK]
MODES = [0o600, 0o644, 0o755, 0o777, 0o400, 0, 0o1777, 0o2755]
ATTRIBUTES = ["user.x", "user.y", "trusted.x", "user.", "nonsense", ""]
XATTR_ARGS = blob(bytes(16))
STAT = shown(144, (16, 8), (24, 12), (40, 8))          # links, mode, owner, device
STATX = shown(256, (0, 4), (16, 14), (128, 8))         # mask, links, owner, mode
EPOCH, NOW, OMIT = (0, 0), (0, 0x3fffffff), (0, 0x3ffffffe)


def times(rng):
    return blob(struct.pack("=4q", *rng.choice([EPOCH, NOW, OMIT]), *rng.choice([EPOCH, OMIT])))


def open_flags(rng, given):
    flags = rng.choice([RD, WR, RW])
    if rng.random() < 0.4:
        flags |= os.O_CREAT
    for flag in given:
        if rng.random() < 0.12:
            flags |= flag
    if rng.random() < 0.04:
        flags = O_TMPFILE | rng.choice([WR, RW])
    return flags


class Draw:
    """The operands of one statement."""

    def __init__(self, rng, tree, flags):
        self.rng = rng
        self.flags = flags
        self.tree = tree
        self.name, self.other = rng.choice(NAMES), rng.choice(NAMES)
        self.seen = rng.choice(LOOKED_AT)
        self.fd = rng.randrange(3, 12)
        self.dirfd = rng.choice([AT_FDCWD, AT_FDCWD, self.fd])
        self.mode = rng.choice(MODES)
        self.open_mode = self.mode | 0o600
        self.attribute = rng.choice(ATTRIBUTES)
        self.at = rng.choice([0, 0, AT_SYMLINK_NOFOLLOW, AT_EMPTY_PATH,
                              AT_EMPTY_PATH | AT_SYMLINK_NOFOLLOW, 0x4])


def opening(d):
    rng = d.rng
    yield call("open", d.name, RD | rng.choice([0, *d.flags]), thread=rng.random() < 0.1)
    yield call("open", d.name, open_flags(rng, d.flags), d.mode)
    yield call("open", d.name, RW | os.O_CREAT, d.open_mode)
    yield call("openat", d.dirfd, d.name, open_flags(rng, d.flags), d.mode)
    yield call("openat2", d.dirfd, d.name, how(open_flags(rng, d.flags) & ~O_PATH,
                                               rng.choice([0, 0, d.mode])), 24)
    # With "..", a rename anywhere in the system may make it EAGAIN.
    yield call("openat2", d.dirfd, d.name,
               how(rng.choice([RD, RW]), 0, rng.choice([4, 2] if ".." in d.name
                                                       else [4, 2, 8, 0x10])), 24)
    yield call("creat", d.name, d.mode)
    yield call("close", d.fd)
    yield call("close", d.fd)
    yield call("dup2", d.fd, rng.randrange(3, 12))


def entries_of_folders(d):
    rng = d.rng
    yield call("mkdir", d.name, d.mode | 0o700)
    yield call("mkdirat", d.dirfd, d.name, d.mode | 0o700)
    yield call("rmdir", d.name)
    yield call("unlink", d.name)
    yield call("unlinkat", d.dirfd, d.name, rng.choice([0, AT_REMOVEDIR, 0x4]))
    yield call("rename", d.name, d.other)
    yield call("renameat", d.dirfd, d.name, AT_FDCWD, d.other)
    yield call("renameat2", AT_FDCWD, d.name, d.dirfd, d.other,
               rng.choice([0, 1, RENAME_EXCHANGE, 3, 8]))
    yield call("link", d.name, d.other)
    yield call("linkat", d.dirfd, d.name, AT_FDCWD, d.other,
               rng.choice([0, AT_SYMLINK_FOLLOW, AT_EMPTY_PATH, 0x4]))
    yield call("symlink", d.name.rstrip("/") or "x", d.other)
    yield call("symlinkat", d.name, d.dirfd, d.other)
    yield call("mknod", d.name, rng.choice([0o140644, 0o100644, 0, 0o40700]), 0)
    yield call("mknodat", d.dirfd, d.name, rng.choice([0o140644, 0o100600]), 0)
    yield call("umask", rng.choice([0, 0o22, 0o77]))


def attributes(d):
    rng = d.rng
    yield call("chmod", d.name, d.mode | 0o700)
    yield call("fchmod", d.fd, d.mode | 0o700)
    yield call("fchmodat", d.dirfd, d.name, d.mode | 0o700)
    yield call("fchmodat2", d.dirfd, d.name, d.mode | 0o700, d.at)
    yield call("chown", d.name, -1, -1)
    yield call("lchown", d.name, os.geteuid(), -1)
    yield call("fchown", d.fd, -1, os.getegid())
    yield call("fchownat", d.dirfd, d.name, os.geteuid(), -1, d.at)
    yield call("utime", d.name, rng.choice([0, blob(bytes(16))]))
    yield call("utimes", d.name, rng.choice([0, blob(bytes(32))]))
    yield call("futimesat", d.dirfd, rng.choice([d.name, 0]), blob(bytes(32)))
    yield call("utimensat", d.dirfd, d.name, times(rng), d.at)
    yield call("utimensat", d.fd, 0, rng.choice([0, times(rng)]), 0)
    yield call("truncate", d.name, rng.randrange(0, 50))
    yield call("ftruncate", d.fd, rng.randrange(0, 50))
    yield call("fallocate", d.fd, 0, 0, rng.randrange(0, 50))


def xattrs(d):
    value, flags = d.rng.choice(["v", "value", ""]), d.rng.choice([0, 0, 1, 2, 4])
    size = len(value)
    yield call("setxattr", d.name, d.attribute, value, size, flags)
    yield call("lsetxattr", d.name, d.attribute, value, size, flags)
    yield call("fsetxattr", d.fd, d.attribute, value, size, flags)
    yield call("setxattrat", d.dirfd, d.name, d.at, d.attribute, XATTR_ARGS, 16)
    yield call("removexattr", d.name, d.attribute)
    yield call("lremovexattr", d.name, d.attribute)
    yield call("fremovexattr", d.fd, d.attribute)
    yield call("removexattrat", d.dirfd, d.name, d.at, d.attribute)
    yield call("getxattr", d.seen, d.attribute, out(20), d.rng.choice([0, 2, 20]))
    yield call("lgetxattr", d.seen, d.attribute, out(20), 20)
    yield call("listxattr", d.seen, out(100), d.rng.choice([0, 4, 100]))
    yield call("llistxattr", d.seen, out(100), 100)
    yield call("listxattrat", d.dirfd, d.seen, d.at, out(100), 100)


def looks(d):
    rng = d.rng
    yield call("stat", d.seen, STAT)
    yield call("lstat", d.seen, STAT)
    yield call("newfstatat", d.dirfd, d.seen, STAT, d.at)
    yield call("newfstatat", d.dirfd, rng.choice([0, ""]), STAT, d.at)
    yield call("fstat", d.fd, STAT)
    yield call("statx", d.dirfd, d.seen, d.at, rng.choice([0x7ff, 0x2, 0]), STATX)
    yield call("access", d.seen, rng.choice([0, 1, 2, 4, 6, 8]))
    yield call("faccessat", d.dirfd, d.seen, rng.choice([0, 2, 4]))
    yield call("faccessat2", d.dirfd, d.seen, rng.choice([0, 2, 4]), d.at | rng.choice([0, 0x200]))
    yield call("readlink", d.seen, out(200), rng.choice([200, 3, 0, -1]))
    yield call("readlinkat", d.dirfd, d.seen, out(200), 200)
    yield call("statfs", d.seen, shown(120, (0, 8)))
    yield call("getcwd", out(300), rng.choice([300, 4]))
    yield call("chdir", rng.choice(["folder", "d", "a", ".", "folder/below", "file", "no",
                                    "folder-link", d.tree, "", "loop"]))
    yield call("fchdir", d.fd)


def contents(d):
    rng = d.rng
    yield call("write", d.fd, "some words", rng.randrange(1, 10))
    yield call("read", d.fd, out(20), 20)
    yield call("lseek", d.fd, rng.randrange(0, 20), 0)
    yield call("fcntl", d.fd, rng.choice([1, 3]))
    yield call("getdents64", d.fd, entries(4000), 4000)
    yield call("getdents64", d.fd, entries(4000), rng.choice([4000, 60, 10]))
    yield call("getdents", d.fd, entries(4000, old=True), 4000)


KINDS = [opening, opening, entries_of_folders, entries_of_folders, attributes, xattrs, looks, looks,
         contents]


def sequence(rng, tree, flags):
    """Descriptors 3 to 11; files of one tree only."""
    statements = [call("chdir", tree), call("close_range", 3, 100, 0), call("umask", 0o22)]
    while len(statements) < CALLS:
        statements.append(rng.choice(list(rng.choice(KINDS)(Draw(rng, tree, flags)))))
    return statements


def plant(t, top):
    """The batch's trees, and what they look at beside them."""
    for name in os.listdir(t.dir):
        if name not in ("out", "policy.yaml"):
            t.native(["chmod", "-R", "u+rwX", name], cwd=t.dir)
            shutil.rmtree(f"{t.dir}/{name}", ignore_errors=True)
    os.makedirs(t.inside, exist_ok=True)
    os.makedirs(f"{top}{DEEP}/out")
    with open(f"{top}{DEEP}/out/file", "w", encoding="ascii") as file:
        file.write("beside\n")
    for number in range(TREES):
        tree = f"{top}{DEEP}/{number}"
        os.makedirs(tree + "/folder/below")
        for name in ("file", "other", "folder/file"):
            with open(f"{tree}/{name}", "w", encoding="ascii") as file:
                file.write(f"contents of {name}\n")
        for name, target in (("link", "file"), ("dangling", "not-there"), ("loop", "loop"),
                             ("folder-link", "folder")):
            os.symlink(target, f"{tree}/{name}")


def shapes(top):
    """As snapshot(), but for times only whether they were set (to 1970)."""
    found = {}
    for path, entry in snapshot(top).items():
        info = os.lstat(path)
        if stat.S_ISDIR(info.st_mode):
            entry[3] = 0  # folders: how links to them are counted is the file system's
        entry[4] = [info.st_atime_ns == 0, info.st_mtime_ns == 0]
        found[path[len(top):]] = entry
    return found


def ways(t):
    """Policies that allow everything, and where the trees stand under each: what changes files is
    trapped; what looks at names as well, since something elsewhere is hidden; and the whole tree is
    elsewhere, under the same name."""
    everything = {"write": ["/"], "deny": ["/nowhere"]}
    other = t.dir + "/elsewhere"
    return [(t.wide(**everything), t.inside),
            (t.wide(hide=["/nowhere/hidden"], **everything), t.inside),
            (t.wide(rewrite=[{"path": t.inside, "to": other}], **everything), other)]


def differ(native, found):
    """Whether two results differ. The name of a file of O_TMPFILE holds its inode's number."""
    return native != found and not (native.endswith(DELETED) and found.endswith(DELETED))


def batch(t, seed):
    """One process makes many sequences: planting and starting would take most of the time."""
    rng = random.Random(seed)
    statements = []
    policy, top = ways(t)[seed % 3]
    for number in range(TREES):
        statements += sequence(rng, f"{t.inside}{DEEP}/{number}", FLAGS)
    plant(t, t.inside)
    native, run = t.calls(statements, native=True,
                          **({"preexec_fn": without_capabilities} if t.root else {}))
    check(len(native) == len(statements), "natively it ended early:", run)
    expected = shapes(t.inside)
    plant(t, top)
    found, run = t.calls(statements, policy, options=("-q",))
    check(not run.blocked, "blocked:", run)
    for number, (one, other) in enumerate(zip(native, found)):
        check(not differ(one, other),
              f"statement {number} ({statements[number]}): natively {one}, under proctor {other};"
              " before it:", *statements[number - number % CALLS:number])
    check(len(found) == len(statements), "it ended early:", run)
    changes = difference(expected, shapes(top))
    check(not changes, "the trees differ:", changes)


@test
def at_random(t):
    seed = int(os.environ.get("SEED", "0"))
    if seed:
        batch(t, seed)
        return
    first = random.SystemRandom().randrange(1, 1 << 32)
    for number in range(max(1, SEQUENCES // TREES)):
        try:
            batch(t, first + number)
        except Exception as failure:
            raise type(failure)(f"SEED={first + number}: {failure}") from None
    print(f"     {max(1, SEQUENCES // TREES) * TREES} sequences of {CALLS} calls")


if __name__ == "__main__":
    sys.exit(main())
