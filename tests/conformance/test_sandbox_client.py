"""The public CDS Hooks Sandbox as a client, imitated from its source: fires what it fires, reads what it reads.

It cannot be installed (no package of it exists); what is known of it stands in its class below.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, urlencode

import pytest
import requests
from flask.testing import FlaskClient

from cds_service.app import create_app
from cds_service.settings import read_settings
from cds_service.terminology.catalog import Catalog
from cds_service.trust.jwks import SANDBOX_ISSUER
from tests.calls import INSTANCE, Json
from tests.conftest import NOW, counting_ids
from tests.ehr import Ehr, running
from tests.storage.databases import sqlite_at
from tests.trust.keys import claims, ec_key, key_set, public, signed

ORIGIN = "http://localhost:8080"
BASE = "http://127.0.0.1:8000"
TODAY = re.compile(r"\{\{today\(\)[^}]*\}\}")


@dataclass
class Sandbox:
    """What the Sandbox does with a service.

    It runs in a browser, so it asks before each call whether it may (CORS). It signs each call with one ES384 key. It
    knows services by their address, so two with one id would be one. It reads the patient by GET and searches by POST
    to _search, then by GET; it decodes a query and encodes it again, by which a parameter that stands twice becomes
    one with a comma; a key whose token it cannot fill is left out. It never knows an encounter. Its FHIR server is
    open, so there is no fhirAuthorization. It draws the detail with HTML in it, and greys out links of type smart.
    """

    service: FlaskClient
    ehr: Ehr
    listed: dict[str, Json] = field(default_factory=dict)

    def headers(self, path: str) -> dict[str, str]:
        token = signed(claims(path, iss=SANDBOX_ISSUER, aud=BASE + path))
        return {"Authorization": f"Bearer {token}", "Origin": ORIGIN}

    def may(self, path: str, method: str) -> None:
        asked = {
            "Access-Control-Request-Method": method,
            "Access-Control-Request-Headers": "authorization,content-type",
        }
        answer = self.service.options(path, headers={"Origin": ORIGIN, **asked})
        assert answer.status_code in {200, 204}
        assert answer.headers["Access-Control-Allow-Origin"] in {ORIGIN, "*"}
        assert method in answer.headers["Access-Control-Allow-Methods"]
        allowed = answer.headers["Access-Control-Allow-Headers"].lower()
        assert "authorization" in allowed
        assert "content-type" in allowed

    def discover(self) -> None:
        self.may("/cds-services", "GET")
        answer = self.service.get("/cds-services", headers=self.headers("/cds-services"))
        assert answer.headers["Access-Control-Allow-Origin"] == ORIGIN
        for entry in answer.get_json()["services"]:
            self.listed[f"/cds-services/{entry['id']}"] = entry

    def prefetch(self, templates: dict[str, str], patient: str) -> Json:
        found: Json = {}
        for key, template in templates.items():
            query = template.replace("{{context.patientId}}", patient)
            query = TODAY.sub("2026-01-01", query.replace("{{context.userId}}", "Practitioner/COREPRACTITIONER1"))
            if "{{" in query:
                continue
            answer = self._read(query)
            if answer.ok:
                found[key] = answer.json()
        return found

    def _read(self, query: str) -> requests.Response:
        kind, _, search = query.partition("?")
        if not search:
            return requests.get(f"{self.ehr.url}/{kind}", timeout=5)
        joined: dict[str, str] = {}
        for name, value in parse_qsl(search):
            joined[name] = f"{joined[name]},{value}" if name in joined else value
        posted = requests.post(f"{self.ehr.url}/{kind}/_search", data=joined, timeout=5)
        return posted if posted.ok else requests.get(f"{self.ehr.url}/{kind}?{urlencode(joined)}", timeout=5)

    def fire(self, hook: str, patient: str = "x1", **context: Any) -> list[Json]:
        """Call every service of the hook and read its cards as the Sandbox does."""
        cards: list[Json] = []
        for path, entry in self.listed.items():
            if entry["hook"] == hook:
                self.may(path, "POST")
                body = {
                    "hookInstance": INSTANCE,
                    "hook": hook,
                    "fhirServer": self.ehr.url,
                    "context": {"userId": "Practitioner/COREPRACTITIONER1", "patientId": patient, **context},
                    "prefetch": self.prefetch(entry.get("prefetch", {}), patient),
                }
                answer = self.service.post(path, json=body, headers=self.headers(path))
                assert answer.status_code == 200, answer.text
                assert answer.headers["Access-Control-Allow-Origin"] == ORIGIN
                cards += answer.get_json()["cards"]
        return cards


@pytest.fixture
def sandbox(catalog: Catalog, tmp_path: Path) -> Iterator[Sandbox]:
    """The Sandbox beside a service in sandbox mode that knows it as a client with the profile of its name."""
    (tmp_path / "keys.json").write_text(key_set(public(ec_key())))
    (tmp_path / "tenants.toml").write_text(
        f'[clients.sandbox]\nissuers = ["{SANDBOX_ISSUER}"]\njwks_file = "keys.json"\nprofile = "sandbox"\n'
    )
    settings = read_settings(
        {},
        sandbox=True,
        database_url=sqlite_at(tmp_path / "journal.sqlite3"),
        tenants_file=str(tmp_path / "tenants.toml"),
        public_url=BASE,
    )
    app = create_app(settings, clock=lambda: NOW, new_id=counting_ids(), catalog=catalog)
    with running() as ehr, app.test_client() as service:
        client = Sandbox(service, ehr)
        client.discover()
        yield client


def drawn(card: Json) -> None:
    """What the Sandbox needs to draw a card without an error in its console."""
    assert isinstance(card["summary"], str)
    assert card["indicator"] in {"info", "warning", "critical"}
    assert isinstance(card["source"]["label"], str)
    assert not re.search(r"<[a-z/!]", card["detail"], re.IGNORECASE), "it would become live"
    for link in card.get("links", ()):
        assert link["type"] == "absolute", "a smart link would be grey"
    for suggestion in card.get("suggestions", ()):
        assert suggestion["uuid"]
        assert suggestion["label"]
    for reason in card.get("overrideReasons", ()):
        assert reason["code"]
        assert reason["system"]
        assert reason["display"]
    assert card["uuid"], "no feedback would come"


def test_it_lists_every_service_by_its_address(sandbox: Sandbox, offered: list[Json]) -> None:
    assert len(sandbox.listed) == len(offered)


def test_an_opened_chart_shows_the_card(sandbox: Sandbox) -> None:
    (card,) = sandbox.fire("patient-view")
    drawn(card)
    assert card["indicator"] == "critical"
    assert "78.8 mg2/dL2" in card["summary"]


def test_what_it_could_not_prefetch_is_read_from_its_open_server(sandbox: Sandbox) -> None:
    for entry in sandbox.listed.values():
        entry["prefetch"] = {"patient": entry["prefetch"]["patient"]}
    sandbox.ehr.asked.clear()
    (card,) = sandbox.fire("patient-view")
    assert card["indicator"] == "critical"
    assert {asked.token for asked in sandbox.ehr.asked if asked.method == "GET"} == {None}


def test_a_patient_whom_its_server_does_not_know_is_an_error_that_it_can_read(sandbox: Sandbox) -> None:
    path = next(iter(sandbox.listed))
    context = {"userId": "Practitioner/COREPRACTITIONER1", "patientId": "nobody"}
    body = {"hookInstance": INSTANCE, "hook": "patient-view", "fhirServer": sandbox.ehr.url, "context": context}
    answer = sandbox.service.post(path, json=body, headers=sandbox.headers(path))
    assert answer.status_code == 412
    assert answer.headers["Access-Control-Allow-Origin"] == ORIGIN
    assert answer.get_json()["resourceType"] == "OperationOutcome"


DRAFTS: list[Json] = [
    {
        "resourceType": "MedicationRequest",
        "id": "request-123",
        "status": "draft",
        "subject": {"reference": "Patient/x1"},
    },
    {
        "resourceType": "MedicationRequest",
        "id": "request-123",
        "status": "draft",
        "intent": "order",
        "category": {"coding": [{"code": "outpatient"}]},
        "subject": {"reference": "Patient/x1"},
        "medicationCodeableConcept": {"text": "calcitriol 0.25 MCG Oral Capsule", "coding": [{"code": "308867"}]},
        "dosageInstruction": [{"doseAndRate": [{"doseQuantity": {"value": 1, "code": "{pill}"}}]}],
    },
]


@pytest.mark.parametrize("draft", DRAFTS)
@pytest.mark.parametrize("hook", ["order-select", "order-sign"])
def test_an_order_that_is_only_begun_is_taken(sandbox: Sandbox, hook: str, draft: Json) -> None:
    if hook not in {entry["hook"] for entry in sandbox.listed.values()}:
        pytest.skip(f"no service of {hook}")
    context: Json = {"draftOrders": {"resourceType": "Bundle", "entry": [{"resource": draft}]}}
    if hook == "order-select":
        context["selections"] = ["MedicationRequest/request-123"]
    for card in sandbox.fire(hook, **context):
        drawn(card)


def test_a_dismissed_or_accepted_card_is_told(sandbox: Sandbox) -> None:
    path = next(path for path, entry in sandbox.listed.items() if entry["hook"] == "patient-view")
    (card,) = sandbox.fire("patient-view")
    address = f"{path}/feedback"
    reason = {name: card["overrideReasons"][0][name] for name in ("code", "system")}
    dismissed = {"outcome": "overridden", "overrideReason": {"reason": reason}}
    accepted = {"outcome": "accepted", "acceptedSuggestions": [{"id": card["suggestions"][0]["uuid"]}]}
    for outcome in (dismissed, accepted):
        item = {"card": card["uuid"], "outcomeTimestamp": "2026-10-12T08:30:00.123Z", **outcome}
        sandbox.may(address, "POST")
        answer = sandbox.service.post(address, json={"feedback": [item]}, headers=sandbox.headers(address))
        assert 200 <= answer.status_code < 300, answer.text
        assert answer.headers["Access-Control-Allow-Origin"] == ORIGIN
