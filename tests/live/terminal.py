# SPDX-License-Identifier: LGPL-2.1-or-later
"""A terminal for programs under test: what they draw is read back as lines of text."""
import fcntl
import os
import pty
import re
import select
import struct
import termios
import time

from harness import check

SEQUENCE = re.compile(rb"\x1b(?:\[([?0-9;]*)([@-~])|([()])([0-9A-B])|([=>78DM]))")
INERT = set("mhl")  # attributes and modes
BLANK = " "
PATIENCE_S = 30


class Terminal:
    """What TERM=vt100 and xterm need for ncurses. An unknown sequence is a failure of the program."""

    def __init__(self, command, rows=30, columns=110, **more):
        self.rows, self.columns = rows, columns
        self.raw = b""
        self.rest = b""
        self.status = None
        self.clear()
        self.pid, self.fd = pty.fork()
        if self.pid == 0:
            try:
                os.chdir(more["cwd"])
                self.size(rows, columns, 0)
                os.execve(command[0], command, more["env"])
            finally:
                os._exit(99)

    def clear(self):
        self.cells = [[BLANK] * self.columns for _ in range(self.rows)]
        self.row = self.column = 0
        self.top, self.bottom = 0, self.rows - 1  # what scrolls

    @staticmethod
    def size(rows, columns, fd):
        fcntl.ioctl(fd, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))

    def resize(self, rows, columns):
        """The kernel says so to the program (SIGWINCH)."""
        self.read(0.1)
        self.rows, self.columns = rows, columns
        self.clear()
        self.size(rows, columns, self.fd)

    @property
    def lines(self):
        return ["".join(cells).rstrip() for cells in self.cells]

    def __str__(self):
        return "\n".join("|" + line for line in self.lines)

    def send(self, keys):
        os.write(self.fd, keys)

    def read(self, seconds):
        """Takes in what comes within that time. False: the program has ended."""
        until = time.monotonic() + seconds
        while (left := until - time.monotonic()) > 0:
            if not select.select([self.fd], [], [], left)[0]:
                break
            try:
                data = os.read(self.fd, 65536)
            except OSError:  # EIO: the other end is closed
                data = b""
            if not data:
                return False
            self.raw += data
            self.feed(self.rest + data)
        return True

    def wait_for(self, condition, words, seconds=PATIENCE_S):
        until = time.monotonic() + seconds
        while not condition(self.lines):
            check(time.monotonic() < until, "never seen:", words, f"\n{self}")
            check(self.read(0.05) or condition(self.lines), "it has ended before:", words, f"\n{self}")

    def shows(self, text):
        self.wait_for(lambda lines: any(text in line for line in lines), text)

    def end(self):
        """Exit code of the program, which is about to end; as subprocess has it."""
        until = time.monotonic() + PATIENCE_S
        while self.read(0.05):
            done, status = os.waitpid(self.pid, os.WNOHANG)
            if done:
                self.status = os.waitstatus_to_exitcode(status)
                self.read(0.05)
                return self.status
            check(time.monotonic() < until, "it does not end\n", self)
        self.status = os.waitstatus_to_exitcode(os.waitpid(self.pid, 0)[1])
        return self.status

    def close(self):
        if self.status is None:
            os.kill(self.pid, 9)
            os.waitpid(self.pid, 0)
        os.close(self.fd)

    # ------------------------------------------------------------- its language

    def feed(self, data):
        self.rest = b""
        at = 0
        while at < len(data):
            if data[at] == 0x1b:
                match = SEQUENCE.match(data, at)
                if not match:
                    if len(data) - at < 16:  # only part of it is here
                        self.rest = data[at:]
                        return
                    check(False, "an unknown sequence:", data[at:at + 40])
                if match[2]:
                    self.control(match[1].decode(), match[2].decode())
                elif match[5] == b"D":
                    self.line_feed()
                elif match[5] == b"M":
                    self.reverse_line_feed()
                at = match.end()
                continue
            if data[at] < 0x20 or data[at] == 0x7f:
                self.control_character(data[at])
                at += 1
                continue
            length = 1 if data[at] < 0x80 else 2 if data[at] < 0xe0 else 3 if data[at] < 0xf0 else 4
            if at + length > len(data):
                self.rest = data[at:]
                return
            self.put(data[at:at + length].decode())
            at += length

    def control_character(self, code):
        if code == 13:
            self.column = 0
        elif code == 10:
            self.line_feed()
        elif code == 8:
            self.column = max(self.column - 1, 0)
        else:
            check(code in (0, 14, 15), "a control character:", code)

    def line_feed(self):
        if self.row == self.bottom:
            del self.cells[self.top]
            self.cells.insert(self.bottom, [BLANK] * self.columns)
        else:
            self.row = min(self.row + 1, self.rows - 1)

    def reverse_line_feed(self):
        if self.row == self.top:
            del self.cells[self.bottom]
            self.cells.insert(self.top, [BLANK] * self.columns)
        else:
            self.row = max(self.row - 1, 0)

    def put(self, character):
        if self.column >= self.columns:
            self.column = 0
            self.line_feed()
        self.cells[self.row][self.column] = character
        self.column += 1

    def control(self, words, final):
        numbers = [int(word) if word.isdigit() else 0 for word in words.lstrip("?").split(";")]
        count = max(numbers[0], 1)
        here = min(self.column, self.columns - 1)
        if final in "Hf":
            self.row = min(count, self.rows) - 1
            self.column = min(max(numbers[1] if numbers[1:] else 1, 1), self.columns) - 1
        elif final == "d":
            self.row = min(count, self.rows) - 1
        elif final == "G":
            self.column = min(count, self.columns) - 1
        elif final == "A":
            self.row = max(self.row - count, 0)
        elif final == "B":
            self.row = min(self.row + count, self.rows - 1)
        elif final == "C":
            self.column = min(here + count, self.columns - 1)
        elif final == "D":
            self.column = max(here - count, 0)
        elif final == "K":
            first, last = {0: (here, self.columns), 1: (0, here + 1), 2: (0, self.columns)}[numbers[0]]
            self.cells[self.row][first:last] = [BLANK] * (last - first)
        elif final == "J":
            check(numbers[0] in (0, 2), "a way to clear:", words)
            kept = self.row if numbers[0] == 0 else -1
            for row in range(kept + 1, self.rows):
                self.cells[row] = [BLANK] * self.columns
            if numbers[0] == 0:
                self.cells[kept][here:] = [BLANK] * (self.columns - here)
        elif final == "X":
            last = min(here + count, self.columns)
            self.cells[self.row][here:last] = [BLANK] * (last - here)
        elif final == "P":
            cells = self.cells[self.row]
            self.cells[self.row] = (cells[:here] + cells[here + count:] + [BLANK] * count)[:self.columns]
        elif final == "@":
            cells = self.cells[self.row]
            self.cells[self.row] = (cells[:here] + [BLANK] * count + cells[here:])[:self.columns]
        elif final == "b":
            for _ in range(count):
                self.put(self.cells[self.row][self.column - 1])
        elif final == "r":
            self.top = count - 1
            self.bottom = (numbers[1] if numbers[1:] else self.rows) - 1
            self.row = self.column = 0
        elif final in "ST":
            gone, new = (self.top, self.bottom) if final == "S" else (self.bottom, self.top)
            for _ in range(count):
                del self.cells[gone]
                self.cells.insert(new, [BLANK] * self.columns)
        elif final in "LM":
            cells = self.cells
            for _ in range(count):
                del cells[self.bottom if final == "L" else self.row]
                cells.insert(self.row if final == "L" else self.bottom, [BLANK] * self.columns)
        else:
            check(final in INERT or (final, words) in (("t", "22;0;0"), ("t", "23;0;0")),
                  "a sequence:", words, final)
