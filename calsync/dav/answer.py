"""Rows into the fragments of a 207: a property request is compiled once, then applied to each resource.

`describe` serves single resources with all that a live property may need; `Listing` serves the items of a collection
from index rows alone, by a template that knows beforehand which of the requested properties they have (decision D5).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import UTC, tzinfo
from typing import Final

from calsync.dav import damage, registry
from calsync.dav.registry import DataProperty, LiveProperty, RowRender
from calsync.dav.resources import MEMBERS, Kind, Resource
from calsync.dav.scope import Scope
from calsync.store import items
from calsync.store.errors import Damaged
from calsync.store.items import Item, ItemRow
from calsync.upstream import logger
from calsync.webdav.errors import DavError, InternalServerError
from calsync.webdav.multistatus import Template, element, propstat, response, response_status
from calsync.webdav.names import from_human
from calsync.webdav.parse_tree import is_element
from calsync.webdav.requests import Property, PropertyRequest, Wanted

#: Properties that only a nested request or a report can compile, by the renderer for one resource.
Nested = Callable[[Scope, Resource, Property], bytes | None]

_MISSING: Final = (404, None, "")


def stored_properties(scope: Scope, resource: Resource) -> Mapping[str, str]:
    """What was set on a resource: Clark name → the element, whole."""
    if resource.item is not None:
        found = items.properties(scope.tx, resource.container, [resource.item.id])
        return found.get(resource.item.id, {})
    own: Mapping[str, str] = {}
    if resource.collection is not None:
        own = resource.collection.properties
    elif resource.principal is not None:
        own = resource.principal.properties
    mapping = scope.mapping
    if mapping is not None and mapping.properties and mapping.real == resource.path:
        return {**own, **overlay(mapping.properties)}
    return own


def overlay(properties: Mapping[str, str]) -> dict[str, str]:
    """The properties that a share lays over a collection (Radicale's names → elements)."""
    return {
        (name := from_human(human)): element(name, text).decode()
        for human, text in properties.items()
        if ":" in human or human.startswith("{")
    }


def _sound(stored: str) -> bytes:
    """A property as it was stored. Raises `InternalServerError` for one that nobody could read, nor what is beside."""
    if is_element(stored):
        return stored.encode()
    logger.error("store: a property is no XML: %r", stored[:100] if isinstance(stored, str) else stored)
    raise InternalServerError("a property is no XML", text=damage.PROPERTY)


def value(scope: Scope, resource: Resource, one: LiveProperty, stored: Mapping[str, str]) -> bytes | None:
    """The whole element of a live property on a single resource, or None where it has none.

    Where it means nothing on such a resource, somebody may have set it as a dead one: a `displayname` of an event.
    """
    if resource.kind not in one.kinds:
        return _sound(stored[one.name]) if one.name in stored else None
    if one.accept is not None and one.name in stored:
        return _sound(stored[one.name])
    content: bytes | None = None
    if one.render is not None:
        content = one.render(scope, resource)
    elif one.row is not None and resource.item is not None:
        content = one.row(resource.item, None)
    return None if content is None else element(one.name, content)


def describe(
    scope: Scope,
    resource: Resource,
    wanted: PropertyRequest,
    *,
    nested: Nested | None = None,
) -> bytes:
    """One `D:response` for one resource: 200, 404 and other propstats, each property named once (RFC 4918 §9.1)."""
    scope.request.doing.items += 1
    stored = stored_properties(scope, resource)
    found: list[bytes] = []
    refused: dict[tuple[int, str | None, str], list[bytes]] = {}
    if wanted.wanted is Wanted.PROPNAME:
        live = registry.properties_of(resource.kind)
        names = [one.name for one in live if one.name in stored or value(scope, resource, one, stored)]
        found = [element(name) for name in dict.fromkeys([*names, *stored])]
        return response(scope.url(resource).encode(), propstat(b"".join(found), 200))
    missing: list[bytes] = []
    for prop, one, dead, empty in _looked_up(scope, resource.kind, wanted, stored):
        try:
            if one is not None:
                text = value(scope, resource, one, stored)
            elif dead:
                text = _sound(stored[prop.name]) if prop.name in stored else None
            elif prop.nested and nested is not None:
                text = nested(scope, resource, prop)
            else:
                text = None  # calendar-data and address-data exist in listings of reports only
        except DavError as error:
            refused.setdefault((error.status, error.condition, error.text), []).append(empty)
            continue
        if text is not None:
            found.append(text)
        elif wanted.wanted is Wanted.PROP or prop in wanted.props:
            missing.append(empty)
    if missing:
        refused[_MISSING] = missing + refused.get(_MISSING, [])
    stats = [propstat(b"".join(found), 200)] if found or not refused else []
    for (status, condition, said), elements in refused.items():
        if status == 404 and scope.prefer.return_minimal:  # RFC 8144 §2.1
            continue
        stats.append(propstat(b"".join(elements), status, condition, said))
    return response(scope.url(resource).encode(), *(stats or [propstat(b"", 200)]))


def asked(kind: Kind, wanted: PropertyRequest, stored: Iterable[str]) -> tuple[Property, ...]:
    """The properties to say: those named, or for `allprop` the ones it shows, what was stored, and `include`."""
    if wanted.wanted is Wanted.PROP:
        return wanted.props
    shown = [one.name for one in registry.properties_of(kind) if one.allprop]
    dead = [name for name in stored if (one := registry.PROPERTIES.get(name)) is None or kind not in one.kinds]
    included = {prop.name for prop in wanted.props}
    return (*(Property(name) for name in dict.fromkeys([*shown, *dead]) if name not in included), *wanted.props)


def _looked_up(
    scope: Scope, kind: Kind, wanted: PropertyRequest, stored: Mapping[str, str]
) -> Sequence[tuple[Property, LiveProperty | None, bool, bytes]]:
    """The properties to say, each with the live property that gives it, whether it is dead, and its empty element.

    Looked up once for all resources where the request names them.
    """
    if wanted.wanted is not Wanted.PROP:
        return [_look_up(prop) for prop in asked(kind, wanted, stored)]
    known = scope.looked_up.get(id(wanted))
    if known is None:
        known = scope.looked_up[id(wanted)] = wanted, [_look_up(prop) for prop in wanted.props]
    return known[1]


def _look_up(prop: Property) -> tuple[Property, LiveProperty | None, bool, bytes]:
    one = None if prop.nested else registry.PROPERTIES.get(prop.name)
    dead = one is None and not prop.nested and prop.name not in registry.DATA
    return prop, one, dead, element(prop.name)


class Listing:
    """The items of one collection, as responses.

    `data` allows calendar-data and address-data (reports only); `needs_octets` says whether rows must come with their
    bodies, `beside` whether something is asked for that the owner's counter does not count (locks). Compiled once a
    collection: names → renderers and a template; a row whose set differs from the template's (a property it lacks, dead
    properties) is written out by hand.
    """

    def __init__(
        self, scope: Scope, resource: Resource, wanted: PropertyRequest, *, data: bool = False, zone: tzinfo = UTC
    ) -> None:
        self._scope, self._data, self._zone = scope, data, zone
        self._collection, self._principal, self._path = resource.container, resource.principal, resource.path
        self._prefix = scope.href(resource.path, True).encode()
        self._kind = MEMBERS[self._collection.kind]
        self._minimal = scope.prefer.return_minimal
        self._names_only = wanted.wanted is Wanted.PROPNAME
        self._all = wanted.wanted is not Wanted.PROP
        self.needs_octets = self.beside = False
        self._found: list[tuple[str, RowRender]] = []
        self._other: list[str] = []
        if self._names_only:
            chosen = [one.name for one in registry.properties_of(self._kind)]
        else:
            chosen = [prop.name for prop in asked(self._kind, wanted, ())]
        properties = {prop.name: prop for prop in wanted.props}
        for name in dict.fromkeys(chosen):
            self._compile(name, properties.get(name, Property(name)))
        # What no live property gives may have been stored by somebody (RFC 4918 §15).
        self._dead = [name for name in self._other if name not in registry.DATA and self._settable(name)]
        missing = [] if self._minimal else self._other
        self._template = Template([name for name, _ in self._found], missing)

    def _settable(self, name: str) -> bool:
        one = registry.PROPERTIES.get(name)
        return one is None or (one.accept is not None and self._kind not in one.kinds)

    def _compile(self, name: str, prop: Property) -> None:
        data: DataProperty | None = registry.DATA.get(name) if self._data else None
        if data is not None and self._kind in data.kinds:
            self.needs_octets = True
            self._found.append((name, data.compile(self._scope, prop, self._zone)))
            return
        one = registry.PROPERTIES.get(name)
        if one is None or self._kind not in one.kinds:
            self._other.append(name)
        elif one.row is not None:
            self._found.append((name, one.row))
        elif one.listed is not None:
            self.beside = True
            container = Resource(Kind(self._collection.kind), self._path, self._principal, self._collection)
            self._found.append((name, one.listed(self._scope, container)))
        elif one.render is not None:
            # The same for every item of the collection (owner, privileges): rendered once.
            sample = Resource(self._kind, (*self._path, ""), self._principal, self._collection)
            self._found.append((name, _constant(self._scope, one, sample)))
        else:
            self._other.append(name)

    def page(self, rows: Sequence[ItemRow | Item], bodies: Mapping[int, bytes] | None = None) -> list[bytes]:
        """One response a row; `bodies` by item id where `needs_octets`. A transaction is open meanwhile.

        A damaged body is a 500 for that resource alone (decision D22).
        """
        self._scope.request.doing.items += len(rows)
        hrefs = [self._prefix + row.url.encode() for row in rows]
        octets: list[bytes | None] = [None] * len(rows)
        damaged: dict[int, bytes] = {}
        if self.needs_octets and bodies is not None:
            for place, row in enumerate(rows):
                try:
                    octets[place] = items.checked(row, bodies.get(row.id))
                except Damaged as error:
                    if self._scope.tx.replica:
                        raise  # the database itself may have it whole
                    logger.error("%s", error)
                    damaged[place] = response_status(hrefs[place], 500, description=damage.OCTETS)
        dead: Mapping[int, Mapping[str, str]] = {}
        if self._dead or self._all:
            dead = items.properties(self._scope.tx, self._collection, [row.id for row in rows])
        # Property by property: a listing of thousands costs less so than item by item.
        if damaged:
            columns = [
                [None if place in damaged else one(row, octets[place]) for place, row in enumerate(rows)]
                for _, one in self._found
            ]
        else:
            columns = [list(map(one, rows, octets)) for _, one in self._found]
        if not dead and not damaged and not self._names_only and not any(None in column for column in columns):
            return self._template.lines(zip(hrefs, *columns, strict=True))
        return [
            damaged.get(place) or self._row(hrefs[place], [column[place] for column in columns], dead.get(row.id, {}))
            for place, row in enumerate(rows)
        ]

    def _row(self, href: bytes, values: Sequence[bytes | None], dead: Mapping[str, str]) -> bytes:
        if dead or self._names_only or None in values:
            return self._by_hand(href, values, dead)
        return self._template.render(href, values)  # type: ignore[arg-type]

    def _by_hand(self, href: bytes, values: Sequence[bytes | None], dead: Mapping[str, str]) -> bytes:
        found: list[bytes] = []
        missing: list[bytes] = []
        broken: list[bytes] = []
        for (name, _), content in zip(self._found, values, strict=True):
            if content is None:
                missing.append(element(name))
            else:
                found.append(element(name) if self._names_only else element(name, content))
        for name in self._other:
            if name not in dead:
                missing.append(element(name))
        for name, text in dead.items():
            if name not in self._other and not self._all:
                continue
            if self._names_only:
                found.append(element(name))
                continue
            try:
                found.append(_sound(text))
            except InternalServerError:
                broken.append(element(name))
        stats = [propstat(b"".join(found), 200)] if found or not (missing or broken) or self._all else []
        if missing and not self._all and not self._minimal:
            stats.append(propstat(b"".join(missing), 404))
        if broken:
            stats.append(propstat(b"".join(broken), 500, description=damage.PROPERTY))
        return response(href, *(stats or [propstat(b"", 200)]))


def _constant(scope: Scope, one: LiveProperty, sample: Resource) -> RowRender:
    assert one.render is not None
    content = one.render(scope, sample)
    return lambda row, octets: content
