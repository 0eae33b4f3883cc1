"""Facts at rest: principals, collections, items with their verbatim octets, and what is derived from them to find them.

Every key begins with the owner, and every change takes the next value of its owner's counter, `seq`, from which tokens
are made. What reads and writes are functions over a transaction. Nothing here knows Radicale or HTTP.

- The ground: `schema` and `migrations` say what is stored, `prepare` makes or migrates it; `engine` is the store with
  its transactions (`transaction`), `statement` how a statement reaches the driver, `meta` facts of the store itself.
- The back ends: `sqlite` (with `filelock`, `turns`, `serving`, `still`), `postgresql` (with `connections`, `wire`,
  `watch`, `shared`, `plans`, `partitions`, `replicas`); `urls` says which is meant, `across` makes one of the other.
- What there is: `principals`, `collections` and their `places`, `items` and their `rows`, `locks`, `quota`. How it
  comes, moves and goes: `making`, `copies`, `renaming`, `removals`, `leaving`.
- How it is found: `changes` since a token, `occurrences`, `busy`, `queries`; `reindex` derives all of that anew.
- What was there: `history`, `trash` and `undo`, `forgetting` and `purging`; `quarantine` has what could not be taken.
  `journal` is a room of its own; `entries`, `since` and `account_changes` say what goes there.
- Damage: `verify` finds it, `mending` and `intact` mend it, `disk` says what a failing one means. `moved` says where a
  store went.
"""
