"""Accounts that cannot be read: whether a password is right is not known then, and a phone must not ask for another."""

from __future__ import annotations

import errno

from tests.dav.conftest import event
from tests.faults.shim import Calls, Faults
from tests.faults.site import Site

ITEM = "/anna/calendar/a.ics"


def test_a_known_user_is_never_told_401(site: Site, faults: Faults) -> None:
    """Whatever the disk does: what is in memory may be answered, and else it is no fault of the password."""
    assert site.ask("PUT", ITEM, event("a")).done
    for n in (1, 2, 3, 5, 8):
        faults.arm(errno.EIO, Calls.READ | Calls.CHANGES | Calls.OPEN, all=True, n=n)
        statuses = {site.ask(method, ITEM).status for method in ("GET", "PROPFIND", "DELETE", "GET")}
        faults.disarm()
        assert 401 not in statuses
        assert 404 not in statuses
    assert site.ask("GET", ITEM).status == 200


def test_the_first_login_is_told_to_come_back(site: Site, faults: Faults) -> None:
    site.stop()
    site.start()
    faults.arm(errno.EIO, Calls.READ, all=True)
    answer = site.ask("GET", "/bert/calendar/", user="bert")
    faults.disarm()
    assert (answer.status, answer.headers.get("Retry-After")) == (503, "30")
    assert site.ask("GET", "/bert/calendar/", user="bert").status == 200
