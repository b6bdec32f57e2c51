"""The order rules OT-1 to OT-7: which draft orders deserve a word before they are signed.

Knows: section 8 of the clinical rules, which medicine each rule is about.
Must not know: FHIR, codes, words, what lowers a tier (order_advice.py).
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from cds_service.calcinosis.assessment import Dialysis, Tier
from cds_service.calcinosis.facts import Position, Route
from cds_service.calcinosis.names import Drug, Group
from cds_service.calcinosis.order_situation import Situation
from cds_service.calcinosis.orders import (
    Order,
    OrderedDrug,
    Reason,
    Unjudged,
)

RULE_ORDER: Final = ("OT-1", "OT-1b", "OT-2", "OT-3", "OT-3b", "OT-4", "OT-5", "OT-5b", "OT-6", "OT-7")
_SYSTEMIC: Final = frozenset({Route.ORAL, Route.INTRAVENOUS, Route.UNKNOWN})
_INFO, _WARNING, _CRITICAL = Tier.INFO, Tier.WARNING, Tier.CRITICAL


@dataclass(frozen=True, slots=True)
class Raised:
    """A rule that holds for an order. doubts: what holds each critical reason at warning, () for a firm one."""

    rule: str
    tier: Tier
    reasons: tuple[Reason, ...]
    doubts: tuple[tuple[str, ...], ...] = ()


Outcome = Iterator[Raised | Unjudged]


# ---- the rules


def _iv_calcium(s: Situation, order: Order, drugs: Sequence[OrderedDrug]) -> Outcome:
    """OT-1, OT-1b. Source: clinical-logic, section 8 with its corrections."""
    c = s.chart.knowledge.criteria
    if any(drug.route is Route.UNKNOWN for drug in drugs):
        yield Unjudged.ROUTE_UNKNOWN
        return
    above = s.product_is_above(critical=True)
    severe = s.phosphate_reaches(c.order_phosphate_severe_mg_dl, inclusive=True)
    reasons = [Reason.PRODUCT] if above else []
    reasons += [Reason.PHOSPHATE] if severe and not s.product_is_low else []
    if reasons:
        doubts = {Reason.PRODUCT: s.doubts_of_product(), Reason.PHOSPHATE: s.doubts_of(s.phosphate)}
        yield Raised("OT-1", _CRITICAL, tuple(reasons), tuple(doubts[reason] for reason in reasons))
        return
    marked = s.phosphate_reaches(c.order_phosphate_marked_mg_dl, inclusive=False)
    if marked and s.product is not None and not s.product_is_low:
        yield Raised("OT-1b", _WARNING, (Reason.PHOSPHATE, Reason.PRODUCT))
    elif above is None and (severe is None or marked):
        yield Unjudged.VALUES_UNKNOWN


def _calcium_and_active_vitamin_d(s: Situation, order: Order, drugs: Sequence[OrderedDrug]) -> Outcome:
    """OT-2. Source: K/DOQI 2003, 6.3."""
    if s.calcium_is_high is None:
        yield Unjudged.VALUES_UNKNOWN
    if not s.calcium_is_high:
        return
    reasons = _calcium_reasons(s)
    doubts = [s.doubts_of(s.calcium.measurement)] if s.calcium is not None and s.calcium_is_severe else []
    if s.product_is_above(critical=True):
        reasons, doubts = (*reasons, Reason.PRODUCT), [*doubts, s.doubts_of_product()]
    yield Raised("OT-2", _CRITICAL if doubts else _WARNING, reasons, tuple(doubts))


def _sodium_phosphate(s: Situation, order: Order, drugs: Sequence[OrderedDrug]) -> Outcome:
    """OT-3, OT-3b: enema or oral solution, or a route that is not said, for the phosphate is the same."""
    c, grade = s.chart.knowledge.criteria, s.chart.kidney_grade
    egfr = s.egfr.value if s.egfr is not None else None
    newest = s.phosphate or (None if s.phosphate_is_high else s.any_phosphate)
    phosphate = s.phosphate_is_high or (newest is not None and s.chart.position(newest) is Position.HIGH)
    holds = {
        Reason.DIALYSIS: s.dialysis,
        Reason.KIDNEY_DISEASE: grade is not None and grade >= 4 and s.chart.ckd is not None,
        Reason.EGFR: egfr is not None and egfr < c.egfr_severe,
        Reason.PHOSPHATE: phosphate,
    }
    reasons = tuple(reason for reason, held in holds.items() if held)
    if reasons:
        doubts = {
            Reason.EGFR: s.doubts_of(s.egfr, adult_limit=False),
            Reason.PHOSPHATE: s.doubts_of(newest, adult_limit=False),
        }
        yield Raised("OT-3", _CRITICAL, reasons, tuple(doubts.get(reason, ()) for reason in reasons))
        return
    age = s.chart.age_years
    holds = {
        Reason.KIDNEY_DISEASE: grade == 3 and s.chart.ckd is not None,
        Reason.EGFR: egfr is not None and egfr < c.egfr_ckd,
        Reason.KIDNEY_INJURY: bool(s.kidney_injury),
        Reason.OBSTRUCTION: bool(s.obstruction),
        Reason.AGE: age is not None and age >= c.order_age_years,
    }
    reasons = tuple(reason for reason, held in holds.items() if held)
    if reasons:
        yield Raised("OT-3b", _WARNING, reasons)
    elif (egfr is None and grade is None) or newest is None:
        yield Unjudged.VALUES_UNKNOWN
    if "conditions" in s.chart.facts.unread:
        yield Unjudged.RECORD_UNREAD


def _phosphate(s: Situation, order: Order, drugs: Sequence[OrderedDrug]) -> Outcome:
    """OT-4."""
    if any(drug.route is Route.UNKNOWN and drug.drug == Drug.SODIUM_PHOSPHATE for drug in drugs):
        return  # OT-3 speaks for it
    above = s.product_is_above(critical=False)
    holds = {
        Reason.PRODUCT: above,
        Reason.PHOSPHATE: s.phosphate_is_high,
        Reason.CALCIUM: s.calcium_is_high,
    }
    reasons = tuple(reason for reason, held in holds.items() if held)
    if not reasons:
        if None in holds.values():
            yield Unjudged.VALUES_UNKNOWN
        return
    if Reason.CALCIUM in reasons:
        reasons = (*(reason for reason in reasons if reason is not Reason.CALCIUM), *_calcium_reasons(s))
    critical = s.product_is_above(critical=True)
    yield Raised(
        "OT-4",
        _CRITICAL if critical else _WARNING,
        reasons,
        (s.doubts_of_product(),) if critical else (),
    )


def _vitamin_k_antagonist(s: Situation, order: Order, drugs: Sequence[OrderedDrug]) -> Outcome:
    """OT-5, OT-5b: a new one only, that is, none in use apart from this order."""
    in_use = s.chart.medicines(Group.VKA)
    if any(exposure.reference != order.reference for exposure in in_use):
        return
    if s.calciphylaxis:
        yield Raised("OT-5", _CRITICAL, (Reason.CALCIPHYLAXIS,), ((),))
        return
    if "conditions" in s.chart.facts.unread:
        yield Unjudged.RECORD_UNREAD
    if s.chart.dialysis is not Dialysis.MAINTENANCE:
        return
    above = s.product_is_above(critical=False)
    if above is None:
        yield Unjudged.VALUES_UNKNOWN
    elif above:
        yield Raised("OT-5b", _INFO, (Reason.DIALYSIS, Reason.PRODUCT))


def _vitamin_d(s: Situation, order: Order, drugs: Sequence[OrderedDrug]) -> Outcome:
    """OT-6: active vitamin D, or vitamin D from the limit on; a dose that the order does not state is unknown."""
    c = s.chart.knowledge.criteria
    measured = s.vitamin_d.value if s.vitamin_d is not None else None
    reasons = (
        *((Reason.GRANULOMA,) if s.granuloma else ()),
        *(_calcium_reasons(s) if s.calcium_is_high else ()),
        *((Reason.VITAMIN_D,) if measured is not None and measured > c.vitamin_d_possible_ng_ml else ()),
    )
    if not reasons:
        if s.calcium_is_high is None:
            yield Unjudged.VALUES_UNKNOWN
        return
    if not any(drug.group == Group.ACTIVE_VITAMIN_D for drug in drugs):
        amount = order.vitamin_d_iu_per_day
        if amount is None:
            yield Unjudged.DOSE_UNKNOWN
        if amount is None or amount < c.order_vitamin_d_iu_per_day:
            return
    yield Raised("OT-6", _WARNING, reasons)


def _thiazide(s: Situation, order: Order, drugs: Sequence[OrderedDrug]) -> Outcome:
    """OT-7."""
    if s.calcium_is_high is None:
        yield Unjudged.VALUES_UNKNOWN
    elif s.calcium_is_high:
        yield Raised("OT-7", _INFO, _calcium_reasons(s))


def _calcium_reasons(s: Situation) -> tuple[Reason, ...]:
    """Say by which calcium it is high: ionised where that rules, else total or corrected."""
    return (Reason.IONIZED_CALCIUM,) if s.ionized_rules else (Reason.CALCIUM,)


# ---- which medicine each rule is about


def _is_iv_calcium(drug: OrderedDrug) -> bool:
    by_vein = drug.route is Route.INTRAVENOUS and drug.group in (Group.IV_CALCIUM, Group.ORAL_CALCIUM)
    return by_vein or (drug.group == Group.IV_CALCIUM and drug.route is Route.UNKNOWN)


def _is_oral_calcium_or_active_d(drug: OrderedDrug) -> bool:
    if drug.group == Group.ACTIVE_VITAMIN_D:
        return drug.route in _SYSTEMIC
    by_mouth = drug.route is Route.ORAL and drug.group in (Group.IV_CALCIUM, Group.ORAL_CALCIUM)
    return by_mouth or (drug.group == Group.ORAL_CALCIUM and drug.route is Route.UNKNOWN)


def _is_sodium_phosphate(drug: OrderedDrug) -> bool:
    return drug.drug == Drug.SODIUM_PHOSPHATE and drug.route in (Route.ORAL, Route.RECTAL, Route.UNKNOWN)


def _is_phosphate_supplement(drug: OrderedDrug) -> bool:
    return drug.group == Group.PHOSPHATE_SALT and drug.route in _SYSTEMIC


def _is_vitamin_d(drug: OrderedDrug) -> bool:
    return drug.group in (Group.ACTIVE_VITAMIN_D, Group.NUTRITIONAL_VITAMIN_D) and drug.route in _SYSTEMIC


def _always(order: Order) -> bool:
    return True


def _is_no_supplement(order: Order) -> bool:
    """Sodium phosphate beside potassium phosphate is a supplement, not a bowel preparation."""
    return all(drug.drug != Drug.POTASSIUM_PHOSPHATE for drug in order.drugs)


@dataclass(frozen=True, slots=True)
class Family:
    """A rule family: the medicines that it is about, and what it says."""

    rule: str
    concerns: Callable[[OrderedDrug], bool]
    judge: Callable[[Situation, Order, Sequence[OrderedDrug]], Outcome]
    holds: Callable[[Order], bool] = _always


FAMILIES: Final = (
    Family("OT-1", _is_iv_calcium, _iv_calcium),
    Family("OT-2", _is_oral_calcium_or_active_d, _calcium_and_active_vitamin_d),
    Family("OT-3", _is_sodium_phosphate, _sodium_phosphate, _is_no_supplement),
    Family("OT-4", _is_phosphate_supplement, _phosphate),
    Family("OT-5", lambda drug: drug.group == Group.VKA, _vitamin_k_antagonist),
    Family("OT-6", _is_vitamin_d, _vitamin_d),
    Family("OT-7", lambda drug: drug.group == Group.THIAZIDE, _thiazide),
)
