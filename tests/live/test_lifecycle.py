#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""A run from launch to end: what the tool is given, signals, job control, who ends with whom."""
import os
import pty
import re
import select
import shlex
import signal
import subprocess
import sys
import time

sys.dont_write_bytecode = True
from harness import (check, children, equal, is_alive, main, patient, state_of, test,
                     wait_until)

SH = "/bin/sh"


def native_code(code):
    return code if code >= 0 else 128 - code


def descendants(pid):
    found = []
    for child in children(pid):
        found += [child, *descendants(child)]
    return found


def start(t, command, policy=None, options=("-q",), **more):
    line, log = t.command(command, policy or t.wide(), options)
    process = t.spawn(line, **more)
    process.log = log
    return process


def finish(process, seconds=10):
    try:
        stdout, stderr = process.communicate(timeout=seconds)
    except subprocess.TimeoutExpired:
        process.kill()
        process.communicate()
        check(False, "proctor does not end")
    return native_code(process.returncode), stdout, stderr


def line_of(process):
    """One line of output, without waiting for ever."""
    ready, _, _ = select.select([process.stdout], [], [], 10)
    check(ready, "no output")
    return process.stdout.readline().strip()


# ------------------------------------------------------------------ what the tool is given

@test
def confinement(t):
    run = t.run(["/bin/cat", "/proc/self/status"], t.wide())
    for field in ("CapInh", "CapPrm", "CapEff", "CapAmb"):
        check(f"{field}:\t0000000000000000\n" in run.out, field, run.out)
    check("NoNewPrivs:\t1\n" in run.out, run.out)
    check("Seccomp:\t2\n" in run.out, run.out)
    check("TracerPid:\t0\n" in run.out, run.out)
    native = t.native(["/bin/cat", "/proc/self/status"])
    for field in ("Uid", "Gid", "Groups", "SigBlk", "SigIgn", "SigCgt", "Umask",
                  "Cpus_allowed_list"):
        pattern = re.compile(rf"^{field}:.*$", re.M)
        equal(pattern.findall(run.out), pattern.findall(native.out))


@test
def inherited_signal_state(t):
    """What the caller ignored or blocked, the tool ignores or blocks. A parent that ignores SIGCHLD
    hears of no child's end: not we."""
    def prepare():
        for number in (signal.SIGUSR2, signal.SIGCHLD, signal.SIGHUP):
            signal.signal(number, signal.SIG_IGN)
        signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGUSR1])
    native = t.native(["/bin/cat", "/proc/self/status"], preexec_fn=prepare)
    run = t.run(["/bin/cat", "/proc/self/status"], t.wide(), preexec_fn=prepare)
    for field in ("SigBlk", "SigIgn"):
        pattern = re.compile(rf"^{field}:.*$", re.M)
        equal(pattern.findall(run.out), pattern.findall(native.out))


@test
def descriptors(t):
    extra = [os.dup(0) for _ in range(5)]
    for fd in extra:
        os.set_inheritable(fd, True)
    try:
        run = t.run([t.program("execs"), "tell"], t.wide(), pass_fds=extra)
    finally:
        for fd in extra:
            os.close(fd)
    equal(re.findall(r"^fd (\d+)$", run.out, re.M), ["0", "1", "2"], run)


@test
def environment(t):
    native = t.native([t.program("execs"), "tell"])
    run = t.run([t.program("execs"), "tell"], t.wide())
    plain, inside = (sorted(re.findall(r"^env (.*)$", text, re.M)) for text in (native.out,
                                                                                run.out))
    added = [entry for entry in inside if entry not in plain]
    equal([entry for entry in plain if entry not in inside], [])
    equal(len(added), 1, added)
    check(re.fullmatch(r"PROCTOR_SESSION=\S+", added[0]), added)
    equal(run.records[0]["session"], added[0].partition("=")[2])


@test
def environment_by_policy(t):
    env = {**t.env, "SECRET_TOKEN": "x", "LC_TIME": "C", "OTHER": "y"}
    policy = t.wide(env={"keep": ["PATH", "LC_*", "*_TOKEN"], "drop": ["*_TOKEN"],
                         "set": {"CI": "1"}})
    run = t.run([t.program("execs"), "tell"], policy, env=env)
    names = sorted(entry.partition("=")[0] for entry in re.findall(r"^env (.*)$", run.out, re.M))
    equal(names, ["CI", "LC_ALL", "LC_TIME", "PATH", "PROCTOR_SESSION"])


