"""The tables. Every change of them is a new file in migrations/versions and a new VERSION.

Knows: names and types of the columns.
Must not know: who writes or reads them.

Migrations only add, so that the service before and after an upgrade can run side by side.
"""

import sqlalchemy as sa

VERSION = "0003"

metadata = sa.MetaData()
_BIG_ID = sa.BigInteger().with_variant(sa.Integer, "sqlite")

decision = sa.Table(
    "decision",
    metadata,
    sa.Column("id", _BIG_ID, primary_key=True, autoincrement=True),
    sa.Column("at", sa.DateTime(timezone=True), nullable=False, index=True),
    sa.Column("service", sa.String(100), nullable=False),
    sa.Column("hook", sa.String(60), nullable=False),
    sa.Column("tenant", sa.String(60)),
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

seen_token = sa.Table(
    "seen_token",
    metadata,
    sa.Column("fingerprint", sa.String(64), primary_key=True),
    sa.Column("until", sa.DateTime(timezone=True), nullable=False, index=True),
)
