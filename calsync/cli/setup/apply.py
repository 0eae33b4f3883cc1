"""Does what was planned, whole or not at all."""

from __future__ import annotations

import logging
import os
import pwd
import shutil
import subprocess
from dataclasses import dataclass, field
from pathlib import Path

from calsync.accounts import passwords
from calsync.accounts.accounts import Accounts
from calsync.accounts.policy import configured
from calsync.cli import welcome
from calsync.cli.setup.answers import BadAnswer
from calsync.cli.setup.files import Owner, Writing
from calsync.cli.setup.plan import ACCOUNT, Plan, service_may
from calsync.cli.setup.systemd_unit import BACKUPS
from calsync.config.check import ERROR, examine
from calsync.store.engine import Store
from calsync.store.errors import StoreError
from calsync.store.urls import is_postgresql, path_of
from calsync_storage.location import partitions

logger = logging.getLogger("calsync")

#: Who does it, in the audit trail.
_ACTOR = "calsync init"


@dataclass(slots=True)
class Made:
    """What was done. `password`: one that was made up. `taken`: what came of Radicale's. `copies`: of what stood."""

    files: list[Path] = field(default_factory=list)
    copies: list[Path] = field(default_factory=list)
    account: str = ""
    user: str = ""
    password: str = ""
    users: list[str] = field(default_factory=list)
    taken: str = ""
    warnings: list[str] = field(default_factory=list)


def apply(plan: Plan) -> Made:
    """Raises `BadAnswer`, `StoreError` and others that are for people; then nothing is left of it."""
    made = Made()
    with Writing() as writing:
        owner = _service(plan, writing, made)
        writing.folder(plan.wanted.folder, 0o700, owner)
        if plan.wanted.unit and plan.room.is_machine:
            writing.folder(BACKUPS, 0o700, owner)
        for url in plan.stores:
            _store(plan, url, writing, owner, made)
        group = Owner(0, owner.group) if owner.group is not None else Owner()
        for planned in plan.files:
            there = planned.path.exists()
            copy = writing.file(planned, group if planned.path.parent != plan.room.unit.parent else Owner())
            if copy is not None:
                made.copies.append(copy)
            if copy is not None or not there:
                made.files.append(planned.path)
        _, findings = examine(plan.room.files)
        for finding in findings:
            if finding.level == ERROR:
                raise BadAnswer(str(finding))
            made.warnings.append(str(finding))
    program = Path(plan.command[0])
    if owner.user is not None and not service_may("-x", program):
        made.warnings.append(f"the user {ACCOUNT} may not run {program} (install calsync into /opt/calsync, say)")
    return made


def _service(plan: Plan, writing: Writing, made: Made) -> Owner:
    """The service's user on a machine, made where there is none."""
    if not plan.room.is_machine or not plan.wanted.unit:
        return Owner()
    try:
        found = pwd.getpwnam(ACCOUNT)
    except KeyError:
        program = shutil.which("useradd")
        if program is None:
            raise BadAnswer(f"there is no user {ACCOUNT} and no useradd (make one, or --no-unit)") from None
        home = str(plan.wanted.folder)
        options = ["--system", "--user-group", "--no-create-home", "--home-dir", home, "--shell", "/usr/sbin/nologin"]
        done = subprocess.run([program, *options, ACCOUNT], capture_output=True, text=True, check=False)
        if done.returncode:
            raise BadAnswer(f"useradd {ACCOUNT}: {done.stderr.strip()}") from None
        writing.on_failure(lambda: subprocess.run(["userdel", ACCOUNT], capture_output=True, check=False))
        made.account = ACCOUNT
        found = pwd.getpwnam(ACCOUNT)
    return Owner(found.pw_uid, found.pw_gid)


def _store(plan: Plan, url: str, writing: Writing, owner: Owner, made: Made) -> None:
    """A store, with what belongs into it: the first user, and what Radicale kept."""
    path = None if is_postgresql(url) else path_of(url)
    if path is not None and not path.exists():
        writing.folder(path.parent, 0o700, owner)
        writing.on_failure(lambda: _remove(path))
        made.files.append(path)
    store = Store.open(url, partitions=partitions(plan.configuration))
    try:
        if url == plan.stores[0]:
            _first_user(plan, store, made)
        if url == plan.stores[-1]:
            _take_in(plan, store, made)
    finally:
        store.close()
    if path is not None:
        for part in _parts(path):
            owner.take(part)


def _first_user(plan: Plan, store: Store, made: Made) -> None:
    accounts = Accounts(store, policy=configured(plan.configuration))
    wanted = plan.wanted
    if wanted.user and accounts.find(wanted.user) is None:
        password = wanted.password or passwords.made_up()
        made.user = accounts.create(wanted.user, password, actor=_ACTOR).name
        made.password = "" if wanted.password else password
        if len(plan.stores) == 1:
            welcome.furnish(store, made.user, plan.configuration)
    made.users = [account.name for account in accounts.listing()]


def _take_in(plan: Plan, store: Store, made: Made) -> None:
    if plan.wanted.radicale is None:
        return
    from calsync.transfer import dropin

    folder = plan.wanted.radicale.collections
    try:
        report = dropin.take_in(store, folder, logger=logger, encoding=plan.configuration.get("encoding", "stock"))
    except OSError as error:
        raise StoreError(f"{folder}: {error.strerror}") from error
    made.taken = "" if report is None else report.summary()


def _remove(store: Path) -> None:
    """A store that was made here, with the files beside it."""
    for part in _parts(store):
        part.unlink()


def _parts(store: Path) -> list[Path]:
    """The store and what SQLite and calsync keep beside it; copies of people's own begin with its name, too."""
    found = (store.with_name(store.name + ending) for ending in ("", "-wal", "-shm", "-journal", "-lock", "-serving"))
    return [one for one in found if os.path.lexists(one)]
