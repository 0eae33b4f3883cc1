"""A store on its way: to another database while it is served, and out into a folder that follows it.

`move` copies a store into another one, row by row as it is (`tables`), keeps up with who writes meanwhile (`log`),
compares both (`compare`) and switches; how far it came stands in the new store (`state`), so that a run which was
killed goes on. What opens a store that was moved follows it (`calsync.store.moved`). `mirror` keeps a folder of plain
files in step with a store; what it wrote stands in `written`.
"""
