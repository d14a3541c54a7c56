#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""--metrics-listen, and doc/alerts.yml with a real Prometheus."""
import contextlib
import http.client
import http.server
import json
import os
import re
import socket
import subprocess
import sys
import threading
import time
import urllib.request

sys.dont_write_bytecode = True
from figures import parse_text, value
from harness import Skip, check, children, equal, is_alive, main, need, patient, test, wait_until

# At once: the user that some of the tests run as may not be able to read the source.
with open(os.path.join(os.path.dirname(os.path.abspath(__file__)), "../../doc/alerts.yml"),
          encoding="utf-8") as _file:
    ALERTS = _file.read()

CONNECT = ("import sys, urllib.request; "
           "print(urllib.request.urlopen(sys.argv[1], timeout=20).read().decode())")
PYTHON = "/usr/bin/python3" if os.path.exists("/usr/bin/python3") else sys.executable


def get(address, path="/metrics", method="GET", body=None):
    """Status, type and text."""
    connection = http.client.HTTPConnection(address, timeout=patient(20))
    with contextlib.closing(connection):
        connection.request(method, path, body)
        answer = connection.getresponse()
        return answer.status, answer.getheader("Content-Type"), answer.read().decode()


def comm(pid):
    try:
        with open(f"/proc/{pid}/comm", encoding="ascii") as file:
            return file.read().strip()
    except OSError:
        return ""


def cpu_ticks(pid, seconds):
    """Processor time that it uses in so many seconds, in hundredths."""
    used = []
    for _ in range(2):
        with open(f"/proc/{pid}/stat", encoding="ascii") as file:
            used.append(sum(map(int, file.read().rsplit(")", 1)[1].split()[11:13])))
        time.sleep(seconds * (not used[1:]))
    return used[1] - used[0]


@contextlib.contextmanager
def serving(t, script, policy=None, listen="0", options=(), log=None):
    """A run that waits for a line on standard input. The process, and where its figures are."""
    line, _ = t.command(["/bin/sh", "-c", script + "; echo ready; read line"],
                        policy if policy is not None else t.wide(), log=log,
                        options=("-v", "--metrics-listen", listen, *options))
    process = t.spawn(line, stdin=subprocess.PIPE)
    try:
        said = process.stderr.readline()
        if "without libmicrohttpd" in said:
            raise Skip("built without libmicrohttpd")
        check(said.startswith("proctor: metrics: "), said)
        equal(process.stdout.readline(), "ready\n")
        yield process, said.split()[-1]
        if process.poll() is None:
            process.communicate("\n", timeout=patient(20))
    finally:
        process.kill()
        process.communicate()


@test(once=True)
def served(t):
    """What happens is in the figures at once; other requests get what HTTP has for them."""
    with serving(t, f"(: > {t.outside}/one)", options=("--log", "all")) as (process, address):
        equal(address.rpartition(":")[0], "127.0.0.1", "not this host's alone")
        status, kind, text = get(address)
        equal((status, kind), (200, "text/plain; version=0.0.4; charset=utf-8"))
        found = parse_text(text)
        equal(value(found, "proctor_attempts_total", op="create", decision="deny"), 1)
        equal(value(found, "proctor_session_running"), 1)
        equal(value(found, "proctor_log_failed"), 0)
        check(value(found, "proctor_calls_total") > 0 and
              value(found, "proctor_call_duration_seconds_count") > 0, found)
        equal(get(address, "/")[0], 404)
        equal(get(address, "/metrics/../secret")[0], 404)
        equal((get(address, method="HEAD")[0], get(address, method="HEAD")[2]), (200, ""))
        equal([get(address, method=method, body="x" * 100000)[0] for method in ("POST", "PUT", "DELETE")],
              [405] * 3)
        equal(get(address)[0], 200)
    equal(process.returncode, 0)
    with contextlib.suppress(OSError):
        get(address)
        check(False, "it serves after the end")


@test(once=True)
def addresses(t):
    """A port that is taken, and what is no address: nothing is run."""
    def refused(listen):
        run = t.native(t.command(["/bin/echo", "ran"], t.wide(),
                                 options=("--metrics-listen", listen))[0])
        if "without libmicrohttpd" in run.err:
            raise Skip("built without libmicrohttpd")
        equal((run.code, run.out), (125, ""), listen, run)
        return run.err

    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        check("in use" in refused(f"127.0.0.1:{port}") and "in use" in refused(str(port)), port)
    for listen in ("", ":", ":1", "x", "127.0.0.1", "127.0.0.1:", "127.0.0.1:x", "127.0.0.1:-1", "127.0.0.1:65536",
                   "127.0.0.1:99999999999999999999", "localhost:80", "::1:80", "[::1]", "[::1]80",
                   "[127.0.0.1:80", "127.0.0.1]:80", "0", "192.0.2.1:0"):
        if listen != "0":
            check("cannot listen on" in refused(listen), listen)
    with serving(t, ":", listen="127.0.0.1:0") as (_, address):
        check("in use" in refused(address), address)
    if os.path.exists("/proc/net/if_inet6") and os.path.getsize("/proc/net/if_inet6"):
        with serving(t, ":", listen="[::1]:0") as (_, address):
            check(address.startswith("[::1]:") and get(address)[0] == 200, address)


