"""The reports, one file each, declared with `registry.report`; `data` declares what only they can say."""

from calsync.dav.reports import (
    addressbook_query,
    calendar_query,
    data,
    expand_property,
    free_busy,
    multiget,
    principals,
    sync_collection,
)

__all__ = [
    "addressbook_query",
    "calendar_query",
    "data",
    "expand_property",
    "free_busy",
    "multiget",
    "principals",
    "sync_collection",
]
