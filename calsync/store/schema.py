"""What is stored. Keys begin with the owner, a principal's id, so that any table can be cut by owner.

`seq` is the owner's counter: whatever changes takes its next value. An id is the value that was taken at creation, so
ids of collections and items never meet within an owner, and grow with time. Instants are seconds since 1970, UTC;
flags are 0 or 1; texts compare octet by octet. Rows are tied by ids without foreign keys: all are written by
`calsync.store` in one transaction, and `verify` looks for strays.

SQLite keeps narrow tables in the order of their primary key (`WITHOUT ROWID`), so the listing of a collection is a walk
along the table itself; the tables with large values are heaps with an index.
"""

from __future__ import annotations

from typing import Any, Final

from sqlalchemy import BigInteger, Column, Index, Integer, LargeBinary, MetaData, Table, Text
from sqlalchemy.dialects.postgresql import TEXT as PostgresText

METADATA: Final = MetaData(naming_convention={"pk": "%(table_name)s_key"})

# The order of texts must be that of their octets where a range is searched, whatever the database's locale is.
Plain: Final = Text().with_variant(PostgresText(collation="C"), "postgresql")
Identity: Final = BigInteger().with_variant(Integer(), "sqlite")


def _key(name: str, kind: Any = BigInteger) -> Column[Any]:
    return Column(name, kind, primary_key=True, autoincrement=False)


def _number(name: str, default: int | None = None) -> Column[Any]:
    return Column(name, BigInteger, nullable=False, server_default=None if default is None else str(default))


def _text(name: str, default: str | None = None) -> Column[Any]:
    return Column(name, Plain, nullable=False, server_default=default)


meta: Final = Table("meta", METADATA, _key("key", Plain), Column("value", LargeBinary, nullable=False))
"""Facts of the store itself: secrets, counters, the occurrence window."""

principal: Final = Table(
    "principal",
    METADATA,
    _key("id", Identity),
    _text("name"),  # NFC, as it was given
    _text("name_key"),  # NFC + casefold: how names are compared
    _text("kind"),
    _number("seq"),
    _text("epoch"),  # changes only where history is lost
    _number("horizon"),  # the same for the tombstones of the home
    _text("properties"),  # JSON object: Clark name → the element, whole
    _number("created"),
    _number("modified"),
)
Index("principal_name", principal.c.name_key, unique=True)

collection: Final = Table(
    "collection",
    METADATA,
    _key("owner"),
    _key("id"),
    _text("kind"),
    _text("components"),  # of the calendar's set, separated by commas; empty is all
    _text("properties"),
    _number("seq"),  # of the last change in it or of it
    _number("horizon"),  # all its tombstones with a greater seq are still there
    _number("item_count"),
    _number("octet_count"),
    _number("created"),
    _number("modified"),
)

mount: Final = Table(
    "mount",
    METADATA,
    _key("principal"),  # whose home it is seen in
    _key("parent"),  # a collection of that principal, 0 for the home
    _key("name", Plain),
    _text("url"),  # the name, percent-encoded
    _number("owner"),  # of the collection: the principal itself, or somebody who shares it
    _number("collection"),
    _number("bound"),  # the principal's seq when this name became this collection
    _number("position"),  # order in the home
    Column("displayname", Plain),  # the principal's own, over the collection's
    Column("color", Plain),
    sqlite_with_rowid=False,
)
"""How a principal sees a collection, its own or a share: the path name and what is the viewer's own."""
Index("mount_collection", mount.c.owner, mount.c.collection)

