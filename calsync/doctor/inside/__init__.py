"""The server seen from inside: what its configuration says, opened and looked at, by the user that runs it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import ExitStack

from calsync.doctor.finding import Finding
from calsync.doctor.inside import configuration, machine, maintenance, store
from calsync.doctor.inside.context import as_owner, begin, open_store


def findings(paths: Sequence[str] | None = None, url: str = "") -> Iterator[Finding]:
    """Everything that is found from inside. `paths` as for `config.load`; `url`: of a store, not the configured one."""
    with ExitStack() as stack:
        context = begin(paths, url)
        stack.enter_context(as_owner(context))
        yield from configuration.CHECKS.findings(context)
        open_store(context, stack)
        for checks in (store.CHECKS, maintenance.CHECKS, machine.CHECKS):
            yield from checks.findings(context)
