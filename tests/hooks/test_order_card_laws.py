"""What holds for the cards of any orders at all: length, words that must never be said, no dose, removals, rules."""

import re
from itertools import count

from hypothesis import given, settings
from hypothesis import strategies as st

from cds_service.calcinosis.assessment import Assessment, Tier
from cds_service.calcinosis.facts import Route
from cds_service.calcinosis.order_rules import RULE_ORDER
from cds_service.calcinosis.orders import (
    Emergency,
    NotJudged,
    Order,
    OrderAdvice,
    OrderedDrug,
    OrderFinding,
    Reason,
    Seen,
    Unjudged,
)
from cds_service.hooks.cards import MOST_LINKS, Card
from cds_service.hooks.order_cards import order_cards
from cds_service.hooks.plain import card_as_text
from cds_service.hooks.wording.findings import POPULATIONS
from tests.hooks.assessments import CATALOG, HOSTILE, NOW, assessment
from tests.hooks.test_card_laws import FORBIDDEN, chart_words, products, texts, values, wide

# our own cards name no amount of a medicine; values carry units of concentration, rate or product
DOSE = re.compile(r"\b\d+(\.\d+)? ?(mg|g|ug|mcg|µg|iu|units?|ml|mmol|tablets?|capsules?)\b(?![/2(])", re.I)
LOWERING = ["CL-26", "CL-27", "CL-32", "CL-33", "CL-111", "CL-150", "CL-153", "CL-154", "CL-158"]

drugs = st.builds(
    lambda known, route: OrderedDrug(known.id, known.group, known.name, route),
    st.sampled_from([drug for drug in CATALOG.drugs.values() if drug.group != "binder"]),
    st.sampled_from(Route),
)
orders = st.builds(
    Order,
    reference=st.integers(1, 4).map("MedicationRequest/draft-{}".format) | st.just(HOSTILE),
    name=st.sampled_from(["Calcitriol, capsule", "", HOSTILE]) | chart_words,
    drugs=st.just(()),
    has_id=st.booleans(),
)
findings = st.builds(
    OrderFinding,
    order=orders,
    rule=st.sampled_from(RULE_ORDER),
    tier=st.sampled_from([Tier.INFO, Tier.WARNING, Tier.CRITICAL]),
    drugs=st.lists(drugs, min_size=1, max_size=3).map(tuple),
    reasons=st.lists(st.sampled_from(Reason), min_size=1, max_size=5, unique=True).map(tuple),
    downgraded_by=st.lists(st.sampled_from(LOWERING), max_size=2, unique=True).map(tuple),
    removable=st.booleans(),
)
not_judged = st.builds(
    NotJudged,
    reference=texts,
    reason=st.sampled_from(Unjudged),
    name=texts,
    rule=st.none() | st.sampled_from(RULE_ORDER),
)
seen = st.builds(
    Seen,
    now=st.just(NOW),
    product=st.none() | products,
    **{name: st.none() | values for name in ("calcium", "ionized", "phosphate", "potassium", "egfr", "vitamin_d")},
    stale=st.sets(st.sampled_from(["egfr", "phosphate"])).map(frozenset),
    emergencies=st.lists(st.sampled_from(Emergency), max_size=4, unique=True).map(tuple),
    records=st.lists(st.tuples(st.sampled_from(Reason), st.tuples(texts)), max_size=3).map(tuple),
    age_years=st.none() | st.integers(0, 110),
    kidney_disease=st.none() | st.sampled_from([cause.name for cause in CATALOG.knowledge.causes.values()]),
)
advices = st.builds(
    OrderAdvice,
    findings=st.lists(findings, min_size=1, max_size=6).map(tuple),
    not_judged=st.lists(not_judged, max_size=20).map(tuple),
    background=st.lists(texts, max_size=8).map(tuple),
    seen=seen,
)
patients = st.lists(st.sampled_from(["adult", *POPULATIONS]), max_size=2).map(
    lambda population: assessment("CL-50", Tier.WARNING, population=tuple(population))
)


def cards_of(advice: OrderAdvice, patient: Assessment) -> tuple[Card, ...]:
    numbers = count()
    return order_cards(advice, patient, CATALOG, lambda: f"id-{next(numbers)}", {})


@settings(max_examples=300, deadline=None, derandomize=True)
@given(advices, patients)
def test_no_advice_makes_a_card_that_breaks_the_rules_of_cards(advice: OrderAdvice, patient: Assessment) -> None:
    cards = cards_of(advice, patient)
    assert cards
    ranks = [card.indicator.rank for card in cards]
    assert ranks == sorted(ranks, reverse=True)
    assert cards[0].indicator is advice.tier
    for card in cards:
        assert 0 < len(card.summary) <= 139
        assert "\n" not in card.summary
        assert not re.search(r"[<>`]|\]\(|&\w", card.summary + card.detail)
        assert "Not for emergency use" in card.detail
        for rule in card.rules:
            assert re.search(rf"^- {rule}: ", card.detail, re.M), rule
        assert len(card.links) <= MOST_LINKS
        assert bool(card.override_reasons) == (card.indicator in (Tier.WARNING, Tier.CRITICAL))
        assert all(len(shown) == 80 for shown in card_as_text(card.to_json()).split("\n") if not wide(shown))
        for suggestion in card.suggestions:
            assert all(action.type == "delete" and action.description for action in suggestion.actions)


@settings(max_examples=300, deadline=None, derandomize=True)
@given(advices, patients)
def test_each_order_stands_on_one_card_and_is_removable_there_unless_a_finding_forbids_it(
    advice: OrderAdvice, patient: Assessment
) -> None:
    cards = cards_of(advice, patient)
    ids = [*(card.uuid for card in cards), *(each.uuid for card in cards for each in card.suggestions)]
    assert len(ids) == len(set(ids))
    offered = [action.resource_id for card in cards for each in card.suggestions for action in each.actions]
    kept = {finding.order.reference for finding in advice.findings if not finding.removable}
    assert sorted(map(str, offered)) == sorted({finding.order.reference for finding in advice.findings} - kept)


@settings(max_examples=400, deadline=None, derandomize=True)
@given(advices, patients)
def test_no_card_on_orders_says_what_must_never_be_said_and_none_names_a_dose(
    advice: OrderAdvice, patient: Assessment
) -> None:
    for card in cards_of(advice, patient):
        words = [card.summary, card.detail, *(each.label for each in card.suggestions)]
        said = "\n".join(words)
        for pattern in FORBIDDEN:
            assert not re.search(pattern, re.sub(r"^\|.*$", "", said, flags=re.M), re.I), pattern
        said = re.sub(r"^- OT-6: .*$", "", said, flags=re.M)  # the rule names its limit
        assert not DOSE.search(said), DOSE.search(said)
