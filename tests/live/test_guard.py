#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""What decides on the next run, and the log: out of the tool's reach under every policy and name."""
import os
import shutil
import sys

sys.dont_write_bytecode = True
from harness import (AT_FDCWD, RENAME_EXCHANGE, call, check, difference, equal, main, snapshot,
                     test)

CREATE = os.O_CREAT | os.O_WRONLY
POISON = "version: 1\nfiles: {read: [/], write: [/]}\nexec: {allow: [/]}\n"


def guarded(t, statements, policy, roots, before=()):
    """
    The last statement of each list works natively; under proctor it is refused, with one record,
    and what it is about stays. `before()` plants.
    """
    for acts in statements:
        for plant in before:
            plant()
        found, run = t.calls(acts, native=True, env=t.env)
        check(not found[-1].startswith("-"), "it does not work natively:", acts, run)
        for plant in before:
            plant()
        seen = snapshot(*roots)
        found, run = t.calls(acts, policy)
        equal(found[-1:], ["-EACCES"], acts, run)
        check(not (changes := difference(seen, snapshot(*roots))), acts, "changed:", changes)
        record = t.one_record(run, errno="EACCES", rule=None, detail="proctor's own files")
        equal(record["class"], "file")


@test
def its_own_policy(t):
    """A policy in a folder that it lets the tool write, by its names and the links that lead there."""
    folder, link, real = t.inside + "/conf", t.inside + "/policies", t.inside + "/conf/a.yaml"
    moved = t.dir + "/moved"
    policy = t.wide(write=[t.dir, "/dev/null"])
    policy["extends"] = [link + "/a.yaml", "conf/b.yaml"]
    path = t.write_policy(policy, "in/policy.yaml")

    def plant():
        if os.path.isdir(moved):
            os.rename(moved, t.inside)
        for name in (folder, t.inside + "/x"):
            shutil.rmtree(name, ignore_errors=True)
        for name in (link, t.inside + "/x"):
            if os.path.lexists(name):
                os.unlink(name)
        with open(t.inside + "/file", "w", encoding="ascii"):
            pass
        os.mkdir(folder)
        os.symlink("conf", link)
        for name in ("a.yaml", "b.yaml"):
            with open(f"{folder}/{name}", "w", encoding="ascii") as file:
                file.write("version: 1\n")
        return path

    acts = [call("open", name, CREATE | os.O_TRUNC, 0o600)
            for name in (real, link + "/a.yaml", "conf/../conf/./b.yaml", path)]
    acts += [call("truncate", real, 0), call("unlink", real), call("rename", real, "x"),
             call("rename", "file", real), call("chmod", real, 0o777), call("link", real, "x"),
             call("renameat2", AT_FDCWD, "file", AT_FDCWD, real, RENAME_EXCHANGE),
             call("unlink", link), call("rename", link, "x"), call("rename", folder, "x"),
             call("rename", t.inside, moved)]
    for act in acts:
        run_with(t, act, plant())
    for act in acts: # the policy itself is written by one of them
        plant()
        found, run = t.calls([act], native=True)
        check(not found[-1].startswith("-"), "it does not work natively:", act, run)


def run_with(t, act, path):
    """Refused, and the tree stays; the policy is `path`."""
    seen = snapshot(t.inside)
    log = t.home + "/guard.jsonl"
    if os.path.exists(log):
        os.unlink(log)
    run = t.native([t.proctor, "run", "-q", "-p", path, "-o", log, "--", t.program("calls"), act])
    run.log = log
    t.validate(log)
    equal(run.out.splitlines(), ["-EACCES"], act, run)
    check(not (changes := difference(seen, snapshot(t.inside))), act, "changed:", changes)
    t.one_record(run, errno="EACCES", rule=None, detail="proctor's own files")


@test
def profiles_of_the_user(t):
    """A profile by the name of a built-in one goes before it: none is planted, whatever is there."""
    config = t.home + "/.config"
    profiles = config + "/proctor"
    poison = t.home + "/cfg"

    def clear():
        for name in (config, poison, t.home + "/elsewhere"):
            if os.path.islink(name):
                os.unlink(name)
            shutil.rmtree(name, ignore_errors=True)

    def plant(*folders):
        clear()
        os.makedirs(poison + "/proctor")
        with open(poison + "/proctor/agent.yaml", "w", encoding="ascii") as file:
            file.write(POISON)
        for folder in folders:
            os.mkdir(folder)

    policy = t.wide(write=[t.home, t.dir, "/dev/null"])
    missing = [[call("rename", poison, config)], [call("symlink", poison, config)]]
    guarded(t, missing, policy, [config], [plant])
    there = [[call("mkdir", profiles, 0o700)], [call("symlink", poison + "/proctor", profiles)],
             [call("rename", poison + "/proctor", profiles)]]
    guarded(t, there, policy, [config], [lambda: plant(config)])
    full = [[call("open", profiles + "/agent.yaml", CREATE, 0o600)],
            [call("link", poison + "/proctor/agent.yaml", profiles + "/agent.yaml")],
            [call("rename", poison + "/proctor/agent.yaml", profiles + "/agent.yaml")],
            [call("rename", config, t.home + "/elsewhere")]]
    guarded(t, full, policy, [config], [lambda: plant(config, profiles)])
    # Folders above are made as ever.
    plant()
    found, run = t.calls([call("mkdir", config, 0o700), call("mkdir", config + "/other", 0o700),
                          call("open", config + "/other/x", CREATE, 0o600)], policy)
    equal(found, ["0", "0", "3"], run)
    equal(run.blocked, [], run)
    # A link on the way is none that could be led elsewhere.
    plant(t.home + "/elsewhere", t.home + "/elsewhere/proctor")
    os.symlink("elsewhere", config)
    found, run = t.calls([call("unlink", config), call("rename", config, t.home + "/x"),
                          call("open", profiles + "/agent.yaml", CREATE, 0o600)], policy)
    equal(found, ["-EACCES"] * 3, run)
    equal(len(run.blocked), 3, run)
    clear()


@test
def log_with_a_second_name(t):
    """A hard link from before, made by an earlier run, would lead to the log of this one."""
    log = t.inside + "/audit.jsonl"
    policy = t.wide(write=[t.inside, "/dev/null"])
    t.run(["/bin/cat", t.outside + "/none"], policy, log=log)
    with open(log, "rb") as file:
        first = file.read()
    run = t.run(["/bin/ln", "audit.jsonl", "second"], policy)
    equal(run.code, 0, run)
    run = t.run(["/bin/sh", "-c", ": > second"], policy, log=log, fine=False)
    equal(run.code, 125, run)
    check("hard link" in run.err, run)
    with open(log, "rb") as file:
        equal(file.read(), first, "the log")


@test
def devices_as_log(t):
    """/dev/null is nobody's own."""
    run = t.run(["/bin/sh", "-c", "echo x > /dev/null && echo fine"], t.wide(), log="/dev/null")
    equal((run.code, run.out), (0, "fine\n"), run)


if __name__ == "__main__":
    sys.exit(main())
