"""`calsync history`, and what brings things back."""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from calsync.cli import history as commands
from calsync.cli import moments, place
from calsync.store import collections, history, items, principals
from calsync.store.engine import Store
from tests.cli.run import run
from tests.store.objects import card, collection_of, event


class Shell:
    """A store with a calendar and an address book of anna's, and what is typed."""

    def __init__(self, folder: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
        self.url = f"sqlite:///{folder}/calsync.db"
        self.capsys = capsys
        self.clock = int(time.time()) - 86_400
        monkeypatch.setattr(time, "time", lambda: float(self.clock))
        self.store = Store.open(self.url)
        with self.store.write() as tx:
            anna = principals.create(tx, "anna")
            self.work = collections.create(tx, anna, 0, "work", "calendar")
            self.book = collections.create(tx, anna, 0, "book", "addressbook")

    def put(self, href: str, uid: str, summary: str = "") -> None:
        self.clock += 10
        with self.store.write() as tx:
            tx.actor = "anna by Phone"
            items.put(tx, self.work, href, event(uid, summary=summary))

    def put_into(self, name: str, href: str, uid: str) -> None:
        with self.store.write() as tx:
            anna = principals.find(tx, "anna")
            assert anna is not None
            items.put(tx, collections.create(tx, anna, 0, name, "calendar"), href, event(uid))

    def delete(self, href: str) -> None:
        self.clock += 10
        with self.store.write() as tx:
            tx.actor = "bert"
            one = items.get(tx, self.work, href)
            assert one is not None
            items.delete(tx, self.work, one)

    def holds(self, path: str = "work") -> dict[str, str]:
        with self.store.read() as tx:
            found = collection_of(tx, "anna", *path.split("/"))
            return {one.href: one.etag for one in history.members(tx, found)}

    def history(self, *words: str) -> tuple[int, str, str]:
        self.capsys.readouterr()
        status = run(commands, "history", *words, "--store", self.url)
        return status, *self.capsys.readouterr()

    def restore(self, *words: str) -> tuple[int, str, str]:
        self.clock += 10
        parser = argparse.ArgumentParser()
        parser.add_argument("path")
        commands.add_restore_options(parser)
        place.add_options(parser)
        self.capsys.readouterr()
        status = commands.bring_back(parser.parse_args([*words, "--store", self.url]))
        return status, *self.capsys.readouterr()

    def then(self) -> str:
        return datetime.fromtimestamp(self.clock, UTC).isoformat()


@pytest.fixture
def shell(tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Iterator[Shell]:
    made = Shell(tmp_path, capsys, monkeypatch)
    yield made
    made.store.close()


def etag(uid: str, summary: str = "") -> str:
    return event(uid, summary=summary).etag


def test_the_list_says_what_when_and_who(shell: Shell) -> None:
    shell.put("a.ics", "a", "Dentist")
    shell.put("a.ics", "a", "Dentist at\\nten")
    shell.delete("a.ics")
    status, out, _ = shell.history("anna/work")
    deleted, changed = out.splitlines()
    assert status == 0
    assert f"{moments.shown(shell.clock)}  deleted  anna/work/a.ics" in deleted
    assert deleted.endswith("by bert  Dentist at ten")
    assert changed.endswith("by anna by Phone  Dentist")
    assert shell.history("anna")[1] == shell.history("anna/work/a.ics")[1] == out
    assert shell.history("anna", "--deleted")[1].splitlines() == [deleted]
    assert shell.history("anna", "--since", (datetime.fromisoformat(shell.then())).isoformat())[1] == deleted + "\n"
    first = json.loads(shell.history("anna", "--json", "--limit", "1")[1])
    assert [(one["path"], one["reason"], one["actor"]) for one in first] == [("anna/work/a.ics", "deleted", "bert")]
    rest = json.loads(shell.history("anna", "--json", "--before", str(first[0]["revision"]))[1])
    assert [one["title"] for one in rest] == ["Dentist"]


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("nobody",), "there is no user 'nobody'"),
        (("anna/none",), "nothing is known of 'anna/none'"),
        (("anna/work/none.ics",), "nothing is known of"),
        (("show", "anna/work"), "which revision?"),
        (("show", "anna/work", "--revision", "99"), "there is no revision 99"),
        (("purge", "anna"), "nothing was forgotten"),
        (("anna", "work"), "one path at a time"),
    ],
)
def test_what_cannot_be_is_said(shell: Shell, words: tuple[str, ...], said: str) -> None:
    status, out, err = shell.history(*words)
    assert (status, out) == (1, "")
    assert said in err


