"""What was stored is never a page, whatever it calls itself."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from calsync.accounts.accounts import Accounts
from tests.dav.conftest import PASSWORD, Client, event, make_application
from tests.hostile.case import HOME


@pytest.fixture
def files(tmp_path: Path) -> Iterator[Client]:
    """Where plain collections and files are allowed."""
    rights = tmp_path / "rights"
    rights.write_text(
        "[all]\nuser: .+\ncollection: {user}(/.*)?\npermissions: RWrw\n[root]\nuser: .*\ncollection:\npermissions: R\n"
    )
    options = {"rights": {"type": "from_file", "file": str(rights)}, "storage": {"permit_files": "True"}}
    application = make_application(tmp_path / "data", **options)
    assert application.store is not None
    Accounts(application.store).create("anna", PASSWORD)
    anna = Client(application)
    assert anna.mkcol("/anna/files/").status == 201
    yield anna
    application.close()


@pytest.mark.parametrize(
    "kind",
    [
        "text/html",
        "TEXT/HTML; charset=utf-8",
        "application/xhtml+xml",
        "image/svg+xml",
        "text/xml",
        "text/javascript",
        "multipart/x-mixed-replace",
        "text/html\r\nX: y",
        'a/b<c x="&"',
        "<script>",
        "",
        "text/plain;\xe4",
        "x" * 9000,
    ],
)
def test_a_stored_file_is_never_a_page(files: Client, kind: str) -> None:
    assert files.put("/anna/files/x", b"<script>alert(1)</script>", Content_Type=kind).status == 201
    answer = files.get("/anna/files/x")
    assert answer.body == b"<script>alert(1)</script>"
    assert not re.search("html|xml|script|mixed", answer.headers["Content-Type"], re.IGNORECASE)
    assert answer.headers["X-Content-Type-Options"] == "nosniff"
    assert answer.headers["Content-Disposition"] == "attachment"
    assert "sandbox" in answer.headers["Content-Security-Policy"]
    assert not any(re.search("[\r\n\0]", value) for value in answer.headers.values())
    listed = files.props("/anna/files/", "{DAV:}getcontenttype", depth="1")
    assert listed.prop("/anna/files/x", "{DAV:}getcontenttype")[0] == 200


def test_calendars_are_never_pages(anna: Client) -> None:
    odd = event("a", "SUMMARY:<html><script>alert(1)</script>").replace(b"VEVENT", b"X-HTML")
    for sent in (odd, odd.replace(b"X-HTML", b"VTODO"), odd.replace(b"X-HTML", b"VEVENT")):
        for kind in ("text/html", "text/calendar", "image/svg+xml"):
            anna.put(f"{HOME}a.html", sent, Content_Type=kind)
            anna.put("/anna/whole.html", sent, Content_Type=kind)
            for path in (f"{HOME}a.html", "/anna/whole.html", HOME):
                answer = anna.get(path)
                assert answer.headers["Content-Type"].startswith(("text/calendar", "text/plain", "application/xml"))
                assert answer.headers["X-Content-Type-Options"] == "nosniff"


def test_collections_inside_collections_without_end(files: Client) -> None:
    path = "/anna/files/"
    for _ in range(400):
        path += "a/"
        assert files.mkcol(path).status < 500
    for method, headers in (
        ("PROPFIND", {"Depth": "infinity"}),
        ("COPY", {"Destination": "/anna/copy/"}),
        ("MOVE", {"Destination": "/anna/moved/"}),
        ("DELETE", {}),
    ):
        answer = files.request(method, "/anna/copy/" if method == "DELETE" else "/anna/files/", **headers)
        assert answer.status < 500, (method, answer.status)
    assert files.request("PROPFIND", "/anna/", Depth="infinity").status == 207
