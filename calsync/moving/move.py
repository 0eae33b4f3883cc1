"""The move of a store into another one, while it is served.

Rows are copied in pages by key, then what has changed since is brought over in rounds, each of which makes the copy
what the store was at one instant. All is compared. Then comes the one moment in which nobody writes: the last few
changes, the totals, and the mark that leads everybody to the new store. Who is about to write waits for it, nobody is
refused. Wherever a run breaks off, the next one goes on, and until the mark only the old store counts.
"""

from __future__ import annotations

import secrets
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from calsync.accounts import audit
from calsync.moving import compare, indexes, log
from calsync.moving.state import COPYING, FOLLOWING, WHOLE, Arriving
from calsync.moving.tables import OCTETS, TABLES, Key
from calsync.store import meta, moved
from calsync.store.engine import Store
from calsync.store.errors import Busy, StoreError
from calsync.store.moved import Move
from calsync.store.transaction import Row, Transaction

#: Entries of the change log that are brought over at once, before the indexes are there.
_CHUNK: Final = 5000
#: With so few entries left the switch may come.
_FEW: Final = 200
#: Seconds in which that must have become so, and tries of the switch.
_PATIENCE: Final = 120.0
_TRIES: Final = 3
#: Seconds by which clocks of processes may differ in what `moved.FRESH` means.
_MARGIN: Final = 0.25

#: What a store has that was never used.
_NEW: Final = {"window"}

Progress = Callable[[str, int, int], None]


class NotMoved(StoreError):
    """The move cannot be, or was not finished; the old store is as it was."""


@dataclass(slots=True)
class Told:
    """What a move did. `pause`: seconds in which nobody could write. `damaged`: items that were wrong before."""

    rows: int = 0
    items: int = 0
    bodies: int = 0
    rounds: int = 0
    changes: int = 0
    copied: float = 0.0
    compared: float = 0.0
    pause: float = 0.0
    damaged: list[str] = field(default_factory=list)


