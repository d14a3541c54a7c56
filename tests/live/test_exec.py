#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""Execution: what a policy does not allow does not make one step, however it is started."""
import os
import shutil
import struct
import subprocess
import sys
import time

sys.dont_write_bytecode = True
from harness import (AT_FDCWD, LONG, WILD, Skip, array, call, check, children, equal, main, test)

WAYS = ("execve", "thread", "siblings", "vfork", "spawn", "fd", "fd-path", "liar")


def put(t, name, where, mode=0o755):
    """A copy of a test program in in/ or out/."""
    path = f"{t.dir}/{where}"
    shutil.copy(t.program(name), path)
    os.chmod(path, mode)
    return path


def script(t, where, interpreter, mode=0o755, text="exit 5\n"):
    path = f"{t.dir}/{where}"
    with open(path, "w", encoding="utf-8") as file:
        file.write(f"#!{interpreter}\n{text}")
    os.chmod(path, mode)
    return path


def allowed(t, command, policy, code=None):
    native = t.native(command)
    run = t.run(command, policy)
    equal((run.code, run.out), (native.code if native.code >= 0 else 128 - native.code, native.out),
          command, run)
    if code is not None:
        equal(run.code, code, run)
    equal(run.blocked, [], run)


def denied(t, command, policy, path, native_code, **fields):
    """It runs natively. Under proctor not; one record names it."""
    native = t.native(command)
    equal(native.code, native_code, "natively:", native)
    run = t.run(command, policy)
    equal((run.code, run.out), (77, "EACCES\n"), run)
    return t.one_record(run, kind="exec", op="exec", path=path, errno="EACCES", **fields)


@test
def ways_to_execute(t):
    good, bad = put(t, "one", "in/program"), put(t, "two", "out/program")
    policy = t.wide(exec_deny=[t.outside])
    for way in WAYS:
        allowed(t, [t.program("execs"), way, good, "x"], policy, code=1)
        record = denied(t, [t.program("execs"), way, bad, "x"], policy, bad, 2,
                        syscall="execveat" if way == "fd" else "execve")
        check(record["rule"]["source"].startswith(t.dir + "/policy.yaml:"), record)
        equal(record["args"][1:], ["x"])


@test
def what_no_rule_allows(t):
    bad = put(t, "two", "in/program")
    policy = t.wide(execute=[t.bin, "/usr/bin"])
    denied(t, [t.program("execs"), "execve", bad], policy, bad, 2, rule=None, arg=bad)
    denied(t, [t.program("execs"), "execve", "program"], policy, bad, 2, rule=None, arg="program")
    os.symlink(bad, t.inside + "/true")
    denied(t, [t.program("execs"), "execve", "./true"], policy, bad, 2, arg="./true")


@test
def first_program(t):
    """126 when the policy refuses the command itself, 127 when there is none."""
    bad = put(t, "two", "in/program")
    policy = t.wide(execute=["/usr/bin"])
    run = t.run([bad], policy)
    equal(run.code, 126, run)
    t.one_record(run, kind="exec", path=bad)
    check("proctor: " in run.err, run)
    run = t.run([t.inside + "/nothing"], policy)
    equal(run.code, 127, run)
    equal(run.blocked, [])
    for name, code in (("no-such-command", 127), (t.inside + "/file", 126), (t.inside, 126)):
        line, _ = t.command([name], t.wide())
        run = t.native(line)
        equal(run.code, code, name, run)
        check("proctor: " in run.err, run)


@test
def copies_where_writing_is_allowed(t):
    """A denied program copied to where nothing may be run."""
    bad = put(t, "two", "out/program")
    policy = t.wide(execute=[t.bin, "/usr/bin", "/bin"], exec_deny=[t.outside])
    run = t.run(["/bin/sh", "-c", f"cp {bad} copy && ./copy"], policy)
    equal(run.code, 126, run)
    t.one_record(run, kind="exec", path=t.inside + "/copy")
    os.link(bad, t.inside + "/name")
    denied(t, [t.program("execs"), "execve", "./name"], policy, t.inside + "/name", 2)


