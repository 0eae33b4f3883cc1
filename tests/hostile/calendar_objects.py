"""Calendar objects that break the format, or keep it and would break who reads them."""

from __future__ import annotations

from collections.abc import Callable

from tests.hostile.case import NEW, Case

DATA = "valid-calendar-data"
OBJECT = "valid-calendar-object-resource"
HEAD = ("BEGIN:VCALENDAR", "VERSION:2.0", "PRODID:-//test//EN")
STAMP = "DTSTAMP:20260101T000000Z"
START = "DTSTART:20260301T100000Z"
EVENT = ("UID:x", STAMP, START, "DTEND:20260301T110000Z", "SUMMARY:x")

Body = bytes | str | Callable[[], bytes | str]


def text(*lines: str, end: str = "\r\n") -> str:
    return end.join((*lines, ""))


def calendar(*lines: str) -> str:
    return text(*HEAD, *lines, "END:VCALENDAR")


def event(*lines: str) -> str:
    return calendar("BEGIN:VEVENT", *lines, "END:VEVENT")


def more(*lines: str) -> str:
    """An ordinary event with further lines."""
    return event(*EVENT, *lines)


def todo(*lines: str) -> str:
    return calendar("BEGIN:VTODO", "UID:x", STAMP, *lines, "END:VTODO")


def series(*lines: str, start: str = "20200101T000000Z", end: str = "20200101T000100Z") -> str:
    return event("UID:x", STAMP, f"DTSTART:{start}", f"DTEND:{end}", "SUMMARY:x", *lines)


def overrides(count: int, *, same: bool = False) -> str:
    parts = [
        text("BEGIN:VEVENT", "UID:x", STAMP, f"RECURRENCE-ID:20260301T{0 if same else n:06}Z", START, "END:VEVENT")
        for n in range(count)
    ]
    return series("RRULE:FREQ=DAILY").replace("END:VCALENDAR\r\n", "".join(parts) + "END:VCALENDAR\r\n")


def zone(*rules: str, tzid: str = "Z", offset: str = "+2359") -> str:
    inner = "".join(
        text(
            "BEGIN:STANDARD",
            "DTSTART:00010101T000000",
            f"TZOFFSETFROM:{offset}",
            "TZOFFSETTO:-2359",
            rule,
            "END:STANDARD",
        )
        for rule in rules
    )
    return (
        text(*HEAD, "BEGIN:VTIMEZONE", f"TZID:{tzid}") + inner + text("END:VTIMEZONE", "BEGIN:VEVENT", "UID:x", STAMP,
        f"DTSTART;TZID={tzid}:20260301T100000", "RRULE:FREQ=DAILY", "END:VEVENT", "END:VCALENDAR")
    )  # fmt: skip


PLAIN = more()
FOLDED = more("DESCRIPTION:" + "é" * 100)


def numbers(count: int) -> str:
    return ",".join(map(str, range(count)))


