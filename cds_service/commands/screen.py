"""The commands of the population screen: screen, screen-review.

Knows: arguments, exit codes, bars on the terminal. Heavy imports stand inside the commands.
Must not know: how a run is done.

Exit codes: 0 done; 1 stopped before the end, the same command goes on; 2 arguments, settings or input cannot be used;
3 done, but some lines or files could not be read (problems.csv); 130 interrupted, the same command goes on.
"""

import re
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from cds_service.commands.common import now, stop, stop_content
from cds_service.commands.common import settings as settings_of

if TYPE_CHECKING:
    from cds_service.screen.setup import Choices
    from cds_service.settings import Settings

STOPPED, UNREADABLE, INTERRUPTED = 1, 3, 130
_PATH: Any = click.Path(path_type=Path)


class Bars:
    """A bar for each step, with rate and remaining time."""

    def __init__(self) -> None:
        self._bar: Any = None

    def step(self, name: str, length: int) -> None:
        """Begin a step."""
        self.end()
        rate = (lambda done: f"{done / 1e6:,.0f} MB") if name == "reading" else None
        self._bar = click.progressbar(
            length=max(length, 1),
            label=f"{name:10}",
            file=sys.stderr,
            show_eta=True,
            show_pos=rate is None,
            item_show_func=lambda text: text,
            update_min_steps=1,
        )
        self._name = name
        self._bar.__enter__()

    def at(self, done: int) -> None:
        """Tell how far it is."""
        bar = self._bar
        if bar is not None and done > bar.pos:
            rate = 1 / bar.time_per_iteration if bar.time_per_iteration else 0
            told = f"{rate / 1e6:,.1f} MB/s" if self._name == "reading" else f"{rate:,.1f}/s"
            bar.update(min(done, bar.length) - bar.pos, told if rate else None)

    def end(self) -> None:
        """End the step."""
        if self._bar is not None:
            self.at(self._bar.length)
            self._bar.__exit__(None, None, None)
            self._bar = None


@click.command()
@click.argument("paths", metavar="DIR|FILES...", nargs=-1, required=True, type=_PATH)
@click.option("--out", required=True, type=_PATH, help="Folder for results; it is made when it is not there.")
@click.option(
    "--at",
    default="latest",
    show_default=True,
    help="When to judge: latest, each-day [HH:MM] (of each admission), each-result, each-encounter, or a date.",
)
@click.option("--zone", default="", help="Time zone for dates that name none, for instance Europe/Berlin.")
@click.option("--dates", type=click.Choice(["auto", "real", "shifted"]), default="auto", help="Were dates shifted?")
@click.option(
    "--diagnoses",
    type=click.Choice(["known-then", "all"]),
    default="known-then",
    show_default=True,
    help="At a past moment count diagnoses, orders and procedures only once recorded, or all.",
)
@click.option("--exported", default="", help="Types that the export was asked for, also when no file of them came.")
@click.option("--fhir", type=click.Choice(["none", "detected-issue", "risk-assessment"]), default="none")
@click.option("--sample", type=click.IntRange(0, 10_000), default=0, help="So many cards for chart review.")
@click.option("--seed", type=int, default=1, show_default=True, help="Which sample.")
@click.option("--processes", type=click.IntRange(1, 64), help="Default: one for each CPU.")
@click.option("--show-small-cells", is_flag=True, help="Do not mask counts of fewer than 11 patients in the report.")
@click.option("--longest-line-mb", type=click.IntRange(1, 1024), default=64, show_default=True)
@click.option("--engine", type=click.Choice(["local", "spark"]), default="local", show_default=True)
def screen(paths: tuple[Path, ...], out: Path, at: str, processes: int | None, engine: str, **given: Any) -> None:
    """Judge whole populations from files of FHIR Bulk Data, and write a report on the burden of alerts."""
    from cds_service.screen.inputs import InputError, NoSpark
    from cds_service.screen.pool import catalog_at
    from cds_service.screen.run import RunFailed, processes_here, run
    from cds_service.terminology.load import ContentError

    if at == "each-day" and len(paths) > 1 and re.fullmatch(r"\d?\d:\d\d", str(paths[-1])):
        paths, at = paths[:-1], f"{at} {paths[-1]}"  # --at each-day 09:00 without quotation marks
    settings = settings_of(database_url="")
    choices = _choices(at, settings, given)

    def say(text: str) -> None:
        click.echo(text, err=True)

    try:
        catalog = catalog_at(settings.local_mappings_dir)
        if engine == "spark":
            from cds_service.screen.spark import local_session, screened

            outcome = screened(local_session(), [str(path) for path in paths], out, choices, catalog, say=say)
        else:
            count = processes or processes_here()
            outcome = run(paths, out, choices, catalog, processes=count, progress=Bars(), say=say)
    except ContentError as error:
        stop_content(error.problems)
    except (InputError, NoSpark) as error:
        stop(str(error))
    except RunFailed as error:
        click.echo(str(error), err=True)
        sys.exit(STOPPED)
    except KeyboardInterrupt:
        click.echo("Interrupted; the same command goes on from here.", err=True)
        sys.exit(INTERRUPTED)
    click.echo(
        f"{outcome.judged:,} of {outcome.patients:,} patients judged at {outcome.openings:,} moments: "
        f"{outcome.cards:,} cards. Report: {out / 'report.html'}"
    )
    if outcome.bad:
        click.echo(f"{outcome.bad:,} lines or files could not be read: {out / 'problems.csv'}", err=True)
        sys.exit(UNREADABLE)


def _choices(at: str, settings: "Settings", given: dict[str, Any]) -> "Choices":
    """What was asked for, checked."""
    from zoneinfo import ZoneInfoNotFoundError

    from cds_service.keeping import windows_of
    from cds_service.screen.setup import Choices

    choices = Choices(
        at=at,
        now=now().astimezone(),
        windows=windows_of(settings),
        zone=given["zone"],
        dates=given["dates"],
        everything=given["diagnoses"] == "all",
        exported=tuple(name.strip() for name in given["exported"].split(",") if name.strip()),
        fhir=given["fhir"],
        sample=given["sample"],
        seed=given["seed"],
        longest_line=given["longest_line_mb"] * 1024 * 1024,
        smallest_cell=0 if given["show_small_cells"] else 11,
        local_mappings=settings.local_mappings_dir,
    )
    try:
        _ = choices.clock
        _ = choices.moments
    except (ZoneInfoNotFoundError, ValueError) as error:
        named = "--zone" if isinstance(error, ZoneInfoNotFoundError) else "--at"
        stop(f"{named} cannot be used: {error}.")
    return choices


@click.command("screen-review")
@click.argument("form", type=click.Path(exists=True, dir_okay=False, path_type=Path))
def screen_review(form: Path) -> None:
    """Tell the positive predictive value from a filled-in review.csv."""
    from cds_service.screen.review import FormError, read_form, review_text

    try:
        click.echo(review_text(read_form(form.read_text(encoding="utf-8-sig"))))
    except (FormError, UnicodeDecodeError) as error:
        stop(f"{form} cannot be used: {error}")
