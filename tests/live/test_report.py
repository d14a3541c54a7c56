#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""proctor report: what is on the page, that nothing in it is the tool's, and how it does with many."""
import contextlib
import html.parser
import json
import os
import re
import resource
import shutil
import subprocess
import sys

sys.dont_write_bytecode = True
from browser import Browser, find
from harness import LONG, Skip, check, equal, main, test

VOID = {"meta", "input", "br", "link", "img"}


class Page(html.parser.HTMLParser):
    """Texts by the id of the section that they stand in."""

    def __init__(self, text):
        super().__init__(convert_charrefs=True)
        self.text = text
        self.sections = {}
        self.tags = []
        self.attributes = []
        self.scripts = []
        self.current = None
        self.inside = None
        self.feed(text)
        self.close()

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)
        self.attributes += attrs
        self.inside = tag
        if tag == "section":
            self.current = dict(attrs)["id"]
            self.sections[self.current] = ""
        if tag == "script":
            self.scripts.append("")

    def handle_endtag(self, tag):
        self.inside = None
        if tag == "section":
            self.current = None

    def handle_data(self, data):
        if self.inside == "script":
            self.scripts[-1] += data
        elif self.current:
            self.sections[self.current] += data


def report(t, log, *options):
    path = t.dir + "/page.html"
    run = t.native([t.proctor, "report", log, "-o", path, *options])
    equal((run.code, run.out, run.err), (0, "", ""), run)
    with open(path, encoding="utf-8") as file:
        page = Page(file.read())
    # Nothing is fetched from anywhere.
    for name, value in page.attributes:
        check(name not in ("src", "action", "formaction"), name, value)
        check(name != "href" or value.startswith("#"), value)
        check(not name.startswith("on"), name)
    check("default-src 'none'" in page.text and "url(" not in page.text)
    check("https://" not in page.scripts[-1])
    return page


def some_log(t):
    script = (f"cat {t.outside}/file; cat {t.outside}/file; (: > {t.outside}/new); cat file > /dev/null;"
              "bash -c ': > /dev/tcp/192.0.2.1/443'; sh -c '/bin/true; exit 3'")
    return t.run(["/bin/sh", "-c", script], t.narrow(exec_deny=["/usr/bin/true"]),
                 options=("-q", "--log", "all"))


@test
def on_the_page(t):
    """Summary, remedies, stacks, ancestry, processes, files, endpoints."""
    run = some_log(t)
    page = report(t, run.log)
    equal(set(page.sections), {"blocked", "timeline", "files", "endpoints", "all"})
    blocked = page.sections["blocked"]
    check(re.search(rf"2\s*read\s*{re.escape(t.outside)}/file", blocked), blocked)
    for words in (f'files: {{create: ["{t.outside}/new"]}}', 'network: {connect: ["192.0.2.1:443"]}',
                  "no rule allows it", "policy.yaml:1", "tcp:192.0.2.1:443", "/usr/bin/true",
                  f"cat {t.outside}/file", "in /usr/lib/x86_64-linux-gnu/libc.so"):
        check(words in blocked, words, blocked)
    equal(blocked.count("Ancestry"), 4, blocked)
    equal(page.tags.count("details") >= 4, True)
    # The remedies are true: with them, nothing is blocked but what a rule denies.
    check("sh -c /bin/true; exit 3" in page.sections["timeline"], page.sections["timeline"])
    for words in ("libc.so.6", "new", "file", "read", "allowed", "blocked"):
        check(words in page.sections["files"], words)
    check(re.search(r"tcp:192.0.2.1:443\s*connect\s*blocked 1", page.sections["endpoints"]))
    data = json.loads(page.scripts[0])
    equal(len(data["events"]), len(run.records))
    for event, record in zip(data["events"], run.records):
        equal(data["strings"][event[1]], record["event"])
    depth = re.findall(r"padding-left:(\d+)em", page.text)
    check(len(set(depth)) > 1, "no tree:", depth)


