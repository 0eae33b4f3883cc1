"""The table of pages: address, what answers, and who may see it."""

from __future__ import annotations

import enum
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from calsync.dav.request import Response
from calsync.web import account, devices, files, let_in, openid, profile, second_step, sign_in, start

if TYPE_CHECKING:
    from calsync.web.visit import Visit

Run = Callable[["Visit"], Response]


class Who(enum.Enum):
    """For whom a page is."""

    FILE = "file"  # anybody; nothing depends on who asks
    APP = "app"  # a program; no cookie, no form of ours
    ANYBODY = "anybody"
    CODE = "code"  # whose password held, and whose second step is due
    SETTING_UP = "setup"  # who has to set up a second step, or wants to
    SIGNED_IN = "full"


@dataclass(frozen=True, slots=True)
class Route:
    """`path` is below `/.calsync/`; `{name}` stands for one segment."""

    path: str
    who: Who
    get: Run | None = None
    post: Run | None = None


ROUTES: Final = (
    Route("", Who.SIGNED_IN, start.show),
    Route("sign-in", Who.ANYBODY, sign_in.ask, sign_in.check),
    Route("sign-in/code", Who.CODE, sign_in.ask_code, sign_in.check_code),
    Route("sign-in/openid", Who.ANYBODY, openid.begin),
    Route("sign-in/openid/back", Who.ANYBODY, openid.finish),
    Route("sign-out", Who.ANYBODY, None, sign_in.out),
    Route("devices", Who.SIGNED_IN, devices.show),
    Route("devices/add", Who.SIGNED_IN, devices.ask, devices.add),
    Route("devices/profile", Who.SIGNED_IN, None, profile.download),
    Route("devices/{id}/revoke", Who.SIGNED_IN, devices.ask_revoke, devices.revoke),
    Route("account", Who.SIGNED_IN, account.show),
    Route("account/details", Who.SIGNED_IN, account.ask_details, account.set_details),
    Route("account/password", Who.SIGNED_IN, account.ask_password, account.set_password),
    Route("account/sessions/end", Who.SIGNED_IN, None, account.end_session),
    Route("account/second-step/set-up", Who.SETTING_UP, second_step.ask, second_step.confirm),
    Route("account/second-step/codes", Who.SIGNED_IN, second_step.ask_codes, second_step.renew_codes),
    Route("account/second-step/off", Who.SIGNED_IN, second_step.ask_off, second_step.off),
    Route("let-in/{token}", Who.SIGNED_IN, let_in.ask, let_in.decide),
    Route("login-flow", Who.APP, None, let_in.begin),
    Route("login-flow/poll", Who.APP, None, let_in.poll),
    Route("static/{digest}/{name}", Who.FILE, files.send),
)

#: An address that may stand in a redirect as it is: nothing that ends a header, changes the host or leads upwards.
_PLAINLY: Final = re.compile(r"[A-Za-z0-9_~/-]*").fullmatch

_PLAIN: Final = {route.path: route for route in ROUTES if "{" not in route.path}
_PATTERNS: Final = tuple((tuple(route.path.split("/")), route) for route in ROUTES if "{" in route.path)


def find(rest: str) -> tuple[Route | None, Mapping[str, str]]:
    """The route of an address, and what its pattern matched."""
    route = _PLAIN.get(rest.removesuffix("/"))
    if route is not None:
        return route, {}
    parts = rest.split("/")
    for pattern, one in _PATTERNS:
        if len(pattern) == len(parts) and all(
            part == wanted or (wanted[:1] == "{" and part) for part, wanted in zip(parts, pattern, strict=True)
        ):
            return one, {wanted[1:-1]: part for part, wanted in zip(parts, pattern, strict=True) if wanted[:1] == "{"}
    return None, {}


def local(wanted: str) -> str:
    """Where to go after the sign-in: a page of ours that can be looked at, never another place."""
    route, _ = find(wanted) if _PLAINLY(wanted) else (None, {})
    return wanted if route is not None and route.get is not None and route.who is Who.SIGNED_IN else ""
