"""Radicale's storage contract, spoken directly."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from hashlib import sha256
from pathlib import Path

import pytest
from radicale.item import Item
from radicale.storage import BaseCollection, ComponentNotFoundError

from calsync.accounts.accounts import Accounts
from calsync.ical.facts import calendar_object
from calsync.store import items
from calsync.store.errors import Full, ReadOnly
from calsync_storage import Collection, Storage
from calsync_storage.writing import refusals
from tests.plugins.stock import card, configuration, event


@pytest.fixture
def storage(folder: Path, accounts: Accounts) -> Storage:
    made = Storage(configuration(folder))
    made.create_collection("/anna/cal/", props={"tag": "VCALENDAR"})
    made.create_collection("/anna/book/", props={"tag": "VADDRESSBOOK"})
    return made


@pytest.fixture
def calendar(storage: Storage) -> Collection:
    return at(storage, "/anna/cal/")


def at(storage: Storage, path: str) -> Collection:
    found = next(iter(storage.discover(path)))
    assert isinstance(found, Collection)
    return found


def item(text: str) -> Item:
    return Item(collection_path="x", text=text)


def hrefs(storage: Storage, path: str = "/anna/cal/") -> list[str]:
    return [found.href or "" for found in at(storage, path).get_all()]


def test_radicale_makes_two_storages_a_process_of_one_store(folder: Path, storage: Storage) -> None:
    other = Storage(configuration(folder))
    assert other.session is storage.session
    with storage.acquire_lock("w", "anna"):
        at(storage, "/anna/cal/").upload("a.ics", item(event("a")))
        with other.acquire_lock("r"):
            assert hrefs(other) == ["a.ics"]
        with other.acquire_lock("w", path="/x", request="PUT", actor="anna"):
            at(other, "/anna/cal/").upload("b.ics", item(event("b")))
    assert hrefs(storage) == ["a.ics", "b.ics"]


def test_a_read_lock_is_a_snapshot(storage: Storage, calendar: Collection) -> None:
    def write() -> None:
        with storage.acquire_lock("w"):
            at(storage, "/anna/cal/").upload("a.ics", item(event("a")))

    with storage.acquire_lock("r"):
        token, _ = at(storage, "/anna/cal/").sync()
        thread = threading.Thread(target=write)
        thread.start()
        thread.join()
        assert hrefs(storage) == []
        assert at(storage, "/anna/cal/").sync()[0] == token
    assert hrefs(storage) == ["a.ics"]


def test_a_failure_that_radicale_catches_inside_its_lock_changes_nothing(storage: Storage) -> None:
    with storage.acquire_lock("w"):
        found = at(storage, "/anna/cal/")
        found.upload("a.ics", item(event("a")))
        with pytest.raises(ValueError, match="UID"):
            found.upload("b.ics", item(event("a")))
        with pytest.raises(ValueError, match="two items"):
            storage.create_collection(
                "/anna/book/",
                [item(card("x")), item(card("x", "Other"))],
                {"tag": "VADDRESSBOOK", "D:displayname": "X"},
            )
    assert hrefs(storage) == ["a.ics"]
    assert at(storage, "/anna/book/").get_meta() == {"tag": "VADDRESSBOOK"}


def test_a_failure_that_leaves_the_lock_undoes_all_of_it(storage: Storage) -> None:
    with pytest.raises(RuntimeError), storage.acquire_lock("w"):
        at(storage, "/anna/cal/").upload("a.ics", item(event("a")))
        raise RuntimeError
    assert hrefs(storage) == []


def test_the_text_is_stored_as_it_is_given(storage: Storage, calendar: Collection) -> None:
    odd = event("a", more="URL:https://e.com/a,b\r\nX-A;B=c:geo:48.85,2.29\r\nNOTE:\u00fc\t\r\n").replace(
        "SUMMARY:a", "SUMMARY:a\r\n  b"
    )
    uploaded, old = calendar.upload("a.ics", item(odd))
    assert old is None and uploaded.serialize() == odd
    ((_, found),) = calendar.get_multi(["a.ics"])
    assert found is not None
    assert (found.serialize(), found.etag, found.uid) == (odd, Item(collection_path="x", text=odd).etag, "a")
    assert (found.name, found.component_name) == ("VCALENDAR", "VEVENT")
    assert found.vobject_item.vevent.uid.value == "a"


def test_what_was_replaced_is_given_back(calendar: Collection) -> None:
    calendar.upload("a.ics", item(event("a")))
    new, old = calendar.upload("a.ics", item(event("a", more="LOCATION:x\r\n")))
    assert old is not None and "LOCATION" not in old.serialize() and "LOCATION" in new.serialize()


@pytest.mark.parametrize(
    "name", [".hidden.ics", "quote'.ics", "q?.ics", "colon:.ics", "ü x.ics", "a%2Fb.ics", "trailing "]
)
def test_any_name_that_a_url_can_carry(calendar: Collection, storage: Storage, name: str) -> None:
    calendar.upload(name, item(event("a")))
    found = next(iter(storage.discover(f"/anna/cal/{name}")))
    assert isinstance(found, Item) and found.href == name
    assert hrefs(storage) == [name]


@pytest.mark.parametrize("name", ["", ".", "..", "a/b", "a\nb", "a\x00"])
def test_other_names_are_refused(calendar: Collection, name: str) -> None:
    with pytest.raises(ValueError, match="unsafe"):
        calendar.upload(name, item(event("a")))


def test_the_names_that_are_asked_for_are_consumed_whole(storage: Storage) -> None:
    asked = []

    def names() -> Iterator[str]:
        for name in ("x", "a.ics", "x"):
            asked.append(name)
            yield name

    for path in ("/anna/cal/", "/anna/", "/"):
        asked.clear()
        assert dict(at(storage, path).get_multi(names())) == {"x": None, "a.ics": None}
        assert len(asked) == 3


def test_what_does_not_exist(storage: Storage, calendar: Collection) -> None:
    for path in ("/nobody/", "/anna/none/", "/anna/cal/none.ics", "/anna/cal/none/x.ics", "/anna/x.ics"):
        assert list(storage.discover(path, "1")) == []
    with pytest.raises(ComponentNotFoundError):
        calendar.delete("none.ics")
    assert not calendar.has_uid("none") and not calendar.has_uid("")
    assert [found.path for found in storage.discover("/") if isinstance(found, BaseCollection)] == [""]


def test_children_are_found_in_the_order_of_their_making_and_guarded_one_by_one(storage: Storage) -> None:
    at(storage, "/anna/cal/").upload("a.ics", item(event("a")))
    guarded = []

    @contextmanager
    def guard(path: str, href: str | None) -> Iterator[None]:
        guarded.append((path, href))
        yield

    home = list(storage.discover("/anna/", "1", guard))
    assert [found.path for found in home if isinstance(found, Collection)] == ["anna", "anna/cal", "anna/book"]
    assert guarded == [("anna/cal", None), ("anna/book", None)]
    guarded.clear()
    assert len(list(storage.discover("/anna/cal/", "1", guard, set()))) == 2
    assert guarded == [("anna/cal", "a.ics")]
    homes = list(storage.discover("/", "1"))
    assert [found.path for found in homes if isinstance(found, Collection)] == ["", "anna", "bob"]


def test_collections_of_groups_are_found_beside_ones_own(storage: Storage) -> None:
    storage.create_collection("/GROUPS/c3RhZmY=/", props={"tag": "VCALENDAR"})
    home = list(storage.discover("/anna/", "1", user_groups={"staff", "others"}))
    assert isinstance(home[-1], Collection) and home[-1].path == "GROUPS/c3RhZmY="


def test_plain_collections_hold_collections_and_are_made_on_the_way(storage: Storage) -> None:
    storage.create_collection("/anna/a/b/cal/", props={"tag": "VCALENDAR"})
    assert at(storage, "/anna/a/").tag == "" and at(storage, "/anna/a/b/cal/").tag == "VCALENDAR"
    made, _, _ = storage.create_collection("/anna/a/")
    assert [found.path for found in storage.discover("/anna/a/", "1")] == ["anna/a", "anna/a/b"]
    made.delete()
    assert list(storage.discover("/anna/a/b/cal/")) == []
    with pytest.raises(ValueError, match="holds no collections"):
        storage.create_collection("/anna/cal/inner/", props={"tag": "VCALENDAR"})


def test_a_collection_is_replaced_whole_and_names_what_is_new(storage: Storage) -> None:
    storage.create_collection("/anna/cal/", [item(event("a")), item(event("b"))], {"tag": "VCALENDAR"})
    _, _, new = storage.create_collection("/anna/cal/", [item(event("b")), item(event("c"))], {"tag": "VCALENDAR"})
    assert new == ["c.ics"]
    assert hrefs(storage) == ["b.ics", "c.ics"]
    storage.create_collection("/anna/cal/", [item(card("x"))], {"tag": "VADDRESSBOOK"})
    assert at(storage, "/anna/cal/").tag == "VADDRESSBOOK" and hrefs(storage) == ["x.vcf"]


def test_existing_collections_are_left_alone_without_properties(storage: Storage) -> None:
    at(storage, "/anna/cal/").upload("a.ics", item(event("a")))
    found, replaced, new = storage.create_collection("/anna/cal/")
    assert (found.tag, replaced, new) == ("VCALENDAR", {}, [])
    assert hrefs(storage) == ["a.ics"]


def test_homes_that_differ_in_case_are_not_each_others(storage: Storage) -> None:
    # htpasswd tells Anna from anna: they may be two people.
    assert list(storage.discover("/Anna/")) == []
    assert list(storage.discover("/Anna/cal/")) == []
    with pytest.raises(ValueError, match="lc_username"):
        storage.create_collection("/Anna/")
    with pytest.raises(ValueError, match="server's own"):
        storage.create_collection("/.web/")


def test_the_root_is_there_and_stays(storage: Storage) -> None:
    root = at(storage, "/")
    assert (root.path, root.tag, root.get_meta(), list(root.get_all())) == ("", "", {}, [])
    for change in (root.delete, lambda: root.set_meta({}), lambda: root.upload("a.ics", item(event("a")))):
        with pytest.raises(ValueError, match=r"root|holds no items"):
            change()


def test_an_empty_collection_may_become_one_of_another_kind(storage: Storage, calendar: Collection) -> None:
    calendar.set_meta({"tag": "VADDRESSBOOK", "D:displayname": "x"})
    assert at(storage, "/anna/cal/").get_meta() == {"tag": "VADDRESSBOOK", "D:displayname": "x"}
    with pytest.raises(ValueError, match="stays so"):
        calendar.set_meta({"D:displayname": "x"})
    with pytest.raises(ValueError, match="property name"):
        calendar.set_meta({"tag": "VADDRESSBOOK", "nonsense": "x"})


def test_a_full_disk_and_a_locked_one_are_told_as_radicale_knows_them() -> None:
    with pytest.raises(ValueError, match=r"\[Errno 28\]"), refusals():
        raise Full("no space left")
    with pytest.raises(ValueError, match=r"\[Errno 13\]"), refusals():
        raise ReadOnly("read only")


def test_many_items_come_page_by_page_and_each_once(storage: Storage) -> None:
    many = [item(event(f"e{number:04}")) for number in range(1203)]
    storage.create_collection("/anna/cal/", many, {"tag": "VCALENDAR"})
    found = hrefs(storage)
    assert len(found) == len(set(found)) == 1203
    token, first = at(storage, "/anna/cal/").sync()
    assert sorted(first) == sorted(found)
    storage.create_collection("/anna/cal/", many[:1], {"tag": "VCALENDAR"})
    assert len(list(at(storage, "/anna/cal/").sync(token)[1])) == 1202


@pytest.mark.parametrize(
    ("octets", "text"),
    [
        # A phone folded in the middle of a letter: the store has these octets, XML and vobject need the letter.
        (
            event("a", more="LOCATION:caf@\r\n").encode().replace(b"@", b"\xc3\r\n \xa9"),
            event("a", more="LOCATION:café\r\n"),
        ),
        (b"\xef\xbb\xbf" + event("a").encode(), "\ufeff" + event("a")),
        (
            event("a", more="X-Y:z\r\n").replace("\r\n", "\n").encode(),
            event("a", more="X-Y:z\r\n").replace("\r\n", "\n"),
        ),
    ],
)
def test_what_calsync_has_stored_verbatim_is_readable_here(
    storage: Storage, calendar: Collection, octets: bytes, text: str
) -> None:
    with storage.session.write() as tx:
        items.put(tx, calendar.holding(), "a.ics", calendar_object(octets, window=storage.session.store.window))
    ((_, found),) = calendar.get_multi(["a.ics"])
    assert found is not None and found.serialize() == text
    assert found.etag == f'"{sha256(octets).hexdigest()}"'
    assert found.vobject_item.vevent.uid.value == "a"
