"""PUT of a whole calendar or address book: a diff that costs nobody else its place."""

from __future__ import annotations

from pathlib import Path

import pytest

from calsync.accounts.accounts import Accounts
from tests.dav.conftest import PASSWORD, Answer, Client, card, event, make_application

HOME = "/anna/calendar/"
BOOK = "/anna/contacts/"
UID = "{http://calendarserver.org/ns/}uid"


def calendar(*events: bytes, more: str = "") -> bytes:
    inner = b"".join(one[one.index(b"BEGIN:V", 20) : one.index(b"END:VCALENDAR")] for one in events)
    return b"BEGIN:VCALENDAR\r\nVERSION:2.0\r\nPRODID:-//t//EN\r\n" + more.encode() + inner + b"END:VCALENDAR\r\n"


def bad(uid: str) -> bytes:
    return event(uid, start="never")


def task(uid: str) -> bytes:
    return event(uid).replace(b"VEVENT", b"VTODO").replace(b"DTEND", b"DUE")


def failed(answer: Answer) -> dict[str, tuple[int | None, list[str]]]:
    """Href → status and conditions, without the collection's own."""
    return {one.href: (one.status, one.error) for one in answer.multistatus.responses[1:]}


def listed(client: Client, path: str = HOME) -> dict[str, str]:
    found = client.props(path, "{DAV:}getetag", depth="1").multistatus.responses[1:]
    return {one.href: one.text("{DAV:}getetag") or "" for one in found}


def name(client: Client, path: str, prop: str = "{DAV:}displayname") -> str:
    return client.props(path, prop).value(path, prop)


def test_a_refused_member_never_costs_the_stored_one_its_life(anna: Client) -> None:
    kept = anna.put(HOME + "kept.ics", event("one")).etag
    anna.put(HOME + "gone.ics", event("two"))
    token = anna.sync(HOME).multistatus.sync_token or ""
    answer = anna.put(HOME, calendar(bad("one"), event("three")))
    refused = (403, ["{urn:ietf:params:xml:ns:caldav}valid-calendar-data", UID])
    assert failed(answer) == {HOME + "kept.ics": refused}
    assert answer.multistatus.responses[0].href == HOME
    assert anna.get(HOME + "kept.ics").etag == kept
    changed = anna.sync(HOME, token).statuses
    assert changed.pop(HOME + "gone.ics") == 404
    assert list(changed.values()) == [None]
    assert len(listed(anna)) == 2


@pytest.mark.parametrize(
    "damage",
    [
        lambda text: text.replace(b"END:VEVENT\r\nEND:VCALENDAR", b"END:VCALENDAR"),
        lambda text: text.replace(b"SUMMARY:Event b", b"SUMMARY:\x01"),
        lambda text: text.replace(b"UID:b", b"UID:\r\n b"),
        lambda text: text.replace(b"DTSTART:20260301", b"DTSTART:2026030199"),
        lambda text: text.replace(b"SUMMARY:Event b", b"nonsense without a colon"),
    ],
)
def test_however_it_is_damaged(anna: Client, damage: object) -> None:
    anna.put(HOME + "b.ics", event("b"))
    text = calendar(event("a")) + damage(calendar(event("b")))  # type: ignore[operator]
    assert anna.put(HOME, text).status in (204, 207)
    assert anna.get(HOME + "b.ics").status == 200


def test_where_a_refused_card_cannot_be_told_nothing_is_deleted(anna: Client) -> None:
    nameless = card("x").replace(b"UID:x\r\n", b"")
    anna.put(BOOK + "a.vcf", nameless)
    anna.put(BOOK + "b.vcf", card("b"))
    answer = anna.put(BOOK, b"BEGIN:VCARD\r\nVERSION:2.1\r\nFN:New\r\nEND:VCARD\r\n" + card("c"))
    assert len(failed(answer)) == 1
    assert anna.get(BOOK + "a.vcf").status == 200
    assert anna.get(BOOK + "b.vcf").status == 200


def test_a_card_without_uid_keeps_its_name_while_it_stays_the_same(anna: Client) -> None:
    nameless = card("x").replace(b"UID:x\r\n", b"")
    anna.put(BOOK + "a.vcf", nameless)
    before = listed(anna, BOOK)
    assert anna.put(BOOK, nameless).status == 204
    assert listed(anna, BOOK) == before


