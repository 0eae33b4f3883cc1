"""Principal searches and expand-property."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from calsync.accounts.accounts import Accounts
from tests.dav.conftest import PASSWORD, Answer, Client, make_application


def search(client: Client, text: str) -> Answer:
    return client.report(
        "/",
        '<principal-property-search xmlns="DAV:"><property-search><prop><displayname/></prop>'
        f"<match>{text}</match></property-search><prop><displayname/></prop></principal-property-search>",
    )


def test_a_search_finds_oneself_and_nobody_else(anna: Client) -> None:
    assert search(anna, "ann").statuses == {"/anna/": None}
    assert search(anna, "ber").statuses == {}


@pytest.fixture
def open_directory(tmp_path: Path) -> Iterator[Client]:
    application = make_application(tmp_path / "open", calsync={"directory": "all"})
    assert application.store is not None
    accounts = Accounts(application.store)
    accounts.create("anna", PASSWORD)
    accounts.create("bert", PASSWORD)
    yield Client(application)
    application.store.close()


def test_an_open_directory_finds_everybody(open_directory: Client) -> None:
    assert search(open_directory, "ber").statuses == {"/bert/": None}


def test_search_property_set(anna: Client) -> None:
    answer = anna.report("/", '<principal-search-property-set xmlns="DAV:"/>')
    assert answer.status == 200
    assert b"displayname" in answer.body


def test_principal_match(anna: Client) -> None:
    answer = anna.report("/", '<principal-match xmlns="DAV:"><self/><prop><displayname/></prop></principal-match>')
    assert answer.statuses == {"/anna/": None}


def test_expand_property_is_nested(anna: Client) -> None:
    body = '<expand-property xmlns="DAV:"><property name="current-user-principal"><property name="displayname"/><property name="owner"><property name="displayname"/></property></property></expand-property>'
    answer = anna.report("/anna/calendar/", body)
    element = answer.prop("/anna/calendar/", "{DAV:}current-user-principal")[1]
    assert element.findtext(".//{DAV:}response/{DAV:}href") == "/anna/"
    assert "anna" in [name.text for name in element.iter("{DAV:}displayname")]


def test_expand_property_with_nothing_inside(anna: Client) -> None:
    """clients.md 34."""
    assert anna.report("/anna/", '<expand-property xmlns="DAV:"/>').status == 207
