#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""Ways out that a review found: each works natively and is shut."""
import ctypes
import json
import os
import pty
import re
import select
import signal
import struct
import subprocess
import sys
import time

sys.dont_write_bytecode = True
from harness import (AT_EMPTY_PATH, AT_FDCWD, AT_SYMLINK_FOLLOW, Failure, LONG, RENAME_EXCHANGE,
                     RENAME_NOREPLACE, SYSTEM, Skip, blob, call, check, children, equal, is_alive,
                     main, out, patient, state_of, test, wait_until)

SH = "/bin/sh"
PYTHON = "/usr/bin/python3"
TRIES = 100000 if LONG else 3000
LIBC = ctypes.CDLL(None, use_errno=True)


def record_each(run, number, **fields):
    equal(len(run.blocked), number, "records:", run)
    for record in run.blocked:
        equal(record["decision"], "deny")
        for field, value in fields.items():
            equal(record.get(field), value, record)


# ------------------------------------------------------------------ core files

@test
def core_file(t):
    """The kernel writes it where the process stands, and asks no supervisor."""
    with open("/proc/sys/kernel/core_pattern", encoding="ascii") as file:
        pattern = file.read().strip()
    if not re.fullmatch(r"[\w.%-]+", pattern):
        raise Skip(f"core_pattern is {pattern!r}: no file in the working folder")
    place = t.outside + "/empty"
    command = [t.program("esc_core"), place]
    run = t.native(command)
    equal(run.code, -signal.SIGABRT, run)
    if not os.listdir(place):
        raise Skip("no core file natively")
    for policy in (t.narrow(), t.wide(), t.policy()):
        t.plant()
        run = t.run(command, policy, fine=False)
        check(run.code in (128 + signal.SIGABRT, 98), run)
        equal(os.listdir(place), [], "a core file")
    t.plant()
    t.run([SH, "-c", f"ulimit -c unlimited; cd '{place}'; kill -SEGV $$"], t.wide())
    equal(os.listdir(place), [], "a core file")


# ------------------------------------------------------------------ the log

@test
def log_by_other_names(t):
    """The log lies where the tool may write: under no name does it reach it."""
    log = t.inside + "/audit.jsonl"
    acts = {
        "hard link": "ln audit.jsonl x && : > x",
        "link by descriptor": f"exec '{t.program('calls')}' " + " ".join((
            call("open", log, os.O_PATH),
            call("linkat", 3, "", AT_FDCWD, "x", AT_EMPTY_PATH),
            call("linkat", AT_FDCWD, "/proc/self/fd/3", AT_FDCWD, "x", AT_SYMLINK_FOLLOW),
            call("truncate", "x", 0))),
        "another name": "mv audit.jsonl x && : > x",
        "another file over it": "echo >y && mv y audit.jsonl",
        "exchange": f"exec '{t.program('calls')}' " + call(
            "renameat2", AT_FDCWD, "file", AT_FDCWD, log, RENAME_EXCHANGE),
        "removal": "rm -f audit.jsonl && : > audit.jsonl",
        "symbolic link": "ln -s audit.jsonl x && : > x",
        "working folder": ": > /proc/self/cwd/audit.jsonl",
        "its folder": f"mv '{t.inside}' '{t.dir}/away'",
    }
    for what, script in acts.items():
        t.plant()
        with open(log, "w", encoding="ascii") as file:
            file.write("a log\n")
        native = t.native([SH, "-c", script])
        if what == "its folder":
            os.rename(t.dir + "/away", t.inside)
        found = open(log, encoding="ascii").read() if os.path.exists(log) else ""
        names = os.listdir(t.inside)
        check(found != "a log\n" or "x" in names or what == "its folder",
              "natively it stays as it is:", what, native)
        t.plant()
        run = t.run([SH, "-c", script + "; cat /dev/null > '" + t.outside + "/last'"],
                    t.policy(write=[t.dir, "/dev/null"], deny=[t.outside]), log=log)
        check(os.path.exists(log), what, "the log is gone:", run)
        info = os.lstat(log)
        equal(info.st_nlink, 1, what, "names of the log")
        records = run.records
        equal([record["event"] for record in (records[0], records[-1])], ["start", "end"], what)
        check(run.blocked, what, "no record:", run)


