"""Work that nobody waits for: what is done now and then by one process for all.

`tasks` lists it, each with how often; `keeper` is the thread of the server process that runs it; `leases` sees to it
that one process does it and remembers how it went; `retention` says how long things are kept. What a task does is a
function of the store; it is stopped between two short transactions and goes on the next time. What a change brings
about, a hook that is told, is a row of `queue`, and `hands` is the thread that does it.
"""
