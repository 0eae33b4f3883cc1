from collections.abc import Iterator
from pathlib import Path

import pytest

from calsync.accounts.newcomer import First, provision
from calsync.store import collections, principals
from calsync.store.engine import Store
from calsync.store.principals import Principal
from calsync.store.transaction import Transaction


@pytest.fixture
def tx(tmp_path: Path) -> Iterator[Transaction]:
    store = Store.open(f"sqlite:///{tmp_path}/calsync.db")
    with store.write() as opened:
        yield opened
    store.close()


@pytest.fixture
def anna(tx: Transaction) -> Principal:
    return principals.create(tx, "anna")


def test_the_address_book_comes_first_and_events_and_tasks_are_apart(tx: Transaction, anna: Principal) -> None:
    provision(tx, anna)
    home = collections.children(tx, anna.id)
    assert [(made.name, made.kind, made.components) for made in home] == [
        ("contacts", "addressbook", ()),
        ("calendar", "calendar", ("VEVENT",)),
        ("tasks", "calendar", ("VTODO",)),
    ]
    assert home[0].properties == {"{DAV:}displayname": '<D:displayname xmlns:D="DAV:">Contacts</D:displayname>'}


def test_predefined_collections_win(tx: Transaction, anna: Principal) -> None:
    provision(tx, anna, [First("work", "calendar")])
    assert [made.name for made in collections.children(tx, anna.id)] == ["work"]


def test_none_predefined_means_none(tx: Transaction, anna: Principal) -> None:
    assert provision(tx, anna, []) == []


def test_a_home_that_holds_something_is_left_alone(tx: Transaction, anna: Principal) -> None:
    collections.create(tx, anna, 0, "old", "calendar")
    assert provision(tx, anna) == []
    assert [made.name for made in collections.children(tx, anna.id)] == ["old"]
