"""The parts of an order card in words: which drafts, because of what, what to weigh, how firm it is.

Knows: order findings, the tables of wording, plain Markdown that reads as text too.
Must not know: FHIR, HTTP, card fields.
"""

from collections.abc import Iterable, Sequence

from cds_service.calcinosis.assessment import Value
from cds_service.calcinosis.facts import Route
from cds_service.calcinosis.knowledge import Criteria
from cds_service.calcinosis.names import Group
from cds_service.calcinosis.orders import Emergency, NotJudged, OrderedDrug, OrderFinding, Reason, Seen
from cds_service.hooks.wording.facts import calcium_words, cause_name, later_day, limits_of, product_words
from cds_service.hooks.wording.orders import (
    EMERGENCIES,
    LOWERED,
    NO_REMOVAL,
    ORDERS,
    PALLIATIVE,
    REASONS,
    UNJUDGED,
    URGENT,
    URGENT_SUMMARY,
    URGENT_SUMMARY_SHORT,
)
from cds_service.hooks.wording.rules import CAPS
from cds_service.hooks.wording.sections import fill, refs
from cds_service.hooks.wording.summary import LONGEST
from cds_service.hooks.wording.write import age, day, inert, listed, number, reported, sentence

Findings = Sequence[OrderFinding]
MOST_NAMED = 12


def drugs_of(findings: Findings) -> str:
    """Return the medicines of the findings, each once."""
    return listed(list(dict.fromkeys(_drug(drug) for finding in findings for drug in finding.drugs)))


def _drug(drug: OrderedDrug) -> str:
    name = inert(drug.name.split(" (")[0], 40)
    if drug.group != Group.PHOSPHATE_SALT:
        return name
    known = {Route.RECTAL: f"{name} enema", Route.ORAL: f"oral {name}", Route.INTRAVENOUS: f"intravenous {name}"}
    return known.get(drug.route, name)


# ---- the summary


def order_summary(findings: Findings, seen: Seen, criteria: Criteria) -> str:
    """Return the one sentence of a card: as many reasons as fit below 140 characters."""
    head = findings[0]
    urgent = "CL-111" in head.downgraded_by
    words = URGENT_SUMMARY if urgent else ORDERS[head.rule].summary
    reasons = [reason_words(reason, seen, criteria) for reason in head.reasons]
    emergencies = emergency_words(seen)
    forms = [(words, count) for count in range(len(reasons), 0, -1)]
    for form, count in [*forms, (URGENT_SUMMARY_SHORT, 1)] if urgent else forms:
        text = fill(
            form,
            limits_of(criteria),
            because=listed(reasons[:count]),
            drugs=drugs_of(findings),
            emergencies=listed(emergencies[:count]),
        )
        if len(text) <= LONGEST:
            return sentence(text)
    return sentence(text[: LONGEST - 3].rstrip() + "...")


def reason_words(reason: Reason, seen: Seen, criteria: Criteria) -> str:
    """Write what a finding rests on, a value with its unit and date."""
    value = {
        Reason.CALCIUM: seen.calcium,
        Reason.IONIZED_CALCIUM: seen.ionized,
        Reason.PHOSPHATE: seen.phosphate,
        Reason.EGFR: seen.egfr,
        Reason.VITAMIN_D: seen.vitamin_d,
    }.get(reason)
    if reason is Reason.PRODUCT and seen.product is not None:
        return f"calcium x phosphate {product_words(seen.product, criteria, both=False)} on {later_day(seen.product)}"
    if reason is Reason.AGE and seen.age_years is not None:
        return f"age {seen.age_years} years"
    if reason in (Reason.CALCIUM, Reason.IONIZED_CALCIUM) and value is not None:
        high = number(criteria.order_calcium_high_mg_dl)
        over = value.canonical is not None and value.canonical > criteria.order_calcium_high_mg_dl
        limit = f" (above {high})" if reason is Reason.CALCIUM and over else " (above range)"
        return f"{calcium_words(value)} on {day(value.measurement.taken)}{limit}"
    if value is not None:
        names = {Reason.PHOSPHATE: "phosphate", Reason.EGFR: "eGFR", Reason.VITAMIN_D: "25-OH vitamin D"}
        return f"{names[reason]} {_amount(value, seen)}"
    return fill(REASONS[reason], {}, kidney=_kidney_disease(seen))


