"""A disk that takes its time: writers wait for it, and nobody else does."""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from tests.dav.conftest import event
from tests.faults.shim import BLOCK, SLEEP, Calls, Faults
from tests.faults.site import Site
from tests.server.conftest import until
from tests.soak import figures
from tests.soak.wire import Wire

HOME, THEIRS = "/anna/calendar/", "/bert/calendar/"
WRITERS = 20


def test_reads_find_a_thread_while_all_writers_wait_for_the_disk(site: Site, faults: Faults) -> None:
    assert site.ask("PUT", f"{THEIRS}a.ics", event("a"), user="bert").done
    faults.arm(BLOCK, Calls.SYNC, all=True)
    with ThreadPoolExecutor(WRITERS) as threads:
        writes = [
            threads.submit(site.ask, "PUT", f"{HOME}slow{number}.ics", event(f"s{number}")) for number in range(WRITERS)
        ]
        until(lambda: faults.hit > 0)
        for _ in range(5):
            assert site.ask("GET", f"{THEIRS}a.ics", user="bert").status == 200
            assert site.sync(THEIRS, user="bert").status == 207
            assert f"{THEIRS}a.ics" in site.listing(THEIRS, user="bert")
        assert not any(one.done() for one in writes), "told done, and the disk has not taken it"
        faults.disarm()
        assert {one.result().status for one in writes} == {201}


def test_writers_are_served_in_turn_when_the_disk_goes_on(site: Site, faults: Faults) -> None:
    """Each write is a commit of its own, so none waits longer than for those before it."""
    faults.arm(SLEEP, Calls.SYNC, all=True, seconds=0.02)
    with ThreadPoolExecutor(WRITERS) as threads:
        writes = [
            threads.submit(site.ask, "PUT", f"{HOME}turn{number}.ics", event(f"t{number}")) for number in range(WRITERS)
        ]
        assert {one.result().status for one in writes} == {201}
    assert faults.hit >= WRITERS


@pytest.mark.soak
@pytest.mark.timeout(600)
def test_how_long_a_get_takes_while_others_write(site: Site, faults: Faults) -> None:
    """Figures for docs/reliability.md."""
    site.ask("PUT", f"{THEIRS}a.ics", event("a"), user="bert")
    bert = Wire(site.address, "bert")

    def gets(number: int) -> list[float]:
        found = []
        for _ in range(number):
            began = time.perf_counter()
            assert bert.ask("GET", f"{THEIRS}a.ics").status == 200
            found.append(time.perf_counter() - began)
            time.sleep(0.02)
        return found

    gets(20)
    figures.note("slow disk: GET, nobody writes", figures.spread(gets(200)))
    faults.arm(SLEEP, Calls.SYNC, all=True, seconds=0.2)
    over = False

    def write(number: int) -> int:
        wire, done = Wire(site.address, "anna", 120), 0
        while not over:
            wire.ask("PUT", f"{HOME}slow{number}.ics", event(f"s{number}", f"SUMMARY:{number} {done}"))
            done += 1
        wire.close()
        return done

    with ThreadPoolExecutor(WRITERS) as threads:
        writes = [threads.submit(write, number) for number in range(WRITERS)]
        until(lambda: faults.hit > 0)
        figures.note(f"slow disk: GET while {WRITERS} write, fsync + 200 ms", figures.spread(gets(200)))
        over = True
        faults.disarm()
        assert all(one.result() for one in writes)
    bert.close()
