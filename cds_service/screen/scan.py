"""From the lines of a piece to rows by patient: whose each resource is, and which results nobody would look at.

Knows: the head of a resource, Bundles of one or of many patients, references to patients, which Observations the rules
cannot see (unmapped ones that say nothing to them; they are counted by their code).
Must not know: values, clinical meaning, where rows are kept (spill.py).
"""

from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace
from enum import IntEnum
from typing import Final, TypeVar

import msgspec
from msgspec import Raw

from cds_service.fhir import parts, shapes
from cds_service.fhir.bounded import Bounded
from cds_service.fhir.references import local_reference
from cds_service.fhir.vocabulary import vocabulary_of
from cds_service.screen.documents import documents
from cds_service.screen.inputs import InputFile, Piece
from cds_service.screen.lines import MOST_LINE_BYTES, Block, Problem, blocks
from cds_service.terminology.catalog import Catalog

_ABSENT: Final = shapes.ABSENT
_MOST_PROBLEMS: Final = 1_000
# rows are handed on when so much has gathered
GATHER_BYTES: Final = 24 * 1024 * 1024


class Rank(IntEnum):
    """What a row holds, in the order in which a patient's rows are read."""

    PATIENT = 0
    OBSERVATION = 1
    SPECIMEN = 2
    REPORT = 3
    CONDITION = 4
    REQUEST = 5
    STATEMENT = 6
    ADMINISTRATION = 7
    PROCEDURE = 8
    ENCOUNTER = 9
    ENTRY = 10


RANKS: Final = {
    "Patient": Rank.PATIENT,
    "Observation": Rank.OBSERVATION,
    "Specimen": Rank.SPECIMEN,
    "DiagnosticReport": Rank.REPORT,
    "Condition": Rank.CONDITION,
    "MedicationRequest": Rank.REQUEST,
    "MedicationStatement": Rank.STATEMENT,
    "MedicationAdministration": Rank.ADMINISTRATION,
    "Procedure": Rank.PROCEDURE,
    "Encounter": Rank.ENCOUNTER,
}
# belong to no patient; found by the reference that names them
SHARED: Final = frozenset({"Medication", "Location"})


class Head(msgspec.Struct, gc=False):
    """As much of a resource as tells whose it is, and whether the rules can see it."""

    resourceType: str = ""
    id: Raw = _ABSENT
    subject: Raw = _ABSENT
    patient: Raw = _ABSENT
    code: Raw = _ABSENT
    component: Raw = _ABSENT
    hasMember: Raw = _ABSENT
    effectiveDateTime: Raw = _ABSENT


_HEAD: Final = msgspec.json.Decoder(Head)
_BUNDLE: Final = msgspec.json.Decoder(shapes.RawBundle)
_ENTRY: Final = msgspec.json.Decoder(shapes.RawEntry)

Rows = dict[tuple[str, int], list[bytes]]


@dataclass(slots=True)
class Found:
    """What was met in a piece beside the rows. unmapped: Observations by the bytes of their code.

    years: Observations by the first four bytes of their date, to see whether dates were shifted.
    """

    types: dict[str, int] = field(default_factory=Counter)
    unmapped: dict[bytes, int] = field(default_factory=Counter)
    years: dict[bytes, int] = field(default_factory=Counter)
    unowned: dict[str, int] = field(default_factory=Counter)
    problems: list[Problem] = field(default_factory=list)
    bad: int = 0
    lines: int = 0

    def add(self, other: "Found", lines_before: int, file: int) -> None:
        """Add the next piece of a file; its lines then count from the beginning of the file."""
        _sum(self.types, other.types)
        _sum(self.years, other.years)
        _sum(self.unowned, other.unowned)
        _sum(self.unmapped, other.unmapped)
        self.bad += other.bad
        self.lines += other.lines
        self.problems += [
            replace(each, line=each.line and each.line + lines_before, file=file) for each in other.problems
        ]

    def bad_line(self, line: int, reason: str) -> None:
        """Count it; of very many only the first are told."""
        self.bad += 1
        if len(self.problems) < _MOST_PROBLEMS:
            self.problems.append(Problem(line, reason))


K = TypeVar("K", str, bytes)


def _sum(counts: dict[K, int], more: dict[K, int]) -> None:
    for key, count in more.items():
        counts[key] = counts.get(key, 0) + count


