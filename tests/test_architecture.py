"""The drawing of the floors, docs/architecture.svg, is made from pyproject.toml, from the map's words and from what the
code imports: `python -m tests.test_architecture` draws it."""

from __future__ import annotations

import ast
import sys
import tomllib
from collections.abc import Iterator, Mapping, Set
from functools import cache
from html import escape
from pathlib import Path
from typing import Final

from tests.pages import PAGES, ROOT, blocks

DRAWING: Final = ROOT / "docs" / "architecture.svg"

#: Who imports this one may know Radicale.
DOOR: Final = "calsync.upstream"

Edges = frozenset[tuple[str, str]]


# --- what there is ----------------------------------------------------------------------------------------------------


def floors() -> list[list[str]]:
    """The rooms of each floor, from the top."""
    contracts = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["importlinter"]["contracts"]
    (layers,) = [one["layers"] for one in contracts if one["type"] == "layers"]
    return [[room.strip() for room in layer.split("|")] for layer in layers]


def _sources() -> Iterator[tuple[str, Path]]:
    for top in (ROOT, ROOT / "plugins"):
        for package in sorted(top.glob("calsync*/__init__.py")):
            for path in sorted(package.parent.rglob("*.py")):
                name = ".".join(path.relative_to(top).with_suffix("").parts)
                yield name.removesuffix(".__init__"), path


def _room(module: str, rooms: Set[str]) -> str | None:
    parts = module.split(".")
    return next((name for size in (2, 1) if (name := ".".join(parts[:size])) in rooms), None)


@cache
def imports() -> Edges:
    """Which room imports which, anywhere in it; and who imports the door to Radicale."""
    rooms = {room for floor in floors() for room in floor} | {DOOR}
    found = set()
    for module, path in _sources():
        here = _room(module, rooms)
        for node in ast.walk(ast.parse(path.read_text())):
            named = []
            if isinstance(node, ast.Import):
                named = [alias.name for alias in node.names]
            elif isinstance(node, ast.ImportFrom) and node.module:
                named = [f"{node.module}.{alias.name}" for alias in node.names]
            for one in named:
                there = _room(one, rooms)
                if here is not None and there is not None and here != there:
                    found.add((here, there))
    return frozenset(found)


def needed(edges: Edges) -> Edges:
    """Without those that a chain of others stands for (the transitive reduction)."""
    below: Mapping[str, set[str]] = {}
    below = {source: {to for one, to in edges if one == source} for source, _ in edges}

    def reached(room: str) -> set[str]:
        return {further for to in below.get(room, ()) for further in {to} | reached(to)}

    return frozenset(
        (source, to) for source, to in edges if not any(to in reached(via) for via in below[source] - {to})
    )


# --- the drawing ------------------------------------------------------------------------------------------------------

WIDTH: Final = 1180
ROW: Final = 50
BOX: Final = 30
LEFT: Final = 20
ROOM: Final = 470  # what boxes may take of the width
STYLE: Final = """
    text { font: 13px sans-serif; fill: #1b2733; } .say { fill: #5b6875; font-size: 12px; }
    rect { fill: #eef3f8; stroke: #6b7f93; }
    .door { fill: #fdf3dc; stroke: #b48a2c; } .paper { fill: #fff; stroke: none; }
    path { fill: none; stroke: #8796a5; stroke-width: 1.3; marker-end: url(#tip); }
""".strip("\n")


def words() -> dict[str, str]:
    """What the map says of each floor, by its first room."""
    (drawn,) = [block for block in blocks(PAGES["docs/architecture.md"], "") if block.startswith("calsync.cli")]
    said = {}
    for line in drawn.splitlines():
        name, _, text = line.partition("  ")
        said[name.split("|")[0].strip()] = text.strip().replace("`", "")
    return said


def places() -> dict[str, tuple[float, float, float]]:
    """Left, top and width of each room's box."""
    found = {}
    for row, rooms in enumerate(floors()):
        width = (ROOM - 10 * (len(rooms) - 1)) / len(rooms)
        for column, room in enumerate(rooms):
            found[room] = (LEFT + column * (width + 10), 20 + row * ROW, width)
    return found


