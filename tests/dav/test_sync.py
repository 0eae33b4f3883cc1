"""sync-collection (RFC 6578)."""

from __future__ import annotations

import pytest

from tests.dav.conftest import Client, card, event
from tests.raw import Raw

HOME = "/anna/calendar/"


def fill(client: Client, count: int, path: str = HOME) -> None:
    for number in range(count):
        assert client.put(f"{path}{number}.ics", event(f"uid-{number}")).status == 201


def told(answer: object) -> dict[str, int | None]:
    return {href[len(HOME) :]: status for href, status in answer.statuses.items()}  # type: ignore[attr-defined]


def test_first_sync_names_everything_and_delta_what_changed(anna: Client) -> None:
    fill(anna, 3)
    first = anna.sync(HOME)
    assert told(first) == {"0.ics": None, "1.ics": None, "2.ics": None}
    anna.put(f"{HOME}1.ics", event("uid-1", "SUMMARY:new"))
    anna.delete(f"{HOME}2.ics")
    delta = anna.sync(HOME, first.multistatus.sync_token)
    assert told(delta) == {"1.ics": None, "2.ics": 404}
    after = anna.sync(HOME, delta.multistatus.sync_token)
    assert told(after) == {}
    assert after.multistatus.sync_token == delta.multistatus.sync_token


def test_the_token_is_the_one_that_propfind_tells(anna: Client) -> None:
    """clients.md 40: DAVx5 compares them as strings."""
    fill(anna, 1)
    token = anna.props(HOME, "{DAV:}sync-token").value(HOME, "{DAV:}sync-token")
    assert token == anna.sync(HOME).multistatus.sync_token
    assert (
        anna.props(HOME, "{http://calendarserver.org/ns/}getctag").value(HOME, "{http://calendarserver.org/ns/}getctag")
        == token
    )


def test_a_limit_gives_exactly_that_many_and_a_token_that_continues(anna: Client) -> None:
    fill(anna, 5)
    seen: list[str] = []
    token, rounds = "", 0
    while True:
        answer = anna.sync(HOME, token, limit=2)
        names = told(answer)
        cut = names.pop("", None)
        seen += names
        token, rounds = answer.multistatus.sync_token, rounds + 1
        assert len(names) <= 2
        if cut is None:
            break
        assert cut == 507
    assert (sorted(seen), rounds) == (["0.ics", "1.ics", "2.ics", "3.ics", "4.ics"], 3)
    assert token == anna.props(HOME, "{DAV:}sync-token").value(HOME, "{DAV:}sync-token")


def test_a_truncated_first_sync_goes_on_while_others_write(anna: Client) -> None:
    fill(anna, 4)
    anna.delete(f"{HOME}3.ics")
    first = anna.sync(HOME, limit=1)
    anna.delete(f"{HOME}0.ics")
    fill_late = anna.put(f"{HOME}late.ics", event("late"))
    assert fill_late.status == 201
    rest = anna.sync(HOME, first.multistatus.sync_token)
    mirror = {name for name, status in (told(first) | told(rest)).items() if status is None}
    assert mirror == {"1.ics", "2.ics", "late.ics"}
    assert "3.ics" not in told(rest)  # deleted before the first sync: never named


@pytest.mark.parametrize("token", ["x", "http://other.example/1", "urn:calsync:sync:foreign:3", "urn:calsync:sync:"])
def test_foreign_tokens_are_refused(anna: Client, token: str) -> None:
    answer = anna.sync(HOME, token)
    assert answer.status == 403
    assert b"valid-sync-token" in answer.body


def test_a_token_of_the_future_and_one_of_a_former_collection_are_refused(anna: Client) -> None:
    fill(anna, 1)
    token = anna.sync(HOME).multistatus.sync_token
    assert anna.sync(HOME, token + "9").status == 403
    anna.delete(HOME)
    anna.mkcalendar(HOME)
    assert anna.sync(HOME, token).status == 403


def test_depth_is_ignored_and_a_bad_level_is_not(anna: Client) -> None:
    """clients.md 38."""
    body = '<sync-collection xmlns="DAV:"><sync-token/><sync-level>{}</sync-level><prop><getetag/></prop></sync-collection>'
    assert anna.report(HOME, body.format(1), Depth="1").status == 207
    assert anna.report(HOME, body.format(7)).status == 400


def test_an_empty_prop_still_names_every_changed_member(anna: Client) -> None:
    fill(anna, 2)
    assert told(anna.sync(HOME, props="")) == {"0.ics": None, "1.ics": None}


def test_calendar_data_comes_with_a_sync(anna: Client) -> None:
    fill(anna, 1)
    answer = anna.sync(HOME, props='<C:calendar-data xmlns:C="urn:ietf:params:xml:ns:caldav"/>')
    assert answer.value(f"{HOME}0.ics", "{urn:ietf:params:xml:ns:caldav}calendar-data").encode() == event("uid-0")


def test_a_home_names_changed_and_removed_collections(anna: Client) -> None:
    """clients.md 14: iCal looks for sync-collection on the home."""
    assert b"sync-collection" in anna.props("/anna/", "{DAV:}supported-report-set").body
    token = anna.sync("/anna/").multistatus.sync_token
    anna.put("/anna/contacts/c.vcf", card())
    anna.delete("/anna/tasks/")
    assert anna.sync("/anna/", token).statuses == {"/anna/contacts/": None, "/anna/tasks/": 404}


def test_sync_level_infinite_on_the_home_names_items(anna: Client) -> None:
    fill(anna, 1)
    body = '<sync-collection xmlns="DAV:"><sync-token/><sync-level>infinite</sync-level><prop><getetag/></prop></sync-collection>'
    assert "/anna/calendar/0.ics" in anna.report("/anna/", body).statuses


def test_poll_and_delta_do_not_touch_bodies(anna: Client) -> None:
    fill(anna, 2)
    token = anna.sync(HOME).multistatus.sync_token
    Raw.of(anna.application.store).run("UPDATE body SET octets = x'00'")
    anna.put(f"{HOME}1.ics", event("uid-1", "SUMMARY:new"))
    assert told(anna.sync(HOME, token)) == {"1.ics": None}
    assert anna.get(f"{HOME}0.ics").status == 500  # damaged, and said so: never a 404
    assert told(anna.sync(HOME)) == {"0.ics": None, "1.ics": None}
