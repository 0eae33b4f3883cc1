"""HTTP that goes out, through one guard: what others write must not make the server ask its own network.

A URL may come from a user (a subscription), from a provider's metadata or from a redirect. Its host is resolved here,
each address is checked, and the connection goes to a checked address: a name that resolves to something else a moment
later (DNS rebinding) gains nothing. Loopback, private, link-local and other special addresses are refused unless the
configuration names their network (`[calsync] outbound_private`) or their host. Proxies and credentials from the
environment are not used. The size of an answer and the time that it takes are bounded.
"""

from __future__ import annotations

import ipaddress
import os
import socket
import threading
import time
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from http.cookiejar import DefaultCookiePolicy
from typing import Any, Final
from urllib.parse import SplitResult, urljoin, urlsplit

import requests
import requests.adapters
import requests.auth

from calsync import __version__

Address = ipaddress.IPv4Address | ipaddress.IPv6Address
Network = ipaddress.IPv4Network | ipaddress.IPv6Network

_NAT64: Final = ipaddress.IPv6Network("64:ff9b::/96")  # RFC 6052 §2.1
_REDIRECTS: Final = frozenset({301, 302, 303, 307, 308})
_PORTS: Final = {"http": 80, "https": 443}
_CHUNK: Final = 65536
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
        login: requests.auth.AuthBase | None = None,
        kept: Connections | None = None,
    ) -> Fetched:
        parts = _checked(url)
        failed: requests.RequestException | None = None
        kept = kept or Connections(keep=False)
        for address in kept.address(_origin(url)) or self._addresses(parts, url):
            cut = _Cut(until - time.monotonic() + _GRACE)
            try:
                with (
                    kept.session(_origin(url), address) as session,
                    cut.of(session, url),
                    session.request(
                        method,
                        url,
                        headers={**headers, "Host": parts.netloc},
                        data=body,
                        auth=login,
                        timeout=_limits(until - time.monotonic()),
                        allow_redirects=False,
                        stream=True,
                    ) as response,
                ):
                    fetched = self._read(response, url, until)
                if cut.done:  # an end that looks like one may be ours
                    raise Broken(f"{url}: no whole answer within {self.seconds:g} s")
                return fetched
            except (requests.RequestException, RecursionError) as error:
                if cut.done or isinstance(error, RecursionError):  # urllib3-future calls itself for each 1xx
                    raise Broken(f"{url}: no whole answer within {self.seconds:g} s") from error
                if isinstance(error, requests.ConnectTimeout | requests.exceptions.SSLError):
                    failed = error
                    continue
                if not isinstance(error, requests.ConnectionError):
                    later = isinstance(error, requests.Timeout | requests.exceptions.ChunkedEncodingError)
                    raise (Broken if later else OutboundError)(f"{url}: {_reason(error)}") from error
                if body is not None:
                    raise Broken(f"{url}: {_reason(error)}") from error  # it may have arrived
                failed = error
        assert failed is not None
        kind = OutboundError if isinstance(failed, requests.exceptions.SSLError) else Broken
        raise kind(f"{url}: {_reason(failed)}") from failed

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
                raise Broken(f"{url}: no whole answer within {self.seconds:g} s")
        return Fetched(response.status_code, headers, bytes(gathered), url)

    def _addresses(self, parts: SplitResult, url: str) -> list[str]:
        """The addresses of the host that may be reached, the resolver's first one first; at most three."""
        host = parts.hostname or ""
        try:
            found = socket.getaddrinfo(host, parts.port or _PORTS[parts.scheme], type=socket.SOCK_STREAM)
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
        real = _embedded(address)
        return is_public(real) or any(real in network for network in self.private if network.version == real.version)


Origin = tuple[str, str | None, int | None]


class _Own(threading.local):
    """What a thread has open: origin → address and session."""

    def __init__(self) -> None:
        self.open: dict[Origin, tuple[str, requests.Session]] = {}


class Connections:
    """Connections that stay open between requests, of each thread its own; each goes to an address that was checked."""

    def __init__(self, *, keep: bool = True) -> None:
        self._keep = keep
        self._own = _Own()
        self._all: list[requests.Session] = []

    def address(self, origin: Origin) -> list[str]:
        """The address to which this thread has one; empty where it has none."""
        found = self._own.open.get(origin)
        return [found[0]] if found else []

    @contextmanager
    def session(self, origin: Origin, address: str) -> Iterator[requests.Session]:
        """A session with one address of a server; what fails inside ends it."""
        found = self._own.open.pop(origin, None)
        session = found[1] if found is not None else _session(origin, address)
        try:
            yield session
        except BaseException:
            session.close()
            raise
        if self._keep:
            self._own.open[origin] = address, session
            if session not in self._all:
                self._all.append(session)
        else:
            session.close()

    def close(self) -> None:
        """End them all; of all threads."""
        for session in self._all:
            session.close()


