"""expand-property (RFC 3253 §3.8): properties, and in place of the hrefs they hold those resources' properties."""

from __future__ import annotations

from lxml import etree

from calsync.dav import registry
from calsync.dav.answer import describe, stored_properties, value
from calsync.dav.registry import report
from calsync.dav.request import Response, multistatus
from calsync.dav.resources import EXISTING, Kind, Resource, locate
from calsync.dav.scope import Scope
from calsync.webdav.conditions import NUMBER_OF_MATCHES_WITHIN_LIMITS
from calsync.webdav.errors import DavError, InsufficientStorage
from calsync.webdav.multistatus import document, element, escape, response_status, stream
from calsync.webdav.names import D
from calsync.webdav.requests import ExpandProperty, Property, PropertyRequest, Wanted

#: Hrefs that one request expands.
_MOST = 5000


@report(D("expand-property"), ExpandProperty, EXISTING, "RFC 3253 §3.8")
def expand_property(scope: Scope, wanted: ExpandProperty) -> Response:
    """A 207 in any case, an empty one where nothing was asked (clients.md 34)."""
    with scope.read():
        resource = scope.readable()
        answer = describe(scope, resource, PropertyRequest(Wanted.PROP, wanted.props), nested=_Expansion().nested)
    return multistatus(stream([answer]))


class _Expansion:
    """What one request may look up: resources that name each other many times would multiply at every level."""

    def __init__(self) -> None:
        self._left = _MOST

    def nested(self, scope: Scope, resource: Resource, prop: Property) -> bytes | None:
        """The element of `prop` with a `D:response` for each href that its value holds."""
        stored = stored_properties(scope, resource)
        one = registry.PROPERTIES.get(prop.name)
        text = value(scope, resource, one, stored) if one is not None else stored.get(prop.name, "").encode() or None
        if text is None:
            return None
        inner = PropertyRequest(Wanted.PROP, prop.nested)
        answers = [self._expanded(scope, href, inner) for href in _hrefs(text)]
        return element(prop.name, b"".join(answers))

    def _expanded(self, scope: Scope, href: str, wanted: PropertyRequest) -> bytes:
        self._left -= 1
        if self._left < 0:
            raise InsufficientStorage(f"more than {_MOST} hrefs", condition=NUMBER_OF_MATCHES_WITHIN_LIMITS)
        try:
            inner = scope.towards(href)
        except DavError:
            return response_status(escape(href).encode(), 404)
        resource = locate(inner.tx, inner.request.path)
        # What may not be seen is told as what does not exist.
        if resource.kind is Kind.MISSING or not inner.access.may_read(resource):
            return response_status(inner.href(resource.path, inner.request.slash).encode(), 404)
        return describe(inner, resource, wanted, nested=self.nested)


def _hrefs(text: bytes) -> list[str]:
    root = etree.fromstring(document(D("prop"), text), etree.XMLParser(resolve_entities=False, no_network=True))
    return [href.text.strip() for href in root.iter(D("href")) if href.text]
