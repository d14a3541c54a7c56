#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""Where the log goes: what is slow, dead or full holds up what must be logged, and nothing else."""
import json
import os
import pty
import re
import select
import socket
import struct
import subprocess
import sys
import termios
import threading
import time

sys.dont_write_bytecode = True
from harness import check, equal, main, test

FOREVER = "while :; do (: > {out}/new) 2>/dev/null; done"


def records(data):
    return [json.loads(line) for line in data.splitlines()]


def valid(t, data):
    """What was sent is a whole log."""
    path = f"{t.home}/received-{time.monotonic_ns()}"
    with open(path, "wb") as file:
        file.write(data)
    t.validate(path)
    verified = t.native([t.proctor, "log", "--verify", path])
    equal(verified.code, 0, verified)
    return records(data)


class Terminal:
    """Standard error of a run; stopped as by Ctrl-S."""

    def __init__(self):
        self.master, self.slave = pty.openpty()
        settings = termios.tcgetattr(self.slave)
        settings[1] &= ~termios.OPOST
        termios.tcsetattr(self.slave, termios.TCSANOW, settings)
        self.got = b""
        os.set_blocking(self.master, False)

    def stop(self):
        termios.tcflow(self.slave, termios.TCOOFF)

    def go_on(self):
        termios.tcflow(self.slave, termios.TCOON)

    def read(self):
        try:
            while data := os.read(self.master, 65536):
                self.got += data
        except OSError:
            pass
        return self.got

    def finish(self, process):
        while process.poll() is None:
            self.read()
            time.sleep(0.01)
        return self.read()


def silent(process):
    ready, _, _ = select.select([process.stdout], [], [], 0.5)
    check(not ready, "it learned of the refusal before it was logged")


@test(once=True)
def stopped_terminal(t):
    """A refused call waits until the terminal goes on; what is not logged does not."""
    terminal = Terminal()
    script = (f"echo ready; read x; (sleep 0.3; cat file) & (: > {t.outside}/new) 2>/dev/null; "
              "echo refused; wait")
    line, _ = t.command(["/bin/sh", "-c", script], t.narrow(), log="-")
    process = t.spawn(line, stderr=terminal.slave, stdin=subprocess.PIPE)
    equal(process.stdout.readline(), "ready\n")
    terminal.read()
    terminal.stop()
    process.stdin.write("go\n")
    process.stdin.flush()
    equal(process.stdout.readline(), "contents of in/file\n", "the other waits as well:")
    silent(process)
    terminal.go_on()
    equal(process.stdout.readline(), "refused\n")
    found = valid(t, terminal.finish(process))
    equal([record["event"] for record in found], ["start", "blocked", "end"])


@test(once=True)
def time_limit_with_a_stopped_terminal(t):
    for options in (("-q",), ("-q", "--metrics", t.home + "/metrics")):
        terminal = Terminal()
        line, _ = t.command(["/bin/sh", "-c", "echo ready; read x; " + FOREVER.format(out=t.outside)],
                            t.wide(), ("--timeout", "1", *options), log="-")
        process = t.spawn(line, stderr=terminal.slave, stdin=subprocess.PIPE)
        equal(process.stdout.readline(), "ready\n")
        terminal.stop()
        began = time.monotonic()
        process.stdin.write("go\n")
        process.stdin.flush()
        data = terminal.finish(process)
        equal(process.returncode, 124)
        check(time.monotonic() - began < 20, "it took", time.monotonic() - began)
        found = valid(t, data)
        equal([record["event"] for record in found if record["event"] != "blocked"],
              ["start", "limit", "end"])


def listen(path, kind=socket.SOCK_STREAM):
    server = socket.socket(socket.AF_UNIX, kind)
    server.bind(path)
    os.chmod(path, 0o777)
    if kind == socket.SOCK_STREAM:
        server.listen()
    return server


READS = "import os\nfor i in range({n}):\n os.close(os.open('file', os.O_RDONLY))\n"


@test(once=True)
def reader_who_takes_nothing(t):
    """At --log all the tool goes on; what is lost is counted, and no other log lacks it."""
    server = listen(t.dir + "/collector")
    script = (READS.format(n=600) + "print('went on', flush=True)\nfor i in range(400):\n"
              f" try: open('{t.outside}/new', 'w')\n"
              " except PermissionError: print('refused', flush=True)\n")
    line, log = t.command(["/usr/bin/python3", "-c", script], t.wide(),
                          ("-q", "--no-stack", "--log", "all", "-o", f"unix:{t.dir}/collector"))
    process = t.spawn(line)
    peer, _ = server.accept()
    equal(os.read(process.stdout.fileno(), 8), b"went on\n")
    seen = b""
    while select.select([process.stdout], [], [], 0.5)[0]:
        seen += os.read(process.stdout.fileno(), 65536)
    check(len(seen.splitlines()) < 400, "it learned of refusals before they were logged")
    data = b""
    while piece := peer.recv(65536):
        data += piece
    stdout, stderr = process.communicate(timeout=20)
    equal((process.returncode, seen.decode() + stdout), (0, "refused\n" * 400), stderr)
    check(re.search(r"[0-9]+ records of calls that were not refused are not in the log", stderr), stderr)
    received = valid(t, data)
    t.validate(log)
    with open(log, "rb") as file:
        kept = records(file.read())
    end = received[-1]
    equal(end["event"], "end")
    check(end["dropped"] > 0 and "dropped" in end["detail"], end)
    equal(len(kept) - len(received), end["dropped"], "not all that is lost is counted:")
    equal(kept[-1]["dropped"], 0)
    check(len([record for record in kept if record["event"] == "allowed"]) >= 600)
    for found in (kept, received):
        equal(len([record for record in found if record["event"] == "blocked"]), 400)


