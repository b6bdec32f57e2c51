"""The values on a card: a table of what was used, the product with its pair, the trend.

Knows: how a value, its range and its source are shown.
Must not know: tiers or advice.
"""

from collections.abc import Sequence
from decimal import Decimal

from cds_service.calcinosis.assessment import Assessment, Freshness, Product, Value
from cds_service.calcinosis.facts import Position, Range
from cds_service.calcinosis.knowledge import Criteria
from cds_service.hooks.wording.facts import (
    UNIT,
    analyte,
    product_limits,
    product_words,
    value_for,
    values_of,
)
from cds_service.hooks.wording.findings import CANONICAL_UNITS, PAIR_CLASSES
from cds_service.hooks.wording.write import (
    age,
    compared,
    hours,
    inert,
    listed,
    moment,
    number,
    reported,
    sentence,
    short,
)

POSITIONS = {Position.LOW: ", low", Position.HIGH: ", high", Position.NORMAL: ", in range", Position.UNKNOWN: ""}
MOST_ROWS = 16
MINORS = frozenset({"newborn", "infant", "child", "adolescent"})


def value_table(a: Assessment) -> str:
    """Return a Markdown table of the values; empty when there are none."""
    return table_of(values_of(a)[:MOST_ROWS])


def table_of(values: Sequence[Value]) -> str:
    """Return a Markdown table of these values; empty when there are none."""
    if not values:
        return ""
    rows = ["| Result | Value | Collected | Reference range | Source |", "| --- | --- | --- | --- | --- |"]
    return "\n".join(rows + [_row(value) for value in values])


def _row(value: Value) -> str:
    m = value.measurement
    cells = (
        _name(value),
        reported(m) + _converted(value) + ("" if value.kind == "corrected" else POSITIONS[value.position]),
        moment(m.taken),
        _range(value.range),
        inert(m.reference, 90),
    )
    return f"| {' | '.join(cells)} |"


def _name(value: Value) -> str:
    name = sentence(analyte(value.measurement.input))
    return f"{name}, measured total" if value.kind in ("total", "corrected") else name


def _converted(value: Value) -> str:
    """Write the canonical value behind a value that came in another unit."""
    m = value.measurement
    unit = CANONICAL_UNITS.get(m.input)
    if unit is None or m.value is None or m.reported is None or m.value == m.reported:
        return ""
    return f" = {short(m.value)} {unit}"


def _range(limits: Range | None) -> str:
    if limits is None or (limits.low is None and limits.high is None):
        return "none known"
    low, high = (None if bound is None else short(bound) for bound in (limits.low, limits.high))
    words = f"{low} to {high}" if low and high else f"from {low}" if low else f"up to {high}"
    return f"{words} {inert(limits.unit, 24)} ({inert(limits.source, 12)})"


def product_lines(a: Assessment, criteria: Criteria) -> list[str]:
    """Return the product, the calcium behind it, the pair and its age, each as one line."""
    p = a.product
    if p is None:
        return []
    lines = [f"Calcium x phosphate: {product_words(p, criteria, both=True)}{_compared_with(a, p, criteria)}."]
    if p.measured_mg2_dl2 is not None and p.corrected_mg2_dl2 is not None:
        shown = [compared(n, product_limits(criteria)) for n in (p.corrected_mg2_dl2, p.measured_mg2_dl2)]
        kind = "adjusted" if p.calcium.kind == "adjusted" else "corrected"
        lines.append(f"With {kind} calcium {shown[0]}, with measured calcium {shown[1]} {UNIT}.")
    lines.append(_calcium_line(a, p, criteria))
    albumin = value_for(a, ("albumin",))
    if albumin is not None and (albumin.canonical or Decimal(0)) > criteria.albumin_high_g_dl:
        lines.append("High albumin can raise total calcium.")
    pair = PAIR_CLASSES.get(p.pair_class, "pair {gap} apart").format(gap=hours(p.gap_hours))
    gap = f", {hours(p.gap_hours)} apart" if p.pair_class == "A" and p.gap_hours else ""
    newest = max((p.calcium.measurement, p.phosphate.measurement), key=lambda m: m.taken.at)
    lines.append(f"Pair: {pair}{gap} (class {p.pair_class}); {age(newest.taken, a.evaluated_at)} old, {p.freshness}.")
    return lines


def _compared_with(a: Assessment, p: Product, criteria: Criteria) -> str:
    """Say where the product lies; adult limits are not held against a child."""
    high, target = criteria.product_critical_mg2_dl2, criteria.product_warning_mg2_dl2
    if p.freshness is Freshness.STALE:
        return ", too old to judge the present"
    if MINORS & set(a.population):
        return ""
    if p.value_mg2_dl2 > high:
        return f", above {number(high)}"
    if p.value_mg2_dl2 > target:
        return f", above {number(target)}, not above {number(high)}"
    return f", not above {number(target)}"


def _calcium_line(a: Assessment, p: Product, criteria: Criteria) -> str:
    m = p.calcium.measurement
    if p.calcium.kind == "adjusted":
        return "Calcium used: adjusted for albumin by the laboratory, not corrected again."
    if p.calcium.kind != "corrected" or p.albumin is None or m.value is None or p.calcium.canonical is None:
        why = a.uncorrected_because or f"albumin not below {number(criteria.albumin_reference_g_dl)} g/dL"
        return f"Calcium used: measured total, not corrected for albumin ({inert(why, 60)})."
    albumin = p.albumin.measurement
    shown = short(p.albumin.canonical or Decimal(0))
    formula = (
        f"{short(m.value)} + {number(criteria.correction_mg_dl_per_g_dl)} x "
        f"({number(criteria.albumin_reference_g_dl)} - {shown})"
    )
    return (
        f"Calcium used: corrected for albumin {shown} g/dL of {moment(albumin.taken)}: {formula} = "
        f"{short(p.calcium.canonical)} mg/dL."
    )


def trend_line(a: Assessment, criteria: Criteria) -> str:
    """Return earlier products and where they lead; empty when there are none."""
    if a.trend is None or not a.trend.previous:
        return ""
    limits = product_limits(criteria)
    earlier = listed([f"{compared(e.value_mg2_dl2, limits)} ({inert(e.effective[:10], 10)})" for e in a.trend.previous])
    words = f"Earlier products: {earlier} {UNIT}"
    if a.trend.direction != "unknown":
        words += f"; {inert(a.trend.direction, 10)}"
    if a.trend.persistent and a.product is not None:
        high, target = criteria.product_critical_mg2_dl2, criteria.product_warning_mg2_dl2
        passed = high if min(a.product.value_mg2_dl2, a.trend.previous[0].value_mg2_dl2) > high else target
        words += f"; persistent: second value in a row above {number(passed)}"
    return words + "."
