"""What is known of a patient, in the words of the clinical rules.

Knows: measurements, findings, exposures, events and gaps, each with the reference of the resource it was read from.
Must not know: codes, FHIR resources, files, the clock.
"""

from dataclasses import dataclass, field
from datetime import date, datetime
from decimal import Decimal
from enum import StrEnum


class Position(StrEnum):
    """Where a value lies in its reference range."""

    LOW = "low"
    NORMAL = "normal"
    HIGH = "high"
    UNKNOWN = "unknown"


class Mark(StrEnum):
    """A remark on one measurement, or on the record as a whole; the spelling is that of the contract's flags."""

    UNIT_MG_PER_L = "unit_mg_per_L"
    DECIMAL_COMMA = "decimal_comma"
    COMPARATOR = "comparator"
    NOT_INTERPRETABLE = "not_interpretable"
    UNIT_SUSPECT = "unit_suspect"
    MISSING_CALCIUM = "missing_calcium"
    MISSING_PHOSPHATE = "missing_phosphate"
    NO_PAIR = "no_pair"
    URINE_REJECTED = "urine_rejected"
    SPECIMEN_REJECTED = "specimen_rejected"
    OTHER_SUBJECT = "other_subject"
    TIME_UNCERTAIN = "time_uncertain"
    SAMPLE_QUALITY = "sample_quality"
    PROTEIN_GAP = "protein_gap"
    PHOSPHATE_EXTREME = "phosphate_extreme"
    DRUG_INTERFERENCE = "drug_interference"
    CALCIUM_DISCORDANT = "calcium_discordant"
    STRADDLE = "straddle"
    POST_DIALYSIS = "post_dialysis"
    STALE_VALUES = "stale_values"
    PENDING_RESULT = "pending_result"
    INCOMPLETE_DATA = "incomplete_data"


class GapReason(StrEnum):
    """Why a value that was looked for could not be used."""

    MISSING = "missing"
    STALE = "stale"
    REFUSED = "refused"
    UNREADABLE = "unreadable"
    PENDING = "pending"
    NOT_FETCHED = "not-fetched"


class Specificity(StrEnum):
    """How exactly a code states a concept; only exact and narrower codes may raise a finding alone."""

    EXACT = "exact"
    NARROWER = "narrower"
    BROADER = "broader"
    RESIDUAL = "residual"
    RELATED = "related"


class Route(StrEnum):
    """How a medicine is given, as far as the record says."""

    ORAL = "oral"
    INTRAVENOUS = "intravenous"
    RECTAL = "rectal"
    OTHER = "other"
    UNKNOWN = "unknown"


class Sex(StrEnum):
    """Administrative gender; listed as a risk factor only, never used for a tier."""

    FEMALE = "female"
    MALE = "male"
    UNKNOWN = "unknown"


class EncounterClass(StrEnum):
    """Where the patient is seen at hook time; unknown counts as outpatient."""

    ICU = "icu"
    ED = "ed"
    INPATIENT = "inpatient"
    OUTPATIENT = "outpatient"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class Taken:
    """When a sample was collected, or when something happened.

    at: zone-aware; for a date without time the first instant of that date in the zone of the evaluation time.
    text: the FHIR date or time as received.
    day_only: the record gives a date without a time.
    uncertain: only the reporting time (issued) was there.
    """

    at: datetime
    text: str
    day_only: bool = False
    uncertain: bool = False


@dataclass(frozen=True, slots=True)
class Range:
    """A reference range in the canonical unit of its input. source: "laboratory" or "default"."""

    low: Decimal | None
    high: Decimal | None
    unit: str
    source: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Measurement:
    """One admissible result (CL-01 to CL-09), converted exactly.

    input: input id of mappings/inputs.csv, for instance "ca_total".
    value: in the canonical unit of the input, unrounded; None when the laboratory gave words only.
    reported, unit: the number that was understood and the unit, as they came.
    comparator: "<", "<=", ">", ">=" or None.
    reference: "Observation/id".
    draws: references of the specimens and reports that the result belongs to (CL-30).
    laboratory_range: the laboratory's own range in the canonical unit; only when its unit is the value's unit (CL-08).
    interpretation: the laboratory's coded interpretation; UNKNOWN when there is none.
    marks: remarks on this value (sample_quality, decimal_comma, unit_mg_per_L, time_uncertain, post_dialysis ...).
    """

    input: str
    value: Decimal | None
    reported: Decimal | None
    unit: str | None
    taken: Taken
    reference: str
    comparator: str | None = None
    draws: frozenset[str] = frozenset()
    laboratory_range: Range | None = None
    interpretation: Position = Position.UNKNOWN
    marks: frozenset[Mark] = frozenset()


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One code of a Condition (or of a Procedure that states a lasting status) that stands for a concept.

    concept: a cause id of mappings/causes.csv or a concept id of mappings/concepts.csv.
    active: clinical status active, recurrence, relapse or absent; False: history (resolved, inactive, remission).
    history_counts: the content says that history counts as well (a graft, calciphylaxis).
    suspected: verification status provisional or differential: counts, is worded "suspected", names no cause (CL-10).
    code: system and code as in our tables, for instance "SNOMED CT 46177005".
    since: onset, else recorded date.
    sites: body-site codes of the Condition.
    """

    concept: str
    specificity: Specificity
    name: str
    code: str
    reference: str
    active: bool = True
    history_counts: bool = False
    suspected: bool = False
    since: Taken | None = None
    sites: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True, kw_only=True)
class Exposure:
    """One medicine on the record.

    drug, group, roles: of mappings/medications.csv.
    active: in use at hook time by its status and dates; a completed administration is not active but has a time.
    started, ended: of use or of the administration.
    administered: the record says it was given (MedicationAdministration), not only ordered.
    """

    drug: str
    group: str
    name: str
    reference: str
    roles: frozenset[str] = frozenset()
    route: Route = Route.UNKNOWN
    active: bool = True
    administered: bool = False
    started: Taken | None = None
    ended: Taken | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """One procedure that was done or is under way. kind: of mappings/procedures.*.csv, for instance "haemodialysis"."""

    kind: str
    name: str
    reference: str
    started: Taken | None = None
    ended: Taken | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Gap:
    """A value that could not be used, and why. detail repeats no more than value, unit and date."""

    analyte: str
    reason: GapReason
    detail: str
    taken: Taken | None = None
    reference: str | None = None
    mark: Mark | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class PatientFacts:
    """All that the rules may use of one patient.

    patient_reference: "Patient/id".
    birth_date: exact date, or the first day of the known month or year; None when unknown.
    unread: kinds of data that could not be had (input ids, "conditions", "medications", "procedures", "encounter").
    marks: remarks on the record as a whole (urine_rejected, specimen_rejected, other_subject, incomplete_data).
    notes: what was met and not understood, for people who maintain the mappings; no patient identifiers.
    """

    patient_reference: str
    birth_date: date | None = None
    sex: Sex = Sex.UNKNOWN
    encounter_class: EncounterClass = EncounterClass.UNKNOWN
    measurements: tuple[Measurement, ...] = ()
    findings: tuple[Finding, ...] = ()
    exposures: tuple[Exposure, ...] = ()
    events: tuple[Event, ...] = ()
    gaps: tuple[Gap, ...] = ()
    unread: frozenset[str] = frozenset()
    marks: frozenset[Mark] = frozenset()
    notes: tuple[str, ...] = field(default=())
