"""The playground's own addresses, without a browser."""

import json
from pathlib import Path

import pytest
import responses
from flask.testing import FlaskClient

from cds_service.app import create_app
from cds_service.fhir.gather import Wanted, query_for
from cds_service.pages.samples import samples_in, shipped_examples
from cds_service.settings import read_settings
from cds_service.terminology.catalog import Catalog
from tests.calls import PATIENT_VIEW
from tests.conftest import NOW, Notes, counting_ids

ROOT = Path(__file__).parents[2]
SERVER = "https://fhir.example.org/r4"


def fill(client: FlaskClient, **changes: str) -> tuple[int, dict[str, object]]:
    wish = {"fhirServer": SERVER, "patientId": "p1", **changes}
    answer = client.post("/playground/fill", json=wish)
    told: dict[str, object] = json.loads(answer.data)
    return answer.status_code, told


def test_the_playground_is_there_in_sandbox_mode_only(client: FlaskClient, production: FlaskClient) -> None:
    assert client.get("/playground").status_code == 200
    for path in ("/playground", "/playground/patients/healthy", "/assets/style.css"):
        assert production.get(path).status_code == 404


def test_a_page_loads_nothing_but_files_of_its_own(client: FlaskClient) -> None:
    answer = client.get("/playground")
    policy = dict(part.strip().split(" ", 1) for part in answer.headers["Content-Security-Policy"].split(";"))
    assert policy["default-src"] == "'none'"
    assert policy["script-src"] == policy["style-src"] == policy["connect-src"] == "'self'"
    assert "unsafe" not in answer.headers["Content-Security-Policy"]
    assert answer.headers["Cache-Control"] == "no-store"
    assert answer.headers["Referrer-Policy"] == "no-referrer"
    text = answer.get_data(as_text=True)
    assert "http://" not in text.split('<script type="application/json"')[0].replace("http://127.0.0.1:8080/fhir", "")
    assert " style=" not in text
    assert " onclick=" not in text


def test_every_bundled_patient_is_offered_with_its_line() -> None:
    folder = shipped_examples()
    assert folder == ROOT / "examples"
    assert {sample.id for sample in samples_in(folder)} == {path.parent.name for path in folder.glob("*/request.json")}
    assert samples_in(None) == ()


def test_a_patient_is_given_as_it_lies_in_the_folder(client: FlaskClient) -> None:
    given = client.get("/playground/patients/healthy")
    assert given.get_json() == json.loads((ROOT / "examples" / "healthy" / "request.json").read_text())
    for name in ("nobody", "..%2fhealthy", "."):
        assert client.get(f"/playground/patients/{name}").status_code == 404


def test_a_server_that_may_not_be_read_is_not_asked(client: FlaskClient) -> None:
    with responses.RequestsMock():  # fails on any request
        status, told = fill(client)
    assert status == 403
    assert "CDS_FHIR_SERVERS" in str(told["problem"])


@pytest.mark.parametrize(
    "server", ["file:///etc/passwd", "http://u:p@127.0.0.1/", "no-address", "http://127.0.0.1?x=1"]
)
def test_what_is_no_address_of_a_server_is_refused(client: FlaskClient, server: str) -> None:
    status, told = fill(client, fhirServer=server)
    assert status == 400
    assert "fhirServer" in str(told["problem"])
    assert server not in str(told["problem"])


def test_a_page_of_another_site_cannot_have_servers_read(client: FlaskClient) -> None:
    # a form or a script without permission can only send these types
    for kind in ("text/plain", "application/x-www-form-urlencoded", "multipart/form-data"):
        assert client.post("/playground/fill", data=b"{}", content_type=kind).status_code == 415
    assert (
        "Access-Control-Allow-Origin"
        not in client.post("/playground/fill", json={}, headers={"Origin": "http://localhost:1"}).headers
    )


def test_every_template_is_filled_and_pages_are_joined(catalog: Catalog) -> None:
    app = create_app(
        read_settings({}, sandbox=True, database_url="", fhir_servers=SERVER),
        clock=lambda: NOW,
        new_id=counting_ids(),
        catalog=catalog,
        journal=Notes(),
    )
    client = app.test_client()
    services = client.get("/cds-services").get_json()["services"]
    templates = next(each for each in services if PATIENT_VIEW.endswith(each["id"]))["prefetch"]
    page = {
        "resourceType": "Bundle",
        "type": "searchset",
        "entry": [{"resource": {"resourceType": "Basic", "id": "1"}}],
    }
    with responses.RequestsMock() as server:
        for key, template in templates.items():
            if "encounterId" in template:
                continue
            asked = query_for(Wanted.of(key, template), "p1", None)
            address = f"{SERVER}/{asked.text}" + (f"&{asked.wishes}" if asked.wishes else "")
            if key == "conditions":
                following = {**page, "link": [{"relation": "next", "url": f"{SERVER}/more"}]}
                server.get(address, json=following)
                server.get(f"{SERVER}/more", json=page)
            elif key == "procedures":
                server.get(address, status=403)
            else:
                server.get(address, json=page)
        status, told = fill(client)
    assert status == 200
    request = told["request"]
    assert isinstance(request, dict)
    expected = {key for key in templates if "encounterId" not in templates[key]} - {"procedures"}
    assert request["prefetch"].keys() == expected
    assert len(request["prefetch"]["conditions"]["entry"]) == 2
    assert "link" not in request["prefetch"]["conditions"]
    assert told["failed"] == ["procedures (the FHIR server answered with status 403)"]
    assert "fhirAuthorization" not in request
