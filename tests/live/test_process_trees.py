#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""Trees of many processes behave as they do natively, and come to an end."""
import os
import pathlib
import shutil
import sys

sys.dont_write_bytecode = True
from harness import LONG, Skip, check, equal, main, test

TIMES = 1000 if LONG else 5


def needs(program):
    if not shutil.which(program):
        raise Skip(f"no {program}")


def policies(t):
    """Every exec is verified; and every open is asked about as well."""
    return (t.wide(exec_deny=["/nowhere"]), t.narrow(exec_deny=["/nowhere"]))


def same(t, command, **more):
    native = t.native(command, **more)
    equal(native.code, 0, native)
    for policy in policies(t):
        run = t.run(command, policy, **more)
        equal((run.code, run.out, run.err), (0, native.out, native.err), run)
        equal(run.blocked, [], run)


@test(once=True)
def pipelines(t):
    """In dash and bash, again and again."""
    text = (f"i=0; while [ $i -lt {TIMES} ]; do "
            "seq 40 | grep 3 | sort -r | head -n 2 | cat | tr '\\n' ' '; (exit 3) | true; "
            "i=$((i + 1)); done; echo end")
    for shell in ("/bin/sh", "/bin/bash"):
        if os.path.exists(shell):
            same(t, [shell, "-c", text])


@test(once=True)
def parallel_make(t):
    needs("make")
    lines = ["all: " + " ".join(f"out{i}" for i in range(24))]
    for i in range(24):
        before = f"out{i // 2}" if i > 3 else ""
        lines += [f"out{i}: {before}", f"\t@sh -c 'echo {i} | cat >out{i}; test -s out{i}'"]
    pathlib.Path(t.inside + "/Makefile").write_text("\n".join(lines) + "\n", encoding="ascii")
    for policy in policies(t):
        for i in range(24):
            pathlib.Path(f"{t.inside}/out{i}").unlink(missing_ok=True)
        run = t.run(["make", "-s", "-j8"], policy)
        equal((run.code, run.out, run.err, run.blocked), (0, "", "", []), run)
        equal([pathlib.Path(f"{t.inside}/out{i}").read_text(encoding="ascii") for i in range(24)],
              [f"{i}\n" for i in range(24)])


@test(once=True)
def parallel_xargs(t):
    needs("xargs")
    same(t, ["/bin/sh", "-c", "seq 40 | xargs -P8 -n1 sh -c 'echo $0; exit 0' | sort -n | cksum"])


@test(once=True)
def trees_of_programs(t):
    """As package managers and build tools have them: programs that start programs, many at once."""
    text = ("import subprocess, sys, concurrent.futures as f\n"
            "depth = int(sys.argv[1])\n"
            "if depth:\n"
            "    with f.ThreadPoolExecutor(4) as pool:\n"
            "        print(sum(pool.map(lambda _: int(subprocess.run([sys.executable, '-S', sys.argv[0],\n"
            "              str(depth - 1)], stdout=subprocess.PIPE, check=True).stdout), range(3))) + 1)\n"
            "else:\n"
            "    print(1)\n")
    pathlib.Path(t.inside + "/tree.py").write_text(text, encoding="ascii")
    same(t, ["/usr/bin/python3", "-S", "tree.py", "2"])


@test(once=True)
def node(t):
    """Its threads, its compiler's memory, its children."""
    needs("node")
    text = ("const {execSync, spawnSync} = require('child_process');\n"
            "const {Worker} = require('worker_threads');\n"
            "let sum = 0; for (let i = 0; i < 3e6; i++) sum += i % 7;\n"
            "for (let i = 0; i < 5; i++) sum += Number(execSync('echo ' + i));\n"
            "console.log(sum, spawnSync('cat', ['file']).stdout.toString().trim());\n"
            "new Worker('require(\"worker_threads\").parentPort.postMessage(6 * 7)', {eval: true})\n"
            "    .on('message', console.log);\n")
    policy = t.wide(execute=["/usr", "/bin", "/opt"])
    native = t.native(["node", "-e", text])
    equal(native.code, 0, native)
    run = t.run(["node", "-e", text], policy)
    equal((run.code, run.out, run.blocked), (0, native.out, []), run)


@test(once=True)
def interpreters_of_the_kernel(t):
    """binfmt_misc: a program that only the kernel knows of is run for a file. It needs its own grant."""
    binfmt = "/proc/sys/fs/binfmt_misc"
    path = t.inside + "/document"
    pathlib.Path(path).write_bytes(b"PROCTORTEST\n")
    os.chmod(path, 0o755)
    interpreter = f"{t.dir}/out/interpreter"
    shutil.copy("/bin/echo", interpreter)

    def namespaced(command):
        """In a user namespace, which has a binfmt_misc of its own (6.7)."""
        text = f"mount -t binfmt_misc none {binfmt} && echo ':proctor:M::PROCTORTEST::{interpreter}:' " \
               f">{binfmt}/register && exec \"$@\""
        return ["unshare", "-Urm", "/bin/sh", "-c", text, "sh", *command]

    if t.native(namespaced([path, "x"])).out != f"{path} x\n":
        raise Skip("no binfmt_misc in a user namespace")
    for exec_deny, expected in (([], (0, f"{path} x\n")), ([t.outside], (137, ""))):
        line, log = t.command([path, "x"], t.wide(exec_deny=["/nowhere", *exec_deny]))
        run = t.native(namespaced(line))
        equal((run.code, run.out), expected, run)
        run.log = log
        t.validate(log)
        if exec_deny:
            t.one_record(run, kind="exec", decision="kill", path=interpreter)
        else:
            equal(run.blocked, [], run)


if __name__ == "__main__":
    sys.exit(main())
