"""A server that is killed while it writes: what it had acknowledged is there, and nothing is half there."""

from __future__ import annotations

import contextlib
import random
import sqlite3
import threading
import time
from dataclasses import dataclass, field
from hashlib import sha256
from pathlib import Path

import requests

from tests.dav.conftest import PASSWORD, event
from tests.server_process import ServerProcess

HOME = "anna/calendar/"
KILLS = 5


@dataclass
class Writer:
    """Puts, replaces and deletes in turn, and keeps what was acknowledged and what was only asked."""

    acknowledged: dict[str, str | None] = field(default_factory=dict)
    asked: dict[str, str | None] = field(default_factory=dict)
    number: int = 0

    def run(self, url: str) -> None:
        """Until the server is gone."""
        with requests.Session() as session, contextlib.suppress(requests.ConnectionError):
            session.auth = ("anna", PASSWORD)
            while True:
                self.number += 1
                name = f"{self.number if self.number % 3 else self.number - random.randint(1, 9)}.ics"
                if self.number % 7 == 0:
                    self.asked[name] = None
                    answer = session.delete(f"{url}{HOME}{name}", timeout=30)
                    assert answer.status_code in (204, 404)
                else:
                    sent = event(name, f"SUMMARY:{self.number}", "DESCRIPTION:" + "x" * random.randint(0, 20_000))
                    self.asked[name] = sha256(sent).hexdigest()
                    answer = session.put(f"{url}{HOME}{name}", data=sent, timeout=30)
                    assert answer.status_code in (201, 204), answer.text
                self.acknowledged[name] = self.asked.pop(name)


def found(url: str) -> dict[str, str]:
    """Name → sha256 of what a GET gives, for all that a listing names."""
    auth = ("anna", PASSWORD)
    names = requests.request("PROPFIND", url + HOME, auth=auth, headers={"Depth": "1"}, timeout=60).text
    with requests.Session() as session:
        session.auth = auth
        members = [part.partition("<")[0] for part in names.split(f"<D:href>/{HOME}")[1:]]
        return {
            name: sha256(session.get(url + HOME + name, timeout=30).content).hexdigest() for name in members if name
        }


def test_what_was_acknowledged_survives_the_kill(tmp_path: Path) -> None:
    server, writer = ServerProcess(tmp_path), Writer()
    with server:
        server.add_user("anna", PASSWORD)
    for _ in range(KILLS):
        server.start()
        thread = threading.Thread(target=writer.run, args=(server.url,))
        before = writer.number
        thread.start()
        while writer.number < before + 5:
            time.sleep(0.01)
        time.sleep(random.uniform(0, 0.3))
        server.kill()
        thread.join()
        [path] = server.folder.rglob("*.db")
        with server.start():
            there = found(server.url)
            known = {*writer.acknowledged, *writer.asked}
            assert there.keys() <= known
            for name in known:
                # What was asked last may have been done without a word, nothing else.
                assert there.get(name) in {writer.acknowledged.get(name), writer.asked.get(name)}, name
            assert len(writer.asked) <= 1
        writer.acknowledged = {name: there.get(name) for name in known}
        writer.asked.clear()
        with contextlib.closing(sqlite3.connect(path)) as connection:
            assert connection.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
