"""The connections that are open, and who must go when too many come."""

from __future__ import annotations

import ipaddress
import logging
from collections.abc import Iterator
from functools import lru_cache
from typing import Protocol

from calsync.server.limits import NEVER

#: The part of an IPv6 address that one household or one rented machine has to itself (RFC 6177).
IPV6_PREFIX = 64

logger = logging.getLogger("calsync.server")


class Guest(Protocol):
    """A connection, or one that is still shaking hands."""

    deadline: float
    """When it will have waited too long, in monotonic seconds."""
    closing: bool

    @property
    def household(self) -> str:
        """What `household_of` says of its address; "" where no limit applies to it."""

    @property
    def idle(self) -> bool:
        """Nothing is being read or answered."""

    def check(self, now: float) -> None:
        """Heed the deadlines."""

    def stop(self) -> None:
        """The server stops."""

    def drop(self) -> None:
        """Close at once."""


class Guests:
    """All open connections of a process. `most` of them may be open, `most_of_one` of one address; 0 is no bound."""

    def __init__(self, most: int, most_of_one: int = 0) -> None:
        self._most = most
        self._most_of_one = most_of_one
        self._all: set[Guest] = set()
        self._of: dict[str, set[Guest]] = {}
        self._told: set[str] = set()

    def __len__(self) -> int:
        return len(self._all)

    def __iter__(self) -> Iterator[Guest]:
        return iter(list(self._all))

    def add(self, guest: Guest) -> None:
        self._all.add(guest)
        if guest.household:
            self._of.setdefault(guest.household, set()).add(guest)

    def discard(self, guest: Guest) -> None:
        self._all.discard(guest)
        others = self._of.get(guest.household)
        if others is not None:
            others.discard(guest)
            if not others:
                del self._of[guest.household]
                self._told.discard(guest.household)

    @property
    def full(self) -> bool:
        """Whether somebody has to go for the next one."""
        return len(self._all) >= self._most

    def make_room(self, household: str) -> bool:
        """Let go of who waits longest where one more would be too many; False where it may not come in.

        An address that has its share gives up one of its own. All together give up one even if nobody waits: a person
        who knocks is not turned away because of the number alone.
        """
        others = self._of.get(household, ())
        if 0 < self._most_of_one <= len(others):
            self._tell(household)
            if not _let_go(others):
                return False
        elif len(self._all) >= self._most:
            _let_go(self._all)
        return True

    def let_one_go(self) -> None:
        """The system is at its end: who waits longest makes room for the next."""
        _let_go(self._all)

    def _tell(self, household: str) -> None:
        if household not in self._told:
            self._told.add(household)
            logger.warning(
                "%s has %d connections open; for each new one its oldest idle one is closed"
                " ([limits] connections_per_address)",
                household,
                self._most_of_one,
            )


def _let_go(guests: set[Guest] | tuple[()]) -> bool:
    """Drop the one that has waited longest for its client: idle ones first, then those still sending."""
    open_ones = [guest for guest in guests if not guest.closing]
    waiting = [guest for guest in open_ones if guest.idle] or [guest for guest in open_ones if guest.deadline < NEVER]
    if waiting:
        min(waiting, key=lambda guest: guest.deadline).drop()
    return bool(waiting)


@lru_cache(maxsize=1024)
def household_of(address: str) -> str:
    """An address as limits count it: IPv4 whole, of IPv6 the network that one customer has."""
    ip = ipaddress.ip_address(address.partition("%")[0])
    if isinstance(ip, ipaddress.IPv4Address):
        return address
    if ip.ipv4_mapped:
        return str(ip.ipv4_mapped)
    return str(ipaddress.ip_network((ip, IPV6_PREFIX), strict=False))
