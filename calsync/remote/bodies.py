"""The objects themselves: many at a time by multiget, one by one where a server has none or stumbles over it."""

from __future__ import annotations

import re
import threading
from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from itertools import islice
from typing import Final

from calsync.remote.client import Answered, Client, RemoteError, Unreachable, prop
from calsync.remote.discovery import RemoteCollection
from calsync.remote.listing import Listed, name_of
from calsync.webdav.multistatus import element
from calsync.webdav.names import CR, C, D

BATCH: Final = 100
#: Requests at once: as many as a phone makes.
PARALLEL: Final = 4

# A parser makes a bare CR LF a LF (XML 1.0 §2.11); RFC 5545 §3.1 and RFC 6350 §3.2 want both.
_LONE: Final = re.compile(rb"(?<!\r)\n")
#: Answers to a REPORT that mean: not here, and not with the next one either.
_NEVER: Final = frozenset({400, 403, 404, 405, 415, 501})


@dataclass(frozen=True, slots=True)
class Body:
    """An object as the server has it. `etag`: of these octets. `gone`: there no more; `reason`: why it did not come."""

    name: str
    etag: str
    octets: bytes = b""
    gone: bool = False
    reason: str = ""


@dataclass(slots=True)
class Bodies:
    """Of one collection. `multiget`: whether that is worth asking for."""

    client: Client
    collection: RemoteCollection
    parallel: int = PARALLEL
    multiget: bool = True
    _worked: bool = False
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def __post_init__(self) -> None:
        self.multiget = self.collection.knows(self._report)

    def fetch(self, wanted: Mapping[str, Listed]) -> Iterator[Body]:
        """Each of `wanted` in its order. Raises `Unreachable`."""
        names = iter(wanted)
        waiting: deque[Future[list[Body]]] = deque()
        with ThreadPoolExecutor(max_workers=self.parallel) as threads:
            try:
                while True:
                    while len(waiting) < self.parallel and (batch := list(islice(names, BATCH))):
                        waiting.append(threads.submit(self._batch, batch, wanted))
                    if not waiting:
                        return
                    yield from waiting.popleft().result()
            finally:
                for one in waiting:
                    one.cancel()

    @property
    def _report(self) -> str:
        return C("calendar-multiget") if self.collection.kind == "calendar" else CR("addressbook-multiget")

    @property
    def _data(self) -> str:
        return C("calendar-data") if self.collection.kind == "calendar" else CR("address-data")

    def _batch(self, batch: Sequence[str], wanted: Mapping[str, Listed]) -> list[Body]:
        found: dict[str, Body] = {}
        if self.multiget:
            try:
                found = self._several(batch, wanted)
            except Unreachable:
                raise
            except RemoteError as error:
                if isinstance(error, Answered) and error.status in _NEVER and not self._worked:
                    self.multiget = False
                elif len(batch) > 1:
                    # One object may spoil the answer for all: it is found by halving.
                    half = len(batch) // 2
                    return self._batch(batch[:half], wanted) + self._batch(batch[half:], wanted)
        return [found.get(name) or self._one(name, wanted[name]) for name in batch]

    def _several(self, batch: Sequence[str], wanted: Mapping[str, Listed]) -> dict[str, Body]:
        """RFC 4791 §7.9, RFC 6352 §8.7; what has no data in the answer is left out."""
        content = prop((D("getetag"), self._data)) + b"".join(element(D("href"), wanted[name].href) for name in batch)
        base, answer = self.client.report(self.collection.url, self._report, content, "0")
        asked = set(batch)
        found: dict[str, Body] = {}
        for response in answer.responses:
            name = name_of(self.client, self.collection, base, response.href)
            text = response.text(self._data)
            if name in asked and text and text.strip():
                etag = (response.text(D("getetag")) or "").strip()
                found[name] = Body(name, etag or wanted[name].etag, _octets(text))
        with self._lock:
            self._worked = self._worked or bool(found)
        return found

    def _one(self, name: str, listed: Listed) -> Body:
        try:
            fetched = self.client.ask("GET", self.client.joined(self.collection.url, listed.href))
        except Unreachable:
            raise
        except RemoteError as error:
            return Body(name, listed.etag, reason=str(error))
        if fetched.status in (404, 410):
            return Body(name, listed.etag, gone=True)
        if fetched.status != 200 or not fetched.body.strip():
            return Body(name, listed.etag, reason=str(Answered("GET", fetched)))
        return Body(name, fetched.headers.get("etag", "").strip() or listed.etag, fetched.body)


def _octets(text: str) -> bytes:
    """The object that stands in an XML answer, perhaps with white space around it."""
    return _LONE.sub(b"\r\n", text.lstrip("\ufeff \t\r\n").rstrip().encode() + b"\n")
