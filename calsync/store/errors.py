"""What can go wrong in the store.

`StoreError` and its kin are faults of the store, with a message for people. `UidConflict`, `Exists`, `Absent` and
`OverQuota` are answers to the one who asked for something that cannot be; nothing has changed when they are raised.
"""

from __future__ import annotations


class StoreError(Exception):
    """The store cannot do it; the message says what is wrong and what to do."""


class Full(StoreError):
    """No space left where the store is: 507. Reads go on."""


class Busy(StoreError):
    """Another writer held the store for too long, or the system has no file or memory left: 503, come back later."""


class Again(Busy):
    """The transaction was undone because of another one, or needs locks that it did not begin with: do it once more.

    `owners`: ids of principals whose rows are to be locked first.
    """

    def __init__(self, message: str, owners: frozenset[int] = frozenset()) -> None:
        super().__init__(message)
        self.owners = owners


class ReadOnly(StoreError):
    """The store can be read but not written."""


class Damaged(StoreError):
    """What is stored is not what was written: a checksum that does not match, or a corrupt file."""


class NewerSchema(StoreError):
    """The store was written by a newer calsync."""


class UidConflict(Exception):
    """Another member of the collection, `href`, holds this UID (RFC 4791 §5.3.2.1, RFC 6352 §6.3.2.1)."""

    def __init__(self, href: str) -> None:
        super().__init__(f"the UID is used by {href!r}")
        self.href = href


class Exists(Exception):
    """Something has this name already."""

    def __init__(self, name: str) -> None:
        super().__init__(f"{name!r} exists")
        self.name = name


class Absent(Exception):
    """The collection, item or principal at hand is no longer in the store."""


class OverQuota(Exception):
    """The owner would have more than the quota allows (RFC 4331 §6). `what`: octets, items, collections.

    `bound`: how many there may be, `wanted`: how many there would be.
    """

    def __init__(self, what: str, bound: int, wanted: int) -> None:
        super().__init__(f"the quota is {bound} {what}, with this it would be {wanted}")
        self.what = what
        self.bound = bound
        self.wanted = wanted
