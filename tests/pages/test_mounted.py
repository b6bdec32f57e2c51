"""A service below a path of its host: every address of its own holds the path, whether the proxy leaves it or not."""

import re
from pathlib import Path

import pytest
from flask.testing import FlaskClient

from cds_service.app import create_app
from cds_service.mounted import root_of
from cds_service.settings import read_settings
from cds_service.terminology.catalog import Catalog
from tests.calls import PATIENT_VIEW, critical_call
from tests.conftest import NOW, counting_ids
from tests.storage.databases import sqlite_at

HOST = "https://host.example"
OWN = re.compile(r'(?:href|src|action)="(/[^"#?]*)')
PAGES = ("/playground", "/knowledge", "/knowledge/rules", "/knowledge/rules/CL-50", "/knowledge/export", "/ops")


@pytest.fixture
def mounted(catalog: Catalog, tmp_path: Path) -> FlaskClient:
    url = sqlite_at(tmp_path / "journal.sqlite3")
    told = {"public_url": f"{HOST}/cds", "allow_unauthenticated": "yes-i-understand"}
    settings = read_settings({}, sandbox=True, database_url=url, **told)
    return create_app(settings, clock=lambda: NOW, new_id=counting_ids(), catalog=catalog).test_client()


def status(client: FlaskClient, address: str) -> int:
    answer = client.get(address)
    answer.close()
    return answer.status_code


def test_the_root_is_the_path_of_the_address() -> None:
    assert [root_of(each) for each in ("", HOST, f"{HOST}/cds", f"{HOST}/a/b")] == ["", "", "/cds", "/a/b"]


@pytest.mark.parametrize("before", ["", "/cds"])
@pytest.mark.parametrize("path", PAGES)
def test_every_address_on_a_page_lies_below_the_path_and_is_there(mounted: FlaskClient, path: str, before: str) -> None:
    answer = mounted.get(before + path)
    assert answer.status_code == 200
    own = set(OWN.findall(answer.get_data(as_text=True)))
    assert len(own) > 4
    for address in own:
        assert address.startswith("/cds/"), address
        assert status(mounted, address) == 200, address
        assert status(mounted, address.removeprefix("/cds")) == 200, "as a proxy that takes the path away asks"


@pytest.mark.parametrize("before", ["", "/cds"])
def test_a_call_is_answered_and_its_links_hold_the_path(mounted: FlaskClient, before: str) -> None:
    (card,) = mounted.post(before + PATIENT_VIEW, json=critical_call()).get_json()["cards"]
    own = [link["url"] for link in card["links"] if link["url"].startswith(HOST)]
    assert len(own) == 2
    for url in own:
        assert url.startswith(f"{HOST}/cds/")
        assert mounted.get(url.removeprefix(HOST)).status_code == 200


def test_what_only_begins_like_the_path_is_not_below_it(mounted: FlaskClient) -> None:
    assert mounted.get("/cdsx/knowledge").status_code == 404
    assert mounted.get("/cds-services").status_code == 200


def test_without_a_path_addresses_begin_at_the_host(client: FlaskClient) -> None:
    own = OWN.findall(client.get("/knowledge").get_data(as_text=True))
    assert not [address for address in own if address.startswith("/cds/")]


def test_the_start_page_leads_to_the_pages_that_are_on(mounted: FlaskClient, production: FlaskClient) -> None:
    led = re.findall(r'href="([^"]+)"', mounted.get("/").get_data(as_text=True))
    assert led == ["playground", "knowledge", "cds-services", "readyz"]
    assert [status(mounted, f"/cds/{each}") for each in led] == [200] * 4
    assert "playground" not in production.get("/").get_data(as_text=True)
