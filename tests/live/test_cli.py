#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""Commands, options, messages and exit codes; bad policies."""
import os
import pwd
import re
import select
import sys
import time

sys.dont_write_bytecode = True
from harness import check, equal, main, test

GOOD = "version: 1\nfiles: {read: [/]}\nexec: {allow: [/]}\n"


def proctor(t, *arguments, **more):
    return t.native([t.proctor, *arguments], **more)


def no_colour(run):
    check("\x1b" not in run.out + run.err, repr(run.out + run.err))


# ------------------------------------------------------------------ bad policies

@test(once=True)
def bad_policies(t):
    """Whatever is wrong is said, and nothing runs."""
    files = {
        "empty.yaml": b"", "binary.yaml": bytes(range(256)) * 10, "list.yaml": b"- a\n- b\n",
        "text.yaml": b"just words", "twice.yaml": b"version: 1\nfiles: {}\nfiles: {}\n",
        "unknown.yaml": b"version: 1\nfiels: {read: [/]}\n",
        "type.yaml": b"version: 1\nfiles: {read: 7}\n",
        "broken.yaml": b"version: 1\nfiles: {read: [\n",
        "variable.yaml": b"version: 1\nfiles: {read: ['${NOTHING}']}\n",
        "glob.yaml": b"version: 1\nfiles: {read: ['/x[']}\n",
        "utf8.yaml": b"version: 1\nvars: {x: \xff}\n",
        "version.yaml": b"version: 99\n", "huge.yaml": b"version: 1\n#" + b"x" * (1 << 20),
        "loop.yaml": b"version: 1\nextends: [loop.yaml]\n",
        "anchor.yaml": b"version: 1\nfiles: &a {read: [*a]}\n",
        "endpoint.yaml": b"version: 1\nnetwork: {connect: ['nonsense']}\n",
        "null.yaml": b'version: 1\nfiles: {read: ["/a\\0b"]}\n',
    }
    for name, content in files.items():
        path = f"{t.dir}/{name}"
        with open(path, "wb") as file:
            file.write(content)
        run = proctor(t, "run", "-p", path, "--", "/bin/echo", "ran")
        equal((run.code, run.out), (125, ""), name, run)
        check(re.search(rf"^{re.escape(path)}:\d+:\d+: .+", run.err, re.M), name, run)
        checked = proctor(t, "check", path)
        equal((checked.code, checked.err), (1, run.err), name, checked)


@test(once=True)
def what_nobody_enforces(t):
    """A policy that asks for what no part carries out yet is right, and is not run."""
    path = t.write_policy(GOOD)
    equal(proctor(t, "run", "-q", "-p", path, "--", "/bin/echo", "ran").out, "ran\n")
    equal(proctor(t, "check", "-q", path).code, 0)
    path = t.write_policy(GOOD + "rollback: always\n")
    equal(proctor(t, "check", path).code, 0)
    run = proctor(t, "run", "-p", path, "--", "/bin/echo", "ran")
    equal((run.code, run.out), (125, ""), run)
    check(re.search(rf"^{re.escape(path)}:4:11: .*rollback: always", run.err, re.M), run)
    path = t.write_policy(GOOD + "rollback: never\n")
    equal(proctor(t, "run", "-q", "-p", path, "--", "/bin/echo", "ran").out, "ran\n")


@test(once=True)
def unreadable_policies(t):
    shut = t.dir + "/shut.yaml"
    with open(shut, "w", encoding="ascii") as file:
        file.write(GOOD)
    os.chmod(shut, 0)
    os.mkfifo(t.dir + "/fifo.yaml")
    names = [t.dir + "/missing.yaml", t.inside, "no-such-profile", t.dir + "/fifo.yaml",
             "/dev/zero", ""]
    if not t.root:
        names.append(shut)
    for name in names:
        run = proctor(t, "run", "-p", name, "--", "/bin/echo", "ran")
        equal((run.code, run.out), (125, ""), name, run)
        check(run.err.strip() and len(run.err) < 2000, name, run)
        equal(proctor(t, "check", name).code, 1, name)


