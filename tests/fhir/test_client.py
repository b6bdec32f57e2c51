"""Reading from the EHR's FHIR server over HTTP."""

import json
import socketserver
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler
from typing import Any

import pytest
import requests
import responses

from cds_service.fhir.client import FhirServer, Limits, is_allowed
from cds_service.fhir.gather import Fetched, MissingData, Query, Wanted, gather
from cds_service.outgoing.session import new_session
from tests.builders import bundle, condition, observation, patient

BASE = "https://ehr.example.org/fhir"
TOKEN = "t0ken"  # noqa: S105 - a made-up token
ASK = Query("conditions", "Condition?patient=x1")
LARGE = "&_count=500"
NEWEST = f"&_sort=-date{LARGE}"


def one(limits: Limits | None = None, query: Query = ASK, base: str = BASE, token: str | None = TOKEN) -> Fetched:
    (fetched,) = FhirServer(base, token, new_session(), limits).read([query])
    return fetched


def page(*resources: Any, following: str | None = None) -> dict[str, Any]:
    return bundle(*resources, link=[{"relation": "next", "url": following}] if following else ...)


@pytest.fixture
def ehr() -> Iterator[responses.RequestsMock]:
    with responses.RequestsMock(assert_all_requests_are_fired=False) as mocked:
        yield mocked


def test_a_query_is_one_get_with_token_and_accept(ehr: responses.RequestsMock) -> None:
    ehr.get(f"{BASE}/Condition?patient=x1", json=page(condition()))
    fetched = one()
    assert (len(fetched.pages), fetched.failure) == (1, None)
    sent = ehr.calls[0].request
    assert sent.headers["Authorization"] == f"Bearer {TOKEN}"
    assert sent.headers["Accept"] == "application/fhir+json"
    assert sent.url == f"{BASE}/Condition?patient=x1"


def test_an_open_server_is_read_without_a_header(ehr: responses.RequestsMock) -> None:
    ehr.get(f"{BASE}/Condition?patient=x1", json=page())
    assert one(token=None).failure is None
    assert "Authorization" not in ehr.calls[0].request.headers


@pytest.mark.parametrize("plain", [200, 400])
def test_a_server_that_refuses_page_size_and_order_is_asked_without_them(
    ehr: responses.RequestsMock, plain: int
) -> None:
    ehr.get(f"{BASE}/Condition?patient=x1&_count=500", status=400)
    ehr.get(f"{BASE}/Condition?patient=x1", json=page(condition()), status=plain)
    fetched = one(query=Query("conditions", "Condition?patient=x1", wishes="_count=500"))
    assert fetched.failure == (None if plain == 200 else "the FHIR server answered with status 400")
    assert len(ehr.calls) == 2


@pytest.mark.parametrize("status", [401, 403, 404, 500])
def test_what_fails_otherwise_is_not_asked_again(ehr: responses.RequestsMock, status: int) -> None:
    ehr.get(f"{BASE}/Condition?patient=x1&_count=500", status=status)
    assert one(query=Query("conditions", "Condition?patient=x1", wishes="_count=500")).pages == []
    assert len(ehr.calls) == 1


def test_all_reads_of_a_call_end_at_one_deadline(ehr: responses.RequestsMock) -> None:
    ehr.get(f"{BASE}/Condition?patient=x1", json=page(condition()))
    clock = iter([0.0, *[1.0] * 6, *[9.0] * 6])
    server = FhirServer(BASE, None, new_session(), Limits(total_s=8), lambda: next(clock))
    assert server.read([ASK])[0].failure is None
    while next(clock) < 9:
        pass
    assert server.read([ASK])[0].failure == "no answer in time"


def test_pages_are_followed_as_they_are_named(ehr: responses.RequestsMock) -> None:
    ehr.get(f"{BASE}/Condition?patient=x1", json=page(condition(), following=f"{BASE}?_getpages=a%2Fb"))
    ehr.get(f"{BASE}?_getpages=a%2Fb", json=page(condition(id="c2"), following="/fhir?_getpages=3"))
    ehr.get(f"{BASE}?_getpages=3", json=page(condition(id="c3")))
    fetched = one()
    assert (len(fetched.pages), fetched.failure) == (3, None)


