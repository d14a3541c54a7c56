#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""on_block: kill, and the limits that end or bound a tool."""
import contextlib
import os
import shutil
import signal
import sys
import tempfile
import time

sys.dont_write_bytecode = True
from harness import Skip, check, equal, is_alive, main, patient, test, wait_until

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


# ------------------------------------------------------------------ limits of the tree

def ended_by(run, limit, text):
    """The limit ended the run, the log and the user are told so, and nothing goes on."""
    equal(run.code, KILLED, run)
    equal([(record["detail"], record["rule"]["text"]) for record in run.records
           if record["event"] == "limit"], [("limit " + limit, text)], run)
    check(f"the limit {text} (" in run.err and "was reached" in run.err, run)
    equal(run.records[-1]["exit_code"], KILLED, run)


def passes(t, command, text, policy):
    """Natively, and under a limit that is not reached."""
    equal(t.native(command).out, text)
    run = t.run(command, policy)
    equal((run.code, run.out), (0, text), run)
    check(not [record for record in run.records if record["event"] == "limit"], run)


@test
def cpu(t):
    """One process that computes, and many that each compute a little."""
    short = [SH, "-c", "i=0; while [ $i -lt 1000 ]; do i=$((i+1)); done; echo done"]
    passes(t, short, "done\n", t.wide(limits={"cpu": "60s"}))
    for script in ("while :; do :; done",
                   "while :; do (i=0; while [ $i -lt 5000 ]; do i=$((i+1)); done); done",
                   "(while :; do :; done) & (while :; do :; done) & wait"):
        run = t.run([SH, "-c", f"echo begun; {script}"], t.wide(limits={"cpu": "300ms"}), options=())
        equal(run.out, "begun\n", run)
        ended_by(run, "cpu", "cpu: 300ms")


@test
def cpu_of_orphans(t):
    """What a process used counts, also when its parent never waited for it."""
    script = ("while :; do (sh -c 'i=0; while [ $i -lt 20000 ]; do i=$((i+1)); done' &); "
              "sleep 0.05; done")
    ended_by(t.run([SH, "-c", script], t.wide(limits={"cpu": "300ms"}), options=()), "cpu", "cpu: 300ms")


MEMORY = {"memory": "96M"}
TAKE = "x = bytearray(b'1') * (256 << 20)"


@test
def memory(t):
    enough = [PYTHON, "-c", "x = bytearray(b'1') * (32 << 20); print('done')"]
    passes(t, enough, "done\n", t.wide(limits=MEMORY))
    for body in (TAKE,
                 "import mmap; x = mmap.mmap(-1, 256 << 20)\n"
                 "for i in range(0, 256 << 20, 4096): x[i] = 1",
                 "import os; x = os.memfd_create('x')\n"
                 "for i in range(256): os.write(x, bytes(1 << 20))",
                 "import os\nfor i in range(8):\n"
                 "    if os.fork() == 0: x = bytearray(b'1') * (32 << 20); break\n",
                 "import ctypes\nlibc = ctypes.CDLL(None); libc.shmat.restype = ctypes.c_void_p\n"
                 "shm = libc.shmget(0, 256 << 20, 0o1600)\n"
                 "at = libc.shmat(shm, None, 0)\nlibc.shmctl(shm, 0, None)\n"
                 "ctypes.memset(at, 1, 256 << 20)",
                 # A process of which the first thread has ended.
                 "import ctypes, threading, time\n"
                 f"def take():\n    {TAKE}\n    time.sleep(60)\n"
                 "threading.Thread(target=take).start()\n"
                 "ctypes.CDLL(None).pthread_exit(None)"):
        body += "\nimport time; time.sleep(60)"
        run = t.run([PYTHON, "-c", body], t.wide(limits=MEMORY), options=())
        ended_by(run, "memory", "memory: 96M")


@test
def memory_of_nobody(t):
    """System V shared memory is there until it is removed, also when no process has it attached."""
    script = ("import ctypes, sys, time\n"
              "c = ctypes.CDLL(None)\n"
              "c.shmat.restype = ctypes.c_void_p\n"
              "def fill():\n"
              "    segment = c.shmget(0, 8 << 20, 0o1600)\n"
              "    at = c.shmat(segment, None, 0)\n"
              "    ctypes.memset(at, 1, 8 << 20)\n"
              "    c.shmdt(ctypes.c_void_p(at))\n"
              "    if int(sys.argv[1]): c.shmctl(segment, 0, None)\n"
              "for i in range(32): fill()\n"
              "time.sleep(int(sys.argv[2]))\n")
    equal(t.run([PYTHON, "-c", script, "1", "0"], t.wide(limits=MEMORY)).code, 0)
    run = t.run([PYTHON, "-c", script, "0", "60"], t.wide(limits=MEMORY), options=())
    ended_by(run, "memory", "memory: 96M")


