"""Not again (CL-125): what is not repeated, and all that brings it back, with a clock that the test moves."""

from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from flask import Flask

from cds_service.app import create_app
from cds_service.calcinosis.assessment import Tier
from cds_service.calcinosis.facts import EncounterClass
from cds_service.hooks.again import Windows
from cds_service.settings import SettingsError, read_settings
from cds_service.storage.acknowledgements import PAUSE_SECONDS, Acknowledgements
from cds_service.storage.engine import engine_of
from cds_service.storage.schema import decision, shown_card
from cds_service.terminology.catalog import Catalog
from cds_service.trust.tenants import Tenant
from tests.calls import ASSESSMENT, PATIENT_VIEW, bundle, calcium, call, phosphate, prefetch
from tests.conftest import NOW
from tests.storage.databases import sqlite_at

KEY = "0123456789abcdef0123456789abcdef"
HOUR, DAY = timedelta(hours=1), timedelta(days=1)
Json = dict[str, Any]

# calcium times phosphate: 58.3 warns, 78.8 is critical
WARNING = (calcium(10.6), phosphate(5.5))
CRITICAL = (calcium(10.5), phosphate(7.5))


def visit(*observations: Json, **more: Any) -> Json:
    """A call without our own extensions, as production gets it; here the same results at any time of the clock."""
    user = more.pop("user", "Practitioner/p1")
    patient = more.pop("patient", "x1")
    body = call(extension=..., context={"userId": user, "patientId": patient}, **more)
    body["prefetch"] = prefetch(*observations) | more.get("prefetch", {})
    return body


class Site:
    """The service of one site, with a clock that the test moves and a journal that it may read at once."""

    def __init__(self, url: str, catalog: Catalog, tenant: Tenant | None = None, **settings: object) -> None:
        self.url = url
        self.now = NOW
        told = {"hash_key": KEY, "database_url": url, **settings}
        self.app: Flask = create_app(
            read_settings({}, **told),
            clock=lambda: self.now,
            catalog=catalog,
            admit=(lambda: tenant) if tenant else None,
        )

    def ask(self, body: Json) -> Json:
        answer = self.app.test_client().post(PATIENT_VIEW, json=body)
        assert answer.status_code == 200, answer.text
        self.app.extensions["journal"].flush()
        told: Json = answer.get_json()
        return told

    def acknowledge(self, answer: Json, **more: Any) -> None:
        (card,) = answer["cards"]
        item = {"card": card["uuid"], "outcome": "overridden", "outcomeTimestamp": self.now.isoformat(), **more}
        told = self.app.test_client().post(f"{PATIENT_VIEW}/feedback", json={"feedback": [item]})
        assert told.status_code == 200, told.text

    def rows(self, table: sa.Table) -> list[sa.RowMapping]:
        with engine_of(self.url, reads=True, pooled=False).connect() as connection:
            return list(connection.execute(sa.select(table).order_by(table.c.id)).mappings())


@pytest.fixture
def url(tmp_path: Path) -> str:
    return sqlite_at(tmp_path / "journal.sqlite3")


@pytest.fixture
def site(url: str, catalog: Catalog) -> Site:
    return Site(url, catalog)


def shown(answer: Json) -> list[str]:
    return [card["indicator"] for card in answer["cards"]]


def test_what_was_acknowledged_is_not_repeated_and_the_answer_and_the_journal_say_since_when(site: Site) -> None:
    first = site.ask(visit(*WARNING))
    assert shown(first) == ["warning"]
    site.now = NOW + HOUR
    site.acknowledge(first)
    site.now = NOW + 2 * HOUR
    again = site.ask(visit(*WARNING))
    since = (NOW + HOUR).astimezone(tz=None).timestamp()
    assert again["cards"] == []
    assert list(again) == ["cards", "extension"]
    assessment = again["extension"][ASSESSMENT]
    assert assessment["tier"] == "warning"
    assert datetime.fromisoformat(assessment["suppressedSince"]).timestamp() == since
    (_, row) = site.rows(decision)
    assert (row["delivery"], row["cards"], row["suppressed_since"].timestamp()) == ("repeat", 0, since)
    assert [row["delivery"] for row in site.rows(shown_card)] == ["shown", "repeat"]


