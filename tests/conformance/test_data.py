"""Data that come with the call, and what it means when they do not."""

import copy
from typing import Any

import pytest
from flask.testing import FlaskClient

from tests.calls import Json, bundle, calcium, phosphate
from tests.conformance.conftest import complete, path_of, request_of, told
from tests.ehr import Ehr

NEEDED = {"patient", "observations-calcium", "observations-phosphate"}
FAILED = {"resourceType": "OperationOutcome", "issue": [{"severity": "error", "code": "timeout"}]}
OUTCOME = {
    "resource": {"resourceType": "OperationOutcome", "issue": [{"severity": "warning", "code": "processing"}]},
    "search": {"mode": "outcome"},
}


def gaps_told(guidance: list[tuple[str, str, str]]) -> str:
    """What the cards say of data that lack."""
    return "\n".join(detail for _, _, detail in guidance)


def test_ch_35_complete_prefetch_is_enough(client: FlaskClient, offered: list[Json]) -> None:
    for each in offered:
        assert told(client.post(path_of(each), json=request_of(each)))


def test_ch_36_44_what_lacks_is_read_and_leads_to_the_same_guidance(
    client: FlaskClient, offered: list[Json], server: Ehr
) -> None:
    for each in offered:
        whole = told(client.post(path_of(each), json=request_of(each)))
        for key in each["prefetch"]:
            data = complete(each)
            del data[key]
            body = request_of(each, prefetch=data, fhirServer=server.url)
            assert told(client.post(path_of(each), json=body)) == whole, key


def test_ch_36_what_lacks_and_cannot_be_read_is_412_or_told(client: FlaskClient, offered: list[Json]) -> None:
    for each in offered:
        whole = told(client.post(path_of(each), json=request_of(each)))
        for key in set(each["prefetch"]) - {"encounter"}:
            data = complete(each)
            del data[key]
            answer = client.post(path_of(each), json=request_of(each, prefetch=data))
            assert answer.status_code == 412 if key in NEEDED else told(answer), key
            if key in {"conditions", "medications", "procedures"}:
                assert gaps_told(told(answer)) != gaps_told(whole), key


@pytest.mark.parametrize("given", [..., {}])
def test_ch_37_without_anything_the_answer_is_412(client: FlaskClient, offered: list[Json], given: Any) -> None:
    for each in offered:
        answer = client.post(path_of(each), json=request_of(each, prefetch=given))
        assert answer.status_code == 412
        assert "cards" not in answer.get_json()


def test_ch_38_39_41_null_no_entry_and_an_outcome_alone_mean_that_there_is_nothing(
    client: FlaskClient, offered: list[Json]
) -> None:
    nothing = (None, bundle(), {"resourceType": "Bundle", "type": "searchset"}, {**bundle(), "entry": [OUTCOME]})
    for each in offered:
        for key in set(each["prefetch"]) - {"patient", "observations-calcium"}:
            given = []
            for value in nothing:
                answer = client.post(path_of(each), json=request_of(each, prefetch={**complete(each), key: value}))
                given.append(told(answer))
            assert given == [given[0]] * len(nothing), key
            assert given[0] or key in NEEDED, key


def test_ch_40_a_query_that_failed_is_not_taken_for_no_data(client: FlaskClient, offered: list[Json]) -> None:
    for each in offered:
        whole = told(client.post(path_of(each), json=request_of(each)))
        for key in set(each["prefetch"]) - {"encounter"}:
            answer = client.post(path_of(each), json=request_of(each, prefetch={**complete(each), key: FAILED}))
            assert answer.status_code == 412 if key in NEEDED else told(answer), key
            if key in {"conditions", "medications", "procedures"}:
                assert gaps_told(told(answer)) != gaps_told(whole), key


def test_ch_40_a_query_that_failed_is_asked_anew_where_the_server_may_be_read(
    client: FlaskClient, offered: list[Json], server: Ehr
) -> None:
    for each in offered:
        whole = told(client.post(path_of(each), json=request_of(each)))
        for key in ("patient", "observations-calcium", "observations-phosphate", "conditions"):
            data = {**complete(each), key: FAILED}
            assert (
                told(client.post(path_of(each), json=request_of(each, prefetch=data, fhirServer=server.url))) == whole
            )


def test_ch_41_an_outcome_beside_results_takes_nothing_away(client: FlaskClient, offered: list[Json]) -> None:
    for each in offered:
        data = complete(each)
        data["observations-calcium"]["entry"].insert(0, OUTCOME)
        whole = told(client.post(path_of(each), json=request_of(each)))
        assert told(client.post(path_of(each), json=request_of(each, prefetch=data))) == whole


