"""Whatever gives or takes access where the store does not say it stands in the audit trail."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from calsync import config
from calsync.accounts import audit
from calsync.accounts.accounts import Accounts
from calsync.app import Application
from tests.dav.conftest import PASSWORD, Client, make_application

SHARING = {
    "collection_by_map": "True",
    "collection_by_token": "True",
    "permit_create_map": "True",
    "permit_create_token": "True",
}


def changes(application: Application) -> list[audit.Entry]:
    """The oldest first."""
    assert application.store is not None
    with application.store.read() as tx:
        return [one for one in audit.listing(tx) if one.action == "rights-changed"][::-1]


@pytest.fixture(params=["csv", "files"])
def sharing(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Application]:
    application = make_application(tmp_path / "data", sharing={"type": request.param, **SHARING})
    assert application.store is not None
    for name in ("anna", "bert"):
        Accounts(application.store).create(name, PASSWORD)
    yield application
    application.close()


def asks(client: Client, action: str, **options: object) -> Any:
    headers = {"Content_Type": "application/json", "User_Agent": "Sharer/1"}
    answer = client.post(f"/.sharing/v1/{action}", json.dumps(options), **headers)
    assert answer.status == 200, answer.body
    return answer


def test_a_share_from_its_making_to_its_end(sharing: Application) -> None:
    anna, bert = Client(sharing), Client(sharing, "bert")
    anna.mkcalendar("/anna/work/")
    made = {"PathMapped": "/anna/work/", "User": "bert", "PathOrToken": "/bert/team/", "Permissions": "r"}
    asks(anna, "map/create", **made, Enabled=True, Hidden=False)
    asks(bert, "map/enable", PathOrToken="/bert/team/")
    asks(bert, "map/unhide", PathOrToken="/bert/team/")  # shown or not is no right
    asks(anna, "map/update", PathOrToken="/bert/team/", Permissions="rw")
    asks(anna, "map/delete", PathOrToken="/bert/team/")
    found = changes(sharing)
    assert [one.actor for one in found] == ["anna", "bert", "anna", "anna"]
    assert {one.account for one in found} == {"anna"} and {one.client for one in found} == {"Sharer/1"}
    assert all(one.address for one in found)
    states = [(one.detail["before"], one.detail["after"]) for one in found]
    assert states[0][0] is None and states[-1][1] is None
    assert [now["permissions"] for _, now in states[:-1]] == ["r", "r", "rw"]
    assert [now["enabled"] for _, now in states[:-1]] == [False, True, True]
    assert all(before == after for (_, before), (after, _) in pairwise(states))
    assert {(one.detail["share"], one.detail["as"]) for one in found} == {("/anna/work/", "/bert/team/")}


def test_the_token_of_a_share_is_a_secret(sharing: Application) -> None:
    anna = Client(sharing)
    anna.mkcalendar("/anna/work/")
    asks(anna, "token/create", PathMapped="/anna/work/", Enabled=True, Hidden=False)
    listed = asks(anna, "token/list", PathMapped="/anna/work/").text
    (entry,) = changes(sharing)
    shown = str(entry.detail["as"]).removesuffix("…")
    found = re.search(rf"(?<=/){re.escape(shown)}[\w-]+", listed)  # it says which one, too
    assert found is not None and len(found[0]) > 20 and found[0] not in json.dumps(entry.detail)
    assert entry.detail["after"]["enabled"] is True


def test_what_is_refused_changes_nothing(sharing: Application) -> None:
    anna, bert = Client(sharing), Client(sharing, "bert")
    anna.mkcalendar("/anna/work/")
    share = {"PathMapped": "/anna/work/", "User": "bert", "PathOrToken": "/bert/x/", "Permissions": "rw"}
    body = json.dumps({**share, "Enabled": True, "Hidden": False})
    assert bert.post("/.sharing/v1/map/create", body, Content_Type="application/json").status == 403
    assert changes(sharing) == []


def start(folder: Path, **rights: str) -> Application:
    return make_application(folder / "data", rights=rights)


def test_the_rights_file_is_compared_with_the_last_start(tmp_path: Path) -> None:
    file = tmp_path / "rights"
    rule = "[{name}]\nuser: .+\ncollection: {{user}}(/.*)?\npermissions: {letters}\n"
    file.write_text(rule.format(name="own", letters="RrWw"))
    ends: list[Application] = []
    for words in (
        {},  # the default is no change
        {"type": "from_file", "file": str(file)},
        {"type": "from_file", "file": str(file)},
    ):
        ends.append(start(tmp_path, **words))
    first = ends[-1]
    (begun,) = changes(first)
    assert begun.actor == "configuration"
    assert (begun.detail["before"]["type"], begun.detail["after"]["type"]) == ("owner_only", "from_file")
    assert begun.detail["after"]["file"] == str(file) and "[own] permissions: RrWw" in begun.detail["added"]
    file.write_text("# by the book\n\n" + file.read_text())
    overrides = {
        "storage": {"filesystem_folder": str(tmp_path / "data")},
        "rights": {"type": "from_file", "file": str(file)},
    }
    assert first.store is not None
    first.reload(config.load("", overrides))
    assert len(changes(first)) == 1
    file.write_text(rule.format(name="own", letters="Rr") + rule.format(name="two", letters="w"))
    for application in (first, ends[1]):  # every worker notices
        application.reload(config.load("", overrides))
    told = changes(first)[1:]
    assert [one.detail["removed"] for one in told] == [["[own] permissions: RrWw"]]
    assert "[own] permissions: Rr" in told[0].detail["added"] and "before" not in told[0].detail
    file.write_text(rule.format(name="two", letters="w") + rule.format(name="own", letters="Rr"))
    first.reload(config.load("", overrides))
    assert changes(first)[-1].detail["reordered"] is True
    for application in ends:
        application.close()
