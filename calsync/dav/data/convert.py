"""vCard 3.0 ⇄ 4.0: a card as the version that a client asks for (RFC 6352 §5.1.1, §10.4)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from calsync.dav.data import version3, version4
from calsync.dav.data.drafts import Draft, draft, octets
from calsync.ical.expansion import EOL
from calsync.ical.lines import Component, escape, split_values, unescape

#: What `supported-address-data` lists (RFC 6352 §6.2.2).
VERSIONS: Final = ("3.0", "4.0")

_Rule = Callable[[Draft], Draft]
_Whole = Callable[[list[Draft]], list[Draft]]
_DIRECTIONS: Final[dict[str, tuple[_Rule, _Whole]]] = {
    "3.0": (version3.rewritten, version3.whole),
    "4.0": (version4.rewritten, version4.whole),
}
# What a card without FN can be called by, in this order.
_CALLED: Final = ("NICKNAME", "ORG", "EMAIL", "TEL", "UID")


def version_of(card: Component) -> str:
    """The version a card is written in; one that names none is taken for 3.0."""
    return (card.text("VERSION") or "").strip() or "3.0"


def convert(card: Component, version: str) -> bytes:
    """The card in this version, one of VERSIONS; verbatim where it is in it already.

    Lines that need no change are given octet for octet. A card in no version that is known is given as it is.
    """
    if version_of(card) == version or version_of(card) not in VERSIONS:
        return card.octets
    rewritten, whole = _DIRECTIONS[version]
    lines = [line for line in card.lines if line.name != "VERSION"]
    changed = [rewritten(draft(line)) for line in lines]
    # RFC 6350 §6.7.9: VERSION comes first; in version 3 it may.
    out = [b"BEGIN:VCARD", EOL, b"VERSION:", version.encode(), EOL]
    unchanged = {draft(line): line for line in lines}
    for one in _complete(whole(changed), version):
        line = unchanged.get(one)
        out.append(one.written() if line is None else octets(line, one))
    out += [inner.octets for inner in card.components]
    return b"".join((*out, b"END:VCARD", EOL))


def _complete(drafts: list[Draft], version: str) -> list[Draft]:
    """With FN (RFC 2426 §3.1.1, RFC 6350 §6.2.1) and, in version 3, N (RFC 2426 §3.1.2)."""
    found = drafts
    texts = {one.name: one.value for one in reversed(drafts)}
    if "FN" not in texts:
        texts["FN"] = escape(_full_name(texts))
        found = [Draft("", "FN", (), texts["FN"]), *found]
    if version == "3.0" and "N" not in texts:
        # Apple's clients show N, and want that of a group to be its FN (clients.md 8).
        found = [*found, Draft("", "N", (), f"{escape(unescape(texts['FN']))};;;;")]
    return found


def _full_name(texts: dict[str, str]) -> str:
    """What can be made of N (family; given; additional; prefixes; suffixes), or else what the card has."""
    parts = [" ".join(map(unescape, split_values(part, ","))).strip() for part in split_values(texts.get("N", ""), ";")]
    family, given, additional, prefix, suffix = (*parts, *[""] * 5)[:5]
    name = " ".join(part for part in (prefix, given, additional, family, suffix) if part)
    return name or next((text for key in _CALLED if (text := unescape(texts.get(key, "")).strip("; "))), "")
