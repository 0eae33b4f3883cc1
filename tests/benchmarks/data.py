"""The data of a run, as the folder that stock Radicale keeps: both servers start from the same files."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from pathlib import Path

from tests import generator
from tests.generator import Resource

TASKS = 100
SMALL_COLLECTIONS = 200
SMALL_ITEMS = 5

EVENTS = {"tag": "VCALENDAR", "D:displayname": "Termine", "C:supported-calendar-component-set": "VEVENT"}
TODOS = {"tag": "VCALENDAR", "D:displayname": "Aufgaben", "C:supported-calendar-component-set": "VTODO"}
CARDS = {"tag": "VADDRESSBOOK", "D:displayname": "Kontakte"}


def write(storage: Path, items: int) -> None:
    """Fill `storage`/collection-root: /bench with `items` events, as many contacts, a few tasks; /many."""
    bench = storage / "collection-root" / "bench"
    _collection(bench / "contacts", CARDS, generator.contacts(items))
    _collection(bench / "events", EVENTS, generator.events(items))
    _collection(bench / "tasks", TODOS, generator.tasks(TASKS))
    many = storage / "collection-root" / "many"
    for number in range(SMALL_COLLECTIONS):
        small = generator.events(SMALL_ITEMS, first=1_000_000 + number * SMALL_ITEMS)
        _collection(many / f"calendar{number:03d}", {**EVENTS, "D:displayname": f"Kalender {number}"}, small)


def _collection(folder: Path, properties: Mapping[str, str], resources: Iterable[Resource]) -> None:
    folder.mkdir(parents=True)
    (folder / ".Radicale.props").write_text(json.dumps(properties), encoding="utf-8")
    for resource in resources:
        (folder / resource.href).write_bytes(resource.octets)
