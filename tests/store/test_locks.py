from __future__ import annotations

from collections.abc import Sequence

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from calsync.store import locks, principals
from calsync.store.engine import Store
from calsync.store.locks import Lock

NOW = 1_800_000_000
OWNER = 7

#: Names whose encoded forms sort around the slash.
PATHS = st.lists(st.sampled_from(["a", "a0", "a-", "a.b", "a b", "ä", "b"]), min_size=1, max_size=4)


def lock(token: str, path: Sequence[str], *, expires: int = NOW + 60, principal: int = 1) -> Lock:
    return Lock(OWNER, token, locks.url_of(path), "shared", "0", "", principal, expires, NOW)


def tokens(found: Sequence[Lock]) -> set[str]:
    return {one.token for one in found}


@settings(deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(PATHS, max_size=12), PATHS)
def test_around_and_below_are_what_the_paths_say(store: Store, paths: list[list[str]], asked: list[str]) -> None:
    url = locks.url_of(asked)
    with store.write() as tx:
        locks.forget_expired(tx, OWNER, NOW + 1000)
        for number, path in enumerate(paths):
            locks.add(tx, lock(f"t{number}", path))
        above = {f"t{number}" for number, path in enumerate(paths) if path == asked[: len(path)]}
        inside = {
            f"t{number}" for number, path in enumerate(paths) if len(path) > len(asked) and path[: len(asked)] == asked
        }
        assert tokens(locks.around(tx, OWNER, url, NOW)) == above
        assert tokens(locks.below(tx, OWNER, url, NOW)) == inside
        locks.remove_below(tx, OWNER, url)
        assert not locks.below(tx, OWNER, url, NOW)
        assert tokens(locks.around(tx, OWNER, url, NOW)) == above


def test_a_lock_counts_until_it_expires(store: Store) -> None:
    with store.write() as tx:
        locks.add(tx, lock("t", ["a"]))
        assert locks.around(tx, OWNER, "a", NOW + 59) and locks.get(tx, OWNER, "t", NOW + 59)
        assert not locks.around(tx, OWNER, "a", NOW + 60) and not locks.get(tx, OWNER, "t", NOW + 60)
        locks.extend(tx, lock("t", ["a"]), NOW + 120)
        assert locks.get(tx, OWNER, "t", NOW + 60) == lock("t", ["a"], expires=NOW + 120)
        locks.forget_expired(tx, OWNER, NOW + 120)
        assert locks.count(tx, OWNER, 1) == 0


def test_a_lock_goes_alone_and_is_counted_for_its_holder(store: Store) -> None:
    with store.write() as tx:
        for token, principal in (("x", 1), ("y", 1), ("z", 2)):
            locks.add(tx, lock(token, ["a"], principal=principal))
        assert locks.count(tx, OWNER, 1) == 2
        locks.remove(tx, lock("x", ["a"]))
        assert tokens(locks.around(tx, OWNER, "a", NOW)) == {"y", "z"}
        locks.remove_at(tx, OWNER, "a")
        assert not locks.around(tx, OWNER, "a", NOW)


def test_locks_go_with_the_home(store: Store) -> None:
    with store.write() as tx:
        anna = principals.create(tx, "anna")
        locks.add(tx, Lock(anna.id, "t", "a", "shared", "0", "", anna.id, NOW + 60, NOW))
        principals.delete(tx, anna)
        assert locks.count(tx, anna.id, anna.id) == 0