@test
def out_of_the_tools_reach(t):
    """The tool gets there by a rule of its policy only."""
    rule = {"connect": ["127.0.0.1:*"]}
    with serving(t, ":") as (_, address):
        url = f"http://{address}/metrics"
        command = [PYTHON, "-I", "-c", CONNECT, url]
        equal(t.native(command).code, 0, "natively")
        run = t.run(command, t.wide())
        check(run.code == 1 and "Permission denied" in run.err, run)
        t.one_record(run, kind="network", op="connect", endpoint="tcp:" + address, errno="EACCES")
        run = t.run(command, t.wide(network=rule))
        equal(run.code, 0, run)
        equal(value(parse_text(run.out[:-1]), "proctor_session_running"), 1)
    # And its own run's.
    script = f"{PYTHON} -I -c \"$0\" http://127.0.0.1:$(cat port)/metrics >got 2>said; echo $? >code"
    for network, code in (({}, "1\n"), (rule, "0\n")):
        line, _ = t.command(["/bin/sh", "-c", f"read port; echo $port >port; {script}", CONNECT],
                            t.wide(network=network), options=("-v", "--metrics-listen", "0"))
        process = t.spawn(line, stdin=subprocess.PIPE)
        port = process.stderr.readline().rpartition(":")[2]
        process.communicate(port, timeout=patient(20))
        with open(t.inside + "/code", encoding="ascii") as file:
            equal(file.read(), code, network)
        with open(t.inside + "/got", encoding="utf-8") as file:
            equal("proctor_session_running 1" in file.read(), code == "0\n")


@test(once=True)
def the_process(t):
    """It is confined, no child of the supervisor, and gone with either of the others."""
    with open(t.proctor, "rb") as program:
        sanitized = b"__asan_init" in program.read() # whose library makes calls of its own
    for victim in ("supervisor", "guardian"):
        with serving(t, ":") as (process, address):
            own = [pid for pid in children(process.pid) if comm(pid) == "metrics"]
            equal(len(own), 1, children(process.pid))
            with open(f"/proc/{own[0]}/status", encoding="ascii") as file:
                status = dict(line.split(":\t", 1) for line in file.read().splitlines() if ":\t" in line)
            equal((status["NoNewPrivs"].strip(), status["CapEff"].strip("0\n")), ("1", ""))
            if not sanitized:
                equal(status["Seccomp"].strip(), "2")
            if os.geteuid() == 0: # it is not dumpable
                equal(len(os.listdir(f"/proc/{own[0]}/fd")), 6, "descriptors")
            equal(get(address)[0], 200)
            supervisor = [pid for pid in children(process.pid) if comm(pid) == "supervisor"]
            os.kill(supervisor[0] if victim == "supervisor" else process.pid, 9)
            process.communicate(timeout=patient(20))
            check(wait_until(lambda: not is_alive(own[0])), "left behind")


@test(once=True)
def if_it_dies(t):
    """The run goes on without."""
    with serving(t, ":") as (process, _):
        own = [pid for pid in children(process.pid) if comm(pid) == "metrics"]
        os.kill(own[0], 9)
        time.sleep(0.2)
        supervisor = [pid for pid in children(process.pid) if comm(pid) == "supervisor"][0]
        check(cpu_ticks(supervisor, 0.3) < 15, "it spins")
    equal(process.returncode, 0)


@test(once=True)
def hostile_clients(t):
    """Who sends rubbish, nothing, or opens everything: the tool runs on, and others are served again."""
    with serving(t, ":") as (process, address):
        host, port = address.split(":")
        crowd = []
        for _ in range(40): # more than it takes at once, and than wait for it
            crowd.append(socket.socket())
            crowd[-1].setblocking(False)
            crowd[-1].connect_ex((host, int(port)))
        for number, one in enumerate(crowd):
            with contextlib.suppress(OSError):
                one.send((b"GET /" + b"a" * 40000, b"\0" * 500, b"GET /metrics HTTP/1.1\r\n",
                             b"")[number % 4])
        own = [pid for pid in children(process.pid) if comm(pid) == "metrics"][0]
        check(cpu_ticks(own, 0.3) < 15, "it spins")
        for one in crowd:
            one.close()
        def served_again():
            with contextlib.suppress(OSError, http.client.HTTPException):
                return get(address)[0] == 200
            return False
        check(wait_until(served_again, 15), "not served any more")
    equal(process.returncode, 0)


