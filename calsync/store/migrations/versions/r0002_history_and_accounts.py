"""History, trash and quarantine; sign-in by more than a password; throttle, audit and leases."""

from __future__ import annotations

import time

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import TEXT

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

PLAIN = sa.Text().with_variant(TEXT(collation="C"), "postgresql")
IDENTITY = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    """Add the tables. What was before this moment is in no history (`forgetting.reach`)."""
    meta = sa.table("meta", sa.column("key", sa.Text()), sa.column("value", sa.LargeBinary()))
    op.bulk_insert(meta, [{"key": "history", "value": b"%d" % time.time()}])
    op.create_table(
        "audit",
        sa.Column("id", IDENTITY, autoincrement=True, nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.Column("action", PLAIN, nullable=False),
        sa.Column("account", PLAIN, server_default="", nullable=False),
        sa.Column("actor", PLAIN, server_default="", nullable=False),
        sa.Column("address", PLAIN, server_default="", nullable=False),
        sa.Column("client", PLAIN, server_default="", nullable=False),
        sa.Column("detail", PLAIN, server_default="{}", nullable=False),
        sa.PrimaryKeyConstraint("id", name="audit_key"),
    )
    op.create_index("audit_account", "audit", ["account", "at"], unique=False)
    op.create_index("audit_at", "audit", ["at"], unique=False)
    op.create_table(
        "external_identity",
        sa.Column("issuer", sa.Text(), autoincrement=False, nullable=False),
        sa.Column("subject", sa.Text(), autoincrement=False, nullable=False),
        sa.Column("account", sa.BigInteger(), nullable=False),
        sa.Column("created", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("issuer", "subject", name="external_identity_key"),
    )
    op.create_index("external_identity_account", "external_identity", ["account"], unique=False)
    op.create_table(
        "lease",
        sa.Column("name", sa.Text(), autoincrement=False, nullable=False),
        sa.Column("holder", PLAIN, nullable=False),
        sa.Column("until", sa.BigInteger(), nullable=False),
        sa.Column("done", sa.BigInteger(), server_default="0", nullable=False),
        sa.PrimaryKeyConstraint("name", name="lease_key"),
    )
    op.create_table(
        "login_flow",
        sa.Column("id", sa.LargeBinary(), autoincrement=False, nullable=False),
        sa.Column("poll", sa.LargeBinary(), nullable=False),
        sa.Column("created", sa.BigInteger(), nullable=False),
        sa.Column("expires", sa.BigInteger(), nullable=False),
        sa.Column("client", PLAIN, server_default="", nullable=False),
        sa.Column("address", PLAIN, server_default="", nullable=False),
        sa.Column("account", sa.BigInteger(), nullable=True),
        sa.Column("generation", sa.BigInteger(), nullable=True),
        sa.Column("granted", PLAIN, nullable=True),
        sa.PrimaryKeyConstraint("id", name="login_flow_key"),
    )
    op.create_index("login_flow_poll", "login_flow", ["poll"], unique=True)
    op.create_table(
        "membership",
        sa.Column("account", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("name", PLAIN, autoincrement=False, nullable=False),
        sa.Column("source", PLAIN, server_default="", nullable=False),
        sa.PrimaryKeyConstraint("account", "name", name="membership_key"),
        sqlite_with_rowid=False,
    )
    op.create_index("membership_name", "membership", ["name"], unique=False)
    op.create_table(
        "property_revision",
        sa.Column("owner", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("ended", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("collection", sa.BigInteger(), nullable=False),
        sa.Column("properties", PLAIN, nullable=False),
        sa.Column("since", sa.BigInteger(), nullable=False),
        sa.Column("until", sa.BigInteger(), nullable=False),
        sa.Column("actor", PLAIN, server_default="", nullable=False),
        sa.PrimaryKeyConstraint("owner", "ended", name="property_revision_key"),
    )
    op.create_index("property_revision_collection", "property_revision", ["owner", "collection"], unique=False)
    op.create_table(
        "quarantine",
        sa.Column("owner", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("digest", PLAIN, nullable=False),
        sa.Column("target", PLAIN, nullable=False),
        sa.Column("href", PLAIN, nullable=False),
        sa.Column("source", PLAIN, nullable=False),
        sa.Column("origin", PLAIN, nullable=False),
        sa.Column("condition", PLAIN, server_default="", nullable=False),
        sa.Column("reason", PLAIN, nullable=False),
        sa.Column("size", sa.BigInteger(), nullable=False),
        sa.Column("received", sa.BigInteger(), nullable=False),
        sa.Column("actor", PLAIN, server_default="", nullable=False),
        sa.Column("octets", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("owner", "id", name="quarantine_key"),
    )
    op.create_index("quarantine_age", "quarantine", ["owner", "received", "id", "size"])
    op.create_index("quarantine_digest", "quarantine", ["owner", "target", "digest"], unique=True)
    op.create_table(
        "recovery_code",
        sa.Column("account", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("hash", sa.LargeBinary(), autoincrement=False, nullable=False),
        sa.PrimaryKeyConstraint("account", "hash", name="recovery_code_key"),
    )
    op.create_table(
        "revision",
        sa.Column("owner", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("ended", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("collection", sa.BigInteger(), nullable=False),
        sa.Column("item", sa.BigInteger(), nullable=False),
        sa.Column("href", PLAIN, nullable=False),
        sa.Column("uid", PLAIN, nullable=False),
        sa.Column("component", PLAIN, nullable=False),
        sa.Column("etag", PLAIN, nullable=False),
        sa.Column("size", sa.BigInteger(), nullable=False),
        sa.Column("content_type", PLAIN, server_default="", nullable=False),
        sa.Column("properties", PLAIN, server_default="{}", nullable=False),
        sa.Column("since", sa.BigInteger(), nullable=False),
        sa.Column("until", sa.BigInteger(), nullable=False),
        sa.Column("reason", PLAIN, nullable=False),
        sa.Column("actor", PLAIN, server_default="", nullable=False),
        sa.Column("octets", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("owner", "ended", name="revision_key"),
    )
    op.create_index("revision_item", "revision", ["owner", "item"], unique=False)
    op.create_index("revision_place", "revision", ["owner", "collection", "href", "ended"], unique=False)
    op.create_index("revision_until", "revision", ["owner", "until", "size"], unique=False)
    op.create_table(
        "second_factor",
        sa.Column("account", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("kind", PLAIN, nullable=False),
        sa.Column("secret", sa.LargeBinary(), nullable=False),
        sa.Column("confirmed", sa.BigInteger(), server_default="0", nullable=False),
        sa.Column("last_step", sa.BigInteger(), server_default="0", nullable=False),
        sa.Column("failures", sa.BigInteger(), server_default="0", nullable=False),
        sa.Column("failed", sa.BigInteger(), server_default="0", nullable=False),
        sa.Column("created", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("account", name="second_factor_key"),
    )
    op.create_table(
        "throttle",
        sa.Column("key", PLAIN, autoincrement=False, nullable=False),
        sa.Column("failures", sa.BigInteger(), nullable=False),
        sa.Column("last", sa.BigInteger(), nullable=False),
        sa.Column("until", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("key", name="throttle_key"),
        sqlite_with_rowid=False,
    )
    op.create_index("throttle_last", "throttle", ["last"], unique=False)
    op.create_table(
        "trash",
        sa.Column("owner", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("collection", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("parent", sa.BigInteger(), nullable=False),
        sa.Column("name", PLAIN, nullable=False),
        sa.Column("path", PLAIN, nullable=False),
        sa.Column("root", sa.BigInteger(), server_default="0", nullable=False),
        sa.Column("deleted", sa.BigInteger(), nullable=False),
        sa.Column("actor", PLAIN, server_default="", nullable=False),
        sa.PrimaryKeyConstraint("owner", "collection", name="trash_key"),
    )
    op.create_table(
        "web_session",
        sa.Column("id", sa.LargeBinary(), autoincrement=False, nullable=False),
        sa.Column("account", sa.BigInteger(), nullable=False),
        sa.Column("generation", sa.BigInteger(), nullable=False),
        sa.Column("created", sa.BigInteger(), nullable=False),
        sa.Column("expires", sa.BigInteger(), nullable=False),
        sa.Column("last_used", sa.BigInteger(), nullable=False),
        sa.Column("address", PLAIN, server_default="", nullable=False),
        sa.Column("client", PLAIN, server_default="", nullable=False),
        sa.Column("data", PLAIN, server_default="{}", nullable=False),
        sa.PrimaryKeyConstraint("id", name="web_session_key"),
    )
    op.create_index("web_session_account", "web_session", ["account"], unique=False)
    op.create_index("web_session_expires", "web_session", ["expires"], unique=False)
    op.create_table(
        "quota",
        sa.Column("principal", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("octets", sa.BigInteger(), nullable=True),
        sa.Column("items", sa.BigInteger(), nullable=True),
        sa.Column("collections", sa.BigInteger(), nullable=True),
        sa.PrimaryKeyConstraint("principal", name="quota_key"),
    )
    op.create_table(
        "job",
        sa.Column("id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("kind", PLAIN, nullable=False),
        sa.Column("payload", PLAIN, nullable=False),
        sa.Column("owner", sa.BigInteger(), nullable=False),
        sa.Column("topic", PLAIN, server_default="", nullable=False),
        sa.Column("number", sa.BigInteger(), server_default="0", nullable=False),
        sa.Column("created", sa.BigInteger(), nullable=False),
        sa.Column("due", sa.BigInteger(), nullable=False),
        sa.Column("attempts", sa.BigInteger(), server_default="0", nullable=False),
        sa.Column("dead", sa.BigInteger(), server_default="0", nullable=False),
        sa.Column("holder", PLAIN, server_default="", nullable=False),
        sa.Column("held", sa.BigInteger(), server_default="0", nullable=False),
        sa.Column("error", PLAIN, server_default="", nullable=False),
        sa.PrimaryKeyConstraint("id", name="job_key"),
    )
    op.create_index("job_due", "job", ["dead", "due"], unique=False)
    op.create_index("job_topic", "job", ["owner", "topic", "number"], unique=False)
