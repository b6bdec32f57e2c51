"""A first look at all Observations: which are mapped, the patient's own and not replaced, and which may be left out.

Knows: codes, subjects, corrections, the usual way to say a time; it passes over unmapped Observations, most of a chart.
Must not know: values, specimens. Whatever is not quite usual is read in any case.
"""

from collections.abc import Iterable
from typing import Final

from msgspec import Raw

from cds_service.calcinosis.facts import Mark, Taken
from cds_service.fhir import shapes
from cds_service.fhir.draft import Draft
from cds_service.fhir.labels import NOTHING, Label, Labels
from cds_service.fhir.references import Belongs, Subjects
from cds_service.fhir.selection import Candidate
from cds_service.fhir.superseded import CORRECTING, superseded
from cds_service.fhir.times import Times

FINAL: Final = frozenset({"final", "amended", "corrected"})
_ABSENT: Final = shapes.ABSENT
# members of an Enum are looked up slowly; this one is looked up for every Observation
_OURS: Final = Belongs.OURS


class Glance:
    """The sorted Observations.

    ours: those that count, with the meaning of their codes; a place is an index of it.
    always: places of what is read in any case. found: by input, times and places of what may be left out.
    """

    def __init__(self, labels: Labels, subjects: Subjects, times: Times, draft: Draft) -> None:
        self._labels = labels
        self._subjects = subjects
        self._times = times
        self._draft = draft
        self.ours: list[tuple[shapes.Observation, Label]] = []
        self.always: list[int] = []
        self.found: dict[str, list[Candidate]] = {}

    def look(self, observations: Iterable[shapes.Observation], *, every: bool) -> None:
        """Sort them. every: nothing may be left out."""
        labels, instant_of = self._labels.seen, self._times.instant
        ours, always, found, final = self.ours, self.always, self.found, FINAL
        unclear: list[int] = []
        corrected = False
        mine: Raw | None = None  # the bytes of a subject that is ours
        for observation in observations:
            label = labels.get(bytes(observation.code)) or self._labels.of(observation.code)
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
            place, status, name = len(ours), observation.status, label.alone
            ours.append((observation, label))
            corrected = corrected or status in CORRECTING
            if every or name is None or status not in final or observation.component is not _ABSENT:
                always.append(place)
            elif (instant := instant_of(observation)) is None:
                unclear.append(place)
            elif name in found:
                found[name].append((instant, place))
            else:
                found[name] = [(instant, place)]
        if corrected:
            self._drop(superseded(ours), unclear)
        for place in unclear:
            self._look_again(place)
        always.sort()

    def _drop(self, replaced: set[int], unclear: list[int]) -> None:
        gone = {place for place, (observation, _) in enumerate(self.ours) if id(observation) in replaced}
        for places in (self.always, unclear):
            places[:] = [place for place in places if place not in gone]
        for results in self.found.values():
            results[:] = [each for each in results if each[1] not in gone]

    def _look_again(self, place: int) -> None:
        """Sort a result whose time is said in an unusual way, or is not usable."""
        observation, label = self.ours[place]
        taken = self._times.taken(observation)
        if isinstance(taken, Taken) and label.alone is not None:
            self.found.setdefault(label.alone, []).append((taken.at, place))
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
