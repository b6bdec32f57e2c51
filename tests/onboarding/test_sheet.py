"""The registration sheet says what the service says, for each kind of EHR, as text and as a page."""

import json
import re
from dataclasses import replace
from html import unescape
from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from flask.testing import FlaskClient

from cds_service.app import create_app
from cds_service.cli import main
from cds_service.commands.registration import EHRS
from cds_service.hooks.profiles import PROFILES
from cds_service.hooks.services import services
from cds_service.onboarding.ehrs import known_ehrs
from cds_service.onboarding.sheet import Section, Sheet, Terms, filled_length, scopes_of, sheet
from cds_service.settings import read_settings
from cds_service.terminology.catalog import Catalog
from examples.regenerate import HERE, examples
from tests.calls import PATIENT_VIEW, critical_call
from tests.conftest import NOW

BASE = "https://cds.example.org/calcinosis"
TERMS = Terms(base=BASE, algorithms=("ES384", "RS384"), fhir_timeout_s=8)


def printed(runner: CliRunner, *arguments: str) -> Result:
    return runner.invoke(main, ["registration-sheet", *arguments], env={"CDS_PUBLIC_URL": None, "CDS_DATABASE_URL": ""})


def made(name: str, catalog: Catalog) -> Sheet:
    return sheet(name, catalog, services(catalog), TERMS)


def part(of: Sheet, title: str) -> Section:
    (found,) = [section for section in of.sections if section.title == title]
    return found


# ---- from the same source --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", EHRS)
def test_addresses_hooks_and_prefetch_are_those_of_the_discovery_document(
    name: str, catalog: Catalog, client: FlaskClient
) -> None:
    listed = client.get("/cds-services").get_json()["services"]
    ehr = known_ehrs()[0][name]
    fired = [service for service in listed if ehr.fires(service["hook"])]
    assert fired
    of = made(name, catalog)
    values = {(row[1], row[2]) for row in part(of, "Addresses").rows}
    for service in fired:
        assert (service["hook"], f"{BASE}/cds-services/{service['id']}") in values
        assert (("POST", f"{BASE}/cds-services/{service['id']}/feedback") in values) == ehr.feedback
    assert ("GET", f"{BASE}/cds-services") in values
    if ehr.prefetch:
        rows = {(row[0], row[1]) for row in part(of, "Prefetch").rows}
        assert rows == {(key, query) for service in fired for key, query in service["prefetch"].items()}
    assert of.content_version == listed[0]["extension"]["org.calcinosis-cds.knowledge"]["version"]


@pytest.mark.parametrize("name", EHRS)
def test_every_query_has_its_scope(name: str, catalog: Catalog) -> None:
    of = made(name, catalog)
    given = {(row[1], row[2]) for row in part(of, "Scopes").rows}
    ehr = known_ehrs()[0][name]
    fired = [service for service in services(catalog) if ehr.fires(service.hook)]
    asked = {wanted.query for service in fired for wanted in service.wanted} | {"Medication?_id=1"}
    assert given == {scopes_of(query) for query in asked}


def test_codes_topics_and_links_are_those_of_the_cards(catalog: Catalog) -> None:
    epic = made("epic", catalog)
    overrides = {row[0] for row in part(epic, "Override codes").rows}
    topics = {row[0] for row in part(epic, "Topics").rows}
    links = {row[0] for row in part(epic, "Links to allow").rows}
    seen = 0
    for example in examples():
        for card in json.loads((HERE / example.name / "response.json").read_text("utf-8")).get("cards", ()):
            seen += 1
            assert {reason["code"] for reason in card.get("overrideReasons", ())} <= overrides
            assert card["source"]["topic"]["code"] in topics
            assert {link["url"] for link in card.get("links", ())} <= links
    assert seen > 25


def test_the_links_of_cards_to_our_own_pages_are_on_the_list(catalog: Catalog) -> None:
    settings = {"public_url": BASE, "allow_unauthenticated": "yes-i-understand", "database_url": ""}
    smart = f"{BASE}/fhir=our-id"
    app = create_app(read_settings({}, **settings, smart_clients=smart), clock=lambda: NOW, catalog=catalog)
    (card,) = app.test_client().post(PATIENT_VIEW, json=critical_call()).get_json()["cards"]
    own = [link["url"] for link in card["links"] if link["url"].startswith(BASE)]
    assert len(own) == 2
    terms = replace(TERMS, pages=True, launched=True)
    listed = [row[0] for row in part(sheet("epic", catalog, services(catalog), terms), "Links to allow").rows]
    assert [url for url in own if not any(url.startswith(each) for each in listed)] == []


def test_epic_gets_a_key_for_every_test_that_cards_offer(catalog: Catalog) -> None:
    keys = {row[0] for row in part(made("epic", catalog), "Keys of the preference list").rows}
    offered = set()
    for example in examples():
        for card in json.loads((HERE / example.name / "response.json").read_text("utf-8")).get("cards", ()):
            for suggestion in card.get("suggestions", ()):
                for action in suggestion["actions"]:
                    if action["type"] == "create":
                        offered.add(action["resource"]["code"]["coding"][0]["code"])
    assert offered
    assert offered <= keys


