"""Radicale's authentication over calsync's accounts (`[auth] type = calsync_auth`), under stock Radicale and calsync.

Logins are checked by `calsync.accounts`: passwords with argon2id, app passwords with a keyed hash, and both remembered
so that a request costs neither. The accounts lie in the store of `calsync_storage`, unless `[auth] calsync_url` names
another.
"""

from calsync_auth.auth import Auth

__all__ = ["Auth"]
