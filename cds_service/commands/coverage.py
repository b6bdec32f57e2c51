"""The command that reports what of a site's data the mappings understand.

Knows: its arguments, the progress bar, which files it writes. Heavy imports stand inside the command.
Must not know: how resources are read or counted.
"""

import sys
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

import click

from cds_service.commands.common import settings as settings_of
from cds_service.commands.common import stop, stop_content, write

if TYPE_CHECKING:
    from cds_service.coverage.tally import Counting

_FILE = click.Path(exists=True, dir_okay=False, path_type=Path)
_FOLDER = click.Path(exists=True, file_okay=False, path_type=Path)


@click.command()
@click.argument("files", nargs=-1, type=_FILE)
@click.option("--ndjson", "folder", type=_FOLDER, help="A folder of NDJSON files, as a bulk export makes it.")
@click.option("--fhir", "server", help="Base address of a FHIR server.")
@click.option("--token-file", type=_FILE, help="A file that holds the bearer token for the server.")
@click.option("--patients", type=_FILE, help="A file of patient ids, one a line, for servers that want one.")
@click.option("--pages", type=int, default=50, show_default=True, help="Most pages of each query to the server.")
@click.option("--smallest", type=int, default=5, show_default=True, help="List nothing that was seen less often.")
@click.option("--at", "text", help="Evaluation time with zone; later results count as dated in the future.")
@click.option("--out", type=click.Path(file_okay=False, path_type=Path), help="Write HTML, CSV and proposed rows here.")
def coverage(
    files: Sequence[Path],
    folder: Path | None,
    server: str | None,
    token_file: Path | None,
    patients: Path | None,
    pages: int,
    smallest: int,
    text: str | None,
    out: Path | None,
) -> None:
    """Tell what share of a site's results, conditions and medicines the mappings understand.

    The data come from FILES (NDJSON, Bundles, hook requests, also gzipped), a folder (--ndjson) or a server (--fhir).
    The report holds codes, units and counts, and no values, dates or ids.
    """
    from cds_service.app import catalog_of, local_now
    from cds_service.coverage import proposals as proposed
    from cds_service.coverage import report as reports
    from cds_service.coverage.tally import Counting
    from cds_service.terminology.load import ContentError

    if sum((bool(files), folder is not None, server is not None)) != 1:
        stop("Give one of: files, --ndjson DIR, --fhir URL.")
    try:
        catalog = catalog_of(settings_of(database_url=""))
    except ContentError as error:
        stop_content(error.problems)
    at = _time(text) if text else local_now()
    counting = Counting(catalog, at)
    if server is not None:
        origin = _ask(server, token_file, patients, pages, counting)
    else:
        origin = _read(files, folder, counting)
    counting.finish()
    found = proposed.proposals(counting.tally, catalog, smallest)
    report = reports.Report(
        at=at, origin=origin, catalog=catalog, tally=counting.tally, proposals=found, smallest=smallest
    )
    click.echo(reports.as_text(report), nl=False)
    if out is not None:
        write(out, {"coverage.html": reports.as_html(report), "coverage.csv": reports.as_csv(report)})
        rows = {name.replace(".local.", ".proposed."): rows for name, rows in proposed.as_csv(found).items()}
        write(out, rows)
        click.echo(f"written: {', '.join(str(out / name) for name in ('coverage.html', 'coverage.csv', *rows))}")


def _time(text: str) -> datetime:
    try:
        at = datetime.fromisoformat(text)
    except ValueError:
        stop("--at is no time; expected for instance 2026-10-12T10:30:00+02:00.")
    if at.tzinfo is None:
        stop("--at has no zone; expected for instance 2026-10-12T10:30:00+02:00.")
    return at


def _read(files: Sequence[Path], folder: Path | None, counting: "Counting") -> str:
    from cds_service.coverage.sources import Unusable, files_in, resources_of

    paths = list(files) if folder is None else files_in(folder)
    if not paths:
        stop("The folder holds no .ndjson or .json file.")
    total = sum(path.stat().st_size for path in paths)
    with click.progressbar(length=total, label="reading", show_pos=False, file=sys.stderr) as bar:
        for path in paths:
            try:
                for raw in resources_of(path, bar.update):
                    counting.take(raw)
            except Unusable as problem:
                counting.tally.failures.append(str(problem))
    return f"{len(paths)} file{'s' if len(paths) > 1 else ''}"


def _ask(server: str, token_file: Path | None, patients: Path | None, pages: int, counting: "Counting") -> str:
    from cds_service.coverage.sources import queries, resources_from
    from cds_service.fhir.client import FhirServer, Limits
    from cds_service.outgoing.session import new_session

    if not server.startswith(("https://", "http://")):
        stop("--fhir is no http or https address.")
    token = token_file.read_text("utf-8").strip() if token_file is not None else None
    ids = patients.read_text("utf-8").split() if patients is not None else []
    limits = Limits(total_s=600, read_s=60, pages=pages, bytes=1 << 30)
    asked = queries(ids)
    with click.progressbar(asked, label="asking", show_pos=True, file=sys.stderr) as bar:
        for query in bar:
            # a new one for each query: the deadline counts for all that one reads
            for each in resources_from(FhirServer(server, token, new_session(), limits), query):
                if isinstance(each, str):
                    counting.tally.failures.append(each)
                else:
                    counting.take(each)
    return "a FHIR server" + (f", {len(ids)} patients" if ids else "")
