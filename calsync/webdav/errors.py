"""The exception is the response: status, precondition and headers, with a hint that goes to the log only."""

from __future__ import annotations

from collections.abc import Mapping


class DavError(Exception):
    """A refusal that is answered as it stands.

    `status`: the HTTP status. `condition`: Clark name of the precondition element that goes into `D:error`
    (`conditions` lists them), or None. `detail`: XML inside that element, already escaped. `headers`: extra response
    headers. `hint`: for the log, one line, never sent to a client for a 5xx; `text`: what is sent then in its place.
    """

    status: int = 500

    def __init__(
        self,
        hint: str = "",
        *,
        condition: str | None = None,
        detail: bytes = b"",
        headers: Mapping[str, str] | None = None,
        status: int | None = None,
        text: str = "",
    ) -> None:
        super().__init__(hint)
        if status is not None:
            self.status = status
        self.condition = condition
        self.detail = detail
        self.headers: dict[str, str] = dict(headers or {})
        self.hint = hint
        self.text = text


class BadRequest(DavError):
    status = 400


class Unauthorized(DavError):
    status = 401


class Forbidden(DavError):
    status = 403


class NotFound(DavError):
    status = 404


class MethodNotAllowed(DavError):
    status = 405


class NotAcceptable(DavError):
    status = 406


class Conflict(DavError):
    status = 409


class PreconditionFailed(DavError):
    status = 412


class ContentTooLarge(DavError):
    status = 413


class UnsupportedMediaType(DavError):
    status = 415


class UnprocessableContent(DavError):
    status = 422


class Locked(DavError):
    status = 423


class TooManyRequests(DavError):
    status = 429


class InternalServerError(DavError):
    status = 500


class BadGateway(DavError):
    status = 502


class ServiceUnavailable(DavError):
    status = 503


class InsufficientStorage(DavError):
    status = 507