@dataclass(slots=True)
class Moving:
    """`source` and `target` are opened by `Store.itself`. `progress`: what is done, how much, of how much."""

    source: Store
    target: Store
    move: Move
    state: Arriving
    progress: Progress = lambda _what, _done, _total: None
    told: Told = field(default_factory=Told)

    @classmethod
    def begun(
        cls, source: Store, target: Store, *, whence: str, to: str, anew: bool = False, progress: Progress | None = None
    ) -> Moving:
        """The move that is to be made or to be continued. `whence`, `to`: the URLs. Raises `NotMoved`."""
        with source.read() as tx:
            done, under_way, noted = moved.ended(tx), moved.begun(tx), log.running(tx)
        # Of a run that was killed the last commit may still be under way: it is waited for, and counts.
        with target.write(still=True) as tx:
            state = Arriving.read(tx)
            there = used(tx) if state is None else ""
        if done is not None:
            if done.to != to:
                raise NotMoved(f"{whence} was moved to {done.to} already (--reopen, if it is to count again)")
            state = state or Arriving(done.id, whence, WHOLE)
            return cls(source, target, done, state, progress or _silent)
        if there:
            raise NotMoved(f"{to} is not empty ({there}); name a new file or an empty database")
        if under_way is not None and under_way.to != to:
            raise NotMoved(f"a move from {whence} to {under_way.to} is under way: continue it, or end it (--abandon)")
        if state is not None and not anew and not (under_way and noted and under_way.id == state.id):
            raise NotMoved(f"{to} is half made by another move, of {state.source} (--anew empties it and begins again)")
        move = under_way or Move(secrets.token_hex(8), to, int(time.time()))
        made = cls(source, target, move, state or Arriving(move.id, whence), progress or _silent)
        if state is None or anew:
            made._start(whence)
        elif state.phase == WHOLE:
            made._noted(FOLLOWING)
        return made

    def _start(self, whence: str) -> None:
        with self.source.write() as tx:
            meta.put(tx, moved.MOVING, self.move.encoded())
        log.begin(self.source)
        with self.target.write() as tx:
            self.state = Arriving(self.move.id, whence, indexes=self.state.indexes | indexes.known(tx))
            indexes.put_away(tx, self.state.indexes)
            for one in TABLES.values():
                one.clear(tx)
            self.state.write(tx)

    def _noted(self, phase: str) -> None:
        self.state.phase = phase
        with self.target.write() as tx:
            self.state.write(tx)

    def run(self) -> Told:
        """Do all that is left to do. Raises `NotMoved` and whatever a store raises; then it can be run again."""
        with self.source.read() as tx:
            done = moved.ended(tx)
        if done is None:
            self.copy()
            self.follow()
            self.compare()
            self.switch()
        self.finish()
        return self.told

    # --- all rows -----------------------------------------------------------------------------------------------------

    def copy(self) -> None:
        """Copy what was not copied before."""
        began = time.monotonic()
        with self.source.read() as tx:
            total = sum(one.count(tx) for one in TABLES.values())
        for name, one in TABLES.items():
            text = self.state.tables.get(name)
            if text == "":
                continue
            after = one.read(text) if text else None
            while True:
                with self.source.read() as tx:
                    rows = one.page(tx, after)
                after = one.key_of(rows[-1]) if rows else after
                with self.target.write() as tx:
                    if name == "meta":  # every store has a window
                        one.delete(tx, [one.key_of(row) for row in rows])
                    tx.load(one.table, rows)
                    self.state.tables[name] = one.written(after) if rows and after else ""
                    self.state.write(tx)
                self.told.rows += len(rows)
                self.told.items += len(rows) * (name == "item")
                self.progress("copy", self.told.rows, total)
                if not rows:
                    break
        self.told.copied = time.monotonic() - began

    # --- what has changed since ---------------------------------------------------------------------------------------

    def round(self, limit: int | None = None) -> int:
        """Bring over what has changed; without `limit` the copy is then what the store was at one instant."""
        with self.source.read() as tx:
            changed = log.entries(tx, limit)
            if changed.ids:
                with self.target.write() as into:
                    _lay(tx, into, changed.keys)
        log.forget(self.source, changed.ids)
        self.told.rounds += 1
        self.told.changes += len(changed.ids)
        return len(changed.ids)

    def follow(self) -> None:
        """Catch up, and let the indexes be made."""
        if self.state.phase == COPYING:
            while self._waiting() > _CHUNK:
                self.round(_CHUNK)
            self.round()
            self.progress("index", 0, 0)
            with self.target.write() as tx:
                indexes.make(tx, self.state.indexes)
            self._noted(FOLLOWING)
        self._catch_up(0.0)

    def _waiting(self) -> int:
        with self.source.read() as tx:
            return log.count(tx)

    def _catch_up(self, least: float) -> None:
        """Rounds until few changes are left, for `least` seconds at least."""
        began = time.monotonic()
        while True:
            left = self.round()
            past = time.monotonic() - began
            if left <= _FEW and past >= least:
                return
            if past > _PATIENCE + least:
                raise NotMoved(
                    f"{left} changes came while those before them were brought over: too many are written for the "
                    "switch; try again at a quieter time, what is done stays done"
                )
            if left <= _FEW:
                time.sleep(0.05)

    # --- is it the same? ----------------------------------------------------------------------------------------------

    def compare(self) -> None:
        """Compare all rows and octets. Raises `NotMoved`."""
        began = time.monotonic()
        with self.source.read() as tx:
            total = sum(one.count(tx) for one in TABLES.values())
        done = 0

        def progress(count: int) -> None:
            nonlocal done
            done += count
            self.progress("compare", done, total)

        found = compare.compared(self.source, self.target, self.round, progress)
        self.told.compared = time.monotonic() - began
        self.told.bodies, self.told.damaged = found.bodies, found.damaged
        if found.differing:
            raise NotMoved(
                f"{len(found.differing)} rows are not what they are in the old store, which goes on "
                f"({found.differing[0]}); look at the new one's disk, then --anew begins again"
            )

    # --- the switch ---------------------------------------------------------------------------------------------------

    def switch(self) -> None:
        """Let the new store count. Raises `NotMoved`, `Busy`; then the old one counts."""
        with self.source.write() as tx:
            meta.put(tx, moved.MOVED, b"")  # from now on everybody asks with each transaction
        try:
            self.progress("switch", 0, 0)
            self._catch_up(moved.FRESH + _MARGIN)
            for last in range(_TRIES, 0, -1):
                try:
                    self._last()
                    return
                except Busy:
                    if last == 1:
                        raise
                self._catch_up(0.0)
        except BaseException:
            self._stay()
            raise

    def _last(self) -> None:
        with self.source.write(still=True) as tx:
            began = time.monotonic()
            changed = log.entries(tx)
            with self.target.write() as into:
                _lay(tx, into, changed.keys)
                problems = compare.totals(tx, into)
                if problems:
                    raise NotMoved(f"the new store is not the same: {'; '.join(problems)} (--anew begins again)")
                self.state.phase = WHOLE
                self.state.write(into)
            moved.leave(tx, self.move)
        self.told.pause = time.monotonic() - began
        self.told.changes += len(changed.ids)

    def _stay(self) -> None:
        """Take the announcement back, unless the mark is there after all."""
        with self.source.write() as tx:
            if moved.ended(tx) is None:
                meta.remove(tx, moved.MOVED)
                self.state.phase = FOLLOWING

    def finish(self) -> None:
        """Nothing is on its way any more. What this leaves undone, whoever follows to the new store does."""
        with self.target.write() as tx:
            new = meta.get(tx, moved.ARRIVING) is not None
            if not moved.arrive(tx, self.move):
                raise NotMoved(f"{self.move.to}: everything was moved there, but it is another store now")
            if new:
                audit.note(tx, "moved", actor="calsync migrate-store", source=self.state.source)
        log.end(self.source)


