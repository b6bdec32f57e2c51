"""The parts of a card's text: why it is shown, causes, medicines, gaps, points to consider, limits and basis.

Knows: the assessment, the tables of wording, plain Markdown that reads as text too.
Must not know: FHIR, HTTP, card fields.
"""

from collections.abc import Iterable, Mapping, Sequence
from string import Formatter

from cds_service.calcinosis.assessment import ActiveExposure, Assessment, Basis, Cap, CauseFound, Dialysis
from cds_service.calcinosis.facts import EncounterClass, Gap, GapReason
from cds_service.calcinosis.knowledge import Criteria
from cds_service.hooks.wording.advice import ADVICE, HYPOCALCAEMIA, NEPHROLOGY_DAYS, NEPHROLOGY_TODAY
from cds_service.hooks.wording.facts import (
    CALCIUM,
    IONIZED,
    PAIR,
    UNIT,
    analyte,
    calcium_words,
    cause_name,
    is_hypocalcaemic,
    is_in_words,
    is_stale,
    low_words,
    needs_calcium,
    only_suspected,
    pair_gaps,
    severe_calcium,
    value_for,
)
from cds_service.hooks.wording.findings import (
    ARTEFACTS,
    FLAGS,
    GROUPS,
    KIDNEY_CAUSES,
    KIDNEY_TREND,
    NEWER_AFTER_DIALYSIS,
    NOT_EXCLUDED,
    POPULATIONS,
    RISK_FACTORS,
    TYPES,
)
from cds_service.hooks.wording.reasons import REASONS, SUSPECTED
from cds_service.hooks.wording.rules import CAPS, RULES
from cds_service.hooks.wording.write import age, day, inert, listed, number, rounded, sentence

Limits = Mapping[str, str]
MOST_CAUSES, MOST_REFERENCES = 6, 3
NO_PRODUCT = "Calcium x phosphate cannot be calculated; this is not a normal result."
FROM_WORDS = "Calcium x phosphate cannot be calculated from words."
NO_CURRENT_PRODUCT = "A present calcium x phosphate cannot be calculated; this is not a normal result."


def fill(words: str, limits: Limits, **more: str) -> str:
    """Put limits of the content and other words into a row of a table of wording."""
    known = {**limits, **more}
    return words.format(**{name: known[name] for _, name, _, _ in Formatter().parse(words) if name})


def refs(evidence: Sequence[str]) -> str:
    """Write references of resources, at most three by name."""
    shown = [inert(reference, 90) for reference in evidence[:MOST_REFERENCES]]
    if len(evidence) > MOST_REFERENCES:
        shown.append(f"{len(evidence) - MOST_REFERENCES} more")
    return ", ".join(shown)


def _in(evidence: Sequence[str]) -> str:
    return f" ({refs(evidence)})" if evidence else ""


# ---- why this card


def why_lines(a: Assessment, limits: Limits, criteria: Criteria) -> list[str]:
    """Return what was found and why it matters."""
    calcium = severe_calcium(a, criteria)
    lines = [
        fill(
            SUSPECTED if only_suspected(a) else REASONS.get(a.headline or "", REASONS[""]),
            limits,
            calcium="calcium" if calcium is None else calcium_words(calcium),
        )
    ]
    if a.headline != "CL-55" and "CL-55" in a.rules and calcium is not None:
        lines.append(f"Severe hypercalcaemia as well: {calcium_words(calcium)}.")
    told = [] if is_stale(a) or a.headline == "CL-151" else low_words(a)
    if told:
        lines.append(" ".join(f"{sentence(words)}." for words in told))
    if a.documented_names:
        names = listed([cause_name(name) for name in dict.fromkeys(a.documented_names)])
        lines.append(f"Calcification on the record: {names}{_in(a.documented_by)}.")
    if a.headline == "CL-58" or "CL-58" in a.rules:
        lines.append(NOT_EXCLUDED)
    return lines


# ---- causes


