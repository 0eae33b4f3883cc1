"""The folder that Radicale 3 keeps (`[storage] type = multifilesystem`), read as plain files.

    collection-root/USER/.Radicale.props                 the user's own properties (JSON)
    collection-root/USER/COLLECTION/.Radicale.props      the kind ("tag") and properties of a collection
    collection-root/USER/COLLECTION/NAME.ics|NAME.vcf    one item a file; the file's name is the last part of its URL

Radicale serves no name that begins with a dot or ends with `~`; caches and temporary files are such names. Its ETag of
an item is the SHA-256 of the text it last wrote, in UTF-8: of the file's octets, unless `[encoding] stock` is another.
"""

from __future__ import annotations

import json
import os
import unicodedata
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from calsync.transfer.source import SourceCollection, SourceError, SourceItem, SourceUser, Unreadable
from calsync_storage.properties import Meta, from_radicale

ROOT: Final = "collection-root"
PROPS: Final = ".Radicale.props"
# Kinds whose items Radicale serves; files anywhere else it skips.
WITH_ITEMS: Final = ("calendar", "addressbook")


@dataclass(frozen=True, slots=True)
class RadicaleFolder:
    """`root`: the folder whose children are the users. `encoding`: of the files, `[encoding] stock`."""

    root: Path
    encoding: str = "utf-8"

    @classmethod
    def find(cls, path: Path, encoding: str = "utf-8") -> RadicaleFolder | None:
        """The storage at `path`: `filesystem_folder` itself or the `collection-root` in it."""
        if path.name == ROOT and path.is_dir():
            return cls(path, encoding)
        if (path / ROOT).is_dir():
            return cls(path / ROOT, encoding)
        return None

    def users(self) -> Iterator[SourceUser]:
        for folder in _folders(self.root):
            yield self.user(folder, folder.name)

    def stray(self) -> list[Unreadable]:
        """What lies beside the users' folders; Radicale cannot show it to anyone."""
        found = [Unreadable(str(file), "is in no user's folder", skipped=True) for file in _files(self.root)]
        return found + [Unreadable(os.fsencode(name).decode(errors="replace"), NO_NAME) for name in _odd(self.root)]

    def user(self, folder: Path, name: str) -> SourceUser:
        """The user whose folder this is, under `name`."""
        problems: list[Unreadable] = []
        notices: list[str] = []
        meta, problem = self._meta(folder)
        if problem:
            problems.append(problem)
        kind = meta.kind
        if kind in WITH_ITEMS:
            notices.append(f"{folder}: a {kind} at the top level is no user; import it with --user and --collection")
        for file in _files(folder):
            problems.append(Unreadable(str(file), f"is in no collection of {name}", skipped=kind not in WITH_ITEMS))
        collections = [found for child in _folders(folder) for found in self._tree(child, (child.name,), (folder,))]
        problems += [found for found in collections if isinstance(found, Unreadable)]
        problems += [Unreadable(f"{folder}/{odd!a}", NO_NAME) for odd in _odd(folder)]
        return SourceUser(
            name,
            meta.properties,
            [found for found in collections if isinstance(found, SourceCollection)],
            problems,
            notices,
        )

    def collection(self, folder: Path, names: tuple[str, ...]) -> tuple[SourceCollection, Unreadable | None]:
        """The collection that this folder is, without those in it, and what is wrong with its properties."""
        meta, problem = self._meta(folder)
        notices = [f"{folder / PROPS}: {key!r} is no property name, left out" for key in meta.unreadable]
        if folder.is_symlink():
            notices.append(
                f"{folder} is a link to {folder.resolve()}: taken as a collection of its own, so that changes to one "
                "no longer show in the other (share it instead)"
            )
        collection = SourceCollection(
            names=names,
            kind=meta.kind,
            components=meta.components,
            properties=meta.properties,
            items=lambda: self._items(folder, meta.kind),
            count=sum(1 for _ in _files(folder)),
            place=str(folder),
            notices=notices,
        )
        return collection, problem

    def _meta(self, folder: Path) -> tuple[Meta, Unreadable | None]:
        """A folder's properties. A file that a power cut emptied must not cost the items: their kind says enough."""
        try:
            return from_radicale(_props(folder, self.encoding)), None
        except ValueError as error:
            endings = {file.suffix.lower() for file in _files(folder)}
            tag = "VCALENDAR" if ".ics" in endings else "VADDRESSBOOK" if ".vcf" in endings else ""
            return from_radicale({"tag": tag}), Unreadable(str(folder / PROPS), f"{error}; its properties are left out")

    def _tree(
        self, folder: Path, names: tuple[str, ...], above: tuple[Path, ...]
    ) -> Iterator[SourceCollection | Unreadable]:
        if folder.is_symlink() and folder.resolve() in {parent.resolve() for parent in above}:
            yield Unreadable(str(folder), "is a link to a folder that it lies in", skipped=True)
            return
        collection, problem = self.collection(folder, names)
        yield collection
        if problem:
            yield problem
        for odd in _odd(folder):
            yield Unreadable(f"{folder}/{odd!a}", NO_NAME)
        for child in _folders(folder):
            yield from self._tree(child, (*names, child.name), (*above, folder))

    def _items(self, folder: Path, kind: str) -> Iterator[SourceItem | Unreadable]:
        for file in _files(folder):
            if kind not in WITH_ITEMS:
                yield Unreadable(
                    str(file), "is in no calendar or address book; Radicale does not serve it either", True
                )
                continue
            try:
                octets = read = file.read_bytes()
                modified = int(file.stat().st_mtime)
                if self.encoding.lower().replace("_", "-") not in ("utf-8", "utf8"):
                    octets = octets.decode(self.encoding).encode()
            except OSError as error:
                yield Unreadable(str(file), f"cannot be read: {error.strerror}")
            except UnicodeDecodeError:
                yield Unreadable(str(file), f"is not {self.encoding}", octets=read)
            else:
                yield SourceItem(str(file), octets, file.name, modified)


