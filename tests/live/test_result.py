#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""--result, several logs at once, and logs that are rotated."""
import json
import os
import pty
import subprocess
import sys
import time

sys.dont_write_bytecode = True
from harness import check, equal, main, need, test, wait_until

FIELDS = ["session", "command", "exit_code", "signal", "timed_out", "limit", "duration_s", "stdout",
          "stderr", "stdout_truncated", "stderr_truncated", "usage", "blocked",
          "blocked_other", "rolled_back"]


def with_result(t, script, options=(), policy=None, **more):
    """The run, and its result."""
    path = t.dir + "/result.json"
    run = t.run(["/bin/sh", "-c", script], policy or t.wide(), options=("--result", path, *options),
                **more)
    with open(path, encoding="utf-8", errors="surrogateescape") as file:
        text = file.read()
    found = json.loads(text)
    equal(list(found), FIELDS)
    check(text.endswith("}\n") and text.count("\n") == 1, text)
    equal([name for name in os.listdir(t.dir) if name.startswith(".")], [], "litter")
    return run, found


@test
def result(t):
    script = (f"echo out; echo err >&2; printf 'a\\377b'; (: > {t.outside}/new); (: > {t.outside}/new);"
              f" head -c 5000 /dev/zero > {t.inside}/zeros; exit 7")
    run, found = with_result(t, script)
    equal((run.code, run.out), (7, "out\na\udcffb"), run)
    check(run.err.startswith("err\n"), run)
    equal(found["stdout"], "out\na\udcffb")
    equal(found["stderr"].splitlines()[0], "err")
    check("proctor" not in found["stderr"], found)
    equal((found["exit_code"], found["signal"], found["timed_out"], found["limit"]),
          (7, None, False, None))
    equal(found["command"], ["/bin/sh", "-c", script])
    equal(found["session"], run.records[0]["session"])
    equal(found["blocked"], [{"class": "file", "op": "create", "path": t.outside + "/new", "count": 2,
                              "rule": None}])
    equal((found["stdout_truncated"], found["stderr_truncated"], found["rolled_back"]),
          (False, False, False))
    equal(found["blocked_other"], 0)
    check(0 < found["duration_s"] < 20, found)
    usage = found["usage"]
    check(usage["bytes_written"] >= 5000 and usage["bytes_written"] < 20000, usage)
    check(usage["max_rss_bytes"] > 100000 and usage["user_s"] + usage["system_s"] > 0, usage)
    equal(usage["processes"], 2, "sh and head")


@test(once=True)
def cpu_time(t):
    _, found = with_result(t, "i=0; while [ $i -lt 300000 ]; do i=$((i+1)); done")
    check(found["usage"]["user_s"] > 0.02, found)


@test(once=True)
def in_the_sessions_folder(t):
    """result.json is always there; output only if it was asked for."""
    path = t.write_policy(t.wide())
    for options, captured in (((), None), (("--result", t.dir + "/r"), "x\n")):
        run = t.native([t.proctor, "run", "-p", path, *options, "--", "/bin/echo", "x"])
        equal((run.code, run.out), (0, "x\n"), run)
        state = t.home + "/.local/state/proctor"
        newest = max((state + "/" + name for name in os.listdir(state)), key=os.path.getmtime)
        with open(newest + "/result.json", encoding="utf-8") as file:
            text = file.read()
        equal(list(json.loads(text)), FIELDS)
        equal(json.loads(text)["stdout"], captured)
    with open(t.dir + "/r", encoding="utf-8") as file:
        equal(file.read(), text)


@test(once=True)
def more_than_it_lists(t):
    """A flood of one kind: the list says what is not in it, and other kinds are in it."""
    flood = ("import os, socket, sys\n"
             "for number in range(4500):\n"
             "    try: os.mkdir(f'{sys.argv[1]}/{number}')\n"
             "    except PermissionError: pass\n"
             "socket.socket().connect(('192.0.2.1', 443))")
    path = t.dir + "/result.json"
    need("python3")
    # To the session's folder: so many records are not put through the validator.
    run = t.native([t.proctor, "run", "-p", t.write_policy(t.wide()), "-q", "--no-stack", "--result", path,
                    "--", "/usr/bin/env", "python3", "-I", "-S", "-c", flood, t.outside],
                   env={**t.env, "PATH": "/usr/local/bin:/usr/bin:/bin"})
    with open(path, encoding="utf-8") as file:
        found = json.load(file)
    check(run.code == 1 and "PermissionError" in found["stderr"], found["stderr"])
    counts = {kind: sum(entry["count"] for entry in found["blocked"] if entry["class"] == kind)
              for kind in ("file", "network")}
    equal(counts["file"] + found["blocked_other"], 4500)
    equal((counts["network"], len(found["blocked"]) > 3000, found["blocked_other"] > 0),
          (1, True, True))