#: What must be there, missing or there twice.
REQUIRED: tuple[tuple[str, Body, int, str], ...] = (
    ("an ordinary event", PLAIN, 201, ""),
    ("no BEGIN:VCALENDAR", PLAIN.removeprefix("BEGIN:VCALENDAR\r\n"), 403, DATA),
    ("no END:VCALENDAR", PLAIN.removesuffix("END:VCALENDAR\r\n"), 403, DATA),
    ("no END:VEVENT", PLAIN.replace("END:VEVENT\r\n", ""), 403, DATA),
    ("no BEGIN:VEVENT", PLAIN.replace("BEGIN:VEVENT\r\n", ""), 403, DATA),
    ("no VERSION", PLAIN.replace("VERSION:2.0\r\n", ""), 201, ""),
    ("VERSION twice", PLAIN.replace("VERSION:2.0\r\n", "VERSION:2.0\r\n" * 2), 201, ""),
    ("VERSION:1.0", PLAIN.replace("VERSION:2.0", "VERSION:1.0"), 403, DATA),
    ("no PRODID", PLAIN.replace("PRODID:-//test//EN\r\n", ""), 201, ""),
    ("PRODID twice", PLAIN.replace("PRODID:-//test//EN\r\n", "PRODID:x\r\n" * 2), 201, ""),
    ("CALSCALE of another calendar", PLAIN.replace("PRODID", "CALSCALE:CHINESE\r\nPRODID"), 201, ""),
    ("METHOD", PLAIN.replace("PRODID", "METHOD:REQUEST\r\nPRODID"), 403, OBJECT),
    ("METHOD twice", PLAIN.replace("PRODID", "METHOD:REQUEST\r\nMETHOD:REPLY\r\nPRODID"), 403, OBJECT),
    ("no UID", PLAIN.replace("UID:x\r\n", ""), 403, OBJECT),
    ("an empty UID", PLAIN.replace("UID:x\r\n", "UID:\r\n"), 403, OBJECT),
    ("a UID of blanks", PLAIN.replace("UID:x\r\n", "UID:   \r\n"), 403, OBJECT),
    ("two UIDs", more("UID:y"), 403, OBJECT),
    ("the same UID twice", more("UID:x"), 201, ""),
    ("a UID of 1 MB", lambda: PLAIN.replace("UID:x", "UID:" + "u" * 1_000_000), 201, ""),
    ("a UID of markup", PLAIN.replace("UID:x", "UID:<![CDATA[]]>&amp;\"'"), 201, ""),
    ("no DTSTAMP", PLAIN.replace(STAMP + "\r\n", ""), 201, ""),
    ("DTSTAMP twice", more(STAMP), 201, ""),
    ("no DTSTART", PLAIN.replace(START + "\r\n", ""), 403, DATA),
    ("DTSTART twice", more("DTSTART:20270101T000000Z"), 201, ""),
    ("an empty DTSTART", PLAIN.replace(START, "DTSTART:"), 403, DATA),
    ("DTEND twice", more("DTEND:20270101T000000Z"), 201, ""),
    ("DTEND and DURATION", more("DURATION:PT1H"), 201, ""),
    ("DTEND before DTSTART", PLAIN.replace("DTEND:2026", "DTEND:2025"), 201, ""),
    ("a date and a time", PLAIN.replace(START, "DTSTART;VALUE=DATE:20260301"), 403, OBJECT),
    ("SUMMARY twice", more("SUMMARY:y"), 201, ""),
    ("RRULE twice", series("RRULE:FREQ=DAILY", "RRULE:FREQ=WEEKLY"), 201, ""),
    ("RECURRENCE-ID twice", series("RECURRENCE-ID:20200101T000000Z", "RECURRENCE-ID:20200102T000000Z"), 201, ""),
    ("an empty calendar", calendar(), 403, OBJECT),
    ("nothing but a zone", calendar("BEGIN:VTIMEZONE", "TZID:Z", "END:VTIMEZONE"), 403, OBJECT),
    ("a component that nobody knows", calendar("BEGIN:X-ANY", "UID:x", "END:X-ANY"), 201, ""),
    ("an event and a task", PLAIN.replace("END:VCALENDAR", "BEGIN:VTODO\r\nUID:x\r\nEND:VTODO\r\nEND:VCALENDAR"), 403, OBJECT),
    ("two events of two UIDs", PLAIN.replace("END:VCALENDAR", "BEGIN:VEVENT\r\nUID:y\r\nEND:VEVENT\r\nEND:VCALENDAR"), 403, OBJECT),
    ("two masters", PLAIN.replace("END:VCALENDAR", text("BEGIN:VEVENT", *EVENT, "END:VEVENT") + "END:VCALENDAR"), 201, ""),
    ("a master without UID beside one", PLAIN.replace("END:VCALENDAR", "BEGIN:VEVENT\r\nEND:VEVENT\r\nEND:VCALENDAR"), 403, OBJECT),
    ("two calendars", PLAIN * 2, 403, OBJECT),
    ("a calendar in a calendar", calendar(*HEAD, "END:VCALENDAR"), 403, DATA),
    ("a card in a calendar", calendar("BEGIN:VCARD", "VERSION:3.0", "END:VCARD"), 403, DATA),
    ("a card", text("BEGIN:VCARD", "VERSION:3.0", "FN:x", "END:VCARD"), 403, DATA),
    ("an event alone", text("BEGIN:VEVENT", *EVENT, "END:VEVENT"), 403, DATA),
    ("a zone without TZID", PLAIN.replace("BEGIN:VEVENT", "BEGIN:VTIMEZONE\r\nEND:VTIMEZONE\r\nBEGIN:VEVENT"), 201, ""),
    ("the same zone twice", PLAIN.replace("BEGIN:VEVENT", "BEGIN:VTIMEZONE\r\nTZID:Z\r\nEND:VTIMEZONE\r\n" * 2 + "BEGIN:VEVENT"), 201, ""),
    ("an alarm without anything", more("BEGIN:VALARM", "END:VALARM"), 201, ""),
    ("an alarm every second for ever", more("BEGIN:VALARM", "ACTION:DISPLAY", "TRIGGER:PT0S", "REPEAT:999999999", "DURATION:PT1S", "END:VALARM"), 201, ""),
    ("an alarm of a trigger beyond", more("BEGIN:VALARM", "ACTION:DISPLAY", "TRIGGER:-P999999999W", "END:VALARM"), 201, ""),
    ("an alarm of a trigger of rubbish", more("BEGIN:VALARM", "ACTION:DISPLAY", "TRIGGER:soon", "END:VALARM"), 201, ""),
    ("a task without times that recurs", todo("RRULE:FREQ=SECONDLY"), 201, ""),
    ("a task with DUE and DURATION", todo(START, "DUE:20260302T000000Z", "DURATION:PT1H"), 201, ""),
    ("a task whose DUE is before", todo(START, "DUE:20200302T000000Z"), 201, ""),
    ("a journal of two starts", calendar("BEGIN:VJOURNAL", "UID:x", STAMP, START, START, "END:VJOURNAL"), 201, ""),
    ("busy times that end before", calendar("BEGIN:VFREEBUSY", "UID:x", STAMP, "FREEBUSY:20260301T100000Z/20250301T100000Z", "END:VFREEBUSY"), 201, ""),
    ("busy times of rubbish", calendar("BEGIN:VFREEBUSY", "UID:x", STAMP, "FREEBUSY:soon", "END:VFREEBUSY"), 403, DATA),
    ("6 000 attendees", lambda: more(*(f"ATTENDEE:mailto:a{n}@example.com" for n in range(6000))), 403, "max-attendees-per-instance"),
)  # fmt: skip

