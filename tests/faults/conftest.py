"""A server on a disk that fails when told to."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.dav.conftest import PASSWORD
from tests.faults.shim import Faults, build
from tests.faults.site import Site


@pytest.fixture(scope="session")
def library(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build(tmp_path_factory.mktemp("shim"))


@pytest.fixture(scope="module")
def faults(library: Path, tmp_path_factory: pytest.TempPathFactory) -> Faults:
    return Faults(library, tmp_path_factory.mktemp("faults"))


@pytest.fixture(scope="module")
def running(faults: Faults, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """Anna and Bert have accounts and a calendar each; the tests of a module share the process."""
    site = Site(tmp_path_factory.mktemp("site"), env=faults.environment)
    site.config.touch()
    for user in ("anna", "bert"):
        site.add_user(user, PASSWORD)
    with site.start():
        for user in ("anna", "bert"):
            assert site.ask("PROPFIND", f"/{user}/calendar/", user=user, Depth="0").status == 207
        yield site


@pytest.fixture
def site(running: Site, faults: Faults) -> Iterator[Site]:
    """On a disk that is well before and after."""
    if running.ended:
        running.kill()
        running.start()
    yield running
    faults.disarm()
