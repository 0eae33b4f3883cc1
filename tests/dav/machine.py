"""An application of its own for a state machine, which ends with it."""

from __future__ import annotations

import shutil
import tempfile
from pathlib import Path

from hypothesis.stateful import RuleBasedStateMachine

from calsync.accounts.accounts import Accounts
from tests.dav.conftest import PASSWORD, Client, make_application


class DavMachine(RuleBasedStateMachine):
    """What `users` do, anna first, is a rule of a subclass."""

    users = ("anna",)

    def __init__(self) -> None:
        super().__init__()
        self.folder = Path(tempfile.mkdtemp())
        self.application = make_application(self.folder)
        assert self.application.store is not None
        for user in self.users:
            Accounts(self.application.store).create(user, PASSWORD)
        self.anna = Client(self.application)

    def teardown(self) -> None:
        self.application.close()
        shutil.rmtree(self.folder)
