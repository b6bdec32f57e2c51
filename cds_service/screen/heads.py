"""The head of a resource: what it is, whose it is, and whether the rules can see it.

Knows: the fields that tell it; codes and subjects are understood once each, by their bytes.
Must not know: values, where resources come from and go to (scan.py).
"""

from collections.abc import Mapping, Sequence
from enum import Enum
from operator import attrgetter
from typing import Final

import msgspec
from msgspec import Raw

from cds_service.fhir import parts, shapes
from cds_service.fhir.bounded import Bounded
from cds_service.fhir.labels import Labels
from cds_service.fhir.references import local_reference

_ABSENT: Final = shapes.ABSENT


class Head(msgspec.Struct, gc=False):
    """As much of a resource as tells whose it is, and whether the rules can see it."""

    resourceType: str = ""
    subject: Raw = _ABSENT
    code: Raw = _ABSENT
    component: Raw = _ABSENT
    hasMember: Raw = _ABSENT
    effectiveDateTime: Raw = _ABSENT

    @property
    def year(self) -> bytes:
        """The first four bytes of its date."""
        return bytes(self.effectiveDateTime)[1:5]


class Name(msgspec.Struct, gc=False):
    """By what other resources name this one, and its patient in older releases."""

    id: Raw = _ABSENT
    patient: Raw = _ABSENT


HEAD: Final = msgspec.json.Decoder(Head)
NAME: Final = msgspec.json.Decoder(Name)

# these loop in C
kind_of: Final = attrgetter("resourceType")
code_of: Final = attrgetter("code")
_component_of: Final = attrgetter("component")
_members_of: Final = attrgetter("hasMember")


class Look(Enum):
    """What the rules can do with an Observation of a code."""

    MAPPED = "read it"
    NOTED = "tell it to mapping maintainers"
    UNSEEN = "nothing"


class Looks:
    """Tells what the rules can do with a code."""

    def __init__(self, labels: Labels) -> None:
        self._labels = labels
        self._known: Bounded[bytes, Look] = Bounded()

    def of(self, code: bytes) -> Look:
        """By the bytes of Observation.code."""
        look = self._known.get(code)
        if look is None:
            label = self._labels.of(Raw(code))
            is_noted = label.unmapped is not None or label.text_only
            look = Look.MAPPED if label.inputs else Look.NOTED if is_noted else Look.UNSEEN
            self._known.keep(code, look)
        return look


def panels(heads: Sequence[Head]) -> list[int]:
    """The places of Observations that hold others."""
    components, members = list(map(_component_of, heads)), list(map(_members_of, heads))
    if components.count(_ABSENT) == members.count(_ABSENT) == len(heads):
        return []
    return [place for place, both in enumerate(zip(components, members, strict=True)) if any(both)]


class Owners:
    """Tells the patient that a subject names."""

    def __init__(self) -> None:
        self._known: Bounded[bytes, str] = Bounded()

    def of(self, subject: Raw, addresses: Mapping[str, str] | None = None) -> str:
        """The id of the patient; empty when it is none. addresses: of the patients of a Bundle."""
        if not subject:
            return ""
        data = bytes(subject)
        if not addresses and (known := self._known.get(data)) is not None:
            return known
        reference = parts.reference(data)
        text = (reference.reference or "") if reference is not None else ""
        if addresses and text in addresses:
            return addresses[text]
        kind, _, name = local_reference(text).partition("/")
        return self._known.keep(data, name if kind == "Patient" and "/" not in name else "")
