"""Conditional requests (RFC 9110 §13, RFC 4918 §10.4) and locks, evaluated in the transaction that reads or writes."""

from __future__ import annotations

from collections.abc import Collection
from functools import cache
from urllib.parse import quote

from calsync.dav import locks
from calsync.dav.properties.core import collection_etag, modified
from calsync.dav.properties.sync import token
from calsync.dav.request import Request, Response
from calsync.dav.resources import STORED_COLLECTIONS, Kind, Resource, locate
from calsync.dav.scope import Scope
from calsync.dav.variants import matches, variant
from calsync.webdav import headers
from calsync.webdav.conditions import CTAG_OK
from calsync.webdav.errors import BadRequest, DavError, PreconditionFailed
from calsync.webdav.etags import etag_list


def etag_of(resource: Resource) -> str | None:
    """The entity tag in quotes, None for what does not exist."""
    if resource.kind in (Kind.MISSING, Kind.ROOT):
        return None
    if resource.item is not None:
        return f'"{resource.item.etag}"'
    return collection_etag(resource)


def check_write(scope: Scope, resource: Resource, *, strict: bool = False, whole: bool = False) -> None:
    """Raise 412 where a condition does not hold, 423 where a lock forbids it; see `check_conditions`, `locks.check`.

    `whole`: the resource goes, or is replaced with all that is in it.
    """
    check_conditions(scope, resource, strict=strict)
    locks.check(scope, resource, whole=whole)


def check_if(scope: Scope, resource: Resource) -> None:
    """Raise 412 where the `If` header does not hold (RFC 4918 §10.4); lists without a tag are about `resource`."""
    value = scope.request.header("if")
    if not value:
        return

    @cache
    def state(uri: str | None) -> tuple[str, Collection[str]]:
        inner, found = scope, resource
        if uri is not None:
            try:
                inner = scope.towards(uri)
            except DavError:  # of another server, or no URI of ours: it has no state
                return "", ()
            found = locate(scope.tx, inner.request.path)
        if not inner.access.may_read(found) and uri is not None:
            return "", ()
        return etag_of(found) or "", [*(one.token for one in locks.covering(scope, found)), *_states(found)]

    lists = headers.if_header(value)
    if len({one.resource for one in lists}) > _MOST_RESOURCES:
        raise BadRequest(f"If: more than {_MOST_RESOURCES} resources")
    if not headers.if_holds(lists, state):
        bulk = any(one.startswith(_CTAG) for one in headers.submitted_tokens(lists))
        raise PreconditionFailed(f"If {value[:200]}: does not hold", condition=CTAG_OK if bulk else None)


#: Resources that one `If` header may ask about; each is looked up while the store is held.
_MOST_RESOURCES = 50

#: A ctag as a state token (CalendarServer's bulk changes §6).
_CTAG = "http://me.com/_namespace/ctag/"


def _states(resource: Resource) -> tuple[str, ...]:
    """The state tokens of a collection as it is: its sync token (RFC 6578 §5), its ctag, escaped or not."""
    if resource.kind not in STORED_COLLECTIONS | {Kind.HOME}:
        return ()
    state = token(resource)
    return state, _CTAG + state, _CTAG + quote(state, safe="")


def check_conditions(scope: Scope, resource: Resource, *, strict: bool = False) -> None:
    """Raise 412 where `If`, `If-Match`, `If-None-Match` or `If-Unmodified-Since` do not hold.

    `strict` is Radicale's `[storage] strict_preconditions`: what exists is overwritten only with an `If-Match`.
    """
    request = scope.request
    check_if(scope, resource)
    etag = etag_of(resource)
    if_match = request.header("if-match")
    if if_match:
        tags = etag_list(if_match)
        if etag is None or not matches(tags, etag):
            has = f"the resource has {etag}" if etag else "there is no resource"
            raise PreconditionFailed(f"If-Match {if_match[:200]}: {has}")
    elif strict and etag is not None:
        raise PreconditionFailed("strict_preconditions: If-Match is missing")
    elif since := headers.parse_http_date(request.header("if-unmodified-since")):  # RFC 9110 §13.1.4
        newer = etag is None or modified(resource) > since
        if newer:
            raise PreconditionFailed("If-Unmodified-Since: the resource is newer")
    if_none_match = request.header("if-none-match")
    if if_none_match and etag is not None and etag_list(if_none_match).weak_match(etag):
        raise PreconditionFailed(f"If-None-Match {if_none_match[:200]}: the resource has {etag}")


def check_schedule_tag(scope: Scope, resource: Resource) -> None:
    """Raise 412 where `If-Schedule-Tag-Match` does not hold (RFC 6638 §3.3).

    Apple's clients send it empty, which matches what has no tag (clients.md 12).
    """
    value = scope.request.headers.get("if-schedule-tag-match")
    if value is None:
        return
    wanted = etag_list(value)
    tag = resource.item.schedule_tag if resource.item is not None else None
    if (wanted or tag) and not (tag and wanted.strong_match(f'"{tag}"')):
        raise PreconditionFailed(f"If-Schedule-Tag-Match {value[:200]}: the resource has {tag or 'no tag'}")


def not_modified(request: Request, resource: Resource, mark: str = "") -> Response | None:
    """The 304 of a GET or HEAD whose client has what is stored, else None; 412 for a failed `If-Match`.

    `mark`: of the representation that is asked for (`variants`).
    """
    etag = etag_of(resource)
    assert etag is not None, resource
    etag = variant(etag, mark)
    if_match = request.header("if-match")
    if if_match and not etag_list(if_match).strong_match(etag):
        raise PreconditionFailed(f"If-Match {if_match[:200]}: the resource has {etag}")
    if_none_match = request.header("if-none-match")
    if if_none_match:
        same = etag_list(if_none_match).weak_match(etag)
    else:
        since = headers.parse_http_date(request.header("if-modified-since"))
        same = since is not None and modified(resource) <= since
    return Response(304, {"ETag": etag}) if same else None
