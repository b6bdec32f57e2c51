"""What /metrics tells, to whom, and that it is the sum of all processes."""

import os
import re
from pathlib import Path

import pytest
from flask import Flask
from flask.testing import FlaskClient
from prometheus_client.parser import text_string_to_metric_families

from cds_service.app import create_app
from cds_service.fhir.gather import Fetched, Query
from cds_service.observe import shared
from cds_service.observe.metrics import Metrics
from cds_service.settings import read_settings
from cds_service.terminology.catalog import Catalog
from tests.calls import PATIENT_VIEW, calcium, call, critical_call, healthy_call, phosphate
from tests.conftest import NOW
from tests.storage.databases import sqlite_at
from tests.storage.test_journal import entry

SERVICE = "metastatic-calcification-patient-view"


def values(text: str) -> dict[str, float]:
    """Each sample as name{labels} -> value."""
    return {
        sample.name + ("{" + ",".join(f"{k}={v}" for k, v in sorted(sample.labels.items())) + "}"): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }


def told(client: FlaskClient) -> dict[str, float]:
    return values(client.get("/metrics").text)


def new() -> Metrics:
    return Metrics(version="1", content=("c", "d"))


def test_calls_cards_and_gaps_are_counted(client: FlaskClient) -> None:
    client.post(PATIENT_VIEW, json=critical_call())
    client.post(PATIENT_VIEW, json=healthy_call())
    client.post(PATIENT_VIEW, json=call(calcium(10.5)))
    client.post(PATIENT_VIEW, json=critical_call(hookInstance="x"))
    client.post(PATIENT_VIEW, json=critical_call(prefetch={}))
    seen = told(client)
    assert seen[f"cds_call_seconds_count{{outcome=decided,service={SERVICE}}}"] == 3
    assert seen[f"cds_call_seconds_count{{outcome=400,service={SERVICE}}}"] == 1
    assert seen[f"cds_call_seconds_count{{outcome=412,service={SERVICE}}}"] == 1
    assert seen[f"cds_calls_total{{outcome=decided,service={SERVICE},tenant=default}}"] == 3
    assert seen[f"cds_cards_total{{rule=CL-50,service={SERVICE},tier=critical}}"] == 1
    assert seen[f"cds_judgements_total{{service={SERVICE},tier=critical}}"] == 1
    assert seen["cds_gaps_total{reason=missing}"] >= 1


def test_codes_that_no_table_maps_are_counted_and_not_named(client: FlaskClient) -> None:
    odd = calcium(9.1, id="odd")
    odd["code"] = {"text": "Calcium local", "coding": [{"system": "urn:lab", "code": "CA-77", "display": "Calcium"}]}
    client.post(PATIENT_VIEW, json=call(calcium(10.5), phosphate(7.5), odd))
    text = client.get("/metrics").text
    assert values(text)["cds_unmapped_codes_total{}"] == 1
    assert "CA-77" not in text


def test_versions_of_content_and_program_are_told(client: FlaskClient, catalog: Catalog) -> None:
    seen = told(client)
    assert seen[f"cds_content_info{{digest={catalog.digest},version={catalog.version}}}"] == 1
    assert any(name.startswith("cds_build_info") for name in seen)


def test_reads_from_fhir_servers_are_counted_by_how_they_ended() -> None:
    class Server:
        def read(self, queries: list[Query]) -> list[Fetched]:
            failures = [None, None, "no answer in time", "the FHIR server answered with status 500"]
            return [Fetched(query, (), failure) for query, failure in zip(queries, failures, strict=True)]

    metrics = new()
    assert len(metrics.counted(Server()).read([Query(str(n), "x") for n in range(4)])) == 4
    seen = values(metrics.text().decode())
    assert [seen[f"cds_fhir_reads_total{{outcome={name}}}"] for name in ("complete", "late", "failed")] == [2, 1, 1]


def test_what_the_journal_lost_is_told() -> None:
    lost = [0, 0]
    metrics = Metrics(version="1", content=("c", "d"), losses=lambda: (lost[0], lost[1]))
    metrics.record(entry())
    lost[:] = 2, 40
    seen = values(metrics.text().decode())
    assert (seen["cds_journal_failures_total{}"], seen["cds_journal_dropped_total{}"]) == (2, 40)
    lost[:] = 3, 41
    seen = values(metrics.text().decode())
    assert (seen["cds_journal_failures_total{}"], seen["cds_journal_dropped_total{}"]) == (3, 41)


