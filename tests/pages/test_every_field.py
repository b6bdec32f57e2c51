"""Markup in any word of a chart or of a draft order comes alive neither on a card nor on the page behind it."""

import json
import re
from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest
from flask.testing import FlaskClient

from cds_service.app import create_app
from cds_service.settings import read_settings
from cds_service.terminology.catalog import Catalog
from tests.calls import PATIENT_VIEW
from tests.conftest import NOW, Notes, counting_ids

EXAMPLES = Path(__file__).parents[2] / "examples"
BASE = "http://localhost"
HOSTILE = '"><img src=x onerror=hit()><script>hit()</script> [a](javascript:hit()) `b` | c'
# what is shown as it came; the rest decides what is found, so that a changed code would only hide the value
SHOWN = {"text", "display", "unit", "title", "comment", "note", "patientInstruction", "family", "comparator"}
SAMPLES = sorted(path.parent.name for path in EXAMPLES.glob("*/request.json"))


class Page(HTMLParser):
    """Counts what could come alive."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.alive: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = {name: value or "" for name, value in attrs}
        self.alive += [f"{tag} {name}" for name in given if name.startswith("on") or name in ("style", "srcdoc")]
        self.alive += [f"{tag} {value}" for value in given.values() if value.strip().lower().startswith("javascript:")]
        foreign = tag in ("script", "img", "link") and not (given.get("src") or given.get("href", "")).startswith("/")
        self.alive += [tag] if foreign or tag in ("iframe", "object", "embed", "form", "base") else []


def spoilt(value: Any, name: str = "") -> Any:
    if isinstance(value, dict):
        return {key: spoilt(each, key) for key, each in value.items()}
    if isinstance(value, list):
        return [spoilt(each, name) for each in value]
    return f"{value}{HOSTILE}" if name in SHOWN and isinstance(value, str) else value


def texts(value: Any) -> Iterator[str]:
    children = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    for each in children:
        yield from texts(each)
    if isinstance(value, str):
        yield value


@pytest.fixture(scope="module")
def client(catalog: Catalog) -> FlaskClient:
    settings = read_settings({}, sandbox=True, database_url="", public_url=BASE)
    return create_app(
        settings, clock=lambda: NOW, new_id=counting_ids(), catalog=catalog, journal=Notes()
    ).test_client()


@pytest.mark.parametrize("name", SAMPLES)
def test_hostile_words_stay_words_on_the_card_and_the_page(client: FlaskClient, name: str) -> None:
    request = spoilt(json.loads((EXAMPLES / name / "request.json").read_bytes()))
    assert "onerror" in json.dumps(request)
    answer = client.post(PATIENT_VIEW.replace("patient-view", request["hook"]), json=request)
    assert answer.status_code == 200
    for card in answer.get_json()["cards"]:
        said = {key: each for key, each in card.items() if key not in ("extension", "links", "suggestions")}
        labels = [each["label"] for each in card.get("suggestions", ())]
        for text in [*texts(said), *labels]:
            assert not re.search(r"<|`|\]\(javascript", text), text
        for link in card.get("links", ()):
            if "/app?look=" in link["url"]:
                page = client.get(link["url"].removeprefix(BASE))
                assert page.status_code == 200
                assert "hit()" in page.text  # it is shown, as words
                assert Page(page.text).alive == []


def test_the_search_would_notice_what_comes_alive() -> None:
    assert len(Page(f'<p title="{HOSTILE}"></p><a href="javascript:x">b</a>').alive) >= 4
