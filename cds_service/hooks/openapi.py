"""The OpenAPI document of the service, made from what it offers.

Knows: addresses, forms of requests and answers, statuses.
Must not know: anything clinical. The rules of the request stand in request.py; their patterns come from there.
"""

from collections.abc import Sequence

from cds_service.hooks.feedback import LONGEST_ID
from cds_service.hooks.request import EVALUATION_TIME, EXPLAIN, FORMS, ORDER_SELECT, ORDER_SIGN
from cds_service.hooks.services import Service

Json = dict[str, object]

_REFUSALS = {
    "400": "The request cannot be read, or does not fit the service.",
    "401": "No valid token of a client of this service.",
    "404": "There is nothing of this address, or feedback is not kept here.",
    "412": "Patient, calcium or phosphate could not be had: there is no guidance, which is not the same as no risk.",
    "413": "The body is too large.",
    "415": "The body is not JSON, or compressed.",
    "500": "The service failed; an incident number is given.",
    "503": "Too many calls at once, or what is needed is away; try again.",
}
_TEXT: Json = {"type": "string", "minLength": 1}
# what a context tells of orders
_ORDERS: Json = {
    "draftOrders": {
        "type": ["object", "array"],
        "description": "A Bundle. A draft that cannot be read is named on a card; 400 when there is no card for that.",
    },
    "selections": {"type": "array", "items": {"type": "string"}},
}
_REASON: Json = {"type": "object", "properties": {"code": {"type": ["string", "null"]}}}
_CODING: Json = {"type": "object", "required": ["code"], "properties": {"code": _TEXT, "system": _TEXT}}


def document(services: Sequence[Service], version: str) -> Json:
    """The document. version: of the program."""
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "calcinosis-cds",
            "version": version,
            "description": "A CDS Hooks 2.0 service that flags the risk of metastatic calcification from calcium and "
            "phosphate. For evaluation; not a medical device; not for emergencies.",
            "license": {"name": "Apache-2.0", "identifier": "Apache-2.0"},
        },
        "security": [{}, {"client": []}],
        "paths": {
            "/cds-services": _read("Discovery", "discover", "The services on offer.", _ref("Discovery"), ("401",)),
            **{f"/cds-services/{service.id}": _hook(service) for service in services},
            **{f"/cds-services/{service.id}/feedback": _feedback(service) for service in services},
            "/healthz": _read("Whether the process answers", "healthz", "It does.", _status("ok")),
            "/readyz": _read("Whether the service is ready", "readyz", "It is.", _status("ready"), ("503",)),
            "/openapi.json": _read("This document", "openapi", "An OpenAPI document.", {"type": "object"}),
        },
        "components": {
            "securitySchemes": {"client": {"type": "http", "scheme": "bearer", "bearerFormat": "JWT"}},
            "schemas": _schemas(),
        },
    }


def _read(summary: str, name: str, told: str, schema: Json, refusals: Sequence[str] = ()) -> Json:
    return {"get": {"summary": summary, "operationId": name, "responses": _responses(told, schema, refusals)}}


def _hook(service: Service) -> Json:
    schema = _request(service.hook)
    return {
        "post": {
            "summary": service.title,
            "description": service.description,
            "operationId": service.id,
            "requestBody": {"required": True, "content": {"application/json": {"schema": schema}}},
            "responses": _responses(
                "Cards; an empty list means: looked, nothing to show.",
                _ref("Answer"),
                [status for status in _REFUSALS if status != "404"],
            ),
        }
    }


_FEEDBACK_ID: Json = {"type": "string", "minLength": 1, "maxLength": LONGEST_ID}


def _feedback(service: Service) -> Json:
    """What users did with cards. The standard's shape; Epic's `overrideReasons` is taken as well."""
    item: Json = {"card": _FEEDBACK_ID, "outcomeTimestamp": _instant()}
    suggestions = _many(_object(("id",), id=_FEEDBACK_ID), minItems=1)
    reason = _or_null(_object((), reason=_or_null(_REASON), userComment={"type": ["string", "null"]}))
    needed = ("card", "outcome", "outcomeTimestamp")
    accepted = _object(
        (*needed, "acceptedSuggestions"), **item, outcome={"const": "accepted"}, acceptedSuggestions=suggestions
    )
    overridden = _object(needed, **item, outcome={"const": "overridden"}, overrideReason=reason)
    schema = _object(("feedback",), feedback=_many({"oneOf": [accepted, overridden]}, minItems=1))
    refusals = [status for status in _REFUSALS if status != "412"]
    return {
        "post": {
            "summary": f"Feedback on cards of {service.title}",
            "operationId": f"{service.id}-feedback",
            "requestBody": {"required": True, "content": {"application/json": {"schema": schema}}},
            "responses": {
                "200": {"description": "All of it is kept for good."},
                **{key: each for key, each in _responses("", {}, [*refusals, "404"]).items() if key != "200"},
            },
        }
    }


