"""Whether cells are breaking down so fast that calcium and phosphate change by the hour (CL-72, CL-74, CL-159).

Knows: laboratory tumour lysis, muscle breakdown.
Must not know: pairs, tiers.
"""

from collections.abc import Callable
from decimal import Decimal

from cds_service.calcinosis.chart import Chart
from cds_service.calcinosis.facts import Measurement
from cds_service.calcinosis.names import CauseId, Concept, Input

CANCERS = (Concept.MALIGNANCY, CauseId.MELANOMA, CauseId.BONE_METASTASES, CauseId.BONE_MALIGNANCY)


def under_way(chart: Chart) -> bool:
    """Tell whether tumour lysis is recorded or shown, or muscle breaks down (CL-159)."""
    since = [finding.since for finding in chart.stated(CauseId.TUMOUR_LYSIS)]
    limit = chart.now - chart.knowledge.criteria.turnover_window
    recorded = any(moment is None or moment.at >= limit for moment in since)
    return recorded or bool(lysis_items(chart)) or muscle_breakdown(chart)


def lysis_items(chart: Chart) -> dict[str, Measurement]:
    """Return the items of laboratory tumour lysis that are met within one day, by input; empty when it is not shown.

    Two items, urate or potassium among them, beside a cancer on the record (CL-72).
    Source: howard-2011 (one day, no 25 % clause), limits of cairo-bishop-2004.
    """
    if not chart.has(*CANCERS):
        return {}
    c = chart.knowledge.criteria
    child = chart.age_group in ("newborn", "infant", "child", "adolescent")
    phosphate_limit = c.lysis_phosphate_child_mg_dl if child else c.lysis_phosphate_mg_dl
    items: tuple[tuple[str, Callable[[Decimal], bool]], ...] = (
        (Input.URATE, lambda value: value >= c.lysis_urate_mg_dl),
        (Input.POTASSIUM, lambda value: value >= c.lysis_potassium_mmol_l),
        (Input.PHOSPHATE, lambda value: value >= phosphate_limit),
        (Input.CALCIUM, lambda value: value <= c.lysis_calcium_mg_dl),
    )
    newest = max((m.taken.at for name, _ in items for m in chart.results(name)[:1]), default=None)
    if newest is None or chart.now - newest > c.turnover_window:
        return {}
    met = {}
    for name, holds in items:
        result = next((m for m in chart.results(name) if m.value is not None), None)
        near = result is not None and newest - result.taken.at <= c.lysis_window
        if near and result is not None and result.value is not None and holds(result.value):
            met[name] = result
    shown = len(met) >= 2 and bool({Input.URATE, Input.POTASSIUM} & set(met))
    return met if shown else {}


def muscle_breakdown(chart: Chart) -> bool:
    """Tell whether the newest creatine kinase of the last week exceeds five times its upper limit (CL-74, CL-159)."""
    ck = chart.latest(Input.CK)
    limits = None if ck is None else chart.range_for(ck)
    criteria = chart.knowledge.criteria
    if ck is None or ck.value is None or limits is None or limits.high is None:
        return False
    return chart.now - ck.taken.at <= criteria.turnover_window and ck.value > criteria.ck_multiple * limits.high
