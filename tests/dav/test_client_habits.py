"""What clients do and expect, each by its number in clients.md, where no other test has it."""

from __future__ import annotations

import pytest

from tests.dav.conftest import Client, card, event

C, CR = "{urn:ietf:params:xml:ns:caldav}", "{urn:ietf:params:xml:ns:carddav}"


def test_apple_finds_the_tokens_on_principals(anna: Client) -> None:
    """clients.md 4."""
    tokens = {token.strip() for token in anna.options("/anna/").headers["DAV"].split(",")}
    assert {"1", "3", "access-control", "calendar-access", "addressbook"} <= tokens


def test_apple_calendar_has_one_home(anna: Client) -> None:
    """clients.md 5."""
    home = anna.props("/anna/", f"{C}calendar-home-set").prop("/anna/", f"{C}calendar-home-set")[1]
    assert [href.text for href in home] == ["/anna/"]


def test_ios_finds_events_and_tasks_apart(anna: Client) -> None:
    """clients.md 6."""
    name = f"{C}supported-calendar-component-set"
    told = anna.props("/anna/", name, depth="1")
    sets = [[comp.get("name") for comp in told.prop(href, name)[1]] for href in ("/anna/calendar/", "/anna/tasks/")]
    assert sets == [["VEVENT"], ["VTODO"]]


def test_contacts_sees_the_main_book_first(anna: Client) -> None:
    """clients.md 7: it shows only the first, and wants a getctag."""
    anna.mkcol(
        "/anna/another/",
        '<mkcol xmlns="DAV:" xmlns:CR="urn:ietf:params:xml:ns:carddav"><set><prop><resourcetype><collection/>'
        "<CR:addressbook/></resourcetype></prop></set></mkcol>",
    )
    told = anna.props("/anna/", "{DAV:}resourcetype", "{http://calendarserver.org/ns/}getctag", depth="1")
    books = [
        one.href
        for one in told.multistatus.responses
        if one.props["{DAV:}resourcetype"][1].find(f"{CR}addressbook") is not None
    ]
    assert books == ["/anna/contacts/", "/anna/another/"]
    assert told.value("/anna/contacts/", "{http://calendarserver.org/ns/}getctag")


@pytest.mark.parametrize(
    "line",
    [
        'X-APPLE-STRUCTURED-LOCATION;VALUE=URI;X-ADDRESS="Road 1\\nTown";X-TITLE="a \\"b\\"":geo:52.48,13.35',
        "X-APPLE-STRUCTURED-LOCATION;VALUE=URI;X-APPLE-RADIUS=70:geo:52.48,13.35",
    ],
)
def test_apple_locations_come_back_whole(anna: Client, line: str) -> None:
    """clients.md 10, 42."""
    octets = event("place", line)
    assert anna.put("/anna/calendar/place.ics", octets).status == 201
    assert anna.get("/anna/calendar/place.ics").body == octets


def test_the_preferred_address_is_first_and_last(anna: Client) -> None:
    """clients.md 15, 19: iCal takes the first, Thunderbird a mailto, others the preferred or the last."""
    addresses = anna.props("/anna/", f"{C}calendar-user-address-set").prop("/anna/", f"{C}calendar-user-address-set")[1]
    texts = [href.text for href in addresses]
    assert texts[0] == texts[-1] == "mailto:anna@example.com"
    assert addresses[0].get("preferred") == "1"


@pytest.mark.parametrize("method", ["GET", "PROPFIND", "OPTIONS"])
@pytest.mark.parametrize("path", ["/.well-known/caldav", "/.well-known/carddav/"])
def test_tbsync_is_led_on_with_301(nobody: Client, method: str, path: str) -> None:
    """clients.md 18."""
    answer = nobody.request(method, path)
    assert (answer.status, answer.headers["Location"]) == (301, "/")


def test_evolution_relies_on_the_etag_of_put(anna: Client) -> None:
    """clients.md 21."""
    assert anna.put("/anna/calendar/a.ics", event()).etag == anna.get("/anna/calendar/a.ics").etag
    assert anna.put("/anna/contacts/a.vcf", card()).etag == anna.get("/anna/contacts/a.vcf").etag


def test_davx5_reads_absolute_and_encoded_hrefs(anna: Client) -> None:
    """clients.md 27: a relative href with a colon would be read as a scheme; collections end with a slash."""
    anna.put("/anna/calendar/a%3Ab%20c.ics", event())
    hrefs = set(anna.propfind("/anna/", "", Depth="infinity").statuses)
    assert "/anna/calendar/a%3Ab%20c.ics" in hrefs
    assert all(href.startswith("/") and href.endswith(("/", ".ics")) for href in hrefs)


def test_davx5_ignores_objects_with_two_uids(anna: Client) -> None:
    """clients.md 28: so they are refused."""
    two = event("one").replace(b"END:VCALENDAR\r\n", b"") + event("two").partition(b"EN\r\n")[2]
    answer = anna.put("/anna/calendar/a.ics", two)
    assert (answer.status, b"valid-calendar-object-resource" in answer.body) == (403, True)


@pytest.mark.parametrize("token", ["<sync-token/>", "<sync-token></sync-token>", "<sync-token> \n</sync-token>"])
def test_davx5_begins_with_an_empty_token(anna: Client, token: str) -> None:
    """clients.md 29."""
    body = f'<sync-collection xmlns="DAV:">{token}<sync-level>1</sync-level><prop><getetag/></prop></sync-collection>'
    assert anna.report("/anna/calendar/", body).status == 207


def test_old_lightning_sends_an_end_and_no_duration(anna: Client) -> None:
    """clients.md 30."""
    octets = event("odd", "DURATION:PT0S")
    assert anna.put("/anna/calendar/odd.ics", octets).status == 201
    assert anna.get("/anna/calendar/odd.ics").body == octets


def test_tsdav_reads_the_namespaces_of_an_empty_answer(anna: Client) -> None:
    """clients.md 37."""
    answer = anna.sync("/anna/calendar/", anna.sync("/anna/calendar/").multistatus.sync_token or "")
    assert answer.multistatus.responses == []
    assert b'xmlns:D="DAV:"' in answer.body


def test_davx5_is_never_told_to_begin_anew_without_need(anna: Client) -> None:
    """clients.md 39: it would delete what is not listed. A PUT of the whole calendar keeps its tokens."""
    anna.put("/anna/calendar/a.ics", event("a"))
    token = anna.sync("/anna/calendar/").multistatus.sync_token or ""
    assert anna.put("/anna/calendar/", event("b"), **{"Content-Type": "text/calendar"}).status in (200, 201, 204, 207)
    assert anna.sync("/anna/calendar/", token).status == 207
