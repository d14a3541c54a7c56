#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""Live tests of the network where it is hard: families and options that no rule can name, wild
arguments, signals, races, load, and what real programs do.

environment: PROCTOR (default ./proctor), PROGRAMS (the folder of the net_* programs; default
tests/live), ONLY (run the tests whose name contains it), LONG (see net_harness.run_all())
"""
import os
import re
import socket
import struct
import subprocess
import sys

sys.dont_write_bytecode = True
from net_harness import (NETLINK, TCP4, UDP4, UDP6, UNIX_STREAM, bind, check, connect,
                         descriptors_below, run_all, test)


@test
def families(b):
    """What a rule can name comes out as natively; of the rest each is refused and recorded."""
    native = b.native([b.program("net_families")]).stdout.splitlines()
    run, records = b.inside([b.program("net_families")])
    inside = run.stdout.splitlines()
    named = ("tcp", "udp by", "udp,", "udp ", "udp6", "unix", "netlink route")
    errors = {"mptcp": "EPROTONOSUPPORT", "packet": "EACCES", "raw": "EACCES",
              "vsock": "EAFNOSUPPORT", "icmp": "EACCES", "netlink": "EPROTONOSUPPORT"}
    refused = 0
    check(len(native) == len(inside) == 2 * 44, len(native), len(inside))
    for before, after in zip(native, inside):
        if before.startswith(named):
            check(before == after, before, after)
            continue
        refused += 1
        check(after.split(" -> ")[1].startswith("E"), after)
        for start, error in errors.items():
            if before.startswith(start):
                check(after.endswith("-> " + error), after)
    check(len(records) == refused, len(records), "records of", refused)
    check(all(r["op"] == "socket" and r["class"] == "network" for r in records))
    check(any(r["arg"] == "AF_PACKET SOCK_RAW 768" for r in records), records[0])


@test
def observed(b):
    """With --observe nothing is refused, and what would have been is recorded."""
    acts = [*TCP4, *connect(f"127.0.0.1:{b.bad}"), *UDP6, "optbytes", "41", "57", SEGMENTS, *UDP4,
            "sendto", f"127.0.0.1:{b.bad}", "x", *TCP4, "listen", "socket", NETLINK, "3", "4"]
    native = b.native([b.program("net_acts"), *acts])
    run, records = b.inside([b.program("net_acts"), *acts], options=["--observe"],
                            event="would_block")
    check(run.stdout == native.stdout and "-> E" not in native.stdout, native.stdout, run.stdout)
    check([r["op"] for r in records] == ["connect", "socket", "send", "listen", "socket"], records)


@test
def netlink(b):
    route = ("socket", NETLINK, "3", "0")
    b.same(route, bind("netlink:0:0"), ("sendto", "netlink:0:0", "x" * 20), match="-> 20")
    b.same(route, connect("netlink:0:0"), ("send", "x" * 20))
    b.blocked(route, connect("netlink:4242:0"), works=False, endpoint="family:16")
    b.blocked(route, ("sendto", "netlink:4242:0", "x"), works=False, endpoint="family:16")
    b.blocked(route, ("sendmsg", "netlink:0:1", "x"), works=False, endpoint="family:16")


LSRR = "8307040808080800"  # by way of 8.8.8.8 (RFC 791)
SEGMENTS = "0002040000000000" + "20010db8" + "00" * 11 + "01"  # by way of 2001:db8::1 (RFC 8754)


@test
def source_routes(b):
    root = os.getuid() == 0  # newer kernels want a privilege for the first
    b.blocked(UDP4, ("optbytes", "0", "4", LSRR), op="socket", arg="IP_OPTIONS", works=root,
              syscall="setsockopt")
    b.blocked(TCP4, ("optbytes", "0", "4", LSRR), op="socket", arg="IP_OPTIONS", works=root)
    b.blocked(UDP6, ("optbytes", "41", "57", SEGMENTS), op="socket", arg="IPV6_RTHDR")
    b.blocked(UDP6, ("optbytes", "41", "32", "00" * 16 + "0000000001010000" + "00" * 8),
              works=False, arg="IPV6_FLOWLABEL_MGR")
    b.blocked(UDP4, ("sendcmsg", "0", "7", LSRR, f"127.0.0.1:{b.good}", "x"), works=False,
              op="send")
    b.blocked(UDP6, ("sendcmsg", "41", "57", SEGMENTS, f"[::1]:{b.good}", "x"), works=False,
              op="send")
    b.same(UDP4, ("optbytes", "0", "4", ""), ("option", "1", "6", "1"), ("option", "6", "4", "9"),
           TCP4, ("option", "6", "4", "60"), ("option", "6", "5", "60"), ("option", "1", "9", "1"))


@test
def multicast_groups(b):
    """The kernel itself announces who joins one: the group's address is data that goes out."""
    loopback = socket.inet_aton("127.0.0.1")
    group, other = "239.77.1.2", "239.77.1.3"
    four, six = socket.inet_aton(group), socket.inet_pton(socket.AF_INET6, "ff15::77")
    link = struct.pack("=I", socket.if_nametoindex("lo"))
    wide = (struct.pack("=IxxxxHxx", 1, socket.AF_INET) + four).ljust(136, b"\0")
    wide_six = (struct.pack("=IxxxxHxxxxxx", 1, socket.AF_INET6) + six).ljust(136, b"\0")
    name = f"udp:{group}:0"
    for option, value in (("35", four + loopback), ("35", four + loopback + link),
                          ("39", four + loopback * 2), ("42", wide)):
        b.blocked(UDP4, ("optbytes", "0", option, value.hex()), op="connect", endpoint=name,
                  syscall="setsockopt", arg="a multicast group")
    b.blocked(UDP6, ("optbytes", "41", "20", (six + link).hex()), op="connect",
              endpoint="udp:[ff15::77]:0")
    b.blocked(UDP6, ("optbytes", "41", "42", wide_six.hex()), op="connect")
    # Who is heard there is told as well.
    for option, value in (("37", four + loopback * 2), ("38", four + loopback * 2),
                          ("41", four + loopback + struct.pack("=II", 1, 1) + loopback)):
        b.blocked(UDP4, ("optbytes", "0", option, value.hex()), op="connect", works=False)
    policy = b.policy(connect=[name, "udp:[ff15::77]:*"])
    b.same(UDP4, ("optbytes", "0", "35", (four + loopback).hex()),
           ("optbytes", "0", "35", (four + loopback).hex()),
           ("optbytes", "0", "36", (four + loopback).hex()),
           UDP6, ("optbytes", "41", "42", wide_six.hex()), policy=policy)
    b.same(UDP4, ("optbytes", "0", "35", "00" * 4), ("optbytes", "0", "35", ""),
           ("optbytes", "0", "42", "00" * 136), ("optbytes", "1", "20", "00" * 16), policy=policy)
    b.blocked(UDP4, ("optbytes", "0", "35", (socket.inet_aton(other) + loopback).hex()),
              policy=policy, op="connect", endpoint=f"udp:{other}:0")