#: Times at the ends of time and beyond.
TIMES: tuple[tuple[str, Body, int, str], ...] = (
    ("the year 0001", series(start="00010101T000000Z", end="00010101T010000Z"), 201, ""),
    ("the year 0001, daily", series("RRULE:FREQ=DAILY", start="00010101T000000Z", end="00010101T010000Z"), 201, ""),
    ("the year 0001 east of Greenwich", series(start="00010101T000000Z").replace("DTSTART:00010101T000000Z", "DTSTART;TZID=Asia/Tokyo:00010101T000000"), 403, "min-date-time"),
    ("the year 9999", series(start="99991231T235900Z", end="99991231T235959Z"), 201, ""),
    ("the year 9999, daily", series("RRULE:FREQ=DAILY", start="99991231T235900Z", end="99991231T235959Z"), 201, ""),
    ("the year 9999 west of Greenwich", series(start="99991231T235900Z").replace("DTSTART:99991231T235900Z", "DTSTART;TZID=America/New_York:99991231T235900"), 403, "max-date-time"),
    ("the year 0000", series(start="00000101T000000Z"), 403, DATA),
    ("the year 10000", series(start="100000101T000000Z"), 403, DATA),
    ("a negative year", series(start="-20200101T000000Z"), 403, DATA),
    ("30 February", series(start="20200230T000000Z"), 403, DATA),
    ("29 February of a common year", series(start="20210229T000000Z"), 403, DATA),
    ("month 13", series(start="20201301T000000Z"), 403, DATA),
    ("hour 24", series(start="20200101T240000Z"), 403, DATA),
    ("second 60", series(start="20200101T235960Z"), 201, ""),
    ("second 61", series(start="20200101T235961Z"), 403, DATA),
    ("no seconds", series(start="20200101T0000Z"), 403, DATA),
    ("Arabic digits", series(start="٢٠٢٠0101T000000Z"), 403, DATA),
    ("a start of letters", series(start="soon"), 403, DATA),
    ("a start with dashes", series(start="2020-01-01T00:00:00Z"), 403, DATA),
    ("a start of 100 000 digits", series(start="2" * 100_000), 403, DATA),
    ("an end of letters", series(end="soon"), 403, DATA),
    ("from the year 0001 to 9999", series(start="00010101T000000Z", end="99991231T235959Z"), 201, ""),
    ("from the year 0001 to 9999, daily", series("RRULE:FREQ=DAILY", start="00010101T000000Z", end="99991231T235959Z"), 201, ""),
    ("a length beyond", event("UID:x", STAMP, START, "DURATION:P99999999999999999999W"), 403, DATA),
    ("a length of all digits", event("UID:x", STAMP, START, "DURATION:P999999999W"), 201, ""),
    ("a negative length", event("UID:x", STAMP, START, "DURATION:-P1W"), 201, ""),
    ("a length of nothing", event("UID:x", STAMP, START, "DURATION:P"), 403, DATA),
    ("a length of letters", event("UID:x", STAMP, START, "DURATION:long"), 403, DATA),
    ("a length of months", event("UID:x", STAMP, START, "DURATION:P1M"), 403, DATA),
    ("a zone that nobody has", more().replace("DTSTART:20260301T100000Z", "DTSTART;TZID=Nowhere/None:20260301T100000"), 201, ""),
    ("a zone of a path", more().replace("DTSTART:20260301T100000Z", "DTSTART;TZID=../../../etc/passwd:20260301T100000"), 201, ""),
    ("a zone of an absolute path", more().replace("DTSTART:20260301T100000Z", "DTSTART;TZID=/etc/passwd:20260301T100000"), 201, ""),
    ("a zone of a folder", more().replace("DTSTART:20260301T100000Z", "DTSTART;TZID=Europe:20260301T100000"), 201, ""),
    ("a zone of 1 MB", lambda: more().replace("DTSTART:20260301T100000Z", f"DTSTART;TZID={'z' * 1_000_000}:20260301T100000"), 201, ""),
    ("an empty zone", more().replace("DTSTART:20260301T100000Z", "DTSTART;TZID=:20260301T100000"), 201, ""),
    ("an hour that never comes", more().replace("DTSTART:20260301T100000Z", "DTSTART;TZID=Europe/Berlin:20260329T023000"), 201, ""),
    ("a zone that changes every second", zone("RRULE:FREQ=SECONDLY"), 201, ""),
    ("a zone of 50 that do", zone(*["RRULE:FREQ=SECONDLY"] * 50), 201, ""),
    ("a zone of 3 000 rules", lambda: zone(*["RRULE:FREQ=YEARLY"] * 3000), 201, ""),
    ("a zone of 5 000 rules", lambda: zone(*["RRULE:FREQ=YEARLY"] * 5000), 403, DATA),
    ("a zone of 50 000 dates", lambda: zone(*[f"RDATE:{','.join(['20200101T000000'] * 5000)}"] * 10), 201, ""),
    ("a zone that is a day off", zone("X-A:b", offset="+2400"), 201, ""),
    ("a zone that is 99 hours off", zone("X-A:b", offset="+9999"), 201, ""),
    ("a zone of an offset of rubbish", zone("X-A:b", offset="east"), 201, ""),
    ("a zone without observances", zone(), 201, ""),
    ("a zone whose rule never comes", zone("RRULE:FREQ=YEARLY;BYMONTH=2;BYMONTHDAY=30"), 201, ""),
)  # fmt: skip

