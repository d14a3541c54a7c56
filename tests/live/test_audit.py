#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""The log: nothing that must be logged goes on unlogged, and the tool cannot touch it."""
import json
import os
import resource
import signal
import socket
import subprocess
import sys
import threading
import time

sys.dont_write_bytecode = True
from harness import Skip, call, check, children, equal, is_alive, main, test, wait_until

CREATE = os.O_WRONLY | os.O_CREAT


def attempts(t, count):
    """A tool that tries what is refused, over and over, and then says so."""
    path = t.outside + "/new"
    return ["/bin/sh", "-c",
            f"i=0; while [ $i -lt {count} ]; do (: > {path}) 2>/dev/null; i=$((i+1)); done; "
            "echo went-on; sleep 5; echo still-here"]


def must_end(t, run, began):
    equal(run.code, 125, run)
    check("still-here" not in run.out, "it went on:", run)
    check("proctor: " in run.err and "log" in run.err, "no message:", run)
    check(time.monotonic() - began < 4, "it took", time.monotonic() - began)
    check(not os.path.exists(t.outside + "/new"))


@test
def full_device(t):
    began = time.monotonic()
    run = t.run(attempts(t, 5), t.wide(), log="/dev/full", fine=False)
    equal((run.code, run.out), (125, ""), run)
    check("proctor: " in run.err, run)
    check(time.monotonic() - began < 4)


@test
def size_limit(t):
    """The disk is full in the middle of the run."""
    began = time.monotonic()
    run = t.run(attempts(t, 100), t.wide(), fine=False,
                preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (8192, 8192)))
    must_end(t, run, began)
    check("went-on" not in run.out, run)


@test(user="root")
def full_disk(t):
    disk = t.dir + "/disk"
    os.mkdir(disk)
    mounted = t.native(["mount", "-t", "tmpfs", "-o", "size=16k", "none", disk])
    if mounted.code:
        raise Skip("cannot mount: " + mounted.err.strip())
    try:
        began = time.monotonic()
        run = t.run(attempts(t, 100), t.wide(), log=disk + "/log", fine=False)
        must_end(t, run, began)
    finally:
        t.native(["umount", disk])


@test
def closed_pipe(t):
    """-o -, and nobody reads standard error any more."""
    line, _ = t.command(attempts(t, 100), t.wide(), log="-")
    reader, writer = os.pipe()
    process = t.spawn(line, stderr=writer)
    os.close(writer)
    os.read(reader, 1)
    os.close(reader)
    stdout, _ = process.communicate(timeout=20)
    equal(process.returncode, 125)
    check("still-here" not in stdout, stdout)


@test
def log_taken_away(t):
    for how_ in ("unlink", "rename", "replace"):
        log = f"{t.dir}/log-{how_}"
        line, _ = t.command(["/bin/sh", "-c", "echo ready; sleep 0.3; " + attempts(t, 5)[2]],
                            t.wide(), log=log)
        process = t.spawn(line)
        equal(process.stdout.readline(), "ready\n")
        if how_ == "unlink":
            os.unlink(log)
        elif how_ == "rename":
            os.rename(log, log + "-moved")
        else:
            with open(log + "-new", "w", encoding="ascii"):
                pass
            os.rename(log + "-new", log)
        stdout, stderr = process.communicate(timeout=20)
        equal(process.returncode, 125, how_, stderr)
        check("still-here" not in stdout, how_, stdout)
        check("proctor: " in stderr, stderr)


@test
def refused_before_it_is_known(t):
    """kill -9 of the supervisor loses no attempt that the tool has seen refused."""
    line, log = t.command([t.program("calls"), "-"], t.wide())
    process = t.spawn(line, stdin=subprocess.PIPE)
    supervisor = wait_until(lambda: children(process.pid))[0]
    for number in range(50):
        process.stdin.write(call("open", f"{t.outside}/new{number}", CREATE, 0o600) + "\n")
        process.stdin.flush()
        equal(process.stdout.readline(), "-EACCES\n")
    os.kill(supervisor, signal.SIGKILL)
    process.stdin.close()
    process.stdin = None
    process.communicate(timeout=10)
    t.validate(log)
    with open(log, encoding="utf-8") as file:
        names = [json.loads(line).get("path") for line in file][1:]
    equal(names, [f"{t.outside}/new{number}" for number in range(50)])


