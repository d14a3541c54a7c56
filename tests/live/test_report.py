#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""proctor report: what is on the page, that nothing in it is the tool's, and how it does with many."""
import html.parser
import json
import os
import re
import resource
import shutil
import subprocess
import sys

sys.dont_write_bytecode = True
from harness import Skip, check, equal, main, test

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


CLICKS = r"""
<script>
const errors = [];
addEventListener("error", (event) => errors.push(String(event.message)));
</script>
"""
PROBE = r"""
<script>
addEventListener("load", () => {
	const out = {};
	const summary = document.querySelector("#blocked summary");
	const closed = summary.parentElement.open;
	summary.click();
	out.opens = !closed && summary.parentElement.open;
	const rows = () => [...document.querySelectorAll("#blocked tbody tr")].filter((row) => !row.hidden).length;
	out.before = rows();
	out.listed = document.querySelectorAll("#events div").length;
	document.dispatchEvent(new KeyboardEvent("keydown", {key: "/", bubbles: true}));
	const search = document.getElementById("search");
	out.focused = document.activeElement === search;
	search.value = "tcp:192.0.2.1";
	search.dispatchEvent(new Event("input"));
	setTimeout(() => {
		out.after = rows();
		out.count = document.getElementById("count").textContent;
		out.errors = errors;
		const result = document.createElement("pre");
		result.id = "probe";
		result.textContent = JSON.stringify(out);
		document.body.append(result);
	}, 300);
});
</script>
"""


@test(once=True)
def in_a_browser(t):
    """A click opens an attempt, a search narrows the tables, nothing is wrong on the console."""
    browser = shutil.which("chromium") or shutil.which("google-chrome")
    if not browser:
        raise Skip("no chromium")
    page = report(t, some_log(t).log)
    probed = t.dir + "/probed.html"
    with open(probed, "w", encoding="utf-8") as file:
        file.write(page.text.replace("<body>", "<body>" + CLICKS).replace("</body>", PROBE + "</body>"))
    for scheme in ("light", "dark"):
        dark = ["--blink-settings=preferredColorScheme=0"] if scheme == "dark" else []
        picture = f"{t.dir}/{scheme}.png"
        common = [browser, "--headless", "--no-sandbox", "--disable-gpu", "--no-first-run",
                  "--disable-dev-shm-usage", f"--user-data-dir={t.dir}/profile", *dark]
        run = t.native([*common, "--virtual-time-budget=3000", "--dump-dom", "file://" + probed])
        found = re.search(r'<pre id="probe">(.*?)</pre>', run.out, re.S)
        check(found, run)
        result = json.loads(found.group(1))
        equal(result["errors"], [])
        check(result["opens"] and result["focused"], result)
        check(result["before"] > result["after"] == 1, result)
        check(result["listed"] > 5, result)
        check(re.fullmatch(r"\d+ of \d+ records", result["count"]), result)
        t.native([*common, f"--screenshot={picture}", "--window-size=1200,900", "file://" + t.dir + "/page.html"])
        check(os.path.getsize(picture) > 5000, "no picture")
        kept = os.environ.get("ARTIFACTS")
        if kept:
            shutil.copy(picture, kept)
    subprocess.run(["rm", "-rf", t.dir + "/profile"], check=False)


if __name__ == "__main__":
    sys.exit(main())