@test
def what_the_tool_chose(t):
    """Names that would be markup, script, or control the display."""
    names = ["<script>alert(1)</script>", "</script><img src=x onerror=alert(1)>", "\"' onload='x",
             "&lt;b&gt;", "<!--", "\u202etxt", "\x1b[31m", "a\nb"]
    run = t.run(["/bin/sh", "-c", f'for n in "$@"; do mkdir "{t.outside}/$n"; done 2>/dev/null', "sh",
                 *[name.replace("/", "") for name in names], "</script>"],
                t.wide(), options=("-q", "--log", "all"))
    check(len(run.blocked) >= 8, run)
    page = report(t, run.log)
    equal([tag for tag in page.tags if tag in ("img", "b", "script")].count("img"), 0)
    equal(page.tags.count("script"), 2)
    check("<script>alert(1)<script>" in page.sections["blocked"], page.sections["blocked"])
    check("\\x1b[31m" in page.sections["blocked"] and "\\xe2\\x80\\xaetxt" in page.sections["blocked"])
    check(not re.search("[\x00-\x08\x0b-\x1f\x7f-\x9f\u202e]", page.text))
    json.loads(page.scripts[0])


@test(once=True)
def options(t):
    log = some_log(t).log
    run = t.native([t.proctor, "report", log])
    equal(run.code, 125, run)
    run = t.native([t.proctor, "report", log, "-o", t.dir + "/none/page"])
    equal((run.code, run.out), (125, ""), run)
    run = t.native([t.proctor, "report", t.dir + "/none", "-o", "page"])
    equal(run.code, 125, run)
    check(not os.path.exists(t.inside + "/page"))
    run = t.native([t.proctor, "report", log, "-o", "-"])
    check(run.code == 0 and run.out.startswith("<!doctype html>"), run)
    # A log that was cut, one with lines that are none, an empty one.
    with open(log, encoding="utf-8") as file:
        lines = file.readlines()
    for number, text in enumerate((lines[1:-1], [*lines[:3], "nonsense\n", "{}\n", lines[3][:50]], [])):
        with open(f"{t.dir}/{number}", "w", encoding="utf-8") as file:
            file.writelines(text)
        report(t, f"{t.dir}/{number}")


