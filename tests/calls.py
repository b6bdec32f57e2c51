"""Whole hook calls for the tests of everything that a caller sees."""

from collections.abc import Mapping

PATIENT_VIEW = "/cds-services/metastatic-calcification-patient-view"
EXPLAIN = "org.calcinosis-cds.explain"
CLOCK = "org.calcinosis-cds.evaluation-time"
ASSESSMENT = "org.calcinosis-cds.assessment"
AT = "2026-10-12T10:30:00+02:00"
INSTANCE = "7d4c0cf2-6f2b-4a0e-9a53-0c7b9f3c9a10"

Json = dict[str, object]


def result(
    code: str, value: float, unit: str = "mg/dL", *, number: str = "o1", patient: str = "x1", **more: object
) -> Json:
    """A final laboratory result of the same morning."""
    return {
        "resourceType": "Observation",
        "id": number,
        "status": "final",
        "code": {"coding": [{"system": "http://loinc.org", "code": code}]},
        "subject": {"reference": f"Patient/{patient}"},
        "effectiveDateTime": "2026-10-12T07:30:00+02:00",
        "valueQuantity": {"value": value, "unit": unit, "system": "http://unitsofmeasure.org", "code": unit},
        **more,
    }


def calcium(value: float, **more: object) -> Json:
    """Total calcium in serum."""
    return result("17861-6", value, **({"number": "calcium"} | more))  # type: ignore[arg-type]


def phosphate(value: float, **more: object) -> Json:
    """Phosphate in serum."""
    return result("2777-1", value, **({"number": "phosphate"} | more))  # type: ignore[arg-type]


def bundle(*resources: Mapping[str, object]) -> Json:
    """The answer of a search."""
    return {"resourceType": "Bundle", "type": "searchset", "entry": [{"resource": each} for each in resources]}


def patient(number: str = "x1", **more: object) -> Json:
    """An adult."""
    return {"resourceType": "Patient", "id": number, "birthDate": "1960-04-01", "gender": "female", **more}


def prefetch(*observations: Mapping[str, object], number: str = "x1", **more: object) -> Json:
    """Every key of the service answered: the two results under their groups, the rest empty."""
    keys = ("hormones", "kidney", "acid-base", "turnover", "body")
    return {
        "patient": patient(number),
        "observations-calcium": bundle(*observations),
        "observations-phosphate": bundle(),
        **{f"observations-{key}": bundle() for key in keys},
        "conditions": bundle(),
        "medications": bundle(),
        "statements": bundle(),
        "procedures": bundle(),
        **more,
    }


def call(*observations: Mapping[str, object], **changes: object) -> Json:
    """A patient-view call; members given as ... are left out."""
    body: Json = {
        "hook": "patient-view",
        "hookInstance": INSTANCE,
        "context": {"userId": "Practitioner/p1", "patientId": "x1"},
        "extension": {CLOCK: AT, EXPLAIN: True},
        "prefetch": prefetch(*observations),
        **changes,
    }
    return {name: value for name, value in body.items() if value is not ...}


def critical_call(**changes: object) -> Json:
    """Calcium 10.5 times phosphate 7.5 is 78.75 mg2/dL2, above 70."""
    return call(calcium(10.5), phosphate(7.5), **changes)


def healthy_call(**changes: object) -> Json:
    """Calcium 9.4 times phosphate 3.6 is 33.84 mg2/dL2."""
    return call(calcium(9.4), phosphate(3.6), **changes)
