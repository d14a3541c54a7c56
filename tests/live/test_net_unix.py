#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""Live tests of unix sockets: paths, abstract names, descriptors that are passed.

environment: PROCTOR (default ./proctor), PROGRAMS (the folder of the net_* programs; default
tests/live), ONLY (run the tests whose name contains it), LONG (see net_harness.run_all())
"""
import os
import shutil
import socket
import sys
import time

sys.dont_write_bytecode = True
from net_harness import (DGRAM, UNIX, UNIX_DGRAM, UNIX_STREAM, bind, check, connect, run_all,
                         sendto, test, use)


@test
def unix_allowed(b):
    s, d = f"unix:{b.dir}/in/s", f"unix:{b.dir}/in/d"
    b.same(UNIX_STREAM, connect(s), ("peer",), ("send", "hello"), ("recv",), match="got hello")
    b.same(("socket", UNIX, "5", "0"), connect(s), match="EPROTOTYPE")
    b.same(UNIX_STREAM, ("chdir", b.dir + "/in"), connect("unix:s"), ("send", "x"), ("recv",))
    b.same(UNIX_STREAM, ("chdir", b.dir + "/out"), connect("unix:../in/./s"), ("send", "x"))
    b.same(UNIX_STREAM, connect(f"unix:{b.dir}/out/link-in"), ("send", "x"), ("recv",),
           match="got x")
    b.same(UNIX_DGRAM, sendto(d), match="-> 5")
    b.same(UNIX_DGRAM, connect(d), ("send", "x"), ("sendmsg", "-", "y"), connect("unspec"),
           ("send", "x"), match="ENOTCONN")
    b.same(UNIX_STREAM, connect(d), match="EPROTOTYPE")
    b.same(UNIX_STREAM, connect(f"unix:{b.dir}/in/file"), match="ECONNREFUSED")
    b.same(UNIX_STREAM, connect(f"unix:{b.dir}/in/none"), match="ENOENT")
    b.same(UNIX_STREAM, connect(f"unix:{b.dir}/out/none"), match="ENOENT")
    b.same(UNIX_STREAM, connect(f"unix:{b.dir}/in/file/x"), match="ENOTDIR")
    b.same(UNIX_STREAM, connect(f"unix:{b.dir}/in/loop"), match="ELOOP")
    b.same(UNIX_STREAM, connect("unspec"), match="EINVAL")
    b.same(("pair", DGRAM), ("sendmsg", "-", "hello"), use(1), ("recv",))


@test
def unix_denied(b):
    s, d = f"unix:{b.dir}/out/s", f"unix:{b.dir}/out/d"
    b.blocked(UNIX_STREAM, connect(s), reached=s, endpoint=s, arg=s[5:], op="connect")
    b.blocked(UNIX_STREAM, connect(f"unix:{b.dir}/in/link-out"), reached=s, endpoint=s,
              arg=b.dir + "/in/link-out")
    b.blocked(UNIX_STREAM, connect(f"unix:{b.dir}/in/../folder-out//s"), reached=s, endpoint=s)
    b.blocked(UNIX_STREAM, ("chdir", b.dir + "/in"), connect("unix:../out/s"), reached=s,
              endpoint=s, arg="../out/s")
    b.blocked(UNIX_STREAM, connect(f"unix:/proc/self/root{b.dir}/out/s"), reached=s, endpoint=s)
    b.blocked(UNIX_STREAM, ("chdir", b.dir + "/out"), connect("unix:/proc/self/cwd/s"), reached=s,
              endpoint=s)
    b.blocked(UNIX_DGRAM, sendto(d), reached=d, endpoint=d, op="send")
    b.blocked(UNIX_DGRAM, ("sendmsg", d, "x"), reached=d, endpoint=d, syscall="sendmsg")
    b.blocked(UNIX_DGRAM, ("sendmmsg", d, "x", d, "y"), reached=d, endpoint=d)
    b.blocked(UNIX_DGRAM, connect(f"unix:{b.dir}/in/d"), sendto(d), reached=d, endpoint=d)
    b.blocked(("pair", DGRAM), sendto(d), reached=d, endpoint=d)
    b.blocked(UNIX_DGRAM, connect(d), endpoint=d, op="connect")


@test
def abstract_names(b):
    inside, outside = f"{b.tag}-in-", f"{b.tag}-out-"
    b.same(UNIX_STREAM, connect(f"abs:{inside}s"), ("peer",), ("send", "x"), ("recv",),
           match="got x")
    b.same(UNIX_DGRAM, sendto(f"abs:{inside}d"), match="-> 5")
    b.same(UNIX_STREAM, connect(f"abs:{inside}none"), match="ECONNREFUSED")
    b.blocked(UNIX_STREAM, connect(f"abs:{outside}s"), reached=f"unix:@{outside}s",
              endpoint=f"unix:@{outside}s", arg=f"@{outside}s")
    b.blocked(UNIX_DGRAM, sendto(f"abs:{outside}d"), reached=f"unix:@{outside}d",
              endpoint=f"unix:@{outside}d")
    # A name is all of its bytes.
    policy = b.policy(connect=[f"unix:@{inside}s"])
    b.blocked(UNIX_STREAM, connect(f"abs:{inside}s%00"), reached=f"unix:@{inside}s\\x00",
              endpoint=f"unix:@{inside}s\\x00", policy=policy)
    # An abstract name that looks like a path is none, and the other way round.
    b.blocked(UNIX_STREAM, connect(f"abs:{b.dir}/in/s"), works=False,
              endpoint=f"unix:@{b.dir}/in/s")
    b.blocked(UNIX_STREAM, connect(f"unix:{b.dir}/out/s"), reached=f"unix:{b.dir}/out/s",
              policy=b.policy(connect=[f"unix:@{b.dir}/out/s"]))


@test
def unix_bind_allowed(b):
    path = f"unix:{b.dir}/mine/s"
    b.same(("umask", "027"), UNIX_STREAM, bind(path), ("name",), ("mode", path[5:]), ("listen",),
           use(2), UNIX_STREAM, connect(path), ("name",), use(0), ("accept",), use(1), ("name",),
           use(0), ("namein", "4"), ("namein", "0"), ("namein", "2"),
           match="name unix len .*/mine/s")
    b.same(("umask", "0"), UNIX_DGRAM, ("chdir", b.dir), bind("unix:mine/d"), ("name",),
           ("mode", "mine/d"), ("chdir", b.dir + "/mine"), use(1), UNIX_DGRAM, bind("unix:e"),
           ("name",), sendto("unix:d"), use(0), ("recv",), match="mode 140777")
    b.same(UNIX_STREAM, bind(path), use(1), UNIX_STREAM, bind(path), match="EADDRINUSE")
    b.same(UNIX_STREAM, bind(path), bind(path + "2"), ("mode", path[5:] + "2"), match="EINVAL")
    b.same(UNIX_STREAM, bind(f"unix:{b.dir}/mine/none/s"), match="ENOENT")
    b.same(UNIX_STREAM, bind(f"unix:{b.dir}/in/file/s"), match="ENOTDIR",
           policy=b.policy(bind=["unix:" + b.dir]))
    b.same(UNIX_STREAM, bind(f"unix:{b.dir}/mine/s/"), match="ENOENT")
    b.same(UNIX_STREAM, bind(f"unix:{b.dir}/mine/."), match="EADDRINUSE")
    b.same(UNIX_STREAM, bind(f"unix:{b.dir}/out/../mine/s"), ("name",), match="name unix")
    b.same(UNIX_STREAM, bind(f"abs:{b.tag}-mine"), ("name",), ("listen",), use(1), UNIX_STREAM,
           connect(f"abs:{b.tag}-mine"), match="connect -> 0")
    b.same(UNIX_STREAM, ("len", "2"), bind("unix:x"), ("listen",), match="listen -> 0")
    b.same(UNIX_STREAM, ("listen",), match="EINVAL")
    full = f"{b.dir}/mine/".ljust(108, "x")
    b.same(UNIX_STREAM, bind("unix:" + full), ("name",), match="len 111")


@test
def unix_answers(b):
    """A datagram's sender can be answered, whatever name it is seen by."""
    acts = (*UNIX_DGRAM, *bind(f"unix:{b.dir}/mine/a"), *use(1), *UNIX_DGRAM,
            *bind(f"unix:{b.dir}/mine/e"), *sendto(f"unix:{b.dir}/mine/a"), *use(0), "recv",
            "reply", "answer", *use(1), "recv")
    for run in (b.native, lambda command: b.inside(command)[0]):
        b.clean()
        output = run([b.program("net_acts"), *acts]).stdout
        check(output.endswith(": answer\nrecv -> 6\n"), output)


