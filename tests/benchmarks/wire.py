"""One HTTP connection that notes when the first octet of an answer came."""

from __future__ import annotations

import base64
import http.client
import time
from collections.abc import Mapping
from dataclasses import dataclass, field

from tests.benchmarks.servers import PASSWORD


@dataclass(frozen=True, slots=True)
class Request:
    method: str
    path: str
    body: bytes = b""
    headers: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Answer:
    """`first`, `total`: seconds from the start of the request to the first octet of the body, to its end."""

    status: int
    headers: Mapping[str, str]
    body: bytes
    first: float
    total: float


class TooSlow(Exception):
    """No whole answer within the time a row is given."""


class Wire:
    def __init__(self, port: int, user: str, *, timeout: float = 60) -> None:
        self.timeout = timeout
        self._connection = http.client.HTTPConnection("127.0.0.1", port, timeout=timeout)
        credentials = base64.b64encode(f"{user}:{PASSWORD}".encode()).decode()
        self._common = {"Authorization": f"Basic {credentials}", "User-Agent": "calsync-benchmark"}

    def send(self, request: Request) -> Answer:
        headers = {**self._common, **request.headers}
        if request.body:
            headers.setdefault("Content-Type", "application/xml; charset=utf-8")
        began = time.perf_counter()
        try:
            response = self._exchange(request, headers)
            first_octet = response.read(1)
            first = time.perf_counter() - began
            body = first_octet + response.read()
        except TimeoutError as error:
            self._connection.close()
            raise TooSlow(request.path) from error
        total = time.perf_counter() - began
        if total > self.timeout:
            raise TooSlow(request.path)
        found = {name.lower(): value for name, value in response.getheaders()}
        return Answer(response.status, found, body, first, total)

    def _exchange(self, request: Request, headers: Mapping[str, str]) -> http.client.HTTPResponse:
        for attempt in (1, 2):
            try:
                self._connection.request(request.method, request.path, body=request.body or None, headers=dict(headers))
                return self._connection.getresponse()
            except (http.client.RemoteDisconnected, BrokenPipeError, ConnectionResetError):
                # A kept connection may have been closed by the server meanwhile; a fresh one may not.
                self._connection.close()
                if attempt == 2:
                    raise
        raise AssertionError

    def close(self) -> None:
        self._connection.close()