@test(once=True)
def every_error_is_said(t):
    path = t.write_policy("version: 1\nfiels: {}\nfiles:\n  read: [{}]\n  reed: []\n"
                          "exec: {allow: nope}\n"
                          "network: {connect: [bad]}\n")
    other = t.write_policy("version: 2\n", "other.yaml")
    run = proctor(t, "run", "-p", path, "-p", other, "-p", t.dir + "/missing", "--", "/bin/echo",
                  "ran")
    equal((run.code, run.out), (125, ""), run)
    lines = set(re.findall(rf"^{re.escape(path)}:(\d+):", run.err, re.M))
    check({"2", "4", "5", "6", "7"} <= lines, lines, run)
    check(other + ":1:" in run.err and "missing" in run.err, run)


# ------------------------------------------------------------------ options of run

@test(once=True)
def bad_options(t):
    for arguments in (["--nonsense"], ["--log", "some", "--", "true"], ["--timeout", "x", "--",
                                                                        "true"],
                      ["--timeout", "0", "--", "true"], ["--timeout", "-1", "--", "true"], [],
                      ["-p"],
                      ["--"], ["-p", "agent"], ["--result"], ["--log"]):
        run = proctor(t, "run", *arguments)
        equal((run.code, run.out), (125, ""), arguments, run)
        check(run.err.strip(), arguments)
    equal(proctor(t).code, 125)
    for arguments in (["rnu"], ["help", "rnu"], ["--rnu"]):
        run = proctor(t, *arguments)
        equal((run.code, run.out), (125, ""), run)
    check("'run'" in proctor(t, "rum").err, proctor(t, "rum"))
    # What stands behind the command is the command's.
    run = proctor(t, "run", "-p", t.write_policy(GOOD), "/bin/echo", "-p", "--help")
    equal(run.out, "-p --help\n", run)


@test(once=True)
def summary(t):
    policy = t.write_policy(GOOD)
    script = "for i in 1 2 3; do true > /nowhere-$i; true > /nowhere-1; done"
    run = proctor(t, "run", "-p", policy, "--", "/bin/sh", "-c", script)
    lines = [line for line in run.err.splitlines() if line.startswith("proctor: ")]
    equal(len(lines), 3, run)
    check("blocked create /nowhere-1 (4 times): no rule allows it" in lines[0], lines)
    check("files: {create: [/nowhere-1]}" in lines[0], lines)
    no_colour(run)
    run = proctor(t, "run", "-q", "-p", policy, "--", "/bin/sh", "-c", script)
    check("proctor" not in run.err, run)
    policy = t.write_policy(t.wide())
    script = "for i in $(seq 1 40); do true > /nowhere-$i; done 2>/dev/null"
    run = proctor(t, "run", "-p", policy, "--", "/bin/sh", "-c", script)
    equal(len(run.err.splitlines()), 10, run)
    check("more" in run.err.splitlines()[-1], run)
    policy = t.write_policy(f"version: 1\nfiles:\n  read: [/]\n  deny: [{t.inside}/file]\n"
                            "exec: {allow: [/]}\n")
    run = proctor(t, "run", "-p", policy, "--", "/bin/cat", "file")
    check(f"{policy}:4" in run.err, run)
    check("allow it: " not in run.err, run)