def test_what_was_only_seen_is_repeated(site: Site) -> None:
    assert [shown(site.ask(visit(*WARNING))) for _ in range(2)] == [["warning"], ["warning"]]


def test_an_accepted_suggestion_is_an_acknowledgement_too(site: Site) -> None:
    suggestion = "9d1a7f0e-5a51-4c6e-9a86-4f6a5f0f1d11"
    site.acknowledge(site.ask(visit(*WARNING)), outcome="accepted", acceptedSuggestions=[{"id": suggestion}])
    assert shown(site.ask(visit(*WARNING))) == []


OTHERS: dict[str, Json] = {
    "another user": visit(*WARNING, user="Practitioner/p2"),
    "another patient": visit(
        *({**result, "subject": {"reference": "Patient/x2"}} for result in WARNING),
        patient="x2",
        prefetch={"patient": {"resourceType": "Patient", "id": "x2", "birthDate": "1960-04-01", "gender": "female"}},
    ),
    "another server": visit(*WARNING, fhirServer="https://other.example.org/r4"),
    "a new pair of the same values": visit(calcium(10.6, id="calcium-2"), phosphate(5.5, id="phosphate-2")),
    "a corrected value": visit(calcium(10.7), phosphate(5.5)),
    "a newer value that is refused": visit(
        *WARNING,
        calcium(
            10.9, id="calcium-3", effectiveDateTime=NOW.isoformat(), valueQuantity={"value": 10.9, "unit": "drops"}
        ),
    ),
    "a newer value that is pending": visit(
        *WARNING, phosphate(5.6, id="phosphate-3", effectiveDateTime=NOW.isoformat(), status="preliminary")
    ),
    "a higher tier": visit(*CRITICAL),
    "a new cause": visit(
        *WARNING,
        prefetch={
            "conditions": bundle(
                {
                    "resourceType": "Condition",
                    "id": "c1",
                    "clinicalStatus": {"coding": [{"code": "active"}]},
                    "code": {"coding": [{"system": "http://hl7.org/fhir/sid/icd-10-cm", "code": "E21.0"}]},
                    "subject": {"reference": "Patient/x1"},
                }
            )
        },
    ),
}


@pytest.mark.parametrize("other", OTHERS)
def test_anything_new_and_anyone_else_brings_the_card(site: Site, other: str) -> None:
    site.acknowledge(site.ask(visit(*WARNING)))
    assert shown(site.ask(visit(*WARNING))) == []
    assert len(shown(site.ask(OTHERS[other]))) == 1


def test_a_critical_card_is_held_back_from_whoever_acknowledged_it_and_from_nobody_else(site: Site) -> None:
    site.acknowledge(site.ask(visit(*CRITICAL)))
    assert shown(site.ask(visit(*CRITICAL))) == []
    assert shown(site.ask(visit(*CRITICAL, user="Practitioner/p2"))) == ["critical"]
    assert shown(site.ask(visit(*CRITICAL, user="PractitionerRole/p1"))) == ["critical"]


def test_another_clients_feedback_acknowledges_nothing(site: Site, url: str, catalog: Catalog) -> None:
    first = site.ask(visit(*WARNING))
    other = Site(url, catalog, tenant=Tenant(name="other"))
    other.acknowledge(first)
    assert shown(other.ask(visit(*WARNING))) == ["warning"]
    assert shown(site.ask(visit(*WARNING))) == ["warning"]


@pytest.mark.parametrize(
    ("tier", "place", "hours"),
    [
        (Tier.WARNING, EncounterClass.INPATIENT, 24),
        (Tier.WARNING, EncounterClass.ICU, 24),
        (Tier.WARNING, EncounterClass.ED, 24),
        (Tier.WARNING, EncounterClass.UNKNOWN, 24),
        (Tier.WARNING, EncounterClass.OUTPATIENT, 720),
        (Tier.INFO, EncounterClass.OUTPATIENT, 720),
        (Tier.CRITICAL, EncounterClass.OUTPATIENT, 24),
        (Tier.CRITICAL, EncounterClass.INPATIENT, 24),
    ],
)
def test_the_window_depends_on_the_place_and_for_critical_cards_is_the_shortest(
    tier: Tier, place: EncounterClass, hours: int
) -> None:
    windows = Windows(inpatient=24 * HOUR, outpatient=30 * DAY, critical=24 * HOUR)
    assert windows.of(tier, place) == hours * HOUR


