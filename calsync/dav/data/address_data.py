"""`address-data` (RFC 6352 §10.4): a card whole or in part, as the version that is asked for."""

from __future__ import annotations

from calsync.dav.data.convert import VERSIONS, convert, version_of
from calsync.ical.lines import Component, ScanError, scan
from calsync.ical.subset import card_subset
from calsync.webdav.conditions import SUPPORTED_ADDRESS_DATA_CONVERSION
from calsync.webdav.errors import Forbidden
from calsync.webdav.requests import AddressData

#: `text/vcard` is RFC 6350's; the others are what it was called before.
CONTENT_TYPES = frozenset({"text/vcard", "text/x-vcard", "text/directory"})


def check(wanted: AddressData) -> None:
    """Raises Forbidden `supported-address-data-conversion`; asked before anything is sent."""
    media = wanted.content_type.partition(";")[0].strip().lower()
    if media not in CONTENT_TYPES or wanted.version not in ("", *VERSIONS):
        hint = f"address-data: {wanted.content_type[:60]} version {wanted.version[:20]}"
        raise Forbidden(hint, condition=SUPPORTED_ADDRESS_DATA_CONVERSION)


def render(octets: bytes, wanted: AddressData) -> bytes:
    """The card's octets, verbatim where neither part nor another version is asked for.

    A `version` of "" is the one it is stored in. What is no card is given as it is.
    """
    if wanted.props is None and wanted.version and f"\nVERSION:{wanted.version}\r\n".encode() in octets:
        return octets  # nearly always, and it need not be scanned
    card = _card_of(octets)
    if card is not None and wanted.version not in ("", version_of(card)):
        octets = convert(card, wanted.version)
        if wanted.props is None:
            return octets
        card = _card_of(octets)
    return octets if card is None or wanted.props is None else card_subset(card, wanted.props)


def version(octets: bytes) -> str:
    """The version that a card is written in, empty for what is no card."""
    card = _card_of(octets)
    return "" if card is None else version_of(card)


def _card_of(octets: bytes) -> Component | None:
    """None for a list of cards (clients.md 35), too."""
    try:
        roots = scan(octets).components
    except ScanError:
        return None
    return roots[0] if roots and roots[0].name == "VCARD" else None
