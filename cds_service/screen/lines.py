"""Lines of a piece of a file, block by block, in bounded memory.

Knows: gzip that ends early, lines without end, pieces that begin in the middle of a line.
Must not know: what a line holds.
"""

import gzip
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import BinaryIO, Final, cast

from cds_service.screen.inputs import InputFile, Piece

BLOCK_BYTES: Final = 1024 * 1024
_LARGEST_STEP: Final = 16 * 1024 * 1024
MOST_LINE_BYTES: Final = 64 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class Block:
    """Whole lines. offset: of the first byte in the (unpacked) file; line: of the first line, counted in the piece."""

    offset: int
    line: int
    data: bytes


@dataclass(frozen=True, slots=True)
class Problem:
    """Something in a file that could not be used.

    line: from 1, counted in the piece; 0 when the file as a whole is meant. file: its number, once it is known.
    """

    line: int
    reason: str
    file: int = -1


Item = Block | Problem


def blocks(
    file: InputFile, piece: Piece, *, longest: int = MOST_LINE_BYTES, read: Callable[[int], None] = lambda size: None
) -> Iterator[Item]:
    """Yield the lines of the piece as blocks, and problems where they are met.

    longest: a longer line is passed over. read: is told how many bytes of the file were read.
    """
    try:
        with open(file.path, "rb") as raw:
            if file.gzipped:
                with gzip.open(raw, "rb") as text:
                    yield from _cut(_Told(cast(BinaryIO, text), raw, read), 0, None, longest)
            else:
                raw.seek(max(piece.start - 1, 0))
                source = _Told(raw, raw, read)
                if piece.start and not _skip(source, piece.end):
                    return
                yield from _cut(source, source.at, piece.end, longest)
    except OSError as error:  # gzip says so too
        yield Problem(0, f"cannot be read: {error.strerror or 'damaged'}")


class _Told:
    """A file that tells how far it was read, and gives back what was read too much."""

    def __init__(self, text: BinaryIO, raw: BinaryIO, read: Callable[[int], None]) -> None:
        self._text = text
        self._raw = raw
        self._read = read
        self._told = raw.tell()
        self._back = b""
        self.at = self._told

    def more(self, size: int = BLOCK_BYTES) -> bytes:
        if self._back:
            data, self._back = self._back, b""
        else:
            data = self._text.read(size)
            place = self._raw.tell()
            self._read(place - self._told)
            self._told = place
        self.at += len(data)
        return data

    def give_back(self, data: bytes) -> None:
        self._back = data
        self.at -= len(data)


def _skip(source: _Told, end: int) -> bool:
    """Pass over the rest of the line that the piece before has; False when none begins before the end."""
    while source.at < end and (data := source.more()):
        found = data.find(b"\n")
        if found >= 0:
            source.give_back(data[found + 1 :])
            return source.at < end
    return False


def _cut(source: _Told, offset: int, end: int | None, longest: int) -> Iterator[Item]:
    """Cut at line ends. offset: where the first line begins; end: where no further line may begin."""
    rest, line, lost = b"", 1, False
    while end is None or offset < end:
        try:
            # a long line is read in growing steps, for each step copies what came of it so far
            data = source.more(min(max(BLOCK_BYTES, len(rest)), _LARGEST_STEP))
        except (EOFError, zlib.error, gzip.BadGzipFile):
            yield Problem(line, "the gzip file is damaged or ends early; what follows is lost")
            return
        whole = rest + data if rest else data
        if lost:  # inside a line that is too long
            start = whole.find(b"\n") + 1
            offset += start or len(whole)
            whole = whole[start:] if start else b""
            lost, line = not start, line + bool(start)
        cut = _end_of_lines(whole, None if end is None else end - offset, at_end=not data)
        if cut:
            block = whole[:cut]
            yield Block(offset, line, block)
            offset, line = offset + cut, line + block.count(b"\n")
        rest = whole[cut:]
        if not data:
            return
        if len(rest) > longest:
            yield Problem(line, f"longer than {longest / 1024 / 1024:g} MB, passed over")
            offset, rest, lost = offset + len(rest), b"", True


def _end_of_lines(whole: bytes, left: int | None, *, at_end: bool) -> int:
    """Where the last whole line ends that begins in the first `left` bytes; 0 when none has an end yet."""
    cut = len(whole) if at_end else whole.rfind(b"\n") + 1
    if left is None or cut <= left:
        return cut
    return (whole.find(b"\n", left - 1) + 1 or (cut if at_end else 0)) if left > 0 else 0
