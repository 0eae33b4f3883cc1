"""Who may log in, and with what.

An account is a name, a password hashed with argon2id, and any number of app passwords, each for one device. It owns a
principal of the store, which owns the collections. `accounts` checks logins; `credentials` remembers those that held,
so that a request costs no argon2; `uses` notes when an app password was last used. `names`, `passwords` and `tokens`
are the rules of each, `rows` is what the store keeps of them, `newcomer` gives a new user the first collections.
Nothing here knows Radicale or HTTP.
"""
