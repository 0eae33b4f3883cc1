from __future__ import annotations

from pathlib import Path

import pytest

from calsync.store import collections, items, principals
from calsync.store.engine import Store
from calsync.transfer.choosing import chosen
from calsync.transfer.report import Outcome, Report
from calsync.transfer.source import SourceError
from calsync.transfer.taking import Taking
from tests import generator
from tests.store.objects import collection_of

EVENT = generator.event(1).octets
UID = generator.event(1).uid


def _take(
    store: Store, path: Path, *, user: str | None = "anna", collection: str | None = None, dry_run: bool = False
) -> Report:
    report = Report()
    taking = Taking(store, report, dry_run)
    for one in chosen(path, report, user=user, collection=collection):
        taking.user(one)
    return report


def _items(store: Store, *names: str) -> dict[str, bytes]:
    with store.read() as tx:
        principal = principals.find(tx, "anna")
        collection = collections.find(tx, principal, names) if principal else None
        if collection is None:
            return {}
        rows = items.page(tx, collection, 0, 1000)
        found = [items.get_by_id(tx, collection, row.id) for row in rows]
        return {item.href: items.body(tx, item) for item in found if item is not None}


def _folder(tmp_path: Path, files: dict[str, bytes], *, props: str = '{"tag": "VCALENDAR"}') -> Path:
    home = tmp_path / "radicale" / "collection-root" / "anna" / "home"
    home.mkdir(parents=True, exist_ok=True)
    (home / ".Radicale.props").write_text(props)
    for name, octets in files.items():
        (home / name).write_bytes(octets)
    return tmp_path / "radicale"


def test_twice_changes_nothing(store: Store, tmp_path: Path) -> None:
    folder = _folder(tmp_path, {resource.href: resource.octets for resource in generator.events(250)})
    assert _take(store, folder, user=None).summary() == "250 taken"
    with store.read() as tx:
        before = [(one.name, one.seq) for one in principals.listing(tx)]
    assert _take(store, folder, user=None).summary() == "250 already there"
    with store.read() as tx:
        assert [(one.name, one.seq) for one in principals.listing(tx)] == before


def test_twice_from_a_file_changes_nothing(store: Store, tmp_path: Path) -> None:
    file = tmp_path / "cards.vcf"
    file.write_bytes(
        b"".join(one.octets for one in generator.contacts(20)) + b"BEGIN:VCARD\nVERSION:3.0\nFN:A\nEND:VCARD\n"
    )
    first = _take(store, file)
    assert first.summary() == "21 taken" and [one.reason for one in first.remarkable] == ["given a UID"]
    assert _take(store, file).summary() == "21 already there"


def test_what_differs_is_replaced(store: Store, tmp_path: Path) -> None:
    folder = _folder(tmp_path, {"1.ics": EVENT})
    _take(store, folder, user=None)
    _folder(tmp_path, {"1.ics": generator.event(1, revision=1).octets})
    assert _take(store, folder, user=None).summary() == "1 replaced"
    assert _items(store, "home") == {"1.ics": generator.event(1, revision=1).octets}


def test_one_bad_item_is_told_and_the_rest_taken(store: Store, tmp_path: Path) -> None:
    files = {resource.href: resource.octets for resource in generator.events(3)} | {"bad.ics": b"BEGIN:VCALENDAR\r\n"}
    report = _take(store, _folder(tmp_path, files), user=None)
    assert report.summary() == "3 taken, 1 refused" and not report.complete
    (told,) = report.remarkable
    assert told.target == "/anna/home/bad.ics" and told.reason


def test_what_radicale_served_mended_is_taken_mended(store: Store, tmp_path: Path) -> None:
    report = _take(store, _folder(tmp_path, {"1.ics": EVENT.replace(b"SUMMARY:", b"SUMMARY:\x08")}), user=None)
    assert [(one.outcome, one.reason) for one in report.remarkable] == [(Outcome.TAKEN, "control characters taken out")]
    assert _items(store, "home") == {"1.ics": EVENT}


def test_a_uid_twice_in_a_calendar_is_told(store: Store, tmp_path: Path) -> None:
    report = _take(
        store, _folder(tmp_path, {"1.ics": EVENT, "2.ics": generator.event(1, revision=1).octets}), user=None
    )
    assert report.summary() == "1 taken, 1 refused"
    assert "1.ics" in report.remarkable[0].reason
    assert set(_items(store, "home")) == {"1.ics"}


