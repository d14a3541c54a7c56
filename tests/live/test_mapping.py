#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""Files mapped as code: what a tool wrote, or what a rule denies, does not run by a side door."""
import os
import pathlib
import shutil
import sys

sys.dont_write_bytecode = True
from harness import LONG, Skip, call, check, equal, main, test

WAYS = ("mmap", "mprotect", "pkey", "threads", "threads-mprotect", "shared-table")
LOADER = "/lib64/ld-linux-x86-64.so.2"


def policy(t, **more):
    """in/ may be written and not run; the rest of what can be read cannot be written."""
    return t.wide(execute=[t.bin, "/usr/bin", "/bin"], **more)


def put(path, text="contents\n" + "x" * 5000):
    pathlib.Path(path).write_text(text, encoding="ascii")
    return path


def library():
    for path in ("/lib/x86_64-linux-gnu/libm.so.6", "/lib64/libm.so.6", "/usr/lib/libm.so.6"):
        if os.path.exists(path):
            return os.path.realpath(path)
    raise Skip("no libm")


def maps(t, rules, way, path, expected, native="mapped"):
    command = [t.program("maps"), way, path]
    equal(t.native(command).out, native + "\n", way, "natively")
    run = t.run(command, rules)
    equal(run.out, expected + "\n", way, run)
    return run


@test
def what_the_tool_may_write(t):
    """Readable, writable, no exec grant: no code."""
    path = put(t.inside + "/written")
    for way in WAYS:
        run = maps(t, policy(t), way, path, "EACCES")
        record = t.one_record(run, kind="exec", op="map", path=path, errno="EACCES", rule=None)
        equal(record["syscall"], "pkey_mprotect" if way == "pkey" else
              "mprotect" if "mprotect" in way else "mmap")
        check("to allow it: exec" not in run.err, run)


@test
def what_it_may_not_write(t):
    """A library: a read grant is enough."""
    path = put(t.outside + "/library")
    for way in WAYS:
        equal(maps(t, policy(t), way, path, "mapped").blocked, [], way)


@test
def what_is_rewritten(t):
    """A library that stands in for another, under the other's name."""
    os.mkdir(t.dir + "/other")
    path, other = t.inside + "/folder/library", put(t.dir + "/other/library")
    put(path)
    pairs = [{"path": t.inside + "/folder", "to": t.dir + "/other"}]
    for way in WAYS:
        run = maps(t, {**t.wide(execute=[t.inside, t.bin, "/usr/bin"]),
                       "files": {"read": ["/"], "rewrite": pairs}}, way, path, "mapped")
        equal(run.blocked, [], way, run)
        run = maps(t, {**t.wide(execute=["/"], exec_deny=[path]),
                       "files": {"read": ["/"], "rewrite": pairs}}, way, path, "EACCES")
        t.one_record(run, kind="exec", op="map", path=path, errno="EACCES")
    os.unlink(other)


@test
def what_was_removed(t):
    """Its name still counts, whatever the mark behind it is part of."""
    path = put(t.inside + "/removed")
    for way in ("mprotect", "threads-mprotect"):
        command = ["/bin/sh", "-c", f"exec 9<{path}; rm {path}; exec {t.program('maps')} {way} /dev/fd/9"]
        native = t.native(command)
        equal(native.out, "mapped\n", native)
        put(path)
        run = t.run(command, t.wide(execute=["/"], exec_deny=[path]))
        equal(run.out, "EACCES\n", run)
        t.one_record(run, kind="exec", op="map", errno="EACCES")
        put(path)


@test
def write_and_exec_granted(t):
    path = put(t.inside + "/built")
    for rules in (t.wide(execute=[t.bin, "/usr/bin", t.inside]), t.wide()):
        for way in WAYS:
            equal(maps(t, rules, way, path, "mapped").blocked, [], way)


@test
def what_a_rule_denies(t):
    """exec.deny and files.deny name the library itself, or take an allow back."""
    path = put(t.outside + "/library")
    run = maps(t, policy(t, exec_deny=[t.outside]), "mmap", path, "EACCES")
    record = t.one_record(run, kind="exec", op="map", path=path)
    check(record["rule"]["source"].startswith(t.dir + "/policy.yaml:"), record)
    os.symlink(path, t.inside + "/name")
    run = maps(t, policy(t, exec_deny=[t.outside]), "mprotect", t.inside + "/name", "EACCES")
    t.one_record(run, kind="exec", op="map", path=path)
    rules = t.wide(execute=[t.bin, "/usr/bin", t.dir, "!" + t.outside])
    t.one_record(maps(t, rules, "mmap", path, "EACCES"), op="map", path=path)


@test
def what_has_no_name(t):
    """memfd, O_TMPFILE: contents of the tool's own making. A rule can name a memfd."""
    path = put(t.inside + "/written")
    named = t.wide(execute=[t.bin, "/usr/bin", "/memfd:"])
    equal(maps(t, named, "memfd", path, "mapped").blocked, [])
    for way in ("memfd", "tmpfile"):
        t.one_record(maps(t, policy(t), way, path, "EACCES"), kind="exec", op="map")
        equal(maps(t, t.wide(), way, path, "mapped").blocked, [], way)


@test
def memory_of_its_own(t):
    """Compilers of all kinds need it; no file is involved."""
    equal(maps(t, policy(t), "memory", "/", "mapped").blocked, [])


