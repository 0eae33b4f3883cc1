"""XML that is none, that is too much of it, or that is of somebody else."""

from __future__ import annotations

from tests.hostile.case import BOOK, HOME, SPACES, Case

XML = (("Content-Type", "application/xml"), ("Depth", "0"))
ROOT = '<propfind xmlns="DAV:">'
LAUGHS = "".join('<!ENTITY e{} "{}">'.format(n + 1, f"&e{n};" * 8) for n in range(20))
QUADRATIC = '<!DOCTYPE x [<!ENTITY a "{}">]><x>{}</x>'.format("a" * 50_000, "&a;" * 5000)


def deep(levels: int) -> str:
    return ROOT + "<a>" * levels + "</a>" * levels + "</propfind>"


#: Refused by whatever reads XML, before anybody asks what it says.
UNREADABLE = (
    ("a document type", '<!DOCTYPE propfind><propfind xmlns="DAV:"><allprop/></propfind>', 400),
    ("a document type in lower case", '<!doctype propfind><propfind xmlns="DAV:"><allprop/></propfind>', 400),
    ("an entity", f'<!DOCTYPE x [<!ENTITY e "x">]>{ROOT}<prop><a>&e;</a></prop></propfind>', 400),
    ("an entity of a file", f'<!DOCTYPE x [<!ENTITY e SYSTEM "file:///etc/passwd">]>{ROOT}&e;</propfind>', 400),
    ("an entity of a host", f'<!DOCTYPE x [<!ENTITY e SYSTEM "http://127.0.0.1:1/">]>{ROOT}&e;</propfind>', 400),
    ("a parameter entity", f'<!DOCTYPE x [<!ENTITY % p SYSTEM "file:///dev/zero"> %p;]>{ROOT}</propfind>', 400),
    ("an external subset", f'<!DOCTYPE x SYSTEM "file:///dev/zero">{ROOT}</propfind>', 400),
    ("a public identifier", f'<!DOCTYPE x PUBLIC "-//W3C//DTD XHTML 1.0//EN" "x">{ROOT}</propfind>', 400),
    ("many laughs", f'<!DOCTYPE x [<!ENTITY e0 "ha">{LAUGHS}]>{ROOT}&e20;</propfind>', 400),
    ("a long laugh", QUADRATIC, 400),
    ("an attribute from a document type", f'<!DOCTYPE x [<!ATTLIST x a CDATA "&#60;">]>{ROOT}</propfind>', 400),
    ("a document type after a comment", f"<?xml version='1.0'?><!-- x --><!DOCTYPE x>{ROOT}</propfind>", 400),
    ("a document type after many comments", lambda: "<!-- x -->" * 100_000 + f"<!DOCTYPE x>{ROOT}</propfind>", 400),
    ("a document type in UTF-16", f"<!DOCTYPE x>{ROOT}</propfind>".encode("utf-16"), 400),
    ("a document type in UTF-16, no mark", f"<!DOCTYPE x>{ROOT}</propfind>".encode("utf-16-le"), 400),
    ("an undeclared entity", f"{ROOT}<prop><a>&nope;</a></prop></propfind>", 400),
    ("an entity of HTML", f"{ROOT}<prop><a>&nbsp;</a></prop></propfind>", 400),
    ("half an entity", f"{ROOT}&am</propfind>", 400),
    ("a control character by number", f"{ROOT}<prop><a>&#1;</a></prop></propfind>", 400),
    ("NUL by number", f"{ROOT}<prop><a>&#0;</a></prop></propfind>", 400),
    ("half a letter by number", f"{ROOT}<prop><a>&#xD800;</a></prop></propfind>", 400),
    ("a letter beyond by number", f"{ROOT}<prop><a>&#x110000;</a></prop></propfind>", 400),
    ("a letter of many digits", f"{ROOT}<prop><a>&#{'9' * 10_000};</a></prop></propfind>", 400),
    ("U+FFFE", f"{ROOT}<prop><a>￾</a></prop></propfind>", 400),
    ("a control character", f"{ROOT}<prop><a>\x01</a></prop></propfind>", 400),
    ("200 levels", deep(200), 400),
    ("5 000 levels", deep(5000), 400),
    ("100 000 levels, never closed", lambda: "<a>" * 100_000, 400),
    ("120 000 levels", lambda: deep(120_000), 400),
    ("200 000 levels", lambda: deep(200_000), 413),
    ("300 000 attributes", lambda: "<propfind " + " ".join(f'a{n}="x"' for n in range(300_000)) + "/>", 413),
    ("300 000 elements", lambda: ROOT + "<a/>" * 300_000 + "</propfind>", 413),
    ("300 000 namespaces", lambda: "<x " + " ".join(f'xmlns:n{n}="u:{n}"' for n in range(300_000)) + "/>", 413),
    ("17 MB of text", lambda: f"{ROOT}<a>{'x' * 17_000_000}</a></propfind>", 413),
    ("11 MB in one text", lambda: f"{ROOT}<a>{'x' * 11_000_000}</a></propfind>", 400),
    ("the same attribute twice", '<propfind xmlns="DAV:" a="1" a="2"/>', 400),
    ("the same attribute by two prefixes", '<x xmlns:a="DAV:" xmlns:b="DAV:" a:c="1" b:c="2"/>', 400),
    ("an undeclared prefix", "<D:propfind/>", 400),
    ("an undeclared prefix of an attribute", '<propfind xmlns="DAV:" x:a="1"/>', 400),
    ("a prefix that is taken back", '<D:propfind xmlns:D=""/>', 400),
    ("the prefix xmlns", '<xmlns:propfind xmlns="DAV:"/>', 400),
    ("the prefix xml, another's", '<propfind xmlns="DAV:" xmlns:xml="urn:x"/>', 400),
    ("two colons in a name", '<a:b:c xmlns:a="DAV:"/>', 400),
    ("a name of digits", "<1/>", 400),
    ("a second root", f"{ROOT}<allprop/></propfind><x/>", 400),
    ("text behind the root", f"{ROOT}<allprop/></propfind>x", 400),
    ("text before the root", f"x{ROOT}<allprop/></propfind>", 400),
    ("a declaration in the middle", f"{ROOT}<?xml version='1.0'?></propfind>", 400),
    ("a declaration after a blank", f" <?xml version='1.0'?>{ROOT}<allprop/></propfind>", 400),
    ("a version beyond", f"<?xml version='9.9'?>{ROOT}<allprop/></propfind><", 400),
    ("the start of a declaration", '<?xml version="1.0"', 400),
    ("an instruction without its end", f"{ROOT}<?x ", 400),
    ("a comment without its end", f"{ROOT}<!-- ", 400),
    ("two dashes in a comment", f"{ROOT}<!-- -- --></propfind>", 400),
    ("CDATA without its end", f"{ROOT}<a><![CDATA[", 400),
    ("CDATA outside of the root", f"<![CDATA[x]]>{ROOT}</propfind>", 400),
    ("the end of CDATA alone", f"{ROOT}<a>]]></a></propfind>", 400),
    ("elements that overlap", f"{ROOT}<a><b></a></b></propfind>", 400),
    ("an element without its end", f"{ROOT}<prop>", 400),
    ("an end alone", "</propfind>", 400),
    ("an attribute without quotes", "<propfind xmlns=DAV:/>", 400),
    ("a tag in an attribute", '<propfind xmlns="DAV:" a="<"/>', 400),
    ("an ampersand", f"{ROOT}&</propfind>", 400),
    ("bad UTF-8", b'<?xml version="1.0" encoding="utf-8"?><propfind xmlns="DAV:"><a>\xff</a></propfind>', 400),
    ("overlong UTF-8", b'<propfind xmlns="DAV:"><a>\xc0\xbc</a></propfind>', 400),
    ("half a letter in UTF-8", b'<propfind xmlns="DAV:"><a>\xed\xa0\x80</a></propfind>', 400),
    ("Latin-1, undeclared", f"{ROOT}<a>é</a></propfind>".encode("latin-1"), 400),
    ("ASCII that is none", b'<?xml version="1.0" encoding="us-ascii"?><propfind xmlns="DAV:"><a>\xc3\xa9</a></propfind>', 400),
    ("UTF-7", b'<?xml version="1.0" encoding="utf-7"?>+ADw-propfind xmlns=+ACI-DAV:+ACI-/+AD4-', 415),
    ("an encoding that nobody has", f"<?xml version='1.0' encoding='x-none'?>{ROOT}</propfind>", 415),
    ("a codec that is no encoding", f"<?xml version='1.0' encoding='rot13'?>{ROOT}</propfind>", 415),
    ("an encoding with a path", f"<?xml version='1.0' encoding='../../x'?>{ROOT}</propfind>", 400),
    ("EBCDIC", "<?xml version='1.0' encoding='cp037'?><propfind/>".encode("cp037"), 400),
    ("half of UTF-16", f"{ROOT}<allprop/></propfind>".encode("utf-16")[:-3], 400),
    ("UTF-16 with half a letter", b"\xff\xfe" + f"{ROOT}<a>".encode("utf-16-le") + b"\x00\xd8" + "</a></propfind>".encode("utf-16-le"), 400),
    ("UTF-16 by name, UTF-8 by nature", f"<?xml version='1.0' encoding='utf-16'?>{ROOT}</propfind>", 400),
    ("UTF-32", f"{ROOT}<allprop/></propfind>".encode("utf-32"), 400),
    ("a mark and nothing", b"\xef\xbb\xbf", 400),
    ("NUL", b"\x00" * 1000, 400),
    ("NUL inside", f"{ROOT}\x00</propfind>", 400),
    ("octets of chance", bytes(range(256)) * 100, 400),
    ("JSON", '{"propfind": {"allprop": true}}', 400),
    ("a form", "propfind=allprop", 400),
    ("HTML", "<html><body><p>x<br></body></html>", 400),
    ("a calendar", "BEGIN:VCALENDAR\r\nEND:VCALENDAR\r\n", 400),
)  # fmt: skip

