"""`calsync migrate dav --accounts FILE`: several people in one run."""

from __future__ import annotations

import base64
import json
from pathlib import Path

import pytest

from calsync.cli import migrate
from tests.cli.run import run
from tests.remote.moving import Here, event
from tests.remote.odd import CALENDAR, Held, Odd, serving


def login(name: str, password: str) -> str:
    return "Basic " + base64.b64encode(f"{name}:{password}".encode()).decode()


def test_who_cannot_come_over_stops_nobody_else(here: Here, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "a secret").write_text("of Anna\n")
    (tmp_path / "wrong").write_text("another one\n")
    held = Held(CALENDAR, {"a.ics": event("a")})
    with (
        serving(Odd({"work": held}, login=login("anna", "of Anna"))) as first,
        serving(Odd({"work": held}, login=login("bert", "of Bert"))) as second,
    ):
        file = tmp_path / "accounts"
        file.write_text(f"# who comes\n{second.url} bert wrong bert\n\n{first.url} anna 'a secret' anna  # first\n")
        words = ("migrate", "dav", "--store", here.url, "--accounts", str(file))
        assert run(migrate, *words) == 1
        said = capsys.readouterr()
        assert "calsync: bert: " in said.err and "401" in said.err
        assert f"anna, from {first.url}:" in said.out
        assert run(migrate, *words, "--json") == 1
        assert [json.loads(line)["into"] for line in capsys.readouterr().out.splitlines()] == ["anna"]
    assert here.items("work") == held.items


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("# nobody\n", "no account is in it"),
        ("\nhttps://dav.example.org anna secret\n", ":2: 3 words, not four"),
        ("https://dav.example.org 'anna secret anna\n", ":1: no closing quotation"),
        ("ftp://dav.example.org anna secret anna\n", "no http or https URL"),
    ],
)
def test_a_file_that_is_wrong_is_said_before_anything_is_made(
    text: str, reason: str, here: Here, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "accounts"
    file.write_text(text)
    assert run(migrate, "migrate", "dav", "--store", here.url, "--accounts", str(file)) == 2
    assert reason in capsys.readouterr().err
    assert run(migrate, "migrate", "dav", "--store", here.url, "--accounts", str(file), "--into", "anna") == 2
    assert not list(here.folder.iterdir())


def test_two_servers_at_one_host_are_not_taken_for_one(here: Here) -> None:
    with (
        serving(Odd({"work": Held(CALENDAR, {"a.ics": event("a")})})) as first,
        serving(Odd({"work": Held(CALENDAR, {"b.ics": event("b")})})) as second,
    ):
        assert here.migrate(first.url)[0] == 0
        assert here.migrate(second.url, "--delete")[0] == 0
    assert list(here.items("work")) == ["a.ics"]
    assert list(here.items("work-2")) == ["b.ics"]


def test_what_another_account_there_holds_is_not_missed(here: Here, tmp_path: Path) -> None:
    (tmp_path / "password").write_text("secret\n")
    own, other = Held(CALENDAR, {"a.ics": event("a")}), Held(CALENDAR, {"b.ics": event("b")})
    with serving(Odd({"own": own, "old": own})) as server:

        def notices(name: str) -> list[str]:
            server.login = login(name, "secret")
            secret = ["--login", name, "--password-file", str(tmp_path / "password")]
            status, told = here.migrate(server.url, *secret)
            assert status == 0, told
            return [notice for notice in told["notices"] if "is not among" in notice]

        assert not notices("anna")
        server.collections = {"other": other}
        assert not notices("bert")
        server.collections = {"own": own}
        assert len(notices("anna")) == 1  # of what she had herself
