"""A progress bar for a terminal; nothing at all where there is none."""

from __future__ import annotations

import shutil
import sys
import time
from types import TracebackType
from typing import Final, Self, TextIO

_EVERY: Final = 0.1  # seconds between two drawings


class Bar:
    """Shown on standard error while the block runs, then wiped: `import  1200/10000 [####      ] 12 %`."""

    def __init__(self, label: str, total: int, stream: TextIO | None = None) -> None:
        self._stream = stream or sys.stderr
        self._shown = self._stream.isatty() and total > 0
        self._label = label
        self._total = total
        self._done = 0
        self._drawn = 0.0

    def advance(self, count: int) -> None:
        """So many more are done."""
        self._done += count
        if self._shown and time.monotonic() - self._drawn >= _EVERY:
            self._draw()

    def _draw(self) -> None:
        self._drawn = time.monotonic()
        share = min(1.0, self._done / self._total)
        figures = f"{self._label}  {self._done}/{self._total} "
        room = max(10, min(50, shutil.get_terminal_size().columns - len(figures) - 10))
        bar = "#" * int(share * room)
        self._stream.write(f"\r{figures}[{bar:<{room}}] {share:4.0%}")
        self._stream.flush()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._shown and self._drawn:
            self._stream.write("\r\x1b[K")
            self._stream.flush()
