"""A folder that stock Radicale made is taken in, compared with what stock serves, written out, and served by stock."""

from __future__ import annotations

import json
import logging
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import quote

import pytest

from calsync.store import items
from calsync.store.engine import Store
from calsync.store.places import Collection
from calsync.transfer import dropin
from calsync.transfer.report import Outcome, Report
from calsync.transfer.writer import Writing
from calsync_storage.properties import to_radicale
from tests import generator
from tests.store.objects import collection_of
from tests.transfer.stock import Stock

ODD_NAMES = [
    "quote'.ics",
    "q?.ics",
    "colon:.ics",
    "per%20cent.ics",
    "Grüße ☕.ics",
    "a b.ics",
    "no-ending",
    "UPPER.ICS",
]
LISTING = (
    '<D:propfind xmlns:D="DAV:" xmlns:I="http://apple.com/ns/ical/" xmlns:X="urn:example:x"><D:prop><D:displayname/>'
    "<I:calendar-color/><X:note/><D:resourcetype/></D:prop></D:propfind>"
)


def _event(uid: str, *lines: str) -> str:
    inner = "".join(f"{line}\r\n" for line in lines)
    return (
        f"BEGIN:VCALENDAR\r\nVERSION:2.0\r\nPRODID:-//x//y//EN\r\nBEGIN:VEVENT\r\nUID:{uid}\r\n"
        f"DTSTAMP:20250101T000000Z\r\nDTSTART:20250101T100000Z\r\n{inner}END:VEVENT\r\nEND:VCALENDAR\r\n"
    )


@pytest.fixture(scope="module")
def stock(tmp_path_factory: pytest.TempPathFactory) -> Stock:
    stock = Stock(tmp_path_factory.mktemp("radicale"))
    stock.make(
        "/anna/home/",
        "C:calendar",
        "<D:displayname>Zuhause &amp; mehr</D:displayname>"
        '<I:calendar-color symbolic-color="custom">#AABBCCFF</I:calendar-color><X:note>odd "one"</X:note>'
        '<C:supported-calendar-component-set><C:comp name="VEVENT"/></C:supported-calendar-component-set>',
    )
    stock.make("/anna/tasks/", "C:calendar")
    stock.make("/anna/inbox/", "C:calendar", "<D:displayname>Eingang</D:displayname>")
    stock.make("/anna/people/", "CR:addressbook", "<D:displayname>Leute</D:displayname>")
    stock.make("/bob/Work Plans/", "C:calendar", user="bob")
    for resource in generator.events(40):
        stock.put(f"/anna/home/{quote(resource.href)}", resource.octets)
    for number, name in enumerate(ODD_NAMES):
        stock.put(f"/anna/home/{name}", _event(f"odd-{number}", "SUMMARY:Müller\\, ☕", "X-ODD;A=b:c"))
    for resource in generator.tasks(10):
        stock.put(f"/anna/tasks/{resource.href}", resource.octets)
    for resource in generator.contacts(12):
        stock.put(f"/anna/people/{resource.href}", resource.octets, content_type="text/vcard")
    stock.put("/anna/inbox/1.ics", _event("in-1"))
    stock.put("/bob/Work Plans/1.ics", _event("bob-1"), user="bob")
    return stock


@pytest.fixture(scope="module")
def store(stock: Stock, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Store]:
    store = Store.open(f"sqlite:///{tmp_path_factory.mktemp('store') / 'calsync.db'}")
    report = dropin.take_in(store, stock.folder, logger=logging.getLogger("test"))
    assert report is not None
    assert report.summary() == f"{40 + len(ODD_NAMES) + 10 + 12 + 2} taken", list(report.lines())
    yield store
    store.close()


def _collection(store: Store, user: str, *names: str) -> Collection:
    with store.read() as tx:
        return collection_of(tx, user, *names)


def _stored(store: Store, user: str, *names: str) -> dict[str, tuple[str, bytes]]:
    """ETag and octets by href."""
    collection = _collection(store, user, *names)
    with store.read() as tx:
        rows = items.page(tx, collection, 0, 1000)
        found = [items.get_by_id(tx, collection, row.id) for row in rows]
        return {item.href: (item.etag, items.body(tx, item)) for item in found if item is not None}


@pytest.mark.parametrize(
    ("user", "name", "stored_as"),
    [
        ("anna", "home", "home"),
        ("anna", "tasks", "tasks"),
        ("anna", "people", "people"),
        ("anna", "inbox", "inbox-imported"),
        ("bob", "Work Plans", "Work Plans"),
    ],
)
def test_every_item_has_stocks_name_etag_and_octets(
    stock: Stock, store: Store, user: str, name: str, stored_as: str
) -> None:
    folder = stock.folder / "collection-root" / user / name
    files = {file.name: file.read_bytes() for file in folder.iterdir() if file.is_file() and file.name[0] != "."}
    stored = _stored(store, user, stored_as)
    assert {href: octets for href, (_, octets) in stored.items()} == files
    for href, (etag, octets) in stored.items():
        status, headers, served = stock.ask("GET", f"/{user}/{name}/{href}", user=user)
        assert (status, headers["etag"], served) == (200, f'"{etag}"', octets)


@pytest.mark.parametrize("name", ["home", "tasks", "people"])
def test_properties_are_stocks(stock: Stock, store: Store, name: str) -> None:
    props = json.loads((stock.folder / "collection-root" / "anna" / name / ".Radicale.props").read_text())
    collection = _collection(store, "anna", name)
    assert to_radicale(collection.kind, collection.components, collection.properties) == props


def test_the_files_are_untouched(stock: Stock, store: Store) -> None:
    assert (stock.folder / "collection-root" / "anna" / "inbox" / "1.ics").exists()
    assert not list(stock.folder.rglob("*calsync*"))


def test_a_second_start_does_nothing(stock: Stock, store: Store) -> None:
    assert dropin.take_in(store, stock.folder, logger=logging.getLogger("test")) is None


def test_stock_serves_what_is_written_out(stock: Stock, store: Store, tmp_path: Path) -> None:
    report = Report()
    Writing(store, report).folder(tmp_path / "out")
    assert report.counts[Outcome.REFUSED] == 0
    again = Stock(tmp_path / "out")
    for user, name in (("anna", "home"), ("anna", "tasks"), ("anna", "people"), ("bob", "Work Plans")):
        for href, (etag, octets) in _stored(store, user, name).items():
            status, headers, served = again.ask("GET", f"/{user}/{name}/{href}", user=user)
            assert (status, headers["etag"], served) == (200, f'"{etag}"', octets)
        first = stock.ask("PROPFIND", f"/{user}/{name}/", LISTING, user=user, depth="0")
        assert again.ask("PROPFIND", f"/{user}/{name}/", LISTING, user=user, depth="0")[::2] == first[::2]
