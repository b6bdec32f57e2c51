"""Facts of one patient in, the assessment out: the order in which the rules are asked.

Knows: which rule module answers which question. Each rule is one call away from here.
Must not know: FHIR, codes, the clock (it is told the time), words. Longer than 300 lines because the order of the
questions and the assembly of the answer are read together.
"""

from collections.abc import Iterable, Sequence
from dataclasses import replace
from datetime import datetime

from cds_service.calcinosis import causes as recorded_causes
from cds_service.calcinosis.assessment import (
    AlsoRecorded,
    Assessment,
    Basis,
    CalcinosisType,
    CauseFound,
    Freshness,
    Tier,
    Trend,
    Value,
)
from cds_service.calcinosis.causes import Documented, Levels
from cds_service.calcinosis.chart import Chart
from cds_service.calcinosis.factors import advice, exposures, missing_tests, risk_factors
from cds_service.calcinosis.facts import Gap, GapReason, Mark, Measurement, PatientFacts
from cds_service.calcinosis.gaps import (
    FLAGGED_INPUTS,
    albumin_gap,
    bound_gaps,
    contradiction_gap,
    edta_gap,
    pair_gap,
    reading_gaps,
    value_gaps,
)
from cds_service.calcinosis.knowledge import Knowledge
from cds_service.calcinosis.names import CauseId, Input
from cds_service.calcinosis.pathway import VALUE_RULES, Conclusion, Picture, conclude, confidence, documented_type
from cds_service.calcinosis.patterns import Evidence, patterns
from cds_service.calcinosis.present import Judged, after_dialysis, judge_pairs, present_levels, trend_of
from cds_service.calcinosis.product import (
    calcium_position,
    protein_gap,
    value_of,
)
from cds_service.calcinosis.tier import (
    ARTEFACT_GUARDS,
    Ruling,
    Values,
    current_values,
    disease_rulings,
    in_palliative_care,
    missing_rulings,
    strongest,
    value_rulings,
)

MARK_ORDER = {mark: number for number, mark in enumerate(Mark)}
COSTLY_MARKS = frozenset(
    (*ARTEFACT_GUARDS, Mark.CALCIUM_DISCORDANT, Mark.STRADDLE, Mark.TIME_UNCERTAIN, Mark.INCOMPLETE_DATA)
)
PAIR_RULES = {"A": "CL-30", "B": "CL-31", "C": "CL-32"}
CONTEXT_INPUTS = (
    Input.IONIZED_CALCIUM,
    Input.IONIZED_CALCIUM_PH74,
    Input.ALBUMIN,
    Input.TOTAL_PROTEIN,
    Input.PTH,
    Input.VITAMIN_D_25,
    Input.VITAMIN_D_25_D3,
    Input.VITAMIN_D_125,
    Input.CREATININE,
    Input.EGFR,
    Input.BICARBONATE,
    Input.TOTAL_CO2,
    Input.URATE,
    Input.POTASSIUM,
    Input.ALP,
    Input.PTHRP,
    Input.CK,
)


def classify(facts: PatientFacts, knowledge: Knowledge, now: datetime) -> Assessment:
    """Judge one patient.

    now: the time from which ages count, zone-aware.
    Source: clinical-logic, sections 1 to 11.
    Raises: nothing; what cannot be judged is a gap.
    """
    chart = Chart.of(facts, knowledge, now)
    judged = judge_pairs(chart)
    values = current_values(chart, judged.row)
    levels, behind = present_levels(chart, judged, values)
    calcifications = recorded_causes.documented(chart)
    suspected = tuple(c for c in recorded_causes.documented(chart, suspected=True) if c.active)
    causes, aside = _causes(chart, levels, behind, calcifications)
    awaits = recorded_causes.awaits_values(chart, causes)
    unusable = judged.result is None
    rulings = [
        *([judged.ruling] if judged.ruling is not None else []),
        *value_rulings(
            chart,
            values,
            product_speaks=judged.ruling is not None and judged.ruling.tier is not Tier.NONE,
            paired=judged.result is not None,
        ),
        *disease_rulings(
            chart,
            calcifying=_calcifying((*calcifications, *suspected), causes),
            other_calcinosis=any(c.active for c in (*calcifications, *suspected)),
        ),
        *missing_rulings(chart, cause_recorded=awaits, unusable=unusable),
    ]
    strongest_ruling = strongest(rulings)
    gaps = _gaps(chart, judged, asked=awaits or bool(calcifications) or bool(suspected) or bool(causes))
    flags = _flags(chart, judged, gaps)
    picture = Picture(
        levels=levels,
        product_high=judged.above(knowledge.criteria.product_critical_mg2_dl2),
        product_low=judged.result is not None and not judged.above(knowledge.criteria.product_warning_mg2_dl2),
        ruling=strongest_ruling,
        guarded=_guarded(judged, strongest_ruling),
        unusable=unusable,
        awaits_values=awaits,
        causes=causes,
        calcifications=calcifications,
        suspected=suspected,
    )
    return _assemble(chart, now, judged, values, picture, aside, gaps, flags, rulings)


