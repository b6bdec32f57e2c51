"""The composition root and the command line: what is imported, what start-up refuses, what the commands print."""

import json
import os
import shlex
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.client import HTTPConnection
from pathlib import Path

import pytest
from click.testing import CliRunner

from cds_service import server
from cds_service.app import create_app
from cds_service.cli import main
from cds_service.settings import read_settings
from cds_service.storage.journal import Journal
from cds_service.storage.schema import VERSION
from cds_service.storage.version import version_at
from cds_service.terminology.catalog import Catalog
from tests.calls import PATIENT_VIEW, calcium, call, critical_call, healthy_call, phosphate
from tests.conftest import NOW
from tests.storage.databases import sqlite_at
from tests.storage.test_upgrade import first_days

ROOT = Path(__file__).parents[1]
MAPPINGS = ROOT / "mappings"


def in_fresh_python(code: str, **environ: str) -> str:
    clean = {name: value for name, value in os.environ.items() if not name.startswith("CDS_")}
    run = subprocess.run(  # noqa: S603  our own words
        [sys.executable, "-c", code],
        cwd=ROOT,
        env=clean | environ,
        capture_output=True,
        text=True,
        check=True,
    )
    return run.stdout


# ---- what is imported ------------------------------------------------------------------------------------------------


def test_the_service_starts_without_what_it_does_not_need(tmp_path: Path) -> None:
    code = "import sys, cds_service.wsgi; print(*sorted(sys.modules), sep='\\n')"
    modules = in_fresh_python(code, CDS_DATABASE_URL=sqlite_at(tmp_path / "journal.sqlite3")).splitlines()
    unwanted = {
        "alembic",
        "pint",
        "ucumvert",
        "duckdb",
        "pandas",
        "opentelemetry.sdk",
        "pytest",
        "hypothesis",
        "jinja2.sandbox",
    }
    assert unwanted.isdisjoint(modules)
    assert "sqlalchemy" in modules
    assert "fhir.resources.R4B.operationoutcome" in modules


def test_sqlalchemy_is_not_imported_when_the_journal_is_off() -> None:
    code = "import sys, cds_service.wsgi; print('sqlalchemy' in sys.modules)"
    assert in_fresh_python(code, CDS_DATABASE_URL="").strip() == "False"


def test_pages_are_imported_only_where_they_are_on() -> None:
    code = "import sys, cds_service.wsgi; print('cds_service.pages.site' in sys.modules)"
    assert in_fresh_python(code, CDS_DATABASE_URL="").strip() == "False"
    assert in_fresh_python(code, CDS_DATABASE_URL="", CDS_SANDBOX="true").strip() == "True"


def test_the_help_of_the_command_line_imports_no_web_server_and_no_fhir() -> None:
    code = (
        "import sys\nfrom click.testing import CliRunner\nfrom cds_service.cli import main\n"
        "assert CliRunner().invoke(main, ['serve', '--help']).exit_code == 0\n"
        "print(sorted({'flask', 'granian', 'fhir.resources', 'sqlalchemy'} & set(sys.modules)))"
    )
    assert in_fresh_python(code).strip() == "[]"


# ---- the journal -----------------------------------------------------------------------------------------------------


def test_a_journal_that_cannot_write_changes_no_answer(tmp_path: Path, catalog: Catalog) -> None:
    file = tmp_path / "journal.sqlite3"
    file.write_text("no database, whatever the name says")
    settings = read_settings({}, sandbox=True, database_url=f"sqlite:///{file}")
    app = create_app(settings, clock=lambda: NOW, catalog=catalog)
    answers = [app.test_client().post(PATIENT_VIEW, json=critical_call()) for _ in range(3)]
    journal = app.extensions["journal"]
    journal.close()
    assert [len(answer.get_json()["cards"]) for answer in answers] == [1, 1, 1]
    assert isinstance(journal, Journal)
    assert (journal.dropped, journal.failures >= 1) == (3, True)


def test_decisions_reach_the_journal_that_the_settings_name(tmp_path: Path, catalog: Catalog) -> None:
    path = tmp_path / "var" / "journal.sqlite3"
    settings = read_settings({}, sandbox=True, database_url=sqlite_at(path))
    app = create_app(settings, clock=lambda: NOW, catalog=catalog)
    app.test_client().post(PATIENT_VIEW, json=healthy_call())
    app.extensions["journal"].close()
    kept = b"".join(each.read_bytes() for each in path.parent.iterdir())
    assert b"metastatic-calcification-patient-view" in kept


# ---- the command line ------------------------------------------------------------------------------------------------


@pytest.fixture
def request_file(tmp_path: Path) -> Path:
    path = tmp_path / "request.json"
    path.write_text(json.dumps(critical_call()))
    return path