def test_lengths_count_the_longest_id() -> None:
    assert filled_length("Patient/{{context.patientId}}") == len("Patient/") + 64
    assert filled_length("Encounter/{{context.encounterId}}") == len("Encounter/") + 64


def test_a_read_needs_less_than_a_search() -> None:
    assert scopes_of("Patient/{{context.patientId}}") == ("patient/Patient.read", "patient/Patient.r")
    assert scopes_of("Observation?patient=1&code=a/b") == ("patient/Observation.read", "patient/Observation.rs")


# ---- each kind of EHR ------------------------------------------------------------------------------------------------


def test_every_ehr_has_a_sheet_and_a_profile() -> None:
    ehrs, filters = known_ehrs()
    assert set(EHRS) == set(ehrs) <= set(PROFILES)
    assert filters.rows
    for ehr in ehrs.values():
        assert ehr.verified
        assert ehr.notes


def test_what_an_ehr_does_not_take_is_not_on_its_sheet(catalog: Catalog) -> None:
    titles = {name: {section.title for section in made(name, catalog).sections} for name in EHRS}
    assert "Prefetch" not in titles["oracle"]
    assert "Topics" not in titles["oracle"]
    assert [name for name in EHRS if "Keys of the preference list" in titles[name]] == ["epic"]


def test_oracle_is_told_its_issuer_and_keys(catalog: Catalog) -> None:
    values = {row[0]: row[1] for row in part(made("oracle", catalog), "Token of the client").rows}
    assert values["iss"] == "https://cds-hooks.cerner.com"
    assert values["header jku"] == "https://authorization.cerner.com/jwk"
    assert values["header alg"] == "ES384 or RS384"


# ---- as text and as a page -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", EHRS)
def test_the_text_holds_every_cell_on_lines_that_can_be_copied(name: str, runner: CliRunner, catalog: Catalog) -> None:
    shown = printed(runner, "--client", name, "--base", f"{BASE}/")
    assert shown.exit_code == 0, shown.output
    lines = [line.strip() for line in shown.output.splitlines()]
    of = made(name, catalog)
    for section in of.sections:
        assert section.title.upper() in lines
        for row in section.rows:
            for column, cell in zip(section.columns, row, strict=False):
                if column in section.code:
                    for piece in cell.split("\n"):
                        assert any(line.endswith(piece) for line in lines), (section.title, piece)
    assert [command for command in of.commands if command not in lines] == []
    assert len([line for line in lines if line.startswith("[ ] ")]) == len(of.checks) >= 8


@pytest.mark.parametrize("name", EHRS)
def test_the_page_holds_the_same_and_asks_nobody_for_anything(
    name: str, runner: CliRunner, catalog: Catalog, tmp_path: Path
) -> None:
    file = tmp_path / "sheets" / "sheet.html"
    assert printed(runner, "--client", name, "--base", BASE, "--html", str(file)).exit_code == 0
    page = file.read_text("utf-8")
    assert not re.search(r"<(script|img|link|iframe|object|form)\b|url\(|@import|\bon\w+=", page)
    assert set(re.findall(r'(?:href|src)="([^"]*)"', page)) == set(re.findall(r'href="(#[\w-]+)"', page))
    assert "default-src 'none'" in page
    text = unescape(re.sub(r"<[^>]+>", "", page.partition("<body>")[2]))
    of = made(name, catalog)
    for section in of.sections:
        for row in section.rows:
            assert [cell for cell in row if cell not in text] == []
    for words in (*of.checks, *of.commands, of.ehr.verified):
        assert words in text


def test_without_an_address_there_is_no_sheet(runner: CliRunner) -> None:
    told = printed(runner, "--client", "epic")
    assert (told.exit_code, told.stdout) == (2, "")
    assert "CDS_PUBLIC_URL" in told.output


def test_the_address_of_the_settings_is_taken(runner: CliRunner) -> None:
    env = {"CDS_PUBLIC_URL": BASE, "CDS_ALLOW_UNAUTHENTICATED": "yes-i-understand"}
    told = runner.invoke(main, ["registration-sheet", "--client", "epic"], env=env)
    assert f"{BASE}/cds-services" in told.output


def test_the_sandbox_needs_no_address(runner: CliRunner) -> None:
    assert "http://127.0.0.1:8000/cds-services" in printed(runner, "--client", "sandbox").output


def test_the_curl_line_of_the_sheet_works(runner: CliRunner, client: FlaskClient) -> None:
    told = printed(runner, "--client", "sandbox").output
    line = next(line for line in told.splitlines() if "--data-binary" in line)
    path, file = re.findall(r"127\.0\.0\.1:8000(\S+).*@(\S+)", line)[0]
    answer = client.post(path, data=(HERE.parent / file).read_bytes(), content_type="application/json")
    assert "89.2 mg2/dL2" in answer.get_json()["cards"][0]["summary"], "the check list says so"
