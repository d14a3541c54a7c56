#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""Exec rules that say more than a path: arguments, digests, rewrites; and races against all of them."""
import hashlib
import os
import pathlib
import re
import shutil
import sys

sys.dont_write_bytecode = True
import exec_races
from harness import call, check, equal, main, test


def put(t, name, where, mode=0o755):
    """A copy of a test program in in/ or out/."""
    path = f"{t.dir}/{where}"
    shutil.copy(t.program(name), path)
    os.chmod(path, mode)
    return path


def script(t, where, text):
    path = f"{t.dir}/{where}"
    pathlib.Path(path).write_text(text, encoding="ascii")
    os.chmod(path, 0o755)
    return path


def sha256(path):
    return hashlib.sha256(pathlib.Path(path).read_bytes()).hexdigest()


def rules(t, *entries, **more):
    """What the tests themselves run, and these."""
    return t.wide(execute=[t.bin, "/usr/bin", "/bin", *entries], **more)


def denied(t, command, policy, native_code, **fields):
    """It runs natively. Under proctor not; one record names it."""
    equal(t.native(command).code, native_code, "natively:", command)
    run = t.run(command, policy)
    equal((run.code, run.out), (77, "EACCES\n"), run)
    return t.one_record(run, kind="exec", op="exec", errno="EACCES", **fields)


def allowed(t, command, policy, code):
    equal(t.native(command).code, code, "natively:", command)
    run = t.run(command, policy)
    equal((run.code, run.blocked), (code, []), run)
    return run


# ------------------------------------------------------------------ arguments

@test
def arguments(t):
    program = put(t, "one", "out/program")
    policy = rules(t, {"path": program, "args": ["status", "**"]},
                   {"path": program, "args": ["log", "-n", "*"]})
    for way in ("execve", "thread", "vfork", "fd", "fd-path", "liar"):
        start = [t.program("execs"), way, program]
        allowed(t, [*start, "status"], policy, 1)
        allowed(t, [*start, "status", "-s", "", "x y"], policy, 1)
        record = denied(t, [*start, "push"], policy, 1, path=program, rule=None)
        equal(record["args"][1:], ["push"])
    start = [t.program("execs"), "execve", program]
    allowed(t, [*start, "log", "-n", "3"], policy, 1)
    denied(t, [*start, "log", "-n"], policy, 1)
    denied(t, start, policy, 1)
    denied(t, [*start[:1], "empty", program], policy, 1)
    # The command itself, by proctor.
    equal(t.run([program, "status"], policy).code, 1)
    equal(t.run([program, "push"], policy).code, 126)


@test
def arguments_of_scripts(t):
    """Of a script its own; of its interpreter those that the kernel makes."""
    path = script(t, "out/script", "#!/bin/sh -e\nexit 5\n")
    start = [t.program("execs"), "execve", path]
    base = t.wide(execute=[t.bin, {"path": path, "args": ["go", "**"]},
                           {"path": os.path.realpath("/bin/sh"), "args": ["-e", path, "go", "*"]}])
    allowed(t, [*start, "go", "1"], base, 5)
    denied(t, [*start, "stop", "1"], base, 5, path=path)
    denied(t, [*start, "go", "1", "2"], base, 5, path=os.path.realpath("/bin/sh"))


@test
def arguments_that_are_long(t):
    program = put(t, "one", "out/program")
    policy = rules(t, {"path": program, "args": ["**", "last"]})
    many = ["x" * 1000] * 100
    allowed(t, [t.program("execs"), "execve", program, *many, "last"], policy, 1)
    denied(t, [t.program("execs"), "execve", program, *many, "other"], policy, 1)
    t.same(call("execve", program, 0x10000, 0), call("execve", program, "x", 0),
           policy=t.wide(exec_deny=["/nowhere"]))


# ------------------------------------------------------------------ digests

@test
def digests(t):
    program = put(t, "one", "out/program")
    policy = rules(t, {"path": program, "sha256": sha256(program)})
    start = [t.program("execs"), "execve", program]
    for way in ("execve", "thread", "vfork", "fd", "fd-path"):
        allowed(t, [t.program("execs"), way, program], policy, 1)
    other = put(t, "two", "out/program")
    denied(t, start, policy, 2, path=other, rule=None)
    # A file that was just changed, to the right contents.
    put(t, "one", "out/program")
    allowed(t, start, policy, 1)
    os.chmod(program, 0o711)
    if t.root:
        allowed(t, start, policy, 1)
    path = f"{t.dir}/out/unreadable"
    shutil.copy(program, path)
    os.chmod(path, 0o111)
    if not t.root:
        denied(t, [t.program("execs"), "execve", path],
               rules(t, {"path": path, "sha256": sha256(t.program("one"))}), 1, path=path)


