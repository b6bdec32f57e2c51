"""Reads what activity.py counts.

Knows: the table of decisions, how much of it is read; report.py counts the cards.
Must not know: what is counted.
"""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import cast

import sqlalchemy as sa

from cds_service.storage.activity import MOST, WEEKS, Activity, NoActivity, activity, monday
from cds_service.storage.engine import FAILURES, engine_of
from cds_service.storage.report import report_in
from cds_service.storage.schema import decision


def reader_of(url: str) -> Callable[[datetime], Activity]:
    """Return what reads the activity up to a time; each read has a connection of its own."""

    def read(now: datetime) -> Activity:
        since = monday(now.date()) - timedelta(weeks=WEEKS - 1)
        start = datetime(since.year, since.month, since.day, tzinfo=UTC)
        engine = engine_of(url, reads=True, pooled=False)
        try:
            with engine.connect() as connection:
                wanted = sa.select(decision).where(decision.c.at >= start).order_by(decision.c.at.desc()).limit(MOST)
                rows = connection.execute(wanted).mappings().all()
                cards = report_in(connection, start).counts
        except FAILURES as error:
            raise NoActivity(type(error).__name__) from None
        finally:
            engine.dispose()
        return activity([cast(dict[str, object], row) for row in rows], since, cards)

    return read
