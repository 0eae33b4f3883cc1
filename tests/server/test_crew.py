"""Whose turn it is: connections one after the other, and writers never all the threads."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from calsync.server.crew import Crew, Lane

READ, WRITE = Lane(writes=False), Lane(writes=True)


@asynccontextmanager
async def crew(size: int) -> AsyncIterator[Crew]:
    made = Crew(size, asyncio.get_running_loop())
    try:
        yield made
    finally:
        assert await asyncio.to_thread(made.stop, 60)


def test_a_connection_with_many_requests_waits_for_its_turn() -> None:
    async def body() -> list[str]:
        done: list[str] = []
        hold = threading.Event()
        async with crew(1) as one:
            first = one.run(hold.wait)
            await asyncio.sleep(0.05)
            greedy = [one.run(lambda: done.append("greedy"), Lane(False, "greedy")) for _ in range(32)]
            modest = one.run(lambda: done.append("modest"), Lane(False, "modest"))
            hold.set()
            await asyncio.gather(first, *greedy, modest)
        return done

    assert asyncio.run(body()).index("modest") <= 1


@pytest.mark.parametrize("size", [3, 4, 8])
def test_reads_find_a_thread_whatever_the_writers_wait_for(size: int) -> None:
    async def body() -> None:
        hold = threading.Event()
        async with crew(size) as some:
            writes = [some.run(hold.wait, WRITE) for _ in range(3 * size)]
            reads = await asyncio.gather(*(some.run(lambda: 1, READ) for _ in range(50)))
            assert sum(reads) == 50
            assert not any(write.done() for write in writes)
            hold.set()
            assert all(await asyncio.gather(*writes))

    asyncio.run(asyncio.wait_for(body(), 60))


def test_one_thread_does_both() -> None:
    async def body() -> list[int]:
        async with crew(1) as one:
            jobs = [one.run(lambda n=n: n, WRITE if n % 2 else READ) for n in range(20)]  # type: ignore[misc]
            return list(await asyncio.gather(*jobs))

    assert asyncio.run(asyncio.wait_for(body(), 60)) == list(range(20))


@settings(max_examples=30, deadline=None)
@given(st.integers(1, 5), st.lists(st.tuples(st.booleans(), st.integers(0, 3)), max_size=60))
def test_everything_is_done_once_and_a_connections_requests_in_order(size: int, jobs: list[tuple[bool, int]]) -> None:
    """Also what is still queued when the end comes."""
    done: list[int] = []

    async def body() -> None:
        async with crew(size) as some:
            for number, (writes, whose) in enumerate(jobs):
                some.submit(lambda number=number: done.append(number), lambda *_: None, Lane(writes, whose))  # type: ignore[misc]

    asyncio.run(asyncio.wait_for(body(), 60))
    assert sorted(done) == list(range(len(jobs)))
    if size == 1:
        for lane in set(jobs):
            mine = [number for number in done if jobs[number] == lane]
            assert mine == sorted(mine)


def test_what_a_job_raises_is_told() -> None:
    async def body() -> None:
        async with crew(2) as some:
            with pytest.raises(ZeroDivisionError):
                await some.run(lambda: 1 / 0, WRITE)
            assert await some.run(lambda: 1, WRITE) == 1

    asyncio.run(body())
