from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from calsync.transfer.radicale_folder import RadicaleFolder
from calsync.transfer.source import SourceItem, SourceUser, Unreadable


@pytest.fixture
def root(tmp_path: Path) -> Path:
    root = tmp_path / "collection-root"
    (root / "anna" / "home").mkdir(parents=True)
    (root / "anna" / "home" / ".Radicale.props").write_text(
        json.dumps({"tag": "VCALENDAR", "D:displayname": "Zuhause", "C:supported-calendar-component-set": "VEVENT"})
    )
    (root / "anna" / "home" / "1.ics").write_bytes(b"octets")
    return root


def _user(root: Path) -> SourceUser:
    found = RadicaleFolder.find(root.parent)
    assert found is not None
    (user,) = found.users()
    return user


def _names(root: Path) -> list[str]:
    return [item.href or "" for item in _user(root).collections[0].items() if isinstance(item, SourceItem)]


def test_it_is_found_by_either_name(root: Path, tmp_path: Path) -> None:
    assert RadicaleFolder.find(root) == RadicaleFolder.find(root.parent) == RadicaleFolder(root)
    assert RadicaleFolder.find(root / "anna") is None


def test_a_collection_with_its_properties(root: Path) -> None:
    (collection,) = _user(root).collections
    assert (collection.names, collection.kind, collection.components) == (("home",), "calendar", ("VEVENT",))
    assert "Zuhause" in collection.properties["{DAV:}displayname"]
    assert collection.count == 1 and _names(root) == ["1.ics"]


def test_what_radicale_does_not_serve_is_left(root: Path) -> None:
    home = root / "anna" / "home"
    (home / ".Radicale.cache").mkdir()
    (home / ".hidden.ics").write_bytes(b"")
    (home / "backup.ics~").write_bytes(b"")
    assert _names(root) == ["1.ics"]


def test_hrefs_are_the_file_names(root: Path) -> None:
    odd = ["quote'.ics", "q?.ics", "colon:.ics", "a%20b.ics", "Grüße ☕.ics", "nfd-u\u0308.ics", "no ending"]
    for name in odd:
        (root / "anna" / "home" / name).write_bytes(name.encode())
    assert sorted(_names(root)) == sorted(["1.ics", *odd])


def test_a_name_that_is_no_utf_8_is_told(root: Path) -> None:
    (Path(os.fsdecode(os.fsencode(root / "anna" / "home") + b"/\xff.ics"))).write_bytes(b"")
    (problem,) = _user(root).problems
    assert "UTF-8" in problem.reason and not problem.skipped


def test_properties_that_a_power_cut_emptied_do_not_cost_the_items(root: Path) -> None:
    (root / "anna" / "home" / ".Radicale.props").write_text("")
    user = _user(root)
    assert [(one.kind, one.count) for one in user.collections] == [("calendar", 1)]
    assert "JSON" in user.problems[0].reason


def test_nested_collections_and_plain_files(root: Path) -> None:
    inner = root / "anna" / "archive" / "2020"
    inner.mkdir(parents=True)
    (inner / ".Radicale.props").write_text('{"tag": "VADDRESSBOOK"}')
    (root / "anna" / "archive" / "readme.txt").write_text("")
    plain, book, _ = _user(root).collections
    assert (plain.names, plain.kind) == (("archive",), "plain")
    assert (book.names, book.kind) == (("archive", "2020"), "addressbook")
    (skipped,) = plain.items()
    assert isinstance(skipped, Unreadable) and skipped.skipped


def test_a_link_is_taken_with_a_word(root: Path) -> None:
    (root / "anna" / "shared").symlink_to(root / "anna" / "home")
    shared = next(one for one in _user(root).collections if one.names == ("shared",))
    assert shared.count == 1 and "link" in shared.notices[0]


def test_a_link_to_its_own_parent_ends(root: Path) -> None:
    (root / "anna" / "home" / "loop").symlink_to(root / "anna")
    assert [problem.skipped for problem in _user(root).problems] == [True]


def test_files_in_another_encoding(root: Path) -> None:
    (root / "anna" / "home" / "1.ics").write_bytes("Grüße".encode("latin-1"))
    (user,) = RadicaleFolder(root, "latin-1").users()
    (item,) = user.collections[0].items()
    assert isinstance(item, SourceItem) and item.octets == "Grüße".encode()
