"""Radicale's authentication over calsync's accounts (`[auth] type = calsync_auth`), under stock Radicale and calsync.

App passwords stand first: `calsync.accounts` knows them by a keyed hash, and they need no other server. The main
password is checked by `[auth] backend`: by calsync's own accounts (argon2id), or by any of Radicale's back ends with
its options (`backends`, `chain`). An OpenID provider (`openid`) lets people in on the web pages, and on DAV with its
access tokens. The accounts lie in the store of `calsync_storage`, unless `[auth] calsync_url` names another.
"""

from calsync_auth.auth import Auth

__all__ = ["Auth"]
