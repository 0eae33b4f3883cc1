"""What kind of collection stands at a path, for the storages that can tell."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Final

from radicale.config import Configuration

from calsync.store import collections, principals
from calsync_storage.location import storage_url
from calsync_storage.session import session

Segments = tuple[str, ...]

#: The kind of the stored collection at a path, as calsync's store names it; empty where there is none.
KindOf = Callable[[Segments], str]

_TAGS: Final = {"VCALENDAR": "calendar", "VADDRESSBOOK": "addressbook", "VSUBSCRIBED": "subscribed"}


def kinds(configuration: Configuration) -> KindOf:
    """How to find out in the configured storage."""
    kind = configuration.get("storage", "type")
    if kind == "calsync_storage":
        return _in_store(storage_url(configuration))
    if kind in ("multifilesystem", "multifilesystem_nolock"):
        return _in_folder(Path(configuration.get("storage", "filesystem_folder")) / "collection-root")
    return lambda path: ""


def _in_store(url: str) -> KindOf:
    def kind_of(path: Segments) -> str:
        with session(url).read() as tx:
            principal = principals.find(tx, path[0])
            if principal is None or principal.name != path[0]:
                return ""
            found: collections.Collection | None = None
            for name in path[1:]:
                found = collections.child(tx, principal.id, found.id if found else 0, name)
                if found is None:
                    return ""
            return found.kind if found else ""

    return kind_of


def _in_folder(root: Path) -> KindOf:
    def kind_of(path: Segments) -> str:
        # A name that leads elsewhere names no collection; Radicale refuses it, too.
        if any(part in (".", "..") or "\0" in part or "/" in part for part in path):
            return ""
        folder = root.joinpath(*path)
        try:
            with (folder / ".Radicale.props").open(encoding="utf-8") as file:
                properties = json.load(file)
        except FileNotFoundError:
            return "plain" if folder.is_dir() else ""
        except (OSError, ValueError):
            return ""
        return _TAGS.get(properties.get("tag", ""), "plain")

    return kind_of
