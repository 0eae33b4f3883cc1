"""One row against one server: CPU a request, first octet, size and number of answers."""

from __future__ import annotations

import math
import time
from dataclasses import asdict, dataclass
from typing import Any

from tests.benchmarks.operations import Operation, Row, Session
from tests.benchmarks.servers import Server
from tests.benchmarks.wire import Answer, TooSlow

ENOUGH_CPU = 1.0  # seconds
MOST_REPETITIONS = 3000
MOST_WALL = 20.0  # seconds for all repetitions of a row
LIMIT = 60.0  # seconds for one request; beyond it a row is "> 60 s"


@dataclass(frozen=True, slots=True)
class Figure:
    """What a row came to. Times in milliseconds per operation, `size` in octets; `note` says why there is no time.

    `cpu` is that of the quickest batch: neighbours on the machine take caches and clock, and never give any.
    """

    cpu: float | None
    first: float = 0.0
    wall: float = 0.0
    size: int = 0
    answers: int = 0
    status: int = 0
    repetitions: int = 0
    pss: int = 0
    note: str = ""

    def as_json(self) -> dict[str, Any]:
        return asdict(self)


def figure(row: Row, session: Session, server: Server) -> Figure:
    """Measure `row`. A `note` of "> 60 s" means that the server is still busy with it and must be restarted."""
    try:
        operation = row.prepare(session)
        began = time.perf_counter()
        if row.warm:
            if row.before:
                row.before(session, -1)
                began = time.perf_counter()
            answers = _perform(operation, session, -1 if row.before else 0)
            if bad := _refused(answers):
                return bad
        return _repeat(row, operation, session, server, expected=time.perf_counter() - began)
    except TooSlow:
        return Figure(None, note=f"> {LIMIT:.0f} s")
    except ValueError as error:
        return Figure(None, note=str(error))


def _repeat(row: Row, operation: Operation, session: Session, server: Server, *, expected: float) -> Figure:
    batch = max(1, min(100, int(0.1 / max(expected, 1e-4)))) if row.warm else 1
    cpu = wall = 0.0
    quickest = math.inf
    first: list[float] = []
    repetition = 1 if row.warm else 0
    done = 0
    answers: list[Answer] = []
    while True:
        numbers = range(repetition, repetition + batch)
        if row.before:
            for number in numbers:
                row.before(session, number)
        used, began = server.cpu(), time.perf_counter()
        for number in numbers:
            answers = _perform(operation, session, number)
            first.append(answers[0].first)
        wall += time.perf_counter() - began
        used = server.cpu() - used
        cpu += used
        quickest = min(quickest, used / batch)
        if bad := _refused(answers):
            return bad
        repetition += batch
        done += batch
        if cpu >= ENOUGH_CPU or wall >= MOST_WALL or done >= MOST_REPETITIONS:
            break
    return Figure(
        cpu=1000 * quickest,
        first=1000 * sorted(first)[len(first) // 2],
        wall=1000 * wall / done,
        size=sum(len(answer.body) for answer in answers),
        answers=sum(row.count(answer.body) for answer in answers),
        status=answers[-1].status,
        repetitions=done,
        pss=server.pss(),
    )


def _perform(operation: Operation, session: Session, repetition: int) -> list[Answer]:
    return [session.wire.send(request) for request in operation(repetition)]


def _refused(answers: list[Answer]) -> Figure | None:
    for answer in answers:
        if answer.status >= 400:
            return Figure(None, status=answer.status, note=f"answers {answer.status}")
    return None
