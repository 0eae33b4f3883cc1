"""The server seen from outside: the way to it, its door, and what each client meets behind it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from calsync.doctor import entrance, names, passes, trial, trust, ways
from calsync.doctor.clients import CLIENTS
from calsync.doctor.finding import Finding
from calsync.doctor.visit import Visit
from calsync.doctor.walk import Walk
from calsync.doctor.wire import Unreachable

#: What a client is called where it syncs one and the other.
KINDS = {"caldav": "calendars", "carddav": "contacts"}


def findings(visit: Visit) -> Iterator[Finding]:
    """Everything that is found from outside; nothing is written but by `--write`, in a calendar of its own."""
    try:
        for checks in (names.CHECKS, trust.CHECKS, entrance.CHECKS, ways.CHECKS):
            yield from checks.findings(visit)
        if visit.inside and visit.base:  # no client finds what was not found
            yield from _behind(visit)
    finally:
        visit.wire.close()


def _behind(visit: Visit) -> Iterator[Finding]:
    try:
        passes.homes(visit)
    except Unreachable:
        visit.homes.clear()
    yield from passes.CHECKS.findings(visit)
    for client in CLIENTS:
        if visit.options.clients and client.name not in visit.options.clients:
            continue
        for one in Walk(client, visit).findings():
            yield replace(one, check=f"{client.name}, {KINDS[client.kind]}", topic="Clients")
    yield from trial.CHECKS.findings(visit)
