"""HTTP as clients speak it, and what becomes of it on the way: nothing is followed, retried or smoothed over unasked.

The password goes to the place that was named and to what it leads to within its domain, and only over TLS that is
believed, unless told otherwise.
"""

from __future__ import annotations

import base64
import http.client
import socket
import ssl
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final
from urllib.parse import urlsplit

from calsync.doctor.outside.exchange import Request, exchange
from calsync.doctor.outside.reply import Reply, Unreachable
from calsync.webdav.hosts import PORTS, is_loopback, origin_of, same_family

#: Redirects that a client follows.
MOST: Final = 6

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
        reply = self._exchanged(Request(method, url, body, sent))
        if reply.status == 401 and "Authorization" in sent and self._learned(reply):
            sent["Authorization"] = self._authorization(method, url)
            reply = self._exchanged(Request(method, url, body, sent))
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

    def _exchanged(self, request: Request) -> Reply:
        shown = str(request)
        try:
            reply = self._once(request)
        except Unreachable as error:
            self.tell(shown, None, str(error))
            raise
        self.tell(shown, reply, "")
        return reply

    def _once(self, request: Request) -> Reply:
        origin = request.origin
        kept = self._open.pop(origin, None)
        while True:
            connection = kept or self._connection(request.url)
            try:
                reply, stays = exchange(connection, request, self.seconds)
            except TimeoutError as error:
                connection.close()
                raise Unreachable("timeout", f"no answer within {self.seconds:g} s", error) from error
            except (OSError, http.client.HTTPException) as error:
                connection.close()
                if connection is kept:
                    kept = None  # it was idle for too long: once more on a new one
                    continue
                text = str(error) or type(error).__name__
                raise Unreachable("closed", f"the connection ended before an answer came ({text})", error) from error
            if stays:
                self._open[origin] = connection
            else:
                connection.close()
            return reply

    def _connection(self, url: str) -> http.client.HTTPConnection:
        parts = urlsplit(url)
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
