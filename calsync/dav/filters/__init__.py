"""Filters of calendar-query and addressbook-query, each read twice.

`plan` asks of a filter what the index of the store can say: which items may match, and which surely do. `calendar` and
`card` are the exact test, run on the octets of those that the index leaves in doubt. `search` walks the candidates of
a collection page by page and joins both; the answer is what the exact test alone would give over everything.
"""
