"""Servers that mean harm: the login stays where it belongs, what is here stays as it is, and each run ends."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
from lxml import etree

from calsync.cli import migrate
from calsync.remote.client import Client
from calsync.remote.discovery import explore, server_of
from calsync.remote.moving_in import MovingIn
from calsync.remote.state import Entry, Memory
from calsync.store import collections, principals
from calsync.store.engine import Store
from calsync.transfer.report import Result
from calsync.webdav.multistatus import element
from calsync.webdav.names import D
from tests.cli.run import run
from tests.remote.moving import Here, event
from tests.remote.odd import CALENDAR, Answer, Held, Odd, serving


@pytest.fixture
def odd() -> Iterator[Odd]:
    with serving(Odd({"work": Held(CALENDAR, {"a.ics": event("uid-a")})})) as found:
        yield found


class Sly(Odd):
    """One item's path names another host, where somebody takes it for the beginning of a URL."""

    path = ""

    def listed(self, collection: str, name: str, octets: bytes, *more: bytes, etag: bool = True) -> bytes:
        if name != "sly":
            return super().listed(collection, name, octets, *more, etag=etag)
        return self.response(f"{self.url.rstrip('/')}{self.path}", element(D("getetag"), '"1"'))

    def answer(self, method: str, path: str, depth: str, body: bytes) -> Answer:
        if "localhost" in path:
            return (200, event("uid-sly"), {}) if "sly" in self.collections["work"].items else (404, b"", {})
        return super().answer(method, path, depth, body)


def test_a_path_that_names_a_host_gets_no_login_there(here: Here) -> None:
    sly = Sly({"work": Held(CALENDAR, {"sly": b"x", "a.ics": event("uid-a")})}, multiget=False)
    with serving(sly), serving(Odd(login="nobody's")) as other:
        sly.path = f"//localhost:{other.port}/%FF"
        assert here.migrate(sly.url, login="anna")[1]["counts"] == {"taken": 2}
        del sly.collections["work"].items["sly"]
        told = here.migrate(sly.url, "--delete", login="anna")[1]
    assert other.asked == []
    assert told["collections"][0]["deleted"] == 1


class Endless(Odd):
    """Each answer of sync-collection is only a part, and brings nothing new."""

    def report(self, name: str, held: Held, root: etree._Element) -> Answer:
        if root.tag != D("sync-collection"):
            return super().report(name, held, root)
        self.tokens.append(str(len(self.tokens)))
        page = [self.listed(name, *one) for one in held.items.items()]
        tail = self.status(f"{self.home}/{name}/", 507) + element(D("sync-token"), f"http://odd/{len(self.tokens)}")
        return self.multistatus(*page, tail)


def test_a_sync_without_an_end_is_given_up_for_another_listing(here: Here) -> None:
    with serving(Endless({"work": Held(CALENDAR, {"a.ics": event("uid-a")})})) as odd:
        assert here.migrate(odd.url)[0] == 0
    assert len(odd.tokens) < 5
    assert set(here.items("work")) == {"a.ics"}


class Deep(Odd):
    """In each folder there are more."""

    def homes(self, depth: str) -> Answer:
        status, body, headers = super().homes(depth)
        inside = [self.folder(f"{self.home}/f{number}/") for number in range(40)]
        return status, body.replace(b"</D:multistatus>", b"".join(inside) + b"</D:multistatus>"), headers

    def folder(self, path: str) -> bytes:
        return self.response(path, element(D("resourcetype"), element(D("collection"))))

    def answer(self, method: str, path: str, depth: str, body: bytes) -> Answer:
        if "/f" in path:
            return self.multistatus(*(self.folder(f"{path}f{number}/") for number in range(40)))
        return super().answer(method, path, depth, body)


def test_folders_without_an_end_are_not_all_looked_into(here: Here) -> None:
    with serving(Deep({"work": Held(CALENDAR, {"a.ics": event("uid-a")})})) as odd:
        status, told = here.migrate(odd.url)
    assert status == 0
    assert len(odd.asked) < 1200
    assert any("folders were" in one for one in told["notices"])


def test_names_do_not_control_the_terminal(odd: Odd, here: Here) -> None:
    odd.collections["work"].props = element(D("displayname"), "x\x9b2J\u202ey")
    for more in (["--dry-run"], [], ["--json"]):
        assert run(migrate, *here.words(odd.url), *more) == 0
        said = here.capsys.readouterr()
        assert "2J" in said.out
        assert not set("\x9b\u202e") & set(said.out + said.err)


def test_a_token_that_is_none_is_not_shown(odd: Odd, here: Here, tmp_path: Path) -> None:
    for text in ("tell\x1bnobody", "tell nobody", "tell-nöbody"):
        (tmp_path / "token").write_text(text)
        status, told = here.migrate(odd.url, "--token-file", str(tmp_path / "token"))
        assert (status, "no bearer token" in told["error"], "tell" in told["error"]) == (2, True, False)
    assert odd.asked == []


class Killed(Exception):
    pass


def test_what_was_written_when_it_was_killed_is_known_for_its_own(odd: Odd, here: Here) -> None:
    """Else a change at the source would be taken for one that must not be written over what is here."""

    def kill(_result: Result) -> None:
        raise Killed

    with closing(Store.open(here.url)) as store, closing(Client("127.0.0.1")) as client, pytest.raises(Killed):
        account = explore(client, odd.url)
        moving = MovingIn(client, store, server_of(odd.url), "anna", each=kill)
        (planned,) = moving.plan(account, list(account.collections.values()))
        moving.take(planned)
    assert set(here.items("work")) == {"a.ics"}
    odd.put("work", "a.ics", event("uid-a", "Later"))
    assert here.migrate(odd.url)[1]["counts"] == {"replaced": 1}
    assert b"Later" in here.items("work")["a.ics"]


def test_what_somebody_else_has_just_filled_is_left_alone(odd: Odd, here: Here) -> None:
    with closing(Store.open(here.url)) as store, closing(Client("127.0.0.1")) as client:
        account = explore(client, odd.url)
        moving = MovingIn(client, store, server_of(odd.url), "anna")
        (planned,) = moving.plan(account, list(account.collections.values()))
        with store.write() as tx:
            principal = principals.create(tx, "anna")
            collections.create(tx, principal, 0, "work", "calendar", (), {D("displayname"): "<displayname/>"})
        here.put("work", "mine.ics", event("mine"))
        told = moving.take(planned)
    assert "somebody else" in told.failure
    assert set(here.items("work")) == {"mine.ics"}
    assert here.collection("work").properties[D("displayname")] == "<displayname/>"


def test_two_runs_at_once_do_not_forget_what_the_other_knows(odd: Odd, here: Here) -> None:
    here.migrate(odd.url)
    with closing(Store.open(here.url)) as store:
        with store.read() as tx:
            principal = principals.find(tx, "anna")
            assert principal is not None
            one, other = (Memory.read(tx, principal.id, server_of(odd.url), "/dav/anna/work") for _ in range(2))
        for name, memory in (("one", one), ("other", other)):
            with store.write() as tx:
                memory.note(tx, {name: Entry('"1"', "d", name, "h")})
        with store.read() as tx:
            known = Memory.read(tx, principal.id, server_of(odd.url), "/dav/anna/work")
    assert set(known.entries) == {"a.ics", "one", "other"}