def test_a_revision_is_shown_as_it_was_put(shell: Shell) -> None:
    shell.put("a.ics", "a", "old")
    shell.put("a.ics", "a", "new")
    (one,) = json.loads(shell.history("anna", "--json")[1])
    number = str(one["revision"])
    shell.capsys.readouterr()
    assert run(commands, "history", "show", "anna/work/a.ics", "--revision", number, "--store", shell.url) == 0
    assert shell.capsys.readouterr().out.encode() == event("a", summary="old").octets
    lines = shell.history("show", "anna/work/a.ics", "--revision", number, "--diff")[1].splitlines()
    assert [line for line in lines if line[:1] in "+-" and line[:3] not in ("+++", "---")] == [
        "-SUMMARY:old",
        "+SUMMARY:new",
    ]


def test_an_item_comes_back(shell: Shell) -> None:
    shell.put("a.ics", "a", "first")
    shell.put("a.ics", "a", "second")
    shell.delete("a.ics")
    assert shell.restore("anna/work/a.ics", "--dry-run")[1].startswith("calsync: would put")
    assert shell.holds() == {}
    status, out, _ = shell.restore("anna/work/a.ics")
    assert (status, shell.holds()) == (0, {"a.ics": etag("a", "second")})
    assert "anna/work/a.ics holds the state that was deleted" in out
    # Which state of one that is there, must be said.
    status, _, err = shell.restore("anna/work/a.ics")
    assert status == 1 and "--revision N or --as-of" in err
    number = json.loads(shell.history("anna", "--json")[1])[-1]["revision"]
    assert shell.restore("anna/work/a.ics", "--revision", str(number))[0] == 0
    assert shell.holds() == {"a.ics": etag("a", "first")}
    shell.clock += 50
    assert shell.restore("anna/work/a.ics", "--as-of", "65s ago")[0] == 0
    assert shell.holds() == {"a.ics": etag("a", "second")}
    assert "is as it was then" in shell.restore("anna/work/a.ics", "--as-of", "now")[1]


def test_what_lives_on_elsewhere_is_said(shell: Shell) -> None:
    shell.put("a.ics", "a")
    shell.delete("a.ics")
    shell.put("b.ics", "a")
    status, _, err = shell.restore("anna/work/a.ics")
    assert status == 1 and "it is still there, as anna/work/b.ics" in err
    with shell.store.write() as tx:
        anna = principals.find(tx, "anna")
        assert anna is not None
        collections.create(tx, anna, 0, "other", "calendar")
    assert shell.restore("anna/work/a.ics", "--into", "anna/other")[0] == 0
    assert shell.holds("other") == {"a.ics": etag("a")}
    status, _, err = shell.restore("anna/work/a.ics", "--into", "anna/book")
    assert status == 1 and "does not take it" in err


def test_a_calendar_as_of_a_time(shell: Shell) -> None:
    shell.put("kept.ics", "kept")
    shell.put("changed.ics", "changed", "then")
    shell.put("gone.ics", "gone")
    then, held = shell.then(), shell.holds()
    shell.put("changed.ics", "changed", "now")
    shell.delete("gone.ics")
    shell.put("new.ics", "new")
    later, now = shell.then(), shell.holds()
    status, out, _ = shell.restore("anna/work", "--as-of", then, "--dry-run")
    assert (status, shell.holds()) == (0, now)
    assert out.splitlines()[0].endswith("1 to be put back, 1 to be changed back, 1 to be deleted, it came later")
    assert [line.split() for line in out.splitlines()[1:]] == [
        ["change", "back", "changed.ics"],
        ["back", "gone.ics"],
        ["delete", "new.ics"],
    ]
    status, _, err = shell.restore("anna/work", "--as-of", then)
    assert status == 1 and "--yes" in err and shell.holds() == now
    assert shell.restore("anna/work", "--as-of", then, "--into", "anna/copy", "--yes")[0] == 0
    assert (shell.holds("copy"), shell.holds()) == (held, now)
    assert shell.restore("anna/work", "--as-of", then, "--yes")[0] == 0
    assert shell.holds() == held
    # And back again.
    assert shell.restore("anna/work", "--as-of", later, "--yes")[0] == 0
    assert shell.holds() == now
    assert "it is so already" in shell.restore("anna/work", "--as-of", "now")[1]
    status, _, err = shell.restore("anna/work", "--as-of", "2 weeks ago")
    assert status == 1 and "made later" in err