@test
def quiet(t):
    run, found = with_result(t, "echo out; echo err >&2", options=("-q",))
    equal((run.code, run.out, run.err), (0, "", ""), run)
    equal((found["stdout"], found["stderr"]), ("out\n", "err\n"))


@test
def truncated(t):
    """Kept up to 64 KiB of each, passed on in full and in order."""
    run, found = with_result(t, "seq 1 200000; head -c 65536 /dev/zero | tr '\\0' e >&2")
    equal(run.out, "".join(f"{number}\n" for number in range(1, 200001)))
    equal((found["stdout"], found["stdout_truncated"]), (run.out[:65536], True))
    equal((found["stderr"], found["stderr_truncated"]), ("e" * 65536, False))


@test(once=True)
def limit_of_the_policy(t):
    """limits.output says how much is kept."""
    run, found = with_result(t, "seq 1 3000", policy=t.wide(limits={"output": "1k"}))
    equal(run.out.splitlines()[-1], "3000")
    equal((found["stdout"], found["stdout_truncated"]), (run.out[:1024], True))
    run, found = with_result(t, "echo x", policy=t.wide(limits={"output": "10"}))
    equal((found["stdout"], found["stdout_truncated"]), ("x\n", False))


@test
def endings(t):
    run, found = with_result(t, "kill -KILL $$")
    equal((run.code, found["exit_code"], found["signal"]), (137, 137, "SIGKILL"))
    began = time.monotonic()
    run, found = with_result(t, "echo begun; trap '' TERM; sleep 50", options=("--timeout", "300ms"))
    check(time.monotonic() - began < 5)
    equal((run.code, run.out, found["exit_code"]), (124, "begun\n", 124))
    equal((found["timed_out"], found["limit"], found["signal"], found["stdout"]),
          (True, "wall", None, "begun\n"))
    run, found = with_result(t, "exec /not/there")
    equal((run.code, found["exit_code"]), (127, 127))


@test
def reader_goes_away(t):
    """As natively: the tool gets SIGPIPE."""
    command, _ = t.command(["/usr/bin/yes"], t.wide(), options=("--result", t.dir + "/r"))
    codes = []
    for line in (["/usr/bin/yes"], command):
        process = t.spawn(line)
        equal(process.stdout.readline(), "y\n")
        process.stdout.close()
        process.stdout = None
        process.communicate(timeout=20)
        codes.append(process.returncode)
    equal(codes, [-13, 128 + 13])


@test
def slow_reader(t):
    """What the tool wrote before it ended arrives, however late."""
    command, _ = t.command(["/usr/bin/seq", "1", "60000"], t.wide(), options=("--result", t.dir + "/r"))
    process = t.spawn(command)
    time.sleep(0.5)
    out, _ = process.communicate(timeout=20)
    equal(out.splitlines()[-1], "60000")
    equal(process.returncode, 0)


@test
def stalled_reader(t):
    """Who reads a little and then no more, as a pager does, does not hold up the result of a run whose
    time is over."""
    path = t.dir + "/result.json"
    line, _ = t.command(["/bin/sh", "-c", "cat /dev/zero >&2 & exec cat /dev/zero"], t.wide(),
                        ("--result", path, "--timeout", "2s"))
    process = t.spawn(line, stderr=subprocess.STDOUT)
    try:
        time.sleep(1)
        # Room for what one of both streams has to pass on.
        os.read(process.stdout.fileno(), 4096)
        check(wait_until(lambda: os.path.exists(path)), "there is no result")
    finally:
        process.stdout.close()
        equal(process.wait(timeout=60), 124)


@test
def daemon_keeps_the_pipe(t):
    began = time.monotonic()
    run, found = with_result(t, "setsid sleep 60 & echo done")
    equal((run.code, run.out, found["stdout"]), (0, "done\n", "done\n"))
    check(time.monotonic() - began < 5)


@test
def out_of_the_tools_reach(t):
    """A result in a folder that the tool may write; what it leads to was found before the start."""
    path = t.inside + "/result.json"
    script = (f"(echo forged > {path}); ln -s {t.outside}/victim {path}; mkdir {path}; "
              f"mv {t.inside}/file {path}; mv {t.inside} {t.dir}/moved; true")
    run = t.native(["/bin/sh", "-c", script])
    check(os.path.exists(t.dir + "/moved/result.json"), "it does not work natively:", run)
    os.rename(t.dir + "/moved", t.dir + "/was")
    t.plant()
    run = t.run(["/bin/sh", "-c", script], t.wide(write=[t.dir]), options=("-q", "--result", path))
    with open(path, encoding="utf-8") as file:
        equal(json.load(file)["exit_code"], 0)
    check(not os.path.exists(t.outside + "/victim") and not os.path.islink(path))
    check(len(run.blocked) >= 4, run)


