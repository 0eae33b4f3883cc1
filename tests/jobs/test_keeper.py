"""Jobs are done when they are due, by one process, and whatever they raise ends nothing."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from dataclasses import replace

import pytest

from calsync.jobs import leases
from calsync.jobs.keeper import Keeper, Taken, next_due, run
from calsync.jobs.leases import LASTS, State
from calsync.jobs.retention import Retention
from calsync.jobs.tasks import HOUR, TASKS, Task, Work
from calsync.store.engine import Store

KEPT = Retention()


def task(work: Callable[[Work], int], name: str = "test") -> Task:
    return Task(name, HOUR, "", work)


def state(store: Store, name: str = "test") -> State:
    with store.read() as tx:
        return leases.states(tx)[name]


def test_one_process_has_it_until_it_ends_or_is_dead_for_a_while(store: Store) -> None:
    assert leases.take(store, "test", "one", 1000)
    assert not leases.take(store, "test", "two", 1000 + LASTS - 1)
    assert leases.take(store, "test", "one", 1500), "its holder may renew it"
    assert not leases.take(store, "test", "two", 1500 + LASTS - 1)
    assert leases.take(store, "test", "two", 1500 + LASTS)
    leases.end(store, "test", "one", 3000)
    assert not leases.take(store, "test", "three", 1500 + LASTS), "who lost it cannot give it back"
    leases.end(store, "test", "two", 3000, count=7)
    assert leases.take(store, "test", "three", 3000)
    assert (state(store).done, state(store).count) == (3000, 7)


def test_a_clock_that_was_in_the_future_stops_nothing(store: Store) -> None:
    now = int(time.time())
    ahead = now + 365 * 86_400
    assert leases.take(store, "history", "one", ahead)
    assert leases.take(store, "history", "two", now), "nobody can have it for so long"
    leases.end(store, "history", "two", ahead)
    with store.read() as tx:
        state = leases.states(tx)["history"]
    assert next_due(TASKS["history"], state, now=now) == 0


def test_of_many_at_once_one_does_it(store: Store) -> None:
    began, end = threading.Event(), threading.Event()

    def slow(_: Work) -> int:
        began.set()
        return int(end.wait(60))

    first = threading.Thread(target=lambda: run(task(slow), store, KEPT, "one"))
    first.start()
    assert began.wait(60)
    with pytest.raises(Taken):
        run(task(slow), store, KEPT, "two")
    end.set()
    first.join()


def fail(_: Work) -> int:
    raise ZeroDivisionError("nothing to share")


def test_a_failure_is_noted_and_tried_again_later_and_later(store: Store) -> None:
    pauses = []
    for _ in range(9):
        with pytest.raises(ZeroDivisionError):
            run(task(fail), store, KEPT, "me")
        pauses.append(next_due(task(fail), state(store)) - state(store).done)
    assert state(store).error == "ZeroDivisionError: nothing to share"
    assert pauses == sorted(pauses)
    assert (pauses[0], pauses[-1]) == (120, HOUR)
    run(task(lambda _: 3), store, KEPT, "me")
    assert (state(store).failures, state(store).error, state(store).count) == (0, "", 3)
    assert next_due(task(fail), state(store)) == state(store).done + HOUR


def test_the_keeper_does_all_that_is_due_and_survives_what_fails(
    store: Store, caplog: pytest.LogCaptureFixture
) -> None:
    done: list[str] = []
    both = threading.Event()

    def good(_: Work) -> int:
        done.append("good")
        both.set()
        return 1

    tasks = {"bad": task(fail, "bad"), "good": task(good, "good")}
    keeper = Keeper(store, KEPT, tasks=tasks, pause=0.01)
    with caplog.at_level(logging.DEBUG):
        keeper.start()
        assert both.wait(60)
        for _ in range(3):  # as if its time had come again
            with store.write() as tx:
                from calsync.store import meta

                meta.put(tx, "job:bad", b'{"failures": 0, "error": "", "count": 0}')
            leases.end(store, "bad", keeper._who, 1)
            take_and_end(store, "bad")
            time.sleep(0.05)
        keeper.stop(60)
    assert done == ["good"], "once an hour"
    assert sum(record.exc_info is not None for record in caplog.records) == 1, "the traceback is shown once"


def take_and_end(store: Store, name: str) -> None:
    leases.take(store, name, "test", 2**40)
    leases.end(store, name, "test", 1)


def test_it_stops_between_two_steps(store: Store) -> None:
    began = threading.Event()

    def long(work: Work) -> int:
        began.set()
        steps = 0
        while not work.stop():
            steps += 1
            time.sleep(0.001)
        return steps

    keeper = Keeper(store, KEPT, tasks={"test": task(long)}, pause=0.01)
    keeper.start()
    assert began.wait(60)
    keeper.stop(60)
    assert state(store).until == 0, "given back"
    assert keeper._thread is not None
    assert not keeper._thread.is_alive()


def test_servers_do_not_go_in_step() -> None:
    done = replace(State(), done=1000)
    assert next_due(task(fail), done, 0.9) < next_due(task(fail), done) < next_due(task(fail), done, 1.1)
