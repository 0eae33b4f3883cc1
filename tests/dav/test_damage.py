"""What the disk gives back wrong: the one item is an error, the others are whole, nothing is told as a deletion."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from calsync.accounts.accounts import Accounts
from calsync.app import Application
from calsync.store.errors import StoreError
from tests.dav.conftest import PASSWORD, Answer, Client, card, event, make_application
from tests.postgresql import everywhere
from tests.raw import Raw

HOME = "/anna/calendar/"
SPACES = 'xmlns="DAV:" xmlns:C="urn:ietf:params:xml:ns:caldav"'
DATA = "{urn:ietf:params:xml:ns:caldav}calendar-data"
#: The index knows two years back, so the events are of this one.
YEAR = datetime.now(UTC).year
RANGE = f'<C:comp-filter name="VEVENT"><C:time-range start="{YEAR}0101T000000Z" end="{YEAR + 1}0101T000000Z"/></C:comp-filter>'
TEXT = '<C:comp-filter name="VEVENT"><C:prop-filter name="SUMMARY"><C:text-match>b</C:text-match></C:prop-filter>'
FILTERS = ("", RANGE, f"{TEXT}</C:comp-filter>")


#: Each has an hour of its own.
TIMES = tuple((name, f"{YEAR}03{day:02}T100000Z", f"{YEAR}03{day:02}T110000Z") for day, name in enumerate("abc", 1))


of_a_file = pytest.mark.skipif(everywhere(), reason="PostgreSQL looks after its own files")


def database(folder: Path) -> Path:
    [path] = folder.rglob("*.db")
    return path


@pytest.fixture
def damaged(anna: Client) -> dict[str, str]:
    """Three events, of which the second has rotted; their ETags from before."""
    etags = {
        name: anna.put(f"{HOME}{name}.ics", event(f"uid-{name}", f"SUMMARY:{name}", start=start, end=end)).etag
        for name, start, end in TIMES
    }
    assert Raw.of(anna.application.store).rot("SUMMARY:b", "SUMMARY:x") == 1
    return etags


def test_it_is_an_error_and_not_missing(damaged: dict[str, str], anna: Client) -> None:
    for method in ("GET", "HEAD"):
        assert [anna.request(method, f"{HOME}{name}.ics").status for name in "abc"] == [200, 500, 200]
    answer = anna.get(f"{HOME}b.ics")
    assert answer.text.startswith("Internal Server Error (request ")
    assert "store" not in answer.text


def test_listing_and_sync_name_it_with_its_last_etag(damaged: dict[str, str], anna: Client) -> None:
    for answer in (anna.props(HOME, "{DAV:}getetag", depth="1"), anna.sync(HOME)):
        for name, etag in damaged.items():
            assert answer.value(f"{HOME}{name}.ics", "{DAV:}getetag") == etag


def whole_but_for_b(answer: Answer) -> None:
    assert answer.statuses.get(f"{HOME}b.ics", "left out") == 500
    for name in "ac":
        assert f"SUMMARY:{name}" in answer.value(f"{HOME}{name}.ics", DATA)


def test_reports_give_the_others(damaged: dict[str, str], anna: Client) -> None:
    props = "<prop><getetag/><C:calendar-data/></prop>"
    hrefs = "".join(f"<href>{HOME}{name}.ics</href>" for name in damaged)
    whole_but_for_b(anna.report(HOME, f"<C:calendar-multiget {SPACES}>{props}{hrefs}</C:calendar-multiget>"))
    whole_but_for_b(anna.sync(HOME, props="<getetag/><C:calendar-data xmlns:C='urn:ietf:params:xml:ns:caldav'/>"))
    for inner in FILTERS:
        query = (
            f"<C:calendar-query {SPACES}>{props}<C:filter><C:comp-filter name='VCALENDAR'>{inner}</C:comp-filter>"
            "</C:filter></C:calendar-query>"
        )
        answer = anna.request("REPORT", HOME, query, Depth="1")
        assert answer.statuses[f"{HOME}b.ics"] == 500, inner
        if "SUMMARY" not in inner:
            whole_but_for_b(answer)


def test_a_whole_calendar_is_an_error_rather_than_shorter(damaged: dict[str, str], anna: Client) -> None:
    assert anna.get(HOME).status == 500


def test_busy_times_are_not_silently_shorter(damaged: dict[str, str], anna: Client) -> None:
    query = f'<C:free-busy-query xmlns:C="urn:ietf:params:xml:ns:caldav"><C:time-range start="{YEAR}0101T000000Z"'
    answer = anna.report(HOME, f'{query} end="{YEAR + 1}0101T000000Z"/></C:free-busy-query>')
    # The index knows the hour of the damaged event.
    assert all(f"{start}/{end}" in answer.text.replace("\r\n ", "") for _, start, end in TIMES)


def test_it_is_copied_nowhere_and_can_be_replaced_or_deleted(damaged: dict[str, str], anna: Client) -> None:
    anna.mkcalendar("/anna/other/")
    for method in ("COPY", "MOVE"):
        assert anna.request(method, f"{HOME}b.ics", Destination="/anna/other/b.ics").status == 500
        assert anna.get("/anna/other/b.ics").status == 404
    assert anna.put(f"{HOME}b.ics", event("uid-b"), If_Match=damaged["b"]).status == 204
    assert anna.get(f"{HOME}b.ics").status == 200
    assert anna.get(HOME).status == 200


def test_a_collection_with_it_is_moved_whole_or_not_at_all(damaged: dict[str, str], anna: Client) -> None:
    answer = anna.move(HOME, Destination="/anna/moved/")
    where = "/anna/moved/" if answer.status == 201 else HOME
    assert answer.status in (201, 500)
    assert set(anna.props(where, "{DAV:}getetag", depth="1").statuses) == {where, *(f"{where}{n}.ics" for n in "abc")}


BOOK = "/anna/contacts/"
CARD_SPACES = 'xmlns="DAV:" xmlns:C="urn:ietf:params:xml:ns:carddav"'
CARD_DATA = "{urn:ietf:params:xml:ns:carddav}address-data"


def rot(anna: Client, old: str, new: str) -> None:
    assert Raw.of(anna.application.store).rot(old, new) == 1


def calendar_report(name: str, props: str, inner: str, more: str = "") -> str:
    if name == "calendar-multiget":
        return f"<C:{name} {SPACES}>{props}{more}</C:{name}>"
    return f"<C:{name} {SPACES}>{props}<C:filter><C:comp-filter name='VCALENDAR'>{inner}</C:comp-filter></C:filter></C:{name}>"


EXPANDED = (
    '<prop><getetag/><C:calendar-data><C:expand start="20260101T000000Z" end="20270101T000000Z"/></C:calendar-data></prop>',
    '<prop><getetag/><C:calendar-data><C:limit-recurrence-set start="20260101T000000Z" end="20270101T000000Z"/>'
    "</C:calendar-data></prop>",
    '<prop><getetag/><C:calendar-data><C:comp name="VCALENDAR"><C:allprop/><C:comp name="VEVENT"><C:prop name="SUMMARY"/>'
    "</C:comp></C:comp></C:calendar-data></prop>",
)


@pytest.mark.parametrize("props", EXPANDED)
@pytest.mark.parametrize("name", ["calendar-query", "calendar-multiget"])
def test_views_of_it_are_an_error_too(damaged: dict[str, str], anna: Client, name: str, props: str) -> None:
    hrefs = "".join(f"<href>{HOME}{one}.ics</href>" for one in damaged)
    whole_but_for_b(anna.request("REPORT", HOME, calendar_report(name, props, RANGE, hrefs), Depth="1"))


@pytest.mark.parametrize("inner", FILTERS)
def test_a_query_for_etags_alone_names_it(damaged: dict[str, str], anna: Client, inner: str) -> None:
    """With its last ETag where the index knows that it matches, else as an error: never left out."""
    answer = anna.request(
        "REPORT", HOME, calendar_report("calendar-query", "<prop><getetag/></prop>", inner), Depth="1"
    )
    if answer.statuses[f"{HOME}b.ics"] != 500:
        assert answer.value(f"{HOME}b.ics", "{DAV:}getetag") == damaged["b"]


def test_a_card_is_an_error_in_every_report(tmp_path: Path, anna: Client) -> None:
    for name in "abc":
        assert anna.put(f"{BOOK}{name}.vcf", card(f"uid-{name}", f"NOTE:{name}")).status == 201
    rot(anna, "NOTE:b", "NOTE:x")
    props = "<prop><getetag/><C:address-data/></prop>"
    hrefs = "".join(f"<href>{BOOK}{name}.vcf</href>" for name in "abc")
    text = '<C:filter><C:prop-filter name="{}"><C:text-match>{}</C:text-match></C:prop-filter></C:filter>'
    for body in (
        f"<C:addressbook-multiget {CARD_SPACES}>{props}{hrefs}</C:addressbook-multiget>",
        f"<C:addressbook-query {CARD_SPACES}>{props}<C:filter/></C:addressbook-query>",
        f"<C:addressbook-query {CARD_SPACES}>{props}{text.format('FN', 'ada')}</C:addressbook-query>",
        f"<C:addressbook-query {CARD_SPACES}>{props}{text.format('UID', 'uid')}</C:addressbook-query>",
    ):
        answer = anna.request("REPORT", BOOK, body, Depth="1")
        assert answer.statuses[f"{BOOK}b.vcf"] == 500, body
        for name in "ac":
            assert f"NOTE:{name}" in answer.value(f"{BOOK}{name}.vcf", CARD_DATA)
    assert anna.get(BOOK).status == 500
    assert [anna.get(f"{BOOK}{name}.vcf").status for name in "abc"] == [200, 500, 200]


def test_a_delta_goes_on_and_names_what_changed_alone(damaged: dict[str, str], anna: Client) -> None:
    token = anna.sync(HOME).multistatus.sync_token
    assert token is not None
    assert anna.sync(HOME, token).statuses == {}
    anna.put(f"{HOME}a.ics", event("uid-a", "SUMMARY:again"))
    assert set(anna.sync(HOME, token).statuses) == {f"{HOME}a.ics"}


def test_a_series_that_has_rotted_keeps_its_place(tmp_path: Path, anna: Client) -> None:
    anna.put(f"{HOME}s.ics", event("s", "RRULE:FREQ=DAILY", "SUMMARY:before"))
    rot(anna, "SUMMARY:before", "SUMMARY:behind")
    for props in ("<prop><getetag/><C:calendar-data/></prop>", *EXPANDED):
        answer = anna.request("REPORT", HOME, calendar_report("calendar-query", props, RANGE), Depth="1")
        assert answer.statuses == {f"{HOME}s.ics": 500}


def test_a_copy_of_its_collection_is_whole_or_not_at_all(damaged: dict[str, str], anna: Client) -> None:
    answer = anna.request("COPY", HOME, Destination="/anna/copy/")
    assert answer.status in (201, 500)
    if answer.status == 201:
        assert [anna.get(f"/anna/copy/{name}.ics").status for name in "abc"] == [200, 500, 200]
    else:
        assert anna.get("/anna/copy/").status == 404


def test_deriving_everything_anew_changes_nothing_of_that(damaged: dict[str, str], anna: Client) -> None:
    from calsync.store import reindex

    store = anna.application.store
    assert store is not None
    reindex.begin(store)
    test_reports_give_the_others(damaged, anna)
    told = reindex.run(store)
    assert told.ended
    assert [path for path, _ in told.problems] == ["anna/calendar/b.ics"]
    test_reports_give_the_others(damaged, anna)
    test_listing_and_sync_name_it_with_its_last_etag(damaged, anna)


# --- the file itself --------------------------------------------------------------------------------------------------


@pytest.fixture
def closed(tmp_path: Path) -> Iterator[Path]:
    """A store with events that nobody has open."""
    application = make_application(tmp_path / "data")
    assert application.store is not None
    Accounts(application.store).create("anna", PASSWORD)
    anna = Client(application)
    for number in range(60):
        assert anna.put(f"{HOME}{number}.ics", event(f"u{number}", "DESCRIPTION:" + "x" * 900)).status == 201
    application.close()
    yield tmp_path / "data"


def asked(folder: Path) -> dict[str, int]:
    """What a client hears of a store, request by request; 0 where the server does not even start."""
    try:
        application = make_application(folder)
    except (StoreError, RuntimeError) as error:
        assert "calsync.db" in str(error)
        return {"start": 0}
    try:
        anna = Client(application)
        found = {f"GET {number}": anna.get(f"{HOME}{number}.ics").status for number in range(60)}
        found["PROPFIND"] = anna.propfind(HOME, Depth="1").status
        found["GET"] = anna.get(HOME).status
        found["PUT"] = anna.put(f"{HOME}new.ics", event("new")).status
    finally:
        application.close()
    return found


@of_a_file
@pytest.mark.parametrize("part", [0, 10, 50, 90])
def test_a_file_that_is_cut_is_an_error_and_never_a_loss(closed: Path, part: int) -> None:
    path = database(closed)
    octets = path.read_bytes()
    path.write_bytes(octets[: len(octets) * part // 100])
    for what, status in asked(closed).items():
        assert status in (0, 200, 201, 207, 500, 503), (what, status)


@of_a_file
def test_pages_that_rot_are_an_error_and_never_a_loss(closed: Path) -> None:
    path = database(closed)
    octets = bytearray(path.read_bytes())
    for place in range(4096 + 2048, len(octets), 4096):
        octets[place : place + 16] = b"\xff" * 16
    path.write_bytes(octets)
    for what, status in asked(closed).items():
        assert status in (0, 200, 201, 207, 500, 503), (what, status)


@of_a_file
def test_a_store_that_is_no_database_says_so(tmp_path: Path, application: Application) -> None:
    folder = tmp_path / "other"
    path = folder / database(tmp_path).relative_to(tmp_path / "data")
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(b"not a database at all" * 1000)
    with pytest.raises(Exception, match=r"calsync\.db"):
        make_application(folder)


# --- on the way in ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("home", [HOME, "/anna/contacts/"])
def test_a_whole_collection_that_breaks_off_deletes_nothing(anna: Client, home: str) -> None:
    """All that the text no longer holds is deleted, so it has to be whole."""
    for name in "abc":
        anna.put(f"{home}{name}.x", event(f"uid-{name}") if home == HOME else card(f"uid-{name}"))
    before = anna.props(home, "{DAV:}getetag", depth="1").body
    text = anna.get(home).body
    for cut in range(0, len(text), 5):
        if not text[:cut].rstrip().endswith((b"END:VCARD", b"END:VCALENDAR")):  # else it is whole, of fewer cards
            assert anna.put(home, text[:cut]).status == 403, cut
    assert anna.props(home, "{DAV:}getetag", depth="1").body == before
