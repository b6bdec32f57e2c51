"""Commands on the clinical content: check, export, expand, print.

Knows: their arguments and what they say. Heavy imports stand inside the commands.
Must not know: how anything is decided.
"""

from pathlib import Path

import click

from cds_service.commands.common import content as content_of
from cds_service.commands.common import stop, stop_content, write


@click.command("check-mappings")
@click.argument("directory", required=False, type=click.Path(exists=True, file_okay=False, path_type=Path))
@click.option("--local", type=click.Path(exists=True, file_okay=False, path_type=Path), help="The site's own codes.")
def check_mappings(directory: Path | None, local: Path | None) -> None:
    """Read the clinical content of DIRECTORY (default: the shipped one) and print every problem."""
    from cds_service.terminology.load import ContentError, load_catalog

    try:
        catalog = load_catalog(directory, local=local)
    except ContentError as error:
        stop_content(error.problems)
    click.echo(f"content {catalog.version} can be used ({catalog.digest})")


@click.command("export-mappings")
@click.argument("folder", metavar="DIR", type=click.Path(file_okay=False, path_type=Path))
@click.option("--base", help="Canonical address below which the resources stand.")
def export_mappings(folder: Path, base: str | None) -> None:
    """Write the clinical content to DIR as FHIR R4 ValueSet, ConceptMap and CodeSystem resources."""
    from cds_service.interchange.fhir_export import files_of
    from cds_service.interchange.manifest import manifest_of
    from cds_service.interchange.resources import CANONICAL_BASE, Publication

    content = content_of(None)
    files = files_of(content, Publication(manifest_of(content), base or CANONICAL_BASE))
    write(folder, files)
    strangers = sorted({path.name for path in folder.glob("*.json")} - files.keys())
    click.echo(f"{len(files)} resources of content {content.version} in {folder}")
    if strangers:
        click.echo(f"not of this export, left alone: {', '.join(strangers)}", err=True)


@click.command("expand-mappings")
@click.argument("directory", required=False, type=click.Path(exists=True, file_okay=False, path_type=Path))
@click.option("--server", required=True, help="FHIR base address of a terminology server with SNOMED CT.")
@click.option("--out", type=click.Path(dir_okay=False, path_type=Path), help="Where the rows are written for review.")
def expand_mappings(directory: Path | None, server: str, out: Path | None) -> None:
    """Ask a terminology server what lies below the SNOMED CT concepts of DIRECTORY and print what is new."""
    import difflib

    from cds_service.interchange.expansion import ExpansionFailed, TerminologyServer, expanded_table
    from cds_service.terminology.layout import EXPANDED

    content = content_of(directory)
    out = out or Path(EXPANDED.file)
    if out.name in content.texts and out.name != EXPANDED.file:
        stop(f"{out} would replace a reviewed file.")
    try:
        text = expanded_table(content, TerminologyServer(server))
    except ExpansionFailed as problem:
        stop(f"Nothing was written. {problem}")
    write(out.parent, {out.name: text})
    before = content.texts.get(EXPANDED.file, "").splitlines(keepends=True)
    click.echo(
        "".join(difflib.unified_diff(before, text.splitlines(keepends=True), "in use", "expanded", n=0)), nl=False
    )
    click.echo(f"{text.count(chr(10)) - 1} rows in {out}: review them, then put the file beside conditions.snomed.csv")


@click.command()
@click.option(
    "--write", "folder", type=click.Path(file_okay=False, path_type=Path), help="Write all pages to this folder."
)
def knowledge(folder: Path | None) -> None:
    """Print the page of the clinical content that a reviewer signs, or write it with its companions."""
    from cds_service.commands.documents import documents
    from cds_service.terminology.load import load_catalog

    made = documents(content_of(None), load_catalog().knowledge.criteria)
    if folder is None:
        click.echo(made["knowledge.md"], nl=False)
    else:
        write(folder, made)
        click.echo(f"{', '.join(made)} in {folder}")