def _kidney_disease(seen: Seen) -> str:
    """Return its name; that there is dialysis is a reason of its own."""
    return cause_name(seen.kidney_disease or "kidney disease").removesuffix(", dialysis")


def _amount(value: Value, seen: Seen) -> str:
    m = value.measurement
    old = f", {age(m.taken, seen.now)} old" if m.input in seen.stale else ""
    return f"{reported(m)} on {day(m.taken)}{old}"


def emergency_words(seen: Seen) -> list[str]:
    """Write what makes intravenous calcium urgent."""
    ionized = seen.ionized if seen.calcium is None else None
    calcium = calcium_words(seen.calcium) if seen.calcium is not None else calcium_words(ionized) if ionized else ""
    known = {"potassium": reported(seen.potassium.measurement) if seen.potassium else "", "calcium": calcium}
    return [fill(EMERGENCIES[Emergency(kind)], {}, **known).replace(" ()", "") for kind in seen.emergencies]


# ---- the text


def draft_lines(findings: Findings) -> list[str]:
    """Name the drafts that the card is about."""
    return [
        f"Draft order: {inert(finding.order.name, 80)} ({inert(finding.order.reference, 90)})" for finding in findings
    ]


def because_lines(findings: Findings, seen: Seen, criteria: Criteria) -> list[str]:
    """Return why the card is shown: the rule's own words, then what it rests on with its evidence."""
    evidence = dict(seen.records)
    rules = dict.fromkeys(finding.rule for finding in findings)
    lines = [fill(ORDERS[rule].why, limits_of(criteria)) for rule in rules]
    reasons = dict.fromkeys(reason for finding in findings for reason in finding.reasons)
    told = []
    for reason in reasons:
        held = f" ({refs(evidence[reason])})" if reason in evidence else ""
        told.append(f"{sentence(reason_words(reason, seen, criteria))}{held}")
    return [*dict.fromkeys(lines), *(f"- {line}" for line in told)]


def weigh_lines(findings: Findings, population: Iterable[str], criteria: Criteria) -> list[str]:
    """Return the points to consider with their basis; none in pregnancy (CL-157)."""
    if "pregnancy" in population:
        return []
    by_rule = {rule: [f for f in findings if f.rule == rule] for rule in dict.fromkeys(f.rule for f in findings)}
    return [
        f"{fill(ORDERS[rule].advice, limits_of(criteria), drugs=drugs_of(found))} Basis: {ORDERS[rule].basis} ({rule})."
        for rule, found in by_rule.items()
    ]


def firm_lines(findings: Findings, seen: Seen, rules: Iterable[str]) -> list[str]:
    """Return what lowered the level, and why a removal is not offered."""
    lowered = list(dict.fromkeys(rule for finding in findings for rule in finding.downgraded_by))
    lines = []
    if "CL-111" in lowered:
        lines.append(fill(URGENT, {}, emergencies=listed(emergency_words(seen))))
    caps = [f"{CAPS[rule]} ({rule})" for rule in lowered if rule in CAPS and rule != "CL-158"]
    if caps:
        lines.append(fill(LOWERED, {}, tier=findings[0].tier, why="; ".join(caps)))
    if "CL-158" in lowered:
        lines.append(PALLIATIVE)
    if any(not finding.removable for finding in findings):
        known = [*lowered, *rules]
        lines += [words for rule, words in NO_REMOVAL.items() if rule in known][:1]
    return lines


def unjudged_lines(not_judged: Sequence[NotJudged]) -> list[str]:
    """Name the orders that could not be judged, and why."""
    lines = []
    for each in not_judged[:MOST_NAMED]:
        name = inert(each.name, 60) if each.name else "draft order"
        rule = f" by {each.rule}" if each.rule else ""
        lines.append(f"{sentence(name)} ({inert(each.reference, 90)}): {UNJUDGED[each.reason]}{rule}")
    more = len(not_judged) - MOST_NAMED
    return [*lines, *([f"{more} more in the assessment"] if more > 0 else [])]
