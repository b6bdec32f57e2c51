"""What the tier would be with other limits of the product: the rules themselves, asked with changed criteria.

Knows: which limits are tried, and when the answer cannot differ.
Must not know: what the rules do with a limit.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from decimal import Decimal
from typing import Final

from cds_service.calcinosis.assessment import Assessment
from cds_service.calcinosis.classify import classify
from cds_service.calcinosis.facts import PatientFacts
from cds_service.calcinosis.knowledge import Knowledge

LIMITS: Final = tuple(map(Decimal, ("50", "55", "60", "65", "70", "75")))
CRITICAL: Final = "critical"
WARNING: Final = "warning"


@dataclass(frozen=True, slots=True)
class Variant:
    """One pair of limits. which: the limit that is moved; limit: to where."""

    which: str
    limit: Decimal
    knowledge: Knowledge
    moved: tuple[tuple[Decimal, Decimal], ...]


def variants(knowledge: Knowledge) -> tuple[Variant, ...]:
    """All variants; the other limit gives way where the two would change places."""
    criteria = knowledge.criteria
    warning, critical = criteria.product_warning_mg2_dl2, criteria.product_critical_mg2_dl2
    pairs = [(CRITICAL, limit, min(warning, limit), limit) for limit in LIMITS]
    pairs += [(WARNING, limit, limit, max(critical, limit)) for limit in LIMITS]
    found = []
    for which, limit, low, high in pairs:
        changed = replace(criteria, product_warning_mg2_dl2=low, product_critical_mg2_dl2=high)
        moved = tuple((min(pair), max(pair)) for pair in ((warning, low), (critical, high)) if pair[0] != pair[1])
        found.append(Variant(which, limit, replace(knowledge, criteria=changed), moved))
    return tuple(found)


def answers(
    facts: PatientFacts, assessment: Assessment, now: datetime, tried: Sequence[Variant]
) -> dict[int, Assessment]:
    """The assessment under the variants that may differ, by their places.

    A number that lies on the same side of the old and of the new limit compares alike with both; when that holds for
    every number that is compared with a moved limit, the answer is the same and the rules are not asked again.
    """
    numbers = _numbers(assessment)
    is_bound = any(m.comparator is not None for m in facts.measurements)
    return {
        place: classify(facts, variant.knowledge, now)
        for place, variant in enumerate(tried)
        if variant.moved and (is_bound or any(_between(number, variant) for number in numbers))
    }


def _numbers(assessment: Assessment) -> list[Decimal]:
    product = assessment.product
    if product is None:
        return []
    given = (product.value_mg2_dl2, product.measured_mg2_dl2, product.corrected_mg2_dl2)
    return [number for number in given if number is not None]


def _between(number: Decimal, variant: Variant) -> bool:
    return any(low <= number <= high for low, high in variant.moved)