# ------------------------------------------------------------------ stopped

def descendants(pid):
    found = []
    for child in children(pid):
        found += [child, *descendants(child)]
    return found


def end(*pids):
    for pid in pids:
        try:
            os.kill(pid, signal.SIGKILL)
        except ProcessLookupError:
            pass


def finish(process, seconds):
    try:
        return process.communicate(timeout=seconds)
    except subprocess.TimeoutExpired:
        tree = descendants(process.pid)
        end(*tree, process.pid)
        process.communicate()
        raise Failure("proctor does not end") from None


@test
def stopped_under_a_time_limit(t):
    """Nobody would wake it: the limit ends it all the same."""
    for script in ("kill -STOP $$", "kill -STOP 0", "(kill -STOP $$) & kill -STOP $$; sleep 9"):
        native = t.spawn([SH, "-c", script], start_new_session=True)
        try:
            check(wait_until(lambda: state_of(native.pid) == "T"), "natively it does not stop")
        finally:
            os.killpg(native.pid, signal.SIGKILL)
            native.communicate()
        line, log = t.command([SH, "-c", script], t.wide(), ("-q", "--timeout", "2"))
        began = time.monotonic()
        process = t.spawn(line, start_new_session=True)
        tree = wait_until(lambda: descendants(process.pid)[1:])
        finish(process, 10)
        equal(process.returncode, 124, script)
        check(1.5 < time.monotonic() - began < 4.5, "it took", time.monotonic() - began)
        check(wait_until(lambda: not [pid for pid in tree if is_alive(pid)], 1), "left:", tree)
        t.validate(log)


@test
def supervisor_killed_while_all_is_stopped(t):
    """Neither the tool nor the guardian runs when it happens."""
    start = "sleep 61 & setsid sleep 62 & echo ready; "
    for stop_tool, stop_guardian in ((True, False), (True, True), (False, True)):
        script = start + ("kill -STOP $$; " if stop_tool else "") + "sleep 63; :"
        line, _ = t.command([SH, "-c", script], t.wide())
        process = t.spawn(line, start_new_session=True)
        tree = []
        try:
            ready, _, _ = select.select([process.stdout], [], [], 10)
            check(ready and process.stdout.readline() == "ready\n", "it does not start")
            supervisor = children(process.pid)[0]
            check(wait_until(lambda: len(descendants(supervisor)) >= 3), "no tree")
            tree = descendants(supervisor)
            check(not stop_tool or wait_until(lambda: state_of(tree[0]) == "T"),
                  "the tool is not stopped")
            if stop_guardian:
                os.kill(process.pid, signal.SIGSTOP)
                check(wait_until(lambda: state_of(process.pid) == "T"), "it does not stop")
            os.kill(supervisor, signal.SIGKILL)
            check(wait_until(lambda: not [pid for pid in tree if is_alive(pid)], patient(1.5)),
                  "left:", [(pid, state_of(pid)) for pid in tree])
            finish(process, 5)
            equal(process.returncode, 125)
        finally:
            end(*tree, process.pid)
            process.communicate()


# ------------------------------------------------------------------ below a denied name

