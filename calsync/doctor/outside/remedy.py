"""What an answer that no client can use was, and what most likely helps."""

from __future__ import annotations

from typing import Final

from calsync.doctor.outside.reply import Reply

#: Answers of a proxy that does not know the method.
_UNKNOWN: Final = frozenset({400, 403, 405, 501})


def what_came(reply: Reply) -> str:
    """In a few words."""
    if reply.status == 207:
        return "a 207 that broke off" if not reply.whole else "a 207 without what was asked"
    if reply.location:
        return f"{reply} to {reply.location}"
    return f"{reply}{', a page for people' if reply.is_page else ''}"


def remedy(reply: Reply, what: str) -> str:
    """What most likely helps."""
    if reply.status == 207 and not reply.whole:
        return "the answer is cut on its way: raise the proxy's limits and time-outs"
    if reply.status == 401:
        return "the proxy drops Authorization, or the server has another password for this place"
    if reply.status == 413:
        return "raise the size of bodies that the proxy takes (nginx: client_max_body_size 100m;)"
    if reply.status in (502, 503, 504):
        return "the server behind the proxy does not answer: is it running, and is its time-out long enough?"
    if reply.status in _UNKNOWN:
        return f"let the proxy pass {reply.method} on with its body (no limit_except, no <Limit>, no WAF rule for it)"
    if reply.location:
        return "lead there at once, over https"
    return f"see the server's log for {what}"
