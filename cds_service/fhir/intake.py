"""Sorting what one answer brought: a Bundle, a resource, a list of them, null or a failure.

Knows: the shapes of answers (searchset, collection, batch-response, single resource, array), versions of one resource,
failures told as OperationOutcome. The whole answer is decoded at once; only when something in it does not fit, resource
by resource.
Must not know: which answers are wanted (gather.py), codes, clinical meaning. Longer than 300 lines because the quick
and the tolerant way of one sorting are read side by side.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Final, cast

from msgspec import Raw
from msgspec.json import Decoder

from cds_service.fhir import parts, shapes
from cds_service.fhir.lenient import read_resource
from cds_service.fhir.record import KIND_OF, Kind, PatientRecord, State, Unreadable

_BROUGHT: Final[Decoder[shapes.Brought]] = Decoder(shapes.Brought)
_LIST: Final = Decoder(list[Raw])
_HEAD: Final = Decoder(shapes.Head)
_RAW_BUNDLE: Final = Decoder(shapes.RawBundle)
_RAW_ENTRY: Final = Decoder(shapes.RawEntry)
_DATA: Final = State.DATA  # members of an Enum are looked up slowly
_OTHER_PATIENT: Final = "the Patient that came is not the patient of the hook"
_TOO_MANY: Final = "more resources than this service reads"
# in one call; each costs some microseconds, broken ones most
MOST_ENTRIES: Final = 50_000
_NOTHING_FOUND: Final = frozenset({"not-found", "informational"})
_TYPE_IN_URL = re.compile(r"(?:^|/)([A-Z][A-Za-z]+)(?:\?|/[^/?]*$|$)")


@dataclass(slots=True)
class Answer:
    """What one key (or one query) brought. hint: the kind it is about when nothing is inside."""

    key: str
    hint: Kind | None = None
    kinds: set[Kind] = field(default_factory=set)
    failure: str | None = None
    next_page: str | None = None

    def about(self, kind: Kind) -> bool:
        """Whether this answer tells about that kind."""
        return kind in self.kinds if self.kinds else self.hint is kind

    def told(self) -> Iterable[Kind]:
        """The kinds that this answer tells about."""
        return self.kinds or (() if self.hint is None else (self.hint,))

    @property
    def state(self) -> State:
        """Data when anything came, else failed or no data."""
        if self.kinds:
            return _DATA
        return State.FAILED if self.failure else State.NO_DATA


class Intake:
    """Files resources into a record; one resource once, in its latest version."""

    def __init__(self, record: PatientRecord, *, keep_raw: bool = False) -> None:
        self._record = record
        self._keep_raw = keep_raw
        self._room = MOST_ENTRIES
        self._observations: dict[str, int] = {}
        self._others: set[tuple[type[shapes.Resource], str]] = set()
        self._lists: dict[type[shapes.AnyResource], list[shapes.AnyResource]] = {
            kind: cast(list[shapes.AnyResource], held)
            for kind, held in (
                (shapes.Condition, record.conditions),
                (shapes.MedicationRequest, record.requests),
                (shapes.MedicationOrder, record.requests),
                (shapes.MedicationStatement, record.statements),
                (shapes.MedicationAdministration, record.administrations),
                (shapes.Procedure, record.procedures),
                (shapes.Encounter, record.encounters),
                (shapes.DiagnosticReport, record.reports),
            )
        }

    def take(self, answer: Answer, given: Raw | bytes | shapes.Brought) -> None:
        """File all that one answer holds, and write into it what came. given: JSON, or what was decoded of it."""
        answer.next_page = None
        if not isinstance(given, Raw | bytes):
            value = given
        elif self._keep_raw:
            self._take_apart(answer, given)
            return
        else:
            try:
                value = _BROUGHT.decode(given)
            except parts.UNREADABLE:
                self._take_apart(answer, given)
                return
        held = value if isinstance(value, list) else (value,)
        if not self._fits(answer, len(held)):
            return
        if held and {type(each) for each in held} == {shapes.Observation}:
            self._file_observations(answer, cast(list[shapes.Observation], held))
            return
        for resource in held:
            if isinstance(resource, shapes.OperationOutcome):
                self._outcome(answer, resource, alone=True)
            elif resource is not None:
                self._file(answer, resource)

    def _file(self, answer: Answer, resource: shapes.AnyResource, url: Raw = shapes.ABSENT) -> None:
        kind = type(resource)
        if kind is shapes.Observation:
            self._file_observations(answer, [resource])  # type: ignore[list-item]
        elif kind is shapes.Bundle:
            self._file_bundle(answer, resource)  # type: ignore[arg-type]
        elif kind is shapes.Patient:
            self._file_patient(answer, resource, url)  # type: ignore[arg-type]
        elif kind is shapes.OperationOutcome:
            self._outcome(answer, resource, alone=False)  # type: ignore[arg-type]
        elif kind in self._lists:
            self._file_listed(answer, resource)
        elif not isinstance(resource, shapes.Unused):
            self._file_support(resource, url)

    def _file_bundle(self, answer: Answer, bundle: shapes.Bundle) -> None:
        entries = bundle.entry or ()
        if not self._fits(answer, len(entries)):
            return
        observations: list[shapes.Observation] = []
        for entry in entries:
            resource = entry.resource
            if type(resource) is shapes.Observation:
                observations.append(resource)
            elif resource is not None:
                self._file(answer, resource, entry.fullUrl)
            else:
                self._response(answer, entry.response)
        if observations:
            self._file_observations(answer, observations)
        self._frame(answer, bundle.link, bundle.total, bool(entries))

    def _fits(self, answer: Answer, entries: int) -> bool:
        """Whether there is room for so many more; if not, none of them is looked at, and the answer has failed."""
        self._room -= entries
        if self._room < 0:
            answer.failure = _TOO_MANY
        return self._room >= 0

    def _file_observations(self, answer: Answer, observations: list[shapes.Observation]) -> None:
        answer.kinds.add(Kind.OBSERVATIONS)
        held, places = self._record.observations, self._observations
        for observation in observations:
            end = len(held)
            place = end if observation.id is None else places.setdefault(observation.id, end)
            if place == end:
                held.append(observation)
            elif _is_newer(observation, held[place]):
                held[place] = observation

    def _file_listed(self, answer: Answer, resource: shapes.AnyResource) -> None:
        kind = type(resource)
        known = KIND_OF.get(kind.__name__)
        if known is not None:
            answer.kinds.add(known)
        held = self._lists[kind]
        if resource.id is not None and (kind, resource.id) in self._others:
            place = next(place for place, each in enumerate(held) if each.id == resource.id and type(each) is kind)
            if _is_newer(resource, held[place]):
                held[place] = resource
            return
        if resource.id is not None:
            self._others.add((kind, resource.id))
        held.append(resource)

    def _file_patient(self, answer: Answer, patient: shapes.Patient, url: Raw) -> None:
        if patient.id != self._record.patient_id:
            self._record.other_patient = True
            if not answer.kinds:
                answer.failure = _OTHER_PATIENT
            return
        if answer.failure == _OTHER_PATIENT:
            answer.failure = None
        answer.kinds.add(Kind.PATIENT)
        self._record.patient = patient
        address = parts.text(url)
        if address:
            self._record.addresses.add(address)

    def _file_support(self, resource: shapes.AnyResource, url: Raw) -> None:
        names = [f"{type(resource).__name__}/{resource.id}"] if resource.id else []
        address = parts.text(url)
        if address:
            names.append(address)
        for name in names:
            if isinstance(resource, shapes.Medication):
                self._record.medications[name] = resource
            elif isinstance(resource, shapes.Specimen):
                self._record.specimens[name] = resource
            elif isinstance(resource, shapes.Location):
                self._record.locations[name] = resource

    def _outcome(self, answer: Answer, outcome: shapes.OperationOutcome, *, alone: bool) -> None:
        """An error in a Bundle, or an outcome in place of a Bundle, is a failure (unless it says: nothing found)."""
        issues = outcome.issue or []
        if any(issue.severity in ("error", "fatal") for issue in issues) or (
            alone and not (issues and all(issue.code in _NOTHING_FOUND for issue in issues))
        ):
            codes = sorted({issue.code for issue in issues if issue.code})
            answer.failure = "the query failed" + (f" ({', '.join(codes)})" if codes else "")

    def _response(self, answer: Answer, response: Raw) -> None:
        told = parts.entry_response(response)
        if told is not None and told.status and told.status[0] in "45":
            answer.failure = f"the query failed (status {told.status[:3]})"

    def _frame(self, answer: Answer, link: Raw, total: Raw, filled: bool) -> None:
        for each in parts.links(link) or () if link else ():
            if each.relation == "next" and each.url:
                answer.next_page = each.url
            elif each.relation == "self" and each.url and answer.hint is None:
                found = _TYPE_IN_URL.search(each.url)
                answer.hint = KIND_OF.get(found[1]) if found else None
        if not filled and bytes(total).isdigit() and int(bytes(total)[:9]) > 0 and not answer.kinds:
            answer.failure = "the answer counts results and holds none"

    # ---- the tolerant way

    def _take_apart(self, answer: Answer, raw: Raw | bytes) -> None:
        start = bytes(raw[:1]) if isinstance(raw, bytes) else bytes(raw)[:1]
        try:
            if start == b"[":
                held = _LIST.decode(raw)
                for each in held if self._fits(answer, len(held)) else ():
                    self._take_resource(answer, each, alone=True)
            elif start == b"{":
                self._take_resource(answer, Raw(bytes(raw)) if isinstance(raw, bytes) else raw, alone=True)
            elif bytes(raw).strip() != b"null":
                answer.failure = "no FHIR resource"
        except parts.UNREADABLE:
            answer.failure = "not readable as JSON"

    def _take_resource(self, answer: Answer, raw: Raw, url: Raw = shapes.ABSENT, *, alone: bool = False) -> None:
        if _is_bundle(raw):
            self._take_bundle(answer, raw)
            return
        resource, note = read_resource(raw)
        if note is not None:
            self._record.notes.append(note)
        if isinstance(resource, Unreadable):
            self._unreadable(answer, resource, alone=alone)
        elif isinstance(resource, shapes.OperationOutcome):
            self._outcome(answer, resource, alone=alone)
        elif resource is not None:
            if self._keep_raw and resource.id:
                self._record.raw[f"{type(resource).__name__}/{resource.id}"] = raw
            self._file(answer, resource, url)

    def _take_bundle(self, answer: Answer, raw: Raw) -> None:
        try:
            bundle = _RAW_BUNDLE.decode(raw)
        except parts.UNREADABLE:
            answer.failure = "the Bundle is not readable"
            return
        if not self._fits(answer, len(bundle.entry or ())):
            return
        for each in bundle.entry or ():
            try:
                entry = _RAW_ENTRY.decode(each)
            except parts.UNREADABLE:
                self._unreadable(answer, Unreadable("entry", "entry", "an entry of the Bundle is not readable"))
                continue
            if entry.resource and bytes(entry.resource) != b"null":
                self._take_resource(answer, entry.resource, entry.fullUrl)
            else:
                self._response(answer, entry.response)
        self._frame(answer, bundle.link, bundle.total, bool(bundle.entry))

    def _unreadable(self, answer: Answer, resource: Unreadable, *, alone: bool = False) -> None:
        self._record.unreadable.append(resource)
        self._record.notes.append(f"{resource.reference}: not used: {resource.reason}")
        kind = KIND_OF.get(resource.type)
        if kind is Kind.PATIENT:
            answer.failure = "the Patient is not readable"
        elif kind is not None:
            answer.kinds.add(kind)
        elif alone:
            answer.failure = "no FHIR resource"


def _is_bundle(raw: Raw) -> bool:
    try:
        return _HEAD.decode(raw).resourceType == "Bundle"
    except parts.UNREADABLE:
        return False


def _is_newer(one: shapes.AnyResource, other: shapes.AnyResource) -> bool:
    """Whether `one` is a later version than `other` of the same resource; the same version again is not."""
    mine, theirs = parts.meta(one.meta), parts.meta(other.meta)
    if mine is None or theirs is None:
        return False
    if mine.versionId and theirs.versionId and mine.versionId.isdigit() and theirs.versionId.isdigit():
        return int(mine.versionId[:18]) > int(theirs.versionId[:18])
    return (mine.lastUpdated or "") > (theirs.lastUpdated or "")
