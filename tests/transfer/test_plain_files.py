from __future__ import annotations

from pathlib import Path

import pytest

from calsync.transfer import plain_files
from calsync.transfer.plain_files import STDIN, collections
from calsync.transfer.source import SourceCollection, SourceError, SourceItem
from tests import generator


def _event(uid: str, component: str = "VEVENT") -> bytes:
    return (
        f"BEGIN:VCALENDAR\r\nVERSION:2.0\r\nPRODID:x\r\nBEGIN:{component}\r\nUID:{uid}\r\nDTSTAMP:20250101T000000Z\r\n"
        f"DTSTART:20250101T100000Z\r\nEND:{component}\r\nEND:VCALENDAR\r\n"
    ).encode()


def _octets(collection: SourceCollection) -> list[bytes]:
    return [item.octets for item in collection.items() if isinstance(item, SourceItem)]


def test_a_calendar_file_is_a_collection_of_its_name(tmp_path: Path) -> None:
    whole = generator.whole_calendar(generator.events(5)).replace(
        b"VERSION", b"X-WR-CALNAME:Mein Kalender\r\nVERSION", 1
    )
    (tmp_path / "Privat.ics").write_bytes(whole)
    (found,), problems = collections(tmp_path / "Privat.ics")
    assert (found.names, found.kind, found.components, found.count) == (("privat",), "calendar", ("VEVENT",), 5)
    assert "Mein Kalender" in found.properties["{DAV:}displayname"]
    assert not problems and len(_octets(found)) == 5


def test_events_and_tasks_are_parted(tmp_path: Path) -> None:
    file = tmp_path / "alles.ics"
    file.write_bytes(_event("1") + _event("2", "VTODO") + _event("3"))
    found, _ = collections(file)
    assert {(one.names[0], one.components, one.count) for one in found} == {
        ("alles", ("VEVENT",), 2),
        ("alles-tasks", ("VTODO",), 1),
    }


def test_a_named_collection_takes_all_of_it(tmp_path: Path) -> None:
    file = tmp_path / "alles.ics"
    file.write_bytes(_event("1") + _event("2", "VTODO"))
    (found,), _ = collections(file, name="home")
    assert (found.names, found.components, found.count) == (("home",), ("VEVENT", "VTODO"), 2)


def test_a_vdir_is_one_collection_with_its_name_and_colour(tmp_path: Path) -> None:
    vdir = tmp_path / "Work"
    vdir.mkdir()
    for resource in generator.events(3):
        (vdir / resource.href).write_bytes(resource.octets)
    (vdir / "displayname").write_text("Arbeit\n")
    (vdir / "color").write_text("#112233")
    (found,), _ = collections(tmp_path)
    assert found.names == ("work",)
    assert _octets(found) == sorted((one.octets for one in generator.events(3)), key=_octets(found).index)
    assert "Arbeit" in found.properties["{DAV:}displayname"]
    assert "#112233" in found.properties["{http://apple.com/ns/ical/}calendar-color"]


def test_a_folder_of_both_kinds(tmp_path: Path) -> None:
    (tmp_path / "a.ics").write_bytes(generator.whole_calendar(generator.events(2)))
    (tmp_path / "b.vcf").write_bytes(b"".join(one.octets for one in generator.contacts(3)))
    (tmp_path / "notes.txt").write_text("no calendar")
    found, problems = collections(tmp_path)
    assert {(one.names[0], one.kind, one.count) for one in found} == {("a", "calendar", 2), ("b", "addressbook", 3)}
    assert not problems


def test_standard_input_is_recognised() -> None:
    (found,), _ = collections(STDIN, stdin=b"".join(one.octets for one in generator.contacts(2)))
    assert (found.names, found.kind, found.count) == (("imported",), "addressbook", 2)


def test_a_bad_file_is_a_problem_and_not_the_end(tmp_path: Path) -> None:
    (tmp_path / "good.vcf").write_bytes(b"".join(one.octets for one in generator.contacts(2)))
    (tmp_path / "bad.ics").write_bytes(b"\x00\x01 not a calendar")
    found, (problem,) = collections(tmp_path)
    assert [one.count for one in found] == [2]
    assert problem.place.endswith("bad.ics") and "neither" in problem.reason


def test_one_bad_object_of_a_file_is_told(tmp_path: Path) -> None:
    good = generator.contact(1).octets
    (tmp_path / "mixed.vcf").write_bytes(good + b"BEGIN:VCARD\r\nnonsense without a colon\r\nEND:VCARD\r\n" + good)
    (found,), _ = collections(tmp_path / "mixed.vcf")
    read = list(found.items())
    assert [isinstance(one, SourceItem) for one in read] == [True, False, True]


def test_windows_1252_is_read(tmp_path: Path) -> None:
    file = tmp_path / "alt.vcf"
    file.write_bytes("BEGIN:VCARD\r\nVERSION:3.0\r\nUID:1\r\nFN:Jörg\r\nEND:VCARD\r\n".encode("cp1252"))
    (found,), _ = collections(file)
    assert b"J\xc3\xb6rg" in _octets(found)[0]


def test_calendars_and_cards_do_not_share_a_collection(tmp_path: Path) -> None:
    (tmp_path / "a.ics").write_bytes(_event("1"))
    (tmp_path / "b.vcf").write_bytes(generator.contact(1).octets)
    with pytest.raises(SourceError, match="both"):
        collections(tmp_path, name="home")


def test_an_empty_folder_is_nothing(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match=r"no \.ics"):
        plain_files.collections(tmp_path)


def test_a_collection_without_a_name_of_its_own_is_called_like_the_file(tmp_path: Path) -> None:
    (tmp_path / "Privat & Büro.vcf").write_bytes(b"".join(one.octets for one in generator.contacts(2)))
    (found,), _ = collections(tmp_path / "Privat & Büro.vcf")
    assert found.names == ("privat-büro",)
    assert "Privat &amp; Büro" in found.properties["{DAV:}displayname"]
