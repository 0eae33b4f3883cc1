"""The first page: where one's calendars and address books are."""

from __future__ import annotations

from typing import TYPE_CHECKING

from calsync.dav.request import Response
from calsync.web import homes

if TYPE_CHECKING:
    from calsync.web.visit import Visit


def show(visit: Visit) -> Response:
    """What there is, with the addresses that clients want."""
    return visit.page("start.html", section="start", shelves=homes.shelves(visit))
