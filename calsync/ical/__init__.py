"""Facts from text, pure: iCalendar and vCard octets ⇄ components, lines, facts, occurrences.

`lines` scans without losing an octet; `facts` and `validate` say what the index needs and what cannot be served;
`zones` gives times their meaning, `recur` follows recurrences (`rules` and `walls`, decision D14; `budget` bounds
them), `freebusy` adds them up; `subset` cuts and `expansion` expands what a client asked for, `whole` cuts and joins
whole collections. Nothing here does I/O or knows Radicale, SQL or HTTP.
"""
