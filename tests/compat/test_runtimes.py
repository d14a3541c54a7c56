#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""Programs that make code as they run, and processes that confine themselves: Node and Chromium.

What they print is what they print natively, what the policy does not allow they do not do, and a sandbox
of their own is refused in a way that they say. See "Programs with a sandbox of their own" in proctor-policy(5).
"""
import os
import sys

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "live"))
from harness import LONG, Failure, Skip, check, equal, main, need, test

NATIVE_MAX = 8  # seconds; about one where nothing else runs
PROGRAMS = ["/usr", "/bin", "/lib", "/lib64", "/opt"]

PAGE = """<html><body><p id="a"></p><p id="b"></p><script>
const bytes = new Uint8Array([0, 97, 115, 109, 1, 0, 0, 0, 1, 5, 1, 96, 0, 1, 127, 3, 2, 1, 0,
                              7, 5, 1, 1, 102, 0, 0, 10, 6, 1, 4, 0, 65, 42, 11]);
let sum = 0;
for (let i = 0; i < 1e6; i++) sum += i % 7;
document.getElementById("a").textContent = sum;
document.getElementById("b").textContent = new WebAssembly.Instance(new WebAssembly.Module(bytes)).exports.f();
</script></body></html>
"""


def chromium(t, address, *options):
    profile = t.inside + "/profile"
    return ["chromium", "--headless", "--disable-gpu", "--no-first-run", "--disable-background-networking",
            "--disable-component-update", "--disable-sync", "--disable-extensions", f"--user-data-dir={profile}", *options, "--dump-dom", address]


def chromium_policy(t, **more):
    """What a browser without network needs: its profile, shared memory, and the sockets in its own folder."""
    return t.policy(read=["/"], write=[t.inside, "/dev/shm", "/dev/null"], execute=PROGRAMS,
                    modify=["/proc/self/oom_score_adj", "/proc/self/clear_refs"],
                    network={"bind": [f"unix:{t.inside}/**"], "connect": [f"unix:{t.inside}/**"]}, **more)


def browser_environment(t):
    return {**t.env, "HOME": t.inside, "TMPDIR": t.inside, "DBUS_SESSION_BUS_ADDRESS": "/dev/null",
            "XDG_CONFIG_HOME": t.inside + "/config", "XDG_CACHE_HOME": t.inside + "/cache"}


BUSY = []  # not empty: the machine was found to be


def in_time(t, command):
    """What it does natively; on a machine that is too busy for a browser, nothing can be told."""
    native = None
    if not BUSY:
        native = t.native(["timeout", "-k", "1", str(NATIVE_MAX), *command], env=browser_environment(t))
    if BUSY or native.code in (124, 137):
        BUSY.append(command)
        raise Skip("the machine is too busy for a browser")
    if native.code != 0:
        raise Skip("chromium does not work here natively: " + native.err[-300:])
    t.plant()
    return native


def native_chromium(t, address):
    """What it prints natively, and the command."""
    need("chromium")
    if t.root and not LONG:
        raise Skip("in the long form; an ordinary user does it here")
    command = chromium(t, address, "--no-sandbox")
    return in_time(t, command), command


def run_chromium(t, command, policy):
    """Under proctor. One that does not end in time may have met a busy machine."""
    try:
        return t.run(command, policy, env=browser_environment(t))
    except Failure as failure:
        if str(failure).startswith("it hangs"):
            in_time(t, [*command[:1], "--no-sandbox", *command[1:]])
        raise


@test
def chromium_headless(t):
    """With --no-sandbox: zygote, renderers, JavaScript's and WebAssembly's compiler."""
    page = t.dir + "/page.html"
    with open(page, "w", encoding="ascii") as file:
        file.write(PAGE)
    native, command = native_chromium(t, "file://" + page)
    check('"a">2999997<' in native.out and '"b">42<' in native.out, native)
    run = run_chromium(t, command, chromium_policy(t))
    equal((run.code, run.out), (0, native.out), run)
    equal([record for record in run.blocked if record["class"] == "exec"], [], run)


@test
def chromium_reads_what_it_may(t):
    """A page that the policy denies is not shown, and the attempt is in the log."""
    secret = t.outside + "/file"
    native, command = native_chromium(t, "file://" + secret)
    check("contents of out/file" in native.out, native)
    run = run_chromium(t, command, chromium_policy(t, deny=[secret]))
    check("contents of out/file" not in run.out, run)
    check(secret in {record.get("path") for record in run.blocked}, run)


@test
def chromium_with_its_own_sandbox(t):
    """Its namespaces are refused, it says so and ends. So it does natively where the kernel gives it none."""
    if t.root:
        raise Skip("as root it refuses by itself")
    _, command = native_chromium(t, "about:blank")
    command.remove("--no-sandbox")
    run = run_chromium(t, command, chromium_policy(t))
    check(run.code != 0 and "No usable sandbox" in run.err, run)
    check("clone" in {record["syscall"] for record in run.blocked}, run)


NODE = """
const fs = require('fs');
const {execFileSync, fork} = require('child_process');
const {Worker, isMainThread} = require('worker_threads');
if (process.argv[3] === 'child') {
    process.on('message', (message) => { process.send(message * 2); process.disconnect(); });
} else {
    const bytes = new Uint8Array([0, 97, 115, 109, 1, 0, 0, 0, 1, 5, 1, 96, 0, 1, 127, 3, 2, 1, 0,
                                  7, 5, 1, 1, 102, 0, 0, 10, 6, 1, 4, 0, 65, 42, 11]);
    console.log(new WebAssembly.Instance(new WebAssembly.Module(bytes)).exports.f());
    let sum = 0;
    for (let i = 0; i < 3e6; i++) sum += i % 7;
    console.log(sum, execFileSync('/bin/echo', ['a child']).toString().trim());
    for (const act of [() => fs.readFileSync(process.argv[2], 'utf8'), () => fs.writeFileSync('made', 'x') || 'made',
                       () => execFileSync(process.argv[2] + '.sh').toString()]) {
        try { console.log(act().trim()); } catch (error) { console.log(error.code); }
    }
    const worker = new Worker('require("worker_threads").parentPort.postMessage(6 * 7)', {eval: true});
    worker.on('message', (answer) => {
        console.log('worker', answer);
        const child = fork(process.argv[1], [process.argv[2], 'child']);
        child.on('message', (answer) => console.log('fork', answer));
        child.send(21);
    });
}
"""


@test
def node(t):
    """Its compilers, threads and children, and an error of its own for what is denied."""
    need("node")
    script, secret = t.inside + "/script.js", t.outside + "/secret"
    command = ["node", script, secret]

    def plant():
        t.plant()
        for path, text in ((script, NODE), (secret, "a secret\n"), (secret + ".sh", "#!/bin/sh\necho run\n")):
            with open(path, "w", encoding="ascii") as file:
                file.write(text)
        os.chmod(secret + ".sh", 0o755)

    plant()
    native = t.native(command)
    equal(native.out, "42\n8999994 a child\na secret\nmade\nrun\nworker 42\nfork 42\n", native)
    for more in ({}, {"deny": [t.outside]}):
        plant()
        allowed = PROGRAMS + ([] if more else [t.outside])
        run = t.run(command, t.wide(execute=allowed, **more))
        expected = native.out
        if more:
            expected = expected.replace("a secret", "EACCES").replace("run\n", "EACCES\n")
        equal((run.code, run.out), (0, expected), run)
        equal(sorted({record["path"] for record in run.blocked}),
              [secret, secret + ".sh"] if more else [], run)


if __name__ == "__main__":
    sys.exit(main())
