"""The page behind a card: the numbers of the card, all results, and nothing of the patient in an address."""

import html
import json
import os
import re
import shutil
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from flask.testing import FlaskClient

from cds_service.app import create_app
from cds_service.pages.shelf import LARGEST, MOST, Shelf
from cds_service.settings import read_settings
from cds_service.terminology.catalog import Catalog
from tests.calls import ASSESSMENT, AT, PATIENT_VIEW, bundle, calcium, call, critical_call, phosphate, prefetch
from tests.conftest import NOW, Notes, counting_ids
from tests.hooks.assessments import HOSTILE
from tests.pages.test_every_field import Page

EXAMPLES = Path(__file__).parents[2] / "examples"


def sample(name: str) -> Any:
    return json.loads((EXAMPLES / name / "request.json").read_text())


def fire(client: FlaskClient, request: Any) -> Any:
    answer = client.post(PATIENT_VIEW.replace("patient-view", request["hook"]), json=request)
    assert answer.status_code == 200, answer.get_data(as_text=True)
    return answer.get_json()


def link_of(answer: Any) -> str:
    (found,) = [link["url"] for link in answer["cards"][0]["links"] if "/app?look=" in link["url"]]
    return str(found).removeprefix("http://localhost")


def behind(client: FlaskClient, request: Any) -> str:
    answer = client.get(link_of(fire(client, request)))
    assert answer.status_code == 200
    return answer.get_data(as_text=True)


