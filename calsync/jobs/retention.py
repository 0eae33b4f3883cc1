"""How long things are kept, and how much of them: `[history]` and `[auth] audit_days`, as the tasks read them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from calsync.store.quarantine import Bounds

if TYPE_CHECKING:
    from calsync.upstream import Configuration

_DAY = 86_400


@dataclass(frozen=True, slots=True)
class Retention:
    """Seconds, and octets an owner; 0 means for ever, and as much as comes.

    `tombstones`: a phone that was away for longer begins anew, which costs it a full sync and loses nothing; 400 days
    are longer than the year between two holidays. `journal`: at least as long as the oldest backup that would be
    restored is old. `mirror`: the folder of plain files that follows the store, if any.
    """

    history: int = 90 * _DAY
    history_size: int = 1 << 30
    tombstones: int = 400 * _DAY
    audit: int = 365 * _DAY
    quarantine: int = 90 * _DAY
    journal: int = 0
    mirror: str = ""

    @classmethod
    def of(cls, configuration: Configuration) -> Retention:
        """As it is configured."""

        def days(name: str, default: int) -> int:
            return _DAY * _number(configuration, name, default // _DAY)

        kept = cls()
        return cls(
            days("days", kept.history),
            _number(configuration, "size", kept.history_size),
            days("tombstone_days", kept.tombstones),
            _DAY * _number(configuration, "audit_days", kept.audit // _DAY, "auth"),
            days("quarantine_days", kept.quarantine),
            days("journal_days", kept.journal),
            _text(configuration, "calsync", "mirror"),
        )


def _text(configuration: Configuration, section: str, name: str) -> str:
    try:
        return str(configuration.get(section, name))
    except KeyError:
        return ""


def bounds(configuration: Configuration) -> Bounds:
    """What is kept in quarantine of an owner at most."""
    usual = Bounds()
    return Bounds(
        _number(configuration, "quarantine_items", usual.entries),
        _number(configuration, "quarantine_size", usual.octets),
        min(usual.largest, _number(configuration, "quarantine_size", usual.largest)),
    )


def _number(configuration: Configuration, name: str, default: int, section: str = "history") -> int:
    try:
        return int(configuration.get(section, name))
    except KeyError:
        return default
