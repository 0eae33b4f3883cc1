"""Names that look alike are different people."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.access.asking import (
    ASKING,
    DAV,
    REPORTS,
    SECRET,
)
from tests.dav.conftest import PASSWORD, Client, event, make_application


@pytest.fixture
def passwords(tmp_path: Path) -> Iterator[Callable[..., Client]]:
    """Clients of an application whose accounts stand in an htpasswd file."""
    names = ("anna", "Anna", "ANNA", "bert", "ann\u00e9", "anne\u0301", ".web", "..", "a/b", "x\u2028y")
    file = tmp_path / "users"
    file.write_text("".join(f"{name}:{PASSWORD}\n" for name in names), encoding="utf-8", newline="")
    auth = {"type": "htpasswd", "htpasswd_filename": str(file), "htpasswd_encryption": "plain"}
    application = make_application(tmp_path / "data", auth=auth)
    yield lambda name: Client(application, name)
    application.close()


def test_names_that_differ_in_case_only_are_two_people(passwords: Callable[..., Client]) -> None:
    anna = passwords("anna")
    assert anna.put("/anna/calendar/a.ics", event("a", f"SUMMARY:{SECRET}")).status == 201
    sent = f"<propertyupdate {DAV}><set><prop><displayname>{SECRET}</displayname></prop></set></propertyupdate>"
    assert anna.proppatch("/anna/", sent).status == 207
    for name in ("Anna", "ANNA"):
        other = passwords(name)
        for home in ("anna", name):
            for place in ("", "calendar/", "calendar/a.ics"):
                for how, (method, body, headers) in ASKING.items():
                    answer = other.request(method, f"/{home}/{place}", body, **headers)
                    assert SECRET.encode() not in answer.body, (name, home, place, how)
                    assert answer.status < 500, (name, home, place, how, answer.body)
        for report in ("match", "search", "acl", "expand"):
            answer = other.report("/", REPORTS[report], Depth="0")
            assert SECRET not in answer.text, (name, report)
    assert anna.get("/anna/calendar/a.ics").status == 200


def test_a_name_is_not_given_a_part_in_the_home_of_its_twin(passwords: Callable[..., Client]) -> None:
    """The first collections are made for him who logs in, nobody else."""
    passwords("Anna").propfind("/Anna/", Depth="0")
    answer = passwords("anna").propfind("/anna/", Depth="1")
    assert answer.status in (207, 404)
    assert passwords("anne\u0301").propfind("/anne%CC%81/", Depth="0").status < 500


def test_names_that_are_no_segment_of_a_path_do_not_log_in(passwords: Callable[..., Client]) -> None:
    for name in (".web", "..", "a/b"):
        assert passwords(name).propfind("/", Depth="0").status == 401
