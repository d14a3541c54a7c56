# SPDX-License-Identifier: LGPL-2.1-or-later
"""Servers on loopback for test_net.py, each of which notes what reached it."""
import array
import collections
import errno
import hashlib
import os
import random
import socket
import struct
import threading
import time

SO_PEERCRED_FORMAT = "iII"


def free_port(taken=[]):  # pylint: disable=dangerous-default-value
    """A port below the ephemeral ones that is free for TCP and UDP on all loopback addresses."""
    while True:
        port = random.randrange(20000, 30000)
        if port in taken:
            continue
        try:
            for kind in (socket.SOCK_STREAM, socket.SOCK_DGRAM):
                with socket.socket(socket.AF_INET6, kind) as probe:
                    probe.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)
                    probe.bind(("::", port))
        except OSError:
            continue
        taken.append(port)
        return port


class Servers:
    """Listens, answers, and counts by name: "tcp:127.0.0.1:80", "unix:/path", "unix:@name"."""

    def __init__(self):
        self.seen = collections.Counter()
        self.streams = {}
        self.keep = []

    def _start(self, function, *args):
        threading.Thread(target=function, args=args, daemon=True).start()

    def wait(self, name, count):
        """True when `name` has been reached more than `count` times, in due time."""
        end = time.monotonic() + 3
        while self.seen[name] <= count and time.monotonic() < end:
            time.sleep(0.005)
        return self.seen[name] > count

    def inet(self, family, address, port):
        """TCP and UDP on one address."""
        text = f"[{address}]" if family == socket.AF_INET6 else address
        for kind, proto in ((socket.SOCK_STREAM, "tcp"), (socket.SOCK_DGRAM, "udp")):
            sock = socket.socket(family, kind)
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            sock.bind((address, port))
            self._serve(sock, kind, f"{proto}:{text}:{port}")

    def unix(self, kind, address, name=None):
        """A unix socket; an abstract address starts with a NUL."""
        sock = socket.socket(socket.AF_UNIX, kind)
        sock.bind(address)
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_PASSCRED, 1)
        if not address.startswith("\0"):
            os.chmod(address, 0o777)
        self._serve(sock, kind, name or "unix:" + address.replace("\0", "@", 1))

    def _serve(self, sock, kind, name):
        if kind == socket.SOCK_DGRAM:
            self._start(self._datagrams, sock, name)
        else:
            sock.listen(1024)
            self._start(self._accept, sock, name)

    def slow(self):
        """A TCP address whose queue is full: a connect to it waits."""
        sock = socket.socket()
        sock.bind(("127.0.0.1", free_port()))
        sock.listen(0)
        self.keep.append(sock)
        for _ in range(8):
            filler = socket.socket()
            filler.setblocking(False)
            error = filler.connect_ex(sock.getsockname())
            assert error in (0, errno.EINPROGRESS)
            self.keep.append(filler)
        time.sleep(0.1)
        return "127.0.0.1:%d" % sock.getsockname()[1]

    def _datagrams(self, sock, name):
        while True:
            data, peer = sock.recvfrom(1 << 16)
            self.seen[name] += 1
            if peer and data != b"race":
                try:
                    sock.sendto(b"got " + data[:64], socket.MSG_DONTWAIT, peer)
                except OSError:
                    pass

    def _accept(self, sock, name):
        while True:
            connection, _ = sock.accept()
            self.seen[name] += 1
            self._start(self._talk, connection, name)

    def _talk(self, connection, name):
        """Echoes; a stream that is longer than a word is only summed up."""
        unix = connection.family == socket.AF_UNIX
        digest = hashlib.sha256()
        length = 0
        with connection:
            while True:
                try:
                    data, control, _, _ = connection.recvmsg(
                        1 << 16, socket.CMSG_SPACE(1100) if unix else 0)
                except OSError:
                    return
                if not data:
                    break
                digest.update(data)
                length += len(data)
                try:
                    self._answer(connection, data, control, length)
                except OSError:  # it did not wait for the answer
                    pass
            self.streams[name] = (length, digest.hexdigest())

    def _answer(self, connection, data, control, length):
        if data == b"give":
            self._give(connection)
        elif data == b"scm":
            connection.send(self._describe(control))
        elif length < 4096:
            connection.send(b"got " + data)

    @staticmethod
    def _give(connection):
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
            connection.sendmsg([b"here"], [(socket.SOL_SOCKET, socket.SCM_RIGHTS,
                                            array.array("i", [sock.fileno()]))])

    @staticmethod
    def _describe(control):
        """What came along with a message, in words."""
        words = []
        for level, kind, data in control:
            if (level, kind) == (socket.SOL_SOCKET, socket.SCM_RIGHTS):
                fds = array.array("i", data[:len(data) - len(data) % 4])
                words.append(f"{len(fds)} descriptors")
                if len(fds) == 1:
                    words.append(os.read(fds[0], 64).decode().strip())
                for fd in fds:
                    os.close(fd)
            elif kind == 2:  # SCM_CREDENTIALS
                _, uid, gid = struct.unpack(SO_PEERCRED_FORMAT, data[:12])
                words.append(f"uid {uid} gid {gid}")
        return (", ".join(sorted(words)) or "nothing").encode()