@test
def streams(t):
    """Standard streams are the caller's own: a file, a pipe, closed."""
    equal(t.run(["/bin/cat"], t.wide(), stdin="through\n").out, "through\n")
    with open(t.inside + "/file", "rb") as file:
        equal(t.run(["/bin/cat"], t.wide(), stdin=None, **{"close_fds": True}).out, "")
        line, _ = t.command(["/bin/cat"], t.wide())
        equal(subprocess.run(line, stdin=file, stdout=subprocess.PIPE, env=t.env, cwd=t.inside,
                             check=False).stdout, b"contents of in/file\n")
    run = t.run(["/bin/sh", "-c", "readlink /proc/self/fd/0; echo to-err >&2"], t.wide(),
                preexec_fn=lambda: os.close(0))
    equal((run.code, run.err), (0, "to-err\n"), run)
    run = t.run(["/bin/true"], t.wide(), preexec_fn=lambda: os.closerange(0, 3))
    equal(run.code, 0, run)


@test
def deleted_working_folder(t):
    gone = t.dir + "/gone"
    os.mkdir(gone)
    line, _ = t.command(["/bin/echo", "here"], t.wide())
    script = 'cd "$1"; rmdir "$1"; shift; exec "$@"'
    run = t.native([SH, "-c", script, "sh", gone, *line])
    check((run.code, run.out) == (0, "here\n") or (run.code == 125 and "proctor: " in run.err), run)


@test
def nested(t):
    """A proctor in a proctor would have a looser policy or none: it is refused."""
    # A sanitized proctor looks for leaks by ptrace, which it may not do inside.
    t.env["ASAN_OPTIONS"] = "detect_leaks=0"
    run = t.run([t.proctor, "run", "-p", "observe", "-o", "-", "--", "/bin/echo", "inner"],
                t.wide(write=["/"]), options=(), fine=False)
    equal(run.code, 125, run)
    equal(run.out, "", run)
    check(re.search("proctor: .*(already|listener|inside)", run.err), run)


# ------------------------------------------------------------------ exit codes

@test
def exit_codes(t):
    for code in (0, 1, 2, 77, 124, 125, 126, 127, 128, 137, 255):
        run = t.run([SH, "-c", f"exit {code}"], t.wide(), fine=False)
        equal(run.code, code, run)
        t.validate(run.log)
        equal(run.records[-1]["exit_code"], code)
    for number in (signal.SIGTERM, signal.SIGKILL, signal.SIGSEGV, signal.SIGUSR1, signal.SIGHUP):
        run = t.run([SH, "-c", f"kill -{int(number)} $$"], t.wide())
        equal(run.code, 128 + number, run)


@test
def time_limit(t):
    """A tree that will not go."""
    script = ("trap '' TERM INT HUP; (trap '' TERM; setsid sleep 100) & "
              "sleep 100 & while :; do sleep 100; done")
    began = time.monotonic()
    process = start(t, [SH, "-c", script], options=("--timeout", "500ms"))
    check(wait_until(lambda: len(descendants(process.pid)) >= 5), "it does not start")
    tree = descendants(process.pid)
    code, _, stderr = finish(process)
    equal(code, 124)
    check(time.monotonic() - began < patient(3), "it took", time.monotonic() - began)
    check("0.5 s" in stderr, stderr)
    equal([pid for pid in tree if is_alive(pid)], [])
    t.validate(process.log)
    run = t.run(["/bin/true"], t.wide(), options=("-q", "--timeout", "60"))
    equal(run.code, 0)
    run = t.run(["/bin/sleep", "20"], t.wide(limits={"wall": "300ms"}))
    equal(run.code, 124, run)
    equal([record["event"] for record in run.records], ["start", "limit", "end"])


# ------------------------------------------------------------------ signals

@test
def signals_are_passed_on(t):
    """To proctor alone, as kill(1) does: the tool gets them and decides."""
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGWINCH, signal.SIGUSR1):
        name = number.name[3:]
        script = f"trap 'echo got; exit 3' {name}; echo ready; while :; do sleep 0.05; done"
        process = start(t, [SH, "-c", script], start_new_session=True)
        equal(line_of(process), "ready")
        os.kill(process.pid, number)
        code, out, _ = finish(process)
        equal((code, out), (3, "got\n"), name)
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        process = start(t, [SH, "-c", "echo ready; exec sleep 20"], start_new_session=True)
        line_of(process)
        os.kill(process.pid, number)
        equal(finish(process)[0], 128 + number)


