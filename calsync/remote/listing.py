"""What a collection of another server holds, by name and ETag: all of it, or what has changed since a sync token."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final

from calsync.remote.client import Client, RemoteError, Unreachable, prop
from calsync.remote.discovery import RemoteCollection, path_of
from calsync.webdav.multistatus import element
from calsync.webdav.names import CR, C, D
from calsync.webdav.reader import Response

_PROPERTIES: Final = (D("getetag"), D("resourcetype"))
_PAGES: Final = 10_000
#: Items of one collection; a server that names more will name more without an end.
_MOST: Final = 2_000_000


@dataclass(frozen=True, slots=True)
class Listed:
    """`href`: as the server writes it, which is how it is asked for. `etag`: as it stands there, empty without one."""

    href: str
    etag: str


@dataclass(slots=True)
class Listing:
    """`items` by their names, of nested ones by their paths. `gone`: names that are known to be there no more.

    `whole`: these are all items, so that what is not among them has gone. `token`: for what changes from here on.
    """

    items: dict[str, Listed] = field(default_factory=dict)
    gone: set[str] = field(default_factory=set)
    token: str = ""
    whole: bool = True


def listing(client: Client, collection: RemoteCollection, token: str = "") -> Listing:
    """The items; with a `token` only what has changed since, unless the server has forgotten it.

    Asked by sync-collection, else by PROPFIND, else by a query. Raises `RemoteError`.
    """
    failures: list[RemoteError] = []
    if collection.knows(D("sync-collection")):
        for since in dict.fromkeys((token, "")):
            try:
                return _synced(client, collection, since)
            except Unreachable:
                raise
            except RemoteError as error:
                failures.append(error)
    for ask in (_propfind, _query):
        try:
            return ask(client, collection)
        except Unreachable:
            raise
        except RemoteError as error:
            failures.append(error)
    raise failures[-2]  # PROPFIND's says most


def _synced(client: Client, collection: RemoteCollection, token: str) -> Listing:
    """RFC 6578 §3.2; a truncated answer (§3.6) is continued from its token."""
    found = Listing(token=token, whole=not token)
    for _ in range(_PAGES):
        content = element(D("sync-token"), found.token) + element(D("sync-level"), "1") + prop(_PROPERTIES)
        base, answer = client.report(collection.url, D("sync-collection"), content, "0")
        truncated = False
        known = len(found.items) + len(found.gone)
        for response in answer.responses:
            if path_of(client.joined(base, response.href)) == collection.path:
                truncated = truncated or response.status == 507
            elif response.status in (404, 410):
                name = name_of(client, collection, base, response.href)
                found.items.pop(name, None)
                found.gone.add(name)
            else:
                _add(client, collection, base, response, found)
        before, found.token = found.token, answer.sync_token or ""
        if not found.token:
            raise RemoteError(f"{collection.url}: the answer to sync-collection has no token")
        if not truncated:
            return found
        brought = len(found.items) + len(found.gone) - known
        if found.token == before or not brought or len(found.items) > _MOST:
            break
    raise RemoteError(f"{collection.url}: sync-collection comes to no end")


def _propfind(client: Client, collection: RemoteCollection) -> Listing:
    base, answer = client.propfind(collection.url, _PROPERTIES, "1")
    return _listed(client, collection, base, answer.responses)


def _query(client: Client, collection: RemoteCollection) -> Listing:
    """RFC 4791 §7.8, RFC 6352 §8.6: for servers that list nothing otherwise."""
    if collection.kind == "calendar":
        everything = element(C("filter"), element(C("comp-filter"), attributes={"name": "VCALENDAR"}))
        base, answer = client.report(collection.url, C("calendar-query"), prop(_PROPERTIES) + everything, "1")
    else:
        cards = prop(_PROPERTIES) + element(CR("filter"))
        base, answer = client.report(collection.url, CR("addressbook-query"), cards, "1")
    return _listed(client, collection, base, answer.responses)


def _listed(client: Client, collection: RemoteCollection, base: str, responses: list[Response]) -> Listing:
    found = Listing()
    for response in responses:
        if response.status in (None, 200) and path_of(client.joined(base, response.href)) != collection.path:
            _add(client, collection, base, response, found)
        elif response.status == 507:  # RFC 6352 §8.6.2: not all, and no way to ask for the rest
            raise RemoteError(f"{collection.url}: the server lists only a part of what it has")
    return found


def _add(client: Client, collection: RemoteCollection, base: str, response: Response, found: Listing) -> None:
    status, types = response.props.get(D("resourcetype"), (404, None))
    if response.href.endswith("/") or (types is not None and status == 200 and len(types)):
        return  # a collection in it
    name = name_of(client, collection, base, response.href)
    found.gone.discard(name)
    found.items[name] = Listed(response.href, (response.text(D("getetag")) or "").strip())


def name_of(client: Client, collection: RemoteCollection, base: str, href: str) -> str:
    """What an item is called in its collection, decoded: so that two ways of writing it are one."""
    path = path_of(client.joined(base, href))
    parent, _, name = path.rpartition("/")
    return name if parent == collection.path and name else path


def anew(client: Client, collection: RemoteCollection) -> Listing:
    """All items, to compare with: not by sync-collection where PROPFIND does, so that one listing checks the other."""
    try:
        return _propfind(client, collection)
    except Unreachable:
        raise
    except RemoteError:
        return listing(client, collection)


def same_etag(one: str, other: str) -> bool:
    """Whether two ETags mean the same state: a proxy that compresses makes them weak, or writes `-gzip` into them."""
    return _opaque(one) == _opaque(other)


def _opaque(etag: str) -> str:
    return etag.removeprefix("W/").strip('"').removesuffix("-gzip")
