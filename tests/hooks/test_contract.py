"""The assessment as JSON: every field of the contract, numbers as exact decimal text."""

import json
from datetime import datetime, timedelta, timezone
from decimal import Decimal

import msgspec
import pytest

from cds_service.calcinosis.assessment import (
    AlsoRecorded,
    Assessment,
    Basis,
    CalcinosisType,
    Cap,
    CauseFound,
    Confidence,
    Dialysis,
    EarlierProduct,
    Freshness,
    Product,
    RiskFactor,
    Setting,
    Tier,
    Trend,
    Value,
)
from cds_service.calcinosis.facts import EncounterClass, Gap, GapReason, Mark, Measurement, Position, Range, Taken
from cds_service.hooks.contract import DataSources, assessment_json

NOW = datetime(2026, 10, 12, 10, 30, tzinfo=timezone(timedelta(hours=2)))
TAKEN = Taken(at=datetime(2026, 10, 9, 7, 30, tzinfo=timezone(timedelta(hours=2))), text="2026-10-09T07:30:00+02:00")
NOTHING = Assessment(evaluated_at=NOW, tier=Tier.NONE, setting=Setting(EncounterClass.UNKNOWN, Dialysis.NONE))


def value(name: str, number: str, *, canonical: str | None = None, kind: str | None = None) -> Value:
    measurement = Measurement(
        input=name,
        value=Decimal(number),
        reported=Decimal(number),
        unit="mg/dL",
        taken=TAKEN,
        reference=f"Observation/{name}",
    )
    return Value(
        measurement=measurement,
        canonical=Decimal(canonical or number),
        position=Position.HIGH,
        range=Range(Decimal("2.5"), None, "mg/dL", "default"),
        kind=kind,
    )


def product(mg2_dl2: str) -> Product:
    return Product(
        value_mg2_dl2=Decimal(mg2_dl2),
        value_mmol2_l2=Decimal("5.88059804892981"),
        bound="exact",
        measured_mg2_dl2=Decimal("67.16"),
        corrected_mg2_dl2=Decimal(mg2_dl2),
        calcium=value("ca_total", "9.20", canonical="10.000", kind="corrected"),
        phosphate=value("phosphate", "7.3"),
        albumin=None,
        pair_class="A",
        gap_hours=Decimal(0),
        age_hours=Decimal("75.00833333333333"),
        freshness=Freshness.FRESH,
    )


def written(assessment: Assessment) -> str:
    whole = assessment_json(assessment, "2026.11.0", "sha256:ab", DataSources(prefetch=["patient"]), ["a note"])
    return msgspec.json.encode(whole).decode()


def test_nothing_to_tell_has_every_field_as_null_or_empty_list() -> None:
    assert json.loads(written(NOTHING)) == {
        "contract": "1",
        "evaluatedAt": "2026-10-12T10:30:00+02:00",
        "tier": "none",
        "caps": [],
        "riskPathway": "none",
        "documentedType": "none",
        "documentedBy": [],
        "documentedNames": [],
        "causes": [],
        "alsoRecorded": [],
        "confidence": "high",
        "weaknesses": [],
        "product": None,
        "trend": None,
        "afterDialysis": None,
        "flags": [],
        "gaps": [],
        "riskFactors": [],
        "exposures": [],
        "population": [],
        "setting": {"class": "unknown", "dialysis": "none"},
        "rules": [],
        "orders": [],
        "orderTier": None,
        "ordersNotJudged": [],
        "knowledge": {"version": "2026.11.0", "digest": "sha256:ab"},
        "dataSources": {"prefetch": ["patient"], "fetched": [], "failed": []},
        "headline": None,
        "advice": [],
        "tests": [],
        "values": [],
        "notes": ["a note"],
    }