def test_a_file_meets_what_a_client_stored_under_another_name(store: Store, tmp_path: Path) -> None:
    _take(store, _folder(tmp_path, {"from-phone.ics": EVENT}), user=None)
    file = tmp_path / "export.ics"
    file.write_bytes(generator.event(1, revision=1).octets)
    assert _take(store, file, collection="home").summary() == "1 replaced"
    assert set(_items(store, "home")) == {"from-phone.ics"}


def test_a_dry_run_writes_nothing(store: Store, tmp_path: Path) -> None:
    files = {"1.ics": EVENT, "2.ics": generator.event(1, revision=1).octets, "bad.ics": b"x"}
    report = _take(store, _folder(tmp_path, files), user=None, dry_run=True)
    assert report.summary() == "1 taken, 2 refused"
    with store.read() as tx:
        assert principals.listing(tx) == []


def test_changed_properties_of_a_collection_stay(store: Store, tmp_path: Path) -> None:
    folder = _folder(
        tmp_path, {"1.ics": EVENT}, props='{"tag": "VCALENDAR", "D:displayname": "old", "ICAL:calendar-color": "#1"}'
    )
    _take(store, folder, user=None)
    with store.write() as tx:
        home = collection_of(tx, "anna", "home")
        collections.set_properties(tx, home, {"{DAV:}displayname": '<D:displayname xmlns:D="DAV:">new</D:displayname>'})
    _take(store, folder, user=None)
    with store.read() as tx:
        home = collection_of(tx, "anna", "home")
        assert "new" in home.properties["{DAV:}displayname"]


def test_a_reserved_name_is_changed_the_same_way_each_time(store: Store, tmp_path: Path) -> None:
    folder = _folder(tmp_path, {"1.ics": EVENT})
    (folder / "collection-root/anna/home").rename(folder / "collection-root/anna/trash")
    report = _take(store, folder, user=None)
    assert "/anna/trash-imported/" in report.notices[0]
    assert _take(store, folder, user=None).summary() == "1 already there"
    assert set(_items(store, "trash-imported")) == {"1.ics"}


def test_names_that_differ_in_case_only_are_told(store: Store, tmp_path: Path) -> None:
    folder = _folder(tmp_path, {"1.ics": EVENT})
    other = folder / "collection-root" / "Anna" / "home"
    other.mkdir(parents=True)
    (other / ".Radicale.props").write_text('{"tag": "VCALENDAR"}')
    (other / "2.ics").write_bytes(generator.event(2).octets)
    report = _take(store, folder, user=None)
    assert report.summary() == "1 taken, 1 refused"
    assert "case" in report.remarkable[0].reason


def test_a_collection_of_another_kind_is_not_touched(store: Store, tmp_path: Path) -> None:
    _take(store, _folder(tmp_path, {"1.ics": EVENT}), user=None)
    file = tmp_path / "home.vcf"
    file.write_bytes(generator.contact(1).octets)
    report = _take(store, file)
    assert report.summary() == "1 refused" and "a calendar" in report.remarkable[0].reason


def test_a_collections_components_are_heeded_for_files(store: Store, tmp_path: Path) -> None:
    events = '{"tag": "VCALENDAR", "C:supported-calendar-component-set": "VEVENT"}'
    _take(store, _folder(tmp_path, {"1.ics": EVENT}, props=events), user=None)
    file = tmp_path / "task.ics"
    file.write_bytes(generator.task(1).octets)
    assert _take(store, file, collection="home").summary() == "1 refused"


def test_components_are_not_enforced_on_what_radicale_kept(store: Store, tmp_path: Path) -> None:
    events = '{"tag": "VCALENDAR", "C:supported-calendar-component-set": "VEVENT"}'
    assert _take(store, _folder(tmp_path, {"t.ics": generator.task(1).octets}, props=events), user=None).complete


def test_a_users_folder_becomes_another_users(store: Store, tmp_path: Path) -> None:
    folder = _folder(tmp_path, {"1.ics": EVENT}) / "collection-root" / "anna"
    report = _take(store, folder, user="anna")
    assert report.summary() == "1 taken" and set(_items(store, "home")) == {"1.ics"}


def test_one_collections_folder(store: Store, tmp_path: Path) -> None:
    folder = _folder(tmp_path, {"1.ics": EVENT}) / "collection-root" / "anna" / "home"
    _take(store, folder, collection="elsewhere")
    assert set(_items(store, "elsewhere")) == {"1.ics"}


def test_whose_it_becomes_must_be_said(store: Store, tmp_path: Path) -> None:
    file = tmp_path / "a.ics"
    file.write_bytes(EVENT)
    with pytest.raises(SourceError, match="--user"):
        _take(store, file, user=None)