@test
def scripts(t):
    good = script(t, "in/good", "/bin/sh")
    policy = t.wide(exec_deny=[t.outside])
    allowed(t, [t.program("execs"), "execve", good, "x"], policy, code=5)
    # The interpreter is refused.
    bad = put(t, "two", "out/program")
    path = script(t, "in/script", bad)
    record = denied(t, [t.program("execs"), "execve", path], policy, bad, 2)
    equal(record["arg"], bad)
    # The script is refused, its interpreter is not.
    path = script(t, "out/script", "/bin/sh")
    denied(t, [t.program("execs"), "execve", path], policy, path, 5)
    # Interpreters that are scripts themselves.
    inner = script(t, "in/inner", bad)
    outer = script(t, "in/outer", inner)
    denied(t, [t.program("execs"), "execve", outer], policy, bad, 2)
    outer = script(t, "in/outer", good)
    allowed(t, [t.program("execs"), "execve", outer, "y"], policy)
    # By way of a link, relative, with spaces and an argument.
    os.symlink("../out/program", t.inside + "/name")
    path = script(t, "in/script", "  ./name  argument")
    denied(t, [t.program("execs"), "execve", path], policy, bad, 2)
    allowed(t, [t.program("execs"), "execve", script(t, "in/x", "/usr/bin/env sh")], policy, code=5)


@test
def odd_scripts(t):
    """Errors are the kernel's own."""
    policy = t.wide()
    chain = script(t, "in/chain0", "/bin/sh")
    for number in range(1, 8):
        chain = script(t, f"in/chain{number}", chain)
        allowed(t, [t.program("execs"), "execve", chain], policy)
    for interpreter in ("/nowhere/at/all", "", " ", "/" + "x" * 300, "/bin/sh\0x", t.inside,
                        t.inside + "/file"):
        path = t.inside + "/odd"
        with open(path, "w", encoding="utf-8") as file:
            file.write(f"#!{interpreter}\nexit 6\n")
        os.chmod(path, 0o755)
        allowed(t, [t.program("execs"), "execve", path], policy)
    allowed(t, [t.program("execs"), "execve", script(t, "in/noexec", "/bin/sh", 0o644)], policy)
    with open(t.inside + "/empty-file", "wb"):
        pass
    os.chmod(t.inside + "/empty-file", 0o755)
    allowed(t, [t.program("execs"), "execve", "./empty-file"], policy)


@test
def errors_as_natively(t):
    policy = t.wide()
    put(t, "one", "in/no-x", 0o644)
    put(t, "one", "in/unreadable", 0o111)
    with open(t.inside + "/garbage", "wb") as file:
        file.write(b"\x7fELF" + bytes(100))
    os.chmod(t.inside + "/garbage", 0o755)
    os.mkfifo(t.inside + "/fifo", 0o755)
    for path in ("nothing", "file", "folder", "file/x", "loop", "dangling", "no-x", "garbage",
                 "fifo",
                 "/dev/null", "", "x" * 256, "y/" * 3000):
        allowed(t, [t.program("execs"), "execve", path], policy)
    allowed(t, [t.program("execs"), "environ", t.program("one")], policy)
    one = t.program("one")
    t.same(call("execve", WILD, WILD, WILD), call("execve", one, WILD, 0),
           call("execve", one, 0, WILD), call("execveat", 99, "x", 0, 0, 0),
           call("execveat", AT_FDCWD, one, 0, 0, 0x100000), call("execveat", AT_FDCWD, "", 0, 0, 0),
           call("execveat", AT_FDCWD, "loop", 0, 0, 0x100),
           call("execve", one, array("x" * 200000), 0), policy=policy)


