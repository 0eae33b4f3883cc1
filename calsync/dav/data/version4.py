"""vCard 3.0 → 4.0, property by property (RFC 6350; Appendix A.2 lists what is new and what is gone)."""

from __future__ import annotations

import quopri
import re
from collections.abc import Callable
from typing import Final

from calsync.dav.data import media, moments
from calsync.dav.data.drafts import KEPT, Draft, type_words
from calsync.ical.lines import escape, unescape

#: What version 4 does not have (RFC 6350 Appendix A.2) and nothing stands in for.
GONE: Final = frozenset({"CLASS", "MAILER", "NAME", "PROFILE"})

#: What stands before the colon of a line that has to be looked at, whatever its name.
CONCERNS: Final = re.compile(rb"pref|charset|encoding|base64|quoted", re.IGNORECASE)

_EMPTY_ADDRESS: Final = ";" * 6
_EMPTY_NAME: Final = ";" * 4
_OFFSET: Final = re.compile(r"[+-]\d\d(?::?\d\d)?")
_COORDINATES: Final = re.compile(r"([+-]?\d+(?:\.\d*)?)\s*[;,]\s*([+-]?\d+(?:\.\d*)?)")
_SEX: Final = re.compile(r"[MFONU]?(;.*)?", re.DOTALL)
_SEXES: Final = {"male": "M", "female": "F", "other": "O", "none": "N", "unknown": "U"}


def rewritten(draft: Draft) -> Draft:
    """A property by itself."""
    changed = draft._replace(name=draft.name.removeprefix(KEPT)) if draft.name.startswith(KEPT) else draft
    if changed.params or changed.name in media.MEDIA:
        changed = _preferred(media.to_uri(_plain(changed)))
    rule = _RULES.get(changed.name)
    return changed if rule is None else rule(changed)


def whole(drafts: list[Draft]) -> list[Draft]:
    """What concerns several properties: LABEL and SORT-STRING have become parameters, FN has to be there."""
    found = [one for one in drafts if one.name not in ("LABEL", "SORT-STRING")]
    if len(found) == len(drafts):
        return found
    for label in drafts:
        if label.name == "LABEL":
            _label(found, label)
    keys = [one for one in drafts if one.name == "SORT-STRING"]
    if keys:
        _sorted(found, keys[0])
        found += [one.kept()._replace(raw=None) for one in keys[1:]]
    return found


def _plain(draft: Draft) -> Draft:
    """Version 2.1's character sets and quoted-printable, which some write into version 3."""
    if draft.says("ENCODING", "quoted-printable"):
        charset = draft.param("CHARSET") or "utf-8"
        octets = quopri.decodestring(draft.value.encode())
        try:
            text = octets.decode(charset)
        except (LookupError, UnicodeDecodeError):
            text = octets.decode("utf-8", "replace")
        lines = text.replace("\r\n", "\n").split("\n")
        draft = draft.without("ENCODING")._replace(value="\\n".join(lines))
    return draft.without("CHARSET")


def _preferred(draft: Draft) -> Draft:
    """TYPE=pref is PREF=1 (RFC 6350 §5.3)."""
    if not any(word.lower() == "pref" for word in type_words(draft.types)):
        return draft
    params = []
    for key, values in draft.params:
        if key == "TYPE":
            values = tuple(word for word in type_words(values) if word.lower() != "pref")
            if not values:
                continue
        params.append((key, values))
    changed = draft._replace(params=tuple(params))
    return changed if changed.param("PREF") is not None else changed.having("PREF", "1")


def _label(found: list[Draft], label: Draft) -> None:
    """RFC 6350 §6.3.1: to the address of the same group or types, or to one of its own."""
    text = unescape(label.value)
    types = {word.lower() for word in type_words(label.types)}
    for place, one in enumerate(found):
        if one.name != "ADR" or one.param("LABEL") is not None:
            continue
        alike = types == {word.lower() for word in type_words(one.types)}
        if one.group == label.group if label.group else alike:
            found[place] = one.having("LABEL", text)._replace(raw=None)
            return
    found.append(label._replace(name="ADR", value=_EMPTY_ADDRESS, raw=None).having("LABEL", text))


def _sorted(found: list[Draft], key: Draft) -> None:
    """RFC 6350 §5.9: the key that a card is sorted by is a parameter of its name."""
    text = unescape(key.value)
    for place, one in enumerate(found):
        if one.name == "N":
            found[place] = one.having("SORT-AS", text)._replace(raw=None)
            return
    found.append(Draft("", "N", (("SORT-AS", (text,)),), _EMPTY_NAME))


# --- properties -------------------------------------------------------------------------------------------------------


def _renamed(name: str) -> Callable[[Draft], Draft]:
    return lambda draft: draft._replace(name=name)


def _gender(draft: Draft) -> Draft:
    """RFC 6350 §6.2.7: a letter, a text, or both."""
    value = draft.value
    if not _SEX.fullmatch(value):
        value = f"{_SEXES.get(unescape(value).strip().lower(), '')};{escape(unescape(value))}"
    return draft._replace(name="GENDER", value=value)


def _anniversary(draft: Draft) -> Draft:
    return moments.day_to_4(draft)._replace(name="ANNIVERSARY")


def _geo(draft: Draft) -> Draft:
    """RFC 6350 §6.5.2, RFC 5870."""
    found = _COORDINATES.fullmatch(draft.value.strip())
    return draft if found is None else draft.without("VALUE")._replace(value=f"geo:{found[1]},{found[2]}")


def _zone(draft: Draft) -> Draft:
    """RFC 6350 §6.5.1: text, unless it says that it is an offset."""
    value = draft.value.strip()
    if draft.says("VALUE", "text") or not _OFFSET.fullmatch(value):
        return draft
    return draft.without("VALUE").having("VALUE", "utc-offset")._replace(value=value.replace(":", ""))


def _uid(draft: Draft) -> Draft:
    """RFC 6350 §6.7.6: a URI, unless it says that it is text. The UID itself stays: clients know the card by it."""
    if draft.param("VALUE") is not None or media.is_uri(draft.value):
        return draft
    return draft.having("VALUE", "text")


def _agent(draft: Draft) -> Draft:
    """RFC 6350 §6.6.6: a related person; version 3 has a card within the card here."""
    related = draft.without("VALUE").having("TYPE", "agent")._replace(name="RELATED")
    return related if draft.says("VALUE", "uri") else related.having("VALUE", "text")


_RULES: Final[dict[str, Callable[[Draft], Draft]]] = {
    **dict.fromkeys(GONE, Draft.kept),
    "AGENT": _agent,
    "BDAY": moments.day_to_4,
    "GEO": _geo,
    "REV": moments.stamp_to_4,
    "TZ": _zone,
    "UID": _uid,
    # Apple's groups and Evolution's own, which became properties of version 4 (clients.md 8).
    "X-ADDRESSBOOKSERVER-KIND": _renamed("KIND"),
    "X-ADDRESSBOOKSERVER-MEMBER": _renamed("MEMBER"),
    "X-ANNIVERSARY": _anniversary,
    "X-GENDER": _gender,
}

#: The properties that have to be looked at, and those whose names begin with `drafts.KEPT`.
NAMES: Final = frozenset({*_RULES, *media.MEDIA, "ADR", "LABEL", "N", "SORT-STRING"})
