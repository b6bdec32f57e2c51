"""The one sentence of a card: the finding, its number with unit, the date and why.

Knows: which parts a summary of each headline rule has, and that it must stay below 140 characters.
Must not know: Markdown.
"""

from collections.abc import Callable, Sequence

from cds_service.calcinosis.assessment import Assessment, Basis, CalcinosisType, Dialysis, Tier
from cds_service.calcinosis.facts import Gap, GapReason, Position
from cds_service.calcinosis.knowledge import Criteria
from cds_service.hooks.wording.facts import (
    CALCIUM,
    IONIZED,
    analyte,
    calcium_words,
    cause_name,
    is_in_words,
    is_stale,
    later_day,
    only_suspected,
    pair_gaps,
    product_words,
    severe_calcium,
    value_for,
)
from cds_service.hooks.wording.findings import ARTEFACTS
from cds_service.hooks.wording.write import age, day, hours, inert, listed, number, reported, rounded, sentence

LONGEST = 139
NOT_CALCULATED = "calcium x phosphate cannot be calculated"

Parts = tuple[str, ...]


def summary(assessment: Assessment, criteria: Criteria) -> str:
    """Return the summary: the first part always, further parts as long as they fit."""
    write = _suspected if only_suspected(assessment) else BY_HEADLINE.get(assessment.headline or "", _other)
    first, *more = (part for part in write(assessment, criteria) if part)
    text = first if len(first) <= LONGEST else first[: LONGEST - 3].rstrip() + "..."
    for part in more:
        if len(text) + len(part) <= LONGEST:
            text += part
    return sentence(text)


def _product(a: Assessment, criteria: Criteria, remark: str = "") -> str:
    """Write "calcium x phosphate 73.0 mg2/dL2 (above 70)", in mmol2/L2 too where the laboratory reports mmol/L."""
    if a.product is None:
        return "calcium x phosphate not available"
    words = f"calcium x phosphate {product_words(a.product, criteria, both=False)}"
    si = a.product.calcium.measurement.unit == "mmol/L"
    remarks = [f"{rounded(a.product.value_mmol2_l2, 2)} mmol2/L2"] if si else []
    remarks += [remark] if remark else []
    return f"{words} ({'; '.join(remarks)})" if remarks else words


def _on(a: Assessment) -> str:
    return "" if a.product is None else f" on {later_day(a.product)}"


def _documented(a: Assessment) -> str:
    return f"; {cause_name(a.documented_names[0])} recorded" if a.documented_names else ""


def _above_critical(a: Assessment, criteria: Criteria) -> Parts:
    above = f"above {number(criteria.product_critical_mg2_dl2)}"
    return (f"{_product(a, criteria, above)}{_on(a)}: risk of metastatic calcification", _documented(a))


def _doubtful(a: Assessment, criteria: Criteria) -> Parts:
    above = f"above {number(criteria.product_critical_mg2_dl2)}"
    reasons = [reason for cap in a.caps if (reason := _short_cap(cap.rule, a))]
    why = reasons[0] if reasons else "calcium and phosphate each in range"
    return (f"{_product(a, criteria, above)}{_on(a)}, {why}: consider a repeat", _documented(a))


def _short_cap(rule: str, a: Assessment) -> str:
    p = a.product
    if p is None:
        return ""
    newest = max((p.calcium.measurement, p.phosphate.measurement), key=lambda m: m.taken.at)
    measured = "" if p.measured_mg2_dl2 is None else f"{rounded(p.measured_mg2_dl2)} without albumin correction"
    return {
        "CL-14": "ionised calcium contradicts it",
        "CL-26": measured,
        "CL-32": f"drawn {hours(p.gap_hours)} apart",
        "CL-33": "collection time unknown",
        "CL-150": "age unknown",
    }.get(rule, f"{age(newest.taken, a.evaluated_at)} old" if rule.startswith(("CL-3", "CL-159")) else "")


def _above_target(a: Assessment, criteria: Criteria) -> Parts:
    dialysis = " (dialysis)" if a.setting.dialysis is Dialysis.MAINTENANCE else ""
    modifiable = [inert(exposure.name, 40) for exposure in a.exposures if exposure.modifiable]
    target = number(criteria.product_warning_mg2_dl2)
    return (
        f"{_product(a, criteria)}{_on(a)}{dialysis}, above the K/DOQI target of {target}",
        f"; active: {listed(modifiable[:2])}" if modifiable and "pregnancy" not in a.population else "",
        _documented(a),
    )


