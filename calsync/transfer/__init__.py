"""Data on their way in and out: import, export, and the drop-in from a Radicale folder.

Readers (`radicale_folder`, `plain_files`) turn what lies on a disk into users, collections and items (`source`);
`taking` puts them into a store, item by item, so that one bad item never stops the rest: `checking` says whether one
may come in, `repair` (and `vcard21`) what can be done for it, `newer` which of two counts; `report` says what became of
each. `writer` writes a store out as a folder that stock Radicale reads, `dropin` takes such a folder in at the first
start. Folders are read as plain files and JSON, without Radicale.
"""