def _session(origin: Origin, address: str) -> requests.Session:
    session = requests.Session()
    session.trust_env = False  # no proxy, no .netrc
    session.verify = _authorities()
    session.cookies.set_policy(DefaultCookiePolicy(allowed_domains=()))
    session.mount(f"{origin[0]}://", _Pinned(origin[1] or "", address))
    return session


class _Cut:
    """Ends a connection after so many seconds, whatever goes on: a time-out counts from the last octet, so a server
    that sends one now and then, or `100 Continue` without end, is never too slow for it."""

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self.done = False

    @contextmanager
    def of(self, session: requests.Session, url: str) -> Iterator[None]:
        """While the block runs."""
        adapter = session.get_adapter(url)
        assert isinstance(adapter, _Pinned)
        timer = threading.Timer(max(0.0, self._seconds), self._end, (adapter,))
        timer.daemon = True
        timer.start()
        try:
            yield
        finally:
            timer.cancel()

    def _end(self, adapter: _Pinned) -> None:
        self.done = True
        adapter.end()


class _Pinned(requests.adapters.HTTPAdapter):
    """Connects to `address`, and still speaks to `host`: its certificate, its name in TLS."""

    def __init__(self, host: str, address: str) -> None:
        self._host = host
        self._address = address
        self._socket: socket.socket | None = None
        super().__init__(max_retries=0)

    def get_connection_with_tls_context(self, *args: Any, **kwargs: Any) -> Any:
        pool: Any = super().get_connection_with_tls_context(*args, **kwargs)
        if "ConnectionCls" not in vars(pool):
            pool.ConnectionCls = self._remembered(pool.ConnectionCls)
        return pool

    def _remembered(self, kind: Any) -> Any:
        adapter = self

        class Remembered(kind):  # type: ignore[misc]
            def connect(self) -> None:
                super().connect()
                adapter._socket = self.sock

        return Remembered

    def end(self) -> None:
        """End the connection under whoever waits at it."""
        if self._socket is not None:
            with suppress(OSError):
                socket.socket.shutdown(self._socket, socket.SHUT_RDWR)  # not TLS's own, which is no other thread's

    def build_connection_pool_key_attributes(self, request: Any, verify: Any, cert: Any = None) -> Any:
        parts: Any = super().build_connection_pool_key_attributes(request, verify, cert)
        host, pool = parts
        host["host"] = self._address
        if host["scheme"] == "https":
            pool["server_hostname"] = self._host
            pool["assert_hostname"] = self._host
        return host, pool


def _authorities() -> str | bool:
    """Whose certificates are believed: those that the environment names, else the usual ones."""
    return os.environ.get("REQUESTS_CA_BUNDLE") or os.environ.get("SSL_CERT_FILE") or True


def guard_for(urls: Iterable[str], private: tuple[Network, ...] = ()) -> Guard:
    """A guard whose known hosts are those of `urls`, which an administrator wrote."""
    return Guard(private, frozenset(filter(None, ((urlsplit(url).hostname or "").lower() for url in urls))))


def is_public(address: Address) -> bool:
    """Whether an address belongs to the internet at large (RFC 6890), and to one host."""
    if isinstance(address, ipaddress.IPv6Address) and address.is_site_local:
        return False
    return address.is_global and not address.is_multicast and not address.is_reserved


def _embedded(address: Address) -> Address:
    """The IPv4 address that an IPv6 one stands for, where it does: it is where the packets go."""
    if isinstance(address, ipaddress.IPv4Address):
        return address
    if address.ipv4_mapped is not None:
        return address.ipv4_mapped
    if address.sixtofour is not None:
        return address.sixtofour
    if address in _NAT64:
        return ipaddress.IPv4Address(int(address) & 0xFFFFFFFF)
    return address


def _checked(url: str) -> SplitResult:
    try:
        parts = urlsplit(url)
        _ = parts.port
    except ValueError as error:
        raise Refused(f"{url!r} is no URL: {error}") from error
    if parts.scheme not in _PORTS or not parts.hostname:
        raise Refused(f"{url!r} is no http or https URL")
    if parts.username is not None or parts.password is not None:
        raise Refused(f"{parts.hostname}: a URL with a login in it is not asked")
    return parts


def _limits(left: float) -> tuple[float, float]:
    """Seconds for the connection and for each wait: a server may think for long, but is there at once or not."""
    return max(0.1, min(left, _CONNECT)), max(0.1, left)


def _origin(url: str) -> Origin:
    parts = _checked(url)
    return parts.scheme, parts.hostname, parts.port or _PORTS[parts.scheme]


def _reason(error: requests.RequestException) -> str:
    if isinstance(error, requests.Timeout):
        return "no answer in time"
    if isinstance(error, requests.exceptions.SSLError):
        return f"TLS failed: {error}"
    text = str(error)
    if "refused" in text:
        return "connection refused"
    return f"{type(error).__name__}: {text}"[:300]
