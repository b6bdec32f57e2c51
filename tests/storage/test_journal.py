"""The journal: what is kept, and that its trouble is nobody else's."""

import logging
import sqlite3
import threading
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path

import pytest
import sqlalchemy as sa
from sqlalchemy.dialects import postgresql
from sqlalchemy.schema import CreateTable

from cds_service.logs import JsonLines
from cds_service.storage.engine import engine_of
from cds_service.storage.journal import Journal
from cds_service.storage.records import DecisionRecord, Delivery, ShownCard, hashed
from cds_service.storage.schema import decision, shown_card
from cds_service.storage.upgrade import upgrade
from tests.storage.databases import Server, sqlite_at

AT = datetime(2026, 10, 12, 10, 30, tzinfo=timezone(timedelta(hours=2)))
INSTANCE = "7d4c0cf2-6f2b-4a0e-9a53-0c7b9f3c9a10"


def entry(**changes: object) -> DecisionRecord:
    fields: dict[str, object] = {
        "at": AT,
        "service": "metastatic-calcification-patient-view",
        "hook": "patient-view",
        "tenant": "default",
        "hook_instance_hash": hashed(INSTANCE),
        "outcome": "decided",
        "content_version": "2026.11.0",
        "content_digest": "sha256:ab",
        "tier": "critical",
        "headline": "CL-50",
        "rules": ("CL-30", "CL-50"),
        "cards": 1,
        "gaps": {"missing": 2},
        "read_ms": 0.5,
        "decide_ms": 1.25,
        "answer_ms": 0.125,
    }
    return DecisionRecord(**(fields | changes))  # type: ignore[arg-type]


def card(**changes: object) -> ShownCard:
    fields: dict[str, object] = {
        "uuid": INSTANCE,
        "at": AT,
        "tenant": "default",
        "service": "s",
        "delivery": Delivery.SHOWN,
        "tier": "critical",
        "topic": "CL50",
        "rules": ("CL-50",),
        "suggestions": (),
        "content_version": "2026.11.0",
        "place": None,
        "evidence": None,
    }
    return ShownCard(**(fields | changes))  # type: ignore[arg-type]


def rows(url: str) -> list[sa.RowMapping]:
    engine = sa.create_engine(url)
    try:
        with engine.connect() as connection:
            return list(connection.execute(sa.select(decision).order_by(decision.c.id)).mappings())
    finally:
        engine.dispose()


def test_calls_of_strangers_are_not_kept_for_they_could_fill_the_disk(url: str) -> None:
    journal = Journal(url)
    for outcome in ("401", "decided", "401"):
        journal.record(entry(outcome=outcome))
    journal.close()
    assert [row["outcome"] for row in rows(url)] == ["decided"]
    assert journal.dropped == 0


def test_a_record_is_kept_whole_and_in_utc(url: str) -> None:
    journal = Journal(url)
    journal.record(entry())
    journal.close()
    (row,) = rows(url)
    assert dict(row) == {
        "id": 1,
        "at": datetime(2026, 10, 12, 8, 30, tzinfo=UTC),
        "service": "metastatic-calcification-patient-view",
        "hook": "patient-view",
        "tenant": "default",
        "hook_instance_hash": hashed(INSTANCE),
        "outcome": "decided",
        "tier": "critical",
        "headline": "CL-50",
        "rules": ["CL-30", "CL-50"],
        "cards": 1,
        "gaps": {"missing": 2},
        "content_version": "2026.11.0",
        "content_digest": "sha256:ab",
        "read_ms": 0.5,
        "decide_ms": 1.25,
        "answer_ms": 0.125,
        "delivery": None,
        "suppressed_since": None,
    }


def test_the_columns_are_the_fields_of_the_record() -> None:
    assert {column.name for column in decision.columns} - {"id"} == set(entry().as_row())
    assert {column.name for column in shown_card.columns} - {"id"} == set(card().as_row())


def test_the_cards_of_a_decision_are_kept_with_it_each_once(url: str) -> None:
    journal = Journal(url)
    for _ in range(2):
        journal.record(entry(shown=(card(),)))
    journal.close()
    with engine_of(url, reads=True, pooled=False).connect() as connection:
        (row,) = connection.execute(sa.select(shown_card)).mappings()
    assert dict(row) == {
        "id": 1,
        "uuid": INSTANCE,
        "at": datetime(2026, 10, 12, 8, 30, tzinfo=UTC),
        "tenant": "default",
        "service": "s",
        "delivery": "shown",
        "tier": "critical",
        "topic": "CL50",
        "rules": ["CL-50"],
        "suggestions": [],
        "content_version": "2026.11.0",
        "place": None,
        "evidence": None,
    }


