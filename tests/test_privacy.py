"""Nothing that identifies a person leaves by a log, the journal, an error or standard output.

Every identifier of the calls below holds a sentinel; all that comes out, on success and on every failure, by every
route, is searched: log, metrics, spans, store, error bodies, standard output.
"""

import ast
import json
import logging
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from flask import Flask
from flask.testing import FlaskClient
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from cds_service.app import create_app
from cds_service.hooks import routes
from cds_service.logs import JsonLines
from cds_service.observe import traceparent
from cds_service.observe.spans import Spans
from cds_service.settings import read_settings
from cds_service.storage.engine import engine_of
from cds_service.storage.journal import Journal
from cds_service.terminology.catalog import Catalog
from tests.calls import CLOCK, EXPLAIN, INSTANCE, PATIENT_VIEW, bundle, calcium, call, patient, phosphate, prefetch
from tests.conftest import NOW
from tests.storage.databases import sqlite_at

PACKAGE = Path(__file__).parents[1] / "cds_service"
EXAMPLES = PACKAGE.parent / "examples"
SENTINEL = "zq7sentinel"
TOKEN = f"{SENTINEL}-token"
PATIENT = f"{SENTINEL}-patient"
SUBJECT = {"reference": f"Patient/{PATIENT}"}
VALUE = 10.6173
SERVER = f"https://ehr.example.org/{SENTINEL}"
AUTHORIZATION = {
    "access_token": TOKEN,
    "token_type": "Bearer",
    "expires_in": 300,
    "scope": "patient/*.read",
    "subject": f"{SENTINEL}-subject",
}
LEAKS = (SENTINEL, INSTANCE, str(VALUE), "Mrs Doe", "1960-04-01")


def marked_call(**changes: object) -> dict[str, object]:
    """A call in which whatever could identify someone holds a sentinel."""
    person = patient(id=PATIENT, name=[{"text": f"Mrs Doe {SENTINEL}"}], identifier=[{"value": f"{SENTINEL}-mrn"}])
    observations = (calcium(VALUE, subject=SUBJECT, note=[{"text": SENTINEL}]), phosphate(7.5, subject=SUBJECT))
    condition = {
        "resourceType": "Condition",
        "id": f"{SENTINEL}-c1",
        "code": {"coding": [{"system": SENTINEL, "code": SENTINEL}], "text": f"of {SENTINEL}"},
        "subject": {"reference": f"Patient/{PATIENT}", "display": "Mrs Doe"},
    }
    body = call(
        context={"userId": f"Practitioner/{SENTINEL}", "patientId": PATIENT, "encounterId": f"{SENTINEL}-e1"},
        fhirServer=SERVER,
        fhirAuthorization=AUTHORIZATION,
        prefetch={
            **prefetch(*observations),
            "patient": person,
            "conditions": bundle(condition),
            SENTINEL: {"a": SENTINEL},
        },
        **changes,
    )
    return {name: value for name, value in body.items() if value is not ...}


class Recorded:
    """Lets spans be made where a journal would be written."""

    def __init__(self, spans: Spans) -> None:
        self.record, self.close = spans.record, spans.close


def replaced(**changes: object) -> bytes:
    return json.dumps(marked_call() | changes).encode()


def context(**changes: object) -> dict[str, object]:
    return {"userId": f"Practitioner/{SENTINEL}", "patientId": PATIENT} | changes


FAILURES: dict[str, bytes] = {
    "not JSON": replaced()[:-1],
    "bad UTF-8": replaced().replace(b"Mrs", b"\xff"),
    "wrong type": replaced(hookInstance=[SENTINEL]),
    "wrong hook": replaced(hook=f"{SENTINEL} order"),
    "bad instance": replaced(hookInstance=SENTINEL),
    "bad user": replaced(context=context(userId=SENTINEL)),
    "bad patient": replaced(context=context(patientId=f"Patient/{PATIENT}")),
    "bad encounter": replaced(context=context(encounterId=f"a b {SENTINEL}")),
    "bad clock": replaced(extension={CLOCK: SENTINEL}),
    "bad explain": replaced(extension={EXPLAIN: SENTINEL}),
    "token without server": replaced(fhirServer=None),
    "bad server": replaced(fhirServer=f"ftp://{SENTINEL}"),
    "bad token": replaced(fhirAuthorization=AUTHORIZATION | {"access_token": f"{TOKEN} {TOKEN}"}),
    "token of a wrong type": replaced(fhirAuthorization=AUTHORIZATION | {"access_token": [TOKEN]}),
    "half a token": replaced(fhirAuthorization={"access_token": TOKEN}),
    "no data": replaced(prefetch={}),
    "failed data": replaced(
        prefetch={
            "patient": {"resourceType": "OperationOutcome", "issue": [{"code": "login", "diagnostics": SENTINEL}]}
        }
    ),
    "another patient": replaced(context=context(patientId=f"{SENTINEL}-other")),
}


