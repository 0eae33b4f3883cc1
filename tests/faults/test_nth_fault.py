"""The n-th call on the store's files fails, for every n of a write: nothing is told done that is not on disk."""

from __future__ import annotations

import errno
import itertools
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from xml.sax.saxutils import escape

import pytest

from calsync.store import verify
from calsync.store.engine import Store
from tests.dav.conftest import event
from tests.faults.shim import KILL, TEAR, Calls, Faults
from tests.faults.site import Reply, Site

HOME, OTHER = "/anna/calendar/", "/anna/other/"
ITEM = HOME + "a.ics"
NAME = '<propertyupdate xmlns="DAV:"><set><prop><displayname>%s</displayname></prop></set></propertyupdate>'
MULTIPUT = 'xmlns="DAV:" xmlns:M="http://me.com/_namespace/" xmlns:C="urn:ietf:params:xml:ns:caldav"'

State = dict[str, str]

ALL = 1 << 30

soak = pytest.mark.soak


def some(number: int, long: int = ALL) -> pytest.MarkDecorator:
    """So many of a write's calls are tried, and more of them in the long form (`make soak`)."""
    marks = (soak, pytest.mark.timeout(900))
    return pytest.mark.parametrize("most", [pytest.param(number, id="some"), pytest.param(long, id="all", marks=marks)])


@dataclass
class Write:
    """A request that is never the same twice: `number` is a fresh one. Each leaves the state of before or of after."""

    name: str
    ask: Callable[[Site, int], Reply]
    parts: bool = False
    """Each member stands for itself (a bulk request): some may be done and others not."""

    def __str__(self) -> str:
        return self.name


def whole(number: int) -> bytes:
    inner = b"".join(event(uid, f"SUMMARY:{number}")[45:].partition(b"END:VCALENDAR")[0] for uid in ("w1", "w2", "w3"))
    return (
        b"BEGIN:VCALENDAR\r\nVERSION:2.0\r\nPRODID:-//test//EN\r\n"
        + inner[inner.index(b"BEGIN") :]
        + b"END:VCALENDAR\r\n"
    )


def bulk(number: int) -> str:
    parts = (
        f"<M:resource><set><prop><C:calendar-data>{escape(event(f'b{number}-{n}').decode())}</C:calendar-data></prop>"
        "</set></M:resource>"
        for n in range(4)
    )
    return f"<M:multiput {MULTIPUT}>{''.join(parts)}</M:multiput>"


def move(site: Site, number: int) -> Reply:
    source, target = f"{HOME}m.ics", f"{OTHER}m.ics"
    if "/anna/other/m.ics" in site.listing(OTHER):
        source, target = target, source
    return site.ask("MOVE", source, Destination=target)


WRITES = [
    Write("a new item", lambda site, n: site.ask("PUT", f"{HOME}{n}.ics", event(f"u{n}"))),
    Write("a changed item", lambda site, n: site.ask("PUT", ITEM, event("a", f"SUMMARY:{n}", "X-A:" + "x" * 9000))),
    Write("a deleted item", lambda site, n: site.ask("DELETE", f"{HOME}d{n}.ics")),
    Write("a moved item", move),
    Write("a property", lambda site, n: site.ask("PROPPATCH", HOME, NAME % n)),
    Write("a new collection", lambda site, n: site.ask("MKCALENDAR", f"/anna/new{n}/")),
    Write("a whole calendar", lambda site, n: site.ask("PUT", "/anna/whole/", whole(n))),
    Write("many at once", lambda site, n: site.ask("POST", HOME, bulk(n), Content_Type="application/xml"), parts=True),
]

#: What a client is told while a disk is like that.
STATUS = {errno.ENOSPC: 507, errno.EDQUOT: 507, errno.EROFS: 503, errno.EIO: 500}

numbers = itertools.count(1)


def prepare(site: Site) -> None:
    """What the writes find."""
    if site.ask("GET", ITEM).status != 200:
        assert site.ask("MKCALENDAR", OTHER).status == 201
        assert site.ask("PUT", ITEM, event("a")).status == 201
        assert site.ask("PUT", f"{HOME}m.ics", event("m")).status == 201
        assert site.ask("PUT", "/anna/whole/", whole(0)).status in (201, 207)


def state(site: Site) -> State:
    """All that anna has: hrefs with their ETags, and the names of collections."""
    found: State = {}
    body = '<propfind xmlns="DAV:"><prop><displayname/><getetag/><sync-token/></prop></propfind>'
    for one in site.ask("PROPFIND", "/anna/", body, Depth="1").multistatus.responses:
        found[one.href] = f"{one.text('{DAV:}displayname')} {one.text('{DAV:}sync-token')}"
        if one.href != "/anna/":
            found |= site.listing(one.href)
    return found


def fresh(site: Site, write: Write, arm: Callable[[], None]) -> Reply:
    """The write, with what it deletes put before; `arm` is called in between."""
    number = next(numbers)
    if write.name == "a deleted item":
        assert site.ask("PUT", f"{HOME}d{number}.ics", event(f"d{number}")).status == 201
    arm()
    return write.ask(site, number)