item: Final = Table(
    "item",
    METADATA,
    _key("owner"),
    _key("collection"),
    _key("id"),
    _text("href"),
    _text("url"),  # the href, percent-encoded
    _text("uid"),
    _text("uid_key"),  # folded, for searches
    _number("uid_length"),  # characters of the key
    _text("component"),  # VEVENT, …, VCARD, VLIST; empty for a file
    _text("etag"),  # sha256 of the octets in hex: the checksum too
    _number("size"),  # octets
    _number("first"),  # instants; of floating and all-day times the wall time read as UTC
    _number("last"),
    Column("span", Integer),  # class of length (`occurrences.span_of`), NULL where time means nothing
    _number("recurring"),
    _number("floating"),
    _text("busy", ""),  # of an event: the FBTYPE of all its instances, FREE too; empty where only its octets can tell
    _text("organizer", ""),
    Column("schedule_tag", Text),
    _text("content_type", ""),  # of a file, as it was sent
    _number("seq"),
    _number("created"),
    _number("modified"),
    _number("derived"),  # generation of the rows derived from the octets (`occurrences.Window`)
    sqlite_with_rowid=False,
)
Index("item_href", item.c.owner, item.c.collection, item.c.href, unique=True)
Index("item_uid", item.c.owner, item.c.uid_key, item.c.collection)
Index("item_uid_length", item.c.owner, item.c.collection, item.c.uid_length)
Index(
    "item_time",
    item.c.owner,
    item.c.collection,
    item.c.component,
    item.c.span,
    item.c.first,
    item.c.last,
    sqlite_where=item.c.span.is_not(None),
    postgresql_where=item.c.span.is_not(None),
)

#: What a listing shows of an item; in SQLite a sync reads it from the index alone.
LISTED: Final = (
    item.c.id,
    item.c.url,
    item.c.etag,
    item.c.component,
    item.c.size,
    item.c.seq,
    item.c.created,
    item.c.modified,
    item.c.content_type,
)
_DELTA: Final = (item.c.owner, item.c.collection, item.c.seq)
_SHOWN: Final = tuple(column for column in LISTED if column is not item.c.seq)
Index("item_delta", *_DELTA, *_SHOWN).ddl_if(dialect="sqlite")
# In PostgreSQL all that would make the index ten times as large, and save a third of a microsecond an item.
Index("item_changed", *_DELTA).ddl_if(dialect="postgresql")

body: Final = Table(
    "body",
    METADATA,
    _key("owner"),
    _key("item"),
    Column("octets", LargeBinary, nullable=False),  # as the client sent them
    Column("spans", LargeBinary, nullable=False),  # offsets of the components (`calsync.ical.facts`)
)

tombstone: Final = Table(
    "tombstone",
    METADATA,
    _key("owner"),
    _key("collection"),  # 0: of the home
    _key("href", Plain),  # of a collection: its name and a slash
    _text("url"),
    _number("seq"),
    _number("deleted"),
    sqlite_with_rowid=False,
)
Index("tombstone_delta", tombstone.c.owner, tombstone.c.collection, tombstone.c.seq, tombstone.c.url)

occurrence: Final = Table(
    "occurrence",
    METADATA,
    _key("owner"),
    _key("collection"),
    _key("bucket"),  # which stretch of time (`occurrences.BUCKET`)
    _key("item"),
    Column("packed", LargeBinary, nullable=False),  # the occurrences that touch it (`occurrences.pack`)
    sqlite_with_rowid=False,
)
"""When recurring items occur, within the window; one row an item and a stretch of time."""
Index("occurrence_item", occurrence.c.owner, occurrence.c.item)

card_field: Final = Table(
    "card_field",
    METADATA,
    _key("owner"),
    _key("item"),
    _key("place"),
    _number("collection"),
    _text("name"),
    _text("value"),  # folded
    sqlite_with_rowid=False,
)
Index(
    "card_field_value",
    card_field.c.owner,
    card_field.c.collection,
    card_field.c.name,
    card_field.c.value,
    card_field.c.item,
)

dead_property: Final = Table(
    "dead_property",
    METADATA,
    _key("owner"),
    _key("item"),
    _key("name", Text),  # Clark notation
    _text("xml"),  # the element, whole
)

lock: Final = Table(
    "lock",
    METADATA,
    _key("owner"),
    _key("token", Text),
    _text("url"),  # path below the owner's home, encoded, no slash at the end; it may be unmapped
    _text("scope"),  # exclusive, shared
    _text("depth"),  # 0, infinity
    _text("description"),  # the client's `owner` element, XML
    _number("principal"),  # who holds it
    _number("expires"),
    _number("created"),
)
Index("lock_url", lock.c.owner, lock.c.url)

share: Final = Table(
    "share",
    METADATA,
    _key("owner"),
    _key("collection"),
    _key("principal"),  # to whom
    _text("access"),
    _text("state"),
    _number("created"),
    _number("modified"),
)
Index("share_principal", share.c.principal)

