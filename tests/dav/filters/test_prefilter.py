"""What the look at octets keeps out does not match; that it keeps something out is seen here, too."""

from __future__ import annotations

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from calsync.dav.filters import calendar
from calsync.dav.filters.prefilter import calendar_prefilter, card_prefilter
from calsync.ical.lines import escape, scan
from calsync.webdav.requests import (
    CalendarPropFilter,
    CardFilter,
    CardPropFilter,
    CompFilter,
    ParamFilter,
    TextMatch,
)

LETTERS = st.sampled_from([*"ab AB k.,;\\:'^\n-", "\u212a", "ſ", "ß", "é", "ö", "\\n"])
TEXT = st.lists(LETTERS, max_size=12).map("".join)


def event(*lines: str) -> bytes:
    return "\r\n".join(
        ["BEGIN:VCALENDAR", "VERSION:2.0", "BEGIN:VEVENT", "UID:one", *lines, "END:VEVENT", "END:VCALENDAR", ""]
    ).encode()


def summary(match: TextMatch, **more: object) -> CompFilter:
    prop = CalendarPropFilter("SUMMARY", text_match=match, **more)  # type: ignore[arg-type]
    return CompFilter("VCALENDAR", comps=(CompFilter("VEVENT", props=(prop,)),))


@given(
    value=TEXT,
    raw=st.booleans(),
    cut=st.tuples(st.integers(0, 12), st.integers(1, 12)),
    fold=st.integers(0, 12),
    collation=st.sampled_from(["i;ascii-casemap", "i;octet", "i;unicode-casemap"]),
    upper=st.booleans(),
)
def test_what_matches_is_let_through(
    value: str, raw: bool, cut: tuple[int, int], fold: int, collation: str, upper: bool
) -> None:
    written = value.replace("\n", "") if raw else escape(value)
    octets = event(f"SUMMARY:{written[:fold]}\r\n {written[fold:]}")
    wanted = value[cut[0] : cut[0] + cut[1]]
    filter = summary(TextMatch(wanted.upper() if upper else wanted, collation))
    assume(calendar.matches(scan(octets).components[0], filter))
    test = calendar_prefilter(filter)
    assert test is None or test(octets)


@pytest.mark.parametrize(
    ("wanted", "passes"), [("party", True), ("PARTY at", True), ("partys", False), ("x, y", False)]
)
def test_what_holds_none_of_it_is_kept_out(wanted: str, passes: bool) -> None:
    test = calendar_prefilter(summary(TextMatch(wanted)))
    assert test is not None
    assert test(event("SUMMARY:Par\r\n ty \\at home")) is passes


def test_parameters_count_and_what_is_denied_does_not() -> None:
    param = ParamFilter("X-P", text_match=TextMatch("quick"))
    test = calendar_prefilter(summary(TextMatch("slow", negate=True), params=(param,)))
    assert test is not None
    assert test(event("SUMMARY;X-P=Quick:a")) and not test(event("SUMMARY;X-P=b:a"))
    assert calendar_prefilter(summary(TextMatch("slow", negate=True))) is None


def test_of_cards_any_of_several_may_match() -> None:
    note = CardPropFilter("NOTE", text_matches=(TextMatch("one", "i;unicode-casemap"),))
    either = CardPropFilter("NOTE", text_matches=(TextMatch("one"), TextMatch("two")))
    test = card_prefilter(CardFilter(props=(note,)))
    assert test is not None
    assert not test(b"NOTE:two") and test(b"NOTE:One") and test("NOTE:\u00e4".encode())
    assert card_prefilter(CardFilter(props=(note, note))) is None
    assert card_prefilter(CardFilter(props=(either,))) is None