@test
def unix_bind_denied(b):
    path = f"{b.dir}/out/new"
    for text, acts in ((f"unix:{path}", ()), (f"unix:{b.dir}/folder-out/new", ()),
                       ("unix:../out/new", (("chdir", b.dir + "/in"),))):
        b.blocked(*acts, UNIX_STREAM, bind(text), endpoint=f"unix:{path}", op="bind",
                  arg=text[5:], made=path)
    b.blocked(UNIX_STREAM, bind(f"abs:{b.tag}-other"), endpoint=f"unix:@{b.tag}-other", op="bind")


@test
def descriptors_and_credentials(b):
    address = f"unix:{b.dir}/in/s"
    for words in (("pass", address, f"{b.dir}/in/file"), ("many", address, "253"),
                  ("many", address, "254"), ("bad", address), ("creds", address, "own")):
        b.same(*words, program="net_scm")
    for words in (("creds", address, "pid"), ("creds", address, "uid")):
        run, records = b.inside([b.program("net_scm"), *words])
        check("send -> EPERM" in run.stdout and not records, run.stdout, records)


WHO = """
import os, socket, struct, sys, threading
kind, before = getattr(socket, sys.argv[1]), sys.argv[2]
ours, theirs = socket.socketpair(socket.AF_UNIX, kind)
ours.setsockopt(socket.SOL_SOCKET, socket.SO_PASSCRED, 1)
pid = os.fork()
if pid == 0:
    if before == "threads":
        thread = threading.Thread(target=lambda: None)
        thread.start()
        thread.join()
        while len(os.listdir("/proc/self/task")) > 1:
            pass
    theirs.sendmsg([b"hello"])
    os._exit(0)
data, control, _, _ = ours.recvmsg(9, 99)
found = struct.unpack("3i", control[0][2])
os.waitpid(pid, 0)
print(data, found[0] == pid, found[1:] == (os.getuid(), os.getgid()))
"""


