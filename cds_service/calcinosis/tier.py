"""The risk question: how much the present values and the documented disease call for attention.

Knows: sections 3 and 11 of the clinical rules, every cap, and which rule wins.
Must not know: how a cause is found (it is told), or words.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from decimal import Decimal

from cds_service.calcinosis.assessment import Cap, Dialysis, Freshness, Tier
from cds_service.calcinosis.chart import MODIFIABLE_GROUPS, Chart, range_position
from cds_service.calcinosis.facts import Mark, Measurement, Position
from cds_service.calcinosis.names import Concept, Input
from cds_service.calcinosis.pairing import FreshnessRow, age_at
from cds_service.calcinosis.product import (
    UPPER_BOUND,
    PairProduct,
    UsedCalcium,
    looks_like_edta,
    used_calcium,
)

ARTEFACT_GUARDS = (Mark.SAMPLE_QUALITY, Mark.PROTEIN_GAP, Mark.PHOSPHATE_EXTREME, Mark.DRUG_INTERFERENCE)
# Of two rules of one tier the one that stands first is the headline.
HEADLINE_ORDER = (
    "CL-27",
    "CL-50",
    "CL-51",
    "CL-52",
    "CL-53",
    "CL-153",
    "CL-154",
    "CL-151",
    "CL-55",
    "CL-58",
    "CL-56",
    "CL-57",
    "CL-59",
    "CL-60",
)


@dataclass(frozen=True, slots=True)
class Ruling:
    """A tier with the rule that gave it, the caps it went through and the rules that bore on it."""

    tier: Tier
    rule: str
    caps: tuple[Cap, ...] = ()
    rules: tuple[str, ...] = ()
    flags: frozenset[Mark] = field(default=frozenset())


@dataclass(frozen=True, slots=True)
class Values:
    """The newest calcium, ionised calcium and phosphate that are not stale, judged alone (CL-33, CL-55 to CL-57)."""

    calcium: UsedCalcium | None
    ionized: Measurement | None
    phosphate: Measurement | None


def current_values(chart: Chart, row: FreshnessRow) -> Values:
    """Return the newest values that are not stale."""
    fresh = [m for m in chart.calcium if row.judge(age_at(chart.now, m)) is not Freshness.STALE]
    calcium = next((m for m in fresh if m.comparator not in UPPER_BOUND and not looks_like_edta(chart, m)), None)
    ionized = next(
        (
            m
            for m in chart.results(Input.IONIZED_CALCIUM, Input.IONIZED_CALCIUM_PH74)
            if m.value is not None and row.judge(age_at(chart.now, m)) is not Freshness.STALE
        ),
        None,
    )
    phosphate = next(
        (
            m
            for m in chart.phosphate
            if row.judge(age_at(chart.now, m)) is not Freshness.STALE and m.comparator not in UPPER_BOUND
        ),
        None,
    )
    return Values(None if calcium is None else used_calcium(chart, calcium), ionized, phosphate)


# ---- the product (CL-50 to CL-54, CL-151 to CL-154)


def product_ruling(chart: Chart, result: PairProduct) -> Ruling:
    """Return the tier of a pair that is not stale, after its caps."""
    product = result.product
    raw = _raw_tier(chart, product.value_mg2_dl2, product.calcium.position, product.phosphate.position)
    rules = [*result.calcium.rules, raw.rule, *raw.rules]
    flags = set(result.flags)
    straddle = _straddle(chart, result, raw)
    if straddle:
        flags.add(Mark.STRADDLE)
        rules += ["CL-26", "CL-20"]
    caps = _caps(raw.tier, _doubts(chart, result, straddle=straddle))
    tier = caps[-1].to_tier if caps else raw.tier
    guarded = tier is not Tier.NONE and any(flag in flags for flag in ARTEFACT_GUARDS)
    headline = "CL-27" if guarded else "CL-51" if caps else raw.rule
    if guarded:
        rules.append("CL-27")
    if caps:
        rules += ["CL-51", *(cap.rule for cap in caps)]
    return Ruling(tier, headline, caps, tuple(rules), frozenset(flags))


def bound_decides(chart: Chart, result: PairProduct) -> bool:
    """Tell whether a product that is only a bound settles the tier by itself (CL-05)."""
    product, criteria = result.product, chart.knowledge.criteria
    if product.bound == "exact":
        return True
    if product.bound == "atLeast":
        return product.value_mg2_dl2 > criteria.product_critical_mg2_dl2
    return product.value_mg2_dl2 <= criteria.product_warning_mg2_dl2


def _raw_tier(chart: Chart, product: Decimal, calcium: Position, phosphate: Position) -> Ruling:
    criteria = chart.knowledge.criteria
    above = Position.HIGH in (calcium, phosphate)
    group = chart.age_group
    if group in ("newborn", "infant"):
        rule = "CL-151" if group == "newborn" else "CL-152"
        high = product > criteria.product_critical_mg2_dl2
        return Ruling(Tier.INFO if high else Tier.NONE, "CL-151" if high else "CL-54", rules=(rule,))
    if group == "child":
        high = product > criteria.product_child_mg2_dl2 and above
        return Ruling(Tier.WARNING if high else Tier.NONE, "CL-153" if high else "CL-54", rules=("CL-153",))
    if group == "adolescent":
        high = product > criteria.product_adolescent_mg2_dl2
        return Ruling(Tier.WARNING if high else Tier.NONE, "CL-154" if high else "CL-54", rules=("CL-154",))
    if product > criteria.product_critical_mg2_dl2:
        return Ruling(Tier.CRITICAL, "CL-50") if above else Ruling(Tier.WARNING, "CL-51")
    if product <= criteria.product_warning_mg2_dl2:
        return Ruling(Tier.NONE, "CL-54")
    if chart.dialysis is not Dialysis.MAINTENANCE:
        return Ruling(Tier.WARNING, "CL-52")
    raised = calcium is Position.HIGH or bool(chart.medicines(*MODIFIABLE_GROUPS)) or chart.has(Concept.SKIN_FINDING)
    return Ruling(Tier.WARNING if raised else Tier.INFO, "CL-53")


def _straddle(chart: Chart, result: PairProduct, raw: Ruling) -> bool:
    product, used = result.product, result.calcium
    if product.measured_mg2_dl2 is None or product.corrected_mg2_dl2 is None or used.measured is None:
        return False
    position = range_position(used.measured, chart.range_for(used.measurement))
    measured = _raw_tier(chart, product.measured_mg2_dl2, position, product.phosphate.position)
    return measured.tier is not raw.tier


def product_doubts(chart: Chart, result: PairProduct) -> tuple[str, ...]:
    """Return the rules that would hold a critical product at warning."""
    product = result.product
    raw = _raw_tier(chart, product.value_mg2_dl2, product.calcium.position, product.phosphate.position)
    return _doubts(chart, result, straddle=_straddle(chart, result, raw))


def _caps(raw: Tier, doubts: Sequence[str]) -> tuple[Cap, ...]:
    """Return the caps that hold a critical product at warning, in the order of the rules (CL-51)."""
    if raw is not Tier.CRITICAL:
        return ()
    return tuple(
        Cap(rule, Tier.WARNING if number else Tier.CRITICAL, Tier.WARNING) for number, rule in enumerate(doubts)
    )


def _doubts(chart: Chart, result: PairProduct, *, straddle: bool) -> tuple[str, ...]:
    product, flags = result.product, result.flags
    measured = product.measured_mg2_dl2
    kidney = chart.kidney_grade is not None and chart.kidney_grade >= 3
    below_floor = measured is not None and measured < chart.knowledge.criteria.straddle_measured_floor_mg2_dl2
    reasons = {
        "CL-14": Mark.CALCIUM_DISCORDANT in flags,
        "CL-26": straddle and kidney and below_floor,
        "CL-27": any(flag in flags for flag in ARTEFACT_GUARDS),
        "CL-32": product.pair_class == "C",
        "CL-33": Mark.TIME_UNCERTAIN in flags,
        result.row.rule: product.freshness is Freshness.RECENT,
        "CL-150": chart.age_group == "age-unknown",
    }
    return tuple(rule for rule, holds in reasons.items() if holds)


# ---- single values and documented disease (CL-55 to CL-60)


def value_rulings(chart: Chart, values: Values, *, product_speaks: bool, paired: bool) -> list[Ruling]:
    """Return what calcium and phosphate call for by themselves (CL-55 to CL-57).

    product_speaks: the product gives a tier by itself; then CL-56 adds nothing. (It says "at most 55"; under 13 years,
        where the limit is 65, the calcium must not fall silent between the two.)
    paired: there is a product that may speak for the present.
    """
    criteria, group = chart.knowledge.criteria, chart.age_group
    if group == "newborn":
        return []
    calcium = values.calcium.value if values.calcium is not None else None
    ionized = (
        values.ionized.value if values.ionized is not None and values.ionized.comparator not in UPPER_BOUND else None
    )
    if (calcium is not None and calcium >= criteria.calcium_severe_mg_dl) or (
        ionized is not None and ionized >= criteria.ionized_calcium_severe_mmol_l
    ):
        return [Ruling(Tier.WARNING, "CL-55")]
    if group == "infant":
        return []
    moderate = calcium is not None and calcium >= criteria.calcium_moderate_mg_dl
    if paired:
        return [Ruling(Tier.INFO, "CL-56")] if moderate and not product_speaks else []
    phosphate = values.phosphate.value if values.phosphate is not None else None
    marked = phosphate is not None and phosphate >= criteria.phosphate_marked_mg_dl
    return [Ruling(Tier.INFO, "CL-57")] if moderate or marked else []


def disease_rulings(chart: Chart, *, calcifying: bool, other_calcinosis: bool) -> list[Ruling]:
    """Return what documented calcification calls for (CL-58, CL-59); it rests on a record, so at any age (CL-156)."""
    if calcifying:
        exposed = bool(chart.medicines(*MODIFIABLE_GROUPS))
        return [Ruling(Tier.WARNING if exposed else Tier.INFO, "CL-58")]
    return [Ruling(Tier.INFO, "CL-59")] if other_calcinosis else []


def missing_rulings(chart: Chart, *, cause_recorded: bool, unusable: bool) -> list[Ruling]:
    """Return the request for the missing partner when a cause of section 4 is on the record (CL-60)."""
    if cause_recorded and unusable and chart.age_group not in ("newborn", "infant"):
        return [Ruling(Tier.INFO, "CL-60")]
    return []


def strongest(rulings: Iterable[Ruling]) -> Ruling:
    """Return the ruling that stands: the highest tier, then the order of the rules; CL-61 when there is none."""
    return min(
        (ruling for ruling in rulings if ruling.tier is not Tier.NONE),
        key=lambda ruling: (-ruling.tier.rank, HEADLINE_ORDER.index(ruling.rule)),
        default=Ruling(Tier.NONE, "CL-61"),
    )


def in_palliative_care(chart: Chart, ruling: Ruling) -> Ruling:
    """Return the ruling as it may be shown: in palliative care critical becomes info, the rest nothing (CL-158)."""
    if ruling.tier is Tier.NONE or "palliative" not in chart.population:
        return ruling
    lowered = Tier.INFO if ruling.tier is Tier.CRITICAL else Tier.NONE
    return replace(ruling, tier=lowered, caps=(*ruling.caps, Cap("CL-158", ruling.tier, lowered)))
