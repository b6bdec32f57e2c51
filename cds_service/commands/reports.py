"""Commands that tell what was shown and what became of it: feedback report, silent report. They only read.

Knows: their arguments and how counts are printed.
Must not know: how they are counted.
"""

import csv
import io
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from cds_service.commands.common import write
from cds_service.commands.database import told, url_of_settings

if TYPE_CHECKING:
    from cds_service.storage.report import Counts, Report

_CSV = click.option(
    "--csv", "file", type=click.Path(dir_okay=False, path_type=Path), help="Write the counts to FILE as CSV."
)
_BY = ("week", "tenant", "tier", "rule")
_FEEDBACK = (*_BY, "shown", "accepted", "overridden", "ignored", "not_repeated", "reasons")
_SILENT = (*_BY, "would_have_been_shown")


@click.group("feedback")
def feedback() -> None:
    """What clinicians did with the cards."""


@feedback.command("report")
@_CSV
def feedback_report(file: Path | None) -> None:
    """Count cards shown, accepted, overridden (by reason) and ignored, per week, client, tier and rule."""
    with told():
        from cds_service.storage.report import report

        found = report(url_of_settings())
    rows = [
        (key.week, key.tenant, key.tier, key.rule, c.shown, c.accepted, c.overridden, c.ignored, c.repeats, _reasons(c))
        for key, c in found.counts.items()
        if c.shown or c.repeats
    ]
    _give(_FEEDBACK, rows, file)
    if found.unmatched:
        click.echo(f"{found.unmatched} item(s) of feedback are about cards that are not on record.")


@click.group("silent")
def silent() -> None:
    """What clients in silent mode would have been shown."""


@silent.command("report")
@_CSV
def silent_report(file: Path | None) -> None:
    """Count the cards that silent clients would have been shown, per week, client, tier and rule."""
    with told():
        from cds_service.storage.report import report, silent_calls

        url = url_of_settings()
        found, calls = report(url), silent_calls(url)
    rows = [(key.week, key.tenant, key.tier, key.rule, c.silent) for key, c in found.counts.items() if c.silent]
    _give(_SILENT, rows, file)
    for each in calls:
        cards = _cards_of(found, each.week, each.tenant)
        click.echo(f"{each.week} {each.tenant}: {each.calls} call(s) decided in silence, {cards} card(s) held back.")


def _cards_of(found: "Report", week: str, tenant: str) -> int:
    from cds_service.storage.report import EVERY_RULE

    return sum(
        counts.silent
        for key, counts in found.counts.items()
        if (key.week, key.tenant, key.rule) == (week, tenant, EVERY_RULE)
    )


def _reasons(counts: "Counts") -> str:
    return " ".join(f"{code}={number}" for code, number in sorted(counts.reasons.items()))


def _give(head: Sequence[str], rows: Sequence[Sequence[object]], file: Path | None) -> None:
    """Print the rows as a table, or write them to the file."""
    if file:
        text = io.StringIO()
        writer = csv.writer(text, lineterminator="\n")
        writer.writerow(head)
        writer.writerows([[_inert(cell) for cell in row] for row in rows])
        write(file.parent, {file.name: text.getvalue()})
        click.echo(f"{len(rows)} rows in {file}")
    elif rows:
        click.echo(_table(head, rows))
        click.echo('\nA card counts under each of its rules; rule "all" counts it once.')
    else:
        click.echo("Nothing on record.")


def _inert(cell: object) -> object:
    """A text that a spreadsheet would take for a formula is told to be text."""
    return f"'{cell}" if isinstance(cell, str) and cell[:1] in {"=", "+", "-", "@"} else cell


def _table(head: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    cells = [list(map(str, row)) for row in (head, *rows)]
    widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
    return "\n".join(
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in cells
    )
