"""HTTP itself: methods, exact addresses, media types, pages of browsers, time."""

import gzip
import json
import socket
import time
from pathlib import Path

import pytest
from flask.testing import FlaskClient

from cds_service.app import create_app
from cds_service.settings import read_settings
from cds_service.terminology.catalog import Catalog
from tests.calls import Json
from tests.conformance.conftest import path_of, request_of, told
from tests.conftest import NOW
from tests.test_app import serving

ORIGIN = "http://localhost:8081"
PREFLIGHT = {
    "Origin": ORIGIN,
    "Access-Control-Request-Method": "POST",
    "Access-Control-Request-Headers": "authorization, content-type",
}


def test_ch_128_a_page_may_ask_first_without_credentials(client: FlaskClient, offered: list[Json]) -> None:
    for path in ["/cds-services", *map(path_of, offered)]:
        answer = client.options(path, headers=PREFLIGHT)
        assert answer.status_code == 200
        assert answer.headers["Access-Control-Allow-Origin"] == ORIGIN
        allowed = {name.strip() for name in answer.headers["Access-Control-Allow-Headers"].lower().split(",")}
        assert allowed == {"authorization", "content-type"}
        assert {"GET", "POST"} & set(answer.headers["Access-Control-Allow-Methods"].split(", "))


def test_ch_129_answers_and_errors_name_the_origin(client: FlaskClient, offered: list[Json]) -> None:
    headers = {"Origin": ORIGIN}
    for each in offered:
        for answer in (
            client.get("/cds-services", headers=headers),
            client.post(path_of(each), json=request_of(each), headers=headers),
            client.post(path_of(each), json={}, headers=headers),
            client.post(path_of(each), json=request_of(each, prefetch={}), headers=headers),
            client.post(path_of(each), data=b"{}", content_type="text/plain", headers=headers),
            client.post("/cds-services/other", json={}, headers=headers),
            client.delete(path_of(each), headers=headers),
        ):
            assert answer.headers["Access-Control-Allow-Origin"] == ORIGIN
            assert "Origin" in answer.headers["Vary"]


def test_ch_129_a_failure_of_ours_names_the_origin_too(catalog: Catalog, offered: list[Json]) -> None:
    asked: list[str] = []

    def no_id_for_a_card() -> str:
        asked.append("id")
        if len(asked) == 1:
            raise ZeroDivisionError
        return "incident-1"

    settings = read_settings({}, sandbox=True, database_url="")
    app = create_app(settings, clock=lambda: NOW, new_id=no_id_for_a_card, catalog=catalog)
    answer = app.test_client().post(path_of(offered[0]), json=request_of(offered[0]), headers={"Origin": ORIGIN})
    assert answer.status_code == 500
    assert answer.headers["Access-Control-Allow-Origin"] == ORIGIN
    assert "cards" not in answer.get_json()


@pytest.mark.parametrize("origin", ["https://evil.example", "http://localhost.evil.example", "null"])
def test_rb_06_foreign_pages_get_no_permission_and_nobody_is_asked_for_credentials(
    client: FlaskClient, origin: str
) -> None:
    foreign = client.get("/cds-services", headers={"Origin": origin}).headers
    assert "Access-Control-Allow-Origin" not in foreign
    own = client.get("/cds-services", headers={"Origin": ORIGIN}).headers
    assert own["Access-Control-Allow-Origin"] == ORIGIN
    assert "Access-Control-Allow-Credentials" not in own


def test_ch_130_nearly_all_calls_are_answered_within_half_a_second(client: FlaskClient, offered: list[Json]) -> None:
    for each in offered:
        took = []
        for _ in range(30):
            started = time.perf_counter()
            assert client.post(path_of(each), json=request_of(each)).status_code == 200
            took.append(time.perf_counter() - started)
        assert sorted(took)[28] < 0.5


def test_rb_12_an_unknown_service_is_404(client: FlaskClient, offered: list[Json]) -> None:
    answer = client.post("/cds-services/other", json=request_of(offered[0]))
    assert answer.status_code == 404
    assert answer.get_json()["resourceType"] == "OperationOutcome"


