"""The operations page: its numbers are those of the journal, and only those who may look see them."""

import csv
import html
import io
import re
from dataclasses import replace
from datetime import UTC, date, timedelta
from pathlib import Path

import pytest
from flask.testing import FlaskClient

from cds_service.app import create_app
from cds_service.pages.operations import became
from cds_service.settings import read_settings
from cds_service.storage.activity import activity, monday
from cds_service.storage.feedback import FeedbackStore
from cds_service.storage.journal import Journal
from cds_service.storage.read_activity import reader_of
from cds_service.storage.records import DecisionRecord, Delivery
from cds_service.storage.upgrade import upgrade
from cds_service.terminology.catalog import Catalog
from tests.conftest import NOW, Notes, counting_ids
from tests.storage.test_journal import card
from tests.storage.test_reports import item, uuid

RECORD = DecisionRecord(
    at=NOW,
    service="metastatic-calcification-patient-view",
    hook="patient-view",
    tenant="ward",
    hook_instance_hash=None,
    outcome="decided",
    content_version="2026.11.0",
    content_digest="sha256:0",
    tier="critical",
    headline="CL-50",
    rules=("CL-50",),
    cards=1,
    gaps={},
    read_ms=1.0,
    decide_ms=2.0,
    answer_ms=0.5,
)
SEEDED = (
    *(replace(RECORD, read_ms=float(n)) for n in range(1, 6)),
    *[replace(RECORD, tier="info", headline="CL-60", gaps={"missing": 2, "unmapped": 1}, at=NOW - timedelta(days=7))]
    * 3,
    *[replace(RECORD, tier="none", headline=None, cards=0, tenant="=HYPERLINK(1)")] * 4,
    replace(RECORD, tier=None, headline=None, cards=0, outcome="412", tenant=None),
    replace(RECORD, at=NOW - timedelta(weeks=30), headline="CL-55"),
)


@pytest.fixture
def url(tmp_path: Path) -> str:
    made = f"sqlite:///{tmp_path}/journal.sqlite3"
    upgrade(made)
    journal = Journal(made)
    for entry in SEEDED:
        journal.record(entry)
    journal.close()
    return made


def client_of(url: str, catalog: Catalog, **given: object) -> FlaskClient:
    settings = read_settings({}, **({"sandbox": True, "database_url": url} | given))
    app = create_app(settings, clock=lambda: NOW, new_id=counting_ids(), catalog=catalog, journal=Notes())
    return app.test_client()


def test_the_counts_are_those_of_the_journal(url: str) -> None:
    found = reader_of(url)(NOW)
    this_week = monday(NOW.astimezone(UTC).date())
    assert found.calls == len(SEEDED) - 1, "what is older than twelve weeks is left out"
    assert dict(found.weeks[this_week]) == {"critical": 5, "none": 4}
    assert dict(found.weeks[this_week - timedelta(weeks=1)]) == {"info": 3}
    assert len(found.weeks) == 12
    assert found.rules == [("CL-50", 5), ("CL-60", 3)]
    assert dict(found.outcomes) == {"decided": 12, "412": 1}
    assert dict(found.gaps) == {"missing": 6, "unmapped": 3}
    assert ("ward", 8, 8) in found.tenants
    assert found.latency["read_ms"].longest == 5.0
    assert found.latency["whole call"].median == 3.5


def test_a_journal_without_calls_has_empty_weeks() -> None:
    found = activity([], date(2026, 1, 5), {})
    assert (found.calls, len(found.weeks), found.latency) == (0, 12, {})


