"""What a client may send, and what it may not."""

import json
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from tests.calls import INSTANCE, Json, calcium, phosphate
from tests.conformance.conftest import DRAFT, complete, context_of, path_of, request_of, told
from tests.ehr import AUTHORIZATION, Ehr

JSON = "application/json"


def refused(answer: TestResponse) -> str:
    """The words of a 4xx answer; its form is the same everywhere."""
    assert 400 <= answer.status_code < 500, answer.text
    body = answer.get_json()
    assert body["resourceType"] == "OperationOutcome"
    return str(body["issue"][0]["diagnostics"])


def test_ch_27_a_call_with_all_members_is_answered(client: FlaskClient, offered: list[Json], server: Ehr) -> None:
    for each in offered:
        body = request_of(each, fhirServer=server.url, fhirAuthorization={**AUTHORIZATION, "patient": "x1"})
        assert told(client.post(path_of(each), json=body))


def test_ch_28_the_required_members_are_enough_to_be_understood(client: FlaskClient, offered: list[Json]) -> None:
    for each in offered:
        answer = client.post(path_of(each), json=request_of(each, prefetch=...))
        assert answer.status_code == 412
        assert refused(answer)


def test_ch_29_the_encounter_may_lack(client: FlaskClient, offered: list[Json]) -> None:
    for each in offered:
        without = client.post(path_of(each), json=request_of(each))
        context = context_of(each["hook"], encounterId="e1")
        assert told(client.post(path_of(each), json=request_of(each, context=context)))
        assert told(without)


def test_ch_30_every_type_of_user_of_the_hook_is_taken(client: FlaskClient, offered: list[Json]) -> None:
    for each in offered:
        others = ("Patient", "RelatedPerson") if each["hook"] == "patient-view" else ()
        for kind in ("Practitioner", "PractitionerRole", *others):
            context = context_of(each["hook"], userId=f"{kind}/u1")
            assert told(client.post(path_of(each), json=request_of(each, context=context))), kind


def test_ch_31_64_rb_35_a_repeated_call_is_a_call_of_its_own_with_new_ids(
    client: FlaskClient, offered: list[Json]
) -> None:
    for each in offered:
        seen = [client.post(path_of(each), json=request_of(each)).get_json()["cards"] for _ in range(3)]
        ids = [card["uuid"] for cards in seen for card in cards]
        assert len(ids) == len(set(ids)) >= 3
        assert [[card["detail"] for card in cards] for cards in seen] == [[card["detail"] for card in seen[0]]] * 3


def test_ch_32_rb_34_extensions_and_unknown_members_are_taken(
    client: FlaskClient, offered: list[Json], server: Ehr
) -> None:
    more: Json = {"extension": {"com.example.thing": {"a": [1, None]}}, "example": 1}
    for each in offered:
        body = request_of(
            each,
            context={**context_of(each["hook"]), **more},
            fhirServer=server.url,
            fhirAuthorization={**AUTHORIZATION, **more},
            **more,
        )
        assert told(client.post(path_of(each), json=body)) == told(client.post(path_of(each), json=request_of(each)))


# ---- beyond the standard ---------------------------------------------------------------------------------------------


def post(client: FlaskClient, service: Json, body: bytes) -> TestResponse:
    return client.post(path_of(service), data=body, content_type=JSON)


@pytest.mark.parametrize("body", [b"", b"null", b"[]", b"7", b'"text"', b"{", b"\x00", b"{'hook': 1}", b"<a/>"])
def test_rb_08_a_body_that_is_no_json_object_is_refused(client: FlaskClient, offered: list[Json], body: bytes) -> None:
    for each in offered:
        assert post(client, each, body).status_code == 400


