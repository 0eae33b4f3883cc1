"""One request and its answer on a connection: what is sent, what comes back, and how long it may take."""

from __future__ import annotations

import http.client
import socket
import threading
import time
import zlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final
from urllib.parse import quote, urlsplit

from calsync.doctor.outside.reply import Reply, Unreachable
from calsync.outbound.connections import shut
from calsync.webdav.hosts import PORTS, origin_of

#: As much as is read of an answer.
LARGEST: Final = 16 << 20

_CHUNK: Final = 65536
#: Time-outs that an answer may take in all: each counts from the last octet, and some servers send one now and then.
_WHOLE: Final = 20
#: What stands in a URL as it is; servers write other letters too, which clients encode.
_KEPT: Final = "%/:?#[]@!$&'()*+,;=~"


@dataclass(frozen=True, slots=True)
class Request:
    """What is asked of a server."""

    method: str
    url: str
    body: bytes = b""
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)

    @property
    def origin(self) -> str:
        """The server. Raises `Unreachable` where the URL is none of one."""
        try:
            parts, found = urlsplit(self.url), origin_of(self.url)
        except ValueError as error:
            raise Unreachable("http", f"{self.url!r} is no URL: {error}", error) from error
        if parts.scheme not in PORTS or not parts.hostname:
            raise Unreachable("http", f"{self.url!r} is no URL of a server")
        return found

    @property
    def target(self) -> str:
        """What is asked for there."""
        parts = urlsplit(self.url)
        return quote((parts.path or "/") + (f"?{parts.query}" if parts.query else ""), safe=_KEPT)

    def __str__(self) -> str:
        """As people read it. What goes in `Authorization` stays out."""
        lines = [f"{self.method} {self.url}"]
        for name, value in self.headers.items():
            lines.append(f"{name}: {value.partition(' ')[0] + ' …' if name == 'Authorization' else value}")
        if self.body:
            text = self.body.decode(errors="replace")
            lines += ["", text if len(text) <= 4000 else f"{text[:4000]}… ({len(self.body)} octets)"]
        return "\n".join(lines)


def exchange(connection: http.client.HTTPConnection, request: Request, seconds: float) -> tuple[Reply, bool]:
    """The answer, and whether the connection can take another request.

    `seconds`: what the server was given for each wait. Raises `OSError` and `http.client.HTTPException`.
    """
    overdue = threading.Event()
    cut = threading.Timer(_WHOLE * seconds, _end, (connection.sock, overdue))
    cut.daemon = True
    cut.start()
    try:
        return _answered(connection, request, overdue)
    finally:
        cut.cancel()


def _answered(connection: http.client.HTTPConnection, request: Request, overdue: threading.Event) -> tuple[Reply, bool]:
    method, body = request.method, request.body
    began = time.monotonic()
    length = {"Content-Length": str(len(body))} if body or method in ("PUT", "POST") else {}
    connection.request(method, request.target, body or None, {**request.headers, **length})
    response = connection.getresponse()
    first, octets, whole = 0.0, bytearray(), True
    try:
        while chunk := response.read1(_CHUNK):
            first = first or time.monotonic() - began
            octets += chunk
            if len(octets) > LARGEST:
                whole = False
                break
    except http.client.IncompleteRead:
        whole = False
    response.close()
    if overdue.is_set():
        whole = False  # an end that looks like one may be ours
    wanted = response.getheader("Content-Length", "")
    if method != "HEAD" and wanted.isdigit() and response.status not in (204, 304):
        whole = whole and len(octets) == int(wanted)
    seconds = time.monotonic() - began
    told = [(name.lower(), value) for name, value in response.getheaders()]
    stays = whole and not response.will_close
    plain = bytes(octets)
    if whole:
        plain, whole = _unpacked(plain, response.getheader("Content-Encoding", ""))
    authorized = "Authorization" in request.headers
    reply = Reply(method, request.url, response.status, told, plain, first or seconds, seconds, whole, authorized)
    return reply, stays


def _unpacked(octets: bytes, coding: str) -> tuple[bytes, bool]:
    """The octets that were packed, and whether these are all: a little can be made to unpack into very much."""
    window = {"gzip": 31, "deflate": 15}.get(coding.lower())
    if window is None:
        return octets, True
    packed = zlib.decompressobj(window)
    try:
        plain = packed.decompress(octets, LARGEST)
    except zlib.error:
        return octets, True
    return (plain, not packed.unconsumed_tail) if packed.eof or packed.unconsumed_tail else (octets, True)


def _end(sock: socket.socket | None, overdue: threading.Event) -> None:
    overdue.set()
    if sock is not None:
        shut(sock)
