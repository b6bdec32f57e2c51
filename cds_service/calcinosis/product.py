"""The calcium-phosphate product of one pair: albumin correction, bounds, and what makes a value doubtful.

Knows: CL-05, CL-14 to CL-28; exact decimals in mg/dL, never rounded.
Must not know: tiers.
"""

from dataclasses import dataclass
from datetime import timedelta
from decimal import Decimal

from cds_service.calcinosis.assessment import Product, Value
from cds_service.calcinosis.chart import (
    CALCIUM_MG_DL_PER_MMOL_L,
    PHOSPHATE_MG_DL_PER_MMOL_L,
    Chart,
    range_position,
)
from cds_service.calcinosis.facts import Mark, Measurement, Position
from cds_service.calcinosis.names import CauseId, Concept, EventKind, Group, Input
from cds_service.calcinosis.pairing import (
    FreshnessRow,
    Pair,
    age_at,
    is_post_dialysis,
)

MG2_DL2_PER_MMOL2_L2 = CALCIUM_MG_DL_PER_MMOL_L * PHOSPHATE_MG_DL_PER_MMOL_L
LOWER_BOUND, UPPER_BOUND = (">", ">="), ("<", "<=")


@dataclass(frozen=True, slots=True)
class UsedCalcium:
    """The calcium of one draw as the rules use it, in mg/dL.

    measured: total calcium; None when the laboratory sent only an adjusted one (CL-16).
    corrected: adjusted by the laboratory or corrected here; None when no correction was allowed or needed.
    kept_because: why no correction was made, in the words of the contract's weaknesses; None when there was no reason.
    """

    measurement: Measurement
    kind: str
    measured: Decimal | None
    corrected: Decimal | None
    albumin: Measurement | None
    rules: tuple[str, ...]
    kept_because: str | None = None

    @property
    def value(self) -> Decimal:
        """The number that enters the product (CL-23)."""
        number = self.corrected if self.corrected is not None else self.measured
        assert number is not None  # noqa: S101 - one of the two is set by construction
        return number


def used_calcium(chart: Chart, calcium: Measurement) -> UsedCalcium:
    """Return the calcium of this draw with its correction (CL-16 to CL-19)."""
    if calcium.input == Input.ADJUSTED_CALCIUM:
        return UsedCalcium(calcium, "adjusted", None, calcium.value, None, ("CL-16",))
    adjusted = next((m for m in chart.results(Input.ADJUSTED_CALCIUM) if m.value and chart.same_draw(m, calcium)), None)
    if adjusted is not None:
        return UsedCalcium(adjusted, "adjusted", calcium.value, adjusted.value, None, ("CL-16",))
    reason = _correction_forbidden(chart, calcium)
    albumin = albumin_for(chart, calcium)
    criteria = chart.knowledge.criteria
    if reason is not None or albumin is None or albumin.value is None:
        return UsedCalcium(calcium, "total", calcium.value, None, None, ("CL-19",), reason)
    if albumin.value >= criteria.albumin_reference_g_dl or calcium.value is None:
        return UsedCalcium(calcium, "total", calcium.value, None, None, ())
    rise = criteria.correction_mg_dl_per_g_dl * (criteria.albumin_reference_g_dl - albumin.value)
    return UsedCalcium(calcium, "corrected", calcium.value, calcium.value + rise, albumin, ("CL-17",))


def albumin_for(chart: Chart, calcium: Measurement) -> Measurement | None:
    """Return the albumin closest to a calcium within the window of the setting, an exact value only (CL-19)."""
    criteria = chart.knowledge.criteria
    window = criteria.albumin_window_acute if chart.acute else criteria.albumin_window_outpatient
    albumin = chart.nearest(calcium, window, Input.ALBUMIN)
    return None if albumin is None or albumin.comparator is not None else albumin


def ionized_for(chart: Chart, calcium: Measurement) -> Measurement | None:
    """Return the ionised calcium of the same draw or within 24 h."""
    window = chart.knowledge.criteria.ionized_window
    return chart.nearest(calcium, window, Input.IONIZED_CALCIUM, Input.IONIZED_CALCIUM_PH74)


