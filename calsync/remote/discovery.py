"""Where an account's collections are: from an address, a domain or a URL to each calendar and address book.

RFC 6764 leads from a domain to a server and from there to `current-user-principal` (RFC 5397); the principal names the
homes (RFC 4791 §6.2.1, RFC 6352 §7.1.1), and what stands in them are the collections. A URL may name any step of this.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Final, Literal
from urllib.parse import urlsplit

from calsync.remote.client import Answered, Client, RemoteError
from calsync.remote.dns import DnsError, Resolver
from calsync.remote.properties import kept, text_of
from calsync.webdav.errors import BadRequest
from calsync.webdav.names import CARDDAV, CS_, ICAL, INF, C, D, split
from calsync.webdav.reader import Response
from calsync.webdav.urls import decode_path, split_uri

_KINDS: Final[tuple[Literal["caldav", "carddav"], ...]] = ("caldav", "carddav")
_HOMES: Final = (C("calendar-home-set"), f"{{{CARDDAV}}}addressbook-home-set")
_START: Final = (D("resourcetype"), D("current-user-principal"), *_HOMES)
_OWN_CLOUD: Final = "http://owncloud.org/ns"
_WANTED: Final = (
    D("resourcetype"),
    D("displayname"),
    D("owner"),
    D("sync-token"),
    D("supported-report-set"),
    D("current-user-privilege-set"),
    C("supported-calendar-component-set"),
    C("calendar-description"),
    C("calendar-timezone"),
    f"{{{CARDDAV}}}addressbook-description",
    f"{{{ICAL}}}calendar-color",
    f"{{{ICAL}}}calendar-order",
    f"{{{INF}}}addressbook-color",
    CS_("source"),
    CS_("getctag"),
    f"{{{_OWN_CLOUD}}}owner-principal",
)
_DEEPEST: Final = 3  # plain collections inside each other that are looked into
_MOST: Final = 1000  # collections that are looked at, and things of which is said why they are left out


@dataclass(frozen=True, slots=True)
class RemoteCollection:
    """A calendar or an address book. `path`: its URL's, decoded, which tells it from others. `name`: its last part.

    `properties`: the element by Clark name. `reports`: names of those that it says it knows. `shared`: it belongs to
    somebody else; `readonly`: the account cannot write there.
    """

    url: str
    path: str
    name: str
    kind: str
    components: tuple[str, ...]
    displayname: str
    properties: Mapping[str, str]
    reports: frozenset[str]
    shared: bool = False
    readonly: bool = False

    def knows(self, report: str) -> bool:
        """Whether a report is worth asking for: a server that names none may know it all the same."""
        return not self.reports or report in self.reports


@dataclass(slots=True)
class Account:
    """What was found. `notes`: what is left out, and why. `looks`: folders that were looked into."""

    collections: dict[str, RemoteCollection] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)
    looks: int = 0

    def note(self, text: str) -> None:
        if len(self.notes) < _MOST:
            self.notes.append(text)


def explore(client: Client, source: str, resolver: Resolver | None = None) -> Account:
    """The collections of an account. `source`: a URL, a domain, or an address. Raises `RemoteError`."""
    account = Account()
    failures: list[str] = []
    reached = False
    homes: dict[str, str] = {}
    principals: set[str] = set()
    for start in _starts(client, source, resolver or Resolver(), failures):
        try:
            found = _from(client, start, homes, principals, account)
        except RemoteError as error:
            failures.append(str(error))
            if isinstance(error, Answered) and error.status == 401:
                raise
            continue
        reached = reached or found
    for home in homes.values():
        _look(client, home, account, principals, 0)
    if not account.collections and not reached:
        told = "; ".join(dict.fromkeys(failures)) or "it names no calendars and no address books"
        raise RemoteError(f"{source}: no account was found there: {told}")
    return account


def host_of(source: str) -> str:
    """The host or domain that a person named. Raises `RemoteError`."""
    if "://" not in source:
        domain = source.rpartition("@")[2].strip("/ ").lower()
        if not domain or "/" in domain:
            raise RemoteError(f"{source!r} is neither a URL (https://…) nor a domain nor an address")
        return domain
    try:
        parts = urlsplit(source)
        _ = parts.port
    except ValueError as error:
        raise RemoteError(f"{source!r} is no URL: {error}") from error
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise RemoteError(f"{source!r} is no http or https URL")
    if parts.username is not None or parts.password is not None:
        raise RemoteError("a login does not belong into the URL (--login NAME, --password-file FILE)")
    return parts.hostname.lower()


def server_of(source: str) -> str:
    """The host, with the port where one was named: what else listens at that host is another server."""
    port = urlsplit(source).port if "://" in source else None
    return host_of(source) if port is None else f"{host_of(source)}:{port}"


def _starts(client: Client, source: str, resolver: Resolver, failures: list[str]) -> Iterator[str]:
    """Where to begin, one after the other; RFC 6764 §5 and §6 for what is no URL."""
    if "://" in source:
        yield source
        if urlsplit(source).path.strip("/") == "":
            for kind in _KINDS:
                yield client.joined(source, f"/.well-known/{kind}")
        return
    domain = host_of(source)
    for kind in _KINDS:
        try:
            services = resolver.services(domain, kind)
        except DnsError as error:
            failures.append(str(error))
            services = []
        urls = [service.url for service in services if service.scheme == "https"]
        for url in urls[:3] or [f"https://{domain}/.well-known/{kind}"]:
            try:
                yield client.joined(f"https://{domain}/", url)
            except RemoteError as error:
                failures.append(str(error))


def _from(client: Client, start: str, homes: dict[str, str], principals: set[str], account: Account) -> bool:
    """Follow what a URL says of itself; whether it led anywhere."""
    url, answer = client.propfind(start, _START)
    if not answer.responses:
        return False
    response = answer.responses[0]
    types = response.types
    if C("calendar") in types or f"{{{CARDDAV}}}addressbook" in types:
        _look(client, url, account, principals, _DEEPEST, depth="0")
        return True
    principal = next(iter(response.hrefs(D("current-user-principal"))), "")
    if principal:
        url = client.joined(url, principal)
        principals.add(path_of(url))
        url, answer = client.propfind(url, _START)
        response = answer.responses[0] if answer.responses else response
    found = [client.joined(url, href) for name in _HOMES for href in response.hrefs(name)]
    for home in found:
        homes.setdefault(path_of(home), home)
    if not found and D("collection") in types and urlsplit(start).path.strip("/"):
        homes.setdefault(path_of(start), start)  # a home that does not say so
        found = [start]
    return bool(found)


def _look(client: Client, url: str, account: Account, principals: set[str], level: int, *, depth: str = "1") -> None:
    """Take what stands in a home, and in plain collections in it."""
    try:
        url, answer = client.propfind(url, _WANTED, depth)
    except RemoteError as error:
        account.note(f"not looked into: {error}")
        return
    for response in answer.responses:
        try:
            found = client.joined(url, response.href)
            path = path_of(found)
        except RemoteError as error:
            account.note(f"left out: {error}")
            continue
        if path in account.collections or len(account.collections) >= _MOST:
            continue
        types = response.types
        shown = text_of(response, D("displayname")) or path
        left_out = _left_out(response, types)
        if left_out:
            account.note(f"left out: {path} ({shown}): {left_out}")
        elif C("calendar") in types or f"{{{CARDDAV}}}addressbook" in types:
            account.collections[path] = _collection(found, path, types, response, principals)
        elif types == {D("collection")} and path != path_of(url) and level < _DEEPEST and depth == "1":
            if account.looks >= _MOST:
                account.note(f"not looked into: {path}: {_MOST} folders were")
                continue
            account.looks += 1
            _look(client, found, account, principals, level + 1)


def _left_out(response: Response, types: set[str]) -> str:
    """Why a collection is not one to take, in words; empty where it is, or where nobody would miss it."""
    if CS_("subscribed") in types:
        source = next(iter(response.hrefs(CS_("source"))), "")
        return f"a subscription; subscribe again to {source}" if source else "a subscription"
    local = {split(name)[1] for name in types}
    if "trash-bin" in local or "deleted-calendar" in local or "deleted-addressbook" in local:
        return "the trash"
    if C("schedule-inbox") in types or C("schedule-outbox") in types:
        return "invitations on their way; what was answered stands in the calendars"
    return ""


def _collection(url: str, path: str, types: set[str], response: Response, principals: set[str]) -> RemoteCollection:
    kind = "calendar" if C("calendar") in types else "addressbook"
    components: tuple[str, ...] = ()
    element = response.found(C("supported-calendar-component-set"))
    if element is not None and kind == "calendar":
        named = (str(one.get("name", "")).upper() for one in element.iterchildren(C("comp")))
        components = tuple(dict.fromkeys(name for name in named if name in ("VEVENT", "VTODO", "VJOURNAL")))
    owners = _owner(response, f"{{{_OWN_CLOUD}}}owner-principal") or _owner(response, D("owner"))
    reports = response.found(D("supported-report-set"))
    privileges = response.found(D("current-user-privilege-set"))
    granted = set() if privileges is None else {str(one.tag) for one in privileges.iter()}
    writing = {D("all"), D("write"), D("write-content"), D("bind")}
    return RemoteCollection(
        url=url,
        path=path,
        name=path.rstrip("/").rpartition("/")[2],
        kind=kind,
        components=components,
        displayname=text_of(response, D("displayname")),
        properties=kept(response),
        reports=frozenset() if reports is None else frozenset(str(one.tag) for one in reports.iter()),
        shared=CS_("shared") in types or bool(owners and principals and path_of(owners[0]) not in principals),
        readonly=privileges is not None and not granted & writing,
    )


def _owner(response: Response, name: str) -> list[str]:
    found = response.hrefs(name)
    return found or [text for text in (text_of(response, name),) if text.startswith(("/", "principals/"))]


def path_of(url: str) -> str:
    """A URL's path, decoded, without the slash at its end: what tells two resources of a server apart."""
    path = split_uri(url.strip())[2]
    try:
        return "/" + "/".join(decode_path(path)[0])
    except BadRequest:
        return path.rstrip("/")
