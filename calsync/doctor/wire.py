"""HTTP as clients speak it, and what becomes of it on the way: nothing is followed, retried or smoothed over unasked.

The password goes to the place that was named and to what it leads to within its domain, and only over TLS that is
believed, unless told otherwise.
"""

from __future__ import annotations

import base64
import gzip
import http.client
import socket
import ssl
import time
import warnings
import zlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final
from urllib.parse import SplitResult, urljoin, urlsplit

#: As much as is read of an answer.
LARGEST: Final = 16 << 20
#: Redirects that a client follows.
MOST: Final = 6
REDIRECTS: Final = frozenset({301, 302, 303, 307, 308})

_USUAL: Final = {"http": 80, "https": 443}
_CHUNK: Final = 65536


class Unreachable(RuntimeError):
    """No answer came. `kind`: name, refused, timeout, tls, http, closed; `error` is what was behind it."""

    def __init__(self, kind: str, text: str, error: Exception | None = None) -> None:
        super().__init__(text)
        self.kind = kind
        self.error = error


@dataclass(frozen=True, slots=True)
class Reply:
    """An answer. Names of headers are in lower case, in their order; `first` and `seconds`: until the first octet of
    the body, and until the last. `whole` is False where the body ended early, or was more than is read."""

    method: str
    url: str
    status: int
    headers: Sequence[tuple[str, str]]
    body: bytes
    first: float = 0.0
    seconds: float = 0.0
    whole: bool = True
    authorized: bool = False

    def header(self, name: str) -> str:
        """A header's value; several are joined by commas, none is empty."""
        return ", ".join(value for key, value in self.headers if key == name.lower())

    @property
    def location(self) -> str:
        """Where a redirect leads, absolute; empty for other answers."""
        target = self.header("location")
        return urljoin(self.url, target) if self.status in REDIRECTS and target else ""

    @property
    def is_page(self) -> bool:
        """Whether a proxy's or a program's page for people came where WebDAV would answer in XML."""
        return "html" in self.header("content-type").lower() and b"DAV:" not in self.body

    def __str__(self) -> str:
        return f"{self.status} {http.client.responses.get(self.status, '')}".strip()


Told = Callable[[str, Reply | None, str], None]


@dataclass(slots=True)
class Wire:
    """Connections to one place, kept open. `trusted`: the password may go over TLS that is not believed, or none.

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
        if not (origin_of(url) == self.origin or (parts.scheme == "https" and _is_kin(url, self.origin))):
            return False
        return parts.scheme == "https" or self.insecure or _is_near(parts.hostname or "")

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
        parts = urlsplit(url)
        key = origin_of(url)
        kept = self._open.pop(key, None)
        target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
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
        wanted = response.getheader("Content-Length", "")
        if method != "HEAD" and wanted.isdigit() and response.status not in (204, 304):
            whole = whole and len(octets) == int(wanted)
        seconds = time.monotonic() - began
        told = [(name.lower(), value) for name, value in response.getheaders()]
        if whole and not response.will_close:
            self._open[key] = connection
        else:
            connection.close()
        plain = _unpacked(bytes(octets), response.getheader("Content-Encoding", "")) if whole else bytes(octets)
        authorized = "Authorization" in headers
        return Reply(method, url, response.status, told, plain, first or seconds, seconds, whole, authorized)

    def _connection(self, parts: SplitResult) -> http.client.HTTPConnection:
        host, port = parts.hostname or "", parts.port or _USUAL[parts.scheme]
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


def context(authorities: str = "", *, believed: bool = True) -> ssl.SSLContext:
    """TLS as clients do it; `authorities`: a file with further ones. Not `believed`: whatever certificate there is."""
    made = ssl.create_default_context()
    if authorities:
        made.load_verify_locations(authorities)
    if not believed:
        made.check_hostname, made.verify_mode = False, ssl.CERT_NONE
    made.set_alpn_protocols(["http/1.1"])
    return made


def only(version: ssl.TLSVersion) -> ssl.SSLContext:
    """A context that speaks one version, also one that is out of use."""
    made = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    made.check_hostname, made.verify_mode = False, ssl.CERT_NONE
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        made.minimum_version, made.maximum_version = ssl.TLSVersion.MINIMUM_SUPPORTED, version
        made.minimum_version = version
    if version < ssl.TLSVersion.TLSv1_2:
        made.set_ciphers("ALL:@SECLEVEL=0")
    return made


def origin_of(url: str) -> str:
    """`https://dav.example.org:8443`, the port left out where it is the usual one."""
    parts = urlsplit(url)
    host = parts.hostname or ""
    host = f"[{host}]" if ":" in host else host
    usual = parts.port is None or parts.port == _USUAL.get(parts.scheme)
    return f"{parts.scheme}://{host}" + ("" if usual else f":{parts.port}")


def _is_kin(url: str, origin: str) -> bool:
    """Whether two hosts have the last two labels of their names in common."""
    one, other = ((urlsplit(text).hostname or "").split(".")[-2:] for text in (url, origin))
    return one == other and len(one) == 2 and not one[-1].isdigit()


def _is_near(host: str) -> bool:
    return host in ("localhost", "::1") or host.startswith("127.")


def _why(error: OSError) -> tuple[str, str]:
    if isinstance(error, TimeoutError):
        return "timeout", "no answer (a firewall?)"
    if isinstance(error, ConnectionRefusedError):
        return "refused", "nobody listens there"
    if isinstance(error, socket.gaierror):
        return "name", "the name cannot be resolved"
    return "network", (error.strerror or str(error)).lower()


def _unpacked(octets: bytes, coding: str) -> bytes:
    try:
        if coding.lower() == "gzip":
            return gzip.decompress(octets)
        if coding.lower() == "deflate":
            return zlib.decompress(octets)
    except (OSError, EOFError, zlib.error):
        return octets
    return octets


def _shown(method: str, url: str, body: bytes, headers: Mapping[str, str]) -> str:
    """A request as people read it. What goes in `Authorization` stays out."""
    lines = [f"{method} {url}"]
    for name, value in headers.items():
        lines.append(f"{name}: {value.partition(' ')[0] + ' …' if name == 'Authorization' else value}")
    if body:
        text = body.decode(errors="replace")
        lines += ["", text if len(text) <= 4000 else f"{text[:4000]}… ({len(body)} octets)"]
    return "\n".join(lines)
