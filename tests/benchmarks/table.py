"""The figures as a Markdown table, stock Radicale beside calsync."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from tests.benchmarks.measure import Figure
from tests.benchmarks.operations import Row

Figures = Mapping[str, Figure]
Show = Callable[[Figure], str]


def comparison(items: int, rows: Sequence[Row], stock: Figures, calsync: Figures, *, stock_name: str) -> str:
    """A row's figures of both; the goal is for 10 000 items, so it is shown there alone."""
    goals = items == 10_000
    head = [
        "operation",
        f"{stock_name} CPU ms",
        "calsync CPU ms",
        "ratio",
        "first octet ms",
        "KiB",
        "answers",
        "PSS MiB",
    ]
    if goals:
        head.insert(3, "goal")
    lines = [_line(head), _line(["---"] + ["---:"] * (len(head) - 1))]
    for row in rows:
        old, new = stock.get(row.key), calsync.get(row.key)
        cells = [
            row.title,
            _cpu(old),
            _cpu(new),
            _ratio(old, new),
            _both(old, new, lambda figure: f"{figure.first:.1f}"),
            _both(old, new, lambda figure: f"{figure.size / 1024:.0f}"),
            _both(old, new, lambda figure: str(figure.answers)) + _differ(old, new),
            _both(old, new, lambda figure: f"{figure.pss / 2**20:.0f}"),
        ]
        if goals:
            cells.insert(3, _goal(row, new))
        lines.append(_line(cells))
    return "\n".join(lines)


def growth(rows: Sequence[Row], by_items: Mapping[int, Figures]) -> str:
    """CPU at each size, and the largest against the smallest."""
    sizes = sorted(by_items)
    head = ["operation", *(f"{size:,} items".replace(",", " ") for size in sizes), "ratio"]
    lines = [_line(head), _line(["---"] + ["---:"] * (len(head) - 1))]
    for row in rows:
        figures = [by_items[size].get(row.key) for size in sizes]
        lines.append(_line([row.title, *(_cpu(figure) for figure in figures), _ratio(figures[-1], figures[0])]))
    return "\n".join(lines)


def _line(cells: Sequence[str]) -> str:
    return "| " + " | ".join(cells) + " |"


def _cpu(figure: Figure | None) -> str:
    if figure is None:
        return "–"
    if figure.cpu is None:
        return figure.note
    return f"{figure.cpu:.2f}" if figure.cpu < 10 else f"{figure.cpu:.0f}"


def _ratio(old: Figure | None, new: Figure | None) -> str:
    if old is None or new is None or not new.cpu:
        return "–"
    if old.cpu is None:
        return f"> {60_000 / new.cpu:.0f}" if old.note.startswith(">") else "–"
    ratio = old.cpu / new.cpu
    return f"{ratio:.1f}" if ratio < 10 else f"{ratio:.0f}"


def _goal(row: Row, new: Figure | None) -> str:
    if row.goal is None:
        return "–"
    missed = new is not None and new.cpu is not None and new.cpu > row.goal
    return f"{row.goal:g}{' missed' if missed else ''}"


def _differ(old: Figure | None, new: Figure | None) -> str:
    """A mark where the two did not answer the same: a fast wrong answer is no answer."""
    if old is None or new is None or old.cpu is None or new.cpu is None or old.answers == new.answers:
        return ""
    return " ≠"


def _both(old: Figure | None, new: Figure | None, show: Show) -> str:
    cells = [show(figure) if figure is not None and figure.cpu is not None else "–" for figure in (old, new)]
    return " / ".join(cells)
