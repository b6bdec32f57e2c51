"""What was shown and what became of it, counted; read-only.

Knows: SQLAlchemy Core, the tables shown_card, feedback and decision.
Must not know: how the counts are printed.

Small counts stand as they are: rows hold no patient, and a committee must see the single override of a critical card.
"""

from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import sqlalchemy as sa

from cds_service.storage.engine import engine_of
from cds_service.storage.records import Delivery
from cds_service.storage.schema import decision, feedback, shown_card

EVERY_RULE = "all"
_WAIT_SECONDS = 60


@dataclass(frozen=True, slots=True, order=True)
class Key:
    """What is counted together. week: ISO, for instance "2026-W42", in UTC. rule: EVERY_RULE counts each card once."""

    week: str
    tenant: str
    tier: str
    rule: str


@dataclass(slots=True)
class Counts:
    """ignored: shown, and nothing was heard of it. repeats: held back, for the user had acknowledged it already."""

    shown: int = 0
    accepted: int = 0
    overridden: int = 0
    ignored: int = 0
    repeats: int = 0
    silent: int = 0
    reasons: Counter[str] = field(default_factory=Counter)

    def add(self, more: "Counts") -> None:
        """Count these too."""
        self.shown += more.shown
        self.accepted += more.accepted
        self.overridden += more.overridden
        self.ignored += more.ignored
        self.repeats += more.repeats
        self.silent += more.silent
        self.reasons.update(more.reasons)


@dataclass(frozen=True, slots=True)
class Report:
    """counts: by key, in order. unmatched: items of feedback whose card is not on record."""

    counts: Mapping[Key, Counts]
    unmatched: int


@dataclass(frozen=True, slots=True)
class SilentCalls:
    """What one client's silent calls of a week came to. calls: all that were decided, with and without a card."""

    week: str
    tenant: str
    calls: int


def report(url: str) -> Report:
    """Count all cards and their last outcomes.

    Raises: UnusableDatabase; SQLAlchemyError when the database cannot be read.
    """
    engine = engine_of(url, reads=True, pooled=False, wait=_WAIT_SECONDS)
    with engine.connect() as connection:
        return report_in(connection)


def report_in(connection: sa.Connection, since: datetime | None = None) -> Report:
    """Count the cards, those since then or all, and their last outcomes. unmatched: among the feedback since then."""
    last = _last_outcomes(connection, since)
    counts: dict[Key, Counts] = {}
    known = set()
    for card in _cards(connection, since):
        known.add((card.tenant, card.uuid))
        outcome = last.get((card.tenant, card.uuid))
        for rule in (EVERY_RULE, *card.rules):
            key = Key(week_of(card.at), card.tenant, card.tier, rule)
            _count(counts.setdefault(key, Counts()), card.delivery, outcome)
    unmatched = sum(count for key, (_, _, count) in last.items() if key not in known)
    return Report(dict(sorted(counts.items())), unmatched)


def totals(counts: Mapping[Key, Counts], name_of: Callable[[Key], str]) -> dict[str, Counts]:
    """The counts of all keys of one name together, the most cards first."""
    found: dict[str, Counts] = {}
    for key, each in counts.items():
        found.setdefault(name_of(key), Counts()).add(each)
    return dict(sorted(found.items(), key=lambda item: -(item[1].shown + item[1].repeats + item[1].silent)))


def silent_calls(url: str) -> list[SilentCalls]:
    """Count the decided calls of silent clients.

    Raises: UnusableDatabase; SQLAlchemyError when the database cannot be read.
    """
    engine = engine_of(url, reads=True, pooled=False, wait=_WAIT_SECONDS)
    asked = sa.select(decision.c.at, decision.c.tenant).where(
        decision.c.delivery == Delivery.SILENT, decision.c.outcome == "decided"
    )
    with engine.connect() as connection:
        found = Counter((week_of(at), tenant) for at, tenant in connection.execute(asked))
    return [SilentCalls(week, tenant, calls) for (week, tenant), calls in sorted(found.items())]


def week_of(at: datetime) -> str:
    """The ISO week of a time in UTC."""
    year, week, _ = at.isocalendar()
    return f"{year}-W{week:02d}"


def _cards(connection: sa.Connection, since: datetime | None) -> Iterator[Any]:
    c = shown_card.c
    asked = sa.select(c.at, c.tenant, c.uuid, c.tier, c.rules, c.delivery)
    if since is not None:
        asked = asked.where(c.at >= since)
    yield from connection.execution_options(yield_per=5000).execute(asked)


Outcome = tuple[str, str | None, int]


def _last_outcomes(connection: sa.Connection, since: datetime | None) -> dict[tuple[str, str], Outcome]:
    """For each card what was heard last, its reason, and how often something was heard."""
    c = feedback.c
    asked = sa.select(c.tenant, c.card, c.outcome, c.reason).order_by(c.outcome_at, c.id)
    if since is not None:
        asked = asked.where(c.received_at >= since)
    last: dict[tuple[str, str], Outcome] = {}
    for tenant, card, outcome, reason in connection.execute(asked):
        before = last.get((tenant, card))
        last[tenant, card] = (outcome, reason, (before[2] if before else 0) + 1)
    return last


def _count(counts: Counts, delivery: str, outcome: Outcome | None) -> None:
    if delivery == Delivery.SILENT:
        counts.silent += 1
    elif delivery == Delivery.REPEAT:
        counts.repeats += 1
    else:
        counts.shown += 1
        if outcome is None:
            counts.ignored += 1
        elif outcome[0] == "accepted":
            counts.accepted += 1
        else:
            counts.overridden += 1
            counts.reasons[outcome[1] or "none given"] += 1
