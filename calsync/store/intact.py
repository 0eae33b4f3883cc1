"""Where octets are still as they were put: copies with a known checksum, in the store and in what somebody names."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING, Final

from sqlalchemy import bindparam, select

from calsync.store import journal
from calsync.store.entries import Content
from calsync.store.errors import StoreError
from calsync.store.schema import body, item, revision
from calsync.store.statement import Prepared, each

if TYPE_CHECKING:
    from calsync.store.engine import Store

Read = Callable[[], bytes | None]
#: Of each checksum: where its octets may be, in words, and how they are read. Whoever reads compares them again.
Found = Mapping[str, Sequence[tuple[str, Read]]]

_ENDINGS: Final = frozenset((".ics", ".vcf"))

_ITEMS: Final = Prepared(select(item.c.etag, item.c.owner, item.c.id).where(item.c.etag.in_(each("etags"))))
_REVISIONS: Final = Prepared(
    select(revision.c.etag, revision.c.owner, revision.c.ended).where(revision.c.etag.in_(each("etags")))
)
_BODY: Final = Prepared(
    select(body.c.octets).where(body.c.owner == bindparam("owner"), body.c.item == bindparam("item"))
)
_REVISION: Final = Prepared(
    select(revision.c.octets).where(revision.c.owner == bindparam("owner"), revision.c.ended == bindparam("ended"))
)


def found(store: Store, etags: frozenset[str], copies: Sequence[Path]) -> Found:
    """What there may be of these checksums: in the store itself, then in `copies`, each a backup (`calsync.db`) or a
    folder with backups, .ics and .vcf files and journals in it. Raises `StoreError` for what is not there."""
    told: dict[str, list[tuple[str, Read]]] = {}
    for etag, origin, read in _everywhere(store, etags, copies):
        told.setdefault(etag, []).append((origin, read))
    return told


def _everywhere(store: Store, etags: frozenset[str], copies: Sequence[Path]) -> Iterator[tuple[str, str, Read]]:
    yield from _in_store(store, etags, "")
    for path in copies:
        if not path.exists():
            raise StoreError(f"{path}: no such file or folder")
        if path.is_file():
            yield from _in_store(_looked(path), etags, f" of {path}")
            continue
        for file in sorted(path.rglob("*")):
            if file.suffix == ".db":
                # One that is of an older calsync, or no store at all, does not keep the others from helping.
                with contextlib.suppress(StoreError):
                    yield from _in_store(_looked(file), etags, f" of {file}")
            elif file.suffix == journal.SUFFIX:
                yield from _in_journal(file, etags)
            elif file.suffix.lower() in _ENDINGS and file.is_file():
                etag = sha256(file.read_bytes()).hexdigest()
                if etag in etags:
                    yield etag, str(file), file.read_bytes


def _looked(path: Path) -> Store:
    from calsync.store.engine import Store

    return Store.look(path)


def _in_store(store: Store, etags: frozenset[str], where: str) -> Iterator[tuple[str, str, Read]]:
    wanted = json.dumps(sorted(etags))
    with store.read() as tx:
        items, revisions = tx.all(_ITEMS, etags=wanted), tx.all(_REVISIONS, etags=wanted)
    for etag, owner, id_ in items:
        yield etag, f"another copy{where}", partial(_first, store, _BODY, owner=owner, item=id_)
    for etag, owner, ended in revisions:
        yield etag, f"the history{where}", partial(_first, store, _REVISION, owner=owner, ended=ended)


def _first(store: Store, statement: Prepared, **values: int) -> bytes | None:
    with store.read() as tx:
        row = tx.first(statement, **values)
    return row[0] if row is not None and isinstance(row[0], bytes) else None


def _in_journal(file: Path, etags: frozenset[str]) -> Iterator[tuple[str, str, Read]]:
    for written in journal.read(file):
        if isinstance(written, journal.Fault):
            continue
        for part in written.parts:
            for entry in part.entries():
                if isinstance(entry, Content) and entry.etag in etags:
                    yield entry.etag, f"the journal {file}", partial(bytes, entry.octets)
