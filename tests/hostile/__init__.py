"""What no decent client sends, and what it gets.

Each family of cases is a module with a table: name, request, the status it must get and, for a 403, the precondition.
`test_corpus` walks them all through the Application, `test_corpus_on_the_wire` over a socket of a real server process,
`measure` (a soak run) reads what each costs. After every case an ordinary request has to work.
"""
