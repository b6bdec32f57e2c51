"""When a result was collected, and with what: times and draws of Observations.

Knows: CL-33 (which time counts) and CL-30 (what belongs to one draw): specimen, report, panel.
Must not know: values, codes.
"""

from collections import defaultdict
from datetime import datetime
from typing import Final

from cds_service.calcinosis.facts import Taken
from cds_service.fhir import parts, releases, shapes
from cds_service.fhir.dates import Future, has_zone, since_when, taken_at, usual_time
from cds_service.fhir.draft import Draft
from cds_service.fhir.record import PatientRecord
from cds_service.fhir.references import Belongs, Subjects, local_reference

_NO_DRAW: Final[frozenset[str]] = frozenset()


class Times:
    """Tells times and draws of the Observations of one record."""

    def __init__(self, record: PatientRecord, now: datetime, subjects: Subjects, draft: Draft) -> None:
        self._record = record
        self._subjects = subjects
        self._draft = draft
        self._zone = now.tzinfo
        self._future = Future(now)
        # results of one draw share their time
        self._seen: dict[str, Taken | str] = {}
        self._instants: dict[str, datetime] = {}
        self._surely_past = self._future.surely_past
        self._reports, self._parents = self._groups()
        self._is_grouped = bool(self._reports or self._parents)

    def taken(self, observation: shapes.Observation) -> Taken | str:
        """The collection time, or why there is none (CL-33). A time that is there but unusable is not replaced."""
        text = observation.effectiveDateTime or self._other_effective(observation) or self._surrounding(observation)
        if text:
            known = self._seen.get(text)
            if known is None:
                instant = self._instants.get(text)
                judged = self._judge(text, taken_at(text, self._zone)) if instant is None else Taken(instant, text)
                known = self._seen[text] = judged
            return known
        # issued is the reporting time: the last resort
        text = observation.issued
        return self._judge(text, taken_at(text, self._zone, uncertain=True)) if text else "result: no date, not used"

    def instant(self, observation: shapes.Observation) -> datetime | None:
        """The collection time, for a first look; None when it takes more than a look (taken)."""
        text = observation.effectiveDateTime
        if not text:
            return None
        known = self._instants.get(text)
        if known is None and text < self._surely_past:
            known = usual_time(text)
            if known is not None:
                self._instants[text] = known
        return known

    def _judge(self, text: str, taken: Taken | None) -> Taken | str:
        if taken is None:
            return f"result ({text[:30]}): date without a day, or not readable, not used"
        if self._future.holds(taken):
            return f"result ({text[:30]}): dated in the future, not used"
        if not has_zone(text):
            self._draft.tallies["times of results without zone, read in the zone of the call"] += 1
        return taken

    def about(self, observation: shapes.Observation) -> Taken | None:
        """A rough time for a gap, to tell old gaps from new ones."""
        text = observation.effectiveDateTime or self._other_effective(observation) or observation.issued
        return since_when(text, self._zone) if text else None

    @staticmethod
    def _other_effective(observation: shapes.Observation) -> str | None:
        if observation.effectiveInstant:
            return observation.effectiveInstant
        if observation.effectivePeriod:
            period = parts.period(observation.effectivePeriod)
            return period.start if period is not None else None
        if observation.effectiveTiming:
            timing = parts.timing(observation.effectiveTiming)
            return timing.event[0] if timing is not None and timing.event else None
        return None

    def _surrounding(self, observation: shapes.Observation) -> str | None:
        """The effective time of the report or panel that lists the result; in panels it is often there alone."""
        reference = f"Observation/{observation.id}"
        for report in self._reports.get(reference, ()):
            text = report.effectiveDateTime or (report.effectivePeriod.start if report.effectivePeriod else None)
            if text:
                return text
        for parent in self._parents.get(reference, ()):
            text = parent.effectiveDateTime or self._other_effective(parent)
            if text:
                return text
        return None

    def draws(self, observation: shapes.Observation, reference: str, specimen: str | None) -> frozenset[str]:
        if specimen is None and not self._is_grouped and not _is_panel(observation):
            return _NO_DRAW
        reports = self._reports.get(reference)
        parents = self._parents.get(reference)
        is_panel = _is_panel(observation)
        if specimen is None and not reports and not parents and not is_panel:
            return _NO_DRAW
        draws = {specimen} if specimen is not None else set()
        draws |= {f"DiagnosticReport/{report.id}" for report in reports or ()}
        draws |= {f"Observation/{parent.id}" for parent in parents or ()}
        return frozenset(draws | {reference} if is_panel else draws)

    def _groups(
        self,
    ) -> tuple[dict[str, list[shapes.DiagnosticReport]], dict[str, list[shapes.Observation]]]:
        """Which reports and which panels list an Observation."""
        reports: dict[str, list[shapes.DiagnosticReport]] = defaultdict(list)
        parents: dict[str, list[shapes.Observation]] = defaultdict(list)
        for report in self._record.reports:
            if self._subjects.of(report.subject) in (Belongs.OURS, Belongs.UNSAID):
                for member in parts.references(report.result) or ():
                    reports[_member(member)].append(report)
        for panel in self._record.observations:
            if _is_panel(panel):
                for member in releases.members(panel):
                    parents[_member(member)].append(panel)
        return dict(reports), dict(parents)


def _is_panel(observation: shapes.Observation) -> bool:
    return observation.hasMember is not shapes.ABSENT or observation.related is not shapes.ABSENT


def _member(reference: shapes.Reference) -> str:
    """`Observation/id` of a listed result; entries of a collection are named by their id there."""
    text = local_reference(reference.reference or "")
    return text.replace("urn:uuid:", "Observation/", 1)