@test
def group_signals_come_once(t):
    """A signal to the whole group reaches the tool once, as natively."""
    script = ("n=0; trap 'n=$((n+1))' USR1; echo ready; i=0; "
              "while [ $i -lt 12 ]; do sleep 0.05; i=$((i+1)); done; echo $n")
    counts = []
    for launch in (lambda: t.spawn([SH, "-c", script], start_new_session=True),
                   lambda: start(t, [SH, "-c", script], start_new_session=True)):
        process = launch()
        line_of(process)
        time.sleep(0.1)
        # The sleeps in the group end by it as well, natively and inside alike.
        os.kill(process.pid, signal.SIGUSR1)
        counts.append(finish(process)[1:2])
    equal(counts[0], counts[1])


STOPS_AND_ENDS = "sleep 60 & kill -STOP $!; sleep 0.2; exit 4"
STOPS_ONE = "sleep 60 & kill -STOP $!; echo ready; sleep 60"


@test
def group_without_job_control(t):
    """As under cron: what the tool leaves stopped is no reason to hang up the script around it."""
    line, _ = t.command([SH, "-c", STOPS_AND_ENDS], t.wide(), ["-q"])
    for command in ([SH, "-c", STOPS_AND_ENDS], line):
        script = f"trap 'echo hung up' HUP; {shlex.join(command)}; echo code $?"
        process = t.spawn([SH, "-c", script], start_new_session=True)
        equal(process.stdout.readline(), "code 4\n", command)
        os.killpg(process.pid, signal.SIGKILL)
        finish(process)
    # The supervisor is killed: the kernel looks whether its children leave an orphaned group.
    line, _ = t.command([SH, "-c", STOPS_ONE], t.wide(), ["-q"])
    script = f"trap 'echo hung up' HUP; {shlex.join(line)}; echo code $?"
    process = t.spawn([SH, "-c", script], start_new_session=True)
    equal(line_of(process), "ready")
    guardian = wait_until(lambda: children(process.pid))[0]
    supervisor = wait_until(lambda: children(guardian))[0]
    wait_until(lambda: any(state_of(pid) == "T" for pid in descendants(supervisor)))
    os.kill(supervisor, signal.SIGKILL)
    equal(finish(process)[1], "code 125\n")


# ------------------------------------------------------------------ terminals

class Terminal:
    """A shell-like parent of a job in a terminal of its own."""

    def __init__(self, command, t):
        self.parent, self.fd = pty.fork()
        if self.parent == 0:
            try:
                os.chdir(t.inside)
                self.be_shell(command, t)
            finally:
                os._exit(99)
        self.text = b""

    @staticmethod
    def be_shell(command, t):
        """Starts the job in the foreground, says how it changes, brings it back when stopped."""
        signal.signal(signal.SIGTTOU, signal.SIG_IGN)
        job = os.fork()
        if job == 0:
            os.setpgid(0, 0)
            os.tcsetpgrp(0, os.getpid())
            signal.signal(signal.SIGTTOU, signal.SIG_DFL)
            os.execve(command[0], command, t.env)
        try:
            os.setpgid(job, job)
        except PermissionError:
            pass
        os.tcsetpgrp(0, job)
        while True:
            _, status = os.waitpid(job, os.WUNTRACED)
            if os.WIFSTOPPED(status):
                os.tcsetpgrp(0, os.getpgrp())
                print(f"[stopped {os.WSTOPSIG(status)}]", flush=True)
                time.sleep(0.3)
                os.tcsetpgrp(0, job)
                os.killpg(job, signal.SIGCONT)
            else:
                os.tcsetpgrp(0, os.getpgrp())
                code = (os.WEXITSTATUS(status) if os.WIFEXITED(status)
                        else 128 + os.WTERMSIG(status))
                print(f"[ended {code}]", flush=True)
                os._exit(0)

    def expect(self, words, seconds=8):
        end = time.monotonic() + seconds
        while words.encode() not in self.text:
            left = end - time.monotonic()
            check(left > 0, f"no '{words}' on the terminal:", self.text)
            if select.select([self.fd], [], [], left)[0]:
                try:
                    self.text += os.read(self.fd, 4096)
                except OSError:
                    break
        check(words.encode() in self.text, f"no '{words}' on the terminal:", self.text)

    def type(self, keys):
        os.write(self.fd, keys)

    def close(self):
        os.close(self.fd)
        try:
            os.kill(self.parent, signal.SIGKILL)
        except ProcessLookupError:
            pass
        os.waitpid(self.parent, 0)


