"""The assessment as JSON, field by field as the assessment contract (version 1) names it.

Knows: camelCase names, which fields are null and which are empty lists, how numbers are printed.
Must not know: how the judgement was reached; cards.

Numbers are written as the decimal text they have, never by way of a binary float (msgspec.Raw is copied as it is).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal

import msgspec

from cds_service.calcinosis.assessment import Assessment, CauseFound, EarlierProduct, Product, Trend, Value
from cds_service.calcinosis.facts import Gap, Mark, Range
from cds_service.calcinosis.orders import NotJudged, OrderAdvice, OrderFinding

CONTRACT = "1"
EXTENSION = "org.calcinosis-cds.assessment"
ASSESSMENT = "org.calcinosis-cds.assessment"
_PLACES = 4
_FOUR_PLACES = Decimal("0.0001")
_LONGEST_PLAIN = 20
_MARK_ORDER = {mark: number for number, mark in enumerate(Mark)}

Json = dict[str, object]


@dataclass(frozen=True, slots=True, kw_only=True)
class DataSources:
    """Where the data came from: prefetch keys used, FHIR queries made, what could not be read."""

    prefetch: Sequence[str] = ()
    fetched: Sequence[str] = ()
    failed: Sequence[str] = ()


def assessment_json(
    assessment: Assessment,
    catalog_version: str,
    catalog_digest: str,
    data_sources: DataSources,
    notes: Sequence[str] = (),
    orders: OrderAdvice | None = None,
) -> Json:
    """The object that stands on each card, and on the response when asked for.

    orders: what is said of draft orders; None on hooks without orders.
    notes: what was met on the record and not understood; an addition of ours, like headline, advice and values.
    Source: assessment contract, sections 3 and 8.
    """
    a = assessment
    return {
        "contract": CONTRACT,
        "evaluatedAt": a.evaluated_at.isoformat(),
        "tier": a.tier,
        "caps": [{"rule": cap.rule, "from": cap.from_tier, "to": cap.to_tier} for cap in a.caps],
        "riskPathway": a.risk_pathway,
        "documentedType": a.documented_type,
        "documentedBy": a.documented_by,
        "documentedNames": a.documented_names,
        "causes": [_cause(cause) for cause in a.causes],
        "alsoRecorded": [{"id": also.id, "text": also.text, "evidence": also.evidence} for also in a.also_recorded],
        "confidence": a.confidence,
        "weaknesses": a.weaknesses,
        "product": _product(a.product) if a.product else None,
        "trend": _trend(a.trend) if a.trend else None,
        "afterDialysis": None if a.after_dialysis is None else _earlier(a.after_dialysis),
        "flags": sorted(a.flags, key=_MARK_ORDER.__getitem__),
        "gaps": [_gap(gap) for gap in a.gaps],
        "riskFactors": [{"id": factor.id, "evidence": factor.evidence} for factor in a.risk_factors],
        "exposures": [
            {"group": e.group, "drug": e.drug, "name": e.name, "modifiable": e.modifiable, "evidence": e.evidence}
            for e in a.exposures
        ],
        "population": a.population,
        "setting": {"class": a.setting.encounter_class, "dialysis": a.setting.dialysis},
        "rules": a.rules if orders is None else tuple(dict.fromkeys((*a.rules, *orders.rules))),
        "orders": [] if orders is None else [_order(finding) for finding in orders.findings],
        "orderTier": None if orders is None else orders.tier,
        "ordersNotJudged": [] if orders is None else [_not_judged(each) for each in orders.not_judged],
        "knowledge": {"version": catalog_version, "digest": catalog_digest},
        "dataSources": {
            "prefetch": data_sources.prefetch,
            "fetched": data_sources.fetched,
            "failed": data_sources.failed,
        },
        "headline": a.headline,
        "advice": a.advice,
        "tests": a.tests,
        "values": [{"input": value.measurement.input, **_value(value)} for value in a.values],
        "notes": notes,
    }


def references_of(assessment: Assessment) -> tuple[str, ...]:
    """The resources that the judgement rests on, each once."""
    a = assessment
    product = (a.product.calcium, a.product.phosphate, a.product.albumin) if a.product else ()
    found = [value.measurement.reference for value in (*product, *a.values) if value]
    for evidence in (
        a.documented_by,
        *(cause.evidence for cause in a.causes),
        *(factor.evidence for factor in a.risk_factors),
        *(also.evidence for also in a.also_recorded if also.suspected),
        *(exposure.evidence for exposure in a.exposures),
    ):
        found += evidence
    return tuple(dict.fromkeys(found))


def extension_of(judgement: Mapping[str, object]) -> dict[str, object]:
    """The assessment under its own key, encoded once for all the places that carry it."""
    return {ASSESSMENT: msgspec.Raw(msgspec.json.encode(judgement))}


def _product(product: Product) -> Json:
    return {
        "value": _product_number(product.value_mg2_dl2),
        "valueSi": _product_number(product.value_mmol2_l2),
        "bound": product.bound,
        "measured": _product_number(product.measured_mg2_dl2),
        "corrected": _product_number(product.corrected_mg2_dl2),
        "calcium": _value(product.calcium),
        "phosphate": _value(product.phosphate),
        "albumin": _value(product.albumin) if product.albumin else None,
        "pairClass": product.pair_class,
        "gapHours": _number(product.gap_hours),
        "ageHours": _number(product.age_hours),
        "freshness": product.freshness,
    }


def _value(value: Value) -> Json:
    measurement = value.measurement
    json: Json = {
        "value": _as_reported(measurement.reported),
        "unit": measurement.unit,
        "comparator": measurement.comparator,
        "reference": measurement.reference,
        "effective": measurement.taken.text,
        "canonical": _number(value.canonical),
        "position": value.position,
        "range": _range(value.range) if value.range else None,
    }
    if value.kind is not None:
        json["kind"] = value.kind
    return json


def _range(of: Range) -> Json:
    return {"low": _number(of.low), "high": _number(of.high), "unit": of.unit, "source": of.source}


def _cause(cause: CauseFound) -> Json:
    json: Json = {
        "id": cause.id,
        "name": cause.name,
        "type": cause.type,
        "basis": cause.basis,
        "evidence": cause.evidence,
        "rules": cause.rules,
    }
    if cause.confidence is not None:
        json["confidence"] = cause.confidence
    return json


def _trend(trend: Trend) -> Json:
    return {
        "direction": trend.direction,
        "persistent": trend.persistent,
        "previous": [_earlier(earlier) for earlier in trend.previous],
    }


def _earlier(product: EarlierProduct) -> Json:
    return {"value": _product_number(product.value_mg2_dl2), "effective": product.effective}


def _order(finding: OrderFinding) -> Json:
    return {
        "reference": finding.order.reference,
        "rule": finding.rule,
        "tier": finding.tier,
        "downgradedBy": finding.downgraded_by,
        "drugs": [drug.drug for drug in finding.drugs],
        "reasons": finding.reasons,
    }


def _not_judged(each: NotJudged) -> Json:
    return {"reference": each.reference, "name": each.name or None, "reason": each.reason, "rule": each.rule}


def _gap(gap: Gap) -> Json:
    return {
        "analyte": gap.analyte,
        "reason": gap.reason,
        "lastDate": gap.taken.text if gap.taken else None,
        "detail": gap.detail,
        "reference": gap.reference,
    }


def _as_reported(value: Decimal | None) -> msgspec.Raw | None:
    return None if value is None or not value.is_finite() else msgspec.Raw(_digits(value).encode())


def _number(value: Decimal | None) -> msgspec.Raw | None:
    """The exact text, cut to four places for printing only; every comparison was made before."""
    if value is None or not value.is_finite():
        return None
    digits = _digits(value)
    return _product_number(value) if len(digits.partition(".")[2]) > _PLACES else msgspec.Raw(digits.encode())


def _product_number(value: Decimal | None) -> msgspec.Raw | None:
    """A number with four places, so that at least three are always there."""
    if value is None or value.adjusted() >= _LONGEST_PLAIN:
        return _as_reported(value)
    return _as_reported(value.quantize(_FOUR_PLACES))


def _digits(value: Decimal) -> str:
    """Without exponent, unless that would print a line of zeros."""
    return f"{value:f}" if -_LONGEST_PLAIN < value.adjusted() < _LONGEST_PLAIN else str(value)
