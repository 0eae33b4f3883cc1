"""Two homes with something in them."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.access.asking import SECRET
from tests.dav.conftest import Client, anna, application, bert, card, event, nobody

__all__ = ["anna", "application", "bert", "filled", "nobody"]


@pytest.fixture
def filled(tmp_path: Path, anna: Client, bert: Client) -> Path:
    """The folder of the store, with something in both homes."""
    assert anna.put("/anna/calendar/a.ics", event("a", f"SUMMARY:{SECRET}")).status == 201
    assert anna.put("/anna/contacts/c.vcf", card("c", f"NOTE:{SECRET}")).status == 201
    assert bert.put("/bert/calendar/b.ics", event("b")).status == 201
    return tmp_path / "data"
