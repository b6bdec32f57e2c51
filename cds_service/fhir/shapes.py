"""The fields of FHIR resources that are read, as lenient msgspec structs; everything else is skipped undecoded.

Knows: field names and JSON types of R4, and the spellings of DSTU2, STU3 and R5 that differ in the fields used here
(releases.py says which is which).
Must not know: codes, units, what a value means.

Numbers stay msgspec.Raw, so that their decimal text is kept and nonsense is seen later, not crashed on. The parts of an
Observation stay Raw too: unmapped results are never decoded further, and equal bytes (the code, range and subject of
a chart of results) are understood once a call. Measured, 200 Observations: 0.8 ms against 1.4 ms with all parts typed;
a tagged union and one wide struct cost the same. Every field may be absent or null.
The structs are gc=False: decoded JSON holds no cycles, and 20,000 Observations then cost the collector nothing.
The file is long because it is a list.
"""

from typing import TYPE_CHECKING, TypeAlias, Union

from msgspec import Raw, Struct, defstruct, field

ABSENT = Raw(b"")


class Shape(Struct, gc=False):
    """Base of all parts of a resource."""


class Coding(Shape):
    system: str | None = None
    code: str | None = None
    display: str | None = None


class CodeableConcept(Shape):
    coding: list[Coding] | None = None
    text: str | None = None


class Reference(Shape):
    reference: str | None = None
    display: str | None = None


class CodeableReference(Shape):
    """R5: a concept or a reference under one name."""

    concept: CodeableConcept | None = None
    reference: Reference | None = None


class Quantity(Shape):
    value: Raw = ABSENT
    comparator: str | None = None
    unit: str | None = None
    system: str | None = None
    code: str | None = None


class Period(Shape):
    start: str | None = None
    end: str | None = None


class Timing(Shape):
    event: list[str] | None = None


class Annotation(Shape):
    text: str | None = None


class Identifier(Shape):
    system: str | None = None
    value: str | None = None


class Meta(Shape):
    versionId: str | None = None
    lastUpdated: str | None = None


class ReferenceRange(Shape):
    low: Quantity | None = None
    high: Quantity | None = None
    type: CodeableConcept | None = None
    meaning: CodeableConcept | None = None


class Related(Shape):
    type: str | None = None
    target: Reference | None = None


class Adherence(Shape):
    code: CodeableConcept | None = None


class Resource(Struct, gc=False, tag_field="resourceType"):
    """Base of all resources; the tag is their resourceType."""

    id: str | None = None
    meta: Raw = ABSENT
    contained: Raw = ABSENT


class Component(Shape):
    code: Raw = ABSENT
    valueQuantity: Quantity | None = None
    valueString: str | None = None
    valueInteger: Raw = ABSENT
    valueCodeableConcept: Raw = ABSENT
    dataAbsentReason: Raw = ABSENT
    interpretation: Raw = ABSENT
    referenceRange: Raw = ABSENT


class Observation(Resource, tag="Observation"):
    """Types of the Raw parts: parts.py."""

    identifier: Raw = ABSENT
    status: str | None = None
    code: Raw = ABSENT
    subject: Raw = ABSENT
    effectiveDateTime: str | None = None
    effectiveInstant: str | None = None
    effectivePeriod: Raw = ABSENT
    effectiveTiming: Raw = ABSENT
    issued: str | None = None
    valueQuantity: Quantity | None = None
    valueString: str | None = None
    valueInteger: Raw = ABSENT
    valueCodeableConcept: Raw = ABSENT
    dataAbsentReason: Raw = ABSENT
    interpretation: Raw = ABSENT
    note: Raw = ABSENT
    comment: str | None = None
    comments: str | None = None
    method: Raw = ABSENT
    specimen: Raw = ABSENT
    referenceRange: Raw = ABSENT
    hasMember: Raw = ABSENT
    related: Raw = ABSENT
    component: Raw = ABSENT


