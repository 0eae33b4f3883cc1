"""calendar-multiget and addressbook-multiget."""

from __future__ import annotations

from tests.dav.conftest import Answer, Client, card, event

DATA = "{urn:ietf:params:xml:ns:caldav}calendar-data"


def multiget(client: Client, path: str, *hrefs: str, props: str = "<getetag/><C:calendar-data/>") -> Answer:
    body = "".join(f"<href>{href}</href>" for href in hrefs)
    return client.report(
        path,
        f'<C:calendar-multiget xmlns="DAV:" xmlns:C="urn:ietf:params:xml:ns:caldav"><prop>{props}</prop>{body}</C:calendar-multiget>',
    )


def test_each_href_has_its_own_status(anna: Client) -> None:
    anna.put("/anna/calendar/a.ics", event("one", "URL:https://e.com/?a=1&b=<2>", "SUMMARY:fold\r\n ed"))
    answer = multiget(
        anna,
        "/anna/calendar/",
        "/anna/calendar/a.ics",
        "/anna/calendar/none.ics",
        "/bert/calendar/x.ics",
        "http://localhost:5232/anna/calendar/a.ics",
    )
    assert answer.value("/anna/calendar/a.ics", DATA).encode() == anna.get("/anna/calendar/a.ics").body
    assert answer.statuses["/anna/calendar/none.ics"] == 404
    assert answer.statuses["/bert/calendar/x.ics"] == 404


def test_propname_and_allprop(anna: Client) -> None:
    anna.put("/anna/calendar/a.ics", event())
    for what in ("<allprop/>", "<propname/>"):
        body = f'<C:calendar-multiget xmlns="DAV:" xmlns:C="urn:ietf:params:xml:ns:caldav">{what}<href>/anna/calendar/a.ics</href></C:calendar-multiget>'
        answer = anna.report("/anna/calendar/", body)
        assert "{DAV:}getetag" in answer.multistatus.responses[0].props


def test_cards(anna: Client) -> None:
    anna.put("/anna/contacts/a.vcf", card("c1", "NOTE:ä, b; c"))
    body = '<CR:addressbook-multiget xmlns="DAV:" xmlns:CR="urn:ietf:params:xml:ns:carddav"><prop><getetag/><CR:address-data/></prop><href>/anna/contacts/a.vcf</href></CR:addressbook-multiget>'
    answer = anna.report("/anna/contacts/", body, Depth="1")  # clients.md 38
    assert answer.value("/anna/contacts/a.vcf", "{urn:ietf:params:xml:ns:carddav}address-data").encode() == card(
        "c1", "NOTE:ä, b; c"
    )


def test_a_report_on_the_wrong_kind_is_refused(anna: Client) -> None:
    """clients.md 31: a multiget against the home."""
    answer = multiget(anna, "/anna/", "/anna/calendar/a.ics")
    assert (answer.status, b"supported-report" in answer.body) == (403, True)