def _under_18(a: Assessment, criteria: Criteria) -> Parts:
    child = a.headline == "CL-153"
    high = criteria.product_child_mg2_dl2 if child else criteria.product_adolescent_mg2_dl2
    who = "children of 1 to 12 years" if child else "adolescents of 13 to 17 years"
    return (f"{_product(a, criteria)}{_on(a)}, above the limit of {number(high)} for {who}", _documented(a))


def _newborn(a: Assessment, criteria: Criteria) -> Parts:
    who = "infants" if "infant" in a.population else "newborns"
    return (f"{_product(a, criteria)}{_on(a)}: adult threshold not validated in {who}",)


def _hypercalcaemia(a: Assessment, criteria: Criteria) -> Parts:
    name = "severe hypercalcaemia" if a.headline == "CL-55" else "hypercalcaemia"
    calcium = severe_calcium(a, criteria)
    shown = "calcium above its limit" if calcium is None else calcium_words(calcium)
    when = "" if calcium is None else f" on {day(calcium.measurement.taken)}"
    if a.product is None:
        gaps = [gap for gap in pair_gaps(a) if gap.analyte == "phosphate"]
        more: Parts = (f"; {_gap(gaps[0], a)}, product cannot be calculated",) if gaps else ()
    else:
        low = a.product.phosphate.position is Position.LOW
        more = (f"; {_product(a, criteria)}", " only because phosphate is low" if low else "")
    return (f"{name}: {shown}{when}", *more, _documented(a))


def _partner(a: Assessment, criteria: Criteria) -> Parts:
    present = value_for(a, ("phosphate",)) or value_for(a, (*CALCIUM, *IONIZED))
    gaps = pair_gaps(a)
    both = value_for(a, ("phosphate",)) and value_for(a, CALCIUM)
    if present is None or (both and not gaps):
        return _missing(a, criteria)
    name = "phosphate" if present.measurement.input == "phosphate" else "calcium"
    other = "calcium" if name == "phosphate" else "phosphate"
    shown = f"{name} {reported(present.measurement)} on {day(present.measurement.taken)}"
    why = _gap(gaps[0], a) if gaps else f"no usable {other}"
    return (f"{shown}, {why}: {NOT_CALCULATED}",)


def _suspected(a: Assessment, criteria: Criteria) -> Parts:
    names = listed([cause_name(name) for name in a.suspected_names[:2]])
    return (f"suspected {names} on the record, not confirmed", _beside(a, criteria))


def _beside(a: Assessment, criteria: Criteria) -> str:
    if a.product is not None and not is_stale(a):
        return f"; {_product(a, criteria)}{_on(a)} does not exclude it"
    gaps = pair_gaps(a)
    return f"; {_gap(gaps[0], a)}: {NOT_CALCULATED}" if gaps else f"; {NOT_CALCULATED}"


def _calcifying(a: Assessment, criteria: Criteria) -> Parts:
    name = cause_name(a.documented_names[0]) if a.documented_names else "calcifying disease"
    return (f"{name} recorded", _beside(a, criteria))


def _classified(a: Assessment, criteria: Criteria) -> Parts:
    documented = [cause_name(name) for name in a.documented_names] or ["calcinosis"]
    metastatic = a.risk_pathway is CalcinosisType.METASTATIC
    recorded = [c for c in a.causes if c.basis is Basis.RECORDED]
    causes = [cause_name(c.name) for c in recorded if (c.type is CalcinosisType.METASTATIC) is metastatic]
    name = next((name for name in documented if name in causes), documented[0])
    others = [cause for cause in causes if cause not in documented]
    beside = f" with {listed(others[:2])}" if others else ""
    kinds = {
        CalcinosisType.UNDETERMINED: "type undetermined",
        CalcinosisType.NONE: "type not judged",
        CalcinosisType.MIXED: "mixed type",
    }
    kind = kinds.get(a.risk_pathway, f"fits the {a.risk_pathway} type")
    gaps = _gaps(pair_gaps(a), a) if a.product is None else ""
    return (f"{name} recorded{beside}: {kind}", f"; {gaps}" if gaps else "")


