#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""A tool that makes many calls, dies in the middle of one, or blocks in one."""
import os
import random
import select
import signal
import subprocess
import sys
import threading
import time

sys.dont_write_bytecode = True
from harness import LONG, Skip, check, children, equal, is_alive, main, patient, test, wait_until
from slow_fs import SlowFolder


def memory_of(pid):
    """Resident kilobytes."""
    with open(f"/proc/{pid}/status", encoding="ascii") as file:
        for line in file:
            if line.startswith("RssAnon:"):
                return int(line.split()[1])
    return 0


@test
def many_calls(t):
    """10^5 (10^6) mediated calls of 8 threads: no descriptor and no memory is lost."""
    total = 1000000 if LONG else 100000
    command = [t.program("hammer"), "calls", "8", str(total // 8), t.inside]
    line, log = t.command(command, t.wide())
    process = t.spawn(line, stdin=subprocess.PIPE)
    try:
        equal(process.stdout.readline(), "half\n")
        supervisor = children(process.pid)[0]
        seen = []
        threads = []
        for _ in range(2):
            time.sleep(0.05)
            threads.append(len(os.listdir(f"/proc/{supervisor}/task")))
            try:
                seen.append((len(os.listdir(f"/proc/{supervisor}/fd")), memory_of(supervisor)))
            except PermissionError:
                seen.append((0, memory_of(supervisor)))
            process.stdin.write("go\n")
            process.stdin.flush()
            if len(seen) == 1:
                equal(process.stdout.readline(), "half\n")
        process.communicate(timeout=30)
        equal(process.returncode, 0)
        check(seen[1][0] <= seen[0][0], "descriptors:", seen)
        # On a busy machine the pool grows: each of its threads has a stack and a heap.
        room = 300 + 100 * max(0, threads[1] - threads[0])
        check(seen[1][1] <= seen[0][1] + room, "kilobytes:", seen, "threads:", threads)
    finally:
        process.kill()
        process.wait()
    t.validate(log)


@test
def callers_killed(t):
    """At random points; the others are served, and proctor ends as it should."""
    command = [t.program("hammer"), "calls", "1", "21000" if LONG else "7000", t.inside]
    script = (f'"$@" & pid=$!; i=0; while [ $i -lt {1000 if LONG else 150} ]; do '
              f'{t.program("hammer")} victim {t.inside} & v=$!; sleep 0.00$((i % 9)); '
              "kill -9 $v; wait $v 2>/dev/null; i=$((i+1)); done; "
              "{ echo; echo; } > go; wait $pid")
    os.mkfifo(t.inside + "/go")
    run = t.run(["/bin/bash", "-c", 'exec 5<>go; ' + script.replace('"$@"', '"$@" <&5'), "sh",
                 *command],
                t.wide())
    equal(run.code, 0, run)
    check(run.out.count("half") == 2, run)
    equal(run.blocked, [])


@test
def supervisor_serves_after_kills(t):
    """Threads of one process, one killed group after the other, in calls that make records."""
    rng = random.Random(1)
    line, log = t.command(["/bin/sh", "-c",
                           f"while :; do {t.program('hammer')} victim {t.inside} & sleep 20; done"],
                          t.wide())
    process = t.spawn(line)
    try:
        supervisor = wait_until(lambda: children(process.pid))[0]
        tool = wait_until(lambda: children(supervisor))[0]
        for _ in range(200 if LONG else 60):
            victims = wait_until(lambda: children(tool))
            check(victims, "the shell is not served any more")
            time.sleep(rng.random() * 0.01)
            for pid in victims:
                try:
                    os.kill(pid, signal.SIGKILL)
                except ProcessLookupError:
                    pass
        check(process.poll() is None, "proctor has ended")
    finally:
        process.send_signal(signal.SIGTERM)
        process.communicate(timeout=10)
    t.validate(log)


@test
def many_processes(t):
    run = t.run([t.program("hammer"), "forks", "200", t.inside], t.wide())
    equal((run.code, run.out), (0, "bad 0\n"), run)


@test
def many_threads(t):
    run = t.run([t.program("hammer"), "threads", "200", t.inside], t.wide())
    equal(run.code, 0, run)


def running(word):
    """Processes that have it in their command lines."""
    found = []
    for pid in filter(str.isdigit, os.listdir("/proc")):
        try:
            with open(f"/proc/{pid}/cmdline", "rb") as file:
                words = file.read().split(b"\0")
        except (FileNotFoundError, ProcessLookupError):
            continue
        if b"bomb" in words and word.encode() in words:
            found.append(int(pid))
    return found


@test
def bombs(t):
    """Processes that multiply, leave their sessions, heed no signal and make calls: the time limit
    holds, and none of them is left."""
    count = 4000 if LONG else 60
    limit = 60 if LONG else int(min(10, patient(3)))
    line, log = t.command([t.program("hammer"), "bomb", str(count), t.inside], t.wide(),
                          options=("-q", "--timeout", str(limit)))
    began = time.monotonic()
    process = t.spawn(line)
    try:
        equal(process.stdout.readline(), "all\n")
        check(wait_until(lambda: len(running(t.inside)) >= count), "so few:", len(running(t.inside)))
        process.communicate(timeout=patient(60))
    finally:
        process.kill()
        process.wait()
    equal(process.returncode, 124)
    check(time.monotonic() - began < limit + patient(6), "it took", time.monotonic() - began)
    equal(running(t.inside), [])
    t.validate(log)


@test(once=True)
def thread_bomb(t):
    """Threads that do nothing but make calls, and heed no signal: the time limit holds, and none is left."""
    count = 4000 if LONG else 100
    limit = 30 if LONG else int(min(6, patient(2)))
    line, log = t.command([t.program("hammer"), "thread-bomb", str(count), t.inside], t.wide(),
                          options=("-q", "--timeout", str(limit)))
    began = time.monotonic()
    process = t.spawn(line)
    try:
        equal(process.stdout.readline(), "all\n")
        tool = children(children(process.pid)[0])[0]
        threads = len(os.listdir(f"/proc/{tool}/task"))
        check(threads > count, "so few:", threads)
        process.communicate(timeout=patient(60))
    finally:
        process.kill()
        process.wait()
    equal(process.returncode, 124)
    check(time.monotonic() - began < limit + patient(6), "it took", time.monotonic() - began)
    check(not is_alive(tool), "the tool lives on")
    t.validate(log)


@test
def floods_starve_nobody(t):
    """While a process makes calls as fast as it can from many threads, another one is answered."""
    bomb = f"{t.program('hammer')} thread-bomb {200 if LONG else 32} {t.inside}"
    script = (f"{bomb} & pid=$!; for i in 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20; do "
              "echo $i > other; read line < other; done; echo served $line; kill -9 $pid; wait")
    began = time.monotonic()
    run = t.run(["/bin/sh", "-c", script], t.wide())
    check("served 20\n" in run.out, run)
    check(time.monotonic() - began < patient(10), "it took", time.monotonic() - began)
    equal(run.blocked, [], run)


@test
def blocked_opens(t):
    """Twenty opens of FIFOs that nobody opens at the other end: the rest goes on."""
    script = ("for i in 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20; do mkfifo f$i; "
              "(echo $i > f$i) & done; sleep 0.1; echo x > other; cat other; "
              "for i in 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20; do cat f$i; done; wait")
    native = t.native(["/bin/sh", "-c", script])
    t.plant()
    began = time.monotonic()
    run = t.run(["/bin/sh", "-c", script], t.wide(), options=("-q", "--log", "all"))
    equal((run.code, run.out), (native.code, native.out), run)
    check(time.monotonic() - began < patient(10), "it took", time.monotonic() - began)
    # Blocked for ever, and ended with the tool.
    run = t.run(["/bin/sh", "-c", "mkfifo g; (cat g > h) & (echo x > g2; mkfifo g3; : > g3) & "
                                  "sleep 0.2; echo done"], t.wide())
    equal((run.code, run.out), (0, "done\n"), run)


@test(once=True)
def thousands_that_wait(t):
    """Looking after each of them does not take all the time."""
    run = t.run([t.program("waits"), "many", t.inside, "3000" if LONG else "500"], t.wide())
    equal((run.code, run.out), (0, "interrupted 0 others 0 signals 0\n"), run)


MEETINGS = """
import os, sys
path, rounds = os.path.abspath("fifo"), int(sys.argv[1])
os.mkfifo(path)
reader, writer = os.pipe()
if os.fork() == 0:
    for number in range(rounds):
        fd = os.open(path, os.O_WRONLY)
        if number % 2: os.write(fd, b"x")
        os.close(fd)
        os.read(reader, 1)
    os._exit(0)
for number in range(rounds):
    with open(path, "rb") as file: assert file.read() == b"x" * (number % 2)
    os.write(writer, b"-")
os.wait()
print("met")
"""


@test(once=True)
def writers_that_come_and_go(t):
    """An open for reading ends when a writer comes, though it may have gone a moment later."""
    command = ["/usr/bin/python3", "-S", "-c", MEETINGS, "20000" if LONG else "3000"]
    native = t.native(command)
    equal((native.code, native.out), (0, "met\n"), native)
    t.plant()
    run = t.run(command, t.narrow())
    equal((run.code, run.out), (0, native.out), run)


@test
def signal_in_a_blocked_open(t):
    """EINTR without SA_RESTART; with it, the call goes on."""
    for way in ("plain", "restart"):
        outs = []
        for native in (True, False):
            path = f"{t.inside}/fifo-{way}-{native}"
            os.mkfifo(path)
            command = [t.program("hammer"), "fifo", path, way]
            if not native:
                command, _ = t.command(command, t.wide())
            process = t.spawn(command)

            def reader(name=path):
                fd = os.open(name, os.O_RDONLY | os.O_NONBLOCK)
                time.sleep(0.3)
                os.close(fd)
            equal(process.stdout.readline(), "opening\n")
            time.sleep(0.6)
            helper = threading.Thread(target=reader)
            if way == "restart":
                helper.start()
            stdout, _ = process.communicate(timeout=10)
            outs.append(stdout)
            if way == "restart":
                helper.join()
        equal(outs[1], outs[0], way)
        equal(outs[0], "EINTR alarms 1\n" if way == "plain" else "open alarms 1\n")


@test
def signal_to_one_of_many_that_wait(t):
    """It is taken by one thread, once; the other opens go on waiting, and no number that is the
    kernel's own comes out."""
    for kind, *flags, taken in (("first", 1), ("vfork", 0), ("any", 1), ("any", "restart", 0)):
        outs = []
        for native in (True, False):
            t.plant()
            command = [t.program("waits"), kind, t.inside, *flags]
            run = t.native(command) if native else t.run(command, t.wide())
            equal(run.code, 0, kind, run)
            outs.append(run.out)
        equal(outs[1], outs[0], kind)
        equal(outs[0], f"interrupted {taken} others 0 signals 1\n", kind)


@test
def killed_in_a_blocked_open(t):
    run = t.run(["/bin/sh", "-c",
                 "mkfifo f; i=0; while [ $i -lt 20 ]; do (exec 2>/dev/null; : > f) & "
                                  "p=$!; sleep 0.01; kill -9 $p; wait $p; "
                                  "i=$((i+1)); done; echo end"],
                t.wide())
    equal((run.code, run.out), (0, "end\n"), run)


@test
def descriptors_exhausted_by_the_tool(t):
    """Its table full, and many processes with full tables."""
    run = t.run(["/usr/bin/python3", "-S", "-c",
                 "import os\n"
                 "for _ in range(5):\n"
                 "    if os.fork() == 0:\n"
                 "        try:\n"
                 "            while True: os.open('file', os.O_RDWR)\n"
                 "        except OSError as e: print(e.errno, flush=True)\n"
                 "        os._exit(0)\n"
                 "while True:\n"
                 "    try: os.wait()\n"
                 "    except ChildProcessError: break\n"], t.wide())
    equal((run.code, run.out), (0, "24\n" * 5), run)


@test(once=True, user="root")
def exec_that_hangs(t):
    """From a file system that does not answer: the time limit holds, and signals are passed on."""
    with open("/bin/true", "rb") as file:
        image = file.read()
    for act in ("limit", "signal"):
        folder = f"{t.inside}/{act}"
        os.mkdir(folder)
        # We read the head; then the kernel hangs.
        with SlowFolder(folder, image, 1) as slow:
            line, _ = t.command(["/bin/sh", "-c", f"(exec {folder}/program) & (sleep 0.5 &); "
                                 "trap 'echo taken; exit 3' TERM; wait"],
                                t.wide(exec_deny=["/nowhere"]),
                                options=("-q", "--timeout", "2s" if act == "limit" else "60s"))
            process = t.spawn(line)
            try:
                check(slow.silent.wait(10), "the file was not read")
                time.sleep(0.7)
                if act == "signal":
                    process.send_signal(signal.SIGTERM)
                check(select.select([process.stdout], [], [], 5)[0], act, "is not noticed")
                equal(process.stdout.readline(), "taken\n", act)
                slow.go_on()
                _, err = process.communicate(timeout=8)
            finally:
                slow.go_on()
                process.kill()
                process.communicate()
            equal(process.returncode, 124 if act == "limit" else 3, act, err)


@test
def many_rules(t):
    """Ten thousand."""
    deny = [f"{t.outside}/secret-{number}" for number in range(10000)]
    began = time.monotonic()
    found = t.run(["/bin/cat", "file"], t.wide(deny=deny))
    equal(found.out, "contents of in/file\n")
    check(time.monotonic() - began < 5, "it took", time.monotonic() - began)
    if not found.records:
        raise Skip("no log")


if __name__ == "__main__":
    sys.exit(main())
