"""Where the store is, as a configuration of Radicale says it; the one place that knows the default."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Final

from radicale.config import Configuration

FILE: Final = "calsync.db"


def storage_url(configuration: Configuration) -> str:
    """`[storage] url`, or the SQLite file `calsync.db` in `[storage] filesystem_folder`."""
    return _option(configuration, "storage", "url") or default_url(configuration.get("storage", "filesystem_folder"))


def auth_url(configuration: Configuration) -> str:
    """`[auth] calsync_url`, or the store that the storage uses, so that both plugins meet without being told."""
    return _option(configuration, "auth", "calsync_url") or storage_url(configuration)


def partitions(configuration: Configuration) -> int:
    """`[storage] partitions`: how the tables of a new database are cut."""
    return int(_option(configuration, "storage", "partitions") or 0)


def replica_urls(configuration: Configuration) -> list[str]:
    """`[storage] replica_urls`: databases that follow that of the store, and may be read."""
    # A comma may also stand between the hosts of one URL.
    given = re.split(r"[,\s]+(?=[a-z]+://)", _option(configuration, "storage", "replica_urls"))
    return [url for url in given if url]


def default_url(folder: str) -> str:
    """The store of a `filesystem_folder`."""
    return f"sqlite:///{Path(folder).expanduser().absolute() / FILE}"


def _option(configuration: Configuration, section: str, name: str) -> str:
    # Radicale takes options that it does not know in the section of a plugin, but has no default for them.
    if name not in configuration.options(section):
        return ""
    return str(configuration.get(section, name)).strip()
