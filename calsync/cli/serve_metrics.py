"""Where `calsync serve` counts, and who is told: `[metrics]`."""

from __future__ import annotations

import logging
import os
import socket
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

from calsync import counters
from calsync.counters import folder
from calsync.counters.page import Page

if TYPE_CHECKING:
    from calsync.metrics.exposition import Figures
    from calsync.metrics.listener import Listener
    from calsync.store.engine import Store
    from calsync.upstream import Configuration

logger = logging.getLogger("calsync")

#: The variable that tells a worker where the processes of its server count.
FOLDER: Final = "CALSYNC_FIGURES"


def wanted(configuration: Configuration) -> bool:
    """Whether anybody may ask."""
    return bool(configuration.get("metrics", "live") or configuration.get("metrics", "listen"))


def where(configuration: Configuration) -> tuple[str, Path, str]:
    """What `calsync.counters.folder` asks: the folder that is configured, that of the data, and the store."""
    from calsync_storage.location import storage_url

    data = Path(configuration.get("storage", "filesystem_folder")).expanduser()
    return configuration.get("metrics", "folder"), data, storage_url(configuration)


def prepare(configuration: Configuration) -> None:
    """In the first process of a server: a folder for it and its workers."""
    os.environ.pop(FOLDER, None)
    if not wanted(configuration):
        return
    try:
        os.environ[FOLDER] = str(folder.make(*where(configuration)))
    except OSError as error:
        # Each worker then tells of itself alone.
        logger.warning("calsync top has nothing to look at: %s ([metrics] folder = an empty folder)", error)


def end() -> None:
    """In the last process of a server."""
    kept = os.environ.pop(FOLDER, "")
    if kept:
        folder.end(Path(kept))


@dataclass(slots=True)
class Counting:
    """Of this process."""

    page: Page
    folder: Path | None
    told: Figures | None = None
    listener: Listener | None = None

    @classmethod
    def begin(cls, configuration: Configuration) -> Counting | None:
        """Count from now on, where anybody may ask."""
        if not wanted(configuration):
            return None
        from calsync.metrics import requests

        kept = os.environ.get(FOLDER, "")
        place = Path(kept) if kept else None
        try:
            page, recent = folder.begin(place)
        except OSError as error:
            logger.warning("calsync top has nothing to look at: %s", error)
            place = None
            page, recent = folder.begin(place)
        counters.keep(page)
        requests.keep(requests.Requests(page, recent if configuration.get("metrics", "live") else None))
        return cls(page, place)

    def figures(self, configuration: Configuration, store: Store | None) -> Figures:
        """What is told to whoever may ask."""
        from calsync.metrics.exposition import Figures
        from calsync.metrics.gauges import Gauges
        from calsync.server import certificate

        file = configuration.get("server", "certificate") if configuration.get("server", "ssl") else ""
        expiry = (lambda: certificate.of_file(Path(file)).ends) if file else None
        gauges = Gauges(store, configuration.get("backup", "folder"), expiry)
        self.told = Figures(self.page, gauges, self.folder)
        return self.told

    def answer(self, sockets: Sequence[socket.socket]) -> None:
        """Tell those who ask on these, too."""
        if sockets and self.told is not None:
            from calsync.metrics.listener import Listener

            self.listener = Listener(sockets, self.told)
            self.listener.start()

    def stop(self, *, last: bool) -> None:
        """Answer nobody more. `last`: the server ends with this process."""
        if self.listener is not None:
            self.listener.stop()
        if last:
            end()