def large_log(t, count):
    path = t.dir + "/large"
    common = {"session": "s", "class": "file", "syscall": "openat", "uid": 0, "cwd": "/", "ppid": 1}
    with open(path, "w", encoding="utf-8") as file:
        file.write(json.dumps({"ts": "2026-11-25T10:00:00.000000000Z", "seq": 1, "session": "s",
                               "event": "start", "command": ["make"], "host": "vm", "pid": 1}) + "\n")
        for seq in range(2, count + 1):
            process = seq // 50 + 2
            blocked = seq % 10 == 0
            file.write(json.dumps({
                "ts": f"2026-11-25T10:{seq // 2000 % 60:02}:{seq // 40 % 60:02}.{seq % 1000:03}000000Z",
                "seq": seq, "event": "blocked" if blocked else "allowed", "op": "read",
                "path": f"/usr/lib/d{seq % 97}/f{seq % 9001}", "decision": "deny" if blocked else "allow",
                "rule": None, "pid": process, "tid": process, "exec_id": process,
                "parent_exec_id": max(1, process // 3), "exe": "/usr/bin/cc", "comm": "cc",
                "argv": ["cc", "-c", f"x{process}.c"], **common}) + "\n")
    return path


@test(once=True)
def many_records(t):
    path = large_log(t, 100000)
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    page = report(t, path)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    took = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    check(took < 15, "it took", took)
    check(len(page.text) < 30e6, len(page.text))
    equal(len(json.loads(page.scripts[0])["events"]), 100000)


@test(once=True)
def script_is_sound(t):
    """Syntax, where there is a node to tell."""
    node = shutil.which("node", path="/usr/bin:/usr/local/bin")
    if not node:
        raise Skip("no node")
    page = report(t, some_log(t).log)
    with open(t.dir + "/script.js", "w", encoding="utf-8") as file:
        file.write(page.scripts[1])
    run = t.native([node, "--check", t.dir + "/script.js"])
    equal(run.code, 0, run)


ROWS = "[...document.querySelectorAll('#blocked tbody tr')].filter((row) => row.offsetHeight).length"
OPEN = "document.querySelector('#blocked details').open"
FOCUS = "document.activeElement.id || document.activeElement.tagName"
# How far the colour of what was blocked stands out from the background (WCAG 2: 4.5 is enough to read).
CONTRAST = """(() => {
	const probe = document.body.appendChild(document.createElement("p"));
	probe.className = "blocked";
	probe.style.background = "Canvas";
	const style = getComputedStyle(probe);
	const light = (colour) => colour.match(/[0-9.]+/g).slice(0, 3).map((part) => part / 255)
		.map((part) => part <= 0.04045 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4)
		.reduce((sum, part, i) => sum + part * [0.2126, 0.7152, 0.0722][i], 0);
	const [low, high] = [light(style.color), light(style.backgroundColor)].sort((a, b) => a - b);
	const dark = light(style.backgroundColor) < 0.2;
	probe.remove();
	return [dark, (high + 0.05) / (low + 0.05)];
})()"""


@contextlib.contextmanager
def browser(t):
    one = Browser(t)
    try:
        yield one
        equal(one.errors, [], "on the console")
    finally:
        one.close()
        subprocess.run(["rm", "-rf", t.dir + "/profile"], check=False)


@test(once=True)
def in_a_browser(t):
    """A click opens an attempt, a search narrows the tables; light and dark can be read."""
    find()
    report(t, some_log(t).log)
    with browser(t) as page:
        for scheme in ("light", "dark"):
            page.call("Emulation.setEmulatedMedia",
                      features=[{"name": "prefers-color-scheme", "value": scheme}])
            page.open(t.dir + "/page.html")
            dark, contrast = page.ask(CONTRAST)
            check(dark == (scheme == "dark") and contrast >= 4.5, scheme, dark, contrast)
            equal(page.ask(OPEN), False)
            page.click("#blocked summary")
            page.becomes(OPEN, True)
            before = page.ask(ROWS)
            page.click("#search")
            page.call("Input.insertText", text="tcp:192.0.2.1")
            page.becomes(ROWS, 1)
            check(before > 1 and re.fullmatch(r"\d+ of \d+ records",
                                              page.ask("document.getElementById('count').textContent")), before)
            picture = f"{t.dir}/{scheme}.png"
            page.picture(picture)
            check(os.path.getsize(picture) > 5000, "no picture")
            if os.environ.get("ARTIFACTS"):
                shutil.copy(picture, os.environ["ARTIFACTS"])


@test(once=True)
def by_keyboard(t):
    """Attempts are opened, searched for and scrolled through without a mouse."""
    find()
    report(t, large_log(t, 400))
    with browser(t) as page:
        page.open(t.dir + "/page.html")
        for _ in range(20):
            page.press("Tab")
            if page.ask("document.activeElement === document.querySelector('#blocked summary')"):
                break
        for opened in (True, False, True):
            page.press("Enter")
            page.becomes(OPEN, opened)
        page.press("/")
        page.becomes(FOCUS, "search")
        equal(page.ask("document.getElementById('search').value"), "", "the key is no letter of the search")
        before = page.ask(ROWS)
        page.call("Input.insertText", text="/d10/")
        page.becomes(f"0 < {ROWS} && {ROWS} < {before}", True)
        page.press("Escape")
        page.becomes(ROWS, before)
        # Tab gets there; but behind all attempts and folders.
        equal(page.ask("document.getElementById('events').tabIndex"), 0)
        page.ask("document.getElementById('events').focus()")
        page.press("PageDown")
        page.becomes("document.getElementById('events').scrollTop > 100", True)


@test(once=True)
def without_javascript(t):
    """The tables are there, and attempts open; what only a script can do is not shown."""
    find()
    report(t, some_log(t).log)
    with browser(t) as page:
        page.call("Emulation.setScriptExecutionDisabled", value=True)
        page.open(t.dir + "/page.html")
        for section in ("blocked", "timeline", "files", "endpoints"):
            check(page.ask(f"document.querySelector('#{section} :is(td, li, .lane)').offsetHeight") > 0, section)
        equal(page.ask("[document.getElementById('all').offsetHeight, "
                       "document.getElementById('search').offsetHeight]"), [0, 0])
        page.click("#blocked summary")
        page.becomes(OPEN, True)


@test(once=True, user="user")
def many_records_in_a_browser(t):
    """Many records (LONG: a hundred thousand) are searched, and only those in sight are in the document."""
    find()
    total = 100000 if LONG else 20000
    report(t, large_log(t, total))
    with browser(t) as page:
        page.open(t.dir + "/page.html")
        count = "document.getElementById('count').textContent"
        equal(page.ask(count), f"{total} of {total} records")
        page.press("/")
        page.call("Input.insertText", text="/d10/f3")
        page.becomes(f"{count}.startsWith('{total}')", False)
        check(0 < int(page.ask(count).split()[0]) < 2000, page.ask(count))
        page.press("Escape")
        page.becomes(count, f"{total} of {total} records")
        page.ask("document.getElementById('events').scrollTop = 1e9")
        page.becomes("document.querySelectorAll('#events div').length > 5", True)
        check(page.ask("document.querySelectorAll('#events div').length") < 200)


if __name__ == "__main__":
    sys.exit(main())
