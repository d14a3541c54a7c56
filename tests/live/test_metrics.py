#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""--metrics: the text format of Prometheus, true figures, written as a whole."""
import os
import re
import shutil
import subprocess
import sys
import time

sys.dont_write_bytecode = True
from figures import parse, value
from harness import Skip, check, equal, main, test, wait_until

# At once: the user that some of the tests run as may not be able to read the source.
with open(os.path.join(os.path.dirname(os.path.abspath(__file__)), "../../doc/alerts.yml"),
          encoding="utf-8") as _file:
    ALERTS = _file.read()

@test
def figures(t):
    path = t.dir + "/figures.prom"
    script = (f"(: > {t.outside}/one); (: > {t.outside}/two); (: > {t.outside}/two); "
              "bash -c ': > /dev/tcp/192.0.2.1/443'; /bin/true; exit 3")
    run = t.run(["/bin/sh", "-c", script], t.narrow(exec_deny=["/usr/bin/true"]),
                options=("-q", "--metrics", path, "--log", "all"))
    equal(run.code, 3, run)
    found = parse(path)
    equal(value(found, "proctor_attempts_total", op="create", rule=""), 3)
    equal(value(found, "proctor_attempts_total", **{"class": "network"}), 1)
    equal(value(found, "proctor_attempts_total", **{"class": "exec"}), 1)
    check(any("policy.yaml:1" in (labels or "") for _, labels in found), found)
    for event in ("blocked", "allowed", "exec"):
        equal(value(found, "proctor_records_total", event=event),
              sum(record["event"] == event for record in run.records), event)
    equal(value(found, "proctor_session_exit_code"), 3)
    equal(value(found, "proctor_session_running"), 0)
    equal(value(found, "proctor_session_info", session=run.records[0]["session"]), 1)
    equal((value(found, "proctor_timeouts_total"), value(found, "proctor_log_failed")), (0, 0))
    calls = value(found, "proctor_calls_total")
    check(value(found, "proctor_calls_total", syscall="openat") > 10 and calls > 15, calls)
    buckets = [number for (name, _), number in found.items() if name.endswith("_bucket")]
    equal(buckets, sorted(buckets))
    equal(buckets[-1], value(found, "proctor_call_duration_seconds_count"))
    check(abs(buckets[-1] - calls) <= 4, buckets[-1], calls)
    equal([name for name in os.listdir(t.dir) if name.startswith(".")], [], "litter")


@test(once=True)
def alerts(t):
    """What doc/alerts.yml speaks of is what the figures are called; promtool, if there is one, agrees."""
    path = t.dir + "/figures.prom"
    rules = t.dir + "/alerts.yml"
    run = t.run(["/bin/sh", "-c", f"(: > {t.outside}/one); sleep 9"], t.wide(),
                options=("-q", "--metrics", path, "--timeout", "0.5s"))
    equal(run.code, 124, run)
    found = parse(path)
    equal(value(found, "proctor_limits_reached_total", limit="wall"), 1)
    equal(value(found, "proctor_limits_reached_total"), 1)
    equal(value(found, "proctor_records_dropped_total"), 0)
    with open(rules, "w", encoding="utf-8") as file:
        file.write(ALERTS)
    expressions = re.findall(r"expr: (.*)", ALERTS)
    equal(len(expressions), 6)
    names = {name for name, _ in found}
    for expression in expressions:
        used = re.search(r"\((proctor_[a-z_]+)(?:\{([^}]*)\})?\) > 0$", expression)
        check(used and used[1] in names, expression)
        for label, wanted in re.findall(r'([a-z]+)=~?"([^"]*)"', used[2] or ""):
            check(any(name == used[1] and re.search(f'{label}="({wanted})"', labels or "")
                      for name, labels in found), expression)
    promtool = shutil.which("promtool")
    if not promtool:
        raise Skip("no promtool: the rules' grammar is not checked")
    checked = t.native([promtool, "check", "rules", rules])
    equal(checked.code, 0, checked)


@test(once=True)
def while_it_runs(t):
    """Every five seconds; and at the end."""
    path = t.dir + "/figures.prom"
    line, _ = t.command(["/bin/sh", "-c", f"(: > {t.outside}/new); echo tried; read x"], t.wide(),
                        options=("-q", "--metrics", path))
    process = t.spawn(line, stdin=subprocess.PIPE)
    equal(process.stdout.readline(), "tried\n")
    began = time.monotonic()
    check(wait_until(lambda: os.path.exists(path), 9), "nothing after 9 s")
    check(time.monotonic() - began > 2, "too early")
    found = parse(path)
    equal(value(found, "proctor_session_running"), 1)
    equal(value(found, "proctor_attempts_total", op="create"), 1)
    check(value(found, "proctor_session_duration_seconds") > 4, found)
    process.communicate(timeout=20)
    equal(value(parse(path), "proctor_session_running"), 0)


@test(once=True)
def endings(t):
    path = t.dir + "/figures.prom"
    t.run(["/bin/sleep", "60"], t.wide(), options=("-q", "--metrics", path, "--timeout", "200ms"))
    found = parse(path)
    equal((value(found, "proctor_timeouts_total"), value(found, "proctor_session_exit_code"),
           value(found, "proctor_records_total", event="limit")), (1, 124, 1))
    t.run(["/bin/sh", "-c", f"(: > {t.outside}/new)"], t.wide(), log="/dev/full", fine=False,
          options=("-q", "--metrics", path))
    equal(value(parse(path), "proctor_session_failed"), 1)
    t.run(["/bin/sh", "-c", f"(: > {t.outside}/new)"], t.wide(), options=("--observe", "--metrics", path))
    equal(value(parse(path), "proctor_attempts_total", decision="would_deny"), 1)
    run = t.native([t.proctor, "run", "--metrics", t.dir + "/none/x", "--", "/bin/echo", "ran"])
    equal((run.code, run.out), (125, ""), run)


@test(once=True)
def labels_are_harmless(t):
    """Names of policies with quotes, backslashes, newlines and bytes that are not UTF-8."""
    path = t.dir + "/figures.prom"
    for name in ('a"b.yaml', "a\\b.yaml", "a\nb.yaml", "a\udcffb.yaml"):
        policy = t.write_policy(t.wide(exec_deny=["/usr/bin/true"]), name)
        run = t.native([t.proctor, "run", "-q", "-p", policy, "-o", t.dir + "/log", "--metrics", path,
                        "--", "/bin/sh", "-c", "/bin/true"])
        equal(run.code, 126, run)
        found = parse(path)
        check(any("yaml:1" in (labels or "") for _, labels in found), name, found)


@test
def out_of_the_tools_reach(t):
    path = t.inside + "/figures.prom"
    script = f"(echo forged > {path}); ln -s {t.outside}/victim {path}; true"
    run = t.run(["/bin/sh", "-c", script], t.wide(), options=("-q", "--metrics", path))
    equal(value(parse(path), "proctor_session_running"), 0)
    check(not os.path.lexists(t.outside + "/victim") and len(run.blocked) == 2, run)


if __name__ == "__main__":
    sys.exit(main())
