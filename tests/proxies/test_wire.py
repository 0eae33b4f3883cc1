"""What passes through a proxy, octet by octet: the server behind it is a bare socket that the test speaks for."""

from __future__ import annotations

import socket
import ssl
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Self

import pytest

from tests.proxies.proxy import Proxy
from tests.server.conftest import read_all, read_until

#: Names that clients and people have made, as they stand in a request line.
NAMES = (
    "a%20b.ics",
    "100%25.ics",
    "a+b.ics",
    "it's%22quoted%22.ics",
    "M%C3%BCller.ics",
    "one;two.ics",
    "a%2Fb.ics",
    "a//b.ics",
    "what%3F%23.ics",
    "%7B1%7D.ics",
    "@:!$&'()*,=~.ics",
    "%61%5B1%5D[2].ics",
    "back%5Cslash.ics",
    f"{'%C3%A4' * 150}.ics",
)

#: What a client might say of itself.
LIES = {
    "X-Forwarded-For": "203.0.113.9",
    "X-Forwarded-Proto": "http",
    "X-Forwarded-Host": "evil.example.net",
    "X-Forwarded-Port": "666",
    "Forwarded": "for=203.0.113.9;host=evil.example.net",
    "X-Real-IP": "203.0.113.9",
    "X-Remote-Addr": "203.0.113.9",
    "X-Remote-User": "bert",
    "Remote-User": "bert",
    "X-Script-Name": "/evil",
}


@dataclass
class Behind:
    """A listening socket in the place of calsync."""

    sock: socket.socket

    @property
    def address(self) -> str:
        return f"127.0.0.1:{self.sock.getsockname()[1]}"


@dataclass
class Taken:
    """A request as it arrived; what came of its body is in `rest`."""

    sock: socket.socket
    line: str
    headers: dict[str, list[str]]
    rest: bytes

    @classmethod
    def of(cls, behind: Behind) -> Self:
        sock, _ = behind.sock.accept()
        sock.settimeout(60)
        head, _, rest = read_until(sock, b"\r\n\r\n").partition(b"\r\n\r\n")
        line, *lines = head.decode("latin-1").split("\r\n")
        headers: dict[str, list[str]] = {}
        for name, value in (one.split(":", 1) for one in lines):
            headers.setdefault(name.lower(), []).append(value.strip())
        return cls(sock, line, headers, rest)

    def one(self, name: str) -> str:
        values = self.headers.get(name.lower(), [])
        assert len(values) <= 1, (name, values)
        return values[0] if values else ""

    def until(self, size: int) -> None:
        """Read until so much of the body has come."""
        while len(self.rest) < size:
            part = self.sock.recv(65536)
            assert part, len(self.rest)
            self.rest += part

    def answer(self, octets: bytes = b"HTTP/1.1 204 No Content\r\nConnection: close\r\n\r\n") -> None:
        self.sock.sendall(octets)
        self.sock.close()


@pytest.fixture(scope="module")
def behind() -> Iterator[Behind]:
    with socket.create_server(("127.0.0.1", 0)) as sock:
        sock.settimeout(60)
        yield Behind(sock)


@pytest.fixture(scope="module")
def upstream(behind: Behind) -> str:
    return behind.address


def connected(proxy: Proxy, prefix: str, trusting: ssl.SSLContext) -> ssl.SSLSocket:
    port = proxy.site_port if prefix else proxy.root_port
    return trusting.wrap_socket(socket.create_connection(("127.0.0.1", port), 60), server_hostname="localhost")


def head(proxy: Proxy, prefix: str, line: str, **headers: str) -> bytes:
    host = proxy.base(prefix).removeprefix("https://").removesuffix(prefix)
    lines = [f"{line} HTTP/1.1", f"Host: {host}", "Connection: close"]
    lines += [f"{name.replace('_', '-')}: {value}" for name, value in headers.items()]
    return "\r\n".join([*lines, "", ""]).encode()


