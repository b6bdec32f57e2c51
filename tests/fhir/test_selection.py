"""The judgement from selected results is that from all results: on generated charts, on cases, on real patients."""

import gc
import gzip
import json
from collections import defaultdict
from datetime import datetime, timedelta
from pathlib import Path
from random import Random
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cds_service.calcinosis.classify import classify
from cds_service.calcinosis.order_advice import advise
from cds_service.fhir.gather import gather
from cds_service.fhir.read import read_facts
from cds_service.fhir.record import PatientRecord
from cds_service.hooks.request import read_request
from cds_service.terminology.catalog import Catalog
from cds_service.terminology.load import load_catalog
from tests import builders as b
from tests.facts import Builder
from tests.fhir.reading import NOW

CATALOG = load_catalog()
SHARED = Path(__file__).parents[2].parent / "shared"

BUILD = Builder(CATALOG)
# one order for each rule on orders
ORDERS = (
    *(BUILD.order(drug, route="intravenous") for drug in ("calcium-gluconate", "paricalcitol", "potassium-phosphate")),
    *(BUILD.order(drug, route="oral") for drug in ("calcium-carbonate", "sodium-phosphate", "warfarin")),
    BUILD.order("cholecalciferol", iu_per_day="20000"),
    BUILD.order("chlortalidone"),
)
# analyte (a name of builders.CODES or a LOINC code), usual values
LABS: dict[str, tuple[str, ...]] = {
    "calcium": ("9.8 mg/dL", "11.4 mg/dL", "2.9 mmol/L", "12.1 mg/dL", "6.1 mg/dL", "> 15 mg/dL", "< 5 mg/dL", "9.9 g"),
    "adjusted calcium": ("10.2 mg/dL", "11.9 mg/dL", "2.4 mmol/L"),
    "ionized calcium": ("1.20 mmol/L", "1.55 mmol/L", "4.9 mg/dL"),
    "phosphate": ("4.1 mg/dL", "7.2 mg/dL", "2.3 mmol/L", "9.9 mg/dL", "15.5 mg/dL", "< 1 mg/dL", "7 mg/24 h", "5"),
    "albumin": ("4.1 g/dL", "2.6 g/dL", "31 g/L", "1.4 g/dL", "< 1.5 g/dL"),
    "creatinine": ("1.1 mg/dL", "3.9 mg/dL", "420 umol/L", "7.0 mg/dL", "0 mg/dL"),
    "potassium": ("4.4 mmol/L", "8.1 mmol/L"),
    "pth": ("48 pg/mL", "780 pg/mL", "9 pg/mL", "> 900 pg/mL"),
    "egfr": ("71 mL/min/{1.73_m2}", "41 mL/min/{1.73_m2}", "12 mL/min/{1.73_m2}", "> 60 mL/min/{1.73_m2}"),
    "2885-2": ("7.0 g/dL", "10.9 g/dL"),
    "2744-1": ("7.40", "7.10"),
    "6768-6": ("80 U/L", "12 U/L"),
    "3084-1": ("6.1 mg/dL", "11 mg/dL"),
    "2157-6": ("100 U/L", "9000 U/L"),
    "1989-3": ("12 ng/mL", "190 ng/mL"),
    "1649-3": ("70 pg/mL",),
    "2028-9": ("24 mmol/L", "41 mmol/L"),
    "19123-9": ("2.0 mg/dL",),
    "2951-2": ("140 mmol/L",),
}
CHARTS = ("dense", "sparse", "one analyte", "odd")
ZONES = ("+02:00", "+02:00", "Z", "-05:00", "+14:00")


def chart(random: Random, kind: str) -> list[b.Json]:
    """The Observations of a patient: draws of some results, and what makes results hard to read."""
    names = random.sample(sorted(LABS), random.randint(3, len(LABS)))
    names += [name for name in ("calcium", "phosphate") if kind != "one analyte" or random.random() < 0.5]
    span = {"dense": 20, "sparse": 900, "one analyte": 400, "odd": 60}[kind] * random.choice((1, 1, 5))
    strange = 0.4 if kind == "odd" else random.choice((0, 0.03, 0.1))
    found: list[b.Json] = []
    size = random.choice((8, 80, 200, 400))
    while len(found) < size:
        at = NOW - timedelta(minutes=random.randint(5, span * 1440))
        for name in random.sample(names, min(len(names), random.randint(1, 6))):
            shifted = at + timedelta(minutes=random.choice((0, 0, 0, 4, 14, 600, 4000)))
            result = b.observation(name, random.choice(LABS[name]), at=when(random, shifted), id=f"o{len(found)}")
            found.append(odd(random, result, found) if random.random() < strange else result)
    random.shuffle(found)
    return found