@test
def arguments_as_natively(t):
    tell = t.program("execs")
    policy = t.wide()
    for way in ("empty", "liar", "execve", "thread", "vfork", "fd"):
        command = [t.program("execs"), way, tell, "tell", "two words", "", "é\n"]
        native, run = t.native(command), t.run(command, policy)
        strip = [line for line in run.out.splitlines()
                 if not line.startswith(("env PROCTOR_SESSION=", "no_new_privs"))]
        plain = [line for line in native.out.splitlines() if not line.startswith("no_new_privs")]
        equal(strip, plain, way, run)


@test
def own_image_and_memory(t):
    """/proc/self/exe is a name like another; a memfd has none and is no rule's."""
    policy = t.wide(execute=[t.bin, "/usr/bin"])
    execs = t.program("execs")
    run = t.run([execs, "execve", "/proc/self/exe", "tell"], policy)
    equal((run.code, run.blocked), (0, []), run)
    denied_exe = put(t, "execs", "out/execs")
    run = t.run([t.program("execs"), "memfd", denied_exe], policy)
    equal((run.code, run.out), (77, "EACCES\n"), run)
    t.one_record(run, kind="exec", syscall="execveat")


@test
def not_busy(t):
    """A program that was just written can be run: nobody holds it open for writing."""
    command = [t.program("execs"), "busy", t.program("one"), "500"]
    run = t.run(command, t.wide())
    equal((run.code, run.out), (0, ""), run)
    run = t.run([*command[:3], "100"], t.narrow(), options=("-q", "--log", "all"))
    equal((run.code, run.out), (0, ""), run)


@test
def many_execs(t):
    """One after the other, and eight at once."""
    one = t.program("one")
    command = [t.program("execs"), "loop", one, "2000" if LONG else "100"]
    run = t.run(command, t.wide(exec_deny=["/nowhere"]))
    equal((run.code, run.out), (0, ""), run)
    line = " & ".join([" ".join([*command[:3], "25"])] * 8) + " & wait"
    run = t.run(["/bin/sh", "-c", line], t.wide(exec_deny=["/nowhere"]))
    equal((run.code, run.out, run.err), (0, "", ""), run)


def told(run):
    """The variables that `execs tell` had."""
    return [line[4:] for line in run.out.splitlines() if line.startswith("env ")]


@test
def environment_at_each_exec(t):
    """`env` holds for what the tool gives its programs, too."""
    rules = t.wide(exec_deny=["/nowhere"], env={"drop": ["*_TOKEN", "AWS_*"], "set": {"CI": "1"}})
    command = ["/usr/bin/env", "-i", "A=1", "MY_TOKEN=x", "CI=2", "AWS_KEY=k", "EMPTY=", "Z=é\n",
               t.program("execs"), "tell", "one", ""]
    equal(told(t.native(command)), command[2:8][:5] + ["Z=é"])
    run = t.run(command, rules)
    equal(told(run), ["A=1", "EMPTY=", "Z=é", "CI=1"], run)
    equal([line for line in run.out.splitlines() if line.startswith("argv")],
          ["argv " + t.program("execs"), "argv tell", "argv one", "argv "])
    # Nothing is left of it; and with no variable at all, `set` still adds.
    run = t.run(["/usr/bin/env", "-i", "MY_TOKEN=secret", "/bin/cat", "/proc/self/environ"], rules)
    check("secret" not in run.out, run)
    run = t.run(["/usr/bin/env", "-i", t.program("execs"), "tell"], rules)
    equal(told(run), ["CI=1"], run)
    # The tool's own variables come back when they are given again.
    env = {**t.env, "LD_LIBRARY_PATH": "/opt/lib", "KEPT": "1"}
    run = t.run(["/usr/bin/env", t.program("execs"), "tell"], rules, env=env)
    check({"LD_LIBRARY_PATH=/opt/lib", "KEPT=1", "CI=1"} <= set(told(run)), run)
    keep = t.wide(exec_deny=["/nowhere"], env={"keep": ["PATH", "B"]})
    run = t.run(["/usr/bin/env", "A=1", "B=2", t.program("execs"), "tell"], keep)
    equal([line.split("=")[0] for line in told(run)], ["PATH", "PROCTOR_SESSION", "B"], run)