class Heard(logging.Handler):
    """Keeps every record of every logger as the line that is written and as all that the record carries."""

    def __init__(self) -> None:
        super().__init__(logging.NOTSET)
        self.lines: list[str] = []
        self.carried: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.lines.append(JsonLines().format(record))
        if record.name.startswith("cds_service"):
            self.carried.append(repr(record.__dict__))


@pytest.fixture
def heard() -> Iterator[Heard]:
    handler, root = Heard(), logging.getLogger()
    level = root.level
    root.addHandler(handler)
    root.setLevel(logging.DEBUG)
    yield handler
    root.removeHandler(handler)
    root.setLevel(level)


@pytest.fixture
def journal(tmp_path: Path) -> Journal:
    return Journal(sqlite_at(tmp_path / "journal.sqlite3"))


@pytest.fixture
def app(catalog: Catalog, journal: Journal) -> Flask:
    settings = read_settings({}, sandbox=True, database_url="")
    return create_app(settings, clock=lambda: NOW, catalog=catalog, journal=journal)


def leaks(text: str) -> list[str]:
    return [leak for leak in LEAKS if leak.lower() in text.lower()]


def test_an_answer_with_a_card_leaves_no_trace_of_the_patient(
    client: FlaskClient, journal: Journal, tmp_path: Path, heard: Heard, capfd: pytest.CaptureFixture[str]
) -> None:
    answer = client.post(PATIENT_VIEW, data=replaced(), content_type="application/json")
    assert answer.status_code == 200
    assert answer.get_json()["cards"]
    journal.close()
    kept = b"".join(path.read_bytes() for path in sorted(tmp_path.iterdir())).decode("latin-1")
    assert "CL-50" in kept
    assert heard.lines
    printed = "".join(capfd.readouterr())
    assert leaks(kept + "".join(heard.lines + heard.carried) + printed) == []


FEEDBACK = {
    "card": "3c2f0a54-9a1f-4d61-8f8f-0b6f2a7f7c01",
    "outcome": "overridden",
    "outcomeTimestamp": "2026-10-12T08:20:00Z",
    "overrideReason": {
        "reason": {"code": f"Mrs Doe {SENTINEL}", "display": SENTINEL, "system": SENTINEL},
        "userComment": f"Mrs Doe {SENTINEL} 1960-04-01",
    },
    "overrideReasons": {
        "extension": {
            "com.epic.cdshooks.feedback.overrideReason.reasonCategory": f"Mrs Doe {SENTINEL}",
            "com.epic.cdshooks.feedback.overrideReason.reasonTitle": SENTINEL,
            SENTINEL: SENTINEL,
        },
        "userComment": SENTINEL,
    },
    SENTINEL: {"patient": PATIENT, "user": SENTINEL},
}


@pytest.mark.parametrize(
    ("change", "status"),
    [({}, 200), ({"card": SENTINEL}, 200), ({"outcome": SENTINEL}, 400), ({"outcomeTimestamp": SENTINEL}, 400)],
)
def test_feedback_and_remembered_cards_leave_no_trace_of_patient_user_or_words(
    catalog: Catalog,
    tmp_path: Path,
    heard: Heard,
    capfd: pytest.CaptureFixture[str],
    change: dict[str, str],
    status: int,
) -> None:
    url = sqlite_at(tmp_path / "journal.sqlite3")
    settings = read_settings({}, sandbox=True, database_url=url, snooze=True, hash_key="0123456789abcdef" * 2)
    app = create_app(settings, clock=lambda: NOW, catalog=catalog)
    assert app.test_client().post(PATIENT_VIEW, data=replaced(), content_type="application/json").get_json()["cards"]
    answer = app.test_client().post(f"{PATIENT_VIEW}/feedback", json={"feedback": [FEEDBACK | change]})
    assert answer.status_code == status
    app.extensions["journal"].close()
    app.extensions["feedback"].close()
    kept = b"".join(path.read_bytes() for path in sorted(tmp_path.iterdir())).decode("latin-1")
    assert "shown" in kept
    assert ("overridden" in kept) == (status == 200)
    printed = "".join(capfd.readouterr())
    assert leaks(answer.text + kept + "".join(heard.lines + heard.carried) + printed) == []


