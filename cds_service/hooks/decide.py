"""The whole story of a call in one place.

request -> record (gather) -> facts (read_facts) -> assessment (classify) -> cards (cards_for).
Each arrow is one function of one layer; start reading here and follow the one that you need:

  fhir/gather.py          which resources came, what could not be had
  fhir/read.py            resources into the words of the rules, by the codes and units of terminology/
  calcinosis/classify.py  the medicine
  hooks/contract.py       the judgement as JSON
  hooks/cards.py          the judgement in words for clinicians
  hooks/profiles.py       the card in the dialect of the client
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime

import msgspec

from cds_service.calcinosis.assessment import Assessment
from cds_service.calcinosis.classify import classify
from cds_service.calcinosis.facts import PatientFacts
from cds_service.fhir.gather import Fetch, gather
from cds_service.fhir.read import read_facts
from cds_service.fhir.record import Wanted
from cds_service.fhir.validate import evidence_notes
from cds_service.hooks.cards import Card, LinksOf, cards_for, no_links, offering
from cds_service.hooks.contract import DataSources, assessment_json, extension_of, references_of
from cds_service.hooks.profiles import GENERIC, Profile, shaped
from cds_service.hooks.request import HookRequest
from cds_service.hooks.suggestions import laboratory_orders
from cds_service.terminology.catalog import Catalog


@dataclass(frozen=True, slots=True, kw_only=True)
class Decision:
    """What came of a call, with all that led there. extension: the assessment as it stands on cards and response."""

    facts: PatientFacts
    assessment: Assessment
    cards: tuple[Card, ...]
    extension: dict[str, object]


def decide(
    request: HookRequest,
    *,
    wanted: Sequence[Wanted],
    catalog: Catalog,
    fetch: Fetch | None,
    now: datetime,
    new_id: Callable[[], str],
    validate: bool = False,
    every_result: bool = False,
    links_of: LinksOf = no_links,
) -> Decision:
    """Decide one call.

    wanted: the data of the service that was called. now: the time from which ages count.
    validate: note where the resources that the judgement rests on are no valid FHIR; slower, changes nothing else.
    every_result: have all results among the facts, for people who want to see them; slower, changes nothing else.
    links_of: links of cards to pages of our own.

    Raises: MissingData when nothing could be had that tells about the patient.
    """
    record = gather(request.prefetch, request.patient_id, request.encounter_id, fetch, wanted, keep_raw=validate)
    facts = read_facts(record, catalog, now, every_result=every_result)
    assessment = classify(facts, catalog.knowledge, now)
    sources = DataSources(prefetch=record.prefetch_used, fetched=record.fetched, failed=record.failed)
    notes = facts.notes + (evidence_notes(record.raw, references_of(assessment)) if validate else ())
    judgement = assessment_json(assessment, catalog.version, catalog.digest, sources, notes)
    extension = extension_of(judgement)
    cards = offering(
        cards_for(assessment, catalog, new_id, extension, links_of),
        laboratory_orders(assessment.tests, request.patient_id, request.encounter_id, catalog, new_id),
    )
    return Decision(facts=facts, assessment=assessment, cards=cards, extension=extension)


def response_body(decision: Decision, *, explain: bool, profile: Profile = GENERIC) -> bytes:
    """The answer as bytes, its cards in the client's dialect.

    explain: give the assessment on the response too, above all when there is no card.
    """
    body: dict[str, object] = {"cards": [shaped(card.to_json(), profile) for card in decision.cards]}
    if explain:
        body["extension"] = decision.extension
    return msgspec.json.encode(body)
