"""The addresses of the service: discovery, the hook call, feedback.

Knows: HTTP, how a decision becomes a response.
Must not know: anything clinical; how errors look (errors.py); what is recorded of a call (noted.py).
"""

import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from time import perf_counter

import msgspec
from flask import Blueprint, Response, request

from cds_service.calcinosis.assessment import Assessment
from cds_service.fhir.gather import Fetch, MissingData
from cds_service.hooks import about
from cds_service.hooks.again import HOOK as MEMORABLE_HOOK
from cds_service.hooks.again import Memory, Remembered
from cds_service.hooks.cards import LinksOf, no_links
from cds_service.hooks.decide import decide, response_body
from cds_service.hooks.feedback import read_feedback
from cds_service.hooks.hello import hello_body
from cds_service.hooks.noted import Visit, note
from cds_service.hooks.profiles import PROFILES
from cds_service.hooks.refusal import HookError
from cds_service.hooks.request import HookRequest, read_request
from cds_service.hooks.services import Service
from cds_service.hooks.turns import Turns
from cds_service.storage.records import AuditRecord, DecisionRecord, FeedbackItem, StoreAway
from cds_service.terminology.catalog import Catalog
from cds_service.trust.tenants import Tenant

log = logging.getLogger(__name__)

# answers hold patient data: no cache may keep them, no browser may take them for anything but JSON
RETRY_SECONDS = 30
_PRIVATE = {"Cache-Control": "no-store", "X-Content-Type-Options": "nosniff"}


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class Call:
    """One call in full, for the links of its cards."""

    service: Service
    request: HookRequest
    body: bytes
    now: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Parts:
    """What the routes work with; app.py puts it together.

    catalogs: the content of clients with limits of their own, by name.
    admit: who calls, by the HTTP request at hand; raises HookError with 401 for a stranger.
    guards_discovery: whether discovery too is for clients only.
    turns: how many calls are worked on at once.
    record: takes a DecisionRecord without waiting. audit: takes each call with its patient.
    fetch_for: how to read from the EHR's FHIR server, if at all.
    links_for: which links to pages of our own a card of this call gets.
    keep_feedback: takes items of feedback and returns when they are safe, raises StoreAway; None where nothing is kept.
    memory: what remembers acknowledgements; None where cards are shown each time.
    store: whether the database can be written now; None where there is none. needs_store: calls are refused without.
    """

    catalog: Catalog
    catalogs: Mapping[str, Catalog]
    services: Sequence[Service]
    sandbox: bool
    explains: bool
    validate: bool
    clock: Callable[[], datetime]
    new_id: Callable[[], str]
    admit: Callable[[], Tenant]
    guards_discovery: bool
    turns: Turns
    record: Callable[[DecisionRecord], None]
    audit: Callable[[AuditRecord], None]
    fetch_for: Callable[[HookRequest, Tenant], Fetch | None]
    links_for: Callable[[Call], LinksOf] = lambda call: no_links
    keep_feedback: Callable[[Sequence[FeedbackItem]], None] | None = None
    keeps_comments: bool = False
    memory: Memory | None = None
    store: Callable[[], bool] | None = None
    needs_store: bool = False


def blueprint(parts: Parts) -> Blueprint:
    """All routes over the given parts."""
    routes = Blueprint("hooks", __name__)
    offered = {service.id: service for service in parts.services}
    discovery = _discovery(parts, parts.services)
    about.add(routes, parts.services, parts.catalog, parts.store, needs_store=parts.needs_store)

    @routes.get("/cds-services")
    def list_services() -> Response:
        if not parts.guards_discovery:
            return Response(discovery, mimetype="application/json")
        tenant = parts.admit()
        return Response(
            _discovery(parts, [service for service in parts.services if tenant.may_call(service.id)]),
            mimetype="application/json",
        )

    @routes.post("/cds-services/<service_id>")
    def call(service_id: str) -> Response:
        service = offered.get(service_id)
        if service is None:
            raise _unknown_service()
        return _call(parts, service)

    @routes.post("/cds-services/<service_id>/feedback")
    def feedback(service_id: str) -> Response:
        if service_id not in offered:
            raise _unknown_service()
        return _feedback(parts, service_id)

    return routes


