"""What name servers say of the address, and whether each address that they give answers (RFC 6764, RFC 2782)."""

from __future__ import annotations

import ipaddress
import socket
from collections.abc import Iterator
from typing import Final
from urllib.parse import urlsplit

from calsync.doctor.finding import Checks, Finding, command, note, ok, problem, warning
from calsync.doctor.outside.probe import Probe
from calsync.remote.dns import DnsError, Kind
from calsync.webdav.hosts import is_loopback, same_family

CHECKS: Final[Checks[Probe]] = Checks("DNS", (DnsError, ValueError))

_KINDS: Final[tuple[Kind, ...]] = ("caldav", "carddav")
#: Servers of a domain, and addresses of one, that are tried.
_MOST: Final = 8


@CHECKS("SRV and TXT")
def services(probe: Probe) -> Iterator[Finding]:
    # RFC 6764 §6: an address or a domain leads to a server by DNS first
    if not probe.domain or _is_address(probe.domain):
        return
    for kind in _KINDS:
        found = probe.resolver.services(probe.domain, kind)
        probe.services[kind] = found
        if not found:
            if probe.resolver.refused(probe.domain, kind):
                yield note(f"{probe.domain} says that it has no {kind}", code=f"srv-none-{kind}")
            continue
        first = found[0]
        path = f", path {first.path}" if first.path else ""
        yield ok(f"{first.name} → {first.host}:{first.port}{path}")
        if first.scheme == "http":
            yield warning(
                f"{first.name} leads to a server without TLS",
                f"_{kind}s._tcp.{probe.domain}, with TLS",
                "an SRV record for port 443",
                f"srv-clear-{kind}",
            )
        for service in found[:_MOST]:
            if not probe.addresses(service.host):
                yield problem(
                    f"{service.name} leads to {service.host}, which has no address",
                    "a host with an A or AAAA record",
                    "mend the SRV record, or add the address",
                    f"srv-target-{kind}",
                )
    if probe.services["caldav"] or probe.services["carddav"]:
        first = (probe.services["caldav"] or probe.services["carddav"])[0]
        probe.go_to(f"{first.origin}{first.path or '/'}")
        if probe.http.password is not None and not probe.options.insecure and not _is_ours(probe):
            # RFC 6764 §8: DNS can be forged, and so lead to somebody whose certificate is good
            probe.http.password = None
            yield note(
                f"{probe.domain} leads to {probe.host}, of another domain: the password is not sent there",
                "your word that it may be: DNS can be forged",
                f"{command(probe.origin + '/', probe.user)}, if it is where your calendars are",
                "other-domain",
            )
        if not (probe.services["caldav"] and probe.services["carddav"]):
            missing = "carddav" if probe.services["caldav"] else "caldav"
            yield note(
                f"no _{missing}s._tcp.{probe.domain}",
                "an SRV record for each of the two, where the server has both",
                f"_{missing}s._tcp.{probe.domain}. SRV 0 1 {first.port} {first.host}.",
                f"srv-missing-{missing}",
            )
    else:
        yield ok(f"none for {probe.domain}, so https://{probe.domain}/.well-known is where clients look")


@CHECKS("addresses")
def addresses(probe: Probe) -> Iterator[Finding]:
    parts = urlsplit(probe.url)
    host, port = probe.host, parts.port or (443 if parts.scheme == "https" else 80)
    found = probe.addresses(host)[:_MOST]
    if not found:
        yield problem(
            f"{host} has no address",
            "an A record, and an AAAA record where there is IPv6",
            "add them where the domain's name servers are kept, and wait until the old answer is forgotten",
            "no-address",
        )
        return
    silent: list[str] = []
    for address in found:
        why = _silent(address, port)
        if why:
            silent.append(f"{address} ({why})")
    answering = len(found) - len(silent)
    probe.reached = answering > 0
    if not silent:
        yield ok(f"{host} is {', '.join(found)}, port {port} is open on {'each' if len(found) > 1 else 'it'}")
    elif not answering:
        yield problem(
            f"nobody answers at {', '.join(silent)}, port {port}",
            "a server that listens there",
            "start the server or its proxy, open the port in the firewall, forward it in the router",
            "unreachable",
        )
    elif all(":" in one.partition(" ")[0] for one in silent) and not _has_ipv6():
        yield note(f"IPv6 could not be tried from here: {', '.join(silent)}", code="no-ipv6-here")
    else:
        yield warning(
            f"nobody answers at {', '.join(silent)}, port {port}",
            "a server at each address that DNS gives: clients wait for the dead one first",
            "listen there and open the firewall, or take the record out of DNS",
            "dead-address",
        )


def _is_ours(probe: Probe) -> bool:
    return same_family(probe.domain, probe.host) or is_loopback(probe.host)


def _silent(address: str, port: int) -> str:
    """Why nobody answers there; empty where somebody does."""
    try:
        socket.create_connection((address, port), 5).close()
    except OSError as error:
        return "no answer" if isinstance(error, TimeoutError) else (error.strerror or str(error)).lower()
    return ""


def _has_ipv6() -> bool:
    """Whether this machine has a way to addresses of IPv6; nothing is sent to find it."""
    with socket.socket(socket.AF_INET6, socket.SOCK_DGRAM) as probe:
        try:
            probe.connect(("2001:db8::1", 9))
        except OSError:
            return False
    return True


def _is_address(text: str) -> bool:
    try:
        ipaddress.ip_address(text.strip("[]"))
    except ValueError:
        return False
    return True
