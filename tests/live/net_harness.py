# SPDX-License-Identifier: LGPL-2.1-or-later
"""How the test_net*.py run programs natively and under proctor, and compare.

Each act is shown to work natively first; then, under a policy, an allowed act must come out as it
does natively, and one that is not allowed must fail, reach nobody, and leave one record.
"""
import glob
import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import traceback

sys.path.insert(1, os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))
import validate_log  # pylint: disable=wrong-import-position
from net_servers import Servers, free_port  # pylint: disable=wrong-import-position

PROCTOR = os.path.abspath(os.environ.get("PROCTOR", "./proctor"))
PROGRAMS = os.path.abspath(os.environ.get("PROGRAMS", "tests/live"))
ONLY = os.environ.get("ONLY", "")
LONG = bool(os.environ.get("LONG"))
NOBODY = 65534
TIMEOUT = 60


# Acts of net_acts
STREAM, DGRAM = "1", "2"
INET, INET6, UNIX, NETLINK = "2", "10", "1", "16"
TCP4 = ("socket", INET, STREAM, "0")
TCP6 = ("socket", INET6, STREAM, "0")
UDP4 = ("socket", INET, DGRAM, "0")
UDP6 = ("socket", INET6, DGRAM, "0")
UNIX_STREAM = ("socket", UNIX, STREAM, "0")
UNIX_DGRAM = ("socket", UNIX, DGRAM, "0")
FASTOPEN = ("flags", "0x20000000")
REUSE = ("option", "1", "2", "1")


def use(place):
    return ("use", str(place))


def connect(address):
    return ("connect", address)


def bind(address):
    return ("bind", address)


def sendto(address):
    return ("sendto", address, "hello")


def load_schema():
    path = os.environ.get("SCHEMA", os.path.join(os.path.dirname(validate_log.__file__),
                                                 "../audit/schema.json"))
    with open(path, encoding="utf-8") as file:
        return validate_log.Validator(json.load(file))


# At once: the user that some of the tests run as may not be able to read the source.
SCHEMA = load_schema()


def validate(log):
    """The log of a run: each record, and the chain."""
    chain = validate_log.Chain()
    with open(log, "rb") as lines:
        problems = [error for line in lines for error in validate_log.line_errors(line, SCHEMA, chain)]
    check(not problems, "the log is not valid:", problems[:5])


class Failure(Exception):
    """What a test found wrong."""


def check(condition, *words):
    if not condition:
        raise Failure(" ".join(str(word) for word in words))


