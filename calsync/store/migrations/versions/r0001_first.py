"""The first schema."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import TEXT

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

PLAIN = sa.Text().with_variant(TEXT(collation="C"), "postgresql")
IDENTITY = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    """Make all tables in an empty database."""
    op.create_table(
        "meta",
        sa.Column("key", sa.Text(), autoincrement=False, nullable=False),
        sa.Column("value", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("key", name="meta_key"),
    )
    op.create_table(
        "principal",
        sa.Column("id", IDENTITY, autoincrement=False, nullable=False),
        sa.Column("name", PLAIN, nullable=False),
        sa.Column("name_key", PLAIN, nullable=False),
        sa.Column("kind", PLAIN, nullable=False),
        sa.Column("seq", sa.BigInteger(), nullable=False),
        sa.Column("epoch", PLAIN, nullable=False),
        sa.Column("horizon", sa.BigInteger(), nullable=False),
        sa.Column("properties", PLAIN, nullable=False),
        sa.Column("created", sa.BigInteger(), nullable=False),
        sa.Column("modified", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="principal_key"),
    )
    op.create_table(
        "collection",
        sa.Column("owner", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("kind", PLAIN, nullable=False),
        sa.Column("components", PLAIN, nullable=False),
        sa.Column("properties", PLAIN, nullable=False),
        sa.Column("seq", sa.BigInteger(), nullable=False),
        sa.Column("horizon", sa.BigInteger(), nullable=False),
        sa.Column("item_count", sa.BigInteger(), nullable=False),
        sa.Column("octet_count", sa.BigInteger(), nullable=False),
        sa.Column("created", sa.BigInteger(), nullable=False),
        sa.Column("modified", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("owner", "id", name="collection_key"),
    )
    op.create_table(
        "mount",
        sa.Column("principal", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("parent", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("name", PLAIN, autoincrement=False, nullable=False),
        sa.Column("url", PLAIN, nullable=False),
        sa.Column("owner", sa.BigInteger(), nullable=False),
        sa.Column("collection", sa.BigInteger(), nullable=False),
        sa.Column("bound", sa.BigInteger(), nullable=False),
        sa.Column("position", sa.BigInteger(), nullable=False),
        sa.Column("displayname", PLAIN, nullable=True),
        sa.Column("color", PLAIN, nullable=True),
        sa.PrimaryKeyConstraint("principal", "parent", "name", name="mount_key"),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "item",
        sa.Column("owner", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("collection", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("href", PLAIN, nullable=False),
        sa.Column("url", PLAIN, nullable=False),
        sa.Column("uid", PLAIN, nullable=False),
        sa.Column("uid_key", PLAIN, nullable=False),
        sa.Column("uid_length", sa.BigInteger(), nullable=False),
        sa.Column("component", PLAIN, nullable=False),
        sa.Column("etag", PLAIN, nullable=False),
        sa.Column("size", sa.BigInteger(), nullable=False),
        sa.Column("first", sa.BigInteger(), nullable=False),
        sa.Column("last", sa.BigInteger(), nullable=False),
        sa.Column("span", sa.Integer(), nullable=True),
        sa.Column("recurring", sa.BigInteger(), nullable=False),
        sa.Column("floating", sa.BigInteger(), nullable=False),
        sa.Column("busy", PLAIN, nullable=False, server_default=""),
        sa.Column("organizer", PLAIN, nullable=False, server_default=""),
        sa.Column("schedule_tag", sa.Text(), nullable=True),
        sa.Column("content_type", PLAIN, nullable=False, server_default=""),
        sa.Column("seq", sa.BigInteger(), nullable=False),
        sa.Column("created", sa.BigInteger(), nullable=False),
        sa.Column("modified", sa.BigInteger(), nullable=False),
        sa.Column("derived", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("owner", "collection", "id", name="item_key"),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "body",
        sa.Column("owner", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("item", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("octets", sa.LargeBinary(), nullable=False),
        sa.Column("spans", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("owner", "item", name="body_key"),
    )
    op.create_table(
        "tombstone",
        sa.Column("owner", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("collection", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("href", PLAIN, autoincrement=False, nullable=False),
        sa.Column("url", PLAIN, nullable=False),
        sa.Column("seq", sa.BigInteger(), nullable=False),
        sa.Column("deleted", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("owner", "collection", "href", name="tombstone_key"),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "occurrence",
        sa.Column("owner", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("collection", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("bucket", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("item", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("packed", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("owner", "collection", "bucket", "item", name="occurrence_key"),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "card_field",
        sa.Column("owner", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("item", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("place", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("collection", sa.BigInteger(), nullable=False),
        sa.Column("name", PLAIN, nullable=False),
        sa.Column("value", PLAIN, nullable=False),
        sa.PrimaryKeyConstraint("owner", "item", "place", name="card_field_key"),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "dead_property",
        sa.Column("owner", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("item", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("name", sa.Text(), autoincrement=False, nullable=False),
        sa.Column("xml", PLAIN, nullable=False),
        sa.PrimaryKeyConstraint("owner", "item", "name", name="dead_property_key"),
    )
    op.create_table(
        "lock",
        sa.Column("owner", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("token", sa.Text(), autoincrement=False, nullable=False),
        sa.Column("url", PLAIN, nullable=False),
        sa.Column("scope", PLAIN, nullable=False),
        sa.Column("depth", PLAIN, nullable=False),
        sa.Column("description", PLAIN, nullable=False),
        sa.Column("principal", sa.BigInteger(), nullable=False),
        sa.Column("expires", sa.BigInteger(), nullable=False),
        sa.Column("created", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("owner", "token", name="lock_key"),
    )
    op.create_table(
        "share",
        sa.Column("owner", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("collection", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("principal", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("access", PLAIN, nullable=False),
        sa.Column("state", PLAIN, nullable=False),
        sa.Column("created", sa.BigInteger(), nullable=False),
        sa.Column("modified", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("owner", "collection", "principal", name="share_key"),
    )
    op.create_table(
        "account",
        sa.Column("id", IDENTITY, autoincrement=False, nullable=False),
        sa.Column("principal", sa.BigInteger(), nullable=False),
        sa.Column("name", PLAIN, nullable=False),
        sa.Column("name_key", PLAIN, nullable=False),
        sa.Column("password", sa.Text(), nullable=True),
        sa.Column("email", PLAIN, nullable=False, server_default=""),
        sa.Column("displayname", PLAIN, nullable=False, server_default=""),
        sa.Column("role", PLAIN, nullable=False, server_default="user"),
        sa.Column("disabled", sa.BigInteger(), nullable=False, server_default="0"),
        sa.Column("generation", sa.BigInteger(), nullable=False, server_default="1"),
        sa.Column("created", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="account_key"),
    )
    op.create_table(
        "credential",
        sa.Column("id", sa.Text(), autoincrement=False, nullable=False),
        sa.Column("account", sa.BigInteger(), nullable=False),
        sa.Column("kind", PLAIN, nullable=False, server_default="app"),
        sa.Column("label", PLAIN, nullable=False),
        sa.Column("hash", sa.LargeBinary(), nullable=False),
        sa.Column("scope", PLAIN, nullable=False),
        sa.Column("read_only", sa.BigInteger(), nullable=False, server_default="0"),
        sa.Column("expires", sa.BigInteger(), nullable=True),
        sa.Column("created", sa.BigInteger(), nullable=False),
        sa.Column("last_used", sa.BigInteger(), nullable=True),
        sa.Column("last_address", PLAIN, nullable=False, server_default=""),
        sa.Column("last_client", PLAIN, nullable=False, server_default=""),
        sa.Column("revoked", sa.BigInteger(), nullable=False, server_default="0"),
        sa.PrimaryKeyConstraint("id", name="credential_key"),
    )
    op.create_index("principal_name", "principal", ["name_key"], unique=True)
    op.create_index("mount_collection", "mount", ["owner", "collection"])
    if op.get_bind().dialect.name == "sqlite":
        op.create_index(
            "item_delta",
            "item",
            [
                "owner",
                "collection",
                "seq",
                "id",
                "url",
                "etag",
                "component",
                "size",
                "created",
                "modified",
                "content_type",
            ],
        )
    if op.get_bind().dialect.name == "postgresql":
        op.create_index(
            "item_delta_including",
            "item",
            ["owner", "collection", "seq"],
            postgresql_include=["id", "url", "etag", "component", "size", "created", "modified", "content_type"],
        )
    op.create_index("item_href", "item", ["owner", "collection", "href"], unique=True)
    op.create_index(
        "item_time",
        "item",
        ["owner", "collection", "component", "span", "first", "last"],
        sqlite_where=sa.text("span IS NOT NULL"),
        postgresql_where=sa.text("span IS NOT NULL"),
    )
    op.create_index("item_uid", "item", ["owner", "uid_key", "collection"])
    op.create_index("item_uid_length", "item", ["owner", "collection", "uid_length"])
    op.create_index("tombstone_delta", "tombstone", ["owner", "collection", "seq", "url"])
    op.create_index("occurrence_item", "occurrence", ["owner", "item"])
    op.create_index("card_field_value", "card_field", ["owner", "collection", "name", "value", "item"])
    op.create_index("lock_url", "lock", ["owner", "url"])
    op.create_index("share_principal", "share", ["principal"])
    op.create_index("account_name", "account", ["name_key"], unique=True)
    op.create_index("account_principal", "account", ["principal"], unique=True)
    op.create_index("credential_account", "credential", ["account"])
