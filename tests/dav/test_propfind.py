"""PROPFIND (RFC 4918 §9.1)."""

from __future__ import annotations

from tests.dav.conftest import Client, event
from tests.postgresql import everywhere

C = "{urn:ietf:params:xml:ns:caldav}"
CR = "{urn:ietf:params:xml:ns:carddav}"


def test_each_property_has_its_own_status(anna: Client) -> None:
    answer = anna.props("/anna/calendar/", "{DAV:}resourcetype", "{DAV:}nothing", "{urn:x}nothing")
    assert answer.prop("/anna/calendar/", "{DAV:}resourcetype")[0] == 200
    assert answer.prop("/anna/calendar/", "{DAV:}nothing")[0] == 404
    assert answer.prop("/anna/calendar/", "{urn:x}nothing")[0] == 404


def test_depth_one_lists_items_with_what_a_client_needs(anna: Client) -> None:
    etag = anna.put("/anna/calendar/a%20b.ics", event()).etag
    answer = anna.props(
        "/anna/calendar/", "{DAV:}getetag", "{DAV:}resourcetype", "{DAV:}getcontenttype", "{urn:x}none", depth="1"
    )
    href = "/anna/calendar/a%20b.ics"
    assert answer.value(href, "{DAV:}getetag") == etag
    assert len(answer.prop(href, "{DAV:}resourcetype")[1]) == 0
    assert answer.value(href, "{DAV:}getcontenttype") == "text/calendar;charset=utf-8;component=VEVENT"
    assert answer.prop(href, "{urn:x}none")[0] == 404


def test_return_minimal_omits_what_is_missing(anna: Client) -> None:
    """RFC 8144 §2.1."""
    anna.put("/anna/calendar/a.ics", event())
    answer = anna.request(
        "PROPFIND",
        "/anna/calendar/",
        '<propfind xmlns="DAV:"><prop><nothing/></prop></propfind>',
        Depth="1",
        Prefer="return=minimal",
    )
    assert b"404" not in answer.body
    assert answer.headers["Preference-Applied"] == "return=minimal"
    assert len(answer.multistatus.responses) == 2


def test_depth_noroot_leaves_the_collection_out(anna: Client) -> None:
    answer = anna.request("PROPFIND", "/anna/", Depth="1", Prefer="depth-noroot")
    assert "/anna/" not in answer.statuses


def test_allprop_propname_and_include(anna: Client) -> None:
    anna.put("/anna/calendar/a.ics", event())
    everything = anna.request("PROPFIND", "/anna/calendar/a.ics", b"", Depth="0")
    props = everything.multistatus.responses[0].props
    assert {"{DAV:}getetag", "{DAV:}getcontentlength", "{DAV:}getlastmodified", "{DAV:}creationdate"} <= props.keys()
    assert "{DAV:}acl" not in props
    included = anna.request(
        "PROPFIND",
        "/anna/calendar/",
        '<propfind xmlns="DAV:"><allprop/><include><owner/></include></propfind>',
        Depth="0",
    )
    assert included.value("/anna/calendar/", "{DAV:}owner") == "/anna/"
    names = anna.request("PROPFIND", "/anna/calendar/", '<propfind xmlns="DAV:"><propname/></propfind>', Depth="1")
    assert names.prop("/anna/calendar/a.ics", "{DAV:}getetag")[1].text is None


def test_depth_infinity_names_everything_once(anna: Client) -> None:
    anna.put("/anna/calendar/a.ics", event())
    answer = anna.props("/", "{DAV:}resourcetype", depth="infinity")
    hrefs = [one.href for one in answer.multistatus.responses]
    assert len(hrefs) == len(set(hrefs))
    assert {"/", "/anna/", "/anna/calendar/", "/anna/calendar/a.ics"} <= set(hrefs)


def test_discovery_from_the_root(anna: Client) -> None:
    """clients.md 3, 22, 26."""
    principal = anna.props("/", "{DAV:}current-user-principal").value("/", "{DAV:}current-user-principal")
    homes = anna.props(
        principal,
        f"{C}calendar-home-set",
        f"{CR}addressbook-home-set",
        f"{C}calendar-user-address-set",
        "{DAV:}displayname",
    )
    assert homes.value(principal, f"{C}calendar-home-set") == "/anna/"
    assert homes.value(principal, f"{CR}addressbook-home-set") == "/anna/"
    assert homes.value(principal, "{DAV:}displayname") == "anna"
    addresses = [href.text for href in homes.prop(principal, f"{C}calendar-user-address-set")[1]]
    assert addresses[0] == addresses[-1] == "mailto:anna@example.com"  # clients.md 15