class Bench:
    """The servers, the folder, the policy, and how programs are run."""

    def __init__(self, base):
        self.base = base
        self.proctor = base + "/bin/" + os.path.basename(PROCTOR)
        self.servers = Servers()
        self.dir = os.path.realpath(tempfile.mkdtemp(prefix="net-"))
        os.chmod(self.dir, 0o755)
        self.good, self.bad, self.mine, self.closed = (free_port() for _ in range(4))
        for address in ("127.0.0.1", "127.0.0.2"):
            for port in (self.good, self.bad):
                self.servers.inet(socket.AF_INET, address, port)
        for port in (self.good, self.bad):
            self.servers.inet(socket.AF_INET6, "::1", port)
        os.mkdir(self.dir + "/in")
        os.mkdir(self.dir + "/mine")
        os.mkdir(self.dir + "/out")
        self.tag = f"proctor-test-{os.getpid()}"
        for kind, end in ((socket.SOCK_STREAM, "s"), (socket.SOCK_DGRAM, "d")):
            self.servers.unix(kind, f"{self.dir}/in/{end}")
            self.servers.unix(kind, f"{self.dir}/out/{end}")
            self.servers.unix(kind, f"\0{self.tag}-in-{end}")
            self.servers.unix(kind, f"\0{self.tag}-out-{end}")
        # The name that is allowed, and one more byte.
        self.servers.unix(socket.SOCK_STREAM, f"\0{self.tag}-in-s\0", f"unix:@{self.tag}-in-s\\x00")
        os.symlink("../out/s", self.dir + "/in/link-out")
        os.symlink("../in/s", self.dir + "/out/link-in")
        os.symlink("loop", self.dir + "/in/loop")
        os.symlink("out", self.dir + "/folder-out")
        with open(self.dir + "/in/file", "w", encoding="utf-8") as file:
            file.write("contents\n")
        self.static = False

    def policy(self, connect=None, bind=None, deny=()):
        """The test's usual rules, or others."""
        return {
            "version": 1,
            "files": {"write": ["/"]},
            "exec": {"allow": ["/"]},
            "network": {
                "connect": connect if connect is not None else [
                    f"127.0.0.1:{self.good}", f"udp:127.0.0.1:{self.good}",
                    f"[::1]:{self.good}", f"udp:[::1]:{self.good}",
                    f"127.0.0.1:{self.closed}", f"udp:127.0.0.1:{self.mine}",
                    f"127.0.0.1:{self.mine}", f"unix:{self.dir}/in", f"unix:{self.dir}/mine",
                    f"unix:@{self.tag}-in-*", f"unix:@{self.tag}-mine"],
                "bind": bind if bind is not None else [
                    f"127.0.0.1:{self.mine}", f"udp:127.0.0.1:{self.mine}", "127.0.0.2:0",
                    "udp:127.0.0.2:0", f"unix:{self.dir}/mine", f"unix:@{self.tag}-mine"],
                "deny": list(deny),
            },
        }

    def program(self, name):
        return os.path.join(self.base, "bin", name + ("_static" if self.static else ""))

    def native(self, command, **more):
        return subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                              errors="replace", timeout=TIMEOUT, check=False, **more)

    def inside(self, command, policy=None, options=(), event="blocked", **more):
        """Runs it under proctor. Returns the run and the records of what was blocked."""
        policy_file = self.dir + "/policy.yaml"
        log = self.dir + "/log.jsonl"
        with open(policy_file, "w", encoding="utf-8") as file:
            json.dump(policy or self.policy(), file)
        if os.path.exists(log):
            os.unlink(log)
        run = self.native([self.proctor, "run", "-q", "-p", policy_file, "-o", log, *options, "--"]
                          + command,
                          **more)
        check(run.returncode != 125, "proctor failed:", run.stdout)
        validate(log)
        with open(log, encoding="utf-8", errors="surrogateescape") as file:
            records = [json.loads(line) for line in file]
        return run, [record for record in records if record["event"] == event]

    def clean(self):
        """What an act made in the folder for it."""
        for name in os.listdir(self.dir + "/mine"):
            os.unlink(f"{self.dir}/mine/{name}")

    # -------------------------------------------------------------- two kinds of test

    def same(self, *command, policy=None, program="net_acts", match=None, **more):
        """Natively and inside the same comes out, and nothing is blocked."""
        command = [self.program(program)] + [word for part in command for word in
                                             ([part] if isinstance(part, str) else part)]
        self.clean()
        native = self.native(command, **more)
        check(native.returncode != 99, "the test is wrong:", native.stdout)
        if match:
            check(re.search(match, native.stdout), "native:", native.stdout)
        self.clean()
        run, records = self.inside(command, policy, **more)
        check(run.stdout == native.stdout,
              f"\n--- native\n{native.stdout}--- inside\n{run.stdout}{records}")
        # A shell would say 128+N where the system call says -N.
        code = native.returncode if native.returncode >= 0 else 128 - native.returncode
        check(run.returncode == code, "exit code", run.returncode, "not", code)
        check(not records, "blocked:", records)

    def blocked(self, *acts, policy=None, reached=None, error="EACCES", works=True, made=None,
                program="net_acts", **fields):
        """The last act works natively and reaches `reached` (or makes the file `made`); inside it
        is refused, with a record that has these fields, and nothing is reached or made."""
        *before, last = acts
        more = fields.pop("more", {})
        command = [self.program(program)] + [word for part in (*before, last) for word in part]
        self.clean()
        count = self.servers.seen[reached]
        native = self.native(command, **more)
        check(native.returncode != 99, "the test is wrong:", native.stdout)
        lines = native.stdout.splitlines()
        if works:
            check(re.search(r"-> (\d+|EINPROGRESS)$", lines[-1]), "it does not work natively:",
                  native.stdout)
        if reached:
            check(self.servers.wait(reached, count), "natively", reached, "was not reached")
        if made:
            os.unlink(made)
        self.clean()
        time.sleep(0.02)
        count = self.servers.seen[reached]
        run, records = self.inside(command, policy, **more)
        inside = run.stdout.splitlines()
        check(inside and inside[-1] == f"{last[0]} -> {error}",
              f"\n--- native\n{native.stdout}--- inside\n{run.stdout}{records}")
        kept = [line for line in lines[:-1] if not line.startswith("  ")]
        check([line for line in inside[:-1] if not line.startswith("  ")] == kept,
              f"\n--- native\n{native.stdout}--- inside\n{run.stdout}")
        check(len(records) == 1, len(records), "records:", records)
        for field, value in {"class": "network", "errno": error, **fields}.items():
            check(records[0].get(field) == value, field, "is", records[0].get(field), "not", value)
        check(not made or not os.path.lexists(made), made, "was made")
        time.sleep(0.02)
        check(self.servers.seen[reached] == count, reached, "was reached")


