"""Calendars and address books in plain files: .ics, .vcf, a folder of them, or standard input.

A file of many objects becomes a collection named after it. Files of a single object each (a vdir, as vdirsyncer and
khal keep them) become one collection named after their folder, with the displayname and color of the vdir. Events,
tasks and journals of one name are parted into collections of their own, because phones show a mixed one in two places.
With a collection named by the caller everything goes there.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from calsync.ical.whole import Rejected, calendar_properties, split_calendar, split_cards
from calsync.transfer.names import collection_name
from calsync.transfer.repair import repaired
from calsync.transfer.source import SourceCollection, SourceError, SourceItem, Unreadable
from calsync.webdav.names import DAV, ICAL, C, D
from calsync_storage.properties import element

ENDINGS: Final = {".ics": "calendar", ".ical": "calendar", ".ifb": "calendar", ".vcf": "card", ".vcard": "card"}
STDIN: Final = Path("-")

_CARD = re.compile(rb"(?im)^BEGIN:(VCARD|VLIST)\b")
_CALENDAR = re.compile(rb"(?im)^BEGIN:VCALENDAR\b")
_COMPONENT = re.compile(rb"(?im)^BEGIN:(VEVENT|VTODO|VJOURNAL|VFREEBUSY|VCARD|VLIST)\b")
_SUFFIX: Final = {"VTODO": "-tasks", "VJOURNAL": "-journals", "VCARD": "-contacts"}
_PROPERTIES: Final = {
    "X-WR-CALNAME": D("displayname"),
    "X-WR-CALDESC": C("calendar-description"),
    "X-APPLE-CALENDAR-COLOR": f"{{{ICAL}}}calendar-color",
}


_Objects = tuple[list[SourceItem | Unreadable], dict[str, str]]


@dataclass(slots=True)
class _Group:
    """What will be one collection: all objects of `components` in `files`."""

    components: set[str] = field(default_factory=set)
    files: dict[Path, int] = field(default_factory=dict)
    properties: dict[str, str] = field(default_factory=dict)


def collections(
    path: Path, *, name: str | None = None, stdin: bytes = b""
) -> tuple[list[SourceCollection], list[Unreadable]]:
    """The collections at `path` (`-`: the octets in `stdin`), and the files that hold none.

    Everything goes into the collection `name` where one is given. Raises `SourceError` where there is nothing to read.
    """
    reader = _Reader(path, stdin)
    files = reader.files()
    if not files:
        raise SourceError(f"{path}: no .ics or .vcf file in it")
    groups: dict[tuple[str, str], _Group] = {}
    problems: list[Unreadable] = []
    for file in files:
        try:
            objects, properties = reader.objects(file)
        except SourceError as error:
            problems.append(Unreadable(str(file), str(error)))
            continue
        good = [found for found in objects if isinstance(found, SourceItem)]
        if not good:
            problems += [found for found in objects if isinstance(found, Unreadable)] or [
                Unreadable(str(file), "holds no event, task or contact", skipped=True)
            ]
            continue
        single = len(objects) == 1 and path.is_dir()
        called = name or (reader.folder_name(file) if single else reader.own_name(file, properties))
        base = name or collection_name(called)
        for found in good:
            component = _component(found.octets)
            group = groups.setdefault((base, "" if name else component), _Group())
            group.components.add(component)
            group.files[file] = group.files.get(file, 0) + 1
            group.properties |= {D("displayname"): called} | (_vdir_properties(file.parent) if single else properties)
    return _named(reader, groups), problems


def _named(reader: _Reader, groups: Mapping[tuple[str, str], _Group]) -> list[SourceCollection]:
    found: list[SourceCollection] = []
    for (base, component), group in groups.items():
        cards = "VCARD" in group.components
        if cards and len(group.components) > 1:
            raise SourceError(f"holds both calendars and contacts, which cannot go into one collection ({base})")
        others = {other for other_base, other in groups if other_base == base} - {component}
        # The events keep the name; alone, anything does.
        url_name = base + _SUFFIX.get(component, "") if others and component != "VEVENT" else base
        found.append(_collection(reader, url_name, group, cards=cards))
    return found


def _collection(reader: _Reader, name: str, group: _Group, *, cards: bool) -> SourceCollection:
    def items() -> Iterator[SourceItem | Unreadable]:
        for file in group.files:
            for found in reader.objects(file)[0]:
                if isinstance(found, Unreadable) or _component(found.octets) in group.components:
                    yield found

    properties = {clark: text for clark, text in group.properties.items() if not (cards and clark.startswith("{urn:"))}
    return SourceCollection(
        names=(name,),
        kind="addressbook" if cards else "calendar",
        components=() if cards else tuple(sorted(group.components)),
        properties={clark: element(clark, text) for clark, text in properties.items()},
        items=items,
        count=sum(group.files.values()),
        place=str(next(iter(group.files))),
        enforced=True,
    )


@dataclass(frozen=True, slots=True)
class _Reader:
    """`_kept`: the objects of the only file there is, which need not be cut twice: to be counted and to be taken."""

    path: Path
    stdin: bytes
    _kept: list[_Objects] = field(default_factory=list)

    def files(self) -> list[Path]:
        if not self.path.is_dir():
            return [self.path]
        found = (file for file in self.path.rglob("*") if file.suffix.lower() in ENDINGS and file.is_file())
        return sorted(file for file in found if not any(part.startswith(".") for part in file.parts[-2:]))

    def folder_name(self, file: Path) -> str:
        return file.parent.absolute().name

    def own_name(self, file: Path, properties: Mapping[str, str]) -> str:
        if file == STDIN:
            return properties.get(D("displayname"), "imported")
        return file.stem

    def objects(self, file: Path) -> _Objects:
        """The objects of a file and what it says about the collection (property → text)."""
        if self.path.is_dir():
            return self._objects(file)
        if not self._kept:
            self._kept.append(self._objects(file))
        return self._kept[0]

    def _objects(self, file: Path) -> _Objects:
        place = "standard input" if file == STDIN else str(file)
        octets = self._read(file)
        modified = 0 if file == STDIN else int(file.stat().st_mtime)
        kind = _kind(octets)
        parts = _split(octets, kind)
        if not parts or any(isinstance(part, Rejected) for part in parts):
            # What is wrong may be wrong throughout, as a character set is; so the whole is mended, then cut again.
            mended = repaired(octets)
            again = _split(mended[0], kind or _kind(mended[0])) if mended else []
            if mended and _good(again) > _good(parts):
                octets, parts, kind = mended[0], again, kind or _kind(mended[0])
        if not kind:
            raise SourceError("is neither iCalendar nor vCard")
        found: list[SourceItem | Unreadable] = []
        for number, part in enumerate(parts, 1):
            where = f"{place} (object {number})" if len(parts) > 1 else place
            if isinstance(part, Rejected):
                found.append(Unreadable(where, part.reason, octets=part.octets))
            else:
                found.append(SourceItem(where, part, modified=modified))
        said = calendar_properties(octets) if kind == "calendar" else {}
        return found, {clark: said[key] for key, clark in _PROPERTIES.items() if said.get(key)}

    def _read(self, file: Path) -> bytes:
        if file == STDIN:
            return self.stdin
        try:
            return file.read_bytes()
        except OSError as error:
            raise SourceError(f"cannot be read: {error.strerror}") from error


def _kind(octets: bytes) -> str:
    """`calendar`, `card`, or empty where it is neither."""
    if _CALENDAR.search(octets):
        return "calendar"
    return "card" if _CARD.search(octets) else ""


def _split(octets: bytes, kind: str) -> list[bytes | Rejected]:
    if not kind:
        return []
    return split_calendar(octets) if kind == "calendar" else split_cards(octets)


def _good(parts: Sequence[bytes | Rejected]) -> int:
    return sum(isinstance(part, bytes) for part in parts)


def _component(octets: bytes) -> str:
    match = _COMPONENT.search(octets)
    name = match.group(1).decode().upper() if match else "VEVENT"
    return "VCARD" if name == "VLIST" else name


def _vdir_properties(folder: Path) -> dict[str, str]:
    """The name and colour that vdirsyncer keeps beside the items."""
    found: dict[str, str] = {}
    for file, clark in (("displayname", f"{{{DAV}}}displayname"), ("color", f"{{{ICAL}}}calendar-color")):
        try:
            text = (folder / file).read_text(encoding="utf-8").strip()
        except (OSError, UnicodeDecodeError):
            continue
        if text:
            found[clark] = text
    return found
