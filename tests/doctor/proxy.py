"""A proxy on loopback that misbehaves as it is told, and certificates that are good or not."""

from __future__ import annotations

import gzip
import http.client
import ssl
import subprocess
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Self
from urllib.parse import urlsplit

from tests import http_servers


@dataclass
class Passed:
    """A request on its way to the server, or its answer on the way back; a fault changes it."""

    method: str
    path: str
    headers: list[tuple[str, str]]
    body: bytes
    status: int = 0
    cut: bool = False

    def drop(self, name: str) -> None:
        self.headers = [(key, value) for key, value in self.headers if key.lower() != name]

    def replace(self, name: str, change: Callable[[str], str]) -> None:
        self.headers = [(key, change(value) if key.lower() == name else value) for key, value in self.headers]

    def has(self, name: str) -> bool:
        return any(key.lower() == name for key, _ in self.headers)

    def answer(self, status: int, headers: Sequence[tuple[str, str]] = (), body: bytes = b"") -> None:
        self.status, self.headers, self.body = status, list(headers), body

    def page(self, status: int) -> None:
        """As proxies write them for people."""
        self.answer(status, [("Content-Type", "text/html")], b"<html><h1>no</h1></html>")


Fault = Callable[[Passed], None]


@dataclass
class Proxy:
    """Before the server at `url`. `before` may answer a request itself, `after` may change an answer."""

    url: str
    before: Fault = lambda _passed: None
    after: Fault = lambda _passed: None
    tls: ssl.SSLContext | None = None
    prefix: str = ""
    listen: tuple[str, int] = ("127.0.0.1", 0)
    requests: list[str] = field(default_factory=list)

    def __enter__(self) -> Self:
        proxy = self

        class Handler(http_servers.Handler):
            timeout = 60
            wbufsize = 1 << 16  # head and body in one packet, or each waits for an acknowledgement

            def handle_one_request(self) -> None:
                try:
                    self.raw_requestline = self.rfile.readline(65537)
                except OSError:
                    self.raw_requestline = b""
                if not self.raw_requestline or not self.parse_request():
                    self.close_connection = True
                    return
                proxy._pass(self)

        class Server(http_servers.Server):
            def get_request(self) -> Any:
                plain, address = super().get_request()
                if proxy.tls is None:
                    return plain, address
                return proxy.tls.wrap_socket(plain, server_side=True, do_handshake_on_connect=False), address

        self._server = Server(self.listen, Handler)
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.05,))
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()

    @property
    def port(self) -> int:
        port: int = self._server.server_address[1]
        return port

    @property
    def address(self) -> str:
        scheme = "https" if self.tls is not None else "http"
        return f"{scheme}://localhost:{self.port}{self.prefix}/"

    def _pass(self, handler: http_servers.Handler) -> None:
        body = handler.rfile.read(int(handler.headers.get("Content-Length") or 0))
        passed = Passed(handler.command, handler.path, list(handler.headers.items()), body)
        self.requests.append(f"{passed.method} {passed.path}")
        self.before(passed)
        if not passed.status:
            self._asked(passed)
            self.after(passed)
        handler.send_response_only(passed.status)
        for name, value in passed.headers:
            if name.lower() not in ("content-length", "transfer-encoding", "connection"):
                handler.send_header(name, value)
        handler.send_header("Content-Length", str(len(passed.body)))
        handler.end_headers()
        if handler.command != "HEAD":
            handler.wfile.write(passed.body[: len(passed.body) // 2] if passed.cut else passed.body)
        handler.wfile.flush()
        handler.close_connection = handler.close_connection or passed.cut

    def _asked(self, passed: Passed) -> None:
        parts = urlsplit(self.url)
        far = http.client.HTTPConnection(parts.hostname or "", parts.port or 80, timeout=60)
        try:
            far.putrequest(passed.method, passed.path, skip_host=True, skip_accept_encoding=True)
            for name, value in passed.headers:
                if name.lower() not in ("connection", "content-length"):
                    far.putheader(name, value)
            far.putheader("Content-Length", str(len(passed.body)))
            far.endheaders(passed.body)
            answer = far.getresponse()
            passed.answer(answer.status, answer.getheaders(), answer.read())
        finally:
            far.close()


def compress(passed: Passed) -> None:
    """As nginx does: the ETag becomes weak."""
    if passed.status == 200 and passed.has("etag"):
        passed.body = gzip.compress(passed.body)
        passed.headers.append(("Content-Encoding", "gzip"))
        passed.replace("etag", lambda etag: f"W/{etag}")


def certificate(folder: Path, *options: str, name: str = "localhost", issuer: Path | None = None) -> Path:
    """A PEM file with key and certificate, made by OpenSSL."""
    file = folder / f"{len(list(folder.glob('*.pem')))}.pem"
    key = folder / f"{file.stem}.key"
    by = ["-CA", str(issuer), "-CAkey", str(issuer)] if issuer is not None else []
    subprocess.run(
        [
            *("openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes"),
            *("-keyout", str(key), "-out", str(file), "-subj", f"/CN={name}"),
            *("-addext", f"subjectAltName=DNS:{name}", *(options or ("-days", "90")), *by),
        ],
        check=True,
        capture_output=True,
    )
    file.write_text(file.read_text() + key.read_text())
    return file


def context(file: Path) -> ssl.SSLContext:
    made = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    made.load_cert_chain(file)
    return made
