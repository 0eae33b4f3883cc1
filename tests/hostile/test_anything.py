"""Any method, path, header and body: answered, and nobody else's things are touched."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from calsync.accounts.accounts import Accounts
from calsync.app import Application
from tests.access.asking import ASKING, everything
from tests.dav.conftest import PASSWORD, Client, card, event, make_application
from tests.hostile.calendar_objects import RULES, TEXTS
from tests.hostile.case import HOME, Case
from tests.hostile.test_headers import NAMES, ODD
from tests.hostile.xml_bodies import UNREADABLE

METHODS = st.one_of(
    st.sampled_from(
        ("GET", "HEAD", "POST", "OPTIONS", "PROPFIND", "REPORT", "LOCK", "UNLOCK", "ACL", "SEARCH", "TRACE")
    ),
    st.sampled_from(
        ("PUT", "DELETE", "PROPPATCH", "MKCOL", "MKCALENDAR", "COPY", "MOVE", "PATCH", "get", "", "\xff", "A B")
    ),
)
PIECES = st.sampled_from(
    (
        "anna",
        "bert",
        "calendar",
        "contacts",
        "a.ics",
        "c.vcf",
        "",
        ".",
        "..",
        "%2e%2e",
        "%2f",
        "%00",
        "%ff",
        "%",
        "é",
        "*",
        ".web",
        ".well-known",
        "caldav",
        ".sharing",
        "v1",
        ".token",
        ".mobileconfig",
        "inbox",
        "freebusy",
        "new",
        "~",
        "\\",
    )
)
PATHS = st.one_of(
    st.sampled_from(("/", "/anna/", HOME, f"{HOME}a.ics", f"{HOME}z.ics", "/anna/contacts/", "/anna/contacts/c.vcf")),
    st.lists(PIECES, max_size=5).map(lambda parts: "/" + "/".join(parts)),
)
BODIES = st.one_of(
    st.binary(max_size=200),
    st.sampled_from([Case("", "", "", 0, body=body).octets for _, body, _ in UNREADABLE if not callable(body)]),
    st.sampled_from([value.encode() if isinstance(value, str) else value for _, value, _ in ASKING.values()]),
    st.sampled_from(
        [Case("", "", "", 0, body=body).octets for _, body, _, _ in (*RULES, *TEXTS) if not callable(body)]
    ),
)
HEADERS = st.dictionaries(
    st.sampled_from([name for name in NAMES if name not in ("Authorization", "X-Script-Name", "Content-Length")]),
    st.one_of(
        st.sampled_from(ODD),
        st.sampled_from(("0", "1", "infinity", f"{HOME}z.ics", "/bert/calendar/z.ics")),
        st.text(st.characters(max_codepoint=255, blacklist_characters="\r\n\0"), max_size=30),
    ),
    max_size=4,
)


@pytest.fixture(scope="module")
def fuzzed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Application, Path]]:
    folder = tmp_path_factory.mktemp("fuzz") / "data"
    application = make_application(folder)
    assert application.store is not None
    for name in ("anna", "bert"):
        Accounts(application.store).create(name, PASSWORD)
        client = Client(application, name)
        assert client.put(f"/{name}/calendar/a.ics", event("a")).status == 201
        assert client.put(f"/{name}/contacts/c.vcf", card("c")).status == 201
    yield application, folder
    application.close()


def of_bert(folder: Path) -> dict[str, list[tuple[object, ...]]]:
    """What is stored of somebody else: the principal itself and all rows that name it as owner."""
    found = everything(folder)
    [bert] = [row[0] for row in found["principal"] if "bert" in row]
    return {table: [row for row in rows if row[0] == bert] for table, rows in found.items()}


@settings(max_examples=300, deadline=None, suppress_health_check=list(HealthCheck))
@given(method=METHODS, path=PATHS, headers=HEADERS, body=BODIES, user=st.sampled_from(("anna", "anna", "")))
def test_whatever_comes_is_answered_and_touches_nobody_else(
    fuzzed: tuple[Application, Path], method: str, path: str, headers: dict[str, str], body: bytes, user: str
) -> None:
    application, folder = fuzzed
    before = of_bert(folder)
    anna = Client(application)
    if anna.put(f"{HOME}a.ics", event("a")).status >= 400:  # deleted by what came before
        anna.mkcalendar(HOME)
        anna.put(f"{HOME}a.ics", event("a"))
    answer = Client(application, user).request(method, path, body, **headers)
    assert answer.status < 500 or answer.status == 501 or (answer.status == 502 and "Destination" in headers), answer
    assert of_bert(folder) == before
    if user == "":
        assert b"BEGIN:V" not in answer.body
