"""What the service depends on is slow, full, away or wrong: the answer is right and in time."""

import logging
import os
import socket
import sqlite3
import time
from datetime import timedelta
from pathlib import Path

import pytest
import sqlalchemy as sa

from cds_service import logs
from cds_service.app import create_app
from cds_service.settings import read_settings
from cds_service.storage.journal import Journal
from cds_service.terminology.catalog import Catalog
from tests.calls import PATIENT_VIEW, critical_call
from tests.conftest import NOW, Notes
from tests.storage.databases import sqlite_at


def test_a_locked_database_holds_up_no_answer_and_loses_no_record(tmp_path: Path, catalog: Catalog) -> None:
    file = tmp_path / "journal.sqlite3"
    app = create_app(read_settings({}, sandbox=True, database_url=sqlite_at(file)), clock=lambda: NOW, catalog=catalog)
    with sqlite3.connect(file, isolation_level=None) as other:
        other.execute("begin exclusive")
        began = time.monotonic()
        answer = app.test_client().post(PATIENT_VIEW, json=critical_call())
        took = time.monotonic() - began
        time.sleep(1)  # the journal tries meanwhile
        other.execute("rollback")
        app.extensions["journal"].close()
        kept = other.execute("select count(*) from decision").fetchone()
    other.close()
    assert (len(answer.get_json()["cards"]), kept) == (1, (1,))
    assert took < 1


def test_a_full_disk_under_the_database_changes_no_answer(
    tmp_path: Path, catalog: Catalog, caplog: pytest.LogCaptureFixture
) -> None:
    journal = Journal(sqlite_at(tmp_path / "journal.sqlite3"))
    full = [True]

    @sa.event.listens_for(journal._engine, "connect")
    def no_room(connection: sqlite3.Connection, _record: object) -> None:
        connection.execute(f"pragma max_page_count = {1 if full[0] else 1_000_000}")  # 1: no more than there is

    settings = read_settings({}, sandbox=True, database_url="")
    client = create_app(settings, clock=lambda: NOW, catalog=catalog, journal=journal).test_client()
    answers = [client.post(PATIENT_VIEW, json=critical_call()) for _ in range(200)]
    journal.close()
    assert {len(answer.get_json()["cards"]) for answer in answers} == {1}
    lost = [record for record in caplog.records if record.getMessage() == "journal failed"]
    assert lost
    assert journal.dropped > 0
    seen = client.get("/metrics").text
    assert f"cds_journal_dropped_total {float(journal.dropped)}" in seen


def test_a_log_that_nobody_reads_changes_no_answer(catalog: Catalog, monkeypatch: pytest.MonkeyPatch) -> None:
    reader, writer = os.pipe()
    os.close(reader)
    monkeypatch.setattr(logs, "_STDERR", writer)
    handler, log = logs.Stderr(), logging.getLogger("cds_service")
    level = log.level
    log.addHandler(handler)
    log.setLevel(logging.INFO)
    try:
        app = create_app(read_settings({}, sandbox=True, database_url=""), clock=lambda: NOW, catalog=catalog)
        answer = app.test_client().post(PATIENT_VIEW, json=critical_call())
    finally:
        log.removeHandler(handler)
        log.setLevel(level)
        os.close(writer)
    assert len(answer.get_json()["cards"]) == 1


def test_a_fhir_server_that_hangs_costs_a_bounded_time(catalog: Catalog) -> None:
    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        silent.listen()
        settings = read_settings({}, sandbox=True, database_url="", fhir_timeout_s=0.5)
        client = create_app(settings, clock=lambda: NOW, catalog=catalog).test_client()
        call = critical_call(prefetch={}, fhirServer=f"http://127.0.0.1:{silent.getsockname()[1]}/fhir")
        began = time.monotonic()
        answer = client.post(PATIENT_VIEW, json=call)
        took = time.monotonic() - began
    assert (answer.status_code, answer.get_json()["issue"][0]["code"]) == (412, "incomplete")
    assert took < 3
    assert 'cds_fhir_reads_total{outcome="late"}' in client.get("/metrics").text


def test_a_clock_that_goes_back_changes_no_answer_and_no_duration(catalog: Catalog, notes: Notes) -> None:
    hands = [NOW]
    settings = read_settings({}, database_url="")
    client = create_app(settings, clock=lambda: hands[0], catalog=catalog, journal=notes).test_client()
    cards = []
    for back in (timedelta(0), timedelta(minutes=10), timedelta(0)):
        hands[0] = NOW - back
        cards.append(client.post(PATIENT_VIEW, json=critical_call()).get_json()["cards"][0]["summary"])
    assert len(set(cards)) == 1
    assert [entry.at for entry in notes.entries] == [NOW, NOW - timedelta(minutes=10), NOW]
    assert all(min(entry.read_ms, entry.decide_ms, entry.answer_ms) >= 0 for entry in notes.entries)
