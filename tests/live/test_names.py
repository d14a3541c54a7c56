#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""Live tests of rules by host name, with the resolvers and clients that this machine has.

Everything runs in a network of the test's own (names_space.py). Where that cannot be made, this
says so, and only loopback() runs, which needs nothing.

environment: as test_net.py; CLIENTS (only the clients whose name contains it)
"""
import contextlib
import json
import os
import re
import shutil
import socket
import struct
import subprocess
import sys
import tempfile
import threading
import time

sys.dont_write_bytecode = True
import names_space
from harness import patient
from names_server import A, TXT, NameServer, query
from names_space import CLOSED, OTHER, RESOLVER, SITE, TLS_PORT, World
from net_harness import (LONG, ONLY, PROCTOR, PROGRAMS, Failure, as_nobody, check,
                         descriptors_below, run_one, stage)
from net_servers import free_port

TIMEOUT = 60
SYSTEM_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin:/usr/local/go/bin"
RULES = ["good.example:80", f"tls:good.example:{TLS_PORT}", "two.example:80", "six.example:80",
         "alias.example:*", "turn.example:80", "*.wild.example:80", "b\u00fccher.example:80",
         "private.example:80", "home.example:80", "meta.example:80", "mixed.example:80",
         "udp:good.example:5000", "hosted.example:80", "inner.example:80", "localhost:80",
         "denied.example:80"]
DENIED = [f"{OTHER}:81", "169.254.169.254:*"]
TESTS = []


def test(function):
    TESTS.append(function)
    return function


def policy(rules=None, **more):
    return {"version": 1, "files": {"write": ["/"]}, "exec": {"allow": ["/"]},
            "network": {"connect": RULES if rules is None else rules, "deny": DENIED, **more}}


def lines(path):
    with open(path, encoding="utf-8") as file:
        return file.read().splitlines()


class Bench:
    """Runs commands natively and under proctor."""

    def __init__(self, base, world):
        self.base = base
        self.world = world
        self.proctor = base + "/bin/proctor"
        self.dir = os.path.realpath(tempfile.mkdtemp(prefix="names-"))
        os.environ.update(HOME=self.dir, XDG_STATE_HOME=self.dir + "/state", PATH=SYSTEM_PATH,
                          GIT_SSL_NO_VERIFY="1", NODE_TLS_REJECT_UNAUTHORIZED="0")

    def settle(self):
        """Returns when the servers have noted all that has come to them: they take one message after
        the other, and have answered this one."""
        for address, message in (((RESOLVER, 53), query("settle.test", A)), ((SITE, 5000), b"settle")):
            with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
                sock.settimeout(TIMEOUT)
                sock.sendto(message, address)
                sock.recv(2048)

    @property
    def asked(self):
        """The names that left this host."""
        self.settle()
        return set(lines(self.world.asked)) - {"settle.test"}

    @property
    def datagrams(self):
        """How many came to the sites."""
        self.settle()
        return sum(line != repr(b"settle") for line in lines(self.world.udp))

    def native(self, command, **more):
        return subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                              errors="replace", timeout=TIMEOUT, check=False, **more)

    def inside(self, command, rules=None, options=("-q",), event="blocked", **more):
        """Returns the run and its records of the event."""
        with open(self.dir + "/policy.yaml", "w", encoding="utf-8") as file:
            json.dump(rules or policy(), file)
        log = self.dir + "/log.jsonl"
        if os.path.exists(log):
            os.unlink(log)
        if self.world:
            self.settle()
            os.truncate(self.world.asked, 0)
        run = self.native([self.proctor, "run", *options, "-p", self.dir + "/policy.yaml", "-o", log,
                           "--", *command], **more)
        check(run.returncode != 125, "proctor failed:", run.stdout)
        with open(log, encoding="utf-8", errors="surrogateescape") as file:
            records = [json.loads(line) for line in file]
        return run, [record for record in records if record["event"] == event]

    def same(self, command, contains, rules=None, **more):
        """It says the same as natively, and nothing is blocked."""
        native = self.native(command, **more)
        check(contains in native.stdout, "natively:", native.stdout)
        run, records = self.inside(command, rules, **more)
        check(run.stdout == native.stdout and run.returncode == native.returncode,
              f"\n--- native\n{native.stdout}--- inside\n{run.stdout}{records}")
        check(not records, "blocked:", records)

    def refused(self, command, contains, rules=None, **fields):
        """It works natively; inside it fails, and one record has the fields. Returns the run."""
        native = self.native(command)
        check(contains in native.stdout, "natively:", native.stdout)
        run, records = self.inside(command, rules)
        check(contains not in run.stdout, "came through:", run.stdout)
        check(len(records) == 1, len(records), "records:", records, run.stdout)
        for field, value in {"class": "network", "errno": "EACCES", **fields}.items():
            check(records[0].get(field) == value, field, "is", records[0].get(field), "not", value)
        return run


# ------------------------------------------------------------------------ clients

def python(code):
    return ["/usr/bin/python3", "-c", code]


URLLIB = 'import sys, urllib.request as u; print(u.urlopen("http://%s/x").read())'
ASYNCIO = '''
import asyncio
async def main():
    r, w = await asyncio.open_connection("%s", 80)
    w.write(b"GET /x HTTP/1.0\\r\\nHost: %s\\r\\n\\r\\n")
    print((await r.read())[-30:])
asyncio.run(main())'''
PERL = '''my $h = "%s"; my $s = IO::Socket::INET->new("$h:80") or die "no: $@";
print $s "GET /x HTTP/1.0\\r\\nHost: $h\\r\\n\\r\\n"; while (<$s>) { print if m|/x| }'''
NODE_HTTP = 'require("http").get("http://%s/x", r => r.on("data", d => process.stdout.write(d)))'
NODE_FETCH = 'fetch("http://%s/x").then(r => r.text()).then(t => process.stdout.write(t))'
NODE_DNS = '''require("dns").resolve4("%s", (e, a) => { if (e) { console.log(e.code); return; }
require("http").get({host: a[0], path: "/x", headers: {Host: "%s"}},
r => r.on("data", d => process.stdout.write(d))) })'''
GO = '''package main
import ("fmt"; "net"; "os"; "io")
func main() {
	c, err := net.Dial("tcp", os.Args[1]+":80")
	if err != nil { fmt.Println("failed"); os.Exit(1) }
	fmt.Fprintf(c, "GET /x HTTP/1.0\\r\\nHost: %s\\r\\n\\r\\n", os.Args[1])
	b, _ := io.ReadAll(c)
	fmt.Println(string(b[len(b)-20:]))
}
'''


def found(program):
    return shutil.which(program, path=SYSTEM_PATH)


def clients(b):
    """{client: command for a host}; each prints the host and /x."""
    musl = b.base + "/bin/net_names_musl"
    static = b.base + "/bin/net_names_static"
    go = b.base + "/bin/net_names_go"
    wanted = {
        "python urllib": (found("python3"), lambda h: python(URLLIB % h)),
        "python asyncio": (found("python3"), lambda h: python(ASYNCIO % (h, h))),
        "curl": (found("curl"), lambda h: ["curl", "-sS", "-m", "10", f"http://{h}/x"]),
        "wget": (found("wget"),
                 lambda h: ["wget", "-qO-", "-t1", "-T10", f"http://{h}/x"]),
        "busybox wget": (found("busybox"),
                         lambda h: ["busybox", "wget", "-qO-", f"http://{h}/x"]),
        "node http": (found("node"), lambda h: ["node", "-e", NODE_HTTP % h]),
        "node fetch": (found("node"), lambda h: ["node", "-e", NODE_FETCH % h]),
        "node dns (c-ares)": (found("node"), lambda h: ["node", "-e", NODE_DNS % (h, h)]),
        "perl": (found("perl"), lambda h: ["perl", "-MIO::Socket::INET", "-e", PERL % h]),
        "static glibc": (os.path.exists(static), lambda h: [static, h, "80"]),
        "static musl": (os.path.exists(musl), lambda h: [musl, h, "80"]),
        "static Go": (os.path.exists(go), lambda h: [go, h]),
    }
    for name, (there, command) in wanted.items():
        if not there:
            print(f"skipped: {name} is not here")
        elif os.environ.get("CLIENTS", "") in name:
            yield name, command


@test
def each_client(b):
    """Allowed names as natively; others fail at once, with one record, and are asked nobody."""
    for name, command in clients(b):
        try:
            for host in ("two.example", "good.example")[:1 + LONG]:
                b.same(command(host), f"{host} /x" if "Go" not in name else "/x")
            began = time.monotonic()
            b.refused(command("evil.example"), "/x", op="resolve", host="evil.example")
            check(time.monotonic() - began < patient(5), "it took long")
            check(b.asked == set(), "asked for:", b.asked)
        except Failure as error:
            raise Failure(f"{name}: {error}") from error


def greet(port, answer):
    """A plain server that has something to say: answer(what came) is sent, until it is None."""
    def serve(conn):
        with conn, contextlib.suppress(OSError):
            came = b""
            while (text := answer(came)) is not None:
                conn.sendall(text)
                came = conn.recv(4096)
    server = socket.create_server((SITE, port))

    def accept():
        with contextlib.suppress(OSError):
            while True:
                threading.Thread(target=serve, args=(server.accept()[0],), daemon=True).start()
    threading.Thread(target=accept, daemon=True).start()
    return server


def postgres(came):
    """No encryption; then an error instead of a session."""
    if len(came) == 8:
        return b"N"
    text = b"SFATAL\0C28000\0Mno session today\0\0"
    return b"E" + struct.pack(">I", len(text) + 4) + text if came else b""


@test
def other_protocols(b):
    """Clients of plain protocols: what they say of the server's answer, but for its address."""
    rules = policy(["good.example:22,25,5432,6379"])
    words = {22: lambda came: None if came else b"SSH-2.0-x\r\n", 5432: postgres,
             25: lambda came: b"220 good.example\r\n" if not came else None,
             6379: lambda came: b"" if not came else b"-NO session today\r\n"}
    clients = [["ssh", "-F", "none", "-o", "BatchMode=yes", "-o", "StrictHostKeyChecking=no", "%s", "x"],
               ["psql", "-h", "%s", "-U", "u", "-c", "select 1", "d"],
               ["redis-cli", "-h", "%s", "ping"],
               ["curl", "-sS", "-m", "10", "smtp://%s/x", "--mail-from", "a@b.example"]]
    servers = [greet(port, answer) for port, answer in words.items()]
    for client in clients:
        if not found(client[0]):
            print(f"skipped: {client[0]} is not here")
            continue
        outcome = []
        for run in (b.native, lambda command: b.inside(command, rules)[0]):
            ran = run([word.replace("%s", "good.example") for word in client])
            outcome.append((ran.returncode, re.sub(r"\b(203\.0\.113|198\.18\.0)\.\d+", "ADDRESS",
                                                   ran.stdout)))
        check(outcome[0] == outcome[1], client[0], *outcome)
        run, records = b.inside([word.replace("%s", "evil.example") for word in client], rules)
        check(run.returncode not in (0, 125) and [r["host"] for r in records] == ["evil.example"],
              client[0], run.stdout, records)
    for server in servers:
        server.close()


