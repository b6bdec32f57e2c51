"""One made-up call before the first real one, so that no caller pays for what is set up on first use.

Knows: what a call of patient-view needs to get a card.
Must not know: settings; what the rules say.
"""

from collections.abc import Callable
from datetime import datetime

from cds_service.fhir.validate import warm_up
from cds_service.hooks import errors
from cds_service.hooks.decide import decide, response_body
from cds_service.hooks.request import read_request
from cds_service.hooks.services import services
from cds_service.terminology.catalog import Catalog

_CALL = b"""{"hook": "patient-view", "hookInstance": "00000000-0000-4000-8000-000000000000",
"context": {"userId": "Practitioner/warm-up", "patientId": "warm-up"}, "prefetch": {
"patient": {"resourceType": "Patient", "id": "warm-up", "birthDate": "1970-01-01"},
"observations": {"resourceType": "Bundle", "type": "searchset", "entry": [%s]}}}"""
_RESULT = """{"resource": {"resourceType": "Observation", "id": "%s", "status": "final",
"code": {"coding": [{"system": "http://loinc.org", "code": "%s"}]}, "subject": {"reference": "Patient/warm-up"},
"effectiveDateTime": "%s", "valueQuantity": {"value": %s, "unit": "mg/dL",
"system": "http://unitsofmeasure.org", "code": "mg/dL"}}}"""

_VALUES = (("calcium", "17861-6", "10.5"), ("phosphate", "2777-1", "7.5"))


def rehearse(catalog: Catalog, clock: Callable[[], datetime], *, validate: bool) -> None:
    """Decide one made-up call and build one error, so that no first caller pays for what is set up on first use."""
    at = clock().isoformat()
    results = ",".join(_RESULT % (name, code, at, value) for name, code, value in _VALUES)
    request = read_request(_CALL % results.encode(), "patient-view", sandbox=False, keep_raw=validate)
    wanted = services(catalog)[0].wanted
    decision = decide(
        request, wanted=wanted, catalog=catalog, fetch=None, now=clock(), new_id=lambda: "warm-up", validate=validate
    )
    response_body(decision, explain=True)
    if validate:
        warm_up()
    errors.operation_outcome("informational", "warm-up")
