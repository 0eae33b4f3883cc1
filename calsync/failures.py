"""What went wrong on our side, as a response: logged with its cause, told without detail."""

from __future__ import annotations

from typing import Final

from calsync import counters
from calsync.counters import families
from calsync.dav.incoming import over_quota
from calsync.observe import Trace
from calsync.store.disk import MEANINGS
from calsync.store.errors import Busy, Damaged, Full, OverQuota, ReadOnly, StoreError
from calsync.upstream import logger
from calsync.webdav.errors import DavError, InternalServerError, ServiceUnavailable

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
        return DavError(str(error), status=507)
    if isinstance(error, Busy | ReadOnly):
        logger.error("%s %s", trace.id, error)
        return ServiceUnavailable(str(error), headers={"Retry-After": "30"})
    if isinstance(error, Damaged):
        logger.error("%s %s", trace.id, error)
        return InternalServerError(str(error))
    logger.error("%s failed", trace.id, exc_info=error)
    return InternalServerError(type(error).__name__)
