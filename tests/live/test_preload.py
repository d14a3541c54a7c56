#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""What the preload library tells of, that nobody can harm by it, and that nobody notices it."""
import glob
import os
import shutil
import socket
import subprocess
import sys
import threading

sys.dont_write_bytecode = True
from harness import SYSTEM, check, equal, main, need, test

TOKENS = {"HANDLER_TOKEN": "h", "CHILD_TOKEN": "c", "THREAD_TOKEN": "t", "SHUT_TOKEN": "s",
          "MY_SECRET": "m", "HARMLESS": "n"}
LIBRARY = ("-q", "--observe-lib")
HTTP = ("-q", "--observe-lib=http")


def files(t):
    return sorted(glob.glob(t.bin + "/preload/*.so"), key=len)


def told(run):
    return [(record["function"], *record["args"]) for record in run.records
            if record["event"] == "reported"]


def counts(run):
    return run.records[-1]["preload"]


def both(t, command, *acts, policy=None, options=LIBRARY, **more):
    """The same output as without proctor, and nothing refused; the run."""
    more["env"] = {**t.env, **TOKENS, **more.get("env", {})}
    native = t.native([*command, *acts], **more)
    run = t.run([*command, *acts], policy or t.policy(), options=options, **more)
    equal((run.code, run.out, run.err), (native.code, native.out, native.err), run)
    equal(run.blocked, [], run)
    return run


@test(once=True)
def events(t):
    """Each function, with what it was given; no values, and no variables of other names."""
    run = both(t, [t.program("preloaded")], "getenv", "MY_SECRET", "secure_getenv", "AWS_PROFILE",
               "getenv", "HARMLESS", "getenv", "KEYBOARD", "getenv", "TOKE", "getenv", "GITHUB_PAT",
               "getenv", "api_Key", "getaddrinfo", "192.0.2.1", "443", "getaddrinfo", "::1", "",
               "dlopen", "libm.so.6", "dlopen", "libnot_there.so", "system", "exit 3",
               "popen", "echo x")
    equal(told(run), [("getenv", "MY_SECRET"), ("secure_getenv", "AWS_PROFILE"),
                      ("getenv", "GITHUB_PAT"), ("getenv", "api_Key"),
                      ("getaddrinfo", "192.0.2.1", "443"), ("getaddrinfo", "::1"),
                      ("dlopen", "libm.so.6"), ("dlopen", "libnot_there.so"),
                      ("system", "exit 3"), ("popen", "echo x", "r")])
    equal(counts(run), {"received": 10, "malformed": 0, "dropped": 0})
    equal(run.records[0]["library"], "events")
    record = [record for record in run.records if record["event"] == "reported"][4]
    equal((record["source"], record["host"], record["exe"]),
          ("preload", "192.0.2.1", t.program("preloaded")))
    check(record["exec_id"] > 0 and record["pid"] > 1 and "decision" not in record, record)
    shown = t.native([t.proctor, "log", run.log])
    check("reported getenv MY_SECRET [" in shown.out, shown)
    for form in ("ocsf", "ecs"):
        shown = t.native([t.proctor, "log", "--format", form, run.log])
        equal(len(shown.out.splitlines()), len(run.records), shown)
        check("MY_SECRET" in shown.out, shown)


@test(once=True)
def not_asked_for(t):
    """Without it there is no library, and its call is a getpid like any other."""
    run = both(t, [t.program("preloaded")], "getenv", "MY_SECRET", "forge", "x", options=("-q",))
    equal(told(run), [])
    check("preload" not in run.records[-1] and "library" not in run.records[0], run.records)


@test(once=True)
def places(t):
    """In signal handlers, forks, vforks, threads, and in a program that shuts itself in."""
    run = both(t, [t.program("preloaded")], "signal", "fork", "vfork", "thread", "THREAD_TOKEN", "shut")
    equal(told(run), [("getenv", name) for name in ("HANDLER_TOKEN", "CHILD_TOKEN", "CHILD_TOKEN",
                                                   "THREAD_TOKEN", "SHUT_TOKEN")])
    pids = [record["pid"] for record in run.records if record["event"] == "reported"]
    equal(len(set(pids)), 3, "of the process and two children")


@test(once=True)
def static_programs(t):
    """They go without, and so does nobody that they start."""
    run = both(t, [t.bin + "/preloaded_static"], "getenv", "MY_SECRET", "system",
               f"exec {t.program('preloaded')} getenv CHILD_TOKEN")
    equal(told(run), [("getenv", "CHILD_TOKEN")])


