# SPDX-License-Identifier: LGPL-2.1-or-later
"""A headless Chromium, driven over its DevTools pipe (--remote-debugging-pipe): no library needed."""
import base64
import fcntl
import json
import os
import select
import shutil
import subprocess
import time

from harness import Failure, Skip, check, patient

KEYS = {"Tab": (9, None), "Enter": (13, "\r"), "Escape": (27, None), "PageDown": (34, None), "/": (191, "/")}


def find():
    path = shutil.which("chromium") or shutil.which("google-chrome")
    if not path:
        raise Skip("no chromium")
    return path


class Browser:
    """One page. `errors` is what went wrong on its console."""

    def __init__(self, t):
        command = [find(), "--headless", "--no-sandbox", "--disable-gpu", "--no-first-run",
                   "--disable-dev-shm-usage", f"--user-data-dir={t.dir}/profile", "--remote-debugging-pipe",
                   "--window-size=1200,900"]
        to_read, self.writer = os.pipe()
        self.reader, to_write = os.pipe()
        # Away from 3 and 4, which it takes them for.
        ends = [fcntl.fcntl(fd, fcntl.F_DUPFD, 20) for fd in (to_read, to_write)]
        os.close(to_read)
        os.close(to_write)

        def place():
            os.dup2(ends[0], 3)
            os.dup2(ends[1], 4)

        self.process = t.spawn(command, preexec_fn=place, pass_fds=(3, 4), stdout=subprocess.DEVNULL,
                               stderr=subprocess.DEVNULL)
        for fd in ends:
            os.close(fd)
        self.rest = b""
        self.number = 0
        self.session = None
        self.events = []
        self.errors = []
        target = self.call("Target.createTarget", url="about:blank")["targetId"]
        self.session = self.call("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
        for domain in ("Page", "Runtime", "Log"):
            self.call(domain + ".enable")

    def close(self):
        self.process.kill()
        self.process.wait()
        os.close(self.reader)
        os.close(self.writer)

    def message(self, until):
        while b"\0" not in self.rest:
            left = until - time.monotonic()
            check(left > 0 and select.select([self.reader], [], [], left)[0], "the browser does not answer")
            data = os.read(self.reader, 1 << 20)
            check(data, "the browser has ended")
            self.rest += data
        line, self.rest = self.rest.split(b"\0", 1)
        found = json.loads(line)
        params = found.get("params", {})
        if found.get("method") == "Runtime.exceptionThrown":
            self.errors.append(params["exceptionDetails"])
        elif found.get("method") == "Log.entryAdded" and params["entry"]["level"] == "error":
            self.errors.append(params["entry"])
        elif found.get("method") == "Runtime.consoleAPICalled" and params["type"] in ("error", "assert"):
            self.errors.append(params)
        if "method" in found:
            self.events.append(found["method"])
        return found

    def call(self, method, **params):
        self.number += 1
        request = {"id": self.number, "method": method, "params": params}
        if self.session:
            request["sessionId"] = self.session
        os.write(self.writer, json.dumps(request).encode() + b"\0")
        until = time.monotonic() + patient(30)
        while True:
            found = self.message(until)
            if found.get("id") == self.number:
                if "error" in found:
                    raise Failure(f"{method}: {found['error']}")
                return found["result"]

    def open(self, path):
        self.events.clear()
        self.call("Page.navigate", url="file://" + path)
        until = time.monotonic() + patient(30)
        while "Page.loadEventFired" not in self.events:
            self.message(until)

    def ask(self, expression):
        """The value of an expression of JavaScript."""
        result = self.call("Runtime.evaluate", expression=expression, returnByValue=True)
        check("exceptionDetails" not in result, expression, result)
        return result["result"].get("value")

    def becomes(self, expression, value):
        until = time.monotonic() + patient(10)
        while (found := self.ask(expression)) != value:
            check(time.monotonic() < until, expression, "is", found, "not", value)
            time.sleep(0.05)

    def press(self, key):
        code, text = KEYS[key]
        more = {"text": text} if text else {}
        self.call("Input.dispatchKeyEvent", type="keyDown" if text else "rawKeyDown", key=key, code=key,
                  windowsVirtualKeyCode=code, **more)
        self.call("Input.dispatchKeyEvent", type="keyUp", key=key, code=key, windowsVirtualKeyCode=code)

    def click(self, selector):
        at = self.ask(f"(() => {{ const box = document.querySelector({json.dumps(selector)})"
                      ".getBoundingClientRect(); return [box.x + 5, box.y + box.height / 2]; })()")
        for kind in ("mousePressed", "mouseReleased"):
            self.call("Input.dispatchMouseEvent", type=kind, x=at[0], y=at[1], button="left", clickCount=1)

    def picture(self, path):
        with open(path, "wb") as file:
            file.write(base64.b64decode(self.call("Page.captureScreenshot")["data"]))