@test(once=True)
def where_it_goes(t):
    """Links are followed; what cannot be written is said before anything runs."""
    os.symlink(t.outside + "/real", t.inside + "/result")
    _, log = t.command(["true"])
    run = t.native([t.proctor, "run", "-p", t.write_policy(t.wide()), "-o", log, "--result", "result",
                    "--", "/bin/echo", "x"])
    equal(run.code, 0, run)
    check(os.path.islink(t.inside + "/result"))
    with open(t.outside + "/real", encoding="utf-8") as file:
        equal(json.load(file)["stdout"], "x\n")
    for bad in (t.dir + "/none/r", t.dir, ""):
        run = t.native([t.proctor, "run", "--result", bad, "--", "/bin/echo", "ran"])
        equal((run.code, run.out), (125, ""), bad, run)
    run = t.native([t.proctor, "run", "-q", "-p", t.write_policy(t.wide()), "-o", log, "--result",
                    "/dev/stdout", "--", "/bin/echo", "x"])
    equal(json.loads(run.out)["stdout"], "x\n", run)
    check(os.path.islink("/dev/stdout"))


@test(once=True)
def without_it_output_is_the_callers(t):
    """A terminal, or whatever it is, stays what it is."""
    for options, expected in (((), True), (("--result", t.dir + "/r"), False)):
        reader, writer = pty.openpty()
        line, _ = t.command(["/bin/sh", "-c", "test -t 1 && test -t 2"], t.wide(), options=options)
        process = subprocess.Popen(line, stdout=writer, stderr=writer, stdin=writer, env=t.env)
        equal(process.wait(timeout=20) == 0, expected, options)
        os.close(reader)
        os.close(writer)


# ------------------------------------------------------------------ sinks

@test
def several_logs(t):
    """The same records in each, each with a chain of its own."""
    first, second = t.dir + "/first", t.dir + "/second"
    t.run(["/bin/true"], t.wide(), log=second)
    run = t.run(["/bin/sh", "-c", f"(: > {t.outside}/new); true"], t.wide(), log=first,
                options=("-q", "-o", second, "-o", "-"))
    equal(run.code, 0, run)
    t.validate(first, second)
    logs = [open(first, encoding="utf-8").read().splitlines(),
            open(second, encoding="utf-8").read().splitlines()[2:], run.err.splitlines()[1:]]
    check("cannot create" in run.err, run)
    logs[2] = [line for line in run.err.splitlines() if line.startswith("{")]
    bodies = [[{**json.loads(line), "ts": 0, "prev": 0, "hash": 0} for line in log] for log in logs]
    equal([record["event"] for record in bodies[0]], ["start", "blocked", "end"])
    equal(bodies[0], bodies[1])
    equal(bodies[0], bodies[2])
    check(logs[0] != logs[1])


@test
def rotated(t):
    """Files of a size, the oldest removed; the chain goes through; the tool can touch none."""
    log = t.inside + "/log"
    script = (f"i=0; while [ $i -lt 60 ]; do (: > {t.outside}/$i); i=$((i+1)); done; "
              f"for f in log.1 log.2 log.3; do rm -f {t.inside}/$f; (echo x >> {t.inside}/$f); done; true")
    run = t.native([t.proctor, "run", "-q", "-p", t.write_policy(t.wide()), "-o", log, "--rotate",
                    "8k,2", "--", "/bin/sh", "-c", script])
    equal(run.code, 0, run)
    equal(sorted(name for name in os.listdir(t.inside) if name.startswith("log")),
          ["log", "log.1", "log.2"])
    for name in (log + ".1", log + ".2"):
        check(8192 <= os.path.getsize(name) < 8192 + 3000, os.path.getsize(name))
    verified = t.native([t.proctor, "log", "--verify", log])
    equal(verified.code, 0, verified)
    check("the chain is whole" in verified.out, verified)
    shown = t.native([t.proctor, "log", "--format", "json", log])
    records = [json.loads(line) for line in shown.out.splitlines()]
    equal([record["seq"] for record in records],
          list(range(records[0]["seq"], records[-1]["seq"] + 1)))
    check(records[0]["seq"] > 1 and records[-1]["event"] == "end")
    refused = [record for record in records if record.get("path", "").startswith(log)]
    check(len(refused) >= 3, "the rotated files can be changed")
    os.unlink(log + ".2")
    verified = t.native([t.proctor, "log", "--verify", log])
    equal((verified.code, verified.out), (1, ""), verified)
    check("lines before it were removed" in verified.err, verified)


@test(once=True)
def bad_rotation(t):
    for size in ("x", "0", "-1", "10Q", "1M,0", "1M,", "1M,9999999", "99999999999G", ""):
        run = t.native([t.proctor, "run", "--rotate", size, "--", "/bin/echo", "ran"])
        equal((run.code, run.out), (125, ""), size, run)


if __name__ == "__main__":
    sys.exit(main())