@test(once=True)
def limit_of_size(t):
    """All that the tool has seen refused is there; then the run ends."""
    script = ("import os, sys\nn = 0\nwhile True:\n"
              f" try: os.open('{t.outside}/new', os.O_WRONLY | os.O_CREAT)\n"
              " except PermissionError:\n  n += 1\n  print(n, flush=True)\n")
    result = t.home + "/result"
    line, log = t.command(["/usr/bin/python3", "-c", script], t.wide(),
                          ("--no-stack", "--log-limit", "100k", "--result", result))
    run = t.native(line)
    equal(run.code, 125, run)
    check("reached its limit (--log-limit)" in run.err, run)
    t.validate(log)
    with open(log, "rb") as file:
        found = records(file.read())
    check(100 * 1024 < os.path.getsize(log) < 110 * 1024, os.path.getsize(log))
    equal([(record["event"], record.get("detail")) for record in found[-2:]],
          [("limit", "limit log"), ("end", None)])
    seen = len(run.out.splitlines())
    attempts = len([record for record in found if record["event"] == "blocked"])
    check(seen <= attempts <= seen + 1, seen, "seen", attempts, "logged")
    with open(result, encoding="utf-8") as file:
        equal(json.load(file)["limit"], "log")
    equal(t.native([t.proctor, "log", "--verify", log]).code, 0)
    # Rotation keeps it small by itself, and no limit at all is possible.
    for options in (("--rotate", "20k,3"), ("--log-limit", "0")):
        few = script.replace("while True", "for i in range(300)")
        line, log = t.command(["/usr/bin/python3", "-c", few], t.wide(), ("-q", "--no-stack", *options))
        run = t.native(line)
        equal((run.code, len(run.out.splitlines())), (0, 300), run)


def collect(server, got):
    while True:
        got.append(server.recv(1 << 20))
        if b'"event":"end"' in got[-1]:
            return


@test(once=True)
def system_loggers(t):
    """syslog and journal, beside a file: the same lines, with what makes them found."""
    got = {"syslog": [], "journal": []}
    threads = []
    targets = ["-q"]
    for kind, messages in got.items():
        server = listen(f"{t.dir}/{kind}", socket.SOCK_DGRAM)
        threads.append(threading.Thread(target=collect, args=(server, messages), daemon=True))
        threads[-1].start()
        targets += ["-o", f"{kind}:{t.dir}/{kind}"]
    run = t.run(["/bin/sh", "-c", f": > {t.outside}/new"], t.wide(), targets)
    for thread in threads:
        thread.join(5)
    head = re.compile(rb"<(\d+)>proctor\[\d+\]: @cee: ")
    equal([int(head.match(message)[1]) for message in got["syslog"]], [86, 84, 86])
    lines = [head.sub(b"", message) for message in got["syslog"]]
    found = valid(t, b"".join(line + b"\n" for line in lines))
    equal([record["event"] for record in found], ["start", "blocked", "end"])
    fields = [journal_fields(message) for message in got["journal"]]
    valid(t, b"".join(entry["MESSAGE"] + b"\n" for entry in fields))
    entry = fields[1]
    equal({name: entry[name].decode() for name in entry if name != "MESSAGE"}, {
        "SYSLOG_IDENTIFIER": "proctor", "PRIORITY": "4", "PROCTOR_EVENT": "blocked",
        "PROCTOR_SESSION": found[0]["session"], "PROCTOR_CLASS": "file",
        "PROCTOR_OBJECT": t.outside + "/new"}, run)
    # Nobody listens: nothing is run.
    os.unlink(t.dir + "/syslog")
    run = t.run(["/bin/echo", "x"], t.wide(), log=f"syslog:{t.dir}/syslog", fine=False)
    equal((run.code, run.out), (125, ""), run)
    check("nobody listens" in run.err, run)


def journal_fields(message):
    """The journal's own protocol, as its documentation has it."""
    fields = {}
    while message:
        name, message = message.split(b"\n", 1)
        if b"=" in name:
            name, value = name.split(b"=", 1)
        else:
            length = struct.unpack("<Q", message[:8])[0]
            value, message = message[8:8 + length], message[8 + length:]
            check(message.startswith(b"\n"), message)
            message = message[1:]
        fields[name.decode()] = value
    return fields


@test(once=True)
def logger_that_is_started_anew(t):
    """Between two records the daemon went and came back: the second waits for it."""
    path = t.dir + "/syslog"
    server = listen(path, socket.SOCK_DGRAM)
    line, _ = t.command(["/bin/sh", "-c", f"echo ready; read x; (: > {t.outside}/new) 2>&-; echo refused"],
                        t.wide(), log="syslog:" + path)
    process = t.spawn(line, stdin=subprocess.PIPE)
    equal(process.stdout.readline(), "ready\n")
    server.recv(1 << 20)
    server.close()
    os.unlink(path)
    process.stdin.write("go\n")
    process.stdin.flush()
    silent(process)
    server = listen(path, socket.SOCK_DGRAM)
    check(b'"event":"blocked"' in server.recv(1 << 20))
    check(b'"event":"end"' in server.recv(1 << 20))
    process.communicate(timeout=10)
    equal(process.returncode, 0)


if __name__ == "__main__":
    sys.exit(main())
