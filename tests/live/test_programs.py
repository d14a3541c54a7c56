#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""Real programs under the profile `agent`: they work unchanged, and nothing is blocked in vain."""
import os
import sys

sys.dont_write_bytecode = True
from harness import check, equal, main, need, test

@test(once=True)
def shells(t):
    t.works(["/bin/bash", "-c", "for f in *; do echo $f; done; x=$(cat file); echo ${x^^}; "
                                 "cat <(echo in) <<< here; type -p ls; "
                                 "ulimit -n; cd folder && pwd -P | tail -c 8"])
    t.works(["/bin/sh", "-c", "ls -a; printf '%s\\n' a b | while read x; do echo $x; done"])


@test(once=True)
def coreutils(t):
    t.works(["/bin/bash", "-ec", """
        cp -a folder copy; mv copy moved; rm -r moved; mkdir -p x/y/z; touch x/y/z/f
        ln -s f x/y/z/l
        chmod -R go-rwx x; ls -lR x | awk '{print $1}'; find . -name f
        sort file other | uniq -c; wc file
        head -c 3 file; tail -n1 other; cut -c1-4 file; tr a-z A-Z < file
        md5sum file; date -d @0 -u
        install -m 700 file installed; stat -c %a installed
        dd if=file of=part bs=4 count=1 status=none
        cat part; truncate -s 100 part; stat -c %s part
        mktemp -u x.XXXX | wc -c; split -b 5 file s; ls s*
        shred -u saa; nproc | wc -l; id -u; seq 3 | xargs -n1 echo
        timeout 5 true; tee t < file; cmp t file
        df . > /dev/null; realpath folder/../file | tail -c 8
        mkfifo p; (echo via > p) & cat p; wait
        """])


@test(once=True)
def python(t):
    need("python3")
    python3 = "/usr/bin/python3" if os.path.exists("/usr/bin/python3") else "python3"
    t.works([python3, "-c", "import ssl, sqlite3, asyncio; print(1)"])
    t.works([python3, "-c", """
import asyncio, json, os, pathlib, sqlite3, subprocess, tempfile, threading
db = sqlite3.connect('data.db')
db.execute('create table t (x)'); db.execute('insert into t values (7)')
db.commit(); print(db.execute('select x from t').fetchall()); db.close(); os.unlink('data.db')
with tempfile.TemporaryDirectory() as d: pathlib.Path(d, 'x').write_text('y'); print(os.listdir(d))
with tempfile.NamedTemporaryFile() as f: f.write(b'x'); f.flush(); print(os.path.getsize(f.name))
print(subprocess.run(['echo', 'child'], capture_output=True, text=True).stdout)
async def f():
    p = await asyncio.create_subprocess_exec('echo', 'async', stdout=asyncio.subprocess.PIPE)
    print(await p.communicate())
asyncio.run(f())
threads = [threading.Thread(target=lambda n=n: pathlib.Path(f't{n}').write_text('x'))
           for n in range(8)]
[x.start() for x in threads]; [x.join() for x in threads]
print(sorted(pathlib.Path('.').glob('t?')))
"""])
    t.works([python3, "-c", "import multiprocessing as m\n"
              "if __name__ == '__main__':\n"
              "    with m.Pool(3) as p: print(p.map(abs, range(-5, 5)))\n"])


@test(once=True)
def git(t):
    need("git")
    env = {**t.env, "GIT_AUTHOR_DATE": "1000000000 +0000", "GIT_COMMITTER_DATE": "1000000000 +0000",
           "GIT_AUTHOR_NAME": "n", "GIT_AUTHOR_EMAIL": "e", "GIT_COMMITTER_NAME": "n",
           "GIT_COMMITTER_EMAIL": "e"}
    t.works(["/bin/bash", "-ec", """
        git init -q -b main; git add .; git commit -qm first; git log --oneline; git status --short
        echo more >> file; git diff --stat; git commit -qam second; git clone -q . ../in/clone
        git -C clone log --format=%s; git checkout -q -b branch; git rm -q other; git stash -q
        git stash pop -q; git gc -q; git fsck; git show HEAD:file; git branch -a
        """], env=env)


@test(once=True)
def compiler_and_make(t):
    need("gcc", "make")
    source = '#include <stdio.h>\\nint main(void) { puts(\\"compiled\\"); return 0; }\\n'
    t.works(["/bin/bash", "-ec", f"""
        printf "{source}" > a.c; gcc -O1 -g -o a a.c && ./a
        printf 'all: x y\\nx y: a.c\\n\\tgcc -c -o $@ $<\\n\\techo made $@\\n' > Makefile
        make -s -j2 | sort; make -s; ar rc lib.a x; nm x | grep -c main
        """])


@test(once=True)
def perl(t):
    need("perl")
    t.works(["perl", "-e",
              'use File::Temp; use POSIX; open F, "file"; print <F>; print `echo sub`; '
                            'my $f = File::Temp->new; print -e $f->filename; '
                            'mkdir "new"; rename "other", "new/x"; '
                            'print join(",", glob("*")), "\\n"'])


@test(once=True)
def archives(t):
    need("tar", "gzip")
    t.works(["/bin/bash", "-ec", "tar czf x.tgz folder file link; mkdir y; tar xzpf x.tgz -C y; "
                                  "diff -r folder y/folder; tar tzf x.tgz; rm x.tgz"])


@test(once=True)
def node(t):
    need("node")
    t.works(["node", "-e", "const fs = require('fs'), cp = require('child_process');"
              "fs.writeFileSync('n', 'x'); console.log(fs.readdirSync('.').sort().join());"
              "console.log(cp.execSync('echo child').toString());"
              "fs.promises.readFile('file', 'utf8').then(console.log)"], quiet=False)


@test(once=True)
def secrets_stay_shut(t):
    """What `agent` is for."""
    os.makedirs(t.home + "/.ssh", exist_ok=True)
    for name in (t.home + "/.ssh/id_rsa", t.inside + "/.env"):
        with open(name, "w", encoding="ascii") as file:
            file.write("secret\n")
    for path in (t.home + "/.ssh/id_rsa", t.inside + "/.env", "/proc/1/environ", "/etc/shadow"):
        log = t.dir + "/log" + path.replace("/", "-")
        run = t.native([t.proctor, "run", "-o", log, "--", "/bin/cat", path])
        equal((run.code, run.out), (1, ""), run)
        run.log = log
        if path.startswith("/proc/1/"):
            equal(len(run.blocked), 1, run)
            continue
        record = t.one_record(run, kind="file", op="read", path=path)
        check(record["rule"]["source"].startswith("profile:"), record)
        check("proctor: blocked" in run.err, run)


@test(once=True)
def nothing_elsewhere(t):
    """Written outside, run from the temporary folder, connected: refused."""
    for script in (f"echo x > {t.outside}/new", f"rm -rf {t.outside}", f"chmod 777 {t.outside}",
                   "cp /bin/true $TMPDIR/x && $TMPDIR/x", "exec 3<>/dev/tcp/192.0.2.1/80"):
        tmp = t.home + "/tmp"
        os.makedirs(tmp, exist_ok=True)
        log = t.dir + "/log"
        if os.path.exists(log):
            os.unlink(log)
        run = t.native([t.proctor, "run", "-q", "-o", log, "--", "/bin/bash", "-c", script],
                       env={**t.env, "TMPDIR": tmp})
        check(run.code not in (0, 125), script, run)
        run.log = log
        check(run.blocked, script, run)
        check(os.path.exists(t.outside + "/file"), script)


if __name__ == "__main__":
    sys.exit(main())
