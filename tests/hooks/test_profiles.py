"""Cards in the dialects of clients: each gets what it can show, and nothing clinical is lost on the way."""

import json
import re
from collections import Counter
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from flask.testing import FlaskClient

from cds_service.hooks.profiles import EPIC_CONTENT_TYPE, EPIC_PREFERENCE_LIST, PROFILES, shaped, topic_code
from examples.regenerate import examples
from tests import builders as b
from tests.calls import ORDER_SIGN, calcium, draft, order_call, phosphate, prefetch

Json = dict[str, Any]
EPICS = ("epic", "epic-plain-text")
OF_1_0 = ("oracle", "cds-hooks-1.0")
CARDS = [
    (example.name, card)
    for example in examples()
    for card in json.loads((example / "response.json").read_text("utf-8")).get("cards", ())
]
PATIENT = "Patient/x1"


def coding(code: str) -> Json:
    return {"system": "http://loinc.org", "code": code}


def order(code: str) -> Json:
    resource = {
        "resourceType": "ServiceRequest",
        "status": "draft",
        "intent": "proposal",
        "code": {"coding": [coding(code)], "text": "A test"},
        "subject": {"reference": PATIENT},
    }
    return {"type": "create", "description": f"Order the test {code}", "resource": resource}


def offering(**more: Any) -> Json:
    """A card with a suggestion of two orders, one that deletes a draft, and both kinds of links."""
    both = {
        "label": "Repeat in one draw",
        "uuid": "11111111-1111-4111-8111-111111111111",
        "isRecommended": True,
        "actions": [order("17861-6"), order("2777-1")],
    }
    remove = {
        "label": "Remove the draft",
        "uuid": "22222222-2222-4222-8222-222222222222",
        "actions": [
            {"type": "delete", "description": "Remove calcitriol 0.25 ug", "resourceId": "MedicationRequest/draft-1"}
        ],
    }
    return {
        "uuid": "33333333-3333-4333-8333-333333333333",
        "summary": "Calcium x phosphate 78.8 mg2/dL2",
        "indicator": "critical",
        "detail": "Told.\n\n**To consider**\n\n- Look at it: https://a.example/known\n\nContent version 1. Limits.",
        "source": {
            "label": "Somebody 2020",
            "url": "https://a.example/known",
            "topic": {"system": "urn:x", "code": "OT-1/CL 50", "display": "Topic"},
        },
        "suggestions": [both, remove],
        "selectionBehavior": "at-most-one",
        "links": [
            {"label": "Known", "url": "https://a.example/known", "type": "absolute"},
            {"label": "Course over time", "url": "https://cds.example/course", "type": "absolute"},
            {"label": "App", "url": "https://cds.example/launch", "type": "smart", "appContext": "a"},
        ],
        "overrideReasons": [{**coding("need-more-info"), "display": "More information needed"}],
        "extension": {"org.calcinosis-cds.assessment": {"tier": "critical"}},
        **more,
    }


def words(text: str) -> Counter[str]:
    """Every word and number of a text, without its markup."""
    return Counter(re.findall(r"\w[\w.,:/+-]*\w|\w", text.casefold()))


def no_empties(value: object) -> bool:
    if isinstance(value, dict):
        return bool(value) and all(no_empties(each) for each in value.values())
    if isinstance(value, list):
        return bool(value) and all(no_empties(each) for each in value)
    return value not in (None, "")


# ---- nothing is lost -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("profile", PROFILES.values(), ids=PROFILES)
@pytest.mark.parametrize(("name", "card"), CARDS, ids=[name for name, _ in CARDS])
def test_finding_numbers_rules_and_gaps_survive_in_every_dialect(name: str, card: Json, profile: Any) -> None:
    made = shaped(card, profile)
    assert (made["summary"], made["indicator"]) == (card["summary"], card["indicator"])
    assert words(card["detail"]) - words(made["detail"]) == Counter()
    told = card["extension"]["org.calcinosis-cds.assessment"]
    assert made["extension"]["org.calcinosis-cds.assessment"] == told
    for rule in re.findall(r"^- ((?:CL|OT)-\w+):", card["detail"], re.M) if told["orders"] else told["rules"]:
        assert rule in made["detail"]
    assert made["detail"].endswith(card["detail"].rpartition("\n\n")[2]), "the limits of use are the last words"
    assert made["source"]["label"] == card["source"]["label"]
    assert {link["url"] for link in made.get("links", ())} == {link["url"] for link in card.get("links", ())}