@test
def planted_by_a_renamed_folder(t):
    """A folder that brings with it a name which is denied where it comes to stand."""
    policies = [t.wide(deny=[t.inside + "/conf/autostart"]),
                t.narrow(deny=[t.inside + "/conf/autostart"]),
                t.wide(deny=[t.inside + "/conf/autostart/**"])]
    places = [t.outside, t.inside + "/conf"]
    make = (call("mkdir", "g", 0o755), call("mkdir", "g/autostart", 0o755),
            call("open", "g/autostart/e", os.O_CREAT | os.O_WRONLY, 0o644))
    for move in (call("rename", "g", "conf"),
                 call("renameat", AT_FDCWD, "g", AT_FDCWD, "conf"),
                 call("renameat2", AT_FDCWD, "g", AT_FDCWD, "conf", RENAME_NOREPLACE)):
        t.denied(*make, move, policies=policies, outside=places, kind="file")
    t.denied(*make, call("mkdir", "conf", 0o755),
             call("renameat2", AT_FDCWD, "g", AT_FDCWD, "conf", RENAME_EXCHANGE),
             policies=policies, outside=[t.outside, t.inside + "/conf/autostart"], kind="file")
    t.denied(*make, call("mkdir", "conf", 0o755),
             call("renameat2", AT_FDCWD, "conf", AT_FDCWD, "g", RENAME_EXCHANGE),
             policies=policies, outside=[t.outside, t.inside + "/conf/autostart"], kind="file")
    t.denied(call("mkdir", "h", 0o755), call("open", "h/key", os.O_CREAT | os.O_WRONLY, 0o644),
             call("rename", "h", "secret.d"), outside=[t.outside, t.inside + "/secret.d"],
             policies=[t.wide(deny=["**/secret.d/key"]), t.wide(deny=["**/secret.d/*"])],
             kind="file")
    t.denied(call("mkdir", "h", 0o755), call("mkdir", "h/b", 0o755),
             call("mkdir", "h/b/c", 0o755), call("rename", "h", "a"),
             outside=[t.outside, t.inside + "/a"],
             policies=[t.wide(deny=[t.inside + "/a/b/c"])], kind="file")


@test
def planted_by_mv(t):
    script = "mkdir g g/autostart && echo evil >g/autostart/e && mv g conf"
    native = t.native([SH, "-c", script])
    check(os.path.exists(t.inside + "/conf/autostart/e"), "natively:", native)
    t.plant()
    run = t.run([SH, "-c", script], t.wide(deny=[t.inside + "/conf/autostart"]))
    check(run.code != 0 and not os.path.lexists(t.inside + "/conf"), run)
    check(os.path.exists(t.inside + "/g/autostart/e"), "the source is gone", run)
    check(run.blocked, "no record", run)


# ------------------------------------------------------------------ other ways to talk

IPC_CREAT, IPC_RMID, IPC_NOWAIT, SETVAL, GETVAL = 0o1000, 0, 0o4000, 16, 12
MESSAGE = struct.pack("=q16s", 1, b"a secret")


def made(value):
    if value < 0:
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))
    return value


class Strangers:
    """Objects of another process of the same user."""

    def __init__(self):
        self.key = (os.getpid() << 8 | 0x51) & 0x7fffffff
        self.ids = []

    def __enter__(self):
        flags = IPC_CREAT | 0o600
        self.ids = [made(LIBC.shmget(self.key, ctypes.c_size_t(4096), flags)),
                    made(LIBC.semget(self.key, 2, flags)), made(LIBC.msgget(self.key, flags))]
        made(LIBC.msgsnd(self.ids[2], MESSAGE, ctypes.c_size_t(16), 0))
        made(LIBC.semctl(self.ids[1], 0, SETVAL, 5))
        return self

    def __exit__(self, *_):
        shm, sem, msg = self.ids
        LIBC.shmctl(shm, IPC_RMID, None)
        LIBC.semctl(sem, 0, IPC_RMID)
        LIBC.msgctl(msg, IPC_RMID, None)

    def statements(self):
        """By key and by number; removal last."""
        shm, sem, msg = self.ids
        act = blob(struct.pack("=HhH", 0, -1, IPC_NOWAIT))
        return [call("shmget", self.key, 0, 0), call("shmget", self.key, 4096, IPC_CREAT | 0o600),
                call("shmat", shm, 0, 0), call("shmat", shm, 0, 0o10000),
                call("semget", self.key, 2, 0), call("semget", self.key, 2, IPC_CREAT | 0o600),
                call("semop", sem, act, 1), call("semtimedop", sem, act, 1, 0),
                call("semctl", sem, 0, GETVAL), call("semctl", sem, 0, SETVAL, 5),
                call("msgget", self.key, 0), call("msgget", self.key, IPC_CREAT | 0o600),
                call("msgsnd", msg, blob(MESSAGE), 16, IPC_NOWAIT),
                call("msgrcv", msg, out(24), 16, 0, IPC_NOWAIT),
                call("shmctl", shm, IPC_RMID, 0), call("semctl", sem, 0, IPC_RMID),
                call("msgctl", msg, IPC_RMID, 0)]


