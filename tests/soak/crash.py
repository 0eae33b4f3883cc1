"""Writers, phones that follow them, and a server that is killed again and again.

A writer has two calendars of its own and knows what must be in them: after an answer, exactly that; after a kill, what
was there before its last request or after it. What several writers change, they change by If-Match: each version is
replaced once.
"""

from __future__ import annotations

import itertools
import random
import threading
import time
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import dataclass, field
from hashlib import sha256
from typing import Self

from tests.soak.wire import CUT, Mirror, Patient, Wire, multiput, versioned, whole

#: (calendar, UID) → version of the item; (calendar, "") → display name, there as long as the calendar is.
State = dict[tuple[str, str], str]

SHARED = "/anna/calendar/"
UIDS = 10

#: Writes by each writer, in each round.
ROUND = 4

#: Seconds to breathe after a cut, before it is asked what there is.
LANDING = 0.3
#: Seconds for which all may be told to come back later.
PATIENCE = 60
MAKE = (
    '<C:mkcalendar xmlns="DAV:" xmlns:C="urn:ietf:params:xml:ns:caldav"><set><prop><displayname>{}</displayname></prop>'
    "</set></C:mkcalendar>"
)


#: Waits until the database has carried out what those had sent who are gone, a COMMIT that was on its way.
Landed = Callable[[], None]


def at_once() -> None:
    """SQLite does nothing once the process has ended."""


class Wrong(AssertionError):
    """The server told something that is not so."""


@dataclass
class Contested:
    """Items that all writers change by If-Match. Used under its lock."""

    guard: threading.Lock = field(default_factory=threading.Lock)
    replaced: Counter[str] = field(default_factory=Counter)
    """ETags, by how often a client was told that it replaced them."""
    told: set[str] = field(default_factory=set)
    under_way: list[tuple[str, str]] = field(default_factory=list)
    """ETags before and after of requests that a kill cut off."""

    def check(self, wire: Wire, paths: list[str]) -> None:
        """After a kill: what is there is the last that was told, or came out of it by what was under way."""
        for path in paths:
            etag = wire.ask("GET", path).etag
            if self.replaced[etag]:
                raise Wrong(f"{path}: {etag} was replaced, and is back")
            reachable = {after: before for before, after in self.under_way}
            start = etag
            while start not in self.told and start in reachable:
                start = reachable[start]
            if start not in self.told:
                raise Wrong(f"{path}: {etag} was never written")
            self.told.add(etag)
        if twice := [etag for etag, count in self.replaced.items() if count > 1]:
            raise Wrong(f"replaced twice: {twice}")
        self.under_way.clear()


