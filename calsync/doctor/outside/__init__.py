"""The server seen from outside: DNS, TLS, the login, where DAV begins, proxies on the way, and each client's sync."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from calsync.doctor.finding import Finding
from calsync.doctor.outside import discovery, dns, login, proxy, tls, writing
from calsync.doctor.outside.clients import CLIENTS
from calsync.doctor.outside.first_sync import FirstSync
from calsync.doctor.outside.probe import Probe
from calsync.doctor.outside.reply import Unreachable

#: What a client is called where it syncs one and the other.
KINDS = {"caldav": "calendars", "carddav": "contacts"}


def findings(probe: Probe) -> Iterator[Finding]:
    """Everything that is found from outside; nothing is written but by `--write`, in a calendar of its own."""
    try:
        for checks in (dns.CHECKS, tls.CHECKS, login.CHECKS, discovery.CHECKS):
            yield from checks.findings(probe)
        if probe.inside and probe.base:  # no client finds what was not found
            yield from _behind(probe)
    finally:
        probe.http.close()


def _behind(probe: Probe) -> Iterator[Finding]:
    try:
        discovery.find_homes(probe)
    except (Unreachable, ValueError):
        probe.homes.clear()
    yield from proxy.CHECKS.findings(probe)
    for client in CLIENTS:
        if probe.options.clients and client.name not in probe.options.clients:
            continue
        for one in FirstSync(client, probe).findings():
            yield replace(one, check=f"{client.name}, {KINDS[client.kind]}", topic="Clients")
    yield from writing.CHECKS.findings(probe)
