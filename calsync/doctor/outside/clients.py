"""The clients that are played: what each sends, in its words, and what it cannot do without.

Thunderbird's and Evolution's are taken from their sources; those of DAVx5, iOS and macOS are written from what is
known of what they send, and were not captured from a device (docs/clients.md has where to read more).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final, Literal

from calsync.doctor.outside.request_bodies import APPLE, DAVX5, GNOME, MOZILLA, Style
from calsync.webdav.names import CARDDAV, CR, CS_, DAV, ICAL, ME_, C, D

Kind = Literal["caldav", "carddav"]
#: Where a client looks for the account: what was typed, `/.well-known/KIND`, the root.
Start = Literal["given", "well-known", "root"]
#: How it lists a collection: sync-collection, a query, PROPFIND with Depth 1.
Listing = Literal["sync", "query", "propfind"]


@dataclass(frozen=True, slots=True)
class Client:
    """`start`: the properties that it asks at each of `starts`. `options`: it reads `DAV` of the principal (Apple,
    DAVx5). `principal`, `home`, `collection`, `item`: the properties that it asks of each. `depth`: the header beside
    sync-collection. `batch`: objects in one multiget."""

    name: str
    agent: str
    kind: Kind
    style: Style
    starts: Sequence[Start]
    start: Sequence[str]
    principal: Sequence[str]
    home: Sequence[str]
    collection: Sequence[str]
    listing: Sequence[Listing]
    item: Sequence[str]
    data: Sequence[str]
    batch: int = 10
    options: bool = False
    depth: str = "0"
    content_type: str = "text/xml"
    headers: Mapping[str, str] = field(default_factory=dict)


_IOS: Final = "iOS/18.1.1 (22B91) dataaccessd/1.0"
_MACOS: Final = "macOS/15.1 (24B83) CalendarAgent/1160"
_MACOS_CARDS: Final = "macOS/15.1 (24B83) AddressBookCore/2700"
_DAVX5: Final = "DAVx5/4.5.1-ose (dav4jvm; okhttp/4.12.0) Android/15"
_THUNDERBIRD: Final = "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Thunderbird/140.0"
_EVOLUTION: Final = "Evolution/3.56.1"

_BRIEF: Final = {"Prefer": "return=minimal", "Brief": "t", "Accept-Encoding": "gzip, deflate"}

_APPLE_START: Final = (D("current-user-principal"), D("principal-URL"), D("resourcetype"))
_APPLE_PRINCIPAL: Final = (
    C("calendar-home-set"),
    C("calendar-user-address-set"),
    D("current-user-principal"),
    D("displayname"),
    CS_("dropbox-home-URL"),
    CS_("email-address-set"),
    CS_("notification-URL"),
    D("principal-collection-set"),
    D("principal-URL"),
    D("resource-id"),
    C("schedule-inbox-URL"),
    C("schedule-outbox-URL"),
    D("supported-report-set"),
)
_APPLE_HOME: Final = (
    D("add-member"),
    CS_("allowed-sharing-modes"),
    ME_("bulk-requests"),
    f"{{{ICAL}}}calendar-color",
    C("calendar-description"),
    f"{{{ICAL}}}calendar-order",
    C("calendar-timezone"),
    D("current-user-privilege-set"),
    D("displayname"),
    CS_("getctag"),
    D("owner"),
    D("quota-available-bytes"),
    D("quota-used-bytes"),
    D("resource-id"),
    D("resourcetype"),
    C("schedule-calendar-transp"),
    CS_("source"),
    C("supported-calendar-component-set"),
    D("supported-report-set"),
    D("sync-token"),
)
_APPLE_COLLECTION: Final = (CS_("getctag"), D("sync-token"))
_APPLE_DATA: Final = (D("getetag"), C("schedule-tag"), C("calendar-data"))
_APPLE_CARDS_PRINCIPAL: Final = (
    CR("addressbook-home-set"),
    CR("directory-gateway"),
    D("displayname"),
    CS_("email-address-set"),
    D("principal-collection-set"),
    D("principal-URL"),
    D("resource-id"),
    D("supported-report-set"),
)
_APPLE_CARDS_HOME: Final = (
    D("add-member"),
    ME_("bulk-requests"),
    D("current-user-privilege-set"),
    D("displayname"),
    CR("max-image-size"),
    CR("max-resource-size"),
    D("owner"),
    D("quota-available-bytes"),
    D("quota-used-bytes"),
    D("resource-id"),
    D("resourcetype"),
    D("supported-report-set"),
    D("sync-token"),
    CS_("getctag"),
)
_DAVX5_COMMON: Final = (D("resourcetype"), D("displayname"))
_DAVX5_HOME: Final = (
    D("resourcetype"),
    D("current-user-privilege-set"),
    D("displayname"),
    D("owner"),
    CR("addressbook-description"),
    C("calendar-description"),
    f"{{{ICAL}}}calendar-color",
    C("calendar-timezone"),
    C("supported-calendar-component-set"),
    CS_("source"),
)
_DAVX5_COLLECTION: Final = (D("supported-report-set"), CS_("getctag"), D("sync-token"))
_MOZILLA_COLLECTION: Final = (
    D("resourcetype"),
    D("owner"),
    D("current-user-principal"),
    D("current-user-privilege-set"),
    D("supported-report-set"),
    C("supported-calendar-component-set"),
    CS_("getctag"),
)
_GNOME_START: Final = (D("resourcetype"), D("current-user-principal"), D("principal-URL"))
_GNOME_HOME: Final = (
    D("resourcetype"),
    D("displayname"),
    D("current-user-privilege-set"),
    C("calendar-description"),
    C("supported-calendar-component-set"),
    f"{{{ICAL}}}calendar-color",
    CR("addressbook-description"),
)
_LISTED: Final = (D("getcontenttype"), D("getetag"))
_CARDS: Final = (D("getetag"), CR("address-data"))
_EVENTS: Final = (D("getetag"), C("calendar-data"))


def _apple(name: str, agent: str, cards: str) -> tuple[Client, Client]:
    common = {"options": True, "style": APPLE, "headers": _BRIEF, "start": _APPLE_START, "item": _LISTED}
    starts: Sequence[Start] = ("well-known", "root", "given")
    return (
        Client(
            name, agent, "caldav", starts=starts, principal=_APPLE_PRINCIPAL, home=_APPLE_HOME, batch=50,
            collection=_APPLE_COLLECTION, listing=("sync", "propfind"), data=_APPLE_DATA, **common,  # type: ignore[arg-type]
        ),
        Client(
            name, cards, "carddav", starts=starts, principal=_APPLE_CARDS_PRINCIPAL, home=_APPLE_CARDS_HOME, batch=50,
            collection=_APPLE_COLLECTION, listing=("sync", "propfind"), data=_CARDS, **common,  # type: ignore[arg-type]
        ),
    )  # fmt: skip


_IOS_CALENDARS, _IOS_CARDS = _apple("iOS", _IOS, _IOS)
_MACOS_CALENDARS, _MACOS_CONTACTS = _apple("macOS", _MACOS, _MACOS_CARDS)

#: In the order in which they are played.
CLIENTS: Final = (
    _IOS_CALENDARS,
    _IOS_CARDS,
    _MACOS_CALENDARS,
    _MACOS_CONTACTS,
    Client(
        "DAVx5", _DAVX5, "caldav", DAVX5, ("given", "well-known", "root"),
        start=(*_DAVX5_COMMON, f"{{{ICAL}}}calendar-color", C("calendar-description"), C("calendar-timezone"),
               D("current-user-privilege-set"), C("supported-calendar-component-set"), C("calendar-home-set"),
               D("current-user-principal")),
        principal=(*_DAVX5_COMMON, C("calendar-home-set"), C("calendar-user-address-set"), D("group-membership")),
        home=_DAVX5_HOME, collection=_DAVX5_COLLECTION, listing=("query",), item=(D("getetag"),),
        data=(D("getetag"), C("schedule-tag"), C("calendar-data")), options=True, depth="",
        content_type="application/xml; charset=utf-8", headers={"Accept-Language": "en, *;q=0.5"},
    ),
    Client(
        "DAVx5", _DAVX5, "carddav", DAVX5, ("given", "well-known", "root"),
        start=(*_DAVX5_COMMON, CR("addressbook-description"), CR("addressbook-home-set"), D("current-user-principal")),
        principal=(*_DAVX5_COMMON, CR("addressbook-home-set"), D("group-membership")),
        home=_DAVX5_HOME, collection=(CR("max-resource-size"), CR("supported-address-data"), *_DAVX5_COLLECTION),
        listing=("sync", "propfind"), item=(D("getetag"),),
        data=(D("getetag"), D("getcontenttype"), CR("address-data")),
        options=True, depth="", content_type="application/xml; charset=utf-8",
        headers={"Accept-Language": "en, *;q=0.5"},
    ),
    Client(
        "Thunderbird", _THUNDERBIRD, "caldav", MOZILLA, ("given", "well-known", "root"),
        start=(D("resourcetype"), D("owner"), D("displayname"), D("current-user-principal"),
               D("current-user-privilege-set"), f"{{{ICAL}}}calendar-color", C("calendar-home-set")),
        principal=(C("calendar-home-set"),),
        home=(D("resourcetype"), D("displayname"), D("current-user-privilege-set"), f"{{{ICAL}}}calendar-color"),
        collection=_MOZILLA_COLLECTION, listing=("sync", "propfind"), item=_LISTED, data=_EVENTS, batch=100,
        depth="1", content_type="text/xml; charset=utf-8", headers={"Accept-Charset": "utf-8,*;q=0.1"},
    ),
    Client(
        "Thunderbird", _THUNDERBIRD, "carddav", Style({DAV: "", CARDDAV: "card"}),
        ("given", "well-known", "root"),
        start=(D("resourcetype"), D("displayname"), D("current-user-principal"), D("current-user-privilege-set")),
        principal=(CR("addressbook-home-set"),),
        home=(D("resourcetype"), D("displayname"), D("current-user-privilege-set")),
        collection=(D("resourcetype"), D("supported-report-set"), D("sync-token")), listing=("sync", "propfind"),
        item=(D("getetag"),), data=_CARDS, batch=100, depth="1", content_type="text/xml",
    ),
    Client(
        "Evolution", _EVOLUTION, "caldav", GNOME, ("given", "well-known", "root"),
        start=(*_GNOME_START, C("calendar-home-set"), C("calendar-user-address-set")),
        principal=(*_GNOME_START, C("calendar-home-set"), C("calendar-user-address-set")),
        home=_GNOME_HOME, collection=(CS_("getctag"),), listing=("query", "propfind"), item=(D("getetag"),),
        data=_EVENTS, batch=100, content_type="application/xml; charset=\"utf-8\"",
    ),
    Client(
        "Evolution", _EVOLUTION, "carddav", GNOME, ("given", "well-known", "root"),
        start=(*_GNOME_START, CR("addressbook-home-set")), principal=(*_GNOME_START, CR("addressbook-home-set")),
        home=_GNOME_HOME, collection=(CS_("getctag"),), listing=("propfind",), item=(D("getetag"),),
        data=_CARDS, batch=100, content_type="application/xml; charset=\"utf-8\"",
    ),
)  # fmt: skip

NAMES: Final = tuple(dict.fromkeys(client.name for client in CLIENTS))
