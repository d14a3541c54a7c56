#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""The log as evidence: who changes it is found out, and no killing takes from it what the tool knew."""
import hashlib
import json
import os
import random
import re
import shutil
import signal
import sys
import time

sys.dont_write_bytecode = True
from harness import LONG, call, check, children, equal, main, test

KILLS = int(os.environ.get("KILLS", 1000 if LONG else 15))  # for each user and kind of program
SIGNATURE = re.compile(rb',"signature":"([0-9a-f]{128})"')


def key(t):
    """Makes the key of the user that t runs as; its file and the public key."""
    forget(t)
    made = t.native([t.proctor, "log", "--keygen"])
    equal(made.code, 0, made)
    path = t.home + "/.config/proctor/log.key"
    check(path in made.out, made)
    return path, re.search(r"[0-9a-f]{64}", made.out)[0]


def forget(t):
    shutil.rmtree(t.home + "/.config", ignore_errors=True)


def verify(t, log, *options):
    return t.native([t.proctor, "log", "--verify", *options, log])


def says(run, words):
    equal(run.code, 1, run)
    check(words in run.err, run)


def chained(bodies):
    """Lines with a chain of the forger's own."""
    prev, lines = b"0" * 64, []
    for body in bodies:
        line = body + b',"prev":"' + prev + b'"'
        prev = hashlib.sha256(line).hexdigest().encode()
        lines.append(line + b',"hash":"' + prev + b'"}\n')
    return lines


def body(line):
    return line[:line.rindex(b',"prev":"')]


def attempts(t, count):
    return "".join(f"(: > {t.outside}/new{number}); " for number in range(count)) + "true"


@test(once=True)
def signed(t):
    path, public = key(t)
    equal([os.stat(path).st_mode & 0o777, os.stat(path + ".pub").st_mode & 0o777], [0o600, 0o644])
    again = t.native([t.proctor, "log", "--keygen"])
    equal(again.code, 125, again)
    run = t.run(["/bin/sh", "-c", attempts(t, 5)], t.wide())
    with open(run.log, "rb") as file:
        lines = file.readlines()
    equal(json.loads(lines[0])["public_key"], public)
    equal(len(lines), 7)
    for line in lines:
        found = json.loads(line)
        message = b"proctor audit 1\n" + found["prev"].encode() + b"\n" + SIGNATURE.split(line)[0]
        with open(t.home + "/message", "wb") as file:
            file.write(message)
        with open(t.home + "/signature", "wb") as file:
            file.write(bytes.fromhex(found["signature"]))
        second = t.native(["openssl", "pkeyutl", "-verify", "-pubin", "-inkey", path + ".pub", "-rawin",
                           "-in", t.home + "/message", "-sigfile", t.home + "/signature"])
        equal(second.code, 0, second)
    sound = verify(t, run.log)
    equal(sound.code, 0, sound)
    check(public in sound.out, sound)
    for name in (public, path + ".pub"):
        equal(verify(t, run.log, "--key", name).code, 0)
    forget(t)


@test(once=True)
def forged(t):
    """Whoever can write to the log makes its hashes anew; the signatures tell."""
    path, public = key(t)
    log = t.run(["/bin/sh", "-c", attempts(t, 5)], t.wide()).log
    with open(log, "rb") as file:
        bodies = [body(line) for line in file.readlines()]

    def judged(forgery, *options):
        with open(log, "wb") as file:
            file.write(b"".join(chained(forgery)))
        t.validate(log)
        return verify(t, log, *options)
    equal(judged(bodies).code, 0, "the chain is not made as it should be:")
    changed = [line.replace(f'"path":"{t.outside}/new2"'.encode(), b'"path":"/ok_2"') for line in bodies]
    says(judged(changed), "line 4 was changed: its signature")
    stripped = [SIGNATURE.sub(b"", line) if b"/ok_2" in line else line for line in changed]
    says(judged(stripped), "line 5 was changed: its signature")
    none = [re.sub(rb',"public_key":"[0-9a-f]*"', b"", SIGNATURE.sub(b"", line)) for line in changed]
    equal(judged(none).code, 0, "without a key nobody can tell:")
    says(judged(none, "--key", public), "line 1 begins a session that is not signed")
    says(judged([*bodies[:6], SIGNATURE.sub(b"", bodies[6])]), "line 7 is not signed")
    cut = judged(bodies[:4])
    equal(cut.code, 0, cut)
    check("no end record" in cut.out, cut)
    forget(t)
    _, other = key(t)
    check(other != public)
    says(judged(bodies, "--key", other), "line 1 begins a session that is signed with another key")
    forget(t)
    check(not os.path.exists(path))


@test(once=True)
def signed_over_rotations(t):
    _, public = key(t)
    log = t.home + "/rotated"
    run = t.native([t.proctor, "run", "-q", "--no-stack", "-p", t.write_policy(t.wide()), "-o", log,
                    "--rotate", "4k,2", "--", "/bin/sh", "-c", attempts(t, 40)])
    equal(run.code, 0, run)
    equal(verify(t, log, "--key", public).code, 0)
    known = verify(t, log)
    equal(known.code, 0, known)
    check("say it with --key" in known.out, known)
    with open(log + ".1", "rb") as file:
        lines = file.readlines()
    with open(log + ".1", "wb") as file:
        file.writelines(lines[:1] + lines[2:])
    says(verify(t, log, "--key", public), "rotated.1: line 2")
    forget(t)


