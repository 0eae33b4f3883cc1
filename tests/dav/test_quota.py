"""Quotas over HTTP: 507 with `DAV:quota-not-exceeded` (RFC 4331 §6), and the properties that tell of them."""

from __future__ import annotations

import shutil
from concurrent.futures import ThreadPoolExecutor

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import initialize, invariant, rule
from lxml import etree

from calsync.app import Application
from calsync.store import principals, quarantine, quota
from calsync.store.quota import Amounts, Own
from tests.dav.conftest import Answer, Client, event
from tests.dav.machine import DavMachine
from tests.postgresql import everywhere

CALENDAR = "/anna/calendar/"
USED, AVAILABLE = "{DAV:}quota-used-bytes", "{DAV:}quota-available-bytes"
NOT_EXCEEDED = b"quota-not-exceeded"
SIZE = len(event("a"))


def bound(
    application: Application, octets: int | None = None, items: int | None = None, more: int | None = None
) -> None:
    """What anna may have; `more`: collections beside those that every home begins with."""
    assert application.store is not None
    with application.store.write() as tx:
        anna = principals.find(tx, "anna")
        assert anna is not None
        beside = None if more is None else quota.used(tx, anna.id).collections + more
        quota.put(tx, anna.id, Own(octets, items, beside))


def used(application: Application) -> Amounts:
    assert application.store is not None
    with application.store.read() as tx:
        anna = principals.find(tx, "anna")
        assert anna is not None
        return quota.used(tx, anna.id)


def refused(answer: Answer) -> bool:
    if answer.status != 507:
        return False
    root = etree.fromstring(answer.body)
    assert root.tag == "{DAV:}error" and [one.tag for one in root] == ["{DAV:}quota-not-exceeded"], answer.body
    return True


@pytest.fixture
def home(anna: Client) -> Client:
    anna.propfind("/anna/", Depth="0")  # the first request makes it
    return anna


def members(client: Client, path: str = CALENDAR) -> set[str]:
    found = client.propfind(path, Depth="1").statuses
    return {href.rpartition("/")[2] for href in found} - {""}


def test_put_and_post_and_what_makes_it_smaller(application: Application, home: Client) -> None:
    bound(application, octets=2 * SIZE)
    assert home.put(CALENDAR + "a.ics", event("a")).status == 201
    assert home.put(CALENDAR + "b.ics", event("b")).status == 201
    assert refused(home.put(CALENDAR + "c.ics", event("c")))
    assert refused(home.post(CALENDAR + "?add-member", event("c"), Content_Type="text/calendar"))
    assert refused(home.put(CALENDAR + "a.ics", event("a", "SUMMARY:somewhat longer")))
    assert members(home) == {"a.ics", "b.ics"} and home.get(CALENDAR + "a.ics").body == event("a")
    bound(application, octets=1)
    assert home.put(CALENDAR + "a.ics", event("a", "SUMMARY:s")).status == 204
    assert home.delete(CALENDAR + "b.ics").status in (200, 204)


def test_a_refused_put_leaves_no_trace(application: Application, home: Client) -> None:
    bound(application, items=0, octets=1)
    token = home.sync(CALENDAR).multistatus.sync_token
    assert token is not None and refused(home.put(CALENDAR + "a.ics", event()))
    again = home.sync(CALENDAR, token).multistatus
    assert not list(again.responses)
    assert again.sync_token == token


def test_collections(application: Application, home: Client) -> None:
    bound(application, more=1)
    assert home.mkcalendar("/anna/one/").status == 201
    assert refused(home.mkcalendar("/anna/two/"))
    assert refused(home.put("/anna/two/", event()))
    assert refused(home.copy("/anna/one/", Destination="/anna/two/"))
    assert home.mkcalendar("/anna/one/").status == 405
    assert home.move("/anna/one/", Destination="/anna/two/").status == 201
    assert home.copy(CALENDAR, Destination="/anna/two/").status == 204


def test_copies_of_collections_are_whole_or_not_made(application: Application, home: Client) -> None:
    for uid in "abc":
        home.put(f"{CALENDAR}{uid}.ics", event(uid))
    bound(application, items=5)
    assert refused(home.copy(CALENDAR, Destination="/anna/copy/"))
    assert home.propfind("/anna/copy/", Depth="0").status == 404
    assert home.copy(CALENDAR, Destination="/anna/copy/", Depth="0").status == 201
    assert refused(home.copy(CALENDAR, Destination="/anna/copy/"))
    bound(application, items=6)
    assert home.copy(CALENDAR, Destination="/anna/copy/").status == 204
    bound(application, items=1)
    assert home.copy(CALENDAR, Destination="/anna/copy/").status == 204, "as much as before"
    assert used(application).items == 6