def test_paths_methods_and_headers_arrive_as_they_were_sent(
    proxy: Proxy, prefix: str, behind: Behind, trusting: ssl.SSLContext
) -> None:
    wrong = []
    for name in NAMES:
        with connected(proxy, prefix, trusting) as sock:
            path = f"{prefix}/anna/calendar/{name}"
            sock.sendall(head(proxy, prefix, f"PROPFIND {path}?a=%2F&b", Depth="1", If='(["etag"])', Brief="t"))
            taken = Taken.of(behind)
            taken.answer()
            assert b" 204 " in read_all(sock)
        if taken.line.split(" ")[:2] != ["PROPFIND", f"{path}?a=%2F&b"]:
            wrong.append((name, taken.line))
        assert (taken.one("Depth"), taken.one("If"), taken.one("Brief")) == ("1", '(["etag"])', "t")
    assert wrong == []


def test_the_proxy_alone_says_who_the_client_is(
    proxy: Proxy, prefix: str, behind: Behind, trusting: ssl.SSLContext
) -> None:
    with connected(proxy, prefix, trusting) as sock:
        sock.sendall(head(proxy, prefix, f"GET {prefix}/x", Authorization="Basic eDp5", **LIES))
        taken = Taken.of(behind)
        taken.answer()
        read_all(sock)
    host = proxy.base("x").removeprefix("https://")[:-1] if prefix else proxy.root.removeprefix("https://")
    assert taken.one("Host") == taken.one("X-Forwarded-Host") == host
    assert taken.one("X-Forwarded-For") == "127.0.0.1"
    assert taken.one("X-Forwarded-Proto") == "https"
    assert taken.one("X-Script-Name") == prefix
    assert taken.one("Authorization") == "Basic eDp5"
    for name in ("X-Forwarded-Port", "Forwarded", "X-Real-IP", "X-Remote-Addr", "X-Remote-User", "Remote-User"):
        assert taken.one(name) == "", name


def test_an_etag_stays_what_it_is(proxy: Proxy, prefix: str, behind: Behind, trusting: ssl.SSLContext) -> None:
    """A proxy that packs makes another one of it, and no `If-Match` holds any more."""
    text = b"BEGIN:VCALENDAR\r\n" * 200
    with connected(proxy, prefix, trusting) as sock:
        sock.sendall(head(proxy, prefix, f"GET {prefix}/anna/calendar/a.ics", Accept_Encoding="gzip, br"))
        Taken.of(behind).answer(
            b'HTTP/1.1 200 OK\r\nContent-Type: text/calendar\r\nETag: "one"\r\nConnection: close\r\n'
            b"Content-Length: %d\r\n\r\n" % len(text) + text
        )
        begun, _, body = read_all(sock).partition(b"\r\n\r\n")
    assert b'\r\netag: "one"' in begun.lower()
    assert body == text


def test_nothing_is_held_back_until_it_is_whole(
    proxy: Proxy, prefix: str, behind: Behind, trusting: ssl.SSLContext
) -> None:
    """Each side waits for the other in the middle of its message: whoever buffers it makes this hang."""
    half, size = b"x" * 100_000, 200_000
    with connected(proxy, prefix, trusting) as sock:
        sock.sendall(
            head(
                proxy, prefix, f"PUT {prefix}/anna/calendar/a.ics", Content_Length=str(size), Accept_Encoding="gzip, br"
            )
            + half
        )
        taken = Taken.of(behind)
        # Apache sends what comes in pieces of its own; the last of them may still be with it.
        taken.until(len(half) * 3 // 4)
        sock.sendall(half)
        taken.until(size)
        taken.sock.sendall(
            b"HTTP/1.1 207 Multi-Status\r\nContent-Type: application/xml; charset=utf-8\r\n"
            b"Connection: close\r\nTransfer-Encoding: chunked\r\n\r\n7\r\n<first>\r\n"
        )
        begun = read_until(sock, b"<first>")
        assert b"content-encoding" not in begun.lower()
        taken.answer(b"8\r\n<second>\r\n0\r\n\r\n")
        assert b"<second>" in read_all(sock)


def test_a_proxy_without_a_server_behind_it_says_that_clients_are_to_come_back(
    kind: type[Proxy], prefix: str, trusting: ssl.SSLContext, tmp_path: Path
) -> None:
    with kind(f"unix:{tmp_path}/nobody") as proxy, connected(proxy, prefix, trusting) as sock:
        sock.sendall(head(proxy, prefix, f"PROPFIND {prefix}/anna/"))
        answer = read_all(sock)
        assert b" 503 " in answer.partition(b"\r\n")[0]
        assert answer.lower().count(b"\r\nretry-after: 10\r\n") == 1
