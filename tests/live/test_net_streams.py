#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""Live tests of the network: what goes over a connected stream never leaves the kernel where no rule
allows a datagram, and no way leads from there to an address that nobody was asked about.

environment: as test_net.py
"""
import os
import re
import socket
import sys

sys.dont_write_bytecode = True
from net_harness import (DGRAM, FASTOPEN, INET, NETLINK, STREAM, TCP4, TCP6, UDP4, UDP6, UNIX,
                         UNIX_DGRAM, UNIX_STREAM, check, connect, run_all, sendto, test, use)

RAW, SEQPACKET = "3", "5"
DEFER_CONNECT, NO_COOKIE = ("option", "6", "30", "1"), ("option", "6", "34", "1")


def streams(b, **more):
    """A policy by which no datagram can go anywhere."""
    return b.policy(connect=[f"127.0.0.1:{b.good}", f"[::1]:{b.good}"], bind=[f"127.0.0.1:{b.mine}"],
                    **more)


def mediated(b, command, policy, **more):
    """How often each call was mediated."""
    run, records = b.inside(command, policy, ("--stats",), **more)
    check(run.returncode == 0 and not records, run.stdout, records)
    return {name: int(count) for name, count in
            re.findall(r"^(\w+) +(\d+) +[\d.]+ +[\d.]+$", run.stdout, re.M)}


TALK = (*TCP4, "connect", "{good}", *(20 * ("sendmsg", "-", "hello", "recv")),
        *(10 * ("send", "hello", "recv")), *(5 * ("sendmmsg", "-", "one", "-", "two", "recv")))


@test
def streams_stay_in_the_kernel(b):
    command = [b.program("net_acts"), *(word.format(good=f"127.0.0.1:{b.good}") for word in TALK)]
    counts = mediated(b, command, streams(b))
    check(counts.get("connect") == 1, counts)
    check(not {"sendmsg", "sendmmsg", "sendto", "recvmsg", "recvfrom"} & set(counts), counts)
    # What may send a datagram is looked at: so is a stream then, as it may be either.
    for rule in (f"udp:127.0.0.1:{b.good}", f"unix:{b.dir}/in", f"unix:@{b.tag}-in-s"):
        policy = b.policy(connect=[f"127.0.0.1:{b.good}", rule], bind=[])
        counts = mediated(b, command, policy)
        check(counts.get("sendmsg") == 20 and counts.get("sendmmsg") == 5, rule, counts)
    counts = mediated(b, command, b.policy(connect=[f"127.0.0.1:{b.good}"],
                                           bind=[f"udp:127.0.0.1:{b.mine}"]))
    check(counts.get("sendmsg") == 20, counts)


@test
def accepted_streams_stay_in_the_kernel(b):
    acts = (*TCP4, "option", "1", "2", "1", "bind", f"127.0.0.1:{b.mine}", "listen", "use", "2", *TCP4,
            "connect", f"127.0.0.1:{b.mine}", "use", "0", "accept", "use", "1",
            *(10 * ("sendmsg", "-", "hello", "use", "2", "recv", "use", "1")))
    policy = b.policy(connect=[f"127.0.0.1:{b.mine}"], bind=[f"127.0.0.1:{b.mine}"])
    counts = mediated(b, [b.program("net_acts"), *acts], policy)
    check(counts.get("listen") == 1 and "sendmsg" not in counts and "accept" not in counts, counts)


@test
def they_behave_as_natively(b):
    for kind, address in ((TCP4, f"127.0.0.1:{b.good}"), (TCP6, f"[::1]:{b.good}")):
        b.same(kind, connect(address), ("sendmsg", "-", "parts"), ("recv",),
               ("sendcmsg", "1", "1", "00000000", "-", "x"), ("recv",),
               ("sendmmsg", "-", "one", "-", "two"), ("shutdown", "1"), ("flags", "0x4000"),
               ("sendmsg", "-", "x"), policy=streams(b), match="got parts(.|\n)*EPIPE")
    for kind in (STREAM, SEQPACKET):
        b.same(("pair", kind), ("sendmsg", "-", "hello"), use(1), ("recv",), ("sendmsg", "-", "x"),
               use(0), ("recv",), policy=streams(b), match="hello")


@test
def no_socket_for_datagrams(b):
    for kind, arg in ((UDP4, "AF_INET SOCK_DGRAM 0"), (UDP6, "AF_INET6 SOCK_DGRAM 0"),
                      (("socket", INET, DGRAM, "17"), "AF_INET SOCK_DGRAM 17"),
                      (("socket", INET, str(int(DGRAM) | os.O_CLOEXEC), "0"), "AF_INET SOCK_DGRAM 0"),
                      (UNIX_DGRAM, "family 1 SOCK_DGRAM 0"),
                      (("socket", UNIX, RAW, "0"), "family 1 SOCK_RAW 0")):
        b.blocked(kind, policy=streams(b), op="socket", syscall="socket", arg=arg)
    for kind in (DGRAM, RAW):
        b.blocked(("pair", kind), policy=streams(b), op="socket", syscall="socketpair")
    # Nothing is refused where nothing is enforced, and then every message is looked at.
    run, records = b.inside([b.program("net_acts"), *UDP4, *sendto(f"127.0.0.1:{b.bad}"),
                             "sendmsg", f"127.0.0.1:{b.bad}", "x"], streams(b), ("--observe",),
                            event="would_block")
    check("EACCES" not in run.stdout and [r["op"] for r in records] == ["send", "send"], run.stdout,
          records)


@test
def an_address_in_a_message(b):
    """With MSG_FASTOPEN it is one to connect to; otherwise a stream has no use for it."""
    good, bad = f"127.0.0.1:{b.good}", f"127.0.0.1:{b.bad}"
    for act in (sendto(bad), ("sendmsg", bad, "hello"), ("sendmmsg", bad, "hello", bad, "hello")):
        b.blocked(TCP4, FASTOPEN, act, policy=streams(b), reached=f"tcp:{bad}", op="connect",
                  endpoint=f"tcp:{bad}")
    b.same(TCP4, FASTOPEN, ("sendmsg", good, "hello"), ("peer",), policy=streams(b))
    seen = dict(b.servers.seen)
    for far in (f"tcp:{bad}", f"udp:{bad}", f"unix:{b.dir}/out/s", f"unix:{b.dir}/out/d"):
        seen.setdefault(far, 0)
    quiet = ("flags", "0x4000")
    b.same(TCP4, quiet, ("sendmsg", bad, "x"), policy=streams(b), match="sendmsg -> E")
    b.same(TCP4, connect(good), ("sendmsg", bad, "x"), ("recv",), policy=streams(b), match="got x")
    b.same(TCP4, connect(good), ("sendmmsg", bad, "x", bad, "y"), policy=streams(b))
    b.same(("pair", STREAM), ("sendmsg", f"unix:{b.dir}/out/s", "x"), policy=streams(b),
           match="EISCONN")
    b.same(UNIX_STREAM, ("sendmsg", f"unix:{b.dir}/out/s", "x"), policy=streams(b),
           match="EOPNOTSUPP")
    b.same(("pair", SEQPACKET), ("sendmsg", f"unix:{b.dir}/out/d", "x"), use(1), ("recv",),
           policy=streams(b), match="recv -> 1")
    # The connect that a message sets going goes where the connect(2) was decided on.
    for before in ((DEFER_CONNECT,), (DEFER_CONNECT, NO_COOKIE)):
        b.same(TCP4, *before, connect(good), ("sendmsg", bad, "hello"), ("recv",),
               policy=streams(b), match="got hello")
        b.same(TCP4, *before, connect(good), quiet, ("sendmsg", "unspec", "x"), connect("unspec"),
               ("sendmsg", bad, "x"), policy=streams(b))
    for far, count in seen.items():
        check(b.servers.seen[far] == count or "good" in far or far.endswith(str(b.good)), far,
              "was reached")


@test
def netlink_to_others(b):
    """Who sends to another process than the kernel needs CAP_NET_ADMIN, which no tool has."""
    command = [b.program("net_acts"), "socket", NETLINK, RAW, "0", "sendmsg", "netlink:1:0", "x",
               "sendmsg", "netlink:0:1", "x", "sendto", "netlink:1:0", "x"]
    run, records = b.inside(command, streams(b))
    check(run.stdout.split() == "socket -> 0 sendmsg -> EPERM sendmsg -> EPERM sendto -> EACCES".split()
          and len(records) == 1, run.stdout, records)


@test
def what_the_tool_is_given(b):
    """A socket for datagrams as standard input: each message is looked at."""
    bad = f"127.0.0.1:{b.bad}"
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as given:
        b.blocked(("fd", "0"), ("sendmsg", bad, "hello"), policy=streams(b), reached=f"udp:{bad}",
                  op="send", endpoint=f"udp:{bad}", more={"stdin": given})
    command = [b.program("net_acts"), *TCP4, *connect(f"127.0.0.1:{b.good}"), "sendmsg", "-", "x"]
    for kind in (socket.SOCK_STREAM, socket.SOCK_SEQPACKET, socket.SOCK_DGRAM):
        one, other = socket.socketpair(socket.AF_UNIX, kind)
        with one, other:
            counts = mediated(b, command, streams(b), stdin=one)
        check(counts.get("sendmsg", 0) == (kind == socket.SOCK_DGRAM), kind, counts)


@test
def descriptors_that_are_lent(b):
    """While a descriptor of O_PATH is put into the tool it has a socket of ours: no way out either."""
    policy = streams(b)
    policy["files"]["hide"] = [b.dir + "/out"]
    run, records = b.inside([b.program("net_lent"), b.dir + "/in", f"unix:{b.dir}/out/d"], policy)
    check(re.search(r"^lent: [1-9]", run.stdout, re.M) and "went through: 0\n" in run.stdout,
          run.stdout, records)


if __name__ == "__main__":
    sys.exit(run_all())
