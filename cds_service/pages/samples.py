"""The bundled synthetic patients: what each shows, and its request as it lies in the folder.

Knows: the folder of samples and the table of its README.
Must not know: what a right answer is.
"""

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

_ROW: Final = re.compile(r"^\| \[(?P<id>[\w-]+)\]\([^)]*\) \| (?P<tier>\w+) \| (?P<line>.+?) \|$", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Sample:
    """One call of examples/. tier: of the answer as recorded; line: what it shows; hook: which is called."""

    id: str
    tier: str
    line: str
    request: Path
    hook: str

    @property
    def name(self) -> str:
        """Return the name of the folder as words."""
        words = self.id.removeprefix("order-").replace("-", " ").replace("si units", "SI units").replace(" iv ", " IV ")
        return words[:1].upper() + words[1:]


def shipped_examples() -> Path | None:
    """Return the folder of samples: beside the code in a checkout, inside the package in an installation."""
    package = Path(__file__).resolve().parents[1]
    for folder in (package / "content" / "examples", package.parent / "examples"):
        if folder.is_dir():
            return folder
    return None


def samples_in(folder: Path | None) -> tuple[Sample, ...]:
    """Return the samples of the folder in the order of its table; none where none are installed."""
    if folder is None or not (folder / "README.md").is_file():
        return ()
    return tuple(_listed(folder))


def _listed(folder: Path) -> Iterator[Sample]:
    for row in _ROW.finditer((folder / "README.md").read_text(encoding="utf-8")):
        request = folder / row["id"] / "request.json"
        if request.is_file():
            hook = json.loads(request.read_text(encoding="utf-8"))["hook"]
            yield Sample(row["id"], row["tier"], row["line"], request, hook)


def read_json(sample: Sample) -> object:
    """Return the request of a sample."""
    return json.loads(sample.request.read_text(encoding="utf-8"))