def on_terminal(t, script, act):
    line, _ = t.command(["/bin/bash", "--norc", "-c", script], t.wide(write=["/dev", t.inside]))
    for command in (["/bin/bash", "--norc", "-c", script], line):
        terminal = Terminal(command, t)
        try:
            act(terminal)
        finally:
            terminal.close()


@test
def terminal_interrupt(t):
    """Ctrl-C."""
    def act(terminal):
        terminal.expect("ready")
        terminal.type(b"\x03")
        terminal.expect("[ended 130]")
    on_terminal(t, "echo ready; sleep 20; echo not-here", act)

    def trapped(terminal):
        terminal.expect("ready")
        terminal.type(b"\x03")
        terminal.expect("[ended 4]")
        check(terminal.text.count(b"got") == 1, "more than one:", terminal.text)
    on_terminal(t, "trap 'echo got; n=1' INT; echo ready; sleep 0.5; sleep 0.5; exit 4", trapped)


@test
def terminal_stop(t):
    """Ctrl-Z, then in the foreground again."""
    def act(terminal):
        terminal.expect("ready")
        time.sleep(0.1)
        terminal.type(b"\x1a")
        terminal.expect("[stopped 20]")
        terminal.expect("back")
        terminal.expect("[ended 7]")
    on_terminal(t, "echo ready; sleep 0.7; echo back; exit 7", act)


@test(once=True)
def terminal_stop_while_a_thread_waits(t):
    """Nobody hears of the stop before the last thread stands; this one is in an open."""
    def act(terminal):
        terminal.expect("ready")
        time.sleep(0.3)
        terminal.type(b"\x1a")
        terminal.expect("[stopped 20]")
        terminal.expect("opened back")
        terminal.expect("[ended 7]")
    program = ("import os, threading, time; os.mkfifo(f\"fifo-{os.getpid()}\"); "
               "wait = threading.Thread(target=lambda: os.open(f\"fifo-{os.getpid()}\", 1)); "
               "wait.start(); print(\"ready\", flush=True); time.sleep(1.5); "
               "os.open(f\"fifo-{os.getpid()}\", 0); wait.join(); "
               "print(\"opened back\", flush=True); os._exit(7)")
    on_terminal(t, f"exec python3 -S -c '{program}'", act)


@test
def terminal_stop_by_itself(t):
    def act(terminal):
        terminal.expect("[stopped 19]")
        terminal.expect("back")
        terminal.expect("[ended 0]")
    on_terminal(t, "kill -STOP $$; echo back", act)


STEAL = ("import fcntl, os, sys, termios\n"
         "if os.fork() == 0:\n"
         "    os.setsid()\n"
         "    for steal in (0, 1):\n"
         "        try:\n"
         "            fcntl.ioctl(0, termios.TIOCSCTTY, steal)\n"
         "            print('taken', steal)\n"
         "        except OSError as error:\n"
         "            print('refused', error.errno)\n"
         "    try:\n"
         "        fcntl.ioctl(0, termios.TIOCSTI, b'x')\n"
         "        print('typed')\n"
         "    except OSError as error:\n"
         "        print('not typed')\n"
         "else:\n"
         "    os.wait()\n"
         "    print('end', flush=True)\n")


@test(once=True)
def terminal_stolen(t):
    """TIOCSCTTY takes the caller's terminal only with a capability that even root's tool has not."""
    command = ["/usr/bin/python3", "-S", "-c", STEAL]
    line, _ = t.command(command, t.wide(write=["/dev", t.inside]))
    for words, expected in ((command, "taken 1" if t.root else "refused 1"), (line, "refused 1")):
        terminal = Terminal(words, t)
        try:
            terminal.expect("end", 20)
            check(terminal.text.count(b"refused 1") + terminal.text.count(b"taken 1") == 2,
                  terminal.text)
            check(expected.encode() in terminal.text, words[0], terminal.text)
            if words is line:
                check(b"taken" not in terminal.text and b"not typed" in terminal.text, terminal.text)
        finally:
            terminal.close()


