"""What the service answers: the form of every answer, and of every card of the examples."""

import importlib
import json
import re
from collections import Counter
from collections.abc import Iterator
from typing import Any
from urllib.parse import urlsplit

import pytest
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from tests.calls import Json, calcium, phosphate
from tests.conformance.conftest import complete, path_of, request_of
from tests.ehr import Ehr

ASSESSMENT = "org.calcinosis-cds.assessment"
CARD = {
    "uuid", "summary", "detail", "indicator", "source", "suggestions", "selectionBehavior", "overrideReasons", "links",
    "extension",
}  # fmt: skip
SUGGESTION = {"label", "uuid", "isRecommended", "actions"}
ACTION = {"type", "description", "resource", "resourceId"}
GLOBAL_NAME = re.compile(r"[a-z]+\.[a-z-]+(\.[A-Za-z-]+)+")
Answers = list[tuple[str, TestResponse]]


@pytest.fixture
def errors(client: FlaskClient, offered: list[Json], server: Ehr) -> dict[str, TestResponse]:
    """One answer of each kind that is none of 2xx."""
    path = path_of(offered[0])
    body = request_of(offered[0])
    server.status = 500
    return {
        "not json": client.post(path, data=b"{", content_type="application/json"),
        "wrong type": client.post(path, json={**body, "context": 7}),
        "missing": client.post(path, json={}),
        "nowhere": client.get("/nowhere"),
        "unknown service": client.post("/cds-services/other", json=body),
        "method": client.delete(path),
        "no data": client.post(path, json={**body, "prefetch": {}}),
        "failed server": client.post(path, json={**body, "prefetch": {}, "fhirServer": server.url}),
        "media type": client.post(path, data=b"{}", content_type="text/plain"),
    }


@pytest.fixture(scope="session")
def suggestions(cards: list[Json]) -> list[Json]:
    """All suggestions of the examples."""
    return [suggestion for card in cards for suggestion in card.get("suggestions", ())]


@pytest.fixture(scope="session")
def actions(suggestions: list[Json]) -> list[Json]:
    """All actions of the examples."""
    return [action for suggestion in suggestions for action in suggestion["actions"]]


def empties(value: object, place: str = "") -> Iterator[str]:
    """The places of null, "", [] and {}, outside our own extension."""
    if value in (None, "", [], {}):
        yield place
    elif isinstance(value, dict):
        for name, each in value.items():
            if name != ASSESSMENT:
                yield from empties(each, f"{place}.{name}")
    elif isinstance(value, list):
        for each in value:
            yield from empties(each, f"{place}[]")


def strictly(text: bytes) -> Any:
    """JSON by RFC 8259: UTF-8, no NaN or Infinity, no name twice."""

    def once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        assert len({name for name, _ in pairs}) == len(pairs)
        return dict(pairs)

    def never(word: str) -> None:
        raise AssertionError(word)

    return json.loads(text.decode("utf-8"), object_pairs_hook=once, parse_constant=never)


def is_coding(value: Any) -> bool:
    return all(isinstance(value.get(name), str) and value[name] for name in ("system", "code"))


def is_absolute(address: str) -> bool:
    return urlsplit(address).scheme in {"https", "http"} and bool(urlsplit(address).netloc)


# ---- the answer as a whole -------------------------------------------------------------------------------------------


def test_ch_59_an_answer_is_an_object_with_an_array_of_cards(answers: Answers) -> None:
    good = [answer for _, answer in answers if answer.status_code == 200]
    assert len(good) >= 30
    for answer in good:
        assert isinstance(answer.get_json()["cards"], list)


def test_ch_60_nothing_to_tell_is_an_empty_array(client: FlaskClient, offered: list[Json]) -> None:
    for each in offered:
        healthy = complete(each, calcium(9.4), phosphate(3.6))
        answer = client.post(path_of(each), json=request_of(each, prefetch=healthy))
        assert (answer.status_code, answer.get_json()["cards"]) == (200, [])


