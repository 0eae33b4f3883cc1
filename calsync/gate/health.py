"""What a load balancer asks, and whoever watches the server: is it there, and is it of use.

Anybody may ask, so an answer is one word and says nothing of the store. `/.calsync/health`: the process answers; where
it does not, it is to be restarted. `/.calsync/ready`: it can serve clients now; where it cannot, they are to be sent
elsewhere, and no restart helps.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from calsync.dav.request import Response
from calsync.recovery import hold
from calsync.store.engine import Store
from calsync.store.errors import StoreError
from calsync.upstream import logger
from calsync.webdav.errors import MethodNotAllowed

NAMES: Final = ("health", "ready")

#: Seconds for which an answer about the store is believed, and after which who was told "no" may ask again.
_FRESH: Final = 1.0
_RETRY: Final = 5


@dataclass(slots=True)
class Health:
    """Of one application. The store is asked once a second at most, by one thread; others are told what is known."""

    store: Store
    _word: str = "ready"
    _until: float = 0.0
    _asking: threading.Lock = field(default_factory=threading.Lock)

    def answer(self, environ: Mapping[str, Any], name: str) -> Response:
        """The response to a request for one of `NAMES`."""
        method = str(environ["REQUEST_METHOD"])
        if method not in ("GET", "HEAD", "OPTIONS"):
            raise MethodNotAllowed(method, headers={"Allow": "GET, HEAD, OPTIONS"})
        word = "alive" if name == "health" else "stopping" if environ.get("calsync.stopping") else self._of_store()
        headers = {"Content-Type": "text/plain; charset=utf-8", "Cache-Control": "no-store"}
        if word in ("alive", "ready"):
            return Response(200, headers, f"{word}\n".encode())
        return Response(503, {**headers, "Retry-After": str(_RETRY)}, f"{word}\n".encode())

    def _of_store(self) -> str:
        if time.monotonic() >= self._until and self._asking.acquire(blocking=False):
            try:
                word = self._asked()
                if word != self._word:
                    (logger.info if word == "ready" else logger.warning)("load balancers are told: %s", word)
                self._word, self._until = word, time.monotonic() + _FRESH
            finally:
                self._asking.release()
        return self._word

    def _asked(self) -> str:
        try:
            with self.store.read() as tx:
                return "ready" if hold.reason_of(tx) is None else "held"
        except StoreError as error:
            logger.debug("not ready: %s", error)
            return "unavailable"