@test
def what_cannot_be_looked_at(t):
    """A program that nobody may read has memory that nobody sees."""
    policy = {**t.wide(limits=MEMORY), "exec": {"allow": ["/"]}}
    run = t.run([SH, "-c", "cp /bin/sleep nap; chmod 111 nap; ./nap 60"], policy, options=())
    ended_by(run, "memory", "memory: 96M")


@test
def descriptors_for_looking(t):
    """A tool that has the supervisor hold descriptors leaves it enough to look at the limits."""
    with in_memory() as folder:
        policy = t.wide(write=[t.inside, folder], limits={**MEMORY, "disk": "8M"})
        script = (f"try:\n    for i in range(1000): open('{folder}/%d' % i, 'w').close()\n"
                  f"except OSError as error: print(error.strerror, flush=True)\n{TAKE}\n"
                  "import time; time.sleep(60)")
        line, log = t.command([PYTHON, "-c", script], policy, ())
        run = t.native([SH, "-c", 'ulimit -n 256; exec "$@"', SH, *line])
        run.log = log
        t.validate(log)
        equal(run.out, "Too many open files\n", run)
        ended_by(run, "memory", "memory: 96M")


@test
def shared_memory_counts_once(t):
    """Children share what their parent had; a parent in vfork(2) shares all of it."""
    script = ("import os, subprocess, time\nx = bytearray(b'1') * (50 << 20)\n"
              "children = []\n"
              "for i in range(6):\n"
              "    pid = os.fork()\n"
              "    if pid == 0: time.sleep(1); os._exit(0)\n"
              "    children.append(pid)\n"
              "for i in range(20): subprocess.run(['/bin/true'])\n"
              "for pid in children: os.waitpid(pid, 0)\n"
              "print('done')")
    passes(t, [PYTHON, "-c", script], "done\n", t.wide(limits=MEMORY))


def disk_in(t, folder):
    policy = t.wide(write=[t.inside, folder, "/dev/null"], limits={"disk": "8M"})
    small = f"cd {folder}; head -c 1000000 /dev/zero >small; cat small >copy; rm copy; echo done"
    large = "head -c 40000000 /dev/zero | wc -c; head -c 40000000 /dev/zero >/dev/null"
    passes(t, [SH, "-c", small], "done\n", policy)
    passes(t, [SH, "-c", large], "40000000\n", policy)
    for script in ("head -c 100000000 /dev/zero >big",
                   "exec 3>gone; rm gone; head -c 100000000 /dev/zero >&3",
                   "i=0; while [ $i -lt 500 ]; do i=$((i+1)); (head -c 200000 /dev/zero >big.$i &)"
                   "; done; wait"):
        run = t.run([SH, "-c", f"cd {folder}; {script}; sleep 60"], policy, options=())
        ended_by(run, "disk", "disk: 8M")


@test
def set_aside(t):
    """fallocate(2) takes disk that nobody writes to."""
    script = ("import os\nfd = os.open('big', os.O_RDWR | os.O_CREAT)\n"
              "for size in (1 << 20, 1 << 40, 6 << 20, 6 << 20):\n"
              "    try: os.posix_fallocate(fd, 0, size); print('done')\n"
              "    except OSError as error: print(error.strerror)\n"
              "os.unlink('big')")
    equal(t.native([PYTHON, "-c", script.replace("1 << 40, ", "")]).out, "done\n" * 3)
    run = t.run([PYTHON, "-c", script], t.wide(limits={"disk": "8M"}))
    no = "No space left on device\n"
    equal((run.code, run.out), (0, f"done\n{no}done\n{no}"), run)
    equal([(record["syscall"], record["errno"], record["detail"]) for record in run.records
           if record["event"] == "limit"], [("fallocate", "ENOSPC", "limit disk")] * 2, run)


@test
def disk(t):
    disk_in(t, t.inside)


@contextlib.contextmanager
def in_memory():
    """A folder of a tmpfs."""
    memory = "/dev/shm"
    if not os.path.ismount(memory) or not os.access(memory, os.W_OK):
        raise Skip(f"there is no tmpfs {memory}")
    folder = tempfile.mkdtemp(dir=memory)
    os.chmod(folder, 0o777)
    try:
        yield folder
    finally:
        shutil.rmtree(folder)


