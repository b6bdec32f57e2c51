"""Whole hook calls for the tests of everything that a caller sees; the resources are those of builders.py."""

import json
from collections.abc import Mapping
from typing import Any

from tests import builders
from tests.builders import bundle, patient

__all__ = ["bundle", "patient"]

PATIENT_VIEW = "/cds-services/metastatic-calcification-patient-view"
ORDER_SELECT = "/cds-services/metastatic-calcification-order-select"
ORDER_SIGN = "/cds-services/metastatic-calcification-order-sign"
EXPLAIN = "org.calcinosis-cds.explain"
CLOCK = "org.calcinosis-cds.evaluation-time"
ASSESSMENT = "org.calcinosis-cds.assessment"
AT = "2026-10-12T10:30:00+02:00"
INSTANCE = "7d4c0cf2-6f2b-4a0e-9a53-0c7b9f3c9a10"

Json = dict[str, Any]


def result(analyte: str, value: str, **more: Any) -> Json:
    """A result whose numbers are plain JSON numbers."""
    plain: Json = json.loads(bytes(builders.raw(builders.observation(analyte, value, **more))))
    return plain


def calcium(value: float, **more: Any) -> Json:
    """Total calcium in serum, mg/dL."""
    return result("calcium", f"{value} mg/dL", **({"id": "calcium"} | more))


def phosphate(value: float, **more: Any) -> Json:
    """Phosphate in serum, mg/dL."""
    return result("phosphate", f"{value} mg/dL", **({"id": "phosphate"} | more))


def prefetch(*observations: Mapping[str, Any], **more: Any) -> Json:
    """Every key of the service answered: the results under one of their groups, the rest empty."""
    groups = ("phosphate", "hormones", "kidney", "acid-base", "turnover", "body")
    return {
        "patient": patient(),
        "observations-calcium": bundle(*observations),
        **{f"observations-{group}": bundle() for group in groups},
        **{kind: bundle() for kind in ("conditions", "medications", "statements", "procedures")},
        **more,
    }


def call(*observations: Mapping[str, Any], **changes: Any) -> Json:
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


def draft(*codings: Mapping[str, Any], **more: Any) -> Json:
    """A draft order; without codings IV calcium gluconate."""
    given = codings or (builders.coding(builders.RXNORM, "197435"),)
    return builders.medication_request(*given, **({"id": "draft-1", "status": "draft"} | more))


def order_call(*drafts: Any, hook: str = "order-sign", **changes: Any) -> Json:
    """A call before orders are signed: calcium 7.8 times phosphate 9.0 is 70.2 mg2/dL2, above 70.

    selections, observations: in place of none and of these values.
    """
    values = changes.pop("observations", (calcium(7.8), phosphate(9.0)))
    selections = {"selections": changes.pop("selections")} if "selections" in changes else {}
    orders = {"resourceType": "Bundle", "type": "collection", "entry": [{"resource": each} for each in drafts]}
    context = {"userId": "Practitioner/p1", "patientId": "x1", "draftOrders": orders, **selections}
    return call(*values, **{"hook": hook, "context": context, **changes})


def critical_call(**changes: Any) -> Json:
    """Calcium 10.5 times phosphate 7.5 is 78.75 mg2/dL2, above 70."""
    return call(calcium(10.5), phosphate(7.5), **changes)


def healthy_call(**changes: Any) -> Json:
    """Calcium 9.4 times phosphate 3.6 is 33.84 mg2/dL2."""
    return call(calcium(9.4), phosphate(3.6), **changes)
