"""The whole story of a call in one place.

request -> record (gather) -> facts (read_facts) -> assessment (classify) -> cards (cards_for) -> delivery.
With draft orders: request and record -> orders (read_orders) -> advice (advise) -> cards (order_cards).
Each arrow is one function of one layer; start reading here and follow the one that you need:

  fhir/gather.py          which resources came, what could not be had
  fhir/read.py            resources into the words of the rules, by the codes and units of terminology/
  fhir/orders.py          the draft orders, which of them are the subject
  calcinosis/classify.py  the medicine
  calcinosis/order_advice.py  the rules on draft orders
  hooks/contract.py       the judgement as JSON
  hooks/cards.py, hooks/order_cards.py  the judgement in words for clinicians
  hooks/profiles.py       the card in the dialect of the client
  hooks/again.py          whether this user has acknowledged the same before
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime

import msgspec

from cds_service.calcinosis.assessment import Assessment, Tier
from cds_service.calcinosis.classify import classify
from cds_service.calcinosis.facts import PatientFacts
from cds_service.calcinosis.order_advice import advise
from cds_service.calcinosis.orders import OrderAdvice, Unjudged
from cds_service.fhir.gather import Fetch, gather
from cds_service.fhir.orders import read_orders
from cds_service.fhir.read import read_facts
from cds_service.fhir.record import Wanted
from cds_service.fhir.validate import evidence_notes
from cds_service.hooks.again import Remembered
from cds_service.hooks.cards import Card, LinksOf, cards_for, no_links, offering
from cds_service.hooks.contract import DataSources, assessment_json, extension_of, references_of
from cds_service.hooks.order_cards import order_cards
from cds_service.hooks.profiles import GENERIC, Profile, shaped
from cds_service.hooks.refusal import HookError
from cds_service.hooks.request import ORDER_HOOKS, HookRequest
from cds_service.hooks.suggestions import laboratory_orders
from cds_service.storage.records import Delivery
from cds_service.terminology.catalog import Catalog


@dataclass(frozen=True, slots=True, kw_only=True)
class Decision:
    """What came of a call, with all that led there.

    cards: what there is to show. delivery: whether it is shown. extension: the assessment as it stands on cards and
    response. remembered: under what the guidance is remembered; None where nothing is.
    advice: what is said of draft orders; None on hooks without orders.
    """

    facts: PatientFacts
    assessment: Assessment
    cards: tuple[Card, ...]
    extension: dict[str, object]
    delivery: Delivery
    remembered: Remembered | None = None
    advice: OrderAdvice | None = None

    @property
    def tier(self) -> Tier:
        """The tier of what there is to show: of the orders where there are any to judge, else of the patient."""
        return self.assessment.tier if self.advice is None else self.advice.tier

    @property
    def headline(self) -> str | None:
        """The rule that set the tier."""
        if self.advice is None:
            return self.assessment.headline
        return next((finding.rule for finding in self.advice.findings if finding.tier is self.advice.tier), None)

    @property
    def rules(self) -> tuple[str, ...]:
        """All rules that fired, those on orders first."""
        fired = () if self.advice is None else self.advice.rules
        return tuple(dict.fromkeys((*fired, *self.assessment.rules)))


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
    silent: bool = False,
    recall: Callable[[Assessment], Remembered] | None = None,
) -> Decision:
    """Decide one call.

    wanted: the data of the service that was called. now: the time from which ages count.
    validate: note where the resources that the judgement rests on are no valid FHIR; slower, changes nothing else.
    every_result: have all results among the facts, for people who want to see them; slower, changes nothing else.
    links_of: links of cards to pages of our own.
    silent: decide, and show nothing.
    recall: tells whether the same guidance need not be shown again; asked only when there is guidance.

    Raises: MissingData when nothing could be had that tells about the patient; HookError with 400 when there is
    nothing to show and a draft order could not be read.
    """
    record = gather(request.prefetch, request.patient_id, request.encounter_id, fetch, wanted, keep_raw=validate)
    facts = read_facts(record, catalog, now, every_result=every_result)
    assessment = classify(facts, catalog.knowledge, now)
    advice = None
    if request.hook in ORDER_HOOKS:
        drafts = read_orders(request.draft_orders, request.selections, record, catalog)
        advice = advise(facts, catalog.knowledge, now, assessment, drafts.orders, drafts.not_judged, drafts.background)
    sources = DataSources(prefetch=record.prefetch_used, fetched=record.fetched, failed=record.failed)
    notes = facts.notes + (evidence_notes(record.raw, references_of(assessment)) if validate else ())
    judgement = assessment_json(assessment, catalog.version, catalog.digest, sources, notes, advice)
    remembered = recall(assessment) if recall and advice is None and assessment.tier is not Tier.NONE else None
    if remembered and remembered.since:
        judgement["suppressedSince"] = remembered.since.isoformat()
    extension = extension_of(judgement)
    if advice is None:
        found, tests = cards_for(assessment, catalog, new_id, extension, links_of), assessment.tests
    else:
        found, tests = order_cards(advice, assessment, catalog, new_id, extension, links_of), advice.tests
        refuse_unread(advice, found)
    cards = offering(found, laboratory_orders(tests, request.patient_id, request.encounter_id, catalog, new_id))
    return Decision(
        facts=facts,
        assessment=assessment,
        cards=cards,
        extension=extension,
        delivery=delivery_of(cards, remembered, silent=silent),
        remembered=remembered,
        advice=advice,
    )


def refuse_unread(advice: OrderAdvice, found: Sequence[Card]) -> None:
    """Refuse drafts that could not be read when no card names them: silence would mean that they were looked at."""
    unread = sum(each.reason is Unjudged.UNREADABLE for each in advice.not_judged)
    if unread and not found:
        place = "context.draftOrders"
        raise HookError(
            400,
            "structure",
            f"{place}: {unread} of the drafts could not be read, and there is nothing to tell of the others; "
            "expected FHIR resources such as MedicationRequest.",
            (place,),
        )


def delivery_of(cards: Sequence[Card], remembered: Remembered | None, *, silent: bool) -> Delivery:
    """Whether the cards are shown, and if not, why."""
    if silent:
        return Delivery.SILENT
    if not cards:
        return Delivery.NOTHING
    return Delivery.REPEAT if remembered and remembered.since else Delivery.SHOWN


def response_body(decision: Decision, *, explain: bool, profile: Profile = GENERIC) -> bytes:
    """The answer as bytes, its cards in the client's dialect.

    explain: give the assessment on the response too, above all when there is no card. What is not repeated says so
    there without being asked; what is silent says nothing.
    """
    shown = decision.cards if decision.delivery is Delivery.SHOWN else ()
    body: dict[str, object] = {"cards": [shaped(card.to_json(), profile) for card in shown]}
    if decision.delivery is Delivery.REPEAT or (explain and decision.delivery is not Delivery.SILENT):
        body["extension"] = decision.extension
    return msgspec.json.encode(body)
