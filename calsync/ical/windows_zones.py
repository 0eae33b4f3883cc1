"""Windows' names of time zones, as Outlook and Exchange write them into TZID, and the IANA zones CLDR gives for them.

The table is the one that `icalendar` ships. Its module is loaded by its file, alone: the package around it would cost
50 ms and 6 MiB for 139 rows.
"""

from __future__ import annotations

from functools import cache
from importlib.util import find_spec, module_from_spec, spec_from_file_location
from pathlib import Path


def iana_name(name: str) -> str | None:
    """The IANA name for `W. Europe Standard Time` (CLDR's territory 001), whatever its case."""
    return _table().get(name.casefold())


@cache
def _table() -> dict[str, str]:
    package = find_spec("icalendar")
    for folder in (package.submodule_search_locations if package else None) or ():
        spec = spec_from_file_location("_windows_to_olson", Path(folder) / "timezone" / "windows_to_olson.py")
        if spec is not None and spec.loader is not None and Path(spec.origin or "").is_file():
            module = module_from_spec(spec)
            spec.loader.exec_module(module)
            rows: dict[str, str] = module.WINDOWS_TO_OLSON
            return {windows.casefold(): olson for windows, olson in rows.items()}
    from icalendar.timezone.windows_to_olson import WINDOWS_TO_OLSON

    return {windows.casefold(): olson for windows, olson in WINDOWS_TO_OLSON.items()}
