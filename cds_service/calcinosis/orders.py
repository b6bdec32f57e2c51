"""Draft orders as the rules see them, and what the rules say of them.

Knows: what an order would give, findings with their tier and reasons, why an order could not be judged.
Must not know: FHIR, codes, words for clinicians, how the rules decide (order_rules.py).
"""

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from enum import StrEnum

from cds_service.calcinosis.assessment import Product, Tier, Value
from cds_service.calcinosis.facts import Route


class Unjudged(StrEnum):
    """Why an order, or a rule for it, could not be judged."""

    NOT_CODED = "not-coded"
    CODE_UNKNOWN = "code-unknown"
    UNREADABLE = "unreadable"
    OTHER_PATIENT = "other-patient"
    NOT_TO_BE_GIVEN = "not-to-be-given"
    NOT_AMONG_DRAFTS = "not-among-drafts"
    ROUTE_UNKNOWN = "route-unknown"
    DOSE_UNKNOWN = "dose-unknown"
    VALUES_UNKNOWN = "values-unknown"
    RECORD_UNREAD = "record-unread"


class Reason(StrEnum):
    """What on the record, or among the values, a rule rests on."""

    PRODUCT = "product"
    CALCIUM = "calcium"
    IONIZED_CALCIUM = "ionized-calcium"
    PHOSPHATE = "phosphate"
    EGFR = "egfr"
    VITAMIN_D = "vitamin-d"
    AGE = "age"
    KIDNEY_DISEASE = "kidney-disease"
    DIALYSIS = "dialysis"
    KIDNEY_INJURY = "kidney-injury"
    OBSTRUCTION = "bowel-obstruction"
    CALCIPHYLAXIS = "calciphylaxis"
    GRANULOMA = "granulomatous-disease"


class Emergency(StrEnum):
    """What makes intravenous calcium a matter of minutes (CL-111)."""

    POTASSIUM = "potassium"
    HYPERKALAEMIA = "hyperkalaemia"
    CALCIUM = "calcium"
    HYPOCALCAEMIA = "hypocalcaemia"
    POISONING = "poisoning"
    ARREST = "arrest"


@dataclass(frozen=True, slots=True)
class OrderedDrug:
    """One medicine of an order; drug, group: of mappings/medications.csv."""

    drug: str
    group: str
    name: str
    route: Route


@dataclass(frozen=True, slots=True, kw_only=True)
class Order:
    """One draft order.

    reference: "MedicationRequest/id". name: what the order itself calls the medicine.
    has_id: False when the draft came without an id, so that nothing can refer to it.
    vitamin_d_iu_per_day: only where the order states it exactly.
    """

    reference: str
    name: str
    drugs: tuple[OrderedDrug, ...] = ()
    has_id: bool = True
    vitamin_d_iu_per_day: Decimal | None = None


@dataclass(frozen=True, slots=True)
class NotJudged:
    """An order that could not be judged, at all or by one rule. name: what the order calls the medicine."""

    reference: str
    reason: Unjudged
    name: str = ""
    rule: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class OrderFinding:
    """What one rule says of one order.

    drugs: the medicines of the order that the rule is about. reasons: what it rests on, the telling ones first.
    downgraded_by: rules that lowered the tier. removable: the card may offer to remove the draft (CL-111, 113, 157).
    """

    order: Order
    rule: str
    tier: Tier
    drugs: tuple[OrderedDrug, ...]
    reasons: tuple[Reason, ...]
    downgraded_by: tuple[str, ...] = ()
    removable: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """The values and records that the rules looked at, for the words; None where there is none.

    kidney_disease: the name of the kidney disease on the record. records: references behind a reason.
    stale: inputs whose value is too old to speak for the present.
    """

    now: datetime
    product: Product | None = None
    calcium: Value | None = None
    ionized: Value | None = None
    phosphate: Value | None = None
    potassium: Value | None = None
    egfr: Value | None = None
    vitamin_d: Value | None = None
    stale: frozenset[str] = frozenset()
    emergencies: tuple[Emergency, ...] = ()
    records: tuple[tuple[Reason, tuple[str, ...]], ...] = ()
    age_years: int | None = None
    kidney_disease: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class OrderAdvice:
    """All that is said of the orders of one call.

    rules: ids of rules that fired or lowered a tier, suppressed ones too. background: names of drafts that were not the
    subject of the call. tests: inputs of laboratory tests that confirm a value in doubt.
    """

    findings: tuple[OrderFinding, ...] = ()
    not_judged: tuple[NotJudged, ...] = ()
    rules: tuple[str, ...] = ()
    background: tuple[str, ...] = ()
    tests: tuple[str, ...] = ()
    seen: Seen

    @property
    def tier(self) -> Tier:
        """The highest tier among the findings."""
        return max((finding.tier for finding in self.findings), key=lambda tier: tier.rank, default=Tier.NONE)
