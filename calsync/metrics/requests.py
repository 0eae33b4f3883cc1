"""Each request as it ends: counted under labels that have bounds, whatever clients send, and kept for `calsync top`."""

from __future__ import annotations

from bisect import bisect_left
from typing import Final

from calsync.counters import families
from calsync.counters.page import Page
from calsync.counters.recent import Recent

#: Methods that are counted by name.
METHODS: Final = frozenset(
    {"OPTIONS", "GET", "HEAD", "PUT", "DELETE", "POST", "PATCH", "PROPFIND", "PROPPATCH", "REPORT", "MKCOL"}
    | {"MKCALENDAR", "COPY", "MOVE", "LOCK", "UNLOCK", "ACL", "SEARCH", "TRACE", "CONNECT"}
)

#: Combinations of method, report, kind of client and status that are told apart; beyond them the client is `other`.
COMBINATIONS: Final = 1024

_SECONDS: Final = families.REQUEST_SECONDS
_SUM: Final = len(_SECONDS.buckets) + 1


class Requests:
    """Those of this process. `recent`: where the last of them are shown, if anybody may look."""

    def __init__(self, page: Page, recent: Recent | None = None) -> None:
        self.page = page
        self.recent = recent
        self._in_flight = page.place(families.IN_FLIGHT, ())
        self._places: dict[tuple[str, str, str, int], tuple[int, int, int, int, int]] = {}

    def begin(self) -> None:
        """One more is being answered."""
        self.page.add_at((self._in_flight, 1.0))

    def withdraw(self) -> None:
        """It is not, and will begin again."""
        self.page.add_at((self._in_flight, -1.0))

    def end(
        self, method: str, report: str, client: str, status: int, seconds: float, items: int, octets_in: int,
        octets_out: int,
    ) -> None:  # fmt: skip
        """It is over."""
        places = self._places.get((method, report, client, status))
        if places is None:
            places = self._place(method, report, client, status)
        self.page.add_at(
            (self._in_flight, -1.0),
            (places[0], 1.0),
            (places[1] + bisect_left(_SECONDS.buckets, seconds), 1.0),
            (places[1] + _SUM, seconds),
            (places[2], octets_in),
            (places[3], octets_out),
            (places[4], items),
        )

    def _place(self, method: str, report: str, client: str, status: int) -> tuple[int, int, int, int, int]:
        method = method if method in METHODS else "other"
        client = client if len(self._places) < COMBINATIONS else "other"
        known = method, report, client, status
        found = self._places.get(known)
        if found is None:
            asked = method, report
            place = self.page.place
            found = self._places[known] = (
                place(families.REQUESTS, (*asked, client, str(status))),
                place(_SECONDS, asked),
                place(families.BYTES_IN, asked),
                place(families.BYTES_OUT, asked),
                place(families.ITEMS, asked),
            )
        return found


_kept: Requests | None = None


def keep(requests: Requests | None) -> None:
    """Count with these from now on; None: not at all."""
    global _kept
    _kept = requests


def kept() -> Requests | None:
    """Those of this process."""
    return _kept