# ---- causes


def _causes(
    chart: Chart,
    levels: Levels,
    behind: tuple[Measurement | None, Measurement | None],
    calcifications: tuple[Documented, ...],
) -> tuple[tuple[CauseFound, ...], tuple[AlsoRecorded, ...]]:
    counted, aside = recorded_causes.recorded(chart, levels, calcifications)
    counted += [
        cause
        for cause in recorded_causes.iatrogenic(chart, calcifications)
        if cause.id not in {found.id for found in counted}
    ]
    ids = frozenset(cause.id for cause in counted)
    counted += patterns(Evidence(chart, levels, *behind, ids))
    ids = frozenset(cause.id for cause in counted)
    if ids & {CauseId.PRIMARY_HPT, CauseId.SECONDARY_HPT, CauseId.TERTIARY_HPT}:
        counted = [cause for cause in counted if cause.id != CauseId.HPT_UNSPECIFIED]
    return tuple(sorted(counted, key=_cause_order)), tuple(cause for cause in aside if cause.id not in ids)


def _cause_order(cause: CauseFound) -> tuple[int, int, int, str]:
    bases = (Basis.RECORDED, Basis.PATTERN, Basis.EXPOSURE)
    types = (CalcinosisType.METASTATIC, CalcinosisType.IATROGENIC, CalcinosisType.DYSTROPHIC)
    kind = types.index(cause.type) if cause.type in types else len(types)
    rule = int(cause.rules[0].removeprefix("CL-")) if cause.rules else 999
    return (bases.index(cause.basis), kind, 0 if cause.id == CauseId.CALCIPHYLAXIS else rule, cause.id)


def _calcifying(calcifications: Sequence[Documented], causes: Iterable[CauseFound]) -> bool:
    """Tell whether a calcifying disease is documented and active (CL-58)."""
    kidney = any("CL-62" in cause.rules for cause in causes)
    return any(
        c.active
        and (
            c.cause.id in (CauseId.CALCIPHYLAXIS, CauseId.METASTATIC_CALCIFICATION)
            or (c.cause.id == CauseId.TUMORAL_CALCINOSIS and kidney)
        )
        for c in calcifications
    )


# ---- gaps and flags


def _gaps(chart: Chart, judged: Judged, *, asked: bool) -> tuple[Gap, ...]:
    contaminated = edta_gap(chart)
    contradictory = None if judged.contradictory is None else contradiction_gap(judged.contradictory)
    gaps = [*reading_gaps(chart), *(gap for gap in (contaminated, contradictory) if gap is not None)]
    if judged.result is not None:
        gaps += albumin_gap(chart, judged.result)
        return tuple(gaps)
    if judged.undecided is not None:
        gaps += bound_gaps(judged.undecided)
    told = {gap.analyte for gap in gaps if gap.reason in (GapReason.REFUSED, GapReason.UNREADABLE)}
    for gap in value_gaps(chart, judged.row, asked=asked):
        gaps.append(
            replace(gap, detail=f"{gap.detail}; see the value that could not be used") if gap.analyte in told else gap
        )
    is_told = judged.undecided is not None or contaminated is not None or contradictory is not None
    unpaired = None if is_told else pair_gap(chart, judged.row)
    return tuple([*gaps, unpaired] if unpaired is not None else gaps)


