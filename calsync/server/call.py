"""One call of the WSGI application, in pieces."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from types import TracebackType
from typing import Any

ExcInfo = tuple[type[BaseException], BaseException, TracebackType | None] | tuple[None, None, None]
StartResponse = Callable[..., Callable[[bytes], Any]]
Application = Callable[[dict[str, Any], StartResponse], Iterable[bytes]]

#: Seconds for which small chunks are gathered before what is there is sent.
GATHER = 0.005


@dataclass(frozen=True, slots=True)
class Piece:
    """Some octets of an answer, and whether these were the last."""

    data: bytes
    last: bool


class Call:
    """Runs the application. `begin`, `more` and `end` run in worker threads, never two at a time."""

    __slots__ = (
        "_application",
        "_batch",
        "_early",
        "_environ",
        "_iterable",
        "_iterator",
        "delay",
        "headers",
        "length",
        "reason",
        "status",
        "unchecked",
    )

    def __init__(self, application: Application, environ: dict[str, Any], batch: int) -> None:
        self._application = application
        self._environ = environ
        self._batch = batch
        self._early: list[bytes] = []
        self._iterable: Iterable[bytes] | None = None
        self._iterator: Iterator[bytes] | None = None
        self.unchecked: str | None = None
        """After `begin` without an answer: the login has to be checked, of somebody at this address ("": of here)."""
        self.delay = 0.0
        """Seconds that the answer is to be held back (`environ["calsync.delay"]`: a failed login)."""
        self.status = 0
        self.reason = ""
        self.headers: list[tuple[str, str]] = []
        self.length: int | None = None
        """Octets of the whole answer where they are known without reading it."""

    def begin(self) -> Piece | None:
        """Run the application up to the first piece of its answer; None where it has to come again (`unchecked`)."""
        self._iterable = self._application(self._environ, self._start_response)
        if "calsync.unchecked" in self._environ:
            self.unchecked = self._environ.pop("calsync.unchecked")
            self._iterable = None
            return None
        self.delay = float(self._environ.get("calsync.delay", 0.0))
        if isinstance(self._iterable, list | tuple):
            self.length = sum(map(len, self._iterable))
        if self._environ["REQUEST_METHOD"] == "HEAD":
            if not self.status:
                next(iter(self._iterable), b"")
            return self._last(b"")
        self._iterator = iter(self._iterable)
        return self.more()

    def again(self, checks: str) -> None:
        """Make ready to `begin` once more; `checks`: what of its login may be checked where that is done."""
        self.unchecked = None
        self._environ["calsync.checks"] = checks
        self._environ["wsgi.input"].seek(0)

    def more(self) -> Piece:
        """The next piece. What the application raises goes through."""
        assert self._iterator is not None
        parts, self._early = self._early, []
        size = 0
        until = 0.0
        for part in self._iterator:
            parts.append(part)
            size += len(part)
            now = time.monotonic()
            until = until or now + GATHER
            if size >= self._batch or (size and now >= until):
                return self._checked(b"".join(parts))
        return self._last(b"".join(parts))

    def end(self) -> None:
        """Close the application's iterator. Safe to call again."""
        iterable, self._iterable, self._iterator = self._iterable, None, None
        self._environ = {}
        close = getattr(iterable, "close", None)
        if close is not None:
            close()

    @property
    def ended(self) -> bool:
        return self._iterator is None and self._iterable is None

    def _last(self, data: bytes) -> Piece:
        self._checked(data)
        self.end()
        return Piece(data, True)

    def _checked(self, data: bytes) -> Piece:
        if not self.status:
            raise RuntimeError("the application did not call start_response")
        return Piece(data, False)

    def _start_response(
        self, status: str, headers: list[tuple[str, str]], exc_info: ExcInfo | None = None
    ) -> Callable[[bytes], None]:
        if self.status and exc_info is None:
            raise RuntimeError("start_response called twice")
        code, _, reason = status.partition(" ")
        self.status = int(code)
        self.reason = reason
        self.headers = headers
        return self._early.append
