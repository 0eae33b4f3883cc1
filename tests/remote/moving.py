"""`calsync migrate dav` as a test runs it, and what is in the store then."""

from __future__ import annotations

import json
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from calsync.cli import migrate, place
from calsync.ical.facts import calendar_object
from calsync.store import collections, items, principals
from calsync.store.collections import Collection
from calsync.store.errors import StoreError
from tests.cli.run import run
from tests.postgresql import instead_of
from tests.remote.servers import PASSWORD, Source


@dataclass
class Here:
    """The store that things move into."""

    folder: Path
    capsys: pytest.CaptureFixture[str]

    @property
    def url(self) -> str:
        return instead_of(self.folder) or f"sqlite:///{self.folder}/calsync.db"

    def words(self, source: str, login: str = "") -> list[str]:
        words = ["migrate", "dav", source, "--into", "anna", "--store", self.url]
        if login:
            secret = self.folder / "password"
            secret.write_text(f"{PASSWORD}\n")
            words += ["--login", login, "--password-file", str(secret)]
        return words

    def migrate(self, source: str | Source, *more: str, login: str = "") -> tuple[int, dict[str, Any]]:
        """The exit status, and the object that tells of the whole; `items` are those of each item."""
        words = self.words(source, login) if isinstance(source, str) else self.words(source.url, source.login)
        status = run(migrate, *words, "--json", *more)
        said = self.capsys.readouterr()
        lines = [json.loads(line) for line in said.out.splitlines()]
        if not lines:
            return status, {"error": said.err}
        return status, {**lines[-1], "items": lines[:-1]}

    def items(self, name: str) -> dict[str, bytes]:
        """What a collection holds."""
        with place.opened_at(self.url) as store, store.read() as tx:
            found = self._collection(tx, name)
            assert found is not None
            hrefs = [one.href for one in _all(tx, found)]
            return {href: octets for href, _, octets in items.bodies(tx, found, hrefs) if isinstance(octets, bytes)}

    def collection(self, name: str) -> Collection:
        with place.opened_at(self.url) as store, store.read() as tx:
            found = self._collection(tx, name)
            assert found is not None
            return found

    def count(self, name: str) -> int:
        """How many items a collection has, 0 before it is there."""
        with suppress(StoreError), place.opened_at(self.url) as store, store.read() as tx:
            found = self._collection(tx, name)
            return found.items if found is not None else 0
        return 0

    def put(self, name: str, href: str, octets: bytes) -> None:
        """As a client here would."""
        with place.opened_at(self.url) as store, store.write() as tx:
            found = self._collection(tx, name)
            assert found is not None
            items.put(tx, found, href, calendar_object(octets, window=store.window))

    def remove(self, name: str, href: str) -> None:
        with place.opened_at(self.url) as store, store.write() as tx:
            found = self._collection(tx, name)
            assert found is not None
            item = items.get(tx, found, href)
            assert item is not None
            items.delete(tx, found, item)

    def _collection(self, tx: Any, name: str) -> Collection | None:
        principal = principals.find(tx, "anna")
        return collections.find(tx, principal, [name]) if principal is not None else None


def _all(tx: Any, found: Collection) -> list[Any]:
    rows = items.page(tx, found, 0, 10_000)
    return [items.get_by_id(tx, found, row.id) for row in rows]


def event(uid: str, summary: str = "Tea", *lines: str) -> bytes:
    """A small event."""
    return (
        "\r\n".join(
            [
                "BEGIN:VCALENDAR",
                "VERSION:2.0",
                "PRODID:-//test//EN",
                "BEGIN:VEVENT",
                f"UID:{uid}",
                "DTSTAMP:20260101T000000Z",
                "DTSTART:20260601T090000Z",
                f"SUMMARY:{summary}",
                *lines,
                "END:VEVENT",
                "END:VCALENDAR",
            ]
        )
        + "\r\n"
    ).encode()


def card(uid: str, name: str = "Åsa") -> bytes:
    """A small card."""
    return f"BEGIN:VCARD\r\nVERSION:3.0\r\nUID:{uid}\r\nFN:{name}\r\nN:{name};;;;\r\nEND:VCARD\r\n".encode()
