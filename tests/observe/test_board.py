"""What config/ and docs/ say of figures is true: each name exists, and each figure is shown somewhere."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from calsync.counters import families
from tests.observe import board, page

CONFIG = Path(__file__).parents[2] / "config"
ALERTS = (CONFIG / "prometheus-alerts.yml").read_text()

#: What is said of other programs or of Prometheus itself.
_WORDS = {"calsync_auth", "calsync_storage", "calsync_rights"}


def named(text: str) -> set[str]:
    """The metrics that a text names, histograms by their own names."""
    found = set(re.findall(r"\bcalsync_\w+", text)) - _WORDS
    return {re.sub(r"_(bucket|count|sum)$", "", name) if name not in families.ALL else name for name in found}


def queries() -> Iterator[str]:
    for panel in json.loads(board.FILE.read_text())["panels"]:
        for target in panel.get("targets", ()):
            yield target["expr"]


def test_the_board_is_what_its_list_says() -> None:
    """Where this fails, run `python -m tests.observe.board`."""
    assert board.FILE.read_text() == board.written()


def test_the_board_shows_every_metric_and_no_other() -> None:
    shown = {name for query in queries() for name in named(query)}
    assert shown == set(families.ALL)


def test_no_panel_lies_over_another() -> None:
    taken: set[tuple[int, int]] = set()
    for panel in json.loads(board.FILE.read_text())["panels"]:
        at = panel["gridPos"]
        cells = {(x, y) for x in range(at["x"], at["x"] + at["w"]) for y in range(at["y"], at["y"] + at["h"])}
        assert not cells & taken, panel["title"]
        assert at["x"] + at["w"] <= 24
        taken |= cells


@pytest.mark.parametrize("query", [*queries(), *re.findall(r"expr: (?:>\n\s+)?(.+)", ALERTS)])
def test_the_labels_of_queries_are_those_of_their_metrics(query: str) -> None:
    for name, matchers in re.findall(r"(calsync_\w+)\{([^}]*)\}", query):
        (one,) = (families.ALL[known] for known in named(name))
        assert set(re.findall(r"(\w+)[=!]~?\"", matchers)) - {"instance", "job"} <= set(one.labels), query
    grouped = {word for group in re.findall(r"by \(([^)]*)\)", query) for word in group.split(", ")}
    labels = {label for name in named(query) for label in families.ALL[name].labels}
    assert grouped - {"le", "instance"} <= labels


def test_the_alerts_name_metrics_that_exist() -> None:
    assert named(ALERTS) and named(ALERTS) <= set(families.ALL)
    assert ALERTS.count("- alert:") == ALERTS.count("expr:") == ALERTS.count("action:")


def test_the_page_lists_every_metric() -> None:
    """Where this fails, run `python -m tests.observe.page`."""
    text = page.PAGE.read_text()
    assert text == page.written(text)
    assert named(text) == set(families.ALL)


def test_every_alert_is_explained() -> None:
    text = page.PAGE.read_text()
    assert [name for name in re.findall(r"alert: (\w+)", ALERTS) if f"`{name}`" not in text] == []
