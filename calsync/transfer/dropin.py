"""The first start over a folder that Radicale kept: take it in once, leave its files as they are.

The mark in the store's meta says how far it came: `started` is written before the first item, so that a run that was
killed is finished by the next start (what is there already is found by its checksum), `done` after the last. A folder
is taken only into a store that never held an item: what was deleted since must not come back.
"""

from __future__ import annotations

import logging
import time
from pathlib import Path
from typing import Final

from sqlalchemy import select

from calsync.store import meta
from calsync.store.engine import Store
from calsync.store.schema import item
from calsync.store.statement import Prepared
from calsync.transfer.radicale_folder import RadicaleFolder
from calsync.transfer.report import Report
from calsync.transfer.taking import Taking

MARK: Final = "drop-in"
STARTED: Final = b"started"
DONE: Final = b"done"

_ANY_ITEM: Final = Prepared(select(item.c.id).limit(1))
_EVERY: Final = 5.0  # seconds between two lines of progress in the log


def take_in(store: Store, folder: Path, *, logger: logging.Logger, encoding: str = "utf-8") -> Report | None:
    """Take the Radicale storage at `folder` (`[storage] filesystem_folder`) into `store`, if that is still to be done.

    None where there is nothing to take or it was done before. `encoding`: `[encoding] stock`. To be called at each
    start, before the first request, by one process; progress and report go to `logger`.
    """
    source = RadicaleFolder.find(folder, encoding)
    if source is None:
        return None
    with store.read() as tx:
        mark = meta.get(tx, MARK)
        used = tx.first(_ANY_ITEM) is not None
    if mark == DONE:
        return None
    if mark is None and used:
        logger.info(
            "%s: left as it is, because the store has items of its own already (calsync import %s takes it in)",
            source.root,
            folder,
        )
        return None
    logger.info("%s: taking Radicale's calendars and address books in, once; its files stay as they are", source.root)
    with store.write() as tx:
        meta.put(tx, MARK, STARTED)
    report = _taken(store, source, logger)
    with store.write() as tx:
        meta.put(tx, MARK, DONE)
    return report


def _taken(store: Store, source: RadicaleFolder, logger: logging.Logger) -> Report:
    report = Report()
    began = last = time.monotonic()
    done = 0

    def progress(count: int) -> None:
        nonlocal done, last
        done += count
        if time.monotonic() - last >= _EVERY:
            last = time.monotonic()
            logger.info("drop-in: %d items so far", done)

    taking = Taking(store, report, progress=progress)
    for user in source.users():
        taking.user(user)
    for problem in source.stray():
        taking.problem(problem, "/")
    for line in report.lines():
        logger.warning("drop-in: %s", line)
    seconds = time.monotonic() - began
    (logger.info if report.complete else logger.warning)("drop-in: %s, %.1f s", report.summary(), seconds)
    return report


def notices(*, hook: str) -> list[str]:
    """What a configuration made for multifilesystem asks for that this storage does not do, one line each.

    `hook`: `[storage] hook`.
    """
    if not hook:
        return []
    return [
        f"[storage] hook ({hook}) is not run: calsync keeps items in a database, not in files. If it made your backup, "
        "use `calsync export FOLDER` for it, or keep [storage] type = multifilesystem"
    ]