def test_resource_types_hold_nothing_that_iphones_stumble_over(anna: Client) -> None:
    """clients.md 16."""
    kinds = anna.props("/anna/", "{DAV:}resourcetype", depth="1")
    found = {
        one.href: [child.tag for child in one.props["{DAV:}resourcetype"][1]] for one in kinds.multistatus.responses
    }
    assert found == {
        "/anna/": ["{DAV:}collection", "{DAV:}principal"],
        "/anna/contacts/": ["{DAV:}collection", f"{CR}addressbook"],
        "/anna/calendar/": ["{DAV:}collection", f"{C}calendar"],
        "/anna/tasks/": ["{DAV:}collection", f"{C}calendar"],
    }


def test_every_live_property_that_is_advertised_has_a_value_or_can_be_set(anna: Client) -> None:
    from calsync.dav import registry

    anna.put("/anna/calendar/a.ics", event())
    for path in ("/", "/anna/", "/anna/calendar/", "/anna/contacts/", "/anna/calendar/a.ics"):
        advertised = anna.props(path, "{DAV:}supported-live-property-set").prop(
            path, "{DAV:}supported-live-property-set"
        )[1]
        names = [prop[0].tag for prop in advertised.iter("{DAV:}prop")]
        assert names
        answer = anna.props(path, *names)
        for name in names:
            if everywhere() and name == "{DAV:}quota-available-bytes":
                continue  # how full a database server's disk is, nobody tells us
            assert answer.prop(path, name)[0] == 200 or registry.PROPERTIES[name].accept is not None, (path, name)


def test_privileges_follow_the_rights(anna: Client) -> None:
    answer = anna.props("/anna/calendar/", "{DAV:}current-user-privilege-set")
    held = {child[0].tag for child in answer.prop("/anna/calendar/", "{DAV:}current-user-privilege-set")[1]}
    assert {"{DAV:}read", "{DAV:}write", "{DAV:}bind", "{DAV:}write-properties"} <= held
    root = anna.props("/", "{DAV:}current-user-privilege-set")
    assert "{DAV:}write" not in {child[0].tag for child in root.prop("/", "{DAV:}current-user-privilege-set")[1]}


def test_bad_bodies_are_400(anna: Client) -> None:
    for body in (
        b"<propfind",
        b"<x/>",
        b"\xff\xfe",
        b'<!DOCTYPE x [<!ENTITY e "1">]><propfind xmlns="DAV:"><allprop/></propfind>',
    ):
        assert anna.request("PROPFIND", "/anna/", body, Depth="0").status == 400, body
    assert anna.request("PROPFIND", "/anna/", Depth="2").status == 400


def test_a_large_listing_comes_in_chunks(anna: Client) -> None:
    from calsync.ical.facts import calendar_object
    from calsync.store import items
    from tests.store.objects import collection_of

    store = anna.application.store
    assert store is not None
    anna.props("/anna/", "{DAV:}resourcetype")
    with store.write() as tx:
        calendar = collection_of(tx, "anna", "calendar")
        items.put_many(
            tx, calendar, [(f"{n}.ics", calendar_object(event(f"u{n}"), window=store.window)) for n in range(1200)]
        )
    answer = anna.props("/anna/calendar/", "{DAV:}getetag", depth="1")
    assert len(answer.multistatus.responses) == 1201
    assert answer.chunks > 3


def test_what_is_not_there_is_named_as_it_was_asked_for(anna: Client) -> None:
    report = (
        '<sync-collection xmlns="DAV:"><sync-token/><sync-level>1</sync-level><prop><getetag/></prop></sync-collection>'
    )
    change = '<propertyupdate xmlns="DAV:"><set><prop><x xmlns="urn:x"/></prop></set></propertyupdate>'
    for where in ("/anna/none/", "/anna/none", "/anna/calendar/n%C3%B6ne.ics"):
        for method, body in (
            ("GET", ""),
            ("PROPFIND", ""),
            ("REPORT", report),
            ("PROPPATCH", change),
            ("DELETE", ""),
            ("COPY", ""),
        ):
            answer = anna.request(method, where, body, Destination="/anna/other/")
            assert (answer.status, answer.text) == (404, f"Not Found: nothing at {where}\n"), method
