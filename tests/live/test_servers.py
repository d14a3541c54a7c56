#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""Live tests of the network with real servers and clients: nginx with TLS and virtual hosts, dnsmasq, PostgreSQL,
Redis. What a client says is what it says natively, for what is allowed; what is not is refused and recorded.
Servers run under proctor as well. On loopback as root and as an ordinary user; by name in a network of its
own, where one can be made.

environment: PROCTOR, PROGRAMS, ONLY as test_net.py
"""
import hashlib
import json
import os
import shutil
import subprocess
import sys

sys.dont_write_bytecode = True
import names_space
import real_servers
from net_harness import ONLY, PROCTOR, PROGRAMS, as_nobody, check, run_one, stage
from net_servers import free_port
from real_servers import missing, running
from test_names import Bench, policy, python

SITE, RESOLVER = "203.0.113.10", "203.0.113.54"
NAMES = {"one.example": SITE, "two.example": SITE, "db.example": SITE, "cache.example": SITE}
LOCAL, BY_NAME = [], []


def local(function):
    LOCAL.append(function)
    return function


def by_name(function):
    BY_NAME.append(function)
    return function


def proctored(b, command, connect=(), bind=()):
    """The command under proctor, for a server."""
    file = b.dir + "/server.yaml"
    with open(file, "w", encoding="utf-8") as out:
        json.dump(policy(list(connect), bind=list(bind)), out)
    os.chmod(file, 0o644)
    return [b.proctor, "run", "-q", "-p", file, "-o", b.dir + "/server.jsonl", "--stats", "--", *command]


# --------------------------------------------------------------------------------- loopback

@local
def nginx_inside(b):
    """Served from inside: whole files, many requests, and no notification for what goes over connections."""
    if missing("nginx", "curl"):
        return
    folder, port = b.dir + "/nginx", free_port()
    command = real_servers.nginx(folder, "127.0.0.1", port)
    data = os.urandom(3 << 20)
    with open(folder + "/www/large", "wb") as file:
        file.write(data)
    log = b.dir + "/nginx.log"
    with running(proctored(b, command, bind=[f"127.0.0.1:{port}"]), "127.0.0.1", port, log):
        got = subprocess.run(["curl", "-sS", f"http://127.0.0.1:{port}/large"], stdout=subprocess.PIPE, check=True)
        check(hashlib.sha256(got.stdout).digest() == hashlib.sha256(data).digest(), "the file differs")
        got = b.native(["curl", "-sS", *(60 * [f"http://127.0.0.1:{port}/x"])])
        check(got.stdout == 60 * "localhost /x\n", got.stdout)
    with open(log, encoding="utf-8") as said:
        seen = {line.split()[0] for line in said if line.strip()}
    check("listen" in seen and not seen & {"sendmsg", "sendto", "recvmsg", "accept4", "sendfile", "writev"}, seen)
    run, records = b.inside(command, policy([], bind=[f"127.0.0.1:{port + 1}"]))
    check(run.returncode not in (0, 125) and records[0]["endpoint"] == f"tcp:127.0.0.1:{port}", run.stdout, records)


def redis_refused(b, where, rules, endpoint):
    """The client tries twice."""
    command = ["redis-cli", *where, "ping"]
    check("PONG" in b.native(command).stdout, "it does not work natively")
    run, records = b.inside(command, policy(rules))
    check("PONG" not in run.stdout and {r["endpoint"] for r in records} == {endpoint}, run.stdout, records)


@local
def redis_both_ways(b):
    if missing("redis-server", "redis-cli"):
        return
    folder, port = b.dir + "/redis", free_port()
    command = real_servers.redis(folder, "127.0.0.1", port)
    work = ["/bin/sh", "-c", f"redis-cli -p {port} set k v; redis-cli -p {port} get k; "
            f"redis-cli -p {port} -r 20 incr n | tail -n 1; seq 300 | sed 's/.*/SET a& &/' | "
            f"redis-cli -p {port} --pipe | tail -n 1; redis-cli -s {folder}/redis.sock dbsize; "
            f"redis-cli -p {port} flushall"]
    rules = policy([f"127.0.0.1:{port}", f"unix:{folder}"])
    with running(command, "127.0.0.1", port, b.dir + "/redis.log"):
        b.same(work, "replies: 300", rules)
        redis_refused(b, ["-p", str(port)], [], f"tcp:127.0.0.1:{port}")
        redis_refused(b, ["-s", folder + "/redis.sock"], [f"unix:{folder}/other"], f"unix:{folder}/redis.sock")
    with running(proctored(b, command, bind=[f"127.0.0.1:{port}", f"unix:{folder}"]), "127.0.0.1", port,
                 b.dir + "/redis.log"):
        check("replies: 300" in b.native(work).stdout, "the server inside does not answer")


@local
def message_bus(b):
    """D-Bus, by which services outside would act for the tool: by the path of its socket, and by an abstract name."""
    if missing("dbus-daemon", "dbus-send"):
        return
    path, name = f"{b.dir}/bus", f"proctor-test-{os.getpid()}-bus"
    for address, endpoint in ((f"unix:path={path}", f"unix:{path}"), (f"unix:abstract={name}", f"unix:@{name}")):
        command = ["dbus-send", f"--bus={address}", "--dest=org.freedesktop.DBus", "--print-reply=literal",
                   "/org/freedesktop/DBus", "org.freedesktop.DBus.GetId"]
        with subprocess.Popen(["dbus-daemon", "--session", "--nofork", "--print-address", f"--address={address}"],
                              stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True) as bus:
            try:
                check(bus.stdout.readline().startswith("unix:"), "the bus does not start")
                b.same(command, "   ", policy([endpoint]))
                b.refused(command, "   ", policy([f"unix:{b.dir}/other"]), endpoint=endpoint)
            finally:
                bus.terminate()


@local
def postgres_both_ways(b):
    if missing("initdb", "postgres", "psql"):
        return
    folder, port = b.dir + "/pg", free_port()
    command = real_servers.postgres(folder, "127.0.0.1", port)

    def psql(host, query, port=port):
        return ["psql", "-X", "-At", "-h", host, "-p", str(port), "-U", "u", "-d", "postgres", "-c", query]

    large = "select string_agg(n::text, ',') from generate_series(1, 20000) n"
    rules = policy([f"127.0.0.1:{port}", f"unix:{folder}"])
    with running(command, "127.0.0.1", port, b.dir + "/pg.log", as_user=True):
        b.same(psql("127.0.0.1", large), "19999,20000", rules)
        b.same(psql(folder, "select 6 * 7"), "42", rules)
        b.same(["/bin/sh", "-c", "seq 5000 | " + " ".join(psql("127.0.0.1", "'create temp table t (n int)'"))
                + " -c '\\copy t from stdin' -c 'select sum(n) from t'"], "12502500", rules)
        b.refused(psql("127.0.0.1", "select 6 * 7"), "42", policy([f"unix:{folder}"]),
                  endpoint=f"tcp:127.0.0.1:{port}", op="connect")
        b.refused(psql(folder, "select 6 * 7"), "42", policy([f"127.0.0.1:{port}", f"unix:{folder}/other"]),
                  endpoint=f"unix:{folder}/.s.PGSQL.{port}", op="connect")
    if os.getuid() != 0:
        with running(proctored(b, command, bind=[f"127.0.0.1:{port}", f"unix:{folder}"]), "127.0.0.1", port,
                     b.dir + "/pg.log", as_user=True):
            run = b.native(psql("127.0.0.1", large))
            check("19999,20000" in run.stdout, "the server inside does not answer:", run.stdout)


# ---------------------------------------------------------------------------------- by name

CLIENTS = {
    "curl": ["curl", "-sSk", "https://%s/x"],
    "wget": ["wget", "-qO-", "--no-check-certificate", "https://%s/x"],
    "python3": python("import ssl, urllib.request as u\nprint(u.urlopen('https://%s/x', "
                      "context=ssl._create_unverified_context()).read().decode())"),
    "node": ["node", "--no-warnings", "-e",
             'require("https").get("https://%s/x", r => r.on("data", d => process.stdout.write(d)))'],
    "openssl": ["/bin/sh", "-c", "printf 'GET /x HTTP/1.0\\r\\nHost: %s\\r\\n\\r\\n' | openssl s_client -quiet "
                "-connect %s:443 2>/dev/null | tail -n 1"],
    "perl": ["perl", "-MIO::Socket::SSL", "-e", 'my $s = IO::Socket::SSL->new(PeerAddr => "%s:443", '
             'SSL_hostname => "%s", SSL_verify_mode => 0) or die; print $s "GET /x HTTP/1.0\\r\\nHost: %s\\r\\n'
             '\\r\\n"; while (<$s>) { print if m|/x| }'],
    "requests": python("import requests, urllib3\nurllib3.disable_warnings()\n"
                       "print(requests.get('https://%s/x', verify=False).text)"),
}


def here(b, client):
    if client == "requests":
        return b.native(python("import requests")).returncode == 0
    if client == "perl":
        return b.native(["perl", "-MIO::Socket::SSL", "-e", "1"]).returncode == 0
    return not missing(client)


@by_name
def virtual_hosts(b):
    """Two on one address: a rule for the one does not open the other."""
    if missing("nginx", "openssl"):
        return
    command = real_servers.nginx(b.dir + "/nginx", SITE, 443, ("one.example", "two.example"), tls=True)
    rules = policy(["one.example:443"])
    with running(command, SITE, 443, b.dir + "/nginx.log"):
        for name, words in CLIENTS.items():
            if not here(b, name):
                print(f"skipped: {name} is not here")
                continue
            b.same([word.replace("%s", "one.example") for word in words], "one.example /x", rules)
            b.refused([word.replace("%s", "two.example") for word in words], "two.example /x", rules,
                      op="resolve", host="two.example")
        for command, errno in ((["curl", "-sSk", "--connect-to", "two.example:443:one.example:443",
                                 "https://two.example/x"], "ECONNRESET"),
                               (["curl", "-sSk", "--resolve", f"two.example:443:{SITE}", "https://two.example/x"],
                                "EACCES")):
            b.refused(command, "two.example /x", rules, op="connect", errno=errno)
        # By the proxy the same: what is tunnelled asks for the name that was connected to.
        offering = policy(["one.example:443"], proxy=True)
        inside = ["/bin/sh", "-c", "exec curl -sSk -x socks5h://$PROCTOR_PROXY \"$@\"", "-"]
        run, records = b.inside([*inside, "https://one.example/x"], offering)
        check(run.stdout == "one.example /x\n" and not records, run.stdout, records)
        for words, host in ((["https://two.example/x"], "two.example"),
                            (["--connect-to", "two.example:443:one.example:443", "https://two.example/x"],
                             "one.example")):
            run, records = b.inside([*inside, *words], offering)
            check("/x" not in run.stdout and [r.get("host") for r in records] == [host], run.stdout, records)


@by_name
def git_over_https(b):
    if missing("nginx", "openssl", "git"):
        return
    folder = b.dir + "/nginx-git"
    command = real_servers.nginx(folder, SITE, 443, ("one.example", "two.example"), tls=True)
    commit = ("git init -q w; cd w; git config user.name n; git config user.email e; echo contents > f; "
              "git add f; git commit -qm m; cd ..; git clone -q --bare w www/r.git; "
              "git --git-dir www/r.git update-server-info")
    subprocess.run(["/bin/sh", "-ec", commit], cwd=folder, check=True)
    clone = "rm -rf {0}; git -c http.sslVerify=false clone -q https://{1}/r.git {0} && cat {0}/f"
    with running(command, SITE, 443, b.dir + "/nginx.log"):
        b.same(["/bin/sh", "-c", clone.format(b.dir + "/c", "one.example")], "contents", policy(["one.example:443"]))
        b.refused(["/bin/sh", "-c", clone.format(b.dir + "/d", "two.example")], "contents",
                  policy(["one.example:443"]), op="resolve", host="two.example")


@by_name
def databases(b):
    if missing("redis-server", "redis-cli"):
        return
    rules = policy(["cache.example:6379", "db.example:5432"])
    with running(real_servers.redis(b.dir + "/redis", SITE, 6379), SITE, 6379, b.dir + "/redis.log"):
        b.same(["/bin/sh", "-c", "redis-cli -h cache.example set k v; redis-cli -h cache.example get k"], "v", rules)
        redis_refused(b, ["-h", "db.example"], ["cache.example:6379", "db.example:5432"], "tcp:db.example:6379")
    if missing("initdb", "postgres", "psql"):
        return
    with running(real_servers.postgres(b.dir + "/pg", SITE, 5432), SITE, 5432, b.dir + "/pg.log", as_user=True):
        query = ["-X", "-At", "-U", "u", "-d", "postgres", "-c", "select 6 * 7"]
        b.same(["psql", "-h", "db.example", *query], "42", rules)
        b.refused(["psql", "-h", "cache.example", *query], "42", rules, endpoint="tcp:cache.example:5432")


# ------------------------------------------------------------------------------------- runs

def run_tests(base, tests, who):
    counts_ = [0, 0]
    b = Bench(base, None)
    os.environ["PATH"] = real_servers.PATH
    for function in tests:
        name = f"{function.__name__} ({who})"
        if ONLY in name:
            run_one(function, b, name, counts_)
    shutil.rmtree(b.dir, ignore_errors=True)
    return counts_


def set_up_names(folder):
    """The addresses, and dnsmasq as the host's resolver. Returns how to run it, or None."""
    for address in (SITE, RESOLVER):
        subprocess.run(["ip", "addr", "add", address + "/32", "dev", "lo"], check=True)
    subprocess.run(["ip", "link", "set", "lo", "up"], check=True)
    with open(folder + "/resolv.conf", "w", encoding="ascii") as file:
        file.write(f"nameserver {RESOLVER}\n")
    subprocess.run(["mount", "--bind", folder + "/resolv.conf", "/etc/resolv.conf"], check=True)
    if missing("dnsmasq"):
        return None
    return running(real_servers.dnsmasq(folder, RESOLVER, NAMES), RESOLVER, 53, folder + "/dnsmasq.log")


def main():
    os.umask(0o022)
    base = stage()
    os.chdir("/")
    if os.environ.get("NAMES_SPACE"):
        total = [int(count) for count in os.environ["NAMES_BEFORE"].split()]
        resolver = set_up_names(base)
        if resolver:
            with resolver:
                total = [a + c for a, c in zip(total, run_tests(base, BY_NAME, "root"))]
    else:
        total = (as_nobody(run_tests, base, LOCAL, "user") if os.getuid() == 0
                 else run_tests(base, LOCAL, "user"))
        if os.getuid() == 0:
            total = [a + c for a, c in zip(total, run_tests(base, LOCAL[:1], "root"))]
        status = names_space.enter(__file__, NAMES_BEFORE=f"{total[0]} {total[1]}", PROCTOR=PROCTOR,
                                   PROGRAMS=PROGRAMS)
        if status is not None:
            shutil.rmtree(base, ignore_errors=True)
            return status
        print("skipped: no network of one's own can be made here")
    shutil.rmtree(base, ignore_errors=True)
    print(f"{total[0]} passed, {total[1]} failed")
    return 1 if total[1] or not total[0] else 0


if __name__ == "__main__":
    sys.exit(main())
