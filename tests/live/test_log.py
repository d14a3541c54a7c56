#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""proctor log: which log, filters, formats, following, tampering."""
import json
import os
import pathlib
import pty
import re
import signal
import subprocess
import sys
import time

sys.dont_write_bytecode = True
from harness import HERE, check, children, equal, main, test, wait_until

OCSF = json.loads((pathlib.Path(HERE).parent / "ocsf.json").read_text(encoding="utf-8"))


def log(t, *arguments, **more):
    return t.native([t.proctor, "log", *arguments], **more)


def events(run):
    return [json.loads(line)["event"] for line in run.out.splitlines()]


def some_log(t):
    """Blocked attempts of several classes, all calls logged."""
    script = (f"cat {t.outside}/file; (: > {t.outside}/new); cat file > /dev/null; "
              "bash -c ': > /dev/tcp/192.0.2.1/443'; sh -c '/bin/true; exit 3'")
    policy = t.narrow(exec_deny=["/usr/bin/true"])
    return t.run(["/bin/sh", "-c", script], policy, options=("-q", "--log", "all"))


# ------------------------------------------------------------------ which log

@test(once=True)
def which_log(t):
    """The newest session's, a session's by the start of its id, a file."""
    equal(log(t).code, 125)
    check("no session has been run yet" in log(t).err, log(t))
    policy = t.write_policy(t.wide())
    for word in ("first", "second", "third"):
        run = t.native([t.proctor, "run", "-p", policy, "--", "/bin/echo", word])
        equal((run.code, run.out), (0, word + "\n"), run)
    sessions = sorted(os.listdir(t.home + "/.local/state/proctor"))
    equal(len(sessions), 3)
    run = log(t, "--format", "json")
    equal(json.loads(run.out.splitlines()[0])["command"], ["/bin/echo", "third"], run)
    for session in sessions:
        for name in (session, session[:-1], f"{t.home}/.local/state/proctor/{session}/audit.jsonl"):
            run = log(t, "--format", "json", name)
            equal(json.loads(run.out.splitlines()[0])["session"], session, name, run)
    common = os.path.commonprefix(sessions)
    for name in (common, "nothing", "", t.dir + "/none", t.dir):
        run = log(t, name)
        equal((run.code, run.out), (125, ""), name, run)
        check("proctor log: " in run.err, run)
    os.symlink(f"{t.home}/.local/state/proctor/{sessions[0]}/audit.jsonl", t.inside + "/audit")
    equal(log(t, "--format", "json", "audit").code, 0)


@test(once=True)
def bad_options(t):
    path = some_log(t).log
    for arguments in (["--nonsense"], ["--class", "x"], ["--format", "xml"], ["--path", "["],
                      ["--pid", "x"], ["--pid", "0"], ["--since", "yesterday"],
                      ["--since", "2026-1"], ["--until", "2026-11-25T10:00:00+01"], [path]):
        run = log(t, *arguments, path)
        equal((run.code, run.out), (125, ""), arguments, run)
        check(run.err.startswith("proctor log: "), run)


# ------------------------------------------------------------------ filters