@test
def key_out_of_the_tools_reach(t):
    """Though the policy allows to read everything."""
    path, _ = key(t)
    folder = os.path.dirname(path)
    os.symlink(path, t.inside + "/to-key")
    statements = [call("open", path, os.O_RDONLY), call("open", "to-key", os.O_RDONLY)]
    found, _ = t.calls(statements, native=True)
    equal(found, ["3", "4"])
    statements += [call("open", path, os.O_RDWR), call("link", path, t.inside + "/second"),
                   call("rename", path, t.inside + "/moved"), call("rename", folder, t.inside + "/moved")]
    for options in (("-q",), ("-q", "--observe")):
        found, run = t.calls(statements, t.wide(write=[t.dir, t.home]), options=options)
        equal(found, ["-EACCES"] * len(statements), run)
        equal([record["detail"] for record in run.blocked], ["proctor's own files"] * len(statements))
    cat = t.run(["/bin/cat", path], t.wide())
    equal((cat.code, cat.out), (1, ""), cat)
    # A key that cannot be used is no reason to go on without.
    with open(path, "w", encoding="ascii") as file:
        file.write("no key\n")
    run = t.run(["/bin/echo", "x"], t.wide(), fine=False)
    equal((run.code, run.out), (125, ""), run)
    forget(t)
    os.unlink(t.inside + "/to-key")


@test(once=True)
def older_formats(t):
    """A log without all that was added since the first format is read, checked and shown like one of now."""
    run = t.run(["/bin/sh", "-c", "cat file; " + attempts(t, 3)], t.wide(), ("-q", "--log", "all"))
    later = ("stack", "exe_sha256")
    old = []
    with open(run.log, encoding="utf-8", errors="surrogateescape") as file:
        records = [json.loads(line) for line in file]
    check(any("stack" in record for record in records) and any("exe_sha256" in record for record in records))
    for record in records:
        if record["event"] == "exit":
            continue
        for name in (*later, "prev", "hash"):
            record.pop(name, None)
        record["seq"] = len(old) + 1
        old.append(json.dumps(record, separators=(",", ":"))[:-1].encode())
    with open(run.log, "wb") as file:
        file.writelines(chained(old))
    t.validate(run.log)
    equal(verify(t, run.log).code, 0)
    for form in ("text", "json", "ocsf", "ecs"):
        shown = t.native([t.proctor, "log", "--blocked", "--format", form, run.log])
        equal((shown.code, shown.out.count("\n"), shown.out.count("/new2") > 0), (0, 3, True), shown)
    page = t.native([t.proctor, "report", run.log, "-o", t.dir + "/page.html"])
    equal(page.code, 0, page)
    with open(t.dir + "/page.html", encoding="utf-8") as file:
        check("/new2" in file.read())


def descendants(pid):
    found = [pid]
    for process in found:
        found += children(process)
    return found


@test
def killed_at_any_time(t):
    """kill -9 of everything at once: what the tool saw refused is in the log, and the log is sound."""
    script = ("import os\nn = 0\nwhile True:\n"
              f" try: os.open('{t.outside}/new', os.O_WRONLY | os.O_CREAT)\n"
              " except PermissionError:\n  n += 1\n  os.write(1, b'%d\\n' % n)\n")
    line, log = t.command(["/usr/bin/python3", "-c", script], t.wide(), ("-q", "--no-stack"))
    total = kept = torn = early = 0
    for number in range(KILLS):
        if os.path.exists(log):
            os.unlink(log)
        process = t.spawn(line)
        seen = 0
        if number % 4:  # else at any time of the start as well
            equal(process.stdout.readline(), "1\n")
            seen = 1
        time.sleep(random.uniform(0, 0.05))
        victims = descendants(process.pid)
        random.shuffle(victims)
        for pid in victims:
            try:
                os.kill(pid, signal.SIGKILL)
            except ProcessLookupError:
                pass
        seen += len(re.findall(r"\d+\n", process.stdout.read()))
        process.communicate(timeout=20)
        data = b""
        if os.path.exists(log):
            with open(log, "rb") as file:
                data = file.read()
        if not data:
            early += 1
            equal(seen, 0, "seen without a log")
            continue
        whole = data[:data.rfind(b"\n") + 1]
        found = [json.loads(record) for record in whole.splitlines()]
        logged = len([record for record in found if record["event"] == "blocked"])
        check(seen <= logged <= seen + 2, f"kill {number}: {seen} seen, {logged} logged")
        judged = verify(t, log)
        if len(whole) == len(data):
            equal(judged.code, 0, judged)
            # Where the tool was killed first, the supervisor may have come to the end.
            equal("no end record" in judged.out, found[-1]["event"] != "end", judged)
        else:
            torn += 1
            check(f"line {len(found) + 1} is torn" in judged.err, judged)
        total += seen
        kept += logged
    print(f"{KILLS} kills, {early} before there was a log: {total} attempts seen refused, {kept} in the logs, "
          f"0 missing, {torn} torn lines")
    check(total >= KILLS // 2, "hardly anything was seen:", total)
    # And a torn line, made.
    with open(log, "ab") as file:
        file.write(b'{"ts":"2026')
    check("is torn" in verify(t, log).err)


if __name__ == "__main__":
    if not shutil.which("openssl"):
        raise SystemExit(77)
    sys.exit(main())
