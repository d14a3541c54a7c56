#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""proctor top: what it draws on a terminal, its keys, and how it leaves the terminal."""
import contextlib
import os
import re
import signal
import subprocess
import sys
import termios
import time

sys.dont_write_bytecode = True
from harness import Skip, check, equal, main, patient, test
from terminal import Terminal

KNOWN = any(os.path.exists(f"{folder}/v/vt100")
            for folder in ("/lib/terminfo", "/usr/share/terminfo", "/etc/terminfo"))


@contextlib.contextmanager
def sessions(t, *scripts, options=()):
    """Runs of shell scripts that end with their standard input, in a folder of sessions of their own."""
    env = {**t.env, "XDG_STATE_HOME": t.dir + "/state"}
    policy = t.write_policy(t.narrow())
    running = []
    try:
        for script in scripts:
            running.append(t.spawn([t.proctor, "run", "-q", *options, "-p", policy, "--", "/bin/sh", "-c",
                                    script + "; echo ready; read line"],
                                   env=env, stdin=subprocess.PIPE))
            equal(running[-1].stdout.readline(), "ready\n", script)
        yield running
    finally:
        for process in running:
            process.kill()
            process.communicate()


@contextlib.contextmanager
def top(t, *words, rows=30, columns=110, term="vt100", **env):
    if not KNOWN:
        raise Skip("no terminfo entry of vt100")
    terminal = Terminal([t.proctor, "top", *words], rows, columns, cwd=t.inside,
                        env={**t.env, "XDG_STATE_HOME": t.dir + "/state", "TERM": term, **env})
    try:
        yield terminal
    finally:
        terminal.close()


def chosen(terminal):
    return [line for line in terminal.lines if line.startswith("> ")]


def choose(terminal, words):
    """Of two sessions of one second it is not known which comes first."""
    terminal.shows(words)
    if words not in chosen(terminal)[0]:
        terminal.send(b"k" if any(words in line for line in terminal.lines[:terminal.lines.index(chosen(terminal)[0])])
                      else b"j")
    terminal.wait_for(lambda _: words in chosen(terminal)[0], "chosen: " + words)


def figure(terminal, column):
    """Of the session that is chosen."""
    return float(chosen(terminal)[0].split()[column])


BLOCKED, RATE = 4, 5


def settled(terminal):
    """Its modes are those of a shell's terminal."""
    modes = termios.tcgetattr(terminal.fd)[3]
    return bool(modes & termios.ICANON and modes & termios.ECHO)


@test
def what_is_to_be_seen(t):
    """Sessions, processes and attempts, as they are and as they change."""
    busy = (f"i=0; while [ $i -lt 600 ]; do [ -e stop ] && break; true > {t.outside}/new$i; "
            "i=$((i+1)); sleep 0.02; done 2>/dev/null & sleep 300 & child=$!")
    with sessions(t, ":", busy, options=("--no-stack",)) as running, top(t) as seen:
        seen.shows("2 running, 0 ended")
        choose(seen, "-c i=0")
        seen.shows(f"blocked create {t.outside}/new")
        # Its rate, of a second or more.
        seen.wait_for(lambda _: figure(seen, RATE) > 3, "a rate")
        # The tree: the child stands in from its parent.
        tree = "\n".join(seen.lines)
        shell = re.search(r"^( +\d+ \S +)/bin/sh -c", tree, re.M)
        child = re.search(r"^( +\d+ \S +)sleep 300$", tree, re.M)
        check(shell and child and len(child[1]) == len(shell[1]) + 2, seen)
        # Stopped, it stands still; then it goes on.
        seen.send(b" ")
        seen.shows("PAUSED")
        before = figure(seen, BLOCKED)
        seen.read(0.7)
        equal(figure(seen, BLOCKED), before, "paused")
        seen.send(b" ")
        seen.wait_for(lambda _: figure(seen, BLOCKED) > before, "it goes on")
        # Older attempts.
        open(t.inside + "/stop", "w", encoding="ascii").close()
        seen.read(0.5)
        newest = next(line for line in seen.lines if "blocked create" in line)
        seen.send(b"bff")
        seen.shows("without the newest 20")
        check(newest not in seen.lines, seen)
        seen.send(b"b")
        seen.shows("without the newest 10")
        seen.send(b"g")
        seen.wait_for(lambda lines: newest in lines, "the newest again")
        choose(seen, "-c :;")
        equal(figure(seen, BLOCKED), 0)
        # The end of one is seen.
        running[0].communicate("\n", timeout=patient(10))
        seen.shows("1 running, 1 ended")
        seen.shows("exit 0")
        seen.send(b"q")
        equal((seen.end(), settled(seen)), (0, True), seen)


@test(once=True)
def sessions_come_and_go(t):
    with top(t) as seen:
        seen.shows("No session is running")
        with sessions(t, ":") as running:
            seen.shows("1 running, 0 ended")
            parent = running[0].pid
            with open(f"/proc/{parent}/task/{parent}/children", encoding="ascii") as file:
                os.kill(int(file.read().split()[0]), signal.SIGKILL)
            seen.shows("killed")
            seen.shows("0 running, 1 ended")
        seen.send(b"q")
        equal(seen.end(), 0)


