"""What a new user finds in the home, so that a phone has something to sync at once.

Events and tasks are in separate calendars, since iOS lists a mixed one in both of its apps and people delete the one
that looks empty; the address book comes before them, since macOS takes the first.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Final

from calsync.store import collections
from calsync.store.collections import HOME, Collection
from calsync.store.errors import OverQuota
from calsync.store.principals import Principal
from calsync.store.transaction import Transaction
from calsync.webdav.multistatus import escape
from calsync.webdav.names import D


@dataclass(frozen=True, slots=True)
class First:
    """A collection to be made. `kind`, `components` and `properties` are as the store has them."""

    name: str
    kind: str
    components: tuple[str, ...] = ()
    properties: Mapping[str, str] = field(default_factory=dict)


def _called(displayname: str) -> dict[str, str]:
    return {D("displayname"): f'<D:displayname xmlns:D="DAV:">{escape(displayname)}</D:displayname>'}


DEFAULT: Final = (
    First("contacts", "addressbook", (), _called("Contacts")),
    First("calendar", "calendar", ("VEVENT",), _called("Calendar")),
    First("tasks", "calendar", ("VTODO",), _called("Tasks")),
)


def provision(tx: Transaction, principal: Principal, predefined: Sequence[First] | None = None) -> list[Collection]:
    """Make the first collections of a home: `predefined`, or `DEFAULT` where that is None. What was made.

    A home that holds something already is left alone. No more are made than a quota allows.
    """
    if collections.children(tx, principal.id):
        return []
    wanted = DEFAULT if predefined is None else predefined
    made: list[Collection] = []
    with suppress(OverQuota):
        for one in wanted:
            made.append(collections.create(tx, principal, HOME, one.name, one.kind, one.components, one.properties))
    return made
