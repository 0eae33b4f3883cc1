"""The table of metrics in docs/observing.md, written from the table in the code: `python -m tests.observe.page`."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Final

from calsync.counters import families

PAGE: Final = Path(__file__).parents[2] / "docs" / "observing.md"
_BEGIN: Final = "<!-- metrics: written by python -m tests.observe.page -->"
_END: Final = "<!-- end of metrics -->"


def written(text: str) -> str:
    """The page with the table as it should be."""
    lines = ["| metric | kind | labels | what it says |", "| --- | --- | --- | --- |"]
    for one in families.ALL.values():
        labels = ", ".join(f"`{label}`" for label in one.labels)
        lines.append(f"| `{one.name}` | {one.kind} | {labels} | {one.text} |")
    table = "\n".join(lines)
    return re.sub(f"(?s){re.escape(_BEGIN)}.*{re.escape(_END)}", lambda _: f"{_BEGIN}\n{table}\n{_END}", text)


if __name__ == "__main__":
    PAGE.write_text(written(PAGE.read_text(encoding="utf-8")), encoding="utf-8")
