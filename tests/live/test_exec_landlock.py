#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""Why an exec is traced also where Landlock's right to execute stands for the policy's grants: what that
right lets through, and what it refuses although the policy does not. doc/internals.md, "exec"."""
import os
import shutil
import sys

sys.dont_write_bytecode = True
import exec_races
from harness import Skip, check, equal, main, test

LOADER = b"/lib64/ld-linux-x86-64.so.2"


def folders(t):
    """Grants for programs, as folders that the tool does not write."""
    return [t.bin, t.outside + "/folder", *filter(os.path.isdir, ("/usr", "/bin", "/lib", "/lib64"))]


def behind(t, *command, **more):
    """Natively, where Landlock lets only what lies in these folders be executed."""
    run = t.native([t.bin + "/walls", "execute", ":".join(folders(t)), *command], **more)
    if "walls: " in run.err:
        raise Skip("no Landlock here: " + run.err)
    return run


def policy(t, **more):
    return t.wide(execute=folders(t), **more)


def denied_program(t):
    path = t.outside + "/program"
    shutil.copy(t.program("two"), path)
    return path


@test
def folders_hold(t):
    """The right to execute does what it says of files in folders."""
    bad = denied_program(t)
    equal(t.native([t.program("execs"), "execve", bad]).code, 2)
    run = behind(t, t.program("execs"), "execve", bad)
    equal((run.code, run.out), (77, "EACCES\n"), run)
    equal(behind(t, t.program("execs"), "execve", t.program("one")).code, 1)


@test
def memory_has_no_folder(t):
    """Landlock lets files that only the kernel mounts be executed, whatever its rules are."""
    bad = denied_program(t)
    for how in ("at", "self", "dev"):
        command = [t.program("esc_memfd"), how, "name", bad]
        equal(behind(t, *command).code, 2, how)
        run = t.run(command, policy(t))
        equal(run.code, 42, how, run)
        t.one_record(run, kind="exec")


RACE = """
import os, sys
memory = os.memfd_create("x", 0)
os.write(memory, open(sys.argv[1], "rb").read())
os.dup2(memory, 99, inheritable=True)
good = sys.argv[3]
name = "/proc/self/fd/99"
os.execv(sys.argv[2], [sys.argv[2], "path", sys.argv[4], sys.argv[5], good,
                       name[:-2] + "/" * (len(good) - len(name)) + name[-2:]])
"""


@test
def races_with_memory(t):
    """The name of a granted program becomes that of memory after the decision."""
    bad = denied_program(t)
    good = shutil.copy(t.program("exec_race"), t.dir + "/granted-program")
    for who in ("leader", "thread", "vfork"):
        command = ["/usr/bin/python3", "-S", "-c", RACE, bad, t.program("exec_race"), good, who]
        exec_races.race(t, f"memory {who}", lambda count, command=command: [*command, count],
                        t.wide(execute=[*folders(t), good]), tries=20)


@test(once=True)
def loaders_are_libraries(t):
    """The dynamic loader of a program needs no exec grant, a read grant will do; Landlock asks for its own."""
    path = t.outside + "/folder/own-loader"
    with open(t.bin + "/one", "rb") as file:
        image = file.read()
    if image.count(LOADER) != 1:
        raise Skip("programs have another loader here")
    shutil.copy(os.path.realpath(LOADER), t.dir + "/ld.so")
    with open(path, "wb") as file:
        file.write(image.replace(LOADER, b"../ld.so".ljust(len(LOADER), b"\0")))
    os.chmod(path, 0o755)
    equal(t.native([t.bin + "/execs", "execve", path]).code, 1)
    run = t.run([t.bin + "/execs", "execve", path], policy(t))
    equal((run.code, run.blocked), (1, []), run)
    run = behind(t, t.bin + "/execs", "execve", path)
    equal((run.code, run.out), (77, "EACCES\n"), run)


@test
def variables_of_the_loader(t):
    """Taken out of the new image before it begins, which nobody could do who does not stop it there."""
    command = ["/usr/bin/env", "LD_LIBRARY_PATH=/nowhere", t.bin + "/execs_static", "tell"]
    check("env LD_LIBRARY_PATH=/nowhere\n" in behind(t, *command).out)
    run = t.run(command, policy(t))
    check("LD_LIBRARY_PATH" not in run.out and "env PATH=" in run.out, run)


if __name__ == "__main__":
    sys.exit(main())
