"""Patient-view requests like those of an EHR, made from a fixed seed; only the dates follow the clock.

Knows: FHIR R4 as charts send it (identifiers, interpretation, reference range, vital signs, molar twins, errors).
Each request comes with what a right answer says: the product and a critical card, or no card.
"""

import json
import random
import uuid
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

LOINC = "http://loinc.org"
UCUM = "http://unitsofmeasure.org"
CATEGORY = "http://terminology.hl7.org/CodeSystem/observation-category"
MARKER = "00000000-0000-4000-8000-000000000000"  # stands for hookInstance; the client puts a fresh one in its place

# name -> (Observations, Conditions, different requests)
SIZES = {"small": (10, 3, 4), "medium": (200, 20, 4), "large": (2_000, 100, 4), "hostile": (20_000, 100, 1)}

# code, display, mean, spread, low, high, unit
PANEL = {
    "calcium": ("17861-6", "Calcium [Mass/volume] in Serum or Plasma", 9.4, 0.3, 8.5, 10.5, "mg/dL"),
    "phosphate": ("2777-1", "Phosphate [Mass/volume] in Serum or Plasma", 3.6, 0.3, 2.5, 4.5, "mg/dL"),
    "albumin": ("1751-7", "Albumin [Mass/volume] in Serum or Plasma", 4.3, 0.1, 3.5, 5.0, "g/dL"),
    "creatinine": ("2160-0", "Creatinine [Mass/volume] in Serum or Plasma", 1.0, 0.1, 0.6, 1.2, "mg/dL"),
}
RAISED = {"calcium": 10.9, "phosphate": 7.2}  # their means in a request that gets a card
EARLIER = [
    *PANEL.values(),
    ("2000-8", "Calcium [Moles/volume] in Serum or Plasma", 2.35, 0.1, 2.1, 2.6, "mmol/L"),
    ("14879-1", "Phosphate [Moles/volume] in Serum or Plasma", 1.2, 0.2, 0.8, 1.5, "mmol/L"),
    ("14682-9", "Creatinine [Moles/volume] in Serum or Plasma", 90.0, 10.0, 53.0, 106.0, "umol/L"),
]
REST = [
    ("2951-2", "Sodium [Moles/volume] in Serum or Plasma", 139, 4, 136, 145, "mmol/L"),
    ("2823-3", "Potassium [Moles/volume] in Serum or Plasma", 4.3, 0.3, 3.5, 5.1, "mmol/L"),
    ("2075-0", "Chloride [Moles/volume] in Serum or Plasma", 102, 4, 98, 107, "mmol/L"),
    ("2028-9", "Carbon dioxide, total [Moles/volume] in Serum or Plasma", 24, 2, 22, 29, "mmol/L"),
    ("3094-0", "Urea nitrogen [Mass/volume] in Serum or Plasma", 32, 18, 7, 20, "mg/dL"),
    ("2345-7", "Glucose [Mass/volume] in Serum or Plasma", 112, 35, 70, 99, "mg/dL"),
    ("6768-6", "Alkaline phosphatase [Enzymatic activity/volume] in Serum or Plasma", 96, 40, 44, 147, "U/L"),
    ("1742-6", "Alanine aminotransferase [Enzymatic activity/volume] in Serum or Plasma", 28, 14, 7, 56, "U/L"),
    ("1975-2", "Bilirubin.total [Mass/volume] in Serum or Plasma", 0.7, 0.4, 0.1, 1.2, "mg/dL"),
    ("2885-2", "Protein [Mass/volume] in Serum or Plasma", 6.9, 0.3, 6.0, 8.3, "g/dL"),
    ("19123-9", "Magnesium [Mass/volume] in Serum or Plasma", 2.0, 0.3, 1.7, 2.2, "mg/dL"),
    ("2731-8", "Parathyrin.intact [Mass/volume] in Serum or Plasma", 40, 8, 15, 65, "pg/mL"),
    ("1989-3", "25-hydroxyvitamin D3 [Mass/volume] in Serum or Plasma", 40, 5, 30, 100, "ng/mL"),
    ("4548-4", "Hemoglobin A1c/Hemoglobin.total in Blood", 6.2, 1.1, 4.0, 5.6, "%"),
    ("718-7", "Hemoglobin [Mass/volume] in Blood", 11.6, 1.8, 12.0, 17.5, "g/dL"),
    ("6690-2", "Leukocytes [#/volume] in Blood by Automated count", 7.4, 2.4, 4.5, 11.0, "10*3/uL"),
    ("777-3", "Platelets [#/volume] in Blood by Automated count", 238, 70, 150, 450, "10*3/uL"),
    ("1988-5", "C reactive protein [Mass/volume] in Serum or Plasma", 9, 12, 0, 10, "mg/L"),
    ("2093-3", "Cholesterol [Mass/volume] in Serum or Plasma", 186, 38, 0, 200, "mg/dL"),
    ("2276-4", "Ferritin [Mass/volume] in Serum or Plasma", 280, 210, 15, 300, "ng/mL"),
]
VITAL_SIGNS = [
    ("8867-4", "Heart rate", 76, 12, 60, 100, "/min"),
    ("8310-5", "Body temperature", 36.8, 0.4, 36.1, 37.2, "Cel"),
    ("29463-7", "Body weight", 78, 16, 45, 120, "kg"),
]
PROBLEMS = [
    ("38341003", "Hypertensive disorder", "I10"),
    ("44054006", "Type 2 diabetes mellitus", "E11.9"),
    ("55822004", "Hyperlipidemia", "E78.5"),
    ("53741008", "Coronary arteriosclerosis", "I25.10"),
    ("49436004", "Atrial fibrillation", "I48.91"),
    ("195967001", "Asthma", "J45.909"),
    ("40930008", "Hypothyroidism", "E03.9"),
    ("235595009", "Gastroesophageal reflux disease", "K21.9"),
    ("35489007", "Depressive disorder", "F32.A"),
    ("431857002", "Chronic kidney disease stage 4", "N18.4"),
]


