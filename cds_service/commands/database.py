"""Commands on the database: upgrade its tables, tell their version.

Knows: their arguments and what they say. Heavy imports stand inside the commands.
Must not know: tables.
"""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta

import click

from cds_service.commands.common import now, stop
from cds_service.commands.common import settings as settings_of


@click.group("db")
def database() -> None:
    """Look after the database of CDS_DATABASE_URL."""


@database.command("upgrade")
def upgrade() -> None:
    """Bring the tables to the version of this service; safe to run twice or in two places."""
    url = url_of_settings()
    with told():
        from cds_service.storage import upgrade as work

        done = work.upgrade(url)
    if done.before == done.after:
        click.echo(f"Nothing to do: the database has version {done.after}.")
    else:
        click.echo(f"The database was upgraded from {done.before or 'no version'} to {done.after}.")


@database.command("current")
def current() -> None:
    """Print the version of the tables; ends with 1 when they are older than this service needs."""
    url = url_of_settings()
    with told():
        from cds_service.storage.version import outdated, version_at

        version, problem = version_at(url), outdated(url)
    click.echo(version or "no version")
    if problem:
        fail(problem[0].upper() + problem[1:])


@database.command("prune")
@click.option("--older-than", "days", type=click.IntRange(min=1), help="Age in days (default: CDS_RETENTION_DAYS).")
def prune(days: int | None) -> None:
    """Remove what is older than so many days: decisions, cards, feedback."""
    days = days or settings_of().retention_days
    if days is None:
        stop("Say how old: --older-than DAYS, or set CDS_RETENTION_DAYS.")
    with told():
        from cds_service.storage.prune import prune as remove

        removed = remove(url_of_settings(), now() - timedelta(days=days))
    click.echo(
        f"Removed from before {days} day(s): " + ", ".join(f"{n} of {name}" for name, n in removed.items()) + "."
    )


def url_of_settings() -> str:
    """The URL of the settings. Ends the program when there is none."""
    url = settings_of().database_url.get_secret_value()
    if not url:
        stop("CDS_DATABASE_URL is empty: this service keeps nothing.")
    return url


@contextmanager
def told() -> Iterator[None]:
    """Ends the program with a sentence when the database cannot be used; never with its address or a value."""
    from cds_service.storage.engine import FAILURES, UnusableDatabase

    try:
        yield
    except UnusableDatabase as error:
        stop(f"CDS_DATABASE_URL: {error}")
    except FAILURES as error:
        cause = getattr(error, "orig", None) or error
        fail(
            f"The database cannot be used ({type(cause).__name__}). Is it there, may this user write to it, is it busy?"
        )


def fail(text: str) -> None:
    """End the program: the work could not be done."""
    click.echo(text, err=True)
    sys.exit(1)
