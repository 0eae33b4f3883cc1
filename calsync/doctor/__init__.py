"""What is wrong with a server, found from inside (configuration, store, disk, clock) and from outside as a client.

Each finding says what was got, what was needed, and how to mend it. Nothing is changed by looking. `inside.findings`
and `outside.findings` give them one by one, for whoever shows them: the command line, or a page.
"""