@test
def summary_comes_whatever_the_tool_left(t):
    """Standard error full and non-blocking; a terminal whose output it stopped."""
    attempt = f"try: open('{t.outside}/new', 'w')\nexcept OSError: pass\n"
    full = ("import fcntl, os\nfcntl.fcntl(2, fcntl.F_SETFL, fcntl.fcntl(2, fcntl.F_GETFL) | "
            "os.O_NONBLOCK)\n" + attempt +
            "try:\n  while True: os.write(2, b'x' * 4096)\nexcept BlockingIOError: pass\n")
    line, _ = t.command(["/usr/bin/python3", "-S", "-c", full], t.wide(), options=())
    reader, writer = os.pipe()
    process = t.spawn(line, stderr=writer)
    os.close(writer)
    with os.fdopen(reader, "rb") as pipe:
        time.sleep(0.5) # by now it has ended, and its summary waits for the reader
        check(b"proctor: blocked create" in pipe.read(), "no summary")
    equal(process.wait(timeout=10), 0)
    stopped = "import termios\ntermios.tcflow(2, termios.TCOOFF)\n" + attempt
    line, _ = t.command(["/usr/bin/python3", "-S", "-c", stopped], t.wide(), options=())
    master, terminal = os.openpty()
    process = t.spawn(line, stderr=terminal)
    os.close(terminal)
    found = b""
    try:
        while select.select([master], [], [], 10)[0]:
            found += os.read(master, 4096)
    except OSError: # the other end is closed
        pass
    finally:
        process.kill()
        os.close(master)
    check(b"proctor: blocked create" in found, "no summary:", found)
    equal(process.wait(), 0)


@test(once=True)
def verbose_and_stats(t):
    policy = t.write_policy(t.wide())
    run = proctor(t, "run", "-v", "-p", policy, "--", "/bin/true")
    check(re.search(r"^proctor: session \S+$", run.err, re.M), run)
    log = re.search(r"^proctor: log: (.*)$", run.err, re.M)
    check(log and os.path.exists(log.group(1)), run)
    run = proctor(t, "run", "--stats", "-p", policy, "-o", t.dir + "/l", "--", "/bin/sh", "-c",
                  "for i in 1 2 3 4 5; do mkdir d$i; done")
    table = dict(re.findall(r"^(\w+)\s+(\d+)\s+[\d.]+\s+[\d.]+$", run.err, re.M))
    equal(table.get("mkdir"), "5", run)
    total = re.search(r"^total\s+(\d+)$", run.err, re.M)
    equal(int(total.group(1)), sum(map(int, table.values())), run)


@test(once=True)
def observe(t):
    run = t.run(["/bin/sh", "-c", f"cat file; echo x > {t.outside}/new; cat {t.outside}/new"],
                t.policy(read=["/usr", "/lib*", "/etc"], write=[]), options=("--observe",))
    equal((run.code, run.out), (0, "contents of in/file\nx\n"), run)
    check(os.path.exists(t.outside + "/new"), run)
    events = [record["event"] for record in run.records]
    equal(run.blocked, [])
    seen = {(record["op"], record["path"]) for record in run.records
            if record["event"] == "would_block"}
    check({("read", t.inside + "/file"), ("create", t.outside + "/new")} <= seen, seen)
    check("would block" in run.err, run)
    equal((events[0], events[-1], run.records[0]["observe"]), ("start", "end", True))


@test(once=True)
def log_to_standard_error(t):
    policy = t.write_policy(GOOD)
    run = proctor(t, "run", "-q", "-p", policy, "-o", "-", "--", "/bin/echo", "x")
    equal((run.code, run.out), (0, "x\n"), run)
    equal([line[:6] for line in run.err.splitlines()], ['{"ts":'] * 2, run)
    run = proctor(t, "run", "-p", policy, "-o", t.dir + "/no/such/folder", "--", "/bin/echo", "x")
    equal((run.code, run.out), (125, ""), run)
    check("proctor: " in run.err, run)


@test(once=True)
def start_record(t):
    run = t.run(["/bin/echo", "two words", "\udcff"], t.wide())
    start = run.records[0]
    equal(start["command"], ["/bin/echo", "two words", "\udcff"])
    equal(start["engine"], "notify")
    equal(len(start["policies"]), 1)
    equal(start["policies"][0]["file"], t.dir + "/policy.yaml")


# ------------------------------------------------------------------ other commands