def _flags(chart: Chart, judged: Judged, gaps: Sequence[Gap]) -> frozenset[Mark]:
    flags = set(chart.facts.marks)
    flags |= {gap.mark for gap in gaps if gap.mark is not None and gap.analyte in (*FLAGGED_INPUTS, "ca_p_product")}
    ionized = (Input.IONIZED_CALCIUM, Input.IONIZED_CALCIUM_PH74)
    flags |= {gap.mark for gap in gaps if gap.mark is Mark.UNIT_SUSPECT and gap.analyte in ionized}
    calcium_or_phosphate = [gap for gap in gaps if gap.analyte in FLAGGED_INPUTS[:3]]
    if any(gap.reason is GapReason.PENDING for gap in calcium_or_phosphate):
        flags.add(Mark.PENDING_RESULT)
    if judged.ruling is not None:
        flags |= judged.ruling.flags
    elif judged.undecided is not None:
        flags |= judged.undecided.flags
    else:
        for name in (Input.CALCIUM, Input.PHOSPHATE):
            flags |= {mark for m in chart.results(name)[:1] for mark in m.marks}
    if judged.post_dialysis:
        flags.add(Mark.POST_DIALYSIS)
    return frozenset(flags)


def _guarded(judged: Judged, ruling: Ruling) -> bool:
    """Tell whether an artefact, a newborn's value or a post-dialysis sample keeps the pathway open (CL-82d)."""
    return ruling.rule in ("CL-27", "CL-151") or (judged.post_dialysis and ruling.tier is Tier.NONE)


# ---- the answer


def _assemble(
    chart: Chart,
    now: datetime,
    judged: Judged,
    values: Values,
    picture: Picture,
    aside: tuple[AlsoRecorded, ...],
    gaps: tuple[Gap, ...],
    flags: frozenset[Mark],
    rulings: Sequence[Ruling],
) -> Assessment:
    final, conclusion = in_palliative_care(chart, picture.ruling), conclude(picture)
    weaknesses = _weaknesses(chart, judged, picture, flags)
    tier = final.tier
    calcifying = any(ruling.rule == "CL-58" for ruling in rulings)
    factors = risk_factors(chart) if tier.rank >= Tier.WARNING.rank or calcifying else ()
    trend = trend_of(chart, judged)
    shown = judged.result or judged.stale
    documented_by = tuple(dict.fromkeys(ref for c in picture.calcifications for ref in c.evidence))
    from_values = final.rule in VALUE_RULES or final.rule in ("CL-27", "CL-57")
    counsel = advice(
        chart,
        tier=tier,
        from_values=from_values,
        flags=flags,
        calcium=picture.levels.calcium,
        phosphate=picture.levels.phosphate,
        product_high=picture.product_high,
        severe=any(ruling.rule == "CL-55" for ruling in rulings),
        unusable=picture.unusable,
        pathway=conclusion.pathway,
        calciphylaxis=picture.blames(CauseId.CALCIPHYLAXIS) or picture.suspects(CauseId.CALCIPHYLAXIS),
    )
    return Assessment(
        evaluated_at=now,
        tier=tier,
        caps=final.caps,
        risk_pathway=conclusion.pathway,
        documented_type=documented_type(picture.calcifications),
        documented_by=documented_by,
        documented_names=tuple(c.cause.name for c in picture.calcifications),
        suspected_names=tuple(c.cause.name for c in picture.suspected),
        causes=tuple(picture.causes),
        also_recorded=aside,
        confidence=confidence(conclusion, weaknesses),
        weaknesses=weaknesses,
        product=None if shown is None else shown.product,
        trend=trend,
        after_dialysis=after_dialysis(judged),
        flags=tuple(sorted(flags, key=MARK_ORDER.__getitem__)),
        gaps=gaps,
        risk_factors=factors,
        exposures=exposures(chart),
        population=chart.population,
        setting=chart.setting,
        rules=_rules(chart, judged, picture, conclusion, [*rulings, final], trend, bool(factors), gaps, counsel),
        headline=None if tier is Tier.NONE else final.rule,
        advice=counsel,
        tests=missing_tests(
            chart,
            tier=tier,
            from_values=from_values,
            unusable=picture.unusable,
            flags=flags,
            corrected=judged.result is not None and judged.result.product.corrected_mg2_dl2 is not None,
        ),
        values=(*(_unpaired_values(chart, values) if shown is None else ()), *_context_values(chart)),
        uncorrected_because=None if shown is None else shown.calcium.kept_because,
        protein_gap_g_dl=None if shown is None else protein_gap(chart, shown.pair.phosphate),
    )