def test_assess_prints_facts_card_and_assessment(runner: CliRunner, request_file: Path) -> None:
    result = runner.invoke(main, ["assess", str(request_file)])
    assert result.exit_code == 0, result.output
    assert "value      ca_total 10.5 mg/dL, 2026-10-12T07:30:00+02:00 (Observation/calcium)" in result.output
    assert "+-- CRITICAL ---" in result.output
    assert "tier:        critical" in result.output
    assert "2026-10-12T10:30:00+02:00" in result.output  # the clock of the request
    assert len(max(result.output.splitlines()[10:], key=len)) <= 80


def test_assess_prints_the_response_as_json(runner: CliRunner, request_file: Path) -> None:
    result = runner.invoke(main, ["assess", "--json", str(request_file)])
    body = json.loads(result.output)
    assert body["cards"][0]["indicator"] == "critical"
    assert body["extension"]["org.calcinosis-cds.assessment"]["tier"] == "critical"


def test_assess_notes_evidence_that_is_no_valid_fhir(runner: CliRunner) -> None:
    body = call(calcium(10.5, made_up_field=1), phosphate(7.5))
    told = json.loads(runner.invoke(main, ["assess", "--json", "-"], input=json.dumps(body)).output)
    notes = told["extension"]["org.calcinosis-cds.assessment"]["notes"]
    assert [note for note in notes if note.startswith("Observation/calcium: read leniently: made_up_field")] != []


def test_assess_reads_standard_input(runner: CliRunner) -> None:
    result = runner.invoke(main, ["assess", "-"], input=json.dumps(healthy_call()))
    assert result.exit_code == 0
    assert "No card: looked, nothing to show." in result.output


@pytest.mark.parametrize(
    ("body", "told"),
    [
        ("{", "The body is not JSON: it ends too early"),
        ('{"hook": "encounter-start"}', "Missing: hookInstance, context, context.userId, context.patientId."),
        (
            json.dumps(critical_call(hook="encounter-start")),
            'hook is "encounter-start"; this service expects "patient-view".',
        ),
        (json.dumps(critical_call(prefetch={})), "The data that this service needs could not be had"),
    ],
)
def test_assess_says_why_a_request_is_refused(runner: CliRunner, body: str, told: str) -> None:
    result = runner.invoke(main, ["assess", "-"], input=body)
    assert result.exit_code == 1
    assert result.stderr.startswith(told)


def test_check_mappings_is_content_with_the_shipped_tables(runner: CliRunner, catalog: Catalog) -> None:
    result = runner.invoke(main, ["check-mappings"])
    assert (result.exit_code, result.output) == (
        0,
        f"content {catalog.version} can be used ({catalog.digest})\n",
    )


def test_check_mappings_prints_every_problem_and_ends_with_2(runner: CliRunner, tmp_path: Path) -> None:
    folder = tmp_path / "mappings"
    folder.mkdir()
    for path in MAPPINGS.iterdir():
        text = path.read_text(encoding="utf-8")
        if path.name == "observations.loinc.csv":
            text = text.replace("17861-6", "17861-5").replace("2777-1", "2777-2")
        (folder / path.name).write_text(text, encoding="utf-8")
    result = runner.invoke(main, ["check-mappings", str(folder)])
    assert result.exit_code == 2
    problems = result.stderr.splitlines()
    assert sum("17861-5" in problem or "2777-2" in problem for problem in problems) >= 2
    assert problems[-1].endswith("problem(s); the content cannot be used.")


def test_bad_settings_end_with_2_and_one_line_each(runner: CliRunner) -> None:
    result = runner.invoke(main, ["serve"], env={"CDS_PROT": "1", "CDS_PORT": "0"})
    assert result.exit_code == 2
    assert result.stderr.splitlines() == [
        "CDS_PROT is not a setting; did you mean CDS_PORT?",
        "CDS_PORT: Input should be greater than or equal to 1",
    ]


def test_a_database_that_cannot_be_meant_ends_with_2(runner: CliRunner) -> None:
    environ = {"CDS_DATABASE_URL": "nonsense", "CDS_PORT": str(server.free_port())}
    result = runner.invoke(main, ["serve"], env=environ)
    assert result.exit_code == 2
    assert result.stderr == "CDS_DATABASE_URL: is no database URL such as sqlite:///var/journal.sqlite3\n"


def test_a_folder_of_local_codes_that_is_not_there_ends_with_2(runner: CliRunner, tmp_path: Path) -> None:
    environ = {"CDS_LOCAL_MAPPINGS_DIR": str(tmp_path / "none"), "CDS_PORT": str(server.free_port())}
    result = runner.invoke(main, ["serve"], env=environ)
    assert result.exit_code == 2
    assert result.stderr.splitlines()[-1] == "1 problem(s); the content cannot be used."


