#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""Real programs that live on file calls: what they say and leave behind is what it is natively.

Each runs where all changes are trapped, and where something is hidden, so that every look at a name is.
LONG: both policies, all of python's own tests for root and user, and more work for the others.
"""
import os
import re
import shutil
import sys

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "live"))
from harness import (LONG, Skip, check, difference, equal, main, need, snapshot, test,
                     without_capabilities)

NETWORK = {"connect": ["tcp:*:*", "udp:*:*", "unix:/", "unix:@*"],
           "bind": ["tcp:*:*", "udp:*:*", "unix:/", "unix:@*"]}


def policies(t):
    """Both, or (not LONG) root the one and the user the other."""
    write = [t.inside, t.dir + "/tmp", "/dev", "/proc/self"]
    both = [t.wide(write=write, network=NETWORK),
            t.wide(write=write, network=NETWORK, hide=["/nowhere/hidden"])]
    return both if LONG else both[t.root:][:1]


def native_run(t, command, env):
    """Root is without capabilities under proctor."""
    return t.native(command, env=env,
                    **({"preexec_fn": without_capabilities} if t.root else {}))


def plant(t):
    t.plant()
    shutil.rmtree(t.dir + "/tmp", ignore_errors=True)
    os.mkdir(t.dir + "/tmp")


def left(t):
    """The tree without what is a matter of time."""
    found = {}
    for path, entry in snapshot(t.inside).items():
        if os.path.isdir(path) and not os.path.islink(path):
            entry[3] = 0
        found[path[len(t.dir):]] = entry[:4] + entry[5:]
    return found


def as_natively(t, script, tree=True):
    need("bash")
    env = {**t.env, "TMPDIR": t.dir + "/tmp", "GIT_CONFIG_GLOBAL": "/dev/null",
           "GIT_AUTHOR_DATE": "1000000000 +0000", "GIT_COMMITTER_DATE": "1000000000 +0000"}
    command = ["/bin/bash", "-ec", script]
    plant(t)
    native = native_run(t, command, env)
    equal(native.code, 0, native)
    expected = left(t)
    for policy in policies(t):
        plant(t)
        run = t.run(command, policy, env=env)
        equal((run.code, run.out, run.err), (0, native.out, native.err), run)
        check(not run.blocked, run)
        if tree:
            changes = difference(expected, left(t))
            check(not changes, changes)


GIT = """
export GIT_AUTHOR_NAME=a GIT_AUTHOR_EMAIL=a@b GIT_COMMITTER_NAME=a GIT_COMMITTER_EMAIL=a@b
git init -q -b main repo; cd repo
for i in 1 2 3 4 5 6; do
	mkdir -p d$i; echo $i > d$i/f; echo line $i >> all; git add -A; git commit -q -m "c$i"
