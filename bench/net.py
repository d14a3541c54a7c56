#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""What proctor costs on the network: connect(2) by address, the first connection by name, the
throughput of a connection, and of one whose site is bound and which therefore goes through the relay;
each beside the same without it. And requests a second of nginx, inside and natively, under wrk, where
both are here.

Rounds are interleaved; medians and quartiles are printed, with the targets, and nothing passes or
fails by them. By name it needs namespaces (root, or a host that lets users have them), in which a
name server of its own stands on port 53; without them that row is left out.
"""
import argparse
import json
import os
import re
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent / "tests" / "live"))
import real_servers  # pylint: disable=wrong-import-position
from names_server import A, NameServer  # pylint: disable=wrong-import-position

SITE, RESOLVER, PORT = "203.0.113.10", "203.0.113.53", "8080"
CONNECTS, MIB = "400", "2000"


def run(command, environment):
    """The nanoseconds that a command prints."""
    return int(subprocess.run(command, stdout=subprocess.PIPE, check=True, text=True,
                              env=environment).stdout)


def enter(arguments):
    """Once more, in a network of its own; None where it cannot be made."""
    space = ["unshare", "--net", "--mount"] + ([] if os.getuid() == 0 else ["--map-root-user"])
    probe = subprocess.run(space + ["true"], stderr=subprocess.DEVNULL, check=False)
    if probe.returncode:
        return None
    return subprocess.run(space + [sys.executable, "-B", __file__, "--inside", *arguments],
                          check=False).returncode


def set_up(folder):
    """Addresses, a name server and where to find it."""
    for command in (["ip", "link", "set", "lo", "up"],
                    ["ip", "addr", "add", SITE + "/32", "dev", "lo"],
                    ["ip", "addr", "add", RESOLVER + "/32", "dev", "lo"]):
        subprocess.run(command, check=True)
    (folder / "resolv.conf").write_text(f"nameserver {RESOLVER}\n", encoding="ascii")
    subprocess.run(["mount", "--bind", folder / "resolv.conf", "/etc/resolv.conf"], check=True)
    NameServer(RESOLVER, 53, {"site.example": [(A, SITE)]}, folder / "asked")


def spread(values, unit):
    low, middle, high = statistics.quantiles(values, n=4)
    return f"{middle / unit:8.1f} ({low / unit:.1f}-{high / unit:.1f})"


def requests_a_second(command, port, folder, environment):
    """What wrk says of a server while it runs; small answers over connections that stay, its hardest case."""
    with real_servers.running(command, "127.0.0.1", port, folder + "/log"):
        said = subprocess.run(["wrk", "-t1", "-c16", "-d2s", f"http://127.0.0.1:{port}/x"], text=True,
                              stdout=subprocess.PIPE, check=True, env=environment).stdout
    return float(re.search(r"Requests/sec: *([\d.]+)", said)[1])


def measure_nginx(arguments, environment, under):
    """In turn, natively and inside."""
    if real_servers.missing("nginx", "wrk"):
        return
    folder, port = tempfile.mkdtemp(prefix="bench-nginx-"), 8081
    command = real_servers.nginx(folder, "127.0.0.1", port)
    native, inside = [], []
    for _ in range(min(arguments.rounds, 5)):
        native.append(requests_a_second(command, port, folder, environment))
        inside.append(requests_a_second(under + command, port, folder, environment))
    loss = 1 - statistics.median(inside) / statistics.median(native)
    print(f"{'nginx under wrk, requests/s':30} native {spread(native, 1)}  proctor {spread(inside, 1)}  "
          f"loses {loss:.1%}; target: within 5 %")


def measure(arguments, inside):
    folder = Path(tempfile.mkdtemp(prefix="bench-net-"))
    address = "127.0.0.1"
    netloop = str(Path(arguments.programs).resolve() / "netloop")
    environment = dict(os.environ, HOME=str(folder), XDG_STATE_HOME=str(folder / "state"))
    rules = {"address": [f"{address}:{PORT}"], "name": [f"site.example:{PORT}"],
             "site": [f"tls:site.example:{PORT}"], "nginx": []}
    if inside:
        set_up(folder)
    for name, connect in rules.items():
        (folder / f"{name}.yaml").write_text(json.dumps({
            "version": 1, "files": {"write": ["/"]}, "exec": {"allow": ["/"]},
            "network": {"connect": connect, "bind": ["127.0.0.1:8081"]}}), encoding="utf-8")

    def under(policy):
        return [str(Path(arguments.proctor).resolve()), "run", "-p", str(folder / f"{policy}.yaml"),
                "--"]

    connect = [netloop, "connect", address, PORT, CONNECTS]
    stream = [netloop, "stream", address, PORT, MIB]
    name = [netloop, "name", "site.example", PORT]
    cases = {
        "connect by address, us": (1e3, connect, under("address"), "at most 60 us more"),
        "first connection by name, us": (1e3, name, under("name"), "at most 1000 us more"),
        "a MiB on a connection, us": (1e3, stream, under("address"), "within 2 %"),
        "a MiB to a site by name, us": (1e3, [netloop, "site", "site.example", PORT, MIB],
                                        under("site"), "none: the relay's price"),
    }
    if not inside:
        cases = {case: what for case, what in cases.items() if "name" not in case}
        print("no namespaces here: nothing is measured by name")
    with subprocess.Popen([netloop, "serve", "0.0.0.0", PORT], stdout=subprocess.PIPE) as server:
        server.stdout.readline()
        samples = {case: ([], []) for case in cases}
        for _ in range(arguments.rounds):
            for case, (_, command, before, _) in cases.items():
                samples[case][0].append(run(command, environment))
                samples[case][1].append(run(before + command, environment))
        server.kill()
    for case, (unit, _, _, target) in cases.items():
        native, proctor = samples[case]
        added = statistics.median(proctor) - statistics.median(native)
        print(f"{case:30} native {spread(native, unit)}  proctor {spread(proctor, unit)}  "
              f"adds {added / unit:.1f} ({added / statistics.median(native):+.1%}); "
              f"target: {target}")
    if arguments.nginx:
        measure_nginx(arguments, environment, under("nginx"))


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--proctor", default="./proctor")
    parser.add_argument("--programs", default="bench", help="folder of netloop")
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--no-nginx", dest="nginx", action="store_false")
    parser.add_argument("--inside", action="store_true", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if not arguments.inside:
        status = enter(sys.argv[1:])
        if status is not None:
            return status
    measure(arguments, arguments.inside)
    return 0


if __name__ == "__main__":
    sys.exit(main())