@test
def digests_of_what_the_tool_may_write(t):
    """It can put the right contents there, and nothing else runs."""
    program = put(t, "one", "in/program")
    policy = rules(t, {"path": program, "sha256": sha256(program)})
    text = f"./program; echo $?; cp {t.program('two')} ./program; ./program; echo $?; " \
           f"cp {t.program('one')} ./program; ./program; echo $?"
    run = t.run(["/bin/sh", "-c", text], policy)
    equal(run.out, "1\n126\n1\n", run)
    t.one_record(run, kind="exec", path=program)
    # Changed in place, with the times put back, after it has been executed.
    os.utime(program, (1, 1))
    text = f"./program; echo $?; cat {t.program('two')} >./program; touch -d @1 ./program; " \
           "./program; echo $?"
    put(t, "one", "in/program")
    run = t.run(["/bin/sh", "-c", text], policy)
    equal(run.out, "1\n126\n", run)


@test
def digests_of_scripts(t):
    """Its interpreter reads a script again: the tool must not be able to change it."""
    text = "#!/bin/sh\nexit 5\n"
    safe, open_to_all = script(t, "out/script", text), script(t, "in/script", text)
    policy = rules(t, {"path": safe, "sha256": sha256(safe)},
                   {"path": open_to_all, "sha256": sha256(safe)})
    allowed(t, [t.program("execs"), "execve", safe], policy, 5)
    denied(t, [t.program("execs"), "execve", open_to_all], policy, 5, path=open_to_all)
    script(t, "out/script", text + "#\n")
    denied(t, [t.program("execs"), "execve", safe], policy, 5, path=safe)


# ------------------------------------------------------------------ rewrites

@test
def rewrites(t):
    """Another program in place; everything else stays."""
    program, other = put(t, "one", "out/program"), put(t, "execs", "out/other")
    narrow = t.narrow(execute=[t.bin, "/usr/bin", program])
    narrow["exec"]["rewrite"] = [{"path": program, "to": other}]
    equal(t.run([t.program("execs"), "execve", program, "tell"], narrow).code, 0)
    policy = {**rules(t, program)}
    policy["exec"]["rewrite"] = [{"path": program, "to": other}]
    for way in ("execve", "thread", "siblings", "vfork", "spawn", "fd", "fd-path", "liar"):
        command = [t.program("execs"), way, program, "tell", "two words", ""]
        equal(t.native(command).code, 1)
        run = t.run(command, policy, options=("-q", "--log", "rewritten"))
        told = [line for line in run.out.splitlines() if not line.startswith(("fd ", "no_new"))]
        first = "somebody-else" if way == "liar" else program
        expected = ["argc 4", f"argv {first}", "argv tell", "argv two words", "argv "]
        equal((run.code, told[:5]), (0, expected), way, run)
        record = [record for record in run.records if record["event"] == "rewritten"]
        equal([(entry["path"], entry["to"]) for entry in record], [(program, other)])
        check(record[0]["rule"]["source"].startswith(t.dir + "/policy.yaml:"), record)
    # What is rewritten still needs its grant, and a deny beats it.
    policy = t.wide(execute=[t.bin, "/usr/bin"])
    policy["exec"]["rewrite"] = [{"path": program, "to": other}]
    denied(t, [t.program("execs"), "execve", program], policy, 1, path=program)
    policy = t.wide(exec_deny=[t.outside])
    policy["exec"]["rewrite"] = [{"path": program, "to": other}]
    denied(t, [t.program("execs"), "execve", program], policy, 1, path=program)


@test
def rewrites_of_scripts_and_interpreters(t):
    program = put(t, "one", "out/program")
    policy = t.wide(execute=["/"])
    path = script(t, "out/script", "#!/bin/sh\necho \"$0 $1\"; exit 6\n")
    policy["exec"]["rewrite"] = [{"path": program, "to": path}]
    run = t.run([t.program("execs"), "execve", program, "x"], policy)
    equal((run.code, run.out), (6, f"{path} x\n"), run)
    # The interpreter of a script is another program.
    tell = put(t, "execs", "out/tell")
    policy["exec"]["rewrite"] = [{"path": os.path.realpath("/bin/sh"), "to": tell}]
    path = script(t, "out/script", "#!/bin/sh tell\nexit 6\n")
    run = t.run([t.program("execs"), "execve", path, "argument"], policy)
    equal([line for line in run.out.splitlines() if line.startswith("arg")],
          ["argc 4", "argv /bin/sh", "argv tell", f"argv {path}", "argv argument"], run)


