"""Reports on objects, homes and plain collections."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from calsync.accounts.accounts import Accounts
from tests.dav.conftest import PASSWORD, Answer, Client, event, make_application

C = "urn:ietf:params:xml:ns:caldav"
DATA = f"{{{C}}}calendar-data"
BUSY = f'<C:free-busy-query xmlns:C="{C}"><C:time-range start="20260301T000000Z" end="20260302T000000Z"/></C:free-busy-query>'


def query(client: Client, path: str, inside: str = '<C:comp-filter name="VEVENT"/>', **headers: str) -> Answer:
    body = f'<C:calendar-query xmlns="DAV:" xmlns:C="{C}"><prop><getetag/><C:calendar-data/></prop><C:filter><C:comp-filter name="VCALENDAR">{inside}</C:comp-filter></C:filter></C:calendar-query>'
    return client.report(path, body, **headers)


def multiget(client: Client, path: str, *hrefs: str, what: str = "<prop><getetag/></prop>") -> Answer:
    inside = "".join(f"<href>{href}</href>" for href in hrefs)
    return client.report(path, f'<C:calendar-multiget xmlns="DAV:" xmlns:C="{C}">{what}{inside}</C:calendar-multiget>')


def sync(client: Client, path: str, token: str = "", limit: int = 0) -> Answer:
    cut = f"<limit><nresults>{limit}</nresults></limit>" if limit else ""
    return client.report(
        path,
        f'<sync-collection xmlns="DAV:"><sync-token>{token}</sync-token><sync-level>infinite</sync-level>{cut}<prop><getetag/></prop></sync-collection>',
    )


# --- one object -------------------------------------------------------------------------------------------------------


def test_a_query_on_an_object_is_about_that_one(anna: Client) -> None:
    anna.put("/anna/calendar/a.ics", event("a"))
    anna.put("/anna/calendar/b.ics", event("b"))
    answer = query(anna, "/anna/calendar/a.ics", Depth="0")
    assert answer.value("/anna/calendar/a.ics", DATA).encode() == event("a")
    assert list(answer.statuses) == ["/anna/calendar/a.ics"]
    assert query(anna, "/anna/calendar/a.ics", '<C:comp-filter name="VTODO"/>').statuses == {}


def test_a_multiget_on_an_object_knows_that_one_only(anna: Client) -> None:
    anna.put("/anna/calendar/a.ics", event("a"))
    anna.put("/anna/calendar/b.ics", event("b"))
    answer = multiget(anna, "/anna/calendar/a.ics", "/anna/calendar/a.ics", "/anna/calendar/b.ics")
    assert answer.statuses == {"/anna/calendar/a.ics": None, "/anna/calendar/b.ics": 404}


def test_a_range_without_a_component_is_about_any(anna: Client) -> None:
    """clients.md 36: python-caldav searches so."""
    anna.put("/anna/calendar/a.ics", event("a"))
    within = '<C:time-range start="20260301T000000Z" end="20260302T000000Z"/>'
    assert list(query(anna, "/anna/calendar/", within, Depth="1").statuses) == ["/anna/calendar/a.ics"]
    assert query(anna, "/anna/calendar/", within.replace("202603", "202703"), Depth="1").statuses == {}


def test_properties_beside_an_empty_prop_are_asked_for(anna: Client) -> None:
    """clients.md 36: python-caldav lists principals so."""
    body = f'<principal-property-search xmlns="DAV:" xmlns:C="{C}"><prop/><C:calendar-home-set/><displayname/></principal-property-search>'
    answer = anna.report("/", body)
    assert answer.value("/anna/", "{DAV:}displayname") == "anna"
    assert answer.value("/anna/", f"{{{C}}}calendar-home-set") == "/anna/"


def test_principal_match_by_a_property(anna: Client) -> None:
    """RFC 3744 §9.3: at any depth, what belongs to the asker."""
    body = '<principal-match xmlns="DAV:"><principal-property><{}/></principal-property><prop><owner/></prop></principal-match>'
    owned = {"/anna/calendar/", "/anna/tasks/", "/anna/contacts/"}
    assert set(anna.report("/anna/", body.format("owner")).statuses) == owned
    assert set(anna.report("/", body.format("owner")).statuses) == {"/anna/", *owned}
    assert anna.report("/anna/", body.format("group")).statuses == {}


# --- plain collections ------------------------------------------------------------------------------------------------


@pytest.fixture
def plain(tmp_path: Path) -> Iterator[Client]:
    """Anna with rights on plain collections: /anna/box/{one,two}/ are calendars."""
    rules = tmp_path / "rights"
    rules.write_text("[all]\nuser: .+\ncollection: {user}(/.*)?\npermissions: RrWw\n")
    application = make_application(tmp_path / "plain", rights={"type": "from_file", "file": str(rules)})
    assert application.store is not None
    Accounts(application.store).create("anna", PASSWORD)
    client = Client(application)
    assert client.mkcol("/anna/box/").status == 201
    for name in ("one", "two"):
        assert client.mkcalendar(f"/anna/box/{name}/").status == 201
        assert client.put(f"/anna/box/{name}/{name}.ics", event(name)).status == 201
    yield client
    application.store.close()


def test_reports_on_a_plain_collection_reach_its_calendars(plain: Client) -> None:
    one, two = "/anna/box/one/one.ics", "/anna/box/two/two.ics"
    assert list(query(plain, "/anna/box/", Depth="infinity").statuses) == [one, two]
    assert multiget(plain, "/anna/box/", two, "/anna/box/x.ics", one).statuses == {
        one: None,
        two: None,
        "/anna/box/x.ics": 404,
    }
    assert "20260301T100000Z/20260301T110000Z" in plain.report("/anna/box/", BUSY).text
    assert {one, two} <= set(sync(plain, "/anna/box/").statuses)
    assert {one, two} <= set(sync(plain, "/anna/").statuses)


# --- level infinite with a limit --------------------------------------------------------------------------------------


def mirror(client: Client, path: str, limit: int, known: set[str], token: str = "") -> str:
    """Follow a truncated answer to its end."""
    while True:
        answer = sync(client, path, token, limit)
        told = {href: status for href, status in answer.statuses.items() if href != path}
        assert len(told) <= limit
        known -= {href for href, status in told.items() if status == 404}
        known |= {href for href, status in told.items() if status is None}
        token = answer.multistatus.sync_token or ""
        if path not in answer.statuses:
            return token
        assert answer.statuses[path] == 507


@pytest.mark.parametrize("limit", [2, 3, 7, 100])
def test_a_truncated_sync_of_a_home_mirrors_it(anna: Client, limit: int) -> None:
    for number in range(5):
        anna.put(f"/anna/calendar/{number}.ics", event(f"uid-{number}"))
        anna.put(
            f"/anna/tasks/{number}.ics", event(f"task-{number}").replace(b"VEVENT", b"VTODO").replace(b"DTEND", b"DUE")
        )
    anna.delete("/anna/calendar/4.ics")
    known: set[str] = set()
    token = mirror(anna, "/anna/", limit, known)
    everything = set(anna.propfind("/anna/", "", Depth="infinity").statuses) - {"/anna/"}
    assert known == everything
    anna.put("/anna/calendar/new.ics", event("new"))
    anna.delete("/anna/tasks/0.ics")
    anna.delete("/anna/contacts/")
    mirror(anna, "/anna/", limit, known, token)
    assert known == set(anna.propfind("/anna/", "", Depth="infinity").statuses) - {"/anna/"}


def test_a_moved_calendar_comes_with_all_it_holds(anna: Client) -> None:
    for number in range(3):
        anna.put(f"/anna/calendar/{number}.ics", event(f"uid-{number}"))
    token = sync(anna, "/anna/").multistatus.sync_token or ""
    assert anna.move("/anna/calendar/", Destination="/anna/moved/").status == 201
    told = sync(anna, "/anna/", token).statuses
    assert told == {
        "/anna/calendar/": 404,
        "/anna/moved/": None,
        **{f"/anna/moved/{number}.ics": None for number in range(3)},
    }
    assert sync(anna, "/anna/", token, limit=10).statuses == told
    # It comes as a whole or not at all.
    cut = sync(anna, "/anna/", token, limit=1)
    assert cut.statuses == {"/anna/calendar/": 404, "/anna/": 507}
    cut = sync(anna, "/anna/", cut.multistatus.sync_token or "", limit=1)
    assert (cut.status, b"number-of-matches-within-limits" in cut.body) == (403, True)


# --- busy times -------------------------------------------------------------------------------------------------------


def test_depth_0_asks_about_nothing(anna: Client) -> None:
    anna.put("/anna/calendar/a.ics", event("a"))
    assert "20260301T100000Z/" in anna.report("/anna/calendar/", BUSY).text
    assert "20260301T100000Z/" in anna.report("/anna/calendar/", BUSY, Depth="1").text
    assert "20260301T100000Z/" not in anna.report("/anna/calendar/", BUSY, Depth="0").text


def test_tentative_is_told_apart(anna: Client) -> None:
    anna.put("/anna/calendar/a.ics", event("a", "STATUS:TENTATIVE"))
    anna.put("/anna/calendar/b.ics", event("b", "TRANSP:TRANSPARENT", end="20260301T230000Z"))
    told = anna.report("/anna/calendar/", BUSY).text
    assert "FREEBUSY;FBTYPE=BUSY-TENTATIVE:20260301T100000Z/20260301T110000Z" in told
    assert told.count("FREEBUSY;") == 1


def test_who_may_see_busy_times_only_sees_them_and_nothing_else(tmp_path: Path) -> None:
    rules = tmp_path / "rights"
    rules.write_text(
        "[own]\nuser: .+\ncollection: {user}(/.*)?\npermissions: RrWw\n"
        "[busy]\nuser: bert\ncollection: anna/[^/]+\npermissions: f\n"
        "[home]\nuser: bert\ncollection: anna\npermissions: R\n"
    )
    application = make_application(tmp_path / "busy", rights={"type": "from_file", "file": str(rules)})
    assert application.store is not None
    accounts = Accounts(application.store)
    for name in ("anna", "bert"):
        accounts.create(name, PASSWORD)
    anna, bert = Client(application), Client(application, "bert")
    anna.put("/anna/calendar/a.ics", event("a"))
    for path in ("/anna/calendar/", "/anna/"):
        told = bert.report(path, BUSY)
        assert (told.status, "20260301T100000Z/20260301T110000Z" in told.text) == (200, True)
        assert "Event a" not in told.text
    assert query(bert, "/anna/calendar/").status == 403
    application.store.close()


def availability(uid: str, priority: int, start: str, end: str) -> bytes:
    """Open from `start` to `end` on 1 March, and not for the rest of that day."""
    return (
        "BEGIN:VCALENDAR\r\nVERSION:2.0\r\nPRODID:-//test//EN\r\nBEGIN:VAVAILABILITY\r\n"
        f"UID:{uid}\r\nDTSTAMP:20260101T000000Z\r\nPRIORITY:{priority}\r\n"
        "DTSTART:20260301T000000Z\r\nDTEND:20260302T000000Z\r\n"
        f"BEGIN:AVAILABLE\r\nUID:{uid}-1\r\nDTSTAMP:20260101T000000Z\r\nDTSTART:20260301T{start}Z\r\n"
        f"DTEND:20260301T{end}Z\r\nEND:AVAILABLE\r\nEND:VAVAILABILITY\r\nEND:VCALENDAR\r\n"
    ).encode()


def test_availability_in_several_objects_is_one(anna: Client) -> None:
    """RFC 7953 §4: the one of higher priority decides alone, wherever it is stored."""
    anna.mkcalendar("/anna/open/")
    assert anna.put("/anna/open/low.ics", availability("low", 9, "120000", "130000")).status == 201
    assert anna.put("/anna/open/high.ics", availability("high", 1, "090000", "170000")).status == 201
    told = anna.report("/anna/open/", BUSY).text.replace("\r\n ", "")
    assert "BUSY-UNAVAILABLE:20260301T000000Z/20260301T090000Z,20260301T170000Z/20260302T000000Z\r\n" in told
