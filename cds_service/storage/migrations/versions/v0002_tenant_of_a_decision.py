"""Note the client of each call; some databases from before versions have the column already."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    """Add the column where it is missing."""
    columns = {column["name"] for column in sa.inspect(op.get_bind()).get_columns("decision")}
    if "tenant" not in columns:
        op.add_column("decision", sa.Column("tenant", sa.String(60)))
