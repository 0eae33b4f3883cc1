"""A job is done after its commit, by one, in its topic's order; what fails is tried again later, and kept at last."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

import pytest

from calsync.jobs import queue
from calsync.jobs.hands import Hands
from calsync.jobs.queue import LASTS, MOST, Job
from calsync.store.engine import Store
from tests.server.conftest import until

#: Later than any day on which this is run.
NOW = 1 << 33


def put(store: Store, number: int = 0, topic: str = "", kind: str = "note") -> int:
    with store.write() as tx:
        return queue.put(tx, kind, {"number": number}, 1, topic=topic)


def take(store: Store, who: str = "me", now: int = NOW) -> Job | None:
    with store.write() as tx:
        return queue.take(tx, ["note"], who, now)


def done(store: Store, one: Job, who: str = "me") -> None:
    with store.write() as tx:
        queue.done(tx, one, who)


def listed(store: Store, now: int = NOW) -> list[tuple[int, str]]:
    with store.read() as tx:
        return [(one.payload["number"], one.state(now)) for one in queue.listing(tx)]


def hands(store: Store, doing: Callable[[Job], None]) -> Hands:
    return Hands(store, {"note": doing}, look=0.05)


def test_what_is_rolled_back_is_never_done(store: Store) -> None:
    told: list[int] = []
    one = hands(store, lambda job: told.append(job.payload["number"]))
    with pytest.raises(ZeroDivisionError), store.write() as tx:
        queue.put(tx, "note", {"number": 1}, 1)
        raise ZeroDivisionError
    put(store, 2)
    one.settle(60)
    one.stop()
    assert told == [2]
    assert listed(store) == []


def test_who_holds_it_has_it_until_it_is_silent_for_too_long(store: Store) -> None:
    put(store)
    first = take(store)
    assert first is not None
    assert take(store, "other") is None
    with store.write() as tx:
        assert queue.renew(tx, first, "me", NOW + 20)
    assert take(store, "other", NOW + LASTS + 5) is None
    again = take(store, "other", NOW + 20 + LASTS + 1)
    assert again is not None
    assert again.attempts == 2
    done(store, first)
    assert listed(store) == [(0, "waiting")] or listed(store) == [(0, "running")], "who lost it cannot end it"
    done(store, again, "other")
    assert listed(store) == []


def test_a_topic_keeps_its_order_and_holds_up_no_other(store: Store) -> None:
    for number in (1, 2, 3):
        put(store, number, "a")
    put(store, 4, "b")
    first, other = take(store), take(store)
    assert first is not None and other is not None
    assert {first.payload["number"], other.payload["number"]} == {1, 4}
    assert take(store) is None
    done(store, first)
    done(store, other)
    for number in (2, 3):
        one = take(store)
        assert one is not None
        assert one.payload["number"] == number
        done(store, one)
    assert listed(store) == []


def test_a_failure_is_tried_again_later_and_later_then_kept_and_its_topic_goes_on(store: Store) -> None:
    which = put(store, 1, "a")
    put(store, 2, "a")
    now, pauses = NOW, []
    for attempt in range(1, MOST + 1):
        one = take(store, now=now)
        assert one is not None
        assert (one.id, one.attempts) == (which, attempt)
        with store.write() as tx:
            assert queue.failed(tx, one, "me", now, "no such host") == (attempt == MOST)
            after = queue.find(tx, which)
        assert after is not None
        assert after.error == "no such host"
        pauses.append(after.due - now)
        now = after.due
    assert pauses[0] < 10 < 1000 < max(pauses) < 5000
    assert listed(store) == [(2, "waiting"), (1, "dead")]
    with store.write() as tx:
        assert queue.counts(tx, now).dead == 1
        assert queue.retry(tx, which, now)
        assert queue.counts(tx, now).dead == 0
    with store.write() as tx:
        assert queue.drop(tx, which, now)
        assert not queue.drop(tx, which, now)
    assert listed(store) == [(2, "waiting")]


def test_a_job_that_takes_each_process_along_is_given_up(store: Store) -> None:
    put(store)
    for attempt in range(MOST):
        assert take(store, f"process {attempt}", NOW + attempt * 2 * LASTS) is not None
    assert take(store, now=NOW + MOST * 2 * LASTS) is None
    assert listed(store) == [(0, "dead")]


def test_what_nobody_here_can_do_is_left_to_others(store: Store) -> None:
    put(store, kind="of a newer version")
    assert take(store) is None


def test_two_stores_of_a_process_share_the_work(store: Store) -> None:
    told: list[int] = []
    guard = threading.Lock()

    def tell(job: Job) -> None:
        time.sleep(0.001)
        with guard:
            told.append(job.payload["number"])

    crew = [hands(store, tell) for _ in range(3)]
    for one in crew:
        one.start()
    for number in range(60):
        put(store, number, f"topic {number % 7}")
    for one in crew:
        one.settle(60)
    for one in crew:
        assert one.stop(60)
    assert sorted(told) == list(range(60)), "each once"
    assert all((mine := [number for number in told if number % 7 == topic]) == sorted(mine) for topic in range(7)), (
        "each topic in its order"
    )


def test_a_job_that_takes_long_is_renewed(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    """Time passes when the lease was renewed: without that the second one would take the job when it has ended."""
    told: list[str] = []
    now, lasts = [time.time()], 2
    monkeypatch.setattr(time, "time", lambda: now[0])

    def held() -> int:
        with store.read() as tx:
            return queue.listing(tx)[0].held

    def slow(job: Job) -> None:
        told.append("begun")
        for _ in range(3):
            now[0] += lasts - 1
            until(lambda: held() == int(now[0]) + lasts)
        told.append("ended")

    crew = [Hands(store, {"note": slow}, look=0.05, lasts=lasts) for _ in range(2)]
    for one in crew:
        one.start()
    put(store)
    for one in crew:
        one.settle(60)
    for one in crew:
        one.stop(60)
    assert told == ["begun", "ended"]
