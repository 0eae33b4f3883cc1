from __future__ import annotations

import pytest

from calsync.webdav.errors import BadRequest
from calsync.webdav.if_header import IfCondition, IfList, if_header, if_holds, lock_token, submitted_tokens

TOKEN = "urn:uuid:181d4fae-7d8c-11d0-a765-00a0c91e6bf2"
LOCKED = IfCondition(False, TOKEN, None)


@pytest.mark.parametrize(
    ("value", "lists"),
    [
        ("", ()),
        (f"(<{TOKEN}>)", (IfList(None, (LOCKED,)),)),
        (
            f'(<{TOKEN}> ["I am an ETag"])(["another"])',
            (
                IfList(None, (LOCKED, IfCondition(False, None, '"I am an ETag"'))),
                IfList(None, (IfCondition(False, None, '"another"'),)),
            ),
        ),
        (
            f'(Not <{TOKEN}> NOT<urn:x>) (Not[W/"a"])',
            (
                IfList(None, (IfCondition(True, TOKEN, None), IfCondition(True, "urn:x", None))),
                IfList(None, (IfCondition(True, None, 'W/"a"'),)),
            ),
        ),
        (
            f'</a>(<{TOKEN}>)(Not <DAV:no-lock>)\r\n <http://h/b%20c> (["x)(y"])',
            (
                IfList("/a", (LOCKED,)),
                IfList("/a", (IfCondition(True, "DAV:no-lock", None),)),
                IfList("http://h/b%20c", (IfCondition(False, None, '"x)(y"'),)),
            ),
        ),
    ],
)
def test_grammar(value: str, lists: tuple[IfList, ...]) -> None:
    assert if_header(value) == lists


def test_a_last_list_that_is_cut_off_does_not_spoil_the_whole_ones() -> None:
    whole = if_header(f'(<{TOKEN}> ["a"])')
    assert if_header(f'(<{TOKEN}> ["a"]) (Not <DAV:no-lock> ["b') == whole


@pytest.mark.parametrize(
    "value",
    ["()", "(", "<a>", "(<a>", "(Not)", "(Not Not <a>)", "<a> <b> (<c>)", "(<a>) <b> (<c>)", "(<a>) x", "<>(<a>)",
     '(["a)', "([a])", "(<a>))", '"a"', "(<a> (<b>))"],
)  # fmt: skip
def test_what_breaks_the_grammar(value: str) -> None:
    with pytest.raises(BadRequest):
        if_header(value)


@pytest.mark.parametrize(
    ("value", "holds"),
    [
        ("", True),
        (f"(<{TOKEN}>)", True),
        ("(<urn:other>)", False),
        ("(Not <urn:other>)", True),
        ("(<DAV:no-lock>)", False),
        ("(<urn:other>) (Not <DAV:no-lock>)", True),
        (f'(<{TOKEN}> ["v1"])', True),
        (f'(<{TOKEN}> ["v2"])', False),
        (f'(<{TOKEN}> Not ["v2"])', True),
        ('([W/"v1"])', False),
        ('</unmapped> (["v1"])', False),
        ('</unmapped> (Not ["v1"])', True),
    ],
)
def test_evaluation(value: str, holds: bool) -> None:
    def state(resource: str | None) -> tuple[str, set[str]]:
        return ("", set()) if resource else ('"v1"', {TOKEN})

    assert if_holds(if_header(value), state) is holds


def test_naming_a_token_submits_it() -> None:
    assert submitted_tokens(if_header('(Not <urn:a>) (<urn:b> ["x"])')) == {"urn:a", "urn:b"}


def test_lock_token() -> None:
    assert lock_token(f" <{TOKEN}>") == TOKEN
    for value in ("", TOKEN, "<>", "<a> <b>"):
        with pytest.raises(BadRequest):
            lock_token(value)