def test_feedback_that_was_kept_is_counted_and_what_was_refused_is_not(catalog: Catalog, tmp_path: Path) -> None:
    settings = read_settings({}, sandbox=True, database_url=sqlite_at(tmp_path / "journal.sqlite3"))
    app = create_app(settings, clock=lambda: NOW, catalog=catalog)
    item = {"card": "a1", "outcome": "overridden", "outcomeTimestamp": "2026-10-12T08:20:00Z"}
    for sent, status in (([item, item | {"card": "a2"}], 200), ([item | {"outcome": "x"}], 400)):
        answer = app.test_client().post(f"{PATIENT_VIEW}/feedback", json={"feedback": sent})
        assert answer.status_code == status
    seen = told(app.test_client())
    assert seen[f"cds_feedback_total{{outcome=overridden,service={SERVICE}}}"] == 2
    app.extensions["journal"].close()
    app.extensions["feedback"].close()


def test_feedback_is_counted_by_outcome() -> None:
    metrics = new()
    metrics.feedback(SERVICE, "accepted")
    metrics.feedback(SERVICE, "overridden")
    metrics.feedback(SERVICE, "overridden")
    seen = values(metrics.text().decode())
    assert seen[f"cds_feedback_total{{outcome=overridden,service={SERVICE}}}"] == 2


def test_labels_never_hold_ids(client: FlaskClient) -> None:
    client.post(PATIENT_VIEW, json=critical_call())
    client.post("/cds-services/of-patient-x1", json=critical_call())
    names = {
        name
        for line in client.get("/metrics").text.splitlines()
        for name in re.findall(r"(\w+)=\"", line.partition(" ")[0])
    }
    assert names == {"service", "outcome", "tenant", "tier", "rule", "reason", "le", "digest", "version", "python"}
    assert "of-patient-x1" not in client.get("/metrics").text


# ---- who may read ----------------------------------------------------------------------------------------------------


def app_of(catalog: Catalog, **given: object) -> Flask:
    return create_app(read_settings({}, database_url="", **given), clock=lambda: NOW, catalog=catalog)


def test_without_a_token_there_are_no_metrics_outside_sandbox_mode(production: FlaskClient) -> None:
    assert production.get("/metrics").status_code == 404


def test_with_a_token_only_who_shows_it_reads_metrics(catalog: Catalog) -> None:
    client = app_of(catalog, metrics_token="-".join(("let", "me", "read"))).test_client()
    assert client.get("/metrics").status_code == 401
    assert client.get("/metrics", headers={"Authorization": "Bearer let-me-rea"}).status_code == 401
    assert client.get("/metrics", headers={"Authorization": "Basic let-me-read"}).status_code == 401
    answer = client.get("/metrics", headers={"Authorization": "bearer let-me-read"})
    assert (answer.status_code, answer.content_type) == (200, "text/plain; version=0.0.4; charset=utf-8")


# ---- several processes -----------------------------------------------------------------------------------------------


def in_a_child(work: object) -> None:
    """Run in a forked process, as a worker does, and wait for its end."""
    child = os.fork()
    if child == 0:
        try:
            work()  # type: ignore[operator]
        finally:
            os._exit(0)
    assert os.waitpid(child, 0)[1] == 0


def test_numbers_of_all_processes_are_one_sum_also_of_those_that_ended() -> None:
    with shared.folder() as place:
        metrics = new()
        for _ in range(5):
            in_a_child(lambda: [metrics.record(entry()) for _ in range(3)])
        metrics.record(entry())
        for _ in range(2):
            seen = values(metrics.text().decode())
            assert seen[f"cds_calls_total{{outcome=decided,service={SERVICE},tenant=default}}"] == 16
            assert seen[f"cds_call_seconds_count{{outcome=decided,service={SERVICE}}}"] == 16
            assert seen["cds_content_info{digest=d,version=c}"] == 1
        kept = sorted(path.name for path in place.iterdir())
    own = os.getpid()
    assert kept == [
        *(f"counter_{own}.db", "counter_ended.db", f"gauge_max_{own}.db", f"histogram_{own}.db"),
        *("histogram_ended.db", "lock"),
    ]
    assert not place.exists()


def test_a_process_without_room_for_its_numbers_says_so_instead_of_dying(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    with shared.folder():
        metrics = new()

        def work() -> None:
            monkeypatch.setattr(os, "posix_fallocate", full)
            try:
                metrics.record(entry())
            except OSError:
                (tmp_path / "told").touch()

        in_a_child(work)
    assert (tmp_path / "told").exists()
