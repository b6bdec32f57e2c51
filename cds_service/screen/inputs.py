"""The files of a run: which they are, and the pieces in which they are read.

Knows: names of exported files, gzip, pieces of plain files that processes can share.
Must not know: FHIR.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

SUFFIXES: Final = (".ndjson", ".jsonl", ".json", ".ndjson.gz", ".jsonl.gz", ".json.gz")
# a piece of a plain file; gzip can only be read from its beginning
PIECE_BYTES: Final = 64 * 1024 * 1024
# text compresses so much more than numbers that this is only good for an estimate
GZIP_RATIO: Final = 12
_GZIP: Final = b"\x1f\x8b"


class InputError(Exception):
    """The input cannot be used as a whole; the text says why."""


class NoSpark(Exception):
    """Spark cannot run here; the text says what it needs."""


@dataclass(frozen=True, slots=True)
class InputFile:
    """One file. size and changed (in ns) tell whether it is still the same when a run is resumed."""

    path: str
    size: int
    changed: int
    gzipped: bool

    @property
    def is_document(self) -> bool:
        """Whether the name promises one JSON document instead of lines."""
        return self.path.removesuffix(".gz").endswith(".json")

    @property
    def text_bytes(self) -> int:
        """About how much text it holds."""
        return self.size * GZIP_RATIO if self.gzipped else self.size


@dataclass(frozen=True, slots=True)
class Piece:
    """A part of a file: the lines that begin in start <= offset < end."""

    number: int
    file: int
    start: int
    end: int


def find(paths: Sequence[Path]) -> tuple[list[InputFile], list[Path]]:
    """Return the input files in the order of their names, and what lies beside them and is not read.

    Raises: InputError when a path is not there or nothing can be read.
    """
    found: dict[Path, None] = {}
    aside: list[Path] = []
    for path in paths:
        if path.is_dir():
            for each in sorted(path.rglob("*")):
                if each.is_file() and not any(part.startswith(".") for part in each.relative_to(path).parts):
                    if each.name.lower().endswith(SUFFIXES):
                        found[each.resolve()] = None
                    else:
                        aside.append(each)
        elif path.is_file():
            found[path.resolve()] = None
        else:
            raise InputError(f"{path} is not there.")
    if not found:
        raise InputError(f"No file to read: expected names that end in {', '.join(SUFFIXES)}.")
    return [_described(path) for path in sorted(found)], aside


def _described(path: Path) -> InputFile:
    try:
        status = path.stat()
        with path.open("rb") as file:
            gzipped = file.read(2) == _GZIP
    except OSError as error:
        raise InputError(f"{path} cannot be read: {error.strerror}.") from None
    return InputFile(str(path), status.st_size, status.st_mtime_ns, gzipped)


def pieces(files: Iterable[InputFile], piece_bytes: int = PIECE_BYTES) -> Iterator[Piece]:
    """Return the pieces, in the order of files and places."""
    number = 0
    for place, file in enumerate(files):
        step = file.size if file.gzipped or file.is_document else piece_bytes
        for start in range(0, file.size, max(step, 1)):
            yield Piece(number, place, start, min(start + step, file.size))
            number += 1
