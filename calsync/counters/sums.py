"""What all processes of a server have counted, those that ended too."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from calsync.counters import families, folder, page
from calsync.counters.page import Page

#: (metric, labels) → its numbers: one, or of a histogram one a bucket and the sum.
Sums = dict[tuple[str, tuple[str, ...]], list[float]]


def of_page(one: Page) -> Sums:
    """Of a process that has no others beside it."""
    found: Sums = {}
    _lay(found, one.read(), gauges=True)
    found[families.WORKERS.name, ()] = [1.0]
    return found


def of_folder(where: Path) -> Sums:
    """Counters of all processes; gauges of those that run. Raises OSError where the folder is gone."""
    found: Sums = {}
    with folder.locked(where):
        known, numbers = folder.ended(where)
        entries = []
        for key, values in numbers.items():
            name, *labels = key.split("\x1f")
            entries.append((name, tuple(labels), values))
        _lay(found, entries, gauges=False)
        running = 0
        for one in folder.pages(where):
            if one.name in known:
                continue
            lives = page.is_alive(one)
            running += lives
            _lay(found, page.entries(one), gauges=lives)
    found[families.WORKERS.name, ()] = [float(running)]
    return found


def _lay(found: Sums, entries: Iterable[tuple[str, tuple[str, ...], list[float]]], *, gauges: bool) -> None:
    for name, labels, numbers in entries:
        family = families.ALL.get(name)
        if family is None or len(labels) != len(family.labels) or (family.kind == "gauge" and not gauges):
            continue  # of another version of calsync, or of a process that is no more
        before = found.get((name, labels))
        if before is None:
            found[name, labels] = list(numbers)
        elif len(before) == len(numbers):
            for at, number in enumerate(numbers):
                before[at] += number