class Scan:
    """Reads pieces. put: takes rows with the offset of the first; put_shared: takes what belongs to no patient."""

    def __init__(
        self,
        catalog: Catalog,
        put: Callable[[Rows, int], None],
        put_shared: Callable[[str, bytes], None],
        longest: int = MOST_LINE_BYTES,
    ) -> None:
        self._labels = vocabulary_of(catalog).labels
        self._put = put
        self._put_shared = put_shared
        self._longest = longest
        self._owners: Bounded[bytes, str] = Bounded()
        self._rows: Rows = {}
        self._found = Found()

    def piece(self, file: InputFile, piece: Piece, read: Callable[[int], None] = lambda size: None) -> Found:
        """Read one piece and hand on its rows."""
        return self.read(documents(file, blocks(file, piece, longest=self._longest, read=read), self._longest))

    def read(self, items: Iterable[Block | Problem]) -> Found:
        """Read lines and hand on their rows."""
        found = self._found = Found()
        offset, size = 0, 0
        for item in items:
            if isinstance(item, Problem):
                found.bad_line(item.line, item.reason)
                continue
            if not self._rows:
                offset = item.offset
            self._block(item)
            size += len(item.data)
            if size >= GATHER_BYTES:
                self._hand_on(offset)
                size = 0
        self._hand_on(offset)
        return found

    def _hand_on(self, offset: int) -> None:
        if self._rows:
            self._put(self._rows, offset)
            self._rows = {}

    def _block(self, block: Block) -> None:
        lines = block.data.split(b"\n")
        if not lines[-1]:
            lines.pop()
        self._found.lines += len(lines)
        try:
            block.data.decode()
            heads = _HEAD.decode_lines(block.data)
        except parts.UNREADABLE:
            heads = []
        if len(heads) == len(lines):
            for number, (head, line) in enumerate(zip(heads, lines, strict=True), block.line):
                self._take(head, line, number)
            return
        for number, line in enumerate(lines, block.line):
            if line.strip():
                self._line(number, line)

    def _line(self, number: int, line: bytes) -> None:
        """One line of a block in which something is wrong."""
        try:
            line.decode()
            head = _HEAD.decode(line)
        except UnicodeDecodeError:
            self._found.bad_line(number, "not UTF-8")
        except msgspec.ValidationError:
            self._found.bad_line(number, "no FHIR resource")
        except (msgspec.DecodeError, RecursionError):
            self._found.bad_line(number, "not readable as JSON")
        else:
            if head.resourceType:
                self._take(head, line, number)
            else:
                self._found.bad_line(number, "no FHIR resource")

    def _take(self, head: Head, line: bytes, number: int) -> None:
        kind = head.resourceType
        if kind == "Observation":
            self._found.types[kind] += 1
            if self._can_be_seen(head):
                owner = self._owners.get(bytes(head.subject)) or self._owner(head.subject)
                if owner:
                    self._add(owner, Rank.OBSERVATION, line)
                else:
                    self._found.unowned[kind] += 1
        elif kind == "Bundle":
            self._bundle(line, number)
        elif kind:
            self._found.types[kind] += 1
            self._other(head, line, {}, None)
        else:
            self._found.bad_line(number, "no FHIR resource")

    def _can_be_seen(self, head: Head) -> bool:
        """Whether the rules can see an Observation: mapped, a panel, or noted for mapping maintainers."""
        code = bytes(head.code)
        label = self._labels.seen.get(code) or self._labels.of(head.code)
        if label.inputs:
            self._found.years[bytes(head.effectiveDateTime)[1:5]] += 1
            return True
        if head.component or head.hasMember:
            return True
        self._found.unmapped[code] += 1
        return label.unmapped is not None or label.text_only

    def _add(self, owner: str, rank: int, line: bytes) -> None:
        key = (owner, rank)
        held = self._rows.get(key)
        if held is None:
            self._rows[key] = [line]
        else:
            held.append(line)

    def _other(self, head: Head, line: bytes, addresses: dict[str, str], url: str | None) -> None:
        """A resource of any kind. addresses: of the patients of its Bundle; url: its own there."""
        kind, rank = head.resourceType, RANKS.get(head.resourceType)
        owner = ""
        if rank is Rank.PATIENT:
            owner = parts.text(head.id) or ""
        elif rank is not None:
            owner = self._owner(head.subject, addresses) or self._owner(head.patient, addresses)
        if rank is not None and owner:
            if url:
                self._add(owner, Rank.ENTRY, _entry(url, line))
            else:
                self._add(owner, rank, line)
        elif kind in SHARED or rank is Rank.SPECIMEN:
            name = parts.text(head.id)
            for key in (f"{kind}/{name}" if name else None, url):
                if key:
                    self._put_shared(key, line)
        elif rank is not None:
            self._found.unowned[kind] += 1

    def _owner(self, subject: Raw, addresses: dict[str, str] | None = None) -> str:
        """The id of the patient that a subject names; empty when it is none."""
        if not subject:
            return ""
        reference = parts.reference(subject)
        text = (reference.reference or "") if reference is not None else ""
        if addresses and text in addresses:
            return addresses[text]
        kind, _, name = local_reference(text).partition("/")
        owner = name if kind == "Patient" and "/" not in name else ""
        return self._owners.keep(bytes(subject), owner)

    def _bundle(self, line: bytes, number: int) -> None:
        """All resources of a Bundle, each to its own patient."""
        try:
            entries = [_ENTRY.decode(each) for each in _BUNDLE.decode(line).entry or ()]
            held = [(parts.text(each.fullUrl), bytes(each.resource)) for each in entries if each.resource]
            heads = [_HEAD.decode(resource) for _, resource in held]
        except parts.UNREADABLE:
            self._found.bad_line(number, "a Bundle that is not readable")
            return
        addresses = {
            url: parts.text(head.id) or ""
            for head, (url, _) in zip(heads, held, strict=True)
            if url and head.resourceType == "Patient"
        }
        for head, (url, resource) in zip(heads, held, strict=True):
            if head.resourceType == "Bundle":
                self._bundle(resource, number)
                continue
            self._found.types[head.resourceType] += 1
            if head.resourceType == "Observation" and not self._can_be_seen(head):
                continue
            self._other(head, resource, addresses, url if url and not url.startswith("http") else None)


def _entry(url: str, resource: bytes) -> bytes:
    return msgspec.json.encode({"fullUrl": url, "resource": Raw(resource)})