@test
def git(b):
    if not found("git") or not b.world.tls:
        print("skipped: git or openssl is not here")
        return
    folder = b.world.folder + "/www/git"
    if not os.path.exists(folder):
        if os.getuid() != 0:
            return
        subprocess.run(["git", "init", "-q", "--bare", folder + "/r.git"], check=True)
        tree = subprocess.run(["git", "--git-dir", folder + "/r.git", "mktree"], input=b"",
                              stdout=subprocess.PIPE, check=True).stdout.decode().strip()
        author = {**os.environ, "GIT_AUTHOR_NAME": "n", "GIT_AUTHOR_EMAIL": "e",
                  "GIT_COMMITTER_NAME": "n", "GIT_COMMITTER_EMAIL": "e"}
        commit = subprocess.run(["git", "--git-dir", folder + "/r.git", "commit-tree", tree, "-m",
                                 "m"], stdout=subprocess.PIPE, check=True, env=author)
        for words in (["update-ref", "refs/heads/main", commit.stdout.decode().strip()],
                      ["update-server-info"]):
            subprocess.run(["git", "--git-dir", folder + "/r.git", *words], check=True)
    for url in ("http://good.example", f"https://good.example:{TLS_PORT}"):
        b.same(["git", "ls-remote", url + "/git/r.git"], "refs/heads/main")
    b.refused(["git", "ls-remote", f"https://evil.example:{TLS_PORT}/git/r.git"], "refs/heads/main",
              op="resolve", host="evil.example")


