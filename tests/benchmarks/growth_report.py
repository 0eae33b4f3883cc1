"""The figures of `make bench-growth`: kept from run to run, and shown as Markdown."""

from __future__ import annotations

import json
import platform
import sqlite3
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from tests.benchmarks import cache, growth_fill
from tests.benchmarks.growth_measure import CHOSEN, KEYS

DOCUMENT = Path(__file__).parents[2] / "docs" / "scaling.md"
#: What stands between them in the document is written by `--write`.
MARKS = "<!-- the figures of the last runs -->", "<!-- until here -->"

Entry = Mapping[str, Any]
STORES = ("SQLite", "PostgreSQL")


def read() -> dict[str, Any]:
    path = _kept()
    found: dict[str, Any] = json.loads(path.read_text()) if path.exists() else {}
    return found


def keep(figures: Mapping[str, Any]) -> None:
    """Beside what other runs have kept meanwhile."""
    _kept().write_text(json.dumps(_merged(read(), figures), indent=1))


def _merged(old: Any, new: Any) -> Any:
    if not (isinstance(old, dict) and isinstance(new, dict)):
        return new
    return old | {key: _merged(old.get(key), value) for key, value in new.items()}


def _kept() -> Path:
    return growth_fill.folder() / "figures.json"


def write(text: str) -> None:
    document = DOCUMENT.read_text(encoding="utf-8")
    before, first, rest = document.partition(MARKS[0])
    _, last, after = rest.partition(MARKS[1])
    DOCUMENT.write_text(f"{before}{first}\n\n{text}\n{last}{after}", encoding="utf-8")


def text(figures: Mapping[str, Any]) -> str:
    """All tables."""
    parts = [f"{cache.machine()}, SQLite {sqlite3.sqlite_version}, PostgreSQL 15, {platform.system()}.\n"]
    for name in STORES:
        entries = figures.get(name, {})
        others = _series(entries, lambda total, own: own != total)
        alone = _series(entries, lambda total, own: own == total)
        if others:
            parts.append(f"### {name}: a calendar of 500 events beside others\n\n{_costs(others, name)}\n")
        if alone:
            parts.append(f"### {name}: one user has all\n\n{_costs(alone, name)}\n")
    parts.append(f"### Filling and size\n\n{_filling(figures)}\n")
    if any("load" in figures.get(name, {}) for name in STORES):
        parts.append(f"### Load\n\n{_load(figures)}\n")
    if "beside" in figures:
        parts.append(_beside(figures))
    return "\n".join(parts)


def _series(entries: Entry, wanted: Callable[[int, int], bool]) -> list[tuple[int, Entry]]:
    found = []
    for key, entry in entries.items():
        total, _, own = key.partition("-")
        if own and "costs" in entry and wanted(int(total), int(own)):
            found.append((int(total), entry))
    return sorted(found, key=lambda one: one[0])


def _costs(series: Sequence[tuple[int, Entry]], name: str) -> str:
    """CPU of the server, and of the database where that is another process; the ratio is that of the sum."""
    lines = [
        _line(["operation", *(f"{_many(total)} items" for total, _ in series), "ratio", "p50 / p99 ms", "answers"]),
        _line(["---"] + ["---:"] * (len(series) + 3)),
    ]
    for key in KEYS:
        costs = [entry["costs"][key] for _, entry in series]
        sums = [cost["server"] + cost["database"] for cost in costs]
        shown = [
            f"{cost['server']:.2f}" + (f" + {cost['database']:.2f}" if name == "PostgreSQL" else "") for cost in costs
        ]
        answers = sorted({cost["answers"] for cost in costs})
        lines.append(
            _line(
                [
                    CHOSEN[key].title,
                    *shown,
                    f"{sums[-1] / sums[0]:.2f}",
                    f"{costs[-1]['median']:.1f} / {costs[-1]['slow']:.1f}",
                    str(answers[0]) if len(answers) == 1 else f"{answers[0]} … {answers[-1]}",
                ]
            )
        )
    return "\n".join(lines)