def _missing(a: Assessment, criteria: Criteria) -> Parts:
    gaps = pair_gaps(a)
    recorded = [cause_name(c.name) for c in a.causes if c.basis is Basis.RECORDED]
    if a.setting.dialysis is Dialysis.MAINTENANCE:
        recorded = ["dialysis"]
    why = f" ({recorded[0]} recorded)" if recorded else ""
    return (f"{_gaps(gaps, a) or _unpaired(a)}: {NOT_CALCULATED}", why)


def _unpaired(a: Assessment) -> str:
    """Say that two usable values make no pair, with their dates."""
    found = (("calcium", value_for(a, CALCIUM)), ("phosphate", value_for(a, ("phosphate",))))
    dated = [f"{name} of {day(value.measurement.taken)}" for name, value in found if value is not None]
    return f"{listed(dated)} make no pair" if len(dated) > 1 else "calcium and phosphate make no pair"


def _gaps(gaps: Sequence[Gap], a: Assessment) -> str:
    """Name the gaps of calcium and phosphate, both at once where they have one reason and date."""
    first: dict[str, Gap] = {}
    for gap in gaps:
        first.setdefault("calcium" if gap.analyte in CALCIUM else analyte(gap.analyte), gap)
    known = {(gap.reason, None if gap.taken is None else day(gap.taken)) for gap in first.values()}
    if len(first) == 2 and len(known) == 1:
        return _gap(gaps[0], a, "calcium and phosphate")
    return listed([_gap(gap, a, name) for name, gap in sorted(first.items())])


def _gap(gap: Gap, a: Assessment, name: str = "") -> str:
    name = name or ("calcium" if gap.analyte in CALCIUM else analyte(gap.analyte))
    when = "" if gap.taken is None else f" of {day(gap.taken)}"
    since = "" if gap.taken is None else f" since {day(gap.taken)}"
    old = "" if gap.taken is None else f" ({age(gap.taken, a.evaluated_at)} old)"
    return {
        GapReason.MISSING: f"{name}{when} in words only" if is_in_words(gap) else f"{name} missing{since}",
        GapReason.STALE: f"last {name}{when}{old}",
        GapReason.REFUSED: f"{name}{when} refused as not plausible",
        GapReason.UNREADABLE: f"{name}{when} not readable",
        GapReason.PENDING: f"{name} pending",
        GapReason.NOT_FETCHED: f"{name} could not be read",
    }[gap.reason]


def _confirm(a: Assessment, criteria: Criteria) -> Parts:
    phosphate = value_for(a, ("phosphate",))
    shown = "" if phosphate is None else f" {reported(phosphate.measurement)} of {day(phosphate.measurement.taken)}"
    reasons = [words for flag, words in ARTEFACTS.items() if flag in a.flags]
    if a.protein_gap_g_dl is not None and "protein_gap" in a.flags:
        reasons.insert(0, f"protein gap {number(a.protein_gap_g_dl)} g/dL")
    why = f" ({reasons[0]})" if reasons else ""
    return (f"confirm phosphate{shown}: it may be falsely high{why}", f"; {_product(a, criteria)}", _documented(a))


def _other(a: Assessment, criteria: Criteria) -> Parts:
    words = {Tier.CRITICAL: "finding", Tier.WARNING: "finding", Tier.INFO: "note", Tier.NONE: "note"}[a.tier]
    return (f"{_product(a, criteria)}{_on(a)}: {words} on calcium and phosphate",)


BY_HEADLINE: dict[str, Callable[[Assessment, Criteria], Parts]] = {
    "CL-27": _confirm,
    "CL-50": _above_critical,
    "CL-51": _doubtful,
    "CL-52": _above_target,
    "CL-53": _above_target,
    "CL-55": _hypercalcaemia,
    "CL-56": _hypercalcaemia,
    "CL-57": _partner,
    "CL-58": _calcifying,
    "CL-59": _classified,
    "CL-60": _missing,
    "CL-151": _newborn,
    "CL-153": _under_18,
    "CL-154": _under_18,
}