@test
def large_environments(t):
    """Of many variables, and long ones."""
    rules = t.wide(exec_deny=["/nowhere"], env={"drop": ["X*5"], "set": {"S": "s" * 50000}})
    script = ("import os, sys\n"
              "names = {f'X{i}': 'v' * (i % 977) for i in range(2000)}\n"
              f"os.execve({t.program('execs')!r}, ['execs', 'tell'], {{**names, 'L': 'x' * 100000}})\n")
    natively = told(t.native(["/usr/bin/python3", "-S", "-c", script]))
    equal(len(natively), 2001)
    run = t.run(["/usr/bin/python3", "-S", "-c", script], rules)
    expected = [line for line in natively if not line.split("=")[0].endswith("5")]
    equal(told(run), expected + ["S=" + "s" * 50000])


@test
def loader_variables(t):
    """LD_PRELOAD, LD_AUDIT and LD_LIBRARY_PATH of the tool's own are dropped, unless kept."""
    names = ("LD_PRELOAD", "LD_AUDIT", "LD_LIBRARY_PATH")
    command = ["/usr/bin/env", "-i", *(f"{name}=/nowhere/{name}.so" for name in names),
               "LD_BIND_NOW=1", "X=1", t.bin + "/execs_static", "tell"]
    equal(len(told(t.native(command))), 5)
    run = t.run(command, t.wide(exec_deny=["/nowhere"]), options=("-q", "--log", "rewritten"))
    equal(told(run), ["LD_BIND_NOW=1", "X=1"], run)
    records = [record for record in run.records if record["event"] == "rewritten"]
    equal([record["arg"] for record in records], command[2:5])
    equal({record["path"] for record in records}, {t.bin + "/execs_static"})
    keep = t.wide(exec_deny=["/nowhere"], env={"keep": ["LD_*", "X"]})
    equal(told(t.run(command, keep)), command[2:7])
    equal(told(t.run(command, t.wide(exec_deny=["/nowhere"]), options=("-q", "--observe"))),
          command[2:7])


@test
def set_user_id(t):
    """A set-user-ID program gains nothing."""
    path = put(t, "execs", "in/suid", 0o4755)
    if t.root:
        os.chown(path, 1, 1)
        os.chmod(path, 0o6755)
        native = t.native([path, "tell"])
        check("uid 0 1 gid 0 1" in native.out, native)
    run = t.run([path, "tell"], t.wide())
    uid, gid = os.geteuid(), os.getegid()
    check(f"uid {uid} {uid} gid {gid} {gid}\n" in run.out, run)
    check("no_new_privs 1" in run.out, run)


@test
def loader_as_program(t):
    """ld.so runs what it is given: it is only allowed where a policy says so."""
    if t.static:
        return
    loader = "/lib64/ld-linux-x86-64.so.2"
    bad = put(t, "two", "in/program")
    policy = t.wide(execute=[t.bin, "/usr/bin"])
    native = t.native([t.program("execs"), "execve", loader, bad])
    equal(native.code, 2, native)
    run = t.run([t.program("execs"), "execve", loader, bad], policy)
    equal((run.code, run.out), (77, "EACCES\n"), run)
    t.one_record(run, kind="exec", path=os.path.realpath(loader))


@test
def exec_records(t):
    """--log all: each image has an id of its own, and its parent's."""
    run = t.run(["/bin/sh", "-c", f"{t.program('one')}; {t.program('two')}; true"], t.wide(),
                options=("-q", "--log", "all"))
    execs = [record for record in run.records if record["event"] == "exec"]
    equal([record["path"] for record in execs][-2:], [t.program("one"), t.program("two")])
    ids = [record["exec_id"] for record in execs]
    equal(len(set(ids)), len(ids), ids)
    equal(execs[0]["parent_exec_id"], 0)
    for record in execs[1:]:
        equal(record["parent_exec_id"], execs[0]["exec_id"], record)


