"""What a `[hook]` plugin of Radicale's is told of a write: a job, put in its transaction and done after the commit.

A job says where the texts are to be found, not what they are: what a change has replaced is kept by the history.
"""

from __future__ import annotations

import logging
from hashlib import sha256
from typing import TYPE_CHECKING, Any, Final

from sqlalchemy import BindParameter, and_, bindparam, select

from calsync import upstream
from calsync.dav.resources import Resource
from calsync.dav.scope import Scope
from calsync.jobs import queue
from calsync.store import items
from calsync.store.engine import Store
from calsync.store.schema import body, item, revision
from calsync.store.statement import Prepared
from calsync.store.transaction import Transaction

if TYPE_CHECKING:
    from calsync.jobs.queue import Job

logger = logging.getLogger("calsync.jobs")

#: The kind of these jobs.
HOOK: Final = "hook"

_PAGE: Final = 200
_PLACE: Final[dict[str, BindParameter[Any]]] = {
    name: bindparam(name) for name in ("owner", "collection", "href", "etag")
}
_CURRENT: Final = Prepared(
    select(body.c.octets)
    .join_from(item, body, and_(body.c.owner == item.c.owner, body.c.item == item.c.id))
    .where(*(item.c[name] == value for name, value in _PLACE.items()))
)
_FORMER: Final = Prepared(
    select(revision.c.octets)
    .where(*(revision.c[name] == value for name, value in _PLACE.items()))
    .order_by(revision.c.ended.desc())
    .limit(1)
)


def _path(resource: Resource) -> str:
    return "/" + "/".join(resource.path) + ("/" if resource.is_collection else "")


def shared_out(scope: Scope, resource: Resource) -> bool:
    """Whether Radicale's sharing maps this collection for somebody."""
    return upstream.is_shared_out(scope.context.sharing, _path(resource))


def written(scope: Scope, tx: Transaction, resource: Resource, octets: bytes) -> None:
    """`resource` is about to become `octets`; its item is the one replaced, if any."""
    if not scope.context.hook.enabled:
        return
    kind = "VCARD" if resource.container.kind == "addressbook" else "VCALENDAR"
    _put(scope, tx, resource, kind=kind, new=sha256(octets).hexdigest())


def deleted(scope: Scope, tx: Transaction, resource: Resource) -> None:
    """`resource`, an item or a collection with its items, is about to go."""
    if not scope.context.hook.enabled:
        return
    if resource.item is not None:
        _deleted(scope, tx, resource, resource.item.uid, resource.item.component)
        return
    after = 0
    while rows := items.page(tx, resource.container, after, _PAGE, resource.container.seq):
        for row in rows:
            one = items.get_by_id(tx, resource.container, row.id)
            assert one is not None  # read in the transaction that holds the store
            member = Resource(resource.kind, (*resource.path, one.href), resource.principal, resource.collection, one)
            _deleted(scope, tx, member, one.uid, one.component)
        after = rows[-1].id


def _deleted(scope: Scope, tx: Transaction, resource: Resource, uid: str, component: str) -> None:
    _put(scope, tx, resource, kind="VCARD" if component == "VCARD" else "VCALENDAR", uid=uid)


def _put(scope: Scope, tx: Transaction, resource: Resource, **facts: str) -> None:
    container = resource.container
    href = resource.item.href if resource.item is not None else resource.name
    payload = facts | {
        "path": _path(resource),
        "actor": scope.request.user,
        "collection": container.id,
        "href": href,
        "old": resource.item.etag if resource.item is not None else "",
    }
    queue.put(tx, HOOK, payload, container.owner, topic=f"{HOOK} {container.id} {href}")


def tell(store: Store, hook: upstream.hook.BaseHook, job: Job) -> None:
    """Do such a job. Raises whatever the plugin does."""
    if not hook.enabled:
        return
    told = job.payload
    with store.read() as tx:
        old = _text(tx, job, told["old"])
        new = _text(tx, job, told.get("new", ""))
    if "new" in told and new is None:
        logger.warning("hook: %s is not told of: what was written is not kept any more", told["path"])
        return
    uid = told.get("uid", "")
    upstream.notify(hook, upstream.Notice("new" not in told, told["path"], told["kind"], uid, old, new, told["actor"]))


def _text(tx: Transaction, job: Job, etag: str) -> str | None:
    """What had this ETag there, None where there is nothing (any more) or it is damaged."""
    if not etag:
        return None
    place: dict[str, Any] = {
        "owner": job.owner, "collection": job.payload["collection"], "href": job.payload["href"], "etag": etag
    }  # fmt: skip
    row = tx.first(_CURRENT, **place) or tx.first(_FORMER, **place)
    octets = b"" if row is None else bytes(row[0])
    return octets.decode("utf-8", "replace") if sha256(octets).hexdigest() == etag else None
