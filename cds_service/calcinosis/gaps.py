"""What was needed and could not be used, named with its reason, its last date and what follows.

Knows: CL-01, CL-04 to CL-06, CL-12 to CL-15, CL-33, CL-41, CL-98.
Must not know: tiers; sentences for clinicians are made elsewhere, `detail` repeats only value, unit, date and event.
"""

from collections.abc import Iterable
from datetime import datetime, timedelta

from cds_service.calcinosis.chart import Chart
from cds_service.calcinosis.facts import Gap, GapReason, Mark, Measurement
from cds_service.calcinosis.names import Input
from cds_service.calcinosis.pairing import (
    FreshnessRow,
    Pair,
    age_at,
    shifted_between,
)
from cds_service.calcinosis.product import PairProduct, looks_like_edta

CALCIUM_INPUTS = (Input.CALCIUM, Input.ADJUSTED_CALCIUM)
FAMILY: dict[str, tuple[str, ...]] = {name: CALCIUM_INPUTS for name in CALCIUM_INPUTS}
FLAGGED_INPUTS = (*CALCIUM_INPUTS, Input.PHOSPHATE, Input.ALBUMIN)
MISSING_MARKS = {Input.CALCIUM: Mark.MISSING_CALCIUM, Input.PHOSPHATE: Mark.MISSING_PHOSPHATE}


def reading_gaps(chart: Chart) -> list[Gap]:
    """Return the values that were refused, unreadable or pending and are newer than the newest usable one."""
    horizon = chart.now - chart.knowledge.criteria.recent_ckd_g3
    kept = []
    for gap in chart.facts.gaps:
        usable = [m for m in chart.results(*FAMILY.get(gap.analyte, (gap.analyte,))) if m.value is not None]
        newest = max((m.taken.at for m in usable), default=None)
        if gap.taken is None or (gap.taken.at >= horizon and (newest is None or gap.taken.at > newest)):
            kept.append(gap)
    return _one_each(kept)


def _one_each(gaps: Iterable[Gap]) -> list[Gap]:
    """Keep the newest gap of each analyte and reason."""
    newest: dict[tuple[str, str], Gap] = {}
    for gap in sorted(gaps, key=lambda g: (g.taken is not None, g.taken.at.timestamp() if g.taken else 0, g.detail)):
        newest[(gap.analyte, gap.reason)] = gap
    return sorted(newest.values(), key=lambda g: (g.analyte, g.reason))


def value_gaps(chart: Chart, row: FreshnessRow, *, asked: bool) -> list[Gap]:
    """Return calcium and phosphate that are missing or stale. asked: a cause or documented calcification needs them."""
    lines = {Input.CALCIUM: chart.calcium, Input.PHOSPHATE: chart.phosphate}
    gaps = []
    for analyte, results in lines.items():
        others = lines[Input.PHOSPHATE if analyte == Input.CALCIUM else Input.CALCIUM]
        if not results and (asked or others):
            gaps.append(_missing(chart, analyte))
        elif results and row.judge(age_at(chart.now, results[0])) == "stale":
            gaps.append(_stale(chart.now, analyte, results[0]))
    return gaps


def _missing(chart: Chart, analyte: Input) -> Gap:
    words = chart.results(*FAMILY.get(analyte, (analyte,)))
    if words:
        return Gap(
            analyte=analyte,
            reason=GapReason.MISSING,
            detail=f"reported in words only on {words[0].taken.text}",
            taken=words[0].taken,
            reference=words[0].reference,
            mark=MISSING_MARKS[analyte],
        )
    fetched = analyte not in chart.facts.unread
    reason = GapReason.MISSING if fetched else GapReason.NOT_FETCHED
    detail = "no usable result on the record" if fetched else "the source did not answer"
    return Gap(analyte=analyte, reason=reason, detail=detail, mark=MISSING_MARKS[analyte])


def _stale(now: datetime, analyte: Input, newest: Measurement) -> Gap:
    days = age_at(now, newest) // timedelta(days=1)
    return Gap(
        analyte=analyte,
        reason=GapReason.STALE,
        detail=f"last result {days} days old ({newest.taken.text})",
        taken=newest.taken,
        reference=newest.reference,
        mark=Mark.STALE_VALUES,
    )