account: Final = Table(
    "account",
    METADATA,
    _key("id", Identity),
    _number("principal"),
    _text("name"),
    _text("name_key"),
    Column("password", Text),  # argon2's text form; NULL: no password opens it
    _text("email", ""),
    _text("displayname", ""),
    _text("role", "user"),
    _number("disabled", 0),
    _number("generation", 1),  # raised whenever a verified login must be forgotten
    _number("created"),
)
Index("account_name", account.c.name_key, unique=True)
Index("account_principal", account.c.principal, unique=True)

credential: Final = Table(
    "credential",
    METADATA,
    _key("id", Text),  # the prefix by which it is looked up
    _number("account"),
    _text("kind", "app"),
    _text("label"),
    Column("hash", LargeBinary, nullable=False),  # keyed
    _text("scope"),  # JSON
    _number("read_only", 0),
    Column("expires", BigInteger),
    _number("created"),
    Column("last_used", BigInteger),
    _text("last_address", ""),
    _text("last_client", ""),
    _number("revoked", 0),
)
Index("credential_account", credential.c.account)

revision: Final = Table(
    "revision",
    METADATA,
    _key("owner"),
    _key("ended"),  # the seq of the change that ended it
    _number("collection"),
    _number("item"),
    _text("href"),
    _text("uid"),
    _text("component"),
    _text("etag"),
    _number("size"),
    _text("content_type", ""),
    _text("properties", "{}"),  # JSON: the dead properties of an item that went
    _number("since"),  # from when it was what the item held
    _number("until"),
    _text("reason"),  # changed, deleted, moved
    _text("actor", ""),  # who ended it, for people
    Column("octets", LargeBinary, nullable=False),  # last: SQLite reads what stands before without them
)
"""History: what items held before they were overwritten, deleted or moved away."""
Index("revision_place", revision.c.owner, revision.c.collection, revision.c.href, revision.c.ended)
Index("revision_item", revision.c.owner, revision.c.item)
Index("revision_until", revision.c.owner, revision.c.until, revision.c.size)

property_revision: Final = Table(
    "property_revision",
    METADATA,
    _key("owner"),
    _key("ended"),
    _number("collection"),
    _text("properties"),  # JSON, all of them as they were
    _number("since"),
    _number("until"),
    _text("actor", ""),
)
"""The properties that collections had before they were changed."""
Index("property_revision_collection", property_revision.c.owner, property_revision.c.collection)

trash: Final = Table(
    "trash",
    METADATA,
    _key("owner"),
    _key("collection"),
    _number("parent"),  # where it stood, 0 for the home
    _text("name"),
    _text("path"),  # below the home, as people read it: `work`, `projects/alpha`
    _number("root", 0),  # the collection that it stood in and went with; 0 for one that was deleted itself
    _number("deleted"),  # 0 once it is being purged
    _text("actor", ""),
)
"""Collections that were deleted: out of every home, with their rows as they were, until they are purged."""

quarantine: Final = Table(
    "quarantine",
    METADATA,
    _key("owner"),
    _key("id"),
    _text("digest"),  # sha256 of the octets in hex: what comes again is kept once
    _text("target"),  # path of the collection that it was meant for, below the home: `work`
    _text("href"),  # the name that it was to have, or empty
    _text("source"),  # import, bulk, put
    _text("origin"),  # which file or request, for people
    _text("condition", ""),  # Clark name of the precondition that it failed, or empty
    _text("reason"),
    _number("size"),
    _number("received"),
    _text("actor", ""),
    Column("octets", LargeBinary, nullable=False),  # last, as in `revision`
)
"""What an import or a bulk write could not take, kept until somebody mends or drops it."""
Index("quarantine_age", quarantine.c.owner, quarantine.c.received, quarantine.c.id, quarantine.c.size)
Index("quarantine_digest", quarantine.c.owner, quarantine.c.target, quarantine.c.digest, unique=True)

membership: Final = Table(
    "membership",
    METADATA,
    _key("account"),
    _key("name", Plain),  # of the group
    _text("source", ""),  # empty: an administrator's word; else the back end that says so at each sign-in
    sqlite_with_rowid=False,
)
"""Which groups accounts are in; a group is its name."""
Index("membership_name", membership.c.name)