def test_one_item_copied_and_moved(application: Application, home: Client) -> None:
    home.put(CALENDAR + "a.ics", event("a"))
    home.mkcalendar("/anna/other/")
    bound(application, items=1)
    assert refused(home.copy(CALENDAR + "a.ics", Destination="/anna/other/a.ics"))
    assert home.move(CALENDAR + "a.ics", Destination="/anna/other/a.ics").status == 201


def test_members_of_a_bulk_write_each_for_itself(application: Application, home: Client) -> None:
    bound(application, items=1)
    text = event("a").replace(b"END:VCALENDAR\r\n", b"") + event("b").partition(b"PRODID:-//test//EN\r\n")[2]
    told = home.post(CALENDAR, text, Content_Type="text/calendar")
    assert told.status == 207 and told.body.count(NOT_EXCEEDED) == 1 and b"507" in told.body
    assert len(members(home)) == 1
    store = application.store
    assert store is not None
    with store.read() as tx:
        anna = principals.find(tx, "anna")
        assert anna is not None and not list(quarantine.listing(tx, anna.id)), "that would be a way around"


def test_members_of_a_whole_collection_each_for_itself(application: Application, home: Client) -> None:
    home.put(CALENDAR + "old.ics", event("old"))
    bound(application, items=2)
    texts = [event(uid).partition(b"PRODID:-//test//EN\r\n")[2].removesuffix(b"END:VCALENDAR\r\n") for uid in "abc"]
    whole = event("a").partition(b"BEGIN:VEVENT")[0] + b"".join(texts) + b"END:VCALENDAR\r\n"
    told = home.put(CALENDAR, whole, Content_Type="text/calendar")
    assert told.status == 207 and sorted(told.statuses.values(), key=str) == [200, 507]
    assert NOT_EXCEEDED in told.body
    assert len(members(home)) == 2 and "old.ics" not in members(home)


def test_a_quota_is_of_one_user(application: Application, home: Client, bert: Client) -> None:
    bound(application, octets=1)
    assert bert.put("/bert/calendar/a.ics", event()).status == 201


@pytest.mark.skipif(everywhere(), reason="the disk of a database server is its own affair")
def test_the_properties_tell_the_quota(application: Application, home: Client) -> None:
    home.put(CALENDAR + "a.ics", event("a"))
    bound(application, octets=10 * SIZE)
    for path in ("/anna/", CALENDAR, "/anna/contacts/"):
        told = home.props(path, USED, AVAILABLE)
        assert (told.value(path, USED), told.value(path, AVAILABLE)) == (str(SIZE), str(9 * SIZE))
    bound(application, octets=SIZE - 1)
    assert home.props(CALENDAR, AVAILABLE).value(CALENDAR, AVAILABLE) == "0"
    bound(application, octets=1 << 61)
    free = shutil.disk_usage("/").total
    assert int(home.props(CALENDAR, AVAILABLE).value(CALENDAR, AVAILABLE)) <= free, "the disk has less"
    body = '<propertyupdate xmlns="DAV:"><set><prop><quota-available-bytes>9</quota-available-bytes></prop></set></propertyupdate>'
    protected = home.proppatch(CALENDAR, body)
    assert protected.prop(CALENDAR, AVAILABLE)[0] == 403 and b"cannot-modify-protected-property" in protected.body
    assert b"quota" not in home.propfind(CALENDAR, Depth="0").body  # RFC 4331 §2
    named = home.propfind(CALENDAR, '<propfind xmlns="DAV:"><propname/></propfind>', Depth="0").body
    assert b"quota-used-bytes" in named and b"quota-available-bytes" in named


def test_writers_cannot_exceed_it_together(application: Application, home: Client) -> None:
    bound(application, items=10)

    def put(number: int) -> int:
        return home.put(f"{CALENDAR}{number}.ics", event(str(number))).status

    with ThreadPoolExecutor(8) as pool:
        statuses = list(pool.map(put, range(24)))
    assert sorted(statuses) == [201] * 10 + [507] * 14
    assert used(application).items == 10 == len(members(home))


def test_a_configured_bound_holds_for_new_homes(application: Application, anna: Client) -> None:
    """Even one that is below what a home begins with lets people in."""
    assert application.store is not None
    quota.keep(application.store, Amounts(collections=1))
    assert anna.propfind("/anna/", Depth="1").status == 207
    assert used(application).collections == 1


names = st.sampled_from(("a.ics", "b.ics", "c.ics"))
places = st.sampled_from(("/anna/calendar/", "/anna/two/"))
lengths = st.integers(0, 60)


