"""Reports that ask too much, or for nothing that there is: filters, ranges, limits, tokens, hrefs."""

from __future__ import annotations

from tests.hostile.case import BOOK, HOME, SPACES, Case

FILTER = "valid-filter"


def query(inside: str, *, props: str = "<prop><getetag/></prop>", more: str = "") -> str:
    """A calendar-query with these conditions on VCALENDAR."""
    filter = f'<C:filter><C:comp-filter name="VCALENDAR">{inside}</C:comp-filter></C:filter>'
    return f"<C:calendar-query {SPACES}>{props}{filter}{more}</C:calendar-query>"


def event(inside: str) -> str:
    return query(f'<C:comp-filter name="VEVENT">{inside}</C:comp-filter>')


def times(start: str, end: str) -> str:
    return event(f'<C:time-range start="{start}" end="{end}"/>')


def expand(start: str, end: str, what: str = "expand") -> str:
    return query("", props=f"<prop><C:calendar-data><C:{what} start='{start}' end='{end}'/></C:calendar-data></prop>")


def cards(inside: str, *, test: str = "anyof", more: str = "", props: str = "<prop><getetag/></prop>") -> str:
    return (
        f'<R:addressbook-query {SPACES}>{props}<R:filter test="{test}">{inside}</R:filter>{more}</R:addressbook-query>'
    )


def sync(token: str, level: str = "1", more: str = "") -> str:
    return (
        f"<sync-collection {SPACES}><sync-token>{token}</sync-token><sync-level>{level}</sync-level>"
        f"<prop><getetag/></prop>{more}</sync-collection>"
    )


def limit(number: str) -> str:
    return f"<limit><nresults>{number}</nresults></limit>"


def busy(start: str, end: str) -> str:
    return f"<C:free-busy-query {SPACES}><C:time-range start='{start}' end='{end}'/></C:free-busy-query>"


def multiget(*hrefs: str) -> str:
    return f"<C:calendar-multiget {SPACES}><prop><getetag/></prop>{''.join(f'<href>{one}</href>' for one in hrefs)}</C:calendar-multiget>"


def has(name: str, text: str, attributes: str = "") -> str:
    return f'<C:prop-filter name="{name}"><C:text-match {attributes}>{text}</C:text-match></C:prop-filter>'


def card_has(name: str, text: str, attributes: str = "") -> str:
    return f'<R:prop-filter name="{name}"><R:text-match {attributes}>{text}</R:text-match></R:prop-filter>'


def nested(levels: int) -> str:
    opened, closed = '<property name="owner">' * levels, "</property>" * levels
    return f"<expand-property {SPACES}>{opened}{closed}</expand-property>"


MANY = 10_000
ALL = ("00010101T000000Z", "99991231T235959Z")

