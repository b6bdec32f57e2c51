"""The journal of decisions, as it was before versions; databases of that time are taken over as they are."""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None


def upgrade() -> None:
    """Make the table where it is missing."""
    if sa.inspect(op.get_bind()).has_table("decision"):
        return
    op.create_table(
        "decision",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer, "sqlite"), primary_key=True, autoincrement=True),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("service", sa.String(100), nullable=False),
        sa.Column("hook", sa.String(60), nullable=False),
        sa.Column("hook_instance_hash", sa.String(64)),
        sa.Column("outcome", sa.String(20), nullable=False),
        sa.Column("tier", sa.String(10)),
        sa.Column("headline", sa.String(20)),
        sa.Column("rules", sa.JSON, nullable=False),
        sa.Column("cards", sa.Integer, nullable=False),
        sa.Column("gaps", sa.JSON, nullable=False),
        sa.Column("content_version", sa.String(40), nullable=False),
        sa.Column("content_digest", sa.String(80), nullable=False),
        sa.Column("read_ms", sa.Float, nullable=False),
        sa.Column("decide_ms", sa.Float, nullable=False),
        sa.Column("answer_ms", sa.Float, nullable=False),
    )
    op.create_index("ix_decision_at", "decision", ["at"])
