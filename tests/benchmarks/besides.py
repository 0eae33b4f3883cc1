"""What one row cannot show: the first poll after a restart, a client's whole cycle, many clients at once."""

from __future__ import annotations

import statistics
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from tests import generator
from tests.benchmarks import bodies
from tests.benchmarks.operations import CALENDAR, ICS, ROWS, XML, Session, token
from tests.benchmarks.servers import running
from tests.benchmarks.wire import Request, TooSlow, Wire

LOAD_HELP = "also 32 clients at once: poll, sync, PUT and multiget for 20 s"
CLIENTS = 32
SECONDS = 20.0


def cold(command: Sequence[str], items: int, place: Path, storage: Path) -> str:
    """The first answers after a restart against the second: nothing may be O(N) then."""
    poll = next(row for row in ROWS if row.key == "poll")
    with running(command, place, storage, wait=300) as server:
        wire = Wire(server.port, poll.user)
        idle = server.pss()
        request = poll.prepare(Session(wire, items))(0)[0]
        first, second = wire.send(request), wire.send(request)
        wire.close()
        return (
            f"Start to first answer: {server.started_after:.2f} s, PSS then {idle / 2**20:.0f} MiB. "
            f"First poll after a restart {1000 * first.total:.1f} ms, second {1000 * second.total:.1f} ms. "
        )


def sync_cycle(command: Sequence[str], items: int, place: Path, storage: Path) -> str:
    """DAVx5 after one change elsewhere: poll, sync-collection, multiget of what changed; wall time of all three."""
    with running(command, place, storage, wait=300) as server:
        wire = Wire(server.port, "bench")
        session = Session.of(wire, items)
        changed = next(row for row in ROWS if row.key == "sync-0")
        times: list[float] = []
        for turn in range(12):
            sync = changed.prepare(session)(0)[0]
            resource = generator.event(turn % items, revision=50 + turn)
            wire.send(Request("PUT", CALENDAR + resource.href, resource.octets, ICS))
            fetch = bodies.calendar_multiget([CALENDAR + resource.href])
            began = time.perf_counter()
            wire.send(Request("PROPFIND", CALENDAR, bodies.POLL, {**XML, "Depth": "0"}))
            wire.send(sync)
            wire.send(Request("REPORT", CALENDAR, fetch, {**XML, "Depth": "1"}))
            times.append(time.perf_counter() - began)
        wire.close()
    return f"DAVx5's cycle after one change: {1000 * statistics.median(times[2:]):.1f} ms wall. "


@dataclass(frozen=True, slots=True)
class Caller:
    """Who sends a load's requests, to which calendar, and which of the made-up events are in it."""

    user: str = "bench"
    calendar: str = CALENDAR
    first: int = 0
    items: int = 1000


@dataclass(frozen=True, slots=True)
class Load:
    """What came back: seconds of each answer by kind, and what went wrong."""

    seconds: dict[str, list[float]]
    errors: list[str]

    def told(self, name: str) -> str:
        everything = sorted(time for times in self.seconds.values() for time in times)
        if not everything:
            return f"Load: no answer ({self.errors[:1]}). "
        tail = ", ".join(f"{key} {1000 * slowest(times):.0f}" for key, times in self.seconds.items() if times)
        return (
            f"Load ({name}): {len(everything) / SECONDS:.0f} requests/s, {len(self.errors)} errors; "
            f"p50 {1000 * statistics.median(everything):.0f} ms, p99 in ms: {tail}. "
        )


def slowest(times: Sequence[float]) -> float:
    """The 99th of a hundred."""
    return sorted(times)[int(len(times) * 0.99)]


def load(command: Sequence[str], items: int, place: Path, storage: Path) -> str:
    """Many clients on one machine with the server: what they got a second, and how long the slowest 1 % waited."""
    with running(command, place, storage, wait=300) as server:
        return loaded(server.port, [Caller(items=items)] * CLIENTS).told(f"{CLIENTS} clients, {items} items")


def loaded(port: int, callers: Sequence[Caller], *, first: int = 0) -> Load:
    """One thread each, for 20 s. `first`: the number of the first of them, where other processes run others."""
    found = Load({"poll": [], "sync": [], "put": [], "multiget": []}, [])
    stop_at = time.perf_counter() + SECONDS
    threads = [
        threading.Thread(target=_client, args=(port, number, caller, stop_at, found))
        for number, caller in enumerate(callers, first)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return found


def _client(port: int, number: int, caller: Caller, stop_at: float, found: Load) -> None:
    wire = Wire(port, caller.user, timeout=30)
    depth0, depth1 = {**XML, "Depth": "0"}, {**XML, "Depth": "1"}
    calendar, items, first = caller.calendar, caller.items, caller.first
    hrefs = [calendar + generator.event(first + (number * 37 + step) % items).href for step in range(10)]
    try:
        sync = Request("REPORT", calendar, bodies.sync(token(wire, calendar)), depth0)
        turn = 0
        while time.perf_counter() < stop_at:
            turn += 1
            resource = generator.event(first + (number + CLIENTS * turn) % items, revision=100 + turn)
            requests = {
                "poll": Request("PROPFIND", calendar, bodies.POLL, depth0),
                "sync": sync,
                "put": Request("PUT", calendar + resource.href, resource.octets, ICS),
                "multiget": Request("REPORT", calendar, bodies.calendar_multiget(hrefs), depth1),
            }
            for key in ("poll", "poll", "poll", "sync", "multiget", "poll", "put"):
                answer = wire.send(requests[key])
                found.seconds[key].append(answer.total)
                if answer.status >= 400:
                    found.errors.append(f"{key}: {answer.status}")
            if turn % 5 == 0:
                sync = Request("REPORT", calendar, bodies.sync(token(wire, calendar)), depth0)
    except (OSError, TooSlow, ValueError) as error:
        found.errors.append(str(error))
    finally:
        wire.close()