def test_ch_42_the_pages_behind_the_first_are_read(client: FlaskClient, offered: list[Json], server: Ehr) -> None:
    server.page_size = 1
    for each in offered:
        whole = told(client.post(path_of(each), json=request_of(each)))
        data = complete(each, calcium(10.5))
        data["observations-calcium"]["link"] = [
            {"relation": "next", "url": f"{server.url}/Observation?patient=x1&page=1"}
        ]
        answer = client.post(path_of(each), json=request_of(each, prefetch=data, fhirServer=server.url))
        assert told(answer) == whole
        assert server.asked


def test_ch_42_a_first_page_alone_is_never_taken_for_all(client: FlaskClient, offered: list[Json]) -> None:
    for each in offered:
        data = complete(each)
        data["observations-calcium"]["link"] = [{"relation": "next", "url": "https://ehr.example/fhir?page=2"}]
        answer = client.post(path_of(each), json=request_of(each, prefetch=data))
        if answer.status_code != 412:
            assert told(answer) != told(client.post(path_of(each), json=request_of(each)))


def test_ch_43_what_came_is_not_read_again(client: FlaskClient, offered: list[Json], server: Ehr) -> None:
    for each in offered:
        client.post(path_of(each), json=request_of(each, fhirServer=server.url))
        assert server.asked == []


# ---- beyond the standard ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("odd", [7, "text", True, [1], {}, {"resourceType": 7}, {"resourceType": "Bundle", "entry": 7}])
def test_rb_24_odd_things_under_keys_are_no_failure_of_the_service(
    client: FlaskClient, offered: list[Json], odd: object
) -> None:
    for each in offered:
        for key in [*each["prefetch"], "unknown"]:
            answer = client.post(path_of(each), json=request_of(each, prefetch={**complete(each), key: odd}))
            assert answer.status_code in {200, 400, 412}, key
            if answer.status_code == 200 and key != "unknown":
                assert answer.get_json()["cards"], key


def test_rb_25_data_of_another_patient_lead_to_no_guidance_about_this_one(
    client: FlaskClient, offered: list[Json]
) -> None:
    other = {"reference": "Patient/x2"}
    for each in offered:
        data = complete(each, calcium(10.5, subject=other), phosphate(7.5, subject=other))
        for _, indicator, detail in told(client.post(path_of(each), json=request_of(each, prefetch=data))):
            assert indicator != "critical"
            assert "10.5" not in detail
            assert "7.5" not in detail


def test_rb_32_what_was_entered_in_error_counts_as_absent(client: FlaskClient, offered: list[Json]) -> None:
    for each in offered:
        data = complete(each, calcium(10.5, status="entered-in-error"), phosphate(7.5))
        for _, indicator, detail in told(client.post(path_of(each), json=request_of(each, prefetch=data))):
            assert indicator != "critical"
            assert "10.5" not in detail


def test_rb_33_order_and_repeats_of_entries_change_nothing(client: FlaskClient, offered: list[Json]) -> None:
    old = [
        calcium(9.0, id="older", effectiveDateTime="2026-09-01T08:00:00Z"),
        phosphate(4.0, id="older-p", effectiveDateTime="2026-09-01T08:00:00Z"),
    ]
    new = [calcium(10.5), phosphate(7.5)]
    for each in offered:
        orders = ([*old, *new], [*new, *old], [*new, *new, *old, *old], [new[1], old[0], new[0], old[1]])
        given = [
            told(client.post(path_of(each), json=request_of(each, prefetch=complete(each, *order)))) for order in orders
        ]
        assert given == [given[0]] * len(orders)
        assert given[0][0][1] == "critical"


def test_rb_37_a_broken_resource_beside_good_ones_never_silences_the_guidance(
    client: FlaskClient, offered: list[Json]
) -> None:
    broken: list[Any] = [
        {"resourceType": "Observation"},
        {**calcium(9.9), "id": "b1", "valueQuantity": "text"},
        {**calcium(9.9), "id": "b2", "code": 7},
        {**calcium(9.9), "id": "b3", "effectiveDateTime": "yesterday"},
        {**calcium(9.9), "id": "b4", "category": {"text": "an object"}},
        7,
        None,
    ]
    for each in offered:
        for odd in broken:
            data = copy.deepcopy(complete(each))
            data["observations-calcium"]["entry"].insert(0, {"resource": odd})
            ((_, indicator, _), *_rest) = told(client.post(path_of(each), json=request_of(each, prefetch=data)))
            assert indicator == "critical", odd
