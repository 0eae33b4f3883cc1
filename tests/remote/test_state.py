"""What is remembered of a source: exact after any number of runs, small, and gone with the user."""

from __future__ import annotations

from calsync.cli import place
from calsync.remote.discovery import server_of
from calsync.remote.state import Entry, Memory, prefix
from calsync.store import meta, principals
from tests.remote.moving import Here, event
from tests.remote.odd import CALENDAR, Held, Odd, serving


def test_what_is_noted_is_read_again_and_pages_are_put_together(here: Here) -> None:
    with serving(Odd({"work": Held(CALENDAR, {"a.ics": event("a")})})) as odd:
        assert here.migrate(odd.url)[0] == 0
        with place.opened_at(here.url) as store:
            for number in range(60):
                with store.write() as tx:
                    principal = principals.find(tx, "anna")
                    assert principal is not None
                    memory = Memory.read(tx, principal.id, server_of(odd.url), "/dav/anna/work")
                    entry = Entry(f'"{number}"', "d", f"{number}.ics", "h")
                    memory.note(tx, {f"{number}.ics": entry, f"{number - 2}.ics": None})
                    memory.gather(tx)
            with store.read() as tx:
                memory = Memory.read(tx, principal.id, server_of(odd.url), "/dav/anna/work")
                assert set(memory.entries) == {"a.ics", "58.ics", "59.ics"}
                assert memory.entries["59.ics"] == Entry('"59"', "d", "59.ics", "h")
                assert memory.collection
                assert len(meta.starting(tx, prefix(principal.id))) < 30


def test_it_goes_with_the_user(here: Here) -> None:
    with serving(Odd({"work": Held(CALENDAR, {"a.ics": event("a")})})) as odd:
        assert here.migrate(odd.url)[0] == 0
    with place.opened_at(here.url) as store, store.write() as tx:
        principal = principals.find(tx, "anna")
        assert principal is not None and meta.starting(tx, prefix(principal.id))
        principals.delete(tx, principal)
        assert not meta.starting(tx, "moved-in:")