def test_page_and_csv_show_the_numbers(url: str, catalog: Catalog) -> None:
    client = client_of(url, catalog)
    page = html.unescape(re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", client.get("/ops").get_data(as_text=True))))
    assert "Calls 13" in page
    assert re.search(r"2026-10-12 5 0 0 4 ", page)
    assert "CL-50 5" in page
    answer = client.get("/ops.csv")
    assert answer.mimetype == "text/csv"
    rows = list(csv.reader(io.StringIO(answer.get_data(as_text=True))))
    assert ["decided calls by level", "2026-10-12", "critical", "5"] in rows
    assert ["calls by client", "", "'=HYPERLINK(1)", "4"] in rows


@pytest.fixture
def with_cards(url: str) -> str:
    """Three critical cards of the ward, one of them too old, a repeat, and two in silence elsewhere."""
    cards = [
        card(uuid=uuid(1), at=NOW, tenant="ward", rules=("CL-50", "CL-30")),
        card(uuid=uuid(2), at=NOW - timedelta(days=7), tenant="ward", rules=("OT-1",)),
        card(uuid=uuid(3), at=NOW - timedelta(weeks=30), tenant="ward"),
        card(uuid=uuid(4), at=NOW, tenant="ward", rules=("CL-50",), delivery=Delivery.REPEAT),
        card(uuid=uuid(5), at=NOW, tenant="=south", tier="info", rules=("CL-53",), delivery=Delivery.SILENT),
        card(uuid=uuid(6), at=NOW, tenant="=south", tier="info", rules=("CL-53",), delivery=Delivery.SILENT),
    ]
    journal, store = Journal(url), FeedbackStore(url)
    journal.record(replace(RECORD, shown=cards))
    journal.close()
    when = {"tenant": "ward", "received_at": NOW, "outcome_at": NOW}
    store.keep([item(1, "accepted", **when), item(2, "overridden", reason="patient-refuses", **when)])
    store.close()
    return url


def test_what_became_of_cards_is_counted_by_level_rule_and_client_silent_beside_live(with_cards: str) -> None:
    found = became(reader_of(with_cards)(NOW))
    told = {
        name: (c.shown, c.accepted, c.overridden, c.ignored, c.repeats, c.silent) for name, c in found.levels.items()
    }
    assert told == {"critical": (2, 1, 1, 0, 1, 0), "info": (0, 0, 0, 0, 0, 2)}
    assert {name: (c.shown, c.silent) for name, c in found.clients.items()} == {"ward": (2, 0), "=south": (0, 2)}
    assert {name: c.overridden for name, c in found.rules.items()} == {"CL-50": 0, "CL-30": 0, "OT-1": 1, "CL-53": 0}
    assert found.reasons == [("Patient declines", 1)]


def test_page_and_csv_show_overrides_with_their_reasons_and_silent_beside_live(
    with_cards: str, catalog: Catalog
) -> None:
    client = client_of(with_cards, catalog)
    page = html.unescape(re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", client.get("/ops").get_data(as_text=True))))
    assert "critical 2 1 1 0 1 0" in page
    assert "=south 0 0 0 0 0 2" in page
    assert "Patient declines 1" in page
    rows = list(csv.reader(io.StringIO(client.get("/ops.csv").get_data(as_text=True))))
    for row in (
        ["cards shown by level", "2026-10-12", "critical", "1"],
        ["cards overridden by level", "2026-10-05", "critical", "1"],
        ["cards held back in silence by level", "2026-10-12", "info", "2"],
        ["cards held back in silence by client", "", "'=south", "2"],
        ["cards overridden by rule", "", "OT-1", "1"],
        ["overrides by reason", "", "Patient declines", "1"],
    ):
        assert row in rows


@pytest.mark.parametrize(
    ("environ", "status"),
    [
        ({"REMOTE_ADDR": "127.0.0.1"}, 200),
        ({"REMOTE_ADDR": "::1", "HTTP_HOST": "[::1]:8000"}, 200),
        ({"REMOTE_ADDR": "10.0.0.7"}, 403),
        ({"REMOTE_ADDR": ""}, 403),
        ({"REMOTE_ADDR": "127.0.0.1", "HTTP_X_FORWARDED_FOR": "127.0.0.1"}, 403),
        ({"REMOTE_ADDR": "127.0.0.1", "HTTP_FORWARDED": "for=10.0.0.7"}, 403),
        ({"REMOTE_ADDR": "127.0.0.1", "HTTP_HOST": "evil.example"}, 403),
    ],
)
def test_outside_the_sandbox_only_this_machine_may_look(
    url: str, catalog: Catalog, environ: dict[str, str], status: int
) -> None:
    client = client_of(url, catalog, sandbox=False, pages=True)
    for path in ("/ops", "/ops.csv"):
        assert client.get(path, environ_overrides={"HTTP_HOST": "localhost:8000"} | environ).status_code == status


def test_without_a_journal_the_page_says_so(catalog: Catalog) -> None:
    answer = client_of("", catalog).get("/ops")
    assert answer.status_code == 404
    assert "CDS_DATABASE_URL" in answer.get_data(as_text=True)


def test_a_journal_that_cannot_be_read_is_no_empty_page(catalog: Catalog, tmp_path: Path) -> None:
    answer = client_of(f"sqlite:///{tmp_path}/journal.sqlite3", catalog).get("/ops")
    assert answer.status_code == 503
    assert str(tmp_path) not in answer.get_data(as_text=True)
