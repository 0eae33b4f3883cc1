"""Conditional requests (RFC 9110 §13), evaluated in the transaction that reads or writes."""

from __future__ import annotations

from calsync.dav.properties.core import collection_etag, modified
from calsync.dav.request import Request, Response
from calsync.dav.resources import Kind, Resource
from calsync.webdav import headers
from calsync.webdav.errors import PreconditionFailed
from calsync.webdav.etags import etag_list


def etag_of(resource: Resource) -> str | None:
    """The entity tag in quotes, None for what does not exist."""
    if resource.kind in (Kind.MISSING, Kind.ROOT):
        return None
    if resource.item is not None:
        return f'"{resource.item.etag}"'
    return collection_etag(resource)


def check_write(request: Request, resource: Resource, *, strict: bool = False) -> None:
    """Raise 412 where `If-Match`, `If-None-Match` or `If-Unmodified-Since` do not hold.

    `strict` is Radicale's `[storage] strict_preconditions`: what exists is overwritten only with an `If-Match`.
    """
    etag = etag_of(resource)
    if_match = request.header("if-match")
    if if_match:
        tags = etag_list(if_match)
        if etag is None or not tags.strong_match(etag):
            raise PreconditionFailed(f"If-Match {if_match}: the resource has {etag}")
    elif strict and etag is not None:
        raise PreconditionFailed("strict_preconditions: If-Match is missing")
    elif since := headers.parse_http_date(request.header("if-unmodified-since")):  # RFC 9110 §13.1.4
        newer = etag is None or modified(resource) > since
        if newer:
            raise PreconditionFailed("If-Unmodified-Since: the resource is newer")
    if_none_match = request.header("if-none-match")
    if if_none_match and etag is not None and etag_list(if_none_match).weak_match(etag):
        raise PreconditionFailed(f"If-None-Match {if_none_match}: the resource has {etag}")


def not_modified(request: Request, resource: Resource) -> Response | None:
    """The 304 of a GET or HEAD whose client has what is stored, else None; 412 for a failed `If-Match`."""
    etag = etag_of(resource)
    assert etag is not None, resource
    if_match = request.header("if-match")
    if if_match and not etag_list(if_match).strong_match(etag):
        raise PreconditionFailed(f"If-Match {if_match}: the resource has {etag}")
    if_none_match = request.header("if-none-match")
    if if_none_match:
        same = etag_list(if_none_match).weak_match(etag)
    else:
        since = headers.parse_http_date(request.header("if-modified-since"))
        same = since is not None and modified(resource) <= since
    return Response(304, {"ETag": etag}) if same else None