@test(once=True)
def chains(t):
    """It survives every exec, env -i included; the loader's variables of the tool's own do not."""
    program = t.program("preloaded")
    acts = f"{program} getenv MY_SECRET"
    libraries = ":".join(files(t)[:1])
    for command in (f"exec env -i {acts}", f"exec env LD_PRELOAD= {acts}",
                    f"unset LD_PRELOAD; {acts}", f"LD_PRELOAD=libm.so.6 exec {acts}",
                    f"LD_PRELOAD=$LD_PRELOAD:libm.so.6:$LD_PRELOAD exec {acts}"):
        run = t.run(["/bin/sh", "-c", command], options=LIBRARY)
        equal((run.code, told(run), run.blocked), (0, [("getenv", "MY_SECRET")], []), command, run)
    shown = ["/bin/sh", "-c", "LD_PRELOAD=libm.so.6 exec env"]
    for rules, wanted in ((None, libraries), ({"keep": ["LD_*", "PATH"]}, libraries + ":libm.so.6"),
                          ({"set": {"LD_PRELOAD": "libm.so.6"}}, libraries + ":libm.so.6")):
        policy = t.policy(**({"env": rules} if rules else {}))
        run = t.run(shown, policy, options=(*LIBRARY, "--log", "rewritten"))
        equal([line for line in run.out.splitlines() if "LD_PRELOAD" in line],
              [f"LD_PRELOAD={wanted}"], run)
        dropped = [record["arg"] for record in run.records if record["event"] == "rewritten"]
        equal(dropped, [] if rules else ["LD_PRELOAD=libm.so.6"], run)
    # What proctor itself was started with; a sanitized one would insist on being the first.
    order = ":".join([*filter(None, [t.env.get("ASAN_OPTIONS")]), "verify_asan_link_order=0"])
    run = t.run(["/usr/bin/env"], env={**t.env, "LD_PRELOAD": "libm.so.6", "ASAN_OPTIONS": order},
                options=LIBRARY)
    check(f"LD_PRELOAD={libraries}:libm.so.6\n" in run.out, run)
    # A static one in between has none, and hands none on.
    run = t.run([t.bin + "/preloaded_static", "getenv", "LD_PRELOAD"], options=LIBRARY)
    equal(run.out, "(none)\n", run)


@test(once=True)
def any_policy(t):
    """No policy keeps the library from the tool; it opens nothing beside it, and nothing to change."""
    acts = ["getenv", "MY_SECRET"]
    folder = t.bin + "/preload"
    for policy in (t.policy(deny=[folder]), t.policy(hide=[folder]), t.policy(hide=[folder + "/*.so"]),
                   t.policy(exec_deny=[folder]), t.policy(read=[*SYSTEM, t.program("preloaded")]),
                   t.policy(execute=["/usr/bin", "/bin", t.program("preloaded")]),
                   {**t.policy(), "syscalls": {"deny": ["getpid"]}}):
        run = both(t, [t.program("preloaded")], *acts, policy=policy)
        equal(told(run), [("getenv", "MY_SECRET")], policy)
    # Only the file itself.
    for command in (["/bin/cat", files(t)[1]], ["/bin/ls", folder]):
        equal(t.native(command).code, 0)
        run = t.run(command, t.policy(deny=[folder]), options=LIBRARY)
        check(run.code != 0 and run.blocked, run)
    for command in (f": >> {files(t)[0]}", f"rm {files(t)[0]}", f"mv {folder} {folder}2"):
        run = t.run(["/bin/sh", "-c", command], t.policy(write=["/"]), options=LIBRARY)
        check(run.code != 0, run)
        equal(run.blocked[0]["detail"], "proctor's own files", run)


@test(once=True)
def forged(t):
    """Malformed messages are counted and do nothing; a lie is what the tool says."""
    run = both(t, [t.program("preloaded")], "forge", "a text", "getenv", "MY_SECRET")
    equal(told(run), [("system", "rm -rf /"), ("getenv", "MY_SECRET")])
    equal(counts(run), {"received": 18, "malformed": 16, "dropped": 0})


@test(once=True)
def flood(t):
    """More than a log should hold: counted, and nothing else is lost."""
    secret = t.outside + "/file"
    run = t.run(["/bin/sh", "-c", f"{t.program('preloaded')} flood 5000; cat {secret}"], t.narrow(),
                options=LIBRARY)
    equal(run.out, "flooded\n", run)
    t.one_record(run, path=secret)
    found = counts(run)
    reported = len(told(run))
    equal((found["received"], found["malformed"]), (5000, 0))
    equal(reported + found["dropped"], 5000)
    check(1000 < reported < 2000 + 1000 * (run.records[-1]["duration_s"] + 1), found, reported)


@test(once=True)
def full_log(t):
    """A log that takes nothing holds up no call for it."""
    listener = socket.socket(socket.AF_UNIX)
    path = t.inside + "/log-socket"
    listener.bind(path)
    listener.listen(1)
    os.chmod(path, 0o777)
    run = t.run([t.program("preloaded"), "flood", "4000"], log="unix:" + path, fine=False,
                options=LIBRARY)
    equal((run.code != 0, run.out), (True, "flooded\n"), run)
    listener.close()


