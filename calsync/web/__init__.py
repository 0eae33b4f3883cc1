"""The pages below `/.calsync/`: sign in, devices, the account; letting an app in (decision D18).

A request finds its page in the table of `routes`; `site` does before and after it what every page needs: the session,
the check of what a form sends, the headers. Pages are functions from a `Visit` to a response, over templates that work
without JavaScript.
"""
