"""Who may what, where the store does not say it: Radicale's shares and the rights of the configuration.

What changes there goes to the audit trail as `rights-changed`, with what it was and what it is. Roles, groups and app
passwords have entries of their own (`calsync.accounts`).
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from pathlib import Path
from typing import Any, Final

from calsync.accounts import audit
from calsync.store import meta
from calsync.store.engine import Store
from calsync.store.errors import StoreError
from calsync.upstream import Configuration, Share, logger, sharing, watch_shares

_Facts = dict[str, Any]

#: What the shares of the request at hand were and are; None while nobody listens.
_CHANGED: Final[ContextVar[list[tuple[Share | None, Share | None]] | None]] = ContextVar("calsync_shares", default=None)

#: Characters of a token that say which one it is; whoever has all of it comes in.
_TOKEN: Final = 6

_KEY: Final = "rights"
_DEFAULT: Final = {
    "type": "owner_only",
    "backend": "",
    "permit_delete_collection": "True",
    "permit_overwrite_collection": "True",
}
#: Octets of a rights file that are remembered, to tell what has changed in it.
_LARGEST: Final = 65_536
#: Lines of it that an entry of the trail has at most, gone and come.
_RULES: Final = 100


# --- shares -----------------------------------------------------------------------------------------------------------


def watch(backend: sharing.BaseSharing) -> None:
    """Hear of the shares that this object makes, changes and removes."""
    watch_shares(backend, _heard)


def _heard(before: Share | None, after: Share | None) -> None:
    changed = _CHANGED.get()
    if changed is not None:
        changed.append((before, after))


@contextmanager
def noted_shares(store: Store, actor: str, address: str, client: str) -> Iterator[None]:
    """Write down what changes inside about shares, by whom and from where."""
    changed: list[tuple[Share | None, Share | None]] = []
    listening = _CHANGED.set(changed)
    try:
        yield
    finally:
        _CHANGED.reset(listening)
        told = [facts for pair in changed if (facts := _told(*pair)) is not None]
        if told:
            try:
                with store.write() as tx, audit.asked(address, client):
                    for owner, detail in told:
                        audit.note(tx, "rights-changed", account=owner, actor=actor, **detail)
            except StoreError as error:
                # The share itself lies in Radicale's files, and is as it was answered.
                logger.error("a change of shares by %r is not in the audit trail: %s", actor, error)


def _told(before: Share | None, after: Share | None) -> tuple[str, _Facts] | None:
    """Whose collection it is and what changed; None where nobody may more or less by it."""
    was, now = (None if share is None else _allows(share) for share in (before, after))
    share = after or before
    if was == now or share is None:
        return None
    shown = share.shown
    if share.token:
        shown = f"{shown.rstrip('/').rpartition('/')[2][:_TOKEN]}…"  # of `/.token/v1/pRXSuakSRmqy…/`
    return share.owner, {"share": share.real, "as": shown, "before": was, "after": now}


def _allows(share: Share) -> _Facts:
    facts: _Facts = {"path": share.real, "user": share.user, "permissions": share.permissions}
    facts["enabled"] = share.offered and (share.taken or share.token)
    if share.conversion.lower() not in ("", "none"):
        facts["conversion"] = share.conversion
    return facts


# --- the rights of the configuration ----------------------------------------------------------------------------------


def note_rights(store: Store, configuration: Configuration) -> None:
    """Write down that `[rights]`, or the file that it names, is not what it was when this was asked last.

    All processes ask at their start and at a reload; the first writes. Before the first time it is as by default.
    """
    try:
        now = _rights(configuration)
        with store.read() as tx:
            was = _before(meta.get(tx, _KEY))
        if was != now:
            store.attempt(lambda: _exchange(store, now))
    except (StoreError, OSError) as error:
        logger.warning("whether the rights have changed is not in the audit trail: %s", error)


def _before(kept: bytes | None) -> _Facts:
    if kept is None:
        return {"options": _DEFAULT, "rules": [], "digest": ""}
    facts: _Facts = json.loads(kept)
    return facts


def _exchange(store: Store, now: _Facts) -> None:
    with store.write() as tx:
        meta.count(tx, _KEY)  # whoever asks at the same time waits for the commit
        was = _before(meta.get(tx, _KEY))
        if was == now:
            return
        meta.put(tx, _KEY, json.dumps(now).encode())
        detail: _Facts = {}
        if was["options"] != now["options"]:
            detail |= {"before": was["options"], "after": now["options"]}
        if was["digest"] != now["digest"]:
            gone = [rule for rule in was["rules"] if rule not in now["rules"]]
            come = [rule for rule in now["rules"] if rule not in was["rules"]]
            detail |= {"removed": gone[:_RULES], "added": come[:_RULES]}
            if not gone and not come:
                detail["reordered"] = True
        audit.note(tx, "rights-changed", actor="configuration", **detail)


def _rights(configuration: Configuration) -> _Facts:
    """The options that decide, and what the file says, a rule's line each. Raises `OSError`."""
    there = configuration.options("rights")
    options = {name: _text(configuration.get("rights", name)) if name in there else "" for name in _DEFAULT}
    rules: list[str] = []
    digest = ""
    if "from_file" in (options["type"], options["backend"]):
        options["file"] = str(configuration.get("rights", "file"))
        octets = Path(options["file"]).read_bytes()
        rules = list(_ruled(octets.decode(errors="replace")))
        digest = hashlib.sha256("\n".join(rules).encode()).hexdigest()
        if len(octets) > _LARGEST:
            rules = []
    return {"options": options, "rules": rules, "digest": digest}


def _text(value: Any) -> str:
    """An option; Radicale takes a class in place of a name."""
    return getattr(value, "__qualname__", "") or str(value)


def _ruled(text: str) -> Iterator[str]:
    """`[team] permissions: rw`: each line with its section, without comments; the order is what Radicale goes by."""
    section = ""
    for line in map(str.strip, text.splitlines()):
        if line.startswith("["):
            section = line
        elif line and line[0] not in "#;":
            yield f"{section} {line}"