def test_a_full_judgement_is_written_with_the_names_of_the_contract() -> None:
    assessment = Assessment(
        evaluated_at=NOW,
        tier=Tier.WARNING,
        caps=(Cap("CL-26", Tier.CRITICAL, Tier.WARNING),),
        risk_pathway=CalcinosisType.METASTATIC,
        causes=(
            CauseFound(
                id="esrd-dialysis",
                name="End-stage kidney disease",
                type=CalcinosisType.METASTATIC,
                basis=Basis.RECORDED,
                evidence=("Condition/c1",),
                rules=("CL-62",),
                confidence=Confidence.MODERATE,
            ),
        ),
        also_recorded=(AlsoRecorded(id=None, text="Tumoral calcinosis", evidence=("Condition/c2",)),),
        product=product("73.000"),
        trend=Trend(
            direction="rising",
            persistent=True,
            previous=(EarlierProduct(Decimal("61.2"), "2026-09-09"),),
        ),
        flags=(Mark.STRADDLE, Mark.UNIT_MG_PER_L),
        gaps=(Gap(analyte="pth_intact", reason=GapReason.STALE, detail="51 pg/mL of 2026-01-02", taken=TAKEN),),
        risk_factors=(RiskFactor("dialysis", ("Condition/c1",)),),
        setting=Setting(EncounterClass.INPATIENT, Dialysis.MAINTENANCE),
        headline="CL-50",
        values=(value("pth_intact", "51"),),
    )
    told = json.loads(written(assessment))
    assert told["caps"] == [{"rule": "CL-26", "from": "critical", "to": "warning"}]
    assert told["causes"][0]["id"] == "esrd-dialysis"
    assert told["causes"][0]["basis"] == "recorded"
    assert told["causes"][0]["confidence"] == "moderate"
    assert told["alsoRecorded"] == [{"id": None, "text": "Tumoral calcinosis", "evidence": ["Condition/c2"]}]
    assert told["flags"] == ["unit_mg_per_L", "straddle"]
    assert told["trend"]["previous"] == [{"value": 61.2, "effective": "2026-09-09"}]
    assert told["gaps"] == [
        {
            "analyte": "pth_intact",
            "reason": "stale",
            "lastDate": "2026-10-09T07:30:00+02:00",
            "detail": "51 pg/mL of 2026-01-02",
            "reference": None,
        }
    ]
    assert told["setting"] == {"class": "inpatient", "dialysis": "maintenance"}
    assert told["values"][0]["input"] == "pth_intact"
    assert told["product"]["calcium"] == {
        "value": 9.2,
        "unit": "mg/dL",
        "comparator": None,
        "reference": "Observation/ca_total",
        "effective": "2026-10-09T07:30:00+02:00",
        "canonical": 10.0,
        "position": "high",
        "range": {"low": 2.5, "high": None, "unit": "mg/dL", "source": "default"},
        "kind": "corrected",
    }
    assert "kind" not in told["product"]["phosphate"]


@pytest.mark.parametrize(
    ("exact", "printed"),
    [
        ("73.0", "73.0000"),
        ("70.08", "70.0800"),
        ("69.99994999", "69.9999"),
        ("70.000049", "70.0000"),
        ("33.84", "33.8400"),
    ],
)
def test_a_product_is_printed_with_four_places_without_a_binary_float(exact: str, printed: str) -> None:
    assessment = Assessment(evaluated_at=NOW, tier=Tier.NONE, setting=NOTHING.setting, product=product(exact))
    assert f'"product":{{"value":{printed},"valueSi":5.8806,' in written(assessment)


@pytest.mark.parametrize(
    ("reported", "printed"),
    [("7.30", "7.30"), ("0.1", "0.1"), ("1E+2", "100"), ("1E+400", "1E+400"), ("-0", "-0"), ("1E-30", "1E-30")],
)
def test_a_value_as_reported_keeps_its_own_decimals(reported: str, printed: str) -> None:
    assessment = Assessment(
        evaluated_at=NOW, tier=Tier.NONE, setting=NOTHING.setting, values=(value("pth_intact", reported),)
    )
    assert f'"values":[{{"input":"pth_intact","value":{printed},"unit":' in written(assessment)


def test_a_converted_value_is_cut_to_four_places_only_in_print() -> None:
    assessment = Assessment(
        evaluated_at=NOW,
        tier=Tier.NONE,
        setting=NOTHING.setting,
        values=(value("urate", "476", canonical="8.00268997982"),),
    )
    assert '"canonical":8.0027,' in written(assessment)


def test_a_result_in_words_has_no_number() -> None:
    words = Measurement(
        input="pth_intact", value=None, reported=None, unit=None, taken=TAKEN, reference="Observation/w"
    )
    shown = Value(measurement=words, canonical=None, position=Position.HIGH)
    assessment = Assessment(evaluated_at=NOW, tier=Tier.NONE, setting=NOTHING.setting, values=(shown,))
    told = json.loads(written(assessment))["values"][0]
    assert (told["value"], told["canonical"], told["range"], told["position"]) == (None, None, None, "high")