def when(random: Random, at: datetime) -> str:
    zone = random.choice(ZONES)
    local = at.astimezone(datetime.fromisoformat(f"2000-01-01T00:00:00{zone}").tzinfo)
    text = local.replace(tzinfo=None).isoformat(timespec="seconds")
    return text[:10] if random.random() < 0.06 else text + zone if random.random() < 0.97 else text


def odd(random: Random, result: b.Json, before: list[b.Json]) -> b.Json:
    """One thing that is not as usual."""
    high = b.concept(b.coding(b.INTERPRETATION, "H"))
    urine = {"reference": f"Specimen/{random.choice(['urine', 'blood'])}"}
    earlier = random.choice(before) if before else result
    changes: list[b.Json] = [
        {"status": random.choice(["preliminary", "entered-in-error", "amended", "registered", "strange"])},
        {"status": "corrected", "code": earlier["code"], "effectiveDateTime": earlier.get("effectiveDateTime", ...)},
        {"status": "corrected", "identifier": [{"system": "u", "value": "1"}]},
        {"identifier": [{"system": "u", "value": "1"}]},
        {"valueQuantity": ..., "valueString": random.choice(["see comment", "7,1 mg/dL", "4.2", "haemolysed"])},
        {"valueQuantity": ..., "interpretation": [high]},
        {"valueQuantity": {"value": "6,6", "unit": "mg/dL"}},
        {"specimen": urine},
        {"effectiveDateTime": ..., "issued": "2026-10-01T07:00:00+02:00"},
        {"effectiveDateTime": random.choice(["2026", "2026-09", "soon", "2027-01-01"])},
        {"effectiveDateTime": earlier.get("effectiveDateTime", ...)},
        {"note": [{"text": random.choice(["haemolysed", "post dialysis sample", "clotted"])}]},
        {"subject": {"reference": "Patient/other"}},
        {"component": [b.component("phosphate", "6.0 mg/dL"), b.component("8480-6", "120 mm[Hg]")]},
        {"code": b.concept(*result["code"]["coding"], b.coding(b.LOINC, "2161-8"))},
        {"id": earlier["id"], "meta": {"versionId": str(random.randint(1, 3))}},
        {"valueQuantity": ...},
    ]
    return {key: value for key, value in {**result, **random.choice(changes)}.items() if value is not ...}


def others(random: Random) -> list[b.Json]:
    """Problems, medicines and procedures that change which rules speak."""
    kept: list[b.Json] = [
        b.condition(b.coding(b.SNOMED, "46177005"), id="c1"),
        b.condition(b.coding(b.ICD10, "N18.31"), id="c2"),
        b.condition(b.coding(b.ICD10, "C90.00"), id="c3"),
        b.condition(b.coding(b.ICD10, "L94.2"), id="c4"),
        b.condition(b.coding(b.ICD10, "Z51.5"), id="c5"),
        b.medication_request(b.coding(b.RXNORM, "1897"), id="m1"),
        b.medication_request(id="m2"),
        b.procedure(id="p1"),
        b.procedure(
            id="p2", performedPeriod={"start": "2026-10-08T08:00:00+02:00", "end": "2026-10-08T12:00:00+02:00"}
        ),
    ]
    specimens = [
        {"resourceType": "Specimen", "id": "urine", "type": b.concept(b.coding(b.SNOMED, "122575003"))},
        {"resourceType": "Specimen", "id": "blood", "type": b.concept(b.coding(b.SNOMED, "119297000"))},
    ]
    visit = b.encounter(random.choice(("AMB", "IMP", "EMER")))
    return [each for each in kept if random.random() < 0.25] + specimens + [visit]


