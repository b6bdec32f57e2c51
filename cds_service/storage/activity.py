"""What the journal tells about the service at work: counts by week, level and rule, and how long calls took.

Knows: the columns of a decision.
Must not know: databases (read_activity.py); how it is shown. It holds nothing about patients, so nothing here can.
"""

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Final

from cds_service.storage.report import Counts, Key

WEEKS: Final = 12
MOST: Final = 200_000


class NoActivity(Exception):
    """The journal cannot be read."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Latency:
    """Milliseconds of a whole call: half of the calls took at most `median`, and so on."""

    calls: int
    median: float
    p95: float
    longest: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Activity:
    """The last weeks. weeks: Monday -> level -> decided calls; a call without card has the level "none".

    rules: rule that set the level -> calls. outcomes: "decided" or the status of the refusal -> calls.
    gaps: reason -> values that could not be used. tenants: client -> (calls, calls with a card).
    cards: what became of the cards, by week, client, level and rule.
    cut: whether there is more than was read.
    """

    since: date
    calls: int
    weeks: Mapping[date, Mapping[str, int]]
    rules: Sequence[tuple[str, int]]
    outcomes: Sequence[tuple[str, int]]
    gaps: Sequence[tuple[str, int]]
    tenants: Sequence[tuple[str, int, int]]
    versions: Sequence[tuple[str, int]]
    latency: Mapping[str, Latency]
    cut: bool
    cards: Mapping[Key, Counts]


def activity(rows: Sequence[Mapping[str, object]], since: date, cards: Mapping[Key, Counts]) -> Activity:
    """Return the counts of these decisions, beside those of the cards."""
    weeks: dict[date, Counter[str]] = {since + timedelta(weeks=week): Counter() for week in range(WEEKS)}
    rules, outcomes, gaps, versions = Counter[str](), Counter[str](), Counter[str](), Counter[str]()
    calls, shown = Counter[str](), Counter[str]()
    times: dict[str, list[float]] = defaultdict(list)
    for row in rows:
        at, tier, client = row["at"], str(row["tier"] or "none"), str(row["tenant"] or "not known")
        outcomes[str(row["outcome"])] += 1
        calls[client] += 1
        shown[client] += bool(row["cards"])
        versions[str(row["content_version"])] += 1
        if row["outcome"] != "decided":
            continue
        if isinstance(at, datetime):
            weeks.setdefault(monday(at.date()), Counter())[tier] += 1
        if row["headline"]:
            rules[str(row["headline"])] += 1
        if isinstance(row["gaps"], Mapping):
            gaps.update({str(reason): int(count) for reason, count in row["gaps"].items()})
        for part in ("read_ms", "decide_ms", "answer_ms"):
            times[part].append(_number(row[part]))
        times["whole call"].append(sum(_number(row[part]) for part in ("read_ms", "decide_ms", "answer_ms")))
    return Activity(
        since=since,
        calls=len(rows),
        weeks=weeks,
        rules=rules.most_common(),
        outcomes=outcomes.most_common(),
        gaps=gaps.most_common(),
        tenants=[(client, count, shown[client]) for client, count in calls.most_common()],
        versions=versions.most_common(),
        latency={part: _latency(found) for part, found in times.items()},
        cut=len(rows) >= MOST,
        cards=cards,
    )


def monday(day: date) -> date:
    """Return the Monday of the week."""
    return day - timedelta(days=day.weekday())


def _number(value: object) -> float:
    return float(value) if isinstance(value, int | float) else 0.0


def _latency(found: Iterable[float]) -> Latency:
    ordered = sorted(found)
    last = len(ordered) - 1
    return Latency(
        calls=len(ordered), median=ordered[last // 2], p95=ordered[round(last * 0.95)], longest=ordered[last]
    )