@test(once=True)
def asked_by_policy(t):
    """observe.library; the option and the policy, the more of both; what cannot be is refused."""
    acts = [t.program("preloaded"), "getenv", "MY_SECRET"]
    policy = t.policy()
    for library, options, wanted in ((True, (), "events"), ("http", (), "http"),
                                     ("http", ("--observe-lib",), "http"),
                                     (True, ("--observe-lib=http",), "http"), (False, (), None)):
        run = t.run(acts, {**policy, "observe": {"library": library}}, options=("-q", *options))
        equal(run.records[0].get("library"), wanted)
        equal(told(run), [("getenv", "MY_SECRET")] if wanted else [])
    run = t.run(acts, policy, options=("--observe-lib=x",), fine=False)
    equal((run.code, "takes nothing or http" in run.err), (125, True), run)
    rewrite = [{"path": t.bin + "/preload", "to": t.outside}]
    run = t.run(acts, t.policy(rewrite=rewrite), options=LIBRARY, fine=False)
    equal((run.code, "stands before the preload library" in run.err), (125, True), run)


@test(once=True)
def real_programs(t):
    """Python, Node, a C++ program, a program of musl: as natively, and heard."""
    need("node", "g++")
    wide = t.wide()
    script = ("import ctypes, os, socket, subprocess; ctypes.CDLL(None).getenv(b'MY_SECRET');"
              "socket.getaddrinfo('127.0.0.1', 80); os.system('true');"
              "print(subprocess.check_output(['/bin/echo', 'x']))")
    run = both(t, ["/usr/bin/python3", "-c", script])
    check({("getenv", "MY_SECRET"), ("getaddrinfo", "127.0.0.1", "80"), ("system", "true")}
          <= set(told(run)), told(run))
    run = both(t, ["node", "-e", "console.log(process.env.MY_SECRET, process.env.HARMLESS);"
                   "console.log(require('child_process').execSync('echo y').toString())"], policy=wide)
    check(("getenv", "MY_SECRET") in told(run), told(run))
    source = t.inside + "/x.cc"
    with open(source, "w", encoding="ascii") as file:
        file.write('#include <cstdlib>\n#include <iostream>\n#include <stdexcept>\nint main() { try {\n'
                   'std::cout << std::getenv("MY_SECRET") << std::endl; throw std::runtime_error("x"); }\n'
                   'catch (std::exception &e) { std::cout << e.what() << std::endl; } }\n')
    equal(t.native(["g++", "-o", t.inside + "/x", source]).code, 0)
    equal(told(both(t, [t.inside + "/x"])), [("getenv", "MY_SECRET")])
    if shutil.which("musl-gcc"):
        equal(t.native(["musl-gcc", "-o", t.inside + "/x", "-x", "c", "-"], stdin=(
            '#include <stdio.h>\n#include <stdlib.h>\n'
            'int main(void) { puts(getenv("MY_SECRET")); return 0; }\n')).code, 0)
        equal(told(both(t, [t.inside + "/x"])), [("getenv", "MY_SECRET")])
    os.unlink(t.inside + "/x")


def serve_tls(t, requests):
    """A server of openssl's, and its port."""
    port = 20000 + os.getpid() % 20000
    key = ["-keyout", t.home + "/key.pem", "-out", t.home + "/cert.pem"]
    subprocess.run(["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-subj", "/CN=x", *key],
                   check=True, capture_output=True)
    server = subprocess.Popen(["openssl", "s_server", "-accept", f"127.0.0.1:{port}", "-www", "-naccept",
                               str(requests), "-key", t.home + "/key.pem", "-cert",
                               t.home + "/cert.pem"], stdout=subprocess.PIPE,
                              stderr=subprocess.DEVNULL, stdin=subprocess.DEVNULL)
    for line in server.stdout:
        if b"ACCEPT" in line:
            break
    threading.Thread(target=server.stdout.read, daemon=True).start()
    return server, port


@test(once=True)
def start_lines(t):
    """Of HTTP within TLS, only when asked: OpenSSL linked with the program, and loaded by Python."""
    need("openssl")
    server, port = serve_tls(t, 4)
    policy = t.policy(network={"connect": [f"127.0.0.1:{port}"]})
    client = ["openssl", "s_client", "-quiet", "-connect", f"127.0.0.1:{port}"]
    script = ("import socket, ssl; context = ssl._create_unverified_context();"
              f"s = context.wrap_socket(socket.create_connection(('127.0.0.1', {port})));"
              "s.sendall(b'GET /from/python?x=1 HTTP/1.0\\r\\nA: b\\r\\n\\r\\n'); print(s.recv(7))")
    try:
        for options in (LIBRARY, HTTP):
            run = t.run(client, policy, options=options, stdin="GET /path HTTP/1.0\n\n")
            check("HTTP/1.0 200 ok" in run.out, run)
            lines = [event for event in told(run) if event[0].startswith("SSL")]
            wanted = [("SSL_write", "GET /path HTTP/1.0"), ("SSL_read", "HTTP/1.0 200 ok")]
            equal(lines, wanted if options == HTTP else [])
            run = t.run(["/usr/bin/python3", "-c", script], policy, options=options)
            equal(run.out, "b'HTTP/1.'\n", run)
            lines = [event for event in told(run) if event[0].startswith("SSL")]
            equal(lines[:1], [("SSL_write", "GET /from/python?x=1 HTTP/1.0")] if options == HTTP else [])
            check(not [line for line in told(run) if line[0] == "dlopen" and "libssl" in line[1]], run)
    finally:
        server.kill()
        server.wait()


if __name__ == "__main__":
    sys.exit(main())