@test(once=True)
def helps(t):
    run = proctor(t, "--help")
    equal((run.code, run.err), (0, ""))
    for command in ("run", "check", "why", "profiles", "doctor"):
        check(re.search(rf"^  {command} ", run.out, re.M), command)
        texts = {(proctor(t, command, "--help").out), proctor(t, "help", command).out}
        equal(len(texts), 1, command)
        check(texts.pop().startswith(f"Usage: proctor {command}"), command)
    run = proctor(t, "--version")
    check(re.fullmatch(r"proctor \d+\.\d+\.\d+\n", run.out), run)
    equal(run.code, 0)
    full = os.open("/dev/full", os.O_WRONLY)
    try:
        check(proctor(t, "--help", stdout=full).code != 0, "a full device goes unnoticed")
    finally:
        os.close(full)


@test(once=True)
def profiles(t):
    run = proctor(t, "profiles")
    equal(run.code, 0, run)
    names = [line.split()[0] for line in run.out.splitlines() if line.strip()]
    for name in ("agent", "base", "observe", "offline"):
        check(name in names, name, run)
        shown = proctor(t, "profiles", name)
        check(shown.code == 0 and "version: 1" in shown.out, name, shown)
        equal(proctor(t, "check", name).code, 0, name)
    check(proctor(t, "profiles", "nothing").code != 0)


@test(once=True)
def checks(t):
    path = t.write_policy("version: 1\nextends: [base]\nfiles: {read: [/srv]}\n")
    run = proctor(t, "check", path)
    equal((run.code, run.err), (0, ""), run)
    equal(proctor(t, "check").code, 125)
    equal(proctor(t, "check", path, "nothing").code, 1)
    wide = proctor(t, "check", t.write_policy(GOOD, "wide.yaml"))
    equal(wide.code, 0, wide)
    check(":2:16: warning: this covers ~/.ssh/" in wide.err, wide)
    no_colour(run)


@test(once=True)
def why(t):
    path = t.write_policy(f"version: 1\nfiles:\n  read: [/]\n  write: [{t.inside}]\n"
                          f"  deny: [{t.inside}/file]\nexec: {{allow: [/usr/bin]}}\n"
                          "network: {connect: ['127.0.0.1:80', 'unix:/run']}\n")
    for arguments, word, code in (
            (["--read", "/etc/passwd"], "allow", 0), (["--read", "file"], "deny", 1),
            (["--read", "link"], "deny", 1), (["--write", "other"], "allow", 0),
            (["--write", t.outside + "/file"], "deny", 1), (["--write", "out-file"], "deny", 1),
            (["--create", "new"], "allow", 0), (["--delete", "other"], "allow", 0),
            (["--delete", "link"], "allow", 0), (["--exec", "/usr/bin/env"], "allow", 0),
            (["--exec", t.bin + "/one"], "deny", 1), (["--connect", "127.0.0.1:80"], "allow", 0),
            (["--connect", "127.0.0.1:81"], "deny", 1), (["--bind", "127.0.0.1:80"], "deny", 1),
            (["--connect", "unix:/run/x"], "allow", 0)):
        run = proctor(t, "why", "-p", path, *arguments)
        equal((run.out.split()[:1], run.code), ([word], code), arguments, run)
        if word == "allow" or arguments == ["--read", "file"]:
            check(f"{path}:" in run.out, arguments, run)
        no_colour(run)
    for arguments in ([], ["--read"], ["--read", "x", "--write", "y"], ["--connect", "nonsense"],
                      ["--nothing", "x"]):
        equal(proctor(t, "why", "-p", path, *arguments).code, 125, arguments)


@test(once=True)
def doctor(t):
    run = proctor(t, "doctor")
    equal((run.code, run.err), (0, ""), run)
    check("engine: notify" in run.out and "Landlock" in run.out, run)
    inside = t.run([t.proctor, "doctor"], t.wide())
    equal(inside.code, 1, inside)
    check("other listener" in inside.out, inside)


