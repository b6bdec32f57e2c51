"""What a site may switch: the connection test, and how prefetch templates are cut."""

import re
from collections.abc import Iterator
from urllib.parse import parse_qsl

import pytest
from flask.testing import FlaskClient

from cds_service.app import create_app
from cds_service.hooks.services import Offer, services, wanted_data
from cds_service.settings import SettingsError, read_settings
from cds_service.terminology.catalog import Catalog
from tests.calls import PATIENT_VIEW, Json, critical_call
from tests.conftest import NOW, Notes, counting_ids


@pytest.fixture
def greeted(catalog: Catalog, notes: Notes) -> Iterator[FlaskClient]:
    settings = read_settings({}, sandbox=True, database_url="", hello=True)
    app = create_app(settings, clock=lambda: NOW, new_id=counting_ids(), catalog=catalog, journal=notes)
    with app.test_client() as client:
        yield client


def test_the_connection_test_is_off_by_default(client: FlaskClient) -> None:
    assert "hello" not in [each["id"] for each in client.get("/cds-services").get_json()["services"]]
    assert client.post("/cds-services/hello", json=critical_call()).status_code == 404


def test_the_connection_test_asks_for_no_data_and_is_listed_last(greeted: FlaskClient) -> None:
    *_, hello = greeted.get("/cds-services").get_json()["services"]
    assert (hello["id"], hello["hook"]) == ("hello", "patient-view")
    assert "prefetch" not in hello


def test_the_connection_test_says_the_same_of_every_patient(greeted: FlaskClient) -> None:
    bodies: list[Json] = [critical_call(), critical_call(prefetch=...)]
    cards = []
    for body in bodies:
        answer = greeted.post("/cds-services/hello", json=body)
        assert answer.status_code == 200
        (card,) = answer.get_json()["cards"]
        assert card.pop("uuid")
        cards.append(card)
    assert cards[0] == cards[1]
    assert cards[0]["indicator"] == "info"
    assert "nothing about the patient was asked for or looked at" in cards[0]["detail"]
    assert len(cards[0]["summary"]) <= 139
    assert "extension" not in cards[0]


def test_the_connection_test_refuses_what_is_no_call(greeted: FlaskClient) -> None:
    assert greeted.post("/cds-services/hello", json={}).status_code == 400


def test_the_connection_test_is_noted_without_a_tier(greeted: FlaskClient, notes: Notes) -> None:
    greeted.post("/cds-services/hello", json=critical_call())
    assert (notes.entries[-1].service, notes.entries[-1].tier) == ("hello", None)


def templates(catalog: Catalog, offer: Offer) -> dict[str, str]:
    prefetch = services(catalog, offer)[0].discovery(catalog)["prefetch"]
    assert isinstance(prefetch, dict)
    return prefetch


def test_by_input_each_input_has_a_key_and_the_same_codes_are_asked_for(catalog: Catalog) -> None:
    plain, single = (wanted_data(catalog, by_input=by_input) for by_input in (False, True))
    asked = [sorted(re.findall(r"%7C([0-9-]+)", " ".join(each.query for each in all_of))) for all_of in (plain, single)]
    assert asked[0] == asked[1]
    assert "observations-ca-total" in [each.key for each in single]
    assert all(len(each.inputs) == 1 for each in single if each.inputs)


def test_a_page_size_stands_in_searches_and_not_in_reads(catalog: Catalog) -> None:
    found = templates(catalog, Offer(count=200))
    assert found["patient"] == "Patient/{{context.patientId}}"
    assert dict(parse_qsl(found["conditions"].partition("?")[2]))["_count"] == "200"


def test_a_look_back_is_asked_for_results_alone_by_a_token_of_3_0(catalog: Catalog) -> None:
    found = templates(catalog, Offer(look_back_days=730))
    assert "&date=ge{{today() - 730 days}}" in found["observations-calcium"]
    assert "date=" not in found["conditions"] + found["procedures"] + found["medications"]
    plain = templates(catalog, Offer())
    assert not any("today()" in template for template in plain.values())


def test_our_own_reads_carry_neither_page_size_nor_look_back(catalog: Catalog) -> None:
    decorated = services(catalog, Offer(count=10, look_back_days=400))[0]
    assert decorated.wanted == services(catalog)[0].wanted


def test_a_look_back_that_would_hide_results_that_count_is_refused() -> None:
    with pytest.raises(SettingsError, match="PREFETCH_LOOK_BACK_DAYS"):
        read_settings({"CDS_PREFETCH_LOOK_BACK_DAYS": "90"})


def test_by_input_the_service_works_with_the_keys_that_it_lists(catalog: Catalog) -> None:
    settings = read_settings({}, sandbox=True, database_url="", prefetch_by_input=True)
    app = create_app(settings, clock=lambda: NOW, new_id=counting_ids(), catalog=catalog)
    with app.test_client() as client:
        service = client.get("/cds-services").get_json()["services"][0]
        body = critical_call()
        results = body["prefetch"].pop("observations-calcium")
        empty = {"resourceType": "Bundle", "type": "searchset", "total": 0}
        body["prefetch"] = {key: body["prefetch"].get(key, empty) for key in service["prefetch"]}
        body["prefetch"]["observations-ca-total"] = results
        assert client.post(PATIENT_VIEW, json=body).get_json()["cards"][0]["indicator"] == "critical"
