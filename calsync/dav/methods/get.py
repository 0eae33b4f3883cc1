"""GET and HEAD (RFC 9110 §9.3): an item as it was stored, a whole calendar as .ics, a whole address book as .vcf."""

from __future__ import annotations

import re
import tempfile
from collections.abc import Iterator
from typing import BinaryIO
from urllib.parse import quote

from calsync.dav.answer import stored_properties
from calsync.dav.forms import Form, form_of
from calsync.dav.preconditions import check_if, etag_of, not_modified
from calsync.dav.properties.core import content_type, modified
from calsync.dav.registry import method
from calsync.dav.request import Response
from calsync.dav.resources import ITEMS, TAGGED, Kind, Resource
from calsync.dav.scope import Scope
from calsync.dav.variants import variant
from calsync.ical import whole
from calsync.store import items
from calsync.webdav.errors import Forbidden, NotFound
from calsync.webdav.headers import http_date
from calsync.webdav.names import C, D
from calsync.webdav.parse import text_of

_KINDS = ITEMS | TAGGED
_PAGE = 200
_CHUNK = 65536
_ACTIVE = re.compile("html|[/+]xml|svg|script|mixed|flash", re.IGNORECASE).search


@method("GET", _KINDS, "RFC 9110 §9.3.1")
def get(scope: Scope) -> Response:
    with scope.read() as tx:
        resource = _visible(scope)
        etag = etag_of(resource)
        assert etag is not None
        check_if(scope, resource)
        form = form_of(tx, scope.request, resource)
        vary = {"Vary": form.vary} if form.vary else {}
        unchanged = not_modified(scope.request, resource, form.mark)
        if unchanged is not None:
            unchanged.headers.update(vary)
            return unchanged
        headers = {"ETag": variant(etag, form.mark), "Last-Modified": http_date(modified(resource)), **vary}
        if resource.item is not None:
            headers["Content-Type"] = content_type(resource.item).decode() + form.parameter
            if resource.kind is Kind.FILE:
                headers |= _file_headers(headers["Content-Type"])
            return Response(200, headers, form.rendered(items.body(tx, resource.item)))
        name = _displayname(scope, resource)
    return _whole(scope, resource, name, headers, form)


@method("HEAD", _KINDS, "RFC 9110 §9.3.2")
def head(scope: Scope) -> Response:
    """The headers of GET; the runner sends no body."""
    return get(scope)


def _visible(scope: Scope) -> Resource:
    """Like `Scope.readable`, where Radicale's `i` suffices for whole collections."""
    resource = scope.locate()
    if not scope.access.may_read(resource):
        if scope.access.may_get(resource):
            return resource
        raise scope.access.refusal(scope.href(resource.path, scope.request.slash), D("read"))
    if resource.kind is Kind.MISSING:
        raise NotFound(f"nothing at {scope.href(resource.path, scope.request.slash)}")
    if resource.kind not in _KINDS:
        raise Forbidden("there are no directory listings; ask with PROPFIND")
    return resource


def _file_headers(media_type: str) -> dict[str, str]:
    """What somebody has stored never runs in the name of this server: no page, no script, no frame."""
    guarded = {"Content-Disposition": "attachment", "Content-Security-Policy": "default-src 'none'; sandbox"}
    return guarded | ({"Content-Type": "application/octet-stream"} if _ACTIVE(media_type) else {})


def _displayname(scope: Scope, resource: Resource) -> str:
    found = stored_properties(scope, resource).get(D("displayname"))
    return text_of(found) if found else ""


def _whole(scope: Scope, resource: Resource, name: str, headers: dict[str, str], form: Form) -> Response:
    """A whole collection: spooled before the status line, so that what breaks it off is a clean 5xx (decision D2)."""
    book = resource.kind is Kind.ADDRESSBOOK
    suffix, title = (".vcf", "Address book") if book else (".ics", "Calendar")
    filename = name or title
    if not filename.lower().endswith(suffix):
        filename += suffix
    bodies = map(form.rendered, _bodies(scope, resource))
    if book:
        chunks = whole.join_cards(bodies)
    else:
        description = resource.container.properties.get(C("calendar-description"))
        chunks = whole.join_calendar(
            bodies, name=name or None, description=text_of(description) if description else None
        )
    spool: BinaryIO = tempfile.SpooledTemporaryFile(max_size=1 << 20)  # type: ignore[assignment]  # noqa: SIM115
    try:
        for chunk in chunks:
            spool.write(chunk)
    except BaseException:
        spool.close()
        raise
    length = spool.tell()
    spool.seek(0)
    headers["Content-Type"] = "text/vcard; charset=utf-8" if book else "text/calendar; charset=utf-8"
    headers["Content-Length"] = str(length)
    headers["Content-Disposition"] = f"attachment; filename*=UTF-8''{quote(filename, safe='')}"
    return Response(200, headers, _read(spool))


def _bodies(scope: Scope, resource: Resource) -> Iterator[bytes]:
    collection, after = resource.container, 0
    while True:
        with scope.read() as tx:
            rows = items.page(tx, collection, after, _PAGE, collection.seq)
            octets = items.page_bodies(tx, collection, [row.id for row in rows])
        for row in rows:
            yield items.checked(row, octets.get(row.id))
        if len(rows) < _PAGE:
            return
        after = rows[-1].id


def _read(spool: BinaryIO) -> Iterator[bytes]:
    with spool:
        while chunk := spool.read(_CHUNK):
            yield chunk