class Writer:
    """Changes its calendars in every way there is, until the server is gone."""

    def __init__(
        self, number: int, contested: Contested, seed: int, wire: type[Wire] = Wire, landed: Landed = at_once
    ) -> None:
        self.user = ("anna", "bert")[number % 2]
        self.calendars = (f"/{self.user}/one{number}/", f"/{self.user}/two{number}/")
        self.random = random.Random(seed * 100 + number)
        self.state: State = {}
        self.after: State | None = None
        """What the request under way would lead to, None where there is none."""
        self.in_parts = False
        """Whether it may be done for some items and not for others."""
        self.hrefs: dict[tuple[str, str], str] = {}
        self.octets: dict[str, bytes] = {}
        self.latencies: list[float] = []
        self.acknowledged: Counter[str] = Counter()
        self._number = number
        self._count = 0
        self._contested = contested
        self.cuts = 0
        self._opened = wire
        self._landed = landed
        self._wire: Wire
        self._acts: list[tuple[int, Callable[[str], None]]] = [
            (12, self.put),
            (4, self.put_new),
            (4, self.replace),
            (4, self.delete),
            (3, self.move),
            (2, self.bulk),
            (2, self.put_whole),
            (2, self.rename),
            (1, self.remove),
            (5, self.contest),
        ]

    def run(self, address: tuple[str, int], until: Callable[[], bool]) -> None:
        """Until the server is gone, or `until` says so."""
        self._wire = self._opened(address, self.user)
        weights = [weight for weight, _ in self._acts]
        try:
            while not until():
                [(_, act)] = self.random.choices(self._acts, weights)
                calendar = self.random.choice(self.calendars)
                if (calendar, "") not in self.state:
                    self.make(calendar)
                act(calendar)
        except CUT:
            self.cuts += 1
        finally:
            self._wire.close()

    def persist(self, address: tuple[str, int], until: Callable[[], bool]) -> None:
        """Until `until` says so. What is cut off or told to come back looks at what there is, and goes on."""
        while not until():
            self.run(address, until)
            patiently(lambda: self.settle(address), self._landed)

    # --- what it does -------------------------------------------------------------------------------------------------

    def make(self, calendar: str) -> None:
        name = self._version()
        body = MAKE.format(name)
        self._write("MKCALENDAR", calendar, body, {**self.state, (calendar, ""): name}, {201})

    def put(self, calendar: str) -> None:
        uid, version = self._any_uid(calendar), self._version()
        octets = self._made(uid, version, self.random.choice((0, 0, 500, 20_000)))
        self._write("PUT", self._href(calendar, uid), octets, {**self.state, (calendar, uid): version}, {201, 204})

    def put_new(self, calendar: str) -> None:
        """If-None-Match: there, it is refused."""
        uid, version = self._any_uid(calendar), self._version()
        there = (calendar, uid) in self.state
        after = self.state if there else {**self.state, (calendar, uid): version}
        octets = self._made(uid, version)
        self._write("PUT", self._href(calendar, uid), octets, after, {412 if there else 201}, If_None_Match="*")

    def replace(self, calendar: str) -> None:
        """If-Match with the ETag that is there, or with one that was."""
        known = self._some(calendar)
        if known is None:
            return
        etag, version = self._wire.ask("GET", self.hrefs[known]).etag, self._version()
        true = self.random.random() < 0.8
        after = {**self.state, known: version} if true else self.state
        octets = self._made(known[1], version)
        status = {204} if true else {412}
        self._write("PUT", self.hrefs[known], octets, after, status, If_Match=etag if true else '"old"')

    def delete(self, calendar: str) -> None:
        known = self._some(calendar)
        if known is not None:
            self._write("DELETE", self.hrefs[known], b"", _without(self.state, known), {204})

    def move(self, calendar: str) -> None:
        known, other = self._some(calendar), self.calendars[calendar == self.calendars[0]]
        if known is None or (other, known[1]) in self.state or (other, "") not in self.state:
            return
        target = self._href(other, known[1])
        after = {**_without(self.state, known), (other, known[1]): self.state[known]}
        self._write("MOVE", self.hrefs[known], b"", after, {201}, Destination=target)

    def bulk(self, calendar: str) -> None:
        """Some of these may be done and others not: each stands for itself."""
        free = [uid for uid in self._uids() if (calendar, uid) not in self.state][:4]
        made = {uid: self._version() for uid in free}
        if made:
            body = multiput(*(self._made(uid, version) for uid, version in made.items()))
            after = self.state | {(calendar, uid): version for uid, version in made.items()}
            self._write("POST", calendar, body, after, {207}, parts=True, Content_Type="application/xml")
            self._learn(calendar)

    def put_whole(self, calendar: str) -> None:
        kept = self.random.sample(self._uids(), 5)
        made = {uid: self._version() for uid in kept}
        after = {key: version for key, version in self.state.items() if key[0] != calendar or not key[1]}
        after |= {(calendar, uid): version for uid, version in made.items()}
        text = whole(*(versioned(uid, version) for uid, version in made.items()))
        self._write("PUT", calendar, text, after, {201, 204}, parts=True)
        self._learn(calendar)

    def rename(self, calendar: str) -> None:
        name = self._version()
        body = (
            f'<propertyupdate xmlns="DAV:"><set><prop><displayname>{name}</displayname></prop></set></propertyupdate>'
        )
        self._write("PROPPATCH", calendar, body, {**self.state, (calendar, ""): name}, {207})

    def remove(self, calendar: str) -> None:
        after = {key: version for key, version in self.state.items() if key[0] != calendar}
        self._write("DELETE", calendar, b"", after, {204})

    def contest(self, _: str) -> None:
        if self.user != "anna":
            return
        path, version = f"{SHARED}{self.random.randrange(3)}.ics", self._version()
        before = self._wire.ask("GET", path)
        uid = f"shared{path[-5]}"
        octets = versioned(uid, version)
        after = etag_of(octets)
        try:
            answer = self._wire.ask("PUT", path, octets, If_Match=before.etag)
        except CUT:
            with self._contested.guard:
                self._contested.under_way.append((before.etag, after))
            raise
        if answer.status not in (204, 412):
            raise Wrong(f"PUT {path}: {answer.status} {answer.body!r}")
        with self._contested.guard:
            # What is seen was done, also where the one who did it never heard of it.
            self._contested.told.add(before.etag)
            if answer.status == 204:
                self._contested.replaced[before.etag] += 1
                self._contested.told.add(after)

    # --- its model ----------------------------------------------------------------------------------------------------

    def settle(self, address: tuple[str, int]) -> None:
        """After a kill: the server must hold what it acknowledged, and of what was under way all or nothing."""
        with closing(self._opened(address, self.user)) as self._wire:
            found = self._found()
        wanted = [self.state] if self.after is None else [self.state, self.after]
        if self.in_parts and self.after is not None:
            keys = {key for state in (*wanted, found) for key in state}
            bad = [key for key in keys if found.get(key) not in {state.get(key) for state in wanted}]
        else:
            bad = (
                [] if found in wanted else [key for key in found | self.state if found.get(key) != self.state.get(key)]
            )
        if bad:
            raise Wrong(
                f"writer {self._number}: {[(key, self.state.get(key), found.get(key)) for key in bad]}; under way:"
                f" {None if self.after is None else dict(self.after.items() - self.state.items())}"
            )
        self.state, self.after = found, None

    def _found(self) -> State:
        """What the server holds, octet by octet."""
        found: State = {}
        for calendar in self.calendars:
            members = self._wire.members(calendar)
            if members is None:
                continue
            found[calendar, ""] = self._wire.name(calendar)
            if self._wire.listing(calendar) != {one.href: one.etag for one in members.values()}:
                raise Wrong(f"{calendar}: a query and a listing differ")
            for uid, one in members.items():
                answer = self._wire.ask("GET", one.href)
                if (answer.status, answer.etag, etag_of(answer.body)) != (200, one.etag, one.etag):
                    raise Wrong(f"{one.href}: {answer.status}, {answer.etag} is not what is listed, or not its octets")
                version = one.version
                if answer.body != self.octets.get(version, answer.body):
                    raise Wrong(f"{one.href}: not the octets that were put")
                found[calendar, uid] = version
                self.hrefs[calendar, uid] = one.href
        return found

    def _learn(self, calendar: str) -> None:
        """The names that the server gave."""
        for uid, one in (self._wire.members(calendar) or {}).items():
            self.hrefs[calendar, uid] = one.href
            if self.state.get((calendar, uid)) != one.version:
                raise Wrong(f"{one.href}: {one.version}, not {self.state.get((calendar, uid))}")

    def _write(
        self,
        method: str,
        path: str,
        body: bytes | str,
        after: State,
        wanted: set[int],
        parts: bool = False,
        **headers: str,
    ) -> None:
        self.in_parts, self.after = parts, after
        began = time.perf_counter()
        answer = self._wire.ask(method, path, body, **headers)
        self.latencies.append(time.perf_counter() - began)
        if answer.status not in wanted:
            raise Wrong(f"{method} {path} {headers}: {answer.status} {answer.body!r}")
        if answer.status == 207 and any(one.status not in (None, 200, 201) for one in answer.responses):
            raise Wrong(f"{method} {path}: {answer.body!r}")
        self.state, self.after = after, None
        self.acknowledged[method] += 1

    def _made(self, uid: str, version: str, padding: int = 0) -> bytes:
        octets = self.octets[version] = versioned(uid, version, padding)
        return octets

    def _version(self) -> str:
        self._count += 1
        return f"w{self._number}-{self._count}"

    def _uids(self) -> list[str]:
        return [f"w{self._number}u{number}" for number in range(UIDS)]

    def _any_uid(self, calendar: str) -> str:
        return self.random.choice(self._uids())

    def _some(self, calendar: str) -> tuple[str, str] | None:
        """One of the items that are there."""
        known = [key for key in self.state if key[0] == calendar and key[1]]
        return self.random.choice(known) if known else None

    def _href(self, calendar: str, uid: str) -> str:
        """Where the item is, or where a new one is put: a new name each time, for a name may be in use by another."""
        if (calendar, uid) not in self.state:
            self.hrefs[calendar, uid] = f"{calendar}{uid}-{self._count}.ics"
        return self.hrefs[calendar, uid]


