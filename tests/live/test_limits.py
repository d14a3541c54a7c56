#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""on_block: kill, and the limits that end or bound a tool."""
import os
import signal
import sys
import time

sys.dont_write_bytecode = True
from harness import check, equal, is_alive, main, patient, test, wait_until

SH = "/bin/sh"
PYTHON = "/usr/bin/python3" if os.path.exists("/usr/bin/python3") else sys.executable
KILLED = 128 + signal.SIGKILL
FSIZE = 128 + signal.SIGXFSZ


def plant_secret(t):
    """A file that t.narrow() does not let the tool read."""
    t.plant()
    secret = t.outside + "/secret"
    with open(secret, "w", encoding="ascii") as file:
        file.write("secret\n")
    return secret


# ------------------------------------------------------------------ on_block

@test
def blocked_and_killed(t):
    """The first refused call is the last thing that the tool does, and its tree goes with it."""
    secret = plant_secret(t)
    script = (f"trap 'kill $(cat pid)' EXIT; sleep 1000 >out 2>&1 & echo $! >pid; echo before; "
              f"cat {secret} >copy; echo after; echo after >mark")
    native = t.native([SH, "-c", f"cat {secret}; echo after"])
    equal(native.out, "secret\nafter\n")
    run = t.run([SH, "-c", script], t.narrow())
    equal((run.code, run.out), (0, "before\nafter\n"), "denied only:", run)
    os.unlink(t.inside + "/mark")

    policy = t.narrow(on_block="kill")
    began = time.monotonic()
    run = t.run([SH, "-c", script], policy, options=())
    equal((run.code, run.out), (KILLED, "before\n"), run)
    check(time.monotonic() - began < patient(5), "it took", time.monotonic() - began)
    check(not os.path.exists(t.inside + "/mark"), "it went on")
    equal(os.path.getsize(t.inside + "/copy"), 0)
    check("on_block: kill" in run.err, run)
    equal([record["event"] for record in run.records], ["start", "blocked", "end"], run)
    equal((run.blocked[0]["decision"], run.blocked[0]["path"]), ("kill", secret), run)
    equal(run.records[-1]["exit_code"], KILLED, run)
    with open(t.inside + "/pid", encoding="ascii") as file:
        pid = int(file.read())
    check(wait_until(lambda: not is_alive(pid)), "a child is left")


@test
def a_kernel_door_kills(t):
    script = "import ctypes,os; ctypes.CDLL(None).ptrace(16, os.getppid(), 0, 0); print('after')"
    command = [PYTHON, "-c", script]
    equal(t.run(command, t.wide()).out, "after\n")
    run = t.run(command, t.wide(on_block="kill"))
    equal((run.code, run.out), (KILLED, ""), run)
    equal([(record["syscall"], record["decision"]) for record in run.blocked],
          [("ptrace", "kill")], run)


@test
def nothing_blocked_nothing_killed(t):
    run = t.run([SH, "-c", "echo x >file; cat file; cat missing; rm file"],
                t.wide(on_block="kill"))
    equal((run.code, run.out), (0, "x\n"), run)


@test
def observing_kills_nothing(t):
    secret = plant_secret(t)
    run = t.run(["/bin/cat", secret], t.narrow(on_block="kill"), options=("-q", "--observe"))
    equal((run.code, run.out), (0, "secret\n"), run)
    equal([record["event"] for record in run.records], ["start", "would_block", "end"], run)


@test
def threads_that_race_with_the_kill(t):
    """Whatever else is under way when one call is refused, nothing of it is allowed later."""
    secret = plant_secret(t)
    script = (f"for i in 1 2 3 4; do (while :; do cat {secret}; done) & done; wait; echo after")
    run = t.run([SH, "-c", script], t.narrow(on_block="kill"))
    equal((run.code, run.out), (KILLED, ""), run)
    check(1 <= len(run.blocked) <= 4, run)


# ------------------------------------------------------------------ limits of a process

@test
def open_files(t):
    script = ("import os\nn = 0\ntry:\n    while n < 5000: os.open('/dev/null', 0); n += 1\n"
              "except OSError as error: print(error.strerror, n < 40)\nelse: print('all')")
    command = [PYTHON, "-c", script]
    policy = t.wide(limits={"open_files": 40})
    native = t.native([SH, "-c", 'ulimit -n; exec "$@"', "sh", *command])
    check(not native.out.startswith("40\n"), native)
    run = t.run(command, policy)
    equal(run.out, "Too many open files True\n", run)
    # It cannot be raised again, and mediated opens go by it as well.
    run = t.run([SH, "-c", "ulimit -n; ulimit -Hn; ulimit -n 41 || echo no"], policy)
    equal(run.out.split(), ["40", "40", "no"], run)
    run = t.run(command, t.narrow(limits={"open_files": 40}))
    equal(run.out, "Too many open files True\n", run)


@test
def file_size(t):
    """Beyond it nothing is written, not by a call that the supervisor carries out either."""
    policy = t.wide(limits={"file_size": "10k"})
    big = "head -c 20000 /dev/zero >big; echo $?"
    equal(t.native([SH, "-c", big]).out, "0\n")
    run = t.run([SH, "-c", big], policy)
    equal(run.out.split(), [str(FSIZE)], run)
    equal(os.path.getsize(t.inside + "/big"), 10240)
    script = ("import os,signal,sys\nsignal.signal(signal.SIGXFSZ, signal.SIG_{})\n"
              "for size in (10240, 10241, 1 << 40):\n"
              "    try: os.truncate('trunc', size); print(os.path.getsize('trunc'))\n"
              "    except OSError as error: print(error.strerror)\n")
    for disposition, code in (("IGN", 0), ("DFL", FSIZE)):
        with open(t.inside + "/trunc", "w", encoding="ascii"):
            pass
        command = [PYTHON, "-c", script.format(disposition)]
        native = t.native([SH, "-c", 'ulimit -f 20; exec "$@"', "sh", *command])
        run = t.run(command, policy)
        equal(native.code if native.code >= 0 else 128 - native.code, code, native)
        equal((run.code, run.out), (code, native.out), disposition, run)
        check(os.path.getsize(t.inside + "/trunc") <= 10240)
    # A smaller file, and one that is larger already: only growth is refused.
    with open(t.inside + "/large", "wb") as file:
        file.write(bytes(30000))
    run = t.run([PYTHON, "-c", "import os; os.truncate('large', 20000)"], policy)
    equal((run.code, os.path.getsize(t.inside + "/large")), (0, 20000), run)


@test
def limits_of_the_caller_stay(t):
    """A limit that is tighter already is not loosened."""
    line, _ = t.command([SH, "-c", "ulimit -n"], t.wide(limits={"open_files": 1000000}))
    run = t.native([SH, "-c", 'ulimit -n 300; exec "$@"', "sh", *line])
    equal(run.out, "300\n", run)


if __name__ == "__main__":
    sys.exit(main())