def places(site: Site, faults: Faults, write: Write, calls: Calls, most: int) -> Iterator[int]:
    """Numbers of the calls that this write makes, about as many as asked for; of one, that in the middle."""
    assert fresh(site, write, lambda: faults.arm_to_count(calls)).done
    count = faults.seen
    faults.disarm()
    assert count, "the write never came to the disk"
    step = max(1, count // most)
    yield from range(1 if most > 1 else count // 2, count + 1, step)


def check(write: Write, reply: Reply, before: State, after: State) -> None:
    """A success shows; what failed changed nothing, or (where the server died) all of it."""
    changed = before.keys() ^ after.keys() | {href for href in before if before[href] != after.get(href)}
    if write.parts:
        there = [href for href in after.keys() - before.keys() if not href.endswith("/")]
        done = [one.href for one in reply.multistatus.responses if one.status in (None, 200, 201)] if reply.done else []
        assert set(done) <= set(there), "told done, but not there"
        assert reply.status in (0, 207) or not there, "told failed, but there"
    elif reply.done:
        assert changed, "told done, but nothing changed"
    elif reply.status:
        assert not changed, (reply, changed)


def assert_sound(site: Site) -> None:
    """`calsync verify` finds nothing, and nothing lies about that was not there at the beginning."""
    assert site.stop() == 0
    left = {path.name for path in site.data.rglob("*") if path.is_file()}
    store = Store.open(f"sqlite:///{next(site.data.rglob('calsync.db'))}")
    try:
        assert list(verify.verify(store)) == []
    finally:
        store.close()
    assert not {name for name in left if not name.startswith("calsync.db")}, left


@some(6)
@pytest.mark.parametrize("write", WRITES, ids=str)
@pytest.mark.parametrize("code", [errno.EIO, pytest.param(errno.ENOSPC, marks=soak)], ids=errno.errorcode.get)
def test_a_disk_that_fails_once(site: Site, faults: Faults, write: Write, code: int, most: int) -> None:
    prepare(site)
    for n in places(site, faults, write, Calls.CHANGES, most):
        before: State = {}

        def arm(n: int = n, before: State = before) -> None:
            before.update(state(site))
            faults.arm(code, Calls.CHANGES, n=n)

        reply = fresh(site, write, arm)
        faults.disarm()
        after = state(site)
        check(write, reply, before, after)
        if reply.status >= 400:
            assert reply.status in (500, 503, 507), (n, reply)
        assert site.ask("PUT", ITEM, event("a", f"SUMMARY:well again {n}")).done, "the next write needs no restart"


@some(2)
@pytest.mark.parametrize("write", WRITES, ids=str)
@pytest.mark.parametrize("code", STATUS, ids=errno.errorcode.get)
def test_a_disk_that_stays_bad(site: Site, faults: Faults, write: Write, code: int, most: int) -> None:
    prepare(site)
    status = STATUS[code]
    for n in places(site, faults, write, Calls.CHANGES, most):
        before: State = {}

        def arm(n: int = n, before: State = before) -> None:
            before.update(state(site))
            faults.arm(code, Calls.CHANGES, match=str(site.data), n=n, all=True)

        reply = fresh(site, write, arm)
        if not faults.hit:  # fewer calls than when they were counted
            faults.disarm()
            continue
        assert site.ask("GET", ITEM).status == 200, "reads go on"
        refused = site.ask("PUT", ITEM, event("a", "SUMMARY:while it is bad"))
        assert refused.status == status
        assert ("Retry-After" in refused.headers) == (status == 503)
        assert site.ask("GET", ITEM, user="bert").status in (403, 404), "never a 401"
        faults.disarm()
        after = state(site)
        check(write, reply, before, after)
        if write.parts and reply.status == 207:
            continue
        assert reply.status == status or reply.done, (n, reply)
        assert site.ask("PUT", ITEM, event("a", f"SUMMARY:well again {n}")).done, "the next write needs no restart"


@some(1, 5)
@pytest.mark.parametrize("write", WRITES, ids=str)
@pytest.mark.parametrize("how", [TEAR, pytest.param(KILL, marks=soak)], ids=["torn", "killed"])
def test_killed_at_a_call(site: Site, faults: Faults, write: Write, how: int, most: int) -> None:
    prepare(site)
    for n in places(site, faults, write, Calls.CHANGES, most):
        before: State = {}

        def arm(n: int = n, before: State = before) -> None:
            before.update(state(site))
            faults.arm(how, Calls.CHANGES, n=n)

        reply = fresh(site, write, arm)
        assert reply.status or faults.hit  # not the reverse: it may be something beside the write that is hit
        faults.disarm()
        site.kill()
        site.start()
        check(write, reply, before, state(site))
        assert site.ask("PUT", ITEM, event("a", f"SUMMARY:well again {n}")).done
    assert_sound(site)
