# SPDX-License-Identifier: LGPL-2.1-or-later
"""What the live tests share: how programs are run natively and under proctor.

A test file defines functions marked with @test and ends with sys.exit(main(__file__)).
Every test runs for dynamic and static programs, and when root starts the file, as root and as
an ordinary user: root with the dynamic, the user with the static ones (LONG: all four).

    PROCTOR   path of proctor            PROGRAMS  folder of the test programs
    SCHEMA    path of schema.json        ONLY      run tests whose name has this in it
    LONG      not empty: the long forms  KEEP      not empty: the folders stay
"""
import ctypes
import errno
import importlib.util
import json
import os
import pathlib
import re
import shutil
import signal
import stat
import subprocess
import sys
import tempfile
import time
import traceback

HERE = pathlib.Path(__file__).resolve().parent
PROCTOR = os.path.abspath(os.environ.get("PROCTOR", "./proctor"))
PROGRAMS = os.path.abspath(os.environ.get("PROGRAMS", "tests/live"))
ONLY = os.environ.get("ONLY", "")
LONG = bool(os.environ.get("LONG"))
TIMEOUT = 280 if LONG else 120
NOBODY = 65534
SYSTEM = ["/usr", "/bin", "/sbin", "/lib*", "/etc", "/proc/self", "/proc/sys", "/dev"]


class Failure(Exception):
    """What a test found wrong."""


class Skip(Exception):
    """Why a test cannot run here."""


def check(condition, *words):
    if not condition:
        raise Failure(" ".join(str(word) for word in words))


def equal(found, expected, *words):
    check(found == expected, *words, f"\n  found:    {found!r}\n  expected: {expected!r}")


def need(*names):
    """Skips the test when a program is not here."""
    for name in names:
        if not shutil.which(name, path="/usr/local/bin:/usr/bin:/bin:/usr/sbin:/sbin"):
            raise Skip(f"no {name} here")


# ------------------------------------------------------------------ system calls

def _numbers():
    numbers = {}
    for folder in ("/usr/include/x86_64-linux-gnu/asm", "/usr/include/asm"):
        try:
            with open(folder + "/unistd_64.h", encoding="ascii") as header:
                for name, number in re.findall(r"#define __NR_(\w+)\s+(\d+)", header.read()):
                    numbers[name] = int(number)
            break
        except OSError:
            continue
    return numbers


NR = _numbers()
# Newer than the headers of some systems.
NR.update(openat2=437, faccessat2=439, fchmodat2=452, setxattrat=463, getxattrat=464,
          listxattrat=465, removexattrat=466, file_getattr=468, file_setattr=469, clone3=435)

AT_FDCWD = -100
AT_SYMLINK_NOFOLLOW, AT_REMOVEDIR, AT_SYMLINK_FOLLOW, AT_EMPTY_PATH = 0x100, 0x200, 0x400, 0x1000
O_PATH, O_TMPFILE = os.O_PATH, os.O_TMPFILE
RENAME_NOREPLACE, RENAME_EXCHANGE = 1, 2


class Operand(str):
    """An operand as the program `calls` takes it."""


WILD = Operand("p")


def out(size):
    return Operand(f"o{size}")


def shown(size, *ranges):
    """An output buffer of which only (offset, length)... is shown, whatever the result."""
    return Operand(f"q{size}" + "".join(f":{at}+{length}" for at, length in ranges))


def entries(size, old=False):
    """An output buffer of getdents64 (getdents): the names in it."""
    return Operand(f"{'D' if old else 'd'}{size}")


def result(number):
    return Operand(f"r{number}")


def blob(data):
    return Operand("b" + data.hex())


def edge(data):
    """Bytes in front of an unmapped page."""
    return Operand("e" + os.fsencode(data).hex())


def array(*strings):
    return Operand("a" + ".".join(os.fsencode(text).hex() for text in strings))