second_factor: Final = Table(
    "second_factor",
    METADATA,
    _key("account"),
    _text("kind"),  # totp
    Column("secret", LargeBinary, nullable=False),
    _number("confirmed", 0),  # 1 once a code of it was typed
    _number("last_step", 0),  # RFC 6238 §5.2: a code is taken once
    _number("failures", 0),  # wrong codes since the last good one
    _number("failed", 0),  # when the last of them came
    _number("created"),
)

recovery_code: Final = Table(
    "recovery_code",
    METADATA,
    _key("account"),
    _key("hash", LargeBinary),  # keyed; the row goes when the code is used
)

external_identity: Final = Table(
    "external_identity",
    METADATA,
    _key("issuer", Text),
    _key("subject", Text),
    _number("account"),
    _number("created"),
)
"""Who an account is at an OpenID provider."""
Index("external_identity_account", external_identity.c.account)

web_session: Final = Table(
    "web_session",
    METADATA,
    _key("id", LargeBinary),  # keyed hash of what the cookie holds
    _number("account"),
    _number("generation"),  # of the account when it signed in
    _number("created"),
    _number("expires"),
    _number("last_used"),
    _text("address", ""),
    _text("client", ""),
    _text("data", "{}"),  # JSON
)
Index("web_session_account", web_session.c.account)
Index("web_session_expires", web_session.c.expires)

login_flow: Final = Table(
    "login_flow",
    METADATA,
    _key("id", LargeBinary),  # keyed hash of the token in the page's address
    Column("poll", LargeBinary, nullable=False),  # keyed hash of the token that the app polls with
    _number("created"),
    _number("expires"),
    _text("client", ""),
    _text("address", ""),
    Column("account", BigInteger),  # who granted it
    Column("generation", BigInteger),  # of that account, then
    Column("granted", Plain),  # JSON: what the app password is to be; it is made when the app fetches it, the row goes
)
"""Apps that wait for somebody to let them in (login flow v2)."""
Index("login_flow_poll", login_flow.c.poll, unique=True)

throttle: Final = Table(
    "throttle",
    METADATA,
    _key("key", Plain),  # of whom failures are counted: `address …`, `pair …`; or who came in: `known …`, `used …`
    _number("failures"),
    _number("last"),
    _number("until"),  # refused before this instant
    sqlite_with_rowid=False,
)
Index("throttle_last", throttle.c.last)

audit: Final = Table(
    "audit",
    METADATA,
    Column("id", Identity, primary_key=True, autoincrement=True),
    _number("at"),
    _text("action"),
    _text("account", ""),  # whom it concerns
    _text("actor", ""),  # who did it
    _text("address", ""),
    _text("client", ""),
    _text("detail", "{}"),  # JSON
)
"""The audit trail: rows are appended and, when they are old enough, removed; never changed."""
Index("audit_at", audit.c.at)
Index("audit_account", audit.c.account, audit.c.at)

lease: Final = Table(
    "lease",
    METADATA,
    _key("name", Text),  # of the work
    _text("holder"),
    _number("until"),  # whoever wants it may take it after this instant
    _number("done", 0),  # when the work was last done
)
"""Work that one process does for all."""

quota: Final = Table(
    "quota",
    METADATA,
    _key("principal"),
    Column("octets", BigInteger),  # NULL: as the configuration says; 0: no bound
    Column("items", BigInteger),
    Column("collections", BigInteger),
)
"""Bounds of single users, before those of the configuration."""

job: Final = Table(
    "job",
    METADATA,
    _key("id"),  # random: no counter that all writers would share
    _text("kind"),
    _text("payload"),  # JSON
    _number("owner"),  # whose change asked for it
    _text("topic", ""),  # those of an owner and a topic run one after the other; empty: in any order
    _number("number", 0),  # in that order
    _number("created"),
    _number("due"),  # not before this instant
    _number("attempts", 0),
    _number("dead", 0),  # 1: given up
    _text("holder", ""),  # the process that runs it
    _number("held", 0),  # until when it may
    _text("error", ""),
)
"""Side effects of writes, done after the commit: written in the transaction that wants them."""
Index("job_due", job.c.dead, job.c.due)
Index("job_topic", job.c.owner, job.c.topic, job.c.number)