def assert_same_judgement(record: PatientRecord, now: datetime, catalog: Catalog = CATALOG) -> tuple[int, int]:
    """Also notes and marks are the same, gaps and measurements fewer; tells how many of the latter there are."""
    every, some = read_facts(record, catalog, now), read_facts(record, catalog, now, every_result=False)
    judged = classify(every, catalog.knowledge, now)
    assert classify(some, catalog.knowledge, now) == judged
    advised = advise(every, catalog.knowledge, now, judged, ORDERS)
    assert advise(some, catalog.knowledge, now, judged, ORDERS) == advised
    assert (some.notes, some.marks, some.findings) == (every.notes, every.marks, every.findings)
    read = {(each.reference, each.input) for each in some.measurements}
    assert list(some.measurements) == [each for each in every.measurements if (each.reference, each.input) in read]
    return len(some.measurements), len(every.measurements)


@pytest.mark.parametrize("kind", CHARTS)
@settings(max_examples=40, deadline=None)
@given(seed=st.integers(0, 1 << 32))
def test_generated_charts_are_judged_the_same(kind: str, seed: int) -> None:
    random = Random(seed)  # noqa: S311 - a chart, not a secret
    resources = b.prefetch(*chart(random, kind), *others(random))
    assert_same_judgement(gather(resources, b.PATIENT, "e1"), NOW)


def test_of_a_long_chart_little_is_read() -> None:
    results = [
        b.observation(name, LABS[name][0], at=(NOW - timedelta(days=day)).isoformat(), id=f"{name}-{day}")
        for day in range(0, 600, 3)
        for name in LABS
    ]
    some, every = assert_same_judgement(gather(b.prefetch(*results), b.PATIENT), NOW)
    assert every == 200 * (len(LABS) - 1)  # sodium is not asked for
    assert some < 300 + 200  # the creatinine of all times


def test_a_read_record_is_freed_at_once() -> None:
    """A ring of references would keep each patient's record until the garbage collector comes."""
    results = [b.observation("calcium", "9.8 mg/dL", id=f"o{number}") for number in range(40)]
    resources = b.prefetch(*results, b.observation("phosphate", "4.1 mg/dL"))
    read_facts(gather(resources, b.PATIENT), CATALOG, NOW, every_result=False)
    gc.collect()
    gc.disable()
    try:
        read_facts(gather(resources, b.PATIENT), CATALOG, NOW, every_result=False)
        assert gc.collect() == 0
    finally:
        gc.enable()


@pytest.mark.skipif(not (SHARED / "cases").is_dir(), reason="the cases are not here")
def test_the_cases_are_judged_the_same() -> None:
    for path in sorted((SHARED / "cases").glob("*.json")):
        request = json.loads(path.read_text(encoding="utf-8"))["request"]
        hook = request["hook"]
        call = read_request(json.dumps(request).encode(), hook, sandbox=True)
        record = gather(call.prefetch, call.patient_id, call.encounter_id)
        assert_same_judgement(record, call.evaluation_time or NOW)


@pytest.mark.skipif(not (SHARED / "data" / "mimic-demo-fhir").is_dir(), reason="the open data sets are not here")
def test_real_patients_are_judged_the_same() -> None:
    held: dict[str, list[dict[str, Any]]] = defaultdict(list)
    patients: list[dict[str, Any]] = []
    for kind in ("Patient", "Encounter", "Observation", "Condition", "MedicationRequest"):
        path = SHARED / "data" / "mimic-demo-fhir" / f"{kind}.ndjson.gz"
        for resource in map(json.loads, gzip.decompress(path.read_bytes()).splitlines()):
            if kind == "Patient":
                patients.append(resource)
            else:
                held[resource["subject"]["reference"].removeprefix("Patient/")].append(resource)
    read = [0, 0]
    for number, patient in enumerate(patients):
        resources = held[patient["id"]]
        record = gather({"patient": b.raw(patient), "all": b.raw(b.bundle(*resources))}, patient["id"])
        times = sorted({r["effectiveDateTime"] for r in resources if r["resourceType"] == "Observation"})
        days = {text[:10]: text for text in times}
        for text in [times[-1], *(days.values() if number % 10 == 0 else ())]:
            some, every = assert_same_judgement(record, datetime.fromisoformat(text) + timedelta(minutes=5))
            read = [read[0] + some, read[1] + every]
    assert read[0] * 3 < read[1]
