#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""Who is who in the log: each process with its image, its beginning and its end (--log all)."""
import datetime
import hashlib
import json
import os
import signal
import sys

sys.dont_write_bytecode = True
from harness import Skip, check, equal, main, need, test

ALL = ("-q", "--no-stack", "--log", "all")


def records(run):
    with open(run.log, encoding="utf-8", errors="surrogateescape") as log:
        return [json.loads(line) for line in log]


def exits(found):
    return {record["pid"]: record for record in found if record["event"] == "exit"}


def moment(text):
    return datetime.datetime.fromisoformat(text[:26] + "+00:00")


def program(body):
    """Prints a line for each process that it makes."""
    return ["/usr/bin/python3", "-c",
            "import os, signal, sys, time\ndef said(*words): print(*words, flush=True)\n" + body]


@test
def how_processes_end(t):
    """Exit codes and signals, of those that make no call of their own as well."""
    run = t.run(program("""
def child(act):
    pid = os.fork()
    if pid == 0:
        act()
    return pid
kinds = {}
kinds['exit 0'] = child(lambda: os._exit(0))
kinds['exit 7'] = child(lambda: os._exit(7))
kinds['signal 9'] = child(lambda: signal.pause())
kinds['signal 15'] = child(lambda: signal.pause())
kinds['signal 11'] = child(lambda: os.kill(os.getpid(), signal.SIGSEGV))
time.sleep(0.3)
os.kill(kinds['signal 9'], 9)
os.kill(kinds['signal 15'], 15)
for kind, pid in kinds.items():
    os.waitpid(pid, 0)
    said(pid, kind)
said(os.getpid(), 'exit 3')
sys.exit(3)
"""), t.wide(), ALL)
    equal(run.code, 3, run)
    found = records(run)
    ends = exits(found)
    expected = dict(line.split(" ", 1) for line in run.out.splitlines())
    equal(len(expected), 6)
    equal({str(pid): f"signal {end['signal']}" if "signal" in end else f"exit {end.get('exit_code')}"
           for pid, end in ends.items()}, expected, run)
    first = found[0]
    for pid, end in ends.items():
        check(end["ppid"] and end["exec_id"], end)
        check(moment(first["ts"]) - datetime.timedelta(seconds=1) <= moment(end["started"])
              <= moment(end["ts"]), end)
        if "exit_code" in end:
            check(end["usage"]["user_s"] >= 0 and end["usage"]["system_s"] >= 0, end)
    equal(found[-1]["event"], "end")
    equal(found[-1]["counts"]["event"]["exit"], 6)


@test(once=True)
def what_a_process_uses(t):
    run = t.run(program("""
x = bytearray(60 << 20)
until = time.process_time() + 0.3
while time.process_time() < until: pass
"""), t.wide(), ALL)
    end, = exits(records(run)).values()
    check(end["usage"]["user_s"] + end["usage"]["system_s"] >= 0.25, end)
    check(60 << 20 <= end["usage"]["max_rss_bytes"] < 200 << 20, end)


@test
def ancestry_from_the_log_alone(t):
    """Each image leads back to the first one, though all its ancestors are gone."""
    script = ("/bin/sh -c '(/bin/sh -c \"sleep 0.2; cat file; : > {out}/new\" &) ; exit 0'; sleep 0.6"
              .format(out=t.outside))
    run = t.run(["/bin/sh", "-c", script], t.wide(), ALL)
    found = records(run)
    images = {record["exec_id"]: record for record in found if record["event"] == "exec"}
    equal(len(images), len([record for record in found if record["event"] == "exec"]))
    blocked = [record for record in found if record["event"] == "blocked"][0]
    chain = [images[blocked["exec_id"]]]
    while chain[-1]["parent_exec_id"]:
        chain.append(images[chain[-1]["parent_exec_id"]])
    equal([image["argv"][0] for image in chain], ["/bin/sh"] * 3)
    equal(chain[-1]["argv"][2], script)
    check("sleep 0.2" in chain[0]["argv"][2], chain[0])
    for image in images.values():
        with open(image["exe"], "rb") as file:
            equal(image["exe_sha256"], hashlib.sha256(file.read()).hexdigest(), image)
        check(image["cwd"] == t.inside and image["argv"], image)


@test(once=True)
def each_exec_is_an_image(t):
    """Short lives one after the other, and each is there once."""
    run = t.run(["/bin/sh", "-c", "i=0; while [ $i -lt 60 ]; do /bin/true; i=$((i+1)); done"],
                t.wide(), ALL)
    found = records(run)
    images = [record["exec_id"] for record in found if record["event"] == "exec"]
    equal(len(images), 61)
    equal(len(set(images)), 61)
    ends = [record for record in found if record["event"] == "exit"]
    equal(len(ends), 61)
    equal(sorted(end["exec_id"] for end in ends), sorted(images))


DRIVER = """
import subprocess, sys
tool = subprocess.Popen(sys.argv[1:], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
for line in tool.stdout:
    with open("/proc/sys/kernel/ns_last_pid", "w") as file:
        file.write(str(int(line) - 1))
    tool.stdin.write("go\\n")
    tool.stdin.flush()
sys.exit(tool.wait())
"""


@test(user="root", once=True)
def numbers_of_processes_are_used_again(t):
    """What /proc said of one process is not said of the next that has its number."""
    need("unshare")
    script = (f"for i in 1 2 3 4 5; do /bin/sh -c ': > {t.outside}/one' first & wait $!; echo $!; read go; "
              f"/usr/bin/env -C / sh -c ': > {t.outside}/two' second & wait $!; done 2>/dev/null")
    line, log = t.command(["/bin/sh", "-c", script], t.wide())
    run = t.native(["unshare", "-pf", "--mount-proc", sys.executable, "-c", DRIVER, *line])
    if run.code and "unshare" in run.err:
        raise Skip("no pid namespaces here: " + run.err.strip())
    run.log = log
    equal(run.code in (0, 2), True, run)
    attempts = {"one": [], "two": []}
    for record in run.blocked:
        attempts[os.path.basename(record["path"])].append(record)
    equal([len(records) for records in attempts.values()], [5, 5], run)
    same = 0
    for before, after in zip(*attempts.values()):
        same += before["pid"] == after["pid"]
        equal([record["argv"][-1] for record in (before, after)], ["first", "second"])
        equal([record["argv"][0] for record in (before, after)], ["/bin/sh", "sh"])
        equal([record["cwd"] for record in (before, after)], [t.inside, "/"])
        check(before["exec_id"] != after["exec_id"], before, after)
    check(same, "no number was used again:", attempts)


@test(once=True)
def killed_at_the_end(t):
    """What is left when the first process ends is ended, and that is logged too."""
    run = t.run(program("""
pid = os.fork()
if pid == 0:
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    os.setsid()
    time.sleep(60)
time.sleep(0.2)
said(pid)
"""), t.wide(), ALL)
    ends = exits(records(run))
    equal(ends[int(run.out)]["signal"], signal.SIGKILL)
    equal(len(ends), 2)


@test(once=True)
def only_where_all_is_logged(t):
    run = t.run(["/bin/sh", "-c", f"/bin/true; (: > {t.outside}/new); true"], t.wide())
    equal({record["event"] for record in records(run)}, {"start", "blocked", "end"})


if __name__ == "__main__":
    sys.exit(main())
