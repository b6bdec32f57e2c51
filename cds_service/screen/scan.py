"""From the lines of a piece to rows by patient: whose each resource is, and which results nobody would look at.

Knows: the head of a resource, Bundles of one or of many patients, references to patients, which Observations the rules
cannot see (unmapped ones that say nothing to them; they are counted by their code).
Must not know: values, clinical meaning, where rows are kept (spill.py).

Of an Observation nothing is done twice: what its code says is remembered by the bytes of the code, whose it is by the
bytes of its subject, and only the lines of those that the rules can see are kept.
"""

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from itertools import compress
from typing import Final

import msgspec
from msgspec import Raw

from cds_service.fhir import parts, shapes
from cds_service.fhir.bounded import LONGEST_PART
from cds_service.fhir.vocabulary import vocabulary_of
from cds_service.screen.documents import documents
from cds_service.screen.found import OTHER_CODES, RANKS, SHARED, Found, Rank, Rows
from cds_service.screen.heads import HEAD, NAME, Head, Look, Looks, Owners, code_of, kind_of, panels
from cds_service.screen.inputs import InputFile, Piece
from cds_service.screen.lines import MOST_LINE_BYTES, Block, Problem, blocks
from cds_service.terminology.catalog import Catalog

# members of an Enum are looked up slowly
_OBSERVATION: Final = int(Rank.OBSERVATION)
# rows are handed on when so many bytes of lines are held
GATHER_BYTES: Final = 16 * 1024 * 1024


_BUNDLE: Final = msgspec.json.Decoder(shapes.RawBundle)
_ENTRY: Final = msgspec.json.Decoder(shapes.RawEntry)


