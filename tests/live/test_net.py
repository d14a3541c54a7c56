#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""Live tests of the network: internet addresses, to connect, to send and to bind.

environment: PROCTOR (default ./proctor), PROGRAMS (the folder of the net_* programs; default
tests/live), ONLY (run the tests whose name contains it), LONG (see net_harness.run_all())
"""
import socket
import sys

sys.dont_write_bytecode = True
from net_harness import (FASTOPEN, REUSE, STREAM, TCP4, TCP6, UDP4, UDP6, UNIX_STREAM, bind, check,
                         connect, run_all, sendto, test, use)


@test
def tcp_allowed(b):
    address = f"127.0.0.1:{b.good}"
    b.same(TCP4, connect(address), ("peer",), ("send", "hello"), ("recv",), connect(address),
           match="peer 127.0.0.1.*\n.*\n.*\n.*got hello")
    b.same(TCP6, connect(f"[::1]:{b.good}"), ("peer",), ("send", "hello"), ("recv",))
    b.same(TCP6, connect(f"[::ffff:127.0.0.1]:{b.good}"), ("peer",), ("send", "hello"), ("recv",))
    b.same(TCP4, ("nonblock",), connect(address), ("finish",), ("send", "hello"), ("recv",),
           match="EINPROGRESS")
    b.same(TCP4, connect(f"127.0.0.1:{b.closed}"), match="ECONNREFUSED")
    b.same(TCP4, ("nonblock",), connect(f"127.0.0.1:{b.closed}"), ("finish",),
           match="finish -> ECONNREFUSED")
    b.same(TCP4, connect(address), ("dup",), use(1), connect(address), ("name",), match="EISCONN")


@test
def tcp_denied(b):
    bad = f"127.0.0.1:{b.bad}"
    b.blocked(TCP4, connect(bad), reached=f"tcp:{bad}", op="connect", endpoint=f"tcp:{bad}",
              arg=bad, syscall="connect", rule=None)
    other = f"127.0.0.2:{b.good}"
    b.blocked(TCP4, connect(other), reached=f"tcp:{other}", endpoint=f"tcp:{other}")
    b.blocked(TCP4, ("nonblock",), connect(bad), reached=f"tcp:{bad}", endpoint=f"tcp:{bad}")
    six = f"[::1]:{b.bad}"
    b.blocked(TCP6, connect(six), reached=f"tcp:{six}", endpoint=f"tcp:{six}")


@test
def mapped_addresses(b):
    b.blocked(TCP6, connect(f"[::ffff:127.0.0.1]:{b.bad}"), reached=f"tcp:127.0.0.1:{b.bad}",
              endpoint=f"tcp:127.0.0.1:{b.bad}", arg=f"[::ffff:127.0.0.1]:{b.bad}")
    b.blocked(UDP6, sendto(f"[::ffff:127.0.0.1]:{b.bad}"), reached=f"udp:127.0.0.1:{b.bad}",
              endpoint=f"udp:127.0.0.1:{b.bad}")
    b.blocked(UDP6, sendto(f"127.0.0.1:{b.bad}"), reached=f"udp:127.0.0.1:{b.bad}",
              endpoint=f"udp:127.0.0.1:{b.bad}")
    policy = b.policy(connect=["*:*", "udp:*:*"], deny=["127.0.0.1:*", "udp:127.0.0.1:*"])
    b.blocked(TCP6, connect(f"[::ffff:127.0.0.1]:{b.bad}"), reached=f"tcp:127.0.0.1:{b.bad}",
              policy=policy, endpoint=f"tcp:127.0.0.1:{b.bad}")


@test
def addresses_that_mean_this_host(b):
    b.same(TCP4, connect(f"0.0.0.0:{b.good}"), ("peer",), match="peer 127.0.0.1")
    b.same(TCP6, connect(f"[::]:{b.good}"), ("peer",), match=r"peer \[::1\]")
    b.same(TCP6, connect(f"[::ffff:0.0.0.0]:{b.good}"), ("peer",))
    b.same(UDP4, sendto(f"0.0.0.0:{b.good}"), ("recv",), match="got hello")
    b.same(UDP6, sendto(f"[::]:{b.good}"), ("recv",), match="got hello")
    for kind, address, reached in (
            (TCP4, f"0.0.0.0:{b.bad}", f"tcp:127.0.0.1:{b.bad}"),
            (TCP6, f"[::]:{b.bad}", f"tcp:[::1]:{b.bad}"),
            (TCP6, f"[::ffff:0.0.0.0]:{b.bad}", f"tcp:127.0.0.1:{b.bad}"),
            (UDP4, f"0.0.0.0:{b.bad}", f"udp:127.0.0.1:{b.bad}"),
            (UDP6, f"[::]:{b.bad}", f"udp:[::1]:{b.bad}")):
        act = connect if kind[2] == STREAM else sendto
        b.blocked(kind, act(address), reached=reached, endpoint=reached, arg=address)
    # From an address of one's own it is that one, not 127.0.0.1.
    b.blocked(TCP4, bind("127.0.0.2:0"), connect(f"0.0.0.0:{b.good}"),
              reached=f"tcp:127.0.0.2:{b.good}", endpoint=f"tcp:127.0.0.2:{b.good}")


@test
def ports_and_scopes(b):
    b.blocked(TCP4, connect("127.0.0.1:0"), works=False, endpoint="tcp:127.0.0.1:0")
    b.blocked(TCP6, connect("[fe80::1%1]:80"), works=False, endpoint="tcp:[fe80::1%1]:80")
    b.same(TCP4, ("len", "129"), connect(f"127.0.0.1:{b.bad}"), match="EINVAL")
    b.same(TCP4, ("len", "15"), connect(f"127.0.0.1:{b.bad}"), match="EINVAL")
    b.blocked(TCP4, ("len", "128"), connect(f"127.0.0.1:{b.bad}"), reached=f"tcp:127.0.0.1:{b.bad}",
              endpoint=f"tcp:127.0.0.1:{b.bad}")
    b.blocked(TCP6, ("len", "24"), connect(f"[::1]:{b.bad}"), reached=f"tcp:[::1]:{b.bad}",
              endpoint=f"tcp:[::1]:{b.bad}")
    b.same(TCP4, connect("family:99"), match="EAFNOSUPPORT")


@test
def denied_whatever_allows(b):
    policy = b.policy(connect=["*:*", "udp:*:*"], deny=["169.254.169.254:*"])
    for kind, address in ((TCP4, "169.254.169.254:80"), (TCP6, "[::ffff:169.254.169.254]:80"),
                          (TCP6, "[::ffff:a9fe:a9fe]:80")):
        b.blocked(kind, ("nonblock",), connect(address), works=False, policy=policy,
                  endpoint="tcp:169.254.169.254:80")
    b.blocked(UDP4, sendto("169.254.169.254:53"), works=False, policy=policy,
              endpoint="udp:169.254.169.254:53")


@test
def disconnecting(b):
    b.same(UDP4, connect(f"127.0.0.1:{b.good}"), connect("unspec"), ("send", "x"),
           match="EDESTADDRREQ")
    b.same(TCP4, connect(f"127.0.0.1:{b.good}"), connect("unspec"), connect(f"127.0.0.1:{b.good}"),
           ("peer",), match="connect -> 0\nconnect -> 0\nconnect -> 0\n")
    b.blocked(UDP4, connect(f"127.0.0.1:{b.good}"), connect("unspec"), connect(f"127.0.0.1:{b.bad}"),
              endpoint=f"udp:127.0.0.1:{b.bad}")
    b.blocked(TCP4, connect(f"127.0.0.1:{b.good}"), connect("unspec"), connect(f"127.0.0.1:{b.bad}"),
              reached=f"tcp:127.0.0.1:{b.bad}", endpoint=f"tcp:127.0.0.1:{b.bad}")


@test
def fast_open(b):
    good, bad = f"127.0.0.1:{b.good}", f"127.0.0.1:{b.bad}"
    b.same(TCP4, FASTOPEN, sendto(good), ("flags", "0"), ("recv",), match="got hello")
    b.same(TCP4, FASTOPEN, ("sendmsg", good, "hello"), ("peer",))
    b.same(TCP4, ("option", "6", "30", "1"), connect(good), ("send", "hello"), ("recv",),
           match="got hello")
    b.same(TCP4, ("option", "6", "30", "1"), connect(good), ("sendmsg", "-", "hello"), ("recv",),
           match="got hello")
    for act in (sendto(bad), ("sendmsg", bad, "hello"), ("sendmmsg", bad, "hello", bad, "hello")):
        b.blocked(TCP4, FASTOPEN, act, reached=f"tcp:{bad}", op="connect", endpoint=f"tcp:{bad}")
    b.blocked(TCP4, ("option", "6", "30", "1"), connect(bad), endpoint=f"tcp:{bad}")
    b.same(TCP4, FASTOPEN, ("sendto", "unspec", "hello"), match="EOPNOTSUPP|EINVAL")


@test
def datagrams_allowed(b):
    good = f"127.0.0.1:{b.good}"
    for kind, address in ((UDP4, good), (UDP6, f"[::1]:{b.good}"), (UDP6, good)):
        b.same(kind, sendto(address), ("recv",), ("sendmsg", address, "parts"), ("recv",),
               ("sendmmsg", address, "one", address, "two"), ("recv",), ("recv",),
               match="got two")
        b.same(kind, connect(address), ("send", "hello"), ("recv",), ("sendmsg", "-", "parts"),
               ("recv",), ("sendmmsg", "-", "one", "-", "two"), ("recv",), ("recv",),
               match="got two")
    b.same(UDP4, sendto(f"unspec:{good}"), ("recv",), match="got hello")
    b.same(UDP4, ("sendto", good, ""), ("recv",), match="got")
    b.same(UDP4, ("sendmsg", good, "x" * 60000), ("recv",), match="sendmsg -> 60000")
    b.same(UDP4, ("sendmsg", good, "x" * 65508), match="EMSGSIZE")
    b.same(UDP4, ("sendmsg", "-", "x"), match="EDESTADDRREQ")
    b.same(UDP6, connect(f"[::1]:{b.good}"), sendto("unspec"), ("recv",), match="got hello")
    b.same(UDP4, ("sendto", "[::1]:9", "x"), match="EAFNOSUPPORT",
           policy=b.policy(connect=["udp:[::1]:9"]))


@test
def datagrams_denied(b):
    good, bad = f"127.0.0.1:{b.good}", f"127.0.0.1:{b.bad}"
    for act in (sendto(bad), ("sendmsg", bad, "hello"), ("sendmmsg", bad, "x", bad, "y"),
                sendto(f"unspec:{bad}")):
        fields = {"reached": f"udp:{bad}", "op": "send", "endpoint": f"udp:{bad}",
                  "syscall": act[0]}
        b.blocked(UDP4, act, **fields)
        b.blocked(UDP4, connect(good), act, **fields)
    b.blocked(UDP4, connect(bad), op="connect", endpoint=f"udp:{bad}")
    b.blocked(UDP6, connect(bad), op="connect", endpoint=f"udp:{bad}")
    b.blocked(UDP6, connect(f"[::1]:{b.good}"), sendto(f"[::1]:{b.bad}"),
              reached=f"udp:[::1]:{b.bad}", endpoint=f"udp:[::1]:{b.bad}")


@test
def some_messages_denied(b):
    """The first goes, the second does not: the count says so, as it does for other errors."""
    good, bad = f"127.0.0.1:{b.good}", f"127.0.0.1:{b.bad}"
    seen = b.servers.seen[f"udp:{good}"]
    run, records = b.inside([b.program("net_acts"), *UDP4, "sendmmsg", good, "x", bad, "y"])
    check("sendmmsg -> 1\n" in run.stdout, run.stdout)
    check([r["endpoint"] for r in records] == [f"udp:{bad}"], records)
    check(b.servers.wait(f"udp:{good}", seen), "the first message was lost")


@test
def names_on_connected_streams(b):
    good, bad = f"127.0.0.1:{b.good}", f"127.0.0.1:{b.bad}"
    b.same(TCP4, connect(good), sendto(good), ("recv",), match="got hello")
    b.same(TCP4, connect(good), ("sendto", "family:99", "x"), ("recv",), match="got x")
    b.blocked(TCP4, connect(good), sendto(bad), endpoint=f"tcp:{bad}")
    b.same(("pair", STREAM), ("sendto", f"unix:{b.dir}/in/s", "x"), match="EISCONN")
    b.same(UNIX_STREAM, ("sendto", f"unix:{b.dir}/in/s", "x"), match="EOPNOTSUPP")
    b.same(("pair", "5"), ("sendto", f"unix:{b.dir}/in/s", "x"), use(1), ("recv",))


@test
def bind_allowed(b):
    mine = f"127.0.0.1:{b.mine}"
    b.same(TCP4, REUSE, bind(mine), ("name",), ("listen",), use(2), TCP4,
           connect(mine), ("peer",), use(0), ("accept",), use(1), ("name",), match="accept -> 0")
    b.same(UDP4, bind(mine), ("name",), use(1), UDP4, sendto(mine), use(0), ("recv",),
           match="recv -> 5")
    b.same(TCP4, bind("127.0.0.2:0"), ("name",), ("listen",), match=r"name 127.0.0.2:\*")
    b.same(TCP4, REUSE, bind(mine), bind(mine), match="bind -> EINVAL")
    b.same(TCP4, REUSE, bind(mine), ("listen",), use(1), TCP4, REUSE, bind(mine),
           match="EADDRINUSE")
    b.same(TCP4, connect(f"127.0.0.1:{b.good}"), ("listen",), match="listen -> EINVAL")
    b.same(TCP4, bind("family:99"), match="EAFNOSUPPORT")
    b.same(TCP4, bind("unspec:127.0.0.1:9"), match="EAFNOSUPPORT")


@test
def bind_denied(b):
    for kind, address, text in (
            (TCP4, f"127.0.0.1:{b.closed}", f"tcp:127.0.0.1:{b.closed}"),
            (TCP4, f"0.0.0.0:{b.mine}", f"tcp:0.0.0.0:{b.mine}"),
            (TCP4, f"unspec:0.0.0.0:{b.mine}", f"tcp:0.0.0.0:{b.mine}"),
            (TCP4, "127.0.0.1:0", "tcp:127.0.0.1:0"),
            (TCP6, f"[::]:{b.mine}", f"tcp:[::]:{b.mine}"),
            (TCP6, f"[::ffff:0.0.0.0]:{b.mine}", f"tcp:0.0.0.0:{b.mine}"),
            (UDP4, f"0.0.0.0:{b.mine}", f"udp:0.0.0.0:{b.mine}")):
        b.blocked(kind, REUSE, bind(address), op="bind", endpoint=text)


@test
def listen_denied(b):
    """Without a bind it listens on every address."""
    b.blocked(TCP4, ("listen",), op="listen", endpoint="tcp:0.0.0.0:0")
    b.blocked(TCP6, ("listen",), op="listen", endpoint="tcp:[::]:0")
    b.blocked(TCP4, connect(f"127.0.0.1:{b.good}"), connect("unspec"), ("listen",),
              endpoint="tcp:0.0.0.0:0")
    b.same(TCP4, ("listen",), ("name",), policy=b.policy(bind=["0.0.0.0:0"]), match="0.0.0.0:")
    b.same(TCP4, connect(f"127.0.0.1:{b.good}"), connect("unspec"), ("listen",), ("name",),
           policy=b.policy(bind=["0.0.0.0:0"]), match="listen -> 0")
    b.same(TCP4, REUSE, bind(f"0.0.0.0:{b.mine}"), ("listen",), ("name",),
           policy=b.policy(bind=[f"0.0.0.0:{b.mine}"]), match="listen -> 0")
    b.same(TCP4, bind("0.0.0.0:0"), ("listen",), ("name",), policy=b.policy(bind=["0.0.0.0:0"]),
           match="listen -> 0")


@test
def other_ways_to_a_socket(b):
    bad = f"127.0.0.1:{b.bad}"
    b.blocked(TCP4, ("dup",), use(1), connect(bad), reached=f"tcp:{bad}", endpoint=f"tcp:{bad}")
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as inherited:
        b.blocked(("fd", "0"), sendto(bad), reached=f"udp:{bad}", endpoint=f"udp:{bad}",
                  more={"stdin": inherited})
    command = [b.program("net_scm"), "use", f"unix:{b.dir}/in/s", bad]
    seen = b.servers.seen[f"udp:{bad}"]
    native = b.native(command)
    check("sendto -> 8" in native.stdout and "connect -> 0" in native.stdout, native.stdout)
    check(b.servers.wait(f"udp:{bad}", seen), "natively it was not reached")
    seen += 1
    run, records = b.inside(command)
    check(run.stdout == "sendto -> EACCES\nconnect -> EACCES\n", run.stdout)
    check([r["endpoint"] for r in records] == [f"udp:{bad}"] * 2, records)
    check(b.servers.seen[f"udp:{bad}"] == seen, "a datagram came through")


if __name__ == "__main__":
    sys.exit(run_all())