def _correction_forbidden(chart: Chart, calcium: Measurement) -> str | None:
    criteria = chart.knowledge.criteria
    if ionized_for(chart, calcium) is not None and not is_discordant(chart, calcium):
        return "ionised calcium measured"
    if protein_gap(chart, calcium) is not None:
        return "paraprotein likely"
    acid = chart.nearest(calcium, criteria.ionized_window, Input.PH)
    if acid is not None and acid.value is not None and not criteria.ph_low <= acid.value <= criteria.ph_high:
        return "pH out of range"
    albumin = albumin_for(chart, calcium)
    if albumin is None:
        older = [m for m in chart.results(Input.ALBUMIN) if m.value is not None]
        if older and older[0].comparator is not None:
            return "albumin only a bound"
        return "albumin too old" if older else "albumin missing"
    if albumin.value is not None and albumin.value < criteria.albumin_floor_g_dl:
        return "albumin below the tested range"
    return None


def is_discordant(chart: Chart, calcium: Measurement) -> bool:
    """Tell whether ionised and total calcium contradict each other, so that one of them is probably wrong (CL-14)."""
    ionized = ionized_for(chart, calcium)
    if calcium.input != Input.CALCIUM or ionized is None or ionized.value is None or not calcium.value:
        return False
    ratio = ionized.value * CALCIUM_MG_DL_PER_MMOL_L / calcium.value
    criteria = chart.knowledge.criteria
    return not criteria.ionized_total_low_ratio <= ratio <= criteria.ionized_total_high_ratio


def protein_gap(chart: Chart, anchor: Measurement) -> Decimal | None:
    """Return total protein minus albumin in g/dL when it exceeds the limit of CL-27, else None."""
    criteria = chart.knowledge.criteria
    window = criteria.albumin_window_acute if chart.acute else criteria.albumin_window_outpatient
    protein = chart.nearest(anchor, window, Input.TOTAL_PROTEIN)
    albumin = chart.nearest(anchor, window, Input.ALBUMIN)
    if protein is None or albumin is None or protein.value is None or albumin.value is None:
        return None
    gap = protein.value - albumin.value
    return gap if gap > criteria.protein_gap_g_dl else None


def calcium_position(chart: Chart, used: UsedCalcium) -> Position:
    """Tell where the calcium that is used lies in the range for total calcium."""
    if used.kind == "corrected":
        return range_position(used.value, chart.range_for(used.measurement))
    return chart.position(used.measurement)


@dataclass(frozen=True, slots=True)
class PairProduct:
    """A pair with its product and everything that bears on how far it may be trusted."""

    pair: Pair
    calcium: UsedCalcium
    product: Product
    flags: frozenset[Mark]
    row: FreshnessRow


def pair_product(chart: Chart, pair: Pair, row: FreshnessRow) -> PairProduct | None:
    """Multiply a pair; None when the bounds contradict each other or the sample is EDTA plasma (CL-05, CL-28)."""
    used = used_calcium(chart, pair.calcium)
    bound = _bound(used.measurement, pair.phosphate)
    phosphate = pair.phosphate.value
    if bound is None or phosphate is None or looks_like_edta(chart, pair.calcium):
        return None
    age = age_at(chart.now, pair.later)
    value = used.value * phosphate
    product = Product(
        value_mg2_dl2=value,
        value_mmol2_l2=value / MG2_DL2_PER_MMOL2_L2,
        bound=bound,
        measured_mg2_dl2=None if used.measured is None else used.measured * phosphate,
        corrected_mg2_dl2=None if used.corrected is None else used.corrected * phosphate,
        calcium=Value(
            measurement=used.measurement,
            canonical=used.value,
            position=calcium_position(chart, used),
            range=chart.range_for(used.measurement),
            kind=used.kind,
        ),
        phosphate=value_of(chart, pair.phosphate),
        albumin=None if used.albumin is None else value_of(chart, used.albumin),
        pair_class=pair.pair_class,
        gap_hours=_hours(pair.gap),
        age_hours=_hours(age),
        freshness=row.judge(age),
    )
    return PairProduct(pair, used, product, _flags(chart, pair, used), row)


def value_of(chart: Chart, measurement: Measurement, kind: str | None = None) -> Value:
    """Return a measurement with its position and range."""
    return Value(
        measurement=measurement,
        canonical=measurement.value,
        position=chart.position(measurement),
        range=chart.range_for(measurement),
        kind=kind,
    )


