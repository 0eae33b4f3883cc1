"""A calsync server with something in it, for all tests of this folder."""

from __future__ import annotations

import base64
import contextlib
import io
import json
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest
import requests

from calsync.cli.main import main
from tests.server_process import ServerProcess

PASSWORD = "correct horse battery"
EVENT = """BEGIN:VCALENDAR\r
VERSION:2.0\r
PRODID:-//x//EN\r
BEGIN:VEVENT\r
UID:one\r
DTSTAMP:20260101T000000Z\r
DTSTART:20400101T000000Z\r
SUMMARY:Meeting about a thing that has a long name, so that a proxy finds it worth its while to compress it\r
DESCRIPTION:Long, long, long, long, long, long, long, long, long, long, long, long, long, long, long\r
END:VEVENT\r
END:VCALENDAR\r
"""


@dataclass
class Told:
    """What a run of `calsync doctor --json` said."""

    status: int
    findings: list[dict[str, str]]
    error: str

    @property
    def codes(self) -> set[str]:
        """The names of what is wrong: warnings and problems."""
        return {one["code"] for one in self.findings if one["level"] in ("warning", "problem")}

    def levels(self, level: str) -> list[dict[str, str]]:
        return [one for one in self.findings if one["level"] == level]


def doctor(*words: str, user: str = "anna", password: str = PASSWORD) -> Told:
    """A run in this process; nobody logs in where `user` is empty."""
    out, err, stdin = io.StringIO(), io.StringIO(), sys.stdin
    sys.stdin = io.StringIO(password + "\n")
    try:
        with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
            status = main(["doctor", "--json", *words, *(["--user", user, "--password-file", "-"] if user else [])])
    finally:
        sys.stdin = stdin
    found: dict[str, Any] = json.loads(out.getvalue()) if out.getvalue() else {"findings": []}
    return Told(status, found["findings"], err.getvalue())


@pytest.fixture(scope="session")
def calsync(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServerProcess]:
    """With the user anna, an event and a card; nobody changes it."""
    folder = tmp_path_factory.mktemp("doctor")
    with ServerProcess(folder, config_text="[calsync]\ntrusted_proxies = 127.0.0.1\n") as server:
        server.add_user("anna", PASSWORD)
        login = "Basic " + base64.b64encode(f"anna:{PASSWORD}".encode()).decode()
        card = "BEGIN:VCARD\r\nVERSION:3.0\r\nUID:two\r\nFN:Bert\r\nN:Bert;;;;\r\nEND:VCARD\r\n"
        for path, text in (("anna/calendar/one.ics", EVENT), ("anna/contacts/two.vcf", card)):
            put = requests.put(server.url + path, text.encode(), headers={"Authorization": login}, timeout=60)
            assert put.status_code == 201, put.text
        yield server
