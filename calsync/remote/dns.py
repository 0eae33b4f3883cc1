"""What DNS says of a domain's calendars and contacts (RFC 6764): SRV and TXT records, and the addresses of hosts.

    resolver = Resolver()
    for service in resolver.services("example.org", "caldav"):
        service.url       # https://dav.example.org:8443/path/, in the order in which they are to be tried

The system's resolver is asked, which also reads /etc/hosts for addresses; a name server that is named instead tells
what others see.
"""

from __future__ import annotations

import ipaddress
import socket
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final, Literal

import dns.exception
import dns.name
import dns.rdatatype
import dns.resolver

from calsync.webdav.hosts import origin

Kind = Literal["caldav", "carddav"]

#: With TLS first: a client that finds it does not ask for the other (RFC 6764 §6).
_SCHEMES: Final = (("s", "https", 443), ("", "http", 80))


class DnsError(RuntimeError):
    """The name servers gave no answer; the message is for people."""


@dataclass(frozen=True, slots=True)
class Service:
    """A server as an SRV record names it. `path` is that of the TXT record, empty where there is none."""

    name: str
    scheme: str
    host: str
    port: int
    priority: int = 0
    weight: int = 0
    path: str = ""

    @property
    def origin(self) -> str:
        """`https://dav.example.org`, with the port where it is not the usual one."""
        return origin(self.scheme, self.host, self.port)

    @property
    def url(self) -> str:
        """Where a client begins: at the path of the TXT record, else at the well-known one."""
        kind = self.name.lstrip("_").partition(".")[0].removesuffix("s")
        return f"{self.origin}{self.path or f'/.well-known/{kind}'}"


@dataclass(frozen=True, slots=True)
class Resolver:
    """`nameserver`: the address of one, or empty for those that the system asks. `seconds`: for each answer."""

    nameserver: str = ""
    port: int = 53
    seconds: float = 5.0

    def services(self, domain: str, kind: Kind) -> list[Service]:
        """The servers of a domain, in the order in which they are to be tried; those with TLS alone where there are
        any. Empty where DNS names none, or says that there is none (RFC 2782: the target is the root). Raises
        `DnsError` where no answer came."""
        for suffix, scheme, _ in _SCHEMES:
            name = f"_{kind}{suffix}._tcp.{domain.rstrip('.')}"
            found = [record for record in self._ask(name, "SRV") if record.target != dns.name.root]
            if found:
                path = self.path(name)
                # RFC 2782: the lowest priority first, and within it the heavier one more often; here it goes first.
                found.sort(key=lambda record: (record.priority, -record.weight))
                return [
                    Service(
                        name,
                        scheme,
                        record.target.to_text(omit_final_dot=True),
                        record.port,
                        record.priority,
                        record.weight,
                        path,
                    )
                    for record in found
                ]
        return []

    def path(self, name: str) -> str:
        """What the TXT record beside an SRV record says of the path (RFC 6764 §4): `path=/dav/`."""
        for record in self._ask(name, "TXT"):
            key, _, value = b"".join(record.strings).decode(errors="replace").partition("=")
            if key.strip().lower() == "path" and value.startswith("/"):
                return value
        return ""

    def refused(self, domain: str, kind: Kind) -> bool:
        """Whether DNS says that the domain has no such service at all, with TLS or without."""
        records = [
            record
            for suffix, _, _ in _SCHEMES
            for record in self._ask(f"_{kind}{suffix}._tcp.{domain.rstrip('.')}", "SRV")
        ]
        return bool(records) and all(record.target == dns.name.root for record in records)

    def addresses(self, host: str) -> list[str]:
        """The addresses of a host, IPv4 and IPv6; empty where the name is not there. Raises `DnsError`."""
        try:
            return [str(ipaddress.ip_address(host.strip("[]")))]
        except ValueError:
            pass
        if not self.nameserver:
            return _of_system(host)
        return [record.address for kind in ("A", "AAAA") for record in self._ask(host, kind)]

    def _ask(self, name: str, kind: str) -> Iterator[Any]:
        try:
            asked = dns.resolver.Resolver(configure=not self.nameserver)
            if self.nameserver:
                asked.nameservers, asked.port = [self.nameserver], self.port
            answer = asked.resolve(dns.name.from_text(name), kind, lifetime=self.seconds, search=False)
        except (dns.resolver.NXDOMAIN, dns.resolver.NoAnswer):
            return
        except dns.exception.DNSException as error:
            raise DnsError(f"{name} ({kind}): {_reason(error)}") from error
        yield from answer


def _of_system(host: str) -> list[str]:
    try:
        found = socket.getaddrinfo(host, None, type=socket.SOCK_STREAM)
    except socket.gaierror as error:
        if error.errno in (socket.EAI_NONAME, getattr(socket, "EAI_NODATA", socket.EAI_NONAME)):
            return []
        raise DnsError(f"{host}: {error.strerror}") from error
    except UnicodeError as error:
        raise DnsError(f"{host!r} is no name of a host") from error
    return list(dict.fromkeys(str(entry[4][0]) for entry in found))


def _reason(error: dns.exception.DNSException) -> str:
    if isinstance(error, dns.exception.Timeout):
        return "the name server does not answer"
    if isinstance(error, dns.resolver.NoResolverConfiguration):
        return "this machine knows no name server"
    if isinstance(error, dns.resolver.NoNameservers):
        return "no name server could answer"
    return " ".join(str(error).split()) or type(error).__name__
