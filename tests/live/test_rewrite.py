#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""files.rewrite: another file or tree under a name, for every call that takes a path.

That every result is the one of a tree that really stands there: test_random.py.
"""
import os
import sys

sys.dont_write_bytecode = True
from harness import (AT_FDCWD, AT_REMOVEDIR, AT_SYMLINK_FOLLOW, O_PATH, RENAME_EXCHANGE, array, blob,
                     call, check, entries, equal, how, main, out, result, shown, snapshot, test)

RD, WR, RW = os.O_RDONLY, os.O_WRONLY, os.O_RDWR
CREAT, EXCL, TRUNC = os.O_CREAT, os.O_EXCL, os.O_TRUNC
STAT = shown(144, (24, 4))


def rewriting(t, *more, **rules):
    """in/ may be written, and in/folder stands for other/, in/file for other/file."""
    pairs = [{"path": t.inside + "/folder", "to": t.dir + "/other"},
             {"path": t.inside + "/file", "to": t.dir + "/other/file"}, *more]
    return t.policy(read=[*["/usr", "/bin", "/lib", "/lib64", "/etc", "/proc/self", "/dev"], t.bin,
                          t.inside], rewrite=pairs, **rules)


def plant(t):
    t.plant()
    t.native(["rm", "-rf", t.dir + "/other"])
    os.makedirs(t.dir + "/other/below")
    for name in ("file", "below/deep"):
        with open(f"{t.dir}/other/{name}", "w", encoding="ascii") as file:
            file.write("the other\n")
    os.symlink("file", t.dir + "/other/link")
    os.symlink("../out-file", t.dir + "/other/way")
    os.symlink(t.inside + "/folder/below", t.dir + "/other/absolute")


def text(line):
    return bytes.fromhex(line.split()[1]).decode()


@test
def every_call_acts_on_the_other(t):
    """Whatever is done under the name is done to what stands in for it; the original stays."""
    changes = [
        call("open", "folder/file", WR | TRUNC), call("creat", "folder/new", 0o600),
        call("open", "folder/new", RW | CREAT | EXCL, 0o640), call("open", "file", WR | TRUNC),
        call("openat2", AT_FDCWD, "folder/new", how(WR | CREAT, 0o600), 24),
        call("mkdir", "folder/new", 0o750), call("mknod", "folder/new", 0o10600, 0),
        call("symlink", "x", "folder/new"), call("link", "folder/file", "folder/new"),
        call("linkat", AT_FDCWD, "folder/link", AT_FDCWD, "folder/new", AT_SYMLINK_FOLLOW),
        call("unlink", "folder/file"), call("unlink", "file"), call("rmdir", "folder/empty"),
        call("unlinkat", AT_FDCWD, "folder/empty", AT_REMOVEDIR),
        call("rename", "folder/file", "folder/moved"), call("rename", "folder/below", "folder/b"),
        call("renameat2", AT_FDCWD, "folder/file", AT_FDCWD, "folder/link", RENAME_EXCHANGE),
        call("chmod", "folder/file", 0o600), call("chmod", "folder", 0o700),
        call("fchmodat", AT_FDCWD, "file", 0o600), call("chown", "folder/file", os.geteuid(), -1),
        call("utimensat", AT_FDCWD, "folder/file", blob(bytes(32)), 0),
        call("utimes", "file", blob(bytes(32))), call("truncate", "folder/below/deep", 3),
        call("truncate", "file", 3), call("setxattr", "folder/file", "user.x", "v", 1, 0),
    ]
    for statement in changes:
        plant(t)
        os.mkdir(t.dir + "/other/empty")
        kept = snapshot(t.inside, t.outside)
        before = snapshot(t.dir + "/other")
        found, run = t.calls([statement], rewriting(t))
        if found == ["-EOPNOTSUPP"]:
            continue
        check(not found[0].startswith("-"), statement, run)
        equal(snapshot(t.inside, t.outside), kept, statement, "the original")
        if "-1" not in statement.split(","):
            check(snapshot(t.dir + "/other") != before, "nothing happened:", statement)
        check(not run.blocked, run)


@test
def what_is_read(t):
    plant(t)
    found, run = t.calls([
        call("open", "folder/file", RD), call("read", 3, out(40), 40),
        call("open", "file", RD), call("read", 4, out(40), 40),
        call("open", "folder/link", RD), call("read", 5, out(40), 40),
        call("open", "folder/absolute/deep", RD), call("read", 6, out(40), 40),
        call("open", "folder/below/../file", RD), call("read", 7, out(40), 40),
        call("open", "folder", RD), call("getdents64", 8, entries(1000), 1000),
        call("openat", 8, "below/deep", RD), call("read", 9, out(40), 40),
        call("openat", 8, "../other", RD), call("read", 10, out(40), 40),
        call("readlink", "folder/way", out(40), 40), call("stat", "folder/below", STAT),
        call("access", "folder/below/deep", 4), call("open", "folder/nothing", RD),
        call("open", "folder/file/x", RD)], rewriting(t))
    for number in (1, 3, 5, 7, 9, 13):
        equal(text(found[number]), "the other\n", number, run)
    equal(text(found[15]), "contents of in/other\n", run)
    equal(found[11].split()[1:], ["../4", "./4", "absolute/10", "below/4", "file/8", "link/10",
                                  "way/10"], run)
    equal(found[18:], ["0", "-ENOENT", "-ENOTDIR"], run)
    check(not run.blocked, run)


@test
def the_given_name_is_shown(t):
    plant(t)
    found, run = t.calls([
        call("chdir", "folder/below"), call("getcwd", out(300), 300),
        call("readlink", "/proc/self/cwd", out(300), 300), call("open", "deep", RD),
        call("readlink", "/proc/self/fd/3", out(300), 300), call("open", "..", RD),
        call("readlink", "/proc/thread-self/fd/4", out(300), 300),
        call("open", "/proc/self/fd/3", RD), call("read", 5, out(40), 40),
        call("chdir", ".."), call("getcwd", out(300), 300), call("chdir", ".."),
        call("getcwd", out(300), 300), call("getcwd", out(300), 3)], rewriting(t))
    here = t.inside + "/folder/below"
    for number, name in ((1, here), (2, here), (4, here + "/deep"), (6, t.inside + "/folder"),
                         (10, t.inside + "/folder"), (12, t.inside)):
        equal(text(found[number]).rstrip("\0"), name, number, run)
    equal(text(found[8]), "the other\n", run)
    equal(found[13], "-ERANGE", run)


@test
def the_rules_are_about_the_given_name(t):
    """What may not be done to the name is not done; a grant for the other place is not needed, and
    does not help."""
    plant(t)
    before = snapshot(t.dir)
    policy = rewriting(t, write=["/dev/null"])
    for statement, op, name in (
            (call("open", "folder/file", WR), "modify", "folder/file"),
            (call("open", "file", RW), "modify", "file"),
            (call("mkdir", "folder/new", 0o700), "create", "folder/new"),
            (call("unlink", "folder/link"), "delete", "folder/link"),
            (call("unlink", "file"), "delete", "file"),
            (call("chmod", "folder/below", 0o700), "attr", "folder/below")):
        found, run = t.calls([statement], policy)
        equal(found, ["-EACCES"], run)
        t.one_record(run, op=op, path=f"{t.inside}/{name}")
    found, run = t.calls([call("open", t.dir + "/other/file", RD)], policy)
    equal(found, ["-EACCES"], run)
    t.one_record(run, path=t.dir + "/other/file", op="read")
    # A link in the tree leads where it would from the given name, and is decided on there.
    found, run = t.calls([call("open", "folder/way", RD)], policy)
    equal(found, ["-EACCES"], run)
    t.one_record(run, path=t.outside + "/file")
    # The place is like a mount point: it is not moved, nor a folder above it.
    for name in ("folder", "file"):
        found, run = t.calls([call("rename", name, "moved")], rewriting(t))
        equal(found, ["-EACCES"], run)
    found, run = t.calls([call("link", t.dir + "/other/file", "second")], rewriting(t))
    equal(found, ["-EACCES"], run)
    equal({path: entry[:3] + entry[5:] for path, entry in snapshot(t.dir).items()
           if "/policy" not in path},
          {path: entry[:3] + entry[5:] for path, entry in before.items() if "/policy" not in path})


@test
def names_that_do_not_exist(t):
    """A rewritten name need not be there; what leads to it is not made up."""
    plant(t)
    more = {"path": "/nowhere-at-all/a/b", "to": t.dir + "/other"}
    policy = rewriting(t, more)
    policy["files"]["read"].append("/nowhere-at-all")
    found, run = t.calls([
        call("open", "/nowhere-at-all/a/b/file", RD), call("read", 3, out(40), 40),
        call("stat", "/nowhere-at-all/a/b", STAT), call("stat", "/nowhere-at-all", STAT),
        call("stat", "/nowhere-at-all/../etc/passwd", STAT), call("stat", "/nowhere-at-all/a/", STAT),
        call("open", "/nowhere-at-all/a/b", RD), call("open", "/nowhere-at-all/a/b/below/..", RD),
        call("readlink", "/nowhere-at-all/a/b/link", out(40), 40)], policy)
    equal(text(found[1]), "the other\n", run)
    equal(found[2].split()[0], "0", run)
    equal(found[3:6], ["-ENOENT"] * 3, run)
    equal(found[6:8], ["4", "5"], run)
    equal(text(found[8]), "file", run)


@test
def records(t):
    plant(t)
    run = t.run([t.program("calls"), call("open", "folder/below/deep", RD), call("stat", "file", STAT),
                 call("open", "other", RD), call("mkdir", "folder/new", 0o700)], rewriting(t),
                options=("-q", "--log", "rewritten"))
    made = [(record["syscall"], record["path"], record["to"], record["decision"], record["op"])
            for record in run.records if record["event"] == "rewritten"]
    equal(made, [("open", t.inside + "/folder/below/deep", t.dir + "/other/below/deep", "rewrite",
                  "read"),
                 ("stat", t.inside + "/file", t.dir + "/other/file", "rewrite", "read"),
                 ("mkdir", t.inside + "/folder/new", t.dir + "/other/new", "rewrite", "create")], run)


@test
def the_log_stays_shut(t):
    """Not even a rewrite makes the log writable."""
    t.plant()
    log = t.home + "/state"
    os.makedirs(log, exist_ok=True)
    path = f"{log}/log.jsonl"
    policy = t.policy(read=["/"], write=[t.inside], rewrite=[{"path": t.inside + "/own", "to": path}])
    with open(path, "w", encoding="ascii"):
        pass
    run = t.run([t.program("calls"), call("open", "own", RD), call("open", "own", WR),
                 call("unlink", "own"), call("truncate", "own", 0)], policy, log=path)
    equal(run.out.split(), ["3", "-EACCES", "-EACCES", "-EACCES"], run)
    equal([record["op"] for record in run.blocked], ["modify", "delete", "modify"], run)
    os.unlink(path)


@test
def flags_are_those_of_the_open(t):
    """Whatever name it was opened by on the other side."""
    plant(t)
    equal([int(line) & os.O_NOFOLLOW for line in t.calls(
        [call("open", "folder/file", RW | os.O_NOFOLLOW), call("fcntl", 3, 3)],
        rewriting(t))[0][1:]], [os.O_NOFOLLOW])


@test
def o_path(t):
    """A descriptor of O_PATH is one natively: of anything, whatever may be read; and no more."""
    plant(t)
    policy = t.policy(read=[*["/usr", "/lib", "/lib64", "/etc"], t.bin, t.inside],
                      rewrite=[{"path": t.inside + "/folder", "to": t.dir + "/other"}])
    found, run = t.calls([
        call("open", t.outside, O_PATH), call("openat", 3, "file", RD),
        call("getdents64", 3, entries(1000), 1000), call("newfstatat", 3, "file", STAT, 0),
        call("open", "folder", O_PATH | os.O_DIRECTORY), call("openat", 4, "file", RD),
        call("fcntl", 4, 1), call("open", "link", O_PATH | os.O_NOFOLLOW),
        call("readlinkat", 6, "", out(20), 20), call("open", t.outside + "/file", O_PATH),
        call("read", 7, out(1), 1), call("open", "file", O_PATH | os.O_CLOEXEC, thread=True),
        call("fcntl", 8, 1), call("fcntl", 8, 3), call("open", "nothing", O_PATH),
        call("open", "/proc/self/fd/7", RD), call("fchdir", 4), call("open", "file", RD)], policy)
    equal([line.split()[0] for line in found],
          ["3", "-EACCES", "-EBADF", "0", "4", "5", "0", "6", "4", "7", "-EBADF", "8", "1",
           str(O_PATH), "-ENOENT", "-EACCES", "0", "9"], run)
    equal([record["path"] for record in run.blocked], [t.outside + "/file"] * 2, run)


if __name__ == "__main__":
    sys.exit(main())
