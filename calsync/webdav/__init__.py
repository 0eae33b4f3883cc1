"""The protocol, pure: bytes ⇄ typed values.

Request bodies become frozen dataclasses (`requests`, by `parse` and the `parse_…` beside it), headers become values
(`headers`, `if_header`, `etags`), paths become names (`urls`). What can go wrong is an exception that knows its
response (`errors`, `conditions`), and answers are written as byte fragments (`multistatus`). `reader` reads those of
others. Nothing here does I/O or knows Radicale, SQL or a resource.
"""