def test_a_deleted_calendar_comes_back(shell: Shell) -> None:
    shell.put("a.ics", "a")
    with shell.store.write() as tx:
        tx.actor = "anna"
        collections.delete(tx, shell.work)
        anna = principals.find(tx, "anna")
        assert anna is not None
        collections.create(tx, anna, 0, "work", "calendar")
    _, out, _ = shell.history("anna", "--trash")
    assert out.split()[3:] == [
        "by",
        "anna",
        "anna/work",
        "calendar",
        "1",
        "items",
        str(len(event("a").octets)),
        "octets",
    ]
    (one,) = json.loads(shell.history("anna", "--trash", "--json")[1])
    assert (one["path"], one["revision"]) == ("work", shell.work.id)
    assert "would bring back" in shell.restore("anna/work", "--dry-run")[1]
    status, out, _ = shell.restore("anna/work")
    assert status == 0 and out.endswith("anna/work-2\n")
    assert (shell.holds("work-2"), shell.holds()) == ({"a.ics": etag("a")}, {})
    status, _, err = shell.restore("anna/work")
    assert status == 1 and "as of when" in err


def test_a_deleted_calendar_under_another_name_and_one_event_of_it(shell: Shell) -> None:
    shell.put("a.ics", "a")
    shell.put("b.ics", "b")
    shell.delete("a.ics")
    with shell.store.write() as tx:
        collections.delete(tx, shell.work)
    status, _, err = shell.restore("anna/work/b.ics")
    assert status == 1 and "was deleted, too" in err
    status, _, err = shell.restore("anna/work/a.ics")
    assert status == 1 and "was deleted, too" in err
    status, _, err = shell.restore("anna/work", "--into", "anna/book")
    assert status == 1 and "not free" in err
    shell.put_into("other", "x.ics", "x")
    assert shell.restore("anna/work/a.ics", "--into", "anna/other")[0] == 0
    assert shell.restore("anna/work/b.ics", "--into", "anna/other")[0] == 0
    assert shell.holds("other") == {"x.ics": etag("x"), "a.ics": etag("a"), "b.ics": etag("b")}
    assert "anna/work/a.ics  (in the trash)" in shell.history("anna")[1]
    assert shell.restore("anna/work", "--into", "anna/old work")[0] == 0
    assert shell.restore("anna/old work/a.ics")[0] == 0
    assert shell.holds("old work") == {"a.ics": etag("a"), "b.ics": etag("b")}


def test_forgetting_now(shell: Shell) -> None:
    for name in ("a", "b"):
        shell.put(f"{name}.ics", name, "old")
        shell.put(f"{name}.ics", name, "new")
    with shell.store.write() as tx:
        items.put(tx, shell.book, "c.vcf", card("c", "Carl"))
        collections.delete(tx, shell.book)
    assert shell.history("purge", "anna/work/a.ics", "--yes")[0] == 0
    assert [one["path"] for one in json.loads(shell.history("anna", "--json")[1])] == ["anna/work/b.ics"]
    status, _, err = shell.restore("anna/work", "--as-of", "35s ago", "--dry-run")
    assert status == 1 and "reaches back to" in err
    assert shell.history("purge", "anna/book", "--yes")[0] == 0
    assert json.loads(shell.history("anna", "--trash", "--json")[1]) == []
    assert "forgot all history" in shell.history("purge", "anna", "--yes")[2]
    assert shell.history("anna")[1] == ""
    assert set(shell.holds()) == {"a.ics", "b.ics"}


@pytest.mark.parametrize(
    ("text", "back"),
    [
        ("now", 0),
        ("90s ago", 90),
        ("2h ago", 7200),
        ("3 days ago", 3 * 86400),
        ("1 week", 7 * 86400),
        ("5 min ago", 300),
    ],
)
def test_times_before_now(text: str, back: int, monkeypatch: pytest.MonkeyPatch) -> None:
    now = time.time()
    monkeypatch.setattr(time, "time", lambda: now)
    assert moments.past(text) == int(now) - back


def test_dates_are_those_of_this_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    now = time.time()
    monkeypatch.setattr(time, "time", lambda: now)
    local = datetime.fromtimestamp(now, UTC).astimezone()
    midnight = local.replace(hour=0, minute=0, second=0, microsecond=0, tzinfo=None)
    assert moments.past("today") == moments.past(f"{midnight:%Y-%m-%d}") == int(midnight.timestamp())
    assert moments.past("yesterday") == int((midnight - timedelta(days=1)).timestamp())
    assert moments.past("2020-02-03T15:00:01Z") == int(datetime(2020, 2, 3, 15, 0, 1, tzinfo=UTC).timestamp())
    assert moments.past("2020-02-03 15:00") == int(datetime(2020, 2, 3, 15).timestamp())


@pytest.mark.parametrize("text", ["", "soon", "2026-13-01", "3 blinks ago", "9999-01-01", "in 2h"])
def test_other_times_are_refused(text: str) -> None:
    with pytest.raises(argparse.ArgumentTypeError):
        moments.past(text)
