"""What is noted of a call and of the cards of its decision, held back or not.

Knows: which parts of a call and of a card are kept and logged.
Must not know: where they are kept; HTTP.
"""

import logging
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from cds_service.fhir.labels import NOT_MAPPED
from cds_service.hooks.decide import Decision
from cds_service.hooks.profiles import GENERIC, PROFILES, sent_ids
from cds_service.hooks.request import HookRequest
from cds_service.hooks.services import Service
from cds_service.storage.records import UNMAPPED, AuditRecord, DecisionRecord, Delivery, ShownCard, hashed
from cds_service.terminology.catalog import Catalog
from cds_service.trust.tenants import Tenant

log = logging.getLogger(__name__)


@dataclass(slots=True)
class Visit:
    """What is known of a call at the moment; the outcome is 500 until something better is known."""

    service: Service
    catalog: Catalog
    started: float
    read_at: float | None = None
    decided_at: float | None = None
    tenant: Tenant | None = None
    request: HookRequest | None = None
    decision: Decision | None = None
    outcome: str = "500"


def note(
    visit: Visit,
    ended: float,
    at: datetime,
    record: Callable[[DecisionRecord], None],
    audit: Callable[[AuditRecord], None],
) -> None:
    """Journal and log a call, without a word about the patient. ended: as the visit tells times; at: of the clock."""
    read_at = visit.read_at or ended
    decided_at = visit.decided_at or ended
    asked, decision = visit.request, visit.decision
    remembered = decision.remembered if decision else None
    entry = DecisionRecord(
        at=at,
        service=visit.service.id,
        hook=visit.service.hook,
        tenant=visit.tenant.name if visit.tenant else None,
        hook_instance_hash=hashed(asked.hook_instance) if asked else None,
        outcome=visit.outcome,
        content_version=visit.catalog.version,
        content_digest=visit.catalog.digest,
        tier=decision.tier if decision else None,
        headline=decision.headline if decision else None,
        rules=decision.rules if decision else (),
        cards=len(decision.cards) if decision and decision.delivery is Delivery.SHOWN else 0,
        gaps=_gaps(decision) if decision else {},
        read_ms=_ms(read_at - visit.started),
        decide_ms=_ms(decided_at - read_at),
        answer_ms=_ms(ended - decided_at),
        delivery=decision.delivery if decision else None,
        suppressed_since=remembered.since if remembered else None,
        shown=_shown(visit, decision, at) if decision else (),
    )
    record(entry)
    patient = f"Patient/{asked.patient_id}" if asked else None
    audit(AuditRecord(entry=entry, user=asked.user_id if asked else None, patient=patient))
    log.info("hook call", extra=entry.as_log())


def _gaps(decision: Decision) -> dict[str, int]:
    """How many values could not be used, by reason, and how many codes are not mapped."""
    gaps = Counter(gap.reason.value for gap in decision.assessment.gaps)
    gaps[UNMAPPED] = sum(note.endswith(NOT_MAPPED) for note in decision.facts.notes)
    return dict(+gaps)


def _ms(seconds: float) -> float:
    return round(seconds * 1000, 3)


def _shown(visit: Visit, decision: Decision, at: datetime) -> tuple[ShownCard, ...]:
    """The cards as they are kept: no text, no value, of patient and user at most a keyed hash."""
    remembered, tenant = decision.remembered, visit.tenant
    profile = PROFILES[tenant.profile] if tenant else GENERIC
    return tuple(
        ShownCard(
            uuid=card.uuid.lower(),
            at=at,
            tenant=tenant.name if tenant else "",
            service=visit.service.id,
            delivery=decision.delivery,
            tier=card.indicator,
            topic=card.topic.code,
            rules=card.rules,
            suggestions=sent_ids(card.suggestions, profile),
            content_version=visit.catalog.version,
            place=remembered.place if remembered else None,
            evidence=remembered.evidence if remembered else None,
        )
        for card in decision.cards
    )
