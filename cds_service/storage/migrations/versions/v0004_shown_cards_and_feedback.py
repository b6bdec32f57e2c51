"""Cards as they went out, what became of them, and how each decision was delivered."""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"

_BIG_ID = sa.BigInteger().with_variant(sa.Integer, "sqlite")
_INSTANT = sa.DateTime(timezone=True)


def upgrade() -> None:
    """Add two tables and two columns."""
    op.add_column("decision", sa.Column("delivery", sa.String(20)))
    op.add_column("decision", sa.Column("suppressed_since", _INSTANT))
    op.create_table(
        "shown_card",
        sa.Column("id", _BIG_ID, primary_key=True, autoincrement=True),
        sa.Column("uuid", sa.String(36), nullable=False),
        sa.Column("at", _INSTANT, nullable=False),
        sa.Column("tenant", sa.String(60), nullable=False),
        sa.Column("service", sa.String(100), nullable=False),
        sa.Column("delivery", sa.String(20), nullable=False),
        sa.Column("tier", sa.String(10), nullable=False),
        sa.Column("topic", sa.String(100), nullable=False),
        sa.Column("rules", sa.JSON, nullable=False),
        sa.Column("suggestions", sa.JSON, nullable=False),
        sa.Column("content_version", sa.String(40), nullable=False),
        sa.Column("place", sa.String(64)),
        sa.Column("evidence", sa.String(64)),
        sa.UniqueConstraint("uuid", name="uq_shown_card_uuid"),
    )
    op.create_index("ix_shown_card_at", "shown_card", ["at"])
    op.create_index("ix_shown_card_place", "shown_card", ["place", "evidence"])
    op.create_table(
        "feedback",
        sa.Column("id", _BIG_ID, primary_key=True, autoincrement=True),
        sa.Column("received_at", _INSTANT, nullable=False),
        sa.Column("tenant", sa.String(60), nullable=False),
        sa.Column("service", sa.String(100), nullable=False),
        sa.Column("card", sa.String(36), nullable=False),
        sa.Column("outcome", sa.String(20), nullable=False),
        sa.Column("outcome_at", _INSTANT, nullable=False),
        sa.Column("suggestions", sa.JSON, nullable=False),
        sa.Column("reason", sa.String(64)),
        sa.Column("commented", sa.Boolean, nullable=False),
        sa.Column("comment", sa.Text),
        sa.UniqueConstraint("tenant", "card", "outcome", "outcome_at", name="uq_feedback_item"),
    )
    op.create_index("ix_feedback_received_at", "feedback", ["received_at"])
