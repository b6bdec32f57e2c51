"""Reports and pruning: the counts equal a seeded database, and reading changes nothing."""

import csv
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from click.testing import CliRunner

from cds_service.cli import main
from cds_service.storage.engine import engine_of
from cds_service.storage.feedback import FeedbackStore
from cds_service.storage.journal import Journal
from cds_service.storage.records import Delivery, FeedbackItem
from tests.storage.test_journal import card, entry

# Monday of ISO week 42, a minute into it; in another zone it would be Sunday
MONDAY = datetime(2026, 10, 12, 0, 1, tzinfo=UTC)


def uuid(number: int) -> str:
    return f"00000000-0000-4000-8000-{number:012d}"


def item(number: int, outcome: str, minute: int = 0, reason: str | None = None, **changes: object) -> FeedbackItem:
    fields: dict[str, object] = {
        "received_at": MONDAY,
        "tenant": "north",
        "service": "s",
        "card": uuid(number),
        "outcome": outcome,
        "outcome_at": MONDAY + timedelta(minutes=minute),
        "suggestions": (),
        "reason": reason,
        "commented": False,
        "comment": None,
    }
    return FeedbackItem(**(fields | changes))  # type: ignore[arg-type]


@pytest.fixture
def seeded(url: str) -> str:
    """Six cards of north in week 42 and one in week 41, a silent one of south; feedback on some of them."""
    journal, store = Journal(url), FeedbackStore(url)
    cards = [
        *(card(uuid=uuid(n), at=MONDAY, tenant="north", rules=("CL-50", "CL-30")) for n in range(1, 5)),
        card(uuid=uuid(5), at=MONDAY, tenant="north", delivery=Delivery.REPEAT),
        card(uuid=uuid(6), at=MONDAY, tenant="north", tier="info", rules=("CL-53",)),
        card(uuid=uuid(7), at=MONDAY - timedelta(minutes=2), tenant="north", tier="info", rules=("CL-53",)),
        card(uuid=uuid(8), at=MONDAY, tenant="south", delivery=Delivery.SILENT),
    ]
    journal.record(entry(at=MONDAY, tenant="north", shown=cards[:7], delivery=Delivery.SHOWN))
    journal.record(entry(at=MONDAY, tenant="south", shown=cards[7:], delivery=Delivery.SILENT))
    journal.record(entry(at=MONDAY, tenant="south", tier="none", delivery=Delivery.SILENT))
    journal.close()
    store.keep(
        [
            item(1, "accepted"),
            item(2, "overridden", reason="patient-refuses"),
            item(3, "overridden"),
            item(3, "accepted", minute=1),  # came to another mind: the last word counts
            item(6, "overridden", reason="need-more-info"),
            item(1, "overridden", tenant="south"),  # not south's card
            item(99, "overridden"),
        ]
    )
    store.close()
    return url


def told(runner: CliRunner, url: str, *words: str) -> str:
    result = runner.invoke(main, words, env={"CDS_DATABASE_URL": url})
    assert result.exit_code == 0, result.output
    return result.output


def test_the_feedback_report_counts_shown_accepted_overridden_and_ignored(
    runner: CliRunner, seeded: str, tmp_path: Path
) -> None:
    file = tmp_path / "out" / "report.csv"
    assert told(runner, seeded, "feedback", "report", "--csv", str(file)).splitlines() == [
        f"7 rows in {file}",
        "2 item(s) of feedback are about cards that are not on record.",
    ]
    head, *rows = csv.reader(file.read_text().splitlines())
    assert head == [
        *("week", "tenant", "tier", "rule", "shown", "accepted", "overridden", "ignored", "not_repeated", "reasons")
    ]
    assert rows == [
        ["2026-W41", "north", "info", "CL-53", "1", "0", "0", "1", "0", ""],
        ["2026-W41", "north", "info", "all", "1", "0", "0", "1", "0", ""],
        ["2026-W42", "north", "critical", "CL-30", "4", "2", "1", "1", "0", "patient-refuses=1"],
        ["2026-W42", "north", "critical", "CL-50", "4", "2", "1", "1", "1", "patient-refuses=1"],
        ["2026-W42", "north", "critical", "all", "4", "2", "1", "1", "1", "patient-refuses=1"],
        ["2026-W42", "north", "info", "CL-53", "1", "0", "1", "0", "0", "need-more-info=1"],
        ["2026-W42", "north", "info", "all", "1", "0", "1", "0", "0", "need-more-info=1"],
    ]


