"""Connections to addresses that were checked: kept open, ended in time, speaking to the host under its name."""

from __future__ import annotations

import os
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from http.cookiejar import DefaultCookiePolicy
from typing import Any

import requests
import requests.adapters

#: Scheme, host and port of a URL.
Origin = tuple[str, str | None, int | None]


class _Own(threading.local):
    """What a thread has open: origin → address and session."""

    def __init__(self) -> None:
        self.open: dict[Origin, tuple[str, requests.Session]] = {}


class Connections:
    """Connections that stay open between requests, of each thread its own; each goes to an address that was checked."""

    def __init__(self, *, keep: bool = True) -> None:
        self._keep = keep
        self._own = _Own()
        self._all: list[requests.Session] = []

    def address(self, origin: Origin) -> list[str]:
        """The address to which this thread has one; empty where it has none."""
        found = self._own.open.get(origin)
        return [found[0]] if found else []

    @contextmanager
    def session(self, origin: Origin, address: str) -> Iterator[requests.Session]:
        """A session with one address of a server; what fails inside ends it."""
        found = self._own.open.pop(origin, None)
        session = found[1] if found is not None else _session(origin, address)
        try:
            yield session
        except BaseException:
            session.close()
            raise
        if self._keep:
            self._own.open[origin] = address, session
            if session not in self._all:
                self._all.append(session)
        else:
            session.close()

    def close(self) -> None:
        """End them all; of all threads."""
        for session in self._all:
            session.close()


def _session(origin: Origin, address: str) -> requests.Session:
    session = requests.Session()
    session.trust_env = False  # no proxy, no .netrc
    session.verify = _authorities()
    session.cookies.set_policy(DefaultCookiePolicy(allowed_domains=()))
    session.mount(f"{origin[0]}://", _Pinned(origin[1] or "", address))
    return session


class Cut:
    """Ends a connection after so many seconds, whatever goes on: a time-out counts from the last octet, so a server
    that sends one now and then, or `100 Continue` without end, is never too slow for it."""

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self.done = False

    @contextmanager
    def of(self, session: requests.Session, url: str) -> Iterator[None]:
        """While the block runs."""
        adapter = session.get_adapter(url)
        assert isinstance(adapter, _Pinned)
        timer = threading.Timer(max(0.0, self._seconds), self._end, (adapter,))
        timer.daemon = True
        timer.start()
        try:
            yield
        finally:
            timer.cancel()

    def _end(self, adapter: _Pinned) -> None:
        self.done = True
        adapter.end()


class _Pinned(requests.adapters.HTTPAdapter):
    """Connects to `address`, and still speaks to `host`: its certificate, its name in TLS."""

    def __init__(self, host: str, address: str) -> None:
        self._host = host
        self._address = address
        self._socket: socket.socket | None = None
        super().__init__(max_retries=0)

    def get_connection_with_tls_context(self, *args: Any, **kwargs: Any) -> Any:
        pool: Any = super().get_connection_with_tls_context(*args, **kwargs)
        if "ConnectionCls" not in vars(pool):
            pool.ConnectionCls = self._remembered(pool.ConnectionCls)
        return pool

    def _remembered(self, kind: Any) -> Any:
        adapter = self

        class Remembered(kind):  # type: ignore[misc]
            def connect(self) -> None:
                super().connect()
                adapter._socket = self.sock

        return Remembered

    def end(self) -> None:
        """End the connection under whoever waits at it."""
        if self._socket is not None:
            shut(self._socket)

    def build_connection_pool_key_attributes(self, request: Any, verify: Any, cert: Any = None) -> Any:
        parts: Any = super().build_connection_pool_key_attributes(request, verify, cert)
        host, pool = parts
        host["host"] = self._address
        if host["scheme"] == "https":
            pool["server_hostname"] = self._host
            pool["assert_hostname"] = self._host
        return host, pool


def _authorities() -> str | bool:
    """Whose certificates are believed: those that the environment names, else the usual ones."""
    return os.environ.get("REQUESTS_CA_BUNDLE") or os.environ.get("SSL_CERT_FILE") or True


def shut(sock: socket.socket) -> None:
    """End a connection under whoever waits at it, in any thread."""
    with suppress(OSError):
        socket.socket.shutdown(sock, socket.SHUT_RDWR)  # not TLS's own, which is no other thread's
