#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""Live tests of network.proxy: HTTP CONNECT and SOCKS5 under the same rules as a connect, for the tool and
nobody else.

environment: as test_net.py
"""
import json
import os
import re
import socket
import struct
import subprocess
import sys
import time

sys.dont_write_bytecode = True
from names_server import A, NameServer
from net_harness import check, descriptors_below, run_all, test
from net_servers import free_port

CLIENT = r'''
import os, socket, struct, sys, threading
def proxy(kind="tcp"):
    if kind == "unix":
        s = socket.socket(socket.AF_UNIX); s.connect("\0" + os.environ["PROCTOR_PROXY_UNIX"][1:]); return s
    host, port = os.environ["PROCTOR_PROXY"].split(":"); return socket.create_connection((host, int(port)))
def head(s):
    data = b""
    while not data.endswith(b"\r\n\r\n"):
        piece = s.recv(1)
        if not piece: break
        data += piece
    return data[9:12].decode()
def http(to, kind="tcp", more=b""):
    s = proxy(kind); s.sendall(b"CONNECT %s HTTP/1.1\r\nHost: x\r\n\r\n" % to.encode("latin-1") + more)
    return s, head(s)
def socks(to, kind="tcp", more=b"", command=1):
    host, port = to.rsplit(":", 1); host = host.encode("latin-1")
    s = proxy(kind); s.sendall(b"\5\1\0"); assert s.recv(2) == b"\5\0"
    s.sendall(struct.pack(">BBBBB", 5, command, 0, 3, len(host)) + host + struct.pack(">H", int(port)) + more)
    return s, s.recv(10)[1]
def talk(s): s.sendall(b"hello"); return s.recv(99).decode()
def both(*hosts):
    for to in hosts:
        for way in (http, socks):
            s, answer = way(to); print(answer, end=" "); s.close()
    print()
'''


def python(code):
    return ["/usr/bin/python3", "-c", CLIENT + code]


def offering(b, connect=None, **more):
    policy = b.policy(connect=[f"127.0.0.1:{b.good}", f"127.0.0.1:{b.closed}", f"[::1]:{b.good}"]
                      if connect is None else connect, bind=[], **more)
    policy["network"]["proxy"] = True
    return policy


def endpoints(records):
    return [record.get("endpoint") for record in records]


@test
def allowed(b):
    code = f'''
for to in ("127.0.0.1:{b.good}", "localhost:{b.good}", "LOCALHOST.:{b.good}"):
    for kind in ("tcp", "unix"):
        for way in (http, socks):
            s, answer = way(to, kind); print(answer, talk(s))
            s.close()
s, answer = http("[::1]:{b.good}"); print(answer, talk(s))
s, answer = http("[::ffff:127.0.0.1]:{b.good}"); print(answer, talk(s))
for way in (http, socks):  # who does not wait for the answer
    s, answer = way("127.0.0.1:{b.good}", "tcp", b"early"); print(answer, s.recv(99).decode())
both("127.0.0.1:{b.closed}")
s, answer = http("127.0.0.1:{b.good}"); print(s.getpeername()[0])
'''
    run, records = b.inside(python(code), offering(b))
    lines = run.stdout.splitlines()
    check(lines == 6 * ["200 got hello", "0 got hello"] + 2 * ["200 got hello"]
          + ["200 got early", "0 got early", "502 5 ", "127.0.0.1"] and not records, run.stdout, records)


@test
def refused(b):
    bad = f"127.0.0.1:{b.bad}"
    native = b.native(["/usr/bin/python3", "-c", f"import socket\ns = socket.create_connection(('127.0.0.1', "
                       f"{b.bad})); s.sendall(b'x'); print(s.recv(9))"])
    check("got x" in native.stdout, native.stdout)
    seen = b.servers.seen[f"tcp:{bad}"]
    run, records = b.inside(python(f'both("{bad}", "[::ffff:127.0.0.1]:{b.bad}", "nowhere.example:80")'),
                            offering(b, deny=[f"[::1]:{b.good}"]))
    check(run.stdout == "403 2 403 2 403 2 \n", run.stdout)
    # In SOCKS brackets are no part of a name.
    check(endpoints(records) == [f"tcp:{bad}"] * 3 + ["family:0"] + ["tcp:nowhere.example:80"] * 2, records)
    check(records[0]["arg"] == f"{bad} by the proxy" and records[0]["syscall"] == "connect"
          and records[0]["errno"] == "EACCES" and records[0]["comm"].startswith("python"), records[0])
    check(records[4]["host"] == "nowhere.example" and b.servers.seen[f"tcp:{bad}"] == seen, records)
    # Both mean this host.
    run, records = b.inside(python(f'print(http("0.0.0.0:{b.bad}")[1], http("[::]:{b.bad}")[1])'), offering(b))
    check(run.stdout == "403 403\n" and endpoints(records) == [f"tcp:{bad}", f"tcp:[::1]:{b.bad}"], records)
    run, records = b.inside(python(f'both("[::1]:{b.good}", "169.254.169.254:80")'),
                            offering(b, connect=["*:*"], deny=[f"[::1]:{b.good}", "169.254.169.254:*"]))
    check(run.stdout.startswith("403 ") and endpoints(records)[0] == f"tcp:[::1]:{b.good}"
          and endpoints(records)[2:] == ["tcp:169.254.169.254:80"] * 2 and records[2]["rule"], records)


@test
def summary_says_what_would_allow(b):
    policy = b.dir + "/summary.yaml"
    with open(policy, "w", encoding="utf-8") as file:
        json.dump(offering(b), file)
    run = b.native([b.proctor, "run", "-p", policy, "-o", b.dir + "/summary.jsonl", "--",
                    *python('both("nowhere.example:80")')])
    check('to allow it: network: {connect: ["nowhere.example:80"]}' in run.stdout, run.stdout)


@test
def no_names(b):
    """Each is refused with one record, and nothing is looked up."""
    names = ["good\0.evil", "good evil", "a..b", "-a.example", "2130706433", "0x7f000001", "0177.0.0.1",
             "127.1", "x" * 64 + ".example", ".".join(["abcdefg"] * 32), "a@b.example", "a/b", "\xff\xfe"]
    code = "\n".join(f"s, answer = socks({name + ':80'!r}); print(answer)" for name in names)
    run, records = b.inside(python(code), offering(b))
    check(run.stdout == "2\n" * len(names), run.stdout)
    check([r.get("detail") for r in records] == ["this is no host name"] * len(names), records)
    check(records[0]["arg"] == "good\\x00.evil:80 by the proxy", records[0])
    run, records = b.inside(python(r'''
for to in ("unix:/x:80", "udp:127.0.0.1:53", "a@b.example:80", "127.1:80"):
    print(http(to)[1])
for text in (b"CONNECT a:1 HTTP/1.1\n\n", b"CONNECT a:1\r\n\r\n", b"\4\1\0\x50\x7f\0\0\1\0", b"\x16\3\1\2\0"):
    s = proxy(); s.sendall(text); print(head(s))
s = proxy(); s.sendall(b"GET http://127.0.0.1/ HTTP/1.1\r\nHost: x\r\n\r\nbody"); print(head(s))
s = proxy(); s.sendall(b"\5\1\2"); print(s.recv(9))
for command in (2, 3): print(socks("127.0.0.1:80", command=command)[1])
'''), offering(b))
    check(run.stdout.split() == 4 * ["403"] + 4 * ["400"] + ["405", r"b'\x05\xff'", "7", "7"], run.stdout)
    check(len(records) == 4, records)


@test
def by_name(b):
    """The name server stands on another port, and its answers lead to loopback."""
    zone = {"good.example": [(A, "127.0.0.1")], "evil.example": [(A, "127.0.0.1")],
            "inner.example": [(A, "127.0.0.2")]}
    names = NameServer("127.0.0.1", free_port(), zone, b.dir + "/asked")
    os.environ["PROCTOR_NAMESERVERS"] = f"127.0.0.1:{names.port}"
    rules = [f"good.example:{b.good}", f"127.0.0.1:{b.good}", f"inner.example:{b.good}",
             f"missing.example:{b.good}", f"tls:evil.example:{b.good}"]
    good = b.good
    try:
        run, records = b.inside(python(f'''
for way in (http, socks):
    for kind in ("tcp", "unix"): s, answer = way("GOOD.example.:{good}", kind); print(answer, talk(s))
both("good.example:81", "other.example:{good}", "inner.example:{good}", "missing.example:{good}")
'''), offering(b, connect=rules))
        check(run.stdout.splitlines() == 2 * ["200 got hello"] + 2 * ["0 got hello"]
              + ["403 2 403 2 403 2 502 4 "], run.stdout)
        check(endpoints(records) == ["tcp:good.example:81"] * 2 + [f"tcp:other.example:{good}"] * 2
              + [f"tcp:127.0.0.2:{good}"] * 2, records)
        check([r.get("host") for r in records[4:]] == ["inner.example"] * 2, records)
        with open(names.notes, encoding="utf-8") as asked:
            check(set(asked.read().split()) == {"good.example", "inner.example", "missing.example"},
                  "what was asked")
        # The site is bound here as well.
        request = r"GET / HTTP/1.1\r\nHost: %s\r\n\r\n"
        run, records = b.inside(python(f'''
for host in ("evil.example", "good.example"):
    s, answer = http("evil.example:{good}"); s.sendall(b"{request}" % host.encode()); print(answer, s.recv(99)[:12])
'''), offering(b, connect=rules))
        check(run.stdout == "200 b'got GET / HT'\n200 b'HTTP/1.1 403'\n", run.stdout)
        check(len(records) == 1 and records[0]["detail"] == "HTTP asks for good.example on this connection",
              records)
        # Port 53 is the stub's here as well.
        query = (struct.pack(">HHHHHH", 7, 0x100, 1, 0, 0, 0) + b"\6secret\4evil\0" + b"\0\1\0\1").hex()
        run, records = b.inside(python(f'''
s, answer = http("192.0.2.53:53"); q = bytes.fromhex("{query}")
s.sendall(len(q).to_bytes(2, "big") + q); print(answer, s.recv(99)[5] & 15)
'''), offering(b, connect=rules))
        check(run.stdout == "200 3\n" and [r.get("host") for r in records] == ["secret.evil"], run.stdout,
              records)
    finally:
        del os.environ["PROCTOR_NAMESERVERS"]


@test
def rewritten(b):
    policy = offering(b, connect=[])
    policy["network"]["rewrite"] = [{"connect": "10.1.2.3:80", "to": f"127.0.0.1:{b.good}"},
                                    {"connect": "10.1.2.3:81", "to": f"unix:{b.dir}/in/s"},
                                    {"connect": "db.internal:5432", "to": f"127.0.0.1:{b.good}"}]
    run, records = b.inside(python('''
for to in ("10.1.2.3:80", "10.1.2.3:81", "db.internal:5432"):
    for way in (http, socks): s, answer = way(to); print(answer, talk(s))
'''), policy, ("--log", "rewritten"), event="rewritten")
    check(run.stdout == 3 * "200 got hello\n0 got hello\n", run.stdout)
    check([r["to"] for r in records] == 2 * [f"tcp:127.0.0.1:{b.good}"] + 2 * [f"unix:{b.dir}/in/s"]
          + 2 * [f"tcp:127.0.0.1:{b.good}"], records)


@test
def observed(b):
    code = f'both("127.0.0.1:{b.bad}", "localhost:{b.bad}")'
    run, records = b.inside(python(code), offering(b), ("--observe",), event="would_block")
    check(run.stdout == "200 0 200 0 \n" and len(records) == 4, run.stdout, records)
    run, records = b.inside(python(f'both("127.0.0.1:{b.good}")'), offering(b), ("--log", "all"),
                            event="allowed")
    arguments = [r.get("arg") for r in records if r["op"] == "connect"]
    check(arguments.count(f"127.0.0.1:{b.good} by the proxy") == 2 and len(arguments) == 4, arguments)


@test
def variables(b):
    show = ["/bin/sh", "-c", "/usr/bin/env | grep -i proxy"]
    policy = offering(b)
    policy["env"] = {"keep": ["PATH"]}
    run, _ = b.inside(show, policy, env={**os.environ, "HTTPS_PROXY": "http://192.0.2.1:1"})
    port = re.search("^PROCTOR_PROXY=127.0.0.1:(\\d+)$", run.stdout, re.M)
    check(port and f"\nHTTPS_PROXY=http://127.0.0.1:{port[1]}\n" in "\n" + run.stdout
          and "PROCTOR_PROXY_UNIX=@" in run.stdout and "192.0.2.1" not in run.stdout, run.stdout)
    policy["env"]["set"] = {"HTTPS_PROXY": "http://192.0.2.1:1"}
    run, _ = b.inside(show, policy)
    check("\nHTTPS_PROXY=http://192.0.2.1:1\n" in "\n" + run.stdout, run.stdout)
    policy["network"]["proxy"] = False
    del policy["env"]["set"]
    run, _ = b.inside(show, policy)
    check(run.stdout == "", run.stdout)


class Inside:
    """A tool that runs meanwhile, and goes on with each line."""

    def __init__(self, b, code, policy):
        with open(b.dir + "/proxy.yaml", "w", encoding="utf-8") as file:
            json.dump(policy, file)
        self.log = b.dir + "/proxy.jsonl"
        self.run = subprocess.Popen([b.proctor, "run", "-q", "-p", b.dir + "/proxy.yaml", "-o", self.log, "--",
                                     *python(code)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)

    def line(self):
        return self.run.stdout.readline().strip()

    def go_on(self):
        self.run.stdin.write("\n")
        self.run.stdin.flush()


@test
def for_the_tool_alone(b):
    """Somebody else on this host finds nobody there."""
    tool = Inside(b, f'''
print(os.environ["PROCTOR_PROXY"], os.environ["PROCTOR_PROXY_UNIX"][1:], flush=True); input()
s, answer = http("127.0.0.1:{b.good}"); print(answer, talk(s), flush=True)''', offering(b))
    address, name = tool.line().split()
    host, port = address.split(":")
    for family, where in ((socket.AF_INET, (host, int(port))), (socket.AF_UNIX, "\0" + name)):
        with socket.socket(family) as stranger:
            try:
                stranger.connect(where)
                check(False, "a stranger was let in")
            except ConnectionRefusedError:
                pass
        with socket.socket(family) as thief:
            try:
                thief.bind(where)
                check(False, "the address was not held")
            except OSError:
                pass
    tool.go_on()
    check(tool.line() == "200 got hello", "it does not work afterwards")
    tool.run.communicate()
    # Nor does a policy without it let a tool get there: to a stranger it is an address like any other.
    run, records = b.inside(python(f'socket.create_connection(("{host}", {port}))'), b.policy(connect=[]))
    check("PermissionError" in run.stdout and len(records) == 1, run.stdout)


@test
def no_other_way_in(b):
    code = f'''
s = socket.socket(); host, port = os.environ["PROCTOR_PROXY"].split(":")
for flags in (0x20000000,):
    try: s.sendto(b"x", flags, (host, int(port)))
    except OSError as error: print(error.errno)
s.connect((host, int(port))); s.sendall(b"CONNECT 127.0.0.1:{b.good} HTTP/1.1\\r\\n\\r\\n"); print(head(s))
both(os.environ["PROCTOR_PROXY"])
s = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
print(s.connect_ex("\\0" + os.environ["PROCTOR_PROXY_UNIX"][1:]))
'''
    run, records = b.inside(python(code), offering(b))
    check(run.stdout == "95\n200\n403 2 \n91\n" and len(records) == 2, run.stdout, records)


@test
def slow_clients(b):
    """Clients that say nothing, or half of what they want, hold up nobody; there is room for new ones."""
    code = f'''
import resource, time
resource.setrlimit(resource.RLIMIT_NOFILE, (resource.getrlimit(resource.RLIMIT_NOFILE)[1],) * 2)
slow = []
for i in range({2100 if os.getuid() == 0 else 300}):
    s = proxy("unix" if i % 3 == 0 else "tcp"); s.sendall((b"", b"CONNECT 127.0", b"\\5")[i % 3]); slow.append(s)
s, answer = http("127.0.0.1:{b.good}"); print(answer, talk(s))
slow[0].settimeout(5); print(len(slow) < 2048 or slow[0].recv(1) == b"")
'''
    run, records = b.inside(python(code), offering(b))
    check(run.stdout == "200 got hello\nTrue\n" and not records, run.stdout, records)


@test
def byte_by_byte(b):
    code = f'''
import time
for text in (b"CONNECT 127.0.0.1:{b.good} HTTP/1.1\\r\\nHost: x\\r\\n\\r\\n", b"\\5\\1\\0" +
             b"\\5\\1\\0\\1\\x7f\\0\\0\\1" + ({b.good}).to_bytes(2, "big")):
    s = proxy(); s.setsockopt(6, 1, 1)
    for byte in text: s.sendall(bytes([byte])); time.sleep(0.0005)
    if text[0] == 5: print(s.recv(2), s.recv(10)[1], talk(s))
    else: print(head(s), talk(s))
'''
    run, records = b.inside(python(code), offering(b))
    check(run.stdout == "200 got hello\nb'\\x05\\x00' 0 got hello\n" and not records, run.stdout)


def settled_descriptors(pid, before):
    """How many there are once there are no more than before, or there has been time for it."""
    for _ in range(200):
        time.sleep(0.02 if before else 0.5)
        count = descriptors_below(pid)
        if not before or count <= before[0]:
            break
    return count


@test
def many(b):
    """From eight threads, half of them refused; no descriptor is left."""
    code = f'''
import collections
def work(count, seen):
    for i in range(count):
        s, answer = (http, socks)[i % 2](("127.0.0.1:{b.good}", "127.0.0.1:{b.bad}")[i // 2 % 2])
        seen[str(answer)] += 1
        if str(answer) in ("200", "0"): seen[talk(s)] += 1
        s.close()
for count in (8, 160):
    seen = [collections.Counter() for _ in range(8)]
    threads = [threading.Thread(target=work, args=(count, one)) for one in seen]
    [t.start() for t in threads]; [t.join() for t in threads]
    print(sorted(sum(seen, collections.Counter()).items()), flush=True); input()
'''
    tool = Inside(b, code, offering(b))
    counts = []
    for count in (8, 160):
        check(tool.line() == str([("0", 2 * count), ("2", 2 * count), ("200", 2 * count), ("403", 2 * count),
                                  ("got hello", 4 * count)]), "not half of them")
        if os.getuid() == 0:
            counts.append(settled_descriptors(tool.run.pid, counts))
        tool.go_on()
    tool.run.communicate()
    # Files of /proc about threads that were refused something may stay open, 128 at most.
    check(not counts or counts[-1] <= counts[0] + 128, "descriptors before and after:", counts)
    with open(tool.log, encoding="utf-8") as log:
        records = [r for r in map(json.loads, log) if r["event"] == "blocked"]
    check(len(records) == 2 * 8 * (8 + 160) // 4 and set(endpoints(records)) == {f"tcp:127.0.0.1:{b.bad}"},
          len(records))


if __name__ == "__main__":
    sys.exit(run_all())