TESTS = []


def test(function):
    TESTS.append(function)
    return function


def stage():
    """A folder with proctor and the programs, which every user may enter. Returns it."""
    base = os.path.realpath(tempfile.mkdtemp(prefix="net-"))
    os.mkdir(base + "/bin")
    for path in [PROCTOR] + glob.glob(PROGRAMS + "/net_*"):
        if os.access(path, os.X_OK) and not os.path.isdir(path):
            shutil.copy(path, base + "/bin")
    for folder in (base, base + "/bin"):
        os.chmod(folder, 0o755)
    return base


def descriptors_below(pid):
    """Descriptors of the process and of its children that are proctor."""
    pids, total = [pid], 0
    while pids:
        pid = pids.pop()
        if "proctor" in os.readlink(f"/proc/{pid}/exe"):
            total += len(os.listdir(f"/proc/{pid}/fd"))
        for task in os.listdir(f"/proc/{pid}/task"):
            with open(f"/proc/{pid}/task/{task}/children", encoding="utf-8") as children:
                pids += [int(child) for child in children.read().split()]
    return total


def run_one(function, bench, name, counts):
    """One test; `counts` is how many passed and failed."""
    try:
        function(bench)
        print("ok  ", name, flush=True)
        counts[0] += 1
    except (Failure, subprocess.TimeoutExpired, OSError) as error:
        print("FAIL", name, "-", error, flush=True)
        counts[1] += 1
    except Exception:  # pylint: disable=broad-except
        print("FAIL", name, "-", traceback.format_exc(), flush=True)
        counts[1] += 1


def run_tests(base, variants):
    """Returns how many passed and failed."""
    counts = [0, 0]
    who = "root" if os.getuid() == 0 else "user"
    bench = Bench(base)
    os.environ.update(HOME=bench.dir, XDG_STATE_HOME=bench.dir + "/state")
    try:
        for static in variants:
            bench.static = static
            for function in TESTS:
                name = f"{function.__name__} ({who}, {'static' if static else 'dynamic'})"
                if ONLY not in name:
                    continue
                run_one(function, bench, name, counts)
    finally:
        shutil.rmtree(bench.dir, ignore_errors=True)
    return counts


def as_nobody(run, *args):
    """run(*args), which returns how many passed and failed, in a process of an ordinary user."""
    reader, writer = os.pipe()
    sys.stdout.flush()
    pid = os.fork()
    if pid == 0:
        counts = [0, 1]
        try:
            os.setgroups([])
            os.setresgid(NOBODY, NOBODY, NOBODY)
            os.setresuid(NOBODY, NOBODY, NOBODY)
            counts = run(*args)
        except Exception:  # pylint: disable=broad-except
            traceback.print_exc()
        finally:
            os.write(writer, b"%d %d" % tuple(counts))
            os._exit(0)
    os.close(writer)
    with os.fdopen(reader) as counts:
        words = counts.read().split()
    _, status = os.waitpid(pid, 0)
    if not words:
        print("FAIL the tests as a user - their process ended early, wait status", status)
        return [0, 1]
    return [int(word) for word in words]


def run_all():
    """As root: dynamic programs as root, static ones as a user; LONG: all of them as both."""
    base = stage()
    total = [0, 0]
    os.umask(0o022)
    signal.signal(signal.SIGPIPE, signal.SIG_IGN)
    os.chdir(base)
    try:
        if os.getuid() != 0:
            total = run_tests(base, (False, True))
        else:
            both = (False, True)
            for part in (as_nobody(run_tests, base, both if LONG else (True,)),
                         run_tests(base, both if LONG else (False,))):
                total = [a + b for a, b in zip(total, part)]
    finally:
        shutil.rmtree(base, ignore_errors=True)
    print(f"{total[0]} passed, {total[1]} failed")
    return 1 if total[1] or not total[0] else 0