@test
def ipc_of_strangers(t):
    with Strangers() as strangers:
        found, run = t.calls(strangers.statements(), native=True)
        equal([line for line in found if line.startswith("-")], [], "natively", run)
    for policy in (t.narrow(), t.wide(write=["/"])):
        with Strangers() as strangers:
            statements = strangers.statements()
            found, run = t.calls(statements, policy)
            equal(found, ["-EACCES"] * len(statements), run)
            record_each(run, len(statements), errno="EACCES")
            equal([record["syscall"] for record in run.blocked],
                  [word for word, count in (("shmget", 2), ("shmat", 2), ("semget", 2),
                                            ("semop", 1), ("semtimedop", 1), ("semctl", 2),
                                            ("msgget", 2), ("msgsnd", 1), ("msgrcv", 1),
                                            ("shmctl", 1), ("semctl", 1), ("msgctl", 1))
                   for _ in range(count)])
            equal(LIBC.semctl(strangers.ids[1], 0, GETVAL), 5, "its semaphore")
            text = ctypes.create_string_buffer(24)
            equal(made(LIBC.msgrcv(strangers.ids[2], text, ctypes.c_size_t(16), 0, IPC_NOWAIT)),
                  16, "its message")


@test
def queue_of_strangers(t):
    name = f"proctor-{os.getpid()}"
    # /dev/mqueue is not among what may be read.
    few = [pattern for pattern in SYSTEM if pattern != "/dev"] + [t.bin, t.inside]

    def make():
        fd = made(LIBC.mq_open(b"/" + name.encode(), os.O_CREAT | os.O_RDWR, 0o600, None))
        made(LIBC.mq_send(fd, b"secret", ctypes.c_size_t(6), 0))
        os.close(fd)

    statements = [call("mq_open", name, os.O_RDONLY, 0, 0), call("mq_open", name, os.O_WRONLY, 0, 0),
                  call("mq_open", name, os.O_RDWR | os.O_CREAT, 0o600, 0), call("mq_unlink", name)]
    try:
        make()
        found, run = t.calls(statements, native=True)
        equal([line for line in found if line.startswith("-")], [], "natively", run)
        make()
        found, run = t.calls(statements, t.policy(read=few))
        equal(found, ["-EACCES"] * len(statements), run)
        record_each(run, len(statements), errno="EACCES")
        fd = made(LIBC.mq_open(b"/" + name.encode(), os.O_RDONLY))
        text = ctypes.create_string_buffer(8192)
        equal(LIBC.mq_receive(fd, text, ctypes.c_size_t(8192), None), 6, "its message")
        os.close(fd)
    finally:
        LIBC.mq_unlink(b"/" + name.encode())


@test
def own_ipc(t):
    """What the tool made is its own, its children's as well."""
    name = f"/proctor-own-{os.getpid()}"
    command = [t.program("esc_ipc"), str((os.getpid() << 8 | 0x52) & 0x7fffffff), name]
    native = t.native(command)
    equal(native.code, 0, native)
    for write in ([t.inside, "/dev/mqueue" + name], ["/"]):
        run = t.run(command, t.policy(write=write))
        equal((run.code, run.out), (0, native.out), run)
        equal(run.blocked, [])


# ------------------------------------------------------------------ a stranger's descriptors

