"""Whatever goes wrong becomes one shape: an OperationOutcome with a fitting status.

Knows: HTTP statuses, FHIR issue types, the last `except` of the service.
Must not know: patients; neither an answer nor a log line repeats a value of the request.
"""

import logging
import traceback
from collections.abc import Callable, Sequence
from typing import TypeVar

from fhir.resources.R4B.operationoutcome import OperationOutcome
from flask import Flask, Response
from werkzeug.exceptions import HTTPException

from cds_service.fhir.gather import MissingData
from cds_service.hooks.refusal import HookError

log = logging.getLogger(__name__)

T = TypeVar("T")

_HTTP_ISSUES = {404: "not-found", 405: "not-supported", 413: "too-long", 415: "not-supported"}


def operation_outcome(code: str, diagnostics: str, expression: tuple[str, ...] = ()) -> bytes:
    """One error as JSON. Source: FHIR R4, OperationOutcome; CDS Hooks 3.0 draft, "Returning OperationOutcome"."""
    issue: dict[str, object] = {"severity": "error", "code": code, "diagnostics": diagnostics}
    if expression:
        issue["expression"] = list(expression)
    return OperationOutcome.model_validate({"issue": [issue]}).model_dump_json().encode()


def answer(error: HookError) -> Response:
    """The error as a response."""
    response = _response(error.status, operation_outcome(error.code, error.diagnostics, error.expression))
    response.headers.update(error.headers)
    return response


def missing_data(error: MissingData) -> HookError:
    """Nothing could be had that tells about the patient: 412, so that nobody reads silence as "no risk"."""
    told = "; ".join(f"{key}: {reason}" for key, reason in zip(error.keys, error.reasons, strict=True))
    return HookError(
        412,
        "incomplete",
        "The data that this service needs could not be had, neither from prefetch nor from the FHIR server. " + told,
        tuple(f"prefetch.{key}" for key in error.keys),
    )


def install(app: Flask, new_id: Callable[[], str]) -> None:
    """Let the app answer every failure in the one shape."""

    def failed(error: Exception) -> Response:
        incident = new_id()
        log.error("failure", extra={"incident": incident, "error": type(error).__name__, "trace": _places(error)})
        return _response(
            500,
            operation_outcome(
                "exception", f"The service failed; no guidance was computed. Incident {incident} is in its log."
            ),
        )

    app.register_error_handler(HookError, answer)
    app.register_error_handler(MissingData, lambda error: answer(missing_data(error)))
    app.register_error_handler(HTTPException, _http_failure)
    app.register_error_handler(Exception, failed)


def each_alone(takers: Sequence[Callable[[T], None]]) -> Callable[[T], None]:
    """Give a note of a call to all takers; one that fails touches neither the others nor the call."""

    def give(note: T) -> None:
        for take in takers:
            try:
                take(note)
            except Exception as error:
                log.error("note lost", extra={"error": type(error).__name__, "trace": _places(error)})

    return give


def _places(error: Exception) -> list[str]:
    """The trace without the message: messages of libraries quote what they choked on."""
    return [f"{frame.filename}:{frame.lineno} {frame.name}" for frame in traceback.extract_tb(error.__traceback__)]


def _http_failure(error: HTTPException) -> Response:
    status = error.code or 500
    code = _HTTP_ISSUES.get(status, "processing")
    response = _response(status, operation_outcome(code, _described(error)))
    for name, value in error.get_headers():
        if name.lower() != "content-type":
            response.headers[name] = value  # Allow of a 405
    return response


def _described(error: HTTPException) -> str:
    if error.code == 404:
        return "There is nothing at this address; GET /cds-services lists the services."
    if error.code == 405:
        return f"This method is not offered here; use {', '.join(sorted(getattr(error, 'valid_methods', None) or ()))}."
    if error.code == 413:
        return "The body is larger than this service accepts (CDS_MAX_BODY_BYTES)."
    return f"{error.name}."


def _response(status: int, body: bytes) -> Response:
    return Response(body, status=status, mimetype="application/json")
