"""Facts at rest: principals, collections, items with their verbatim octets, and what is derived from them to find them.

`schema` is what is stored, `statement` how a statement reaches the driver, `engine` the store with its transactions,
`sqlite` the embedded back end. `principals`, `collections`, `items`, `copies`, `changes`, `queries` and `occurrences`
are functions over a transaction; `verify` looks for damage. Every key begins with the owner, and every change takes
the next value of its owner's counter, `seq`, from which tokens are made. Nothing here knows Radicale or HTTP.
"""