CALENDAR = (
    ("an ordinary query", event(""), 207, ""),
    ("no name", query("<C:comp-filter/>"), 403, FILTER),
    ("an empty name", query('<C:comp-filter name=""/>'), 403, FILTER),
    ("a name of markup", query('<C:comp-filter name="&lt;x&gt;"/>'), 403, FILTER),
    ("a name of 1 MB", lambda: query("<C:comp-filter name='" + "X" * 1_000_000 + "'/>"), 207, ""),
    ("no VCALENDAR", f"<C:calendar-query {SPACES}><prop/><C:filter><C:comp-filter name='VEVENT'/></C:filter></C:calendar-query>", 403, FILTER),
    ("an empty filter", f"<C:calendar-query {SPACES}><prop/><C:filter/></C:calendar-query>", 403, FILTER),
    ("two filters", f"<C:calendar-query {SPACES}><prop/><C:filter/><C:filter/></C:calendar-query>", 400, ""),
    ("two VCALENDARs", f"<C:calendar-query {SPACES}><prop/><C:filter><C:comp-filter name='VCALENDAR'/><C:comp-filter name='VCALENDAR'/></C:filter></C:calendar-query>", 403, FILTER),
    ("VCALENDAR in VCALENDAR", query('<C:comp-filter name="VCALENDAR"/>'), 403, FILTER),
    ("VTODO in VEVENT", event('<C:comp-filter name="VTODO"/>'), 403, FILTER),
    ("no such component, and it is there", query('<C:comp-filter name="VEVENT"><C:is-not-defined/><C:time-range start="20200101T000000Z"/></C:comp-filter>'), 403, FILTER),
    ("a range on a zone", query('<C:comp-filter name="VTIMEZONE"><C:time-range start="20200101T000000Z"/></C:comp-filter>'), 403, FILTER),
    ("a range on what nobody knows", query('<C:comp-filter name="X-A"><C:time-range start="20200101T000000Z"/></C:comp-filter>'), 403, "supported-filter"),
    ("a range of nothing", event("<C:time-range/>"), 403, FILTER),
    ("a range of letters", times("soon", "later"), 403, FILTER),
    ("a range without Z", times("20200101T000000", "20210101T000000"), 403, FILTER),
    ("a range of days", times("20200101", "20210101"), 403, FILTER),
    ("a range that ends before", times("20210101T000000Z", "20200101T000000Z"), 403, FILTER),
    ("a range of no length", times("20210101T000000Z", "20210101T000000Z"), 403, FILTER),
    ("30 February", times("20200230T000000Z", "20200301T000000Z"), 403, FILTER),
    ("the year 0000", times("00000101T000000Z", "20200301T000000Z"), 403, FILTER),
    ("month 99", times("20209901T000000Z", "20200301T000000Z"), 403, FILTER),
    ("all times", times(*ALL), 207, ""),
    ("a leap second", times("20200101T235960Z", "20300101T000000Z"), 207, ""),
    ("Arabic digits", times("٢٠٢٠0101T000000Z", "20300101T000000Z"), 403, FILTER),
    ("two ranges", event('<C:time-range start="20200101T000000Z"/>' * 2), 403, FILTER),
    ("a range on text", event('<C:prop-filter name="SUMMARY"><C:time-range start="20200101T000000Z"/></C:prop-filter>'), 403, FILTER),
    ("text and a range", event('<C:prop-filter name="DTSTART"><C:time-range start="20200101T000000Z"/><C:text-match>x</C:text-match></C:prop-filter>'), 403, FILTER),
    ("a collation that nobody has", event(has("SUMMARY", "x", 'collation="i;none"')), 403, "supported-collation"),
    ("a collation of 1 MB", lambda: event(has("SUMMARY", "x", "collation='" + "i" * 1_000_000 + "'")), 403, "supported-collation"),
    ("a negation of another word", event(has("SUMMARY", "x", 'negate-condition="maybe"')), 403, FILTER),
    ("a match of another word", event(has("SUMMARY", "x", 'match-type="like"')), 403, FILTER),
    ("an empty text", event(has("SUMMARY", "")), 207, ""),
    ("a text of 1 MB", lambda: event(has("SUMMARY", "x" * 1_000_000)), 207, ""),
    ("a text of signs on one letter", lambda: event(has("SUMMARY", "a" + "\u0301" * 300_000, 'collation="i;unicode-casemap"')), 207, ""),
    ("a pattern", event(has("SUMMARY", "%_*.*[(")), 207, ""),
    ("a UID of a pattern", event(has("UID", "%")), 207, ""),
    ("a UID of a statement", event(has("UID", "' OR 1=1 --")), 207, ""),
    ("10 000 texts", lambda: event(has("SUMMARY", "x") * MANY), 403, "supported-filter"),
    ("10 000 texts that hold", lambda: event(has("SUMMARY", "zz", 'negate-condition="yes"') * MANY), 403, "supported-filter"),
    ("10 000 UIDs", lambda: event("".join(has("UID", f"u{n}") for n in range(MANY))), 403, "supported-filter"),
    ("10 000 parameters", lambda: event('<C:prop-filter name="SUMMARY">' + '<C:param-filter name="X"><C:is-not-defined/></C:param-filter>' * MANY + "</C:prop-filter>"), 403, "supported-filter"),
    ("10 000 components", lambda: query('<C:comp-filter name="VEVENT"/>' * MANY), 403, "supported-filter"),
    ("10 000 ranges", lambda: query('<C:comp-filter name="VEVENT"><C:time-range start="20200101T000000Z"/></C:comp-filter>' * MANY), 403, "supported-filter"),
    ("90 levels", query('<C:comp-filter name="X-A">' * 90 + "</C:comp-filter>" * 90), 207, ""),
    ("nresults 0", query("", more=limit("0")), 400, ""),
    ("nresults -1", query("", more=limit("-1")), 400, ""),
    ("nresults 10^30", query("", more=limit("1" + "0" * 30)), 207, ""),
    ("nresults of 5 000 digits", query("", more=limit("9" * 5000)), 207, ""),
    ("nresults of letters", query("", more=limit("all")), 400, ""),
    ("nresults of nothing", query("", more=limit("")), 400, ""),
    ("nresults superscript", query("", more=limit("²")), 400, ""),
    ("two limits", query("", more=limit("1") * 2), 400, ""),
    ("a zone that is none", query("", more="<C:timezone>BEGIN:VCALENDAR</C:timezone>"), 403, "valid-calendar-data"),
    ("a zone of a name that is none", query("", more="<C:timezone-id>../../etc/passwd</C:timezone-id>"), 403, "valid-timezone"),
    ("two zones", query("", more="<C:timezone>x</C:timezone><C:timezone-id>UTC</C:timezone-id>"), 400, ""),
    ("expand all times", expand(*ALL), 207, ""),
    ("expand of nothing", query("", props="<prop><C:calendar-data><C:expand/></C:calendar-data></prop>"), 400, ""),
    ("expand that ends before", expand("20210101T000000Z", "20200101T000000Z"), 400, ""),
    ("expand without Z", expand("20200101T000000", "20210101T000000"), 400, ""),
    ("expand and limit", query("", props="<prop><C:calendar-data><C:expand start='20200101T000000Z' end='20210101T000000Z'/><C:limit-recurrence-set start='20200101T000000Z' end='20210101T000000Z'/></C:calendar-data></prop>"), 400, ""),
    ("limit of letters", expand("a", "b", "limit-recurrence-set"), 400, ""),
    ("busy of letters", expand("a", "b", "limit-freebusy-set"), 400, ""),
    ("data of another type", query("", props="<prop><C:calendar-data content-type='text/html'/></prop>"), 403, "supported-calendar-data"),
    ("data of another version", query("", props="<prop><C:calendar-data version='9.9'/></prop>"), 403, "supported-calendar-data"),
    ("data of 90 components deep", query("", props="<prop><C:calendar-data>" + "<C:comp name='VCALENDAR'>" * 90 + "</C:comp>" * 90 + "</C:calendar-data></prop>"), 207, ""),
    ("data of 10 000 properties", lambda: query("", props="<prop><C:calendar-data><C:comp name='VCALENDAR'>" + "".join(f"<C:prop name='X-{n}'/>" for n in range(MANY)) + "</C:comp></C:calendar-data></prop>"), 207, ""),
    ("busy times of all times", busy(*ALL), 200, ""),
    ("busy times of letters", busy("a", "b"), 400, ""),
    ("busy times that end before", busy("20210101T000000Z", "20200101T000000Z"), 400, ""),
    ("busy times of no range", f"<C:free-busy-query {SPACES}/>", 400, ""),
    ("busy times of two ranges", busy("20200101T000000Z", "20210101T000000Z").replace("</", "<C:time-range start='20200101T000000Z' end='20210101T000000Z'/></"), 400, ""),
    ("busy times without an end", f"<C:free-busy-query {SPACES}><C:time-range start='20200101T000000Z'/></C:free-busy-query>", 400, ""),
    ("no hrefs", multiget(), 207, ""),
    ("50 000 hrefs", lambda: multiget(*(f"{HOME}{n}.ics" for n in range(50_000))), 207, ""),
    ("the same href 50 000 times", lambda: multiget(*[f"{HOME}a.ics"] * 50_000), 207, ""),
    ("an href of 1 MB", lambda: multiget("/" + "a/" * 500_000), 207, ""),
    ("hrefs of rubbish", multiget("%ff", "http://[::/", "%00", "..", "//", "?", "javascript:x", "&#9;", "*"), 207, ""),
    ("hrefs of others", multiget("/bert/calendar/a.ics", "/nemo/x", "http://elsewhere/anna/calendar/a.ics"), 207, ""),
)  # fmt: skip

