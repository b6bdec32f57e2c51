"""Documentation that cannot lie: commands, links, settings, pictures and limits are compared with the project."""

import json
import re
import shlex
import subprocess
from pathlib import Path

import pytest
from click.testing import CliRunner
from flask.testing import FlaskClient

from cds_service.cli import main
from cds_service.settings import PREFIX, Settings
from cds_service.terminology.load import load_catalog
from docs import draw_card, licences_page, openapi_page, settings_page

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text()
PAGES = sorted(
    path
    for path in [*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md"), ROOT / "mappings" / "README.md"]
    if path.name != "CHANGELOG.md"
)
NAMES = [str(page.relative_to(ROOT)) for page in PAGES]
DECISIONS = sorted((ROOT / "docs" / "decisions").glob("*.md"))


def blocks(text: str, language: str) -> list[str]:
    """The fenced blocks of a language."""
    return re.findall(rf"^```{language}\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)


def targets() -> set[str]:
    """The targets of the Makefile that are meant for people."""
    return set(re.findall(r"^([a-z0-9-]+):.*## ", (ROOT / "Makefile").read_text(), re.MULTILINE))


def anchors(page: Path) -> set[str]:
    """The headings of a page as their links are written."""
    heads = re.findall(r"^#+ (.+)$", page.read_text(), re.MULTILINE)
    return {re.sub(r"[^\w -]", "", head).strip().lower().replace(" ", "-") for head in heads}


# ---- the README as a stranger follows it -----------------------------------------------------------------------------


def test_the_readme_stays_short() -> None:
    assert len(README.splitlines()) < 200


@pytest.mark.parametrize("page", PAGES, ids=NAMES)
def test_every_make_target_that_is_named_exists(page: Path) -> None:
    named = set(re.findall(r"(?:`|^)make ([a-z0-9-]+)", page.read_text(), re.MULTILINE))
    assert named <= targets()


def test_every_target_is_listed_by_help_and_nothing_is_shadowed_by_a_file() -> None:
    phony = re.search(r"^\.PHONY: (.+)$", (ROOT / "Makefile").read_text(), re.MULTILINE)
    assert phony is not None
    assert set(phony[1].split()) == targets()


def test_the_curl_line_of_the_readme_gives_the_answer_that_it_shows(client: FlaskClient) -> None:
    line = next(block for block in blocks(README, "sh") if block.startswith("curl"))
    words = shlex.split(line)
    body = (ROOT / words[words.index("--data-binary") + 1].removeprefix("@")).read_bytes()
    content_type = words[words.index("-H") + 1].partition(": ")[2]
    path = words[-1].removeprefix("http://127.0.0.1:8000")
    answer = client.post(path, data=body, content_type=content_type)
    shown = json.loads(blocks(README, "json")[0])["cards"]
    given = answer.get_json()["cards"]
    assert [{key: card[key] for key in wanted} for card, wanted in zip(given, shown, strict=True)] == shown


def test_the_commands_of_the_readme_exist() -> None:
    commands = re.findall(r"-m cds_service ([a-z-]+)|cds-service ([a-z-]+)", "\n".join(blocks(README, "sh")))
    assert commands
    for name in {first or second for first, second in commands}:
        assert name in main.commands, name


def test_the_assess_line_of_the_readme_works() -> None:
    line = next(line for line in README.splitlines() if "cds_service assess" in line)
    file = shlex.split(line, comments=True)[-1]
    told = CliRunner().invoke(main, ["assess", str(ROOT / file)])
    assert told.exit_code == 0, told.output


def test_the_local_code_of_the_readme_can_be_loaded(tmp_path: Path) -> None:
    table = blocks(README, "csv")[0]
    (tmp_path / "observations.local.csv").write_text(table)
    catalog = load_catalog(local=tmp_path)
    system, code = table.splitlines()[1].split(",")[:2]
    found = catalog.observation(system, code)
    assert found is not None
    assert found.input == "ca_total"


def test_the_picture_shows_the_card_that_the_service_gives() -> None:
    assert draw_card.PICTURE.read_text() == draw_card.draw(draw_card.card_of(draw_card.SAMPLE)), (
        "draw it again: python -m docs.draw_card"
    )


# ---- all pages -------------------------------------------------------------------------------------------------------


def test_the_settings_page_is_current() -> None:
    assert settings_page.PAGE.read_text() == settings_page.page(), "write it again: python -m docs.settings_page"


def test_the_licences_page_is_current_and_every_package_tells_its_licence() -> None:
    assert licences_page.PAGE.read_text() == licences_page.page(), "write it again: python -m docs.licences_page"
    assert "|  |" not in licences_page.page()


def test_the_openapi_document_is_current() -> None:
    assert openapi_page.PAGE.read_text() == openapi_page.page(), "write it again: python -m docs.openapi_page"


@pytest.mark.parametrize("page", PAGES, ids=NAMES)
def test_every_setting_that_is_named_exists(page: Path) -> None:
    named = set(re.findall(rf"\b{PREFIX}([A-Z_]+)\b", page.read_text())) - {"DB_PASSWORD"}  # of docker-compose.yml
    assert {name.lower() for name in named} <= set(Settings.model_fields)


@pytest.mark.parametrize("page", PAGES, ids=NAMES)
def test_every_link_leads_somewhere(page: Path) -> None:
    for link in re.findall(r"\]\(([^)\s]+)\)", page.read_text()):
        if re.match(r"https?://", link):
            continue
        path, _, anchor = link.partition("#")
        target = (page.parent / path).resolve() if path else page
        assert target.exists(), f"{link} leads nowhere"
        assert not anchor or anchor in anchors(target), f"{link}: no such heading"


@pytest.mark.parametrize("page", PAGES, ids=NAMES)
def test_every_file_that_is_named_exists(page: Path) -> None:
    named = re.findall(r"`((?:cds_service|mappings|tests|examples|deploy|docs|bench)/[\w./-]*\w/?)`", page.read_text())
    missing = [name for name in named if not (ROOT / name).exists() and not name.startswith("bench/results")]
    assert missing == []


def test_every_page_is_in_the_index() -> None:
    index = (ROOT / "docs" / "README.md").read_text()
    for page in (ROOT / "docs").glob("*.md"):
        assert page.name == "README.md" or f"]({page.name})" in index, page.name


def test_decisions_are_numbered_once_and_have_a_title() -> None:
    numbers = [path.name[:4] for path in DECISIONS]
    assert len(set(numbers)) == len(numbers)
    for path in DECISIONS:
        assert re.fullmatch(r"\d{4}-[a-z0-9-]+\.md", path.name), path.name
        assert path.read_text().startswith("# "), path.name


def test_the_hazard_log_names_every_hazard() -> None:
    rows = set(re.findall(r"^\| (CL-1\d\d) \|", (ROOT / "docs" / "safety.md").read_text(), re.MULTILINE))
    assert rows == {f"CL-{number}" for number in range(130, 147)}


# ---- nothing of the place where it was written -----------------------------------------------------------------------


def tracked() -> list[Path]:
    """The files of the repository; in an unpacked archive without git, the pages only."""
    listed = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, check=False)  # noqa: S607
    names = listed.stdout.decode().split("\0") if listed.returncode == 0 else NAMES
    return [ROOT / name for name in names if name and (ROOT / name).is_file()]


def test_no_tracked_file_names_a_machine_or_a_package_registry() -> None:
    # written so that this file does not hold them itself
    words = [
        "/" + "work/",
        "/" + "root/",
        "/" + "home/",
        "pythonhosted" + ".org",
        "pypi.org" + "/simple",
        "npmjs" + ".org",
    ]
    for path in tracked():
        text = path.read_text(errors="replace")
        assert [word for word in words if word in text] == [], path.relative_to(ROOT)


# ---- controls and faults have their tests ----------------------------------------------------------------------------

TABLES = (("safety.md", "## Hazards and their controls"), ("operations.md", "## When something fails"))


def rows_of(page: str, head: str) -> list[list[str]]:
    """The rows of the first table below a heading, without its head."""
    text = (ROOT / "docs" / page).read_text().partition(f"{head}\n")[2]
    table = re.search(r"(?:^\|.*\n)+", text, re.MULTILINE)
    assert table is not None
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in table[0].splitlines()[2:]]


def test_every_hazard_and_every_fault_names_tests_that_exist() -> None:
    written = "\n".join(path.read_text() for path in (ROOT / "tests").rglob("test_*.py"))
    existing = set(re.findall(r"^def (test_\w+)", written, re.MULTILINE))
    for page, head in TABLES:
        for row in rows_of(page, head):
            named = re.findall(r"`(test_\w+)`", row[-1])
            assert named, row
            assert set(named) <= existing, set(named) - existing


def test_the_hazard_log_is_complete() -> None:
    rows = [row[0] for row in rows_of(*TABLES[0]) if row[0] != "OT"]
    assert rows == [f"CL-{number}" for number in range(130, 147)]
