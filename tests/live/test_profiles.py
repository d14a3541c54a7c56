#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""The built-in profiles with the programs that they are for: these work, and no more than that."""
import json
import os
import sys

sys.dont_write_bytecode = True
from harness import check, equal, main, need, test
from registries import Server, npm_registry, python_index

PYTHON = "/usr/bin/python3" if os.path.exists("/usr/bin/python3") else "python3"


def plant_secrets(t):
    """What every profile keeps shut: a key, a token in the project."""
    os.makedirs(t.home + "/.ssh", exist_ok=True)
    for name in (t.home + "/.ssh/id_rsa", t.inside + "/.env"):
        with open(name, "w", encoding="ascii") as file:
            file.write("secret\n")


def shut(t, policies, more=()):
    """Natively each of the acts works; under the profile each is refused and recorded once."""
    acts = [(["/bin/cat", t.home + "/.ssh/id_rsa"], "read", t.home + "/.ssh/id_rsa"),
            (["/bin/cat", t.inside + "/.env"], "read", t.inside + "/.env"),
            (["/bin/touch", t.outside + "/new"], "create", t.outside + "/new"), *more]
    for command, op, path in acts:
        t.plant()
        plant_secrets(t)
        equal(t.native(command).code, 0, command)
        t.plant()
        plant_secrets(t)
        run = t.under(policies, command)
        check(run.code not in (0, 125), command, run)
        t.one_record(run, op=op, path=path)
        check(not os.path.exists(t.outside + "/new"), command)


def no_network(t, policies):
    """A service on loopback is reached natively, and not under the profile."""
    connect = ("import socket, sys\n"
               "try: socket.create_connection(('127.0.0.1', int(sys.argv[1])), 5); print('in')\n"
               "except OSError as error: print(error.errno)\n")
    with Server(lambda url: {}) as server:
        command = [PYTHON, "-c", connect, str(server.port)]
        equal(t.native(command).out, "in\n")
        run = t.under(policies, command)
        equal(run.out, "13\n", run)
        t.one_record(run, op="connect", endpoint=f"tcp:127.0.0.1:{server.port}")


@test(once=True, user="user")
def python(t):
    need("python3")
    t.works([PYTHON, "-c", "import venv; venv.create('venv', with_pip=False)"], ["python"])
    t.works(["/bin/sh", "-ec", """
        python3 -m venv --without-pip .venv
        cat > work.py <<'END'
import json, multiprocessing, pathlib, sqlite3, sys, tempfile
def square(n): return n * n
if __name__ == '__main__':
    with multiprocessing.Pool(2) as pool: print(pool.map(square, range(5)))
    with tempfile.TemporaryDirectory() as folder: pathlib.Path(folder, 'x').write_text('y')
    base = sqlite3.connect('data.db'); base.execute('create table t (x)'); base.close()
    print(json.dumps(sorted(path.name for path in pathlib.Path('.').glob('*.db'))))
    print(sys.prefix.endswith('.venv'))
END
        printf 'import unittest\\nclass T(unittest.TestCase):\\n' > test_work.py
        printf '    def test(self):\\n        import work\\n' >> test_work.py
        printf '        self.assertEqual(work.square(3), 9)\\n' >> test_work.py
        .venv/bin/python work.py
        .venv/bin/python -m unittest -q 2>&1 | grep -v Ran
        ls __pycache__ | wc -l
        """], ["python"])
    shut(t, ["python"], [(["/bin/sh", "-c", "cp /bin/true here; ./here"], "exec",
                          t.inside + "/here")])
    no_network(t, ["python"])


