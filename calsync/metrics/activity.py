"""Who is doing what, from the last requests that the processes of a server keep: what `calsync top` shows."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from calsync.counters import families, folder, page, recent, sums
from calsync.counters.recent import Record
from calsync.counters.sums import Sums

#: Seconds over which requests a second are told.
WINDOW: Final = 60.0


@dataclass(slots=True)
class Row:
    """One who asks: a user, with an app password or without, with one kind of program. `times`: of the last minute."""

    user: str
    device: str
    client: str
    requests: int = 0
    at_work: int = 0
    failed: int = 0
    items: int = 0
    octets_in: int = 0
    octets_out: int = 0
    seconds: float = 0.0
    last: Record | None = None
    times: list[float] = field(default_factory=list)
    statuses: dict[int, int] = field(default_factory=dict)

    def add(self, record: Record) -> None:
        self.requests += 1
        self.failed += record.status >= 400
        self.items += record.items
        self.octets_in += record.octets_in
        self.octets_out += record.octets_out
        self.seconds += record.seconds
        self.times.append(record.began)
        self.statuses[record.status] = self.statuses.get(record.status, 0) + 1
        if self.last is None or record.began >= self.last.began:
            self.last = record

    def told(self, now: float) -> dict[str, Any]:
        """For scripts."""
        last = self.last
        return {
            "user": self.user,
            "device": self.device,
            "client": self.client,
            "requests": self.requests,
            "requests_per_second": round(self.rate(now), 3),
            "in_flight": self.at_work,
            "failed": self.failed,
            "statuses": {str(status): count for status, count in sorted(self.statuses.items())},
            "items": self.items,
            "bytes_in": self.octets_in,
            "bytes_out": self.octets_out,
            "ms": round(self.seconds * 1000 / self.requests, 2) if self.requests else 0.0,
            "last": None if last is None else _last(last),
        }

    def rate(self, now: float) -> float:
        """Requests a second in the last minute."""
        self.times = [one for one in self.times if one > now - WINDOW]
        return len(self.times) / WINDOW


def _last(record: Record) -> dict[str, Any]:
    return {
        "time": round(record.began, 3),
        "method": record.method,
        "report": record.report,
        "path": record.path,
        "address": record.address,
        "status": record.status,
        "items": record.items,
        "ms": round(record.seconds * 1000, 2),
    }


@dataclass(slots=True)
class Totals:
    """Of the whole server: since it began, and (`per_second`) since the look before."""

    workers: int = 0
    in_flight: int = 0
    connections: int = 0
    requests: int = 0
    requests_per_second: float = 0.0
    writes: int = 0
    writer_wait_ms: float = 0.0
    refused_logins: int = 0


@dataclass(slots=True)
class Activity:
    """Looks again and again; `servers`: the folders of the servers of a store."""

    servers: Sequence[Path]
    rows: dict[tuple[str, str, str], Row] = field(default_factory=dict)
    totals: Totals = field(default_factory=Totals)
    _known: dict[Path, int] = field(default_factory=dict)
    _before: tuple[float, Sums] | None = None

    def look(self) -> None:
        """Take in what has happened since the last look."""
        for row in self.rows.values():
            row.at_work = 0
        for one in self._rings():
            view = recent.look(one, self._known.get(one, 0))
            if view is None:
                continue
            self._known[one] = view.count
            for record in view.ended:
                self._row(record).add(record)
            for record in view.at_work:
                row = self._row(record)
                row.at_work += 1
                row.last = row.last or record
        self._sum_up()

    def _rings(self) -> list[Path]:
        return [
            one.with_suffix(recent.SUFFIX)
            for server in self.servers
            for one in folder.pages(server)
            if page.is_alive(one) or one.with_suffix(recent.SUFFIX) in self._known
        ]

    def _row(self, record: Record) -> Row:
        key = record.user, record.device, record.client
        row = self.rows.get(key)
        if row is None:
            row = self.rows[key] = Row(*key)
        return row

    def _sum_up(self) -> None:
        found: Sums = {}
        for server in self.servers:
            try:
                for key, numbers in sums.of_folder(server).items():
                    before = found.get(key, [0.0] * len(numbers))
                    found[key] = [a + b for a, b in zip(before, numbers, strict=True)]
            except OSError:
                continue
        now = time.monotonic()
        totals = Totals(
            workers=_sum(found, families.WORKERS.name),
            in_flight=_sum(found, families.IN_FLIGHT.name),
            connections=_sum(found, families.CONNECTIONS.name),
            requests=_sum(found, families.REQUESTS.name),
            writes=_sum(found, families.WRITES.name),
            refused_logins=_sum(found, families.LOGINS.name, "refused"),
        )
        at, old = self._before or (now, {})
        if now > at:
            totals.requests_per_second = (totals.requests - _sum(old, families.REQUESTS.name)) / (now - at)
        waited, waits = _waits(found), _waits(old)
        count = waited[0] - waits[0]
        totals.writer_wait_ms = 1000 * (waited[1] - waits[1]) / count if count > 0 else 0.0
        self.totals, self._before = totals, (now, found)


def _sum(found: Sums, name: str, label: str = "") -> int:
    return int(
        sum(numbers[0] for (of, labels), numbers in found.items() if of == name and (not label or label in labels))
    )


def _waits(found: Sums) -> tuple[float, float]:
    numbers = found.get((families.WRITER_WAIT.name, ()), [0.0, 0.0])
    return sum(numbers[:-1]), numbers[-1]
