"""Request bodies → `requests`. Every function takes the body and the `Content-Type` it came with.

What a client did wrong raises the 4xx `DavError` that answers it; elements that are not known are ignored, as
RFC 4918 §17 asks.
"""

from __future__ import annotations

from lxml import etree

from calsync.webdav import parse_reports
from calsync.webdav.errors import BadRequest, UnsupportedMediaType
from calsync.webdav.headers import media_type
from calsync.webdav.names import C, D
from calsync.webdav.parse_properties import property_request, self_contained, updates
from calsync.webdav.parse_tree import child, clark, expect, text_content, text_of, xml
from calsync.webdav.requests import LockInfo, Mkcol, PropertyRequest, Propfind, Proppatch, Report, Wanted

__all__ = [
    "lockinfo",
    "mkcalendar",
    "mkcol",
    "propfind",
    "proppatch",
    "report",
    "self_contained",
    "text_content",
    "text_of",
    "xml",
]


def propfind(body: bytes, content_type: str = "") -> Propfind:
    """RFC 4918 §9.1; an empty body asks for `allprop`."""
    if not body.strip():
        return Propfind(PropertyRequest(Wanted.ALLPROP))
    root = xml(body, content_type)
    expect(root, D("propfind"))
    return Propfind(property_request(root, required=True))


def proppatch(body: bytes, content_type: str = "") -> Proppatch:
    """RFC 4918 §9.2."""
    root = xml(body, content_type)
    expect(root, D("propertyupdate"))
    found = updates(root)
    if not found:
        raise BadRequest("propertyupdate neither sets nor removes a property")
    return Proppatch(found)


def mkcol(body: bytes, content_type: str = "") -> Mkcol:
    """RFC 4918 §9.3 and RFC 5689 §3; an empty body makes a plain collection.

    A body of any other type is 415 (RFC 4918 §9.3).
    """
    return _making(body, content_type, D("mkcol"))


def mkcalendar(body: bytes, content_type: str = "") -> Mkcol:
    """RFC 4791 §5.3.1; an empty body makes a calendar without properties."""
    return _making(body, content_type, C("mkcalendar"))


def report(body: bytes, content_type: str = "") -> Report:
    """RFC 3253 §3.6; Forbidden with `supported-report` for one that is not known."""
    return parse_reports.from_tree(xml(body, content_type))


def lockinfo(body: bytes, content_type: str = "") -> LockInfo | None:
    """RFC 4918 §9.10; None for an empty body, which refreshes a lock (§9.10.2)."""
    if not body.strip():
        return None
    root = xml(body, content_type)
    expect(root, D("lockinfo"))
    scope, kind, owner = (child(root, D(local)) for local in ("lockscope", "locktype", "owner"))
    if kind is None or child(kind, D("write")) is None:
        raise BadRequest("lockinfo asks for something other than a write lock")
    wanted = [name for name in ("exclusive", "shared") if scope is not None and child(scope, D(name)) is not None]
    if len(wanted) != 1:
        raise BadRequest("lockscope is neither exclusive nor shared")
    return LockInfo(wanted == ["shared"], self_contained(owner) if owner is not None else b"")


_RESOURCETYPE = D("resourcetype")
_COMPONENTS = C("supported-calendar-component-set")


def _making(body: bytes, content_type: str, name: str) -> Mkcol:
    if not body.strip():
        return Mkcol()
    try:
        root = xml(body, content_type)
    except BadRequest as error:
        kind = media_type(content_type).name
        if kind.endswith(("/xml", "+xml")):
            raise
        raise UnsupportedMediaType(f"a body of type {kind or 'unknown'!r}: {error.hint}") from error
    expect(root, name, UnsupportedMediaType)
    found = updates(root, removals=False)
    return Mkcol(
        tuple(one for one in found if one.name not in (_RESOURCETYPE, _COMPONENTS)),
        tuple(dict.fromkeys(clark(kind) for element in _set(root, _RESOURCETYPE) for kind in element)),
        _components(root),
    )


def _set(root: etree._Element, name: str) -> list[etree._Element]:
    """The elements of a property that the body sets."""
    return root.findall(f"{D('set')}/{D('prop')}/{name}")


def _components(root: etree._Element) -> tuple[str, ...] | None:
    """RFC 4791 §5.2.3."""
    found = _set(root, _COMPONENTS)
    if not found:
        return None
    return _named(found)


def components(octets: bytes) -> tuple[str, ...]:
    """The names in one `supported-calendar-component-set` element (`PropertyUpdate.xml`)."""
    return _named([xml(octets, "application/xml")])


def _named(sets: list[etree._Element]) -> tuple[str, ...]:
    names = ((comp.get("name") or "").strip().upper() for one in sets for comp in one.iterchildren(C("comp")))
    return tuple(dict.fromkeys(name for name in names if name))
