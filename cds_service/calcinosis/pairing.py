"""Which calcium goes with which phosphate, and how old the pair is.

Knows: draws, the three pair classes, what between two draws forbids a pair, freshness (CL-30 to CL-41, CL-159).
Must not know: the product or the tier.
"""

from bisect import bisect_right
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from cds_service.calcinosis.assessment import Dialysis, Freshness
from cds_service.calcinosis.chart import Chart
from cds_service.calcinosis.facts import EncounterClass, Mark, Measurement, Taken
from cds_service.calcinosis.names import EventKind, Group, Input

SESSION_EVENTS = frozenset(
    {
        EventKind.HAEMODIALYSIS,
        EventKind.DIALYSIS,
        # surgery that shifts calcium and phosphate at once; other operations have no code in the content
        EventKind.PARATHYROIDECTOMY,
        EventKind.KIDNEY_TRANSPLANT,
        EventKind.LIVER_TRANSPLANT,
        EventKind.HEART_TRANSPLANT,
        EventKind.LUNG_TRANSPLANT,
        EventKind.HEART_LUNG_TRANSPLANT,
    }
)


@dataclass(frozen=True, slots=True)
class Pair:
    """A calcium and a phosphate that may be multiplied. pair_class: A, B or C (CL-30 to CL-32)."""

    calcium: Measurement
    phosphate: Measurement
    pair_class: str
    gap: timedelta

    @property
    def later(self) -> Measurement:
        """Return the member collected last."""
        return max(self.calcium, self.phosphate, key=lambda m: m.taken.at)


@dataclass(frozen=True, slots=True)
class FreshnessRow:
    """One row of section 2.2: its rule and its two limits."""

    rule: str
    fresh: timedelta
    recent: timedelta

    def judge(self, age: timedelta) -> Freshness:
        """Tell fresh, recent or stale; the limits belong to the fresher side."""
        if age <= self.fresh:
            return Freshness.FRESH
        return Freshness.RECENT if age <= self.recent else Freshness.STALE


def freshness_row(chart: Chart, *, turnover: bool) -> FreshnessRow:
    """Return the row of section 2.2 that applies. turnover: CL-159, values change by the hour."""
    c = chart.knowledge.criteria
    place, grade = chart.facts.encounter_class, chart.kidney_grade
    if place is EncounterClass.ICU:
        row = FreshnessRow("CL-35", c.fresh_icu, c.recent_icu)
    elif place in (EncounterClass.ED, EncounterClass.INPATIENT):
        row = FreshnessRow("CL-36", c.fresh_inpatient, c.recent_inpatient)
    elif chart.dialysis is Dialysis.MAINTENANCE:
        row = FreshnessRow("CL-37", c.fresh_dialysis, c.recent_dialysis)
    elif grade is not None and grade >= 4:
        row = FreshnessRow("CL-38", c.fresh_ckd_g4_g5, c.recent_ckd_g4_g5)
    elif grade == 3:
        row = FreshnessRow("CL-39", c.fresh_ckd_g3, c.recent_ckd_g3)
    else:
        row = FreshnessRow("CL-40", c.fresh_outpatient, c.recent_outpatient)
    return FreshnessRow("CL-159", min(row.fresh, c.fresh_turnover), row.recent) if turnover else row


def pairs(chart: Chart, *, same_draw_only: bool) -> Iterator[Pair]:
    """Yield the admissible pairs, most recent first by their later member; no result is used twice (CL-34)."""
    calcium, phosphate = chart.calcium, chart.phosphate
    partners = {Input.PHOSPHATE: _Timeline(calcium), Input.CALCIUM: _Timeline(phosphate)}
    shared = {each for m in calcium for each in m.draws} & {each for m in phosphate for each in m.draws}
    anchors = sorted([*calcium, *phosphate], key=lambda m: (m.taken.at, bool(m.draws & shared)), reverse=True)
    used: set[int] = set()
    for anchor in anchors:
        if id(anchor) in used:
            continue
        is_phosphate = anchor.input == Input.PHOSPHATE
        line = partners[Input.PHOSPHATE if is_phosphate else Input.CALCIUM]
        nearby = line.around(anchor, chart.knowledge.criteria.pair_far_window)
        for partner in sorted(nearby, key=lambda m: (chart.apart(m, anchor), not m.draws & anchor.draws)):
            if id(partner) in used:
                continue
            members = (partner, anchor) if is_phosphate else (anchor, partner)
            pair = admissible(chart, *members)
            if pair is not None and (pair.pair_class == "A" or not same_draw_only):
                used |= {id(anchor), id(partner)}
                yield pair
                break


