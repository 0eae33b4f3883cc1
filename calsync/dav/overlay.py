"""Names and colours that a share lays over a collection: what its user sets stays the user's own.

Radicale's letters, in the share or the rights: `P`/`p` let properties be set or not, `E`/`e` put them over the
collection or into it, `l` locks them. What decides is the share, then the rights, then `[sharing]`.
"""

from __future__ import annotations

from enum import Enum, auto
from typing import Final

from calsync import upstream
from calsync.dav.resources import TAGGED, Resource
from calsync.dav.scope import Scope
from calsync.webdav.errors import DavError, Forbidden
from calsync.webdav.names import RADICALE, D, from_human
from calsync.webdav.requests import PropertyUpdate

#: What Radicale lays over a collection; everything else is the collection's alone.
_NAMES: Final = {from_human(name): name for name in upstream.OVERLAY_PROPERTIES}


class Place(Enum):
    """Where properties go that are set through a share."""

    COLLECTION = auto()
    OVERLAY = auto()
    NOWHERE = auto()


def place(scope: Scope, resource: Resource) -> Place:
    """Where a PROPPATCH of the mapped collection's user would write."""
    mapping = scope.mapping
    assert mapping is not None
    text = "/" + "".join(f"{part}/" for part in mapping.real)
    letters = scope.context.rights.authorization(mapping.owner, set(scope.request.groups), text)
    granted = mapping.permissions
    permitted, enforced = upstream.overlay_options(scope.context.sharing)
    if "l" in letters or not scope.access.may_touch(resource):
        return Place.NOWHERE
    if not scope.access.may_write(resource):
        allowed = _decided("P", granted, letters, permitted)
        return Place.OVERLAY if allowed and "e" not in granted and "e" not in letters else Place.NOWHERE
    if "p" in granted or "p" in letters:
        return Place.NOWHERE
    over = "e" not in granted and "e" not in letters if enforced else "E" in granted
    return Place.OVERLAY if over else Place.COLLECTION


def _decided(letter: str, granted: str, letters: str, otherwise: bool) -> bool:
    """Capital: yes, small: no; the share before the rights before the option."""
    for given in (granted, letters):
        if letter in given or letter.lower() in given:
            return letter in given and letter.lower() not in given
    return otherwise


def write(scope: Scope, updates: tuple[PropertyUpdate, ...]) -> dict[str, DavError]:
    """Lay the properties over the mapped collection; all or nothing, what was refused and why."""
    mapping = scope.mapping
    assert mapping is not None
    failures: dict[str, DavError] = {
        one.name: Forbidden(f"{one.name} cannot differ in a share") for one in updates if one.name not in _NAMES
    }
    if not failures:
        properties = dict(mapping.properties)
        for one in updates:
            if one.xml is None:
                properties.pop(_NAMES[one.name], None)
            else:
                properties[_NAMES[one.name]] = one.text
        shown = "/" + "".join(f"{part}/" for part in mapping.shown)
        upstream.set_overlay(scope.context.sharing, shown, scope.request.user or mapping.owner, properties)
    return failures


def privileges(scope: Scope, resource: Resource, held: tuple[str, ...]) -> tuple[str, ...]:
    """The privileges of RFC 3744 with what sharing takes and gives; two of Radicale's own let its page share."""
    if scope.mapping is not None:
        if resource.path != scope.mapping.real:
            return held
        if place(scope, resource) is Place.NOWHERE:
            return tuple(name for name in held if name not in (D("write"), D("write-properties")))
        return held if D("write-properties") in held or not held else (*held, D("write-properties"))
    if resource.kind not in TAGGED or not held or scope.access.limited:
        return held
    letters = scope.access.letters(resource.path)
    token, map_ = upstream.may_share(scope.context.sharing)
    if _decided("T", "", "".join(letters), token):
        held = (*held, f"{{{RADICALE}}}share-token")
    if _decided("M", "", "".join(letters), map_):
        held = (*held, f"{{{RADICALE}}}share-map")
    return held
