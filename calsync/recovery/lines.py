"""Whose history goes on from a backup, through which epochs, and how sure it is that nothing of it is missing."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

from calsync.recovery.replay import Journaled
from calsync.recovery.salvage import Salvaged
from calsync.recovery.state import State, Stretch
from calsync.store.entries import Restored
from calsync.store.names import folded
from calsync.store.principals import Principal


@dataclass(slots=True)
class Line:
    """One principal. `principal`: as the backup holds it, None for who came since. `gone`: was removed since.

    `stretches`: what is to be applied, in order. `certain`: nothing is missing in them. `whole`: nothing was left out
    by wish. `unknown` and `vanishing`: what will not be there, for people.
    """

    name: str
    principal: Principal | None
    stretches: list[Stretch]
    kind: str = "user"
    gone: bool = False
    certain: bool = False
    whole: bool = True
    unknown: list[str] = field(default_factory=list)
    vanishing: list[str] = field(default_factory=list)

    @property
    def called(self) -> str:
        """The name that it had last; `name` is that of the backup."""
        owners = (stretch.state.owner for stretch in reversed(self.stretches))
        return next((owner.name for owner in owners if owner is not None), self.name)


@dataclass(frozen=True, slots=True)
class _Sources:
    journaled: Journaled | None
    salvaged: Salvaged
    anchored: bool
    use_journal: bool
    use_salvage: bool
    restored: Sequence[Restored]

    def follow(self, epoch: str, seq: int) -> list[tuple[str, int, int]]:
        """The epochs from this one on, each with the seqs up to which its ids mean what the backup's do, and what those
        of the epoch before do: that may have been a backup which was made later."""
        found = [(epoch, seq, 0)]
        while True:
            children = [one for one in self.restored if one.old == found[-1][0]]
            if not children or children[-1].new in {epoch for epoch, _, _ in found}:
                return found
            found.append((children[-1].new, min(found[-1][1], children[-1].at), children[-1].at))

    def state(self, epoch: str, *, journal: bool, salvage: bool) -> State:
        """What the sources know of an epoch, together."""
        made = State(epoch)
        if journal and self.journaled is not None and epoch in self.journaled.states:
            made.join(self.journaled.states[epoch])
        if salvage and epoch in self.salvaged.states:
            made.join(self.salvaged.states[epoch])
        return made

    def journal_covers(self, epochs: Sequence[str]) -> bool:
        found = self.journaled
        if found is None or found.damaged or found.ended or found.lost or any(epoch in found.gaps for epoch in epochs):
            return False
        return self.anchored or any(epoch in found.counted for epoch in epochs)

    def store_covers(self, epochs: Sequence[str], seq: int) -> bool:
        found = self.salvaged
        last = epochs[-1]
        if not found.sound or last not in found.states or found.states[last].unread:
            return False
        return last != epochs[0] or found.seqs[last] >= seq

    def described(self, name: str, epochs: Sequence[str]) -> list[str]:
        found = self.journaled
        gaps = [gap for epoch in epochs for gap in (found.gaps.get(epoch, []) if found else [])]
        if gaps and found is not None and not (found.damaged or found.ended or found.lost):
            return [f"{name}: changes {since + 1} to {seq} are in no journal that is left" for since, seq in gaps]
        return [f"{name}: whether more was changed since the backup than was found is not known"]


def lines(
    owners: Sequence[Principal],
    journaled: Journaled | None,
    salvaged: Salvaged,
    *,
    anchored: bool,
    use_journal: bool,
    use_salvage: bool,
) -> list[Line]:
    """One for each principal, those that are gone first. `anchored`: a journal was kept when the backup was made."""
    restored = list(dict.fromkeys([*(journaled.restored if journaled else []), *salvaged.restored]))
    sources = _Sources(journaled, salvaged, anchored, use_journal, use_salvage, restored)
    found = [_line(sources, one.name, one, sources.follow(one.epoch, one.seq)) for one in owners]
    known = {stretch.state.epoch for line in found for stretch in line.stretches}
    for epoch in sorted(_others(sources)):
        line = [*sources.follow(epoch, 0)]
        if known & {each for each, _, _ in line}:
            continue  # an ancestor of somebody in the backup
        owner = next((state.owner for each, _, _ in reversed(line) if (state := _any(sources, each)).owner), None)
        here = epoch in salvaged.states or line[-1][0] in salvaged.states
        created = journaled is not None and epoch in journaled.states and epoch not in journaled.gaps
        if owner is None or not (here or created):
            continue  # removed before the backup was made
        new = _line(sources, owner.name, None, line, owner.kind)
        if new.gone:
            continue  # came and went since: nothing of it is somebody else's who is called so
        # By the names of the end: one that was given up since may have a new bearer, who is somebody else.
        namesake = next((one for one in found if folded(one.called) == folded(owner.name) and not one.gone), None)
        if namesake is not None:
            # Of a store that was made after the loss: it did not know what was here, so what it lacks was not deleted.
            namesake.stretches += [replace(one, state=one.state.additions(), adding=True) for one in new.stretches]
        elif new.stretches[-1].state.owner is not None or new.stretches[0].state.owner is not None:
            found.append(new)
    return sorted(found, key=lambda line: not line.gone)


def _others(sources: _Sources) -> set[str]:
    """Epochs with which a history begins."""
    epochs = set(sources.salvaged.states)
    if sources.journaled is not None:
        epochs |= set(sources.journaled.states)
    return epochs - {one.new for one in sources.restored}


def _any(sources: _Sources, epoch: str) -> State:
    return sources.state(epoch, journal=True, salvage=True)


def _line(
    sources: _Sources,
    name: str,
    principal: Principal | None,
    followed: Sequence[tuple[str, int, int]],
    kind: str = "user",
) -> Line:
    epochs = [epoch for epoch, _, _ in followed]
    applied = [
        Stretch(sources.state(epoch, journal=sources.use_journal, salvage=sources.use_salvage), since, kept)
        for epoch, since, kept in followed
    ]
    by_journal = sources.journal_covers(epochs)
    by_store = sources.store_covers(epochs, 0 if principal is None else principal.seq)
    line = Line(name, principal, applied, kind)
    line.gone = applied[-1].state.gone
    line.certain = (by_journal and sources.use_journal) or (by_store and sources.use_salvage)
    line.whole = sources.use_journal or sources.use_salvage
    if line.gone:
        return line
    if not (by_journal or by_store):
        line.unknown = sources.described(name, epochs)
    for stretch in applied:
        everything = _any(sources, stretch.state.epoch)
        lost = list(everything.missing())
        for key, member in everything.members.items():
            there = stretch.state.members.get(key)
            if member.fetch is not None and (there is None or there.seq < member.seq):
                lost.append(key)
        standing = everything.standing()
        for collection, href in lost:
            place = everything.places.get(collection)
            if place is not None and collection not in standing:
                continue  # deleted since, with all that was in it
            line.vanishing.append(f"{name}/{place.name if place else f'#{collection}'}/{href}")
    return line
