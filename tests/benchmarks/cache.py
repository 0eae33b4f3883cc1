"""What stock Radicale took is measured once for a version, a size and a machine, and kept in .bench-cache."""

from __future__ import annotations

import hashlib
import json
import os
import platform
import shutil
from importlib.metadata import version
from pathlib import Path

from tests import generator
from tests.benchmarks import data
from tests.benchmarks.measure import Figure

FOLDER = Path(__file__).parents[2] / ".bench-cache"


def machine() -> str:
    """Processor, cores and Python: what figures depend on besides the code."""
    model = "unknown processor"
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            model = line.partition(":")[2].strip()
            break
    return f"{model}, {os.cpu_count()} cores, Python {platform.python_version()}"


def figures(items: int) -> dict[str, Figure]:
    path = _results(items)
    if not path.exists():
        return {}
    return {key: Figure(**values) for key, values in json.loads(path.read_text()).items()}


def keep_figures(items: int, found: dict[str, Figure]) -> None:
    path = _results(items)
    path.parent.mkdir(exist_ok=True)
    path.write_text(json.dumps({key: figure.as_json() for key, figure in found.items()}, indent=1))


def stock_folder(items: int, place: Path) -> bool:
    """Copy stock's folder for `items` to `place`; True when its own caches are in it (else it is cold)."""
    kept = FOLDER / f"folder-{_name(items)}"
    if kept.exists():
        shutil.copytree(kept, place, symlinks=True)
        return True
    data.write(place, items)
    return False


def keep_stock_folder(items: int, place: Path) -> None:
    """Keep a warmed folder: stock parses every file at the first touch, which takes minutes at 10 000."""
    kept = FOLDER / f"folder-{_name(items)}"
    partial = kept.with_suffix(".partial")
    shutil.rmtree(partial, ignore_errors=True)
    shutil.copytree(place, partial, symlinks=True)
    partial.rename(kept)


def _results(items: int) -> Path:
    place = hashlib.sha256(machine().encode()).hexdigest()[:8]
    return FOLDER / f"figures-{_name(items)}-{place}.json"


def _name(items: int) -> str:
    return f"radicale{version('radicale')}-vobject{version('vobject')}-{items}-{data_mark()}"


def data_mark() -> str:
    """Changes when the made-up data do: figures of other data are no comparison."""
    samples = (generator.events(60), generator.contacts(8), generator.tasks(8))
    octets = b"".join(resource.octets for sample in samples for resource in sample)
    return hashlib.sha256(octets + f"{data.TASKS} {data.SMALL_COLLECTIONS} {data.SMALL_ITEMS}".encode()).hexdigest()[:8]
