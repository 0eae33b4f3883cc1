"""What is to be seen of requests from outside: an id, and one line in the log when a request ends."""

from __future__ import annotations

import logging
import re
import secrets
import time
from collections.abc import Mapping
from typing import Any, Final

from calsync.upstream import logger

#: What of an address opens something to whoever has it: the tokens of Radicale's shares, links that let a device in.
_OPENING: Final = re.compile(r"(/\.token/v1/|/let-in/)[^/\s'\"]+")


def masked(text: str) -> str:
    """A text for the log, without the parts of addresses that are as good as a password."""
    return _OPENING.sub(r"\1…", text) if "/.token/" in text or "/let-in/" in text else text


class Trace:
    """One request. `id` stands in its log lines and, where something failed on our side, in the answer."""

    def __init__(self, environ: Mapping[str, Any]) -> None:
        self.id = secrets.token_hex(4)
        self.user = ""
        self.status = 0
        self.hint = ""
        self._environ = environ
        self._started = time.perf_counter()

    def end(self, octets: int) -> None:
        """The answer is out, with so many octets of body."""
        if not logger.isEnabledFor(logging.INFO):
            return
        environ = self._environ
        logger.info(
            "%s %s %s %s %d %d B %.1f ms%s%s",
            self.id,
            environ.get("REMOTE_ADDR") or "-",
            self.user or "-",
            f"{environ.get('REQUEST_METHOD')} {environ.get('PATH_INFO', '')!r}",
            self.status,
            octets,
            (time.perf_counter() - self._started) * 1000,
            f" {environ['HTTP_USER_AGENT']!r}" if environ.get("HTTP_USER_AGENT") else "",
            f" ({self.hint})" if self.hint else "",
        )
