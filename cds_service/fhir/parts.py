"""Decoding of the parts of resources that shapes.py leaves raw.

Knows: the type of each such part; that some systems send one object where FHIR has a list.
Must not know: what a part means. A part that does not fit is None, never an exception.
"""

from typing import Final, Generic, TypeVar

from msgspec import DecodeError, Raw
from msgspec.json import Decoder

from cds_service.fhir.shapes import (
    Adherence,
    Annotation,
    CodeableConcept,
    CodeableReference,
    Component,
    Container,
    EntryResponse,
    Identifier,
    Link,
    Location,
    Medication,
    Meta,
    Period,
    Product,
    Reference,
    ReferenceRange,
    Related,
    Specimen,
    Timing,
)

T = TypeVar("T")

# What decoding raises: msgspec's own (ValidationError is a DecodeError), broken UTF-8, nesting without end.
UNREADABLE: Final = (DecodeError, UnicodeDecodeError, RecursionError)


class Part(Generic[T]):
    """One kind of part; call it with the raw bytes."""

    def __init__(self, kind: type[T]) -> None:
        self._decoder = Decoder(kind)

    def __call__(self, raw: Raw | bytes) -> T | None:
        """The part, or None when it is absent, null or does not fit."""
        if not raw:
            return None
        try:
            return self._decoder.decode(raw)
        except UNREADABLE:
            return None


class Parts(Generic[T]):
    """A list of parts; one object is read as a list of one."""

    def __init__(self, kind: type[T]) -> None:
        self._decoder: Decoder[list[T] | None] = Decoder(list[kind] | None)  # type: ignore[valid-type]

    def __call__(self, raw: Raw | bytes) -> list[T] | None:
        """The parts; empty when absent or null, None when they do not fit."""
        if not raw:
            return []
        data = bytes(raw)
        if data.startswith(b"{"):
            data = b"[" + data + b"]"
        try:
            return self._decoder.decode(data) or []
        except UNREADABLE:
            return None


adherence = Part(Adherence)
annotations = Parts(Annotation)
components = Parts(Component)
concept = Part(CodeableConcept)
concepts = Parts(CodeableConcept)
containers = Parts(Container)
entry_response = Part(EntryResponse)
identifiers = Parts(Identifier)
item = Part(CodeableReference)
links = Parts(Link)
meta = Part(Meta)
period = Part(Period)
product = Part(Product)
ranges = Parts(ReferenceRange)
reference = Part(Reference)
references = Parts(Reference)
related = Parts(Related)
text = Part(str)
timing = Part(Timing)

_contained: Decoder[list[Raw]] = Decoder(list[Raw])
contained_medication = Part(Medication)
contained_specimen = Part(Specimen)
contained_location = Part(Location)


def contained(raw: Raw, wanted: str, read: Part[T]) -> T | None:
    """The contained resource that `#wanted` points to, when it is there and is of the kind that `read` reads."""
    if not raw:
        return None
    try:
        inside = _contained.decode(raw)
    except UNREADABLE:
        return None
    for each in inside:
        found = read(each)
        if found is not None and getattr(found, "id", None) == wanted.removeprefix("#"):
            return found
    return None
