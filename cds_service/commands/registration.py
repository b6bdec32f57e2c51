"""The command that prints what a site's analyst types into the EHR.

Knows: its arguments. Heavy imports stand inside the command.
Must not know: what the sheet says.
"""

from pathlib import Path

import click

from cds_service.commands.common import settings as settings_of
from cds_service.commands.common import stop, stop_content, write

EHRS = ("epic", "oracle", "athena", "medplum", "sandbox", "cds-hooks-1.0", "generic")
HOME = "http://127.0.0.1:8000"


@click.command("registration-sheet")
@click.option("--client", "name", type=click.Choice(EHRS), required=True, help="The EHR that is to be connected.")
@click.option("--base", help="Public address of the service (default: CDS_PUBLIC_URL).")
@click.option("--html", type=click.Path(dir_okay=False, path_type=Path), help="Write a page to print to this file.")
def registration_sheet(name: str, base: str | None, html: Path | None) -> None:
    """Print all that is typed into an EHR to connect it: addresses, prefetch, scopes, claims, codes, links, checks."""
    from cds_service.app import catalog_of
    from cds_service.hooks.services import services
    from cds_service.onboarding.printed import as_html, as_text
    from cds_service.onboarding.sheet import Terms, sheet
    from cds_service.terminology.load import ContentError

    settings = settings_of()
    address = (base or settings.public_url or (HOME if name == "sandbox" else "")).rstrip("/")
    if not address.startswith(("https://", "http://")):
        stop("The public address of the service is not known: set CDS_PUBLIC_URL, or name it by --base.")
    try:
        catalog = catalog_of(settings)
    except ContentError as error:
        stop_content(error.problems)
    terms = Terms(
        base=address,
        algorithms=settings.algorithms,
        fhir_timeout_s=settings.fhir_timeout_s,
        pages=settings.pages is not False,
        launched=bool(settings.smart),
    )
    made = sheet(name, catalog, services(catalog), terms)
    if html is None:
        click.echo(as_text(made), nl=False)
    else:
        write(html.parent, {html.name: as_html(made)})
        click.echo(f"{html}: open it in a browser and print it")
