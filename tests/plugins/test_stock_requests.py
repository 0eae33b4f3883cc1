"""Stock Radicale answers from the store as it does from its folders."""

import pytest
from radicale.item import get_etag

from calsync.accounts.accounts import Accounts
from tests.plugins.stock import Dav, card, event

ITEM = "/anna/cal/a.ics"


def propfind(*names: str) -> str:
    return (
        '<propfind xmlns="DAV:" xmlns:C="urn:ietf:params:xml:ns:caldav"><prop>' + "".join(names) + "</prop></propfind>"
    )


def test_what_is_put_is_what_get_gives_back_with_a_true_etag(dav: Dav) -> None:
    put = dav.put(ITEM, event("a"))
    got = dav("GET", ITEM)
    assert (put.status, got.status) == (201, 200)
    assert got.headers["ETag"] == put.headers["ETag"]
    assert "SUMMARY:a" in got.text
    assert dav.put(ITEM, event("a", "20260302T100000Z", "20260302T110000Z")).status == 204
    assert "20260302" in dav("GET", ITEM).text


def test_the_etag_is_the_one_that_radicales_folders_give(dav: Dav) -> None:
    dav.put(ITEM, event("a"))
    got = dav("GET", ITEM)
    assert got.headers["ETag"] == get_etag(got.text)


def test_conditions_are_heeded(dav: Dav) -> None:
    etag = dav.put(ITEM, event("a")).headers["ETag"]
    assert dav.put(ITEM, event("a"), if_none_match="*").status == 412
    assert dav.put(ITEM, event("a"), if_match='"other"').status == 412
    assert dav.put(ITEM, event("a"), if_match=etag).status == 204
    assert dav("DELETE", ITEM, if_match='"other"').status == 412
    assert dav("DELETE", ITEM, if_match=dav("GET", ITEM).headers["ETag"]).status == 200


def test_a_uid_is_in_a_calendar_once(dav: Dav) -> None:
    dav.put(ITEM, event("a"))
    refused = dav.put("/anna/cal/b.ics", event("a"))
    assert refused.status == 409
    assert "no-uid-conflict" in refused.text
    assert dav.put(ITEM, event("other")).status == 409


def test_what_cannot_be_served_is_refused_and_changes_nothing(dav: Dav) -> None:
    token, _ = dav.sync("/anna/cal/")
    assert dav.put(ITEM, "BEGIN:VCALENDAR\r\nVERSION:2.0\r\nEND:VCALENDAR\r\n").status == 400
    assert dav.put(ITEM, "hello").status == 400
    assert dav("GET", ITEM).status == 404
    assert dav.sync("/anna/cal/", token) == (token, {})


def test_a_deleted_item_is_gone(dav: Dav) -> None:
    dav.put(ITEM, event("a"))
    assert dav("DELETE", ITEM).status == 200
    assert dav("GET", ITEM).status == 404
    assert dav("DELETE", ITEM).status == 404
    assert dav.put("/anna/cal/b.ics", event("a")).status == 201


def test_a_sync_names_what_changed_and_what_went(dav: Dav) -> None:
    dav.put(ITEM, event("a"))
    dav.put("/anna/cal/b.ics", event("b"))
    token, first = dav.sync("/anna/cal/")
    assert first == {ITEM: 200, "/anna/cal/b.ics": 200}
    assert dav.sync("/anna/cal/", token) == (token, {})
    dav("DELETE", ITEM)
    dav.put("/anna/cal/c.ics", event("c"))
    later, changed = dav.sync("/anna/cal/", token)
    assert changed == {ITEM: 404, "/anna/cal/c.ics": 200}
    assert later != token
    assert dav.sync("/anna/cal/", later) == (later, {})


def test_a_first_sync_does_not_name_what_was_deleted_before(dav: Dav) -> None:
    dav.put(ITEM, event("a"))
    dav("DELETE", ITEM)
    assert dav.sync("/anna/cal/")[1] == {}


@pytest.mark.parametrize(
    "token", ["http://radicale.org/ns/sync/" + "0" * 64, "urn:calsync:sync:0123456789abcdef:1", "x"]
)
def test_a_foreign_token_is_not_valid(dav: Dav, token: str) -> None:
    answer = dav(
        "REPORT",
        "/anna/cal/",
        f'<sync-collection xmlns="DAV:"><sync-token>{token}</sync-token><prop/></sync-collection>',
    )
    assert answer.status == 403
    assert "valid-sync-token" in answer.text


def test_the_token_of_a_calendar_that_was_there_before_is_not_valid(dav: Dav) -> None:
    dav.put(ITEM, event("a"))
    token, _ = dav.sync("/anna/cal/")
    assert dav("DELETE", "/anna/cal/").status == 200
    assert dav("MKCALENDAR", "/anna/cal/").status == 201
    answer = dav(
        "REPORT",
        "/anna/cal/",
        f'<sync-collection xmlns="DAV:"><sync-token>{token}</sync-token><prop/></sync-collection>',
    )
    assert answer.status == 403


