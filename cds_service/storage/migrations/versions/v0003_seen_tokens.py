"""Remember which tokens of clients were seen, by fingerprint, for as long as they could be sent again."""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"


def upgrade() -> None:
    """Make the table where it is missing."""
    if sa.inspect(op.get_bind()).has_table("seen_token"):
        return
    op.create_table(
        "seen_token",
        sa.Column("fingerprint", sa.String(64), primary_key=True),
        sa.Column("until", sa.DateTime(timezone=True), nullable=False),
    )
    op.create_index("ix_seen_token_until", "seen_token", ["until"])
