"""One hook request decided without a server, and told as text.

Knows: how a request in a file becomes a decision; how facts are listed for a reader at a terminal.
Must not know: the wording of cards (hooks/plain.py prints them).
"""

from collections.abc import Iterator

import msgspec

from cds_service.app import catalog_of, local_now, new_uuid
from cds_service.calcinosis.facts import Exposure, Finding, Measurement, PatientFacts
from cds_service.fhir.gather import MissingData
from cds_service.hooks.decide import Decision, decide, response_body
from cds_service.hooks.errors import missing_data
from cds_service.hooks.plain import response_as_text
from cds_service.hooks.refusal import HookError
from cds_service.hooks.request import read_request
from cds_service.hooks.services import services
from cds_service.settings import Settings


class Refused(Exception):
    """The request cannot be decided; the text is what the service would say in its OperationOutcome."""


def response_json(body: bytes, settings: Settings) -> str:
    """The response as the service would send it to a caller who asks for the assessment."""
    response = response_body(_decision(body, settings), explain=True)
    return msgspec.json.format(response, indent=2).decode()


def assess_text(body: bytes, settings: Settings) -> str:
    """Facts, then cards and assessment as a reader at a terminal sees them."""
    decision = _decision(body, settings)
    response = msgspec.json.decode(response_body(decision, explain=True))
    return "\n".join(["FACTS", *_facts(decision.facts), "", "ANSWER", response_as_text(response)])


class _Named(msgspec.Struct):
    """The one member of a request that says which service it is for."""

    hook: str = ""


def _decision(body: bytes, settings: Settings) -> Decision:
    """Decide a request of any offered hook.

    Raises: Refused.
    """
    catalog = catalog_of(settings)
    offered = services(catalog)
    try:
        named = msgspec.json.decode(body, type=_Named).hook
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        named = ""  # read_request says what is wrong, and where
    service = next((service for service in offered if service.hook == named), offered[0])
    try:
        request = read_request(body, service.hook, sandbox=settings.sandbox, keep_raw=settings.validates)
        now = request.evaluation_time or local_now()
        return decide(
            request,
            wanted=service.wanted,
            catalog=catalog,
            fetch=None,
            now=now,
            new_id=new_uuid,
            validate=settings.validates,
            every_result=True,
        )
    except HookError as error:
        raise Refused(error.diagnostics) from None
    except MissingData as error:
        raise Refused(missing_data(error).diagnostics) from None


def _facts(facts: PatientFacts) -> Iterator[str]:
    yield f"  {facts.patient_reference}, born {facts.birth_date or 'unknown'}, {facts.sex}, {facts.encounter_class}"
    for measurement in sorted(facts.measurements, key=lambda m: m.taken.at, reverse=True):
        yield "  value      " + _measurement(measurement)
    for finding in facts.findings:
        yield "  condition  " + _finding(finding)
    for exposure in facts.exposures:
        yield "  medicine   " + _exposure(exposure)
    for event in facts.events:
        yield f"  procedure  {event.kind} ({event.reference})"
    for gap in facts.gaps:
        yield f"  not used   {gap.analyte}: {gap.reason}, {gap.detail}"
    if facts.unread:
        yield f"  not had    {', '.join(sorted(facts.unread))}"
    for note in facts.notes:
        yield f"  note       {note}"


def _measurement(m: Measurement) -> str:
    value = "in words" if m.reported is None else f"{m.comparator or ''}{m.reported:f} {m.unit or '(no unit)'}"
    marks = f" [{', '.join(sorted(m.marks))}]" if m.marks else ""
    return f"{m.input} {value}, {m.taken.text} ({m.reference}){marks}"


def _finding(f: Finding) -> str:
    state = "active" if f.active else "history"
    return f"{f.concept}: {f.name}, {state}{', suspected' if f.suspected else ''} ({f.reference}, {f.code})"


def _exposure(e: Exposure) -> str:
    return f"{e.drug}: {e.name}, {'active' if e.active else 'not active'} ({e.reference})"