def _unpaired_values(chart: Chart, values: Values) -> tuple[Value, ...]:
    """Return the newest calcium and phosphate where there is no pair: each is judged, and shown, alone (CL-33)."""
    shown = []
    if values.calcium is not None:
        used = values.calcium
        calcium = value_of(chart, used.measurement, used.kind)
        shown.append(replace(calcium, canonical=used.value, position=calcium_position(chart, used)))
    if values.phosphate is not None:
        shown.append(value_of(chart, values.phosphate))
    return tuple(shown)


def _context_values(chart: Chart) -> tuple[Value, ...]:
    latest = (chart.latest(name) for name in CONTEXT_INPUTS)
    return tuple(value_of(chart, m) for m in latest if m is not None)


def _weaknesses(chart: Chart, judged: Judged, picture: Picture, flags: frozenset[Mark]) -> tuple[str, ...]:
    """Return what cost confidence (section 6, confidence scale)."""
    words = [str(mark) for mark in sorted(COSTLY_MARKS & flags, key=MARK_ORDER.__getitem__)]
    if judged.result is not None:
        product = judged.result.product
        if product.pair_class != "A":
            words.append(f"pair class {product.pair_class}")
        if product.freshness is not Freshness.FRESH:
            words.append("values not fresh")
        if product.bound != "exact":
            words.append("value is only a bound")
    elif picture.calcifications or picture.suspected or picture.awaits_values:
        words += ["no usable calcium-phosphate pair"]
    if picture.suspected and not picture.calcifications:
        words.append("calcification only suspected")
    if picture.causes and all(cause.basis is not Basis.RECORDED for cause in picture.causes):
        words.append("cause not recorded")
    if chart.age_group == "age-unknown":
        words.append("age unknown")
    return tuple(words)


def _rules(
    chart: Chart,
    judged: Judged,
    picture: Picture,
    conclusion: Conclusion,
    rulings: Sequence[Ruling],
    trend: Trend | None,
    factors: bool,
    gaps: Sequence[Gap],
    counsel: Sequence[str],
) -> tuple[str, ...]:
    """Return the ids of all rules that fired, in the order of the rules."""
    rules = {conclusion.rule, judged.row.rule, *counsel}
    shown = judged.result or judged.stale or judged.undecided
    if shown is not None:
        rules.add(PAIR_RULES[shown.product.pair_class])
    if judged.ruling is not None:
        rules |= {judged.ruling.rule, *judged.ruling.rules}
    for ruling in rulings:
        rules |= {ruling.rule, *ruling.rules, *(cap.rule for cap in ruling.caps)}
    rules |= {rule for cause in picture.causes for rule in cause.rules}
    kidney, tissue = any("CL-62" in c.rules for c in picture.causes), picture.tissue
    states = {
        "CL-10": bool(picture.suspected),
        "CL-28": any(gap.reason is GapReason.REFUSED and gap.mark is Mark.SAMPLE_QUALITY for gap in gaps),
        "CL-33": any(gap.mark is Mark.NO_PAIR for gap in gaps),
        "CL-41": any(gap.reason is GapReason.STALE and gap.analyte != Input.ALBUMIN for gap in gaps),
        "CL-42": trend is not None,
        "CL-43": judged.post_dialysis,
        "CL-80": factors,
        "CL-92": kidney and tissue and bool(picture.calcifications),
        "CL-98": rulings[-1].tier is not Tier.NONE and picture.unusable,
        "CL-150": chart.age_group == "age-unknown",
        "CL-157": "pregnancy" in chart.population,
    }
    rules |= {rule for rule, holds in states.items() if holds}
    return tuple(sorted(rules, key=lambda rule: (int("".join(filter(str.isdigit, rule))), rule)))
