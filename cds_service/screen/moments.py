"""The moments at which a patient is judged, and the visit that a call would have named.

Knows: latest, each day of each admission, each result, each visit, one date; zones.
Must not know: how anything is judged.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, time, timedelta, tzinfo
from typing import Final

from cds_service.calcinosis.facts import EncounterClass
from cds_service.calcinosis.names import Input
from cds_service.fhir import shapes
from cds_service.fhir.dates import has_zone
from cds_service.fhir.vocabulary import vocabulary_of
from cds_service.screen.record import Record
from cds_service.terminology.catalog import Catalog

LATEST: Final = "latest"
EACH_DAY: Final = "each-day"
EACH_RESULT: Final = "each-result"
EACH_ENCOUNTER: Final = "each-encounter"
ON_DATE: Final = "date"
USUAL_TIME: Final = time(9)
# A longer admission is a visit that nobody closed.
LONGEST_ADMISSION: Final = timedelta(days=400)

_NO_VISIT: Final = frozenset({"planned", "cancelled", "entered-in-error"})
_NO_RESULT: Final = frozenset({"cancelled", "entered-in-error", "unknown"})
_MINERALS: Final = frozenset(
    {
        Input.CALCIUM,
        Input.ADJUSTED_CALCIUM,
        Input.IONIZED_CALCIUM,
        Input.IONIZED_CALCIUM_PH74,
        Input.PHOSPHATE,
    }
)
_DAY: Final = timedelta(days=1)
_CLOCK: Final = re.compile(r"([01]?\d|2[0-3]):([0-5]\d)")


@dataclass(frozen=True, slots=True)
class At:
    """When to judge. clock: the time of day for each-day and for a date; date: for one date."""

    kind: str
    clock: time = USUAL_TIME
    date: datetime | None = None

    @property
    def text(self) -> str:
        """As on the command line."""
        if self.kind == EACH_DAY:
            return f"{EACH_DAY} {self.clock:%H:%M}"
        return self.date.isoformat() if self.date is not None else self.kind


@dataclass(frozen=True, slots=True)
class Moment:
    """One opening of a chart: when, and during which visit."""

    at: datetime
    encounter: shapes.Encounter | None = None


@dataclass(frozen=True, slots=True)
class Visit:
    """An Encounter with its times."""

    encounter: shapes.Encounter
    start: datetime
    end: datetime
    zone: tzinfo | None


def parse_at(text: str, zone: tzinfo | None) -> At:
    """Read what stands behind --at.

    Raises: ValueError.
    """
    words = text.replace("@", " ").split()
    if len(words) == 1 and words[0] in (LATEST, EACH_DAY, EACH_RESULT, EACH_ENCOUNTER):
        return At(words[0])
    if len(words) == 2 and words[0] == EACH_DAY and (clock := _CLOCK.fullmatch(words[1])):
        return At(EACH_DAY, time(int(clock[1]), int(clock[2])))
    date = datetime.fromisoformat(text)
    if len(text) == 10:
        date = datetime.combine(date, USUAL_TIME)
    return At(ON_DATE, USUAL_TIME, date if date.tzinfo is not None else date.replace(tzinfo=zone))


class Moments:
    """Finds the moments. now: the run's clock. zone: of times that name none; shifted: dates lie anywhere."""

    def __init__(self, at: At, catalog: Catalog, now: datetime, *, fixed_zone: bool, shifted: bool) -> None:
        self._at = at
        self._catalog = catalog
        self._labels = vocabulary_of(catalog).labels
        self._now = now
        self._fixed_zone = fixed_zone
        self._shifted = shifted

    def of(self, record: Record) -> Iterator[Moment]:
        """The moments of one patient, in the order of time."""
        visits = list(self._visits(record))
        for at in self._times(record, visits):
            if self._shifted or self._at.kind == ON_DATE or at <= self._now:
                yield Moment(at, _during(visits, at))

    def _times(self, record: Record, visits: list[Visit]) -> list[datetime]:
        if self._at.kind == ON_DATE:
            return [self._at.date or self._now]
        if self._at.kind == EACH_DAY:
            days = {at for visit in visits if self._is_admission(visit) for at in _days(visit, self._at.clock)}
            return sorted(days)
        if self._at.kind == EACH_ENCOUNTER:
            return sorted({visit.start.astimezone(visit.zone) for visit in visits})
        if self._at.kind == EACH_RESULT:
            return sorted(self._results(record, _MINERALS).values())
        return [self._latest(record)]

    def _latest(self, record: Record) -> datetime:
        """When the newest mapped result became known; mostly it is simply the newest of all that is held."""
        at, newest = record.newest_results()
        if at is not None and (self._shifted or at <= self._now):
            text = next((_time_text(each) for each in newest if self._inputs(each)), None)
            if text is not None:
                return at.astimezone(self._zone_of(text))
        found = self._results(record, None)
        return max(found.values(), default=self._now)

    def _results(self, record: Record, inputs: frozenset[Input] | None) -> dict[datetime, datetime]:
        """When results of these inputs (None: of any) became known, in UTC, and in the zone of the record."""
        latest = None if self._shifted else self._now
        texts: dict[datetime, str] = {}
        for observation, at in record.observations():
            if at is None or at in texts or (latest is not None and at > latest):
                continue
            found = self._inputs(observation)
            if found and (inputs is None or not inputs.isdisjoint(found)):
                texts[at] = _time_text(observation)
        return {at: at.astimezone(self._zone_of(text)) for at, text in texts.items()}

    def _inputs(self, observation: shapes.Observation) -> tuple[str, ...]:
        """What a result may be read as; nothing when there is no result."""
        return () if observation.status in _NO_RESULT else self._labels.of(observation.code).inputs

    def _visits(self, record: Record) -> Iterator[Visit]:
        for encounter in record.encounters:
            period = encounter.period or encounter.actualPeriod
            start = record.known.at(period.start) if period is not None else None
            if period is None or start is None or (encounter.status or "").strip() in _NO_VISIT:
                continue
            end = record.known.at(period.end)
            if end is None:
                end = self._last_known(record)
            elif len(period.end or "") == 10:
                end += _DAY
            yield Visit(encounter, start, max(start, end), self._zone_of(period.start or ""))

    def _last_known(self, record: Record) -> datetime:
        """For a visit under way: the newest that is known of the patient."""
        return record.last_known(None if self._shifted else self._now) or self._now

    def _zone_of(self, text: str) -> tzinfo | None:
        """The zone in which a text of the record tells its time; that of the run when none is told or one was given."""
        if self._fixed_zone or len(text) <= 10 or not has_zone(text) or text.endswith("Z"):
            return self._now.tzinfo
        try:
            return datetime.fromisoformat(text).tzinfo
        except ValueError:
            return self._now.tzinfo

    def _is_admission(self, visit: Visit) -> bool:
        given = visit.encounter.class_
        codes = [given] if isinstance(given, str) else [given.code] if isinstance(given, shapes.Coding) else []
        if isinstance(given, list):
            codes = [coding.code for concept in given for coding in concept.coding or ()]
        settings = {self._catalog.encounter_class(code) for code in codes if code}
        return settings != {EncounterClass.OUTPATIENT}


def _time_text(observation: shapes.Observation) -> str:
    return observation.effectiveDateTime or observation.issued or ""


def _days(visit: Visit, clock: time) -> Iterator[datetime]:
    """The clock's time on each day of a visit."""
    if visit.end - visit.start > LONGEST_ADMISSION:
        return
    day = visit.start.astimezone(visit.zone).date()
    while (at := datetime.combine(day, clock, visit.zone or UTC)) <= visit.end:
        if at >= visit.start:
            yield at
        day += _DAY


def _during(visits: list[Visit], at: datetime) -> shapes.Encounter | None:
    """The visit at that time; of several the one that began last."""
    running = [visit for visit in visits if visit.start <= at <= visit.end]
    return max(running, key=lambda visit: visit.start).encounter if running else None