NO_NAME: Final = "its name has control characters or is not UTF-8, so no client can ask for it (rename it)"


def _served(name: str) -> bool:
    return not name.startswith(".") and not name.endswith("~")


def _nameable(name: str) -> bool:
    # The file system hands octets that are no UTF-8 over as lone surrogates.
    return not any(unicodedata.category(letter) in ("Cc", "Cs") for letter in name)


def _entries(folder: Path) -> list[os.DirEntry[str]]:
    try:
        with os.scandir(folder) as entries:
            return sorted((entry for entry in entries if _served(entry.name)), key=lambda entry: entry.name)
    except OSError as error:
        raise SourceError(f"{folder}: cannot be read: {error.strerror}") from error


def _folders(folder: Path) -> Iterator[Path]:
    return (Path(entry.path) for entry in _entries(folder) if _nameable(entry.name) and entry.is_dir())


def _files(folder: Path) -> Iterator[Path]:
    return (Path(entry.path) for entry in _entries(folder) if _nameable(entry.name) and entry.is_file())


def _odd(folder: Path) -> list[str]:
    return [entry.name for entry in _entries(folder) if not _nameable(entry.name)]


def _props(folder: Path, encoding: str) -> Mapping[str, str]:
    """Radicale's properties; an empty map without the file. ValueError where Radicale could not read it either."""
    try:
        text = (folder / PROPS).read_text(encoding=encoding)
    except FileNotFoundError:
        return {}
    except OSError as error:
        raise ValueError(f"cannot be read: {error.strerror}") from error
    try:
        props = json.loads(text)
    except ValueError as error:
        raise ValueError(f"is not JSON: {error}") from error
    if not isinstance(props, dict):
        raise ValueError("is not a JSON object")
    for key, value in props.items():
        if value is not None and not isinstance(value, str):
            raise ValueError(f"{key!r} is {type(value).__name__}, not text")
    return {key: value for key, value in props.items() if value is not None}