@dataclass(frozen=True, slots=True)
class Payload:
    """A request body cut around hookInstance, and what a right answer says; product None: no card is right."""

    head: bytes
    tail: bytes
    product: float | None

    def body(self, hook_instance: str) -> bytes:
        return self.head + hook_instance.encode() + self.tail


def payload(observations: int, conditions: int, *, card: bool, variant: int, now: datetime) -> Payload:
    """One request; the same numbers give the same chart, its dates counted back from now."""
    rng = random.Random(f"{observations}/{conditions}/{card}/{variant}")
    chart = _Chart(rng, now)
    results, product = chart.results(observations, card)
    request = {
        "hook": "patient-view",
        "hookInstance": MARKER,
        "context": {"userId": "Practitioner/dr-1", "patientId": chart.patient_id},
        "prefetch": {
            "patient": chart.patient(),
            "conditions": _bundle([chart.problem() for _ in range(conditions)]),
            "observations": _bundle(results),
        },
    }
    head, tail = json.dumps(request, separators=(",", ":")).encode().split(MARKER.encode())
    return Payload(head, tail, product if card else None)


def of_size(size: str, *, card: bool, now: datetime) -> list[Payload]:
    """All requests of a named size."""
    observations, conditions, count = SIZES[size]
    return [payload(observations, conditions, card=card, variant=each, now=now) for each in range(count)]


