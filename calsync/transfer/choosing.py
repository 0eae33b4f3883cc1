"""What lies at a path that somebody named, and for whom it is to be taken."""

from __future__ import annotations

from pathlib import Path

from calsync.store.names import folded
from calsync.transfer import plain_files
from calsync.transfer.radicale_folder import PROPS, RadicaleFolder
from calsync.transfer.report import Outcome, Report, Result
from calsync.transfer.source import SourceCollection, SourceError, SourceUser


def chosen(
    path: Path,
    report: Report,
    *,
    user: str | None,
    collection: str | None,
    encoding: str = "utf-8",
    stdin: bytes = b"",
) -> list[SourceUser]:
    """The users to take from `path`: Radicale's folder, the folder of one of its users or collections, or plain files.

    Raises `SourceError` where there is nothing, or where `user` or `collection` is missing or makes no sense. `stdin`
    is what the path `-` means.
    """
    if path != plain_files.STDIN and not path.exists():
        raise SourceError(f"{path}: no such file or folder")
    if collection is not None and (not collection.strip(".") or any(letter in collection for letter in "/%\0")):
        raise SourceError(f"--collection {collection!r} cannot be the name of a collection")
    folder = RadicaleFolder.find(path, encoding)
    if folder is not None:
        return _of_folder(folder, report, user, collection)
    if user is None:
        raise SourceError(f"{path}: --user says whose it becomes")
    if path.is_dir() and (path / PROPS).exists():
        return [_of_one(RadicaleFolder(path.parent, encoding), path, user, collection)]
    if path.is_dir() and any((child / PROPS).exists() for child in path.iterdir() if child.is_dir()):
        if collection is not None:
            raise SourceError(f"{path} holds several collections; --collection makes no sense with it")
        return [RadicaleFolder(path.parent, encoding).user(path, user)]
    found, problems = plain_files.collections(path, name=collection, stdin=stdin)
    return [SourceUser(user, collections=found, problems=problems)]


def _of_folder(folder: RadicaleFolder, report: Report, user: str | None, collection: str | None) -> list[SourceUser]:
    if collection is not None:
        raise SourceError(f"{folder.root} holds several collections; --collection makes no sense with it")
    if user is None:
        for problem in folder.stray():
            report.add(
                Result(Outcome.SKIPPED if problem.skipped else Outcome.REFUSED, problem.place, "", problem.reason)
            )
        return list(folder.users())
    found = [one for one in folder.users() if folded(one.name) == folded(user)]
    if not found:
        raise SourceError(f"{folder.root}: no user {user!r} in it")
    return found


def _of_one(folder: RadicaleFolder, path: Path, user: str, collection: str | None) -> SourceUser:
    """One collection's folder; if it is a user's that has properties, that user."""
    one, problem = folder.collection(path, (collection or path.absolute().name,))
    if one.kind == "plain" and collection is None:
        return folder.user(path, user)
    problems = [problem] if problem else []
    collections: list[SourceCollection] = [one]
    return SourceUser(user, collections=collections, problems=problems)
