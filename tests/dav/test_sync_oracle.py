"""Phones that follow sync-collection hold, after every sync, what a listing shows; no ETag or token means two things."""

from __future__ import annotations

from typing import Any

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import initialize, invariant, rule

from tests.dav.conftest import Answer, event
from tests.dav.machine import DavMachine

CALENDARS = ("/anna/one/", "/anna/two/")
HOME = "/anna/"
ETAG, TOKEN = "{DAV:}getetag", "{DAV:}sync-token"
COLOR = '<propertyupdate xmlns="DAV:"><set><prop><x:color xmlns:x="urn:x">%d</x:color></prop></set></propertyupdate>'

calendars = st.sampled_from(CALENDARS)
names = st.sampled_from(("a.ics", "b.ics", "c.ics", "d.ics"))
uids = st.sampled_from(("u1", "u2", "u3", "u4", "u5"))
limits = st.sampled_from((None, None, 1, 2, 3))


class Mirror:
    """One phone's copy of one collection: href → ETag, as sync-collection told it; None before the first sync."""

    def __init__(self) -> None:
        self.token = ""
        self.members: dict[str, str] = {}

    def apply(self, answer: Answer, path: str) -> bool:
        """Whether more is to come. A token that is void starts it anew."""
        if answer.status == 403:
            assert b"valid-sync-token" in answer.body
            self.__init__()  # type: ignore[misc]
            return True
        more = False
        found = answer.multistatus
        for one in found.responses:
            if one.href == path and one.status == 507:
                more = True
            elif one.status == 404:
                self.members.pop(one.href, None)
            else:
                self.members[one.href] = one.props[ETAG][1].text or ""
        assert found.sync_token is not None
        assert not more or found.sync_token != self.token, "a cut answer that does not advance"
        self.token = found.sync_token
        return more


class Phones(DavMachine):
    def __init__(self) -> None:
        super().__init__()
        self.mirrors = {path: [Mirror(), Mirror(), Mirror()] for path in (*CALENDARS, HOME)}
        self.contents: dict[str, bytes] = {}
        self.states: dict[tuple[str, str], dict[str, str]] = {}
        self.number = 0

    @initialize()
    def begin(self) -> None:
        self.make(CALENDARS[0])
        self.make(CALENDARS[1])

    def fresh(self) -> str:
        self.number += 1
        return f"SUMMARY:{self.number}"

    # what happens to the calendars

    @rule(path=calendars)
    def make(self, path: str) -> None:
        assert self.anna.mkcalendar(path).status in (201, 405)

    @rule(path=calendars, name=names, uid=uids)
    def put(self, path: str, name: str, uid: str) -> None:
        sent = event(uid, self.fresh())
        answer = self.anna.put(path + name, sent)
        assert answer.status in (201, 204, 409), answer.body
        if answer.status != 409:
            assert self.contents.setdefault(answer.etag, sent) == sent

    @rule(path=calendars, name=names)
    def put_the_same_again(self, path: str, name: str) -> None:
        here = self.anna.get(path + name)
        if here.status == 200:
            answer = self.anna.put(path + name, here.body, If_Match=here.etag)
            assert (answer.status, answer.etag) == (204, here.etag)

    @rule(path=calendars, name=names)
    def delete(self, path: str, name: str) -> None:
        assert self.anna.delete(path + name).status in (204, 404)

    @rule(path=calendars, name=names, other=calendars, onto=names, how=st.sampled_from(("COPY", "MOVE")))
    def transfer(self, path: str, name: str, other: str, onto: str, how: str) -> None:
        answer = self.anna.request(how, path + name, Destination=other + onto)
        assert answer.status in (201, 204, 403, 404, 409), (answer.status, answer.body)

    @rule(path=calendars, chosen=st.lists(uids, unique=True))
    def put_whole(self, path: str, chosen: list[str]) -> None:
        inner = b"".join(
            event(uid, self.fresh()).split(b"EN\r\n")[1].removesuffix(b"END:VCALENDAR\r\n") for uid in chosen
        )
        whole = b"BEGIN:VCALENDAR\r\nVERSION:2.0\r\nPRODID:-//test//EN\r\n" + inner + b"END:VCALENDAR\r\n"
        assert self.anna.put(path, whole).status in (201, 204)

    @rule(path=calendars, name=st.one_of(st.just(""), names))
    def colour(self, path: str, name: str) -> None:
        self.number += 1
        assert self.anna.proppatch(path + name, COLOR % self.number).status in (207, 404)

    @rule(path=calendars, again=st.booleans())
    def delete_collection(self, path: str, again: bool) -> None:
        assert self.anna.delete(path).status in (204, 404)
        if again:
            self.make(path)

    @rule(path=calendars)
    def move_collection(self, path: str) -> None:
        other = CALENDARS[path == CALENDARS[0]]
        assert self.anna.move(path, Destination=other).status in (201, 204, 404)

    @rule()
    def forget(self) -> None:
        """Old deletions are forgotten: tokens from before are void."""
        from calsync.store import changes, principals

        assert self.application.store is not None
        with self.application.store.write() as tx:
            anna = principals.find(tx, "anna")
            assert anna is not None
            changes.forget(tx, anna, anna.seq)

    # what the phones do

    @rule(path=st.sampled_from((*CALENDARS, HOME)), which=st.integers(0, 2), limit=limits)
    def one_step(self, path: str, which: int, limit: int | None) -> None:
        """One answer, perhaps a cut one; what follows may change before the next."""
        mirror = self.mirrors[path][which]
        answer = self.anna.sync(path, mirror.token, limit)
        if answer.status == 404:
            mirror.__init__()  # type: ignore[misc]
        else:
            mirror.apply(answer, path)

    @rule(path=st.sampled_from((*CALENDARS, HOME)), which=st.integers(0, 2), limit=limits)
    def follow(self, path: str, which: int, limit: int | None) -> None:
        """Until nothing more comes: then the copy is the listing, and the token that of PROPFIND."""
        mirror = self.mirrors[path][which]
        for _ in range(40):
            answer = self.anna.sync(path, mirror.token, limit)
            if answer.status == 404:
                mirror.__init__()  # type: ignore[misc]
                assert self.anna.propfind(path, Depth="0").status == 404
                return
            if not mirror.apply(answer, path):
                break
        else:
            raise AssertionError("no end")
        listing, token = self.listing(path)
        assert mirror.members == listing
        assert mirror.token == token

    def listing(self, path: str) -> tuple[dict[str, str], str]:
        found: Any = self.anna.props(path, ETAG, TOKEN, depth="1")
        rows = [one for one in found.multistatus.responses if one.href != path]
        return {one.href: one.props[ETAG][1].text or "" for one in rows}, found.value(path, TOKEN)

    @invariant()
    def a_token_means_one_state(self) -> None:
        for path in CALENDARS:
            if self.anna.propfind(path, Depth="0").status == 404:
                continue
            listing, token = self.listing(path)
            assert self.states.setdefault((path, token), listing) == listing


Phones.TestCase.settings = settings(
    max_examples=12, stateful_step_count=25, deadline=None, suppress_health_check=list(HealthCheck)
)
TestPhones = Phones.TestCase
