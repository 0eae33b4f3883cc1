"""A request as WSGI wants it (PEP 3333)."""

from __future__ import annotations

import ipaddress
import logging
import sys
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from typing import IO, Any
from urllib.parse import unquote_to_bytes

logger = logging.getLogger("calsync.server")

Network = ipaddress.IPv4Network | ipaddress.IPv6Network

#: Headers by which a proxy speaks for a client. From anybody else they are lies.
PROXY_HEADERS = frozenset(
    {b"forwarded", b"remote-user", b"x-real-ip", b"x-remote-addr", b"x-remote-user", b"x-script-name"}
)
PROXY_PREFIX = b"x-forwarded-"


@dataclass(frozen=True, slots=True)
class Head:
    """The head of a request. `target` is as sent, `headers` have lower-case names."""

    method: str
    target: bytes
    version: str
    headers: tuple[tuple[bytes, bytes], ...]


@dataclass(slots=True)
class Peer:
    """Who is at the other end. `address` is "" on a unix socket; `base` are the environ entries of the connection."""

    address: str
    port: int
    trusted: bool
    base: dict[str, Any] = field(default_factory=dict)

    @property
    def name(self) -> str:
        return self.address or "unix socket"


def is_trusted(address: str, proxies: Iterable[Network]) -> bool:
    """Whether forwarding headers are believed: from a unix socket, the machine itself or a configured proxy."""
    if not address:
        return True
    ip = ipaddress.ip_address(address.partition("%")[0])
    if isinstance(ip, ipaddress.IPv6Address) and ip.ipv4_mapped:
        ip = ip.ipv4_mapped
    return ip.is_loopback or any(ip in network for network in proxies)


def peer_of(
    remote: object, local: object, proxies: Iterable[Network], tls: Mapping[str, Any] | None, multiprocess: bool = False
) -> Peer:
    """The peer of a connection, from the two socket names (strings on unix sockets) and what is known of its TLS."""
    address, port = ("", 0) if not isinstance(remote, tuple) else (str(remote[0]), int(remote[1]))
    host, own_port = ("localhost", 0) if not isinstance(local, tuple) else (str(local[0]), int(local[1]))
    base: dict[str, Any] = {
        "SCRIPT_NAME": "",
        "SERVER_NAME": host,
        "SERVER_PORT": str(own_port),
        "REMOTE_ADDR": address,
        "REMOTE_HOST": address,
        "REMOTE_PORT": str(port),
        "wsgi.version": (1, 0),
        "wsgi.url_scheme": "http" if tls is None else "https",
        "wsgi.errors": sys.stderr,
        "wsgi.multithread": True,
        "wsgi.multiprocess": multiprocess,
        "wsgi.run_once": False,
    }
    if tls is not None:
        base.update(tls)
    return Peer(address, port, is_trusted(address, proxies), base)


def environ_of(head: Head, peer: Peer, body: IO[bytes], length: int) -> dict[str, Any]:
    """The environ of a request whose body is whole.

    PATH_INFO is Latin-1 of the decoded octets, as PEP 3333 has it; `calsync.raw_path` is the path as sent, still
    percent-encoded, so that a `%2F` can be told from a slash. `OPTIONS *` asks about the root.
    """
    raw_path, _, query = head.target.partition(b"?")
    if raw_path == b"*":
        raw_path = b"/"
    environ = dict(peer.base)
    environ["REQUEST_METHOD"] = head.method
    environ["PATH_INFO"] = unquote_to_bytes(raw_path).decode("latin-1")
    environ["QUERY_STRING"] = query.decode("latin-1")
    environ["SERVER_PROTOCOL"] = head.version
    environ["wsgi.input"] = body
    environ["calsync.raw_path"] = raw_path.decode("latin-1")
    for name, value in head.headers:
        key = _variable(name)
        if not peer.trusted and name == b"x-request-id":  # theirs to tell, but not to write into our log
            continue
        if key is None or (not peer.trusted and _speaks_for_others(name, peer)):
            continue
        text = value.decode("latin-1")
        if key in environ:
            environ[key] += ("; " if name == b"cookie" else ",") + text
        else:
            environ[key] = text
    if length or b"content-length" in (name for name, _ in head.headers):
        environ["CONTENT_LENGTH"] = str(length)
    return environ


def escaped(target: bytes) -> bytes:
    """A request target with its raw non-ASCII octets percent-encoded: clients of old macOS send them."""
    if target.isascii():
        return target
    return b"".join(b"%%%02X" % octet if octet >= 0x80 else bytes((octet,)) for octet in target)


@lru_cache(maxsize=512)
def _variable(name: bytes) -> str | None:
    """The environ's name of a header; None for one that must not get there.

    A header with an underscore would be taken for the one with a dash; the length is the runner's to tell.
    """
    if b"_" in name or name in (b"content-length", b"transfer-encoding"):
        return None
    upper = name.decode("latin-1").upper().replace("-", "_")
    return upper if upper == "CONTENT_TYPE" else f"HTTP_{upper}"


_told: set[str] = set()


def _speaks_for_others(name: bytes, peer: Peer) -> bool:
    if name not in PROXY_HEADERS and not name.startswith(PROXY_PREFIX):
        return False
    if peer.address not in _told and len(_told) < 16:
        _told.add(peer.address)
        logger.warning(
            "ignored header %s from %s, which is no known proxy (if it is yours: [calsync] trusted_proxies = %s)",
            name.decode("latin-1"),
            peer.address,
            peer.address,
        )
    return True