def test_the_second_of_two_with_one_uid_is_refused_and_named(anna: Client) -> None:
    anna.put(BOOK + "ada.vcf", card("ada"))
    answer = anna.put(BOOK, card("ada", name="First") + card("ada", name="Second") + card("bob"))
    ((href, (status, conditions)),) = failed(answer).items()
    assert (status, conditions) == (409, ["{urn:ietf:params:xml:ns:carddav}no-uid-conflict", UID])
    assert href not in listed(anna, BOOK)
    assert f"<CR:no-uid-conflict><D:href>{BOOK}ada.vcf</D:href></CR:no-uid-conflict>" in answer.text
    assert b"FN:First" in anna.get(BOOK + "ada.vcf").body
    new = anna.put("/anna/people/", card("ada", name="First") + card("ada", name="Second"))
    assert len(failed(new)) == 1
    assert b"FN:First" in anna.get("/anna/people/").body
    assert b"FN:Second" not in anna.get("/anna/people/").body


def test_a_text_of_which_nothing_is_understood_changes_nothing(anna: Client) -> None:
    anna.put(HOME + "a.ics", event("a"))
    before = listed(anna)
    for text in (calendar(bad("b")), calendar(task("t")), b"BEGIN:VCALENDAR\r\n", b"hello"):
        assert anna.put(HOME, text).status in (403, 204), text
    assert anna.put("/anna/new/", calendar(bad("b"))).status == 403
    assert anna.props("/anna/new/", "{DAV:}getetag").status == 404
    assert listed(anna) in (before, {})


def test_all_well_is_201_and_then_204(anna: Client) -> None:
    made = anna.put("/anna/new/", calendar(event("a"), event("b")))
    assert (made.status, made.etag) == (201, anna.get("/anna/new/").etag)
    before = listed(anna, "/anna/new/")
    again = anna.put("/anna/new/", calendar(event("b"), event("a")))
    assert (again.status, again.etag) == (204, made.etag)
    assert listed(anna, "/anna/new/") == before
    assert all(href.endswith(".ics") for href in before)


def test_tokens_survive_and_only_changes_are_told(anna: Client) -> None:
    for uid in "abc":
        anna.put(f"{HOME}{uid}.ics", event(uid))
    token = anna.sync(HOME).multistatus.sync_token or ""
    anna.put(HOME, calendar(event("a"), event("b", "SUMMARY:2"), event("d")))
    changed = anna.sync(HOME, token).statuses
    assert (changed.pop(HOME + "b.ics"), changed.pop(HOME + "c.ics")) == (None, 404)
    assert (len(changed), HOME + "a.ics" in changed) == (1, False)
    assert anna.put(HOME, anna.get(HOME).body).status == 204


def test_what_went_out_whole_comes_back_unchanged(anna: Client) -> None:
    """A whole calendar has one header, and each time zone once."""

    def zoned(uid: str, note: str, tzid: str = "Europe/Berlin") -> bytes:
        zone = (
            f"BEGIN:VTIMEZONE\r\nTZID:{tzid}\r\nBEGIN:STANDARD\r\nDTSTART:{note}T020000\r\nTZOFFSETFROM:+0200\r\n"
            "TZOFFSETTO:+0100\r\nEND:STANDARD\r\nEND:VTIMEZONE\r\nBEGIN:VEVENT"
        )
        text = event(uid).replace(b"BEGIN:VEVENT", zone.encode()).replace(b"//test//", f"//{note}//".encode())
        return text.replace(b"DTSTART:20260301T100000Z", f"DTSTART;TZID={tzid}:20260301T100000".encode())

    for number, uid in enumerate("abc"):
        anna.put(f"{HOME}{uid}.ics", zoned(uid, f"1970010{number + 1}"))
    anna.put(HOME + "d.ics", zoned("d", "19700101", "Our own"))
    token = anna.sync(HOME).multistatus.sync_token or ""
    text = anna.get(HOME).body
    assert anna.put(HOME, text).status == 204
    assert anna.sync(HOME, token).statuses == {}
    # A zone that nobody else knows is what it says.
    text = text.replace(
        b"TZID:Our own\r\nBEGIN:STANDARD\r\nDTSTART:1970", b"TZID:Our own\r\nBEGIN:STANDARD\r\nDTSTART:1971"
    )
    assert anna.put(HOME, text.replace(b"SUMMARY:Event a", b"SUMMARY:New")).status == 204
    assert anna.sync(HOME, token).statuses == {HOME + "a.ics": None, HOME + "d.ics": None}


def test_a_new_member_takes_no_name_that_was_anothers(anna: Client) -> None:
    anna.put("/anna/new/", calendar(event("a")))
    (href,) = listed(anna, "/anna/new/")
    anna.delete(href)
    anna.put(href, event("b"))
    anna.put("/anna/new/", calendar(event("a")))
    assert anna.get(href).status == 404
    assert len(listed(anna, "/anna/new/")) == 1


