"""What holds at present: the pair that speaks for it with its ruling, the trend, where calcium and phosphate stand.

Knows: which of several pairs counts (CL-34, CL-41 to CL-43), results in words only, ionised calcium (CL-19).
Must not know: causes, pathways, words for clinicians.
"""

from dataclasses import dataclass, replace
from decimal import Decimal
from itertools import chain, islice

from cds_service.calcinosis.assessment import EarlierProduct, Freshness, Trend
from cds_service.calcinosis.causes import Levels
from cds_service.calcinosis.chart import Chart
from cds_service.calcinosis.facts import Mark, Measurement, Position
from cds_service.calcinosis.names import Input
from cds_service.calcinosis.pairing import FreshnessRow, Pair, age_at, freshness_row, pairs
from cds_service.calcinosis.product import (
    PairProduct,
    bounds_contradict,
    calcium_position,
    ionized_for,
    is_discordant,
    pair_product,
)
from cds_service.calcinosis.tier import Ruling, Values, bound_decides, product_ruling
from cds_service.calcinosis.turnover import under_way


@dataclass(frozen=True)
class Judged:
    """The pair that speaks for the present, if any, with its ruling; `stale` is the newest pair when it is too old.

    products: up to three pairs, newest first, for the trend. set_aside: the newest pair, drawn after dialysis, where an
    earlier one speaks (CL-43). undecided: a pair whose bound settles nothing (CL-05).
    contradictory: the newest pair, when one of its members is a lower and the other an upper bound (CL-05).
    """

    row: FreshnessRow
    result: PairProduct | None = None
    ruling: Ruling | None = None
    stale: PairProduct | None = None
    undecided: PairProduct | None = None
    products: tuple[PairProduct, ...] = ()
    post_dialysis: bool = False
    set_aside: PairProduct | None = None
    contradictory: Pair | None = None

    def above(self, limit_mg2_dl2: Decimal) -> bool:
        """Tell whether the product in force exceeds a limit."""
        return self.result is not None and self.result.product.value_mg2_dl2 > limit_mg2_dl2


def judge_pairs(chart: Chart) -> Judged:
    turnover = under_way(chart)
    row = freshness_row(chart, turnover=turnover)
    found = pairs(chart, same_draw_only=turnover)
    first = next(found, None)
    contradictory = first if first is not None and bounds_contradict(chart, first) else None
    results = (pair_product(chart, pair, row) for pair in chain(() if first is None else (first,), found))
    judged = _judged(chart, row, tuple(islice((result for result in results if result is not None), 3)))
    return judged if contradictory is None else replace(judged, contradictory=contradictory)


def _judged(chart: Chart, row: FreshnessRow, products: tuple[PairProduct, ...]) -> Judged:
    if not products:
        return Judged(row)
    newest = products[0]
    if newest.product.freshness is Freshness.STALE:
        return Judged(row, stale=newest, products=products)
    if not bound_decides(chart, newest):
        return Judged(row, undecided=newest, products=products)
    chosen, ruling = newest, product_ruling(chart, newest)
    post_dialysis = Mark.POST_DIALYSIS in newest.flags
    if post_dialysis:
        # CL-43: a sample after dialysis may raise a tier but never lower the one before dialysis.
        for earlier in products[1:]:
            if Mark.POST_DIALYSIS in earlier.flags or earlier.product.freshness is Freshness.STALE:
                continue
            before = product_ruling(chart, earlier)
            if before.tier.rank > ruling.tier.rank:
                chosen, ruling = earlier, before
            break
    set_aside = None if chosen is newest else newest
    return Judged(row, chosen, ruling, products=products, post_dialysis=post_dialysis, set_aside=set_aside)


def trend_of(chart: Chart, judged: Judged) -> Trend | None:
    """Return direction and persistence over the last three pairs (CL-42); None without an earlier pair."""
    if judged.result is None:
        return None
    earlier = judged.products[judged.products.index(judged.result) + 1 :]
    if not earlier:
        return None
    c = chart.knowledge.criteria
    now, before = judged.result.product.value_mg2_dl2, earlier[0].product.value_mg2_dl2
    change = (now - before) / before if before else now
    direction = "steady"
    if abs(change) > c.trend_change_fraction:
        direction = "rising" if change > 0 else "falling"
    threshold = next((t for t in (c.product_critical_mg2_dl2, c.product_warning_mg2_dl2) if now > t), None)
    window = c.persistent_window_acute if chart.acute else c.persistent_window_outpatient
    persistent = False
    for result in earlier:
        if threshold is None or result.product.value_mg2_dl2 <= threshold:
            break
        span = judged.result.pair.later.taken.at - result.pair.later.taken.at
        persistent = persistent or span >= window
    previous = tuple(_in_short(r) for r in earlier)
    return Trend(direction=direction, persistent=persistent, previous=previous)


def after_dialysis(judged: Judged) -> EarlierProduct | None:
    """Return the newer product of a sample after dialysis that did not lower the tier (CL-43)."""
    return None if judged.set_aside is None else _in_short(judged.set_aside)


def _in_short(result: PairProduct) -> EarlierProduct:
    return EarlierProduct(result.product.value_mg2_dl2, result.pair.later.taken.text)


def present_levels(
    chart: Chart, judged: Judged, values: Values
) -> tuple[Levels, tuple[Measurement | None, Measurement | None]]:
    """Return where calcium and phosphate stand, and the results behind it; ionised calcium rules on calcium (CL-19)."""
    if judged.result is not None:
        product = judged.result.product
        calcium, position = product.calcium.measurement, product.calcium.position
        phosphate, phosphate_position = product.phosphate.measurement, product.phosphate.position
        ionized = None if is_discordant(chart, judged.result.pair.calcium) else ionized_for(chart, calcium)
    else:
        known = values.calcium
        calcium_or_none = known.measurement if known is not None else _words(chart, judged.row, Input.CALCIUM)
        phosphate_or_none = values.phosphate or _words(chart, judged.row, Input.PHOSPHATE)
        ionized = values.ionized
        position = Position.UNKNOWN if calcium_or_none is None else chart.position(calcium_or_none)
        if known is not None:
            position = calcium_position(chart, known)
        phosphate_position = Position.UNKNOWN if phosphate_or_none is None else chart.position(phosphate_or_none)
        if ionized is not None and known is not None and is_discordant(chart, known.measurement):
            ionized = None
        return (
            Levels(_by_ionized(chart, ionized, position), phosphate_position),
            (calcium_or_none or ionized, phosphate_or_none),
        )
    return Levels(_by_ionized(chart, ionized, position), phosphate_position), (calcium, phosphate)


def _by_ionized(chart: Chart, ionized: Measurement | None, position: Position) -> Position:
    known = Position.UNKNOWN if ionized is None else chart.position(ionized)
    return position if known is Position.UNKNOWN else known


def _words(chart: Chart, row: FreshnessRow, name: Input) -> Measurement | None:
    """Return a result given in words only, when it is not stale (contract, section 8)."""
    newest = next(iter(chart.results(name)), None)
    if newest is None or newest.value is not None or row.judge(age_at(chart.now, newest)) is Freshness.STALE:
        return None
    return newest