def call(name, *operands, thread=False):
    """One statement for the program `calls`."""
    words = [("t" if thread else "") + str(NR[name] if isinstance(name, str) else name)]
    for operand in operands:
        if isinstance(operand, Operand):
            words.append(str(operand))
        elif isinstance(operand, int):
            words.append(str(operand))
        else:
            words.append("s" + os.fsencode(operand).hex())
    return ",".join(words)


def how(flags=0, mode=0, resolve=0, tail=b""):
    """struct open_how of openat2."""
    return blob(b"".join(value.to_bytes(8, "little") for value in (flags, mode, resolve)) + tail)


# ------------------------------------------------------------------ state of a folder

def snapshot(*roots):
    """All that is to be seen of what stands at and below the roots."""
    seen = {}

    def look(path):
        info = os.lstat(path)
        entry = [stat.filemode(info.st_mode), info.st_uid, info.st_gid, info.st_nlink,
                 info.st_mtime_ns]
        if stat.S_ISREG(info.st_mode):
            try:
                with open(path, "rb") as file:
                    entry.append(file.read())
            except PermissionError:
                entry.append("unreadable")
        elif stat.S_ISLNK(info.st_mode):
            entry.append(os.readlink(path))
        try:
            entry.append(sorted((name, os.getxattr(path, name, follow_symlinks=False))
                                for name in os.listxattr(path, follow_symlinks=False)))
        except OSError:
            pass
        seen[path] = entry
        if stat.S_ISDIR(info.st_mode) and os.access(path, os.R_OK | os.X_OK):
            for name in sorted(os.listdir(path)):
                look(os.path.join(path, name))

    for root in roots:
        if os.path.lexists(root):
            look(root)
    return seen


def difference(before, after):
    return [f"{path}: {before.get(path)} -> {after.get(path)}"
            for path in sorted(set(before) | set(after)) if before.get(path) != after.get(path)]


# ------------------------------------------------------------------ a run under proctor

class Run:
    """What came out."""

    def __init__(self, code, stdout, stderr, log):
        self.code = code
        self.out = stdout
        self.err = stderr
        self.log = log

    @property
    def records(self):
        if not self.log:
            return []
        try:
            with open(self.log, encoding="utf-8", errors="surrogateescape") as file:
                return [json.loads(line) for line in file]
        except FileNotFoundError:
            return []

    @property
    def blocked(self):
        return [record for record in self.records if record["event"] == "blocked"]

    def __str__(self):
        return (f"exit {self.code}\n--- out\n{self.out[-1500:]}"
                f"--- err\n{self.err[-1500:]}--- log\n" +
                "".join(f"{str(record)[:700]}\n" for record in self.blocked[:4]))


def without_capabilities():
    """For preexec_fn: root as it is under proctor."""
    prctl = ctypes.CDLL(None).prctl
    for capability in range(64):
        prctl(24, capability, 0, 0, 0)  # PR_CAPBSET_DROP


def patient(seconds):
    """A bound of so many seconds, on a machine that has nothing else to do: longer on a busy one."""
    return seconds * max(1, 2 * os.getloadavg()[0] / os.cpu_count())


def wait_until(condition, seconds=5.0):
    """Polls; what the condition returned last."""
    end = time.monotonic() + seconds
    while True:
        found = condition()
        if found or time.monotonic() > end:
            return found
        time.sleep(0.01)


def state_of(pid):
    """Its letter in /proc/PID/stat, or None."""
    try:
        with open(f"/proc/{pid}/stat", encoding="ascii", errors="replace") as file:
            return file.read().rpartition(")")[2].split()[0]
    except (FileNotFoundError, ProcessLookupError):
        return None


def is_alive(pid):
    return state_of(pid) not in (None, "Z", "X")


def children(pid):
    try:
        with open(f"/proc/{pid}/task/{pid}/children", encoding="ascii") as file:
            return [int(word) for word in file.read().split()]
    except (FileNotFoundError, ProcessLookupError):
        return []