class Condition(Resource, tag="Condition"):
    clinicalStatus: CodeableConcept | str | None = None
    verificationStatus: CodeableConcept | str | None = None
    code: CodeableConcept | None = None
    bodySite: Raw = ABSENT
    subject: Raw = ABSENT
    patient: Raw = ABSENT
    onsetDateTime: str | None = None
    onsetPeriod: Period | None = None
    recordedDate: str | None = None
    assertedDate: str | None = None
    dateRecorded: str | None = None
    abatementDateTime: str | None = None
    abatementPeriod: Period | None = None
    abatementAge: Raw = ABSENT
    abatementRange: Raw = ABSENT
    abatementString: str | None = None
    abatementBoolean: bool | None = None
    abatementQuantity: Raw = ABSENT


class Bounds(Shape):
    boundsPeriod: Period | None = None


class DosageTiming(Shape):
    repeat: Bounds | None = None


class Dosage(Shape):
    route: CodeableConcept | None = None
    timing: DosageTiming | None = None


class MedicationRequest(Resource, tag="MedicationRequest"):
    status: str | None = None
    intent: str | None = None
    doNotPerform: bool | None = None
    medicationCodeableConcept: CodeableConcept | None = None
    medicationReference: Reference | None = None
    medication: CodeableReference | None = None
    subject: Raw = ABSENT
    patient: Raw = ABSENT
    authoredOn: str | None = None
    dosageInstruction: list[Dosage] | None = None


class MedicationOrder(Resource, tag="MedicationOrder"):
    status: str | None = None
    medicationCodeableConcept: CodeableConcept | None = None
    medicationReference: Reference | None = None
    patient: Raw = ABSENT
    dateWritten: str | None = None
    dateEnded: str | None = None
    dosageInstruction: list[Dosage] | None = None


class MedicationStatement(Resource, tag="MedicationStatement"):
    status: str | None = None
    taken: str | None = None
    wasNotTaken: bool | None = None
    adherence: Raw = ABSENT
    medicationCodeableConcept: CodeableConcept | None = None
    medicationReference: Reference | None = None
    medication: CodeableReference | None = None
    subject: Raw = ABSENT
    patient: Raw = ABSENT
    effectiveDateTime: str | None = None
    effectivePeriod: Period | None = None
    dosage: list[Dosage] | None = None


class AdministrationDosage(Shape):
    route: CodeableConcept | None = None


class MedicationAdministration(Resource, tag="MedicationAdministration"):
    status: str | None = None
    notGiven: bool | None = None
    wasNotGiven: bool | None = None
    medicationCodeableConcept: CodeableConcept | None = None
    medicationReference: Reference | None = None
    medication: CodeableReference | None = None
    subject: Raw = ABSENT
    patient: Raw = ABSENT
    effectiveDateTime: str | None = None
    effectivePeriod: Period | None = None
    effectiveTimeDateTime: str | None = None
    effectiveTimePeriod: Period | None = None
    occurenceDateTime: str | None = None
    occurencePeriod: Period | None = None
    dosage: AdministrationDosage | None = None


class Ingredient(Shape):
    itemCodeableConcept: CodeableConcept | None = None
    itemReference: Reference | None = None
    item: Raw = ABSENT


class Product(Shape):
    ingredient: list[Ingredient] | None = None


class Medication(Resource, tag="Medication"):
    code: CodeableConcept | None = None
    ingredient: list[Ingredient] | None = None
    product: Raw = ABSENT


class Procedure(Resource, tag="Procedure"):
    status: str | None = None
    notPerformed: bool | None = None
    notDone: bool | None = None
    code: CodeableConcept | None = None
    subject: Raw = ABSENT
    performedDateTime: str | None = None
    performedPeriod: Period | None = None
    occurrenceDateTime: str | None = None
    occurrencePeriod: Period | None = None


class EncounterLocation(Shape):
    location: Reference | None = None
    status: str | None = None
    period: Period | None = None


class Encounter(Resource, tag="Encounter"):
    """`class` is a Coding in STU3 and R4, a list of concepts in R5, a plain code in DSTU2; `actualPeriod` is R5."""

    status: str | None = None
    class_: Coding | list[CodeableConcept] | str | None = field(default=None, name="class")
    subject: Raw = ABSENT
    patient: Raw = ABSENT
    period: Period | None = None
    actualPeriod: Period | None = None
    location: list[EncounterLocation] | None = None


class Location(Resource, tag="Location"):
    type: Raw = ABSENT


