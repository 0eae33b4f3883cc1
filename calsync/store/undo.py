"""Bringing back what history keeps: an item, or a calendar as it was at a time.

What is brought back is put like anything else: checked again, with a new `seq`, so syncing clients see an ordinary
change, and with what it replaces in the history, so it can be undone in turn.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from hashlib import sha256
from typing import TYPE_CHECKING, Final

from calsync.ical.facts import Facts, ObjectResource, address_object, calendar_object
from calsync.ical.validate import Refused
from calsync.store import collections, history, items, principals
from calsync.store.errors import Damaged, OverQuota, UidConflict
from calsync.store.history import Held, Revision
from calsync.store.items import Item
from calsync.store.rows import named, properties, uid_holders

if TYPE_CHECKING:
    from calsync.store.engine import Store
    from calsync.store.places import Collection
    from calsync.store.transaction import Transaction

#: What is to be done with a name: put what was deleted since, put back what was changed, delete what came since.
BACK: Final = "back"
CHANGE: Final = "change back"
DELETE: Final = "delete"

_DELETIONS: Final = 200  # a transaction
_PUTS: Final = 50

Told = Callable[["Step", str], None]


class Failed(Exception):
    """It cannot be brought back; the message says why, for people."""


@dataclass(frozen=True, slots=True)
class Step:
    """`present`: what has the name now. `held`: what it held then. `first`: another name needs its UID, so it goes."""

    href: str
    action: str
    present: Item | None
    held: Held | None
    first: bool = False


@dataclass(frozen=True, slots=True)
class Plan:
    """How `target` becomes what `source` held. `properties`: of the collection, None for those that go."""

    source: Collection
    target: Collection
    instant: int
    steps: Sequence[Step]
    properties: Mapping[str, str | None]

    @property
    def empty(self) -> bool:
        """Whether it is so already."""
        return not self.steps and not self.properties


@dataclass(slots=True)
class Outcome:
    """`done`: how many steps; `refused`: names and why; what was refused is as it was."""

    done: int = 0
    refused: list[tuple[str, str]] = field(default_factory=list)


def plan(tx: Transaction, collection: Collection, instant: int) -> Plan:
    """What to do so that a collection holds again what it held at an instant. Raises `history.Unknown`."""
    held = history.as_of(tx, collection, instant)
    present = {one.href: one for one in history.members(tx, collection)}
    wanted = {one.uid: href for href, one in held.items() if one.uid}
    steps = [Step(href, DELETE, one, None) for href, one in present.items() if href not in held]
    for href, then in held.items():
        now = present.get(href)
        if now is None:
            steps.append(Step(href, BACK, None, then))
        elif (now.etag, now.content_type) != (then.etag, _content_type(then)):
            elsewhere = wanted.get(now.uid, href) != href
            steps.append(Step(href, CHANGE, now, then, elsewhere))
    before = history.properties_as_of(tx, collection, instant)
    properties: dict[str, str | None] = {name: None for name in collection.properties if name not in before}
    properties |= {name: xml for name, xml in before.items() if collection.properties.get(name) != xml}
    return Plan(collection, collection, instant, sorted(steps, key=lambda step: step.href), properties)


def plan_copy(tx: Transaction, collection: Collection, instant: int, target: Collection) -> Plan:
    """How another, empty collection gets what one held at an instant. Raises `history.Unknown`."""
    held = history.as_of(tx, collection, instant)
    steps = [Step(href, BACK, None, one) for href, one in sorted(held.items())]
    return Plan(collection, target, instant, steps, dict(history.properties_as_of(tx, collection, instant)))


def carry_out(store: Store, plan: Plan, actor: str, told: Told = lambda _step, _why: None) -> Outcome:
    """Do it, in short transactions. What somebody has changed since the plan was made is left alone and told.

    `told` is called for each step, with the reason where it was refused.
    """
    outcome = Outcome()

    def tell(step: Step, why: str = "") -> None:
        if why:
            outcome.refused.append((step.href, why))
        else:
            outcome.done += 1
        told(step, why)

    doomed = [step for step in plan.steps if step.action == DELETE or step.first]
    kept: dict[str, Mapping[str, str]] = {}
    for some in _chunks(doomed, _DELETIONS):
        kept |= _delete(store, plan, some, actor, tell)
    refused = {href for href, _ in outcome.refused}
    puts = [step for step in plan.steps if step.held is not None and step.href not in refused]
    for some in _chunks(puts, _PUTS):
        _put(store, plan, some, kept, actor, tell)
    if plan.properties:
        with store.write() as tx:
            tx.actor = actor
            collections.set_properties(tx, plan.target, plan.properties)
    return outcome


def bring_back(store: Store, one: Revision | Item, source: Collection, target: Collection, actor: str) -> Item:
    """Put a revision, or an item that lies in the trash, under the name that it had, or one like it if that is taken.

    Raises `Failed`, `Damaged`, `OverQuota`, and `UidConflict` where its UID lives on under another name.
    """
    item, revision = (None, one) if isinstance(one, Revision) else (one, None)
    with store.read() as tx:
        octets, dead = _content(tx, source, Held(one.href, one.uid, one.etag, item, revision))
    if isinstance(octets, Damaged):
        raise octets
    made = _parsed(store, target, octets)
    with store.write() as tx:
        tx.actor = actor
        principals.lock_owner(tx, target.owner)
        holder = uid_holders(tx, target, [one.uid]).get(one.uid) if one.uid else None
        present = items.get(tx, target, one.href)
        if holder is not None and holder != one.href:
            raise UidConflict(holder)
        id_ = one.item if isinstance(one, Revision) else one.id
        same = present is not None and (present.uid == one.uid if one.uid else present.id == id_)
        href = one.href if present is None or same else _free(tx, target, one.href)
        put = items.put(tx, target, href, made, content_type=one.content_type)
        return put if same else items.set_properties(tx, target, put, dead)


def _chunks(steps: Sequence[Step], size: int) -> Iterator[Sequence[Step]]:
    for start in range(0, len(steps), size):
        yield steps[start : start + size]


def _delete(
    store: Store, plan: Plan, steps: Sequence[Step], actor: str, tell: Callable[..., None]
) -> dict[str, Mapping[str, str]]:
    """Delete what has these names; the dead properties of what shall come back."""
    target = plan.target
    with store.write() as tx:
        tx.actor = actor
        principals.lock_owner(tx, target.owner)
        present = named(tx, target, [step.href for step in steps])
        going = [step for step in steps if _is(present.get(step.href), step.present)]
        dead = properties(tx, target, [present[step.href].id for step in going if step.first])
        for step in going:
            items.delete(tx, target, present[step.href])
    for step in steps:
        if step not in going:
            tell(step, "was changed meanwhile")
        elif not step.first:
            tell(step)
    return {step.href: dead.get(present[step.href].id, {}) for step in going if step.first}


def _put(
    store: Store,
    plan: Plan,
    steps: Sequence[Step],
    kept: Mapping[str, Mapping[str, str]],
    actor: str,
    tell: Callable[..., None],
) -> None:
    target = plan.target
    ready: list[tuple[Step, Held, ObjectResource, Mapping[str, str]]] = []
    results: list[tuple[Step, str]] = []
    with store.read() as tx:
        found = [(step, step.held, *_content(tx, plan.source, step.held)) for step in steps if step.held is not None]
    for step, held, octets, dead in found:
        try:
            if isinstance(octets, Damaged):
                raise Failed(str(octets))
            ready.append((step, held, _parsed(store, target, octets), kept.get(step.href, dead)))
        except Failed as error:
            results.append((step, str(error)))
    with store.write() as tx:
        tx.actor = actor
        principals.lock_owner(tx, target.owner)
        present = named(tx, target, [step.href for step, *_ in ready])
        for step, held, made, dead in ready:
            expected = None if step.first else step.present
            if not _is(present.get(step.href), expected):
                results.append((step, "was changed meanwhile"))
                continue
            try:
                put = items.put(tx, target, step.href, made, content_type=_content_type(held))
                if expected is None:
                    items.set_properties(tx, target, put, dead)
            except UidConflict as conflict:
                results.append((step, f"its UID is used by {conflict.href}"))
            except OverQuota as error:
                # What had to go first for its UID is in the history.
                results.append((step, f"{error}{'; it is deleted' if step.first else ''}"))
            else:
                results.append((step, ""))
    for step, why in results:
        tell(step, why)


def _is(one: Item | None, expected: Item | None) -> bool:
    if one is None or expected is None:
        return one is expected
    return (one.id, one.etag) == (expected.id, expected.etag)


def _content(tx: Transaction, source: Collection, held: Held) -> tuple[bytes | Damaged, Mapping[str, str]]:
    """The octets and the dead properties."""
    try:
        if held.revision is not None:
            return history.octets(tx, held.revision), json.loads(held.revision.properties)
        assert held.item is not None
        found = properties(tx, source, [held.item.id])
        return items.body(tx, held.item), found.get(held.item.id, {})
    except Damaged as error:
        return error, {}


def _content_type(held: Held) -> str:
    source = held.revision or held.item
    return source.content_type if source is not None else ""


def _parsed(store: Store, target: Collection, octets: bytes) -> ObjectResource:
    try:
        if target.kind == "plain":
            return ObjectResource(octets, sha256(octets).hexdigest(), Facts(kind="", component="", uid=""))
        if target.kind == "addressbook":
            return address_object(octets)
        return calendar_object(octets, window=store.window, components=target.components, allow_method=True)
    except Refused as error:
        raise Failed(f"{target.name!r} does not take it: {error}") from error


def _free(tx: Transaction, target: Collection, href: str) -> str:
    number, free = 1, href
    stem, dot, suffix = href.rpartition(".")
    while items.get(tx, target, free) is not None:
        number += 1
        free = f"{stem}-{number}.{suffix}" if dot else f"{href}-{number}"
    return free
