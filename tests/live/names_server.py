# SPDX-License-Identifier: LGPL-2.1-or-later
"""A small name server for the tests of host names: answers by UDP and TCP, and notes what was asked."""
import ipaddress
import socket
import struct
import threading

A, NS, CNAME, SOA, PTR, MX, TXT, AAAA = 1, 2, 5, 6, 12, 15, 16, 28
NOERROR, NXDOMAIN = 0, 3


def wire_name(name):
    """The name as it stands in a message."""
    labels = [label for label in name.split(".") if label]
    return b"".join(bytes([len(label)]) + label.encode() for label in labels) + b"\0"


def read_name(message, at):
    """The name at a place in a message without pointers, in lower case, and where it ends."""
    labels = []
    while message[at]:
        labels.append(message[at + 1:at + 1 + message[at]].decode("latin-1").lower())
        at += 1 + message[at]
    return ".".join(labels), at + 1


def query(name, kind, ident=0x1234):
    """A question with recursion desired."""
    return (struct.pack(">HHHHHH", ident, 0x100, 1, 0, 0, 0) + wire_name(name)
            + struct.pack(">HH", kind, 1))


class NameServer:
    """Serves `zone`: {name: [(type, value)...]}; values of A and AAAA are addresses, of CNAME and
    PTR names, of TXT text. Each name that is asked for becomes a line of the file `notes`."""

    def __init__(self, address, port, zone, notes):
        self.zone = zone
        self.notes = notes
        self.udp = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.udp.bind((address, port))
        self.port = self.udp.getsockname()[1]
        self.tcp = socket.socket()
        self.tcp.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self.tcp.bind((address, self.port))
        self.tcp.listen(16)
        for function in (self._serve_udp, self._serve_tcp):
            threading.Thread(target=function, daemon=True).start()

    def _serve_udp(self):
        while True:
            message, peer = self.udp.recvfrom(65535)
            answer = self.answer(message)
            if len(answer) > 512:
                answer = self.answer(message, truncated=True)
            self.udp.sendto(answer, peer)

    def _serve_tcp(self):
        while True:
            conn, _ = self.tcp.accept()
            with conn:
                while True:
                    head = conn.recv(2, socket.MSG_WAITALL)
                    if len(head) < 2:
                        break
                    answer = self.answer(conn.recv(struct.unpack(">H", head)[0],
                                                   socket.MSG_WAITALL))
                    conn.sendall(struct.pack(">H", len(answer)) + answer)

    def _records(self, name, kind):
        """(owner, type, data) of the answer section."""
        records = []
        for what, value in self.zone.get(name, ()):
            if what == kind and what in (A, AAAA):
                records.append((name, what, ipaddress.ip_address(value).packed))
            elif what == kind and what == TXT:
                text = value.encode()
                parts = [text[i:i + 255] for i in range(0, len(text), 255)]
                records.append((name, what, b"".join(bytes([len(p)]) + p for p in parts)))
            elif what == kind and what == MX:
                records.append((name, what, struct.pack(">H", 10) + wire_name(value)))
            elif what == CNAME:
                records.append((name, what, wire_name(value)))
                if kind != CNAME:
                    records += self._records(value, kind)
        return records

    def answer(self, message, truncated=False):
        """The reply to one message."""
        name, at = read_name(message, 12)
        kind = struct.unpack(">H", message[at:at + 2])[0]
        if not truncated:
            with open(self.notes, "a", encoding="utf-8") as notes:
                notes.write(name + "\n")
        records = [] if truncated else self._records(name, kind)
        rcode = NOERROR if name in self.zone else NXDOMAIN
        flags = 0x8180 | rcode | (0x0200 if truncated else 0)
        body = b"".join(wire_name(owner) + struct.pack(">HHIH", what, 1, 30, len(data)) + data
                        for owner, what, data in records)
        return (message[:2] + struct.pack(">HHHHH", flags, 1, len(records), 0, 0)
                + message[12:at + 4] + body)