def _call(parts: Parts, service: Service) -> Response:
    """Answer one hook call and take a note of it, however it ends."""
    visit = Visit(service, parts.catalog, perf_counter())
    try:
        visit.tenant = tenant = parts.admit()
        visit.catalog = parts.catalogs.get(tenant.name, parts.catalog)
        if not tenant.may_call(service.id):
            raise _unknown_service()
        body = _body()  # before its turn: a slow sender keeps nobody from work
        with parts.turns.turn():
            response = _answer(parts, visit, tenant, body)
        visit.outcome = "decided"
        return response
    except HookError as error:
        visit.outcome = str(error.status)
        raise
    except MissingData:
        visit.outcome = "412"
        raise
    finally:
        note(visit, perf_counter(), parts.clock(), parts.record, parts.audit)


def _answer(parts: Parts, visit: Visit, tenant: Tenant, body: bytes) -> Response:
    """Decide the call, noting how far it came."""
    hook_request = read_request(body, visit.service.hook, sandbox=parts.sandbox, keep_raw=parts.validate)
    visit.read_at, visit.request = perf_counter(), hook_request
    if visit.service.is_hello:
        return Response(
            hello_body(parts.new_id, PROFILES[tenant.profile]), mimetype="application/json", headers=_PRIVATE
        )
    now = hook_request.evaluation_time or parts.clock()
    fetch = parts.fetch_for(hook_request, tenant)
    seen = Call(service=visit.service, request=hook_request, body=body, now=now)
    decision = decide(
        hook_request,
        wanted=visit.service.wanted,
        catalog=visit.catalog,
        fetch=fetch,
        now=now,
        new_id=parts.new_id,
        validate=parts.validate,
        links_of=parts.links_for(seen),
        silent=tenant.silent,
        recall=_recall(parts, tenant, visit.service, hook_request),
    )
    visit.decided_at, visit.decision = perf_counter(), decision
    explain = hook_request.explain and parts.explains
    answer = response_body(decision, explain=explain, profile=PROFILES[tenant.profile])
    return Response(answer, mimetype="application/json", headers=_PRIVATE)


def _discovery(parts: Parts, services: Sequence[Service]) -> bytes:
    return msgspec.json.encode({"services": [service.discovery(parts.catalog) for service in services]})


def _recall(
    parts: Parts, tenant: Tenant, service: Service, hook_request: HookRequest
) -> Callable[[Assessment], Remembered] | None:
    """How to find out whether guidance was acknowledged before, where that is asked at all."""
    memory = parts.memory
    if memory is None or tenant.silent or service.hook != MEMORABLE_HOOK:
        return None
    return lambda assessment: memory.recall(tenant.name, service.id, hook_request, assessment, parts.clock())


def _feedback(parts: Parts, service_id: str) -> Response:
    """Keep what a client reports of cards, and say so only then."""
    tenant = parts.admit()
    if not tenant.may_call(service_id):
        raise _unknown_service()
    if parts.keep_feedback is None:
        raise HookError(
            404, "not-supported", "Feedback is not offered: nothing is kept here (CDS_DATABASE_URL is empty)."
        )
    items = read_feedback(
        _body(),
        tenant=tenant.name,
        service=service_id,
        received=parts.clock(),
        keep_comments=parts.keeps_comments,
    )
    try:
        parts.keep_feedback(items)
    except StoreAway as error:
        log.warning("feedback refused", extra={"service": service_id, "error": str(error)})
        raise HookError(
            503,
            "transient",
            "The feedback could not be kept for certain. Send it again later; what was kept counts once.",
            headers={"Retry-After": str(RETRY_SECONDS)},
        ) from None
    return Response(b'{"status":"ok"}', mimetype="application/json", headers=_PRIVATE)


def _unknown_service() -> HookError:
    return HookError(404, "not-found", "There is no service of this id; GET /cds-services lists the services.")


def _body() -> bytes:
    if request.mimetype != "application/json":
        raise HookError(415, "not-supported", "Content-Type does not fit; expected application/json.")
    if request.headers.get("Content-Encoding", "identity").lower() != "identity":
        raise HookError(415, "not-supported", "The body is compressed; expected it as it is.")
    return request.get_data(cache=False)
