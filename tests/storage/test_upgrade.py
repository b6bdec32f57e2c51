"""The tables and their versions: made, taken over, upgraded once however many try, refused when old."""

import re
import subprocess
import sys
from pathlib import Path

import pytest
import sqlalchemy as sa
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from click.testing import CliRunner

from cds_service.cli import main
from cds_service.storage import upgrade as upgrading
from cds_service.storage.engine import UnusableDatabase, engine_of, sqlite_file
from cds_service.storage.schema import VERSION, metadata
from cds_service.storage.upgrade import upgrade
from cds_service.storage.version import outdated, version_at

ROOT = Path(__file__).parents[2]
FIRST_DAYS = """CREATE TABLE decision (id INTEGER NOT NULL, at DATETIME NOT NULL, service VARCHAR(100) NOT NULL,
hook VARCHAR(60) NOT NULL, {tenant} hook_instance_hash VARCHAR(64), outcome VARCHAR(20) NOT NULL, tier VARCHAR(10),
headline VARCHAR(20), rules JSON NOT NULL, cards INTEGER NOT NULL, gaps JSON NOT NULL,
content_version VARCHAR(40) NOT NULL, content_digest VARCHAR(80) NOT NULL, read_ms FLOAT NOT NULL,
decide_ms FLOAT NOT NULL, answer_ms FLOAT NOT NULL, PRIMARY KEY (id))"""
ROW = """INSERT INTO decision (id, at, service, hook, outcome, rules, cards, gaps, content_version, content_digest,
read_ms, decide_ms, answer_ms) VALUES (7, '2026-10-12 08:30:00', 's', 'patient-view', 'decided', '[]', 1, '{}',
'2026.11.0', 'sha256:ab', 1, 1, 1)"""


def differences(url: str) -> list[object]:
    """What Alembic finds between the tables of a database and those of schema.py."""
    engine = engine_of(url, pooled=False)
    with engine.begin() as connection:
        return list(compare_metadata(MigrationContext.configure(connection), metadata))


def first_days(path: Path, tenant: str) -> str:
    """A database as it was made before there were versions, with one row."""
    engine = engine_of(f"sqlite:///{path}", pooled=False)
    with engine.begin() as connection:
        connection.exec_driver_sql(FIRST_DAYS.format(tenant=tenant))
        connection.exec_driver_sql("CREATE INDEX ix_decision_at ON decision (at)")
        connection.exec_driver_sql(ROW)
    return f"sqlite:///{path}"


def test_the_version_of_the_tables_is_that_of_the_newest_migration() -> None:
    config = Config()
    config.set_main_option("script_location", str(Path(upgrading.__file__).with_name("migrations")))
    assert ScriptDirectory.from_config(config).get_heads() == [VERSION]


def test_versions_have_four_digits_so_that_they_can_be_compared_as_text() -> None:
    folder = Path(upgrading.__file__).with_name("migrations") / "versions"
    for path in folder.glob("*.py"):
        (revision,) = re.findall(r'^revision = "(\d{4})"$', path.read_text(), re.MULTILINE)
        assert path.name.startswith(f"v{revision}_")


def test_a_new_database_gets_the_tables_of_the_schema(empty: str) -> None:
    assert version_at(empty) is None
    assert upgrade(empty) == upgrading.Upgraded(None, VERSION)
    assert differences(empty) == []
    assert outdated(empty) is None


def test_asking_for_the_version_makes_no_file(tmp_path: Path) -> None:
    assert version_at(f"sqlite:///{tmp_path}/new.sqlite3") is None
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("tenant", ["", "tenant VARCHAR(60),"])
def test_a_journal_of_the_first_days_is_taken_over_with_its_rows(tmp_path: Path, tenant: str) -> None:
    url = first_days(tmp_path / "journal.sqlite3", tenant)
    assert str(outdated(url)).startswith("the database holds no tables of this service, or those of its first days")
    assert upgrade(url) == upgrading.Upgraded(None, VERSION)
    assert differences(url) == []
    with engine_of(url, pooled=False).connect() as connection:
        assert connection.exec_driver_sql("SELECT id, hook, tenant FROM decision").all() == [(7, "patient-view", None)]


def test_an_upgrade_that_fails_leaves_the_database_as_it_was(empty: str) -> None:
    file = sqlite_file(empty)
    if file is not None:
        file.parent.mkdir()
    engine = engine_of(empty, pooled=False)
    with engine.begin() as connection:
        connection.exec_driver_sql("CREATE TABLE ix_decision_at (x INTEGER)")  # in the way of the index
    with pytest.raises(sa.exc.SQLAlchemyError):
        upgrade(empty)
    with engine.begin() as connection:
        assert sa.inspect(connection).get_table_names() == ["ix_decision_at"]