class _Timeline:
    """Results in order of time, to find the closest ones that are not later than an anchor."""

    def __init__(self, results: Sequence[Measurement]) -> None:
        self._results = sorted(reversed(results), key=lambda m: m.taken.at)
        self._times = [m.taken.at for m in self._results]

    def around(self, anchor: Measurement, window: timedelta) -> Iterator[Measurement]:
        """Yield results not later than the anchor, the closest first, back to `window`."""
        end = bisect_right(self._times, anchor.taken.at)
        for index in range(end - 1, -1, -1):
            if anchor.taken.at - self._times[index] > window:
                return
            yield self._results[index]


def admissible(chart: Chart, calcium: Measurement, phosphate: Measurement) -> Pair | None:
    """Return the pair with its class, or None when the two may not be multiplied (CL-30 to CL-33)."""
    criteria = chart.knowledge.criteria
    gap = chart.apart(calcium, phosphate)
    if chart.same_draw(calcium, phosphate):
        return Pair(calcium, phosphate, "A", gap)
    one, other = calcium.taken, phosphate.taken
    needs_same_day = one.day_only or other.day_only or one.uncertain or other.uncertain
    if needs_same_day and one.text[:10] != other.text[:10]:
        return None
    if gap > criteria.pair_far_window or shifted_between(chart, one, other):
        return None
    if gap <= criteria.pair_near_window:
        return Pair(calcium, phosphate, "B", gap)
    return None if chart.acute else Pair(calcium, phosphate, "C", gap)


def shifted_between(chart: Chart, one: Taken, other: Taken) -> tuple[str, ...]:
    """Return the references of what happened between two draws and forbids a pair of class B or C (CL-31).

    A dialysis session, intravenous calcium, a phosphate load or surgery.
    """
    first, last = (one, other) if one.at <= other.at else (other, one)
    if first.day_only or last.day_only:
        return ()  # both on one calendar date: the order within the day is not known
    found = [
        e.reference for e in chart.facts.events if e.kind in SESSION_EVENTS and _within(e.started, e.ended, first, last)
    ]
    found += [
        e.reference
        for e in chart.facts.exposures
        if e.group in (Group.IV_CALCIUM, Group.PHOSPHATE_SALT) and _within(e.started, None, first, last)
    ]
    return tuple(found)


def _within(start: Taken | None, end: Taken | None, first: Taken, last: Taken) -> bool:
    if start is None:
        return False
    finish = (end or start).at + (timedelta(days=1) if (end or start).day_only else timedelta(0))
    return start.at < last.at and finish > first.at


def is_post_dialysis(chart: Chart, measurement: Measurement) -> bool:
    """Tell whether a sample is labelled post-dialysis or was taken within 6 h after a session (CL-43)."""
    if Mark.POST_DIALYSIS in measurement.marks:
        return True
    if measurement.taken.day_only:
        return False
    window = chart.knowledge.criteria.post_dialysis_window
    return any(
        event.kind != EventKind.PERITONEAL_DIALYSIS
        and event.ended is not None
        and not event.ended.day_only
        and timedelta(0) <= measurement.taken.at - event.ended.at <= window
        for event in chart.dialysis_events()
    )


def age_at(now: datetime, measurement: Measurement) -> timedelta:
    """Return the age of a result; a bare date of today, or a clock a little ahead, is age zero."""
    return max(now - measurement.taken.at, timedelta(0))