def _without(state: State, key: tuple[str, str]) -> State:
    return {other: version for other, version in state.items() if other != key}


def patiently(work: Callable[[], None], landed: Landed = at_once) -> None:
    """Do it until it is not cut off."""
    end = time.monotonic() + PATIENCE
    while True:
        time.sleep(LANDING)
        landed()
        try:
            work()
        except CUT:
            if time.monotonic() > end:
                raise
        else:
            return


def etag_of(octets: bytes) -> str:
    return f'"{sha256(octets).hexdigest()}"'


class Follower:
    """A phone that syncs one calendar while others write in it, and across the kills."""

    def __init__(
        self, path: str, limit: int | None, seen: dict[tuple[str, str], dict[str, str]], wire: type[Wire] = Wire
    ) -> None:
        self.mirror = Mirror(path, limit)
        self.rounds = 0
        self._seen = seen
        self._opened = wire
        self._user = path.split("/")[1]

    def run(self, address: tuple[str, int], until: Callable[[], bool]) -> None:
        wire = self._opened(address, self._user)
        try:
            while not until():
                self._step(wire)
        except CUT:
            pass
        finally:
            wire.close()

    def persist(self, address: tuple[str, int], until: Callable[[], bool]) -> None:
        """Until `until` says so."""
        while not until():
            self.run(address, until)
            time.sleep(LANDING)

    def _step(self, wire: Wire) -> bool:
        last = self.mirror.step(wire)
        self.rounds += 1
        if last and self.mirror.token:
            # One token, one state: whoever is told it, before a kill or after.
            known = self._seen.setdefault((self.mirror.path, self.mirror.token), dict(self.mirror.members))
            if known != self.mirror.members:
                raise Wrong(f"{self.mirror.path}: {self.mirror.token} named {known}, and now {self.mirror.members}")
        return last

    def settle(self, address: tuple[str, int]) -> None:
        """What it holds at the end is what a listing shows."""
        with closing(self._opened(address, self._user)) as wire:
            for _ in range(5000):  # a phone that slept while others wrote has much to hear, change by change
                if self._step(wire):
                    break
            else:
                raise Wrong(f"{self.mirror.path}: a sync without end")
            there = wire.members(self.mirror.path) is not None
            listing = wire.listing(self.mirror.path) if there else {}
        if self.mirror.members != listing:
            raise Wrong(f"{self.mirror.path}: the mirror holds {self.mirror.members}, the listing {listing}")