class Bounded(DavMachine):
    """Whatever is done: what counts is what is there, and it is over the bound only where the bound was lowered."""

    users = ("anna", "bert")

    def __init__(self) -> None:
        super().__init__()
        self.ceiling = Amounts()

    @initialize()
    def begin(self) -> None:
        self.anna.mkcalendar("/anna/two/")

    def done(self, answer: Answer) -> None:
        assert answer.status < 500 or refused(answer), (answer.status, answer.body)
        before, now = self.ceiling, used(self.application)
        assert all(there <= most or not most for there, most in zip(now, before, strict=True)), (now, before)
        self.aim()

    def aim(self) -> None:
        """The most that may be there after the next step."""
        assert self.application.store is not None
        with self.application.store.read() as tx:
            anna = principals.find(tx, "anna")
            assert anna is not None
            bounds, now = quota.bounds(tx, anna.id), quota.used(tx, anna.id)
        self.ceiling = Amounts(*(most and max(most, there) for most, there in zip(bounds, now, strict=True)))

    @rule(octets=st.integers(0, 5 * SIZE), items=st.integers(0, 4), collections=st.integers(0, 7))
    def bound(self, octets: int, items: int, collections: int) -> None:
        assert self.application.store is not None
        with self.application.store.write() as tx:
            anna = principals.find(tx, "anna")
            assert anna is not None
            quota.put(tx, anna.id, Own(octets, items, collections))
        self.aim()

    @rule(place=places, name=names, length=lengths)
    def put(self, place: str, name: str, length: int) -> None:
        had = self.anna.get(place + name)
        text = event(name, "SUMMARY:" + "x" * length)
        answer = self.anna.put(place + name, text)
        if had.status == 200 and len(text) <= len(had.body):
            assert answer.status == 204
        self.done(answer)

    @rule(place=places, lengths=st.lists(lengths, max_size=4))
    def put_whole(self, place: str, lengths: list[int]) -> None:
        head, tail = event("x").partition(b"BEGIN:VEVENT")[0], b"END:VCALENDAR\r\n"
        texts = [
            event(f"{n}", "SUMMARY:" + "x" * length).removeprefix(head).removesuffix(tail)
            for n, length in enumerate(lengths)
        ]
        self.done(self.anna.put(place, head + b"".join(texts) + tail, Content_Type="text/calendar"))

    @rule(place=places, lengths=st.lists(lengths, min_size=1, max_size=4))
    def post(self, place: str, lengths: list[int]) -> None:
        head, tail = event("x").partition(b"BEGIN:VEVENT")[0], b"END:VCALENDAR\r\n"
        texts = [
            event(f"{n}", "SUMMARY:" + "x" * length).removeprefix(head).removesuffix(tail)
            for n, length in enumerate(lengths)
        ]
        self.done(self.anna.post(place, head + b"".join(texts) + tail, Content_Type="text/calendar"))

    @rule(place=places, name=names)
    def delete(self, place: str, name: str) -> None:
        self.done(self.anna.delete(place + name))

    @rule(source=places, to=places, name=names, other=names, move=st.booleans())
    def transfer(self, source: str, to: str, name: str, other: str, move: bool) -> None:
        method = "MOVE" if move else "COPY"
        self.done(self.anna.request(method, source + name, Destination=to + other))

    @rule(source=places, to=st.sampled_from(("/anna/two/", "/anna/three/")), move=st.booleans())
    def transfer_all(self, source: str, to: str, move: bool) -> None:
        method = "MOVE" if move and source != "/anna/calendar/" else "COPY"
        there, instead = (self.anna.get(path) for path in (source, to))
        answer = self.anna.request(method, source, Destination=to)
        if there.body == instead.body and source != to:
            assert answer.status in (204, 404), "it takes the place of its like"
        self.done(answer)

    @rule(place=st.sampled_from(("/anna/two/", "/anna/three/")), make=st.booleans())
    def collection(self, place: str, make: bool) -> None:
        self.done(self.anna.mkcalendar(place) if make else self.anna.delete(place))

    @invariant()
    def what_counts_is_what_is_there(self) -> None:
        found = self.anna.props("/anna/", "{DAV:}getcontentlength", depth="infinity").multistatus.responses
        # The home is not a collection that counts.
        folders = [one.href for one in found if one.href.endswith("/") and one.href != "/anna/"]
        sizes = [int(one.props["{DAV:}getcontentlength"][1].text or 0) for one in found if not one.href.endswith("/")]
        assert used(self.application) == Amounts(sum(sizes), len(sizes), len(folders))


TestBounded = Bounded.TestCase
TestBounded.settings = settings(
    max_examples=8, stateful_step_count=15, deadline=None, suppress_health_check=list(HealthCheck)
)
