"""The command line: serve, assess, demo; the other commands stand in commands/ and are put together here.

Knows: arguments, exit codes (0 well, 1 the request could not be decided, 2 settings or content cannot be used).
Must not know: how anything is decided. Heavy imports stand inside the commands.
"""

import os
import sys
from typing import BinaryIO

import click

from cds_service import __version__
from cds_service.commands.common import settings as settings_of
from cds_service.commands.common import stop, stop_content
from cds_service.commands.content import check_mappings, expand_mappings, export_mappings, knowledge
from cds_service.commands.coverage import coverage
from cds_service.commands.database import database
from cds_service.commands.registration import registration_sheet
from cds_service.commands.reports import feedback, silent
from cds_service.commands.screen import screen, screen_review
from cds_service.commands.tenants import tenants
from cds_service.settings import SettingsError


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

    settings = settings_of(host=host, port=port, workers=workers, sandbox=sandbox)
    try:
        server.serve(settings, click.echo)
    except server.PortTaken as error:
        stop(f"{error} Choose another with --port.")
    except SettingsError as error:
        stop(str(error))
    except ContentError as error:
        stop_content(error.problems)


@main.command()
@click.argument("file", type=click.File("rb"))
@click.option("--json", "as_json", is_flag=True, help="Print the response as the service would send it.")
def assess(file: BinaryIO, as_json: bool) -> None:
    """Decide one hook request from FILE (- for standard input) without a server."""
    from cds_service.assess import Refused, assess_text, response_json
    from cds_service.terminology.load import ContentError

    settings = settings_of(sandbox=True, database_url="")
    try:
        click.echo((response_json if as_json else assess_text)(file.read(), settings))
    except Refused as error:
        click.echo(str(error), err=True)
        sys.exit(1)
    except ContentError as error:
        stop_content(error.problems)


@main.command()
@click.option("--url", help="Base address of a running service; without it one is started for the time of the demo.")
def demo(url: str | None) -> None:
    """Fire all sample patients at the service and print the cards as a reader would see them."""
    from cds_service.demo import DemoFailed, run

    try:
        failed = run(url, os.environ, click.echo)
    except DemoFailed as error:
        stop(str(error))
    sys.exit(1 if failed else 0)


COMMANDS = (
    check_mappings,
    export_mappings,
    expand_mappings,
    knowledge,
    coverage,
    registration_sheet,
    database,
    feedback,
    silent,
    tenants,
    screen,
    screen_review,
)
for command in COMMANDS:
    main.add_command(command)
