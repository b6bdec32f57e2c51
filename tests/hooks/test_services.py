"""Discovery and the prefetch templates."""

import re
from dataclasses import replace
from urllib.parse import parse_qsl

import pytest
from flask.testing import FlaskClient

from cds_service.hooks.services import LONGEST_TEMPLATE, services
from cds_service.terminology.catalog import Catalog

LONGEST_ID = "x" * 128


def templates(catalog: Catalog) -> dict[str, str]:
    return {wanted.key: wanted.query for wanted in services(catalog)[0].wanted}


def nothing_empty(value: object) -> bool:
    if isinstance(value, dict):
        return bool(value) and all(nothing_empty(each) for each in value.values())
    if isinstance(value, list):
        return bool(value) and all(nothing_empty(each) for each in value)
    return value not in (None, "")


def test_discovery_lists_the_service_with_all_that_a_client_asks_for(client: FlaskClient, catalog: Catalog) -> None:
    answer = client.get("/cds-services")
    assert (answer.status_code, answer.mimetype) == (200, "application/json")
    service, *orders = answer.get_json()["services"]
    assert [(each["hook"], each["id"]) for each in orders] == [
        ("order-select", "metastatic-calcification-order-select"),
        ("order-sign", "metastatic-calcification-order-sign"),
    ]
    assert all(set(each) == set(service) and each["prefetch"] == service["prefetch"] for each in orders)
    assert set(service) == {
        "hook", "id", "title", "description", "prefetch", "usageRequirements", "version", "hookVersion", "extension"
    }  # fmt: skip
    assert (service["hook"], service["id"]) == ("patient-view", "metastatic-calcification-patient-view")
    assert (service["version"], service["hookVersion"]) == ("2.0.1", "1.0")
    assert service["extension"] == {
        "org.calcinosis-cds.knowledge": {"version": catalog.version, "digest": catalog.digest}
    }


def test_discovery_holds_no_null_and_nothing_empty(client: FlaskClient) -> None:
    assert nothing_empty(client.get("/cds-services").get_json())


def test_discovery_is_stable(client: FlaskClient) -> None:
    assert client.get("/cds-services").data == client.get("/cds-services").data


def test_every_template_has_legal_characters_only_and_stays_short_with_the_longest_id(catalog: Catalog) -> None:
    for key, template in templates(catalog).items():
        filled = re.sub(r"\{\{context\.(patientId|encounterId)\}\}", LONGEST_ID, template)
        assert re.fullmatch(r"[A-Za-z0-9._~:/?&=,%-]+", filled), key
        assert len(filled) < LONGEST_TEMPLATE, key


def test_no_template_names_a_parameter_twice(catalog: Catalog) -> None:
    for key, template in templates(catalog).items():
        names = [name for name, _ in parse_qsl(template.partition("?")[2])]
        assert len(names) == len(set(names)), key
        assert set(names) <= {"patient", "code"}, key


def test_reads_and_searches_are_bound_to_the_patient_or_encounter_of_the_call(catalog: Catalog) -> None:
    for template in templates(catalog).values():
        assert "patient={{context.patientId}}" in template or template in (
            "Patient/{{context.patientId}}",
            "Encounter/{{context.encounterId}}",
        )


def test_each_input_of_a_group_is_asked_for_once_the_usual_codes_first(catalog: Catalog) -> None:
    asked: list[str] = []
    for key, template in templates(catalog).items():
        if key.startswith("observations-"):
            tokens = dict(parse_qsl(template.partition("?")[2]))["code"].split(",")
            assert all(token.startswith("http://loinc.org|") for token in tokens)
            asked += [token.partition("|")[2] for token in tokens]
    expected = [
        code
        for _, _, inputs in catalog.input_groups
        for code in (*catalog.codes_for(*inputs), *catalog.panels_for(*inputs))
    ]
    assert asked == expected
    assert len(asked) == len(set(asked))
    assert asked.index("17861-6") < asked.index("2000-8")


def test_panels_that_may_hold_calcium_are_asked_for_with_it(catalog: Catalog) -> None:
    found = templates(catalog)
    asked = [key for key, template in found.items() if "%7C24323-8" in template]
    assert asked == ["observations-calcium"]


@pytest.mark.parametrize(("codes", "keys"), [(60, 1), (61, 2), (150, 3)])
def test_a_group_with_many_codes_of_a_site_is_asked_for_in_parts(catalog: Catalog, codes: int, keys: int) -> None:
    many = tuple((f"{10000 + number}-0", "accept") for number in range(codes))
    group = ("calcium", "Calcium", ("ca_total",))
    grown = replace(catalog, input_groups=(group,), loinc_by_input={"ca_total": many}, panels={})
    wanted = [each for each in services(grown)[0].wanted if each.key.startswith("observations-")]
    assert [each.key for each in wanted] == [
        "observations-calcium",
        "observations-calcium-2",
        "observations-calcium-3",
    ][:keys]
    assert {each.inputs for each in wanted} == {frozenset({"ca_total"})}
    asked = [token for each in wanted for token in each.query.partition("code=")[2].split(",")]
    assert asked == [f"http://loinc.org%7C{code}" for code, _ in many]