# ------------------------------------------------------------------ Prometheus

class Files(http.server.BaseHTTPRequestHandler):
    """What node_exporter's textfile collector would show: the files, as they are."""

    files = {}

    def do_GET(self):
        text = self.files.get(self.path, "").encode()
        self.send_response(200 if text else 404)
        self.send_header("Content-Type", "text/plain; version=0.0.4")
        self.end_headers()
        self.wfile.write(text)

    def log_message(self, *_):
        pass


@contextlib.contextmanager
def prometheus(t, targets):
    """One that scrapes the targets (job, address, path) every second. Asks for a path of its API."""
    with open(t.dir + "/alerts.yml", "w", encoding="utf-8") as file:
        file.write(ALERTS)
    config = {
        "global": {"scrape_interval": "1s", "evaluation_interval": "1s"},
        "rule_files": [t.dir + "/alerts.yml"],
        "scrape_configs": [{"job_name": job, "metrics_path": path,
                            "static_configs": [{"targets": [address]}]}
                           for job, address, path in targets],
    }
    with open(t.dir + "/prometheus.yml", "w", encoding="utf-8") as file:
        json.dump(config, file)
    checked = t.native(["promtool", "check", "config", t.dir + "/prometheus.yml"])
    equal(checked.code, 0, checked)
    with socket.create_server(("127.0.0.1", 0)) as free:
        address = f"127.0.0.1:{free.getsockname()[1]}"
    process = t.spawn(["prometheus", f"--config.file={t.dir}/prometheus.yml",
                       f"--storage.tsdb.path={t.dir}/data", f"--web.listen-address={address}"],
                      stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, cwd=t.dir)

    def ask(path):
        try:
            with urllib.request.urlopen(f"http://{address}/api/v1/{path}", timeout=5) as answer:
                return json.load(answer)["data"]
        except OSError:
            return {}
    try:
        check(wait_until(lambda: ask("status/config"), 30), "Prometheus does not start")
        yield ask
    finally:
        process.kill()
        process.wait()


def ended(t, name, command, policy=None, options=(), log=None):
    """The figures that a run leaves."""
    path = f"{t.dir}/{name}.prom"
    t.run(command, policy or t.wide(), fine=False, log=log, options=("-q", "--metrics", path, *options))
    with open(path, encoding="utf-8") as file:
        Files.files["/" + name] = file.read()


@test(once=True, user="user")
def alerts_of_a_real_prometheus(t):
    """Each alert fires for its cause, at the target that has it, and none at the one that has nothing."""
    need("prometheus", "promtool")
    memory = [PYTHON, "-c", "import time; x = bytearray(400 << 20); time.sleep(60)"]
    ended(t, "fine", ["/bin/true"])
    ended(t, "timeout", ["/bin/sleep", "60"], options=("--timeout", "200ms"))
    ended(t, "memory", memory, t.wide(limits={"memory": "100M"}))
    ended(t, "log", ["/bin/sh", "-c", f"(: > {t.outside}/new)"], log="/dev/full")
    ended(t, "killed", ["/bin/sh", "-c", f"(: > {t.outside}/new)"], t.wide(on_block="kill"))
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Files)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    files = f"127.0.0.1:{server.server_port}"
    expected = {("ProctorTimeout", "timeout"), ("ProctorOutOfMemory", "memory"), ("ProctorLogFailed", "log"),
                ("ProctorFailed", "log"), ("ProctorPolicyViolation", "killed"),
                ("ProctorPolicyViolation", "live")}
    try:
        with serving(t, f"(: > {t.outside}/one)") as (_, address), \
                prometheus(t, [(name.lstrip("/"), files, name) for name in Files.files] +
                           [("live", address, "/metrics")]) as ask:
            firing = set()

            def all_fire():
                firing.clear()
                firing.update((alert["labels"]["alertname"], alert["labels"]["job"])
                              for alert in ask("alerts").get("alerts", ()) if alert["state"] == "firing")
                return firing == expected
            check(wait_until(all_fire, patient(20)), "firing:", sorted(firing), "expected:", sorted(expected))
            time.sleep(1.2)
            check(all_fire(), "later firing:", sorted(firing))
            rates = ask("query?query=" + urllib.request.quote(
                'histogram_quantile(0.99, proctor_call_duration_seconds_bucket{job="live"})'))
            check(re.fullmatch(r"[0-9.e-]+", rates["result"][0]["value"][1]), rates)
            targets = ask("targets")["activeTargets"]
            equal([target["health"] for target in targets], ["up"] * len(expected), targets)
    finally:
        server.shutdown()
        server.server_close()


if __name__ == "__main__":
    sys.exit(main())
