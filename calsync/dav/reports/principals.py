"""The principal searches of RFC 3744 §9.2–9.5."""

from __future__ import annotations

from collections.abc import Iterator

from lxml import etree

from calsync.dav import directory, registry
from calsync.dav.answer import describe, stored_properties, value
from calsync.dav.members import child_collections
from calsync.dav.registry import report
from calsync.dav.request import XML, Response, multistatus
from calsync.dav.resources import EXISTING, Kind, Resource
from calsync.dav.scope import Scope
from calsync.webdav import collations
from calsync.webdav.multistatus import document, element, response_status, stream
from calsync.webdav.names import C, D
from calsync.webdav.parse import text_content
from calsync.webdav.requests import (
    AclPrincipalPropSet,
    PrincipalMatch,
    PrincipalPropertySearch,
    PrincipalSearchPropertySet,
    PropertySearch,
)

_PLACES = frozenset({Kind.ROOT, Kind.HOME})

#: What can be searched, with the words that `principal-search-property-set` has for it.
SEARCHABLE = {
    D("displayname"): "Name",
    C("calendar-user-address-set"): "Calendar user address",
}


@report(D("principal-property-search"), PrincipalPropertySearch, _PLACES, "RFC 3744 §9.4")
def principal_property_search(scope: Scope, wanted: PrincipalPropertySearch) -> Response:
    """`Depth` is ignored (clients.md 38). A property that cannot be searched matches nobody."""
    with scope.read():
        homes = [Resource(Kind.HOME, (one.name,), one) for one in directory.visible(scope)]
        join = all if wanted.allof else any
        found = [home for home in homes if join(_matches(scope, home, search) for search in wanted.searches)]
        shown = found if wanted.limit is None else found[: wanted.limit]
        answers = [describe(scope, home, wanted.properties) for home in shown]
    if len(shown) < len(found):
        answers.append(
            response_status(scope.href(scope.request.path, True).encode(), 507, D("number-of-matches-within-limits"))
        )
    return multistatus(stream(answers))


def _matches(scope: Scope, home: Resource, search: PropertySearch) -> bool:
    return any(
        collations.matches(search.match, text)
        for name in search.props
        if name in SEARCHABLE
        for text in _texts(scope, home, name)
    )


def _texts(scope: Scope, home: Resource, name: str) -> list[str]:
    """The text of a property, one entry for each href where it holds hrefs."""
    one = registry.PROPERTIES.get(name)
    found = value(scope, home, one, stored_properties(scope, home)) if one is not None else None
    if found is None:
        return []
    root = etree.fromstring(document(D("prop"), found), etree.XMLParser(resolve_entities=False, no_network=True))
    hrefs = [href.text or "" for href in root.iter(D("href"))]
    return hrefs or [text_content(root)]


@report(D("principal-search-property-set"), PrincipalSearchPropertySet, _PLACES, "RFC 3744 §9.5")
def principal_search_property_set(scope: Scope, wanted: PrincipalSearchPropertySet) -> Response:
    entries = b"".join(
        element(
            D("principal-search-property"),
            element(D("prop"), element(name)) + element(D("description"), text, {"xml:lang": "en"}),
        )
        for name, text in SEARCHABLE.items()
    )
    return Response(200, {"Content-Type": XML}, document(D("principal-search-property-set"), entries))


@report(D("principal-match"), PrincipalMatch, EXISTING, "RFC 3744 §9.3")
def principal_match(scope: Scope, wanted: PrincipalMatch) -> Response:
    """Members of the collection that are the asker (`self`), or collections whose property names the asker.

    Items are not gone through: their principals are those of their collection.
    """
    with scope.read():
        resource = scope.readable()
        own = [Resource(Kind.HOME, (one.name,), one) for one in directory.visible(scope)[:1]]
        if wanted.principal_property is None:
            inside = [home for home in own if home.path[: len(resource.path)] == resource.path]
            answers = [describe(scope, home, wanted.properties) for home in inside]
        else:
            name, mine = wanted.principal_property, {scope.url(home) for home in own}
            answers = [
                describe(inner, one, wanted.properties)
                for inner, one in _at_any_depth(scope, resource)
                if mine & set(_texts(inner, one, name))
            ]
    return multistatus(stream(answers))


def _at_any_depth(scope: Scope, resource: Resource) -> Iterator[tuple[Scope, Resource]]:
    for inner, child in child_collections(scope, resource):
        yield inner, child
        yield from _at_any_depth(inner, child)


@report(D("acl-principal-prop-set"), AclPrincipalPropSet, EXISTING, "RFC 3744 §9.2")
def acl_principal_prop_set(scope: Scope, wanted: AclPrincipalPropSet) -> Response:
    """The principals in the ACL, which is the asker alone (`properties.acl`)."""
    with scope.read():
        scope.readable()
        answers = [
            describe(scope, Resource(Kind.HOME, (one.name,), one), wanted.properties)
            for one in directory.visible(scope)[:1]
        ]
    return multistatus(stream(answers))