class Container(Shape):
    additiveCodeableConcept: CodeableConcept | None = None


class Specimen(Resource, tag="Specimen"):
    type: CodeableConcept | None = None
    condition: Raw = ABSENT
    container: Raw = ABSENT
    note: Raw = ABSENT


class DiagnosticReport(Resource, tag="DiagnosticReport"):
    subject: Raw = ABSENT
    effectiveDateTime: str | None = None
    effectivePeriod: Period | None = None
    result: Raw = ABSENT


class Patient(Resource, tag="Patient"):
    birthDate: str | None = None
    gender: str | None = None


class Issue(Shape):
    severity: str | None = None
    code: str | None = None


class OperationOutcome(Resource, tag="OperationOutcome"):
    issue: list[Issue] | None = None


class Link(Shape):
    relation: str | None = None
    url: str | None = None


class Entry(Shape):
    """`search` is not read: what an entry is, its resource tells; OperationOutcome is the only outcome."""

    fullUrl: Raw = ABSENT
    resource: "AnyResource | None" = None
    response: Raw = ABSENT


class Bundle(Resource, tag="Bundle"):
    type: str | None = None
    total: Raw = ABSENT
    link: Raw = ABSENT
    entry: list[Entry] | None = None


class Unused(Resource):
    """A kind of resource that nobody reads here; listed, so that one in a Bundle does not send it the tolerant way."""


_UNUSED = """
Account AdverseEvent AllergyIntolerance Appointment AppointmentResponse AuditEvent Basic Binary BodySite
BodyStructure CarePlan CareTeam ChargeItem Claim ClaimResponse ClinicalImpression Communication
CommunicationRequest Composition Consent Contract Coverage CoverageEligibilityRequest
CoverageEligibilityResponse DetectedIssue Device DeviceComponent DeviceMetric DeviceRequest DeviceUsage
DeviceUseRequest DeviceUseStatement DiagnosticOrder DocumentManifest DocumentReference Endpoint EpisodeOfCare
ExplanationOfBenefit FamilyMemberHistory Flag Goal Group GuidanceResponse HealthcareService
ImagingObjectSelection ImagingSelection ImagingStudy Immunization ImmunizationEvaluation
ImmunizationRecommendation Invoice List Media MedicationDispense MedicationKnowledge MessageHeader
MolecularSequence NutritionIntake NutritionOrder Order OrderResponse Organization Parameters Person
PlanDefinition Practitioner PractitionerRole ProcedureRequest Provenance Questionnaire QuestionnaireResponse
ReferralRequest RelatedPerson RequestGroup RequestOrchestration ResearchStudy ResearchSubject RiskAssessment
Schedule ServiceRequest Slot Substance SupplyDelivery SupplyRequest Task VisionPrescription
"""
UNUSED = tuple(
    defstruct(name, (), bases=(Unused,), tag_field="resourceType", tag=name, gc=False) for name in _UNUSED.split()
)

_Read: TypeAlias = (
    Observation
    | Condition
    | MedicationRequest
    | MedicationOrder
    | MedicationStatement
    | MedicationAdministration
    | Medication
    | Procedure
    | Encounter
    | Location
    | Specimen
    | DiagnosticReport
    | Patient
    | OperationOutcome
    | Bundle
)
if TYPE_CHECKING:
    AnyResource: TypeAlias = _Read | Unused
else:
    AnyResource = Union[(_Read, *UNUSED)]

# What stands under one prefetch key: a resource or a Bundle, several of them, or nothing.
Brought: TypeAlias = AnyResource | list[AnyResource] | None


class RawEntry(Shape):
    """An entry whose resource is left undecoded, for the way on which a bad resource costs only itself."""

    fullUrl: Raw = ABSENT
    resource: Raw = ABSENT
    response: Raw = ABSENT


class RawBundle(Shape):
    total: Raw = ABSENT
    link: Raw = ABSENT
    entry: list[Raw] | None = None


class Head(Shape):
    """What a resource says of itself."""

    resourceType: str | None = None
    id: Raw = ABSENT
    code: Raw = ABSENT
    subject: Raw = ABSENT


class EntryResponse(Shape):
    status: str | None = None
