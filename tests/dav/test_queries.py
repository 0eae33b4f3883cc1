"""calendar-query, addressbook-query and free-busy-query through the index."""

from __future__ import annotations

import pytest

from tests.dav.conftest import Answer, Client, card, event

C, CR = "urn:ietf:params:xml:ns:caldav", "urn:ietf:params:xml:ns:carddav"
HOME = "/anna/calendar/"


def query(
    client: Client, inside: str, props: str = "<getetag/>", path: str = HOME, extra: str = "", **headers: str
) -> Answer:
    body = (
        f'<C:calendar-query xmlns="DAV:" xmlns:C="{C}"><prop>{props}</prop><C:filter><C:comp-filter name="VCALENDAR">'
        f"{inside}</C:comp-filter></C:filter>{extra}</C:calendar-query>"
    )
    return client.report(path, body, **({"Depth": "1"} | headers))


def names(answer: Answer) -> list[str]:
    return sorted(one.href.rpartition("/")[2] for one in answer.multistatus.responses)


def in_range(start: str, end: str, component: str = "VEVENT") -> str:
    return f'<C:comp-filter name="{component}"><C:time-range start="{start}" end="{end}"/></C:comp-filter>'


@pytest.fixture(autouse=True)
def some(anna: Client) -> None:
    anna.put(f"{HOME}once.ics", event("once", "SUMMARY:Once", "TRANSP:OPAQUE"))
    anna.put(
        f"{HOME}day.ics",
        event("day", "SUMMARY:All day")
        .replace(b"DTSTART:20260301T100000Z", b"DTSTART;VALUE=DATE:20260310")
        .replace(b"DTEND:20260301T110000Z", b"DTEND;VALUE=DATE:20260311"),
    )
    anna.put(f"{HOME}weekly.ics", event("weekly", "SUMMARY:Weekly", "RRULE:FREQ=WEEKLY"))
    anna.put("/anna/contacts/ada.vcf", card("ada", "EMAIL;TYPE=work:ada@example.com"))
    anna.put("/anna/contacts/emil.vcf", card("emil", name="Émil Zátopek"))


def test_time_ranges_find_occurrences(anna: Client) -> None:
    assert names(query(anna, in_range("20260301T000000Z", "20260302T000000Z"))) == ["once.ics", "weekly.ics"]
    assert names(query(anna, in_range("20260310T000000Z", "20260311T000000Z"))) == ["day.ics"]
    assert names(query(anna, in_range("20260315T100000Z", "20260315T110000Z"))) == ["weekly.ics"]
    # Far outside of every window.
    assert names(query(anna, in_range("20990104T000000Z", "20990105T000000Z"))) == ["weekly.ics"]
    assert names(query(anna, in_range("20990105T000000Z", "20990106T000000Z"))) == []


def test_an_instance_that_was_moved_is_not_found_where_it_was(anna: Client) -> None:
    moved = event("moved").replace(
        b"END:VCALENDAR",
        b"BEGIN:VEVENT\r\nUID:moved\r\nDTSTAMP:20260101T000000Z\r\nRECURRENCE-ID:20260301T100000Z\r\n"
        b"DTSTART:20260520T100000Z\r\nDTEND:20260520T110000Z\r\nEND:VEVENT\r\nEND:VCALENDAR",
    )
    assert anna.put(f"{HOME}moved.ics", moved).status == 201
    assert "moved.ics" not in names(query(anna, in_range("20260301T000000Z", "20260302T000000Z")))
    assert "moved.ics" in names(query(anna, in_range("20260520T000000Z", "20260521T000000Z")))


def test_the_zone_of_the_request_decides_about_all_day_events(anna: Client) -> None:
    late = in_range("20260310T230000Z", "20260310T235900Z")
    assert names(query(anna, late)) == ["day.ics"]
    assert names(query(anna, late, extra="<C:timezone-id>Asia/Tokyo</C:timezone-id>")) == []
    unknown = query(anna, late, extra="<C:timezone-id>Middle/Earth</C:timezone-id>")
    assert (unknown.status, b"valid-timezone" in unknown.body) == (403, True)


def test_properties_and_negations(anna: Client) -> None:
    match = '<C:comp-filter name="VEVENT"><C:prop-filter name="SUMMARY"><C:text-match{}>{}</C:text-match></C:prop-filter></C:comp-filter>'
    assert names(query(anna, match.format("", "ONCE"))) == ["once.ics"]
    assert names(query(anna, match.format(' negate-condition="yes"', "e"))) == ["day.ics"]
    assert names(
        query(
            anna,
            '<C:comp-filter name="VEVENT"><C:prop-filter name="RRULE"><C:is-not-defined/></C:prop-filter></C:comp-filter>',
        )
    ) == ["day.ics", "once.ics"]
    assert names(
        query(
            anna,
            '<C:comp-filter name="VEVENT"><C:prop-filter name="UID"><C:text-match collation="i;octet">weekly</C:text-match></C:prop-filter></C:comp-filter>',
        )
    ) == ["weekly.ics"]
    assert names(query(anna, '<C:comp-filter name="VTODO"/>')) == []
    assert len(names(query(anna, ""))) == 3


