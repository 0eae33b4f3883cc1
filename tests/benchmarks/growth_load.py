"""Many clients at once: mixed work in one calendar and in many, and readers beside busy writers."""

from __future__ import annotations

import statistics
import threading
import time
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context

from tests import generator
from tests.benchmarks import bodies
from tests.benchmarks.besides import SECONDS, Caller, Load, loaded, slowest
from tests.benchmarks.growth_fill import Shape
from tests.benchmarks.operations import ICS, XML
from tests.benchmarks.wire import Request, TooSlow, Wire

#: The clients are threads of so many processes: in one, they would wait for each other.
PROCESSES = 4
WRITERS = 8
READERS = 4


def together(shape: Shape, clients: int) -> list[Caller]:
    """All in one calendar."""
    return [Caller(items=shape.own)] * clients


def apart(shape: Shape, clients: int) -> list[Caller]:
    """Each in their own."""
    shares = [share for share in shape.shares() if share[0] != "bench" and share[2]["events"] > 0][:clients]
    return [Caller(name, f"/{name}/events/", first, counts["events"]) for name, first, counts in shares]


def mixed(port: int, callers: Sequence[Caller]) -> Load:
    """`loaded` from several processes."""
    whole = Load({"poll": [], "sync": [], "put": [], "multiget": []}, [])
    size = -(-len(callers) // PROCESSES)
    with ProcessPoolExecutor(PROCESSES, get_context("spawn")) as processes:
        running = [
            processes.submit(loaded, port, callers[start : start + size], first=start)
            for start in range(0, len(callers), size)
        ]
        for one in running:
            found = one.result()
            whole.errors.extend(found.errors)
            for key, times in found.seconds.items():
                whole.seconds[key].extend(times)
    return whole


def beside_writers(port: int, callers: Sequence[Caller]) -> str:
    """Readers (poll, GET) while others do nothing but PUT, as fast as they are answered."""
    with ProcessPoolExecutor(2, get_context("spawn")) as processes:
        writing = processes.submit(_writers, port, callers[:WRITERS])
        reads = processes.submit(_readers, port, callers[WRITERS:][:READERS]).result()
        writes = writing.result()
    errors = len(reads.errors) + len(writes.errors)
    return (
        f"{len(writes.seconds['put']) / SECONDS:.0f} PUTs/s of {WRITERS} writers"
        f" (p99 {1000 * slowest(writes.seconds['put']):.0f} ms), {len(reads.seconds['read']) / SECONDS:.0f} reads/s of"
        f" {READERS} readers: p50 {1000 * statistics.median(reads.seconds['read']):.1f} ms,"
        f" p99 {1000 * slowest(reads.seconds['read']):.0f} ms, {errors} errors"
    )


def _writers(port: int, callers: Sequence[Caller]) -> Load:
    return _all(port, callers, "put")


def _readers(port: int, callers: Sequence[Caller]) -> Load:
    return _all(port, callers, "read")


def _all(port: int, callers: Sequence[Caller], kind: str) -> Load:
    found = Load({kind: []}, [])
    threads = [threading.Thread(target=_one, args=(port, caller, kind, found)) for caller in callers]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return found


def _one(port: int, caller: Caller, kind: str, found: Load) -> None:
    wire = Wire(port, caller.user, timeout=30)
    turn = 0
    stop_at = time.perf_counter() + SECONDS
    try:
        while time.perf_counter() < stop_at:
            turn += 1
            resource = generator.event(caller.first + turn % caller.items, revision=1000 + turn)
            path = caller.calendar + resource.href
            requests = (
                (Request("PUT", path, resource.octets, ICS),)
                if kind == "put"
                else (Request("PROPFIND", caller.calendar, bodies.POLL, {**XML, "Depth": "0"}), Request("GET", path))
            )
            for request in requests:
                answer = wire.send(request)
                found.seconds[kind].append(answer.total)
                if answer.status >= 400:
                    found.errors.append(f"{request.method}: {answer.status}")
    except (OSError, TooSlow) as error:
        found.errors.append(str(error))
    finally:
        wire.close()
