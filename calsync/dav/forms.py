"""In which form a GET wants what is stored: `Accept` for cards, `CalDAV-Timezones` for calendars (decision D17)."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from calsync.dav import timezones
from calsync.dav.data import address_data as cards
from calsync.dav.data.convert import VERSIONS
from calsync.dav.request import Request
from calsync.dav.resources import CALENDARS, Kind, Resource
from calsync.store import items
from calsync.store.transaction import Transaction
from calsync.webdav.conditions import SUPPORTED_ADDRESS_DATA_CONVERSION
from calsync.webdav.errors import NotAcceptable
from calsync.webdav.requests import AddressData


class Form(NamedTuple):
    """A representation: its mark in the ETag (`variants`), and how octets become it; verbatim by default.

    `vary` names the header that it depends on, `parameter` is added to the media type.
    """

    mark: str = ""
    vary: str = ""
    parameter: str = ""
    rendered: Callable[[bytes], bytes] = bytes


def form_of(tx: Transaction, request: Request, resource: Resource) -> Form:
    """The form of this answer. Raises `supported-address-data-conversion`."""
    if resource.kind is Kind.CARD:
        return _card(tx, request, resource)
    if resource.kind not in CALENDARS | {Kind.EVENT}:
        return Form()
    choice = timezones.wanted(request)
    if not choice:
        return Form()
    if resource.item is not None:
        octets = items.body(tx, resource.item)
        if timezones.adapted(octets, choice) == octets:
            return Form(vary=timezones.HEADER)
    return Form(choice, timezones.HEADER, "", lambda octets: timezones.adapted(octets, choice))


def _card(tx: Transaction, request: Request, resource: Resource) -> Form:
    """RFC 6352 §5.1.1: the version of vCard that `Accept` likes best, the stored one among equals."""
    accept = request.header("accept")
    stored = cards.version(items.body(tx, resource.member)) if "version=" in accept.lower() else ""
    if stored not in VERSIONS:
        return Form(vary="Accept")
    best = _best_version(accept, stored)
    if best is None:
        raise NotAcceptable(f"Accept: {accept[:100]}", condition=SUPPORTED_ADDRESS_DATA_CONVERSION)
    if best == stored:
        return Form(vary="Accept")
    wanted = AddressData(version=best)
    return Form(best[0], "Accept", f";version={best}", lambda octets: cards.render(octets, wanted))


def _best_version(accept: str, stored: str) -> str | None:
    """RFC 9110 §12.5.1. A range without a version means what is stored."""
    weights = dict.fromkeys(VERSIONS, 0.0)
    for one in accept.split(","):
        media, *parameters = (part.strip().lower() for part in one.split(";"))
        named = dict(part.split("=", 1) for part in parameters if "=" in part)
        version = named.get("version", stored).strip('"')
        if media in cards.CONTENT_TYPES | {"text/*", "*/*"} and version in VERSIONS:
            weights[version] = max(weights[version], _weight(named.get("q", "1")))
    best = max(VERSIONS, key=lambda version: (weights[version], version == stored))
    return best if weights[best] > 0 else None


def _weight(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        return 0.0
