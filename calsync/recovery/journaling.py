"""The journal of a store that is being restored."""

from __future__ import annotations

import errno
import os
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from calsync.recovery.exchange import fsync
from calsync.store import journal

_BEGUN: Final = f"begun{journal.SUFFIX}"  # nothing is in it; an empty folder would be taken for a missing disk


@dataclass(slots=True)
class Journaling:
    """What is brought over goes into the journal, too, so that this backup can be restored once more.

    Until the new store stands in its place it goes to a folder inside the journal's (`aside`): of a restore that was
    broken off the journal must not tell, for the old store goes on.
    """

    folder: Path | None = None
    aside: Path | None = None

    def begin(self, folder: Path | None, target: Path, notices: list[str]) -> None:
        """Where `folder` can take it."""
        if folder is None:
            return
        aside = folder / f"{target.name}.restoring"
        try:
            shutil.rmtree(aside, ignore_errors=True)  # of a run that was killed
            if not journal.segments(folder):
                raise FileNotFoundError(errno.ENOENT, "nothing is in it")
            aside.mkdir(mode=0o700)
            (aside / _BEGUN).touch(mode=0o600)
            if os.geteuid() == 0:
                os.chown(aside, folder.stat().st_uid, folder.stat().st_gid)
        except OSError as error:
            reason = (error.strerror or str(error)).lower()
            notices.append(
                f"the journal {folder} cannot be written ({reason}): there is none until calsync serve begins one"
            )
        else:
            self.folder, self.aside = folder, aside

    def settle(self, notices: list[str]) -> None:
        """The new store counts from now on."""
        if self.folder is None or self.aside is None:
            return
        try:
            (self.aside / _BEGUN).unlink()
            for file in journal.segments(self.aside):
                file.rename(self.folder / file.name)
            fsync(self.folder)
        except OSError as error:
            notices.append(
                f"the journal {self.folder} does not know of this restore ({(error.strerror or str(error)).lower()}): "
                "make a backup now"
            )

    def give_up(self) -> None:
        """What is left goes."""
        if self.aside is not None:
            shutil.rmtree(self.aside, ignore_errors=True)