def test_ctag_and_token_of_propfind_are_those_of_the_sync(dav: Dav) -> None:
    asked = propfind("<sync-token/>", '<getctag xmlns="http://calendarserver.org/ns/"/>')
    before = dav("PROPFIND", "/anna/cal/", asked, depth="0")
    assert before.text_of("{DAV:}sync-token") == dav.sync("/anna/cal/")[0]
    dav.put(ITEM, event("a"))
    after = dav("PROPFIND", "/anna/cal/", asked, depth="0")
    for name in ("{DAV:}sync-token", "{http://calendarserver.org/ns/}getctag"):
        assert before.text_of(name) != after.text_of(name)


def test_a_listing_names_items_and_collections(dav: Dav) -> None:
    dav.put(ITEM, event("a"))
    dav.put("/anna/cal/ü q.ics", event("b"))
    listed = dav("PROPFIND", "/anna/cal/", propfind("<getetag/>", "<getcontentlength/>"), depth="1")
    assert set(listed.hrefs) == {"/anna/cal/", ITEM, "/anna/cal/%C3%BC%20q.ics"}
    assert str(len(dav("GET", ITEM).text.encode())) in listed.texts("{DAV:}getcontentlength")
    home = dav("PROPFIND", "/anna/", propfind("<getetag/>"), depth="1")
    assert list(home.hrefs) == ["/anna/", "/anna/cal/", "/anna/book/"]


def test_a_multiget_answers_for_each_name(dav: Dav) -> None:
    dav.put(ITEM, event("a"))
    answer = dav(
        "REPORT",
        "/anna/cal/",
        '<C:calendar-multiget xmlns="DAV:" xmlns:C="urn:ietf:params:xml:ns:caldav"><prop><getetag/><C:calendar-data/>'
        f"</prop><href>{ITEM}</href><href>/anna/cal/none.ics</href><href>{ITEM}</href></C:calendar-multiget>",
    )
    assert answer.hrefs == {ITEM: 200, "/anna/cal/none.ics": 404}
    # XML reads a carriage return as a line feed; stock does not escape it.
    (text,) = answer.texts("{urn:ietf:params:xml:ns:caldav}calendar-data")
    assert text == dav("GET", ITEM).text.replace("\r\n", "\n")


def test_an_address_book(dav: Dav) -> None:
    assert dav.put("/anna/book/ada.vcf", card("ada")).status == 201
    assert dav.put("/anna/book/bob.vcf", card("bob", "Bob")).status == 201
    assert dav.put("/anna/book/eve.ics", event("eve")).status == 400
    got = dav("GET", "/anna/book/ada.vcf")
    assert got.headers["Content-Type"].startswith("text/vcard") and "FN:Ada" in got.text
    assert dav("GET", "/anna/book/").text.count("BEGIN:VCARD") == 2
    found = dav(
        "REPORT",
        "/anna/book/",
        '<CR:addressbook-query xmlns="DAV:" xmlns:CR="urn:ietf:params:xml:ns:carddav"><prop><getetag/></prop>'
        '<CR:filter><CR:prop-filter name="FN"><CR:text-match>bob</CR:text-match></CR:prop-filter></CR:filter>'
        "</CR:addressbook-query>",
    )
    assert set(found.hrefs) == {"/anna/book/bob.vcf"}


def test_properties_are_kept_and_removed(dav: Dav) -> None:
    sent = (
        '<propertyupdate xmlns="DAV:"><set><prop><displayname>Home &amp; garden</displayname>'
        '<calendar-color xmlns="http://apple.com/ns/ical/">#ff0000</calendar-color>'
        '<x xmlns="urn:y">z</x></prop></set></propertyupdate>'
    )
    assert dav("PROPPATCH", "/anna/cal/", sent).status == 207
    asked = propfind("<displayname/>", '<calendar-color xmlns="http://apple.com/ns/ical/"/>', '<x xmlns="urn:y"/>')
    answer = dav("PROPFIND", "/anna/cal/", asked, depth="0")
    assert answer.text_of("{DAV:}displayname") == "Home & garden"
    assert answer.text_of("{http://apple.com/ns/ical/}calendar-color") == "#ff0000"
    assert answer.text_of("{urn:y}x") == "z"
    dav(
        "PROPPATCH",
        "/anna/cal/",
        '<propertyupdate xmlns="DAV:"><remove><prop><x xmlns="urn:y"/></prop></remove></propertyupdate>',
    )
    answer = dav("PROPFIND", "/anna/cal/", asked, depth="0")
    assert answer.text_of("{DAV:}displayname") == "Home & garden"
    assert "404" in answer.text


def test_a_home_has_properties_too(dav: Dav) -> None:
    sent = '<propertyupdate xmlns="DAV:"><set><prop><x xmlns="urn:y">z</x></prop></set></propertyupdate>'
    assert dav("PROPPATCH", "/anna/", sent).status == 207
    assert dav("PROPFIND", "/anna/", propfind('<x xmlns="urn:y"/>'), depth="0").text_of("{urn:y}x") == "z"


