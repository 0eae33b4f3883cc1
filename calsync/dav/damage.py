"""Damage as clients are told of it: with a reason, one response each, so that everything beside it is whole."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from calsync.dav.request import Response, multistatus
from calsync.dav.resources import Resource, of_collection
from calsync.dav.scope import Scope
from calsync.store import collections, items
from calsync.store.items import ItemRow
from calsync.webdav.multistatus import response_status, stream

#: Why an object is answered with a 500.
OCTETS: Final = "it is damaged on the server: what is stored there is no longer what was put (calsync verify)"
#: Why a property is.
PROPERTY: Final = "it is damaged on the server: what is stored there is no XML (calsync verify)"


def below(scope: Scope, resource: Resource) -> list[tuple[Resource, list[ItemRow]]]:
    """The collections at and below a resource that hold damaged items, each with these. All octets are read."""
    tx = scope.tx
    found = items.damaged(tx, resource.container)
    told = [(resource, found)] if found else []
    for inner in collections.children(tx, resource.owner.id, resource.container.id):
        told += below(scope, of_collection(resource.owner, (*resource.path, inner.name), inner))
    return told


def answer(scope: Scope, found: Sequence[tuple[Resource, list[ItemRow]]]) -> Response:
    """The 207 of a COPY or MOVE that met them: 500 for each, with the reason (RFC 4918 §9.8.5, §9.9.4)."""
    hrefs = [scope.url(resource).encode() + row.url.encode() for resource, rows in found for row in rows]
    return multistatus(stream(response_status(href, 500, description=OCTETS) for href in hrefs))