@test
def errors_as_natively(t):
    put(t.inside + "/empty-file", "")
    t.same(call("open", "file", os.O_RDONLY), call("open", "empty-file", os.O_RDONLY),
           call("mmap", 0, 4096, 5, 2, 99, 0), call("mmap", 0, 4096, 5, 2, 3, 1),
           call("mmap", 0, 0, 5, 2, 3, 0), call("mmap", 0, 4096, 5, 0, 3, 0),
           call("mprotect", 1, 4096, 5), call("mprotect", 0, 0, 5), call("mprotect", 0, 4096, 5),
           call("mprotect", 0, -4096, 5), call("mmap", 0, 1 << 50, 5, 2, 3, 0),
           call("open", "folder", os.O_RDONLY), call("pipe", 0),
           policy=t.wide(execute=[t.bin, t.dir]))


@test(once=True)
def loader_with_a_file(t):
    """ld.so is allowed here, and still does not run what may not run."""
    bad, good = t.inside + "/program", t.outside + "/program"
    for path in (bad, good):
        shutil.copy(t.program("two"), path)
        os.chmod(path, 0o755)
    rules = t.wide(execute=[t.bin, "/usr/bin", os.path.realpath(LOADER)])
    for path in (bad, good):
        equal(t.native([LOADER, path]).code, 2)
    run = t.run([LOADER, bad], rules)
    equal(run.code, 127, run)
    t.one_record(run, kind="exec", op="map", path=bad)
    equal(t.run([LOADER, good], rules).code, 2)
    rules = t.wide(execute=[t.bin, "/usr/bin", os.path.realpath(LOADER)], exec_deny=[good])
    run = t.run([LOADER, good], rules)
    equal(run.code, 127, run)
    t.one_record(run, kind="exec", op="map", path=good)


@test(once=True)
def preloaded(t):
    """LD_PRELOAD and LD_AUDIT with a library that the tool wrote: the program starts without."""
    library_path = t.inside + "/library.so"
    shutil.copy(library(), library_path)
    for name in ("LD_PRELOAD", "LD_AUDIT"):
        command = ["/bin/sh", "-c", f"{name}={library_path} exec /bin/cat /proc/self/maps"]
        code = [line for line in t.native(command).out.splitlines() if "r-xp" in line]
        check(any(library_path in line for line in code) or name == "LD_AUDIT", name)
        run = t.run(command, policy(t, env={"keep": ["LD_*", "PATH"]}))
        equal(run.code, 0, run)
        code = [line for line in run.out.splitlines() if "r-xp" in line]
        check(code and not any(library_path in line for line in code), run)
        t.one_record(run, kind="exec", op="map", path=library_path)


@test(once=True)
def imported(t):
    """dlopen() from an interpreter."""
    path = t.inside + "/library.so"
    shutil.copy(library(), path)
    script = f"import ctypes; print(ctypes.CDLL({path!r}))"
    equal(t.native(["/usr/bin/python3", "-c", script]).code, 0)
    run = t.run(["/usr/bin/python3", "-c", script], policy(t))
    equal(run.code, 1, run)
    check("failed to map segment" in run.err, run)
    t.one_record(run, kind="exec", op="map", path=path)
    run = t.run(["/usr/bin/python3", "-c", "import ctypes, ssl, sqlite3; print(1)"], policy(t))
    equal((run.out, run.blocked), ("1\n", []), run)


@test(once=True)
def dynamic_loader_of_a_program(t):
    """PT_INTERP is a file that is mapped: one that the tool wrote does not run."""
    loader = t.inside + "/ld.so"
    shutil.copy(LOADER, loader)
    image = pathlib.Path(t.program("two")).read_bytes()
    name = LOADER.encode() + b"\0"
    path = t.outside + "/program"
    check(image.count(name) == 1 and len("../in/ld.so") < len(name), "another loader")
    pathlib.Path(path).write_bytes(image.replace(name, b"../in/ld.so".ljust(len(name), b"\0")))
    os.chmod(path, 0o755)
    command = [t.program("execs"), "execve", path]
    for cwd in (t.outside,):
        equal(t.native(command, cwd=cwd).code, 2)
        run = t.run(command, t.wide(execute=[t.bin, "/usr/bin", t.outside]), cwd=cwd)
        equal((run.code, run.out), (77, "EACCES\n"), run)
        t.one_record(run, kind="exec", op="map", path=loader, arg="../in/ld.so")
        run = t.run(command, t.wide(execute=[t.bin, "/usr/bin", t.dir]), cwd=cwd)
        equal((run.code, run.blocked), (2, []), run)


@test
def exchanged(t):
    """Another thread exchanges the descriptor, or the mapping, between check and use."""
    good = put(t.outside + "/good", "good" + "x" * 5000)
    other = put(t.inside + "/other", "other" + "x" * 5000)
    tries = "2000" if LONG else "6"
    for way in ("swap", "swap-last", "swap-memory"):
        command = [t.program("maps"), way, good, other, tries]
        for _ in range(50):  # natively it comes to pass
            native = t.native(command[:-1] + ["50"])
            if not native.out.startswith("won 0"):
                break
        check(not native.out.startswith("won 0"), "natively:", native)
        run = t.run(command, policy(t))
        equal((run.code, run.out), (0, f"won 0 of {tries}\n"), run)
        for record in run.blocked:
            equal((record["op"], record["path"]), ("map", other))
        if LONG:
            print(way, tries, run.err.strip())


if __name__ == "__main__":
    sys.exit(main())