@pytest.mark.parametrize("profile", PROFILES.values(), ids=PROFILES)
def test_what_is_offered_survives_in_every_dialect(profile: Any) -> None:
    made = shaped(offering(), profile)
    actions = [action for suggestion in made["suggestions"] for action in suggestion["actions"]]
    assert [action["type"] for action in actions] == ["create", "create", "delete"]
    for action, meaning in zip(actions, ("17861-6", "2777-1", "calcitriol 0.25 ug"), strict=True):
        assert meaning in action["description"]
    assert [action["resource"]["code"]["text"] for action in actions[:2]] == ["A test"] * 2
    assert no_empties({name: value for name, value in made.items() if name != "extension"})


@pytest.mark.parametrize("profile", PROFILES.values(), ids=PROFILES)
def test_cards_of_orders_survive_in_every_dialect(client: FlaskClient, profile: Any) -> None:
    drafts = [draft(b.coding(b.RXNORM, "308867")), draft(b.coding(b.RXNORM, "198533"), id="draft-2")]
    call = order_call(*drafts, prefetch=prefetch(calcium(12.0), phosphate(7.5)))
    cards = client.post(ORDER_SIGN, json=call).get_json()["cards"]
    assert cards
    for card in cards:
        made = shaped(card, profile)
        assert words(card["summary"] + card["detail"]) - words(made["summary"] + made["detail"]) == Counter()
        before = [action for each in card.get("suggestions", ()) for action in each["actions"]]
        after = [action for each in made.get("suggestions", ()) for action in each["actions"]]
        assert [each["type"] for each in after] == [each["type"] for each in before]
        assert all(old["description"] in new["description"] for old, new in zip(before, after, strict=True))
        if profile.alphanumeric_topics:
            assert re.fullmatch(r"[A-Za-z0-9]{1,100}", made["source"]["topic"]["code"])


@pytest.mark.parametrize("profile", PROFILES.values(), ids=PROFILES)
def test_shaping_leaves_the_card_itself_alone(profile: Any) -> None:
    card = offering()
    shaped(card, profile)
    assert card == offering()


def test_a_card_with_the_least_members_is_taken_by_every_dialect() -> None:
    least = {"summary": "Hello", "indicator": "info", "source": {"label": "calcinosis-cds"}}
    for profile in PROFILES.values():
        assert {name: value for name, value in shaped(least, profile).items() if name != "extension"} == least


# ---- generic ---------------------------------------------------------------------------------------------------------


def test_a_client_of_the_standard_gets_the_card_as_it_is() -> None:
    assert shaped(offering(), PROFILES["generic"]) == offering()


# ---- Epic ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", EPICS)
def test_epic_gets_one_action_in_each_suggestion_and_any_may_be_taken(name: str) -> None:
    made = shaped(offering(), PROFILES[name])
    assert made["selectionBehavior"] == "any"
    assert [len(each["actions"]) for each in made["suggestions"]] == [1, 1, 1]
    ids = [each["uuid"] for each in made["suggestions"]]
    assert ids[0] == "11111111-1111-4111-8111-111111111111"
    assert ids[2] == "22222222-2222-4222-8222-222222222222"
    assert len({str(UUID(each)) for each in ids}) == 3
    assert ids == [each["uuid"] for each in shaped(offering(), PROFILES[name])["suggestions"]], "feedback finds them"


@pytest.mark.parametrize("name", EPICS)
def test_an_action_alone_tells_epic_users_what_it_is_about(name: str) -> None:
    told = [each["actions"][0]["description"] for each in shaped(offering(), PROFILES[name])["suggestions"]]
    assert told == [
        "Repeat in one draw: Order the test 17861-6",
        "Repeat in one draw: Order the test 2777-1",
        "Remove the draft: Remove calcitriol 0.25 ug",
    ]


def test_a_description_that_holds_the_label_is_not_told_twice() -> None:
    action = {"type": "delete", "description": "Remove the draft of calcitriol", "resourceId": "MedicationRequest/1"}
    card = offering(suggestions=[{"label": "Remove the draft", "actions": [action]}])
    assert shaped(card, PROFILES["epic"])["suggestions"][0]["actions"] == [action]