SYNC = (
    ("a token of letters", sync("x"), 403, "valid-sync-token"),
    ("a token of another server", sync("http://radicale.org/ns/sync/x"), 403, "valid-sync-token"),
    ("a token of digits", sync("9" * 5000), 403, "valid-sync-token"),
    ("a token of 1 MB", lambda: sync("x" * 1_000_000), 403, "valid-sync-token"),
    ("a token of the future", sync(f"urn:calsync:sync:{'0' * 16}:9999999999"), 403, "valid-sync-token"),
    ("a token of 19 digits", sync(f"urn:calsync:sync:{'0' * 16}:{'9' * 19}"), 403, "valid-sync-token"),
    ("a token below all", sync(f"urn:calsync:sync:{'0' * 16}:-1"), 403, "valid-sync-token"),
    ("a token of markup", sync("&lt;x&gt;"), 403, "valid-sync-token"),
    ("two tokens", f"<sync-collection {SPACES}><sync-token/><sync-token/><prop/></sync-collection>", 400, ""),
    ("level 2", sync("", "2"), 400, ""),
    ("level 0", sync("", "0"), 400, ""),
    ("level -1", sync("", "-1"), 400, ""),
    ("level of letters", sync("", "deep"), 400, ""),
    ("two levels", sync("", "1</sync-level><sync-level>1"), 400, ""),
    ("a sync with nresults 0", sync("", more=limit("0")), 400, ""),
    ("a sync with nresults -1", sync("", more=limit("-1")), 400, ""),
    ("a sync with nresults 10^30", sync("", more=limit("1" + "0" * 30)), 207, ""),
    ("a sync with nresults of nothing", sync("", more=limit("")), 400, ""),
    ("a sync with two limits", sync("", more=limit("1") * 2), 400, ""),
    ("a sync without prop", f"<sync-collection {SPACES}><sync-token/></sync-collection>", 207, ""),
)  # fmt: skip