@pytest.mark.parametrize(("later", "cards"), [(24 * HOUR - timedelta(seconds=1), []), (24 * HOUR, ["warning"])])
def test_when_the_time_is_up_the_card_comes_back(site: Site, later: timedelta, cards: list[str]) -> None:
    site.acknowledge(site.ask(visit(*WARNING)))
    site.now = NOW + later
    assert shown(site.ask(visit(*WARNING))) == cards


def test_a_clock_that_is_ahead_silences_nothing_for_longer(site: Site) -> None:
    site.acknowledge(site.ask(visit(*WARNING)), outcomeTimestamp=(NOW + 300 * DAY).isoformat())
    assert shown(site.ask(visit(*WARNING))) == []
    site.now = NOW + 24 * HOUR
    assert shown(site.ask(visit(*WARNING))) == ["warning"]


def test_a_late_report_counts_from_when_the_user_acted(site: Site) -> None:
    first = site.ask(visit(*WARNING))
    site.now = NOW + 23 * HOUR
    site.acknowledge(first, outcomeTimestamp=NOW.isoformat())
    assert shown(site.ask(visit(*WARNING))) == []
    site.now = NOW + 24 * HOUR
    assert shown(site.ask(visit(*WARNING))) == ["warning"]


OUTPATIENT = {"resourceType": "Encounter", "id": "e1", "status": "in-progress", "class": {"code": "AMB"}}


@pytest.mark.parametrize(("code", "cards"), [("patient-refuses", []), ("cds-suboptimal-context", ["warning"])])
def test_wrong_moment_asks_for_another_moment_and_not_for_a_month_of_silence(
    site: Site, code: str, cards: list[str]
) -> None:
    at_visit = visit(*WARNING)
    at_visit["context"]["encounterId"] = "e1"
    at_visit["prefetch"]["encounter"] = OUTPATIENT
    site.acknowledge(site.ask(at_visit), overrideReason={"reason": {"code": code}})
    assert shown(site.ask(at_visit)) == []
    site.now = NOW + 25 * HOUR
    assert shown(site.ask(at_visit)) == cards


def test_a_window_of_nought_shows_each_time(url: str, catalog: Catalog) -> None:
    site = Site(url, catalog, snooze_critical_h=0)
    for observations in (WARNING, CRITICAL):
        site.acknowledge(site.ask(visit(*observations)))
    assert shown(site.ask(visit(*WARNING))) == []
    assert shown(site.ask(visit(*CRITICAL))) == ["critical"]


def test_a_store_that_does_not_answer_is_as_one_that_knows_nothing(site: Site) -> None:
    site.acknowledge(site.ask(visit(*WARNING)))
    with engine_of(site.url, pooled=False).begin() as connection:
        connection.exec_driver_sql("ALTER TABLE feedback RENAME TO elsewhere")
    assert shown(site.ask(visit(*WARNING))) == ["warning"]


def test_after_a_failure_the_store_is_left_alone_for_a_while(url: str) -> None:
    ticks = [100.0]
    acknowledgements = Acknowledgements(url, lambda: ticks[0])
    with engine_of(url, pooled=False).begin() as connection:
        connection.exec_driver_sql("ALTER TABLE feedback RENAME TO elsewhere")
    assert acknowledgements.of("p", "e", NOW) == ()
    with engine_of(url, pooled=False).begin() as connection:
        connection.exec_driver_sql("ALTER TABLE elsewhere RENAME TO feedback")
    assert (acknowledgements.of("p", "e", NOW), acknowledgements.failures) == ((), 2)
    ticks[0] += PAUSE_SECONDS
    assert (list(acknowledgements.of("p", "e", NOW)), acknowledgements.failures) == ([], 2)
    acknowledgements.close()


def test_the_question_is_answered_from_the_indexes(url: str) -> None:
    from cds_service.storage.acknowledgements import _QUESTION

    with engine_of(url, reads=True, pooled=False).connect() as connection:
        asked = str(_QUESTION.compile(connection, compile_kwargs={"literal_binds": False}))
        plan = connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {asked}", ("p", "e", "2026-01-01", 50, 0)).all()
    told = " ".join(str(row[3]) for row in plan)
    assert "USING INDEX ix_shown_card_place (place=? AND evidence=?)" in told
    assert "SCAN" not in told