def pair_gap(chart: Chart, row: FreshnessRow) -> Gap | None:
    """Return why two usable values make no pair (CL-33); None when there are not two usable values."""
    calcium = next((m for m in chart.calcium if row.judge(age_at(chart.now, m)) != "stale"), None)
    phosphate = next((m for m in chart.phosphate if row.judge(age_at(chart.now, m)) != "stale"), None)
    if calcium is None or phosphate is None:
        return None
    hours = chart.apart(calcium, phosphate) // timedelta(hours=1)
    detail = f"calcium of {calcium.taken.text} and phosphate of {phosphate.taken.text} drawn {hours} h apart"
    between = shifted_between(chart, calcium.taken, phosphate.taken)
    events = {e.reference: e.name for e in chart.facts.events} | {e.reference: e.name for e in chart.facts.exposures}
    if between:
        detail += ", with " + ", ".join(dict.fromkeys(events[reference] for reference in between)) + " in between"
    return Gap(
        analyte="ca_p_product",
        reason=GapReason.MISSING,
        detail=detail,
        taken=max(calcium.taken, phosphate.taken, key=lambda t: t.at),
        reference=between[0] if between else None,
        mark=Mark.NO_PAIR,
    )


def edta_gap(chart: Chart) -> Gap | None:
    """Return the newest calcium when its draw looks like EDTA plasma: no product, and it is named (CL-28)."""
    newest = next(iter(chart.calcium), None)
    if newest is None or not looks_like_edta(chart, newest):
        return None
    return Gap(
        analyte=newest.input,
        reason=GapReason.REFUSED,
        detail=f"{newest.reported} {newest.unit} ({newest.taken.text}) with very high potassium and low ALP in one "
        "draw: EDTA contamination likely, not used",
        taken=newest.taken,
        reference=newest.reference,
        mark=Mark.SAMPLE_QUALITY,
    )


def contradiction_gap(pair: Pair) -> Gap:
    """Return a pair of a lower and an upper bound: it has no product, and it is named (CL-05)."""
    members = [f"{m.comparator} {m.reported} {m.unit} ({m.taken.text})" for m in (pair.calcium, pair.phosphate)]
    return Gap(
        analyte="ca_p_product",
        reason=GapReason.REFUSED,
        detail=f"calcium {members[0]} and phosphate {members[1]}: a lower and an upper bound have no product",
        taken=pair.later.taken,
        reference=pair.later.reference,
        mark=Mark.COMPARATOR,
    )


def bound_gaps(result: PairProduct) -> list[Gap]:
    """Return the members of a pair that are only a bound and do not settle the tier (CL-05)."""
    return [
        Gap(
            analyte=m.input,
            reason=GapReason.MISSING,
            detail=f"only a bound: {m.comparator} {m.reported} {m.unit}",
            taken=m.taken,
            reference=m.reference,
            mark=Mark.COMPARATOR,
        )
        for m in (result.calcium.measurement, result.pair.phosphate)
        if m.comparator is not None
    ]


def albumin_gap(chart: Chart, result: PairProduct) -> list[Gap]:
    """Return albumin when the calcium stays uncorrected for want of it (CL-19)."""
    if result.calcium.kept_because == "albumin only a bound":
        bound = next(m for m in chart.results(Input.ALBUMIN) if m.comparator is not None)
        detail = f"albumin {bound.comparator} {bound.reported} {bound.unit} is only a bound and corrects no calcium"
        return [
            Gap(
                analyte=Input.ALBUMIN,
                reason=GapReason.MISSING,
                detail=detail,
                taken=bound.taken,
                reference=bound.reference,
            )
        ]
    if result.calcium.kept_because == "albumin missing":
        fetched = Input.ALBUMIN not in chart.facts.unread
        reason = GapReason.MISSING if fetched else GapReason.NOT_FETCHED
        return [Gap(analyte=Input.ALBUMIN, reason=reason, detail="no albumin to correct the calcium with")]
    if result.calcium.kept_because != "albumin too old":
        return []
    newest = next(m for m in chart.results(Input.ALBUMIN) if m.value is not None)
    days = age_at(chart.now, newest) // timedelta(days=1)
    return [
        Gap(
            analyte=Input.ALBUMIN,
            reason=GapReason.STALE,
            detail=f"albumin {newest.reported} {newest.unit} of {newest.taken.text} ({days} days old) is too far from "
            "the calcium to correct it",
            taken=newest.taken,
            reference=newest.reference,
        )
    ]
