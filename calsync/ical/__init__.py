"""Facts from text, pure: iCalendar and vCard octets ⇄ components, lines, facts, occurrences.

`lines` scans without losing an octet; `facts` and `validate` say what the index needs and what cannot be served;
`zones`, `recur` and `freebusy` give meaning with the help of well-kept libraries; `subset` cuts and expands what a
client asked for. Nothing here does I/O or knows Radicale, SQL or HTTP.
"""
