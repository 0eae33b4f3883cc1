"""PUT, GET, HEAD, DELETE of items: octets, ETags, preconditions."""

from __future__ import annotations

from hashlib import sha256

import pytest

from tests.dav.conftest import Client, card, event

PATH = "/anna/calendar/a.ics"


def test_what_is_put_is_what_get_gives(anna: Client) -> None:
    octets = event("one", "URL:https://e.com/a,b", "X-UNKNOWN;X=y:z,w")
    created = anna.put(PATH, octets)
    got = anna.get(PATH)
    assert (created.status, got.status, got.body) == (201, 200, octets)
    assert created.etag == got.etag == f'"{sha256(octets).hexdigest()}"'
    assert got.headers["Content-Type"] == "text/calendar;charset=utf-8;component=VEVENT"
    assert anna.put(PATH, octets).status == 204


def test_head_has_the_headers_of_get(anna: Client) -> None:
    anna.put(PATH, event())
    head = anna.head(PATH)
    assert (head.status, head.body) == (200, b"")
    assert head.headers["Content-Length"] == str(len(event()))


def test_not_modified(anna: Client) -> None:
    etag = anna.put(PATH, event()).etag
    assert anna.get(PATH, If_None_Match=f'"x", W/{etag}').status == 304
    assert anna.get(PATH, If_None_Match='"x"').status == 200
    assert anna.get(PATH, If_Match='"x"').status == 412


def test_if_match_and_if_none_match_guard_writes(anna: Client) -> None:
    assert anna.put(PATH, event(), If_Match='"x"').status == 412
    assert anna.put(PATH, event(), If_Match="*").status == 412
    etag = anna.put(PATH, event(), If_None_Match="*").etag
    assert anna.put(PATH, event(), If_None_Match="*").status == 412
    assert anna.put(PATH, event("one", "SUMMARY:2"), If_Match=f'"x", {etag}').status == 204
    assert anna.delete(PATH, If_Match=etag).status == 412
    assert anna.delete(PATH, If_Match="*").status == 204
    assert anna.get(PATH).status == 404


def test_evolution_quotes_its_quotes(anna: Client) -> None:
    """clients.md 20."""
    etag = anna.put(PATH, event()).etag
    assert anna.put(PATH, event("one", "SUMMARY:2"), If_Match=etag.replace('"', '\\"')).status == 204


def test_a_uid_is_used_once_in_a_collection_and_the_refusal_names_the_holder(anna: Client) -> None:
    anna.put(PATH, event("same"))
    answer = anna.put("/anna/calendar/b.ics", event("same"))
    assert answer.status == 409
    assert b"<C:no-uid-conflict><D:href>/anna/calendar/a.ics</D:href></C:no-uid-conflict>" in answer.body
    assert anna.mkcalendar("/anna/other/").status == 201
    assert anna.put("/anna/other/b.ics", event("same")).status == 201


@pytest.mark.parametrize(
    ("path", "body", "condition"),
    [
        ("/anna/calendar/a.ics", b"no calendar", b"valid-calendar-data"),
        ("/anna/calendar/a.ics", event().replace(b"BEGIN:VEVENT", b"BEGIN:VTODO").replace(b"END:VEVENT", b"END:VTODO"), b"supported-calendar-component"),
        ("/anna/calendar/a.ics", event("one", "SUMMARY:\x01"), b"valid-calendar-data"),
        ("/anna/calendar/a.ics", event("one").replace(b"Event", b"\xe4vent"), b"valid-calendar-data"),
        ("/anna/contacts/a.vcf", b"BEGIN:VCARD\r\nVERSION:2.1\r\nN:x\r\nEND:VCARD\r\n", b"address-data"),
    ],
)  # fmt: skip
def test_what_cannot_be_served_later_is_refused_with_its_precondition(
    anna: Client, path: str, body: bytes, condition: bytes
) -> None:
    answer = anna.put(path, body)
    assert answer.status == 403
    assert condition in answer.body
    assert anna.get(path).status == 404


def test_put_needs_a_parent(anna: Client) -> None:
    assert anna.put("/anna/nowhere/a.ics", event()).status == 409
    assert anna.put("/anna/calendar/a.ics/b.ics", event()).status == 403  # owner_only ends two levels down


def test_put_of_a_part_is_refused(anna: Client) -> None:
    """RFC 9110 §14.5."""
    assert anna.put(PATH, event(), Content_Range="bytes 0-1/2").status == 400


def test_return_representation(anna: Client) -> None:
    """RFC 8144 §3."""
    answer = anna.put(PATH, event(), Prefer="return=representation")
    assert (answer.status, answer.body) == (201, event())
    assert answer.headers["Preference-Applied"] == "return=representation"


@pytest.mark.parametrize(
    "name", [".hidden.ics", "quote'.ics", "q%3F.ics", "colon:.ics", "%C3%A4 %26.ics", "a%25b.ics", "A@B.ics"]
)
def test_names_with_odd_letters(anna: Client, name: str) -> None:
    path = f"/anna/calendar/{name.replace(' ', '%20')}"
    assert anna.put(path, event()).status == 201
    href = [one.href for one in anna.props("/anna/calendar/", "{DAV:}getetag", depth="1").multistatus.responses][1]
    assert anna.get(href).body == event()
    assert anna.delete(href).status == 204


def test_cards(anna: Client) -> None:
    octets = card("c1", "NICKNAME:x,y", "item1.X-ABLabel:_$!<Other>!$_", "PHOTO:data:image/jpeg;base64,AAAA")
    assert anna.put("/anna/contacts/c1.vcf", octets).status == 201
    got = anna.get("/anna/contacts/c1.vcf")
    assert (got.body, got.headers["Content-Type"]) == (octets, "text/vcard;charset=utf-8")


def test_delete_of_a_collection_and_of_a_home(anna: Client) -> None:
    anna.put(PATH, event())
    assert anna.delete("/anna/").status == 403
    assert anna.delete("/anna/calendar/", Depth="0").status == 400
    assert anna.delete("/anna/calendar/").status == 204
    assert anna.get(PATH).status == 404
    assert anna.delete("/anna/calendar/").status == 404


def test_others_may_not(bert: Client, anna: Client) -> None:
    anna.put(PATH, event())
    for method in ("GET", "PUT", "DELETE", "PROPFIND", "PROPPATCH", "REPORT", "MOVE", "COPY", "MKCOL", "MKCALENDAR"):
        assert bert.request(method, PATH, event(), Destination="/bert/calendar/a.ics").status in (400, 403), method
    assert anna.get(PATH).body == event()