def cause_lines(a: Assessment, limits: Limits) -> list[str]:
    """Return the causes with their basis, the type that fits, and what is recorded but not blamed."""
    lines = [_cause(cause) for cause in a.causes[:MOST_CAUSES]]
    if len(a.causes) > MOST_CAUSES:
        lines.append(f"{len(a.causes) - MOST_CAUSES} more in the assessment")
    if a.setting.dialysis is not Dialysis.NONE:
        lines.append(f"{sentence(a.setting.dialysis)} dialysis is recorded.")
    pathway = f"{a.risk_pathway} calcification"
    if "CL-91" not in a.rules or a.headline != "CL-58":
        lines += [fill(TYPES[rule], limits, pathway=pathway) for rule in a.rules if rule in TYPES]
    else:
        lines += [fill(TYPES[rule], limits, pathway=pathway) for rule in a.rules if rule in TYPES and rule != "CL-91"]
        lines.append("The coded calciphylaxis makes the type metastatic.")
    lines += [
        f"{'On the record' if other.suspected else 'Also recorded'}, not blamed: "
        f"{cause_name(other.text) if other.suspected else inert(other.text, 80)}{_in(other.evidence)}"
        for other in a.also_recorded
    ]
    kidney = KIDNEY_CAUSES & {other.id for other in a.also_recorded if not other.suspected}
    if a.documented_names and kidney and "CL-92" not in a.rules:
        lines.append(KIDNEY_TREND)
    return lines


def _cause(cause: CauseFound) -> str:
    source = ", ".join(part for part in (refs(cause.evidence), ", ".join(cause.rules)) if part)
    name = cause_name(cause.name)
    return {
        Basis.RECORDED: f"{sentence(name)}: recorded ({source})",
        Basis.PATTERN: f"Values fit {name}, not recorded as a diagnosis ({source})",
        Basis.EXPOSURE: f"Possible {name}: a fitting exposure is recorded, the pattern is incomplete ({source})",
    }[cause.basis]


# ---- medicines and risk factors


def exposure_lines(a: Assessment) -> list[str]:
    """Return active medicines that matter, modifiable ones first, and calciphylaxis risk factors."""
    lines = []
    protected = "pregnancy" in a.population or needs_calcium(a)
    groups = (
        ("Active medicines" if protected else "Modifiable, active", [e for e in a.exposures if e.modifiable]),
        ("Other active medicines", [e for e in a.exposures if not e.modifiable]),
    )
    for title, found in groups:
        if found:
            lines.append(f"{title}: {', '.join(_exposure(exposure) for exposure in found)}")
    if a.risk_factors:
        told = [RISK_FACTORS.get(f.id, inert(f.id.replace("-", " "), 40)) for f in a.risk_factors]
        lines.append(f"Calciphylaxis risk factors present: {', '.join(told)} (listed, not added up)")
    return lines


def _exposure(exposure: ActiveExposure) -> str:
    group = GROUPS.get(exposure.group, inert(exposure.group, 30))
    remarks = "; ".join(part for part in (group, refs(exposure.evidence)) if part)
    return f"{inert(exposure.name, 60)} ({remarks})"


# ---- what is missing


def gap_lines(a: Assessment) -> list[str]:
    """Return what is missing, refused, stale or pending, and what follows from it (CL-98)."""
    told = {gap.analyte for gap in a.gaps if gap.reason is not GapReason.MISSING}
    lines = [_gap(gap, a) for gap in a.gaps if gap.reason is not GapReason.MISSING or gap.analyte not in told]
    if a.gaps and (a.product is None or is_stale(a)):
        words = all(is_in_words(gap) for gap in pair_gaps(a)) and bool(pair_gaps(a))
        lines.append(NO_CURRENT_PRODUCT if is_stale(a) else FROM_WORDS if words else NO_PRODUCT)
    return lines


def _gap(gap: Gap, a: Assessment) -> str:
    where = f" ({inert(gap.reference, 90)})" if gap.reference else ""
    detail = inert(gap.detail, 160)
    if gap.analyte == PAIR:
        return f"{'No product' if gap.reason is GapReason.REFUSED else 'No pair'}: {detail}{where}"
    name = sentence(analyte(gap.analyte))
    when = "" if gap.taken is None else f" of {day(gap.taken)}"
    old = "" if gap.taken is None else f", {age(gap.taken, a.evaluated_at)} old"
    more = f": {detail}" if detail else ""
    return {
        GapReason.MISSING: f"{name} {detail if is_in_words(gap) else 'missing' + more}{where}",
        GapReason.STALE: f"{name} stale: last result{when}{old}, too old to judge the present{where}{_not_alone(more)}",
        GapReason.REFUSED: f"{name}{when} refused, as it came{more}{_unused(detail)}; consider a repeat{where}",
        GapReason.UNREADABLE: (
            f"{name}{when} not interpretable{more}{_unused(detail, 'not used')}; consider a repeat{where}"
        ),
        GapReason.PENDING: f"{name}{when} pending (preliminary or registered), not used{where}",
        GapReason.NOT_FETCHED: f"{name} could not be read from the record{more}",
    }[gap.reason]


