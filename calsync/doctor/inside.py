"""The server seen from inside: what its configuration says, opened and looked at, by the user that runs it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import ExitStack

from calsync.doctor import machine, settings, stored, work
from calsync.doctor.finding import Finding
from calsync.doctor.seen import as_owner, begin, open_store


def findings(paths: Sequence[str] | None = None, store: str = "") -> Iterator[Finding]:
    """Everything that is found from inside. `paths` as for `config.load`; `store`: a URL instead of the configured."""
    with ExitStack() as stack:
        seen = begin(paths, store)
        stack.enter_context(as_owner(seen))
        yield from settings.CHECKS.findings(seen)
        open_store(seen, stack)
        for checks in (stored.CHECKS, work.CHECKS, machine.CHECKS):
            yield from checks.findings(seen)
