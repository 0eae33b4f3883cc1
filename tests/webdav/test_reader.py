from __future__ import annotations

import pytest

from calsync.webdav import reader
from calsync.webdav.errors import BadRequest
from calsync.webdav.names import D


def test_a_status_may_be_for_several_hrefs() -> None:
    body = b"""<multistatus xmlns="DAV:"><response><href>/a</href><href> /b </href><status>HTTP/1.1 423 Locked</status>
    <error><lock-token-submitted><href>/a</href></lock-token-submitted></error></response></multistatus>"""
    answer = reader.read(body)
    assert [(one.href, one.status, one.error) for one in answer.responses] == [
        ("/a", 423, [D("lock-token-submitted")]),
        ("/b", 423, [D("lock-token-submitted")]),
    ]


def test_propstats_carry_status_and_condition() -> None:
    body = b"""<D:multistatus xmlns:D="DAV:"><D:response><D:href>/a</D:href>
    <D:propstat><D:prop><D:displayname>A</D:displayname></D:prop><D:status>HTTP/1.1 200 OK</D:status></D:propstat>
    <D:propstat><D:prop><D:getetag/></D:prop><D:status>HTTP/1.1 403 no</D:status><D:error><D:x/></D:error></D:propstat>
    </D:response><D:sync-token>t</D:sync-token></D:multistatus>"""
    answer = reader.read(body)
    one = answer.responses[0]
    assert (one.status, one.text(D("displayname")), one.text(D("getetag"))) == (None, "A", None)
    assert (one.props[D("getetag")][0], one.error, answer.sync_token) == (403, [D("x")], "t")


@pytest.mark.parametrize(
    "body", [b"", b"<a/>", b'<multistatus xmlns="DAV:"><response><href/><status>no</status></response></multistatus>']
)
def test_what_is_no_multistatus(body: bytes) -> None:
    with pytest.raises(BadRequest):
        reader.read(body)
