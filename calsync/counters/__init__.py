"""What the server counts while it runs: figures that whoever watches it adds up, and nothing else reads.

`families` lists them all; `page` keeps those of one process in shared memory, where they outlive it; `recent` keeps its
last requests there; `folder` is where the processes of a server keep both; `sums` adds up what they hold.

Any room may count, so this is the lowest floor: `counters.add(families.LOGINS, ("ok",))`. Where nobody asked for
figures there is no page, and counting is a call that returns.
"""

from __future__ import annotations

from calsync.counters.families import Family
from calsync.counters.page import Page

_page: Page | None = None


def keep(page: Page | None) -> None:
    """Count on this page from now on; None: not at all."""
    global _page
    _page = page


def kept() -> Page | None:
    """The page of this process."""
    return _page


def add(family: Family, labels: tuple[str, ...] = (), amount: float = 1.0) -> None:
    """So much more of it; for a gauge it may be less."""
    page = _page
    if page is not None:
        page.add(family, labels, amount)


def put(family: Family, value: float, labels: tuple[str, ...] = ()) -> None:
    """This is what a gauge stands at in this process."""
    page = _page
    if page is not None:
        page.put(family, value, labels)


def observe(family: Family, value: float, labels: tuple[str, ...] = ()) -> None:
    """One more value of a histogram."""
    page = _page
    if page is not None:
        page.observe(family, value, labels)
