"""The HTTP runner: sockets, TLS, HTTP/1.1 and HTTP/2, deadlines and limits around one WSGI application.

Heads and bodies are read by one event loop into a spool, with deadlines; a worker thread runs the application only when
a request is whole, and gives its thread back after each piece of the answer, so that slow clients hold no thread, no
transaction and no connection to the store. `limits` says how much of everything, `addresses` and `tls` open the doors,
`door` lets in, `guests` are those inside. `http1` and `http2` speak with clients (the grammar is that of llhttp and of
the h2 package), `spool` keeps bodies, `environ` and `call` are the WSGI side, `crew` its threads; `exchange` joins
both. `runner` runs it all and heeds signals, `workers` several of it; `notify` tells systemd how it is.
"""
