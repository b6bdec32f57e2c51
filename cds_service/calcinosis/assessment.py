"""The judgement on one patient, as the assessment contract names its parts.

Knows: tiers, types, causes, the product and the reasons; every number keeps its unit in its name or beside it.
Must not know: how it is written as JSON or told to a clinician.
"""

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from enum import StrEnum

from cds_service.calcinosis.facts import EncounterClass, Gap, Mark, Measurement, Position, Range


class Tier(StrEnum):
    """How much the clinician should notice; `none` means looked and found nothing to show."""

    NONE = "none"
    INFO = "info"
    WARNING = "warning"
    CRITICAL = "critical"

    @property
    def rank(self) -> int:
        """Order of severity, none first."""
        return _SEVERITY[self]


_SEVERITY = {tier: rank for rank, tier in enumerate(Tier)}


class CalcinosisType(StrEnum):
    """The four types of the source article, and what may be said when no single one fits."""

    METASTATIC = "metastatic"
    DYSTROPHIC = "dystrophic"
    IATROGENIC = "iatrogenic"
    IDIOPATHIC = "idiopathic"
    MIXED = "mixed"
    UNDETERMINED = "undetermined"
    NONE = "none"


class Basis(StrEnum):
    """Why a cause is named."""

    RECORDED = "recorded"
    PATTERN = "pattern"
    EXPOSURE = "exposure"


class Confidence(StrEnum):
    """How firm the judgement is; the weaknesses say why it is not high."""

    HIGH = "high"
    MODERATE = "moderate"
    LOW = "low"


class Freshness(StrEnum):
    """Age of the pair at hook time (CL-35 to CL-40)."""

    FRESH = "fresh"
    RECENT = "recent"
    STALE = "stale"


class Dialysis(StrEnum):
    """Whether the patient is on dialysis, and of which kind."""

    MAINTENANCE = "maintenance"
    ACUTE = "acute"
    NONE = "none"


@dataclass(frozen=True, slots=True, kw_only=True)
class Value:
    """A measurement as it was used.

    canonical: in the canonical unit of the input; for the calcium of a product the number that entered it.
    kind: calcium only: "total", "adjusted" (by the laboratory), "corrected" (by us), "ionized".
    """

    measurement: Measurement
    canonical: Decimal | None
    position: Position
    range: Range | None = None
    kind: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Product:
    """Calcium times phosphate of one pair, in mg2/dL2, unrounded (CL-21 to CL-25).

    bound: "exact", "atLeast" or "atMost".
    pair_class: "A", "B" or "C" (CL-30 to CL-32).
    """

    value_mg2_dl2: Decimal
    value_mmol2_l2: Decimal
    bound: str
    measured_mg2_dl2: Decimal | None
    corrected_mg2_dl2: Decimal | None
    calcium: Value
    phosphate: Value
    albumin: Value | None
    pair_class: str
    gap_hours: Decimal
    age_hours: Decimal
    freshness: Freshness


@dataclass(frozen=True, slots=True)
class EarlierProduct:
    """An earlier pair: its product in mg2/dL2 and the collection time of its later member, as received."""

    value_mg2_dl2: Decimal
    effective: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Trend:
    """direction: "rising", "falling", "steady" or "unknown" (CL-42)."""

    direction: str
    persistent: bool
    previous: tuple[EarlierProduct, ...]


@dataclass(frozen=True, slots=True)
class Cap:
    """A rule that lowered the tier."""

    rule: str
    from_tier: Tier
    to_tier: Tier


@dataclass(frozen=True, slots=True, kw_only=True)
class CauseFound:
    """A cause that explains the values or the documented calcification. id, name: of mappings/causes.csv."""

    id: str
    name: str
    type: CalcinosisType
    basis: Basis
    evidence: tuple[str, ...]
    rules: tuple[str, ...]
    confidence: Confidence | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class AlsoRecorded:
    """On the record, but not blamed. id is None for other calcification (CL-96) and skin findings, which `text` names.

    suspected: the record only suspects it (CL-10).
    """

    id: str | None
    text: str
    evidence: tuple[str, ...]
    suspected: bool = False


@dataclass(frozen=True, slots=True)
class RiskFactor:
    """A calciphylaxis risk factor (CL-79): listed, never added up."""

    id: str
    evidence: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class ActiveExposure:
    """An active medicine that matters. modifiable: on the list of CL-53."""

    group: str
    drug: str
    name: str
    modifiable: bool
    evidence: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Setting:
    """Where the patient is, and dialysis."""

    encounter_class: EncounterClass
    dialysis: Dialysis


@dataclass(frozen=True, slots=True, kw_only=True)
class Assessment:
    """The whole judgement.

    headline: the rule that set the tier (for instance "CL-50"); None when there is no tier.
    advice: ids of the advice rules (CL-100 to CL-109) that apply, in order, already cleared of what CL-110 to
        CL-115 forbid.
    tests: inputs of laboratory tests that a card may offer to order (CL-100, CL-109).
    values: the latest usable value of each other analyte that a reader wants beside the product (PTH, eGFR ...).
    documented_names: names of the documented calcifications. suspected_names: of those that are only suspected.
    after_dialysis: the newer product of a sample after dialysis that did not lower the tier (CL-43).
    uncorrected_because: why the calcium of the product was not corrected for albumin (CL-19), None when no reason stood
        in the way.
    protein_gap_g_dl: total protein minus albumin where it exceeds the limit of CL-27.
    """

    evaluated_at: datetime
    tier: Tier
    caps: tuple[Cap, ...] = ()
    risk_pathway: CalcinosisType = CalcinosisType.NONE
    documented_type: CalcinosisType = CalcinosisType.NONE
    documented_by: tuple[str, ...] = ()
    documented_names: tuple[str, ...] = ()
    suspected_names: tuple[str, ...] = ()
    causes: tuple[CauseFound, ...] = ()
    also_recorded: tuple[AlsoRecorded, ...] = ()
    confidence: Confidence = Confidence.HIGH
    weaknesses: tuple[str, ...] = ()
    product: Product | None = None
    trend: Trend | None = None
    after_dialysis: EarlierProduct | None = None
    flags: tuple[Mark, ...] = ()
    gaps: tuple[Gap, ...] = ()
    risk_factors: tuple[RiskFactor, ...] = ()
    exposures: tuple[ActiveExposure, ...] = ()
    population: tuple[str, ...] = ()
    setting: Setting
    rules: tuple[str, ...] = ()
    headline: str | None = None
    advice: tuple[str, ...] = ()
    tests: tuple[str, ...] = ()
    values: tuple[Value, ...] = ()
    uncorrected_because: str | None = None
    protein_gap_g_dl: Decimal | None = None
