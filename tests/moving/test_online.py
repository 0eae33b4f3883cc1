"""Phones and writers at work on a real server while its store is moved: nobody notices but by the clock."""

from __future__ import annotations

import random
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest
import requests

from tests.recovery.phones import CALENDARS, PASSWORD, Phone, Session, Writer
from tests.server_process import ServerProcess

#: Items that are there before, so that the copy takes its time.
_BEFORE = 400


class Watched(Session):
    """What it was answered, and how long the longest answer took."""

    def __init__(self, server: ServerProcess, user: str) -> None:
        super().__init__(server, user)
        self.statuses: set[int] = set()
        self.longest = 0.0
        self.refused = 0
        self.void = 0

    def __call__(self, method: str, path: str, body: bytes | str = b"", **headers: str) -> requests.Response:
        began = time.monotonic()
        answer = super().__call__(method, path, body, **headers)
        self.longest = max(self.longest, time.monotonic() - began)
        self.statuses.add(answer.status_code)
        self.refused += answer.status_code == 503
        self.void += b"valid-sync-token" in answer.content
        return answer


def _fill(ask: Session) -> None:
    """A calendar of many events, in one request."""
    lines = ["BEGIN:VCALENDAR", "VERSION:2.0", "PRODID:-//test//EN"]
    for number in range(_BEFORE):
        lines += ["BEGIN:VEVENT", f"UID:{number}", "DTSTAMP:20260101T000000Z", "DTSTART:20260301T100000Z", "END:VEVENT"]
    answer = ask("PUT", f"/{ask.user}/many/", "\r\n".join([*lines, "END:VCALENDAR", ""]), Content_Type="text/calendar")
    assert answer.status_code == 201, answer.text


WAYS = [("sqlite", "sqlite", 2), ("sqlite", "postgresql", 2), ("postgresql", "sqlite", 1)]


@pytest.mark.parametrize(("here", "there", "workers"), WAYS, ids=lambda value: str(value)[:2])
def test_nobody_notices(here: str, there: str, workers: int, place: Callable[[str, str], str], tmp_path: Path) -> None:
    old, new = place(here, "old"), place(there, "new")
    config = f"[storage]\nurl = {old}\n[rights]\ntype = owner_only\n"
    with ServerProcess(tmp_path / "server", args=("--workers", str(workers)), config_text=config) as server:
        writers, phones, asks = [], [], []
        for number, user in enumerate(("anna", "bert")):
            server.add_user(user, PASSWORD)
            for _ in range(2):
                asks.append(Watched(server, user))
            writers.append(Writer(asks[-2], random.Random(number)))
            phones.append((asks[-1], [Phone(name) for name in CALENDARS]))
            _fill(asks[-2])
            writers[-1].begin()
        stopped = threading.Event()
        failures: list[BaseException] = []

        def write(writer: Writer) -> None:
            while not stopped.is_set():
                # A calendar that goes voids its tokens by itself; all else must not.
                writer.random.choice((writer._put, writer._put, writer._delete, writer._move, writer._colour))()

        def sync(ask: Watched, copies: list[Phone]) -> None:
            while not stopped.wait(0.02):
                for phone in copies:
                    phone.sync(ask)

        def kept(work: Callable[[], None]) -> None:
            try:
                work()
            except BaseException as error:  # noqa: BLE001 - told by the test
                failures.append(error)

        threads = [threading.Thread(target=kept, args=(lambda one=one: write(one),)) for one in writers]
        threads += [threading.Thread(target=kept, args=(lambda one=one: sync(*one),)) for one in phones]
        for thread in threads:
            thread.start()
        try:
            done = subprocess.run(
                [sys.executable, "-m", "calsync", "migrate-store", old, new],
                env=server.environment,
                capture_output=True,
                text=True,
                check=False,
            )
            time.sleep(1)
        finally:
            stopped.set()
            for thread in threads:
                thread.join()
        assert done.returncode == 0, done.stderr
        assert not failures, failures
        server.log_until("the store was moved")
        print(done.stdout, [(ask.longest, ask.refused) for ask in asks])
        for ask in asks:
            assert ask.statuses <= {200, 201, 204, 207, 403, 404, 405, 409, 412, 503}, ask.statuses
            assert not ask.void, "a token was lost"
        for writer, (ask, copies) in zip(writers, phones, strict=True):
            for path, octets in writer.held.items():
                assert ask("GET", path).content == octets
            for phone in copies:
                assert phone.sync(ask) in (207, 404)
                assert not phone.deleted & writer.held.keys()
                assert {path for path in writer.held if path.startswith(f"/{ask.user}/{phone.calendar}/")} == set(
                    phone.members
                )
    # After a restart the old address still leads there, and the new one does too.
    for url in (old, new):
        again = ServerProcess(tmp_path / "again", config_text=config.replace(old, url))
        with again:
            ask = Session(again, "anna")
            for path, octets in writers[0].held.items():
                assert ask("GET", path).content == octets
            ask.close()
    for watched in asks:
        watched.close()