@test(once=True)
def user_profiles(t):
    folder = t.home + "/.config/proctor"
    os.makedirs(folder, exist_ok=True)
    with open(folder + "/mine.yaml", "w", encoding="ascii") as file:
        file.write(GOOD)
    run = proctor(t, "run", "-p", "mine", "--", "/bin/echo", "ran")
    equal((run.code, run.out), (0, "ran\n"), run)


@test(once=True)
def no_home(t):
    """Started from a bare environment."""
    env = {"PATH": "/usr/bin:/bin"}
    run = proctor(t, "run", "-p", t.write_policy(GOOD), "-o", t.dir + "/l", "--", "/bin/echo",
                  "ran", env=env)
    check((run.code, run.out) == (0, "ran\n") or (run.code == 125 and "HOME" in run.err), run)
    state = t.dir + "/state"
    run = proctor(t, "run", "-p", t.write_policy(GOOD), "--", "/bin/true",
                  env={**t.env, "XDG_STATE_HOME": state})
    equal(run.code, 0, run)
    equal(len(os.listdir(state + "/proctor")), 1)


@test(once=True)
def environment_does_not_steer(t):
    """LD_PRELOAD, locale, MALLOC_* of the caller."""
    env = {**t.env, "LC_ALL": "tr_TR.UTF-8", "MALLOC_PERTURB_": "170", "GETCONF_DIR": "/x",
           "TZ": "/etc/shadow", "POSIXLY_CORRECT": "1"}
    run = t.run(["/bin/sh", "-c", f": > {t.outside}/new"], t.wide(), env=env)
    equal(len(run.blocked), 1, run)

@test(once=True, user="root")
def another_user(t):
    """--user: everything is that user's, the log and the session included."""
    tell = "id -un; id -Gn; echo $HOME $USER $LOGNAME; id -u >&2; whoami; touch made; stat -c %U made"
    os.chmod(t.inside, 0o777)
    entry = pwd.getpwnam("daemon")
    env = {**t.env, "XDG_STATE_HOME": t.inside + "/state", "XDG_CACHE_HOME": "/root/.cache"}
    path = t.write_policy("version: 1\nfiles: {read: [/], write: ['${PWD}', /dev/null]}\nexec: {allow: [/]}\n")
    run = proctor(t, "run", "-q", "--user", "daemon", "-p", path, "-o", t.inside + "/log", "--", "/bin/sh",
                  "-c", tell, env=env)
    equal(run.out.splitlines(), ["daemon", "daemon", f"{entry.pw_dir} daemon daemon", "daemon", "daemon"],
          run)
    equal((run.code, run.err), (0, f"{entry.pw_uid}\n"), run)
    equal(os.stat(t.inside + "/log").st_uid, entry.pw_uid)
    t.validate(t.inside + "/log")
    # A secret of root's is out of reach by the kernel's own rules.
    os.chmod(t.outside + "/file", 0o600)
    run = proctor(t, "run", "-q", "--user", "daemon", "-p", path, "-o", t.inside + "/log", "--",
                  "/bin/cat", t.outside + "/file", env=env)
    check(run.code == 1 and "Permission denied" in run.err, run)
    for name in ("no-such-user", ""):
        run = proctor(t, "run", "--user", name, "--", "/bin/echo", "ran")
        equal((run.code, run.out), (125, ""), run)


@test(once=True, user="user")
def another_user_takes_root(t):
    run = proctor(t, "run", "--user", "root", "--", "/bin/echo", "ran")
    equal((run.code, run.out), (125, ""), run)
    check("only root" in run.err, run)
    run = proctor(t, "run", "-q", "--user", pwd.getpwuid(os.geteuid()).pw_name, "-p",
                  t.write_policy(GOOD), "--", "/bin/echo", "ran")
    equal(run.out, "ran\n", run)


if __name__ == "__main__":
    sys.exit(main())
