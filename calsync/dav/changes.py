"""What a `[hook]` plugin of Radicale's is told of a write: noted in its transaction, told after the commit."""

from __future__ import annotations

from calsync import upstream
from calsync.dav.resources import Resource
from calsync.dav.scope import Scope
from calsync.store import items
from calsync.store.engine import Transaction
from calsync.store.errors import Damaged

_PAGE = 200


def _path(resource: Resource) -> str:
    return "/" + "/".join(resource.path) + ("/" if resource.is_collection else "")


def shared_out(scope: Scope, resource: Resource) -> bool:
    """Whether Radicale's sharing maps this collection for somebody."""
    return upstream.is_shared_out(scope.context.sharing, _path(resource))


def written(scope: Scope, tx: Transaction, resource: Resource, octets: bytes) -> None:
    """`resource` is about to become `octets`; its item is the one replaced, if any."""
    if not scope.context.hook.enabled:
        return
    old = _text(tx, resource) if resource.item is not None else None
    kind = "VCARD" if resource.container.kind == "addressbook" else "VCALENDAR"
    text = octets.decode("utf-8", "replace")
    _after(scope, tx, upstream.Notice(False, _path(resource), kind, "", old, text, scope.request.user))


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
            item = items.get_by_id(tx, resource.container, row.id)
            assert item is not None  # read in the transaction that holds the store
            member = Resource(resource.kind, (*resource.path, item.href), resource.principal, resource.collection, item)
            _deleted(scope, tx, member, item.uid, item.component)
        after = rows[-1].id


def _deleted(scope: Scope, tx: Transaction, resource: Resource, uid: str, component: str) -> None:
    kind = "VCARD" if component == "VCARD" else "VCALENDAR"
    _after(scope, tx, upstream.Notice(True, _path(resource), kind, uid, _text(tx, resource), None, scope.request.user))


def _text(tx: Transaction, resource: Resource) -> str | None:
    try:
        return items.body(tx, resource.member).decode("utf-8", "replace")
    except Damaged:
        return None


def _after(scope: Scope, tx: Transaction, notice: upstream.Notice) -> None:
    tx.after_commit(lambda: upstream.notify(scope.context.hook, notice))
