"""The class that Radicale loads: paths ⇄ principals, collections and items."""

from __future__ import annotations

import base64
import unicodedata
from collections.abc import Callable, Iterable, Iterator, Mapping
from collections.abc import Set as AbstractSet
from contextlib import AbstractContextManager, contextmanager, nullcontext, suppress
from pathlib import Path
from typing import Any, Final

from radicale import item as radicale_item
from radicale import pathutils
from radicale.config import Configuration
from radicale.log import logger
from radicale.storage import BaseCollection, BaseStorage, ComponentNotFoundError
from radicale.types import CollectionOrItem

from calsync.ical.facts import ObjectResource
from calsync.store import collections, items, principals, verify
from calsync.store.collections import HOME
from calsync.store.items import LeftOut
from calsync.store.principals import Principal
from calsync.store.rows import uid_holders
from calsync.store.transaction import Transaction
from calsync_storage import location, properties
from calsync_storage.collection import Collection
from calsync_storage.item import Item
from calsync_storage.session import session
from calsync_storage.writing import check_name, name_of, prepared, refusals

_SUFFIXES: Final = {"calendar": ".ics", "addressbook": ".vcf"}

Guard = Callable[[str, str | None], AbstractContextManager[None]]


class Storage(BaseStorage):
    """`[storage] type = calsync_storage`. Radicale makes two of these a process; they share one session."""

    _is_collision_free = True
    _supports_unicode = True
    _supports_trailing_whitespace = True
    _supports_problematic_chars = True

    def __init__(self, configuration: Configuration) -> None:
        super().__init__(configuration)
        self.session = session(location.storage_url(configuration), location.partitions(configuration))
        self.session.store.use_replicas(location.replica_urls(configuration))
        with suppress(OSError):
            # Radicale's sharing keeps its files there, also where the store is in a database.
            Path(configuration.get("storage", "filesystem_folder")).mkdir(mode=0o700, parents=True, exist_ok=True)
        self._groups_folder = str(configuration.get("group", "group_collections_folder") or "")
        if configuration.get("storage", "hook"):
            logger.warning("storage: [storage] hook runs only with the type multifilesystem; it is ignored")

    @contextmanager
    def acquire_lock(self, mode: str, user: str = "", *args: Any, **kwargs: Any) -> Iterator[None]:
        """`r`: a snapshot; `w`: the writing transaction, committed at the end unless the block raises."""
        with self.session.lock(mode):
            yield

    # --- finding ------------------------------------------------------------------------------------------------------

    def discover(
        self,
        path: str,
        depth: str = "0",
        child_context_manager: Guard | None = None,
        user_groups: AbstractSet[str] = frozenset(),
        *args: Any,
        **kwargs: Any,
    ) -> Iterator[CollectionOrItem]:
        """What is at `path`, then what is in it where `depth` is not 0; found as it is asked for."""
        guard = child_context_manager or _unguarded
        with self.session.read() as tx:
            found = self._at(tx, _names(path))
        if found is None:
            return
        yield found
        if depth == "0" or not isinstance(found, Collection):
            return
        for item in found.get_all():
            with guard(found.path, item.href):
                yield item
        with self.session.read() as tx:
            inner = [*self._inside(tx, found), *self._of_groups(tx, user_groups)]
        for child in inner:
            with guard(child.path, None):
                yield child

    def _at(self, tx: Transaction, names: list[str]) -> Collection | Item | None:
        if not names:
            return Collection(self, "", None)
        principal = self._principal(tx, names[0])
        if principal is None:
            return None
        found = Collection(self, names[0], principal)
        parent: collections.Collection | None = None
        for position, name in enumerate(names[1:], 1):
            child = None
            if parent is None or parent.kind == "plain":
                child = collections.child(tx, principal.id, HOME if parent is None else parent.id, name)
            if child is not None:
                found, parent = Collection(self, "/".join(names[: position + 1]), child), child
            elif parent is not None and parent.kind != "plain" and position == len(names) - 1:
                row = items.get(tx, parent, name)
                return None if row is None else Item(found, row, found.fetch)
            else:
                return None
        return found

    def _principal(self, tx: Transaction, name: str) -> Principal | None:
        # Names that differ in case are one principal to calsync, but other auth back ends tell `anna` from `Anna`:
        # nobody may come to somebody else's home through a capital letter.
        found = principals.find(tx, name)
        return found if found is not None and found.name == unicodedata.normalize("NFC", name) else None

    def _inside(self, tx: Transaction, found: Collection) -> Iterator[Collection]:
        record = found.record
        if record is None:
            yield from (Collection(self, principal.name, principal) for principal in principals.listing(tx))
            return
        owner, parent = (record.id, HOME) if isinstance(record, Principal) else (record.owner, record.id)
        for child in collections.children(tx, owner, parent):
            yield Collection(self, f"{found.path}/{child.name}", child)

    def _of_groups(self, tx: Transaction, user_groups: AbstractSet[str]) -> Iterator[Collection]:
        """The collections of the groups that the user is in: Radicale keeps them in a folder under encoded names."""
        for group in sorted(user_groups) if self._groups_folder else ():
            name = base64.b64encode(group.encode()).decode()
            found = self._at(tx, [part for part in f"{self._groups_folder}/{name}".split("/") if part])
            if isinstance(found, Collection):
                yield found

    # --- changing -----------------------------------------------------------------------------------------------------

    def create_collection(
        self,
        href: str,
        items: Iterable[radicale_item.Item] | None = None,
        props: Mapping[str, str] | None = None,
        *args: Any,
        **kwargs: Any,
    ) -> tuple[Collection, dict[str, radicale_item.Item], list[str]]:
        """Make a collection, or replace what is in it: an item whose UID is there keeps its name, and tokens hold on.

        Properties that `props` does not name stay. Gives the collection, the items that were replaced, by name, and the
        names of the new ones. ValueError where it cannot be.
        """
        names = _names(href)
        with refusals(), self.session.write() as tx:
            if not props:
                return self._folder(tx, names), {}, []
            meta = properties.from_radicale(props)
            if meta.unreadable:
                raise ValueError(f"not a property name: {meta.unreadable[0]!r}")
            if len(names) < 2:
                return self._home(tx, names, meta), {}, []
            return self._made(tx, names, meta, list(items or ()))

    def _folder(self, tx: Transaction, names: list[str]) -> Collection:
        """What is at `names`, made as a plain collection where there is nothing, and so with what is above."""
        found = Collection(self, "", None)
        for position, name in enumerate(names):
            path = names[: position + 1]
            there = self._at(tx, path)
            if there is None:
                check_name(name)
                there = Collection(self, "/".join(path), self._new_folder(tx, found, name))
            if not isinstance(there, Collection) or (there.tag and path != names):
                raise ValueError(f"{'/'.join(path)!r} holds no collections")
            found = there
        return found

    def _new_folder(self, tx: Transaction, above: Collection, name: str) -> Principal | collections.Collection:
        record = above.record
        if record is None:
            if name.startswith("."):
                raise ValueError(f"{name!r}: names with a dot before them are the server's own")
            same = principals.find(tx, name)
            if same is not None:
                raise ValueError(
                    f"{name!r} differs only in case from the home {same.name!r} (set [auth] lc_username = True?)"
                )
            return principals.create(tx, name, "folder" if name == self._groups_folder else "user")
        owner, parent = _place(tx, record)
        return collections.create(tx, owner, parent, name, "plain")

    def _home(self, tx: Transaction, names: list[str], meta: properties.Meta) -> Collection:
        if meta.kind != "plain" or not names:
            raise ValueError("a calendar or address book stands below a home: /USER/COLLECTION/")
        found = self._folder(tx, names)
        found.set_meta(dict(found.get_meta()) | properties.to_radicale("plain", (), meta.properties))
        return found

    def _made(
        self, tx: Transaction, names: list[str], meta: properties.Meta, given: list[radicale_item.Item]
    ) -> tuple[Collection, dict[str, radicale_item.Item], list[str]]:
        above = self._folder(tx, names[:-1])
        if above.tag:
            raise ValueError(f"{above.path!r} holds no collections")
        record = self._replaced(tx, names, meta)
        if record is None:
            check_name(names[-1])
            owner, parent = _place(tx, above.record)
            record = collections.create(tx, owner, parent, names[-1], meta.kind, meta.components, meta.properties)
        made = Collection(self, "/".join(names), record)
        if meta.kind not in _SUFFIXES:
            return made, {}, []
        return made, *self._filled(tx, made, record, given)

    def _replaced(self, tx: Transaction, names: list[str], meta: properties.Meta) -> collections.Collection | None:
        """The collection that is there already, with the new properties; None where one is to be made."""
        there = self._at(tx, names)
        if there is None:
            return None
        record = there.record if isinstance(there, Collection) else None
        if not isinstance(record, collections.Collection):
            raise ValueError(f"{'/'.join(names)!r} is no collection")
        if record.kind != meta.kind:
            if collections.children(tx, record.owner, record.id):
                raise ValueError(f"{'/'.join(names)!r} holds collections")
            collections.delete(tx, record)
            return None
        if meta.components:
            record = collections.set_kind(tx, record, record.kind, meta.components)
        changed = properties.changes(record.properties, dict(record.properties) | dict(meta.properties))
        return collections.set_properties(tx, record, changed)

    def _filled(
        self, tx: Transaction, made: Collection, record: collections.Collection, given: list[radicale_item.Item]
    ) -> tuple[dict[str, radicale_item.Item], list[str]]:
        wanted: dict[str, ObjectResource] = {}
        nameless: list[ObjectResource] = []
        for item in given:
            resource = prepared(tx, record, item)
            uid = resource.facts.uid
            if not uid:
                nameless.append(resource)
            # The same card twice is one card.
            elif wanted.setdefault(uid, resource).etag != resource.etag:
                raise ValueError(f"two items that differ have the UID {uid!r}")
        suffix = _SUFFIXES[record.kind]
        pairs = [(name_of(one.facts.uid or one.etag, suffix), one) for one in (*wanted.values(), *nameless)]
        holders = uid_holders(tx, record, list(wanted))
        old = self._before(made, list(holders.values()))
        replaced = items.replace_all(tx, record, pairs)
        new: list[str] = []
        for result in replaced.items:
            if isinstance(result, LeftOut):
                raise result
            if result.uid not in holders:
                new.append(result.href)
        return old, new

    def _before(self, made: Collection, names: list[str]) -> dict[str, radicale_item.Item]:
        """The items that are about to be replaced, with their texts; only a hook wants to know."""
        if self.configuration.get("hook", "type") == "none":
            return {}
        return {name: item for name, item in made.get_multi(names) if item is not None}

    def move(
        self, item: radicale_item.Item, to_collection: BaseCollection, to_href: str, *args: Any, **kwargs: Any
    ) -> None:
        """Move an item; one that is at the target goes. ValueError where it cannot be."""
        source = item.collection
        assert isinstance(source, Collection) and isinstance(to_collection, Collection) and item.href
        check_name(to_href)
        with refusals(), self.session.write() as tx:
            here, there = source.holding(), to_collection.holding()
            row = items.get(tx, here, item.href)
            if row is None:
                raise ComponentNotFoundError(item.href)
            if (here.owner, here.id, row.href) == (there.owner, there.id, to_href):
                return
            items.move(tx, here, row, there, to_href)

    def verify(self) -> bool:
        """Whether all that is stored is what was put; what is wrong is logged, damage to the history too."""
        sound = True
        for problem in verify.verify(self.session.store):
            sound = sound and problem.kind is verify.Kind.REVISION
            logger.error("storage: %s: %s: %s", self.session.url, problem.path, problem.text)
        return sound


def _names(path: str) -> list[str]:
    stripped = pathutils.strip_path(path)
    return stripped.split("/") if stripped else []


def _place(tx: Transaction, record: Principal | collections.Collection | None) -> tuple[Principal, int]:
    """The principal and the parent for what is made inside."""
    if isinstance(record, Principal):
        return record, HOME
    owner = principals.get(tx, record.owner) if record is not None else None
    if owner is None or record is None:
        raise ValueError("nothing can be made here")
    return owner, record.id


def _unguarded(path: str, href: str | None) -> AbstractContextManager[None]:
    return nullcontext()
