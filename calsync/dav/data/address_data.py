"""`address-data` (RFC 6352 §10.4): a card whole or in part, as the version that is asked for."""

from __future__ import annotations

from calsync.dav.data.convert import VERSIONS, card_of, convert
from calsync.ical.lines import ScanError, scan
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
    try:
        card = card_of(octets)
        if card is None:
            return octets
        if wanted.version:
            converted = convert(card, wanted.version)
            if converted is not octets and wanted.props is not None:
                card = scan(converted).components[0]
            octets = converted
    except (ScanError, IndexError):
        return octets
    return octets if wanted.props is None else card_subset(card, wanted.props)
