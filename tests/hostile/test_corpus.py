"""The corpus through the Application: each case gets its status, and then an ordinary request works."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from calsync.accounts.accounts import Accounts
from tests.dav.conftest import PASSWORD, Client, make_application
from tests.hostile import measure, stage
from tests.hostile.case import Case


@pytest.fixture(scope="module")
def anna(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Client]:
    application = make_application(tmp_path_factory.mktemp("corpus") / "data", auth={"throttle": "False"})
    assert application.store is not None
    for name in ("anna", "bert"):
        Accounts(application.store).create(name, PASSWORD)
    client = Client(application)
    stage.prepare(client)
    yield client
    application.close()


@pytest.mark.parametrize("case", [case for _, case in stage.CASES], ids=[stage.name(*one) for one in stage.CASES])
def test_the_application_answers_as_the_table_says(anna: Client, case: Case) -> None:
    stage.judge(case, anna.request(case.method, case.path, case.octets, **dict(case.headers)), case.status)
    stage.settle(anna, case)


def test_there_are_enough_of_them_and_none_twice() -> None:
    names = [stage.name(*one) for one in stage.CASES]
    assert len(names) >= 500
    assert len(set(names)) == len(names), sorted(name for name in names if names.count(name) > 1)


@pytest.mark.soak
@pytest.mark.timeout(1200)
def test_only_large_bodies_are_dear() -> None:
    """A tenth of a second a megabyte is for large bodies that are legal; the figures are `measure`'s to report.

    One letter of four octets makes Python keep all others of its text in four, and a note is held folded too.
    """
    for one in measure.run(()):
        assert one.seconds < 0.3 + one.size / 1e7, one
        times = 2 * measure.TIMES if "letter of four octets" in one.name else measure.TIMES
        assert one.memory < measure.LEAST + times * one.size, one
