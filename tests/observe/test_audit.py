"""The audit log: valid FHIR, whole lines, the only place with the patient."""

import fcntl
import json
import multiprocessing
import os
import time
from pathlib import Path

import pytest
from fhir.resources.R4B.auditevent import AuditEvent

from cds_service.app import create_app
from cds_service.observe.audit import AuditFile, UnusableAuditFile, event_of
from cds_service.settings import SettingsError, read_settings
from cds_service.storage.records import AuditRecord
from cds_service.terminology.catalog import Catalog
from tests.calls import PATIENT_VIEW, critical_call
from tests.conftest import NOW
from tests.storage.test_journal import entry

NOTE = AuditRecord(entry=entry(), user="Practitioner/p1", patient="Patient/x1")
REFUSED = AuditRecord(
    entry=entry(outcome="401", tenant=None, hook_instance_hash=None, tier=None, headline=None, rules=(), cards=0),
    user=None,
    patient=None,
)
FAILED = AuditRecord(entry=entry(outcome="500", tier=None), user="Practitioner/p1", patient="Patient/x1")


def lines(path: Path) -> list[AuditEvent]:
    return [AuditEvent.model_validate_json(line) for line in path.read_bytes().splitlines()]


@pytest.mark.parametrize(("note", "outcome"), [(NOTE, "0"), (REFUSED, "4"), (FAILED, "8")])
def test_an_event_is_valid_fhir_and_tells_how_it_ended(note: AuditRecord, outcome: str) -> None:
    event = AuditEvent.model_validate_json(event_of(note))
    assert event.outcome == outcome
    assert sum(agent.requestor for agent in event.agent) == 1


def test_an_event_names_client_user_patient_service_and_content() -> None:
    event = json.loads(event_of(NOTE))
    assert event["recorded"] == "2026-10-12T10:30:00+02:00"
    assert [agent["who"] for agent in event["agent"]] == [
        {"display": "default"},
        {"display": "metastatic-calcification-patient-view"},
        {"reference": "Practitioner/p1"},
    ]
    assert {"reference": "Patient/x1"} in [entity.get("what") for entity in event["entity"]]
    details = {each["type"]: each["valueString"] for each in event["entity"][0]["detail"]}
    assert details["rules"] == "CL-30 CL-50"
    assert details["content"] == "2026.11.0 sha256:ab"


def test_each_call_leaves_one_event_also_a_refused_one(tmp_path: Path, catalog: Catalog) -> None:
    path = tmp_path / "audit.ndjson"
    settings = read_settings({}, sandbox=True, database_url="", audit_file=str(path))
    client = create_app(settings, clock=lambda: NOW, catalog=catalog).test_client()
    client.post(PATIENT_VIEW, json=critical_call())
    client.post(PATIENT_VIEW, json=critical_call(prefetch={}))
    client.post(PATIENT_VIEW, data=b"{", content_type="application/json")
    assert [event.outcomeDesc for event in lines(path)] == ["decided", "412", "400"]
    assert [b"Patient/x1" in line for line in path.read_bytes().splitlines()] == [True, True, False]


def test_without_the_setting_nothing_is_written(
    tmp_path: Path, catalog: Catalog, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    client = create_app(read_settings({}, sandbox=True, database_url=""), catalog=catalog).test_client()
    client.post(PATIENT_VIEW, json=critical_call())
    assert list(tmp_path.iterdir()) == []


def test_the_file_is_closed_to_other_users(tmp_path: Path) -> None:
    AuditFile(tmp_path / "audit.ndjson").record(NOTE)
    assert (tmp_path / "audit.ndjson").stat().st_mode & 0o777 == 0o600


def write_many(path: Path, count: int) -> None:
    audit = AuditFile(path)
    for _ in range(count):
        audit.record(NOTE)


def test_lines_of_several_processes_stay_whole(tmp_path: Path) -> None:
    path = tmp_path / "audit.ndjson"
    context = multiprocessing.get_context("fork")
    writers = [context.Process(target=write_many, args=(path, 200)) for _ in range(4)]
    for each in writers:
        each.start()
    for each in writers:
        each.join()
    written = path.read_bytes().splitlines()
    assert set(written) == {event_of(NOTE)}
    assert len(written) == 800


def test_a_file_that_was_rotated_is_opened_anew(tmp_path: Path) -> None:
    path = tmp_path / "audit.ndjson"
    audit = AuditFile(path)
    audit.record(NOTE)
    path.rename(tmp_path / "audit.1")
    audit.record(NOTE)
    audit.record(NOTE)
    assert [len(lines(each)) for each in (tmp_path / "audit.1", path)] == [1, 2]


def test_half_an_event_on_a_full_disk_is_taken_back(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "audit.ndjson"
    audit = AuditFile(path)
    audit.record(NOTE)
    write = os.write
    with monkeypatch.context() as patch:
        patch.setattr(os, "write", lambda file, text: write(file, text[:100]))
        with pytest.raises(OSError, match="no room"):
            audit.record(NOTE)
    audit.record(NOTE)
    assert len(lines(path)) == 2


def test_an_audit_log_on_a_full_disk_changes_no_answer_and_says_so(
    catalog: Catalog, caplog: pytest.LogCaptureFixture
) -> None:
    settings = read_settings({}, sandbox=True, database_url="", audit_file="/dev/full")
    answer = create_app(settings, catalog=catalog).test_client().post(PATIENT_VIEW, json=critical_call())
    assert len(answer.get_json()["cards"]) == 1
    assert [(record.getMessage(), record.error) for record in caplog.records if record.levelname == "ERROR"] == [  # type: ignore[attr-defined]
        ("note lost", "OSError")
    ]


def test_an_audit_log_that_hangs_holds_up_one_card_for_a_second_and_gets_every_event_in_the_end(
    tmp_path: Path, catalog: Catalog, caplog: pytest.LogCaptureFixture
) -> None:
    path = tmp_path / "audit.ndjson"
    app = create_app(read_settings({}, sandbox=True, database_url="", audit_file=str(path)), catalog=catalog)
    took = []
    with path.open("ab") as other:
        fcntl.flock(other, fcntl.LOCK_EX)  # as a file server that does not answer
        for _ in range(3):
            began = time.monotonic()
            answer = app.test_client().post(PATIENT_VIEW, json=critical_call())
            took.append(time.monotonic() - began)
            assert len(answer.get_json()["cards"]) == 1
    assert took[0] < 1 + 1
    assert max(took[1:]) < 1
    lost = [record.error for record in caplog.records if record.getMessage() == "note lost"]  # type: ignore[attr-defined]
    assert lost == ["TimeoutError"] * 3
    deadline = time.monotonic() + 10
    while time.monotonic() < deadline and len(lines(path)) < 3:
        time.sleep(0.01)
    app.test_client().post(PATIENT_VIEW, json=critical_call())
    assert len(lines(path)) == 4
    assert len([record for record in caplog.records if record.getMessage() == "note lost"]) == 3


def test_an_audit_file_that_cannot_be_opened_stops_the_start(tmp_path: Path, catalog: Catalog) -> None:
    path = tmp_path / "none" / "audit.ndjson"
    with pytest.raises(UnusableAuditFile):
        AuditFile(path)
    with pytest.raises(SettingsError, match=r"CDS_AUDIT_FILE: .* cannot be written: No such file or directory"):
        create_app(read_settings({}, database_url="", audit_file=str(path)), catalog=catalog)