def words(page: str) -> str:
    return html.unescape(re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", page)))


# ---- the numbers -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["dialysis-rising-trend", "albumin-correction-critical", "si-units-above-70"])
def test_the_page_shows_the_numbers_of_the_card(client: FlaskClient, name: str) -> None:
    answer = fire(client, sample(name))
    a = answer["extension"][ASSESSMENT]
    page = words(client.get(link_of(answer)).get_data(as_text=True))
    assert answer["cards"][0]["summary"] in page
    product = a["product"]
    for value in (product["calcium"], product["phosphate"]):
        assert f"{value['value']} {value['unit']}" in page
        assert value["reference"] in page
    shown = re.search(r"Product: ([\d.]+) mg²/dL²", page)
    assert shown is not None
    assert round(float(shown[1]), 4) == product["value"]
    for earlier in (a["trend"] or {"previous": []})["previous"]:
        assert f"{earlier['value']:.10g}" in page
    for rule in a["rules"]:
        assert f" {rule} " in page


def test_the_pair_that_the_card_used_is_marked(client: FlaskClient) -> None:
    page = behind(client, sample("dialysis-rising-trend"))
    ringed = re.findall(r'<g class="dot pair"[^>]*aria-label="([^"]+)"', page)
    assert {label.split(" mg")[0] for label in ringed} == {
        "Total calcium 9.8",
        "Phosphate 9.1",
        "Calcium x phosphate 89.18",
    }
    assert all("used by the card" in label for label in ringed)


def test_all_results_are_shown_not_only_those_that_decide(client: FlaskClient) -> None:
    old = [calcium(9.0 + n / 10, id=f"old-{n}", effectiveDateTime=f"2025-0{n}-01T08:00:00+02:00") for n in range(1, 9)]
    page = behind(client, call(calcium(10.5), phosphate(7.5), *old))
    for n in range(1, 9):
        assert f"Observation/old-{n}" in page


def test_the_limits_are_drawn_at_55_and_70(client: FlaskClient) -> None:
    page = behind(client, critical_call())
    assert re.findall(r'class="guide-label"[^>]*>([^<]+)<', page) == ["55 mg²/dL²", "70 mg²/dL²"]


@pytest.mark.parametrize("name", ["refused-unit", "pending-phosphate", "ckd-values-400-days-old"])
def test_refused_pending_and_stale_values_are_shown_as_such(client: FlaskClient, name: str) -> None:
    answer = fire(client, sample(name))
    page = words(client.get(link_of(answer)).get_data(as_text=True))
    for gap in answer["extension"][ASSESSMENT]["gaps"]:
        assert gap["reason"] in page
        assert html.unescape(gap["detail"]) in page
    if name.startswith("ckd-values"):
        assert "too old to count" in page


def test_medicines_and_dialysis_are_on_the_page(client: FlaskClient) -> None:
    assert "hemodialysis" in behind(client, sample("dialysis-rising-trend")).lower()
    assert "arfarin" in behind(client, sample("dialysis-55-to-70-warfarin"))


@pytest.mark.parametrize("name", sorted(path.parent.name for path in EXAMPLES.glob("*/request.json")))
def test_every_sample_with_a_card_has_its_page(client: FlaskClient, name: str) -> None:
    answer = fire(client, sample(name))
    if answer["cards"]:
        page = client.get(link_of(answer))
        assert page.status_code == 200
        assert " style=" not in page.get_data(as_text=True)


def test_the_page_stands_at_the_time_of_the_call(client: FlaskClient) -> None:
    assert f"evaluated {AT[:10]} {AT[11:16]}" in behind(client, critical_call())


def test_hostile_text_of_the_chart_stays_text(client: FlaskClient) -> None:
    marked = calcium(10.5, note=[{"text": HOSTILE}])
    marked["valueQuantity"]["unit"] = HOSTILE
    odd = calcium(11, id="odd")
    odd["valueQuantity"]["unit"] = odd["valueQuantity"]["code"] = HOSTILE
    condition = {
        "resourceType": "Condition",
        "id": "c1",
        "subject": {"reference": "Patient/x1"},
        "code": {
            "text": HOSTILE,
            "coding": [{"system": "http://snomed.info/sct", "code": "46177005", "display": HOSTILE}],
        },
    }
    request = call(marked, odd, phosphate(7.5))
    request["prefetch"] = prefetch(marked, odd, phosphate(7.5), conditions=bundle(condition))
    page = behind(client, request)
    assert "<img" not in page.replace('<img src="/assets/icon.svg"', "")
    assert "&lt;img" in page
    assert Page(page).alive == []


# ---- the link --------------------------------------------------------------------------------------------------------


def test_the_link_holds_nothing_of_the_patient(client: FlaskClient) -> None:
    assert re.fullmatch(r"/app\?look=[0-9a-f-]{36}", link_of(fire(client, critical_call())))


def test_a_link_ends_after_a_quarter_of_an_hour(catalog: Catalog) -> None:
    at = [NOW]
    settings = read_settings({}, sandbox=True, database_url="")
    app = create_app(settings, clock=lambda: at[0], new_id=counting_ids(), catalog=catalog, journal=Notes())
    client = app.test_client()
    link = link_of(fire(client, critical_call()))
    at[0] = NOW + timedelta(minutes=15)
    assert client.get(link).status_code == 200
    at[0] = NOW + timedelta(minutes=15, seconds=1)
    ended = client.get(link)
    assert ended.status_code == 404
    assert "Fire the hook again" in ended.get_data(as_text=True)


@pytest.mark.parametrize("key", ["", "x", "..%2f..%2fetc%2fpasswd", "00000000-0000-4000-8000-999999999999"])
def test_what_never_was_a_key_shows_nothing(client: FlaskClient, key: str) -> None:
    assert client.get(f"/app?look={key}").status_code in (200, 404)
    assert "Patient/" not in client.get(f"/app?look={key}").get_data(as_text=True)


def test_a_call_with_a_token_is_not_kept(client: FlaskClient) -> None:
    authorization = {
        "access_token": "t",
        "token_type": "Bearer",
        "expires_in": 300,
        "scope": "patient/*.read",
        "subject": "s",
    }
    server = {"fhirServer": "http://127.0.0.1:1/fhir", "fhirAuthorization": authorization}
    links = fire(client, critical_call(**server))["cards"][0]["links"]
    assert not any("look=" in link["url"] for link in links)


def test_outside_the_sandbox_no_call_is_kept(catalog: Catalog) -> None:
    settings = read_settings(
        {}, database_url="", public_url="https://cds.example.org", allow_unauthenticated="yes-i-understand"
    )
    client = create_app(
        settings, clock=lambda: NOW, new_id=counting_ids(), catalog=catalog, journal=Notes()
    ).test_client()
    links = fire(client, critical_call(extension=...))["cards"][0]["links"]
    assert not any("/app" in link["url"] for link in links)
    assert client.get("/app").status_code == 404


# ---- the shelf -------------------------------------------------------------------------------------------------------


class Clock:
    now = NOW

    def __call__(self) -> datetime:
        return self.now


def shelf(clock: Clock) -> Shelf:
    return Shelf(counting_ids(), clock, timedelta(minutes=15))


def folder_of(kept: Shelf) -> Path:
    return kept._folder


def test_what_is_kept_can_be_had_by_key_and_taken_once() -> None:
    kept = shelf(Clock())
    key = kept.put(b"x")
    assert key is not None
    assert kept.get(key) == b"x"
    assert kept.take(key) == b"x"
    assert kept.take(key) is None
    assert kept.get(key) is None


def test_only_this_user_can_look_into_the_folder() -> None:
    assert folder_of(shelf(Clock())).stat().st_mode & 0o077 == 0


def test_what_is_old_is_taken_away_with_the_next_put() -> None:
    clock = Clock()
    kept = shelf(clock)
    kept.put(b"old")
    clock.now = NOW + timedelta(hours=1)
    kept.put(b"new")
    assert [path.read_bytes() for path in folder_of(kept).iterdir()] == [b"new"]


def test_the_shelf_does_not_grow_without_end() -> None:
    kept = shelf(Clock())
    for _ in range(MOST + 5):
        assert kept.put(b"x") is not None
    assert len(list(folder_of(kept).iterdir())) <= MOST
    assert kept.put(b"x" * (LARGEST + 1)) is None


def test_the_folder_goes_with_its_shelf_but_not_with_that_of_a_forked_worker() -> None:
    kept = shelf(Clock())
    folder = folder_of(kept)
    child = os.fork()
    if child == 0:
        del kept
        os._exit(0)
    os.waitpid(child, 0)
    assert folder.is_dir()
    del kept
    assert not folder.exists()


def test_the_folder_of_a_killed_process_is_swept_by_the_next() -> None:
    dead = os.fork()
    if dead == 0:
        os._exit(0)
    os.waitpid(dead, 0)
    place = folder_of(shelf(Clock())).parent
    left = place / f"calcinosis-cds-{dead}-left"
    left.mkdir()
    living = shelf(Clock())
    assert not left.exists()
    assert folder_of(living).is_dir()


def test_a_folder_that_is_gone_costs_the_link_not_the_call() -> None:
    kept = shelf(Clock())
    key = kept.put(b"x")
    shutil.rmtree(folder_of(kept))
    assert kept.put(b"y") is None
    assert key is not None
    assert kept.get(key) is None
    assert kept.take(key) is None
