from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from radicale.pathutils import is_safe_filesystem_path_component

from calsync.transfer.names import collection_name, file_name, free, free_of_reserved, href_for


def test_reserved_names_are_changed_and_nothing_else() -> None:
    assert free_of_reserved("inbox", {"inbox"}) == "inbox-imported"
    assert free_of_reserved("trash", {"trash", "trash-imported"}) == "trash-imported-2"
    assert free_of_reserved("work", {"work"}) == "work"


def test_a_free_name_keeps_its_ending() -> None:
    assert free("a.ics", {"a.ics", "a-2.ics"}) == "a-3.ics"


@pytest.mark.parametrize("uid", ["a/b", "..", ".x", "a%20b", "q?", "x" * 300, "a\nb", "CON:1"])
def test_a_uid_that_is_no_file_name_is_digested(uid: str) -> None:
    assert len(href_for(uid, ".ics")) == 44


def test_a_plain_uid_is_the_name() -> None:
    assert href_for("abc@example.org", ".ics") == "abc@example.org.ics"
    assert href_for("abc.ics", ".ics") == "abc.ics"


def test_collection_names_are_plain() -> None:
    assert collection_name("Büro & Co.") == "büro-co"
    assert collection_name("…") == "imported"


@given(st.text(min_size=1, max_size=400).filter(lambda name: "/" not in name and "\0" not in name))
def test_radicale_serves_every_written_name(href: str) -> None:
    name = file_name(href)
    assert is_safe_filesystem_path_component(name) or name in (".", "..")
    assert len(name.encode(errors="surrogatepass")) <= 255
