"""The `If` header of WebDAV (RFC 4918 §10.4), and `Lock-Token` (§10.5)."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection
from dataclasses import dataclass
from typing import Final

from calsync.webdav.errors import BadRequest
from calsync.webdav.etags import is_weak


@dataclass(frozen=True, slots=True)
class IfCondition:
    """`Not`, and either a state token (a URI, without its brackets) or an entity tag (`"abc"`, quotes included)."""

    negated: bool
    token: str | None
    etag: str | None


@dataclass(frozen=True, slots=True)
class IfList:
    """Conditions that must hold together, for `resource` (a URI or path as sent) or for the request's own (None)."""

    resource: str | None
    conditions: tuple[IfCondition, ...]


_IF: Final = re.compile(
    r"""\s*(?:
        (?P<open>\()
      | (?P<close>\))
      | (?P<negated>Not(?=[\s<\[]))
      | <(?P<uri>[^<>\x00-\x20]+)>
      | \[\s*(?P<etag>(?:W/)?"[^"\x00-\x1f]*")\s*\]
    )\s*""",
    re.VERBOSE | re.IGNORECASE,
)


def if_header(value: str) -> tuple[IfList, ...]:
    """RFC 4918 §10.4.2. No lists for an empty header; BadRequest where it breaks the grammar.

    A last list that is broken off after whole ones is left out, as it can hold for nobody: litmus 0.13 cuts the header
    at 199 characters, which two of our ETags and a token exceed.
    """
    value = value.replace('\\"', '"').strip()
    lists: list[IfList] = []
    resource: str | None = None
    tag_waits = negated = False
    conditions: list[IfCondition] | None = None  # those of the list that is open
    position = 0
    while position < len(value):
        found = _IF.match(value, position)
        if found is None:
            if lists and conditions is not None and ")" not in value[position:]:
                return tuple(lists)
            raise BadRequest(f"If: cannot be read from {value[position : position + 40]!r}")
        position = found.end()
        kind = found.lastgroup
        if conditions is None:
            if kind == "uri" and not tag_waits and (resource is not None or not lists):
                resource, tag_waits = found["uri"], True
            elif kind == "open":
                conditions, tag_waits = [], False
            else:
                raise BadRequest(f"If: no list at {found[0]!r}")
        elif kind == "close" and conditions and not negated:
            lists.append(IfList(resource, tuple(conditions)))
            conditions = None
        elif kind == "negated" and not negated:
            negated = True
        elif kind in ("uri", "etag"):
            etag = found["etag"]
            conditions.append(IfCondition(negated, found["uri"], etag and etag.replace("w/", "W/", 1)))
            negated = False
        else:
            raise BadRequest(f"If: {found[0]!r} is out of place")
    if conditions is not None or tag_waits:
        raise BadRequest("If: a list is not closed")
    return tuple(lists)


def submitted_tokens(lists: Collection[IfList]) -> frozenset[str]:
    """Every state token that the header names; naming it submits it, `Not` or not (RFC 4918 §10.4.1)."""
    return frozenset(one.token for entry in lists for one in entry.conditions if one.token is not None)


def if_holds(lists: Collection[IfList], state: Callable[[str | None], tuple[str, Collection[str]]]) -> bool:
    """Whether any list holds whole (RFC 4918 §10.4.3); without lists, yes.

    `state` says of a resource (None: the request's own) its ETag, quotes included, empty where it has none, and the
    tokens of the locks on it. `DAV:no-lock` is a token that no lock has (§10.4.8).
    """

    def holds(resource: str | None, condition: IfCondition) -> bool:
        etag, tokens = state(resource)
        if condition.token is not None:
            return (condition.token in tokens) != condition.negated
        same = bool(etag) and condition.etag == etag and not is_weak(etag)
        return same != condition.negated

    return not lists or any(all(holds(entry.resource, one) for one in entry.conditions) for entry in lists)


def lock_token(value: str) -> str:
    """The `Lock-Token` header (RFC 4918 §10.5) without its brackets; BadRequest where it is absent or no coded URL."""
    found = re.fullmatch(r"\s*<([^<>\x00-\x20]+)>\s*", value)
    if found is None:
        raise BadRequest(f"Lock-Token: {value!r} is not a URI in angle brackets")
    return found[1]