@pytest.mark.parametrize("wrong", [7, True, [], {}, "text"])
@pytest.mark.parametrize("member", ["hook", "hookInstance", "context", "prefetch", "fhirServer", "fhirAuthorization"])
def test_rb_09_wrong_types_are_refused(client: FlaskClient, offered: list[Json], member: str, wrong: object) -> None:
    sound = (member, wrong) == ("prefetch", {})  # an object, if an empty one: no wrong type, but no data
    for each in offered:
        answer = client.post(path_of(each), json=request_of(each, **{member: wrong}))
        assert answer.status_code == (412 if sound else 400), answer.text
        assert refused(answer)


@pytest.mark.parametrize("member", ["hook", "hookInstance", "context"])
def test_rb_10_a_required_member_that_lacks_is_named(client: FlaskClient, offered: list[Json], member: str) -> None:
    for each in offered:
        answer = client.post(path_of(each), json=request_of(each, **{member: ...}))
        assert answer.status_code == 400
        assert member in answer.get_json()["issue"][0]["expression"]


def test_rb_10_a_required_member_of_the_context_that_lacks_is_named(client: FlaskClient, offered: list[Json]) -> None:
    for each in offered:
        for member in context_of(each["hook"]):
            context = context_of(each["hook"], **{member: ...})
            answer = client.post(path_of(each), json=request_of(each, context=context))
            assert answer.status_code == 400, member
            assert answer.get_json()["issue"][0]["expression"] == [f"context.{member}"]


@pytest.mark.parametrize("hook", ["encounter-start", "order-review", "Patient-View", "com.example.hook"])
def test_rb_11_another_hook_is_refused_and_told(client: FlaskClient, offered: list[Json], hook: str) -> None:
    for each in offered:
        answer = client.post(path_of(each), json=request_of(each, hook=hook))
        assert answer.status_code == 400
        assert each["hook"] in refused(answer)


def test_rb_13_a_body_of_ten_megabytes_is_answered_and_the_service_lives_on(
    client: FlaskClient, offered: list[Json]
) -> None:
    for each in offered:
        many = [calcium(9.1, id=f"old-{number}", effectiveDateTime="2019-01-01T08:00:00Z") for number in range(20)]
        padding = "x" * (10 * 1024 * 1024)
        data = {**complete(each, calcium(10.5), phosphate(7.5), *many), "padding": padding}
        assert told(client.post(path_of(each), json=request_of(each, prefetch=data)))
        assert told(client.post(path_of(each), json=request_of(each)))


@pytest.mark.parametrize("depth", [200, 2000, 100_000])
def test_rb_14_depth_is_no_failure_of_the_service(client: FlaskClient, offered: list[Json], depth: int) -> None:
    for each in offered:
        text = json.dumps(request_of(each, extension={"com.example.deep": "HERE"}))
        answer = post(client, each, text.replace('"HERE"', "[" * depth + "]" * depth).encode())
        assert answer.status_code in {200, 400}
        assert answer.status_code == 400 or answer.get_json()["cards"]


@pytest.mark.parametrize("number", ["9" * 5000, "1e400", "-1e400"])
def test_rb_15_numbers_beyond_all_limits_are_no_failure_of_the_service(
    client: FlaskClient, offered: list[Json], number: str
) -> None:
    for each in offered:
        text = json.dumps(request_of(each)).replace("10.5", number)
        answer = post(client, each, text.encode())
        assert answer.status_code in {200, 400}
        assert "Infinity" not in answer.text


@pytest.mark.parametrize("word", ["NaN", "Infinity", "-Infinity"])
def test_rb_16_what_json_does_not_know_is_refused(client: FlaskClient, offered: list[Json], word: str) -> None:
    for each in offered:
        answer = post(client, each, json.dumps(request_of(each)).replace("10.5", word).encode())
        assert answer.status_code == 400