@test
def terminal_input(t):
    """Its own terminal, read line by line; /dev/tty is it."""
    def act(terminal):
        terminal.expect("ready")
        terminal.type(b"word\n")
        terminal.expect("read: word")
        terminal.type(b"again\n")
        terminal.expect("tty: again")
        terminal.expect("[ended 0]")
    on_terminal(t,
                'echo ready; read x; echo "read: $x"; read y </dev/tty; echo "tty: $y" >/dev/tty',
                act)


# ------------------------------------------------------------------ the end of the tree

TREE = ("sleep 101 & setsid sleep 102 & "
        "(setsid sh -c 'sleep 103 & exec sleep 104' & ) ; "
        "sh -c 'kill -STOP $$; sleep 105' & echo ready; {end}")


def grow(t, end, **more):
    """A tree with daemons and a stopped process: proctor, its supervisor, the others."""
    process = start(t, [SH, "-c", TREE.format(end=end)], **more)
    line_of(process)
    check(wait_until(lambda: len(descendants(process.pid)) >= 7), descendants(process.pid))
    supervisor = children(process.pid)[0]
    check(wait_until(lambda: any(state_of(pid) == "T" for pid in descendants(supervisor))),
          "nothing is stopped")
    return process, supervisor, descendants(supervisor)


def gone(pids, seconds):
    return wait_until(lambda: not [pid for pid in pids if is_alive(pid)], seconds)


@test
def supervisor_killed(t):
    process, supervisor, tree = grow(t, "sleep 100")
    os.kill(supervisor, signal.SIGKILL)
    check(gone(tree, 1), "left:", [pid for pid in tree if is_alive(pid)])
    code, _, stderr = finish(process)
    equal(code, 125, stderr)
    check("proctor: " in stderr, stderr)


STUBBORN = """
import ctypes, os, signal, time
libc = ctypes.CDLL(None)
for number in signal.valid_signals() - {signal.SIGKILL, signal.SIGSTOP, 32, 33}:
    signal.signal(number, signal.SIG_IGN)
libc.prctl(1, 0, 0, 0, 0)   # PR_SET_PDEATHSIG
libc.prctl(36, 1, 0, 0, 0)  # PR_SET_CHILD_SUBREAPER
for i in range(6):
    if os.fork() == 0:
        if i % 2:
            os.setsid()
        if i > 3:
            os.kill(os.getpid(), signal.SIGSTOP)
        if os.fork() == 0 or i % 3:
            while True:
                time.sleep(100)
        os._exit(0)
print("ready", flush=True)
while True:
    time.sleep(100)
"""


@test(once=True)
def supervisor_killed_before_a_stubborn_tree(t):
    """It wants no signal at its parent's end, is its own orphans' parent, heeds nothing; some stand."""
    process = start(t, ["/usr/bin/python3", "-S", "-c", STUBBORN])
    line_of(process)
    supervisor = children(process.pid)[0]
    check(wait_until(lambda: sum(state_of(pid) == "T" for pid in descendants(supervisor)) == 2
                     and len(descendants(supervisor)) >= 9), descendants(supervisor))
    tree = descendants(supervisor)
    os.kill(supervisor, signal.SIGKILL)
    check(gone(tree, patient(1)), "left:", [pid for pid in tree if is_alive(pid)])
    equal(finish(process)[0], 125)


@test
def guardian_killed(t):
    process, supervisor, tree = grow(t, "sleep 100")
    os.kill(process.pid, signal.SIGKILL)
    check(gone([*tree, supervisor], 1), "left:", [pid for pid in tree if is_alive(pid)])
    process.communicate()


@test
def both_killed(t):
    """At once: nobody is left to do it, except for the kernel and what watches each other."""
    process, supervisor, tree = grow(t, "sleep 100")
    os.kill(supervisor, signal.SIGSTOP)
    os.kill(process.pid, signal.SIGKILL)
    os.kill(supervisor, signal.SIGKILL)
    try:
        check(gone(tree[:1], 1), "the tool's first process lives on")
    finally:
        for pid in tree:
            try:
                os.kill(pid, signal.SIGKILL)
            except ProcessLookupError:
                pass
        process.communicate()