def test_data_is_whole_or_expanded(anna: Client) -> None:
    name = f"{{{C}}}calendar-data"
    whole = query(anna, in_range("20260315T000000Z", "20260316T000000Z"), "<C:calendar-data/>")
    assert whole.value(f"{HOME}weekly.ics", name).encode() == anna.get(f"{HOME}weekly.ics").body
    expand = '<C:calendar-data><C:expand start="20260315T000000Z" end="20260330T000000Z"/></C:calendar-data>'
    text = query(anna, in_range("20260315T000000Z", "20260330T000000Z"), expand).value(f"{HOME}weekly.ics", name)
    assert (text.count("BEGIN:VEVENT"), "RRULE" in text) == (3, False)
    assert "RECURRENCE-ID:20260322T100000Z" in text


def test_bad_filters_are_named(anna: Client) -> None:
    assert (
        b"supported-collation"
        in query(
            anna,
            '<C:comp-filter name="VEVENT"><C:prop-filter name="UID"><C:text-match collation="i;x">a</C:text-match></C:prop-filter></C:comp-filter>',
        ).body
    )
    assert b"valid-filter" in query(anna, in_range("2026", "2027")).body
    unsupported = query(anna, "", '<C:calendar-data content-type="text/html"/>')
    assert (unsupported.status, b"supported-calendar-data" in unsupported.body) == (403, True)


def test_a_limit_is_told(anna: Client) -> None:
    answer = query(anna, "", extra="<limit><nresults>2</nresults></limit>")
    assert answer.statuses[HOME] == 507
    assert len(answer.statuses) == 3


def test_depth_zero_asks_about_no_object_and_a_home_about_all(anna: Client) -> None:
    assert names(query(anna, "", Depth="0")) == []
    assert len(names(query(anna, "", path="/anna/", Depth="infinity"))) == 3


def cards(client: Client, inside: str, props: str = "<getetag/>") -> Answer:
    return client.report(
        "/anna/contacts/",
        f'<CR:addressbook-query xmlns="DAV:" xmlns:CR="{CR}"><prop>{props}</prop>{inside}</CR:addressbook-query>',
        Depth="1",
    )


def test_cards_are_found_by_their_fields(anna: Client) -> None:
    match = '<CR:filter><CR:prop-filter name="{}"><CR:text-match match-type="{}">{}</CR:text-match></CR:prop-filter></CR:filter>'
    assert names(cards(anna, match.format("FN", "contains", "LOVE"))) == ["ada.vcf"]
    assert names(cards(anna, match.format("FN", "starts-with", "émil"))) == ["emil.vcf"]
    assert names(cards(anna, match.format("EMAIL", "ends-with", "example.com"))) == ["ada.vcf"]
    assert names(cards(anna, match.format("EMAIL", "equals", "nobody"))) == []
    assert names(
        cards(anna, '<CR:filter><CR:prop-filter name="EMAIL"><CR:is-not-defined/></CR:prop-filter></CR:filter>')
    ) == ["emil.vcf"]
    assert len(names(cards(anna, ""))) == 2  # clients.md 24


def test_cards_are_given_in_the_version_that_is_asked_for(anna: Client) -> None:
    data = '<CR:address-data content-type="text/vcard" version="4.0"/>'
    name = f"{{{CR}}}address-data"
    assert "VERSION:4.0" in cards(anna, "", data).value("/anna/contacts/ada.vcf", name)
    assert "VERSION:3.0" in cards(anna, "", "<CR:address-data/>").value("/anna/contacts/ada.vcf", name)
    refused = cards(anna, "", '<CR:address-data content-type="text/html"/>')
    assert (refused.status, b"supported-address-data-conversion" in refused.body) == (403, True)


def test_busy_times(anna: Client, bert: Client) -> None:
    body = f'<C:free-busy-query xmlns:C="{C}"><C:time-range start="20260301T000000Z" end="20260309T000000Z"/></C:free-busy-query>'
    answer = anna.report(HOME, body)
    assert answer.headers["Content-Type"].startswith("text/calendar")
    assert "FREEBUSY:20260301T100000Z/20260301T110000Z,20260308T100000Z/20260308T110000Z" in answer.text.replace(
        "\r\n ", ""
    )
    assert anna.report("/anna/", body).status == 200
    assert bert.report(HOME, body).status == 403
