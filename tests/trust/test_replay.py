"""The memory of seen tokens of one process, and what callers get when there is none."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from cds_service.settings import SettingsError, read_settings
from cds_service.trust.replay import OwnMemory
from tests.calls import PATIENT_VIEW, healthy_call
from tests.storage.databases import sqlite_at
from tests.trust.conftest import Guarded
from tests.trust.keys import BASE, bearer

YES = "yes-i-understand"
NOW = datetime(2026, 10, 12, 8, 30, tzinfo=UTC)


def test_a_memory_that_is_full_of_live_tokens_cannot_tell() -> None:
    memory = OwnMemory(most=2)
    until = NOW + timedelta(minutes=1)
    assert [memory.first_time(name, until=until, now=NOW) for name in "aab"] == [True, False, True]
    assert memory.first_time("c", until=until, now=NOW) is None
    assert memory.first_time("c", until=until, now=until) is True  # the others have expired


def test_two_processes_share_which_tokens_were_seen(guarded: Guarded, tmp_path: Path) -> None:
    url = sqlite_at(tmp_path / "journal.sqlite3")
    one, other = guarded(database_url=url), guarded(database_url=url)
    headers = bearer(PATIENT_VIEW)
    call = healthy_call(fhirServer=...)
    assert one.post(PATIENT_VIEW, json=call, headers=headers).status_code == 200
    assert other.post(PATIENT_VIEW, json=call, headers=headers).status_code == 401


def test_without_the_store_of_seen_tokens_nobody_gets_in_and_503_says_so(guarded: Guarded, tmp_path: Path) -> None:
    service = guarded(database_url=f"sqlite:///{tmp_path}/none/journal.sqlite3")
    answer = service.post(PATIENT_VIEW, json=healthy_call(fhirServer=...), headers=bearer(PATIENT_VIEW))
    assert (answer.status_code, answer.headers["Retry-After"]) == (503, "5")
    assert answer.get_json()["issue"][0]["code"] == "transient"


def test_a_service_whose_callers_need_the_store_is_not_ready_without_it(guarded: Guarded, tmp_path: Path) -> None:
    away = guarded(database_url=f"sqlite:///{tmp_path}/none/journal.sqlite3").get("/readyz")
    assert (away.status_code, away.headers["Retry-After"]) == (503, "5")
    assert away.get_json()["issue"][0]["code"] == "transient"
    there = guarded(database_url=sqlite_at(tmp_path / "journal.sqlite3")).get("/readyz")
    assert (there.status_code, there.get_json()["store"]) == (200, "reachable")


def test_a_service_that_gives_cards_without_the_store_is_ready_and_tells_that_it_is_away(
    guarded: Guarded, tmp_path: Path
) -> None:
    service = guarded(
        sandbox=True, database_url=f"sqlite:///{tmp_path}/none/journal.sqlite3", allow_unauthenticated=YES
    )
    answer = service.get("/readyz")
    assert (answer.status_code, answer.get_json()["store"]) == (200, "away")
    assert service.get("/healthz").status_code == 200


def test_several_processes_need_a_database() -> None:
    clients = {"CDS_TENANTS_FILE": "t", "CDS_PUBLIC_URL": BASE, "CDS_DATABASE_URL": ""}
    with pytest.raises(SettingsError) as refused:
        read_settings(clients)
    assert refused.value.problems[0].startswith("CDS_DATABASE_URL: is needed with CDS_TENANTS_FILE")
    assert read_settings(clients | {"CDS_WORKERS": "1"}).workers == 1
