"""The smallest valid FHIR R4 resources, as dictionaries; a test states only what it is about.

observation("phosphate", "7.1 mg/dL", at="2026-10-12T07:30:00+02:00"); any field can be added or replaced by keyword,
and is left out with ... (Ellipsis).
"""

import re
from collections.abc import Mapping
from decimal import Decimal
from typing import Any

import msgspec

Json = dict[str, Any]

PATIENT = "x1"
AT = "2026-10-12T07:30:00+02:00"
LOINC = "http://loinc.org"
SNOMED = "http://snomed.info/sct"
ICD10 = "http://hl7.org/fhir/sid/icd-10-cm"
RXNORM = "http://www.nlm.nih.gov/research/umls/rxnorm"
UCUM = "http://unitsofmeasure.org"
INTERPRETATION = "http://terminology.hl7.org/CodeSystem/v3-ObservationInterpretation"
CODES = {
    "calcium": "17861-6",
    "adjusted calcium": "29265-6",
    "ionized calcium": "1995-0",
    "phosphate": "2777-1",
    "albumin": "1751-7",
    "creatinine": "2160-0",
    "potassium": "2823-3",
    "pth": "2731-8",
    "egfr": "33914-3",
}


def coding(system: str, code: str, display: str | None = None) -> Json:
    """A Coding."""
    return {"system": system, "code": code} | ({"display": display} if display else {})


def concept(*codings: Mapping[str, Any], text: str | None = None) -> Json:
    """A CodeableConcept."""
    return ({"coding": list(codings)} if codings else {}) | ({"text": text} if text else {})


def quantity(text: str) -> Json:
    """ "7.1 mg/dL" or "> 20 mg/dL" as a Quantity whose unit is said in words and in UCUM."""
    found = re.fullmatch(r"(<=|>=|<|>)? ?(-?[\d.]+) ?(.*)", text)
    assert found is not None, text
    return (
        ({"comparator": found[1]} if found[1] else {})
        | {"value": Decimal(found[2])}
        | ({"unit": found[3], "system": UCUM, "code": found[3]} if found[3] else {})
    )


def observation(analyte: str, value: str | None = None, *, at: str | None = AT, **more: Any) -> Json:
    """A final result. analyte: a name of CODES or a LOINC code."""
    return _with(
        {
            "resourceType": "Observation",
            "id": f"{analyte.replace(' ', '-')}-1",
            "status": "final",
            "code": concept(coding(LOINC, CODES.get(analyte, analyte))),
            "subject": {"reference": f"Patient/{PATIENT}"},
            **({"effectiveDateTime": at} if at else {}),
            **({"valueQuantity": quantity(value)} if value is not None else {}),
        },
        more,
    )


def component(analyte: str, value: str, **more: Any) -> Json:
    """One member of a panel."""
    return _with({"code": concept(coding(LOINC, CODES.get(analyte, analyte))), "valueQuantity": quantity(value)}, more)


def condition(*codings: Mapping[str, Any], **more: Any) -> Json:
    """A confirmed, active problem; without codings end-stage renal disease."""
    given = codings or (coding(SNOMED, "46177005"),)
    status = "http://terminology.hl7.org/CodeSystem/condition-clinical"
    verification = "http://terminology.hl7.org/CodeSystem/condition-ver-status"
    return _with(
        {
            "resourceType": "Condition",
            "id": "c1",
            "clinicalStatus": concept(coding(status, "active")),
            "verificationStatus": concept(coding(verification, "confirmed")),
            "code": concept(*given),
            "subject": {"reference": f"Patient/{PATIENT}"},
        },
        more,
    )


def medication_request(*codings: Mapping[str, Any], **more: Any) -> Json:
    """An active order; without codings calcitriol."""
    return _with(
        {
            "resourceType": "MedicationRequest",
            "id": "m1",
            "status": "active",
            "intent": "order",
            "medicationCodeableConcept": concept(*(codings or (coding(RXNORM, "1894"),))),
            "subject": {"reference": f"Patient/{PATIENT}"},
            "authoredOn": "2026-09-01",
        },
        more,
    )


def procedure(*codings: Mapping[str, Any], **more: Any) -> Json:
    """A completed procedure; without codings haemodialysis."""
    return _with(
        {
            "resourceType": "Procedure",
            "id": "p1",
            "status": "completed",
            "code": concept(*(codings or (coding(SNOMED, "302497006"),))),
            "subject": {"reference": f"Patient/{PATIENT}"},
            "performedPeriod": {"start": "2026-10-11T08:00:00+02:00", "end": "2026-10-11T12:00:00+02:00"},
        },
        more,
    )


def patient(**more: Any) -> Json:
    """An adult woman."""
    return _with({"resourceType": "Patient", "id": PATIENT, "birthDate": "1960-04-01", "gender": "female"}, more)


def encounter(code: str = "AMB", **more: Any) -> Json:
    """A visit under way."""
    return _with(
        {
            "resourceType": "Encounter",
            "id": "e1",
            "status": "in-progress",
            "class": coding("http://terminology.hl7.org/CodeSystem/v3-ActCode", code),
            "subject": {"reference": f"Patient/{PATIENT}"},
        },
        more,
    )


def outcome(severity: str = "error", code: str = "exception") -> Json:
    """An OperationOutcome."""
    return {"resourceType": "OperationOutcome", "issue": [{"severity": severity, "code": code}]}


def bundle(*resources: Mapping[str, Any], **more: Any) -> Json:
    """The answer of a search."""
    entries = {"entry": [{"resource": each} for each in resources]} if resources else {}
    return _with({"resourceType": "Bundle", "type": "searchset", "total": len(resources), **entries}, more)


def raw(value: Any) -> msgspec.Raw:
    """Any JSON value as it stands in a request; decimals keep their text."""
    return msgspec.Raw(msgspec.json.Encoder(decimal_format="number").encode(value))


def prefetch(*resources: Mapping[str, Any], **keys: Any) -> dict[str, msgspec.Raw]:
    """A complete prefetch: the resources go under the key of their kind, other keys are empty; ... leaves a key out."""
    names = {
        "Observation": "observations",
        "Condition": "conditions",
        "MedicationRequest": "medications",
        "MedicationStatement": "statements",
        "MedicationAdministration": "medications",
        "Medication": "medications",
        "Procedure": "procedures",
        "Specimen": "observations",
        "DiagnosticReport": "observations",
    }
    sorted_in: dict[str, list[Mapping[str, Any]]] = {name: [] for name in names.values()}
    for each in resources:
        if each["resourceType"] in names:
            sorted_in[names[each["resourceType"]]].append(each)
    patients = [each for each in resources if each["resourceType"] == "Patient"]
    visits = [each for each in resources if each["resourceType"] in ("Encounter", "Location")]
    whole: Json = {
        "patient": patients[0] if patients else patient(),
        **{name: bundle(*held) for name, held in sorted_in.items()},
        **({"encounter": bundle(*visits)} if visits else {}),
        **keys,
    }
    return {key: raw(value) for key, value in whole.items() if value is not ...}


def _with(resource: Json, more: Mapping[str, Any]) -> Json:
    return {name: value for name, value in {**resource, **more}.items() if value is not ...}
