"""The time zones of the installed tzdata, as a service and as VTIMEZONEs (RFC 7808, RFC 7809).

`tzif` reads what the zone files say, `vtimezone` writes it as iCalendar, `names` knows the identifiers and their
aliases, and `service` answers at `/.calsync/timezones`. All of it is public data: no account is needed.
"""