class Bench:
    """A folder of its own for each test, with what programs may and may not reach in it."""

    def __init__(self, base, static, user):
        self.base = base
        self.bin = base + "/bin"
        self.proctor = base + "/bin/proctor"
        self.static = static
        self.root = os.geteuid() == 0
        self.user = user
        self.home = base + f"/home-{user}"
        os.makedirs(self.home, exist_ok=True)
        self.dir = None
        self.count = 0
        self.env = {"PATH": "/usr/local/bin:/usr/bin:/bin:/usr/sbin:/sbin", "HOME": self.home,
                    "LC_ALL": "C.UTF-8", "USER": user, "TERM": "dumb"}
        for name in ("ASAN_OPTIONS", "UBSAN_OPTIONS", "LSAN_OPTIONS"):
            if name in os.environ:
                self.env[name] = os.environ[name]

    def begin(self):
        self.count += 1
        self.dir = tempfile.mkdtemp(prefix=f"{self.user}-{self.count}-", dir=self.base)
        os.chmod(self.dir, 0o755)
        self.plant()

    def end(self):
        if not os.environ.get("KEEP"):
            subprocess.run(["chmod", "-R", "u+rwX", self.dir], check=False,
                           stderr=subprocess.DEVNULL)
            shutil.rmtree(self.dir, ignore_errors=True)

    @property
    def inside(self):
        return self.dir + "/in"

    @property
    def outside(self):
        return self.dir + "/out"

    def plant(self):
        """The tree, as new: in/ may be written, out/ may not."""
        os.chmod(self.dir, 0o755)
        for top in (self.inside, self.outside):
            subprocess.run(["chmod", "-R", "u+rwX", top], check=False, stderr=subprocess.DEVNULL)
            shutil.rmtree(top, ignore_errors=True)
            os.makedirs(top + "/folder/below")
            os.mkdir(top + "/empty")
            for name in ("file", "other", "folder/file"):
                with open(f"{top}/{name}", "w", encoding="ascii") as file:
                    file.write(f"contents of {os.path.basename(top)}/{name}\n")
            os.chmod(top + "/file", 0o644)
            os.symlink("file", top + "/link")
            os.symlink("not-there", top + "/dangling")
            os.symlink("loop", top + "/loop")
        os.symlink("../out/file", self.inside + "/out-file")
        os.symlink("../out", self.inside + "/out-folder")
        os.symlink("../out/not-there", self.inside + "/out-dangling")
        os.symlink("../in/file", self.outside + "/in-file")

    def program(self, name):
        return f"{self.bin}/{name}" + ("_static" if self.static else "")

    # -------------------------------------------------------------- policies

    def policy(self, read=None, write=None, execute=None, **files):
        """Reads the system and in/, writes in/, runs everything but what `exec` says."""
        more = {key: files.pop(key) for key in ("network", "env", "limits", "on_block")
                if key in files}
        deny = files.pop("exec_deny", [])
        return {
            "version": 1,
            "files": {
                "read": (read if read is not None else [*SYSTEM, self.bin, self.dir]),
                "write": write if write is not None else [self.inside, "/dev/null", "/dev/tty"],
                **files,
            },
            "exec": {"allow": execute if execute is not None else ["/"], "deny": deny},
            **more,
        }

    def narrow(self, **more):
        """out/ cannot be read either; reads are trapped."""
        return self.policy(read=[*SYSTEM, self.bin, self.inside], **more)

    def wide(self, **more):
        """All may be read: only changes are trapped."""
        return self.policy(read=["/"], **more)

    def write_policy(self, policy, name="policy.yaml"):
        path = f"{self.dir}/{name}"
        if not isinstance(policy, str):
            policy = json.dumps(policy)
        with open(path, "w", encoding="utf-8") as file:
            file.write(policy)
        return path

    def command(self, command, policy=None, options=("-q",), log=None):
        """The command line of a run, and where the log will be."""
        log = log or f"{self.home}/log-{time.monotonic_ns()}.jsonl"
        path = self.write_policy(policy if policy is not None else self.policy())
        return [self.proctor, "run", "-p", path, "-o", log, *options, "--", *command], log

    # -------------------------------------------------------------- running

    def spawn(self, command, **more):
        more.setdefault("cwd", self.inside)
        more.setdefault("env", self.env)
        more.setdefault("stdin", subprocess.DEVNULL)
        more.setdefault("stdout", subprocess.PIPE)
        more.setdefault("stderr", subprocess.PIPE)
        return subprocess.Popen(command, text=True, errors="surrogateescape", **more)

    def native(self, command, stdin=None, **more):
        if stdin is not None:
            more["stdin"] = subprocess.PIPE
        process = self.spawn(command, **more)
        try:
            stdout, stderr = process.communicate(stdin, timeout=TIMEOUT)
        except subprocess.TimeoutExpired:
            process.kill()
            stdout, stderr = process.communicate()
            raise Failure(f"it hangs: {command}\n{stdout}{stderr}") from None
        self.validate_records(command)
        return Run(process.returncode, stdout or "", stderr or "", None)

    def run(self, command, policy=None, options=("-q",), log=None, fine=True, **more):
        """Under proctor. The log must be valid, and proctor itself not fail."""
        line, log = self.command(command, policy, options, log)
        run = self.native(line, **more)
        run.log = log
        if fine:
            check(run.code != 125, "proctor failed:", run)
            self.validate(log)
        return run

    def validate_records(self, command):
        """Every record that any test makes is checked, before the test can change it."""
        if command[:2] != [self.proctor, "run"]:
            return
        words = command[:command.index("--")] if "--" in command else command
        for option, log in zip(words, words[1:]):
            log = os.path.join(self.inside, log)
            if option in ("-o", "--audit") and os.path.isfile(log):
                problems = list(VALIDATOR.record_errors(log, SCHEMA))
                check(not problems, "the log is not valid:", problems[:5])

    def validate(self, *logs):
        problems = []
        for log in logs:
            chain = VALIDATOR.Chain()
            with open(log, "rb") as lines:
                for number, line in enumerate(lines, 1):
                    problems += [f"{number}: {error}"
                                 for error in VALIDATOR.line_errors(line, SCHEMA, chain)]
        check(not problems, "the log is not valid:", problems[:5])

    # -------------------------------------------------------------- real programs

    @property
    def tmp(self):
        """The temporary folder of runs under profiles."""
        os.makedirs(self.home + "/tmp", exist_ok=True)
        return self.home + "/tmp"

    def under(self, policies, command, options=("-q",), **more):
        """Under policies by their names."""
        log = f"{self.dir}/log-{time.monotonic_ns()}"
        named = [word for policy in policies for word in ("-p", policy)]
        more["env"] = {"TMPDIR": self.tmp, **more.get("env", self.env)}
        run = self.native([self.proctor, "run", *named, "-o", log, *options, "--", *command],
                          **more)
        run.log = log
        check(run.code != 125, "proctor failed:", run)
        self.validate(log)
        return run

    def works(self, command, policies=("agent",), quiet=True, refused=(), **more):
        """
        Natively and under the policies the same output and exit code, and nothing blocked but
        reads of the files `refused`, which the program goes on without.
        """
        more["env"] = {"TMPDIR": self.tmp, **more.get("env", self.env)}
        self.plant()
        native = self.native(command, **more)
        equal(native.code, 0, native)
        self.plant()
        run = self.under(policies, command, **more)
        equal((run.code, run.out), (0, native.out), run)
        if quiet:
            # Probes of network services, which programs go on without, do not count.
            equal([(record.get("syscall"), record.get("path")) for record in run.blocked
                   if record["class"] != "network" and record.get("path") not in refused],
                  [], run)
        return run

    # -------------------------------------------------------------- comparing

    def calls(self, statements, policy=None, native=False, options=("-q",), **more):
        """Runs statements; the results as texts, and the run."""
        text = None
        command = [self.program("calls"), *statements]
        if sum(map(len, statements)) > 60000:
            command = [self.program("calls"), "-"]
            text = "".join(statement + "\n" for statement in statements)
        run = (self.native(command, stdin=text, **more) if native
               else self.run(command, policy, options, stdin=text, **more))
        check(run.code != 99, "the test is wrong:", run)
        return run.out.splitlines(), run

    def denied(self, *statements, policies=None, error="EACCES", works=None, outside=None,
               cleanup=None, **fields):
        """
        The last statement works natively (or `works` is what it gives there). Under each
        policy it fails with `error`, one record has these fields, and outside nothing changes.
        """
        self.plant()
        found, run = self.calls(statements, native=True)
        check(len(found) == len(statements), "natively:", run)
        if works is not None:
            equal(found[-1], works, "natively:")
        else:
            check(not found[-1].startswith("-"), "it does not work natively:", found[-1])
        native = found[:-1]
        if cleanup:
            cleanup()
        for policy in policies or (self.narrow(), self.wide()):
            self.plant()
            roots = outside or [self.outside]
            before = snapshot(*roots)
            found, run = self.calls(statements, policy)
            check(found[:-1] == native, "before it:", found[:-1], "natively", native, run)
            equal(found[-1:], ["-" + error], run)
            changes = difference(before, snapshot(*roots))
            check(not changes, "outside changed:", changes)
            self.one_record(run, errno=error, **fields)

    def one_record(self, run, **fields):
        blocked = run.blocked
        equal(len(blocked), 1, "records:", run)
        record = blocked[0]
        for field, value in {"decision": "deny", **fields}.items():
            name = "class" if field == "kind" else field
            equal(record.get(name), value, "field", name, "of", record)
        return record

    def same(self, *statements, policy=None, options=("-q",), compare=None):
        """Natively and under proctor the same results, and the same tree."""
        trees = []
        outs = []
        for native in (True, False):
            self.plant()
            more = {"preexec_fn": without_capabilities} if native and self.root else {}
            found, run = self.calls(statements, policy, native=native, options=options, **more)
            outs.append(found)
            trees.append(shape(self.dir))
            check(len(found) == len(statements), run)
            if not native:
                check(not run.blocked, "blocked:", run)
        for number, (one, other) in enumerate(zip(*outs)):
            check(one == other, f"statement {number} ({statements[number]}): natively {one}, "
                                f"under proctor {other}")
        changes = difference(*trees)
        check(not changes, "the trees differ:", changes)
        if compare:
            compare(outs[1])