def _responses(told: str, schema: Json, refusals: Sequence[str] | dict[str, str]) -> Json:
    answers: Json = {"200": {"description": told, "content": {"application/json": {"schema": schema}}}}
    for status in refusals:
        answers[status] = {
            "description": _REFUSALS[status],
            "content": {"application/json": {"schema": _ref("OperationOutcome")}},
        }
    return answers


def _ref(name: str) -> Json:
    return {"$ref": f"#/components/schemas/{name}"}


def _status(word: str) -> Json:
    return {"type": "object", "required": ["status"], "properties": {"status": {"const": word}}}


def _object(required: Sequence[str], **properties: object) -> Json:
    return {"type": "object", "required": list(required), "properties": properties}


def _or_null(schema: Json) -> Json:
    """The form, or null, which this service takes as left out."""
    return schema | {"type": [schema["type"], "null"]}


def _many(item: object, **more: object) -> Json:
    return {"type": "array", "items": item, **more}


def _form(name: str) -> Json:
    return {"type": "string", "pattern": f"^({FORMS[name]})$"}


def _instant() -> Json:
    return _form("instant") | {"format": "date-time"}


def _schemas() -> Json:
    return {
        "Discovery": _object(
            ("services",), services=_many(_object(("hook", "id", "description"), hook=_TEXT, id=_TEXT, prefetch={}))
        ),
        "Answer": _object(("cards",), cards=_many(_card()), extension={"type": "object"}),
        "OperationOutcome": _object(
            ("resourceType", "issue"),
            resourceType={"const": "OperationOutcome"},
            issue=_many(
                _object(("severity", "code", "diagnostics"), severity=_TEXT, code=_TEXT, diagnostics=_TEXT), minItems=1
            ),
        ),
    }


def _request(hook: str) -> Json:
    encounter = {"type": ["string", "null"], "pattern": f"^(|{FORMS['id']})$"}  # empty is as left out
    orders = {name: form for name, form in _ORDERS.items() if name == "draftOrders" or hook == ORDER_SELECT}
    more = orders if hook in (ORDER_SELECT, ORDER_SIGN) else {}
    context = _object(
        ("userId", "patientId", *more), userId=_form("user"), patientId=_form("id"), encounterId=encounter, **more
    )
    authorization = _object(
        ("access_token", "token_type", "expires_in", "scope", "subject"),
        access_token={"type": "string", "pattern": f"^({FORMS['token']})$", "writeOnly": True},
        token_type={"type": "string", "enum": ["Bearer"]},
        expires_in={"type": "integer"},
        scope={"type": "string"},
        subject={"type": "string"},
    )
    extension = {
        "type": ["object", "null"],
        "properties": {EXPLAIN: {"type": "boolean"}, EVALUATION_TIME: _instant()},
    }
    return {
        **_object(
            ("hook", "hookInstance", "context"),
            hook={"const": hook},
            hookInstance=_form("uuid"),
            context=context,
            fhirServer={"type": ["string", "null"], "format": "uri"},
            fhirAuthorization=_or_null(authorization),
            prefetch={"type": ["object", "null"], "additionalProperties": {"type": ["object", "null"]}},
            extension=extension,
        ),
        "dependentRequired": {"fhirAuthorization": ["fhirServer"]},
    }


def _card() -> Json:
    suggestion = _object(
        ("label",), label=_TEXT, uuid=_form("uuid"), isRecommended={"type": "boolean"}, actions=_many({})
    )
    return _object(
        ("summary", "indicator", "source"),
        uuid=_form("uuid"),
        summary={"type": "string", "minLength": 1, "maxLength": 140},
        indicator={"enum": ["info", "warning", "critical"]},
        detail={"type": "string"},
        source=_object(("label",), label=_TEXT, url=_TEXT, topic=_CODING),
        suggestions=_many(suggestion),
        selectionBehavior={"enum": ["at-most-one", "any"]},
        links=_many(_object(("label", "url", "type"), label=_TEXT, url=_TEXT, type={"enum": ["absolute", "smart"]})),
        overrideReasons=_many(_CODING),
        extension={"type": "object"},
    )