@test
def rewrites_that_fail(t):
    """The thread goes on as after any exec that failed; signals are not lost."""
    program, garbage = put(t, "one", "out/program"), t.outside + "/garbage"
    pathlib.Path(garbage).write_bytes(b"\x7fELF" + bytes(100))
    os.chmod(garbage, 0o755)
    for to, error in ((garbage, "ENOEXEC"), (t.outside + "/nothing", "ENOENT"),
                      (t.outside + "/file", "EACCES")):
        policy = t.wide(execute=["/"])
        policy["exec"]["rewrite"] = [{"path": program, "to": to}]
        for way in ("execve", "vfork", "spawn"):
            run = t.run([t.program("execs"), way, program], policy)
            equal((run.code, run.out), (77, error + "\n"), way, run)
        found, run = t.calls([call("getpid"), call("execve", program, 0, 0), call("getpid"),
                              call("execve", program, 0, 0), call("getppid")], policy)
        equal((found[1], found[3]), ("-" + error, "-" + error), run)
        equal(found[0], found[2], run)


@test(once=True)
def rewrites_under_signals(t):
    """Nor is one of the signals that come meanwhile."""
    program, other = put(t, "one", "out/program"), put(t, "two", "out/other")
    policy = t.wide(execute=["/"])
    policy["exec"]["rewrite"] = [{"path": program, "to": other}]
    text = ("import os, signal, time\n"
            "def send(number, pause):\n"
            "    until = time.monotonic() + pause * 6e-5\n"
            "    while time.monotonic() < until: pass\n"
            "    os.kill(pid, number)\n"
            "for i in range(50):\n"
            "    pid = os.fork()\n"
            "    if pid == 0:\n"
            f"        os.execv({program!r}, ['x'])\n"
            "    try:\n"
            "        for j in range(i % 5): send((28, 19, 18, 20)[i * 5 // 7 % 4], i * j % 11)\n"
            "        send(signal.SIGCONT, i % 7)\n"
            "    except ProcessLookupError: pass\n"
            "    print(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]), end=' ')\n")
    run = t.run(["/usr/bin/python3", "-S", "-c", text], policy)
    equal((run.out, run.err), ("2 " * 50, ""), run)


# ------------------------------------------------------------------ races

def race(t, what, who, good, bad, policy, name=None, tries=12):
    exec_races.race(t, f"{what} {who}", lambda count: [t.program("exec_race"), what, who, count, good, bad,
                                                        *([name] if name else [])], policy, tries)


def pair(t, folder="out"):
    """Names of the same length."""
    good, bad = f"{t.dir}/{folder}/aaaa", f"{t.dir}/{folder}/bbbb"
    shutil.copy(t.program("exec_race"), good)
    shutil.copy(t.program("two"), bad)
    return good, bad


@test
def races_of_path_and_arguments(t):
    good, bad = pair(t)
    for who in ("leader", "thread", "vfork"):
        race(t, "path", who, good, bad, t.wide(exec_deny=[bad]))
        race(t, "argv", who, good, bad,
             t.wide(execute=[t.bin, "/usr/bin", {"path": good, "args": ["good"]}]))


@test
def races_of_files(t):
    """Links, names and interpreters, exchanged by another process."""
    good, bad = pair(t)
    name = t.inside + "/name"
    for who in ("leader", "thread", "vfork"):
        race(t, "link", who, good, bad, t.wide(exec_deny=[bad]), name)
    for path, program in ((t.inside + "/good", good), (t.inside + "/evil", bad)):
        script(t, "in/" + os.path.basename(path), f"#!{program}\n")
    for who in ("leader", "thread"):
        race(t, "contents", who, t.inside + "/good", t.inside + "/evil", t.wide(exec_deny=[bad]), name)


@test
def races_of_contents(t):
    """The right digest when it was asked for, and something else when it runs."""
    good, bad = pair(t, "in")
    policy = rules(t, {"path": t.inside + "/**", "sha256": sha256(good)})
    for what in ("contents", "file", "link"):
        for who in ("leader", "vfork"):
            race(t, what, who, good, bad, policy, t.inside + "/name", tries=8)


if __name__ == "__main__":
    sys.exit(main())
