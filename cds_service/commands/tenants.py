"""Commands on the clients of the service.

Knows: their arguments and what they say. Heavy imports stand inside the commands.
Must not know: what a good file is.
"""

from pathlib import Path

import click

from cds_service.commands.common import settings as settings_of
from cds_service.commands.common import stop, stop_content


@click.group()
def tenants() -> None:
    """The clients of this service (CDS_TENANTS_FILE)."""


@tenants.command()
@click.argument("file", required=False, type=click.Path(dir_okay=False, path_type=Path))
def check(file: Path | None) -> None:
    """Read FILE (default: CDS_TENANTS_FILE) as the service would, and print its clients or every problem."""
    from cds_service.app import catalog_of
    from cds_service.clients import read_clients
    from cds_service.terminology.load import ContentError
    from cds_service.trust.tenants_file import TenantsError

    settings = settings_of()
    if file is None and not settings.tenants_file:
        stop("Name a FILE, or set CDS_TENANTS_FILE.")
    try:
        clients = read_clients(file or Path(settings.tenants_file), catalog_of(settings), settings)
    except TenantsError as error:
        stop("\n".join([*error.problems, f"{len(error.problems)} problem(s); the file cannot be used."]))
    except ContentError as error:
        stop_content(error.problems)
    for tenant in clients.tenants:
        mode = "silent" if tenant.silent else "live"
        click.echo(f"{tenant.name}: {tenant.profile}, {mode}, issuers {', '.join(tenant.issuers)}")
    click.echo(f"{len(clients.tenants)} client(s); the file can be used.")