@pytest.mark.parametrize(
    "elsewhere",
    [
        "https://evil.example.org/fhir?p=2",
        "http://ehr.example.org/fhir?p=2",
        "https://ehr.example.org:8443/x",
        "ftp://x",
    ],
)
def test_a_next_page_on_another_origin_is_not_read(ehr: responses.RequestsMock, elsewhere: str) -> None:
    ehr.get(f"{BASE}/Condition?patient=x1", json=page(condition(), following=elsewhere))
    fetched = one()
    assert fetched.failure == "the next page lies on another server"
    assert len(fetched.pages) == len(ehr.calls) == 1


def test_a_page_link_from_prefetch_to_another_server_gets_no_token(ehr: responses.RequestsMock) -> None:
    fetched = one(query=Query("conditions", "https://evil.example.org/fhir?p=2", follow=True))
    assert (fetched.failure, len(ehr.calls)) == ("the next page lies on another server", 0)


def test_pages_without_end_stop_at_the_limit(ehr: responses.RequestsMock) -> None:
    ehr.get(f"{BASE}/Condition?patient=x1", json=page(condition(), following=f"{BASE}/Condition?patient=x1"))
    fetched = one(Limits(pages=3))
    assert (len(fetched.pages), fetched.failure) == (3, "more than 3 pages")


def test_a_redirect_is_not_followed(ehr: responses.RequestsMock) -> None:
    ehr.get(f"{BASE}/Condition?patient=x1", status=302, headers={"Location": "https://evil.example.org/"})
    assert one().failure == "the FHIR server answered with status 302"
    assert len(ehr.calls) == 1


@pytest.mark.parametrize("status", [400, 401, 403, 404, 429, 500, 503])
def test_a_refusal_is_a_failure_with_its_status(ehr: responses.RequestsMock, status: int) -> None:
    ehr.get(f"{BASE}/Condition?patient=x1", status=status, json={})
    assert one().failure == f"the FHIR server answered with status {status}"


def test_a_refusal_on_a_later_page_keeps_what_came_and_says_so(ehr: responses.RequestsMock) -> None:
    ehr.get(f"{BASE}/Condition?patient=x1", json=page(condition(), following=f"{BASE}?p=2"))
    ehr.get(f"{BASE}?p=2", status=401)
    fetched = one()
    assert (len(fetched.pages), fetched.failure) == (1, "the FHIR server answered with status 401")


@pytest.mark.parametrize(
    ("error", "told"),
    [
        (
            requests.ConnectionError("https://ehr.example.org/fhir/Condition?patient=x1"),
            "no connection, or it broke off",
        ),
        (requests.Timeout("patient=x1"), "no answer in time"),
        (requests.exceptions.ChunkedEncodingError("cut"), "no connection, or it broke off"),
    ],
)
def test_a_broken_connection_is_a_failure_without_addresses(
    ehr: responses.RequestsMock, error: Exception, told: str
) -> None:
    ehr.get(f"{BASE}/Condition?patient=x1", body=error)
    assert one().failure == told


def test_more_bytes_than_the_limit_are_not_read(ehr: responses.RequestsMock) -> None:
    ehr.get(f"{BASE}/Condition?patient=x1", body=b"x" * 2000)
    assert one(Limits(bytes=1999)).failure == "more data than this service reads"


def test_queries_are_answered_each_by_itself(ehr: responses.RequestsMock) -> None:
    ehr.get(f"{BASE}/Condition?patient=x1", json=page(condition()))
    ehr.get(f"{BASE}/Procedure?patient=x1", status=500)
    queries = [ASK, Query("procedures", "Procedure?patient=x1")]
    found = {each.query.key: each.failure for each in FhirServer(BASE, TOKEN, new_session()).read(queries)}
    assert found == {"conditions": None, "procedures": "the FHIR server answered with status 500"}


def test_a_cookie_of_one_call_is_not_sent_in_the_next(ehr: responses.RequestsMock) -> None:
    ehr.get(f"{BASE}/Condition?patient=x1", json=page(), headers={"Set-Cookie": "session=abc"})
    session = new_session()
    for token in ("one", "two"):
        FhirServer(BASE, token, session).read([ASK])
    assert "Cookie" not in ehr.calls[1].request.headers
    assert ehr.calls[1].request.headers["Authorization"] == "Bearer two"


# ---- together with gather

WANTED = (
    Wanted.of("patient", "Patient/{{context.patientId}}"),
    Wanted.of("observations", "Observation?patient={{context.patientId}}"),
    Wanted.of("conditions", "Condition?patient={{context.patientId}}"),
)