@test
def descriptors_of_strangers(t):
    """O_PATH of the magic link asks nothing; what it gives is opened again by /proc/self/fd."""
    reader, writer = os.pipe()
    memory = os.memfd_create("secret")
    os.write(memory, b"secret of a stranger")
    victim = subprocess.Popen(["/bin/sleep", "60"], pass_fds=(reader, writer, memory),
                              start_new_session=True)
    try:
        check(wait_until(lambda: os.path.realpath(f"/proc/{victim.pid}/exe").endswith("sleep")
                         or "coreutils" in os.path.realpath(f"/proc/{victim.pid}/exe")),
              "no victim")
        for fd, flags in ((reader, os.O_RDONLY), (writer, os.O_WRONLY), (memory, os.O_RDONLY),
                          (memory, os.O_RDWR)):
            link = f"/proc/{victim.pid}/fd/{fd}"
            variants = [
                [call("open", link, os.O_PATH),
                 call("open", "/proc/self/fd/3", flags | os.O_NONBLOCK)],
                [call("open", link, os.O_PATH),
                 call("openat", AT_FDCWD, "/dev/fd/3", flags | os.O_NONBLOCK)],
                [call("open", f"/proc/{victim.pid}/fd", os.O_PATH | os.O_DIRECTORY),
                 call("openat", 3, str(fd), flags | os.O_NONBLOCK)],
                [call("open", link, flags | os.O_NONBLOCK)],
            ]
            for statements in variants:
                found, run = t.calls(statements, native=True)
                check(not found[-1].startswith("-"), "natively:", run)
                for policy in (t.narrow(), t.wide(), t.wide(write=["/"]),
                               "version: 1\nextends: [base]\nfiles:\n  read: "
                               f"['{t.dir}', '{t.bin}']\nexec:\n  allow: ['{t.bin}']\n"):
                    found, run = t.calls(statements, policy)
                    check(found[-1] in ("-EACCES", "-EPERM", "-ENOENT"), link, run)
                    # Where all may be read, and for a mere look, it is the kernel (Landlock)
                    # that refuses, and keeps no record.
                    asked = found[0] == "3" and policy not in (t.wide(), t.wide(write=["/"]))
                    check(run.blocked or not asked, "no record:", link, run)
    finally:
        victim.kill()
        victim.wait()
        for fd in (reader, writer, memory):
            os.close(fd)


# ------------------------------------------------------------------ memory by a good name

@test
def memory_with_a_programs_name(t):
    """A memfd's name looks like a path and is none: no rule about paths allows it."""
    name = "a/node_modules/.bin/x"
    folder = t.inside + "/a/node_modules/.bin"
    policy = t.policy(execute=[t.bin, "**/node_modules/.bin/*"])
    for how in ("at", "self", "dev"):
        for program in (t.program("one"), "/usr/bin/id"):
            command = [t.program("esc_memfd"), how, name, program]
            native = t.native(command)
            check(native.code not in (42, 99), "natively:", native)
            run = t.run(command, policy)
            equal(run.code, 42, how, run)
            check("Permission denied" in run.err, run)
            t.one_record(run, kind="exec", errno="EACCES")
    os.makedirs(folder)
    subprocess.run(["cp", t.program("one"), folder + "/x"], check=True)
    native = t.native([folder + "/x"])
    run = t.run([folder + "/x"], policy)
    equal((run.code, run.out), (native.code, native.out), "what the rule means:", run)


# ------------------------------------------------------------------ races of rename

def counts(run):
    found = re.search(r"tries (\d+) good (\d+) bad (-?\d+)", run.out)
    check(found, "no result:", run)
    return [int(group) for group in found.groups()]


@test
def planted_by_a_race(t):
    """What is at the source changes between the look at it and the rename."""
    place = t.inside + "/conf"
    for kind in ("make", "exchange", "move"):
        command = [t.program("esc_rename"), "below", kind]
        os.chdir(t.dir)
        for _ in range(20):
            t.plant()
            native = t.native([*command, "20000", place, "autostart"])
            if counts(native)[2]:
                break
        if not counts(native)[2]:
            raise Skip("natively the race is not won")
        check(os.path.exists(place + "/autostart"), "natively:", kind, native)
        t.plant()
        run = t.run([*command, str(TRIES), place, "autostart"], t.wide(deny=[place + "/autostart"]))
        check(not os.path.lexists(place + "/autostart"), "it is there:", kind, run)
        equal(counts(run)[2], 0, kind, run)
        check(counts(run)[1], "the file is never moved either:", kind, run)