def test_the_feedback_report_is_readable_in_a_terminal(runner: CliRunner, seeded: str) -> None:
    head, first, *_ = told(runner, seeded, "feedback", "report").splitlines()
    assert head.split()[:5] == ["week", "tenant", "tier", "rule", "shown"]
    assert head.split()[5:] == ["accepted", "overridden", "ignored", "not_repeated", "reasons"]
    assert first.split() == ["2026-W41", "north", "info", "CL-53", "1", "0", "0", "1", "0"]
    assert first.index("CL-53") == head.index("rule")


def test_the_silent_report_tells_what_would_have_been_shown(runner: CliRunner, seeded: str) -> None:
    lines = told(runner, seeded, "silent", "report").splitlines()
    assert [line.split() for line in lines[1:3]] == [
        ["2026-W42", "south", "critical", "CL-50", "1"],
        ["2026-W42", "south", "critical", "all", "1"],
    ]
    assert lines[-1] == "2026-W42 south: 2 call(s) decided in silence, 1 card(s) held back."


@pytest.mark.parametrize("command", [("feedback", "report"), ("silent", "report")])
def test_a_report_on_nothing_says_so(runner: CliRunner, url: str, command: tuple[str, str]) -> None:
    assert told(runner, url, *command) == "Nothing on record.\n"


@pytest.mark.parametrize("command", [("feedback", "report"), ("silent", "report")])
def test_a_report_makes_no_database(runner: CliRunner, tmp_path: Path, command: tuple[str, str]) -> None:
    result = runner.invoke(main, command, env={"CDS_DATABASE_URL": f"sqlite:///{tmp_path}/none.sqlite3"})
    assert result.exit_code == 1
    assert list(tmp_path.iterdir()) == []


def test_reading_connections_cannot_write(url: str) -> None:
    with (
        engine_of(url, reads=True, pooled=False).connect() as connection,
        pytest.raises(Exception, match="readonly database"),
    ):
        connection.exec_driver_sql("DELETE FROM decision")


def test_text_that_a_spreadsheet_would_run_is_made_inert(runner: CliRunner, url: str, tmp_path: Path) -> None:
    journal = Journal(url)
    journal.record(entry(shown=(card(tenant="=HYPERLINK(1)"),)))
    journal.close()
    told(runner, url, "feedback", "report", "--csv", str(tmp_path / "r.csv"))
    assert "\n2026-W42,'=HYPERLINK(1),critical" in (tmp_path / "r.csv").read_text()


def test_pruning_removes_what_is_older_and_nothing_else(runner: CliRunner, seeded: str) -> None:
    journal, now = Journal(seeded), datetime.now(UTC)
    journal.record(entry(at=now, shown=(card(at=now),)))
    journal.close()
    days = str((now - MONDAY).days - 1)
    assert told(runner, seeded, "db", "prune", "--older-than", days) == (
        f"Removed from before {days} day(s): 3 of decision, 8 of shown_card, 7 of feedback.\n"
    )
    assert told(runner, seeded, "db", "prune", "--older-than", days) == (
        f"Removed from before {days} day(s): 0 of decision, 0 of shown_card, 0 of feedback.\n"
    )


def test_pruning_follows_the_setting_and_never_guesses(runner: CliRunner, seeded: str) -> None:
    unsaid = runner.invoke(main, ["db", "prune"], env={"CDS_DATABASE_URL": seeded})
    assert (unsaid.exit_code, unsaid.stderr) == (2, "Say how old: --older-than DAYS, or set CDS_RETENTION_DAYS.\n")
    set_ = runner.invoke(main, ["db", "prune"], env={"CDS_DATABASE_URL": seeded, "CDS_RETENTION_DAYS": "36500"})
    assert set_.output == "Removed from before 36500 day(s): 0 of decision, 0 of shown_card, 0 of feedback.\n"