def test_a_proppatch_of_the_resource_type_does_not_cost_the_calendar(dav: Dav) -> None:
    dav.put(ITEM, event("a"))
    change = "<set><prop><resourcetype><collection/></resourcetype></prop></set>"
    sent = f'<propertyupdate xmlns="DAV:">{change}</propertyupdate>'
    assert dav("PROPPATCH", "/anna/cal/", sent).status == 400
    assert dav("GET", ITEM).status == 200
    assert "calendar" in dav("PROPFIND", "/anna/cal/", propfind("<resourcetype/>"), depth="0").text


def test_a_calendar_is_made_with_its_components(dav: Dav) -> None:
    sent = (
        '<C:mkcalendar xmlns="DAV:" xmlns:C="urn:ietf:params:xml:ns:caldav"><set><prop><displayname>Tasks</displayname>'
        '<C:supported-calendar-component-set><C:comp name="VTODO"/></C:supported-calendar-component-set></prop></set>'
        "</C:mkcalendar>"
    )
    assert dav("MKCALENDAR", "/anna/tasks/", sent).status == 201
    answer = dav("PROPFIND", "/anna/tasks/", propfind("<C:supported-calendar-component-set/>"), depth="0")
    (component,) = answer.xml.iter("{urn:ietf:params:xml:ns:caldav}comp")
    assert component.get("name") == "VTODO"
    assert dav("MKCALENDAR", "/anna/tasks/").status == 409
    assert dav("MKCALENDAR", "/anna/nothing/tasks/").status in (403, 409)


def test_an_item_moves_within_and_between_calendars(dav: Dav) -> None:
    dav("MKCALENDAR", "/anna/other/")
    dav.put(ITEM, event("a"))
    token, _ = dav.sync("/anna/cal/")
    assert dav("MOVE", ITEM, destination="http://127.0.0.1:5232/anna/cal/b.ics").status == 201
    assert dav.sync("/anna/cal/", token)[1] == {ITEM: 404, "/anna/cal/b.ics": 200}
    assert dav("MOVE", "/anna/cal/b.ics", destination="http://127.0.0.1:5232/anna/other/c.ics").status == 201
    assert dav("GET", "/anna/cal/b.ics").status == 404
    assert dav("GET", "/anna/other/c.ics").status == 200


def test_a_move_replaces_only_where_it_is_told_to(dav: Dav) -> None:
    dav("MKCALENDAR", "/anna/other/")
    dav.put(ITEM, event("a"))
    dav.put("/anna/other/a.ics", event("a", more="LOCATION:old\r\n"))
    to = "http://127.0.0.1:5232/anna/other/a.ics"
    assert dav("MOVE", ITEM, destination=to).status == 412
    assert dav("MOVE", ITEM, destination=to, overwrite="T").status == 204
    assert "LOCATION" not in dav("GET", "/anna/other/a.ics").text
    dav.put("/anna/other/b.ics", event("b"))
    dav.put("/anna/cal/c.ics", event("b"))
    assert dav("MOVE", "/anna/cal/c.ics", destination="http://127.0.0.1:5232/anna/other/d.ics").status == 409


def test_deleting_a_collection_deletes_what_is_in_it(dav: Dav) -> None:
    dav.put(ITEM, event("a"))
    assert dav("DELETE", "/anna/cal/").status == 200
    assert dav("GET", ITEM).status == 404
    assert list(dav("PROPFIND", "/anna/", propfind("<getetag/>"), depth="1").hrefs) == ["/anna/", "/anna/book/"]


def test_a_home_that_is_deleted_is_empty_and_its_user_goes_on(dav: Dav) -> None:
    dav.put(ITEM, event("a"))
    assert dav("DELETE", "/anna/").status == 200
    assert list(dav("PROPFIND", "/anna/", propfind("<getetag/>"), depth="1").hrefs) == ["/anna/"]
    assert dav("MKCALENDAR", "/anna/cal/").status == 201
    assert dav.sync("/anna/cal/")[1] == {}


def test_nobody_sees_what_is_somebody_elses(dav: Dav, accounts: Accounts) -> None:
    dav.put(ITEM, event("a"))
    bob = Dav(dav.application, "bob")
    assert bob("GET", ITEM).status == 403
    assert bob("PROPFIND", "/anna/", depth="1").status == 403
    assert bob("PROPFIND", "/bob/", depth="1").status == 207
    assert Dav(dav.application, "")("GET", ITEM).status == 401


def test_logins(dav: Dav, accounts: Accounts) -> None:
    secret, _ = accounts.add_token("anna", "phone")
    for login, password, status in (
        ("anna", "secret", 207),
        ("Anna", "secret", 207),
        ("anna", secret.upper(), 207),
        ("anna", "wrong", 401),
        ("nobody", "secret", 401),
    ):
        assert Dav(dav.application, login, password)("PROPFIND", "/anna/", depth="0").status == status


def test_a_login_in_capitals_comes_to_the_same_home(dav: Dav) -> None:
    answer = Dav(dav.application, "ANNA")("PROPFIND", "/", propfind("<current-user-principal/>"), depth="0")
    assert "/anna/" in answer.text
