"""Requests that go out: whom they may reach, what they may cost, and what is said of those that failed."""

from __future__ import annotations

import ipaddress
import socket
import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final
from urllib.parse import SplitResult, urljoin, urlsplit

import requests
import requests.auth

from calsync import __version__
from calsync.outbound.addresses import Address, Network, embedded, is_public
from calsync.outbound.connections import Connections, Cut, Origin
from calsync.webdav.hosts import PORTS

_REDIRECTS: Final = frozenset({301, 302, 303, 307, 308})
_CHUNK: Final = 65536
#: Seconds in which a server is there at once or not.
_CONNECT: Final = 20.0
#: Seconds after which a connection is ended that time-outs should have ended.
_GRACE: Final = 0.2


class OutboundError(RuntimeError):
    """The other server was not asked, or gave no whole answer; the message says why, for people."""


class Refused(OutboundError):
    """The guard did not let the request out."""


class Broken(OutboundError):
    """The connection could not be made or broke off, or no answer came in time: later it may work."""


@dataclass(frozen=True, slots=True)
class Fetched:
    """An answer, whole. `url` is the one that gave it, after redirects; the names of headers are in lower case."""

    status: int
    headers: Mapping[str, str]
    body: bytes
    url: str


@dataclass(frozen=True, slots=True)
class Guard:
    """Whom requests may reach, and what they may cost.

    `private` are networks that may be reached although they are not public, `hosts` are names (or addresses) whose
    addresses are not asked about, for they stand in the configuration. `octets` bounds an answer; `seconds` each wait
    for the other side, and the reading of the answer as a whole.
    """

    private: tuple[Network, ...] = ()
    hosts: frozenset[str] = frozenset()
    octets: int = 1 << 20
    seconds: float = 10.0
    redirects: int = 5
    _agent: str = field(default=f"calsync/{__version__}", repr=False)

    def fetch(
        self,
        method: str,
        url: str,
        headers: Mapping[str, str] | None = None,
        body: bytes | None = None,
        *,
        login: requests.auth.AuthBase | None = None,
        kept: Connections | None = None,
        follow: bool = True,
    ) -> Fetched:
        """Ask `url`. Only GET and HEAD follow redirects, where they `follow` any. Raises `OutboundError`.

        `login` answers what the server asks for (401); `kept`: connections that stay open for the next request.
        """
        sent = {"User-Agent": self._agent, "Accept-Encoding": "identity", **(headers or {})}
        until = time.monotonic() + self.seconds
        for _ in range(self.redirects + 1):
            fetched = self._once(method, url, sent, body, until, login, kept)
            target = fetched.headers.get("location", "")
            if fetched.status not in _REDIRECTS or not target or not follow or method not in ("GET", "HEAD"):
                return fetched
            before, url = url, urljoin(url, target)
            if _origin(before) != _origin(url):
                # What was meant for one server is not for another.
                login = None
                sent = {name: value for name, value in sent.items() if name.lower() not in ("authorization", "cookie")}
        raise OutboundError(f"{url}: more than {self.redirects} redirects")

    def _once(
        self,
        method: str,
        url: str,
        headers: Mapping[str, str],
        body: bytes | None,
        until: float,
        login: requests.auth.AuthBase | None,
        kept: Connections | None,
    ) -> Fetched:
        parts = _checked(url)
        kept = kept or Connections(keep=False)
        options = {"headers": {**headers, "Host": parts.netloc}, "data": body, "auth": login}
        failed: requests.RequestException | None = None
        for address in kept.address(_origin(url)) or self._addresses(parts, url):
            try:
                return self._at(address, kept, method, url, options, until)
            except requests.RequestException as error:
                failed = error
                if not _may_try_another(error, body):
                    break
        assert failed is not None
        raise _told(failed, url) from failed

    def _at(
        self, address: str, kept: Connections, method: str, url: str, options: Mapping[str, Any], until: float
    ) -> Fetched:
        """Ask at one address of the host; `until` is of the monotonic clock. Raises what `requests` does, and `Broken`
        where it took too long."""
        left = until - time.monotonic()
        cut = Cut(left + _GRACE)
        try:
            with (
                kept.session(_origin(url), address) as session,
                cut.of(session, url),
                session.request(
                    method, url, **options, timeout=_limits(left), allow_redirects=False, stream=True
                ) as response,
            ):
                fetched = self._read(response, url, until)
        except (requests.RequestException, RecursionError) as error:
            if cut.done or isinstance(error, RecursionError):  # urllib3-future calls itself for each 1xx
                raise self._late(url) from error
            raise
        if cut.done:  # an end that looks like one may be ours
            raise self._late(url)
        return fetched

    def _read(self, response: requests.Response, url: str, until: float) -> Fetched:
        headers = {name.lower(): value for name, value in response.headers.items()}
        if headers.get("content-encoding", "identity").lower() != "identity":
            raise OutboundError(f"{url}: the answer is compressed, which was not asked for")
        gathered = bytearray()
        # Not decoded: a small compressed answer could become a large one.
        for chunk in response.iter_content(_CHUNK):
            gathered += chunk
            if len(gathered) > self.octets:
                raise OutboundError(f"{url}: the answer is larger than {self.octets} octets")
            if time.monotonic() > until:
                raise self._late(url)
        return Fetched(response.status_code, headers, bytes(gathered), url)

    def _late(self, url: str) -> Broken:
        return Broken(f"{url}: no whole answer within {self.seconds:g} s")

    def _addresses(self, parts: SplitResult, url: str) -> list[str]:
        """The addresses of the host that may be reached, the resolver's first one first; at most three."""
        host = parts.hostname or ""
        try:
            found = socket.getaddrinfo(host, parts.port or PORTS[parts.scheme], type=socket.SOCK_STREAM)
        except (OSError, UnicodeError) as error:
            kind = Broken if getattr(error, "errno", 0) == socket.EAI_AGAIN else OutboundError
            raise kind(f"{url}: the name {host!r} cannot be resolved ({error})") from error
        resolved = list(dict.fromkeys(str(entry[4][0]).partition("%")[0] for entry in found))
        allowed = [text for text in resolved if self._may_reach(host, ipaddress.ip_address(text))]
        if not allowed:
            raise Refused(
                f"{url}: {host} is at {', '.join(resolved)}, which is not public"
                " ([calsync] outbound_private names networks that may be reached all the same)"
            )
        return allowed[:3]

    def _may_reach(self, host: str, address: Address) -> bool:
        if host.lower() in self.hosts:
            return True
        real = embedded(address)
        return is_public(real) or any(real in network for network in self.private if network.version == real.version)