def shape(top):
    """A snapshot without times, of in/ and out/, with names from `top` on."""
    return {path[len(top):]: entry[:4] + entry[5:]
            for path, entry in snapshot(top + "/in", top + "/out").items()}


# ------------------------------------------------------------------ the runner

TESTS = []
VALIDATOR = None
SCHEMA = None


def test(function=None, **options):
    """
    Marks a test. once: only with dynamic programs; user: "root" or "user" only.
    """
    if function is None:
        return lambda marked: test(marked, **options)
    function.options = options
    TESTS.append(function)
    return function


def load_validator():
    global VALIDATOR, SCHEMA
    path = HERE.parent / "validate_log.py"
    spec = importlib.util.spec_from_file_location("validate_log", path)
    VALIDATOR = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(VALIDATOR)
    schema = os.environ.get("SCHEMA", HERE.parent.parent / "audit" / "schema.json")
    SCHEMA = VALIDATOR.Validator(json.loads(pathlib.Path(schema).read_text(encoding="utf-8")))


def wanted(function, static, user, both_users):
    options = function.options
    if options.get("user") and options["user"] != ("root" if os.geteuid() == 0 else "user"):
        return False
    if options.get("once") and static:
        return False
    if both_users and not LONG and not options.get("once") and static != (user != "root"):
        return False
    return ONLY in function.__name__