@pytest.mark.parametrize("charset", ["", "; charset=utf-8", ";charset=UTF-8", '; charset="utf-8"'])
def test_rb_19_a_charset_is_taken(client: FlaskClient, offered: list[Json], charset: str) -> None:
    for each in offered:
        body = json.dumps(request_of(each))
        assert told(client.post(path_of(each), data=body, content_type=f"application/json{charset}"))


@pytest.mark.parametrize("form", ["text/plain", "application/fhir+json", "application/x-www-form-urlencoded", ""])
def test_rb_19_other_media_types_are_415(client: FlaskClient, offered: list[Json], form: str) -> None:
    for each in offered:
        assert client.post(path_of(each), data=json.dumps(request_of(each)), content_type=form).status_code == 415


def test_rb_19_a_compressed_body_is_not_unfolded(client: FlaskClient, offered: list[Json]) -> None:
    bomb = gzip.compress(b"0" * 10_000_000)
    headers = {"Content-Type": "application/json", "Content-Encoding": "gzip"}
    assert client.post(path_of(offered[0]), data=bomb, headers=headers).status_code == 415


def test_rb_20_each_address_tells_its_methods(client: FlaskClient, offered: list[Json]) -> None:
    for path, right, wrong in [
        ("/cds-services", {"GET", "HEAD", "OPTIONS"}, ("POST", "PUT", "PATCH", "DELETE")),
        *((path_of(each), {"POST", "OPTIONS"}, ("GET", "PUT", "PATCH", "DELETE")) for each in offered),
    ]:
        options = client.options(path)
        assert (options.status_code, set(options.headers["Allow"].split(", "))) == (200, right)
        for method in wrong:
            answer = client.open(path, method=method)
            assert answer.status_code == 405, (path, method)
            assert set(answer.headers["Allow"].split(", ")) == right
    head = client.head("/cds-services")
    assert (head.status_code, head.data) == (200, b"")
    assert client.head(path_of(offered[0])).status_code == 405


def test_rb_20_an_address_fits_or_is_unknown_and_is_never_a_redirect(client: FlaskClient, offered: list[Json]) -> None:
    near = ["/cds-services/", "/cds-services//", "/CDS-Services"]
    near += [path for each in offered for path in (f"{path_of(each)}/", f"/cds-services//{each['id']}")]
    for path in near:
        for answer in (client.get(path), client.post(path, json=request_of(offered[0]))):
            assert answer.status_code == 404, path
            assert "Location" not in answer.headers


def test_rb_21_chunked_bodies_and_expect_are_understood(tmp_path: Path, offered: list[Json]) -> None:
    body = json.dumps(request_of(offered[0])).encode()
    head = f"POST {path_of(offered[0])} HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
    head += "Connection: close\r\nTransfer-Encoding: chunked\r\nExpect: 100-continue\r\n\r\n"
    parts = [body[start : start + 1000] for start in range(0, len(body), 1000)]
    with serving(tmp_path) as (port, _), socket.create_connection(("127.0.0.1", port), timeout=20) as caller:
        caller.sendall(head.encode())
        for part in parts:
            caller.sendall(f"{len(part):x}\r\n".encode() + part + b"\r\n")
        caller.sendall(b"0\r\n\r\n")
        given = b""
        while piece := caller.recv(65536):
            given += piece
    assert b"HTTP/1.1 200" in given
    assert b'"cards":[{' in given


def test_rb_22_no_error_tells_of_the_inside(client: FlaskClient, offered: list[Json]) -> None:
    for body in (b"{", b"[1", b"\xff", b'{"hook": 1}', b"{}"):
        answer = client.post(path_of(offered[0]), data=body, content_type="application/json")
        assert answer.status_code == 400
        for word in ("Traceback", "File ", ".py", "msgspec", "flask", "/cds_service"):
            assert word not in answer.text
