"""HTTP as clients speak it, and what becomes of it on the way: nothing is followed, retried or smoothed over unasked.

The password goes to the place that was named and to what it leads to within its domain, and only over TLS that is
believed, unless told otherwise.
"""

from __future__ import annotations

import base64
import http.client
import socket
import ssl
import threading
import time
import zlib
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any, Final
from urllib.parse import SplitResult, quote, urlsplit

from calsync.doctor.outside.reply import Reply, Unreachable
from calsync.webdav.hosts import PORTS, is_loopback, origin_of, same_family

#: As much as is read of an answer.
LARGEST: Final = 16 << 20
#: Redirects that a client follows.
MOST: Final = 6

_CHUNK: Final = 65536
#: Time-outs that an answer may take in all: each counts from the last octet, and some servers send one now and then.
_WHOLE: Final = 20
#: What stands in a URL as it is; servers write other letters too, which clients encode.
_KEPT: Final = "%/:?#[]@!$&'()*+,;=~"


Told = Callable[[str, Reply | None, str], None]


@dataclass(slots=True)
class HttpClient:
    """Connections to one place, kept open. `insecure`: the password may go over TLS that is not believed, or none.

    `addresses`: host → the addresses to be tried; empty for the system's. `tell` is given every exchange, for whoever
    wants to see them: the request as text without secrets, and the answer or what became of it.
    """

    user: str = ""
    password: str | None = None
    origin: str = ""
    context: ssl.SSLContext = field(default_factory=ssl.create_default_context)
    insecure: bool = False
    seconds: float = 15.0
    addresses: Callable[[str], Sequence[str]] | None = None
    tell: Told = lambda _request, _reply, _error: None
    digest: bool = False
    _open: dict[str, http.client.HTTPConnection] = field(default_factory=dict)
    _challenges: dict[str, Any] = field(default_factory=dict)

    def ask(
        self,
        method: str,
        url: str,
        body: bytes = b"",
        headers: Mapping[str, str] | None = None,
        *,
        login: bool = True,
    ) -> Reply:
        """One request, one answer. Raises `Unreachable`."""
        sent = {"User-Agent": "calsync-doctor", "Accept": "*/*", "Accept-Encoding": "identity", **(headers or {})}
        if body:
            sent.setdefault("Content-Type", "application/xml; charset=utf-8")
        if login and self.password is not None and self.may_login(url):
            sent["Authorization"] = self._authorization(method, url)
        reply = self._exchanged(method, url, body, sent)
        if reply.status == 401 and "Authorization" in sent and self._learned(reply):
            sent["Authorization"] = self._authorization(method, url)
            reply = self._exchanged(method, url, body, sent)
        return reply

    def follow(
        self,
        method: str,
        url: str,
        body: bytes = b"",
        headers: Mapping[str, str] | None = None,
        *,
        login: bool = True,
    ) -> list[Reply]:
        """The same through redirects, as clients do: with the same method and body. The last one is the answer, or a
        redirect that is not followed: round in circles, or out of TLS. Raises `Unreachable`."""
        replies = [self.ask(method, url, body, headers, login=login)]
        seen = {url}
        while (target := replies[-1].location) and len(replies) <= MOST:
            if target in seen or (replies[-1].url.startswith("https://") and target.startswith("http://")):
                break
            seen.add(target)
            replies.append(self.ask(method, target, body, headers, login=login))
        return replies

    def may_login(self, url: str) -> bool:
        """Whether the password may go there."""
        parts = urlsplit(url)
        host, own = parts.hostname or "", urlsplit(self.origin).hostname or ""
        if parts.scheme == "https" and (same_family(own, host) or same_family(host, own)):
            return True
        return origin_of(url) == self.origin and (parts.scheme == "https" or self.insecure or is_loopback(host))

    def close(self) -> None:
        for connection in self._open.values():
            connection.close()
        self._open.clear()

    # --- login --------------------------------------------------------------------------------------------------------

    def _authorization(self, method: str, url: str) -> str:
        if self.digest:
            from requests.auth import HTTPDigestAuth

            made: Any = HTTPDigestAuth(self.user, self.password or "")
            made.init_per_thread_state()
            made._thread_local.chal = self._challenges
            return str(made.build_digest_header(method, url))
        return "Basic " + base64.b64encode(f"{self.user}:{self.password}".encode()).decode()

    def _learned(self, reply: Reply) -> bool:
        """Whether the server wants Digest, and has just said how."""
        from urllib.request import parse_http_list, parse_keqv_list

        challenges = [value for key, value in reply.headers if key == "www-authenticate"]
        wanted = next((value for value in challenges if value.lower().startswith("digest ")), "")
        if not wanted or any(value.lower().startswith("basic") for value in challenges):
            return False
        known = bool(self._challenges) and "stale=true" not in wanted.lower()
        self.digest, self._challenges = True, parse_keqv_list(parse_http_list(wanted[7:]))
        return not known

    # --- the connection -----------------------------------------------------------------------------------------------

    def _exchanged(self, method: str, url: str, body: bytes, headers: Mapping[str, str]) -> Reply:
        request = _shown(method, url, body, headers)
        try:
            reply = self._once(method, url, body, headers)
        except Unreachable as error:
            self.tell(request, None, str(error))
            raise
        self.tell(request, reply, "")
        return reply

    def _once(self, method: str, url: str, body: bytes, headers: Mapping[str, str]) -> Reply:
        try:
            parts = urlsplit(url)
            key = origin_of(url)
        except ValueError as error:
            raise Unreachable("http", f"{url!r} is no URL: {error}", error) from error
        if parts.scheme not in PORTS or not parts.hostname:
            raise Unreachable("http", f"{url!r} is no URL of a server")
        kept = self._open.pop(key, None)
        target = quote((parts.path or "/") + (f"?{parts.query}" if parts.query else ""), safe=_KEPT)
        if kept is not None:
            try:
                return self._spoken(kept, key, method, url, target, body, headers)
            except TimeoutError as error:
                kept.close()
                raise Unreachable("timeout", f"no answer within {self.seconds:g} s", error) from error
            except (OSError, http.client.HTTPException):
                kept.close()  # it was idle for too long: once more on a new one
        connection = self._connection(parts)
        try:
            return self._spoken(connection, key, method, url, target, body, headers)
        except TimeoutError as error:
            connection.close()
            raise Unreachable("timeout", f"no answer within {self.seconds:g} s", error) from error
        except (OSError, http.client.HTTPException) as error:
            connection.close()
            text = str(error) or type(error).__name__
            raise Unreachable("closed", f"the connection ended before an answer came ({text})", error) from error

    def _spoken(
        self,
        connection: http.client.HTTPConnection,
        key: str,
        method: str,
        url: str,
        target: str,
        body: bytes,
        headers: Mapping[str, str],
    ) -> Reply:
        overdue = threading.Event()
        cut = threading.Timer(_WHOLE * self.seconds, _shut, (connection.sock, overdue))
        cut.daemon = True
        cut.start()
        try:
            return self._answered(connection, key, method, url, target, body, headers, overdue)
        finally:
            cut.cancel()

    def _answered(
        self,
        connection: http.client.HTTPConnection,
        key: str,
        method: str,
        url: str,
        target: str,
        body: bytes,
        headers: Mapping[str, str],
        overdue: threading.Event,
    ) -> Reply:
        began = time.monotonic()
        length = {"Content-Length": str(len(body))} if body or method in ("PUT", "POST") else {}
        connection.request(method, target, body or None, {**headers, **length})
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
        if whole and not response.will_close:
            self._open[key] = connection
        else:
            connection.close()
        plain = bytes(octets)
        if whole:
            plain, whole = _unpacked(plain, response.getheader("Content-Encoding", ""))
        authorized = "Authorization" in headers
        return Reply(method, url, response.status, told, plain, first or seconds, seconds, whole, authorized)

    def _connection(self, parts: SplitResult) -> http.client.HTTPConnection:
        host, port = parts.hostname or "", parts.port or PORTS[parts.scheme]
        plain = self.connected(host, port)
        connection = http.client.HTTPConnection(host, port, timeout=self.seconds)
        if parts.scheme == "https":
            connection.default_port = 443
            plain = self.secured(plain, host, self.context)
        connection.sock = plain
        return connection

    def connected(self, host: str, port: int) -> socket.socket:
        """A connection to the first address that takes it. Raises `Unreachable`."""
        failed: OSError | None = None
        try:
            found = list(self.addresses(host)) if self.addresses is not None else [host]
        except RuntimeError as error:
            raise Unreachable("name", str(error), error) from error
        if not found:
            raise Unreachable("name", f"{host} has no address")
        for address in found:
            try:
                return socket.create_connection((address, port), self.seconds)
            except OSError as error:
                failed = error
        assert failed is not None
        kind, text = _why(failed)
        raise Unreachable(kind, f"{host}:{port}: {text}", failed) from failed

    def secured(self, plain: socket.socket, host: str, context: ssl.SSLContext) -> ssl.SSLSocket:
        """TLS on it, closed where that fails. Raises `Unreachable`."""
        try:
            return context.wrap_socket(plain, server_hostname=host)
        except (OSError, ValueError) as error:
            plain.close()
            text = getattr(error, "verify_message", "") or getattr(error, "reason", "") or str(error)
            raise Unreachable("tls", f"TLS with {host} failed: {text}", error) from error


def _why(error: OSError) -> tuple[str, str]:
    if isinstance(error, TimeoutError):
        return "timeout", "no answer (a firewall?)"
    if isinstance(error, ConnectionRefusedError):
        return "refused", "nobody listens there"
    if isinstance(error, socket.gaierror):
        return "name", "the name cannot be resolved"
    return "network", (error.strerror or str(error)).lower()


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


def _shut(sock: socket.socket | None, overdue: threading.Event) -> None:
    """End a connection under whoever waits at it."""
    overdue.set()
    if sock is not None:
        with suppress(OSError):
            socket.socket.shutdown(sock, socket.SHUT_RDWR)  # not TLS's own, which is no other thread's


def _shown(method: str, url: str, body: bytes, headers: Mapping[str, str]) -> str:
    """A request as people read it. What goes in `Authorization` stays out."""
    lines = [f"{method} {url}"]
    for name, value in headers.items():
        lines.append(f"{name}: {value.partition(' ')[0] + ' …' if name == 'Authorization' else value}")
    if body:
        text = body.decode(errors="replace")
        lines += ["", text if len(text) <= 4000 else f"{text[:4000]}… ({len(body)} octets)"]
    return "\n".join(lines)
