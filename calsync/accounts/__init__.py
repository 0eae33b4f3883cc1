"""Who may log in, and with what.

An account is a name, a password hashed with argon2id, and any number of app passwords, each for one device. It owns a
principal of the store, which owns the collections. `administration` makes and changes them, `accounts` checks logins;
`credentials` remembers those that held, so that a request costs no argon2; `throttle` slows down guessing, `uses` notes
who came in, `audit` keeps the trail. `scopes` says what an app password opens, `groups` who belongs where, `policy`
what the administrator decided. `names`, `passwords` and `tokens` are the rules of each, `rows` is what the store keeps
of them, `newcomer` gives a new user the first collections, `renaming` a user another name. For the pages: `sessions`,
`factors` (the second step), `flows` (apps that wait to be let in), `oidc`. `incoming` takes accounts in from elsewhere,
with `foreign_hashes`.
Nothing here knows Radicale or HTTP.
"""
