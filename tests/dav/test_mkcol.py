"""MKCOL, extended MKCOL and MKCALENDAR."""

from __future__ import annotations

from tests.dav.conftest import Client

C = 'xmlns:C="urn:ietf:params:xml:ns:caldav"'


def mkcol(inside: str) -> str:
    return f'<mkcol xmlns="DAV:" {C} xmlns:CR="urn:ietf:params:xml:ns:carddav"><set><prop>{inside}</prop></set></mkcol>'


def test_mkcalendar_with_properties(anna: Client) -> None:
    body = f'<C:mkcalendar xmlns="DAV:" {C}><set><prop><displayname>Work</displayname><C:supported-calendar-component-set><C:comp name="VTODO"/></C:supported-calendar-component-set></prop></set></C:mkcalendar>'
    assert anna.mkcalendar("/anna/work/", body).status == 201
    name = "{urn:ietf:params:xml:ns:caldav}supported-calendar-component-set"
    found = anna.props("/anna/work/", "{DAV:}displayname", name)
    assert found.value("/anna/work/", "{DAV:}displayname") == "Work"
    assert [comp.get("name") for comp in found.prop("/anna/work/", name)[1]] == ["VTODO"]


def test_extended_mkcol_makes_an_address_book(anna: Client) -> None:
    answer = anna.mkcol(
        "/anna/friends/",
        mkcol("<resourcetype><collection/><CR:addressbook/></resourcetype><displayname>Friends</displayname>"),
    )
    assert answer.status == 201
    assert "addressbook" in anna.props("/anna/friends/", "{DAV:}resourcetype").text


def test_a_property_that_cannot_be_set_makes_nothing(anna: Client) -> None:
    """RFC 5689 §3."""
    answer = anna.mkcol(
        "/anna/x/",
        mkcol(
            "<resourcetype><collection/><C:calendar/></resourcetype><getetag>1</getetag><displayname>X</displayname>"
        ),
    )
    assert answer.status == 403
    assert b"mkcol-response" in answer.body
    assert b"424" in answer.body
    assert anna.props("/anna/x/", "{DAV:}resourcetype").status == 404


def test_a_calendar_that_is_not_made_says_why_of_each_property(anna: Client) -> None:
    """RFC 4791 §5.3.1.1: a 207, whose document is that of any 207 (RFC 4918 §13)."""
    body = (
        '<C:mkcalendar xmlns="DAV:" xmlns:C="urn:ietf:params:xml:ns:caldav"><set><prop>{}</prop></set></C:mkcalendar>'
    )
    answer = anna.mkcalendar("/anna/x/", body.format("<getetag>1</getetag><displayname>X</displayname>"))
    assert set(answer.statuses) == {"/anna/x/"}
    assert [answer.prop("/anna/x/", f"{{DAV:}}{name}")[0] for name in ("getetag", "displayname")] == [403, 424]
    assert anna.props("/anna/x/", "{DAV:}resourcetype").status == 404


def test_unknown_bodies_and_types(anna: Client) -> None:
    assert anna.mkcol("/anna/x/", b"hello", Content_Type="text/plain").status == 415
    assert (
        b"valid-resourcetype"
        in anna.mkcol("/anna/x/", mkcol('<resourcetype><collection/><x xmlns="urn:x"/></resourcetype>')).body
    )


def test_where_a_calendar_may_stand(anna: Client) -> None:
    inside = anna.mkcalendar("/anna/calendar/inner/")
    assert inside.status == 403
    assert b"calendar-collection-location-ok" in inside.body
    assert anna.mkcalendar("/anna/no/where/").status in (403, 409)
    assert anna.mkcalendar("/anna/calendar/").status == 405
    assert anna.mkcalendar("/bert/work/").status == 403
    assert anna.mkcalendar("/anna/inbox/").status == 403  # reserved


def test_names_keep_their_letters(anna: Client) -> None:
    assert anna.mkcalendar("/anna/K%C3%BCche%20&%20Bad/").status == 201
    assert "/anna/K%C3%BCche%20%26%20Bad/" in anna.props("/anna/", "{DAV:}resourcetype", depth="1").statuses
