"""The journal (decision D11): a folder, best on another disk, to which each change goes before it is acknowledged.

A process appends to a segment of its own, so that one that is killed while it writes spoils nobody's (`frames` says
what a segment is made of, `calsync.store.entries` what it tells). Where the journal is stands in the store itself
(`place`), so that whoever writes to the store journals: the server, a command that was given nothing but `--store`, the
plugin in stock Radicale, which knows no `[history]`. `calsync serve` writes there what its configuration says.

`appending` is done with every write, `reading` by a restore and by whoever looks for octets that are still intact;
`segments` are pruned when no backup needs them, and who leaves for good is taken out of them (`erasing`).
"""

from __future__ import annotations

from calsync.store.journal.appending import Journal
from calsync.store.journal.erasing import erase
from calsync.store.journal.place import folder_of, keep, remember
from calsync.store.journal.reading import Fault, Part, Written, read
from calsync.store.journal.segments import SUFFIX, position, prune, segments

__all__ = [
    "SUFFIX",
    "Fault",
    "Journal",
    "Part",
    "Written",
    "erase",
    "folder_of",
    "keep",
    "position",
    "prune",
    "read",
    "remember",
    "segments",
]
