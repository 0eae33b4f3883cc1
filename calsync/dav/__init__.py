"""What calsync answers: methods, reports and live properties over the store.

`resources` says what a URL is, `access` what its asker may do, `registry` which methods, reports and properties there
are (and so what is advertised), `answer` turns rows into the fragments of a 207. One file a method, one a report; a
property is one declaration under `properties/`. The gate, `calsync.app`, makes the `Request` and sends the `Response`.
"""
