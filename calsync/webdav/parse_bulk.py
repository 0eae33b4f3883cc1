"""The body of a bulk change: many resources of a collection made, changed and deleted by one POST.

CalendarServer's "Bulk Change Requests" (August 2011) §4, §7: `multiput`, in Apple's namespace.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from lxml import etree

from calsync.webdav.errors import BadRequest, UnprocessableContent
from calsync.webdav.names import CR, ME_, C, D
from calsync.webdav.parse_properties import updates
from calsync.webdav.parse_tree import child, clark, text_content, xml
from calsync.webdav.requests import PropertyUpdate

MULTIPUT: Final = ME_("multiput")
#: Resources that one may name.
MOST: Final = 1000
_DATA: Final = (C("calendar-data"), CR("address-data"))


@dataclass(frozen=True, slots=True)
class BulkChange:
    """One `resource`. `href`: as sent, empty for a new one. `if_match`: entity tags, empty where it may be any.

    `data` is what to store, UTF-8 with CRLF, None where only properties change; `name` is that of its element.
    `updates` are the other properties. `fault` says why the element cannot be understood.
    """

    href: str = ""
    if_match: str = ""
    data: bytes | None = None
    name: str = ""
    updates: tuple[PropertyUpdate, ...] = ()
    delete: bool = False
    fault: str = ""


def multiput(body: bytes, content_type: str = "") -> tuple[BulkChange, ...]:
    """The changes in their order. UnprocessableContent for another root; BadRequest where there is no change in it."""
    root = xml(body, content_type)
    if clark(root) != MULTIPUT:
        raise UnprocessableContent(f"{clark(root)[:100]} is not something to POST here")
    found = tuple(_change(element) for element in root.iterchildren(ME_("resource")))
    if not found:
        raise BadRequest("multiput names no resource")
    return found


def _change(element: etree._Element) -> BulkChange:
    """One that cannot be understood is refused alone."""
    try:
        return _read(element)
    except BadRequest as error:
        href = element.findtext(D("href")) or ""
        return BulkChange(href=href.strip(), fault=error.hint)


def _read(element: etree._Element) -> BulkChange:
    href_, condition = child(element, D("href")), child(element, ME_("if-match"))
    href = text_content(href_).strip() if href_ is not None else ""
    etag = child(condition, D("getetag")) if condition is not None else None
    if_match = text_content(etag).strip() if etag is not None else ""
    if condition is not None and not if_match:
        raise BadRequest("if-match without a getetag")
    if condition is not None and not href:
        raise BadRequest("if-match without an href")
    found = updates(element)
    if child(element, ME_("delete")) is not None:
        if not href or found:
            raise BadRequest("delete needs an href, and nothing to set")
        return BulkChange(href, if_match, delete=True)
    data = [one for one in found if one.name in _DATA]
    if len(data) > 1 or any(one.xml is None for one in data):
        raise BadRequest("calendar-data or address-data can be set, once")
    others = tuple(one for one in found if one.name not in _DATA)
    if not data and (not href or not others):
        raise BadRequest("nothing to do" if href else "a new resource without its data")
    if not data:
        return BulkChange(href, if_match, updates=others)
    return BulkChange(href, if_match, _lines(data[0].text), data[0].name, others)


def _lines(text: str) -> bytes:
    """An object with the line ends it had before XML made each of them a line feed (XML 1.0 §2.11)."""
    text = text.strip()
    return ((text if "\r" in text else text.replace("\n", "\r\n")) + "\r\n").encode()