# ------------------------------------------------------------------------- names

def curl(host, port=80):
    return python(URLLIB % (host if port == 80 else f"{host}:{port}"))


@test
def which_names(b):
    for host in ("alias.example", "deep.wild.example", "GOOD.Example", "xn--bcher-kva.example",
                 "good.example."):
        b.same(curl(host), "/x")
    for host in ("wild.example", "shared.example"):
        b.refused(curl(host), "/x", op="resolve", host=host)
    b.refused(curl("good.example", 81), "/x", op="connect", host="good.example",
              endpoint="tcp:good.example:81", arg="198.18.0.1:81")
    run, _ = b.inside(curl("good.example", 81), options=())
    check('blocked connect tcp:good.example:81: no rule allows it; to allow it: network: '
          '{connect: ["good.example:81"]}' in run.stdout, run.stdout)
    run, _ = b.inside(curl("evil.example"), options=())
    check('blocked resolve evil.example: no rule allows it; to allow it: network: '
          '{connect: ["evil.example:443"]}' in run.stdout, run.stdout)


@test
def ipv6_only(b):
    code = '''import socket
s = socket.create_connection(("six.example", 80)); s.send(b"GET /x HTTP/1.0\\r\\nHost: h\\r\\n\\r\\n")
print(s.recv(100)[:12], s.getpeername()[1])'''
    b.same(python(code), "200")
    b.same(python('import socket; socket.getaddrinfo("six.example", 80, socket.AF_INET)'),
           "gaierror")


@test
def shared_address(b):
    """An address that an allowed name has opens nothing; nor does one name open another."""
    b.refused(curl(SITE), "/x", op="connect", endpoint=f"tcp:{SITE}:80", host=None)
    code = '''import socket
a, c = (socket.gethostbyname(h) for h in ("good.example", "two.example")); print("differ", a != c)'''
    run, _ = b.inside(python(code))
    check("differ True" in run.stdout, run.stdout)


@test
def addresses_in_turn(b):
    code = '''import socket, sys
for blocking in (True, False):
    s = socket.socket()
    s.setblocking(blocking)
    s.connect_ex(("turn.example", 80)); s.setblocking(True)
    s.send(b"GET /x HTTP/1.0\\r\\n\\r\\n"); print(s.recv(100)[9:12], s.getpeername()[1])'''
    run, records = b.inside(python(code))
    check(run.stdout == "b'200' 80\n" * 2 and not records, run.stdout, records)


@test
def not_public(b):
    """An answer that leads to a private, local or metadata address is refused."""
    for host, address in (("private.example", "10.9.9.9"), ("home.example", "127.0.0.1")):
        run, records = b.inside(curl(host))
        check([(r.get("host"), r["endpoint"]) for r in records] == [(host, f"tcp:{address}:80")],
              run.stdout, records)
        check("not public" in records[0]["detail"], records)
    run, records = b.inside(curl("meta.example"))
    check(len(records) == 1 and records[0]["rule"]["text"] == "169.254.169.254:*", records)
    b.same(curl("home.example"), "/x", policy(RULES + ["127.0.0.1:80"]))
    run, records = b.inside(curl("mixed.example"))
    check("/x" in run.stdout and not records, run.stdout, records)


@test
def denied_address(b):
    b.refused(curl("denied.example", 81), "/x", policy(RULES + ["denied.example:81"]), op="connect",
              host="denied.example", endpoint=f"tcp:{OTHER}:81")


@test
def hosts_file(b):
    """Names of /etc/hosts, whatever they lead to, and localhost."""
    for host in ("hosted.example", "localhost"):
        b.same(curl(host), "/x")
    b.refused(curl("hosted"), "/x", policy(["good.example:80"]), op="connect",
              endpoint=f"tcp:{OTHER}:80")
    b.refused(curl("127.0.0.1"), "/x", policy(["good.example:80"]), op="connect",
              endpoint="tcp:127.0.0.1:80")
    run, records = b.inside(curl("inner.example"))
    check(not records and "Network is unreachable" in run.stdout, run.stdout, records)
    if found("node"):
        code = 'require("dns").resolve4("hosted.example", (e, a) => console.log(e, a.length))'
        run, records = b.inside(["node", "-e", code])
        check(run.stdout == "null 1\n" and not records, run.stdout, records)


# ------------------------------------------------------------------- the protocol

ASK = '''import socket, struct, sys
def ask(message, server, tcp=False):
    if tcp:
        s = socket.create_connection((server, 53), timeout=5)
        s.sendall(struct.pack(">H", len(message)) + message)
        return s.recv(65535)[2:], s.getpeername()
    s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM); s.settimeout(5)
    s.sendto(message, (server, 53))
    return s.recvfrom(65535)
def brief(answer):
    head = struct.unpack(">HHHHHH", answer[:12])
    print("rcode", head[1] & 15, "cut", head[1] >> 9 & 1, "answers", head[3])
'''


def asking(*lines):
    return python(ASK + "\n".join(lines))


@test
def any_resolver(b):
    """Whatever the tool asks, by UDP and TCP, proctor answers, and the tool sees what it asked."""
    good, evil = query("good.example", A), query("evil.example", A)
    for server in (RESOLVER, "192.0.2.77", "127.0.0.53"):
        for tcp in (False, True):
            run, records = b.inside(asking(
                f"a, p = ask({good!r}, {server!r}, {tcp}); brief(a); print(p)",
                f"a, p = ask({evil!r}, {server!r}, {tcp}); brief(a)"))
            check(run.stdout == f"rcode 0 cut 0 answers 1\n('{server}', 53)\n"
                                "rcode 3 cut 0 answers 0\n", run.stdout)
            check([r.get("host") for r in records] == ["evil.example"], records)
            check(b.asked == {"good.example"}, b.asked)