def test_a_store_that_is_away_tells_no_values(catalog: Catalog, tmp_path: Path, heard: Heard) -> None:
    url = sqlite_at(tmp_path / "journal.sqlite3")
    app = create_app(read_settings({}, sandbox=True, database_url=url), clock=lambda: NOW, catalog=catalog)
    with engine_of(url, pooled=False).begin() as connection:
        connection.exec_driver_sql("DROP TABLE feedback")
    answer = app.test_client().post(f"{PATIENT_VIEW}/feedback", json={"feedback": [FEEDBACK]})
    assert answer.status_code == 503
    assert heard.lines
    assert leaks(answer.text + "".join(heard.lines + heard.carried)) == []


def test_the_token_is_in_no_answer(client: FlaskClient) -> None:
    answer = client.post(PATIENT_VIEW, data=replaced(), content_type="application/json")
    assert TOKEN not in answer.text
    assert f"{SENTINEL}-subject" not in answer.text


@pytest.mark.parametrize("failure", FAILURES)
def test_a_refusal_repeats_nothing_that_identifies(
    client: FlaskClient,
    journal: Journal,
    tmp_path: Path,
    heard: Heard,
    capfd: pytest.CaptureFixture[str],
    failure: str,
) -> None:
    answer = client.post(PATIENT_VIEW, data=FAILURES[failure], content_type="application/json")
    assert answer.status_code in {400, 412}
    assert answer.get_json()["resourceType"] == "OperationOutcome"
    journal.close()
    kept = b"".join(path.read_bytes() for path in sorted(tmp_path.iterdir())).decode("latin-1")
    printed = "".join(capfd.readouterr())
    assert leaks(answer.text + kept + "".join(heard.lines + heard.carried) + printed) == []


def test_our_own_mistake_tells_its_place_but_no_message(
    client: FlaskClient,
    journal: Journal,
    monkeypatch: pytest.MonkeyPatch,
    heard: Heard,
    capfd: pytest.CaptureFixture[str],
) -> None:
    def broken(*_: object, **__: object) -> None:
        raise ValueError(f"cannot read {PATIENT}: {VALUE}")

    monkeypatch.setattr(routes, "decide", broken)
    answer = client.post(PATIENT_VIEW, data=replaced(), content_type="application/json")
    journal.close()
    assert answer.status_code == 500
    assert any('"event":"failure"' in line and '"error":"ValueError"' in line for line in heard.lines)
    assert leaks(answer.text + "".join(heard.lines + heard.carried) + "".join(capfd.readouterr())) == []


def filled(rule: str) -> str:
    """An address of the rule with a sentinel in every place."""
    return re.sub(r"<[^>]+>", f"{SENTINEL}-place", rule) + f"?patient={PATIENT}"


def test_no_route_lets_anything_out_but_the_answer_to_the_caller(
    app: Flask, journal: Journal, tmp_path: Path, heard: Heard, capfd: pytest.CaptureFixture[str]
) -> None:
    client = app.test_client()
    services = [service["id"] for service in client.get("/cds-services").get_json()["services"]]
    addresses = {filled(rule.rule) for rule in app.url_map.iter_rules()} | {
        f"/cds-services/{service}{tail}" for service in services for tail in ("", "/feedback", "/analytics")
    }
    headers = {"Authorization": f"Bearer {TOKEN}", "traceparent": SENTINEL, "Cookie": f"a={SENTINEL}"}
    bodies = [replaced(), *FAILURES.values()]
    refused = []
    for address in sorted(addresses):
        for method in ("GET", "POST", "PUT"):
            for body in bodies if method == "POST" else [None]:
                answer = client.open(
                    address, method=method, data=body, content_type="application/json", headers=headers
                )
                assert TOKEN not in answer.text, address
                assert answer.status_code < 500, address
                if answer.status_code >= 400:
                    refused.append(answer.text)
    metrics = client.get("/metrics").text
    journal.close()
    kept = b"".join(path.read_bytes() for path in sorted(tmp_path.iterdir())).decode("latin-1")
    assert refused
    assert "cds_calls_total" in metrics
    told = metrics + kept + "".join(refused + heard.lines + heard.carried) + "".join(capfd.readouterr())
    assert leaks(told) == []


@pytest.mark.parametrize("hook", ["order-select", "order-sign"])
@pytest.mark.parametrize("readable", [True, False])
def test_draft_orders_leave_no_trace_of_the_patient(
    app: Flask,
    journal: Journal,
    tmp_path: Path,
    heard: Heard,
    capfd: pytest.CaptureFixture[str],
    hook: str,
    readable: bool,
) -> None:
    drafts = json.loads((EXAMPLES / "order-calcium-iv-product-above-70" / "request.json").read_bytes())["context"]
    order = drafts["draftOrders"]["entry"][0]["resource"]
    order |= {"id": f"{SENTINEL}-order", "subject": SUBJECT, "note": [{"text": SENTINEL}]}
    order |= {} if readable else {"medicationCodeableConcept": [SENTINEL], "dosageInstruction": SENTINEL}
    asked = context(draftOrders=drafts["draftOrders"], selections=[f"MedicationRequest/{SENTINEL}-order"])
    address = PATIENT_VIEW.replace("patient-view", hook)
    answer = app.test_client().post(address, data=replaced(hook=hook, context=asked), content_type="application/json")
    assert answer.status_code == (200 if readable else 400)
    assert readable or leaks(answer.text) == []
    journal.close()
    kept = b"".join(path.read_bytes() for path in sorted(tmp_path.iterdir())).decode("latin-1")
    assert hook in kept
    metrics = app.test_client().get("/metrics").text
    assert leaks(metrics + kept + "".join(heard.lines + heard.carried) + "".join(capfd.readouterr())) == []
    assert TOKEN not in answer.text


