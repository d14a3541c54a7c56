#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""One policy with every section of the language, as people write it: it runs, and each line holds."""
import hashlib
import os
import shutil
import socket
import sys
import threading

sys.dont_write_bytecode = True
from harness import check, equal, main, test
from net_servers import free_port

SH = "/bin/sh"
PYTHON = "/usr/bin/python3" if os.path.exists("/usr/bin/python3") else sys.executable

# What stands there is run in its place, so that it has to be there.
PIP = next(name for name in ("/usr/bin/pip", "/usr/bin/pip3", "/usr/bin/whoami")
           if os.path.exists(name))

POLICY = """\
version: 1
extends: [base]
vars: {work: "${PWD}"}

files:
  read:    [/usr, /lib*, "${work}"]
  write:   ["${work}"]
  create:  [./out]
  modify:  [./out]
  delete:  []
  attr:    []
  deny:    ["${HOME}/.ssh", "**/.env", "!**/.env.example"]
  hide:    ["${HOME}/private"]
  rewrite: [{path: /etc/hosts, to: ./hosts}]

exec:
  allow:
    - /usr/bin
    - {path: /usr/bin/git, args: ["status", "**"]}
    - {path: ./tool, sha256: "@DIGEST@"}
  deny:    [/usr/bin/sudo]
  rewrite: [{path: @PIP@, to: ./bin/pip-offline}]

network:
  connect: ["api.github.com:443", "*.pypi.org:443", "10.0.0.0/8:5432,8000-8999", "[::1]:*", "udp:192.0.2.7:123", "unix:/run/user/*/bus", "unix:@name"]
  bind:    ["127.0.0.1:*"]
  deny:    ["169.254.169.254:*"]
  rewrite: [{connect: "db.internal:5432", to: "127.0.0.1:@PORT@"}]

syscalls: {deny: [ptrace], allow: [io_uring_setup]}
env:      {keep: [PATH, HOME, LANG, "LC_*", TERM], drop: ["*_TOKEN", "AWS_*"], set: {CI: "1"}}
limits:   {wall: 60s, cpu: 30s, memory: 512M, processes: 50, open_files: 256, file_size: 100M, disk: 500M, output: 10k}
on_block: deny
rollback: never
observe:  {library: false}
"""


def put(path, text, mode=0o644):
    os.makedirs(os.path.dirname(path), exist_ok=True)
    with open(path, "w", encoding="ascii") as file:
        file.write(text)
    os.chmod(path, mode)


def prepare(t, port=5432):
    """What the policy names. Returns it."""
    put(f"{t.home}/.ssh/id", "key\n")
    put(f"{t.home}/private/diary", "dear\n")
    put(f"{t.dir}/.env", "secret\n")
    put(f"{t.dir}/.env.example", "example\n")
    put(f"{t.dir}/hosts", "127.0.0.1 stand-in\n")
    put(f"{t.dir}/bin/pip-offline", f"#!{SH}\necho offline: \"$@\"\n", 0o755)
    shutil.copy(shutil.which("true"), t.dir + "/tool")
    with open(t.dir + "/tool", "rb") as file:
        digest = hashlib.sha256(file.read()).hexdigest()
    os.chmod(t.dir, 0o777)
    return POLICY.replace("@DIGEST@", digest).replace("@PORT@", str(port)).replace("@PIP@", PIP)


def under(t, script, policy):
    """What a script prints, a word for each line: ok or the reason why not."""
    lines = "".join(f"({line}) 2>err && echo ok || echo no\n" for line in script)
    run = t.run([SH, "-c", lines], policy, cwd=t.dir)
    return run.out.split("\n")[:-1], run


