"""calsync: a calendar and contacts sync server (CalDAV, CardDAV) that extends Radicale."""

__version__ = "0.1.0"