@test
def out_of_the_tools_reach(t):
    """A log in a folder that the tool may write."""
    folder = t.inside + "/logs"
    os.mkdir(folder)
    log = folder + "/audit"
    statements = [call("open", log, os.O_WRONLY), call("open", log, os.O_WRONLY | os.O_APPEND),
                  call("open", log, os.O_RDONLY | os.O_TRUNC), call("truncate", log, 0),
                  call("unlink", log), call("rename", log, "x"), call("rename", "file", log),
                  call("rename", folder, t.inside + "/moved"),
                  call("rename", t.inside, t.dir + "/moved"), call("chmod", log, 0o777),
                  call("link", log, t.inside + "/second"), call("rmdir", folder),
                  call("open", "logs/../logs/audit", os.O_RDWR),
                  call("open", log, os.O_RDONLY)]
    found, run = t.calls(statements, t.wide(write=[t.dir]), log=log)
    equal(found[:-1], ["-EACCES"] * (len(statements) - 1), run)
    equal(len(run.blocked), len(statements) - 1, run)
    t.validate(log)
    # Nor where nothing is enforced.
    observed = [call("open", log, os.O_WRONLY), call("unlink", log), call("link", log, "x"),
                call("open", "new", CREATE, 0o600)]
    found, run = t.calls(observed, t.policy(write=[]), log=log, options=("-q", "--observe"))
    equal(found, ["-EACCES", "-EACCES", "-EACCES", "3"], run)
    t.validate(log)


@test
def state_folder(t):
    """Where sessions are kept, under a policy that lets everything be written."""
    path = t.write_policy(t.wide(write=["/"]))
    state = t.home + "/.local/state/proctor"
    run = t.native([t.proctor, "run", "-p", path, "--", "/bin/sh", "-c",
                    f"cd {state} && for s in *; do rm -rf $s; mv $s x; "
                    "echo x >> $s/audit.jsonl; done; "
                    f"mv {t.home}/.local {t.home}/.moved; touch {state}/new"])
    check(run.code != 125, run)
    check(not os.path.exists(state + "/new"), run)
    check(os.path.isdir(state), run)
    for session in os.listdir(state):
        t.validate(f"{state}/{session}/audit.jsonl")


@test
def two_runs_into_one_file(t):
    """One after the other: one chain. At once: refused."""
    log = t.dir + "/log"
    for _ in range(3):
        t.run(["/bin/sh", "-c", f": > {t.outside}/new"], t.wide(), log=log)
    with open(log, encoding="utf-8") as file:
        events = [json.loads(line)["event"] for line in file]
    equal(events, ["start", "blocked", "end"] * 3)
    line, _ = t.command(["/bin/sleep", "5"], t.wide(), log=log)
    process = t.spawn(line)
    wait_until(lambda: children(process.pid) and children(children(process.pid)[0]))
    try:
        run = t.run(["/bin/echo", "second"], t.wide(), log=log, fine=False)
        equal((run.code, run.out), (125, ""), run)
    finally:
        process.terminate()
        process.communicate()


@test
def unix_socket(t):
    path = t.dir + "/collector"
    server = socket.socket(socket.AF_UNIX)
    server.bind(path)
    server.listen()
    got = []

    def collect():
        peer, _ = server.accept()
        while data := peer.recv(65536):
            got.append(data)
    thread = threading.Thread(target=collect)
    thread.start()
    run = t.run(["/bin/sh", "-c", f": > {t.outside}/new"], t.wide(), log="unix:" + path, fine=False)
    thread.join(5)
    equal(run.code, 2, run)
    events = [json.loads(line)["event"] for line in b"".join(got).splitlines()]
    equal(events, ["start", "blocked", "end"])
    os.unlink(path)
    run = t.run(["/bin/echo", "x"], t.wide(), log="unix:" + path, fine=False)
    equal((run.code, run.out), (125, ""), run)


@test
def levels(t):
    script = f"cat file > copy; : > {t.outside}/new; true"
    for level, events in (("blocked", {"start", "blocked", "end"}),
                          ("rewritten", {"start", "blocked", "end"}),
                          ("all", {"start", "blocked", "allowed", "exec", "exit", "end"})):
        run = t.run(["/bin/sh", "-c", script], t.wide(), options=("-q", "--log", level))
        equal({record["event"] for record in run.records}, events, level)
        counts = run.records[-1]["counts"]["event"]
        for event in ("blocked", "allowed", "exec", "exit"):
            equal(counts[event], sum(record["event"] == event for record in run.records), event)
        equal(run.records[-1]["dropped"], 0)
    allowed = [record for record in run.records if record["event"] == "allowed"]
    paths = {record.get("path"): record for record in allowed}
    check(t.inside + "/file" in paths and t.inside + "/copy" in paths, sorted(map(str, paths)))
    equal(paths[t.inside + "/file"]["decision"], "allow")
    check(paths[t.inside + "/file"]["rule"] is not None, "no rule named")


@test
def tool_is_ended_with_its_tree(t):
    """The log fails: daemons end as well."""
    pid_file = t.inside + "/daemon"
    run = t.run(["/bin/sh", "-c",
                 f"setsid sh -c 'echo $$ > {pid_file}; exec sleep 60' & sleep 0.3; "
                                  + attempts(t, 100)[2]], t.wide(), fine=False,
                preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (8192, 8192)))
    equal(run.code, 125, run)
    with open(pid_file, encoding="ascii") as file:
        check(not is_alive(int(file.read())), "a daemon is left")


if __name__ == "__main__":
    sys.exit(main())