def test_ch_61_every_answer_is_json_and_says_so(
    client: FlaskClient, answers: Answers, errors: dict[str, TestResponse]
) -> None:
    for answer in [client.get("/cds-services"), *errors.values(), *(answer for _, answer in answers)]:
        assert answer.mimetype == "application/json"
        assert strictly(answer.data)


def test_ch_62_no_answer_holds_null_or_anything_empty(
    client: FlaskClient, answers: Answers, errors: dict[str, TestResponse]
) -> None:
    for answer in [client.get("/cds-services"), *errors.values(), *(answer for _, answer in answers)]:
        assert [place for place in empties(answer.get_json()) if place != ".cards"] == []


def test_ch_63_every_error_is_an_operation_outcome(errors: dict[str, TestResponse]) -> None:
    from fhir.resources.R4B.operationoutcome import OperationOutcome

    for kind, answer in errors.items():
        assert answer.status_code >= 400, kind
        OperationOutcome.model_validate(answer.get_json())
        assert answer.get_json()["issue"][0]["diagnostics"], kind


def test_ch_87_138_nothing_is_ever_done_without_the_user(answers: Answers) -> None:
    assert [name for name, answer in answers if "systemActions" in answer.text] == []


def test_ch_93_94_what_is_our_own_stands_under_extension(answers: Answers, cards: list[Json]) -> None:
    for _, answer in answers:
        assert set(answer.get_json()) <= {"cards", "extension"} or answer.status_code >= 400
    for holder in [answer.get_json() for _, answer in answers] + cards:
        own = holder.get("extension", {ASSESSMENT: {}})
        assert isinstance(own, dict)
        assert all(GLOBAL_NAME.fullmatch(name) for name in own)
    for card in cards:
        assert set(card) <= CARD
        assert set(card["source"]) <= {"label", "url", "icon", "topic"}


# ---- the card --------------------------------------------------------------------------------------------------------


def test_ch_64_106_every_card_has_an_id_of_its_own(cards: list[Json]) -> None:
    uuid = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")
    assert all(uuid.fullmatch(card["uuid"]) for card in cards)
    assert max(Counter(card["uuid"] for card in cards).values()) == 1


def test_ch_65_66_the_summary_is_one_short_sentence(cards: list[Json]) -> None:
    for card in cards:
        assert 0 < len(card["summary"]) < 140
        assert "\n" not in card["summary"]
        assert not re.search(r"[.!?;] +[A-Z]", card["summary"]), card["summary"]


def test_ch_67_the_detail_is_markdown_that_is_more_than_marks(cards: list[Json]) -> None:
    for card in cards:
        assert len(re.findall(r"\w+", card["detail"])) > 50
        for line in card["detail"].splitlines():
            assert line.count("|") in {0, 6}, "a row of the table has as many cells as its head"
            assert line.count("**") in {0, 2}


def test_ch_68_rb_02_no_text_of_ours_or_of_the_chart_is_live_html(
    client: FlaskClient, offered: list[Json], cards: list[Json]
) -> None:
    hostile = "<img src=x onerror=alert(1)> [a](javascript:alert(1)) <script>"
    evil = {"coding": [{"system": "http://loinc.org", "code": "17861-6", "display": hostile}], "text": hostile}
    shown = list(cards)
    for each in offered:
        odd = [calcium(10.5, code=evil), phosphate(7.5), calcium(9, unit=hostile, id="b")]
        answer = client.post(path_of(each), json=request_of(each, prefetch=complete(each, *odd)))
        assert answer.get_json()["cards"]
        shown += answer.get_json()["cards"]
    for card in shown:
        for text in (card["summary"], card["detail"], card["source"]["label"]):
            assert not re.search(r"[<>]|\]\(|javascript:", text), text


def test_ch_69_142_the_indicator_ranks_the_card(cards: list[Json]) -> None:
    assert {card["indicator"] for card in cards} == {"info", "warning", "critical"}