def _hours(span: timedelta) -> Decimal:
    return Decimal(span // timedelta(seconds=1)) / 3600


def _bound(calcium: Measurement, phosphate: Measurement) -> str | None:
    comparators = {m.comparator for m in (calcium, phosphate) if m.comparator is not None}
    if not comparators:
        return "exact"
    if comparators <= set(LOWER_BOUND):
        return "atLeast"
    return "atMost" if comparators <= set(UPPER_BOUND) else None


def bounds_contradict(chart: Chart, pair: Pair) -> bool:
    """Tell whether one member is a lower and the other an upper bound, so that their product has no bound (CL-05)."""
    used = used_calcium(chart, pair.calcium).measurement
    return _bound(used, pair.phosphate) is None


def looks_like_edta(chart: Chart, calcium: Measurement) -> bool:
    """Tell EDTA contamination: very low calcium, very high potassium and low ALP in one draw (CL-28)."""
    criteria = chart.knowledge.criteria
    if calcium.value is None or calcium.value >= criteria.edta_calcium_mg_dl:
        return False
    window = criteria.same_draw_window
    potassium, alp = chart.nearest(calcium, window, Input.POTASSIUM), chart.nearest(calcium, window, Input.ALP)
    return (
        potassium is not None
        and potassium.value is not None
        and potassium.value > criteria.edta_potassium_mmol_l
        and alp is not None
        and chart.position(alp) is Position.LOW
    )


def _flags(chart: Chart, pair: Pair, used: UsedCalcium) -> frozenset[Mark]:
    members = [pair.calcium, pair.phosphate, used.measurement, *([used.albumin] if used.albumin else [])]
    flags = {mark for member in members for mark in member.marks}
    flags.discard(Mark.POST_DIALYSIS)
    flags |= {Mark.COMPARATOR for m in (used.measurement, pair.phosphate) if m.comparator is not None}
    flags |= {Mark.TIME_UNCERTAIN for m in (pair.calcium, pair.phosphate) if m.taken.uncertain}
    if is_discordant(chart, pair.calcium):
        flags.add(Mark.CALCIUM_DISCORDANT)
    if any(is_post_dialysis(chart, m) for m in (pair.calcium, pair.phosphate)):
        flags.add(Mark.POST_DIALYSIS)
    return frozenset(flags | phosphate_guards(chart, pair.phosphate, calcium_position(chart, used)))


def phosphate_guards(chart: Chart, phosphate: Measurement, calcium: Position) -> set[Mark]:
    """Return the artefact guards on a phosphate (CL-27)."""
    criteria, guards = chart.knowledge.criteria, set[Mark]()
    value = phosphate.value if phosphate.value is not None else Decimal(0)
    paraprotein = chart.has(Concept.GAMMOPATHY, CauseId.BONE_MALIGNANCY)
    if protein_gap(chart, phosphate) is not None or (
        paraprotein and value > criteria.paraprotein_phosphate_mg_dl and calcium in (Position.LOW, Position.NORMAL)
    ):
        guards.add(Mark.PROTEIN_GAP)
    if value > criteria.phosphate_extreme_mg_dl and not _extreme_explained(chart, phosphate):
        guards.add(Mark.PHOSPHATE_EXTREME)
    if chart.position(phosphate) is Position.HIGH and chart.has(Concept.DRUG_INTERFERENCE):
        guards.add(Mark.DRUG_INTERFERENCE)
    return guards


def _extreme_explained(chart: Chart, phosphate: Measurement) -> bool:
    if chart.kidney_grade is not None and chart.kidney_grade >= 4:
        return True
    if chart.has(CauseId.AKI, CauseId.TUMOUR_LYSIS, CauseId.RHABDOMYOLYSIS, CauseId.PHOSPHATE_LOAD):
        return True
    if any(event.kind == EventKind.HAEMODIALYSIS for event in chart.dialysis_events()):
        return True
    return bool(phosphate_exposures(chart, phosphate))


def phosphate_exposures(chart: Chart, phosphate: Measurement) -> tuple[str, ...]:
    """Return the references of phosphate preparations in use within 72 h before a phosphate (CL-73)."""
    start = phosphate.taken.at - chart.knowledge.criteria.phosphate_load_window
    until = phosphate.taken.at + (timedelta(days=1) if phosphate.taken.day_only else timedelta(0))
    return tuple(
        e.reference
        for e in chart.facts.exposures
        if e.group == Group.PHOSPHATE_SALT
        and (e.started is None or e.started.at <= until)
        and (e.active or (e.started is not None and e.started.at >= start))
    )
