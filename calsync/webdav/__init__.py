"""The protocol, pure: bytes ⇄ typed values.

Request bodies become frozen dataclasses (`parse`, `requests`), headers become values (`headers`), what can go wrong is
an exception that knows its response (`errors`, `conditions`), and answers are written as byte fragments
(`multistatus`). Nothing here does I/O or knows Radicale, SQL or a resource.
"""