def test_the_component_set_is_kept(anna: Client) -> None:
    answer = anna.put(HOME, calendar(event("a"), task("t")))
    (refused,) = failed(answer).values()
    assert refused == (403, ["{urn:ietf:params:xml:ns:caldav}supported-calendar-component", UID])
    assert len(listed(anna)) == 1


def test_what_a_calendar_says_of_itself(anna: Client) -> None:
    more = "X-WR-CALNAME:Work\\, mostly\r\nX-WR-CALDESC:a <b> & c\r\n"
    assert anna.put("/anna/new/", calendar(event("a"), more=more)).status == 201
    assert name(anna, "/anna/new/") == "Work, mostly"
    assert name(anna, "/anna/new/", "{urn:ietf:params:xml:ns:caldav}calendar-description") == "a <b> & c"
    anna.put("/anna/new/", calendar(event("a")))
    assert name(anna, "/anna/new/") == "Work, mostly"


def test_conditions_are_about_the_collection(anna: Client) -> None:
    etag = anna.put(HOME, calendar(event("a"))).etag
    assert anna.put(HOME, calendar(event("b")), If_None_Match="*").status == 412
    assert anna.put(HOME, calendar(event("b")), If_Match='"x"').status == 412
    assert anna.put("/anna/new/", calendar(event("b")), If_Match="*").status == 412
    assert len(listed(anna)) == 1
    assert anna.put("/anna/new/", calendar(event("b")), If_None_Match="*").status == 201
    assert anna.put(HOME, calendar(event("b")), If_Match=etag).status == 204


def test_a_calendar_is_no_address_book(anna: Client) -> None:
    assert b"<CR:supported-address-data/>" in anna.put(BOOK, calendar(event("a"))).body
    assert b"<C:supported-calendar-data/>" in anna.put(HOME, card()).body


def test_a_downloaded_calendar_is_taken(anna: Client) -> None:
    """Files from the web say METHOD:PUBLISH, which no stored object may."""
    for text in (calendar(event("a"), more="METHOD:PUBLISH\r\n"), calendar(event("a"), event("b"), more="METHOD:PUBLISH\r\n")):  # fmt: skip
        assert anna.put("/anna/new/", text).status in (201, 204)
    for href in listed(anna, "/anna/new/"):
        assert b"METHOD" not in anna.get(href).body


def test_a_subscribed_calendar_is_filled(anna: Client) -> None:
    body = (
        '<mkcol xmlns="DAV:" xmlns:CS="http://calendarserver.org/ns/"><set><prop><resourcetype><collection/>'
        "<CS:subscribed/></resourcetype></prop></set></mkcol>"
    )
    assert anna.mkcol("/anna/feed/", body).status == 201
    assert anna.put("/anna/feed/", calendar(event("a"), event("b"))).status == 204
    assert len(listed(anna, "/anna/feed/")) == 2
    assert "subscribed" in anna.props("/anna/feed/", "{DAV:}resourcetype").text


def test_a_charset_is_heeded(anna: Client) -> None:
    text = card("a", name="Käthe").decode().encode("latin-1")
    assert anna.put("/anna/people/", text, Content_Type="text/vcard; charset=iso-8859-1").status == 201
    assert "Käthe" in anna.get("/anna/people/").text


def test_a_name_of_ours_is_not_taken(anna: Client) -> None:
    answer = anna.put("/anna/outbox/", calendar(event("a")))
    assert (answer.status, b"calendar-collection-location-ok" in answer.body) == (403, True)


def test_bert_may_not(bert: Client, anna: Client) -> None:
    assert bert.put(HOME, calendar(event("a"))).status == 403
    assert bert.put("/anna/new/", calendar(event("a"))).status == 403
    assert listed(anna) == {}


@pytest.mark.parametrize(
    ("permitted", "letters", "status"),
    [("True", "RrWw", 204), ("True", "RrWwo", 403), ("False", "RrWw", 403), ("False", "RrWwO", 204), ("True", "RrWwl", 204)],
)  # fmt: skip
def test_the_rights_of_replacing(tmp_path: Path, permitted: str, letters: str, status: int) -> None:
    rights = tmp_path / "rights"
    rights.write_text(f"[all]\nuser: .+\ncollection: .*\npermissions: {letters}\n")
    application = make_application(
        tmp_path / "data",
        rights={"type": "from_file", "file": str(rights), "permit_overwrite_collection": permitted},
    )
    assert application.store is not None
    Accounts(application.store).create("anna", PASSWORD)
    anna = Client(application)
    before = name(anna, HOME)
    assert anna.put(HOME, calendar(event("a"), more="X-WR-CALNAME:Other\r\n")).status == status
    # `l` locks the properties, the name among them.
    assert name(anna, HOME) == ("Other" if status == 204 and "l" not in letters else before)
    application.store.close()
