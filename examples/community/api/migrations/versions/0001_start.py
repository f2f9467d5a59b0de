"""The first tables."""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None


def upgrade() -> None:
    op.create_table(
        "users",
        sa.Column("id", sa.Integer, primary_key=True),
        sa.Column("name", sa.String(24), nullable=False, unique=True),
        sa.Column("password_hash", sa.String(200), nullable=False),
        sa.Column("is_moderator", sa.Boolean, nullable=False, server_default="false"),
        _created_at(),
    )
    op.create_table(
        "posts",
        sa.Column("id", sa.Integer, primary_key=True),
        _reference("author_id", "users"),
        sa.Column("title", sa.String(140), nullable=False),
        sa.Column("body", sa.Text, nullable=False, server_default=""),
        _created_at(),
    )
    op.create_table(
        "comments",
        sa.Column("id", sa.Integer, primary_key=True),
        _reference("post_id", "posts"),
        _reference("author_id", "users"),
        sa.Column("body", sa.Text, nullable=False),
        _created_at(),
    )
    op.create_table(
        "votes",
        _reference("user_id", "users", primary_key=True),
        _reference("post_id", "posts", primary_key=True),
        sa.Column("value", sa.SmallInteger, nullable=False),
        sa.CheckConstraint("value IN (-1, 1)", name="votes_value"),
    )
    op.create_table(
        "chat_messages",
        sa.Column("id", sa.Integer, primary_key=True),
        _reference("author_id", "users"),
        sa.Column("text", sa.String(500), nullable=False),
        _created_at(),
    )
    for table, column in (("posts", "author_id"), ("comments", "post_id"), ("comments", "author_id")):
        op.create_index(f"ix_{table}_{column}", table, [column])
    op.create_index("ix_chat_messages_author_id", "chat_messages", ["author_id"])
    op.create_index("votes_post_id", "votes", ["post_id"])


def downgrade() -> None:
    """Data is never dropped; a release is rolled back without its migrations."""
    raise NotImplementedError("restore a dump instead")


def _created_at() -> sa.Column:
    return sa.Column("created_at", sa.DateTime(timezone=True), nullable=False, server_default=sa.func.now())


def _reference(name: str, table: str, *, primary_key: bool = False) -> sa.Column:
    key = sa.ForeignKey(f"{table}.id", ondelete="CASCADE")
    return sa.Column(name, sa.Integer, key, nullable=False, primary_key=primary_key)
