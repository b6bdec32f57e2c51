"""The knowledge pages list what the engine has loaded, and cards lead to them."""

import html
import json
import re
import tomllib
from pathlib import Path

import pytest
from flask.testing import FlaskClient

from cds_service.app import create_app
from cds_service.hooks.wording.texts import rule_words
from cds_service.outgoing.session import Session
from cds_service.pages.site import PageParts
from cds_service.settings import read_settings
from cds_service.terminology import layout
from cds_service.terminology.catalog import Catalog
from cds_service.terminology.load import load_catalog, read_shipped
from tests.calls import PATIENT_VIEW, critical_call, healthy_call
from tests.conftest import NOW, Notes, counting_ids

OBSERVATIONS = """system,code,display,input,unit,status,note
https://lab.example.org/codes,CA-<b>TOT,Calcium & total,ca_total,mmol/L,accept,checked
"""


def text_of(client: FlaskClient, path: str) -> str:
    answer = client.get(path)
    assert answer.status_code == 200, path
    return html.unescape(re.sub(r"<[^>]+>", " ", answer.get_data(as_text=True)))


def served(**settings: object) -> FlaskClient:
    given = {"allow_unauthenticated": "yes-i-understand"} | settings
    made = read_settings({}, database_url="", **given)
    return create_app(made, clock=lambda: NOW, new_id=counting_ids(), journal=Notes()).test_client()


def links(client: FlaskClient, call: object, **headers: str) -> list[dict[str, str]]:
    cards = client.post(PATIENT_VIEW, json=call, headers=headers).get_json()["cards"]
    found: list[dict[str, str]] = cards[0].get("links", [])
    return found


# ---- what is listed --------------------------------------------------------------------------------------------------


def test_every_rule_has_a_permanent_page_with_its_clause(client: FlaskClient, catalog: Catalog) -> None:
    for rule in rule_words(catalog.knowledge.criteria):
        told = text_of(client, f"/knowledge/rules/{rule.id}")
        assert rule.clause[1:] in told, rule.id
        for source in rule.sources:
            assert catalog.sources[source].title in told, rule.id


def test_the_page_of_a_rule_shows_its_limits_as_in_force(client: FlaskClient) -> None:
    told = text_of(client, "/knowledge/rules/CL-50")
    assert re.search(r"product_critical_mg2_dl2\s+70\s+mg2/dL2", told)


def test_every_row_of_every_table_is_on_its_page(client: FlaskClient) -> None:
    content = read_shipped()
    for table in (layout.INPUTS, layout.CAUSES, *layout.CODE_TABLES, layout.CONCEPTS, layout.DRUGS):
        page = client.get(f"/knowledge/{table.file.removesuffix('.csv')}").get_data(as_text=True)
        assert page.count("<tr>") == len(content.of(table)) + 1, table.file
        for row in content.of(table):
            assert html.escape(row[table.key[0]]).replace("&#x27;", "&#39;") in page, (table.file, row.line)


def test_a_search_finds_codes_rules_and_units_without_script(client: FlaskClient) -> None:
    assert "Kidney" in text_of(client, "/knowledge?q=N18.6") or "renal" in text_of(client, "/knowledge?q=N18.6")
    assert "Rule CL-50" not in text_of(client, "/knowledge?q=nothing-like-this")
    assert "Nothing holds all of these words" in text_of(client, "/knowledge?q=nothing-like-this")
    assert "CL-50" in text_of(client, "/knowledge?q=fresh pair product above 70")


def test_what_is_searched_for_comes_back_as_text(client: FlaskClient) -> None:
    page = client.get("/knowledge?q=<script>alert(1)</script>").get_data(as_text=True)
    assert "<script>alert" not in page
    assert "&lt;script&gt;alert(1)&lt;/script&gt;" in page


def test_what_is_not_there_is_told_as_a_page(client: FlaskClient) -> None:
    for path in ("/knowledge/rules/CL-999", "/knowledge/nothing", "/knowledge/fhir/nothing.json"):
        answer = client.get(path)
        assert (answer.status_code, answer.mimetype) == (404, "text/html"), path