@pytest.mark.parametrize(
    "text",
    [
        json.dumps({"x": "HERE"}).replace("HERE", "\\ud83d").encode(),
        json.dumps({"x": "HERE"}).replace("HERE", "\\u0000").encode(),
        '{"x": "\u202e\u2066"}'.encode(),
        b"\xef\xbb\xbf{}",
        '{"x": 1}'.encode("utf-16"),
        b'{"x": "\xff\xfe\xc3"}',
    ],
)
def test_rb_17_odd_text_is_no_failure_of_the_service(client: FlaskClient, offered: list[Json], text: bytes) -> None:
    for each in offered:
        assert post(client, each, text).status_code == 400
        inside = json.dumps(request_of(each, extension="HERE")).encode().replace(b'"HERE"', text)
        assert post(client, each, inside).status_code in {200, 400}


def test_rb_18_of_two_equal_names_the_last_counts_everywhere(client: FlaskClient, offered: list[Json]) -> None:
    for each in offered:
        text = json.dumps(request_of(each))
        twice = text.replace('"patientId": "x1"', '"patientId": "other", "patientId": "x1"', 1)
        assert twice != text
        assert told(post(client, each, twice.encode())) == told(post(client, each, text.encode()))


def test_rb_26_calls_side_by_side_do_not_mix(client: FlaskClient, offered: list[Json]) -> None:
    app = client.application
    high, low = (calcium(10.5), phosphate(7.5)), (calcium(9.4), phosphate(3.6))

    def fire(number: int) -> tuple[str, list[tuple[str, str, str]]]:
        service = offered[number % len(offered)]
        results = high if number % 3 else low
        body = request_of(service, prefetch=complete(service, *results))
        with app.test_client() as own:
            return f"{service['id']} {results is high}", told(own.post(path_of(service), json=body))

    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(fire, range(60)))
    for kind in {kind for kind, _ in answers}:
        assert len({json.dumps(guidance) for known, guidance in answers if known == kind}) == 1, kind


@pytest.mark.parametrize("odd", ["", "not-a-uuid", "x" * 5000, 7, None, {"a": 1}])
def test_rb_35_an_odd_hook_instance_is_no_failure_of_the_service(
    client: FlaskClient, offered: list[Json], odd: object
) -> None:
    for each in offered:
        assert refused(client.post(path_of(each), json=request_of(each, hookInstance=odd)))
        assert told(client.post(path_of(each), json=request_of(each, hookInstance=INSTANCE)))


def test_rb_36_drafts_and_bundles_as_real_clients_send_them_are_taken(client: FlaskClient, offered: list[Json]) -> None:
    draft: dict[str, Any] = {
        "resourceType": "MedicationRequest",
        "id": "draft-2",
        "status": "draft",
        "category": {"coding": [{"code": "inpatient"}]},
        "text": {"status": "generated"},
    }
    for each in offered:
        context = context_of(each["hook"])
        if "draftOrders" in context:
            context["draftOrders"] = {"resourceType": "Bundle", "entry": [{"resource": draft}, {"resource": DRAFT}]}
            context["selections"] = ["MedicationRequest/draft-2", "MedicationRequest/draft-1"]
        data = {**complete(each), "medications": {"resourceType": "Bundle", "entry": [{"resource": draft}]}}
        assert told(client.post(path_of(each), json=request_of(each, context=context, prefetch=data)))


def test_rb_23_hundreds_of_defects_of_a_call_are_answered_or_refused(client: FlaskClient, offered: list[Json]) -> None:
    """Each defect of one kind at one place; tests/hooks/test_defects.py tries combinations."""
    odd: tuple[Any, ...] = (None, 7, "", [], {}, [None], {"a": 1}, "\x00", -1e30, True)
    for number in range(300):
        service = offered[number % len(offered)]
        whole = json.dumps(request_of(service))
        places = [place for place in range(len(whole)) if whole.startswith('": ', place)]
        place = places[(number * 7919) % len(places)] + 3
        _, end = json.JSONDecoder().raw_decode(whole[place:])
        broken = whole[:place] + json.dumps(odd[number % len(odd)]) + whole[place + end :]
        assert post(client, service, broken.encode()).status_code in {200, 400, 412}, broken[place - 40 : place + 20]