#: Rules that never end, never come, or come too often. Each that is taken is read again by `test_recurrence`.
RULES: tuple[tuple[str, Body, int, str], ...] = (
    ("every second for ever", series("RRULE:FREQ=SECONDLY"), 201, ""),
    ("every second from the year 0001", series("RRULE:FREQ=SECONDLY", start="00010101T000000Z", end="00010101T000001Z"), 201, ""),
    ("every second of a day that never comes", series("RRULE:FREQ=SECONDLY;BYMONTH=2;BYMONTHDAY=30"), 201, ""),
    ("every second of 29 February", series("RRULE:FREQ=SECONDLY;BYMONTH=2;BYMONTHDAY=29"), 201, ""),
    ("every minute for ever", series("RRULE:FREQ=MINUTELY"), 201, ""),
    ("every hour for ever", series("RRULE:FREQ=HOURLY"), 201, ""),
    ("a year of hours of days", series("RRULE:FREQ=HOURLY;INTERVAL=8761;BYMONTH=2;BYMONTHDAY=29;BYDAY=MO"), 201, ""),
    ("31 February", series("RRULE:FREQ=YEARLY;BYMONTH=2;BYMONTHDAY=31"), 201, ""),
    ("31 February, the other way", series("RRULE:BYMONTHDAY=31;BYMONTH=2;FREQ=DAILY"), 201, ""),
    ("30 February, monthly", series("RRULE:FREQ=MONTHLY;BYMONTH=2;BYMONTHDAY=30,-30"), 201, ""),
    ("week 53 on a Monday in July", series("RRULE:FREQ=YEARLY;BYWEEKNO=53;BYMONTH=7;BYDAY=MO"), 201, ""),
    ("day 366 every other year", series("RRULE:FREQ=YEARLY;INTERVAL=2;BYYEARDAY=366", start="20210101T000000Z", end="20210101T000100Z"), 201, ""),
    ("the 366th of a week", series("RRULE:FREQ=WEEKLY;BYDAY=MO;BYSETPOS=366"), 201, ""),
    ("the 54th Monday", series("RRULE:FREQ=YEARLY;BYDAY=54MO"), 403, DATA),
    ("a cross product of times", series(f"RRULE:FREQ=YEARLY;BYHOUR={numbers(24)};BYMINUTE={numbers(60)};BYSECOND={numbers(60)}"), 201, ""),
    ("a cross product of everything", series(f"RRULE:FREQ=YEARLY;BYMONTH=1,2,3,4,5,6,7,8,9,10,11,12;BYMONTHDAY={numbers(32)[2:]};BYDAY=MO,TU,WE,TH,FR,SA,SU;BYHOUR={numbers(24)};BYMINUTE={numbers(60)};BYSECOND={numbers(60)}"), 201, ""),
    ("the last of a cross product", series(f"RRULE:FREQ=YEARLY;BYHOUR={numbers(24)};BYMINUTE={numbers(60)};BYSECOND={numbers(60)};BYSETPOS=-1"), 201, ""),
    ("the last of a cross product, daily", series(f"RRULE:FREQ=DAILY;BYHOUR={numbers(24)};BYMINUTE={numbers(60)};BYSECOND={numbers(60)};BYSETPOS=-1,-2,-366"), 201, ""),
    ("a cross product that never comes", series(f"RRULE:FREQ=YEARLY;BYMONTH=2;BYMONTHDAY=30;BYHOUR={numbers(24)};BYMINUTE={numbers(60)};BYSECOND={numbers(60)}"), 201, ""),
    ("seldom", series("RRULE:FREQ=YEARLY;BYMONTH=2;BYMONTHDAY=29;BYDAY=MO;BYHOUR=3;BYMINUTE=3;BYSECOND=3"), 201, ""),
    ("second 60 of each minute", series("RRULE:FREQ=MINUTELY;BYSECOND=60"), 201, ""),
    ("COUNT of a milliard", series("RRULE:FREQ=SECONDLY;COUNT=1000000000"), 403, "max-instances"),
    ("COUNT of a milliard, daily", series("RRULE:FREQ=DAILY;COUNT=1000000000"), 403, "max-instances"),
    ("COUNT of 5 000 digits", series(f"RRULE:FREQ=DAILY;COUNT={'9' * 4000}"), 403, DATA),
    ("COUNT=0", series("RRULE:FREQ=DAILY;COUNT=0"), 201, ""),
    ("COUNT=-1", series("RRULE:FREQ=SECONDLY;COUNT=-1"), 201, ""),
    ("COUNT of letters", series("RRULE:FREQ=DAILY;COUNT=ten"), 403, DATA),
    ("COUNT that never comes", series("RRULE:FREQ=YEARLY;COUNT=10;BYMONTH=2;BYMONTHDAY=30"), 201, ""),
    ("COUNT of seconds that never come", series("RRULE:FREQ=SECONDLY;COUNT=10;BYMONTH=2;BYMONTHDAY=30"), 201, ""),
    ("COUNT twice", series("RRULE:FREQ=DAILY;COUNT=1;COUNT=2"), 201, ""),
    ("COUNT and UNTIL", series("RRULE:FREQ=DAILY;COUNT=3;UNTIL=20300101T000000Z"), 201, ""),
    ("UNTIL the year 9999", series("RRULE:FREQ=SECONDLY;UNTIL=99991231T235959Z"), 403, "max-instances"),
    ("UNTIL before the start", series("RRULE:FREQ=DAILY;UNTIL=20000101T000000Z"), 201, ""),
    ("UNTIL of letters", series("RRULE:FREQ=DAILY;UNTIL=never"), 403, DATA),
    ("UNTIL 30 February", series("RRULE:FREQ=DAILY;UNTIL=20200230T000000Z"), 403, DATA),
    ("UNTIL hour 99", series("RRULE:FREQ=DAILY;UNTIL=20200101T999999Z"), 201, ""),
    ("INTERVAL=0", series("RRULE:FREQ=DAILY;INTERVAL=0"), 403, DATA),
    ("INTERVAL=-1", series("RRULE:FREQ=DAILY;INTERVAL=-1"), 403, DATA),
    ("INTERVAL of ten digits", series("RRULE:FREQ=YEARLY;INTERVAL=9999999999"), 201, ""),
    ("INTERVAL of ten digits of seconds", series("RRULE:FREQ=SECONDLY;INTERVAL=9999999999"), 201, ""),
    ("INTERVAL of 4 000 digits", series(f"RRULE:FREQ=DAILY;INTERVAL={'9' * 4000}"), 403, DATA),
    ("INTERVAL of a prime, never on the hour", series("RRULE:FREQ=SECONDLY;INTERVAL=86399;BYHOUR=3;BYMINUTE=7;BYSECOND=11;BYMONTH=2;BYMONTHDAY=29"), 201, ""),
    ("INTERVAL even, BYHOUR odd", series("RRULE:FREQ=HOURLY;INTERVAL=2;BYHOUR=1"), 201, ""),
    ("no FREQ", series("RRULE:COUNT=3"), 403, DATA),
    ("FREQ that nobody knows", series("RRULE:FREQ=FORTNIGHTLY"), 403, DATA),
    ("an empty rule", series("RRULE:"), 403, DATA),
    ("a rule of rubbish", series("RRULE:;;;===,,,"), 403, DATA),
    ("a rule of 1 MB", lambda: series("RRULE:FREQ=DAILY;BYHOUR=" + "1," * 500_000), 403, DATA),
    ("a rule of another calendar", series("RRULE:RSCALE=CHINESE;FREQ=YEARLY"), 201, ""),
    ("BYMONTH=13", series("RRULE:FREQ=YEARLY;BYMONTH=13"), 403, DATA),
    ("BYMONTHDAY=0", series("RRULE:FREQ=MONTHLY;BYMONTHDAY=0"), 403, DATA),
    ("BYHOUR=24", series("RRULE:FREQ=DAILY;BYHOUR=24"), 403, DATA),
    ("BYDAY of letters", series("RRULE:FREQ=WEEKLY;BYDAY=XX"), 403, DATA),
    ("BYDAY=+0MO", series("RRULE:FREQ=MONTHLY;BYDAY=+0MO"), 403, DATA),
    ("WKST of letters", series("RRULE:FREQ=WEEKLY;WKST=XX"), 403, DATA),
    ("500 rules", series(*["RRULE:FREQ=SECONDLY"] * 500), 201, ""),
    ("16 rules that never come", series(*["RRULE:FREQ=DAILY;BYMONTH=2;BYMONTHDAY=30"] * 16), 201, ""),
    ("EXRULE equal to RRULE", series("RRULE:FREQ=DAILY", "EXRULE:FREQ=DAILY"), 201, ""),
    ("EXRULE equal to RRULE, every second", series("RRULE:FREQ=SECONDLY", "EXRULE:FREQ=SECONDLY"), 201, ""),
    ("EXRULE alone", series("EXRULE:FREQ=SECONDLY"), 201, ""),
    ("EXRULE of every second, from a daily one", series("RRULE:FREQ=DAILY", "EXRULE:FREQ=SECONDLY"), 201, ""),
    ("100 000 EXDATEs", lambda: series("RRULE:FREQ=DAILY", "EXDATE:" + ",".join(["20200102T000000Z"] * 100_000)), 403, "max-instances"),
    ("100 000 lines of EXDATE", lambda: series("RRULE:FREQ=DAILY", *["EXDATE:20200102T000000Z"] * 100_000), 403, "max-instances"),
    ("EXDATEs of every day", lambda: series("RRULE:FREQ=DAILY;COUNT=2000", *(f"EXDATE:{2020 + n // 360}{1 + n // 30 % 12:02}{1 + n % 30 if (n // 30 % 12) != 1 else 1 + n % 28:02}T000000Z" for n in range(2160))), 201, ""),
    ("EXDATE of letters", series("RRULE:FREQ=DAILY", "EXDATE:soon"), 403, DATA),
    ("an empty EXDATE", series("RRULE:FREQ=DAILY", "EXDATE:"), 201, ""),
    ("50 000 RDATEs", lambda: series(*(f"RDATE:202{n % 10}0{1 + n % 9}{1 + n % 28:02}T{n % 24:02}{n % 60:02}{n // 7 % 60:02}Z" for n in range(50_000))), 403, "max-instances"),
    ("an RDATE of a period of all times", series("RDATE;VALUE=PERIOD:00010101T000000Z/99991231T235959Z"), 201, ""),
    ("1 000 RDATEs of all times", series(*["RDATE;VALUE=PERIOD:00010101T000000Z/P999999999W"] * 1000), 201, ""),
    ("an RDATE of letters", series("RDATE:soon"), 403, DATA),
    ("a series of instances that never end", series("RRULE:FREQ=SECONDLY", end="99991231T235959Z"), 201, ""),
    ("a daily one that lasts 1 000 years", series("RRULE:FREQ=DAILY", end="30200101T000000Z"), 201, ""),
    ("every second of a day", series("RRULE:FREQ=SECONDLY").replace("DTSTART:", "DTSTART;VALUE=DATE:").replace("T000000Z", ""), 403, OBJECT),
    ("a rule in a zone of its own", zone("RRULE:FREQ=SECONDLY").replace("FREQ=DAILY", "FREQ=SECONDLY;BYMONTH=2;BYMONTHDAY=30"), 201, ""),
    ("3 000 overrides", lambda: overrides(3000), 201, ""),
    ("3 000 overrides of one instance", lambda: overrides(3000, same=True), 201, ""),
    ("5 000 overrides of next to nothing", lambda: overrides(5000), 403, DATA),
    ("12 000 overrides", lambda: overrides(12_000), 403, "max-instances"),
    ("12 000 overrides without a master", lambda: overrides(12_000).replace("RRULE:FREQ=DAILY\r\n", "RECURRENCE-ID:20200101T000000Z\r\n"), 403, "max-instances"),
    ("an override of the whole future", series("RRULE:FREQ=DAILY").replace("END:VCALENDAR", text("BEGIN:VEVENT", "UID:x", STAMP, "RECURRENCE-ID;RANGE=THISANDFUTURE:20200105T000000Z", "DTSTART:99990101T000000Z", "END:VEVENT") + "END:VCALENDAR"), 201, ""),
    ("a rule in an override", series("RECURRENCE-ID:20200101T000000Z", "RRULE:FREQ=SECONDLY"), 201, ""),
    ("a task every second, done", todo("DTSTART:20200101T000000Z", "DUE:20200101T000001Z", "RRULE:FREQ=SECONDLY", "COMPLETED:20200101T000000Z"), 201, ""),
    ("a journal every second", calendar("BEGIN:VJOURNAL", "UID:x", STAMP, "DTSTART:20200101T000000Z", "RRULE:FREQ=SECONDLY", "END:VJOURNAL"), 201, ""),
    ("an alarm of every second", series("RRULE:FREQ=SECONDLY", "BEGIN:VALARM", "ACTION:DISPLAY", "TRIGGER:-P1000W", "REPEAT:1000000", "DURATION:PT1S", "END:VALARM"), 201, ""),
    ("availability every second", calendar("BEGIN:VAVAILABILITY", "UID:x", STAMP, "BEGIN:AVAILABLE", "UID:y", STAMP, "DTSTART:20200101T000000Z", "DURATION:PT1S", "RRULE:FREQ=SECONDLY", "END:AVAILABLE", "END:VAVAILABILITY"), 201, ""),
    ("2 000 times availability every second", lambda: calendar("BEGIN:VAVAILABILITY", "UID:x", STAMP, *["BEGIN:AVAILABLE", "UID:y", STAMP, "DTSTART:20200101T000000Z", "DURATION:PT1S", "RRULE:FREQ=SECONDLY", "END:AVAILABLE"] * 2000, "END:VAVAILABILITY"), 201, ""),
)  # fmt: skip

