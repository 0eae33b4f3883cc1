"""What a request costs beside a million others: the CPU of the server and of the database, and how long it took."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass

import psutil

from tests.benchmarks.operations import ROWS, Row, Session
from tests.benchmarks.servers import Server, cpu_of
from tests.benchmarks.wire import Wire

KEYS = ("poll", "sync-10", "sync-0", "multiget-50", "uid", "free-busy", "month-etags", "get", "put-update", "put-new")
CHOSEN = {row.key: row for row in ROWS if row.key in KEYS}

ROUNDS = 14
BATCH = 25
BATCH_SECONDS = 0.4  # at most, about
MOST_WALL = 10.0  # seconds a row and a store


@dataclass(frozen=True, slots=True)
class Cost:
    """Milliseconds a request. `server`, `database`: CPU, of the quickest batch of each; `median`, `slow`: wall, the
    latter of the 99th of a hundred."""

    server: float
    database: float
    median: float
    slow: float
    answers: int

    @property
    def cpu(self) -> float:
        return self.server + self.database


@dataclass(frozen=True, slots=True)
class Place:
    """A server over a store of some size. `own`: events in the calendar of the user who is measured. `database`: the
    process whose children are PostgreSQL's back ends."""

    server: Server
    own: int
    database: int | None


def all_costs(places: Sequence[Place]) -> list[dict[str, Cost]]:
    """All rows in all places. What a loaded machine adds comes and goes: so the places take turns, batch by batch."""
    found: list[dict[str, Cost]] = [{} for _ in places]
    for key in KEYS:
        runs = [_Run(CHOSEN[key], place) for place in places]
        until = time.perf_counter() + MOST_WALL * len(runs)
        for turn in range(ROUNDS):
            for run in runs:
                run.batch()
            if turn >= 4 and time.perf_counter() > until:
                break
        for costs, run in zip(found, runs, strict=True):
            costs[key] = run.cost()
            run.session.wire.close()
    return found


class _Run:
    """A row in one place."""

    def __init__(self, row: Row, place: Place) -> None:
        self.row, self.place = row, place
        self.session = Session.of(Wire(place.server.port, "bench"), place.own)
        self.operation = row.prepare(self.session)
        self.number = self.answers = 0
        self.of_server: list[float] = []
        self.of_database: list[float] = []
        self.walls: list[float] = []
        for _ in range(5):
            self.perform()
        self.size = max(1, min(BATCH, int(BATCH_SECONDS / min(self.walls))))
        self.walls.clear()

    def perform(self) -> None:
        began = time.perf_counter()
        answers = [self.session.wire.send(request) for request in self.operation(self.number)]
        self.walls.append(time.perf_counter() - began)
        self.number += 1
        self.answers = sum(self.row.count(answer.body) for answer in answers)
        for answer in answers:
            if answer.status >= 400:
                raise SystemExit(f"bench-growth: {self.row.key}: answers {answer.status}")

    def batch(self) -> None:
        used, used_there = self.place.server.cpu(), family(self.place.database)
        for _ in range(self.size):
            self.perform()
        self.of_server.append((self.place.server.cpu() - used) / self.size)
        self.of_database.append((family(self.place.database) - used_there) / self.size)

    def cost(self) -> Cost:
        walls = sorted(self.walls)
        return Cost(
            server=1000 * min(self.of_server),
            database=1000 * min(self.of_database),
            median=1000 * walls[len(walls) // 2],
            slow=1000 * walls[int(len(walls) * 0.99)],
            answers=self.answers,
        )


def family(root: int | None) -> float:
    """CPU seconds of PostgreSQL: all its back ends, those that ended too, and its own housekeeping."""
    if root is None:
        return 0.0
    server = psutil.Process(root)
    ended = server.cpu_times()
    return ended.children_user + ended.children_system + cpu_of([server, *server.children()])