@test
def files(t):
    policy = prepare(t)
    out, run = under(t, [
        "cat .env.example", "cat .env", f"cat {t.home}/.ssh/id", f"test -e {t.home}/private",
        f"cat {t.home}/private/diary", "cat /etc/hosts", "echo x >new && mv new newer && chmod 600 newer",
        "rm newer", f"echo x >{t.home}/elsewhere",
    ], policy)
    equal(out, ["example", "ok", "no", "no", "no", "no", "127.0.0.1 stand-in", "ok", "ok", "ok",
                "no"], run)
    equal([(record["op"], record["path"].replace(t.dir, "").replace(t.home, "~"))
           for record in run.blocked if record["class"] == "file" and "errno" in record],
          [("read", "/.env"), ("read", "~/.ssh/id"), ("read", "~/private"),
           ("read", "~/private/diary"), ("create", "~/elsewhere")], run)


@test
def programs(t):
    policy = prepare(t)
    tool = t.dir + "/tool"
    out, run = under(t, [tool, PIP + " install x", f"cp {tool} copy && ./copy"], policy)
    equal(out, ["ok", "offline: install x", "ok", "no"], run)
    with open(tool, "ab") as file:
        file.write(b"\0")
    equal(t.native([tool]).code, 0)
    out, run = under(t, [tool], policy)
    equal(out, ["no"], run)
    equal([record["path"] for record in run.blocked], [tool], run)
    path = t.write_policy(policy)
    for program, answer in (("/usr/bin/sudo", "deny"), ("/usr/bin/git", "allow")):
        equal(t.native([t.proctor, "why", "-p", path, "--exec", program]).out.split()[0], answer)


def greet(server):
    connection, _ = server.accept()
    connection.sendall(b"db\n")
    connection.close()


@test
def network(t):
    server = socket.create_server(("127.0.0.1", 0))
    threading.Thread(target=greet, args=(server,), daemon=True).start()
    policy = prepare(t, server.getsockname()[1])
    refused = free_port()
    script = ("import socket\n"
              "print(socket.create_connection(('db.internal', 5432)).recv(9).decode().strip())\n"
              "for address in (('169.254.169.254', 80), ('10.0.0.1', 80)):\n"
              "    try: socket.create_connection(address, 1)\n"
              "    except OSError as error: print(error.strerror)\n"
              f"try: socket.create_connection(('::1', {refused}))\n"
              "except OSError as error: print(error.strerror)\n"
              "socket.create_server(('127.0.0.1', 0)).close()\n"
              "try: socket.getaddrinfo('example.org', 443)\n"
              "except OSError as error: print('unknown')\n")
    run = t.run([PYTHON, "-c", script], policy)
    no_ipv6 = ("Cannot assign requested address", "Network is unreachable")
    lines = run.out.split("\n")
    equal(lines[:3], ["db", "Permission denied", "Permission denied"], run)
    check(lines[3] == "Connection refused" or lines[3] in no_ipv6, run)
    equal(lines[4:], ["unknown", ""], run)
    equal([(record["endpoint"], record["rule"] is not None) for record in run.blocked
           if record["op"] == "connect"],
          [("tcp:169.254.169.254:80", True), ("tcp:10.0.0.1:80", False)], run)


@test
def the_rest(t):
    policy = prepare(t)
    env = {**t.env, "A_TOKEN": "t", "AWS_X": "x", "EDITOR": "vi", "LC_TIME": "C"}
    run = t.run([SH, "-c", 'echo "$CI$A_TOKEN$AWS_X$EDITOR $LC_TIME"; ulimit -n; ulimit -f'], policy,
                env=env)
    equal(run.out.split("\n")[:3], ["1 C", "256", str(100 * 2048)], run)
    script = ("import ctypes, os\n"
              "print(ctypes.CDLL(None, use_errno=True).ptrace(16, os.getppid(), 0, 0))")
    run = t.run([PYTHON, "-c", script], policy)
    equal([(record["syscall"], record["rule"]["text"]) for record in run.blocked],
          [("ptrace", "ptrace")], run)


if __name__ == "__main__":
    sys.exit(main())