@test
def filters(t):
    made = some_log(t)
    every = made.records

    def found(*arguments):
        run = log(t, "--format", "json", *arguments, made.log)
        equal((run.code, run.err), (0, ""), arguments, run)
        return [json.loads(line) for line in run.out.splitlines()]
    equal(found(), every)
    equal({record["class"] for record in every if record["event"] == "blocked"},
          {"file", "exec", "network"}, made)

    def same(arguments, wanted):
        expected = [record for record in every if wanted(record)]
        check(expected and len(expected) < len(every), "the test is void:", arguments, len(every))
        equal([record["seq"] for record in found(*arguments)],
              [record["seq"] for record in expected], arguments)
    same(["--blocked"], lambda record: record["event"] == "blocked")
    same(["--class", "network"], lambda record: record.get("class") == "network")
    same(["--class", "network", "--class", "exec"],
         lambda record: record.get("class") in ("network", "exec"))
    same(["--blocked", "--class", "file"],
         lambda record: record["event"] == "blocked" and record["class"] == "file")
    same(["--path", t.outside], lambda record: record.get("path", "").startswith(t.outside + "/"))
    same(["--path", t.dir + "/*/new"], lambda record: record.get("path") == t.outside + "/new")
    same(["--host", "192.0.2.*"], lambda record: record.get("endpoint") == "tcp:192.0.2.1:443")
    same(["--rule", "none"], lambda record: record.get("rule", True) is None)
    denied = next(record for record in every
                  if record["event"] == "blocked" and record["class"] == "exec")
    for rule in (denied["rule"]["source"], os.path.basename(denied["rule"]["source"]),
                 denied["rule"]["text"]):
        run = [record["seq"] for record in found("--blocked", "--class", "exec", "--rule", rule)]
        equal(run, [denied["seq"]], rule)
    middle = every[len(every) // 2]["ts"]
    same(["--since", middle], lambda record: record["ts"] >= middle)
    same(["--until", middle[:-1]], lambda record: record["ts"] <= middle)
    equal(found("--since", "1h"), every)
    equal(found("--since", middle[:10], "--until", middle[:10]), every)
    equal(found("--until", "1h"), [])
    # A process, and the first one with all below it.
    bash = next(record for record in every if record.get("endpoint") == "tcp:192.0.2.1:443")
    equal({record["pid"] for record in found("--pid", str(bash["pid"]))}, {bash["pid"]})
    first = next(record for record in every if record["event"] == "exec")
    equal(len(found("--pid", str(first["pid"]))),
          len([record for record in every if "exec_id" in record]))


# ------------------------------------------------------------------ formats

@test
def json_is_the_bytes_of_the_log(t):
    """Names that are not UTF-8 included."""
    made = t.run(["/bin/sh", "-c", f": > {t.outside}/$(printf 'a\\377\\033]0;x\\007b')"], t.wide())
    with open(made.log, encoding="utf-8", errors="surrogateescape") as file:
        text = file.read()
    check("\\udcff" in text, text)
    equal(log(t, "--format", "json", made.log).out, text)


def on_terminal(t, *arguments):
    """What comes out on a terminal."""
    reader, writer = pty.openpty()
    process = t.spawn([t.proctor, *arguments], stdout=writer, env={**t.env, "TERM": "xterm"})
    os.close(writer)
    seen = b""
    try:
        while data := os.read(reader, 65536):
            seen += data
    except OSError:
        pass  # EIO: the other side is closed
    os.close(reader)
    process.communicate(timeout=20)
    return seen.decode()


@test
def escape_sequences(t):
    """What the tool chose does nothing to a terminal."""
    name = "\x1b]0;title\x07\x1b[31mred\nline\x9b\u202e"
    made = t.run(["/bin/sh", "-c", ': > "$1"', "sh", f"{t.outside}/{name}"], t.wide())
    equal(len(made.blocked), 1, made)
    run = log(t, "-v", made.log)
    shown = f"{t.outside}/\\x1b]0;title\\x07\\x1b[31mred\\x0aline\\xc2\\x9b\\xe2\\x80\\xae"
    check(shown in run.out, run)
    check(not re.search("[\x00-\x09\x0b-\x1f\x7f-\x9f\u202e]", run.out), repr(run.out))
    forged = t.dir + "/forged"
    with open(forged, "w", encoding="utf-8") as file:
        file.write('{"event":"blocked","class":"file","x":"\u202e\x7f"}\n')
    for arguments in ([made.log], ["-v", made.log], ["--format", "json", made.log],
                      ["--format", "ecs", made.log], ["--format", "json", forged]):
        seen = re.sub("\x1b\\[[01];?[0-9]*m", "", on_terminal(t, "log", *arguments))  # our colours
        check(seen and not re.search("[\x00-\x09\x0b\x0c\x0e-\x1f\x7f-\x9f\u202e]", seen),
              arguments, repr(seen))


@test(once=True)
def text(t):
    run = log(t, some_log(t).log)
    lines = run.out.splitlines()
    stamp = r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z "
    check(all(re.match(stamp, line) for line in lines), run)
    check(re.search(rf"blocked create {t.outside}/new: EACCES, no rule allows it \[sh, pid \d+, "
                    r"exec \d+\]$", run.out, re.M), run)
    check(re.search(r"blocked connect tcp:192.0.2.1:443: EACCES, no rule allows it \[bash", run.out),
          run)
    check(re.search(r"blocked exec /usr/bin/true: EACCES, rule .*policy.yaml:\d+ \[sh", run.out), run)
    check(re.search(r" start session \d{8}-\d{6}-[0-9a-f]{8}: /bin/sh -c ", lines[0]), run)
    check(re.search(r" end: exit code 3 after \d", lines[-1]), run)


def every_kind(t):
    """A log with a record of each event, class and operation, for the exports."""
    path = t.dir + "/kinds"
    actor = {"pid": 7, "tid": 8, "ppid": 1, "exec_id": 2, "parent_exec_id": 1, "exe": "/bin/x",
             "comm": "x", "argv": ["x", "y z"], "cwd": "/", "uid": 1000}
    common = {"ts": "2026-11-25T09:51:25.534000000Z", "session": "s"}
    records = [{"event": "start", "host": "vm", "pid": 5, "uid": 1000, "version": "0.1.0",
                "command": ["x"]}]
    targets = {"file": {"path": "/etc/shadow"}, "exec": {"path": "/bin/sh", "args": ["sh"]},
               "network": {"endpoint": "tcp:[2001:db8::1]:443", "host": "example.org"},
               "process": {}, "system": {}}
    operations = {"file": ["read", "create", "modify", "delete", "attr"], "exec": ["exec"],
                  "network": ["connect", "bind", "send", "listen", "socket"],
                  "process": ["signal", "trace", "control"], "system": ["call"]}
    decisions = {"blocked": "deny", "would_block": "deny", "allowed": "allow",
                 "rewritten": "rewrite", "exec": "allow"}
    for event, decision in decisions.items():
        for kind, ops in operations.items():
            for op in ops:
                records.append({"event": event, "class": kind, "op": op, "syscall": "open",
                                **targets[kind], "decision": decision,
                                "rule": {"source": "p:1", "text": "/x"}, **actor})
    for endpoint in ("udp:192.0.2.1:53", "unix:/run/x", "unix:@name", "family:17", None):
        record = {"event": "blocked", "class": "network", "op": "connect", "syscall": "connect",
                  "endpoint": endpoint, "host": "example.org", "decision": "deny", "rule": None,
                  "errno": "EACCES", **actor}
        records.append({key: value for key, value in record.items() if key != "endpoint" or value})
    records += [{"event": "blocked", "class": "file", "op": "read", "decision": "deny", "rule": None},
                {"event": "exit", **actor}, {"event": "limit", "detail": "limit wall"},
                {"event": "end", "exit_code": 1}, {"event": "new-in-a-later-version"}]
    with open(path, "w", encoding="utf-8") as file:
        for seq, record in enumerate(records, 1):
            file.write(json.dumps({**common, "seq": seq, **record}) + "\n")
    return path, records


def ocsf_faults(value, rules, where):
    for name in rules["required"]:
        if name not in value:
            yield f"{where}.{name} is missing"
    for name, allowed in rules["enums"].items():
        if name in value and value[name] not in allowed:
            yield f"{where}.{name} is {value[name]!r}"
    if "at_least_one" in rules and not set(rules["at_least_one"]) & set(value):
        yield f"{where} has none of {rules['at_least_one']}"
    for name, inner in value.items():
        if name not in rules["attributes"]:
            yield f"{where}.{name}: there is no such attribute"
        if name in OCSF["objects"] and isinstance(inner, dict):
            yield from ocsf_faults(inner, OCSF["objects"][name], f"{where}.{name}")


def exported(t, form, path, records):
    """What `log --format` makes of the records of `path`, and of a real log: (event, record)."""
    for source, originals in ((path, records), (some_log(t).log, None)):
        run = log(t, "--format", form, source)
        equal((run.code, run.err), (0, ""), run)
        originals = originals or [json.loads(line) for line in open(source, encoding="utf-8")]
        found = [json.loads(line) for line in run.out.splitlines()]
        equal(len(found), len(originals))
        yield from zip(found, originals)


@test(once=True)
def ocsf(t):
    """Required fields, enums and attributes as in the published schema."""
    path, records = every_kind(t)
    classes = {"file": 1001, "exec": 1007, "process": 1007, "system": 1003}
    for event, original in exported(t, "ocsf", path, records):
        rules = OCSF["classes"][str(event["class_uid"])]
        faults = list(ocsf_faults(event, {**rules, "attributes": rules["attributes"] + ["unmapped"]},
                                  "event"))
        check(not faults, faults, event)
        equal(event["category_uid"], rules["category_uid"])
        equal(event["class_name"], rules["name"])
        equal(event["type_uid"], event["class_uid"] * 100 + event["activity_id"])
        check(event["time"] > 1.7e12)
        if original.get("class") in classes:
            equal(event["class_uid"], classes[original["class"]], original)
        if original["event"] == "blocked":
            equal((event["action_id"], event["disposition_id"]), (2, 2))
    run = log(t, "--format", "ocsf", path)
    found = {json.loads(line)["class_uid"] for line in run.out.splitlines()}
    equal(found, {1001, 1003, 1007, 4001, 4003})
    event = json.loads(next(line for line in run.out.splitlines() if "example.org" in line))
    equal(event["dst_endpoint"], {"ip": "2001:db8::1", "port": 443, "hostname": "example.org"})


@test(once=True)
def ecs(t):
    """Values that ECS allows, and the fields that it expects."""
    categories = {"file": "file", "exec": "process", "network": "network", "process": "process",
                  "system": "process"}
    types = {"access", "allowed", "change", "connection", "creation", "deletion", "denied", "end",
             "info", "start"}
    path, records = every_kind(t)
    for event, original in exported(t, "ecs", path, records):
        check(event["@timestamp"] and event["ecs"]["version"], event)
        check(event["event"]["kind"] in ("event", "alert"), event)
        check(event["event"]["outcome"] in ("success", "failure", "unknown"), event)
        check(set(event["event"]["type"]) <= types, event)
        equal(event["event"]["category"], [categories.get(original.get("class"), "process")])
        equal("denied" in event["event"]["type"], original["event"] == "blocked")
        if original.get("path"):
            equal(event["file"]["path"], original["path"])
            equal(event["file"]["directory"], os.path.dirname(original["path"]))
        if original.get("exec_id"):
            check(event["process"]["entity_id"].endswith(f":{original['exec_id']}"), event)


# ------------------------------------------------------------------ following

@test
def follow(t):
    """Records come as they are written; it ends with the session."""
    line, path = t.command(["/bin/sh", "-c", f"echo up; while read name; do (: > {t.outside}/$name); done"],
                           t.wide())
    tool = t.spawn(line, stdin=subprocess.PIPE)
    equal(tool.stdout.readline(), "up\n")
    follower = t.spawn([t.proctor, "log", "--follow", "--blocked", "--format", "json", path])
    for name in ("one", "two"):
        tool.stdin.write(name + "\n")
        tool.stdin.flush()
        began = time.monotonic()
        equal(json.loads(follower.stdout.readline())["path"], f"{t.outside}/{name}")
        check(time.monotonic() - began < 3)
    check(follower.poll() is None, "it has ended already")
    tool.communicate(timeout=20)
    out, err = follower.communicate(timeout=20)
    equal((out, err, follower.returncode), ("", "", 0))


@test
def follow_a_killed_session(t):
    """The supervisor is killed: no end record will come."""
    line, path = t.command(["/bin/sh", "-c", "echo up; read x"], t.wide())
    tool = t.spawn(line, stdin=subprocess.PIPE)
    equal(tool.stdout.readline(), "up\n")
    follower = t.spawn([t.proctor, "log", "--follow", path])
    check(" start " in follower.stdout.readline())
    os.kill(wait_until(lambda: children(tool.pid))[0], signal.SIGKILL)
    tool.communicate(timeout=20)
    out, err = follower.communicate(timeout=20)
    equal((out, err, follower.returncode), ("", "", 0))


# ------------------------------------------------------------------ tampering

@test(once=True)
def verify(t):
    """The first line that was changed, removed, added, moved or cut is named."""
    script = f"for i in 1 2 3 4 5 6; do (: > {t.outside}/$i); done"
    made = t.run(["/bin/sh", "-c", script], t.wide())
    with open(made.log, "rb") as file:
        lines = file.read().splitlines(keepends=True)
    equal(len(lines), 8)
    run = log(t, "--verify", made.log)
    equal((run.code, run.out), (0, f"{made.log}: 8 records, the chain is whole\n"), run)
    swapped = lines[:3] + [lines[4], lines[3]] + lines[5:]
    for changed, line, words in (
            (lines[:3] + [lines[3].replace(b'"EACCES"', b'"EPERM"')] + lines[4:], 4, "was changed"),
            (lines[:3] + lines[4:], 4, "removed"),
            (lines[:3] + [b"{}\n"] + lines[3:], 4, "added"),
            (lines[:3] + [lines[2]] + lines[3:], 3, "was added"),
            (swapped, 4, ""),
            (lines[1:], 1, "removed"),
            (lines[:-1] + [lines[-1][:-20]], 8, "is torn")):
        with open(t.dir + "/changed", "wb") as file:
            file.writelines(changed)
        run = log(t, "--verify", t.dir + "/changed")
        equal((run.code, run.out), (1, ""), line, words, run)
        check(f"changed: line {line} " in run.err and words in run.err, run)
    with open(t.dir + "/changed", "wb") as file:
        file.writelines(lines[:-2])
    run = log(t, "--verify", t.dir + "/changed")
    equal(run.code, 0, run)
    check("note: the last session has no end record" in run.out, run)


@test(once=True)
def torn_last_line(t):
    """Part of a line is known as such, and what stands before it is printed."""
    made = t.run(["/bin/sh", "-c", f": > {t.outside}/new"], t.wide())
    with open(made.log, "rb+") as file:
        file.truncate(os.path.getsize(made.log) - 30)
    run = log(t, "--format", "json", made.log)
    equal((run.code, events(run)), (0, ["start", "blocked"]), run)
    check("line 3 is torn" in run.err, run)
    with open(made.log, "ab") as file:
        file.write(b"\nnonsense\n")
    run = log(t, "--format", "json", made.log)
    equal((run.code, events(run)), (1, ["start", "blocked"]), run)
    check("line 4 is not a record" in run.err, run)


if __name__ == "__main__":
    sys.exit(main())