@test(once=True, user="user")
def node(t):
    need("node", "npm")
    t.works(["/bin/sh", "-ec", """
        mkdir -p node_modules/.bin node_modules/tool
        echo '{"name": "tool", "version": "1.0.0", "bin": "cli.js"}' > node_modules/tool/package.json
        printf '#!/usr/bin/env node\\nconsole.log("tool ran in", process.cwd().slice(-3))\\n' \
            > node_modules/tool/cli.js
        chmod +x node_modules/tool/cli.js; ln -s ../tool/cli.js node_modules/.bin/tool
        echo '{"name": "p", "version": "1.0.0", "scripts": {"build": "tool && node build.js"}}' \
            > package.json
        cat > build.js <<'END'
const fs = require('fs'), cp = require('child_process');
const { Worker, isMainThread } = require('worker_threads');
if (isMainThread) {
  fs.mkdirSync('dist'); fs.writeFileSync('dist/out.js', 'x'); fs.rmSync('dist', {recursive: true});
  console.log(cp.execSync('echo child').toString());
  new Worker(__filename).on('exit', (code) => console.log('worker', code));
}
END
        npm run --silent build
        """], ["node"], refused=[t.home + "/.npmrc"])
    shut(t, ["node"], [(["/bin/sh", "-c", "cp /bin/true here; ./here"], "exec",
                        t.inside + "/here")])
    no_network(t, ["node"])


@test(once=True, user="user")
def git(t):
    need("git")
    env = {**t.env, "GIT_AUTHOR_DATE": "1000000000 +0000", "GIT_COMMITTER_DATE": "1000000000 +0000",
           "GIT_AUTHOR_NAME": "n", "GIT_AUTHOR_EMAIL": "e", "GIT_COMMITTER_NAME": "n",
           "GIT_COMMITTER_EMAIL": "e", "GIT_TEMPLATE_DIR": ""}
    t.works(["/bin/sh", "-ec", """
        git init -q -b main; git add .; git commit -qm first; git checkout -q -b side
        echo more >> file; git commit -qam second; git checkout -q main; echo other >> other
        git commit -qam third; git merge -q -m merged side; git log --graph --format=%s
        git tag v1; git rebase -q v1~1; git stash list; git worktree add -q ../in/tree side
        git -C tree status --short; git gc -q; git fsck; git show HEAD:file; git diff v1 --stat
        git clone -q . clone; git -C clone log --format=%s -1
        """], ["git"], env=env)
    t.plant()
    setup = ["/bin/sh", "-ec", "git init -q; mkdir -p .git/hooks; cd .git/hooks; "
             "printf '#!/bin/sh\\necho hook ran\\n' > pre-commit; chmod +x pre-commit"]
    equal(t.native(setup, env=env).code, 0)
    commit = ["/bin/sh", "-c", "git add file; git commit -m x 2>&1 | grep hook"]
    equal(t.under(["git"], commit, env=env).out, "hook ran\n")
    shut(t, ["git"], [(["/bin/mkdir", "-p", ".git/hooks"], "create", t.inside + "/.git/hooks")])
    no_network(t, ["git"])


@test(once=True, user="user")
def c_build(t):
    need("gcc", "make", "ar")
    t.works(["/bin/sh", "-ec", """
        echo '#!/bin/sh' > configure; cat >> configure <<'END'
echo 'int main(void) { return 0; }' > conftest.c
${CC:-gcc} -o conftest conftest.c && ./conftest && echo 'the compiler works'
rm -f conftest conftest.c
END
        chmod +x configure; mkdir obj
        printf '#include <math.h>\\n#include <stdio.h>\\n#include "half.h"\\n' > main.c
        printf 'int main(void) { printf("%%d %%.1f\\\\n", half(8), sqrt(4)); return 0; }\\n' >> main.c
        echo 'int half(int n);' > half.h; echo 'int half(int n) { return n / 2; }' > half.c
        cat > Makefile <<'END'
all: program
libhalf.a: obj/half.o
	ar rcs $@ $^
obj/%.o: %.c
	gcc -O1 -g -Wall -c -o $@ $<
program: obj/main.o libhalf.a
	gcc -o $@ obj/main.o -L. -lhalf -lm
check: program
	./program
END
        ./configure; make -s -j2; make -s check; strip program; make -s clean 2>/dev/null || true
        objdump -f program | grep -c architecture
        """], ["c-build"])
    shut(t, ["c-build"], [(["/bin/sh", "-c", f"cp /bin/true {t.tmp}/x; {t.tmp}/x"], "exec",
                           t.tmp + "/x")])
    no_network(t, ["c-build"])