def test_a_call_without_prefetch_is_read_from_the_server(ehr: responses.RequestsMock) -> None:
    ehr.get(f"{BASE}/Patient/x1", json=patient())
    ehr.get(f"{BASE}/Observation?patient=x1{NEWEST}", body=json.dumps(page(observation("calcium"))))
    ehr.get(f"{BASE}/Condition?patient=x1{LARGE}", json=page(condition()))
    record = gather({}, "x1", None, FhirServer(BASE, TOKEN, new_session()), WANTED)
    assert (len(record.observations), len(record.conditions)) == (1, 1)
    assert sorted(record.fetched) == sorted(each.query for each in WANTED)


@pytest.mark.parametrize(
    "body",
    [
        "<html>login</html>",
        '{"resourceType": "Bundle", "entry": [',
        json.dumps({"resourceType": "OperationOutcome", "issue": [{"severity": "error", "code": "security"}]}),
        "",
        "[]]",
    ],
)
def test_rubbish_instead_of_needed_data_is_missing_data(ehr: responses.RequestsMock, body: str) -> None:
    ehr.get(f"{BASE}/Patient/x1", json=patient())
    ehr.get(f"{BASE}/Observation?patient=x1{NEWEST}", body=body)
    ehr.get(f"{BASE}/Condition?patient=x1{LARGE}", json=page())
    with pytest.raises(MissingData) as caught:
        gather({}, "x1", None, FhirServer(BASE, TOKEN, new_session()), WANTED)
    assert caught.value.keys == ("observations",)


def test_an_id_cannot_change_the_query(ehr: responses.RequestsMock) -> None:
    with pytest.raises(MissingData):
        gather({}, "x1&_id=x2/../y", None, FhirServer(BASE, TOKEN, new_session()), WANTED)
    assert {call.request.url for call in ehr.calls} == {
        f"{BASE}/Patient/x1%26_id%3Dx2%2F..%2Fy",
        f"{BASE}/Observation?patient=x1%26_id%3Dx2%2F..%2Fy{NEWEST}",
        f"{BASE}/Condition?patient=x1%26_id%3Dx2%2F..%2Fy{LARGE}",
    }


# ---- a real server that is slow on purpose


class _Dripping(BaseHTTPRequestHandler):
    """Sends a byte of the body every 50 ms, for ever."""

    def do_GET(self) -> None:
        self.send_response(200)
        self.send_header("Content-Type", "application/fhir+json")
        self.end_headers()
        try:
            while not self.server.stopping.wait(0.05):  # type: ignore[attr-defined]
                self.wfile.write(b" ")
                self.wfile.flush()
        except OSError:
            return

    def log_message(self, format: str, *args: object) -> None:
        """Silence."""


class _Server(socketserver.ThreadingTCPServer):
    daemon_threads = True
    allow_reuse_address = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Dripping)
        self.stopping = threading.Event()


@pytest.fixture
def dripping() -> Iterator[str]:
    server = _Server()
    thread = threading.Thread(target=server.serve_forever, args=(0.02,))
    thread.start()
    yield f"http://127.0.0.1:{server.server_address[1]}/fhir"
    server.stopping.set()
    server.shutdown()
    thread.join()
    server.server_close()


def test_a_dripping_server_cannot_hold_the_call_beyond_the_deadline(dripping: str) -> None:
    started = time.monotonic()
    queries = [ASK, Query("procedures", "Procedure?patient=x1")]
    found = FhirServer(dripping, TOKEN, new_session(), Limits(total_s=0.4, read_s=0.3)).read(queries)
    assert time.monotonic() - started < 1.0
    assert [each.failure for each in found] == ["no answer in time"] * 2


# ---- which server may be asked


@pytest.mark.parametrize(
    ("url", "allowed"),
    [
        ("https://ehr.example.org/fhir", True),
        ("https://EHR.example.org:443/fhir/", True),
        ("https://ehr.example.org/fhir/tenant/r4", True),
        ("https://ehr.example.org/fhirwall", False),
        ("https://ehr.example.org/fhir/../admin", False),
        ("https://ehr.example.org/", False),
        ("http://ehr.example.org/fhir", False),
        ("https://ehr.example.org.evil.org/fhir", False),
        ("https://ehr.example.org@evil.org/fhir", False),
        ("https://user:pw@ehr.example.org/fhir", False),
        ("https://ehr.example.org/fhir?x=1", False),
        ("https://ehr.example.org:99999/fhir", False),
        ("file:///etc/passwd", False),
        ("", False),
    ],
)
def test_only_an_allowed_server_or_what_lies_under_it_is_allowed(url: str, allowed: bool) -> None:
    assert is_allowed(url, [f"{BASE}/"]) is allowed
