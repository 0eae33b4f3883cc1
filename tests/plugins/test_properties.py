import pytest
from hypothesis import given
from hypothesis import strategies as st

from calsync_storage.properties import changes, element, from_radicale, text, to_radicale

COLOUR = "{http://apple.com/ns/ical/}calendar-color"

# What XML 1.0 can carry; the rest is replaced.
texts = st.text(
    st.characters(exclude_categories=["Cs", "Cc"], exclude_characters="\ufffe\uffff") | st.sampled_from("\t\n\r")
)
names = st.sampled_from(["D:displayname", "C:calendar-description", "ICAL:calendar-color", "{urn:x}y", "{urn:a&b'}y"])


def test_a_calendar_of_radicale() -> None:
    meta = from_radicale(
        {
            "tag": "VCALENDAR",
            "D:displayname": "Home & garden",
            "C:supported-calendar-component-set": "VEVENT,VTODO",
            "ICAL:calendar-color": "#ff0000ff",
        }
    )
    assert meta.kind == "calendar"
    assert meta.components == ("VEVENT", "VTODO")
    assert meta.properties["{DAV:}displayname"] == '<D:displayname xmlns:D="DAV:">Home &amp; garden</D:displayname>'
    assert set(meta.properties) == {"{DAV:}displayname", COLOUR}


@given(st.dictionaries(names, texts), st.sampled_from(["", "VCALENDAR", "VADDRESSBOOK", "VSUBSCRIBED"]))
def test_texts_survive_both_ways(props: dict[str, str], tag: str) -> None:
    if tag:
        props["tag"] = tag
    meta = from_radicale(props)
    assert to_radicale(meta.kind, meta.components, meta.properties) == props
    assert not meta.unreadable


def test_what_is_no_property_name_is_reported_and_stops_nothing() -> None:
    meta = from_radicale({"D:displayname": "x", "nonsense": "y", "Z:unknown": "z", "D:two words": "a", "{<>}b": "c"})
    assert set(meta.properties) == {"{DAV:}displayname"}
    assert meta.unreadable == ("nonsense", "Z:unknown", "D:two words", "{<>}b")


def test_an_unknown_tag_is_refused_as_radicale_does() -> None:
    with pytest.raises(ValueError, match="VNOTHING"):
        from_radicale({"tag": "VNOTHING"})


def test_the_source_of_a_subscription_is_an_href_inside() -> None:
    meta = from_radicale({"tag": "VSUBSCRIBED", "CS:source": "webcal://example.org/a?b&c"})
    assert "<D:href>webcal://example.org/a?b&amp;c</D:href>" in meta.properties["{http://calendarserver.org/ns/}source"]
    assert to_radicale(meta.kind, (), meta.properties)["CS:source"] == "webcal://example.org/a?b&c"


def test_writing_back_the_text_that_was_seen_keeps_what_radicale_cannot_see() -> None:
    # macOS sends its colours with an attribute.
    stored = {COLOUR: f'<A:calendar-color xmlns:A="{COLOUR[1:26]}" symbolic-color="red">#ff0000</A:calendar-color>'}
    seen = to_radicale("calendar", (), stored)
    assert changes(stored, from_radicale(seen).properties) == {}
    assert changes(stored, {COLOUR: element(COLOUR, "#00ff00")}) == {COLOUR: element(COLOUR, "#00ff00")}
    assert changes(stored, {}) == {COLOUR: None}


def test_an_entity_in_a_stored_property_is_not_followed() -> None:
    assert text("{a}b", '<!DOCTYPE b [<!ENTITY e SYSTEM "file:///etc/hostname">]><b xmlns="a">x&e;</b>') == "x"
