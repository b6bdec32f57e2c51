"""Who has acknowledged what: one indexed question on the way of a call.

Knows: SQLAlchemy Core, the tables shown_card and feedback.
Must not know: when an acknowledgement counts.

Its trouble is nobody else's: a database that does not answer soon is as one that knows of no acknowledgement, so the
card is shown; after a failure it is left alone for a while, so that it does not delay the calls that follow.
"""

import logging
import time
from collections.abc import Callable, Sequence
from datetime import datetime

import sqlalchemy as sa

from cds_service.storage.engine import FAILURES, engine_of
from cds_service.storage.records import Acknowledgement
from cds_service.storage.schema import feedback, shown_card
from cds_service.storage.within import Within

log = logging.getLogger(__name__)

WAIT_SECONDS = 1
_PATIENCE_S = 2.5  # connecting alone may take two
PAUSE_SECONDS = 10
_MOST = 50

_QUESTION = (
    sa.select(shown_card.c.tier, shown_card.c.rules, feedback.c.outcome_at, feedback.c.received_at, feedback.c.reason)
    .join(feedback, sa.and_(feedback.c.tenant == shown_card.c.tenant, feedback.c.card == shown_card.c.uuid))
    .where(
        shown_card.c.place == sa.bindparam("place"),
        shown_card.c.evidence == sa.bindparam("evidence"),
        feedback.c.received_at >= sa.bindparam("since"),
    )
    .order_by(feedback.c.received_at.desc())
    .limit(_MOST)
)


class Acknowledgements:
    """Answers with the acknowledgements of a place and evidence. failures: questions that had no answer."""

    def __init__(self, url: str, ticks: Callable[[], float] = time.monotonic) -> None:
        self.failures = 0
        self._engine = engine_of(url, reads=True, wait=WAIT_SECONDS)
        self._within = Within(_PATIENCE_S)
        self._ticks = ticks
        self._rests_until = ticks()

    def of(self, place: str, evidence: str, since: datetime) -> Sequence[Acknowledgement]:
        """Those that arrived since then, none when they cannot be had. Never raises for the database's sake."""
        if self._ticks() < self._rests_until:
            self.failures += 1
            return ()
        try:
            return self._within(lambda: self._found(place, evidence, since))
        except FAILURES as error:
            self.failures += 1
            self._rests_until = self._ticks() + PAUSE_SECONDS
            log.warning("acknowledgements unknown", extra={"error": type(error).__name__, "failures": self.failures})
            return ()

    def _found(self, place: str, evidence: str, since: datetime) -> Sequence[Acknowledgement]:
        with self._engine.connect() as connection:
            rows = connection.execute(_QUESTION, {"place": place, "evidence": evidence, "since": since}).all()
        # a client whose clock is ahead must not silence anything for longer
        return [
            Acknowledgement(min(at, received), tier, tuple(rules), reason) for tier, rules, at, received, reason in rows
        ]

    def close(self) -> None:
        """Give the connections back."""
        self._engine.dispose()
