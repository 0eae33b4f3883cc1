"""The steps of the gate (`calsync.app`), in the order in which a request meets them.

`environ` reads what WSGI hands over, `observe` gives the request its id, its line in the log and its figures, `health`
answers probes. `login` asks the auth plugin who it is, `guesses` slows down guessing where that counts none itself.
`home` makes a newcomer's first collections, `grants` writes down what changes in shares and rights. `streams` begins an
answer and watches it to its end, `compress` codes it, `failures` makes a response of whatever was raised.
"""
