"""`[storage] predefined_collections` of Radicale, for whoever makes accounts: it wins over calsync's own."""

from __future__ import annotations

from radicale.config import Configuration

from calsync.accounts.newcomer import First
from calsync_storage.properties import from_radicale


def predefined(configuration: Configuration) -> tuple[First, ...] | None:
    """What the configuration says a new home holds, None where it says nothing. ValueError for an unknown tag."""
    configured = configuration.get("storage", "predefined_collections")
    if not configured:
        return None
    made = []
    for name, props in configured.items():
        meta = from_radicale(props)
        made.append(First(name, meta.kind, meta.components, meta.properties))
    return tuple(made)
