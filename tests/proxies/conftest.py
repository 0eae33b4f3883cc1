"""Each proxy of `config/`, one after the other, before what a module puts behind it."""

from __future__ import annotations

import ssl
from collections.abc import Iterator

import pytest

from tests.proxies.proxy import ALL, CERTIFICATE, PREFIX, Proxy


@pytest.fixture(scope="module", params=ALL, ids=lambda kind: kind.__name__)
def kind(request: pytest.FixtureRequest) -> type[Proxy]:
    found: type[Proxy] = request.param
    return found


@pytest.fixture(scope="module")
def proxy(kind: type[Proxy], upstream: str) -> Iterator[Proxy]:
    """Before the module's `upstream`."""
    with kind(upstream) as running:
        yield running


@pytest.fixture(params=["", PREFIX], ids=["root", "below"])
def prefix(request: pytest.FixtureRequest) -> str:
    found: str = request.param
    return found


@pytest.fixture(scope="session")
def trusting() -> ssl.SSLContext:
    return ssl.create_default_context(cafile=str(CERTIFICATE))