@test
def control_messages(b):
    good = f"127.0.0.1:{b.good}"
    loopback = struct.pack("=I", 1) + socket.inet_aton("127.0.0.1") * 2
    b.same(UDP4, ("sendcmsg", "0", "8", loopback.hex(), good, "x"), ("recv",), match="got x")
    b.same(UDP4, ("sendcmsg", "0", "2", "40000000", good, "x"), ("recv",), match="got x")
    b.same(UDP4, ("sendcmsg", "17", "103", "0400", good, "segments"), ("recv",), ("recv",),
           match="got segm")
    b.same(UDP4, ("sendcmsg", "1", "1", "00000000", good, "x"), ("recv",), match="got x")
    b.same(UNIX_STREAM, connect(f"unix:{b.dir}/in/s"), ("sendcmsg", "1", "77", "00", "-", "x"),
           match="EINVAL")


@test
def wild_arguments(b):
    """All is allowed but one address, so that every call is looked at and nothing is refused."""
    policy = b.policy(connect=["*:*", "udp:*:*", "unix:/**"], bind=["*:*", "udp:*:*", "unix:/**"],
                      deny=["192.0.2.1:1"])
    b.same(f"127.0.0.1:{b.good}", program="net_wild", policy=policy, match="listen on UDP")


@test
def signals(b):
    slow = b.servers.slow()
    policy = b.policy(connect=[slow, f"127.0.0.1:{b.good}"])
    for mode, match in (("eintr", "EINTR"), ("restart", "^$"), ("timeout", "EINTR"),
                        ("elapse", "EINPROGRESS")):
        b.same(mode, slow, program="net_signal", policy=policy, match=match)
    b.same("beside", slow, f"127.0.0.1:{b.good}", program="net_signal", policy=policy,
           match="connects -> 200")
    b.same("send", program="net_signal", match="EINTR")
    b.same("sendtimeout", program="net_signal", match="EAGAIN")
    b.same("sigpipe", program="net_signal", match="to this thread: yes")


@test
def caller_killed_while_it_waits(b):
    slow = b.servers.slow()
    waiting = f"{b.program('net_signal')} restart {slow}"
    script = (f"for i in 1 2 3 4; do {waiting} & sleep 0.03; kill -9 $!; done; wait; exec "
              + " ".join((b.program("net_acts"), *TCP4, *connect(f"127.0.0.1:{b.good}"))))
    run, records = b.inside(["/bin/sh", "-c", script],
                            b.policy(connect=[slow, f"127.0.0.1:{b.good}"]), stdin=subprocess.DEVNULL)
    check("connect -> 0" in run.stdout and not records, run.stdout, records)


