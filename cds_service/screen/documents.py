"""Files that are one JSON document over many lines, such as a Bundle written for people.

Knows: that a document of at most the longest line is handed on as one line.
Must not know: what it holds.
"""

from collections.abc import Iterator

import msgspec

from cds_service.fhir import parts
from cds_service.screen.inputs import InputFile
from cds_service.screen.lines import Block, Problem


def documents(file: InputFile, items: Iterator[Block | Problem], longest: int) -> Iterator[Block | Problem]:
    """A file that is one JSON document as one line; others as they are."""
    if not file.is_document:
        yield from items
        return
    held: list[Block] = []
    size = 0
    for item in items:
        if isinstance(item, Problem):
            yield item
            continue
        held.append(item)
        size += len(item.data)
        if size > longest:
            yield from held
            held = []
            yield from items
            return
    whole = b"".join(block.data for block in held)
    if is_one(whole):
        # line ends cannot stand inside a JSON string
        yield Block(0, 1, whole.replace(b"\r", b" ").replace(b"\n", b" "))
    else:
        yield from held


def is_one(whole: bytes) -> bool:
    """Whether this is one JSON value."""
    try:
        msgspec.json.decode(whole)
    except parts.UNREADABLE:
        return False
    return True
