"""Since when a resource was known: what a call at a past moment would have found.

Knows: the dates by which a resource tells when it came into the record.
Must not know: moments (moments.py), meaning.

A resource counts at a moment when none of its own dates says that it came later. A resource without such a date counts
always; its state (active, completed ...) is that of the export, for no history of it is exported.
"""

from collections.abc import Sequence
from datetime import datetime, tzinfo
from operator import attrgetter
from typing import Final

from msgspec import Raw

from cds_service.fhir import parts, shapes
from cds_service.fhir.dates import since_when, usual_time

Resource = shapes.AnyResource | Raw

_effective_of: Final = attrgetter("effectiveDateTime")
_issued_of: Final = attrgetter("issued")
# where the zone begins in a time with seconds
_ZONE: Final = slice(19, None)


class Known:
    """Tells since when resources were known; times without zone count in `zone`."""

    def __init__(self, zone: tzinfo | None) -> None:
        self._zone = zone
        self._seen: dict[str, datetime | None] = {}

    def since(self, resource: Resource) -> datetime | None:
        """The time from which the resource was known; None when it does not tell."""
        match resource:
            case shapes.Observation():
                return self.result(resource)
            case shapes.Condition():
                return self._first(
                    resource.recordedDate, resource.assertedDate, resource.dateRecorded, resource.onsetDateTime
                ) or self._start(resource.onsetPeriod)
            case shapes.MedicationRequest():
                return self._first(resource.authoredOn)
            case shapes.MedicationStatement() | shapes.DiagnosticReport():
                return self._first(resource.effectiveDateTime) or self._start(resource.effectivePeriod)
            case shapes.MedicationAdministration():
                at = self._first(resource.effectiveDateTime, resource.occurenceDateTime)
                return at or self._start(resource.effectivePeriod or resource.occurencePeriod)
            case shapes.Procedure():
                at = self._first(resource.performedDateTime, resource.occurrenceDateTime)
                return at or self._start(resource.performedPeriod or resource.occurrencePeriod)
            case _:
                return None

    def result(self, observation: shapes.Observation) -> datetime | None:
        """A result is known once it was both collected and issued."""
        taken = self.at(observation.effectiveDateTime or observation.effectiveInstant)
        if taken is None and observation.effectivePeriod:
            taken = self._start(parts.period(observation.effectivePeriod))
        if observation.issued is None:
            return taken
        issued = self.at(observation.issued)
        return max(taken, issued) if taken and issued else taken or issued

    def newest(self, observations: Sequence[shapes.Observation]) -> tuple[datetime | None, list[shapes.Observation]]:
        """The newest time since when a result was known, and the results of that time.

        Most results of a patient tell their times with seconds and in one zone; the texts then compare like the times,
        and only the greatest has to be understood.
        """
        effective, issued = set(map(_effective_of, observations)), set(map(_issued_of, observations))
        if effective and None not in effective:
            texts = effective | issued - {None}
            newest = max(texts)
            at, zone = usual_time(newest), newest[_ZONE]
            if at is not None and all(text[_ZONE] == zone for text in texts):
                return at, [each for each in observations if newest in (each.effectiveDateTime, each.issued)]
        since = list(map(self.result, observations))
        at = max((each for each in since if each is not None), default=None)
        return at, [each for each, known in zip(observations, since, strict=True) if at is not None and known == at]

    def at(self, text: str | None) -> datetime | None:
        """The instant of a FHIR date or time, in UTC; a day counts from its beginning."""
        if not text:
            return None
        if text in self._seen:
            return self._seen[text]
        usual = usual_time(text)
        if usual is None:
            taken = since_when(text, self._zone)
            usual = taken.at if taken is not None else None
        self._seen[text] = usual
        return usual

    def _first(self, *texts: str | None) -> datetime | None:
        return next((at for text in texts if (at := self.at(text)) is not None), None)

    def _start(self, period: shapes.Period | None) -> datetime | None:
        return self.at(period.start) if period is not None else None