def _unused(detail: str, words: str = "unit or value not plausible, not used") -> str:
    return "" if "not used" in detail else f": {words}"


def _not_alone(detail: str) -> str:
    """Keep a detail only where it tells more than date and age."""
    return detail if "albumin" in detail or "see the value" in detail else ""


# ---- points to consider


def advice_lines(a: Assessment) -> list[str]:
    """Return one to three points with their basis (CL-100 to CL-109), cleared of medicines in pregnancy (CL-157)."""
    pregnant = "pregnancy" in a.population
    lines = []
    for rule in a.advice:
        known = ADVICE.get(rule)
        words = "" if known is None else known.no_drugs if pregnant else known.words
        if known is not None and words:
            lines.append(f"{fill(words, _advice_words(a))} Basis: {known.basis} ({rule}).")
    if is_hypocalcaemic(a):
        lines.append(f"{HYPOCALCAEMIA} (CL-111)")
    return lines


def _advice_words(a: Assessment) -> dict[str, str]:
    missing = [
        name
        for name, inputs in (("calcium", CALCIUM), ("phosphate", ("phosphate",)))
        if any(gap.analyte in inputs for gap in pair_gaps(a))
    ]
    corrected = a.product is not None and a.product.calcium.kind in ("corrected", "adjusted")
    acute = a.setting.encounter_class in (EncounterClass.ICU, EncounterClass.ED, EncounterClass.INPATIENT)
    return {
        "ionized": ", with ionised calcium because the albumin correction matters"
        if corrected and value_for(a, IONIZED) is None
        else "",
        "when": NEPHROLOGY_TODAY if acute else NEPHROLOGY_DAYS,
        "confirm": "the phosphate" if ARTEFACTS.keys() & set(a.flags) else "the value that was not used",
        "calcium": "" if needs_calcium(a) else "calcium, vitamin D, ",
        "supplements": "" if needs_calcium(a) else "supplements and ",
        "pth": "" if value_for(a, ("pth_intact",)) else ", with PTH as the first test",
        "missing": listed(missing) if missing else "calcium and phosphate together",
        "protein": ", with protein electrophoresis for the protein gap" if a.protein_gap_g_dl is not None else "",
    }


# ---- how far the card may be trusted


def doubt_lines(a: Assessment) -> list[str]:
    """Return caps, remarks on the data, populations and the confidence."""
    lines = [_cap(cap) for cap in a.caps]
    lines += remark_lines(a)
    lines += [POPULATIONS[group] for group in a.population if group in POPULATIONS]
    weak = f" ({', '.join(inert(word.replace('_', ' '), 60) for word in a.weaknesses)})" if a.weaknesses else ""
    lines.append(f"Confidence: {a.confidence}{weak}")
    return lines


def remark_lines(a: Assessment) -> list[str]:
    """Return the remarks on the data: what was refused, left out or could not be read."""
    protein = ""
    if a.protein_gap_g_dl is not None:
        protein = f"Total protein minus albumin is {number(a.protein_gap_g_dl)} g/dL: "
    flags = dict(FLAGS)
    if a.after_dialysis is not None:
        newer = f"{rounded(a.after_dialysis.value_mg2_dl2, 1)} {UNIT}"
        flags["post_dialysis"] = NEWER_AFTER_DIALYSIS.format(
            newer=newer, date=inert(a.after_dialysis.effective[:10], 10)
        )
    return [sentence(fill(flags[flag], {}, protein=protein)) for flag in a.flags if flag in flags]


def _cap(cap: Cap) -> str:
    why = f"{CAPS.get(cap.rule, 'see the rule')} ({cap.rule})"
    if cap.from_tier is cap.to_tier:
        return f"Also {why}"
    return f"{sentence(cap.from_tier)} was withheld, shown as {cap.to_tier}: {why}"


# ---- basis


def rule_lines(rules: Iterable[str], limits: Limits) -> list[str]:
    """Return the rules that fired with their limits; those told elsewhere on the card (causes, type, advice) by id."""
    rules = tuple(rules)
    withheld = {"CL-50": "withheld, as CL-51 tells"} if "CL-51" in rules else {}
    told = [
        f"{rule}: {withheld.get(rule) or fill(RULES[rule].clause, limits)}"
        for rule in rules
        if rule in RULES and RULES[rule].clause
    ]
    rest = [inert(rule, 12) for rule in rules if rule not in RULES or not RULES[rule].clause]
    return [*told, *([f"As told above: {', '.join(rest)}"] if rest else [])]