def run_tests(base, user, both_users):
    counts = [0, 0, 0]
    for static in (False, True):
        bench = Bench(base, static, user)
        for function in TESTS:
            if not wanted(function, static, user, both_users):
                continue
            name = f"{function.__name__} ({user}, {'static' if static else 'dynamic'})"
            began = time.monotonic()
            try:
                bench.begin()
                function(bench)
                counts[0] += 1
                print(f"ok   {name} {time.monotonic() - began:.1f}s", flush=True)
            except Skip as reason:
                counts[2] += 1
                print("skip", name, "-", reason, flush=True)
            except Failure as failure:
                counts[1] += 1
                text = str(failure).encode("utf-8", "backslashreplace").decode()
                print("FAIL", name, "-", text[:6000], flush=True)
            except Exception:
                counts[1] += 1
                print("FAIL", name, "-", traceback.format_exc(), flush=True)
            finally:
                bench.end()
    return counts


def as_user(base):
    """The same in a child that is an ordinary user. What it counted."""
    reader, writer = os.pipe()
    child = os.fork()
    if child == 0:
        counts = [0, 1, 0]
        try:
            os.close(reader)
            os.setgroups([])
            os.setresgid(NOBODY, NOBODY, NOBODY)
            os.setresuid(NOBODY, NOBODY, NOBODY)
            ctypes.CDLL(None).prctl(4, 1)  # PR_SET_DUMPABLE: its /proc is its own again
            os.environ["HOME"] = base
            counts = run_tests(base, "user", True)
        except Exception:
            traceback.print_exc()
        finally:
            sys.stdout.flush()
            os.write(writer, json.dumps(counts).encode())
            os._exit(0)
    os.close(writer)
    with os.fdopen(reader) as file:
        counts = json.loads(file.read() or "[0, 1, 0]")
    os.waitpid(child, 0)
    return counts


