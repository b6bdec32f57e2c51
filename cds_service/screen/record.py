"""The resources of one patient, and the prefetch that a call at a moment would have brought.

Knows: which kind of resource stands under which prefetch key; what did not exist yet at a past moment.
Must not know: how the prefetch is judged.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, tzinfo
from itertools import compress
from typing import Final, cast

import msgspec
from msgspec import Raw

from cds_service.fhir import parts, shapes
from cds_service.fhir.references import local_reference
from cds_service.screen.found import RANKS, Rank
from cds_service.screen.known import Known

Prefetch = dict[str, Raw] | dict[str, shapes.Brought]

KEYS: Final[Mapping[Rank, str]] = {
    Rank.PATIENT: "patient",
    Rank.OBSERVATION: "observations",
    Rank.SPECIMEN: "observations",
    Rank.REPORT: "observations",
    Rank.CONDITION: "conditions",
    Rank.REQUEST: "medications",
    Rank.ADMINISTRATION: "medications",
    Rank.STATEMENT: "statements",
    Rank.PROCEDURE: "procedures",
    Rank.ENCOUNTER: "encounter",
}
_RESOURCE: Final[msgspec.json.Decoder[shapes.AnyResource]] = msgspec.json.Decoder(shapes.AnyResource)
_ENTRY: Final = msgspec.json.Decoder(shapes.RawEntry)
# since when resources count that do not tell
_ALWAYS: Final = datetime.min.replace(tzinfo=UTC)
_ORDERS: Final = frozenset({Rank.REQUEST, Rank.STATEMENT, Rank.ADMINISTRATION})
_RESULTS: Final = (shapes.Observation, shapes.DiagnosticReport)


@dataclass(slots=True)
class Shelf:
    """All resources of one prefetch key.

    resources: None where one does not fit its shape. lines: as they came, kept only where one does not fit (the whole
    key is then read in the tolerant way) or came from a Bundle; urls: the address of each in its Bundle.
    since: since when each was known, once that is asked for; newest: the last of these times. refers: the Medications
    that each names; empty where none names any.
    """

    resources: list[shapes.AnyResource | None] = field(default_factory=list)
    lines: list[bytes] = field(default_factory=list)
    urls: list[Raw] = field(default_factory=list)
    since: list[datetime] = field(default_factory=list)
    newest: datetime | None = None
    is_dated: bool = False
    refers: list[tuple[str, ...]] | None = None
    odd: bool = False


class Record:
    """One patient's resources as exported.

    exported: the prefetch keys of which the export holds any; a key that is not there was not asked, as in a call.
    shared: finds a Medication or Location by reference. says_nothing: tells an order that no call would look at; it is
    left out here once, not passed over at each moment. everything: count all diagnoses, orders and procedures at any
    moment, whenever they were recorded.
    """

    def __init__(
        self,
        patient: str,
        rows: Iterable[tuple[int, bytes]],
        *,
        exported: Iterable[str],
        shared: Callable[[str], bytes | None],
        zone: tzinfo | None,
        says_nothing: Callable[[shapes.AnyResource], bool],
        everything: bool = False,
    ) -> None:
        self.patient = patient
        self.known = Known(zone)
        self._shared = shared
        self._says_nothing = says_nothing
        self._everything = everything
        self._found: dict[str, tuple[shapes.AnyResource | None, bytes] | None] = {}
        self._shelves: dict[str, Shelf] = {key: Shelf() for key in exported}
        self._newest_results: tuple[datetime | None, list[shapes.Observation]] | None = None
        held = list(rows)
        odd = {key for rank, data in held if (key := self._fits(rank, data)) is not None}
        if odd or any(rank == Rank.ENTRY for rank, _ in held):
            self._shelve_apart(held)
        self.encounters = [each for each in self._on("encounter") if isinstance(each, shapes.Encounter)]

    def observations(self) -> Iterator[tuple[shapes.Observation, datetime | None]]:
        """The Observations, each with the time since when it was known."""
        shelf = self._shelves.get("observations")
        if shelf is not None:
            for resource, since in zip(shelf.resources, self._since(shelf), strict=True):
                if isinstance(resource, shapes.Observation):
                    yield resource, since if since is not _ALWAYS else None

    def prefetch(self, at: datetime | None, encounter: shapes.Encounter | None) -> Prefetch:
        """What a call about the patient would have brought; at: None for all there is."""
        found: dict[str, Raw | shapes.Brought] = {}
        for key, shelf in self._shelves.items():
            if key == "encounter":
                continue
            places = self._places_known(shelf, at)
            if places is None and not shelf.odd and key not in ("medications", "statements"):
                found[key] = cast(list[shapes.AnyResource], shelf.resources)
                continue
            found[key] = self._picked(shelf, range(len(shelf.resources)) if places is None else places)
        if encounter is not None:
            found["encounter"] = [encounter, *self._wards(encounter)]
        return cast(Prefetch, found)

    def newest_results(self) -> tuple[datetime | None, list[shapes.Observation]]:
        """The newest time since when an Observation was known, and those of that time."""
        if self._newest_results is None:
            results = [each for each in self._on("observations") if isinstance(each, shapes.Observation)]
            self._newest_results = self.known.newest(results)
        return self._newest_results

    def last_known(self, until: datetime | None) -> datetime | None:
        """The newest time since when anything was known, of those up to `until`."""
        found = []
        for shelf in self._shelves.values():
            newest = self._newest(shelf)
            if newest is None or until is None or newest <= until:
                found.append(newest)
            else:
                found += [at for at in self._since(shelf) if at is not _ALWAYS and at <= until]
        return max((at for at in found if at is not None), default=None)

    # ---- shelves

    def _fits(self, rank: int, data: bytes) -> str | None:
        """Put rows on their shelf; the key when they do not fit."""
        if rank == Rank.ENTRY:
            return None
        key = KEYS[Rank(rank)]
        try:
            resources = _RESOURCE.decode_lines(data)
        except parts.UNREADABLE:
            return key
        if rank in _ORDERS:
            resources = [each for each in resources if not self._says_nothing(each)]
        shelf = self._shelves.setdefault(key, Shelf())
        if shelf.resources:
            shelf.resources += resources
        else:
            shelf.resources = cast(list[shapes.AnyResource | None], resources)
        return None

    def _shelve_apart(self, rows: Iterable[tuple[int, bytes]]) -> None:
        """Put all on its shelf anew, line by line, with the lines and their addresses."""
        self._shelves = {key: Shelf() for key in self._shelves}
        for rank, data in rows:
            for line in data.split(b"\n"):
                if rank == Rank.ENTRY:
                    entry = _ENTRY.decode(line)
                    kind = msgspec.json.decode(entry.resource, type=shapes.Head).resourceType or ""
                    self._shelve(KEYS[RANKS[kind]], bytes(entry.resource), entry.fullUrl)
                else:
                    self._shelve(KEYS[Rank(rank)], line, shapes.ABSENT)

    def _shelve(self, key: str, line: bytes, url: Raw) -> None:
        shelf = self._shelves.setdefault(key, Shelf())
        resource = _read(line)
        shelf.odd = shelf.odd or resource is None or bool(url)
        shelf.resources.append(resource)
        shelf.lines.append(line)
        shelf.urls.append(url)

    def _on(self, key: str) -> list[shapes.AnyResource | None]:
        return self._shelves[key].resources if key in self._shelves else []

    # ---- what is known at a moment

    def _since(self, shelf: Shelf) -> list[datetime]:
        if len(shelf.since) != len(shelf.resources):
            since = self.known.since
            shelf.since = [_ALWAYS if each is None else since(each) or _ALWAYS for each in shelf.resources]
        return shelf.since

    def _newest(self, shelf: Shelf) -> datetime | None:
        if not shelf.is_dated:
            shelf.is_dated = True
            others = [each for each in shelf.resources if each is not None and not isinstance(each, shapes.Observation)]
            times = list(map(self.known.since, others))
            if shelf is self._shelves.get("observations"):
                times.append(self.newest_results()[0])
            shelf.newest = max((each for each in times if each is not None), default=None)
        return shelf.newest

    def _places_known(self, shelf: Shelf, at: datetime | None) -> list[int] | None:
        """The places of what was known; None for all."""
        if at is None or not shelf.resources:
            return None
        newest = self._newest(shelf)
        if newest is None or newest <= at:
            return None
        since = self._since(shelf)
        if self._everything:
            since = [
                each if isinstance(r, _RESULTS) else _ALWAYS for each, r in zip(since, shelf.resources, strict=True)
            ]
        return list(compress(range(len(since)), map(at.astimezone(UTC).__ge__, since)))

    def _picked(self, shelf: Shelf, places: Sequence[int]) -> Raw | shapes.Brought:
        resources = shelf.resources
        picked = [resources[place] for place in places]
        referred = self._medications(shelf, places)
        if not shelf.odd:
            return cast(list[shapes.AnyResource], [*picked, *(found for found, _ in referred if found is not None)])
        entries = [
            b'{"fullUrl":%s,"resource":%s}' % (bytes(shelf.urls[place]), shelf.lines[place])
            if shelf.urls[place]
            else b'{"resource":%s}' % shelf.lines[place]
            for place in places
        ]
        entries += [b'{"resource":%s}' % line for _, line in referred]
        return Raw(b'{"resourceType":"Bundle","type":"collection","entry":[%s]}' % b",".join(entries))

    # ---- resources of nobody

    def _medications(self, shelf: Shelf, places: Iterable[int]) -> list[tuple[shapes.AnyResource | None, bytes]]:
        """The Medications that the resources at these places name."""
        if shelf.refers is None:
            refers = list(map(_medications_named, shelf.resources))
            shelf.refers = refers if any(refers) else []
        if not shelf.refers:
            return []
        names = dict.fromkeys(name for place in places for name in shelf.refers[place])
        return [found for name in names if (found := self._find(name)) is not None]

    def _wards(self, encounter: shapes.Encounter) -> list[shapes.AnyResource]:
        names = dict.fromkeys(
            local_reference(stay.location.reference)
            for stay in encounter.location or ()
            if stay.location is not None and stay.location.reference
        )
        found = [self._find(name) for name in names]
        return [each[0] for each in found if each is not None and each[0] is not None]

    def _find(self, name: str) -> tuple[shapes.AnyResource | None, bytes] | None:
        if name not in self._found:
            data = self._shared(name)
            self._found[name] = None if data is None else (_read(data), data)
        return self._found[name]


def _medications_named(order: shapes.AnyResource | None) -> tuple[str, ...]:
    """The Medications that a resource names beside itself."""
    if not isinstance(order, shapes.MedicationRequest | shapes.MedicationStatement | shapes.MedicationAdministration):
        return ()
    medication = order.medication
    given = (order.medicationReference, medication.reference if medication is not None else None)
    names = [each.reference for each in given if each is not None and each.reference]
    return tuple(local_reference(name) for name in names if not name.startswith("#"))


def _read(line: bytes) -> shapes.AnyResource | None:
    try:
        return _RESOURCE.decode(line)
    except parts.UNREADABLE:
        return None
