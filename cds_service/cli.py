"""The command line: serve, assess, demo, and what is done with the clinical content: check, export, expand, print.

Knows: arguments, exit codes (0 well, 1 the request could not be decided, 2 settings or content cannot be used).
Must not know: how anything is decided. Heavy imports stand inside the commands.
"""

import os
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO, NoReturn

import click

from cds_service import __version__
from cds_service.settings import Settings, SettingsError, read_settings

if TYPE_CHECKING:
    from cds_service.terminology.content import Content

UNUSABLE = 2


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="cds-service")
def main() -> None:
    """CDS Hooks service that flags the risk of metastatic calcification."""


@main.command()
@click.option("--host", help="Address to listen on (CDS_HOST).")
@click.option("--port", type=int, help="Port to listen on (CDS_PORT).")
@click.option("--workers", type=int, help="Server processes (CDS_WORKERS).")
@click.option("--sandbox", is_flag=True, default=None, help="For synthetic patients only (CDS_SANDBOX).")
def serve(host: str | None, port: int | None, workers: int | None, sandbox: bool | None) -> None:
    """Serve hook calls until interrupted."""
    from cds_service import server
    from cds_service.terminology.load import ContentError

    settings = _settings(host=host, port=port, workers=workers, sandbox=sandbox)
    try:
        server.serve(settings, click.echo)
    except server.PortTaken as error:
        _stop(f"{error} Choose another with --port.")
    except SettingsError as error:
        _stop(str(error))
    except ContentError as error:
        _stop_content(error.problems)


@main.command()
@click.argument("file", type=click.File("rb"))
@click.option("--json", "as_json", is_flag=True, help="Print the response as the service would send it.")
def assess(file: BinaryIO, as_json: bool) -> None:
    """Decide one hook request from FILE (- for standard input) without a server."""
    from cds_service.assess import Refused, assess_text, response_json
    from cds_service.terminology.load import ContentError

    settings = _settings(sandbox=True, database_url="")
    try:
        click.echo((response_json if as_json else assess_text)(file.read(), settings))
    except Refused as error:
        click.echo(str(error), err=True)
        sys.exit(1)
    except ContentError as error:
        _stop_content(error.problems)


@main.command("check-mappings")
@click.argument("directory", required=False, type=click.Path(exists=True, file_okay=False, path_type=Path))
@click.option("--local", type=click.Path(exists=True, file_okay=False, path_type=Path), help="The site's own codes.")
def check_mappings(directory: Path | None, local: Path | None) -> None:
    """Read the clinical content of DIRECTORY (default: the shipped one) and print every problem."""
    from cds_service.terminology.load import ContentError, load_catalog

    try:
        catalog = load_catalog(directory, local=local)
    except ContentError as error:
        _stop_content(error.problems)
    click.echo(f"content {catalog.version} can be used ({catalog.digest})")


@main.command("export-mappings")
@click.argument("folder", metavar="DIR", type=click.Path(file_okay=False, path_type=Path))
@click.option("--base", help="Canonical address below which the resources stand.")
def export_mappings(folder: Path, base: str | None) -> None:
    """Write the clinical content to DIR as FHIR R4 ValueSet, ConceptMap and CodeSystem resources."""
    from cds_service.interchange.fhir_export import files_of
    from cds_service.interchange.manifest import manifest_of
    from cds_service.interchange.resources import CANONICAL_BASE, Publication

    content = _content(None)
    files = files_of(content, Publication(manifest_of(content), base or CANONICAL_BASE))
    _write(folder, files)
    strangers = sorted({path.name for path in folder.glob("*.json")} - files.keys())
    click.echo(f"{len(files)} resources of content {content.version} in {folder}")
    if strangers:
        click.echo(f"not of this export, left alone: {', '.join(strangers)}", err=True)


@main.command("expand-mappings")
@click.argument("directory", required=False, type=click.Path(exists=True, file_okay=False, path_type=Path))
@click.option("--server", required=True, help="FHIR base address of a terminology server with SNOMED CT.")
@click.option("--out", type=click.Path(dir_okay=False, path_type=Path), help="Where the rows are written for review.")
def expand_mappings(directory: Path | None, server: str, out: Path | None) -> None:
    """Ask a terminology server what lies below the SNOMED CT concepts of DIRECTORY and print what is new."""
    import difflib

    from cds_service.interchange.expansion import ExpansionFailed, TerminologyServer, expanded_table
    from cds_service.terminology.layout import EXPANDED

    content = _content(directory)
    out = out or Path(EXPANDED.file)
    if out.name in content.texts and out.name != EXPANDED.file:
        _stop(f"{out} would replace a reviewed file.")
    try:
        text = expanded_table(content, TerminologyServer(server))
    except ExpansionFailed as problem:
        _stop(f"Nothing was written. {problem}")
    _write(out.parent, {out.name: text})
    before = content.texts.get(EXPANDED.file, "").splitlines(keepends=True)
    click.echo(
        "".join(difflib.unified_diff(before, text.splitlines(keepends=True), "in use", "expanded", n=0)), nl=False
    )
    click.echo(f"{text.count(chr(10)) - 1} rows in {out}: review them, then put the file beside conditions.snomed.csv")


@main.command()
@click.option(
    "--write", "folder", type=click.Path(file_okay=False, path_type=Path), help="Write all pages to this folder."
)
def knowledge(folder: Path | None) -> None:
    """Print the page of the clinical content that a reviewer signs, or write it with its companions."""
    from cds_service.pages import pages
    from cds_service.terminology.load import load_catalog

    made = pages(_content(None), load_catalog().knowledge.criteria)
    if folder is None:
        click.echo(made["knowledge.md"], nl=False)
    else:
        _write(folder, made)
        click.echo(f"{', '.join(made)} in {folder}")


@main.command()
@click.option("--url", help="Base address of a running service; without it one is started for the time of the demo.")
def demo(url: str | None) -> None:
    """Fire all sample patients at the service and print the cards as a reader would see them."""
    from cds_service.demo import DemoFailed, run

    try:
        failed = run(url, os.environ, click.echo)
    except DemoFailed as error:
        _stop(str(error))
    sys.exit(1 if failed else 0)


def _settings(**given: object) -> Settings:
    try:
        return read_settings(os.environ, **given)
    except SettingsError as error:
        _stop(str(error))


def _content(directory: Path | None) -> "Content":
    from cds_service.terminology.load import ContentError, read_shipped

    try:
        return read_shipped(directory)
    except ContentError as error:
        _stop_content(error.problems)


def _write(folder: Path, texts: Mapping[str, str]) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for name, text in texts.items():
            (folder / name).write_text(text, encoding="utf-8", newline="\n")
    except OSError as error:
        _stop(f"{folder} cannot be written: {error.strerror}.")


def _stop_content(problems: tuple[str, ...]) -> NoReturn:
    _stop("\n".join([*problems, f"{len(problems)} problem(s); the content cannot be used."]))


def _stop(text: str) -> NoReturn:
    click.echo(text, err=True)
    sys.exit(UNUSABLE)
