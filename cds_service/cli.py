"""The command line: serve, assess, check-mappings, demo.

Knows: arguments, exit codes (0 well, 1 the request could not be decided, 2 settings or content cannot be used).
Must not know: how anything is decided. Heavy imports stand inside the commands.
"""

import os
import sys
from pathlib import Path
from typing import BinaryIO, NoReturn

import click

from cds_service import __version__
from cds_service.settings import Settings, SettingsError, read_settings

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


def _stop_content(problems: tuple[str, ...]) -> NoReturn:
    _stop("\n".join([*problems, f"{len(problems)} problem(s); the content cannot be used."]))


def _stop(text: str) -> NoReturn:
    click.echo(text, err=True)
    sys.exit(UNUSABLE)
