"""Whose turn it is: connections one after the other, and writers never all the threads."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from calsync.server import crew as rooms
from calsync.server.crew import Crew, Crowded, Lane

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


def test_everything_is_done_while_no_check_comes_to_an_end() -> None:
    async def body() -> None:
        hold = threading.Event()
        async with crew(3) as some:
            held = [_checked(some, hold.wait, number) for number in range(20)]
            assert sum(await asyncio.gather(*(some.run(lambda: 1, READ) for _ in range(50)))) == 50
            assert sum(await asyncio.gather(*(some.run(lambda: 1, WRITE) for _ in range(50)))) == 50
            assert not any(one.done() for one in held)
            hold.set()
            assert all(await asyncio.gather(*held))

    asyncio.run(asyncio.wait_for(body(), 60))


def test_whoever_has_many_checks_takes_nobodys_turn_and_nobodys_room(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rooms, "WAITING", 8)

    async def body() -> list[str]:
        done: list[str] = []
        begun, hold = threading.Event(), threading.Event()

        def first() -> bool:
            begun.set()
            return hold.wait()

        async with crew(1) as one:
            held = _checked(one, first, "greedy")
            await asyncio.to_thread(begun.wait)
            greedy = [_checked(one, lambda: done.append("greedy"), "greedy") for _ in range(30)]
            modest = [_checked(one, lambda n=n: done.append(n), n) for n in ("anna", "ben", "cleo")]  # type: ignore[misc]
            away = await asyncio.gather(*greedy[5:], return_exceptions=True)
            assert all(isinstance(one, Crowded) for one in away)
            hold.set()
            await asyncio.gather(held, *greedy[:5], *modest)
        return done

    done = asyncio.run(asyncio.wait_for(body(), 60))
    assert len(done) == 8 and done[1:4] == ["anna", "ben", "cleo"]


def test_where_all_have_one_check_the_last_goes_without(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rooms, "WAITING", 3)

    async def body() -> list[object]:
        begun, hold = threading.Event(), threading.Event()

        def first() -> bool:
            begun.set()
            return hold.wait()

        async with crew(1) as one:
            held = _checked(one, first, "held")
            await asyncio.to_thread(begun.wait)
            others = [_checked(one, lambda n=n: n, n) for n in range(6)]  # type: ignore[misc]
            await asyncio.wait(others[3:])
            hold.set()
            return await asyncio.gather(held, *others, return_exceptions=True)

    _, *found = asyncio.run(asyncio.wait_for(body(), 60))
    assert found[:3] == [0, 1, 2] and all(isinstance(one, Crowded) for one in found[3:])


def _checked(some: Crew, work: Callable[[], Any], whose: object) -> asyncio.Future[Any]:
    future: asyncio.Future[Any] = asyncio.get_running_loop().create_future()

    def then(result: object, error: BaseException | None) -> None:
        if error is None:
            future.set_result(result)
        else:
            future.set_exception(error)

    some.check(work, then, whose)
    return future