def _filling(figures: Mapping[str, Any]) -> str:
    lines = [
        _line(
            [
                "store",
                "items",
                "filled, items/s",
                "CPU ms an item",
                "log MiB",
                "MiB",
                "octets an item",
                "of text",
                "ratio",
                "PSS MiB",
            ]
        ),
        _line(["---"] + ["---:"] * 9),
    ]
    told = []
    for name in STORES:
        for total, entry in _series(figures.get(name, {}), lambda total, own: own != total):
            filling, size, octets = entry.get("filling"), entry["sizes"][""], entry["text"]
            lines.append(
                _line(
                    [
                        name,
                        _many(total),
                        f"{filling['rate']:.0f}" if filling else "–",
                        f"{1000 * filling['cpu'] / filling['items']:.2f}" if filling and filling.get("cpu") else "–",
                        f"{filling['wal'] / 2**20:.0f}" if filling else "–",
                        f"{size / 2**20:.0f}",
                        f"{size / total:.0f}",
                        f"{octets / total:.0f}",
                        f"{size / octets:.2f}",
                        f"{entry['pss'] / 2**20:.0f}",
                    ]
                )
            )
            if churn := entry.get("churn"):
                told.append(_churn(name, total, churn))
    return "\n".join(lines) + "".join(f"\n\n{one}" for one in told)


def _churn(name: str, total: int, churn: Entry) -> str:
    before, after, cleaned = (churn[key] for key in ("before", "after", "cleaned"))
    sizes = " → ".join(f"{one[''] / 2**20:.0f}" for one in (before, after, cleaned))
    history = after.get("revision", 0) - before.get("revision", 0)
    told = f" {churn['told']}." if churn["told"] else f" {after['free'] / 2**20:.1f} MiB were free before it."
    return (
        f"{name}, {_many(total)} items: {_many(churn['items'])} deleted and written again took {churn['seconds']:.0f} s"
        f" and {churn['wal'] / 2**20:.0f} MiB of log; before → after → after VACUUM ({churn['vacuum']:.1f} s): {sizes}"
        f" MiB, of which {history / 2**20:.0f} MiB are history that was kept.{told}"
    )


def _load(figures: Mapping[str, Any]) -> str:
    lines = [
        _line(
            [
                "store",
                "workers",
                "clients",
                "requests/s",
                "errors",
                "p50 ms",
                "p99 ms",
                "p99 of poll / sync / put / multiget",
            ]
        ),
        _line(["---", "---:", "---"] + ["---:"] * 5),
    ]
    beside = []
    for name in STORES:
        for workers, loads in figures.get(name, {}).get("load", {}).items():
            for key, load in loads.items():
                if isinstance(load, dict):
                    lines.append(_line([name, workers, key, *_loaded(load)]))
            beside.append(f"- {name}, {workers} workers: {loads['beside writers']}; PSS {loads['pss'] / 2**20:.0f} MiB")
    for items, stock in figures.get("beside", {}).items():
        for name in ("Radicale", "Xandikos"):
            if load := stock.get(f"{name} load"):
                lines.append(_line([name, "1", f"one calendar of {items}, 32", *_loaded(load)]))
    return "\n".join(lines) + "\n\nReaders beside writers, a calendar each:\n\n" + "\n".join(beside)


def _loaded(load: Entry) -> list[str]:
    kinds = " / ".join(f"{load['kinds'].get(key, 0):.0f}" for key in ("poll", "sync", "put", "multiget"))
    return [f"{load['rate']:.0f}", str(load["errors"]), f"{load['median']:.0f}", f"{load['slow']:.0f}", kinds]


def _beside(figures: Mapping[str, Any]) -> str:
    """CPU of all of them for one user who has all the items."""
    parts = []
    for items, stock in figures["beside"].items():
        columns: dict[str, Mapping[str, float | None]] = {
            name: {key: one["cpu"] for key, one in stock[name].items()}
            for name in ("Radicale", "Xandikos")
            if name in stock
        }
        notes = {name: {key: one["note"] for key, one in stock[name].items()} for name in columns}
        for name in STORES:
            entry = figures.get(name, {}).get(f"{items}-{items}", {})
            if "costs" in entry:
                columns[f"calsync, {name}"] = {
                    key: cost["server"] + cost["database"] for key, cost in entry["costs"].items()
                }
        lines = [_line(["operation, CPU ms", *columns]), _line(["---"] + ["---:"] * len(columns))]
        for key in KEYS:
            cells = [_cell(values.get(key), notes.get(name, {}).get(key, "–")) for name, values in columns.items()]
            lines.append(_line([CHOSEN[key].title, *cells]))
        parts.append(f"### Beside others: one calendar of {_many(int(items))}\n\n" + "\n".join(lines) + "\n")
    return "\n".join(parts)


def _cell(cpu: float | None, note: str) -> str:
    if cpu is None:
        return note
    return f"{cpu:.2f}" if cpu < 10 else f"{cpu:.0f}"


def _line(cells: Iterable[str]) -> str:
    return "| " + " | ".join(cells) + " |"


def _many(number: int) -> str:
    return f"{number:,}".replace(",", " ")
