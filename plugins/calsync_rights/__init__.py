"""Radicale plugin: the configured rights, cut to what the app password of a request may do.

`[rights] type = calsync_rights` with `backend = owner_only` (or `authenticated`, `owner_write`, `from_file`, a module)
lets app passwords of `calsync_auth` with a scope log in under stock Radicale; without it they are refused there.
calsync itself enforces scopes with any rights, and takes from this plugin only what it wraps.

Radicale asks the rights with a path, before it says what is to be made there. So under stock Radicale an app password
for calendars or for contacts makes no collections, and the kind of a collection is known where it lies in calsync's
store or in Radicale's own folder; in any other storage only scopes of chosen collections open something.
"""

from calsync_rights.rights import Rights

__all__ = ["Rights"]
