"""What is said of the draft orders of one call: the rules that hold for each order, lowered where a rule asks for it.

Knows: the downgrades and caps of order rules (CL-111, CL-113, CL-157, CL-158, doubtful values).
Must not know: FHIR, codes, words. Nothing here says that an order is right; an order without a finding is not listed.
"""

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Final

from cds_service.calcinosis.assessment import Assessment, Tier
from cds_service.calcinosis.chart import Chart
from cds_service.calcinosis.factors import ONE_DRAW
from cds_service.calcinosis.facts import PatientFacts
from cds_service.calcinosis.knowledge import Knowledge
from cds_service.calcinosis.names import Group
from cds_service.calcinosis.order_rules import FAMILIES, RULE_ORDER, Raised
from cds_service.calcinosis.order_situation import Situation
from cds_service.calcinosis.orders import (
    NotJudged,
    Order,
    OrderAdvice,
    OrderedDrug,
    OrderFinding,
    Reason,
    Seen,
    Unjudged,
)

_NO_DOUBT_OF_VALUES: Final = frozenset({"CL-111", "CL-150", "CL-153", "CL-154", "CL-158"})
_INFO, _WARNING, _CRITICAL = Tier.INFO, Tier.WARNING, Tier.CRITICAL


def advise(
    facts: PatientFacts,
    knowledge: Knowledge,
    now: datetime,
    assessment: Assessment,
    orders: Sequence[Order],
    not_judged: Iterable[NotJudged] = (),
    background: Iterable[str] = (),
) -> OrderAdvice:
    """Judge the draft orders of one call.

    assessment: the judgement on the patient from the same facts. not_judged: what the reader could not make an order
    of. background: names of drafts that are not the subject of the call (CH-34).
    Raises: nothing; what cannot be judged is named.
    """
    situation = Situation(Chart.of(facts, knowledge, now), assessment)
    findings: list[OrderFinding] = []
    unjudged, suppressed = list(not_judged), list[str]()
    for order in orders:
        for family in FAMILIES:
            drugs = tuple(drug for drug in order.drugs if family.concerns(drug))
            if drugs and family.holds(order):
                for outcome in family.judge(situation, order, drugs):
                    if isinstance(outcome, Unjudged):
                        unjudged.append(NotJudged(order.reference, outcome, order.name, family.rule))
                        continue
                    finding, why = _settled(situation, order, drugs, outcome)
                    suppressed += why
                    findings += [finding] if finding is not None else []
    return OrderAdvice(
        findings=tuple(findings),
        not_judged=tuple(dict.fromkeys(unjudged)),
        rules=_rules(findings, suppressed),
        tests=_tests(findings),
        background=tuple(background),
        seen=_seen(situation),
    )


# ---- from a rule that holds to a finding


def _settled(
    situation: Situation, order: Order, drugs: tuple[OrderedDrug, ...], raised: Raised
) -> tuple[OrderFinding | None, tuple[str, ...]]:
    """Lower the tier where a rule asks for it; None when nothing is left to show, with the rules that suppressed it."""
    if situation.calcium_is_protected and _is_calcium_or_active_d(raised.rule, drugs):
        return None, ("CL-113",)
    tier, lowered = raised.tier, list[str]()
    by_vein = raised.rule in ("OT-1", "OT-1b")
    urgent = by_vein and bool(situation.emergencies)
    protected = by_vein and "post-parathyroidectomy" in situation.chart.population
    if urgent:
        tier, lowered = _INFO, ["CL-111"]
    elif tier is _CRITICAL and raised.doubts and all(raised.doubts):
        tier, lowered = _WARNING, [rule for doubts in raised.doubts for rule in doubts]
    if "palliative" in situation.chart.population:
        if tier is not _CRITICAL:
            return None, ("CL-158",)
        tier, lowered = _INFO, [*lowered, "CL-158"]
    pregnant = "pregnancy" in situation.chart.population
    finding = OrderFinding(
        order=order,
        rule=raised.rule,
        tier=tier,
        drugs=drugs,
        reasons=raised.reasons,
        downgraded_by=tuple(dict.fromkeys(lowered)),
        removable=order.has_id and not (urgent or protected or pregnant),
    )
    return finding, (*(("CL-113",) if protected else ()), *(("CL-157",) if pregnant else ()))


def _is_calcium_or_active_d(rule: str, drugs: Iterable[OrderedDrug]) -> bool:
    """Tell whether a finding calls calcium by mouth or active vitamin D into question (CL-113)."""
    return rule == "OT-2" or (rule == "OT-6" and any(drug.group == Group.ACTIVE_VITAMIN_D for drug in drugs))


def _tests(findings: Iterable[OrderFinding]) -> tuple[str, ...]:
    """Return the tests of one draw that confirm a value in doubt; in palliative care no value is."""
    lowered = {rule for finding in findings for rule in finding.downgraded_by}
    return ONE_DRAW if lowered - _NO_DOUBT_OF_VALUES else ()


def _rules(findings: Iterable[OrderFinding], others: Iterable[str]) -> tuple[str, ...]:
    fired = {finding.rule for finding in findings}
    lowered = [rule for finding in findings for rule in finding.downgraded_by]
    return tuple(dict.fromkeys([*(rule for rule in RULE_ORDER if rule in fired), *lowered, *others]))


def _seen(s: Situation) -> Seen:
    ckd = s.chart.ckd
    newest = s.phosphate or (None if s.phosphate_is_high else s.any_phosphate)
    shown = {"egfr": s.egfr, "phosphate": newest}
    evidence = {
        Reason.KIDNEY_DISEASE: ckd[1] if ckd is not None else (),
        Reason.KIDNEY_INJURY: s.kidney_injury,
        Reason.OBSTRUCTION: s.obstruction,
        Reason.CALCIPHYLAXIS: s.calciphylaxis,
        Reason.GRANULOMA: s.granuloma,
    }
    return Seen(
        now=s.assessment.evaluated_at,
        product=s.product.product if s.product is not None else None,
        calcium=s.used_calcium(),
        ionized=s.value(s.ionized),
        phosphate=s.value(newest),
        potassium=s.value(s.potassium),
        egfr=s.value(s.egfr),
        vitamin_d=s.value(s.vitamin_d),
        stale=frozenset(name for name, m in shown.items() if m is not None and s.is_stale(m)),
        emergencies=s.emergencies,
        records=tuple((reason, references) for reason, references in evidence.items() if references),
        age_years=None if s.chart.age_years is None else int(s.chart.age_years),
        kidney_disease=s.chart.knowledge.causes[ckd[0]].name if ckd is not None else None,
    )