#: Well-formed, and not what the method asks for.
OTHERS = (
    ("no namespace", "PROPFIND", HOME, "<propfind><allprop/></propfind>", 400, ""),
    ("another namespace", "PROPFIND", HOME, '<propfind xmlns="dav:"><allprop/></propfind>', 400, ""),
    ("a namespace with a blank", "PROPFIND", HOME, '<propfind xmlns="DAV: "><allprop/></propfind>', 400, ""),
    ("two marks", "PROPFIND", HOME, b"\xef\xbb\xbf" * 2 + f"{ROOT}<allprop/></propfind>".encode(), 207, ""),
    ("another root", "PROPFIND", HOME, f"<propertyupdate {SPACES}/>", 400, ""),
    ("an upper-case root", "PROPFIND", HOME, f"<PROPFIND {SPACES}/>", 400, ""),
    ("nothing asked for", "PROPFIND", HOME, f"<propfind {SPACES}/>", 400, ""),
    ("prop and allprop", "PROPFIND", HOME, f"<propfind {SPACES}><prop/><allprop/></propfind>", 400, ""),
    ("prop twice", "PROPFIND", HOME, f"<propfind {SPACES}><prop><owner/></prop><prop><acl/></prop></propfind>", 400, ""),
    ("allprop twice", "PROPFIND", HOME, f"<propfind {SPACES}><allprop/><allprop/></propfind>", 400, ""),
    ("an instruction", "PROPFIND", HOME, f"<?php x?><propfind {SPACES}><?x y?><allprop/></propfind>", 207, ""),
    ("CDATA", "PROPFIND", HOME, f"<propfind {SPACES}><![CDATA[<x>]]><allprop/></propfind>", 207, ""),
    ("XInclude", "PROPFIND", HOME, f'<propfind {SPACES} xmlns:xi="http://www.w3.org/2001/XInclude"><prop>'
     '<xi:include href="file:///etc/passwd" parse="text"/></prop></propfind>', 207, ""),
    ("a style sheet", "PROPFIND", HOME, f"<?xml-stylesheet href='file:///etc/passwd'?><propfind {SPACES}><allprop/></propfind>", 207, ""),
    ("a schema", "PROPFIND", HOME, '<propfind xmlns="DAV:" xmlns:s="http://www.w3.org/2001/XMLSchema-instance" '
     's:schemaLocation="DAV: http://127.0.0.1:1/"><allprop/></propfind>', 207, ""),
    ("90 levels", "PROPFIND", HOME, deep(90).replace("<a>", "<allprop/><a>", 1), 207, ""),
    ("40 000 properties", "PROPFIND", HOME, lambda: f"<propfind {SPACES}><prop>" + "".join(f"<p{n}/>" for n in range(40_000)) + "</prop></propfind>", 400, ""),
    ("the same property 50 000 times", "PROPFIND", HOME, lambda: f"<propfind {SPACES}><prop>{'<acl/>' * 50_000}</prop></propfind>", 207, ""),
    ("a long name", "PROPFIND", HOME, lambda: f"<propfind {SPACES}><prop><{'a' * 40_000}/></prop></propfind>", 207, ""),
    ("a long namespace", "PROPFIND", HOME, lambda: f"<propfind {SPACES}><prop><x:a xmlns:x='urn:{'a' * 1_000_000}'/></prop></propfind>", 207, ""),
    ("an odd namespace", "PROPFIND", HOME, f"<propfind {SPACES}><prop><x:a xmlns:x='}}{{&lt;&quot;&#10;'/></prop></propfind>", 400, ""),
    ("no namespace for a property", "PROPFIND", HOME, f"<propfind {SPACES}><prop><a xmlns=''/></prop></propfind>", 207, ""),
    ("nothing to set", "PROPPATCH", HOME, f"<propertyupdate {SPACES}/>", 400, ""),
    ("set without prop", "PROPPATCH", HOME, f"<propertyupdate {SPACES}><set/></propertyupdate>", 400, ""),
    ("a protected property", "PROPPATCH", HOME, f"<propertyupdate {SPACES}><set><prop><getetag>x</getetag></prop></set></propertyupdate>", 207, "cannot-modify-protected-property"),
    ("a resource type", "PROPPATCH", HOME, f"<propertyupdate {SPACES}><set><prop><resourcetype/></prop></set></propertyupdate>", 207, "cannot-modify-protected-property"),
    ("an owner", "PROPPATCH", HOME, f"<propertyupdate {SPACES}><set><prop><owner><href>/bert/</href></owner></prop></set></propertyupdate>", 207, "cannot-modify-protected-property"),
    ("a calendar's time zone that is none", "PROPPATCH", HOME, f"<propertyupdate {SPACES}><set><prop><C:calendar-timezone>x</C:calendar-timezone></prop></set></propertyupdate>", 207, "valid-calendar-data"),
    ("300 dead properties", "PROPPATCH", HOME, "".join((f"<propertyupdate {SPACES} xmlns:x='urn:x'><set><prop>", *(f"<x:p{n}>v</x:p{n}>" for n in range(300)), "</prop></set></propertyupdate>")), 207, ""),
    ("a dead property of 9 MB", "PROPPATCH", HOME, lambda: f"<propertyupdate {SPACES}><set><prop><x xmlns='urn:x'>{'y' * 9_000_000}</x></prop></set></propertyupdate>", 207, "status>HTTP/1.1 507"),
    ("a displayname of 9 MB", "PROPPATCH", HOME, lambda: f"<propertyupdate {SPACES}><set><prop><displayname>{'y' * 9_000_000}</displayname></prop></set></propertyupdate>", 207, "status>HTTP/1.1 507"),
    ("nothing at all", "PROPPATCH", HOME, "", 400, ""),
    ("nothing at all", "REPORT", HOME, "", 400, ""),
    ("a report that nobody knows", "REPORT", HOME, f"<everything {SPACES}/>", 403, "supported-report"),
    ("a report of no namespace", "REPORT", HOME, "<calendar-query/>", 403, "supported-report"),
    ("a calendar's report on a book", "REPORT", BOOK, f"<C:free-busy-query {SPACES}><C:time-range start='20200101T000000Z' end='20210101T000000Z'/></C:free-busy-query>", 403, "supported-report"),
    ("a book's report on a calendar", "REPORT", HOME, f"<R:addressbook-query {SPACES}><prop/></R:addressbook-query>", 403, "supported-report"),
    ("another root", "MKCALENDAR", "/anna/n/", f"<mkcol {SPACES}/>", 415, ""),
    ("another root", "MKCOL", "/anna/n/", f"<C:mkcalendar {SPACES}/>", 415, ""),
    ("a resource type that nobody has", "MKCOL", "/anna/n/", f"<mkcol {SPACES}><set><prop><resourcetype><collection/><x/></resourcetype></prop></set></mkcol>", 403, "valid-resourcetype"),
    ("two resource types", "MKCOL", "/anna/n/", f"<mkcol {SPACES}><set><prop><resourcetype><collection/><C:calendar/><R:addressbook/></resourcetype></prop></set></mkcol>", 403, "valid-resourcetype"),
    ("no collection", "MKCOL", "/anna/n/", f"<mkcol {SPACES}><set><prop><resourcetype><C:calendar/></resourcetype></prop></set></mkcol>", 403, "valid-resourcetype"),
    ("a principal", "MKCOL", "/anna/n/", f"<mkcol {SPACES}><set><prop><resourcetype><collection/><principal/></resourcetype></prop></set></mkcol>", 403, "valid-resourcetype"),
    ("a read lock", "LOCK", f"{HOME}a.ics", f"<lockinfo {SPACES}><lockscope><exclusive/></lockscope><locktype><read/></locktype></lockinfo>", 400, ""),
    ("no scope", "LOCK", f"{HOME}a.ics", f"<lockinfo {SPACES}><locktype><write/></locktype></lockinfo>", 400, ""),
    ("both scopes", "LOCK", f"{HOME}a.ics", f"<lockinfo {SPACES}><lockscope><exclusive/><shared/></lockscope><locktype><write/></locktype></lockinfo>", 400, ""),
    ("two scopes", "LOCK", f"{HOME}a.ics", f"<lockinfo {SPACES}><lockscope><exclusive/></lockscope><lockscope><shared/></lockscope><locktype><write/></locktype></lockinfo>", 400, ""),
    ("another root", "LOCK", f"{HOME}a.ics", f"<propfind {SPACES}/>", 400, ""),
    ("an owner of 1 MB", "LOCK", f"{HOME}a.ics", lambda: f"<lockinfo {SPACES}><lockscope><exclusive/></lockscope><locktype><write/></locktype><owner>{'x' * 1_000_000}</owner></lockinfo>", 413, ""),
    ("a refresh of no lock", "LOCK", f"{HOME}a.ics", "", 400, ""),
)  # fmt: skip

METHODS = (("PROPFIND", HOME), ("REPORT", HOME), ("PROPPATCH", f"{HOME}a.ics"), ("MKCALENDAR", "/anna/n/"))

CASES = tuple(
    Case(name, method, path, status, body=body, headers=XML)
    for name, body, status in UNREADABLE
    for method, path in METHODS
) + tuple(
    Case(name, method, path, status, condition, body, XML) for name, method, path, body, status, condition in OTHERS
)
