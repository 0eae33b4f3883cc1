"""What the disk gives back wrong: the one item is an error, the others are whole, nothing is told as a deletion."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from calsync.accounts.accounts import Accounts
from calsync.app import Application
from calsync.dav.damage import OCTETS, PROPERTY
from calsync.store.errors import StoreError
from calsync.store.verify import verify
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
    assert answer.text.startswith(f"Internal Server Error: {OCTETS} (request ")
    assert damaged["b"].strip('"') not in answer.text


def test_listing_and_sync_name_it_with_its_last_etag(damaged: dict[str, str], anna: Client) -> None:
    for answer in (anna.props(HOME, "{DAV:}getetag", depth="1"), anna.sync(HOME)):
        for name, etag in damaged.items():
            assert answer.value(f"{HOME}{name}.ics", "{DAV:}getetag") == etag


def named(answer: Answer, *hrefs: str) -> None:
    """A 207 that consists of a 500 for each of these, with its reason."""
    assert answer.statuses == dict.fromkeys(hrefs, 500)
    assert answer.text.count(f"<D:responsedescription>{OCTETS}</D:responsedescription>") == len(hrefs)


def whole_but_for_b(answer: Answer) -> None:
    assert answer.statuses.get(f"{HOME}b.ics", "left out") == 500
    assert OCTETS in answer.text
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


def etags_in(anna: Client, where: str) -> dict[str, str]:
    answer = anna.props(where, "{DAV:}getetag", depth="1")
    return {
        name: answer.value(f"{where}{name}.ics", "{DAV:}getetag")
        for name in "abc"
        if f"{where}{name}.ics" in answer.statuses
    }


def test_a_collection_with_it_is_renamed_as_it_is(damaged: dict[str, str], anna: Client) -> None:
    assert anna.move(HOME, Destination="/anna/moved/").status == 201
    assert etags_in(anna, "/anna/moved/") == damaged
    assert [anna.get(f"/anna/moved/{name}.ics").status for name in "abc"] == [200, 500, 200]
    assert anna.get(HOME).status == 404


@pytest.fixture
def open_to_all(anna: Client, tmp_path: Path) -> Iterator[Client]:
    """The same store, served to an asker who may write in every home."""
    rights = tmp_path / "rights"
    rights.write_text("[all]\nuser: .+\ncollection: .*\npermissions: RrWw\n")
    assert anna.application.store is not None
    Accounts(anna.application.store).create("boss", PASSWORD)
    application = make_application(tmp_path / "data", rights={"type": "from_file", "file": str(rights)})
    yield Client(application, "boss")
    application.close()


def test_a_collection_with_it_goes_to_no_other_home(damaged: dict[str, str], open_to_all: Client) -> None:
    named(open_to_all.move(HOME, Destination="/boss/moved/"), f"{HOME}b.ics")
    assert etags_in(open_to_all, HOME) == damaged
    assert open_to_all.get("/boss/moved/").status == 404
    named(open_to_all.request("COPY", HOME, Destination="/boss/copy/"), f"{HOME}b.ics")
    assert etags_in(open_to_all, "/boss/copy/") == {name: damaged[name] for name in "ac"}


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


def test_a_copy_of_its_collection_names_it_and_has_the_others(damaged: dict[str, str], anna: Client) -> None:
    for _ in range(2):  # the second time in place of the first
        named(anna.request("COPY", HOME, Destination="/anna/copy/"), f"{HOME}b.ics")
        assert etags_in(anna, "/anna/copy/") == {name: damaged[name] for name in "ac"}
        assert anna.get("/anna/copy/").text.count("BEGIN:VEVENT") == 2
    assert anna.request("COPY", HOME, Destination="/anna/bare/", Depth="0").status == 201
    assert anna.application.store is not None
    # Only where it was is anything wrong: no count, no row that the copies would have without their item.
    assert {one.path for one in verify(anna.application.store)} == {"anna/calendar/b.ics"}


def test_a_copy_names_it_in_all_collections_below(damaged: dict[str, str], open_to_all: Client) -> None:
    assert open_to_all.mkcol("/anna/all/").status == 201
    assert open_to_all.move(HOME, Destination="/anna/all/w%C3%B6rk/").status == 201
    named(open_to_all.request("COPY", "/anna/all/", Destination="/anna/again/"), "/anna/all/w%C3%B6rk/b.ics")
    assert etags_in(open_to_all, "/anna/again/w%C3%B6rk/") == {name: damaged[name] for name in "ac"}


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


# --- properties -------------------------------------------------------------------------------------------------------

#: Names of properties as they are asked for, and one that nobody has set.
ASKED = ("{DAV:}displayname", "{urn:x}color", "{urn:x}order", "{DAV:}resourcetype", "{urn:x}none")
NAMES = "<displayname>Fine</displayname><color xmlns='urn:x'>blue</color><order xmlns='urn:x'>7</order>"


def propstats(answer: Answer, href: str) -> dict[str, int]:
    return {name: answer.prop(href, name)[0] for name in ASKED}


@pytest.mark.parametrize("rotten", ["</", "<?xml version='1.0'?><", "&<", "<a/><"])
def test_a_property_that_is_no_xml_is_an_error_alone(anna: Client, rotten: str) -> None:
    member = f"{HOME}a.ics"
    assert anna.put(member, event("uid-a")).status == 201
    change = f"<propertyupdate xmlns='DAV:'><set><prop>{NAMES}</prop></set></propertyupdate>"
    assert [anna.proppatch(where, change).status for where in (HOME, member)] == [207, 207]
    quoted = rotten.replace("'", "''")
    raw = Raw.of(anna.application.store)
    assert raw.run(f"UPDATE collection SET properties = replace(properties, '<color', '{quoted}color')")
    assert raw.run(f"UPDATE dead_property SET xml = replace(xml, '<color', '{quoted}color')")
    home = anna.props("/anna/", *ASKED, depth="infinity")
    for answer, href in (
        (home, HOME),
        (home, member),
        (anna.props(HOME, *ASKED), HOME),
        (anna.props(member, *ASKED), member),
        (
            anna.sync(
                HOME,
                props="<displayname/><resourcetype/><color xmlns='urn:x'/><order xmlns='urn:x'/><none xmlns='urn:x'/>",
            ),
            member,
        ),
    ):
        assert propstats(answer, href) == dict(zip(ASKED, (200, 500, 200, 200, 404), strict=True)), href
        assert f"<D:responsedescription>{PROPERTY}</D:responsedescription>" in answer.text
    everything = anna.propfind("/anna/", "<propfind xmlns='DAV:'><allprop/></propfind>", Depth="infinity")
    names = anna.propfind("/anna/", "<propfind xmlns='DAV:'><propname/></propfind>", Depth="infinity")
    for href in (HOME, member):
        assert (everything.prop(href, ASKED[1])[0], everything.prop(href, ASKED[2])[0]) == (500, 200)
        assert names.prop(href, ASKED[1])[0] == 200
    # What is set anew is whole, and what is beside it was never lost.
    assert [anna.proppatch(where, change).status for where in (HOME, member)] == [207, 207]
    assert propstats(anna.props(HOME, *ASKED), HOME)[ASKED[1]] == 200


def test_a_name_that_is_no_xml_hides_no_event(anna: Client) -> None:
    assert anna.put(f"{HOME}a.ics", event("uid-a", "SUMMARY:here")).status == 201
    zone = f"<propertyupdate {SPACES}><set><prop><C:calendar-description>D</C:calendar-description></prop></set></propertyupdate>"
    assert anna.proppatch(HOME, zone).status == 207
    assert Raw.of(anna.application.store).run("UPDATE collection SET properties = replace(properties, '<', '</')")
    assert "SUMMARY:here" in anna.get(HOME).text
    answer = anna.request(
        "REPORT", HOME, calendar_report("calendar-query", "<prop><C:calendar-data/></prop>", RANGE), Depth="1"
    )
    assert answer.status == 207
    assert anna.props(HOME, "{DAV:}displayname", "{DAV:}owner").prop(HOME, "{DAV:}owner")[0] == 200


def test_properties_that_cannot_be_read_at_all_hide_no_other(anna: Client) -> None:
    anna.mkcalendar("/anna/other/")
    assert Raw.of(anna.application.store).run("UPDATE collection SET properties = '{' WHERE kind = 'addressbook'")
    answer = anna.props("/anna/", "{DAV:}displayname", "{DAV:}resourcetype", depth="1")
    assert answer.prop(BOOK, "{DAV:}resourcetype")[0] == 200
    assert answer.prop(HOME, "{DAV:}displayname")[0] == 200


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