@test(once=True, user="user")
def pip_install(t):
    need("python3")
    if t.native([PYTHON, "-c", "import pip, venv"]).code != 0:
        need("pip")
    os.makedirs(t.home + "/.cache/pip", exist_ok=True)
    files = {"parcel/__init__.py": "print('parcel', __name__)\n",
             "parcel-1.0.dist-info/entry_points.txt":
                 "[console_scripts]\nparcel = parcel:__name__.strip\n"}
    with Server(python_index(files)) as index:
        more = t.write_policy({"version": 1,
                               "network": {"connect": [f"127.0.0.1:{index.port}"]}}, "more.yaml")
        env = {**t.env, "PIP_INDEX_URL": index.url + "simple/", "PIP_NO_INPUT": "1",
               "PIP_DISABLE_PIP_VERSION_CHECK": "1", "PIP_ROOT_USER_ACTION": "ignore"}
        t.works(["/bin/sh", "-ec", f"""
            {PYTHON} -m pip install -q --target lib parcel; PYTHONPATH=lib {PYTHON} -c 'import parcel'
            {PYTHON} -m venv --without-pip .venv
            {PYTHON} -m pip --python .venv/bin/python install -q parcel
            .venv/bin/parcel; .venv/bin/python -c 'import parcel'
            """], ["pip-install", more], env=env)
        check("/simple/parcel/" in index.asked, index.asked)
        # Without that address the index is out of reach.
        run = t.under(["pip-install"], [PYTHON, "-m", "pip", "install", "-q", "--retries", "0",
                                        "--target", "nowhere", "parcel"], env=env)
        check(run.code not in (0, 125), run)
        check(any(record.get("endpoint") == f"tcp:127.0.0.1:{index.port}"
                  for record in run.blocked), run)
        shut(t, ["pip-install", more])


@test(once=True, user="user")
def npm_install(t):
    need("node", "npm")
    steal = ("const fs = require('fs');"
             "for (const f of [process.env.HOME + '/.ssh/id_rsa', process.env.INIT_CWD + '/.env'])"
             " try { fs.appendFileSync('got', fs.readFileSync(f)) } catch {}")
    files = {"package.json": json.dumps({"name": "parcel", "version": "1.0.0", "main": "main.js",
                                         "bin": "cli.js",
                                         "scripts": {"postinstall": "node steal.js"}}),
             "main.js": "module.exports = 'parcel works';\n", "steal.js": steal,
             "cli.js": "#!/usr/bin/env node\nconsole.log('parcel runs');\n"}
    with Server(npm_registry(files)) as registry:
        more = t.write_policy({"version": 1,
                               "network": {"connect": [f"127.0.0.1:{registry.port}"]}},
                              "more.yaml")
        env = {**t.env, "npm_config_registry": registry.url, "npm_config_audit": "false",
               "npm_config_fund": "false", "npm_config_update_notifier": "false"}
        install = """
            echo '{"name": "p", "version": "1.0.0", "dependencies": {"parcel": "^1.0.0"}, \
                   "allowScripts": {"parcel": true}}' > package.json
            npm install --silent; node -p 'require("parcel")'; node_modules/.bin/parcel
            npm ls --parseable | wc -l
            """
        t.works(["/bin/sh", "-ec", install], ["npm-install", more], env=env,
                refused=[t.home + "/.npmrc", t.home + "/.ssh/id_rsa", t.inside + "/.env"])
        check("/parcel/-/parcel-1.0.0.tgz" in registry.asked, registry.asked)
        got = t.inside + "/node_modules/parcel/got"
        t.plant()
        plant_secrets(t)
        equal(t.native(["/bin/sh", "-ec", install], env=env).code, 0)
        if os.path.exists(got):  # an npm that runs scripts of packages
            equal(open(got, encoding="ascii").read(), "secret\nsecret\n")
            t.plant()
            plant_secrets(t)
            run = t.under(["npm-install", more], ["/bin/sh", "-ec", install], env=env)
            check(run.code == 0 and not os.path.exists(got), run)
            equal(sorted({os.path.basename(record["path"]) for record in run.blocked
                         if record["class"] == "file"}), [".env", ".npmrc", "id_rsa"], run)
        shut(t, ["npm-install", more])


if __name__ == "__main__":
    sys.exit(main())
