"""vCard 3.0 ⇄ 4.0: a card as the version that a client asks for (RFC 6352 §5.1.1, §10.4)."""

from __future__ import annotations

from types import ModuleType
from typing import Final

from calsync.dav.data import version3, version4
from calsync.dav.data.drafts import KEPT, Draft, has_bare_words, rewritten
from calsync.ical.expansion import EOL
from calsync.ical.lines import Component, Line, escape, split_values, unescape, unfold

#: What `supported-address-data` lists (RFC 6352 §6.2.2).
VERSIONS: Final = ("3.0", "4.0")

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
    target = version3 if version == "3.0" else version4
    drafts = [_draft(line, target) for line in card.lines if line.name != "VERSION"]
    # RFC 6350 §6.7.9: VERSION comes first; in version 3 it may.
    out = [b"BEGIN:VCARD", EOL, b"VERSION:", version.encode(), EOL]
    out += [one.written() for one in _complete(target.whole(drafts), card, version)]
    out += [inner.octets for inner in card.components]
    return b"".join((*out, b"END:VCARD", EOL))


def _draft(line: Line, target: ModuleType) -> Draft:
    """Most lines say the same in both versions: they are not even read."""
    if line.name not in target.NAMES and not line.name.startswith(KEPT):
        head = line.raw.partition(b":")[0]
        if b";" not in head or not (target.CONCERNS.search(unfold(head)) or has_bare_words(line)):
            return Draft(line.group, line.name, (), "", line.raw)
    return rewritten(line, target.rewritten)


def _complete(drafts: list[Draft], card: Component, version: str) -> list[Draft]:
    """With FN (RFC 2426 §3.1.1, RFC 6350 §6.2.1) and, in version 3, N (RFC 2426 §3.1.2)."""
    names = {one.name for one in drafts}
    found = drafts
    called = card.text("FN") or ""
    if "FN" not in names:
        called = _full_name(card)
        found = [Draft("", "FN", (), escape(called)), *found]
    if version == "3.0" and "N" not in names:
        # Apple's clients show N, and want that of a group to be its FN (clients.md 8).
        found = [*found, Draft("", "N", (), f"{escape(called)};;;;")]
    return found


def _full_name(card: Component) -> str:
    """What can be made of N (family; given; additional; prefixes; suffixes), or else what the card has."""
    name = card.first("N")
    parts = split_values(name.value if name is not None else "", ";")
    texts = [" ".join(map(unescape, split_values(part, ","))).strip() for part in parts]
    family, given, additional, prefix, suffix = (*texts, *[""] * 5)[:5]
    full = " ".join(text for text in (prefix, given, additional, family, suffix) if text)
    return full or next((text for key in _CALLED if (text := (card.text(key) or "").strip("; "))), "")