@test
def disk_in_memory(t):
    """A tmpfs, where the kernel does not count for a process what it writes; it is memory, too."""
    with in_memory() as folder:
        disk_in(t, folder)
        policy = t.wide(write=[folder], limits=MEMORY)
        run = t.run([SH, "-c", f"head -c 200000000 /dev/zero >{folder}/big; sleep 60"], policy,
                    options=())
        ended_by(run, "memory", "memory: 96M")
        # What the supervisor writes there is not to be taken for what the tool writes elsewhere.
        script = ("import os\nfor i in range(4000):\n"
                  "    try: open('/%d' % i + 'x' * 240, 'w')\n"
                  "    except OSError: pass\n"
                  "for i in range(30):\n"
                  "    os.system('(head -c 500000 /dev/zero >orphan.%d &) ; sleep 0.2' % i)\n"
                  "import time; time.sleep(60)")
        run = t.run([PYTHON, "-c", script], t.wide(limits={"disk": "2M"}),
                    options=("--no-stack",), log=folder + "/log")
        ended_by(run, "disk", "disk: 2M")
        check(sum(os.path.getsize(f"{t.inside}/{name}") for name in os.listdir(t.inside)
                  if name.startswith("orphan.")) < 4 << 20, os.listdir(t.inside))
        # What was there before is not the tool's, until it is written anew.
        run = t.run([SH, "-c", f"cd {folder}; ls | wc -l; echo >>big"],
                    t.wide(write=[folder], limits={"disk": "8M"}))
        equal(run.code, 0, run)


FORKS = ("import os, sys, time\n"
         "made = []\n"
         "try:\n"
         "    for i in range(30):\n"
         "        pid = os.fork()\n"
         "        if pid == 0: time.sleep(60); os._exit(0)\n"
         "        made.append(pid)\n"
         "except OSError as error: print(error.strerror)\n"
         "print(len(made))\n"
         "for pid in made: os.kill(pid, 9); os.waitpid(pid, 0)\n")


@test
def processes(t):
    equal(t.native([PYTHON, "-c", FORKS]).out, "30\n")
    # Once some have ended there is room again.
    command = [PYTHON, "-c", FORKS + "if os.fork() == 0: os._exit(0)\nos.wait()\nprint('more')"]
    policy = t.wide(limits={"processes": 10})
    # What opens doors does not lift the limit.
    run = t.run(command, {**policy, "syscalls": {"allow": ["clone", "clone3", "fork"]}})
    equal(run.out, "Resource temporarily unavailable\n9\nmore\n", run)
    run = t.run(command, policy, options=())
    equal((run.code, run.out), (0, "Resource temporarily unavailable\n9\nmore\n"), run)
    limits = [record for record in run.records if record["event"] == "limit"]
    equal([(record["detail"], record["syscall"] in ("clone", "fork"), record["errno"],
            record["rule"]["text"]) for record in limits],
          [("limit processes", True, "EAGAIN", "processes: 10")], run)
    script = ("import threading, time\n"
              "all = [threading.Thread(target=time.sleep, args=(0.2,)) for i in range(20)]\n"
              "for one in all: one.start()\n"
              "for one in all: one.join()\nprint('threads')")
    passes(t, [PYTHON, "-c", script], "threads\n", t.wide(limits={"processes": 2}))


@test
def a_fork_bomb(t):
    """Many threads that all fork at once get no more than there is room for."""
    script = ("import glob, os, threading, time\n"
              "def bomb():\n"
              "    while True:\n"
              "        try:\n"
              "            if os.fork() == 0: time.sleep(60)\n"
              "        except OSError: time.sleep(0.01)\n"
              "for i in range(20): threading.Thread(target=bomb, daemon=True).start()\n"
              "most = 0\n"
              "until = time.monotonic() + 1\n"
              "while time.monotonic() < until:\n"
              "    children = ''\n"
              "    for name in glob.glob('/proc/self/task/*/children'):\n"
              "        with open(name) as file: children += file.read() + ' '\n"
              "    most = max(most, len(children.split()) + 1)\n"
              "    time.sleep(0.05)\n"
              "print(most, flush=True)\nos._exit(0)")
    run = t.run([PYTHON, "-c", script], t.wide(limits={"processes": 12}))
    equal((run.code, run.out), (0, "12\n"), run.err)


if __name__ == "__main__":
    sys.exit(main())
