"""Time zones by reference (RFC 7809) and the service that gives them (RFC 7808)."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from importlib.resources import files
from zoneinfo import ZoneInfo

from hypothesis import given
from hypothesis import strategies as st

from calsync.dav.tzdist import names
from calsync.ical import zones
from calsync.ical.lines import scan
from calsync.ical.vtimezone import vtimezone
from tests.dav.conftest import Answer, Client, event

SERVICE = "/.calsync/timezones"
C = "{urn:ietf:params:xml:ns:caldav}"


def rules(octets: bytes) -> object:
    """What a VTIMEZONE says by its rules alone: under a name that nobody knows."""
    text = octets.replace(b"TZID:", b"TZID:X-own-")
    calendar = scan(b"BEGIN:VCALENDAR\r\n" + text + b"END:VCALENDAR\r\n").components[0]
    return zones.find(str(calendar.components[0].text("TZID")), calendar)


@given(
    st.sampled_from(sorted(names.known())),
    st.lists(st.datetimes(datetime(1850, 1, 1), datetime(2099, 12, 31)), min_size=20, max_size=20),
)
def test_a_vtimezone_says_what_the_zone_says(tzid: str, moments: list[datetime]) -> None:
    with files("tzdata").joinpath("zoneinfo", *tzid.split("/")).open("rb") as file:
        expected = ZoneInfo.from_file(file)
    zone = rules(vtimezone(tzid))
    for moment in moments:
        instant = moment.replace(tzinfo=UTC)
        assert instant.astimezone(zone).utcoffset() == instant.astimezone(expected).utcoffset()  # type: ignore[arg-type]


def test_the_service_is_found_and_open_to_all(nobody: Client, anna: Client) -> None:
    assert nobody.get("/.well-known/timezone").headers["Location"] == SERVICE
    assert anna.props("/anna/", f"{C}timezone-service-set").value("/anna/", f"{C}timezone-service-set") == SERVICE
    capabilities = json.loads(nobody.get(f"{SERVICE}/capabilities").body)
    assert capabilities["version"] == 1
    assert [action["name"] for action in capabilities["actions"]] == ["capabilities", "list", "find", "get", "expand"]
    for action in capabilities["actions"]:
        assert action["uri-template"].startswith(SERVICE)


def test_the_service_behind_a_prefix(anna: Client) -> None:
    headers = {"X-Script-Name": "/dav"}
    assert anna.get(f"/dav{SERVICE}/zones/Etc%2FUTC", **headers).status == 200
    assert anna.get("/.well-known/timezone", **headers).headers["Location"] == f"/dav{SERVICE}"


def test_zones_are_listed_with_their_aliases(nobody: Client) -> None:
    listing = json.loads(nobody.get(f"{SERVICE}/zones").body)
    berlin = next(one for one in listing["timezones"] if one["tzid"] == "Europe/Berlin")
    assert "Europe/Oslo" in berlin["aliases"] or "Europe/Oslo" in {one["tzid"] for one in listing["timezones"]}
    told = {one["tzid"] for one in listing["timezones"]} | {
        a for one in listing["timezones"] for a in one.get("aliases", ())
    }
    assert told == names.known()
    since = ask(nobody, "zones", f"changedsince={listing['synctoken']}")
    assert json.loads(since.body)["timezones"] == []


def test_zones_are_found_by_a_pattern(nobody: Client) -> None:
    def found(pattern: str) -> list[str]:
        return [one["tzid"] for one in json.loads(ask(nobody, "zones", f"pattern={pattern}").body)["timezones"]]

    assert found("america/new york") == ["America/New_York"]
    assert found("US/Eastern") == ["America/New_York"]
    assert "America/New_York" in found("*new_*") and "America/New_York" in found("America/*")
    assert ask(nobody, "zones", "pattern=*").status == 400


def ask(client: Client, rest: str, query: str) -> Answer:
    return client.get(f"{SERVICE}/{rest}?{query}")


def test_a_zone_is_given_with_an_etag(nobody: Client) -> None:
    for path in ("America%2FNew_York", "America/New_York", "US%2FEastern"):
        answer = nobody.get(f"{SERVICE}/zones/{path}")
        assert (answer.status, answer.headers["Content-Type"].partition(";")[0]) == (200, "text/calendar")
        assert scan(answer.body).components[0].components[0].name == "VTIMEZONE"
        assert nobody.get(f"{SERVICE}/zones/{path}", **{"If-None-Match": answer.etag}).status == 304
    assert nobody.get(f"{SERVICE}/zones/America%2FNew_York", Accept="application/json").status == 406
    missing = nobody.get(f"{SERVICE}/zones/Middle%2FEarth")
    assert (missing.status, json.loads(missing.body)["type"]) == (404, "urn:ietf:params:tzdist:error:tzid-not-found")


def test_observances_are_expanded(nobody: Client) -> None:
    answer = ask(nobody, "zones/America%2FNew_York/observances", "start=2008-01-01T00:00:00Z&end=2009-01-01T00:00:00Z")
    observances = json.loads(answer.body)["observances"]
    assert [(one["onset"], one["utc-offset-from"], one["utc-offset-to"]) for one in observances] == [
        ("2008-01-01T00:00:00Z", -18000, -18000),
        ("2008-03-09T07:00:00Z", -18000, -14400),
        ("2008-11-02T06:00:00Z", -14400, -18000),
    ]
    for query in ("", "start=2008-01-01T00:00:00Z", "start=2008-01-01T00:00:00Z&end=2008-99-01T00:00:00Z"):
        assert ask(nobody, "zones/America%2FNew_York/observances", query).status == 400


def test_what_the_service_does_not_do(nobody: Client) -> None:
    assert nobody.get(f"{SERVICE}/leapseconds").status == 400
    assert nobody.post(f"{SERVICE}/zones").status == 405
    assert nobody.get("/.calsync/nothing/at/all").status == 404


ZONED = event("zoned", "SUMMARY:Zoned").replace(
    b"DTSTART:20260301T100000Z", b"DTSTART;TZID=Europe/Berlin:20260301T100000"
)
WHOLE = ZONED.replace(b"BEGIN:VEVENT", vtimezone("Europe/Berlin") + b"BEGIN:VEVENT")
PATH = "/anna/calendar/zoned.ics"


def test_an_object_is_given_with_and_without_its_time_zone(anna: Client) -> None:
    stored = anna.put(PATH, WHOLE).etag
    plain = anna.get(PATH)
    assert (plain.body, plain.etag) == (WHOLE, stored)
    bare = anna.get(PATH, **{"CalDAV-Timezones": "F"})
    assert bare.body == ZONED
    assert bare.etag != stored and bare.headers["Vary"] == "CalDAV-Timezones"
    assert anna.get(PATH, **{"CalDAV-Timezones": "F", "If-None-Match": bare.etag}).status == 304
    assert anna.get("/anna/calendar/", **{"CalDAV-Timezones": "F"}).body.count(b"VTIMEZONE") == 0
    # What was got may be put back, on the condition that nobody changed it.
    assert anna.put(PATH, bare.body, **{"If-Match": bare.etag}).status == 204
    assert anna.put(PATH, bare.body, **{"If-Match": bare.etag}).status == 412
    assert anna.get(PATH, **{"CalDAV-Timezones": "T"}).body == WHOLE
    assert anna.get(PATH).body == ZONED


def test_reports_heed_the_header_too(anna: Client) -> None:
    anna.put(PATH, WHOLE)
    body = f'<C:calendar-multiget xmlns="DAV:" xmlns:C="{C[1:-1]}"><prop><getetag/><C:calendar-data/></prop><href>{PATH}</href></C:calendar-multiget>'
    answer = anna.report("/anna/calendar/", body, **{"CalDAV-Timezones": "F"})
    assert answer.value(PATH, f"{C}calendar-data").encode() == ZONED
    assert answer.value(PATH, "{DAV:}getetag") == anna.get(PATH).etag
    assert anna.report("/anna/calendar/", body).value(PATH, f"{C}calendar-data").encode() == WHOLE


def test_own_time_zones_stay(anna: Client) -> None:
    own = WHOLE.replace(b"Europe/Berlin", b"My own zone")
    anna.put(PATH, own)
    assert anna.get(PATH, **{"CalDAV-Timezones": "F"}).body == own


def test_the_zone_of_a_calendar_by_name_and_by_rules(anna: Client) -> None:
    """RFC 7809 §5.2: whichever is set, the other says the same."""
    home, by_id, by_rules = "/anna/calendar/", f"{C}calendar-timezone-id", f"{C}calendar-timezone"
    assert anna.set_property(home, "calendar-timezone-id", "Middle/Earth") == 403
    assert anna.set_property(home, "calendar-timezone-id", "Asia/Tokyo") == 200
    told = anna.props(home, by_id, by_rules)
    assert told.value(home, by_id) == "Asia/Tokyo"
    assert "TZID:Asia/Tokyo" in told.value(home, by_rules)
    berlin = anna.get(f"{SERVICE}/zones/Europe%2FBerlin").text
    assert anna.set_property(home, "calendar-timezone", berlin) == 200
    assert anna.props(home, by_id).value(home, by_id) == "Europe/Berlin"


def test_the_named_zone_decides_about_all_day_events(anna: Client) -> None:
    day = event("day").replace(b"DTSTART:20260301T100000Z", b"DTSTART;VALUE=DATE:20260310")
    anna.put("/anna/calendar/day.ics", day.replace(b"DTEND:20260301T110000Z\r\n", b""))
    query = (
        f'<C:calendar-query xmlns="DAV:" xmlns:C="{C[1:-1]}"><prop><getetag/></prop><C:filter><C:comp-filter name="VCALENDAR">'
        '<C:comp-filter name="VEVENT"><C:time-range start="20260310T200000Z" end="20260310T210000Z"/></C:comp-filter>'
        "</C:comp-filter></C:filter></C:calendar-query>"
    )
    assert len(anna.report("/anna/calendar/", query, Depth="1").multistatus.responses) == 1
    anna.set_property("/anna/calendar/", "calendar-timezone-id", "Asia/Tokyo")
    assert len(anna.report("/anna/calendar/", query, Depth="1").multistatus.responses) == 0


def test_expansion_goes_on_beyond_the_record(nobody: Client) -> None:
    answer = ask(nobody, "zones/Europe%2FBerlin/observances", "start=2500-01-01T00:00:00Z&end=2501-01-01T00:00:00Z")
    onsets = [datetime.fromisoformat(one["onset"]) for one in json.loads(answer.body)["observances"]]
    assert len(onsets) == 3
    assert timedelta(days=200) < onsets[2] - onsets[1] < timedelta(days=230)
