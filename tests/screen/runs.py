"""Runs of the screen for tests: resources in, the lines of assessments.ndjson out."""

import json
from collections.abc import Iterable, Mapping
from datetime import datetime
from pathlib import Path
from typing import Any

from cds_service.keeping import windows_of
from cds_service.screen.outputs import Outcome
from cds_service.screen.run import run
from cds_service.screen.setup import Choices
from cds_service.settings import read_settings
from cds_service.terminology.catalog import Catalog
from tests.conftest import NOW

Json = dict[str, Any]
WINDOWS = windows_of(read_settings({}))


class Quiet:
    """Shows no progress."""

    def step(self, name: str, length: int) -> None: ...

    def at(self, done: int) -> None: ...

    def end(self) -> None: ...


def write(path: Path, resources: Iterable[Mapping[str, Any] | bytes]) -> Path:
    """A file of NDJSON; decimals of builders keep their text."""
    lines = [each if isinstance(each, bytes) else json.dumps(each, default=str).encode() for each in resources]
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(b"".join(line + b"\n" for line in lines))
    return path


def screened(
    catalog: Catalog, paths: Iterable[Path], out: Path, *, at: str = "latest", processes: int = 1, **more: Any
) -> Outcome:
    """Run the screen."""
    choices = Choices(**{"at": at, "now": NOW, "windows": WINDOWS, **more})
    return run(list(paths), out, choices, catalog, processes=processes, progress=Quiet(), say=lambda text: None)


def lines_of(out: Path) -> list[bytes]:
    return (out / "assessments.ndjson").read_bytes().splitlines()


def assessment_of(line: bytes) -> bytes:
    """The bytes of the assessment in a line, as they stand there."""
    _, _, rest = line.partition(b'"assessment":')
    assert rest, line
    return rest[:-1]


def at_of(line: bytes) -> datetime:
    return datetime.fromisoformat(json.loads(line)["at"])