def test_a_taken_port_is_one_clear_line_and_2(runner: CliRunner) -> None:
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        port = other.getsockname()[1]
        result = runner.invoke(main, ["serve", "--port", str(port)])
    assert result.exit_code == 2
    assert result.stderr == f"Cannot listen on 127.0.0.1:{port}: Address already in use. Choose another with --port.\n"


def test_demo_without_a_service_says_so(runner: CliRunner) -> None:
    port = server.free_port()
    result = runner.invoke(main, ["demo", "--url", f"http://127.0.0.1:{port}"])
    assert result.exit_code == 2
    assert result.stderr == f"No CDS Hooks service answers at http://127.0.0.1:{port}/cds-services.\n"


# ---- the real server -------------------------------------------------------------------------------------------------


@contextmanager
def serving(folder: Path, **environ: str) -> Iterator[tuple[int, "subprocess.Popen[str]"]]:
    """The service in a process of its own, from a foreign folder."""
    port = server.free_port()
    clean = {name: value for name, value in os.environ.items() if not name.startswith("CDS_")}
    process = subprocess.Popen(  # noqa: S603  our own words
        [sys.executable, "-m", "cds_service", "serve", "--sandbox", "--port", str(port)],
        cwd=folder,
        env=clean | {"PYTHONPATH": str(ROOT)} | environ,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        deadline = time.monotonic() + 120  # a machine may have other work
        while time.monotonic() < deadline and process.poll() is None:
            try:
                if ask(port, "GET", "/readyz")[0] == 200:
                    break
            except OSError:
                time.sleep(0.05)
        yield port, process
    finally:
        if process.poll() is None:
            process.send_signal(signal.SIGINT)
            process.communicate(timeout=120)


def ask(port: int, method: str, path: str, body: bytes | None = None, **headers: str) -> tuple[int, bytes]:
    connection = HTTPConnection("127.0.0.1", port, timeout=30)
    try:
        connection.request(method, path, body, {"Content-Type": "application/json"} | headers)
        response = connection.getresponse()
        return response.status, response.read()
    finally:
        connection.close()


def test_the_real_server_answers_prints_where_it_is_and_stops_cleanly(tmp_path: Path) -> None:
    with serving(tmp_path) as (port, process):
        status, body = ask(port, "POST", PATIENT_VIEW, json.dumps(critical_call()).encode())
        assert (status, len(json.loads(body)["cards"])) == (200, 1)
        chunked = HTTPConnection("127.0.0.1", port, timeout=30)
        whole = json.dumps(critical_call()).encode()
        chunked.request("POST", PATIENT_VIEW, iter([whole[:100], whole[100:]]), {"Content-Type": "application/json"})
        assert chunked.getresponse().status == 200
        chunked.close()
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=120)
    assert process.returncode == 0
    assert f"http://127.0.0.1:{port}/cds-services" in out
    assert "curl -s" in out
    assert [json.loads(line)["event"] for line in err.splitlines()] == [
        "callers are not checked",
        "hook call",
        "hook call",
    ]
    assert "CALLERS ARE NOT CHECKED" in out
    printed = next(line for line in out.splitlines() if "No server" in line).split(maxsplit=2)[2]
    bare = {"PYTHONPATH": str(ROOT), "PATH": "/usr/bin:/bin"}
    assert subprocess.run(shlex.split(printed), cwd=tmp_path, env=bare, capture_output=True).returncode == 0  # noqa: S603
    # both decisions were written before the end, although the process ended at once
    kept = b"".join(path.read_bytes() for path in (tmp_path / "var").iterdir())
    assert kept.count(b"metastatic-calcification-patient-view") >= 2


@pytest.mark.parametrize("sandbox", [True, False])
def test_a_server_makes_the_tables_of_a_new_file_and_in_sandbox_mode_upgrades_old_ones(
    tmp_path: Path, sandbox: bool
) -> None:
    new = f"sqlite:///{tmp_path}/var/journal.sqlite3"
    old = first_days(tmp_path / "old.sqlite3", "")
    for url in (new, old):
        server._prepare_database(read_settings({}, sandbox=sandbox, database_url=url))
    assert version_at(new) == VERSION
    assert version_at(old) == (VERSION if sandbox else None)


def test_bodies_above_the_limit_are_refused_by_the_real_server_which_lives_on(tmp_path: Path) -> None:
    with serving(tmp_path, CDS_MAX_BODY_BYTES="100000", CDS_DATABASE_URL="", CDS_LOG_LEVEL="ERROR") as (port, _):
        status, body = ask(port, "POST", PATIENT_VIEW, b" " * 200_000)
        assert (status, json.loads(body)["issue"][0]["code"]) == (413, "too-long")
        assert ask(port, "POST", PATIENT_VIEW, json.dumps(critical_call()).encode())[0] == 200
