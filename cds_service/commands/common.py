"""What all commands share: settings and content or a clear end, files written or a clear end.

Knows: exit codes (0 well, 1 the work could not be done, 2 settings, content or arguments cannot be used).
Must not know: any command. Here alone commands read the environment.
"""

import os
import sys
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn

import click

from cds_service.settings import Settings, SettingsError, read_settings

if TYPE_CHECKING:
    from cds_service.terminology.content import Content

UNUSABLE = 2


def settings(**given: object) -> Settings:
    """The settings of the environment; what is given wins. Ends the program when they cannot be used."""
    try:
        return read_settings(os.environ, **given)
    except SettingsError as error:
        stop(str(error))


def now() -> datetime:
    """The time."""
    return datetime.now(UTC)


def content(directory: Path | None) -> "Content":
    """The content of the folder, or the shipped one. Ends the program when it cannot be read."""
    from cds_service.terminology.load import ContentError, read_shipped

    try:
        return read_shipped(directory)
    except ContentError as error:
        stop_content(error.problems)


def write(folder: Path, texts: Mapping[str, str]) -> None:
    """Write the texts by name into the folder. Ends the program when that fails."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for name, text in texts.items():
            (folder / name).write_text(text, encoding="utf-8", newline="\n")
    except OSError as error:
        stop(f"{folder} cannot be written: {error.strerror}.")


def stop_content(problems: tuple[str, ...]) -> NoReturn:
    """End the program with the problems of the content."""
    stop("\n".join([*problems, f"{len(problems)} problem(s); the content cannot be used."]))


def stop(text: str) -> NoReturn:
    """End the program with this text on standard error."""
    click.echo(text, err=True)
    sys.exit(UNUSABLE)