done
git checkout -q -b side HEAD~3; echo side > side; git add side; git commit -q -m side
git rebase -q main; git log --format=%s; git status --short
git stash list; echo dirty >> all; git stash -q; git stash pop -q; git diff --stat; git checkout -q all
git mv d1/f d1/g; git commit -q -m moved; git tag v1; git branch -D main >/dev/null
git gc -q --prune=now; git fsck --strict; git count-objects -v | grep -v size
cd ..; git clone -q repo copy; cd copy; git log --oneline | wc -l; cat d1/g; git archive HEAD | tar t | sort
cd ..; git clone -q --no-local repo far; diff -r --exclude=.git copy far && echo same
"""


@test(once=True)
def git(t):
    need("git", "tar", "diff")
    as_natively(t, GIT, tree=False)  # its objects and logs hold the time


TREE = """
mkdir -p tree/a/b/c tree/empty
for i in $(seq 40); do echo "contents $i" > tree/a/f$i; done
ln -s f1 tree/a/link; ln tree/a/f2 tree/a/b/hard; mkfifo tree/a/fifo; chmod 640 tree/a/f3
chmod 1777 tree/empty; printf 'x' | dd of=tree/sparse bs=1 seek=100000 2>/dev/null
touch -d @1000000000 tree/a/f4; touch -h -d @1000000001 tree/a/link
"""


@test(once=True)
def tar(t):
    need("tar")
    as_natively(t, TREE + """
    tar -cSf x.tar tree; tar -tvf x.tar | awk '{print $1, $6}' | sort; mkdir out; tar -xpf x.tar -C out
    (cd tree; find . -printf '%p %y %m %n %s %T@\\n' | grep -v '^\\. ' | sort) > one
    (cd out/tree; find . -printf '%p %y %m %n %s %T@\\n' | grep -v '^\\. ' | sort) > two
    sed -i 's/\\.[0-9]*$//' one two; diff one two && echo same; rm x.tar one two
    """)


@test(once=True)
def rsync(t):
    need("rsync")
    as_natively(t, TREE + """
    rsync -aHS tree/ copy/; echo more >> tree/a/f5; rm tree/a/f6
    touch -d @1000000002 tree/a/f7 tree/a/f5 tree/a
    rsync -aHSi --delete tree/ copy/ | sort; rsync -aHSin --delete tree/ copy/
    diff -r --no-dereference --exclude=fifo tree copy && echo same
    """)


@test(once=True)
def copy_and_remove(t):
    as_natively(t, TREE + """
    cp -a tree copy; cp -al tree linked; mv copy moved; rm -r linked; cp -r --no-preserve=mode tree plain
    find moved -printf '%P %y %m %n\\n' | sort; chmod -R g-w moved; rm -rf moved/a; du -a moved | wc -l
    install -D -m 711 tree/a/f1 deep/er/f; stat -c '%a %h' deep/er/f; find tree -newer deep -print
    """)


@test(once=True)
def sqlite(t):
    """Several writers at once, in both journal modes: locks, journals, shared memory."""
    need("sqlite3")
    rounds = 60 if LONG else 8
    for mode in ("delete", "wal"):
        as_natively(t, f"""
        sqlite3 d.db 'pragma journal_mode={mode}; create table t (w, n);'
        for w in 1 2 3 4; do
            (for n in $(seq {rounds}); do
                sqlite3 d.db ".timeout 60000" "begin immediate; insert into t values ($w, $n);
                    update t set n = n + 0 where w = $w; commit;"
            done) &
        done
        wait
        sqlite3 d.db 'select w, count(*), sum(n) from t group by w; pragma integrity_check; vacuum;'
        """, tree=False)


def python_with_tests(t):
    for path in ("/usr/bin/python3", shutil.which("python3") or ""):
        if path and t.native([path, "-c", "import test.test_os"]).code == 0:
            return path
    raise Skip("no python with its own tests here")


def outcomes(text):
    """Each test's name and how it ended."""
    found = {}
    name = None
    for line in text.splitlines():
        match = re.match(r"(test\w+ \([\w.]+\))", line)
        name = match[1] if match else name
        match = re.search(r"\.\.\. (ok|FAIL|ERROR|skipped|expected failure)|^(ok|FAIL|ERROR|skipped)\b",
                          line)
        if match and name:
            found[name] = match[1] or match[2]
            name = None
    return found


# Natively these fail or hold by turns: they measure times, or what else runs on the host.
FLAKY = re.compile("timeout|getloadavg|test_kill|pidfd|sendfile|test_stat_timestamps")


@test(once=True)
def python_tests(t):
    python = python_with_tests(t)
    modules = [["test_os", "test_posix"], ["test_shutil", "test_pathlib", "test_tempfile"]]
    for module in modules[0] + modules[1] if LONG else modules[not t.root]:
        command = [python, "-m", "test", "-v", module]
        env = {**t.env, "TMPDIR": t.dir + "/tmp", "PYTHONDONTWRITEBYTECODE": "1"}
        plant(t)
        native = native_run(t, command, env)
        expected = outcomes(native.out + native.err)
        check(len(expected) > 20, "its tests do not run natively:", native)
        for policy in policies(t):
            plant(t)
            run = t.run(command, policy, env=env)
            found = outcomes(run.out + run.err)
            differ = [f"{name}: natively {expected.get(name)}, under proctor {found.get(name)}"
                      for name in sorted(set(expected) | set(found))
                      if expected.get(name) != found.get(name) and not FLAKY.search(name)]
            check(not differ, module, *differ[:20], run.err[-3000:])
        print(f"     {module}: {len(expected)} tests, the same")


if __name__ == "__main__":
    sys.exit(main())