def _line(at: Mapping[str, tuple[float, float, float]], source: str, to: str, lane: int) -> str:
    x1, y1, w1 = at[source]
    x2, y2, w2 = at[to]
    if y2 - y1 <= ROW:
        return f"M{x1 + w1 / 2:.0f},{y1 + BOX} L{x2 + w2 / 2:.0f},{y2 - 2:.0f}"
    # Around what lies between, on the right.
    out = LEFT + ROOM + 14 + 9 * lane
    return (
        f"M{x1 + w1:.0f},{y1 + BOX / 2 + 4:.0f} L{out - 8:.0f},{y1 + BOX / 2 + 4:.0f} "
        f"Q{out},{y1 + BOX / 2 + 4:.0f} {out},{y1 + BOX / 2 + 12:.0f} L{out},{y2 + BOX / 2 - 12:.0f} "
        f"Q{out},{y2 + BOX / 2 - 4:.0f} {out - 8},{y2 + BOX / 2 - 4:.0f} L{x2 + w2 + 2:.0f},{y2 + BOX / 2 - 4:.0f}"
    )


def draw() -> str:
    """The whole drawing."""
    at, said, edges = places(), words(), imports()
    between = sorted(needed(frozenset(edge for edge in edges if DOOR not in edge)))
    order = {room: number for number, room in enumerate(at)}
    long = [edge for edge in between if at[edge[1]][1] - at[edge[0]][1] > ROW]
    lanes = _lanes(sorted(long, key=lambda edge: order[edge[1]] - order[edge[0]]), at)
    right = LEFT + ROOM + 24 + 9 * max(lanes.values(), default=0)
    height = 20 + ROW * len(floors()) + 30
    lines = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" role="img">',
        "  <title>The floors of calsync, and who imports whom</title>",
        f"  <style>\n{STYLE}\n  </style>",
        '  <defs><marker id="tip" viewBox="0 0 8 8" refX="7" refY="4" markerWidth="7" markerHeight="7" orient="auto">'
        '<polygon points="0,0 8,4 0,8" fill="#8796a5"/></marker></defs>',
        f'  <rect class="paper" width="{WIDTH}" height="{height}"/>',
    ]
    for source, to in between:
        path = _line(at, source, to, lanes.get((source, to), 0))
        lines.append(f'  <path d="{path}"><title>{source} imports {to}</title></path>')
    for room, (x, y, width) in at.items():
        kind = ' class="door"' if (room, DOOR) in edges else ""
        lines.append(f'  <rect{kind} x="{x:.0f}" y="{y:.0f}" width="{width:.0f}" height="{BOX}" rx="5"/>')
        name = escape(room.removeprefix("calsync."))
        lines.append(f'  <text x="{x + width / 2:.0f}" y="{y + 20:.0f}" text-anchor="middle">{name}</text>')
        if room in said:
            lines.append(f'  <text class="say" x="{right}" y="{y + 20:.0f}">{escape(said[room])}</text>')
    note = (
        "An arrow is an import; those that a chain of others stands for are left out. Yellow: knows Radicale, "
        f"through {DOOR}; the plugins know it by themselves."
    )
    lines.append(f'  <text class="say" x="{LEFT}" y="{height - 14}">{note}</text>')
    return "\n".join([*lines, "</svg>"]) + "\n"


def _lanes(edges: list[tuple[str, str]], at: Mapping[str, tuple[float, float, float]]) -> dict[tuple[str, str], int]:
    """Short ones inside, and none upon another."""
    taken: list[list[tuple[float, float]]] = []
    found = {}
    for edge in edges:
        top, bottom = at[edge[0]][1], at[edge[1]][1]
        for lane in range(len(taken) + 1):
            if lane == len(taken):
                taken.append([])
            if all(bottom <= one or top >= other for one, other in taken[lane]):
                taken[lane].append((top, bottom))
                found[edge] = lane
                break
    return found


# --- tests ------------------------------------------------------------------------------------------------------------


def test_the_drawing_is_what_the_code_imports() -> None:
    assert DRAWING.read_text() == draw(), "python -m tests.test_architecture draws it anew"


def test_imports_are_seen() -> None:
    assert {("calsync.cli", "calsync.server"), ("calsync.dav", "calsync.store"), ("calsync.app", DOOR)} <= imports()
    assert ("calsync.store", "calsync.dav") not in imports()


def test_what_others_stand_for_is_left_out() -> None:
    assert needed(frozenset({("a", "b"), ("b", "c"), ("c", "d"), ("a", "c"), ("a", "d")})) == {
        ("a", "b"), ("b", "c"), ("c", "d"),
    }  # fmt: skip


if __name__ == "__main__":
    DRAWING.write_text(draw())
    sys.exit(0)
