"""The stylesheet and the other files that pages load."""

from __future__ import annotations

from typing import TYPE_CHECKING

from calsync.dav.request import Response
from calsync.web import render

if TYPE_CHECKING:
    from calsync.web.visit import Visit


def send(visit: Visit) -> Response:
    """The same for everybody, for ever."""
    return render.static(visit.parts["digest"], visit.parts["name"])
