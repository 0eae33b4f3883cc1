"""PROPPATCH (RFC 4918 §9.2)."""

from __future__ import annotations

from tests.dav.conftest import Client, event

COLOR = "{http://apple.com/ns/ical/}calendar-color"
NAME = "{DAV:}displayname"


def patch(client: Client, path: str, inside: str):  # type: ignore[no-untyped-def]
    return client.proppatch(path, f'<propertyupdate xmlns="DAV:" xmlns:X="urn:x">{inside}</propertyupdate>')


def test_all_or_nothing_with_424(anna: Client) -> None:
    answer = patch(
        anna,
        "/anna/calendar/",
        "<set><prop><displayname>New</displayname><getetag>x</getetag><X:a>1</X:a></prop></set>",
    )
    props = answer.multistatus.responses[0].props
    assert {name: status for name, (status, _) in props.items()} == {
        "{DAV:}displayname": 424,
        "{DAV:}getetag": 403,
        "{urn:x}a": 424,
    }
    assert b"cannot-modify-protected-property" in answer.body
    assert (
        anna.props("/anna/calendar/", "{DAV:}displayname").value("/anna/calendar/", "{DAV:}displayname") == "Calendar"
    )


def test_resourcetype_cannot_cost_the_owner_the_calendar(anna: Client) -> None:
    answer = patch(anna, "/anna/calendar/", "<set><prop><resourcetype><collection/></resourcetype></prop></set>")
    assert answer.prop("/anna/calendar/", "{DAV:}resourcetype")[0] == 403
    assert anna.put("/anna/calendar/a.ics", event()).status == 201


def test_document_order_decides(anna: Client) -> None:
    answer = patch(
        anna,
        "/anna/calendar/",
        "<set><prop><X:a>1</X:a></prop></set><remove><prop><X:a/></prop></remove><set><prop><X:b>2</X:b></prop></set>",
    )
    assert answer.status == 207
    found = anna.props("/anna/calendar/", "{urn:x}a", "{urn:x}b")
    assert found.prop("/anna/calendar/", "{urn:x}a")[0] == 404
    assert found.value("/anna/calendar/", "{urn:x}b") == "2"


def test_dead_properties_keep_their_xml(anna: Client) -> None:
    anna.put("/anna/calendar/a.ics", event())
    for path in ("/anna/calendar/", "/anna/calendar/a.ics", "/anna/"):
        patch(
            anna, path, '<set xml:lang="de"><prop><X:note kind="y">a<b xmlns="">c</b>d &amp; &lt;</X:note></prop></set>'
        )
        element = anna.props(path, "{urn:x}note").prop(path, "{urn:x}note")[1]
        assert (element.get("kind"), element.text, element[0].tag, element[0].tail) == ("y", "a", "b", "d & <")
        assert element.get("{http://www.w3.org/XML/1998/namespace}lang") == "de"
    listed = anna.props("/anna/calendar/", "{urn:x}note", depth="1")
    assert listed.value("/anna/calendar/a.ics", "{urn:x}note") == "acd & <"


def test_attributes_of_live_properties_survive(anna: Client) -> None:
    """clients.md 11."""
    patch(
        anna,
        "/anna/calendar/",
        '<set><prop><I:calendar-color xmlns:I="http://apple.com/ns/ical/" symbolic-color="red">#FF0000FF</I:calendar-color></prop></set>',
    )
    element = anna.props("/anna/calendar/", COLOR).prop("/anna/calendar/", COLOR)[1]
    assert (element.text, element.get("symbolic-color")) == ("#FF0000FF", "red")


def test_a_time_zone_is_checked(anna: Client) -> None:
    inside = (
        '<set><prop><C:calendar-timezone xmlns:C="urn:ietf:params:xml:ns:caldav">{}</C:calendar-timezone></prop></set>'
    )
    assert b"valid-calendar-data" in patch(anna, "/anna/calendar/", inside.format("nonsense")).body
    zone = "BEGIN:VCALENDAR\r\nVERSION:2.0\r\nBEGIN:VTIMEZONE\r\nTZID:Europe/Berlin\r\nBEGIN:STANDARD\r\nDTSTART:19701025T030000\r\nTZOFFSETFROM:+0200\r\nTZOFFSETTO:+0100\r\nEND:STANDARD\r\nEND:VTIMEZONE\r\nEND:VCALENDAR\r\n"
    name = "{urn:ietf:params:xml:ns:caldav}calendar-timezone"
    assert (
        patch(anna, "/anna/calendar/", inside.format(zone.replace("\r", "&#13;"))).prop("/anna/calendar/", name)[0]
        == 200
    )
    assert anna.props("/anna/calendar/", name).value("/anna/calendar/", name) == zone


def test_a_change_of_properties_changes_the_ctag(anna: Client) -> None:
    name = "{http://calendarserver.org/ns/}getctag"
    before = anna.props("/anna/calendar/", name).value("/anna/calendar/", name)
    patch(anna, "/anna/calendar/", "<set><prop><displayname>B</displayname></prop></set>")
    assert anna.props("/anna/calendar/", name).value("/anna/calendar/", name) != before


def test_a_name_that_an_event_is_given_is_kept(anna: Client) -> None:
    """What is live on calendars alone is dead on an event: found by whatever asks for it, alone or beside others."""
    member = "/anna/calendar/a.ics"
    anna.put(member, event("u"))
    assert patch(anna, member, "<set><prop><displayname>Mine</displayname></prop></set>").prop(member, NAME)[0] == 200
    for names in ([NAME], [NAME, "{DAV:}getetag"], [NAME, "{urn:x}none"]):
        for where, depth in ((member, "0"), ("/anna/calendar/", "1")):
            assert anna.props(where, *names, depth=depth).value(member, NAME) == "Mine"
    everything = anna.propfind("/anna/calendar/", "<propfind xmlns='DAV:'><allprop/></propfind>", Depth="1")
    assert everything.value(member, NAME) == "Mine"
    protected = "{http://calendarserver.org/ns/}getctag"
    answer = patch(anna, member, '<set><prop><getctag xmlns="http://calendarserver.org/ns/">1</getctag></prop></set>')
    assert answer.prop(member, protected)[0] == 403
    answer = patch(anna, member, '<remove><prop><getctag xmlns="http://calendarserver.org/ns/" /></prop></remove>')
    assert answer.prop(member, protected)[0] == 200