@test
def ways_to_send(b):
    """connect and send, sendmsg, recvmsg, IPv4 by an IPv6 socket, IPv6."""
    good = query("good.example", A)
    run, records = b.inside(asking(
        f"q = {good!r}",
        's = socket.socket(socket.AF_INET, socket.SOCK_DGRAM); s.connect(("9.9.9.9", 53))',
        "s.send(q); brief(s.recv(512)); print(s.getpeername())",
        's.sendmsg([q[:5], q[5:]]); brief(s.recvfrom(512)[0])',
        's = socket.socket(socket.AF_INET6, socket.SOCK_DGRAM)',
        's.sendmsg([q], [], 0, ("::ffff:9.9.9.9", 53)); d, _, _, p = s.recvmsg(512); brief(d); print(p)',
        's.sendto(q, ("2001:db8::99", 53)); d, p = s.recvfrom(512); brief(d); print(p)',
        "print(s.recvmsg(100, 0, socket.MSG_DONTWAIT) if 0 else s.getsockname()[1] > 0)"))
    answer = "rcode 0 cut 0 answers 1\n"
    check(run.stdout == answer + "('9.9.9.9', 53)\n" + answer * 2
          + "('::ffff:9.9.9.9', 53, 0, 0)\n" + answer + "('2001:db8::99', 53, 0, 0)\nTrue\n",
          run.stdout)
    check(not records, records)


@test
def other_questions(b):
    """Mail, text (cut by UDP, whole by TCP), HTTPS; a reverse question; odd names and classes."""
    text, mail, https = (query("good.example", kind) for kind in (TXT, 15, 65))
    run, records = b.inside(asking(
        f"for q in ({mail!r}, {text!r}, {https!r}): brief(ask(q, '9.9.9.9')[0])",
        f"a, _ = ask({text!r}, '9.9.9.9', True); brief(a); print(len(a) > 900)",
        f"brief(ask({query('1.0.18.198.in-addr.arpa', 12)!r}, '9.9.9.9')[0])",
        f"brief(ask({query('good.example', A)!r}, '9.9.9.9')[0])",
        f"brief(ask({query('1.0.18.198.in-addr.arpa', 12)!r}, '9.9.9.9')[0])"))
    check(run.stdout.split("\n") == [
        "rcode 0 cut 0 answers 1", "rcode 0 cut 1 answers 0", "rcode 0 cut 0 answers 0",
        "rcode 0 cut 0 answers 1", "True", "rcode 3 cut 0 answers 0", "rcode 0 cut 0 answers 1",
        "rcode 0 cut 0 answers 1", ""], run.stdout)
    check([r.get("host") for r in records] == ["1.0.18.198.in-addr.arpa"], records)
    odd = [b"\x04go\0d\x07example\0", b"\x0cgood.example\0", b"\x05good \x07example\0",
           b"\x04good\x07example\x03127\0", b"\0"]
    messages = [struct.pack(">HHHHHH", 1, 0x100, 1, 0, 0, 0) + name + b"\0\1\0\1" for name in odd]
    run, records = b.inside(asking(f"for q in {messages!r}: brief(ask(q, '9.9.9.9')[0])"))
    check(run.stdout == "rcode 3 cut 0 answers 0\n" * len(odd), run.stdout)
    check(len(records) == len(odd) and b.asked == set(), records, b.asked)
    bad = [b"x" * 12, query("good.example", A)[:-1], b"\0\1\x28\0\0\1\0\0\0\0\0\0"]
    run, _ = b.inside(asking(f"for q in {bad[1:]!r}: brief(ask(q, '9.9.9.9')[0])"))
    check(run.stdout == "rcode 1 cut 0 answers 0\nrcode 4 cut 0 answers 0\n", run.stdout)


@test
def nothing_leaves(b):
    """Data in the labels of a name that is not allowed."""
    names = [f"{'5ec2e7' * 8}{i}.evil.example" for i in range(20)]
    run, records = b.inside(asking(f"for n in {names!r}:",
                                   "    try: socket.gethostbyname(n)",
                                   "    except OSError as e: print(e)"))
    check(run.stdout == "[Errno -2] Name or service not known\n" * 20, run.stdout)
    # On a machine that is slow enough the two halves of a lookup (A, AAAA) are two attempts.
    check(list(dict.fromkeys(r.get("host") for r in records)) == names and b.asked == set(),
          len(records), "records:", records[:3], b.asked)


# Two messages at once, the second without a wait; a timeout that is used up in part; an error.
RECVMMSG = '''import ctypes, os, socket, time
class iovec(ctypes.Structure): _fields_ = [("base", ctypes.c_char_p), ("len", ctypes.c_size_t)]
class mmsghdr(ctypes.Structure):
    _fields_ = [("name", ctypes.c_void_p), ("namelen", ctypes.c_uint), ("iov", ctypes.POINTER(iovec)),
                ("iovlen", ctypes.c_size_t), ("control", ctypes.c_void_p), ("controllen", ctypes.c_size_t),
                ("flags", ctypes.c_long), ("len", ctypes.c_uint)]
libc = ctypes.CDLL(None, use_errno=True)
a = socket.gethostbyname("%s"); s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
for i in (b"1", b"2"): s.sendto(i, (a, 5000))
time.sleep(0.2)
heads = (mmsghdr * 3)(); names = [ctypes.create_string_buffer(16) for _ in heads]
data = [ctypes.create_string_buffer(32) for _ in heads]; parts = [(iovec * 1)() for _ in heads]
for h, n, d, p in zip(heads, names, data, parts):
    p[0].base = ctypes.cast(d, ctypes.c_char_p); p[0].len = 32
    h.name = ctypes.addressof(n); h.namelen = 16; h.iov = p; h.iovlen = 1
rest = (ctypes.c_long * 2)(9, 0)
count = libc.recvmmsg(s.fileno(), heads, 3, 0x10000, rest)
peer = socket.inet_aton(a)
print([(data[i].raw[:heads[i].len], names[i].raw[4:8] == peer) for i in range(count)], count, rest[0] == 8)
print(libc.recvmmsg(s.fileno(), heads, 3, 0x40, None), ctypes.get_errno() == 11)
print(libc.recvmmsg(s.fileno(), heads, 3, 0x40, (ctypes.c_long * 2)(-1, 0)), ctypes.get_errno() == 22)
print(libc.recvmmsg(s.fileno(), heads, 0, 0x40, None), libc.recvmmsg(s.fileno(), None, 1, 0x40, None) == -1)
s.sendto(b"3", (a, 5000)); time.sleep(0.1); print(libc.recvmmsg(s.fileno(), None, 1, 0x40, None))'''