def small_elf32():
    """exit(42) by int 0x80."""
    code = b"\xb8\x01\0\0\0\xbb\x2a\0\0\0\xcd\x80"
    start, base = 52 + 32, 0x8048000
    header = struct.pack("<4s5B7x2H5I6H", b"\x7fELF", 1, 1, 1, 0, 0, 2, 3, 1, base + start, 52, 0, 0,
                         52, 32, 1, 0, 0, 0)
    size = start + len(code)
    return header + struct.pack("<8I", 1, 0, base, base, size, size, 5, 4096) + code


@test(once=True)
def programs_for_32_bits(t):
    """They start, and end with their first call."""
    path = t.inside + "/elf32"
    with open(path, "wb") as file:
        file.write(small_elf32())
    os.chmod(path, 0o755)
    command = ["/bin/sh", "-c", f"{path}; echo $?"]
    native = t.native(command)
    if native.out != "42\n":
        raise Skip("this kernel runs none: " + native.out)
    run = t.run(command, t.wide())
    equal(run.out, "137\n", run)
    record = t.one_record(run, kind="system", op="call")
    check("32-bit and x32" in record["detail"], record)


@test
def many_execs_leave_nothing(t):
    """Descriptors, memory, threads and processes after N execs are what they were before."""
    count = int(os.environ.get("EXECS", "100000" if LONG else "400"))
    loop = f"{t.program('execs')} loop {t.program('one')} {count}"
    text = f"{loop}; echo half; read x; {loop}; echo end; read x"
    # A sanitized proctor keeps what was freed for a while.
    t.env["ASAN_OPTIONS"] = ":".join([*filter(None, [t.env.get("ASAN_OPTIONS")]),
                                      "quarantine_size_mb=0:thread_local_quarantine_size_kb=0"])
    line, log = t.command(["/bin/sh", "-c", text], t.wide(exec_deny=["/nowhere"]))
    process = t.spawn(line, stdin=subprocess.PIPE)
    seen = []
    try:
        for word in ("half", "end"):
            began = time.monotonic()
            equal(process.stdout.readline(), word + "\n")
            took = time.monotonic() - began
            supervisor = children(process.pid)[0]
            time.sleep(0.3)
            with open(f"/proc/{supervisor}/status", encoding="ascii") as file:
                status = dict(line.split(":\t", 1) for line in file)
            descriptors = len(os.listdir(f"/proc/{supervisor}/fd")) if t.root else 0
            seen.append((descriptors, len(children(supervisor)), int(status["Threads"]),
                         int(status["RssAnon"].split()[0])))
            if count > 400:
                print(f"{count} execs in {took:.0f} s: descriptors, children, threads, kB", seen[-1],
                      flush=True)
            process.stdin.write("go\n")
            process.stdin.flush()
        process.communicate(timeout=30)
        equal(process.returncode, 0)
        check(seen[1][0] <= seen[0][0] and seen[1][1] <= seen[0][1], seen)
        grown = max(0, seen[1][2] - seen[0][2])  # the pool, on a busy machine
        check(grown <= 4 and seen[1][3] <= seen[0][3] + 600 * (1 + grown), seen)
    finally:
        process.kill()
        process.wait()
    t.validate(log)


@test
def unreadable_program(t):
    """A program that may be run but not read."""
    path = put(t, "one", "in/secret", 0o111)
    native = t.native([t.program("execs"), "execve", path])
    run = t.run([t.program("execs"), "execve", path], t.wide())
    equal(run.code, native.code, run)


if __name__ == "__main__":
    sys.exit(main())