def test_the_hook_instance_is_kept_as_a_hash_only(tmp_path: Path) -> None:
    path = tmp_path / "journal.sqlite3"
    journal = Journal(sqlite_at(path))
    journal.record(entry())
    journal.close()
    assert hashed(INSTANCE).encode() in path.read_bytes()
    assert INSTANCE.encode() not in path.read_bytes()
    assert hashed(INSTANCE.upper()) == hashed(INSTANCE)


def test_records_of_many_threads_all_arrive(url: str) -> None:
    journal = Journal(url)
    threads = [threading.Thread(target=lambda: [journal.record(entry()) for _ in range(300)]) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    journal.close()
    assert len(rows(url)) == 8 * 300
    assert (journal.failures, journal.dropped) == (0, 0)


def test_two_journals_share_one_file(url: str) -> None:
    pair = Journal(url), Journal(url)
    for _ in range(50):
        for journal in pair:
            journal.record(entry())
    for journal in pair:
        journal.close()
        assert journal.failures == 0
    assert len(rows(url)) == 100


def test_the_thread_starts_with_the_first_record_not_before(url: str) -> None:
    before = threading.active_count()
    journal = Journal(url)
    assert threading.active_count() == before
    journal.record(entry())
    assert threading.active_count() == before + 1
    journal.close()
    assert threading.active_count() == before


def test_a_database_that_cannot_be_used_loses_records_and_says_so_without_details(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    blocker = tmp_path / "a-file"
    blocker.write_text("")
    journal = Journal(f"sqlite:///{blocker}/journal.sqlite3")
    with caplog.at_level(logging.WARNING):
        for _ in range(3):
            journal.record(entry(shown=(card(),)))
        journal.close()
    assert journal.failures >= 1
    assert (journal.dropped, journal.dropped_cards) == (3, 3)
    assert {record.getMessage() for record in caplog.records} == {"journal failed"}
    lines = [JsonLines().format(record) for record in caplog.records]
    assert all('"event":"journal failed","error":' in line for line in lines)
    assert not any(str(tmp_path) in line for line in lines)


def test_a_full_queue_drops_the_record_and_counts_it(tmp_path: Path) -> None:
    journal = Journal(f"sqlite:///{tmp_path}/journal.sqlite3", queue_size=0)
    journal.record(entry(shown=(card(),)))
    journal.close()
    assert (journal.dropped, journal.dropped_cards, journal.failures) == (1, 1, 0)


def test_writing_goes_on_after_a_failure(tmp_path: Path, url: str) -> None:
    with sqlite3.connect(tmp_path / "journal.sqlite3") as connection:
        connection.execute("ALTER TABLE decision RENAME TO elsewhere")
    connection.close()
    journal = Journal(url)
    journal.record(entry())
    journal.flush()
    assert (journal.failures, journal.dropped) == (1, 1)
    with sqlite3.connect(tmp_path / "journal.sqlite3") as connection:
        connection.execute("ALTER TABLE elsewhere RENAME TO decision")
    connection.close()
    journal.record(entry(at=datetime(2026, 1, 1, tzinfo=UTC)))
    journal.close()
    assert len(rows(url)) == 1


def test_the_table_suits_postgresql() -> None:
    statement = str(CreateTable(decision).compile(dialect=postgresql.dialect()))
    assert "id BIGSERIAL NOT NULL" in statement
    assert "at TIMESTAMP WITH TIME ZONE NOT NULL" in statement


@pytest.mark.store
def test_postgresql_keeps_a_record_with_its_zone_from_two_writers_that_start_together(server: Server) -> None:
    url = server.new_database()
    upgrade(url)
    pair = Journal(url), Journal(url)
    for journal in pair:
        for _ in range(20):
            journal.record(entry())
    for journal in pair:
        journal.close()
        assert (journal.failures, journal.dropped) == (0, 0)
    (*_, row) = kept = rows(url)
    assert len(kept) == 40
    assert (row["at"], row["rules"], row["gaps"]) == (AT, ["CL-30", "CL-50"], {"missing": 2})