@test
def datagrams_by_name(b):
    code = '''import socket
s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM); s.settimeout(5); a = ("good.example", 5000)
for i in range(2):
    s.sendto(b"one", a); d, p = s.recvfrom(100); print(d, p[0] == socket.gethostbyname(a[0]), p[1])
s.connect(a); s.send(b"two"); print(s.recv(100), s.getpeername()[1])'''
    b.same(python(code), "b'echo one' True 5000")
    b.same(python(RECVMMSG % "good.example"), "[(b'echo 1', True), (b'echo 2', True)] 2 True")
    count = b.datagrams
    code = '''import socket, time
a = socket.gethostbyname("alias.example" if %d else "two.example")
s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
s.connect((a, 5000)); print("connected"); s.send(b"leak"); time.sleep(0.2)'''
    b.native(python(code % 0))
    check(b.datagrams == count + 1, "natively nothing came")
    run, records = b.inside(python(code % 0))
    check(run.stdout == "connected\n" and b.datagrams == count + 1, run.stdout)
    check([(r["op"], r.get("endpoint"), r.get("host")) for r in records]
          == [("send", "udp:two.example:5000", "two.example")], records)
    code = '''import socket, time
a = socket.gethostbyname("two.example")
for port in (1111, 1111, 2222, 3333):
    s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM); s.connect((a, port)); s.send(b"leak")
time.sleep(0.2)'''
    run, records = b.inside(python(code))
    check([r.get("endpoint") for r in records]
          == [f"udp:two.example:{port}" for port in (1111, 2222, 3333)], records)
    code = '''import socket
s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM); s.sendto(b"leak", ("two.example", 5000))'''
    b.native(python(code))
    check(b.datagrams == count + 2, "natively nothing came")
    run, records = b.inside(python(code))
    check("PermissionError" in run.stdout and b.datagrams == count + 2, run.stdout)
    check([r.get("endpoint") for r in records] == ["udp:two.example:5000"], records)


@test
def fast_open(b):
    """MSG_FASTOPEN to a name is answered as on a host without it; a refused one has its record."""
    code = '''import socket
s = socket.socket()
try: s.sendto(b"GET /x HTTP/1.0\\r\\n\\r\\n", 0x20000000, ("%s", %d)); print(s.recv(99)[9:12])
except OSError as e: print(e.errno)'''
    run, records = b.inside(python(code % ("good.example", 80)))
    check(run.stdout == "95\n" and not records, run.stdout, records)
    run, records = b.inside(python(code % ("good.example", 81)))
    check(run.stdout == "13\n" and len(records) == 1, run.stdout, records)


@test
def observed(b):
    run, records = b.inside(curl("evil.example"), options=("-q", "--observe"), event="would_block")
    check("/x" in run.stdout, run.stdout)
    check([(r["op"], r.get("host")) for r in records]
          == [("resolve", "evil.example"), ("connect", "evil.example")], records)


@test
def everything_logged(b):
    run, records = b.inside(curl("good.example"), options=("-q", "--log", "all"), event="allowed")
    check("/x" in run.stdout, run.stdout)
    named = [(r["op"], r["host"]) for r in records if r.get("host")]
    check(("resolve", "good.example") in named and ("connect", "good.example") in named, named)