def stage(base):
    """proctor and the programs, where every user can run them."""
    os.mkdir(base + "/bin")
    os.chmod(base + "/bin", 0o755)
    shutil.copy(PROCTOR, base + "/bin/proctor")
    for path in pathlib.Path(PROGRAMS).iterdir():
        if (path.is_file() and os.access(path, os.X_OK) and not path.suffix
                and not path.name.startswith("net_")):
            shutil.copy(path, base + "/bin")
    libraries = pathlib.Path(PROCTOR).parent / "preload"
    os.mkdir(base + "/bin/preload")
    os.chmod(base + "/bin/preload", 0o755)
    for path in libraries.glob("*.so"):
        shutil.copy(path, base + "/bin/preload")
    os.chmod(base, 0o1777)


def main():
    load_validator()
    for number in signal.valid_signals():  # nohup and background jobs leave some ignored
        if signal.getsignal(number) == signal.SIG_IGN and number != signal.SIGPIPE:
            signal.signal(number, signal.SIG_DFL)
    base = os.path.realpath(tempfile.mkdtemp(prefix="live-"))
    total = [0, 0, 0]
    os.umask(0o022)
    try:
        stage(base)
        if os.geteuid() != 0:
            total = run_tests(base, "user", False)
        else:
            both = not os.environ.get("AS_ROOT_ONLY")
            for counts in ([run_tests(base, "root", both)] + ([as_user(base)] if both else [])):
                total = [a + b for a, b in zip(total, counts)]
    finally:
        if not os.environ.get("KEEP"):
            shutil.rmtree(base, ignore_errors=True)
    print(f"{total[0]} passed, {total[1]} failed" + (f", {total[2]} skipped" if total[2] else ""))
    return 1 if total[1] or not total[0] else 0


ERRNO = {name: getattr(errno, name) for name in dir(errno) if name.startswith("E")}