@test
def first_process_ends(t):
    """Its descendants are ended before proctor is."""
    process, _, tree = grow(t, "sleep 0.3; exit 6")
    code, _, stderr = finish(process)
    equal(code, 6, stderr)
    equal([pid for pid in tree if state_of(pid)], [], "left")


@test
def grace(t):
    """SIGTERM first; 100 ms to clean up."""
    script = ("(trap 'echo cleaned > cleaned; exit' TERM; while :; do sleep 0.02; done) & "
              "sleep 0.2; exit 0")
    began = time.monotonic()
    run = t.run([SH, "-c", script], t.wide())
    equal(run.code, 0, run)
    check(os.path.exists(t.inside + "/cleaned"), "no time to clean up", run)
    check(time.monotonic() - began < 2, "it took too long")


@test
def no_zombies(t):
    process = start(t, [SH, "-c", "for i in 1 2 3 4 5; do (sleep 0.05 &) ; done; sleep 0.5; "
                                  "echo ready; sleep 0.5"])
    line_of(process)
    time.sleep(0.1)
    supervisor = children(process.pid)[0]
    zombies = [pid for pid in descendants(supervisor) if state_of(pid) == "Z"]
    equal(zombies, [])
    equal(finish(process)[0], 0)


@test
def tool_killed_from_outside(t):
    """At any moment, in the middle of an exec as well."""
    for delay in (0, 0.01, 0.03, 0.1, 0.2):
        process = start(t, [t.program("execs"), "loop", t.program("one"), "100000"],
                        policy=t.wide(exec_deny=["/nowhere"]))
        supervisor = wait_until(lambda: children(process.pid))[0]
        tool = wait_until(lambda: children(supervisor))[0]
        time.sleep(delay)
        os.kill(tool, signal.SIGKILL)
        equal(finish(process)[0], 137)
    script = f"exec {t.program('execs')} execve /proc/self/exe execve /proc/self/exe tell"
    for _ in range(5):
        process = start(t, [SH, "-c", f"i=0; while :; do {script}; done"],
                        policy=t.wide(exec_deny=["/nowhere"]))
        supervisor = wait_until(lambda: children(process.pid), 1)
        tool = wait_until(lambda: children(supervisor[0]), 1) if supervisor else None
        if tool:
            try:
                os.kill(tool[0], signal.SIGKILL)
            except ProcessLookupError:
                pass
        check(finish(process)[0] in (0, 137), "exit code")


@test
def nothing_is_left_behind(t):
    """No file in the tool's folder, and a session's folder where it belongs."""
    before = sorted(os.listdir(t.inside))
    path = t.write_policy(t.wide())
    run = t.native([t.proctor, "run", "-p", path, "--", "/bin/true"])
    equal((run.code, run.out, run.err), (0, "", ""), run)
    equal(sorted(os.listdir(t.inside)), before)
    state = t.home + "/.local/state/proctor"
    sessions = os.listdir(state)
    check(sessions, "no session")
    for session in sessions:
        equal(sorted(os.listdir(f"{state}/{session}")), ["audit.jsonl", "result.json"])
        t.validate(f"{state}/{session}/audit.jsonl")


def ipc_objects():
    """The numbers of the host's System V objects, by kind."""
    found = set()
    for kind in ("shm", "sem", "msg"):
        with open("/proc/sysvipc/" + kind, encoding="ascii") as lines:
            found |= {f"{kind} {line.split()[1]}" for line in list(lines)[1:]}
    return found


@test
def ipc_objects_go_with_the_tool(t):
    """Nobody could use them: each run has those only that it made."""
    script = ("import ctypes\nlibc = ctypes.CDLL(None)\n"
              "print('shm', libc.shmget(0, 4096, 0o1600))\n"
              "print('sem', libc.semget(0, 1, 0o1600))\n"
              "print('msg', libc.msgget(0, 0o1600))\n")
    made = t.native(["/usr/bin/python3", "-c", script]).out.split("\n")[:3]
    check(set(made) <= ipc_objects(), made)
    for line in made:
        t.native(["ipcrm", "-" + {"shm": "m", "sem": "s", "msg": "q"}[line.split()[0]],
                  line.split()[1]])
    run = t.run(["/usr/bin/python3", "-c", script], t.wide())
    made = run.out.split("\n")[:3]
    equal([line.split()[0] for line in made], ["shm", "sem", "msg"], run)
    equal(set(made) & ipc_objects(), set(), run)


if __name__ == "__main__":
    sys.exit(main())