@pytest.mark.store
def test_many_upgrades_at_once_do_the_work_once_and_all_end_well(empty: str) -> None:
    work = "import sys; from cds_service.storage.upgrade import upgrade; print(upgrade(sys.argv[1]).before)"
    command = [sys.executable, "-c", work, empty]
    running = [subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) for _ in range(6)]  # noqa: S603
    told = sorted(each.communicate(timeout=120)[0].strip() for each in running)
    assert [each.returncode for each in running] == [0] * 6
    assert told == [*[VERSION] * 5, "None"]
    assert differences(empty) == []


def test_a_database_of_a_later_service_is_left_alone_and_good_enough(url: str) -> None:
    with engine_of(url, pooled=False).begin() as connection:
        connection.exec_driver_sql("UPDATE alembic_version SET version_num = '9999'")
    assert upgrade(url) == upgrading.Upgraded("9999", "9999")
    assert outdated(url) is None


@pytest.mark.parametrize(
    ("url", "told"),
    [
        ("secret nonsense", "is no database URL such as sqlite:///var/journal.sqlite3"),
        ("mysql://cds:secret@db/cds", "names another database than SQLite or PostgreSQL"),
        ("postgresql+nonsense", "is no database URL such as sqlite:///var/journal.sqlite3"),
        ("sqlite://", "names no file; SQLite in memory would forget everything"),
    ],
)
def test_a_url_that_cannot_be_meant_is_told_without_its_address(url: str, told: str) -> None:
    with pytest.raises(UnusableDatabase) as caught:
        engine_of(url)
    assert str(caught.value) == told


def test_a_postgresql_address_means_psycopg_3() -> None:
    assert engine_of("postgresql://cds:secret@127.0.0.1:1/cds").url.drivername == "postgresql+psycopg"


def test_postgresql_without_its_driver_names_the_extra_that_brings_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "psycopg", None)
    with pytest.raises(UnusableDatabase, match="needs the extra postgres"):
        engine_of("postgresql://cds:secret@127.0.0.1:1/cds")


# ---- the command -----------------------------------------------------------------------------------------------------


def test_the_command_upgrades_once_and_says_so(runner: CliRunner, empty: str) -> None:
    environ = {"CDS_DATABASE_URL": empty}
    before = runner.invoke(main, ["db", "current"], env=environ)
    assert (before.exit_code, before.stdout) == (1, "no version\n")
    assert before.stderr.endswith(f"this service needs {VERSION}. Bring it up to date with: cds-service db upgrade\n")
    first = runner.invoke(main, ["db", "upgrade"], env=environ)
    assert (first.exit_code, first.output) == (0, f"The database was upgraded from no version to {VERSION}.\n")
    second = runner.invoke(main, ["db", "upgrade"], env=environ)
    assert (second.exit_code, second.output) == (0, f"Nothing to do: the database has version {VERSION}.\n")
    after = runner.invoke(main, ["db", "current"], env=environ)
    assert (after.exit_code, after.output) == (0, f"{VERSION}\n")


def test_the_command_tells_of_a_database_that_is_away_without_its_address(runner: CliRunner) -> None:
    environ = {"CDS_DATABASE_URL": "postgresql://cds:hunter2@127.0.0.1:1/cds"}
    told = runner.invoke(main, ["db", "upgrade"], env=environ)
    assert (told.exit_code, told.stdout) == (1, "")
    assert told.stderr.startswith("The database cannot be used (OperationalError).")
    assert "hunter2" not in told.stderr + "127.0.0.1"


@pytest.mark.parametrize(
    ("url", "told"),
    [
        ("", "CDS_DATABASE_URL is empty: this service keeps nothing.\n"),
        ("nonsense", "CDS_DATABASE_URL: is no database URL such as sqlite:///var/journal.sqlite3\n"),
    ],
)
def test_the_command_needs_a_database(runner: CliRunner, url: str, told: str) -> None:
    result = runner.invoke(main, ["db", "upgrade"], env={"CDS_DATABASE_URL": url})
    assert (result.exit_code, result.output) == (2, told)


# ---- the start of the service ----------------------------------------------------------------------------------------


def test_the_service_does_not_start_on_old_tables_and_names_the_command(runner: CliRunner, tmp_path: Path) -> None:
    url = first_days(tmp_path / "journal.sqlite3", "")
    result = runner.invoke(main, ["serve", "--port", "1"], env={"CDS_DATABASE_URL": url})
    assert result.exit_code == 2
    assert result.stderr.endswith("Bring it up to date with: cds-service db upgrade\n")
    assert version_at(url) is None
