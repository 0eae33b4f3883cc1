"""COPY and MOVE (RFC 4918 §9.8, §9.9)."""

from __future__ import annotations

import pytest

from tests.dav.conftest import Client, card, event

A, B = "/anna/calendar/a.ics", "/anna/other/b.ics"


@pytest.fixture(autouse=True)
def other(anna: Client) -> None:
    anna.mkcalendar("/anna/other/")
    anna.put(A, event())


def test_move_keeps_octets_and_properties_and_shows_on_both_sides(anna: Client) -> None:
    anna.proppatch(A, '<propertyupdate xmlns="DAV:"><set><prop><x xmlns="urn:x">1</x></prop></set></propertyupdate>')
    token = anna.sync("/anna/calendar/").multistatus.sync_token
    assert anna.move(A, Destination=f"http://localhost:5232{B}").status == 201
    assert (anna.get(A).status, anna.get(B).body) == (404, event())
    assert anna.props(B, "{urn:x}x").value(B, "{urn:x}x") == "1"
    assert anna.sync("/anna/calendar/", token).statuses == {A: 404}
    assert B in anna.sync("/anna/other/").statuses


def test_copy_leaves_the_source(anna: Client) -> None:
    assert anna.copy(A, Destination=B).status == 201
    assert anna.get(A).body == anna.get(B).body == event()
    assert anna.copy(A, Destination=B).status == 204


def test_overwrite(anna: Client) -> None:
    anna.copy(A, Destination=B)
    assert anna.copy(A, Destination=B, Overwrite="F").status == 412
    assert anna.move(A, Destination=B, Overwrite="T").status == 204


def test_onto_another_uid_is_a_conflict(anna: Client) -> None:
    anna.put(B, event("two"))
    answer = anna.move(A, Destination=B)
    assert answer.status == 409
    assert b"no-uid-conflict" in answer.body
    assert anna.get(B).body == event("two")


def test_within_a_collection_a_copy_would_double_the_uid(anna: Client) -> None:
    assert anna.copy(A, Destination="/anna/calendar/c.ics").status == 409
    assert anna.move(A, Destination="/anna/calendar/c.ics").status == 201


def test_where_things_do_not_fit(anna: Client) -> None:
    anna.put("/anna/contacts/c.vcf", card())
    assert b"supported-address-data" in anna.copy(A, Destination="/anna/contacts/a.vcf").body
    assert b"supported-calendar-data" in anna.copy("/anna/contacts/c.vcf", Destination=B).body
    assert b"supported-calendar-component" in anna.copy(A, Destination="/anna/tasks/a.ics").body
    assert anna.copy(A, Destination="/anna/none/a.ics").status == 409
    assert anna.copy(A, Destination="/bert/calendar/a.ics").status == 403
    elsewhere = anna.copy(A, Destination="http://elsewhere.example/a.ics")
    assert elsewhere.status == 502
    assert "on another host: 'elsewhere.example'" in elsewhere.text
    assert anna.copy(A, Destination=A).status == 403
    assert anna.copy(A).status == 400
    assert anna.move("/anna/", Destination="/anna/x/").status == 403


def test_collections_are_copied_and_moved_whole(anna: Client) -> None:
    assert anna.copy("/anna/calendar/", Destination="/anna/copy/").status == 201
    assert anna.get("/anna/copy/a.ics").body == event()
    assert anna.move("/anna/calendar/", Destination="/anna/moved/").status == 201
    assert (anna.get(A).status, anna.get("/anna/moved/a.ics").body) == (404, event())
    assert anna.copy("/anna/moved/", Destination="/anna/empty/", Depth="0").status == 201
    assert anna.get("/anna/empty/a.ics").status == 404
    assert anna.move("/anna/moved/", Destination="/anna/other/inside/").status == 403


def test_preconditions_on_the_source(anna: Client) -> None:
    assert anna.move(A, Destination=B, If_Match='"x"').status == 412
    assert anna.get(A).status == 200