def test_the_source_attributes_show_what_is_missing(client: FlaskClient) -> None:
    told = text_of(client, "/knowledge/hti-1")
    assert re.search(r"Funding source of the technical implementation\s+missing", told)
    assert client.get("/knowledge/hti-1.json").get_json() == json.loads(
        (Path(__file__).parents[2] / "docs" / "dsi-attributes.json").read_text()
    )


def test_the_export_gives_the_resources_one_by_one(client: FlaskClient) -> None:
    names = re.findall(r'href="/knowledge/fhir/([^"]+)"', client.get("/knowledge/export").get_data(as_text=True))
    assert {name.split("-")[0] for name in names} == {"CodeSystem", "ConceptMap", "ValueSet"}
    for name in (names[0], names[-1]):
        assert client.get(f"/knowledge/fhir/{name}").get_json()["resourceType"] == name.split("-")[0]


def test_the_codes_and_limits_of_a_site_are_shown_as_its_own(tmp_path: Path) -> None:
    (tmp_path / "observations.local.csv").write_text(OBSERVATIONS)
    (tmp_path / "criteria.toml").write_text(next(iter(_site_limits().values())))
    client = served(sandbox=True, local_mappings_dir=str(tmp_path))
    page = client.get("/knowledge/observations.local").get_data(as_text=True)
    assert "CA-&lt;b&gt;TOT" in page
    assert "Calcium &amp; total" in page
    assert "set by the site" in text_of(client, "/knowledge/limits")
    assert load_catalog(local=tmp_path).digest in text_of(client, "/knowledge")


def _site_limits() -> dict[str, str]:
    """A table of criteria.toml for each limit that a site may set, with the smallest value that it may have."""
    shipped = tomllib.loads(read_shipped().texts["criteria.toml"])
    return {
        name: f'[{name}]\nvalue = "{each["min"]}"\nunit = "{each["unit"]}"\nreason = "ours"\n'
        for name, each in shipped.items()
        if "local" in each
    }


# ---- links of cards --------------------------------------------------------------------------------------------------


def test_a_card_leads_to_the_page_of_its_rule(client: FlaskClient) -> None:
    found = links(client, critical_call())
    rule = next(link for link in found if "/knowledge/rules/" in link["url"])
    assert rule["url"] == "http://localhost/knowledge/rules/CL-50"
    assert rule["type"] == "absolute"
    assert client.get(rule["url"].removeprefix("http://localhost")).status_code == 200


def test_the_public_address_stands_in_the_link_whatever_the_caller_calls_us() -> None:
    client = served(public_url="https://cds.example.org/base")
    found = links(client, critical_call(extension=...), Host="evil.example")
    assert [link["url"] for link in found if "rules" in link["url"]] == [
        "https://cds.example.org/base/knowledge/rules/CL-50"
    ]
    assert not any("evil" in link["url"] for link in found)


@pytest.mark.parametrize("settings", [{}, {"public_url": "https://cds.example.org", "pages": False}])
def test_there_is_no_link_where_there_is_no_page(settings: dict[str, object]) -> None:
    client = served(**settings)
    assert not any("knowledge" in link["url"] for link in links(client, critical_call(extension=...)))
    assert client.get("/knowledge").status_code == 404


def test_a_page_is_served_where_the_public_address_is_known() -> None:
    client = served(public_url="https://cds.example.org")
    assert client.get("/knowledge").status_code == 200
    assert client.get("/playground").status_code == 404


def test_an_answer_without_card_asks_for_no_link(client: FlaskClient) -> None:
    assert client.post(PATIENT_VIEW, json=healthy_call()).get_json()["cards"] == []


def test_content_is_read_when_a_page_first_needs_it(catalog: Catalog) -> None:
    reads: list[int] = []

    def read() -> object:
        reads.append(1)
        return read_shipped()

    parts = PageParts(
        catalog=catalog,
        read_content=read,  # type: ignore[arg-type]
        services=(),
        sandbox=False,
        examples=None,
        servers=(),
        fetch_for=lambda request: None,
        clock=lambda: NOW,
        new_id=counting_ids(),
        public_url="",
        smart_clients={},
        session=Session,
        frame_ancestors="",
        read_activity=None,
    )
    assert reads == []
    assert parts.content is parts.content
    assert reads == [1]
