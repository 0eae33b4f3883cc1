"""What brings data back: backups and their restore, the journal and its replay, what can be salvaged of a store.

`backup` makes one, `manifest` is what it says of itself. `restore` brings a store back, from the backup (`database`
into PostgreSQL) with what is known of the time since: `replay` reads the journal, `salvage` the store that is there,
`state` lays both over each other, `apply` writes it, `lines` says how sure it is that nothing is missing. Accounts
(`accounts`, `account_lines`), jobs (`side_effects`) and the journal of the new store (`journaling`) have parts of their
own; `exchange` puts the file in its place. `hold` keeps clients waiting until somebody has looked at it.
"""
