"""vCard 4.0 → 3.0, property by property (RFC 2426)."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Final

from calsync.dav.data import media, moments
from calsync.dav.data.drafts import KEPT, Draft, type_words
from calsync.dav.data.version4 import GONE
from calsync.ical.lines import escape, unescape

#: What stands before the colon of a line that has to be looked at, whatever its name.
CONCERNS: Final = re.compile(rb'pref|"|value=uri', re.IGNORECASE)

_BACK: Final = GONE | {"SORT-STRING"}
# Version 3 has each of these once; version 4 may have it in several languages (RFC 6350 §5.4).
_ONCE: Final = frozenset({"BDAY", "FN", "N"})
_GEO: Final = re.compile(r"geo:([^,;]+),([^,;]+)(?:[,;].*)?", re.IGNORECASE)
_OFFSET: Final = re.compile(r"([+-]\d\d):?(\d\d)?")
_NAMED_SEX: Final = re.compile(r"(?:M;Male|F;Female|O;Other|N;None|U;Unknown|;.+)", re.IGNORECASE | re.DOTALL)
_NO_RANK: Final = 101


def rewritten(draft: Draft) -> Draft:
    """A property by itself, PREF aside."""
    changed = draft
    if draft.name.startswith(KEPT) and draft.name.removeprefix(KEPT) in _BACK:
        changed = draft._replace(name=draft.name.removeprefix(KEPT))
    if any("," in word for word in changed.types):
        changed = changed._replace(
            params=tuple(
                (key, tuple(type_words(values)) if key == "TYPE" else values) for key, values in changed.params
            )
        )
    changed = media.to_base64(changed)
    rule = _RULES.get(changed.name)
    return changed if rule is None else rule(changed)


def whole(drafts: list[Draft]) -> list[Draft]:
    """What concerns several properties: which is preferred, what there can be but one of, what has to be there."""
    best: dict[str, int] = {}
    for one in drafts:
        best[one.name] = min(_rank(one), best.get(one.name, _NO_RANK))
    found: list[Draft] = []
    seen: set[str] = set()
    for one in drafts:
        if one.name in _ONCE and one.name in seen:
            found.append(one.kept()._replace(raw=None))
            continue
        seen.add(one.name)
        changed = _preferred(one, best[one.name])
        found += _addresses(changed) if one.name == "ADR" else _names(changed) if one.name == "N" else [changed]
    return found


def _rank(draft: Draft) -> int:
    rank = draft.param("PREF") or ""
    return int(rank) if rank.isdecimal() and len(rank) < 4 else _NO_RANK


def _preferred(draft: Draft, best: int) -> Draft:
    """RFC 2426 knows but preferred ones: those with the lowest PREF."""
    rank = _rank(draft)
    if rank == _NO_RANK:
        return draft
    plain = draft.without("PREF")._replace(raw=None)
    if rank != best or any(word.lower() == "pref" for word in draft.types):
        return plain
    return plain.having("TYPE", "PREF")


def _addresses(draft: Draft) -> list[Draft]:
    """RFC 2426 §3.2.2: LABEL is a property beside its ADR; an ADR that is nothing but its LABEL is left away."""
    label = draft.param("LABEL")
    if label is None:
        return [draft]
    plain = draft.without("LABEL")._replace(raw=None)
    types = tuple(param for param in plain.params if param[0] == "TYPE")
    beside = Draft(draft.group, "LABEL", types, escape(label))
    return [beside] if not draft.value.strip("; ") else [plain, beside]


def _names(draft: Draft) -> list[Draft]:
    """RFC 2426 §3.6.5."""
    key = draft.param("SORT-AS")
    if key is None:
        return [draft]
    texts = next(values for name, values in draft.params if name == "SORT-AS")
    return [draft.without("SORT-AS")._replace(raw=None), Draft("", "SORT-STRING", (), escape(",".join(texts)))]


# --- properties -------------------------------------------------------------------------------------------------------


def _renamed(name: str) -> Callable[[Draft], Draft]:
    return lambda draft: draft._replace(name=name)


def _gender(draft: Draft) -> Draft:
    value = draft.value
    if _NAMED_SEX.fullmatch(value):
        value = value.partition(";")[2]
    return draft._replace(name="X-GENDER", value=value)


def _birthday(draft: Draft) -> Draft:
    return moments.day_to_3(draft) or draft.kept()


def _anniversary(draft: Draft) -> Draft:
    return (moments.day_to_3(draft) or draft)._replace(name="X-ANNIVERSARY")


def _phone(draft: Draft) -> Draft:
    """RFC 2426 §3.3.1: text. Of a `tel:` URI (RFC 3966) the number, and the extension as people write it."""
    plain = draft.without("VALUE") if draft.says("VALUE", "uri") else draft
    value = draft.value.strip()
    if value[:4].lower() != "tel:":
        return plain
    number, *params = value[4:].split(";")
    for param in params:
        name, _, text = param.partition("=")
        number += f" ext. {text}" if name.lower() == "ext" else f"\\;{param}"
    return plain._replace(value=number)


def _geo(draft: Draft) -> Draft:
    """RFC 2426 §3.4.2."""
    found = _GEO.fullmatch(draft.value.strip())
    return draft if found is None else draft.without("VALUE")._replace(value=f"{found[1]};{found[2]}")


def _zone(draft: Draft) -> Draft:
    """RFC 2426 §3.4.1: an offset, unless it says that it is text."""
    offset = _OFFSET.fullmatch(draft.value.strip())
    if offset is not None and not draft.says("VALUE", "text"):
        return draft.without("VALUE")._replace(value=f"{offset[1]}:{offset[2] or '00'}")
    return draft if draft.param("VALUE") is not None else draft.having("VALUE", "text")


def _uid(draft: Draft) -> Draft:
    return draft.without("VALUE") if draft.says("VALUE", "text") else draft


def _related(draft: Draft) -> Draft:
    """RFC 2426 §3.5.4 has the agent alone, as a card or where it is; others stay as they are."""
    if [word.lower() for word in type_words(draft.types)] != ["agent"]:
        return draft
    agent = draft.without("TYPE", "VALUE")._replace(name="AGENT")
    if not draft.says("VALUE", "text"):
        return agent.having("VALUE", "uri")
    return agent if unescape(draft.value).strip().upper().startswith("BEGIN:VCARD") else draft


_RULES: Final[dict[str, Callable[[Draft], Draft]]] = {
    "ANNIVERSARY": _anniversary,
    "BDAY": _birthday,
    "GENDER": _gender,
    "GEO": _geo,
    "KIND": _renamed("X-ADDRESSBOOKSERVER-KIND"),
    "MEMBER": _renamed("X-ADDRESSBOOKSERVER-MEMBER"),
    "RELATED": _related,
    "REV": moments.stamp_to_3,
    "TEL": _phone,
    "TZ": _zone,
    "UID": _uid,
}

#: The properties that have to be looked at, and those whose names begin with `drafts.KEPT`.
NAMES: Final = frozenset({*_RULES, *media.MEDIA, *_ONCE, "ADR"})
