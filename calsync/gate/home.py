"""The home of a user who logged in for the first time: made before the request goes on, so that it finds something."""

from __future__ import annotations

from functools import partial
from typing import Final

from calsync.accounts import newcomer
from calsync.dav.context import Context
from calsync.store import principals
from calsync.upstream import logger

#: The counter of a principal whose home has never held anything.
_UNTOUCHED: Final = 1


def welcome(context: Context, user: str, groups: frozenset[str]) -> None:
    """Make the home with its first collections, where it was never made and the rights let the user have one."""
    if not user:
        return
    with context.store.read(one=True) as tx:
        found = principals.find(tx, user)
    if found is not None and (found.seq > _UNTOUCHED or found.name != user):
        return
    if "W" not in context.rights.authorization(user, set(groups), f"/{user}/"):
        return
    context.store.attempt(partial(_provide, context, user))


def _provide(context: Context, user: str) -> None:
    with context.store.write() as tx:
        found = principals.find(tx, user)
        if found is None or found.seq == _UNTOUCHED:
            newcomer.provision(tx, found or principals.create(tx, user), context.settings.predefined)
            logger.info("made the first collections of %s", user)
