"""One account on another server: requests with a login, asked again where that helps, and never to a stranger.

A login is for the server that a person named. It goes to another host only where that belongs to the same domain
(iCloud's home is on `p34-caldav.icloud.com`, its address `caldav.icloud.com`) or was named too, and never from https to
http. Addresses that are not public are reached where a person wrote the name of the host; what a server or DNS names
has to be public, unless told otherwise.
"""

from __future__ import annotations

import base64
import ipaddress
import random
import threading
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from email.utils import parsedate_to_datetime
from typing import Final
from urllib.parse import quote, urljoin, urlsplit

import requests
from requests.auth import AuthBase, HTTPDigestAuth

from calsync.outbound import Broken, Connections, Fetched, Guard, Network, OutboundError, Refused
from calsync.transfer.source import SourceError
from calsync.webdav import reader
from calsync.webdav.errors import DavError
from calsync.webdav.hosts import same_family
from calsync.webdav.multistatus import document, element
from calsync.webdav.names import D
from calsync.webdav.reader import Multistatus

#: Octets of an answer, seconds for it.
LARGEST: Final = 128 << 20
PATIENCE: Final = 600.0
EVERYWHERE: Final[tuple[Network, ...]] = (ipaddress.ip_network("0.0.0.0/0"), ipaddress.ip_network("::/0"))

_TRIES: Final = 6
_LONGEST: Final = 300.0  # seconds that are waited at once, whatever the server asks for
_REDIRECTS: Final = frozenset({301, 302, 303, 307, 308})
_LATER: Final = frozenset({429, 502, 503, 504})


class RemoteError(SourceError):
    """The other server cannot be asked, or its answer is of no use; the message is for people."""


class Unreachable(RemoteError):
    """The other server does not answer, however often it is asked."""


class Answered(RemoteError):
    """The other server refused a request."""

    def __init__(self, method: str, fetched: Fetched) -> None:
        self.status = fetched.status
        self.body = fetched.body
        super().__init__(f"{fetched.url}: {method} was answered {fetched.status} {_phrase(fetched.status)}")


@dataclass(frozen=True, slots=True)
class Login:
    """`token`: a bearer token (RFC 6750) instead of a name and password."""

    name: str = ""
    password: str = field(default="", repr=False)
    token: str = field(default="", repr=False)