class Scan:
    """Reads pieces. put: takes rows with the offset of the first; put_shared: takes what belongs to no patient."""

    def __init__(
        self,
        catalog: Catalog,
        put: Callable[[Rows, int], None],
        put_shared: Callable[[str, bytes], None],
        longest: int = MOST_LINE_BYTES,
    ) -> None:
        self._put = put
        self._put_shared = put_shared
        self._longest = longest
        self._looks = Looks(vocabulary_of(catalog).labels)
        self._owners = Owners()
        self._rows: Rows = {}
        self._held = 0
        # the Observations of a patient among the rows, by the bytes of the subject
        self._by_subject: dict[bytes, list[bytes]] = {}
        self._found = Found()

    def piece(self, file: InputFile, piece: Piece, read: Callable[[int], None] = lambda size: None) -> Found:
        """Read one piece and hand on its rows."""
        return self.read(documents(file, blocks(file, piece, longest=self._longest, read=read), self._longest))

    def read(self, items: Iterable[Block | Problem]) -> Found:
        """Read lines and hand on their rows."""
        found = self._found = Found()
        offset = 0
        for item in items:
            if isinstance(item, Problem):
                found.bad_line(item.line, item.reason)
                continue
            if not self._rows:
                offset = item.offset
            self._block(item)
            found.bound()
            if self._held >= GATHER_BYTES:
                self._hand_on(offset)
        self._hand_on(offset)
        return found

    def _hand_on(self, offset: int) -> None:
        if self._rows:
            self._put(self._rows, offset)
        self._rows, self._by_subject, self._held = {}, {}, 0

    # ---- lines

    def _block(self, block: Block) -> None:
        data = block.data
        lines = data.split(b"\n")
        if not lines[-1]:
            lines.pop()
        self._found.lines += len(lines)
        try:
            _ = data.isascii() or data.decode()
            heads = HEAD.decode_lines(data)
        except parts.UNREADABLE:
            heads = []
        if len(heads) == len(lines):
            self._take_all(heads, lines, block.line)
            return
        for number, line in enumerate(lines, block.line):
            if line.strip():
                self._line(number, line)

    def _line(self, number: int, line: bytes) -> None:
        """One line of a block in which something is wrong."""
        try:
            line.decode()
            head = HEAD.decode(line)
        except UnicodeDecodeError:
            self._found.bad_line(number, "not UTF-8")
        except msgspec.ValidationError:
            self._found.bad_line(number, "no FHIR resource")
        except (msgspec.DecodeError, RecursionError):
            self._found.bad_line(number, "not readable as JSON")
        else:
            self._take_all((head,), (line,), number)

    def _take_all(self, heads: Sequence[Head], lines: Sequence[bytes], number: int) -> None:
        """Lines of one resource each. number: of the first."""
        kinds = list(map(kind_of, heads))
        if kinds.count("Observation") < len(kinds):
            for place, kind in enumerate(kinds):
                if kind != "Observation":
                    self._take(heads[place], lines[place], number + place)
            is_result = [kind == "Observation" for kind in kinds]
            heads, lines = list(compress(heads, is_result)), list(compress(lines, is_result))
        if heads:
            self._observations(heads, lines)

    def _observations(self, heads: Sequence[Head], lines: Sequence[bytes]) -> None:
        """Keep those that the rules can see; of the others, most of an export, no line is touched in Python."""
        self._found.types["Observation"] += len(heads)
        codes = list(map(bytes, map(code_of, heads)))
        counts = Counter(codes)
        looks = {code: self._looks.of(code) for code in counts}
        kept = list(map({code for code, look in looks.items() if look is not Look.UNSEEN}.__contains__, codes))
        for code, look in looks.items():
            if look is not Look.MAPPED:
                self._unmapped(code, counts[code])
        for place in panels(heads):
            if looks[codes[place]] is not Look.MAPPED:
                self._unmapped(codes[place], -1)
                kept[place] = True
        by_subject, years, held = self._by_subject, self._found.years, 0
        for head, line in compress(zip(heads, lines, strict=True), kept):
            year = head.year
            years[year] = years.get(year, 0) + 1
            rows = by_subject.get(bytes(head.subject))
            if rows is not None or (rows := self._rows_of(head.subject)) is not None:
                rows.append(line)
                held += len(line)
        self._held += held

    def _unmapped(self, code: bytes, count: int) -> None:
        unmapped = self._found.unmapped
        code = code if len(code) <= LONGEST_PART else OTHER_CODES
        unmapped[code] = unmapped.get(code, 0) + count

    def _rows_of(self, subject: Raw) -> list[bytes] | None:
        """The rows of the patient that a subject names; None when it is none."""
        owner = self._owners.of(subject)
        if not owner:
            self._found.unowned["Observation"] += 1
            return None
        rows = self._rows.setdefault((owner, _OBSERVATION), [])
        data = bytes(subject)
        if len(data) <= LONGEST_PART:
            self._by_subject[data] = rows
        return rows

    # ---- resources of any kind

    def _take(self, head: Head, line: bytes, number: int) -> None:
        kind = head.resourceType
        if kind == "Bundle":
            self._bundle(line, number)
        elif kind:
            self._found.types[kind] += 1
            self._other(head, line, {}, None)
        else:
            self._found.bad_line(number, "no FHIR resource")

    def _add(self, owner: str, rank: int, line: bytes) -> None:
        key = (owner, rank)
        rows = self._rows.get(key)
        if rows is None:
            self._rows[key] = [line]
        else:
            rows.append(line)
        self._held += len(line)

    def _other(self, head: Head, line: bytes, addresses: dict[str, str], url: str | None) -> None:
        """A resource of any kind. addresses: of the patients of its Bundle; url: its own there."""
        kind, rank = head.resourceType, RANKS.get(head.resourceType)
        if rank is None and kind not in SHARED:
            return
        owner = self._owners.of(head.subject, addresses) if rank not in (None, Rank.PATIENT) else ""
        name = ""
        if not owner:
            given = NAME.decode(line)
            name = parts.text(given.id) or ""
            if rank is not None:
                owner = name if rank is Rank.PATIENT else self._owners.of(given.patient, addresses)
        if rank is not None and owner:
            if url:
                self._add(owner, Rank.ENTRY, _entry(url, line))
            else:
                self._add(owner, int(rank), line)
        elif kind in SHARED or rank is Rank.SPECIMEN:
            for key in (f"{kind}/{name}" if name else None, url):
                if key:
                    self._put_shared(key, line)
        else:
            self._found.unowned[kind] += 1

    def _bundle(self, line: bytes, number: int) -> None:
        """All resources of a Bundle, each to its own patient."""
        try:
            entries = [_ENTRY.decode(each) for each in _BUNDLE.decode(line).entry or ()]
            held = [(parts.text(each.fullUrl), bytes(each.resource)) for each in entries if each.resource]
            heads = [HEAD.decode(resource) for _, resource in held]
        except parts.UNREADABLE:
            self._found.bad_line(number, "a Bundle that is not readable")
            return
        addresses = {
            url: parts.text(NAME.decode(resource).id) or ""
            for head, (url, resource) in zip(heads, held, strict=True)
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

    def _can_be_seen(self, head: Head) -> bool:
        """Whether the rules can see an Observation of a Bundle."""
        code = bytes(head.code)
        look = self._looks.of(code)
        if look is not Look.MAPPED and not panels((head,)):
            self._unmapped(code, 1)
            if look is Look.UNSEEN:
                return False
        self._found.years[head.year] += 1
        return True


def _entry(url: str, resource: bytes) -> bytes:
    return msgspec.json.encode({"fullUrl": url, "resource": Raw(resource)})