@test(once=True)
def by_name(t):
    """Of logs that are named, ended or not; of several sessions in one file, the last."""
    run = t.run(["/bin/sh", "-c", f"(: > {t.outside}/one); exit 3"], t.wide())
    t.run(["/bin/sh", "-c", f"(: > {t.outside}/two); exit 4"], t.wide(), log=run.log)
    with top(t, run.log) as seen:
        seen.shows("exit 4")
        seen.shows(f"blocked create {t.outside}/two")
        check(not any("/one" in line for line in seen.lines), seen)
        seen.send(b"q")
        equal(seen.end(), 0)


@test(once=True)
def sizes(t):
    """From the smallest on, every line where it belongs."""
    with sessions(t, *([f"(: > {t.outside}/new)"] * 3)), top(t, rows=24, columns=80) as seen:
        seen.shows("3 running")
        for rows, columns in ((5, 40), (1, 1), (2, 9), (3, 200), (60, 132), (24, 80), (12, 300)):
            seen.resize(rows, columns)
            # Of one row it is the title's.
            seen.wait_for(lambda lines: ("q quit" if len(lines) > 1 else "proctor top")[:seen.columns] in lines[-1],
                          f"{rows}x{columns}")
            if rows >= 24:
                seen.shows("LAST BLOCKED ATTEMPTS")
                seen.shows("blocked create")
                check(seen.lines[0].startswith("proctor top"), seen)
        seen.resize(24, 80)
        for key in (b"k", b"j" * 9, b"\x1b[5~" * 9, b"\x1b[6~" * 9, b"\x1b", b"\x00\xff\xfe", b"\x1bOP", b"xyz"):
            seen.send(key)
            seen.read(0.1)
        seen.shows("3 running")
        seen.send(b"q")
        equal(seen.end(), 0)


@test(once=True)
def names_are_harmless(t):
    """Escape sequences, controls and what hides; the emulator fails on any that gets through."""
    names = ("a\x1b]0;evil\x07b", "c\x1b[2Jd", "e\u202ef", "g\u200bh", "i\x9b31mj", "k\u00e9\u4e16l", "m\udcffn")
    script = "".join(f"(: > '{t.outside}/{name}'); " for name in names) + "set --"
    shown = ("a\\x1b]0;evil\\x07b", "c\\x1b[2Jd", "e\\xe2\\x80\\xaef", "g\\xe2\\x80\\x8bh", "i\\xc2\\x9b31mj",
             "k\u00e9\u4e16l", "m\ufffdn")
    with sessions(t, script):
        for term, env in (("vt100", {}), ("xterm", {}), ("vt100", {"LC_ALL": "C"})):
            if term == "xterm" and not os.path.exists("/lib/terminfo/x/xterm"):
                continue
            with top(t, term=term, **env) as seen:
                seen.shows("LAST BLOCKED")
                for text in shown:
                    if env and not text.isascii():
                        text = "".join(char if char < "\x80" else
                                       "".join(f"\\x{byte:02x}" for byte in char.encode()) for char in text)
                    seen.wait_for(lambda lines, text=text: any(text in line.replace("\u4e16 ", "\u4e16")
                                                               for line in lines), text)
                if term == "xterm":  # which has these keys; vt100 has not
                    seen.send(b"\x1b[6~")
                    seen.shows("without the newest 6")
                    seen.send(b"\x1b[5~")
                    seen.wait_for(lambda lines: not any("without" in line for line in lines), "the newest")
                seen.send(b"q")
                equal(seen.end(), 0)
                check(b"evil\x07" not in seen.raw and b"\x1b[2Jd" not in seen.raw)


@test(once=True)
def without_a_terminal(t):
    """Says so; and whatever ends it, the terminal is as it was."""
    run = t.native([t.proctor, "top"])
    check(run.code == 125 and "must be a terminal" in run.err and not run.out, run)
    for words, term, expected in (((), "no-such", b"'no-such' (TERM) is unknown"),
                                  ((), "dumb", b"'dumb' (TERM) cannot do this"),
                                  (("nosuch",), "vt100", b"no session 'nosuch'"),
                                  (("--nosuch",), "vt100", b"unrecognized option")):
        with top(t, *words, term=term) as seen:
            equal(seen.end(), 125, seen)
            check(expected in seen.raw and settled(seen), words, term, seen.raw)
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        with top(t) as seen:
            seen.shows("No session")
            check(not settled(seen), "it does not take keys one by one")
            if number == signal.SIGINT:
                seen.send(b"\x03")
            else:
                os.kill(seen.pid, number)
            equal(seen.end(), -number)
            check(settled(seen), number)


@test(once=True)
def keeps_up(t):
    """A log that grows fast does not keep keys waiting."""
    script = f"i=0; while [ $i -lt 30000 ]; do true > {t.outside}/new; i=$((i+1)); done 2>/dev/null & :"
    with sessions(t, script, options=("--no-stack",)), top(t) as seen:
        seen.wait_for(lambda _: chosen(seen) and figure(seen, BLOCKED) > 500, "attempts")
        began = time.monotonic()
        seen.send(b"q")
        equal(seen.end(), 0)
        check(time.monotonic() - began < patient(2), "it took", time.monotonic() - began)


if __name__ == "__main__":
    sys.exit(main())
