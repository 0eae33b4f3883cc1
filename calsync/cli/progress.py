"""A progress bar for a terminal; nothing at all where there is none."""

from __future__ import annotations

import shutil
import sys
import time
from types import TracebackType
from typing import Final, Self, TextIO

_EVERY: Final = 0.1  # seconds between two drawings


class Bar:
    """Shown on standard error while the block runs, then wiped: `import  1200/10000 [#    ] 12%  400/s, 22 s left`."""

    def __init__(self, label: str, total: int, stream: TextIO | None = None) -> None:
        self._stream = stream or sys.stderr
        self._shown = self._stream.isatty() and total > 0
        self._label = label
        self._total = total
        self._done = 0
        self._drawn = 0.0
        self._began = time.monotonic()

    def advance(self, count: int) -> None:
        """So many more are done."""
        self._done += count
        if self._shown and time.monotonic() - self._drawn >= _EVERY:
            self._draw()

    def _draw(self) -> None:
        self._drawn = time.monotonic()
        share = min(1.0, self._done / self._total)
        figures = f"{self._label}  {self._done}/{self._total} "
        pace = self._pace()
        room = max(10, min(50, shutil.get_terminal_size().columns - len(figures) - len(pace) - 12))
        bar = "#" * int(share * room)
        self._stream.write(f"\r\x1b[K{figures}[{bar:<{room}}] {share:4.0%}  {pace}")
        self._stream.flush()

    def _pace(self) -> str:
        """How many a second, and how long it will take."""
        rate = self._done / max(self._drawn - self._began, 0.001)
        left = int(max(0, self._total - self._done) / max(rate, 0.001))
        return f"{rate:.0f}/s, {f'{left // 60} min' if left >= 120 else f'{left} s'} left"

    def clear(self) -> None:
        """Wipe it, so that a line can be written."""
        if self._shown and self._drawn:
            self._stream.write("\r\x1b[K")
            self._stream.flush()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.clear()
