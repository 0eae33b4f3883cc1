"""What went wrong, as a response; on our side: logged with its cause, told without detail."""

from __future__ import annotations

from typing import Final

from calsync import counters
from calsync.counters import families
from calsync.dav.damage import OCTETS
from calsync.dav.incoming import over_quota
from calsync.dav.request import XML, Response
from calsync.gate.observe import Trace
from calsync.store.disk import MEANINGS
from calsync.store.errors import Busy, Damaged, Full, OverQuota, ReadOnly, StoreError
from calsync.upstream import logger
from calsync.webdav.errors import DavError, InternalServerError, ServiceUnavailable
from calsync.webdav.multistatus import error_body, reason

#: What the figures call them.
_KINDS: Final = ((Full, "full"), (Busy, "busy"), (ReadOnly, "read-only"), (Damaged, "damaged"))


def failure(error: Exception, trace: Trace) -> DavError:
    """507 where the disk or a quota is full, 503 where it may pass, else 500."""
    if isinstance(error, OverQuota):  # the user's affair: nothing went wrong here
        return over_quota(error)
    if isinstance(error, OSError) and error.errno in MEANINGS:  # of a file beside the store: a journal, a key
        error = MEANINGS[error.errno](str(error))
    if isinstance(error, MemoryError):
        error = Busy("no memory left")
    if isinstance(error, StoreError):
        counters.add(
            families.STORE_ERRORS, (next((word for kind, word in _KINDS if isinstance(error, kind)), "other"),)
        )
    if isinstance(error, Full):
        logger.error("%s the disk is full: %s", trace.id, error)
        return DavError(str(error), status=507, text="the server's disk is full")
    if isinstance(error, Busy | ReadOnly):
        logger.error("%s %s", trace.id, error)
        text = "the server can only read at present" if isinstance(error, ReadOnly) else "the server is busy, ask again"
        return ServiceUnavailable(str(error), headers={"Retry-After": "30"}, text=text)
    if isinstance(error, Damaged):
        logger.error("%s %s", trace.id, error)
        return InternalServerError(str(error), text=OCTETS)
    logger.error("%s failed", trace.id, exc_info=error)
    return InternalServerError(type(error).__name__)


def told(error: DavError, trace: Trace) -> Response:
    """The response that a refusal is: with the RFC's precondition element, or a line for people."""
    if error.condition or error.detail:
        return Response(error.status, {"Content-Type": XML, **error.headers}, error_body(error.condition, error.detail))
    ours = error.status >= 500
    said = error.text if ours else error.hint
    line = reason(error.status) + (f": {said}" if said else "") + (f" (request {trace.id})" if ours or not said else "")
    text = f"{line}\n".encode()
    return Response(error.status, {"Content-Type": "text/plain; charset=utf-8", **error.headers}, text)