@pytest.mark.parametrize("name", EPICS)
def test_a_test_is_named_to_epic_by_the_key_of_the_preference_list_and_by_loinc(name: str) -> None:
    resource = shaped(offering(), PROFILES[name])["suggestions"][0]["actions"][0]["resource"]
    assert resource["code"]["coding"] == [{"system": EPIC_PREFERENCE_LIST, "code": "17861-6"}, coding("17861-6")]


@pytest.mark.parametrize("name", EPICS)
def test_topics_for_epic_are_letters_and_digits_and_never_change(name: str) -> None:
    assert shaped(offering(), PROFILES[name])["source"]["topic"] == {
        "system": "urn:x", "code": "OT1CL50", "display": "Topic"
    }  # fmt: skip
    assert topic_code("x" * 200 + "-") == "x" * 100
    assert topic_code("CL-50\u00e9\u0663") == "CL50"


@pytest.mark.parametrize(("name", "card"), CARDS, ids=[name for name, _ in CARDS])
def test_the_topic_of_every_example_is_one_that_epic_takes(name: str, card: Json) -> None:
    code = shaped(card, PROFILES["epic"])["source"]["topic"]["code"]
    assert re.fullmatch(r"[A-Za-z0-9]{1,100}", code)
    told = card["extension"]["org.calcinosis-cds.assessment"]
    of_orders = {topic_code(finding["rule"]) for finding in told["orders"]}
    assert code in (of_orders or {topic_code(told["headline"])})


def test_epic_is_told_how_the_detail_is_written() -> None:
    assert shaped(offering(), PROFILES["epic"])["extension"][EPIC_CONTENT_TYPE] == "text/markdown"
    plain = shaped(offering(), PROFILES["epic-plain-text"])
    assert plain["extension"][EPIC_CONTENT_TYPE] == "text/plain"
    assert plain["detail"].startswith("Told.\n\nTO CONSIDER\n\n- Look at it")
    assert not re.search(r"\*\*|\|", plain["detail"])


@pytest.mark.parametrize("name", ["epic", "epic-plain-text", "oracle", "athena"])
def test_links_that_a_client_may_not_show_with_their_label_stand_in_the_text(name: str) -> None:
    detail = shaped(offering(), PROFILES[name])["detail"]
    assert "- Course over time: https://cds.example/course" in detail
    assert detail.count("https://a.example/known") == 1, "what the text holds already is not told again"
    assert detail.endswith("\n\nContent version 1. Limits.")


# ---- CDS Hooks 1.0, Oracle, athenahealth, the sandbox ----------------------------------------------------------------


@pytest.mark.parametrize("name", OF_1_0)
def test_clients_of_1_0_get_nothing_that_1_0_does_not_know(name: str) -> None:
    made = shaped(offering(), PROFILES[name])
    assert set(made) == {
        "summary", "detail", "indicator", "source", "suggestions", "selectionBehavior", "links", "extension"
    }  # fmt: skip
    assert set(made["source"]) == {"label", "url"}
    assert made["selectionBehavior"] == "at-most-one"
    assert all(set(each) == {"label", "uuid", "actions"} for each in made["suggestions"])
    assert made["suggestions"][1]["actions"] == [
        {"type": "delete", "description": "Remove calcitriol 0.25 ug", "resource": "MedicationRequest/draft-1"}
    ]


@pytest.mark.parametrize("name", ["sandbox", "athena"])
def test_where_pages_cannot_be_launched_the_absolute_links_are_left(name: str) -> None:
    assert {link["type"] for link in shaped(offering(), PROFILES[name])["links"]} == {"absolute"}
    assert {link["type"] for link in shaped(offering(), PROFILES["epic"])["links"]} == {"absolute", "smart"}
    only_smart = offering(links=[link for link in offering()["links"] if link["type"] == "smart"])
    assert "links" not in shaped(only_smart, PROFILES[name])


@pytest.mark.parametrize("profile", PROFILES.values(), ids=PROFILES)
def test_no_client_is_sent_what_it_must_first_declare(profile: Any) -> None:
    assert "actionSelectionBehavior" not in json.dumps(shaped(offering(), profile))


def test_the_profiles_stand_in_the_guide_for_integrators() -> None:
    guide = (Path(__file__).parents[2] / "docs" / "integration.md").read_text("utf-8")
    assert [name for name in PROFILES if f"`{name}`" not in guide] == []
