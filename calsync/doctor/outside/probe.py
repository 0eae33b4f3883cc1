"""A probe to a server from outside: where it begins, and what was found on the way, for the looks that come later."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from urllib.parse import urljoin, urlsplit

from calsync.doctor.outside import tls_context
from calsync.doctor.outside.http_client import HttpClient, Told
from calsync.doctor.outside.reply import Reply
from calsync.remote.dns import Resolver, Service
from calsync.webdav import reader
from calsync.webdav.errors import BadRequest
from calsync.webdav.hosts import origin_of
from calsync.webdav.reader import Multistatus


class BadAddress(ValueError):
    """What was given is no address of a server; the message is for people."""


@dataclass(frozen=True, slots=True)
class Options:
    """`nameserver`: who is asked instead of the system's. `authorities`: a file with certificates that are believed,
    too. `insecure`: the password goes over connections that are not safe. `clients`: which are played, none for all."""

    nameserver: str = ""
    port: int = 53
    authorities: str = ""
    insecure: bool = False
    write: bool = False
    seconds: float = 15.0
    clients: Sequence[str] = ()


@dataclass(slots=True)
class Probe:
    """`url`: where DAV begins, as far as is known. `domain`: what was typed, where a name server knows more of it.

    `reached`: whether HTTP answers there. `safe`: whether the password may be sent. `inside`: whether it was taken.
    `base`: the URL that answered with a principal. The rest are URLs and names that the first look at an account gave.
    """

    url: str
    user: str
    domain: str
    http: HttpClient
    resolver: Resolver
    options: Options
    services: dict[str, list[Service]] = field(default_factory=dict)
    schemeless: bool = False
    reached: bool = False
    inside: bool = False
    well_known: dict[str, str] = field(default_factory=dict)
    base: str = ""
    principal: str = ""
    answered: Reply | None = None
    homes: dict[str, str] = field(default_factory=dict)

    @property
    def host(self) -> str:
        return urlsplit(self.url).hostname or ""

    @property
    def origin(self) -> str:
        return origin_of(self.url)

    def at(self, path: str) -> str:
        """A path of this server as a URL."""
        return urljoin(self.origin + "/", path)

    def go_to(self, url: str) -> None:
        """DAV begins elsewhere."""
        self.url = url
        self.http.origin = self.origin

    def addresses(self, host: str) -> list[str]:
        return self.resolver.addresses(host)


def begin(
    given: str, user: str, password: str | None, options: Options, tell: Told = lambda _request, _reply, _error: None
) -> Probe:
    """A probe to `given`: a URL, a host, a domain or an e-mail address. Raises `BadAddress`, `OSError`."""
    text = given.strip()
    schemeless = "://" not in text
    domain = ""
    if schemeless and "@" in text:
        user, domain = user or text, text.rpartition("@")[2]
        text = domain
    parts = urlsplit(f"https://{text}" if schemeless else text)
    try:
        host, port = parts.hostname or "", parts.port
    except ValueError as error:
        raise BadAddress(f"{given!r} is no address of a server: {error}") from error
    if parts.scheme not in ("http", "https") or not host or re.search(r"[\s<>\"]", text):
        raise BadAddress(f"{given!r} is no address of a server (https://dav.example.org/, or anna@example.org)")
    if parts.username is not None:
        raise BadAddress("a URL with a name or a password in it is not asked: --user NAME, and --password-file FILE")
    if schemeless and port is None and parts.path in ("", "/"):
        domain = host
    resolver = Resolver(options.nameserver, options.port)
    made = HttpClient(user, password, insecure=options.insecure, seconds=options.seconds, tell=tell)
    made.context = tls_context.usual(options.authorities)
    made.addresses = resolver.addresses
    probe = Probe("", user, domain, made, resolver, options, schemeless=schemeless)
    probe.go_to(f"{parts.scheme}://{parts.netloc}{parts.path or '/'}")
    return probe


def read(reply: Reply) -> Multistatus | None:
    """The multistatus of an answer; None where there is none."""
    if reply.status != 207 or not reply.whole:
        return None
    try:
        return reader.read(reply.body)
    except BadRequest:
        return None
