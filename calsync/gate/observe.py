"""What is to be seen of requests from outside: an id, one line in the log when a request ends, and figures."""

from __future__ import annotations

import logging
import re
import secrets
import time
from collections.abc import Mapping
from typing import Any, Final

from calsync import user_agents
from calsync.counters.recent import Record
from calsync.dav.request import Doing
from calsync.metrics import requests
from calsync.upstream import logger

#: What of an address opens something to whoever has it: the tokens of Radicale's shares, links that let a device in.
_OPENING: Final = re.compile(r"(/\.token/v1/|/let-in/)[^/\s'\"]+")

#: What a terminal would obey, and what would begin another line: nobody from outside writes that into the log.
_CONTROL: Final = re.compile("[\x00-\x08\x0a-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069]")

#: An id that a proxy may have given: it leads from its log to ours, and is nothing else.
_ID: Final = re.compile(r"[A-Za-z0-9._:-]{1,64}").fullmatch


def masked(text: str) -> str:
    """A text for the log, without the parts of addresses that are as good as a password."""
    return _OPENING.sub(r"\1…", text) if "/.token/" in text or "/let-in/" in text else text


def one_line(text: str) -> str:
    """A text for the log, with whatever controls a terminal or ends a line written out."""
    return _CONTROL.sub(_written_out, text) if _CONTROL.search(text) else text


def _written_out(found: re.Match[str]) -> str:
    return found[0].encode("unicode_escape").decode("ascii")


def address_of(environ: Mapping[str, Any]) -> str:
    """The client's address, as a proxy tells it; the server lets only known proxies speak."""
    forwarded = str(environ.get("HTTP_X_FORWARDED_FOR", ""))
    if forwarded:
        # The last that was added is what our own proxy saw; what is before it, anybody can write.
        return _without_port(forwarded.rpartition(",")[2].strip())
    return str(environ.get("HTTP_X_REMOTE_ADDR") or environ.get("REMOTE_ADDR", ""))


def _without_port(text: str) -> str:
    """Some proxies add the port, and each connection has another one: `192.0.2.1:50000`, `[2001:db8::1]:50000`."""
    if text.startswith("["):
        return text[1:].partition("]")[0]
    return text.partition(":")[0] if text.count(":") == 1 else text


class Trace:
    """One request. `id` stands in its log lines and, where something failed on our side, in the answer.

    `doing` is filled in by what answers it.
    """

    __slots__ = (
        "_began",
        "_environ",
        "_place",
        "_requests",
        "_shown",
        "_started",
        "device",
        "doing",
        "hint",
        "id",
        "status",
        "user",
    )

    def __init__(self, environ: Mapping[str, Any]) -> None:
        given = environ.get("HTTP_X_REQUEST_ID")
        self.id = given if given and _ID(given) else secrets.token_hex(4)
        self.user = self.device = self.hint = ""
        self.status = 0
        self.doing = Doing()
        self._environ = environ
        self._place = -1
        self._shown = False
        before: tuple[float, float] | None = environ.get("calsync.began")
        self._began, self._started = before or (time.time(), time.perf_counter())
        self._requests = requests.kept()
        if self._requests is not None:
            self._requests.begin()

    def is_from(self, user: str, device: str) -> None:
        """Whom it is from is known by now."""
        self.user, self.device = user, device
        self._show()

    def _show(self) -> None:
        if self._requests is not None and self._requests.recent is not None:
            self._shown = True
            environ = self._environ
            self._place = self._requests.recent.begin(
                self._began,
                _length(environ),
                self.id,
                self.user,
                user_agents.kind_of(environ.get("HTTP_USER_AGENT", "")),
                environ["REQUEST_METHOD"],
                self.device,
                address_of(environ),
                masked(_readable(environ.get("PATH_INFO", ""))),
            )

    def withdraw(self) -> tuple[float, float]:
        """It comes again, elsewhere, and is counted there; this gives what `calsync.began` is to be then."""
        if self._requests is not None:
            self._requests.withdraw()
        return self._began, self._started

    def end(self, octets: int) -> None:
        """The answer is out, with so many octets of body."""
        seconds = time.perf_counter() - self._started
        environ, counting, doing = self._environ, self._requests, self.doing
        if counting is not None:
            method, agent = environ["REQUEST_METHOD"], user_agents.kind_of(environ.get("HTTP_USER_AGENT", ""))
            length = _length(environ)
            counting.end(method, doing.report, agent, self.status, seconds, doing.items, length, octets)
            if counting.recent is not None:
                if not self._shown:
                    self._show()
                counting.recent.end(
                    self._place, self._began, seconds, self.status, doing.items, length, octets, doing.report
                )
        if logger.isEnabledFor(logging.INFO):
            self._log(seconds, octets)

    def _log(self, seconds: float, octets: int) -> None:
        environ, doing = self._environ, self.doing
        agent = environ.get("HTTP_USER_AGENT", "")
        record = Record(
            self._began,
            seconds,
            self.status,
            doing.items,
            _length(environ),
            octets,
            doing.report,
            self.id,
            self.user,
            user_agents.kind_of(agent),
            environ["REQUEST_METHOD"],
            self.device,
            address_of(environ),
            _readable(environ.get("PATH_INFO", "")),
        )
        logger.info(
            "%s %s %s %s%s %r %d %s%d>%d B %.1f ms%s%s",
            record.id,
            record.address or "-",
            record.user or "-",
            record.method,
            f" {record.report}" if record.report else "",
            record.path,
            record.status,
            f"{record.items} items " if record.items else "",
            record.octets_in,
            record.octets_out,
            seconds * 1000,
            f" {agent!r}" if agent else "",
            f" ({self.hint})" if self.hint else "",
            extra={"calsync": (record, agent, self.hint)},
        )


def _length(environ: Mapping[str, Any]) -> int:
    stated = environ.get("CONTENT_LENGTH")
    return int(stated) if stated and len(stated) < 16 and stated.isdecimal() else 0


def _readable(path: str) -> str:
    """PEP 3333 gives octets as Latin-1."""
    return path if path.isascii() else path.encode("latin-1", "replace").decode("utf-8", "replace")