def guard_for(urls: Iterable[str], private: tuple[Network, ...] = ()) -> Guard:
    """A guard whose known hosts are those of `urls`, which an administrator wrote."""
    return Guard(private, frozenset(filter(None, ((urlsplit(url).hostname or "").lower() for url in urls))))


def _checked(url: str) -> SplitResult:
    try:
        parts = urlsplit(url)
        _ = parts.port
    except ValueError as error:
        raise Refused(f"{url!r} is no URL: {error}") from error
    if parts.scheme not in PORTS or not parts.hostname:
        raise Refused(f"{url!r} is no http or https URL")
    if parts.username is not None or parts.password is not None:
        raise Refused(f"{parts.hostname}: a URL with a login in it is not asked")
    return parts


def _limits(left: float) -> tuple[float, float]:
    """Seconds for the connection and for each wait: a server may think for long, but is there at once or not."""
    return max(0.1, min(left, _CONNECT)), max(0.1, left)


def _origin(url: str) -> Origin:
    parts = _checked(url)
    return parts.scheme, parts.hostname, parts.port or PORTS[parts.scheme]


def _may_try_another(error: requests.RequestException, body: bytes | None) -> bool:
    """Whether another address of the host may be asked: nothing that counts can have arrived at this one."""
    if isinstance(error, requests.ConnectTimeout | requests.exceptions.SSLError):
        return True
    return isinstance(error, requests.ConnectionError) and body is None


def _told(error: requests.RequestException, url: str) -> OutboundError:
    """`Broken` where the same request may work later."""
    passing = isinstance(error, requests.ConnectionError | requests.Timeout | requests.exceptions.ChunkedEncodingError)
    kind = Broken if passing and not isinstance(error, requests.exceptions.SSLError) else OutboundError
    return kind(f"{url}: {_reason(error)}")


def _reason(error: requests.RequestException) -> str:
    if isinstance(error, requests.Timeout):
        return "no answer in time"
    if isinstance(error, requests.exceptions.SSLError):
        return f"TLS failed: {error}"
    text = str(error)
    if "refused" in text:
        return "connection refused"
    return f"{type(error).__name__}: {text}"[:300]
