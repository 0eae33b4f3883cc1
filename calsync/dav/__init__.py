"""What calsync answers: methods, reports and live properties over the store.

`resources` says what a URL is, `access` what its asker may do, `registry` which methods, reports and properties there
are (and so what is advertised), `answer` turns rows into the fragments of a 207. One file a method, one a report; a
property is one declaration under `properties/`. `filters/` plans what a query asks of the index.

Before a write: `preconditions` and `locks`; `incoming` checks what is sent, and `limits` how far it reaches. `changes`
tells hooks, `refusals` keeps what a bulk write (`bulk`) could not take, `damage` says why something cannot be given.
Beside the octets as stored: `forms`, `variants`, `timezones`, `floating`; and `overlay`, names that a share lays over
them. Each request works in a `scope` of its own, with the `context` of the server; `members` and `directory` say what
one may see.

The gate, `calsync.app`, makes the `Request` and sends the `Response`.
"""
