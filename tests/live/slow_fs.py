# SPDX-License-Identifier: LGPL-2.1-or-later
"""A file system (FUSE) that answers until it is told to be silent: as a server that hangs."""
import ctypes
import os
import stat
import struct
import threading

from harness import Skip

LOOKUP, GETATTR, OPEN, READ, STATFS, FLUSH, INIT, RELEASE = 1, 3, 14, 15, 17, 25, 26, 18
GETXATTR, ACCESS, OPENDIR, READDIR, RELEASEDIR, INTERRUPT = 22, 34, 27, 28, 29, 36
FORGET, BATCH_FORGET = 2, 42
ENOENT, EIO, ENOSYS = 2, 5, 38
DIRECT_IO = 1
MS_NOSUID, MS_NODEV, MNT_DETACH = 2, 4, 2
LIBC = ctypes.CDLL(None, use_errno=True)


class SlowFolder:
    """`folder` with one file, `program`; its first `reads` reads are answered."""

    def __init__(self, folder, contents, reads):
        self.folder = folder
        self.contents = contents
        self.reads = reads
        self.silent = threading.Event() # reads are left without an answer
        self.left = []
        self.over = False

    def __enter__(self):
        try:
            self.device = os.open("/dev/fuse", os.O_RDWR)
        except OSError:
            raise Skip("no /dev/fuse") from None
        data = f"fd={self.device},rootmode=40000,user_id=0,group_id=0,allow_other".encode()
        if LIBC.mount(b"slow", self.folder.encode(), b"fuse", MS_NOSUID | MS_NODEV, data) < 0:
            os.close(self.device)
            raise Skip("no mounts here")
        threading.Thread(target=self.serve, daemon=True).start()
        return self

    def __exit__(self, *_):
        LIBC.umount2(self.folder.encode(), MNT_DETACH)
        os.close(self.device)

    def attributes(self, node):
        mode, size = (stat.S_IFDIR | 0o755, 0) if node == 1 else (stat.S_IFREG | 0o755,
                                                                len(self.contents))
        return struct.pack("=QQQQQQIIIIIIIIII", node, size, 1, 0, 0, 0, 0, 0, 0, mode, 1, 0, 0, 0,
                           4096, 0)

    def answer(self, code, node, body):
        """What a request is answered with: bytes, an errno, or None."""
        if code == INIT:
            return struct.pack("=IIIIHHIIHHIIIIII", 7, 31, 65536, 0, 12, 9, 65536, 1, 32, 0, 0, 0,
                               0, 0, 0, 0)
        if code == LOOKUP:
            if body.rstrip(b"\0") != b"program":
                return ENOENT
            return struct.pack("=QQQQII", 2, 0, 60, 60, 0, 0) + self.attributes(2)
        if code == GETATTR:
            return struct.pack("=QII", 60, 0, 0) + self.attributes(node)
        if code in (OPEN, OPENDIR):
            return struct.pack("=QII", 1, DIRECT_IO, 0)
        if code == STATFS:
            return struct.pack("=5Q4I24x", 0, 0, 0, 0, 0, 4096, 255, 4096, 0)
        if code == READ:
            offset, size = struct.unpack_from("=QI", body, 8)
            if self.over:
                return EIO
            if self.reads == 0:
                self.silent.set()
                return None # a process that waits for it cannot even be killed
            self.reads -= 1
            return self.contents[offset:offset + size]
        if code in (INTERRUPT, FORGET, BATCH_FORGET):
            return None
        return b"" if code in (RELEASE, RELEASEDIR, FLUSH, ACCESS, READDIR) else ENOSYS

    def go_on(self):
        """Answers what was left, and what comes: an error."""
        self.over = True
        for unique in self.left:
            try:
                os.write(self.device, struct.pack("=IiQ", 16, -EIO, unique))
            except OSError:
                pass # the kernel has given it up
        self.left = []

    def serve(self):
        while True:
            try:
                request = os.read(self.device, 1 << 20)
                _, code, unique, node = struct.unpack_from("=IIQQ", request)
                found = self.answer(code, node, request[40:])
                if found is None:
                    if code == READ:
                        self.left.append(unique)
                    continue
                error = -found if isinstance(found, int) else 0
                payload = b"" if isinstance(found, int) else found
                os.write(self.device, struct.pack("=IiQ", 16 + len(payload), error, unique) + payload)
            except OSError:
                return