CARDS = (
    ("an ordinary query", cards(card_has("FN", "x")), 207, ""),
    ("no name", cards("<R:prop-filter/>"), 400, ""),
    ("a name of markup", cards('<R:prop-filter name="&lt;"/>'), 400, ""),
    ("a test of another word", cards(card_has("FN", "x"), test="most"), 400, ""),
    ("a match of another word", cards(card_has("FN", "x", 'match-type="like"')), 400, ""),
    ("a collation that nobody has", cards(card_has("FN", "x", 'collation="i;none"')), 403, "supported-collation"),
    ("absent and present", cards('<R:prop-filter name="FN"><R:is-not-defined/><R:text-match>x</R:text-match></R:prop-filter>'), 400, ""),
    ("an empty text", cards(card_has("FN", "")), 207, ""),
    ("a pattern", cards(card_has("FN", "%_*?[")), 207, ""),
    ("a text of 1 MB", lambda: cards(card_has("FN", "x" * 1_000_000)), 207, ""),
    ("10 000 texts, any", lambda: cards("".join(card_has("FN", f"x{n}") for n in range(MANY))), 403, "supported-filter"),
    ("10 000 texts, all", lambda: cards("".join(card_has("FN", f"x{n}") for n in range(MANY)), test="allof"), 403, "supported-filter"),
    ("10 000 texts of one property", lambda: cards('<R:prop-filter name="FN">' + "".join(f"<R:text-match>x{n}</R:text-match>" for n in range(MANY)) + "</R:prop-filter>"), 403, "supported-filter"),
    ("150 texts, any", lambda: cards("".join(card_has("FN", f"x{n}") for n in range(150))), 207, ""),
    ("900 texts, any", lambda: cards("".join(card_has("FN", f"x{n}") for n in range(900))), 403, "supported-filter"),
    ("10 000 parameters", lambda: cards('<R:prop-filter name="TEL">' + '<R:param-filter name="TYPE"><R:is-not-defined/></R:param-filter>' * MANY + "</R:prop-filter>"), 403, "supported-filter"),
    ("nresults 0", cards("", more="<R:limit><R:nresults>0</R:nresults></R:limit>"), 400, ""),
    ("nresults -1", cards("", more="<R:limit><R:nresults>-1</R:nresults></R:limit>"), 400, ""),
    ("nresults 10^30", cards("", more=f"<R:limit><R:nresults>1{'0' * 30}</R:nresults></R:limit>"), 207, ""),
    ("data of another type", cards("", props="<prop><R:address-data content-type='text/html'/></prop>"), 403, "supported-address-data"),
    ("data of another version", cards("", props="<prop><R:address-data content-type='text/vcard' version='9'/></prop>"), 403, "supported-address-data"),
)  # fmt: skip

HOMES = (
    ("20 levels of properties", nested(20), 207, ""),
    ("90 levels of properties", nested(90), 207, ""),
    ("a property without a name", f"<expand-property {SPACES}><property/></expand-property>", 400, ""),
    ("a property of a name that is none", f"<expand-property {SPACES}><property name='a b'/></expand-property>", 400, ""),
    ("10 000 properties", lambda: f"<expand-property {SPACES}>" + "<property name='owner'><property name='owner'/></property>" * MANY + "</expand-property>", 400, ""),
    ("a search of nothing", f"<principal-property-search {SPACES}><property-search/></principal-property-search>", 400, ""),
    ("a search of a test of another word", f"<principal-property-search {SPACES} test='most'/>", 400, ""),
    ("a search for everybody by pattern", f"<principal-property-search {SPACES}><property-search><prop><displayname/></prop><match>%</match></property-search></principal-property-search>", 207, ""),
    ("10 000 searches", lambda: f"<principal-property-search {SPACES}>{'<property-search><prop><displayname/></prop><match>x</match></property-search>' * MANY}</principal-property-search>", 400, ""),
    ("a match of nobody", f"<principal-match {SPACES}/>", 400, ""),
)  # fmt: skip

HEADERS = (("Content-Type", "application/xml; charset=utf-8"), ("Depth", "1"))

CASES = tuple(
    Case(name, "REPORT", path, status, condition, body, HEADERS)
    for path, table in ((HOME, CALENDAR), (HOME, SYNC), (BOOK, CARDS), ("/anna/", HOMES))
    for name, body, status, condition in table
)