class _Chart:
    """The resources of one made-up patient."""

    def __init__(self, rng: random.Random, now: datetime) -> None:
        self.rng, self.now = rng, now
        self.patient_id = self.id()

    def id(self) -> str:
        return str(uuid.UUID(int=self.rng.getrandbits(128), version=4))

    def results(self, count: int, card: bool) -> tuple[list[dict[str, Any]], float]:
        """Today's panel and years of other results in chart order, and today's product."""
        drawn, panel = self.now - timedelta(minutes=90), {}
        for name, kind in PANEL.items():
            value = round(self.rng.uniform(-0.2, 0.2) + (RAISED.get(name, kind[2]) if card else kind[2]), 1)
            panel[name] = self.result(kind, drawn, value=value)
        found = list(panel.values())[:count]
        while len(found) < count:
            found.append(self.earlier())
        self.rng.shuffle(found)
        calcium, phosphate = (panel[name]["valueQuantity"]["value"] for name in ("calcium", "phosphate"))
        return found, calcium * phosphate

    def earlier(self) -> dict[str, Any]:
        when = self.now - timedelta(days=self.rng.randint(4, 1800), minutes=self.rng.randint(0, 600))
        kind = self.rng.choices([EARLIER, REST, VITAL_SIGNS], weights=[12, 73, 15])[0]
        status = "entered-in-error" if self.rng.random() < 0.02 else "final"
        category = "vital-signs" if kind is VITAL_SIGNS else "laboratory"
        return self.result(self.rng.choice(kind), when, status=status, category=category)

    def result(
        self,
        kind: tuple[Any, ...],
        when: datetime,
        *,
        value: float | None = None,
        status: str = "final",
        category: str = "laboratory",
    ) -> dict[str, Any]:
        code, display, mean, spread, low, high, unit = kind
        if value is None:
            value = round(max(self.rng.gauss(mean, spread), mean / 20), 2 if mean < 3 else 1 if mean < 100 else 0)
        limits = {
            name: {"value": at, "unit": unit, "system": UCUM, "code": unit}
            for name, at in (("low", low), ("high", high))
        }
        flag, text = ("L", "Low") if value < low else ("H", "High") if value > high else ("N", "Normal")
        interpretation = {"system": "http://terminology.hl7.org/CodeSystem/v3-ObservationInterpretation", "code": flag}
        return {
            "resourceType": "Observation",
            "id": self.id(),
            "meta": {"versionId": "1", "lastUpdated": _instant(when + timedelta(hours=2))},
            "identifier": [{"system": "urn:oid:1.2.246.10.20.30", "value": f"A{self.rng.randint(10**8, 10**9)}"}],
            "status": status,
            "category": [{"coding": [{"system": CATEGORY, "code": category}], "text": category}],
            "code": {
                "coding": [
                    {"system": LOINC, "code": code, "display": display},
                    {"system": "urn:oid:1.2.246.10.20.40", "code": f"LAB{int(code.split('-')[0]) % 9973:04d}"},
                ],
                "text": display,
            },
            "subject": {"reference": f"Patient/{self.patient_id}"},
            "encounter": {"reference": f"Encounter/{self.id()}"},
            "effectiveDateTime": _instant(when),
            "issued": _instant(when + timedelta(minutes=self.rng.randint(60, 119))),
            "performer": [{"reference": "Organization/central-lab", "display": "Central Laboratory"}],
            "valueQuantity": {"value": value, "unit": unit, "system": UCUM, "code": unit},
            "interpretation": [{"coding": [interpretation], "text": text}],
            "referenceRange": [{**limits, "text": f"{low} - {high} {unit}"}],
        }

    def problem(self) -> dict[str, Any]:
        snomed, display, icd = self.rng.choice(PROBLEMS)
        onset = self.now - timedelta(days=self.rng.randint(30, 7000))
        codes = "http://terminology.hl7.org/CodeSystem/condition-"
        active = "active" if self.rng.random() < 0.8 else "resolved"
        return {
            "resourceType": "Condition",
            "id": self.id(),
            "meta": {"versionId": "1", "lastUpdated": _instant(onset + timedelta(days=3))},
            "clinicalStatus": {"coding": [{"system": codes + "clinical", "code": active}]},
            "verificationStatus": {"coding": [{"system": codes + "ver-status", "code": "confirmed"}]},
            "category": [{"coding": [{"system": codes + "category", "code": "problem-list-item"}]}],
            "code": {
                "coding": [
                    {"system": "http://snomed.info/sct", "code": snomed, "display": display},
                    {"system": "http://hl7.org/fhir/sid/icd-10-cm", "code": icd, "display": display},
                ],
                "text": display,
            },
            "subject": {"reference": f"Patient/{self.patient_id}"},
            "onsetDateTime": onset.date().isoformat(),
            "recordedDate": _instant(onset + timedelta(days=2)),
        }

    def patient(self) -> dict[str, Any]:
        return {
            "resourceType": "Patient",
            "id": self.patient_id,
            "active": True,
            "name": [{"use": "official", "family": f"Test{self.rng.randint(1000, 9999)}", "given": ["Alex", "Kim"]}],
            "gender": self.rng.choice(["female", "male"]),
            "birthDate": (self.now - timedelta(days=self.rng.randint(9000, 30000))).date().isoformat(),
        }


def _bundle(resources: list[dict[str, Any]]) -> dict[str, Any]:
    base = "https://ehr.example.org/fhir"
    entries = [
        {"fullUrl": f"{base}/{each['resourceType']}/{each['id']}", "resource": each, "search": {"mode": "match"}}
        for each in resources
    ]
    return {"resourceType": "Bundle", "type": "searchset", "total": len(entries), "entry": entries}


def _instant(when: datetime) -> str:
    return when.isoformat(timespec="seconds")
