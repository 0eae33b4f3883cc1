"""How older stores become newer ones: Alembic's revisions, shipped with the package, no configuration file.

`REVISIONS` names them in order, so that a start whose store is up to date need not load Alembic. A new store is made
from `schema` at once and stamped with the last of them; a test holds both ways together.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from sqlalchemy import Connection


@dataclass(frozen=True, slots=True)
class Chain:
    """The revisions from the first to the last, and the folder that holds their `versions`."""

    revisions: Sequence[str]
    folder: Path

    @property
    def head(self) -> str:
        """The last revision."""
        return self.revisions[-1]

    def upgrade(self, connection: Connection) -> None:
        """Bring the database to `head`, inside the transaction that is open."""
        from alembic.command import upgrade
        from alembic.config import Config

        config = Config()
        config.set_main_option("script_location", str(self.folder).replace("%", "%%"))
        config.set_main_option("path_separator", "newline")
        config.attributes["connection"] = connection
        upgrade(config, self.head)


CHAIN: Final = Chain(("0001", "0002", "0003"), Path(__file__).parent)