def test_ch_70_71_72_the_source_is_named_and_its_address_is_about_the_source(cards: list[Json]) -> None:
    for card in cards:
        assert card["source"]["label"]
        address = card["source"].get("url", "https://none.example")
        assert is_absolute(address)
        assert "patient" not in address.lower()
        assert "example-" not in address, "the ids of the sample patients begin so"


def test_ch_75_92_topics_are_codings(cards: list[Json]) -> None:
    assert all(is_coding(card["source"]["topic"]) for card in cards)


def test_ch_141_every_value_stands_with_its_date(cards: list[Json]) -> None:
    rows = [line.split(" | ") for card in cards for line in card["detail"].splitlines() if line.startswith("| ")]
    dated = [row[2] for row in rows if row[0] not in {"| Result", "| ---"}]
    assert len(dated) > 50
    assert [each for each in dated if not re.match(r"\d{4}-\d\d-\d\d", each)] == []


def test_ch_88_143_override_reasons_are_codings_with_words(cards: list[Json]) -> None:
    offered = [reason for card in cards for reason in card.get("overrideReasons", ())]
    assert offered
    assert all(is_coding(reason) and reason["display"] for reason in offered)
    assert {reason["system"] for reason in offered} == {
        "http://terminology.hl7.org/CodeSystem/non-adherence-reason-codes"
    }


def test_ch_89_90_91_137_links_have_label_address_and_type_and_launch_nothing_by_themselves(cards: list[Json]) -> None:
    links = [link for card in cards for link in card.get("links", ())]
    assert links
    for link in links:
        assert link["label"]
        assert link["type"] in {"absolute", "smart"}
        assert is_absolute(link["url"])
        assert "autolaunchable" not in link
        assert isinstance(link.get("appContext", ""), str)
        assert "appContext" not in link or link["type"] == "smart"


# ---- what a card offers ----------------------------------------------------------------------------------------------


def test_ch_76_77_suggestions_have_labels_and_the_card_tells_how_many_may_be_taken(
    cards: list[Json], suggestions: list[Json]
) -> None:
    assert suggestions
    for card in cards:
        assert ("suggestions" in card) == ("selectionBehavior" in card)
        assert card.get("selectionBehavior", "any") in {"any", "at-most-one"}
    for suggestion in suggestions:
        assert set(suggestion) <= SUGGESTION
        assert suggestion["label"].strip()


def test_ch_78_every_suggestion_has_an_id_of_its_own(suggestions: list[Json]) -> None:
    assert max(Counter(suggestion["uuid"] for suggestion in suggestions).values()) == 1


def test_ch_80_81_82_actions_have_a_type_and_words(actions: list[Json]) -> None:
    assert actions
    for action in actions:
        assert set(action) <= ACTION
        assert action["type"] in {"create", "update", "delete"}
        assert action["description"].strip()


def test_ch_83_95_what_is_to_be_created_is_whole_and_valid_fhir(actions: list[Json]) -> None:
    new = [action["resource"] for action in actions if action["type"] == "create"]
    assert new
    for resource in new:
        kind = resource["resourceType"]
        model = getattr(importlib.import_module(f"fhir.resources.R4B.{kind.lower()}"), kind)
        model.model_validate(resource)
        assert {"status", "intent", "code", "subject"} <= set(resource)
        assert "id" not in resource


def test_ch_85_a_delete_names_a_draft_of_the_call_by_a_relative_reference(
    client: FlaskClient, offered: list[Json]
) -> None:
    found = 0
    for each in offered:
        body = request_of(each, prefetch=complete(each, calcium(12.0), phosphate(7.5)))
        for card in client.post(path_of(each), json=body).get_json()["cards"]:
            for action in (action for suggestion in card.get("suggestions", ()) for action in suggestion["actions"]):
                if action["type"] == "delete":
                    found += 1
                    assert action["resourceId"] == "MedicationRequest/draft-1"
                    assert "resource" not in action
    assert found


def test_ch_86_what_clients_must_first_declare_is_not_sent(answers: Answers) -> None:
    assert [name for name, answer in answers if "actionSelectionBehavior" in answer.text] == []
