"""Discovery and prefetch templates."""

import re
from typing import Any
from urllib.parse import parse_qsl, unquote

import pytest
from fhir.resources.R4B import get_fhir_model_class
from flask.testing import FlaskClient

from tests.calls import Json
from tests.conformance.conftest import path_of, request_of, told

# section J of the checklist; the second number of a pair stands in the change log of the hook
HOOK_VERSIONS = {
    "patient-view": {"1.0", "1.0.0"},
    "order-select": {"1.0", "1.0.1", "1.0.2"},
    "order-sign": {"1.0", "1.0.1", "1.1", "1.1.0"},
}
TOKENS = {
    "patient-view": {"context.userId", "context.patientId", "context.encounterId"},
    "order-select": {"context.userId", "context.patientId", "context.encounterId"},
    "order-sign": {"context.userId", "context.patientId", "context.encounterId"},
}
USERS = {"userPractitionerId", "userPractitionerRoleId", "userPatientId", "userRelatedPersonId"}
MEMBERS = {
    "hook", "id", "title", "description", "prefetch", "usageRequirements", "version", "hookVersion", "extension"
}  # fmt: skip
TOKEN = re.compile(r"\{\{([^{}]*)\}\}")


@pytest.fixture(scope="session")
def templates(offered: list[Json]) -> list[tuple[str, str, str]]:
    """Every template with its hook and key."""
    return [(each["hook"], key, query) for each in offered for key, query in each["prefetch"].items()]


def parameters(query: str) -> list[tuple[str, str]]:
    """The search parameters of a template, "" for a read."""
    return parse_qsl(query.partition("?")[2], keep_blank_values=True)


def test_ch_01_the_list_of_services_is_had_by_get(client: FlaskClient) -> None:
    assert client.get("/cds-services").status_code == 200


def test_ch_02_the_list_is_an_object_with_an_array(client: FlaskClient) -> None:
    body = client.get("/cds-services").get_json()
    assert isinstance(body, dict)
    assert isinstance(body["services"], list)


def test_ch_03_each_service_names_its_hook(offered: list[Json]) -> None:
    assert all(isinstance(each["hook"], str) and each["hook"] for each in offered)


def test_ch_04_each_service_has_an_id_that_can_stand_in_an_address(offered: list[Json]) -> None:
    assert all(re.fullmatch(r"[a-z0-9-]+", each["id"]) for each in offered)


def test_ch_05_each_service_can_be_called_under_its_id(client: FlaskClient, offered: list[Json]) -> None:
    for each in offered:
        assert client.post(path_of(each), json=request_of(each)).status_code == 200


def test_ch_06_07_each_service_has_a_description_and_a_title(offered: list[Json]) -> None:
    for each in offered:
        assert each["description"].strip() == each["description"] != ""
        assert each["title"].strip() == each["title"] != ""
        assert not re.search(r"[<>]", each["description"])


def test_ch_08_prefetch_maps_names_to_queries(offered: list[Json]) -> None:
    for each in offered:
        for key, query in each.get("prefetch", {"none": "none"}).items():
            assert isinstance(query, str)
            assert key.strip()
            assert query.strip()


def test_ch_09_usage_requirements_are_text(offered: list[Json]) -> None:
    assert all(isinstance(each["usageRequirements"], str) and each["usageRequirements"] for each in offered)


def test_ch_10_the_version_of_cds_hooks_is_told(offered: list[Json]) -> None:
    assert {each["version"] for each in offered} == {"2.0.1"}


def test_ch_11_the_version_of_the_hook_is_a_published_one(offered: list[Json]) -> None:
    for each in offered:
        assert each["hookVersion"] in HOOK_VERSIONS[each["hook"]]


def test_ch_12_144_no_two_entries_share_an_id(offered: list[Json]) -> None:
    ids = [each["id"] for each in offered]
    assert len(ids) == len(set(ids))


def test_ch_13_discovery_does_not_change(client: FlaskClient) -> None:
    assert client.get("/cds-services").data == client.get("/cds-services").data


def test_ch_15_hooks_are_those_of_the_library(offered: list[Json]) -> None:
    assert {each["hook"] for each in offered} <= set(HOOK_VERSIONS)


def test_ch_16_what_is_our_own_stands_under_extension(offered: list[Json]) -> None:
    for each in offered:
        assert set(each) <= MEMBERS
        assert isinstance(each["extension"], dict)
        assert all(re.fullmatch(r"[a-z]+\.[a-z-]+(\.[a-z-]+)+", name) for name in each["extension"])


# ---- prefetch templates ----------------------------------------------------------------------------------------------


def test_ch_17_tokens_stand_in_double_braces(templates: list[tuple[str, str, str]]) -> None:
    for _, key, query in templates:
        assert not re.search(r"[{}]", TOKEN.sub("", query)), key


def test_ch_18_19_tokens_are_fields_that_the_hook_lets_be_used(templates: list[tuple[str, str, str]]) -> None:
    found = {(hook, token) for hook, _, query in templates for token in TOKEN.findall(query)}
    assert found
    assert [each for each in found if each[1] not in TOKENS[each[0]] | USERS] == []


def test_ch_20_templates_are_reads_or_searches_of_a_type_of_fhir_r4(templates: list[tuple[str, str, str]]) -> None:
    for _, key, query in templates:
        shape = re.fullmatch(r"([A-Za-z]+)(/\{\{[\w.]+\}\}|\?.+)", query)
        assert shape is not None, key
        get_fhir_model_class(shape[1])


def test_ch_21_22_23_searches_use_what_every_server_knows(templates: list[tuple[str, str, str]]) -> None:
    for _, key, query in templates:
        for name, value in parameters(query):
            assert re.fullmatch(r"patient|code|category|status|date|_count|_sort", name), key
            assert name != "date" or re.match(r"(eq|lt|gt|ge|le)\d", value), key


def test_ch_25_a_filled_template_is_a_legal_address(templates: list[tuple[str, str, str]]) -> None:
    for _, key, query in templates:
        filled = TOKEN.sub("Abc-1.2", query)
        assert re.fullmatch(r"[A-Za-z0-9._~:/?&=,%-]+", filled), key
        assert "|" in unquote(filled) or "code" not in filled, key


def test_ch_26_the_keys_that_are_listed_are_the_keys_that_are_read(client: FlaskClient, offered: list[Json]) -> None:
    for each in offered:
        assert told(client.post(path_of(each), json=request_of(each))), each["id"]
        for key in ("patient", "observations-calcium", "observations-phosphate"):
            data: dict[str, Any] = request_of(each)["prefetch"]
            del data[key]
            answer = client.post(path_of(each), json=request_of(each, prefetch=data))
            assert answer.status_code == 412, (each["id"], key)
            assert answer.get_json()["issue"][0]["expression"] == [f"prefetch.{key}"]


def test_rb_01_no_parameter_stands_twice_in_a_template(templates: list[tuple[str, str, str]]) -> None:
    for _, key, query in templates:
        names = [name for name, _ in parameters(query)]
        assert len(names) == len(set(names)), key