@dataclass(slots=True)
class Client:
    """`home`: the host or domain that a person named. `trusted`: other hosts that may be given the login.

    `pause`: seconds before the first repetition; each further one waits twice as long.
    """

    home: str
    login: Login = Login()
    trusted: frozenset[str] = frozenset()
    private: tuple[Network, ...] = ()
    pause: float = 1.0
    requests: int = 0
    _guard: Guard = field(init=False)
    _kept: Connections = field(default_factory=Connections)
    _schemes: dict[str, AuthBase | None] = field(default_factory=dict)
    _lock: threading.Lock = field(default_factory=threading.Lock)
    _until: float = 0.0

    def __post_init__(self) -> None:
        self._guard = Guard(self.private, self.trusted | {self.home}, octets=LARGEST, seconds=PATIENCE)

    def close(self) -> None:
        self._kept.close()

    def ask(self, method: str, url: str, body: bytes | None = None, **headers: str) -> Fetched:
        """The answer, whatever its status; redirects are followed with the same method. Raises `RemoteError`."""
        sent = {name.replace("_", "-").title(): value for name, value in headers.items()}
        if body is not None:
            sent["Content-Type"] = "application/xml; charset=utf-8"
        for _ in range(6):
            fetched = self._patiently(method, url, sent, body)
            target = fetched.headers.get("location", "")
            if fetched.status not in _REDIRECTS or not target:
                return fetched
            url = self.joined(url, target)
        raise RemoteError(f"{url}: too many redirects")

    def propfind(self, url: str, names: Sequence[str] | None, depth: str = "0") -> tuple[str, Multistatus]:
        """The URL that answered, and its properties; all that it shows where `names` is None. Raises `RemoteError`."""
        wanted = element(D("allprop")) if names is None else prop(names)
        fetched = self.ask("PROPFIND", url, document(D("propfind"), wanted), depth=depth)
        return fetched.url, multistatus("PROPFIND", fetched)

    def report(self, url: str, root: str, content: bytes, depth: str) -> tuple[str, Multistatus]:
        """The same for a REPORT."""
        fetched = self.ask("REPORT", url, document(root, content), depth=depth)
        return fetched.url, multistatus("REPORT", fetched)

    def joined(self, base: str, href: str) -> str:
        """The URL that an href means, made fit to be asked. Raises `RemoteError` where the login must not go there."""
        try:
            before, parts = urlsplit(base), urlsplit(urljoin(base, quote(href.strip(), safe=_KEPT)))
            host = (parts.hostname or "").lower()
            _ = parts.port
        except ValueError as error:
            raise RemoteError(f"{base}: it names {href!r}, which is no URL") from error
        if parts.scheme not in ("http", "https") or parts.username is not None:
            raise RemoteError(f"{base}: it names {href!r}, which is no address to follow")
        if (before.scheme, before.netloc) != (parts.scheme, parts.netloc):
            if before.scheme == "https" and parts.scheme == "http":
                raise RemoteError(f"{base}: it leads from https to {href}, which is not followed")
            if not self._may_know(host):
                raise RemoteError(
                    f"{base}: it leads to {host}, which is not to be given the login of {self.home}"
                    f" (--trust-host {host}, if both belong together)"
                )
        return parts._replace(fragment="").geturl()

    def _may_know(self, host: str) -> bool:
        return host in self.trusted or same_family(self.home, host)

    # --- patience -----------------------------------------------------------------------------------------------------

    def _patiently(self, method: str, url: str, headers: Mapping[str, str], body: bytes | None) -> Fetched:
        """All that is asked here can be asked twice: nothing is written at the other server."""
        pause = self.pause
        for left in range(_TRIES, 0, -1):
            self._wait()
            try:
                fetched = self._once(method, url, headers, body)
            except Refused as error:
                hint = " or --allow-private" if "outbound_private" in str(error) else ""
                raise RemoteError(f"{error}{hint}") from error
            except Broken as error:
                if left == 1:
                    raise Unreachable(str(error)) from error
                self._hold(pause * random.uniform(0.5, 1.0))
            except OutboundError as error:
                raise RemoteError(str(error)) from error
            else:
                if fetched.status not in _LATER or left == 1:
                    return fetched
                asked = _seconds(fetched.headers.get("retry-after", ""))
                self._hold(pause * random.uniform(0.5, 1.0) if asked is None else asked)
            pause *= 2
        raise AssertionError("the last try returns or raises")

    def _wait(self) -> None:
        """Until the server may be asked again, in all threads."""
        while (left := self._until - time.monotonic()) > 0:
            time.sleep(left)

    def _hold(self, seconds: float) -> None:
        with self._lock:
            self._until = max(self._until, time.monotonic() + min(seconds, _LONGEST))

    # --- the login ----------------------------------------------------------------------------------------------------

    def _once(self, method: str, url: str, headers: Mapping[str, str], body: bytes | None) -> Fetched:
        parts = urlsplit(url)
        origin = f"{parts.scheme}://{parts.netloc}".lower()
        with self._lock:
            self.requests += 1
            unknown = origin not in self._schemes
        if not unknown:
            return self._fetch(method, url, headers, body, self._schemes[origin])
        # What the server asks for is known from what it says to a stranger; then all that follows has the login.
        answer = None
        if not self.login.token:
            answer = self._fetch(method, url, headers, body, None)
        scheme = self._scheme(answer)
        with self._lock:
            scheme = self._schemes.setdefault(origin, scheme)
        if scheme is None and answer is not None:
            return answer
        return self._fetch(method, url, headers, body, scheme)

    def _fetch(
        self, method: str, url: str, headers: Mapping[str, str], body: bytes | None, login: AuthBase | None
    ) -> Fetched:
        return self._guard.fetch(method, url, headers, body, login=login, kept=self._kept, follow=False)

    def _scheme(self, answer: Fetched | None) -> AuthBase | None:
        if self.login.token:
            return _Header(f"Bearer {self.login.token}")
        if not self.login.name:
            return None
        offered = answer.headers.get("www-authenticate", "").lower() if answer is not None else ""
        if "digest" in offered:
            return HTTPDigestAuth(self.login.name, self.login.password)
        # RFC 7617 §2.1: UTF-8 is what servers expect, whether they say so or not.
        pair = f"{self.login.name}:{self.login.password}".encode()
        return _Header(f"Basic {base64.b64encode(pair).decode()}")


class _Header(AuthBase):
    """The same header with each request."""

    def __init__(self, value: str) -> None:
        self._value = value

    def __call__(self, request: requests.PreparedRequest) -> requests.PreparedRequest:
        request.headers["Authorization"] = self._value
        return request


# Of a URL as servers write it: what has a meaning there, and what is encoded already.
_KEPT: Final = "%:/?#[]@!$&'()*+,;=~"


def prop(names: Iterable[str]) -> bytes:
    """`D:prop` with these names."""
    return element(D("prop"), b"".join(map(element, names)))


def multistatus(method: str, fetched: Fetched) -> Multistatus:
    """What a 207 says. Raises `RemoteError`."""
    if fetched.status != 207:
        raise Answered(method, fetched)
    try:
        return reader.read(fetched.body)
    except DavError as error:
        raise RemoteError(f"{fetched.url}: the answer to {method} cannot be read: {error}") from error


def _seconds(value: str) -> float | None:
    """`Retry-After` (RFC 9110 §10.2.3): seconds or a date."""
    value = value.strip()
    if value.isascii() and value.isdigit():
        return float(value[:9])
    try:
        return max(0.0, parsedate_to_datetime(value).timestamp() - time.time()) if value else None
    except (TypeError, ValueError):
        return None


def _phrase(status: int) -> str:
    told = {401: "(a login is needed, or this one is wrong)", 403: "(not allowed)", 404: "(nothing is there)"}
    return told.get(status, "(later it may work)" if status in _LATER else "")
