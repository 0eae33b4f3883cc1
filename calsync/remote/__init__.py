"""Other CalDAV and CardDAV servers, seen as a client: where an account's collections are, and how they come here.

`discovery` finds them (`dns`), `client` asks, `listing` and `bodies` say what they hold, `properties` what comes along.
`moving_in` runs it all: `plan` says what is to be taken, `arriving` takes it, `compare` looks at both sides afterwards,
and `state` remembers what was taken, for the next run.
"""