@test
def who_sent_it(b):
    """The receiver of a message over a connection is told the process that sent it (SO_PASSCRED)."""
    for kind in ("SOCK_STREAM", "SOCK_SEQPACKET"):
        for before in ("", "threads"):
            command = ["/usr/bin/python3", "-S", "-c", WHO, kind, before]
            native = b.native(command).stdout
            check(native == "b'hello' True True\n", native)
            run, records = b.inside(command)
            check(run.stdout == native and not records, kind, run.stdout, run.stderr, records)


@test
def local_services(b):
    """An agent, a container engine, a display: files may be written, and they cannot be asked."""
    policy = {"version": 1, "files": {"write": ["/"]}, "exec": {"allow": ["/"]}}
    display = f"\0/tmp/.X11-unix/X{os.getpid()}"
    if f"unix:@{display[1:]}" not in b.servers.seen:
        b.servers.unix(socket.SOCK_STREAM, display)
    ask = ("import socket; s = socket.socket(socket.AF_UNIX); s.connect(%r); s.send(b'hi'); "
           "print(s.recv(9))")
    services = [(f"unix:@{display[1:]}", ["/usr/bin/python3", "-c", ask % display]),
                (f"unix:{b.dir}/out/s", ["ssh-add", "-l"]),
                (f"unix:{b.dir}/out/s", ["curl", "-s", "-m", "2", "--unix-socket", b.dir + "/out/s",
                                         "http://engine/info"])]
    for name, command in services:
        if not shutil.which(command[0]):
            print(f"skipped: {command[0]} is not here")
            continue
        more = {"env": {**os.environ, "SSH_AUTH_SOCK": b.dir + "/out/s"}}
        seen = b.servers.seen[name]
        b.native(command, **more)
        check(b.servers.wait(name, seen), "natively", name, "was not reached")
        time.sleep(0.02)
        seen = b.servers.seen[name]
        run, records = b.inside(command, policy, **more)
        check(run.returncode != 0 and b.servers.seen[name] == seen, name, "was reached", run.stdout)
        records = [record for record in records if record["class"] == "network"]
        check([(r["op"], r["endpoint"]) for r in records] == [("connect", name)], command, records,
              run.stdout)


if __name__ == "__main__":
    sys.exit(run_all())