@test
def races(b):
    count = "3000" if b.static else "8000"
    good, bad = f"127.0.0.1:{b.good}", f"127.0.0.1:{b.bad}"
    for what, proto in (("connect", "tcp"), ("sendto", "udp"), ("sendmsg", "udp"),
                        ("sendmmsg", "udp"), ("name", "udp"), ("fd", "udp"), ("pair", "udp"),
                        ("shared", "udp")):
        seen = b.servers.seen[f"{proto}:{bad}"]
        calls = "2000" if what == "connect" else count
        run, _ = b.inside([b.program("net_race"), what, good, bad, calls])
        check(re.fullmatch("went through: (some|none)\n", run.stdout), what, run.stdout)
        check("some" in run.stdout or what in ("fd", "pair", "shared"), what, "nothing went through")
        check(b.servers.seen[f"{proto}:{bad}"] == seen, what, "reached the denied address")
    run, _ = b.inside([b.program("net_race"), "bind", f"127.0.0.1:{b.mine}",
                       f"127.0.0.1:{b.closed}", "2000"])
    check(run.stdout == "went through: some\n", "bind", run.stdout)
    run, _ = b.inside([b.program("net_race"), "connect", f"unix:{b.dir}/in/s",
                       f"unix:{b.dir}/out/s", "2000"])
    check(run.stdout == "went through: some\n", "unix", run.stdout)


@test
def large_messages(b):
    for address, key in ((f"127.0.0.1:{b.good}", "tcp"), (f"unix:{b.dir}/in/s", "unix")):
        name_ = f"tcp:{address}" if key == "tcp" else address
        results = []
        for run in (b.native, lambda command: b.inside(command)[0]):
            seen = b.servers.seen[name_]
            b.servers.streams.pop(name_, None)
            output = run([b.program("net_stream"), "send", address, "5"]).stdout
            check(b.servers.wait(name_, seen), "not reached")
            for _ in range(200):
                if b.servers.streams.get(name_, (0,))[0] == 5 << 20:
                    break
                subprocess.run(["sleep", "0.01"], check=False)
            results.append((output, b.servers.streams.get(name_)))
        check(results[0] == results[1] and results[0][1][0] == 5 << 20, results)
    b.same("zerocopy", f"127.0.0.1:{b.good}", "1", program="net_stream", match="notices: 1")


@test
def load(b):
    """Many calls from many threads; afterwards proctor has the descriptors that it had before."""
    command = [b.program("net_stream"), "load", f"127.0.0.1:{b.good}", f"127.0.0.1:{b.bad}", "400"]
    counts = []
    for rounds in ("8", "400"):
        command[-1] = rounds
        policy = b.dir + "/policy.yaml"
        b.inside(["/bin/true"])
        with subprocess.Popen([b.proctor, "run", "-q", "-p", policy, "-o", b.dir + "/load.log",
                               "--", *command], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                              text=True) as run:
            check(run.stdout.readline() == "wrong -> 0\n", "some calls came out wrong")
            if os.getuid() == 0:
                counts.append(descriptors_below(run.pid))
            run.communicate("\n")
        with open(b.dir + "/load.log", encoding="utf-8") as log:
            blocked = sum('"event":"blocked"' in line for line in log)
        check(blocked == 8 * int(rounds) // 8, blocked, "records")
        os.unlink(b.dir + "/load.log")
    check(len(set(counts)) <= 1, "descriptors before and after:", counts)


@test
def real_programs(b):
    """What resolvers and servers do."""
    if b.static:
        return
    python = "/usr/bin/python3" if os.path.exists("/usr/bin/python3") else sys.executable
    for code in ("import socket; print(socket.getaddrinfo('localhost', 80), socket.if_nameindex())",
                 "import multiprocessing as m; p = m.Pool(2); print(p.map(abs, [-1, 2, -3]))",
                 "import asyncio; print(asyncio.run(asyncio.sleep(0, 5)))",
                 "import pwd; print(pwd.getpwuid(0))"):
        native = b.native([python, "-c", code])
        run, records = b.inside([python, "-c", code])
        check(run.stdout == native.stdout and not records, code, run.stdout, records)
    code = f"""
import http.server, threading, urllib.request
server = http.server.HTTPServer(("127.0.0.1", {b.mine}), http.server.SimpleHTTPRequestHandler)
server.RequestHandlerClass.log_message = lambda *args: None
threading.Thread(target=server.serve_forever, daemon=True).start()
print(urllib.request.urlopen("http://127.0.0.1:{b.mine}/in/file").read())
"""
    run, records = b.inside([python, "-c", code], cwd=b.dir)
    check("contents" in run.stdout and not records, run.stdout, records)


if __name__ == "__main__":
    sys.exit(run_all())
