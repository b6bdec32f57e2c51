"""A first look at all Observations: which are mapped, the patient's own and not replaced, and which may be left out.

Knows: codes, subjects, corrections, the usual way to say a time; it passes over unmapped Observations, most of a chart.
Must not know: values, specimens. Whatever is not quite usual is read in any case.
"""

from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Final

from msgspec import Raw

from cds_service.calcinosis.facts import Mark, Taken
from cds_service.fhir import shapes
from cds_service.fhir.draft import Draft
from cds_service.fhir.labels import NOTHING, Label, Labels
from cds_service.fhir.references import Belongs, Subjects
from cds_service.fhir.superseded import CORRECTING, superseded
from cds_service.fhir.times import Times

FINAL: Final = frozenset({"final", "amended", "corrected"})
_ABSENT: Final = shapes.ABSENT
_NO_TIME: Final = datetime.min.replace(tzinfo=UTC)
# members of an Enum are looked up slowly; this one is looked up for every Observation
_OURS: Final = Belongs.OURS


class Glance:
    """The sorted Observations.

    observations, labels, instants: those that count, what their codes mean, when they were taken; a place is an index
    of all three. (Side by side, for thousands of pairs would keep the garbage collector busy.)
    always: places of what is read in any case. found: by input, places of what may be left out.
    """

    def __init__(self, labels: Labels, subjects: Subjects, times: Times, draft: Draft) -> None:
        self._labels = labels
        self._subjects = subjects
        self._times = times
        self._draft = draft
        self.observations: list[shapes.Observation] = []
        self.labels: list[Label] = []
        self.instants: list[datetime] = []
        self.always: list[int] = []
        self.found: dict[str, list[int]] = {}

    def look(self, observations: Iterable[shapes.Observation], *, every: bool) -> None:
        """Sort them. every: nothing may be left out."""
        known, instant_of, final = self._labels.seen, self._times.instant, FINAL
        ours, labels, instants, always, found = self.observations, self.labels, self.instants, self.always, self.found
        unclear: list[int] = []
        corrected = False
        mine: Raw | None = None  # the bytes of a subject that is ours
        for observation in observations:
            label = known.get(bytes(observation.code)) or self._labels.of(observation.code)
            if not label.inputs and observation.component is _ABSENT:
                if label is not NOTHING:
                    self._unmapped(observation, label)
                continue
            if observation.subject != mine:
                whose = self._whose(observation)
                if whose is _OURS:
                    mine = observation.subject
                elif whose is not Belongs.UNSAID:
                    continue
            place, status, name, instant = len(ours), observation.status, label.alone, None
            ours.append(observation)
            labels.append(label)
            corrected = corrected or status in CORRECTING
            if every or name is None or status not in final or observation.component is not _ABSENT:
                always.append(place)
            elif (instant := instant_of(observation)) is None:
                unclear.append(place)
            elif name in found:
                found[name].append(place)
            else:
                found[name] = [place]
            instants.append(instant or _NO_TIME)
        if corrected:
            self._drop(superseded(list(zip(ours, labels, strict=True))), unclear)
        for place in unclear:
            self._look_again(place)
        always.sort()

    def _drop(self, replaced: set[int], unclear: list[int]) -> None:
        gone = {place for place, observation in enumerate(self.observations) if id(observation) in replaced}
        for places in (self.always, unclear, *self.found.values()):
            places[:] = [place for place in places if place not in gone]

    def _look_again(self, place: int) -> None:
        """Sort a result whose time is said in an unusual way, or is not usable."""
        name = self.labels[place].alone
        taken = self._times.taken(self.observations[place])
        if isinstance(taken, Taken) and name is not None:
            self.instants[place] = taken.at
            self.found.setdefault(name, []).append(place)
        else:
            self.always.append(place)

    def _whose(self, observation: shapes.Observation) -> Belongs:
        whose = self._subjects.of(observation.subject)
        if whose is Belongs.UNSAID:
            self._draft.tallies["Observations used without a subject"] += 1
        elif whose is Belongs.OTHER:
            self._draft.marks.add(Mark.OTHER_SUBJECT)
        elif whose is Belongs.UNREADABLE:
            self._draft.tallies["Observations not used, subject not readable"] += 1
        return whose

    def _unmapped(self, observation: shapes.Observation, label: Label) -> None:
        if label.unmapped is not None:
            self._draft.first(label.unmapped, f"Observation/{observation.id}: {label.unmapped}")
        if label.text_only:
            self._draft.tallies["Observations without a code"] += 1
