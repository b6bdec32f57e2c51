"""Assessments built directly, for the tests of the words on the cards."""

from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from itertools import count

from cds_service.calcinosis.assessment import (
    Assessment,
    Basis,
    CalcinosisType,
    CauseFound,
    Dialysis,
    Freshness,
    Product,
    Setting,
    Tier,
    Value,
)
from cds_service.calcinosis.facts import (
    EncounterClass,
    Gap,
    GapReason,
    Measurement,
    Position,
    Range,
    Taken,
)
from cds_service.hooks.cards import cards_for
from cds_service.hooks.wording.reasons import REASONS
from cds_service.terminology.load import load_catalog

CATALOG = load_catalog()
NOW = datetime(2026, 10, 12, 10, 30, tzinfo=UTC)
HEADLINES = sorted(set(REASONS) - {""})
HOSTILE = "<img src=x onerror=alert(1)> `x` | [a](//evil.example) ![b](http://evil.example)\n# www.evil.example &lt; *"
OUTPATIENT = Setting(EncounterClass.OUTPATIENT, Dialysis.NONE)
FACTORS = {"mmol/L": {"ca_total": Decimal("4.0078"), "phosphate": Decimal("3.0973762")}}


def taken(days: int = 3) -> Taken:
    at = NOW - timedelta(days=days)
    return Taken(at, at.isoformat())


def measurement(name: str, value: str, unit: str | None = "mg/dL", *, days: int = 3, **more: object) -> Measurement:
    factor = FACTORS.get(unit or "", {}).get(name, Decimal(1))
    known: dict[str, object] = {
        "value": Decimal(value) * factor,
        "reported": Decimal(value),
        "unit": unit,
        "taken": taken(days),
        "reference": f"Observation/{name.replace('_', '-')}",
    }
    return Measurement(input=name, **{**known, **more})  # type: ignore[arg-type]


def value(name: str, number: str, unit: str = "mg/dL", position: Position = Position.NORMAL, **more: object) -> Value:
    found = measurement(name, number, unit, **{k: v for k, v in more.items() if k == "days"})  # type: ignore[arg-type]
    kind = more.get("kind")
    return Value(
        measurement=found,
        canonical=found.value,
        position=position,
        range=Range(Decimal("2.5"), Decimal("4.5"), "mg/dL", "default"),
        kind=None if kind is None else str(kind),
    )


def product(calcium: str = "10.0", phosphate: str = "7.3", unit: str = "mg/dL", **changes: object) -> Product:
    one = value("ca_total", calcium, unit, kind="total")
    other = value("phosphate", phosphate, unit, Position.HIGH)
    assert one.canonical is not None
    assert other.canonical is not None
    result = one.canonical * other.canonical
    known: dict[str, object] = {
        "value_mg2_dl2": result,
        "value_mmol2_l2": result / Decimal("12.4137"),
        "bound": "exact",
        "measured_mg2_dl2": result,
        "corrected_mg2_dl2": None,
        "calcium": one,
        "phosphate": other,
        "albumin": None,
        "pair_class": "A",
        "gap_hours": Decimal(0),
        "age_hours": Decimal(72),
        "freshness": Freshness.FRESH,
    }
    return Product(**{**known, **changes})  # type: ignore[arg-type]


def corrected() -> Product:
    """Calcium 9.2 mg/dL, albumin 3.0 g/dL: corrected 9.2 + 0.8 x (4.0 - 3.0) = 10.0; times 7.3 = 73.0 or 67.16."""
    calcium = replace(value("ca_total", "9.2"), canonical=Decimal("10.0"), kind="corrected")
    return replace(
        product(),
        calcium=calcium,
        albumin=value("albumin", "3.0", "g/dL", Position.LOW),
        measured_mg2_dl2=Decimal("67.16"),
        corrected_mg2_dl2=Decimal("73.00"),
    )


def assessment(headline: str | None = "CL-50", tier: Tier = Tier.CRITICAL, **changes: object) -> Assessment:
    known: dict[str, object] = {
        "evaluated_at": NOW,
        "tier": tier,
        "headline": headline,
        "product": product(),
        "setting": OUTPATIENT,
        "rules": (headline,) if headline else (),
        "risk_pathway": CalcinosisType.METASTATIC,
        "population": ("adult",),
    }
    return Assessment(**{**known, **changes})  # type: ignore[arg-type]


def cause(
    name: str = "Chronic kidney disease stage 4",
    cause_id: str = "ckd-stage-4",
    basis: Basis = Basis.RECORDED,
    kind: CalcinosisType = CalcinosisType.METASTATIC,
) -> CauseFound:
    return CauseFound(id=cause_id, name=name, type=kind, basis=basis, evidence=("Condition/c1",), rules=("CL-62",))


def gap(reason: GapReason, analyte: str = "phosphate", detail: str = "", days: int | None = None) -> Gap:
    return Gap(analyte=analyte, reason=reason, detail=detail, taken=None if days is None else taken(days))


def card(a: Assessment, extension: Mapping[str, object] | None = None) -> dict[str, object]:
    ids = count(1)
    (found,) = cards_for(a, CATALOG, lambda: f"00000000-0000-4000-8000-{next(ids):012d}", extension or {})
    return found.to_json()


def summary(a: Assessment) -> str:
    return str(card(a)["summary"])


def text(a: Assessment) -> str:
    """Summary and detail as one string."""
    found = card(a)
    return f"{found['summary']}\n{found['detail']}"
