"""The command line: `calsync serve` and the commands that administer a store.

`main` finds the command and turns what goes wrong into a line for people; each other module is a command or a few that
belong together, with a function `register(subparsers)`. Only the module of the command that was given is imported, so
that `calsync user list` does not wait for an HTTP server's imports.
"""
