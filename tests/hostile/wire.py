"""A client that sends what it is told, octet for octet; libraries would put much of it right."""

from __future__ import annotations

import base64
import contextlib
import http.client
import socket
from collections.abc import Mapping
from dataclasses import dataclass, field

from tests.dav.conftest import PASSWORD, Answer, Client

#: Octets that a request line may hold as they are; everything else was encoded by whoever wrote the case.
HOST = "localhost:5232"


def login(user: str, password: str = PASSWORD) -> str:
    return "Basic " + base64.b64encode(f"{user}:{password}".encode()).decode()


def talk(address: tuple[str, int], *parts: bytes, timeout: float = 60) -> bytes:
    """Send these, then read until the server closes. A server that has heard enough may close before the end."""
    with socket.create_connection(address, timeout=timeout) as sock:
        with contextlib.suppress(OSError):
            for part in parts:
                sock.sendall(part)
            sock.shutdown(socket.SHUT_WR)
        data = b""
        with contextlib.suppress(ConnectionResetError):
            while part := sock.recv(1 << 20):
                data += part
        return data


class _Read:
    """What `http.client` reads an answer from."""

    def __init__(self, data: bytes) -> None:
        self._data = data

    def makefile(self, mode: str) -> object:
        import io

        return io.BytesIO(self._data)


def parsed(data: bytes, method: str) -> Answer:
    """The last answer in the octets (before it there may be a 100)."""
    while data.startswith(b"HTTP/1.1 100 "):
        data = data.partition(b"\r\n\r\n")[2]
    response = http.client.HTTPResponse(_Read(data), method=method)  # type: ignore[arg-type]
    response.begin()
    body = response.read()
    return Answer(response.status, dict(response.getheaders()), body)


@dataclass
class WireClient(Client):
    """The same requests as `Client` makes, over a socket."""

    application: object = None  # type: ignore[assignment]
    address: tuple[str, int] = field(default=("", 0))

    def request(self, method: str, path: str, body: bytes | str = b"", **headers: str) -> Answer:
        octets = body.encode() if isinstance(body, str) else body
        sent: Mapping[str, str] = {name.replace("_", "-"): value for name, value in headers.items()}
        lines = [f"{method} {path} HTTP/1.1", "Connection: close"]
        lines += [f"{name}: {value}" for name, value in sent.items()]
        known = {name.lower() for name in sent}
        if "host" not in known:
            lines.append(f"Host: {HOST}")
        if self.user and "authorization" not in known:
            lines.append(f"Authorization: {login(self.user, self.password)}")
        if octets or method in ("PUT", "POST"):
            lines.append(f"Content-Length: {len(octets)}")
        head = "\r\n".join((*lines, "", "")).encode("latin-1")
        return parsed(talk(self.address, head, octets), method)