def abandon(source: Store) -> bool:
    """End a move that is not to be continued; False where there is none."""
    with source.write() as tx:
        under_way = moved.begun(tx)
        if moved.ended(tx) is None:
            meta.remove(tx, moved.MOVED)
        meta.remove(tx, moved.MOVING)
    log.end(source)
    return under_way is not None


def reopen(source: Store) -> Move | None:
    """Let a store count again that was moved away from; where it went, None where it is there anyway."""
    with source.write() as tx:
        gone = moved.ended(tx)
        if gone is not None:
            meta.remove(tx, moved.MOVED)
    if gone is not None:
        log.end(source)
    return gone


def _lay(source: Transaction, target: Transaction, changed: Mapping[str, Mapping[Key, None]]) -> None:
    """Make rows what they are: first all go, so that no two meet in an index."""
    for name, keys in changed.items():
        TABLES[name].delete(target, list(keys))
    for name, keys in changed.items():
        one = TABLES[name]
        rows: list[Row] = []
        size = 0
        for key in keys:
            row = one.get(source, key)
            if row is None:
                continue
            rows.append(row)
            size += sum(len(value) for value in row if isinstance(value, bytes))
            if size > OCTETS:
                target.load(one.table, rows)
                rows, size = [], 0
        target.load(one.table, rows)


def used(tx: Transaction) -> str:
    """What a store holds that is not new, in words."""
    for name, one in TABLES.items():
        if name == "meta":
            keys: set[Any] = {row[0] for row in one.rest(tx, None)}
            if keys - _NEW:
                return f"meta: {sorted(keys - _NEW)[0]}"
        elif one.count(tx):
            return f"{name}: {one.count(tx)} rows"
    return ""


def _silent(_what: str, _done: int, _total: int) -> None:
    pass