@test
def replaced_by_a_race(t):
    """What appears between the look at the target and the rename may not be deleted."""
    folder = t.inside + "/target"
    command = [t.program("esc_rename"), "replace", str(TRIES), folder]
    other = [t.program("esc_rename"), "appear", str(TRIES), folder]
    policy = t.wide(write=[t.inside + "/work", "/dev/null"], create=[folder])

    def plant():
        t.plant()
        for name in ("target", "work"):
            os.mkdir(f"{t.inside}/{name}")

    plant()
    more = {"cwd": t.inside + "/work"}
    process = t.spawn(other, **more)
    native = t.native(command, **more)
    equal(finish(process, 60)[1], "")
    if counts(native)[2] == 0:
        raise Skip("natively the race is not won")
    for outsider in (True, False):
        plant()
        if outsider:
            process = t.spawn(other, **more)
            run = t.run(command, policy, **more)
            equal(finish(process, 60)[1], "")
        else:
            run = t.run([SH, "-c", " ".join(other) + " & " + " ".join(command) + "; wait"],
                        policy, **more)
        tries, good, bad = counts(run)
        equal(bad, 0, "replaced:", outsider, run)
        check(0 < good <= tries, "nothing is ever moved:", outsider, run)
        for record in run.blocked:
            equal((record["class"], record["errno"]), ("file", "EACCES"), record)


# ------------------------------------------------------------------ other terminals

@test
def terminals_of_strangers(t):
    """What is typed there would be read here, and what is written here is read there."""
    policy = json.dumps({"version": 1, "extends": ["agent"], "files": {"read": [t.bin]},
                         "exec": {"allow": [t.bin]}})
    parent, child = os.openpty()
    try:
        name = os.ttyname(child)
        for flags in (os.O_RDWR, os.O_RDONLY, os.O_WRONLY):
            statement = call("open", name, flags | os.O_NOCTTY)
            found, run = t.calls([statement], native=True)
            check(not found[0].startswith("-"), "natively:", run)
            found, run = t.calls([statement], policy)
            equal(found, ["-EACCES"], run)
            check(all(record["path"] == name for record in run.blocked), run)
            t.one_record(run, kind="file")
        equal(select.select([parent], [], [], 0)[0], [], "written to it")
    finally:
        os.close(parent)
        os.close(child)


@test(once=True)
def terminals_of_its_own(t):
    policy = "version: 1\nextends: [agent]\n"
    opens = ("import os, tty\n"
             "parent, child = os.openpty()\n"
             "tty.setraw(child)\n"
             "os.write(parent, b'to the child')\n"
             "print(os.read(child, 100))\n"
             "os.write(child, b'to the parent')\n"
             "print(os.read(parent, 100), os.isatty(child))\n")
    spawns = "import pty\nprint(pty.spawn(['/bin/sh', '-c', 'test -t 0 && echo hi >/dev/tty']))\n"
    for script in (opens, spawns):
        command = [PYTHON, "-S", "-c", script]
        native = t.native(command)
        equal(native.code, 0, native)
        run = t.run(command, policy)
        equal((run.code, run.out), (0, native.out), run)
        equal([record for record in run.blocked if "pts" in str(record.get("path"))], [], run)


@test(once=True)
def the_terminal_that_it_stands_on(t):
    """It works on, by its streams and /dev/tty."""
    line, log = t.command([SH, "-c", "echo one; echo two >/dev/tty; echo three >&2; exit 6"],
                          "version: 1\nextends: [agent]\n")
    pid, fd = pty.fork()
    if pid == 0:
        try:
            os.chdir(t.inside)
            os.execve(line[0], line, t.env)
        finally:
            os._exit(99)
    text = b""
    try:
        while select.select([fd], [], [], 20)[0]:
            try:
                more = os.read(fd, 4096)
            except OSError:
                break
            if not more:
                break
            text += more
    finally:
        os.close(fd)
        if not wait_until(lambda: not is_alive(pid), 5):
            end(*descendants(pid), pid)
        status = os.waitpid(pid, 0)[1]
    equal(text.split(), [b"one", b"two", b"three"])
    equal(os.waitstatus_to_exitcode(status), 6)
    t.validate(log)


if __name__ == "__main__":
    sys.exit(main())
