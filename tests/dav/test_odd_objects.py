"""Odd objects and names through HTTP: taken as they are and given back octet for octet, or refused with the reason."""

from __future__ import annotations

from hashlib import sha256

import pytest

from calsync.webdav.multistatus import escape_octets
from calsync.webdav.urls import encode_segment
from tests.dav.conftest import Client, card, event
from tests.odd_lines import ACCEPTED, FILES, REFUSED, Bad, File, Odd

DATA = {
    "calendar": "{urn:ietf:params:xml:ns:caldav}calendar-data",
    "card": "{urn:ietf:params:xml:ns:carddav}address-data",
}


@pytest.fixture(autouse=True)
def everything(anna: Client) -> None:
    """A calendar without a component set, so that tasks and free-busy fit beside events."""
    assert anna.mkcalendar("/anna/everything/").status == 201


def place(kind: str) -> str:
    return "/anna/everything/" if kind == "calendar" else "/anna/contacts/"


@pytest.mark.parametrize("odd", ACCEPTED, ids=lambda odd: odd.name)
def test_put_get_multiget_and_sync_give_the_same(anna: Client, odd: Odd) -> None:
    path = place(odd.kind) + ("x.ics" if odd.kind == "calendar" else "x.vcf")
    put = anna.put(path, odd.octets)
    assert put.status == 201, put.body
    got = anna.get(path)
    assert got.body == odd.octets
    assert put.etag == got.etag == f'"{sha256(odd.octets).hexdigest()}"'
    prefix = "C" if odd.kind == "calendar" else "CR"
    namespace = DATA[odd.kind][1:].split("}")[0]
    name = "calendar" if odd.kind == "calendar" else "addressbook"
    body = (
        f'<{prefix}:{name}-multiget xmlns="DAV:" xmlns:{prefix}="{namespace}"><prop><getetag/>'
        f"<{prefix}:{DATA[odd.kind].split('}')[1]}/></prop><href>{path}</href></{prefix}:{name}-multiget>"
    )
    answer = anna.report(place(odd.kind), body)
    # A line that is folded inside a letter is unfolded there: XML carries no half letters (decision D5).
    expected = escape_octets(odd.octets).replace(b"&#13;", b"\r").decode()
    for entity, letter in (("&lt;", "<"), ("&gt;", ">"), ("&amp;", "&")):
        expected = expected.replace(entity, letter)
    assert answer.value(path, DATA[odd.kind]) == expected
    assert answer.value(path, "{DAV:}getetag") == put.etag


@pytest.mark.parametrize("bad", REFUSED, ids=lambda bad: bad.name)
def test_what_cannot_be_served_is_refused_with_its_precondition(anna: Client, bad: Bad) -> None:
    path = place(bad.kind) + "x"
    answer = anna.put(path, bad.octets)
    assert answer.status == 403
    assert bad.condition.encode() in answer.body
    assert anna.get(path).status == 404


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.href)
def test_odd_names(anna: Client, file: File) -> None:
    path = place(file.kind) + encode_segment(file.href)
    assert anna.put(path, event() if file.kind == "calendar" else card()).status == 201
    listed = [one.href for one in anna.props(place(file.kind), "{DAV:}getetag", depth="1").multistatus.responses]
    assert path in listed
    assert anna.get(path).status == 200
    assert anna.delete(path).status == 204