# ---- whether anything is remembered ----------------------------------------------------------------------------------


def test_the_store_holds_keyed_hashes_and_nothing_of_patient_user_or_values(site: Site, tmp_path: Path) -> None:
    site.acknowledge(site.ask(visit(*WARNING, user="Practitioner/zq7user", fhirServer="https://zq7.example.org")))
    (row,) = site.rows(shown_card)
    assert (len(row["place"]), len(row["evidence"])) == (64, 64)
    kept = b"".join(path.read_bytes() for path in tmp_path.iterdir())
    assert b"zq7" not in kept
    assert b"10.6" not in kept


@pytest.mark.parametrize("told", [{"hash_key": ""}, {"snooze": False}, {"sandbox": True}])
def test_without_a_key_or_in_sandbox_mode_cards_are_shown_each_time_and_no_hash_is_kept(
    url: str, catalog: Catalog, told: dict[str, object]
) -> None:
    site = Site(url, catalog, **told)
    site.acknowledge(site.ask(visit(*WARNING)))
    assert shown(site.ask(visit(*WARNING))) == ["warning"]
    assert {(row["place"], row["evidence"]) for row in site.rows(shown_card)} == {(None, None)}


def test_a_missing_key_is_told_in_the_log(url: str, catalog: Catalog, caplog: pytest.LogCaptureFixture) -> None:
    Site(url, catalog, hash_key="")
    assert [record.getMessage() for record in caplog.records] == [
        "cards are shown each time, for there is no CDS_HASH_KEY"
    ]


def test_a_sandbox_keeps_a_key_of_its_own_beside_the_database(url: str, catalog: Catalog, tmp_path: Path) -> None:
    told = {"sandbox": True, "snooze": True, "hash_key": ""}
    site = Site(url, catalog, **told)
    key = (tmp_path / "journal.sqlite3.key").read_text()
    assert (len(key), (tmp_path / "journal.sqlite3.key").stat().st_mode & 0o777) == (64, 0o600)
    site.acknowledge(site.ask(visit(*WARNING)))
    assert shown(Site(url, catalog, **told).ask(visit(*WARNING))) == []  # after a restart too
    assert (tmp_path / "journal.sqlite3.key").read_text() == key


@pytest.mark.parametrize(
    ("told", "problem"),
    [
        ({"hash_key": "short"}, "CDS_HASH_KEY: has 5 characters, too few; expected 32 or more"),
        ({"snooze": True}, "CDS_SNOOZE: needs CDS_HASH_KEY, for acknowledgements are remembered under keyed hashes"),
    ],
)
def test_a_key_that_is_too_short_or_lacks_where_it_is_needed_is_told(told: dict[str, object], problem: str) -> None:
    with pytest.raises(SettingsError) as caught:
        read_settings({}, **told)
    assert caught.value.problems == (problem,)


# ---- silent mode -----------------------------------------------------------------------------------------------------


def test_a_silent_client_sees_nothing_and_the_journal_everything(url: str, catalog: Catalog) -> None:
    site = Site(url, catalog, tenant=Tenant(name="quiet", silent=True), explain=True)
    body = visit(*CRITICAL) | {"extension": {"org.calcinosis-cds.explain": True}}
    assert site.app.test_client().post(PATIENT_VIEW, json=body).data == b'{"cards":[]}'
    site.app.extensions["journal"].flush()
    (row,) = site.rows(decision)
    assert (row["delivery"], row["tier"], row["cards"], row["tenant"]) == ("silent", "critical", 0, "quiet")
    (card,) = site.rows(shown_card)
    assert (card["delivery"], card["tier"], card["place"]) == ("silent", "critical", None)


def test_a_silent_client_and_a_healthy_patient_of_another_get_the_same_answer(
    url: str, catalog: Catalog, site: Site
) -> None:
    quiet = Site(url, catalog, tenant=Tenant(name="quiet", silent=True)).app.test_client()
    loud = site.app.test_client()
    held_back = quiet.post(PATIENT_VIEW, json=visit(*CRITICAL))
    nothing = loud.post(PATIENT_VIEW, json=visit(calcium(9.4), phosphate(3.6)))
    assert (held_back.data, dict(held_back.headers)) == (nothing.data, dict(nothing.headers))
