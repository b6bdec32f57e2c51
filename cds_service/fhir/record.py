"""What is in hand of one patient, and what could not be had.

Knows: the kinds of data, the four states that must never be mixed up, and the policy for each kind.
Must not know: how resources come (gather.py, client.py) and what they say (read.py).
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Final

from msgspec import Raw

from cds_service.calcinosis.names import Input
from cds_service.fhir import shapes


class Kind(StrEnum):
    """Kinds of data, as facts and messages name them."""

    PATIENT = "patient"
    OBSERVATIONS = "observations"
    CONDITIONS = "conditions"
    MEDICATIONS = "medications"
    PROCEDURES = "procedures"
    ENCOUNTER = "encounter"


class State(StrEnum):
    """How a question was answered. No data is an answer; failed and not asked are none."""

    DATA = "data"
    NO_DATA = "no data"
    FAILED = "failed"
    NOT_ASKED = "not asked"


class Need(StrEnum):
    """What follows when a kind of data failed or was not asked and cannot be read from the FHIR server either."""

    REQUIRED = "MissingData: no judgement without it"
    WISHED = "the kind goes into facts.unread, with Mark.INCOMPLETE_DATA; the judgement goes on"


# The policy, in one place:
# - REQUIRED kinds must be there or be an honest "no data" (null, an empty Bundle).
# - When Observations are asked in groups, only the groups that hold calcium or phosphate are required; the inputs of
#   another lost group are unread.
# - An Encounter is not asked for when the call names none: that is "no data".
# - A kind that came, of which a part failed or of which more pages could not be read, is unread too (CL-146).
# - A patient other than that of the hook counts as not had.
POLICY: Final[Mapping[Kind, Need]] = {
    Kind.PATIENT: Need.REQUIRED,
    Kind.OBSERVATIONS: Need.REQUIRED,
    Kind.CONDITIONS: Need.WISHED,
    Kind.MEDICATIONS: Need.WISHED,
    Kind.PROCEDURES: Need.WISHED,
    Kind.ENCOUNTER: Need.WISHED,
}

KIND_OF: Final[Mapping[str, Kind]] = {
    "Patient": Kind.PATIENT,
    "Observation": Kind.OBSERVATIONS,
    "Condition": Kind.CONDITIONS,
    "MedicationRequest": Kind.MEDICATIONS,
    "MedicationOrder": Kind.MEDICATIONS,
    "MedicationStatement": Kind.MEDICATIONS,
    "MedicationAdministration": Kind.MEDICATIONS,
    "Procedure": Kind.PROCEDURES,
    "Encounter": Kind.ENCOUNTER,
}

# as many entries as one page shall have; servers cut it down to what they like
_PAGE: Final = 500
_WISHES: Final[Mapping[str, str]] = {
    "Observation": "_sort=-date&",
    "MedicationRequest": "_include=MedicationRequest:medication&",
    "MedicationStatement": "_include=MedicationStatement:medication&",
}
_PRODUCT_INPUTS: Final = frozenset({Input.CALCIUM, Input.ADJUSTED_CALCIUM, Input.PHOSPHATE})


@dataclass(frozen=True, slots=True)
class Wanted:
    """One query whose answer is wanted: a prefetch key of the service and its template.

    inputs: for a group of Observations the input ids that it covers; empty when it covers all.
    query: "Observation?patient={{context.patientId}}&code=..." or "Patient/{{context.patientId}}".
    """

    key: str
    kind: Kind
    inputs: frozenset[str] = frozenset()
    query: str = ""

    @classmethod
    def of(cls, key: str, query: str, inputs: Iterable[str] = ()) -> "Wanted":
        """The wanted answer of a prefetch template; its kind is the resource type that the query begins with."""
        return cls(key, KIND_OF[query.replace("/", "?").split("?")[0]], frozenset(inputs), query)

    @property
    def wishes(self) -> str:
        """What our own search asks beside the query: large pages, newest results first, the medicines referred to.

        Not part of the templates, which EHRs fill as they can. A server may ignore or refuse it (client.py).
        """
        kind, search, _ = self.query.partition("?")
        if not search:
            return ""
        return _WISHES.get(kind, "") + f"_count={_PAGE}"

    @property
    def required(self) -> bool:
        """Whether there is no judgement without it."""
        return POLICY[self.kind] is Need.REQUIRED and (not self.inputs or not self.inputs.isdisjoint(_PRODUCT_INPUTS))


_MINE: Final = "patient={{context.patientId}}"
# Without groups: what the service would ask of any FHIR server.
EVERYTHING: Final = (
    Wanted.of("patient", "Patient/{{context.patientId}}"),
    Wanted.of("observations", f"Observation?{_MINE}&category=laboratory"),
    Wanted.of("conditions", f"Condition?{_MINE}"),
    Wanted.of("medications", f"MedicationRequest?{_MINE}"),
    Wanted.of("statements", f"MedicationStatement?{_MINE}"),
    Wanted.of("procedures", f"Procedure?{_MINE}"),
    Wanted.of("encounter", "Encounter/{{context.encounterId}}"),
)


class MissingData(Exception):
    """Data without which no judgement is possible could not be had.

    keys: prefetch keys (or kinds) that lack. reasons: why, in the same order; no patient data in them.
    """

    def __init__(self, missing: Iterable[tuple[str, str]]) -> None:
        pairs = tuple(missing)
        self.keys = tuple(key for key, _ in pairs)
        self.reasons = tuple(reason for _, reason in pairs)
        super().__init__("; ".join(f"{key}: {reason}" for key, reason in pairs))


@dataclass(frozen=True, slots=True)
class Unreadable:
    """A resource that could not be decoded; its code and subject where they can be seen."""

    type: str
    reference: str
    reason: str
    code: Raw = field(default_factory=lambda: shapes.ABSENT)
    subject: Raw = field(default_factory=lambda: shapes.ABSENT)


@dataclass(slots=True)
class PatientRecord:
    """The resources in hand by kind, the state of each kind, and what came from where.

    medications, specimens, locations: by "Type/id" and by the address of their Bundle entry.
    addresses: addresses under which the hook's patient appeared (urn:uuid entries of collections).
    unread: kinds or input ids of which not all could be had.
    prefetch_used, fetched, failed: for the assessment's dataSources.
    raw: by reference the JSON of each resource, only when asked (keep_raw).
    """

    patient_id: str
    encounter_id: str | None = None
    patient: shapes.Patient | None = None
    other_patient: bool = False
    observations: list[shapes.Observation] = field(default_factory=list)
    conditions: list[shapes.Condition] = field(default_factory=list)
    requests: list[shapes.MedicationRequest | shapes.MedicationOrder] = field(default_factory=list)
    statements: list[shapes.MedicationStatement] = field(default_factory=list)
    administrations: list[shapes.MedicationAdministration] = field(default_factory=list)
    procedures: list[shapes.Procedure] = field(default_factory=list)
    encounters: list[shapes.Encounter] = field(default_factory=list)
    reports: list[shapes.DiagnosticReport] = field(default_factory=list)
    medications: dict[str, shapes.Medication] = field(default_factory=dict)
    specimens: dict[str, shapes.Specimen] = field(default_factory=dict)
    locations: dict[str, shapes.Location] = field(default_factory=dict)
    unreadable: list[Unreadable] = field(default_factory=list)
    addresses: set[str] = field(default_factory=set)
    states: dict[Kind, State] = field(default_factory=dict)
    unread: set[str] = field(default_factory=set)
    prefetch_used: list[str] = field(default_factory=list)
    fetched: list[str] = field(default_factory=list)
    failed: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    raw: dict[str, Raw] = field(default_factory=dict)
