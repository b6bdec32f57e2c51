"""The tables. Every change of them is a new file in migrations/versions and a new VERSION.

Knows: names and types of the columns.
Must not know: who writes or reads them.

Migrations only add, so that the service before and after an upgrade can run side by side.
"""

from datetime import UTC, datetime

import sqlalchemy as sa

VERSION = "0004"

metadata = sa.MetaData()


class Instant(sa.TypeDecorator[datetime]):
    """A time in UTC; SQLite keeps no zone, so it is taken off there and put on again."""

    impl = sa.DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, _dialect: object) -> datetime | None:
        """In UTC, whatever the zone was."""
        return value.astimezone(UTC) if value else None

    def process_result_value(self, value: datetime | None, _dialect: object) -> datetime | None:
        """In UTC, whatever the session's zone is."""
        return (value.astimezone(UTC) if value.tzinfo else value.replace(tzinfo=UTC)) if value else None


_BIG_ID = sa.BigInteger().with_variant(sa.Integer, "sqlite")

decision = sa.Table(
    "decision",
    metadata,
    sa.Column("id", _BIG_ID, primary_key=True, autoincrement=True),
    sa.Column("at", Instant, nullable=False, index=True),
    sa.Column("service", sa.String(100), nullable=False),
    sa.Column("hook", sa.String(60), nullable=False),
    sa.Column("tenant", sa.String(60)),
    sa.Column("hook_instance_hash", sa.String(64)),
    sa.Column("outcome", sa.String(20), nullable=False),
    sa.Column("tier", sa.String(10)),
    sa.Column("headline", sa.String(20)),
    sa.Column("rules", sa.JSON, nullable=False),
    sa.Column("cards", sa.Integer, nullable=False),
    sa.Column("delivery", sa.String(20)),
    sa.Column("suppressed_since", Instant),
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

# every card that went out, or would have; place and evidence are keyed hashes (hooks/again.py)
shown_card = sa.Table(
    "shown_card",
    metadata,
    sa.Column("id", _BIG_ID, primary_key=True, autoincrement=True),
    sa.Column("uuid", sa.String(36), nullable=False),
    sa.Column("at", Instant, nullable=False, index=True),
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
    sa.Index("ix_shown_card_place", "place", "evidence"),
)

# what became of the cards; the constraint is what counts an item once
feedback = sa.Table(
    "feedback",
    metadata,
    sa.Column("id", _BIG_ID, primary_key=True, autoincrement=True),
    sa.Column("received_at", Instant, nullable=False, index=True),
    sa.Column("tenant", sa.String(60), nullable=False),
    sa.Column("service", sa.String(100), nullable=False),
    sa.Column("card", sa.String(36), nullable=False),
    sa.Column("outcome", sa.String(20), nullable=False),
    sa.Column("outcome_at", Instant, nullable=False),
    sa.Column("suggestions", sa.JSON, nullable=False),
    sa.Column("reason", sa.String(64)),
    sa.Column("commented", sa.Boolean, nullable=False),
    sa.Column("comment", sa.Text),
    sa.UniqueConstraint("tenant", "card", "outcome", "outcome_at", name="uq_feedback_item"),
)
