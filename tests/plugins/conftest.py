from collections.abc import Iterator
from pathlib import Path

import pytest
from radicale.app import Application

from calsync.accounts.accounts import Accounts
from calsync_storage.session import session
from tests.plugins.stock import BOOK, Dav, configuration, store_url


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "collections"


@pytest.fixture
def accounts(folder: Path) -> Iterator[Accounts]:
    """anna and bob, in the store that the plugins use by default."""
    opened = session(store_url(folder))
    made = Accounts(opened.store)
    made.create("anna", "secret")
    made.create("bob", "secret")
    yield made
    opened.close()


@pytest.fixture
def dav(folder: Path, accounts: Accounts) -> Dav:
    """anna, with a calendar and an address book."""
    made = Dav(Application(configuration(folder)))
    assert made("MKCALENDAR", "/anna/cal/").status == 201
    assert made("MKCOL", "/anna/book/", BOOK).status == 201
    return made