#: Text: lines, folds, letters, parameters, nesting, sizes.
TEXTS: tuple[tuple[str, Body, int, str], ...] = (
    ("nothing", b"", 403, DATA),
    ("blanks", b" \r\n" * 100_000, 403, DATA),
    ("a mark of the order of octets", b"\xef\xbb\xbf" + PLAIN.encode(), 201, ""),
    ("UTF-16", PLAIN.encode("utf-16"), 403, DATA),
    ("Latin-1, undeclared", more("LOCATION:Café").encode("latin-1"), 403, DATA),
    ("overlong UTF-8", PLAIN.encode().replace(b"SUMMARY:x", b"SUMMARY:\xc0\xaf"), 403, DATA),
    ("half a letter in UTF-8", PLAIN.encode().replace(b"SUMMARY:x", b"SUMMARY:\xed\xa0\x80"), 403, DATA),
    ("U+FFFE", PLAIN.replace("SUMMARY:x", "SUMMARY:￾"), 403, DATA),
    ("U+FFFE, folded inside", PLAIN.encode().replace(b"SUMMARY:x", b"SUMMARY:\xef\xbf\r\n \xbe"), 403, DATA),
    *((f"control character {code:02X}", PLAIN.replace("SUMMARY:x", f"SUMMARY:{chr(code)}"), 403, DATA) for code in (0, 1, 7, 8, 11, 12, 27, 31, 127)),
    ("a control character in a name", PLAIN.replace("SUMMARY:", "SUM\x00MARY:"), 403, DATA),
    ("a tab", PLAIN.replace("SUMMARY:x", "SUMMARY:\t"), 201, ""),
    ("a line separator", PLAIN.replace("SUMMARY:x", "SUMMARY:a\u2028b"), 201, ""),
    ("letters that turn the text", PLAIN.replace("SUMMARY:x", "SUMMARY:\u202egnp.exe"), 201, ""),
    ("LF for line ends", PLAIN.replace("\r\n", "\n"), 201, ""),
    ("CR for line ends", PLAIN.replace("\r\n", "\r"), 201, ""),
    ("LFCR for line ends", PLAIN.replace("\r\n", "\n\r"), 201, ""),
    ("a lone CR in a line", PLAIN.replace("SUMMARY:x", "SUMMARY:a\rb"), 403, DATA),
    ("folds inside letters", b"".join(FOLDED.encode()[at : at + 1] + (b"\r\n " if FOLDED.encode()[at : at + 1] >= b"\x80" else b"") for at in range(len(FOLDED.encode()))), 201, ""),
    ("a fold after every octet of a name", PLAIN.replace("SUMMARY", "S\r\n U\r\n M\r\n MARY"), 201, ""),
    ("a fold in BEGIN", PLAIN.replace("BEGIN:VEVENT", "BEG\r\n IN:VEVENT"), 201, ""),
    ("a fold on the first line", " " + PLAIN, 403, DATA),
    ("500 000 folds", lambda: more("X-F:x" + "\r\n " * 500_000), 201, ""),
    ("500 000 empty lines", lambda: PLAIN.replace("SUMMARY", "\r\n" * 500_000 + "SUMMARY"), 201, ""),
    ("a line without a colon", more("SUMMARY"), 403, DATA),
    ("a line without a name", more(":x"), 403, DATA),
    ("a name of odd letters", more("SÜMMARY:x"), 403, DATA),
    ("a million colons", lambda: more("X-C" + ":" * 1_000_000), 201, ""),
    ("a million semicolons", lambda: more("X-C" + ";" * 1_000_000 + ":x"), 201, ""),
    ("a million backslashes", lambda: more("X-C:" + "\\" * 1_000_000), 201, ""),
    ("a million quotes", lambda: more('X-C;P="' + '"' * 1_000_000 + ":x"), 201, ""),
    ("a quote that nobody closes", more('SUMMARY;X="a:b'), 201, ""),
    ("50 000 quotes that nobody closes", lambda: more('X-Q;X="' * 50_000 + ":x"), 201, ""),
    ("a parameter without a value", more("SUMMARY;X:x"), 201, ""),
    ("a parameter without a name", more("SUMMARY;=y:x"), 201, ""),
    ("a parameter of equals signs", more("SUMMARY;====:x"), 201, ""),
    ("the same parameter 1 000 times", more("SUMMARY" + ";X=y" * 1000 + ":x"), 201, ""),
    ("100 000 parameters", lambda: more("X-P" + "".join(f";X-P{n}=x" for n in range(100_000)) + ":x"), 201, ""),
    ("100 000 values of a parameter", lambda: more("X-P;X=" + "a," * 100_000 + "b:x"), 201, ""),
    ("a million carets", lambda: more('X-P;X="' + "^" * 1_000_000 + '":x'), 201, ""),
    ("a TZID with a quote", PLAIN.replace("DTSTART:20260301T100000Z", 'DTSTART;TZID="a"b":20260301T100000'), 201, ""),
    ("VALUE of another kind", PLAIN.replace("DTSTART:", "DTSTART;VALUE=BINARY:"), 201, ""),
    ("a property of 9 MB", lambda: more("DESCRIPTION:" + "x" * 9_000_000), 201, ""),
    ("a property of 9 MB of one letter, folded", lambda: more("DESCRIPTION:" + "\r\n x" * 2_250_000), 201, ""),
    ("an object of 11 MB", lambda: more("DESCRIPTION:" + "x" * 11_000_000), 403, "max-resource-size"),
    ("a body of 101 MB", lambda: b"x" * 101_000_000, 413, ""),
    ("20 000 lines", lambda: more(*(f"X-L{n}:{n}" for n in range(20_000))), 201, ""),
    ("20 000 lines of a zone each", lambda: more(*(f"X-L;TZID={n}:1" for n in range(20_000))), 201, ""),
    ("100 000 lines", lambda: more(*(f"X-L{n}:{n}" for n in range(100_000))), 403, DATA),
    ("3 000 000 lines", lambda: more("A:\r\n" * 3_000_000), 403, "max-resource-size"),
    ("2 000 000 lines", lambda: more("A:\r\n" * 2_000_000), 403, DATA),
    ("90 000 lines of 100 octets", lambda: more(*(f"ATTENDEE;CN={n:070}:mailto:{n:06}@x.org" for n in range(90_000))), 403, "max-attendees-per-instance"),
    ("11 000 components", lambda: more(*["BEGIN:VALARM", "END:VALARM"] * 11_000), 201, ""),
    ("100 000 components", lambda: more(*["BEGIN:VALARM", "END:VALARM"] * 100_000), 403, DATA),
    ("40 levels", more(*["BEGIN:X-A"] * 40, *["END:X-A"] * 40), 201, ""),
    ("60 levels", more(*["BEGIN:X-A"] * 60, *["END:X-A"] * 60), 403, DATA),
    ("10 000 levels", lambda: more(*["BEGIN:X-A"] * 10_000, *["END:X-A"] * 10_000), 403, DATA),
    ("100 000 beginnings", b"BEGIN:VCALENDAR\r\n" * 100_000, 403, DATA),
    ("100 000 ends", b"END:VCALENDAR\r\n" * 100_000, 403, DATA),
    ("ends in another order", PLAIN.replace("END:VEVENT\r\nEND:VCALENDAR", "END:VCALENDAR\r\nEND:VEVENT"), 403, DATA),
    ("an end of another kind", PLAIN.replace("END:VEVENT", "END:VTODO"), 403, DATA),
    ("an end without a name", PLAIN.replace("END:VEVENT", "END:"), 403, DATA),
    ("a beginning without a name", more("BEGIN:", "END:"), 201, ""),
    ("a component of 1 MB of name", lambda: more("BEGIN:" + "X" * 1_000_000, "END:" + "X" * 1_000_000), 201, ""),
    ("lower case", PLAIN.lower(), 201, ""),
    ("text before", "x\r\n" + PLAIN, 403, DATA),
    ("text behind", PLAIN + "x:y\r\n", 403, DATA),
    ("NUL behind", PLAIN.encode() + b"\x00", 403, DATA),
    ("markup", PLAIN.replace("SUMMARY:x", "SUMMARY:]]></prop><script>&"), 201, ""),
    ("an event of HTML", "<html><body>x</body></html>", 403, DATA),
    ("a zip", b"PK\x03\x04" + bytes(range(256)), 403, DATA),
    ("JSON", '["vcalendar", [], []]', 403, DATA),
    ("an XML calendar", '<icalendar xmlns="urn:ietf:params:xml:ns:icalendar-2.0"/>', 403, DATA),
    ("an attachment of a file of ours", more("ATTACH:file:///etc/passwd"), 201, ""),
    ("an attachment of 8 MB", lambda: more("ATTACH;ENCODING=BASE64;VALUE=BINARY:" + "QUJD" * 2_000_000), 201, ""),
    ("an attachment of rubbish", more("ATTACH;ENCODING=BASE64;VALUE=BINARY:!!!"), 201, ""),
    ("a formula", PLAIN.replace("SUMMARY:x", "SUMMARY:=cmd|' /C calc'!A0"), 201, ""),
    ("a place on another planet", more("GEO:1e999;NaN"), 201, ""),
    ("a sequence of 5 000 digits", more(f"SEQUENCE:{'9' * 5000}"), 201, ""),
    ("a negative sequence", more("SEQUENCE:-1"), 201, ""),
    ("an organizer of lines", more("ORGANIZER:mailto:a@example.com\\nBcc: b@example.com"), 201, ""),
)  # fmt: skip

CALENDAR = (("Content-Type", "text/calendar; charset=utf-8"),)

CASES = tuple(
    Case(name, "PUT", NEW, status, condition, body, CALENDAR)
    for table in (REQUIRED, TIMES, RULES, TEXTS)
    for name, body, status, condition in table
)
