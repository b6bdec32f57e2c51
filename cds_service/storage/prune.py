"""Forget what is older than the site wants to keep.

Knows: SQLAlchemy Core, which column of a table is its time.
Must not know: who decides on the age.
"""

from datetime import datetime

import sqlalchemy as sa

from cds_service.storage.engine import engine_of
from cds_service.storage.schema import decision, feedback, shown_card

_TIMES = (decision.c.at, shown_card.c.at, feedback.c.received_at)


def prune(url: str, before: datetime) -> dict[str, int]:
    """Delete all rows from before that time; returns how many of each table.

    Raises: UnusableDatabase; SQLAlchemyError when the database cannot be written.
    """
    engine = engine_of(url, durable=True, pooled=False)
    removed = {}
    for time in _TIMES:
        with engine.begin() as connection:
            removed[time.table.name] = connection.execute(sa.delete(time.table).where(time < before)).rowcount
    return removed