@dataclass
class Crew:
    """Everybody who talks to the servers, round after round. `persistent`: through what keeps some server there."""

    writers: list[Writer]
    followers: list[Follower]
    contested: Contested
    persistent: bool = False

    @property
    def _opened(self) -> type[Wire]:
        return Patient if self.persistent else Wire

    @classmethod
    def of(cls, writers: int, seed: int, *, persistent: bool = False, landed: Landed = at_once) -> Self:
        contested, wire = Contested(), Patient if persistent else Wire
        made = [Writer(number, contested, seed, wire, landed) for number in range(writers)]
        seen: dict[tuple[str, str], dict[str, str]] = {}
        paths = [SHARED, *(calendar for one in made for calendar in one.calendars)]
        limits = itertools.cycle((None, 1, 3))
        followers = [Follower(path, limit, seen, wire) for path, limit in zip(paths, limits, strict=False)]
        return cls(made, followers, contested, persistent)

    def settle_in(self, address: tuple[str, int]) -> None:
        with closing(self._opened(address, "anna")) as wire:
            for number in range(3):
                octets = versioned(f"shared{number}", "first")
                assert wire.ask("PUT", f"{SHARED}{number}.ics", octets).status in (201, 204)
                self.contested.told.add(etag_of(octets))

    def work(self, addresses: list[tuple[str, int]], end: Callable[[], None]) -> None:
        """Let all of them work until `end` returns; what one of them found wrong is raised."""
        over = threading.Event()
        until = over.is_set
        with ThreadPoolExecutor(len(self.writers) + len(self.followers)) as threads:
            working = [
                threads.submit(one.persist if self.persistent else one.run, address, until)
                for one, address in zip((*self.writers, *self.followers), itertools.cycle(addresses))
            ]
            try:
                end()
            finally:
                over.set()
            for one in working:
                one.result()

    def get_on(self, seconds: float, most: float = PATIENCE) -> None:
        """Let them work for so long, and on a slow machine until each writer has done something."""
        before = [len(one.latencies) for one in self.writers]
        began = time.monotonic()
        time.sleep(seconds)
        while time.monotonic() - began < most and any(
            len(one.latencies) < count + ROUND for one, count in zip(self.writers, before, strict=True)
        ):
            time.sleep(0.02)

    def settle(self, address: tuple[str, int]) -> None:
        for one in (*self.writers, *self.followers):
            one.settle(address)
        with closing(self._opened(address, "anna")) as wire:
            self.contested.check(wire, [f"{SHARED}{number}.ics" for number in range(3)])

    @property
    def acknowledged(self) -> Counter[str]:
        return sum((one.acknowledged for one in self.writers), Counter())
