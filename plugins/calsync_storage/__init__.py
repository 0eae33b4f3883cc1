"""Radicale's storage over calsync's store (`[storage] type = calsync_storage`), under stock Radicale and calsync.

`storage` and `collection` are the contract, `item` is what they hand out, `session` ties Radicale's locks to
transactions, `properties` translates between Radicale's map and the store's XML. The store is the file `calsync.db` in
`[storage] filesystem_folder`, unless `[storage] url` names another (`location`).
"""

from calsync_storage.collection import Collection
from calsync_storage.storage import Storage

__all__ = ["Collection", "Storage"]
