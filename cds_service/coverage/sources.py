"""The resources of a report: lines of NDJSON, Bundles, hook requests, pages of a FHIR server, one raw resource each.

Knows: files (also gzip), the shapes in which resources lie in them. Must not know: what resources mean.
"""

import gzip
import zlib
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import BinaryIO, Final

import msgspec
from msgspec import Raw

from cds_service.fhir import parts, shapes
from cds_service.fhir.gather import Fetch, Query

SUFFIXES: Final = (".ndjson", ".jsonl", ".json", ".ndjson.gz", ".jsonl.gz", ".json.gz")
# What is asked of a server without a list of patients, and what the report is about.
KINDS: Final = (
    *("Medication", "Observation", "Condition", "MedicationRequest", "MedicationStatement"),
    *("MedicationAdministration", "Procedure"),
)
# orders may name their medicine by reference alone
_BESIDE: Final = {
    kind: f"_include={kind}:medication&"
    for kind in ("MedicationRequest", "MedicationStatement", "MedicationAdministration")
}
_LONGEST_LINE: Final = 64 * 1024 * 1024
_BUNDLE: Final = msgspec.json.Decoder(shapes.RawBundle)
_ENTRY: Final = msgspec.json.Decoder(shapes.RawEntry)
_LIST: Final = msgspec.json.Decoder(list[Raw])


class _Document(msgspec.Struct):
    """What tells a Bundle, a hook request and a resource apart."""

    resourceType: str | None = None
    prefetch: dict[str, Raw] | None = None


_DOCUMENT: Final = msgspec.json.Decoder(_Document)


class Unusable(Exception):
    """A file or an answer that cannot be read; the text says why, without anything that was in it."""


def files_in(folder: Path) -> list[Path]:
    """The files of an export, medicines first, for orders refer to them."""
    found = [path for path in sorted(folder.iterdir()) if path.is_file() and path.name.endswith(SUFFIXES)]
    return sorted(found, key=lambda path: "medication." not in path.name.lower())


def resources_of(path: Path, read: Callable[[int], None]) -> Iterator[Raw]:
    """Yield the resources of a file. read: is told how many bytes of the file were read.

    Raises: Unusable.
    """
    try:
        with open(path, "rb") as raw, _unpacked(raw, path) as opened:
            if ".json" in path.suffixes and ".ndjson" not in path.suffixes:
                yield from _inside(Raw(opened.read()))
                read(raw.tell())
                return
            at = 0
            while line := opened.readline(_LONGEST_LINE):
                read(raw.tell() - at)
                at = raw.tell()
                if line.strip():
                    yield from _inside(Raw(line.strip()))
    except (EOFError, zlib.error, gzip.BadGzipFile):
        raise Unusable(f"{path.name}: the gzip file is damaged or ends early") from None
    except OSError as error:
        raise Unusable(f"{path.name}: {error.strerror or 'cannot be read'}") from None


def _unpacked(raw: BinaryIO, path: Path) -> AbstractContextManager[BinaryIO]:
    return gzip.open(raw) if path.name.endswith(".gz") else nullcontext(raw)  # type: ignore[return-value]


def _inside(raw: Raw) -> Iterator[Raw]:
    """The resources in a document; what is no JSON comes as it is, to be counted as unreadable."""
    try:
        if bytes(raw)[:1] == b"[":
            for each in _LIST.decode(raw):
                yield from _inside(each)
            return
        document = _DOCUMENT.decode(raw)
    except parts.UNREADABLE:
        yield raw
        return
    if document.resourceType == "Bundle":
        yield from _entries(raw)
    elif document.resourceType is None and document.prefetch is not None:
        for each in document.prefetch.values():
            if bytes(each) != b"null":
                yield from _inside(each)
    else:
        yield raw


def _entries(raw: Raw) -> Iterator[Raw]:
    try:
        entries = _BUNDLE.decode(raw).entry or ()
    except parts.UNREADABLE:
        yield raw
        return
    for each in entries:
        try:
            resource = _ENTRY.decode(each).resource
        except parts.UNREADABLE:
            yield each
            continue
        if resource and bytes(resource) != b"null":
            yield from _inside(resource)


def queries(patients: Sequence[str]) -> list[Query]:
    """What is asked of a server: all of a kind, or all of a kind of each patient."""
    if not patients:
        return [Query(kind, f"{kind}?_count=200") for kind in KINDS]
    return [
        Query(kind, f"{kind}?patient={patient}", wishes=f"{_BESIDE.get(kind, '')}_count=200")
        for patient in patients
        for kind in KINDS
        if kind != "Medication"
    ]


def resources_from(server: Fetch, query: Query) -> Iterator[Raw | str]:
    """Yield the resources that a query brings, and, as a text, why not all came."""
    for fetched in server.read([query]):
        for page in fetched.pages:
            yield from _inside(Raw(bytes(page)))
        if fetched.failure is not None:
            yield f"{query.key}: {fetched.failure}"