def test_a_launch_and_what_comes_back_of_it_leave_no_trace(
    catalog: Catalog, heard: Heard, capfd: pytest.CaptureFixture[str]
) -> None:
    base = "http://127.0.0.1:9/fhir"
    settings = read_settings(
        {}, sandbox=True, database_url="", public_url="http://127.0.0.1:1", smart_clients=f"{base}=client"
    )
    client = create_app(settings, clock=lambda: NOW, catalog=catalog).test_client()
    told = []
    for address in (
        f"/app/launch?iss=https://{SENTINEL}.example/fhir&launch={SENTINEL}",
        f"/app/launch?iss={base}&launch={SENTINEL}",
        f"/app/callback?code={SENTINEL}&state={SENTINEL}",
        f"/app/callback?error={SENTINEL}&error_description={SENTINEL}&state={SENTINEL}",
        f"/app?look={SENTINEL}",
    ):
        answer = client.get(address)
        assert answer.status_code != 500, address
        told.append(answer.text + str(answer.headers))
    assert leaks("".join(told + heard.lines + heard.carried) + "".join(capfd.readouterr())) == []


def test_spans_hold_nothing_of_the_patient_and_the_audit_log_alone_names_who(tmp_path: Path, catalog: Catalog) -> None:
    exporter = InMemorySpanExporter()
    spans = Spans(SimpleSpanProcessor(exporter), "1")
    audit = tmp_path / "audit.ndjson"
    settings = read_settings({}, sandbox=True, database_url="", audit_file=str(audit))
    client = create_app(settings, clock=lambda: NOW, catalog=catalog, journal=Recorded(spans)).test_client()
    for body in (replaced(), *FAILURES.values()):
        client.post(PATIENT_VIEW, data=body, content_type="application/json", headers={"traceparent": SENTINEL})
    told = "".join(span.to_json() for span in exporter.get_finished_spans())
    assert told.count("cds-hooks patient-view") == 1 + len(FAILURES)
    assert leaks(told) == []
    assert set(leaks(audit.read_text())) == {SENTINEL}
    for secret in (TOKEN, "Mrs Doe", str(VALUE), SERVER, f"{SENTINEL}-mrn"):
        assert secret not in audit.read_text()
    traceparent.current.set(None)


def test_words_of_other_libraries_are_not_logged(heard: Heard) -> None:
    logging.getLogger("urllib3.connectionpool").warning("Retrying: /Observation?patient=%s", PATIENT)
    (line,) = heard.lines
    assert json.loads(line)["event"] == "urllib3.connectionpool"
    assert leaks(line) == []


def test_fields_that_are_not_on_the_list_are_not_logged(heard: Heard) -> None:
    logging.getLogger("cds_service.x").error(
        "slip", extra={"patient": PATIENT, "tier": "info"}, exc_info=ValueError(PATIENT)
    )
    (line,) = heard.lines
    assert (json.loads(line)["tier"], leaks(line)) == ("info", [])


def test_the_search_would_notice_a_leak(heard: Heard) -> None:
    logging.getLogger("cds_service.x").error(f"patient {PATIENT}")
    assert leaks("".join(heard.lines)) == [SENTINEL]
    assert leaks(json.dumps(marked_call())) == list(LEAKS)


def log_calls(package: Path) -> Iterator[tuple[str, ast.Call]]:
    for path in sorted(package.rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if (
                isinstance(node, ast.Call)
                and isinstance(node.func, ast.Attribute)
                and node.func.attr in {"debug", "info", "warning", "error", "critical", "exception", "log"}
                and getattr(node.func.value, "id", "") in {"log", "logger", "logging"}
            ):
                yield f"{path.name}:{node.lineno}", node


def test_every_log_message_is_a_constant_text_without_arguments() -> None:
    found = list(log_calls(PACKAGE))
    assert found
    for place, node in found:
        assert [type(argument) for argument in node.args] == [ast.Constant], place
        assert {keyword.arg for keyword in node.keywords} <= {"extra"}, place
