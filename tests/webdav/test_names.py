from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from calsync.webdav import conditions, names


def test_names_of_radicales_property_files() -> None:
    assert names.to_human("{DAV:}displayname") == "D:displayname"
    assert names.from_human("CR:addressbook-description") == names.CR("addressbook-description")
    assert names.to_human("{urn:x}a") == names.from_human("{urn:x}a") == "{urn:x}a"


@given(st.sampled_from([*names.PREFIXES, "urn:x}y"]), st.from_regex(r"[a-z][a-z-]{0,5}", fullmatch=True))
def test_both_ways(namespace: str, local: str) -> None:
    clark = f"{{{namespace}}}{local}"
    assert names.split(clark) == (namespace, local)
    assert names.from_human(names.to_human(clark)) == clark


@pytest.mark.parametrize("name", ["tag", "X:y", "D:", ""])
def test_what_is_no_property_name(name: str) -> None:
    with pytest.raises(ValueError, match="not a property name"):
        names.from_human(name)


def test_a_condition_stands_once() -> None:
    known = [value for name, value in vars(conditions).items() if name.isupper()]
    assert len(set(known)) == len(known) > 60
