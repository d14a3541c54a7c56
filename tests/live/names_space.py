# SPDX-License-Identifier: LGPL-2.1-or-later
"""The world of test_names.py: a network of its own where it can be made, with a name server on port
53, two web sites on one address, and addresses that count as public (RFC 5737, RFC 3849)."""
import http.server
import os
import shutil
import socket
import ssl
import subprocess
import sys
import tempfile
import threading

from names_server import A, AAAA, CNAME, MX, TXT, NameServer

SITE, OTHER, RESOLVER, SITE6 = "203.0.113.10", "203.0.113.11", "203.0.113.53", "2001:db8::10"
CLOSED = "203.0.113.12"
TLS_PORT = 8443

ZONE = {
    "good.example": [(A, SITE), (MX, "mail.good.example"), (TXT, "t" * 900)],
    "two.example": [(A, SITE), (AAAA, SITE6)],
    "six.example": [(AAAA, SITE6)],
    "alias.example": [(CNAME, "good.example")],
    "turn.example": [(A, CLOSED), (A, SITE)],
    "deep.wild.example": [(A, SITE)],
    "wild.example": [(A, SITE)],
    "xn--bcher-kva.example": [(A, SITE)],
    "shared.example": [(A, SITE)],
    "evil.example": [(A, SITE)],
    "private.example": [(A, "10.9.9.9")],
    "home.example": [(A, "127.0.0.1")],
    "meta.example": [(A, "169.254.169.254")],
    "mixed.example": [(A, "10.9.9.9"), (A, SITE)],
    "denied.example": [(A, OTHER)],
}
HOSTS = f"127.0.0.1 localhost\n{OTHER} hosted.example hosted\n10.8.8.8 inner.example\n"


class Site(http.server.SimpleHTTPRequestHandler):
    """Says what it was asked for; below /git/ it has files."""

    def do_GET(self):
        if self.path.startswith("/git/"):
            super().do_GET()
            return
        body = f"{self.headers['Host']} {self.path}\n".encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass


class Site6(http.server.ThreadingHTTPServer):
    address_family = socket.AF_INET6


def certificate(folder):
    """A certificate for all names, or None where there is no openssl."""
    openssl = shutil.which("openssl")
    if not openssl:
        return None
    subprocess.run([openssl, "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2",
                    "-subj", "/CN=good.example", "-keyout", f"{folder}/key.pem",
                    "-out", f"{folder}/cert.pem"], check=True, stderr=subprocess.DEVNULL)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(f"{folder}/cert.pem", f"{folder}/key.pem")
    return context


class World:
    """The servers. `asked` and `udp` are files with the names that the name server was asked for and
    the datagrams that came to the sites, one a line."""

    def __init__(self):
        self.folder = tempfile.mkdtemp(prefix="names-")
        os.chmod(self.folder, 0o755)
        for address in (SITE, OTHER, RESOLVER, CLOSED):
            subprocess.run(["ip", "addr", "add", address + "/32", "dev", "lo"], check=True)
        subprocess.run(["ip", "addr", "add", SITE6 + "/128", "dev", "lo", "nodad"], check=True)
        subprocess.run(["ip", "link", "set", "lo", "up"], check=True)
        for name, text in (("resolv.conf", f"nameserver {RESOLVER}\n"), ("hosts", HOSTS)):
            with open(f"{self.folder}/{name}", "w", encoding="ascii") as file:
                file.write(text)
            subprocess.run(["mount", "--bind", f"{self.folder}/{name}", f"/etc/{name}"], check=True)
        # The tests run in other processes as well.
        self.asked, self.udp = (self._notes(name) for name in ("asked", "udp"))
        self.names = NameServer(RESOLVER, 53, ZONE, self.asked)
        os.mkdir(self.folder + "/www")
        os.chdir(self.folder + "/www")
        self._sites()
        for address in (SITE, OTHER):
            sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
            sock.bind((address, 5000))
            threading.Thread(target=self._echo, args=(sock,), daemon=True).start()

    def _notes(self, name):
        path = f"{self.folder}/{name}"
        with open(path, "w", encoding="ascii"):
            os.chmod(path, 0o666)
        return path

    def _serve(self, server):
        server.daemon_threads = True
        server.handle_error = lambda *_: None  # a client that has enough goes
        threading.Thread(target=server.serve_forever, daemon=True).start()

    def _sites(self):
        http.server.ThreadingHTTPServer.request_queue_size = 128
        for address in (SITE, OTHER, "127.0.0.1"):
            for port in (80, 81):
                self._serve(http.server.ThreadingHTTPServer((address, port), Site))
        self._serve(Site6((SITE6, 80), Site))
        context = certificate(self.folder)
        self.tls = context is not None
        for port in (443, TLS_PORT) if context else ():
            server = http.server.ThreadingHTTPServer((SITE, port), Site)
            server.socket = context.wrap_socket(server.socket, server_side=True)
            self._serve(server)

    def _echo(self, sock):
        while True:
            data, peer = sock.recvfrom(2048)
            with open(self.udp, "a", encoding="utf-8") as notes:
                notes.write(repr(data) + "\n")
            sock.sendto(b"echo " + data, peer)


def enter(script, **environment):
    """Runs the script again in namespaces of its own, NAMES_SPACE set. Returns its exit status, or None where they
    cannot be made."""
    unshare = shutil.which("unshare")
    needed = [unshare, shutil.which("ip"), shutil.which("mount")]
    if not all(needed):
        return None
    command = [unshare, "--net", "--mount"] + ([] if os.getuid() == 0 else ["--map-root-user"])
    probe = command + ["sh", "-c", "ip link set lo up && mount --bind /etc/hosts /etc/hosts"]
    if subprocess.run(probe, stderr=subprocess.DEVNULL, check=False).returncode:
        return None
    return subprocess.run(command + [sys.executable, "-B", os.path.abspath(script)], check=False,
                          env=dict(os.environ, NAMES_SPACE="1", **environment)).returncode
