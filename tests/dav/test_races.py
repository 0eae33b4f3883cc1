"""Many at once: one wins, the others hear why; and two server processes on one store."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
import requests

from calsync.app import Application
from tests.dav.conftest import PASSWORD, Answer, Client, card, event
from tests.server_process import ServerProcess

HOME = "/anna/calendar/"
WIDTH = 8
WIDTHS = (2, 3, 5, 8)


def at_once(ask: Callable[[int], Answer], width: int = WIDTH) -> list[Answer]:
    """The answers to `ask(0)`, `ask(1)`, …, all sent at the same moment."""
    gate = threading.Barrier(width)

    def one(number: int) -> Answer:
        gate.wait()
        return ask(number)

    with ThreadPoolExecutor(width) as threads:
        return list(threads.map(one, range(width)))


def statuses(answers: list[Answer]) -> Counter[int]:
    return Counter(answer.status for answer in answers)


@pytest.fixture
def ready(anna: Client) -> Client:
    """Logged in: the password is checked once, the threads do not queue for argon2."""
    assert anna.propfind(HOME, Depth="0").status == 207
    return anna


@pytest.mark.parametrize("width", WIDTHS)
def test_of_those_who_make_it_one_makes_it(ready: Client, width: int) -> None:
    path = f"{HOME}a.ics"
    found = at_once(lambda who: ready.put(path, event("u", f"SUMMARY:{who}"), If_None_Match="*"), width)
    assert statuses(found) == {201: 1, 412: width - 1}
    [winner] = [answer for answer in found if answer.status == 201]
    assert ready.get(path).etag == winner.etag


def changed(ready: Client, path: str, etag: str, width: int) -> str:
    found = at_once(lambda who: ready.put(path, event("a", f"SUMMARY:{etag} {who}"), If_Match=etag), width)
    assert statuses(found) == {204: 1, 412: width - 1}
    return next(answer.etag for answer in found if answer.status == 204)


def test_of_those_who_change_the_same_version_one_changes_it(ready: Client) -> None:
    path = f"{HOME}a.ics"
    etag = ready.put(path, event("a")).etag
    for width in WIDTHS:
        etag = changed(ready, path, etag, width)
        assert ready.get(path).etag == etag


@pytest.mark.parametrize("width", WIDTHS)
def test_a_uid_has_one_place(ready: Client, width: int) -> None:
    found = at_once(lambda who: ready.put(f"{HOME}{who}.ics", event("u")), width)
    assert statuses(found) == {201: 1, 409: width - 1}
    assert all(b"no-uid-conflict" in answer.body for answer in found if answer.status == 409)
    assert len(ready.props(HOME, "{DAV:}getetag", depth="1").statuses) == 2


@pytest.mark.parametrize("width", WIDTHS)
def test_deleted_or_changed_but_not_both(ready: Client, width: int) -> None:
    path = f"{HOME}a.ics"
    etag = ready.put(path, event("u")).etag

    def ask(who: int) -> Answer:
        if who % 2:
            return ready.delete(path, If_Match=etag)
        return ready.put(path, event("u", f"SUMMARY:{who}"), If_Match=etag)

    found = at_once(ask, width)
    counted = statuses(found)
    assert counted[204] == 1, counted
    assert counted[412] + counted[404] == width - 1, counted
    deleted = next(place for place, answer in enumerate(found) if answer.status == 204) % 2
    assert ready.get(path).status == (404 if deleted else 200)


@pytest.mark.parametrize("number", range(4))
def test_a_collection_is_made_once_and_holds_what_fits_it(ready: Client, number: int) -> None:
    path = f"/anna/new{number}/"
    asks: list[Callable[[], Answer]] = [
        lambda: ready.mkcalendar(path),
        lambda: ready.put(path, card("x")),
        lambda: ready.put(path, event("w")),
        lambda: ready.put(f"{path}m.ics", event("m")),
    ]
    found = at_once(lambda who: asks[who % 4]())
    assert all(answer.status < 500 for answer in found), statuses(found)
    types = ready.props(path, "{DAV:}getcontenttype", depth="1")
    kind = types.value(path, "{DAV:}getcontenttype")
    for href in types.statuses:
        assert types.value(href, "{DAV:}getcontenttype").startswith(kind)


def test_moves_that_cross_lose_nothing(ready: Client) -> None:
    ready.mkcalendar("/anna/other/")
    for number in range(WIDTH // 2):
        ready.put(f"{HOME}{number}.ics", event(f"u{number}"))

    def cross(here: str, there: str) -> None:
        found = at_once(lambda who: ready.move(f"{here}{who // 2}.ics", Destination=f"{there}{who // 2}.ics"))
        assert statuses(found) == {201: WIDTH // 2, 404: WIDTH // 2}
        for number in range(WIDTH // 2):
            assert ready.get(f"{there}{number}.ics").status == 200

    cross(HOME, "/anna/other/")
    cross("/anna/other/", HOME)


@pytest.mark.parametrize("width", WIDTHS)
def test_a_thing_is_moved_to_one_place(ready: Client, width: int) -> None:
    ready.put(f"{HOME}a.ics", event("u"))
    found = at_once(lambda who: ready.move(f"{HOME}a.ics", Destination=f"{HOME}to{who}.ics"), width)
    assert statuses(found) == {201: 1, 404: width - 1}
    winner = next(place for place, answer in enumerate(found) if answer.status == 201)
    assert list(ready.props(HOME, "{DAV:}getetag", depth="1").statuses) == [HOME, f"{HOME}to{winner}.ics"]


@pytest.mark.parametrize("width", WIDTHS)
def test_one_of_those_who_move_to_a_free_name_gets_it(ready: Client, width: int) -> None:
    for who in range(width):
        ready.put(f"{HOME}{who}.ics", event(f"u{who}"))
    found = at_once(lambda who: ready.move(f"{HOME}{who}.ics", Destination=f"{HOME}free.ics", Overwrite="F"), width)
    assert statuses(found) == {201: 1, 412: width - 1}
    assert len(ready.props(HOME, "{DAV:}getetag", depth="1").statuses) == 1 + width


def test_a_new_user_gets_one_home(application: Application) -> None:
    bert = Client(application, "bert")
    bert.options("/", Authorization="")
    found = at_once(lambda who: bert.propfind("/bert/", Depth="1"))
    assert set(statuses(found)) <= {207, 503}  # 503: more passwords to check than wait at a time
    assert set(bert.props("/bert/", "{DAV:}resourcetype", depth="1").statuses) == {
        "/bert/",
        *(f"/bert/{name}/" for name in ("contacts", "calendar", "tasks")),
    }


def test_two_processes_on_one_store(tmp_path: Path) -> None:
    folder = f"[storage]\nfilesystem_folder = {tmp_path / 'shared'}\n"
    with ServerProcess(tmp_path / "one", config_text=folder) as one:
        one.add_user("anna", PASSWORD)
        with ServerProcess(tmp_path / "two", config_text=folder) as two:
            sessions = [requests.Session() for _ in range(WIDTH)]
            urls = [(one, two)[who % 2].url.rstrip("/") + HOME for who in range(WIDTH)]
            for who, session in enumerate(sessions):
                session.auth = ("anna", PASSWORD)
                assert session.request("PROPFIND", urls[who], headers={"Depth": "0"}, timeout=60).status_code == 207

            def ask(who: int, name: str, uid: str, **headers: str) -> Answer:
                sent = event(uid, f"SUMMARY:{who} {headers}")
                got = sessions[who].put(urls[who] + name, data=sent, headers=headers, timeout=60)
                return Answer(got.status_code, dict(got.headers), got.content)

            def either(who: int, name: str, uid: str, etag: str) -> Answer:
                """Deleted by one process, changed by the other."""
                if who % 2:
                    got = sessions[who].delete(urls[who] + name, headers={"If-Match": etag}, timeout=60)
                    return Answer(got.status_code, dict(got.headers), got.content)
                return ask(who, name, uid, **{"If-Match": etag, "X-Again": "1"})

            def move(who: int, name: str) -> Answer:
                target = {"Destination": urls[who] + name}
                got = sessions[who].request("MOVE", urls[who] + "moved.ics", headers=target, timeout=60)
                return Answer(got.status_code, dict(got.headers), got.content)

            def race(number: int) -> None:
                name, uid = f"{number}.ics", f"u{number}"
                found = at_once(lambda who: ask(who, name, uid, **{"If-None-Match": "*"}))
                assert statuses(found) == {201: 1, 412: WIDTH - 1}
                etag = next(answer.etag for answer in found if answer.status == 201)
                found = at_once(lambda who: ask(who, name, uid, **{"If-Match": etag}))
                # The winner's own content again is no change, so its ETag may let one more in.
                assert set(statuses(found)) == {204, 412}
                found = at_once(lambda who: ask(who, f"{uid}-{who}.ics", f"other-{uid}"))
                assert statuses(found) == {201: 1, 409: WIDTH - 1}
                etag = sessions[0].get(urls[0] + name, timeout=60).headers["ETag"]
                found = at_once(lambda who: either(who, name, uid, etag))
                assert statuses(found)[204] == 1
                assert statuses(found)[412] + statuses(found)[404] == WIDTH - 1
                assert ask(0, "moved.ics", f"moved{number}").status == 201
                found = at_once(lambda who: move(who, f"{uid}-to{who}.ics"))
                assert statuses(found) == {201: 1, 404: WIDTH - 1}

            for number in range(3):
                race(number)
            listed = {session.get(url, timeout=60).text for session, url in zip(sessions, urls, strict=True)}
            assert len(listed) == 1
            for session in sessions:
                session.close()


class Mirror:
    """A device that only ever asks sync-collection, a few at a time, and goes on where an answer was cut."""

    def __init__(self, client: Client, limit: int | None) -> None:
        self.client, self.limit = client, limit
        self.token = ""
        self.etags: dict[str, str] = {}

    def sync(self) -> bool:
        """One request; whether the answer was whole."""
        answer = self.client.sync(HOME, self.token, limit=self.limit)
        whole = True
        for one in answer.multistatus.responses:
            if one.href == HOME:
                assert one.status == 507
                whole = False
            elif one.status == 404:
                self.etags.pop(one.href, None)
            else:
                self.etags[one.href] = one.text("{DAV:}getetag") or ""
        self.token = answer.multistatus.sync_token or ""
        return whole


def test_mirrors_follow_while_others_write(ready: Client) -> None:
    for number in range(20):
        ready.put(f"{HOME}{number}.ics", event(f"u{number}"))
    mirrors = [Mirror(ready, limit) for limit in (None, None, 1, 5)]
    done = threading.Event()

    def write(who: int) -> None:
        for step in range(30):
            path = f"{HOME}{(step * 7 + who) % 30}.ics"
            if (step + who) % 3:
                ready.put(path, event(f"u{(step * 7 + who) % 30}", f"SUMMARY:{who} {step}"))
            else:
                ready.delete(path)

    def follow(mirror: Mirror) -> None:
        while not done.is_set():
            mirror.sync()
        while not mirror.sync():
            pass

    with ThreadPoolExecutor(WIDTH + len(mirrors)) as threads:
        following = [threads.submit(follow, mirror) for mirror in mirrors]
        writing = [threads.submit(write, who) for who in range(WIDTH)]
        try:
            for one in writing:
                one.result()
        finally:
            done.set()
        for one in following:
            one.result()
    listed = ready.props(HOME, "{DAV:}getetag", depth="1").multistatus.responses[1:]
    truth = {one.href: one.text("{DAV:}getetag") for one in listed}
    assert [mirror.etags for mirror in mirrors] == [truth] * len(mirrors)
