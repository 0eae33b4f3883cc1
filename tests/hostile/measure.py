"""What each case of the corpus costs: processor time and memory beyond what the process had.

    python -m tests.hostile.measure [FAMILY…]

A report, no test: cases over 200 ms, or over four times their body (and 12 MB, below which the allocator's own steps are
seen), are listed with the size of the body. Large legal bodies are expected among them; nothing else is.
"""

from __future__ import annotations

import sys
import tempfile
import time
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from calsync.accounts.accounts import Accounts
from tests.dav.conftest import PASSWORD, Client, make_application
from tests.hostile import stage
from tests.hostile.case import Case

SLOW = 0.2
TIMES = 4
LEAST = 12 << 20


@dataclass(frozen=True, slots=True)
class Cost:
    """`seconds` of processor time, `memory` in octets above what was there before; `size` of the body."""

    name: str
    seconds: float
    memory: int
    size: int

    @property
    def is_dear(self) -> bool:
        return self.seconds > SLOW or self.memory > max(LEAST, TIMES * self.size)


def _peak(reset: bool) -> int:
    """The most memory that this process has held since the last reset, in octets."""
    if reset:
        Path("/proc/self/clear_refs").write_text("5")
    status = Path("/proc/self/status").read_text()
    return int(status.partition("VmHWM:")[2].split()[0]) * 1024


def cost(client: Client, family: str, case: Case) -> Cost:
    """One case; the better of two runs in time, for the machine has other things to do."""
    body, headers = case.octets, dict(case.headers)
    seconds, memory = [], []
    for _ in range(2):
        before = _peak(reset=True)
        begun = time.thread_time()
        client.request(case.method, case.path, body, **headers)
        seconds.append(time.thread_time() - begun)
        memory.append(_peak(reset=False) - before)
        stage.settle(client, case)
    return Cost(stage.name(family, case), min(seconds), min(memory), len(body))


def run(families: Iterable[str]) -> list[Cost]:
    """All cases of these families (none: all), over a fresh store."""
    wanted = set(families)
    with tempfile.TemporaryDirectory() as folder:
        application = make_application(Path(folder) / "data", auth={"throttle": "False"})
        assert application.store is not None
        for name in ("anna", "bert"):
            Accounts(application.store).create(name, PASSWORD)
        client = Client(application)
        stage.prepare(client)
        found = [cost(client, family, case) for family, case in stage.CASES if not wanted or family in wanted]
        application.close()
    return found


def main(arguments: list[str]) -> None:
    found = run(arguments)
    dear = sorted((one for one in found if one.is_dear), key=lambda one: -one.seconds)
    print(f"{'CPU ms':>8} {'memory MB':>10} {'body MB':>8}  case")
    for one in dear:
        print(f"{one.seconds * 1000:8.0f} {one.memory / 1e6:10.1f} {one.size / 1e6:8.2f}  {one.name}")
    small = [one for one in found if one.size < 100_000]
    worst = max(small, key=lambda one: one.seconds)
    print(f"\n{len(found)} cases, {len(dear)} listed, {sum(one.seconds for one in found):.1f} s of CPU in all")
    print(f"of {len(small)} with a body under 100 kB the dearest took {worst.seconds * 1000:.0f} ms: {worst.name}")


if __name__ == "__main__":
    main(sys.argv[1:])