@test
def many(b):
    """Many connections from eight threads, half of them refused; half of the others by the relay.
    Proctor has no more descriptors afterwards."""
    count = 1250 if LONG else 50
    code = f'''import collections, socket, threading
def work(count, seen):
    for i in range(count):
        s = socket.socket()
        try:
            s.connect((("good.example", "evil.example", "two.example", "evil.example")[i % 4], 80))
            seen[s.getpeername()[1]] += 1
        except OSError as error: seen[str(error)] += 1
        s.close()
for count in (4, {count}):
    seen = [collections.Counter() for _ in range(8)]
    threads = [threading.Thread(target=work, args=(count, one)) for one in seen]
    [t.start() for t in threads]; [t.join() for t in threads]
    print(sorted(sum(seen, collections.Counter()).items(), key=str), flush=True); input()'''
    rules, log = b.dir + "/many.yaml", b.dir + "/many.jsonl"
    with open(rules, "w", encoding="utf-8") as file:
        json.dump(policy(["good.example:80", "tls:two.example:80"]), file)
    b.settle()
    os.truncate(b.world.asked, 0)
    with subprocess.Popen([b.proctor, "run", "-q", "-p", rules, "-o", log, "--", *python(code)],
                          stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as run:
        counts = []
        for each in (4, count):
            check(run.stdout.readline() == "[('[Errno -2] Name or service not known', "
                  f"{4 * each}), (80, {4 * each})]\n", "not half of them")
            if os.getuid() == 0:
                counts.append(settled_descriptors(run.pid, counts))
            run.stdin.write("\n")
            run.stdin.flush()
        run.communicate()
    # Files of /proc about threads that were refused something may stay open, 128 at most.
    check(not counts or counts[-1] <= counts[0] + 128, "descriptors before and after:", counts)
    with open(log, encoding="utf-8") as file:
        records = [record for record in map(json.loads, file) if record["event"] == "blocked"]
    check(records and {r.get("host") for r in records} == {"evil.example"}, records[:3])
    check(b.asked == {"good.example", "two.example"}, b.asked)


def settled_descriptors(pid, before):
    """How many there are once there are as many as before, or there has been time for it."""
    deadline = time.monotonic() + patient(5)
    while True:
        count = descriptors_below(pid)
        if time.monotonic() > deadline or count in before:
            return count
        if not before:
            time.sleep(0.5)
            return descriptors_below(pid)
        time.sleep(0.05)


@test
def tables_that_the_tool_writes(b):
    """What a tool puts into /etc/hosts and /etc/resolv.conf leads no allowed name elsewhere."""
    if os.getuid() != 0:
        return
    code = f'''import urllib.request as u
for name, text in (("hosts", "{CLOSED} good.example two.example"), ("resolv.conf", "nameserver 127.0.0.9")):
    open("/etc/" + name, "a").write(text + "\\n")
for host in ("good.example", "two.example"):
    try: print(u.urlopen(f"http://{{host}}/x").read())
    except OSError as error: print(type(error.reason).__name__)'''
    saved = {name: open("/etc/" + name, encoding="ascii").read() for name in ("hosts", "resolv.conf")}
    try:
        run, records = b.inside(python(code))
        check(run.stdout == "PermissionError\nPermissionError\n", run.stdout)
        check([r.get("endpoint") for r in records] == [f"tcp:{CLOSED}:80"] * 2, records)
    finally:
        for name, text in saved.items():
            with open("/etc/" + name, "w", encoding="ascii") as file:
                file.write(text)


@test
def services_that_resolve(b):
    """nscd and systemd-resolved cannot be asked, although a rule allows every unix socket."""
    if os.getuid() != 0:
        return
    subprocess.run(["mount", "-t", "tmpfs", "tmpfs", "/run"], check=True)
    try:
        ask_services(b)
    finally:
        subprocess.run(["umount", "-l", "/run"], check=True)


def ask_services(b):
    for path in ("/run/nscd/socket", "/run/systemd/resolve/io.systemd.Resolve", "/run/other"):
        os.makedirs(os.path.dirname(path), exist_ok=True)
        echo_server(path)
        code = f'''import socket
s = socket.socket(socket.AF_UNIX)
try:
    s.connect("{path}"); s.send(b"hi"); s.shutdown(1); print(s.recv(9))
except OSError as error: print(error.errno)'''
        check(b.native(python(code)).stdout == "b'hi'\n", path, "natively")
        run, records = b.inside(python(code), policy(RULES + ["unix:/**"]))
        if path == "/run/other":
            check(run.stdout == "b'hi'\n" and not records, run.stdout, records)
        else:
            check(run.stdout == "13\n" and len(records) == 1, path, run.stdout, records)
            check(records[0]["endpoint"] == "unix:" + path, records)
    run, records = b.inside(curl("good.example"), policy(RULES + ["unix:/**"]))
    check("/x" in run.stdout, run.stdout, records)


@test
def numbers_are_addresses(b):
    """An address in another spelling is no name, and stays one."""
    for text in ("0x7f000001", "2130706433", "017700000001", "127.1"):
        b.refused(curl(text), "/x", policy(["good.example:80"]), op="connect",
                  endpoint="tcp:127.0.0.1:80", host=None)


# --------------------------------------------------------------------------- sites

SITE_CLIENT = f'''import socket, ssl, sys
context = ssl.create_default_context(); context.check_hostname = False
context.verify_mode = ssl.CERT_NONE
def get(s, host):
    s.sendall(f"GET /x HTTP/1.0\\r\\nHost: {{host}}\\r\\n\\r\\n".encode()); got = b""
    while piece := s.recv(65536): got += piece
    return got[9:12] + got[-30:]
def tls(to, name, port=443, wait=None):
    try:
        s = socket.create_connection((to, port), wait)
        s = context.wrap_socket(s, server_hostname=name); print(get(s, to), s.getpeername()[1])
    except (OSError, ssl.SSLError) as error: print(getattr(error, "reason", error))
def plain(to, host, port=80):
    try: print(get(socket.create_connection((to, port)), host))
    except OSError as error: print(error)
def raw(to, data, port=443):
    try:
        s = socket.create_connection((to, port)); s.sendall(data); print(s.recv(99)[9:12])
    except OSError as error: print(error)
'''
BOUND = ["good.example:443", f"tls:good.example:{TLS_PORT}", "tls:two.example:80",
         "tcp:six.example:80"]


@test
def sites(b):
    """Where a rule binds the site, a connection to an allowed name asks for that very name."""
    if not b.world.tls:
        print("skipped: openssl is not here")
        return
    rules = policy(BOUND)

    def same(line, contains="200"):
        b.same(python(SITE_CLIENT + line), contains, rules)

    def refused(line, natively, detail, says, host="good.example", **fields):
        run = b.refused(python(SITE_CLIENT + line), natively, rules, op="connect", host=host,
                        detail=detail, errno="ECONNRESET", **fields)
        check(says in run.stdout, says, "not in", run.stdout)

    same('tls("good.example", "good.example")')
    same('tls("good.example", "GOOD.example", wait=10)')
    same(f'tls("good.example", "good.example", {TLS_PORT})')
    same('plain("two.example", "two.example")')
    same('plain("two.example", "TWO.example:80")')
    refused('tls("good.example", "evil.example")', "200", "TLS asks for evil.example on this connection",
            "ACCESS_DENIED", endpoint="tcp:good.example:443",
            rule={"source": b.dir + "/policy.yaml:1", "text": "good.example:443"})
    refused(f'tls("good.example", "two.example", {TLS_PORT}, 10)', "200",
            "TLS asks for two.example on this connection", "ACCESS_DENIED")
    refused('tls("good.example", None)', "200", "TLS names no host on this connection",
            "ACCESS_DENIED")
    refused('plain("two.example", "evil.example")', "200",
            "HTTP asks for evil.example on this connection", "403", host="two.example")
    refused('plain("two.example", "")', "200",
            "neither TLS nor HTTP that names a host; a rule with \"tcp:\" in front lets other "
            "protocols through", "403", host="two.example")
    refused('raw("two.example", b"SSH-2.0-x\\r\\n" * 2, 80)', "b' HT'", "neither TLS nor HTTP that "
            'names a host; a rule with "tcp:" in front lets other protocols through', "b''", host="two.example")
    for command in (["curl", "-sSk", "https://good.example/x"],
                    ["wget", "-qO-", "--no-check-certificate", "https://good.example/x"],
                    ["node", "--no-warnings", "-e", NODE_HTTP.replace("http", "https") % "good.example"],
                    ["sh", "-c", "printf 'GET /x HTTP/1.0\\r\\nHost: good.example\\r\\n\\r\\n' | openssl "
                     "s_client -quiet -connect good.example:443 2>/dev/null | tail -n 1"]):
        if found(command[0]):
            b.same(command, "good.example /x", rules)
        else:
            print(f"skipped: {command[0]} is not here")
    run, records = b.inside(python(SITE_CLIENT + 'tls("good.example", "evil.example")'), rules,
                            options=("-q", "--observe"), event="would_block")
    check("200" in run.stdout and len(records) == 1, run.stdout, records)
    run, _ = b.inside(python(SITE_CLIENT + 'tls("good.example", "evil.example")'), rules, options=())
    check("proctor: blocked connect tcp:good.example:443: TLS asks for evil.example on this connection"
          in run.stdout, run.stdout)
    refused('raw("two.example", b"CONNECT evil.example:443 HTTP/1.1\\r\\nHost: two.example\\r\\n\\r\\n", 80)',
            "b'501'", "neither TLS nor HTTP that names a host; a rule with "
            '"tcp:" in front lets other protocols through', "b'403'", host="two.example")
    run, records = b.inside(python(SITE_CLIENT + 'tls("good.example", "evil.example")'),
                            policy(["tcp:good.example:443"]))
    check("200" in run.stdout and not records, run.stdout, records)


@test
def sites_whole_streams(b):
    """What goes through the relay arrives whole, in both directions, and ends as natively."""
    rules = policy(["tls:turn.example:82", "tls:good.example:83"])
    server = socket.create_server((SITE, 82))
    threading.Thread(target=accept_all, args=(server,), daemon=True).start()
    code = """import socket, sys, time
head = b"GET / HTTP/1.1\\r\\nHost: turn.example\\r\\n\\r\\n"
for blocking in (True, False):
    s = socket.socket(); s.setblocking(blocking)
    print(s.connect_ex(("turn.example", 82)) in (0, 115)); s.setblocking(True)
    data = bytes(range(256)) * 20000
    s.sendall(head + data); print(s.getpeername()[1], s.connect_ex(("turn.example", 82))); s.shutdown(1)
    print(b"".join(iter(lambda: s.recv(1 << 20), b"")) == head + data)
s = socket.socket()
print(s.connect_ex(("good.example", 83)))
s = socket.socket(); s.setsockopt(6, 30, 1); s.connect(("turn.example", 82)); s.sendall(head); s.shutdown(1)
print(s.recv(99) == head)
# The last bytes of a tool that ends.
s = socket.create_connection(("turn.example", 82)); s.sendall(head + b"last words")
"""
    with socket.create_server((SITE, 83)) as closed:
        closed.close()
    run, records = b.inside(python(code), rules)
    check(run.stdout == "True\n82 106\nTrue\nTrue\n82 0\nTrue\n111\nTrue\n" and not records, run.stdout, records)
    deadline = time.monotonic() + patient(10)
    while not any(data.endswith(b"last words") for data in STREAMS) and time.monotonic() < deadline:
        time.sleep(0.02)
    check(any(data.endswith(b"last words") for data in STREAMS), "the last bytes are lost")
    server.close()


STREAMS = []


def accept_all(server):
    """Sends back what each connection sent, once that is whole."""
    def serve(conn):
        with conn, contextlib.suppress(OSError):
            data = b"".join(iter(lambda: conn.recv(1 << 20), b""))
            STREAMS.append(data)
            conn.sendall(data)
    with contextlib.suppress(OSError):
        while True:
            conn, _ = server.accept()
            threading.Thread(target=serve, args=(conn,), daemon=True).start()


# ------------------------------------------------------------------------ rewrites

STAND_IN = '''import socket, sys
def talk(family, address, message=b"GET /x HTTP/1.0\\r\\nHost: h\\r\\n\\r\\n"):
    s = socket.socket(family); s.settimeout(10)
    try:
        s.connect(address)
        shown = s.getpeername()
        s.sendall(message); s.shutdown(socket.SHUT_WR)
        got = b"".join(iter(lambda: s.recv(65536), b""))
        print("/x" if got.endswith(b"/x\\n") else len(got), shown[1] if family != 1 else "")
    except OSError as error: print(error.errno or error)
V4, V6, UN = socket.AF_INET, socket.AF_INET6, socket.AF_UNIX
'''


def echo_server(path):
    """A unix socket that sends back all it gets once the other end is done."""
    server = socket.socket(socket.AF_UNIX)
    server.bind(path)
    os.chmod(path, 0o777)
    server.listen(8)

    def serve():
        while True:
            conn, _ = server.accept()
            with conn, contextlib.suppress(OSError):
                data = b"".join(iter(lambda: conn.recv(65536), b""))
                conn.sendall(data)
    threading.Thread(target=serve, daemon=True).start()


def rewriting(b, *lines):
    """Runs lines under the rewrites. Returns its output and the records of event `rewritten`."""
    return b.inside(python("\n".join((STAND_IN, *lines))), policy([], rewrite=[
        {"connect": "db.internal:5432", "to": "127.0.0.1:80"},
        {"connect": "1.2.3.4:80", "to": f"{SITE}:80"},
        {"connect": "by.name:80", "to": "good.example:80"},
        {"connect": "sock.internal:80", "to": f"unix:{b.dir}/echo"},
        {"connect": f"unix:{b.dir}/other", "to": f"unix:{b.dir}/echo"},
        {"connect": f"unix:{b.dir}/totcp", "to": f"{SITE}:80"},
        {"connect": "udp:9.9.9.9:123", "to": f"udp:{SITE}:5000"},
        {"connect": "six.internal:80", "to": f"[{names_space.SITE6}]:80"},
        {"connect": "closed.internal:80", "to": f"{CLOSED}:80"},
        {"connect": "hosted.example:82", "to": "127.0.0.1:80"}]),
        options=("-q", "--log", "rewritten"), event="rewritten")


@test
def rewrites(b):
    """By name, by address, to a name, to and from unix sockets, from IPv4 to IPv6, by UDP."""
    echo_server(b.dir + "/echo")
    os.chmod(b.dir, 0o755)
    run, records = rewriting(
        b, 'talk(V4, ("db.internal", 5432))', 'talk(V4, ("1.2.3.4", 80))',
        'talk(V4, ("by.name", 80))', 'talk(V4, ("six.internal", 80))',
        'talk(V6, ("six.internal", 80))', 'talk(V4, ("hosted.example", 82))',
        f'talk(UN, "{b.dir}/totcp")', f'talk(UN, "{b.dir}/other", b"12345")',
        'talk(V4, ("sock.internal", 80), b"y" * 5000000)',
        's = socket.socket(V4, socket.SOCK_DGRAM); s.settimeout(5)',
        's.sendto(b"one", ("9.9.9.9", 123)); print(*s.recvfrom(99))',
        's.connect(("9.9.9.9", 123)); s.send(b"two"); print(s.recv(99), s.getpeername())',
        'talk(V4, ("closed.internal", 80))')
    check(run.stdout.split("\n") == [
        "/x 5432", "/x 80", "/x 80", "/x 80", "/x 80", "/x 82", "/x ", "5 ", "5000000 80",
        "b'echo one' ('9.9.9.9', 123)", "b'echo two' ('9.9.9.9', 123)", "111", ""], run.stdout)
    check([(r.get("host"), r["endpoint"], r["to"]) for r in records[:3]] == [
        ("db.internal", "tcp:db.internal:5432", "tcp:127.0.0.1:80"),
        (None, "tcp:1.2.3.4:80", f"tcp:{SITE}:80"),
        ("by.name", "tcp:by.name:80", "tcp:good.example:80")], records)
    check(len(records) == 12 and all(r["rule"] for r in records), len(records), records)
    check(b.asked == {"good.example"}, b.asked)


@test
def rewrites_open_nothing_else(b):
    run, _ = rewriting(b, 'talk(V4, ("db.internal", 5433))', f'talk(V4, ("{SITE}", 80))',
                       'talk(V4, ("good.example", 80))', f'talk(UN, "{b.dir}/echo")',
                       's = socket.socket(V4, socket.SOCK_DGRAM)',
                       f'try: s.sendto(b"x", ("{SITE}", 5000)); print("sent")',
                       'except OSError as error: print(error.errno)')
    check(run.stdout == "13\n13\n-2\n13\n13\n", run.stdout)


# ------------------------------------------------------------------------ loopback

def loopback(b):
    """What needs no network of one's own: the name server stands on another port, and its answers
    lead to loopback, for which there is a rule."""
    os.chdir("/")
    site = socket.create_server(("127.0.0.2", 0))
    port = site.getsockname()[1]
    names = NameServer("127.0.0.1", free_port(), {"good.example": [(A, "127.0.0.2")],
                                                  "evil.example": [(A, "127.0.0.2")]},
                       b.dir + "/asked")
    os.environ["PROCTOR_NAMESERVERS"] = f"127.0.0.1:{names.port}"
    code = f'''import socket
s = socket.create_connection(("%s", {port})); print(s.getpeername()[0][:7])'''
    rules = policy([f"good.example:{port}", f"127.0.0.2:{port}"])
    run, records = b.inside(python(code % "good.example"), rules)
    check(run.stdout == "198.18.\n" and not records, run.stdout, records)
    run, records = b.inside(python(code % "evil.example"), rules)
    check("Name or service not known" in run.stdout, run.stdout)
    check([r.get("host") for r in records] == ["evil.example"], records)
    run, records = b.inside(python(code % "good.example"), policy([f"good.example:{port}"]))
    check("PermissionError" in run.stdout and len(records) == 1, run.stdout, records)
    check(set(lines(names.notes)) == {"good.example"}, lines(names.notes))
    del os.environ["PROCTOR_NAMESERVERS"]


def run_tests(base, world, tests):
    counts = [0, 0]
    who = "root" if os.getuid() == 0 else "user"
    b = Bench(base, world)
    for function in tests:
        name = f"{function.__name__} ({who})"
        if ONLY not in name:
            continue
        run_one(function, b, name, counts)
    shutil.rmtree(b.dir, ignore_errors=True)
    return counts


def build_go(base):
    """A static Go client; its compiler takes a while, so only in the long form."""
    if not LONG or not found("go"):
        return
    with open(base + "/client.go", "w", encoding="utf-8") as file:
        file.write(GO)
    subprocess.run(["go", "build", "-o", base + "/bin/net_names_go", base + "/client.go"],
                   check=True, env={**os.environ, "CGO_ENABLED": "0", "GOFLAGS": "-mod=mod",
                                    "PATH": SYSTEM_PATH, "GOCACHE": base + "/cache"})
    shutil.rmtree(base + "/cache", ignore_errors=True)


def main():
    os.umask(0o022)
    if not os.environ.get("NAMES_SPACE"):
        base = stage()
        counts = (as_nobody(run_tests, base, None, [loopback]) if os.getuid() == 0
                  else run_tests(base, None, [loopback]))
        shutil.rmtree(base, ignore_errors=True)
        status = names_space.enter(__file__, NAMES_BEFORE=f"{counts[0]} {counts[1]}",
                                   PROCTOR=PROCTOR, PROGRAMS=PROGRAMS)
        if status is None:
            print("skipped: no network of one's own can be made here")
            print(f"{counts[0]} passed, {counts[1]} failed")
            status = 1 if counts[1] or not counts[0] else 0
        return status
    base = stage()
    build_go(base)
    world = World()
    total = [int(count) for count in os.environ["NAMES_BEFORE"].split()]
    total = [a + c for a, c in zip(total, run_tests(base, world, TESTS))]
    with open("/proc/self/uid_map", encoding="ascii") as ids:
        if int(ids.read().split()[2]) > 1:
            tests = TESTS if LONG else [shared_address, any_resolver, not_public, ways_to_send]
            total = [a + c for a, c in zip(total, as_nobody(run_tests, base, world, tests))]
    for folder in (base, world.folder):
        shutil.rmtree(folder, ignore_errors=True)
    print(f"{total[0]} passed, {total[1]} failed")
    return 1 if total[1] or not total[0] else 0


if __name__ == "__main__":
    sys.exit(main())
