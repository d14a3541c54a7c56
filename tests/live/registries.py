# SPDX-License-Identifier: LGPL-2.1-or-later
"""Registries of packages on loopback, with one package each that is made here."""
import base64
import encodings.idna  # here and not later, when the user of the test may not read python's files
import gzip
import hashlib
import http.server
import io
import json
import tarfile
import threading
import zipfile


class Server:
    """Serves the paths of a dict, until the end of the `with`."""

    def __init__(self, build):
        server = self

        class Handler(http.server.BaseHTTPRequestHandler):
            """GET of what there is."""

            def do_GET(self):
                server.asked.append(self.path)
                kind, body = server.pages.get(self.path, ("text/plain", None))
                self.send_response(200 if body is not None else 404)
                self.send_header("Content-Type", kind)
                self.send_header("Content-Length", str(len(body or b"")))
                self.end_headers()
                self.wfile.write(body or b"")

            def log_message(self, *_):
                pass

        self.asked = []
        self.http = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.port = self.http.server_address[1]
        self.url = f"http://127.0.0.1:{self.port}/"
        self.pages = build(self.url)

    def __enter__(self):
        threading.Thread(target=self.http.serve_forever, daemon=True).start()
        return self

    def __exit__(self, *_):
        self.http.shutdown()
        self.http.server_close()


def wheel(name, version, files):
    """The bytes of a wheel (PEP 427)."""
    info = f"{name}-{version}.dist-info"
    files = {**files,
             f"{info}/METADATA": f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n",
             f"{info}/WHEEL": "Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\n"
                              "Tag: py3-none-any\n"}
    record = "".join(
        f"{path},sha256="
        + base64.urlsafe_b64encode(hashlib.sha256(text.encode()).digest()).decode().rstrip("=")
        + f",{len(text)}\n" for path, text in files.items())
    files[f"{info}/RECORD"] = record + f"{info}/RECORD,,\n"
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w") as archive:
        for path, text in files.items():
            archive.writestr(path, text)
    return made.getvalue()


def python_index(files):
    """A simple index (PEP 503) with the package `parcel`."""
    name = "parcel-1.0-py3-none-any.whl"
    body = wheel("parcel", "1.0", files)
    page = f'<a href="/files/{name}#sha256={hashlib.sha256(body).hexdigest()}">{name}</a>'
    return lambda url: {"/simple/parcel/": ("text/html", page.encode()),
                        f"/files/{name}": ("application/octet-stream", body)}


def npm_registry(files):
    """A registry with the package `parcel`, whose package.json is among the files."""
    made = io.BytesIO()
    with tarfile.open(fileobj=made, mode="w") as archive:
        for path, text in files.items():
            entry = tarfile.TarInfo("package/" + path)
            entry.size = len(text)
            entry.mode = 0o755 if path.endswith(".js") else 0o644
            archive.addfile(entry, io.BytesIO(text.encode()))
    body = gzip.compress(made.getvalue())
    package = json.loads(files["package.json"])

    def build(url):
        dist = {"tarball": url + "parcel/-/parcel-1.0.0.tgz",
                "shasum": hashlib.sha1(body).hexdigest(),
                "integrity": "sha512-" + base64.b64encode(hashlib.sha512(body).digest()).decode()}
        page = {"name": "parcel", "dist-tags": {"latest": "1.0.0"},
                "versions": {"1.0.0": {**package, "dist": dist}}}
        return {"/parcel": ("application/json", json.dumps(page).encode()),
                "/parcel/-/parcel-1.0.0.tgz": ("application/octet-stream", body)}

    return build
