# SPDX-License-Identifier: LGPL-2.1-or-later
"""Real servers for the tests, each in a folder of its own on an address and port that the test names; started
natively or under proctor, and ended with the test."""
import contextlib
import os
import re
import shutil
import signal
import socket
import subprocess
import time

from names_space import certificate
from net_harness import NOBODY, check

PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"


def found(program):
    """Where a program is; PostgreSQL's stand in a folder for each version."""
    versions = "/usr/lib/postgresql"
    folders = [f"{versions}/{version}/bin" for version in sorted(os.listdir(versions))] \
        if os.path.isdir(versions) else []
    return shutil.which(program, path=":".join([PATH, *folders]))


def missing(*programs):
    """Says which programs are not here; false where all are."""
    absent = [program for program in programs if not found(program)]
    if absent:
        print("skipped:", ", ".join(absent), "not here")
    return bool(absent)


def drop_root():
    """For a server that does not want to be root."""
    if os.getuid() == 0:
        os.setgroups([])
        os.setresgid(NOBODY, NOBODY, NOBODY)
        os.setresuid(NOBODY, NOBODY, NOBODY)


@contextlib.contextmanager
def running(command, address, port, log, as_user=False):
    """The server is there as long as the block runs."""
    with open(log, "wb") as output:
        server = subprocess.Popen(command, stdout=output, stderr=output, stdin=subprocess.DEVNULL,
                                  start_new_session=True, preexec_fn=drop_root if as_user else None)
    try:
        deadline = time.monotonic() + 20
        while True:
            with socket.socket() as probe:
                if probe.connect_ex((address, port)) == 0:
                    break
            with open(log, "rb") as said:
                text = said.read().decode(errors="replace")
            check(server.poll() is None and time.monotonic() < deadline, command[0], "does not serve:", text)
            time.sleep(0.02)
        yield server
    finally:
        # PostgreSQL would wait for its clients.
        for number in (signal.SIGINT if as_user else signal.SIGTERM, signal.SIGKILL):
            with contextlib.suppress(ProcessLookupError, subprocess.TimeoutExpired):
                os.killpg(server.pid, number)
                server.wait(10)
                break


def nginx(folder, address, port, names=(), tls=False):
    """The command of an nginx with a virtual host for each name, which says its name and what was asked for."""
    version = subprocess.run([found("nginx"), "-V"], stderr=subprocess.PIPE, text=True, check=True).stderr
    os.makedirs(folder + "/www", exist_ok=True)
    temporary = [name.replace("-", "_") for name in re.findall(r"--http-([\w-]+)-temp-path", version)
                 if f"--without-http_{name}_module" not in version]
    lines = [f"pid {folder}/pid; error_log stderr; daemon off; worker_processes 2;",
             "events { worker_connections 256; }", "http { access_log off; sendfile on;",
             *(f"{name}_temp_path {folder}/{name};" for name in temporary)]
    if os.getuid() == 0:
        lines.insert(0, "user root;")
    if tls:
        check(certificate(folder), "openssl made no certificate")
        lines.append(f"ssl_certificate {folder}/cert.pem; ssl_certificate_key {folder}/key.pem;")
    for name in names or ("localhost",):
        lines.append(f"server {{ listen {address}:{port}{' ssl' if tls else ''}; server_name {name}; "
                     f"root {folder}/www; location = /x {{ return 200 \"{name} $request_uri\\n\"; }} }}")
    with open(folder + "/nginx.conf", "w", encoding="ascii") as file:
        file.write("\n".join([*lines, "}"]))
    return [found("nginx"), "-c", folder + "/nginx.conf", "-p", folder, "-e", "stderr"]


def redis(folder, address, port):
    os.makedirs(folder, exist_ok=True)
    return [found("redis-server"), "--bind", address, "--port", str(port), "--dir", folder, "--save", "",
            "--unixsocket", folder + "/redis.sock", "--daemonize", "no", "--protected-mode", "no"]


def postgres(folder, address, port):
    """Makes the database, too; as an ordinary user, which the server wants to be."""
    os.makedirs(folder, exist_ok=True)
    for path in (folder, os.path.dirname(folder)):
        os.chmod(path, 0o755)
    if os.getuid() == 0:
        os.chown(folder, NOBODY, NOBODY)
    made = subprocess.run([found("initdb"), "-D", folder + "/db", "-A", "trust", "-U", "u", "--no-sync",
                           "--no-locale", "-E", "UTF8"], stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                          preexec_fn=drop_root, check=False, cwd="/")
    check(made.returncode == 0, made.stdout.decode(errors="replace"))
    with open(folder + "/db/pg_hba.conf", "a", encoding="ascii") as file:
        file.write("host all all 0.0.0.0/0 trust\n")
    return [found("postgres"), "-D", folder + "/db", "-h", address, "-p", str(port), "-k", folder, "-F",
            "-c", "max_connections=20", "-c", "shared_buffers=1MB"]


def dnsmasq(folder, address, names):
    """A resolver for the names {name: address}, and for no other."""
    return [found("dnsmasq"), "--keep-in-foreground", "--no-resolv", "--no-hosts", "--conf-file=/dev/null",
            "--user=root", "--group=root", f"--listen-address={address}", "--bind-interfaces",
            f"--pid-file={folder}/pid", "--log-queries", "--log-facility=-",
            *(f"--host-record={name},{where}" for name, where in names.items())]
